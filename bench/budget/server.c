/* The server of most workloads, and waiting until what its clients did has reached it. */
#include <poll.h>
#include <sched.h>

#include "bench/budget/budget.h"

struct cdt_server *server;
struct cdt_addr server_address;
static long listening;

static void on_listen(struct cdt_server *at, int status, const char *text)
{
    must(status, text);
    must(cdt_server_address(at, &server_address), "address");
    listening = 1;
}

void server_begin(bool local, const struct cdt_server_options *options,
                  const struct cdt_handler *handler)
{
    struct cdt_server_options with = {.size = sizeof with};
    struct cdt_addr at;
    if (options)
        with = *options;
    with.on_listen = on_listen;
    if (local) {
        must(cdt_addr_unix(&at, world_path("socket")), "address");
        must(cdt_unix_listen(loop, &at, &with, handler, &server), "listen");
    } else {
        must(cdt_addr_ip(&at, "127.0.0.1", 0), "address");
        must(cdt_tcp_listen(loop, &at, &with, handler, &server), "listen");
    }
    turns(&listening, 1);
}

void server_settle_backlog(unsigned count)
{
    while (sockets_backlog(cdt_server_fd(server)) < count)
        sched_yield();
}

void server_settle_bytes(size_t length)
{
    for (struct cdt_flow *at = cdt_server_first(server); at; at = cdt_server_next(server, at))
        while (sockets_arrived(cdt_flow_fd(at)) < length)
            sched_yield();
}

void server_settle_ends(void)
{
    for (struct cdt_flow *at = cdt_server_first(server); at; at = cdt_server_next(server, at)) {
        struct pollfd end = {.fd = cdt_flow_fd(at), .events = POLLRDHUP};
        must(poll(&end, 1, -1), "poll");
    }
}
