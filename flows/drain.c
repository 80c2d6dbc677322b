/* Stopping: the listener is closed at once; the flows are told, have until the deadline, and are
 * then ended. Walks are safe because no flow leaves a list, and none is freed, but from the ready
 * list. */
#include <unistd.h>

#include "flows/server.h"

void server_shut(struct cdt_server *server)
{
    bool starved = server->waits && server->waits == server->hub->starved;

    line_leave(server);
    if (starved)
        starved_left(server->hub);
    server_disarm(server);
    cdt_watch_remove(&server->watch);
    if (server->listening) {
        server->listening = false;
        server->ops->close(&server->listener);
        server_descriptor_freed(server->hub);
    }
    server->listener.fd = -1;
    if (server->reserve >= 0)
        close(server->reserve);
    server->reserve = -1;
}

void server_tell_flows(struct cdt_server *server)
{
    struct list *end = &server->flows;

    if (!server->options.on_stop)
        return;
    for (struct list *at = end->next; at != end; at = at->next) {
        struct cdt_flow *flow = cdt_container_of(at, struct cdt_flow, link);
        if (flow->state >= CDT_CLOSING)
            continue;
        flow_enter_callback(server->hub);
        server->options.on_stop(flow);
        flow_leave_callback(server->hub);
    }
}

void server_abort_flows(struct cdt_server *server)
{
    struct list *end = &server->flows;

    for (struct list *at = end->next; at != end; at = at->next) {
        struct cdt_flow *flow = cdt_container_of(at, struct cdt_flow, link);
        cdt_flow_abort(flow, server->abort_status,
                       server->abort_status == -CDT_EDRAIN ? "the server stopped" : NULL);
    }
}

void server_on_deadline(struct cdt_timer *timer)
{
    struct cdt_server *server = cdt_container_of(timer, struct cdt_server, timer);

    server_defer(server, server->stopping ? WORK_ABORT : WORK_OPEN);
}

int cdt_server_stop(struct cdt_server *server, uint64_t drain)
{
    uint64_t deadline, now;

    if (!server_usable(server))
        return -EINVAL;
    if (server->finished)
        return 0;
    if (!server->stopping) {
        server->stopping = true;
        server->deadline = CDT_NEVER;
        cdt_timer_cancel(&server->timer);
        server_shut(server);
        server_defer(server, (server->told ? 0 : WORK_LISTEN) | (drain ? WORK_STOP : WORK_ABORT));
    }
    if (drain == 0)
        server_defer(server, WORK_ABORT);
    now = cdt_reactor_now(server->hub->reactor);
    deadline = drain < CDT_NEVER - now ? now + drain : CDT_NEVER;
    if (deadline < server->deadline) {
        server->deadline = deadline;
        cdt_timer_set_at(server->hub->reactor, &server->timer, deadline);
    }
    return 0;
}

void server_stop_all(struct flow_hub *hub)
{
    for (struct list *at = hub->servers.next; at != &hub->servers; at = at->next) {
        struct cdt_server *server = cdt_container_of(at, struct cdt_server, link);
        server->abort_status = -ECANCELED;
        cdt_server_stop(server, 0);
    }
}
