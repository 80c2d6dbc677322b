/* Flows that connect to a vchan: while there is none they have a carrier of their own, so that they
 * time out, are aborted and closed as any; then the ring takes its place. */
#include "vchan/internal.h"

/* The carrier's state. */
struct waiting {
    struct cdt_flow *flow;
    struct vchan_connecting *connecting; /* NULL: it is over */
};

static void waiting_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    struct waiting *waiting = carrier->context;
    (void)how;
    if (waiting->connecting)
        vchan_connecting_cancel(waiting->connecting);
    mem_free(waiting);
}

static const char *tried(const struct cdt_carrier *carrier)
{
    const struct waiting *waiting = carrier->context;
    return waiting->connecting ? vchan_connecting_tells(waiting->connecting) : NULL;
}

static const struct cdt_carrier_ops waiting_ops = {
    .size = sizeof waiting_ops,
    .name = "vchan",
    .read = waiting_read,
    .write = waiting_write,
    .writev = waiting_writev,
    .connected = waiting_connected,
    .close = waiting_close,
    .address = waiting_address,
    .tried = tried,
};

/* ---- the end of the wait --------------------------------------------------------------------- */

static void on_done(void *arg, int status, struct vchan *vchan, const char *why)
{
    struct waiting *waiting = arg;
    struct cdt_flow *flow = waiting->flow;
    waiting->connecting = NULL;
    if (status == 0 && cdt_flow_state(flow) != CDT_CONNECTING) { /* it is ending already */
        vchan->bell->close(vchan, CDT_CLOSE_RESET);
        return;
    }
    if (status == 0) {
        const struct cdt_carrier carrier = {.context = vchan, .fd = vchan->fd};
        status = flow_set_carrier(flow, &vchan_ops, &carrier, false, NULL);
        if (status == 0) {
            vchan->flow = flow;
            mem_free(waiting);
            return;
        }
        vchan->bell->close(vchan, CDT_CLOSE_RESET);
    }
    flow_end(flow, status, why);
}

/* ---- public ---------------------------------------------------------------------------------- */

static int connect_to(struct cdt_reactor *reactor, unsigned domid, const char *name,
                      const char *port, const struct cdt_vchan_options *vchan,
                      const struct cdt_flow_options *options, const struct cdt_handler *handler,
                      struct cdt_flow **flow)
{
    struct vchan_settings settings;
    const char *why = NULL;
    if (!flow || vchan_wrong_place(domid, name, port))
        return -EINVAL;
    const int filled = vchan_settings_fill(&settings, vchan);
    if (filled && filled != -EPROTONOSUPPORT)
        return filled;
    struct waiting *waiting = mem_zalloc(sizeof *waiting);
    if (!waiting)
        return -ENOMEM;
    const struct cdt_carrier carrier = {.context = waiting, .fd = -1};
    int status =
        cdt_carrier_flow(reactor, &waiting_ops, &carrier, true, options, handler, &waiting->flow);
    if (status) {
        mem_free(waiting);
        return status;
    }
    *flow = waiting->flow;
    if (filled == 0)
        status = vchan_connecting_start(reactor, &settings, domid, name, port, on_done, waiting,
                                        &waiting->connecting, &why);
    if (filled || status)
        flow_end(waiting->flow, filled ? filled : status, filled ? settings.why : why);
    return 0;
}

int cdt_vchan_connect(struct cdt_reactor *reactor, unsigned domid, const char *port,
                      const struct cdt_vchan_options *vchan, const struct cdt_flow_options *options,
                      const struct cdt_handler *handler, struct cdt_flow **flow)
{
    return connect_to(reactor, domid, NULL, port, vchan, options, handler, flow);
}

int cdt_vchan_connect_name(struct cdt_reactor *reactor, const char *name, const char *port,
                           const struct cdt_vchan_options *vchan,
                           const struct cdt_flow_options *options,
                           const struct cdt_handler *handler, struct cdt_flow **flow)
{
    return name ? connect_to(reactor, 0, name, port, vchan, options, handler, flow) : -EINVAL;
}
