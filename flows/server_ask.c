/* What can be asked of a server and changed while it runs: its address, its flows, its counters,
 * its backlog and limit. */
#include "flows/server.h"

void *cdt_server_user(const struct cdt_server *server)
{
    return server ? server->options.user : NULL;
}

struct cdt_reactor *cdt_server_reactor(const struct cdt_server *server)
{
    return server ? server->hub->reactor : NULL;
}

int cdt_server_address(const struct cdt_server *server, struct cdt_addr *addr)
{
    if (!server_usable(server) || !addr)
        return -EINVAL;
    if (!server->started)
        return -ENOTCONN;
    *addr = server->address;
    return 0;
}

int cdt_server_fd(const struct cdt_server *server)
{
    return server_usable(server) ? server->listener.fd : -1;
}

int cdt_server_set_backlog(struct cdt_server *server, int backlog)
{
    if (!server_usable(server) || backlog <= 0)
        return -EINVAL;
    server->options.backlog = backlog;
    if (!server->listening)
        return 0;
    return server->ops->set_backlog ? server_apply_backlog(server) : -ENOTSUP;
}

int cdt_server_set_max_active(struct cdt_server *server, unsigned max)
{
    if (!server_usable(server))
        return -EINVAL;
    if (!server->finished)
        limit_set_max(&server->own, max);
    return 0;
}

static struct cdt_flow *flow_at(const struct cdt_server *server, struct list *at)
{
    return at == &server->flows ? NULL : cdt_container_of(at, struct cdt_flow, link);
}

struct cdt_flow *cdt_server_first(const struct cdt_server *server)
{
    return server_usable(server) ? flow_at(server, server->flows.next) : NULL;
}

struct cdt_flow *cdt_server_next(const struct cdt_server *server, const struct cdt_flow *flow)
{
    if (!server_usable(server) || !flow || flow->config->server != server)
        return NULL;
    return flow_at(server, flow->link.next);
}

int cdt_server_counters(const struct cdt_server *server, struct cdt_server_counters *counters)
{
    uint64_t ended;

    if (!server_usable(server) || !counters)
        return -EINVAL;
    *counters = server->counters;
    ended = counters->closed + counters->aborted;
    counters->active = (unsigned)(counters->accepted - ended);
    counters->bytes_in = server->traffic.in;
    counters->bytes_out = server->traffic.out;
    counters->backlog = server->backlog;
    counters->handshakes = server->gate.active;
    counters->handshakes_waited = server->gate.waited;
    if (!server->finished) {
        counters->max_active = server->own.max;
        counters->peak = server->own.peak;
    }
    return 0;
}
