/* Ending a flow by the user's wish: in order, at once, by halves, or giving its descriptor back. */
#include "flows/internal.h"

int cdt_flow_close(struct cdt_flow *flow)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (flow->state >= CDT_CLOSING)
        return 0;
    flow->flags &= ~(uint32_t)FLOW_PAUSED;
    if (flow->state < CDT_OPEN) {
        cdt_flow_flush(flow);
        if (flow_unsent(flow))
            flow->flags |= FLOW_CLOSE_WANTED;
        else
            flow_end(flow, 0, NULL);
        return 0;
    }
    flow_change(flow, FLOW_EV_CLOSE);
    if (!(flow->flags & FLOW_FIN_WANTED))
        flow_end_stream(flow);
    else if (!flow->tail)
        flow_begin_linger(flow);
    if (flow_has_input(flow))
        flow_schedule(flow);
    return 0;
}

/* Who aborts with the -EPIPE that a write gave does not know the reason; the carrier may. */
static int abort_status(struct cdt_flow *flow, int status)
{
    if (status != -EPIPE)
        return status;
    if (flow->flags & FLOW_BROKEN)
        return flow->status;
    int known = 0;
    if ((flow->flags & FLOW_HUNG) && flow->ops->connected)
        known = flow->ops->connected(&flow->carrier);
    return known && known != -EAGAIN ? known : status;
}

int cdt_flow_abort(struct cdt_flow *flow, int status, const char *text)
{
    if (!flow_usable(flow) || status > 0)
        return -EINVAL;
    if (flow->state == CDT_CLOSED)
        return 0;
    flow->flags |= FLOW_RESET;
    flow_end(flow, abort_status(flow, status), text);
    return 0;
}

int cdt_flow_shutdown(struct cdt_flow *flow, enum cdt_how how)
{
    if (!flow_usable(flow) || how < CDT_SHUT_READ || how > CDT_SHUT_BOTH)
        return -EINVAL;
    if (how & CDT_SHUT_READ)
        flow->flags |= FLOW_SHUT_READ;
    if ((how & CDT_SHUT_WRITE) && (flow->flags & FLOW_SHUT_READ))
        return cdt_flow_close(flow);
    if (how == CDT_SHUT_READ) {
        if (flow->state == CDT_WE_ENDED)
            return cdt_flow_close(flow);
        return cdt_flow_resume(flow);
    }
    if (flow->state < CDT_OPEN) {
        flow->flags |= FLOW_FIN_WANTED;
        return 0;
    }
    if (!flow_change(flow, FLOW_EV_OUR_END))
        return 0;
    flow_end_stream(flow);
    return 0;
}

int cdt_flow_detach(struct cdt_flow *flow)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (flow->carrier.fd < 0 || flow->top || flow->carrier.context)
        return -ENOTSUP;
    cdt_flow_flush(flow);
    if (flow->state != CDT_OPEN || flow_unsent(flow) || layer_stashed(flow, 0))
        return -EBUSY;
    flow->flags |= FLOW_DETACHED;
    int fd = flow->carrier.fd;
    flow_end(flow, 0, NULL);
    flow->carrier.fd = -1;
    return fd;
}
