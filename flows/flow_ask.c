/* What a flow can be asked, and the change of its handler. */
#include <string.h>

#include "flows/internal.h"

int cdt_flow_set_handler(struct cdt_flow *flow, const struct cdt_handler *handler)
{
    if (!flow_usable(flow) || !flow_handler_valid(handler))
        return -EINVAL;
    if (flow->extra && flow->extra->relay)
        return -EINVAL;
    size_t size = flow_user_size(flow);
    if (handler->user_size > size)
        return -EINVAL;
    if (handler->user_size < size) { /* remember how much there is */
        if (!flow_extra(flow))
            return -ENOMEM;
        flow->extra->user_size = size;
    }
    flow_use_handler(flow, handler);
    return 0;
}

void *cdt_flow_data(struct cdt_flow *flow)
{
    return flow ? flow->user : NULL;
}

struct cdt_reactor *cdt_flow_reactor(const struct cdt_flow *flow)
{
    return flow ? flow->config->hub->reactor : NULL;
}

struct cdt_server *cdt_flow_server(const struct cdt_flow *flow)
{
    return flow ? flow->config->server : NULL;
}

const char *cdt_flow_error(const struct cdt_flow *flow)
{
    if (!flow)
        return "";
    if (flow->extra && flow->extra->error)
        return flow->extra->error;
    return flow->status ? cdt_strerror(flow->status) : "";
}

const char *cdt_flow_carrier(const struct cdt_flow *flow)
{
    return flow ? flow->ops->name : "";
}

int cdt_flow_fd(const struct cdt_flow *flow)
{
    return flow ? flow->carrier.fd : -1;
}

int cdt_flow_pending(const struct cdt_flow *flow, size_t *queued, size_t *unacknowledged)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (queued)
        *queued = flow_unsent(flow);
    if (unacknowledged) {
        bool known = flow->ops->unacknowledged && flow->state > CDT_CONNECTING;
        *unacknowledged = known ? flow->ops->unacknowledged(&flow->carrier) : 0;
    }
    return 0;
}

int cdt_flow_dst(const struct cdt_flow *flow, struct cdt_addr *addr)
{
    if (!flow || !addr)
        return -EINVAL;
    memset(addr, 0, sizeof *addr);
    if (flow->peer_family == AF_INET) {
        addr->length = sizeof addr->v4;
        addr->v4.sin_family = AF_INET;
        addr->v4.sin_port = flow->peer_port;
        memcpy(&addr->v4.sin_addr, flow->peer_ip, sizeof addr->v4.sin_addr);
        return 0;
    }
    if (flow->peer_family == AF_INET6) {
        addr->length = sizeof addr->v6;
        addr->v6.sin6_family = AF_INET6;
        addr->v6.sin6_port = flow->peer_port;
        addr->v6.sin6_scope_id = flow->extra ? flow->extra->peer_scope : 0;
        memcpy(&addr->v6.sin6_addr, flow->peer_ip, sizeof addr->v6.sin6_addr);
        return 0;
    }
    return flow->ops->address ? flow->ops->address(&flow->carrier, true, addr) : 0;
}

int cdt_flow_src(const struct cdt_flow *flow, struct cdt_addr *addr)
{
    if (!flow || !addr)
        return -EINVAL;
    memset(addr, 0, sizeof *addr);
    return flow->ops->address ? flow->ops->address(&flow->carrier, false, addr) : 0;
}
