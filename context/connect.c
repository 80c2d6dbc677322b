/* Connecting: from a text, an endpoint or a list of them to the race that connects. */
#include "context/internal.h"

/* What every call checks, and forgets the last failure. */
static int begin(struct cdt_context *context, const void *what, const struct cdt_handler *handler,
                 struct cdt_flow **flow)
{
    if (!context)
        return -EINVAL;
    if (!what || !flow_handler_valid(handler) || !flow || !reactor_usable(context->reactor))
        return context_fail(context, -EINVAL, NULL);
    return context_fail(context, 0, NULL);
}

/* A race over what the resolver gives for a URI, or for the host name in an endpoint. */
static int connect_name(struct cdt_context *context, const char *uri, const struct cdt_endp *endp,
                        const struct cdt_flow_options *options, const struct cdt_handler *handler,
                        struct cdt_flow **flow)
{
    struct cdt_text_error error = {.text = ""};
    struct cdt_resolver *resolver;
    int status = context_resolver(context, &resolver);
    if (status)
        return context_fail(context, status, NULL);
    struct race *race = race_new(0);
    if (!race)
        return context_fail(context, -ENOMEM, NULL);
    if (uri)
        status =
            cdt_resolve(resolver, uri, NULL, race_resolved, race, race_resolution(race), &error);
    else
        status = cdt_resolve_endp(resolver, endp, NULL, race_resolved, race, race_resolution(race));
    if (status) {
        race_free(race);
        return context_fail(context, status, error.text);
    }
    return context_fail(context, race_run(race, context, options, handler, flow), NULL);
}

/* Whether there is a name for the resolver. A host without one, alone, is this host. */
static bool has_name(const struct cdt_endp *endp)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    return base->kind == CDT_ENDP_HOST && (base->name_length || base != endp);
}

static int connect_list(struct cdt_context *context, const struct cdt_endp *const *endps,
                        size_t count, const struct cdt_flow_options *options,
                        const struct cdt_handler *handler, struct cdt_flow **flow)
{
    struct race *race = race_new(count < RACE_MAX / 2 ? count * 2 : RACE_MAX);
    int status = race ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && status == 0; i++)
        status = context_row(endps[i]) ? race_add(race, endps[i]) : -EINVAL;
    if (status == 0)
        status = race_run(race, context, options, handler, flow);
    else if (race)
        race_free(race);
    return context_fail(context, status, NULL);
}

int cdt_connect_endp(struct cdt_context *context, const struct cdt_endp *endp,
                     const struct cdt_flow_options *options, const struct cdt_handler *handler,
                     struct cdt_flow **flow)
{
    const int status = begin(context, endp, handler, flow);
    if (status)
        return status;
    if (context_row(endp) && has_name(endp))
        return connect_name(context, NULL, endp, options, handler, flow);
    return connect_list(context, &endp, 1, options, handler, flow);
}

int cdt_connect_endps(struct cdt_context *context, const struct cdt_endp *const *endps,
                      size_t count, const struct cdt_flow_options *options,
                      const struct cdt_handler *handler, struct cdt_flow **flow)
{
    const int status = begin(context, count ? endps : NULL, handler, flow);
    return status ? status : connect_list(context, endps, count, options, handler, flow);
}

int cdt_connect_mode(struct cdt_context *context, const struct cdt_client_mode *mode,
                     const struct cdt_flow_options *options, const struct cdt_handler *handler,
                     struct cdt_flow **flow)
{
    static const struct cdt_client_mode nowhere;
    if (!mode)
        mode = &nowhere;
    int status = begin(context, mode->endp, handler, flow);
    if (status)
        return status;
    struct race *race = race_new(1);
    status = race ? race_add(race, mode->endp) : -ENOMEM;
    if (status == 0) {
        race_set_backend(race, mode->tls);
        status = race_run(race, context, options, handler, flow);
    } else if (race) {
        race_free(race);
    }
    return context_fail(context, status, NULL);
}

int cdt_connect(struct cdt_context *context, const char *text,
                const struct cdt_flow_options *options, const struct cdt_handler *handler,
                struct cdt_flow **flow)
{
    struct cdt_text_error error;
    struct cdt_endp *endp;
    int status = begin(context, text, handler, flow);
    if (status)
        return status;
    status = cdt_endp_parse(text, &endp, &error);
    if (status == -EPROTONOSUPPORT)
        return connect_name(context, text, NULL, options, handler, flow);
    if (status)
        return context_fail(context, status, error.text);
    status = cdt_connect_endp(context, endp, options, handler, flow);
    cdt_endp_free(endp);
    return status;
}
