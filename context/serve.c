/* Serving: from a text or an endpoint to its carrier's listener, under the context's limit. */
#include "context/internal.h"

/* The options with the context's limit in the first free place. */
static int add_limit(struct cdt_context *context, struct cdt_server_options *options)
{
    int free_place = -1;
    for (int i = CDT_MAX_LIMITS - 1; i >= 0; i--) {
        if (options->limits[i] == context->limit)
            return 0;
        if (!options->limits[i])
            free_place = i;
    }
    if (free_place < 0)
        return -EINVAL;
    options->limits[free_place] = context->limit;
    return 0;
}

int cdt_serve_endp(struct cdt_context *context, const struct cdt_endp *endp,
                   const struct cdt_server_options *options, const struct cdt_handler *handler,
                   struct cdt_server **server)
{
    const struct context_row *row = context_row(endp);
    struct cdt_server_options mine;
    struct cdt_flow_options flow;
    if (!context)
        return -EINVAL;
    if (!row || !handler || !server || !options_copy(&mine, sizeof mine, options) ||
        !options_copy(&flow, sizeof flow, mine.flow ? mine.flow : &context->flow))
        return context_fail(context, -EINVAL, NULL);
    mine.flow = &flow;
    if (add_limit(context, &mine) != 0)
        return context_fail(context, -EINVAL, "no place for the context's limit");
    if (!row->listen)
        return context_fail(context, -EPROTONOSUPPORT, row->no_listen);
    context_fail(context, 0, NULL);
    const int status = row->listen(context, endp, &mine, handler, server);
    if (status && !*context->error)
        context_fail(context, status, NULL);
    return status;
}

int cdt_serve(struct cdt_context *context, const char *text,
              const struct cdt_server_options *options, const struct cdt_handler *handler,
              struct cdt_server **server)
{
    struct cdt_text_error error;
    struct cdt_endp *endp;
    if (!context)
        return -EINVAL;
    if (!text)
        return context_fail(context, -EINVAL, NULL);
    int status = cdt_endp_parse(text, &endp, &error);
    if (status) /* also a URI is none */
        return context_fail(context, status == -EPROTONOSUPPORT ? -EINVAL : status, error.text);
    status = cdt_serve_endp(context, endp, options, handler, server);
    cdt_endp_free(endp);
    return status;
}
