/* Endpoints of vchan: the context's options for them, attempts to connect, servers, and the
 * endpoints of flows and servers. */
#include <stdio.h>
#include <string.h>

#include "context/internal.h"
#include "vchan/internal.h"

/* ---- options --------------------------------------------------------------------------------- */

int context_vchan_begin(struct cdt_context *context, const struct cdt_vchan_options *options)
{
    struct cdt_vchan_options given, *mine = &context->vchan;
    if (!options_copy(&given, sizeof given, options))
        return -EINVAL;
    *mine = given;
    mine->name = given.name ? mem_strdup(given.name) : NULL;
    mine->directory = given.directory ? mem_strdup(given.directory) : NULL;
    return (given.name && !mine->name) || (given.directory && !mine->directory) ? -ENOMEM : 0;
}

void context_vchan_end(struct cdt_context *context)
{
    mem_free((char *)(uintptr_t)context->vchan.name);
    mem_free((char *)(uintptr_t)context->vchan.directory);
    context->vchan.name = context->vchan.directory = NULL;
}

/* The name of an endpoint; NULL: it goes by the domain's id. */
static const char *domain_name(const struct cdt_endp *endp)
{
    return endp->kind == CDT_ENDP_VCHAN_DOMAIN_SOCKET ? endp->name : NULL;
}

/* What cannot be a place: NULL, nothing. A text with a 0 in it is longer than it looks. */
static const char *wrong_endp(const struct cdt_endp *endp)
{
    if (strlen(endp->name) != endp->name_length || strlen(endp->port) != endp->port_length)
        return "a name of vchan holds no 0 byte";
    return vchan_wrong_place(endp->number, domain_name(endp), endp->port);
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* The carrier of an attempt that goes on: there is only its end. */
static void connecting_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)how;
    vchan_connecting_cancel(carrier->context);
}

static const struct cdt_carrier_ops connecting_ops = {
    .size = sizeof connecting_ops,
    .name = "vchan",
    .close = connecting_close,
};

const char *attempt_vchan_tells(const struct attempt *attempt)
{
    return attempt->ops == &connecting_ops ? vchan_connecting_tells(attempt->carrier.context)
                                           : NULL;
}

/* What `done` is given is lent. */
static void on_done(void *arg, int status, struct vchan *vchan, const char *why)
{
    struct attempt *attempt = arg;
    attempt->ops = NULL;
    attempt->carrier = (struct cdt_carrier){.fd = -1};
    if (status == 0) {
        attempt->ops = &vchan_ops;
        attempt->carrier = (struct cdt_carrier){.context = vchan, .fd = vchan->fd};
    } else if (why) {
        attempt->why = attempt->own_why = mem_strdup(why);
    }
    race_answer(attempt, status);
}

int attempt_vchan(struct attempt *attempt)
{
    const struct cdt_endp *endp = attempt->base;
    struct vchan_connecting *connecting;
    struct vchan_settings settings;
    attempt->why = wrong_endp(endp);
    if (attempt->why)
        return -EINVAL;
    int status = vchan_settings_fill(&settings, &race_context(attempt->race)->vchan);
    attempt->why = settings.why;
    if (status == 0)
        status = vchan_connecting_start(cdt_flow_reactor(race_flow(attempt->race)), &settings,
                                        endp->number, domain_name(endp), endp->port, on_done,
                                        attempt, &connecting, &attempt->why);
    if (status)
        return status;
    attempt->ops = &connecting_ops;
    attempt->carrier.context = connecting;
    return -EAGAIN;
}

/* ---- serving --------------------------------------------------------------------------------- */

int context_vchan_listen(struct cdt_context *context, const struct cdt_endp *endp,
                         const struct cdt_server_options *options,
                         const struct cdt_handler *handler, struct cdt_server **server)
{
    struct vchan_settings settings;
    const char *why = wrong_endp(endp);
    if (why)
        return context_fail(context, -EINVAL, why);
    int status = vchan_settings_fill(&settings, &context->vchan); /* no backend: at once, here */
    if (status)
        return context_fail(context, status, settings.why);
    status = vchan_listen(context->reactor, endp->number, domain_name(endp), endp->port,
                          &context->vchan, options, handler, server, &why);
    return status ? context_fail(context, status, why) : 0;
}

/* ---- endpoints ------------------------------------------------------------------------------- */

/* By name or not, what a flow has reached is a port of a domain. Of our own side there is none. */
int context_vchan_flow(const struct cdt_flow *flow, struct cdt_endp **endp)
{
    const struct vchan *vchan = vchan_of(flow);
    return vchan ? cdt_endp_vchan_direct(vchan->domid, vchan->port, endp) : -ENOTSUP;
}

int context_vchan_server(const struct cdt_server *server, struct cdt_endp **endp)
{
    const struct vchan_listens_at *at = vchan_listens_at(server);
    if (!at)
        return -EINVAL;
    return at->name ? cdt_endp_vchan_domain_socket(at->name, at->port, endp)
                    : cdt_endp_vchan_direct(at->domid, at->port, endp);
}
