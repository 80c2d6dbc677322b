/* Short connections: clients connect and send a byte, all at once; the server accepts, sends it
 * back, and one of the two closes. An operation is a connection. With a limit below the number of
 * clients the server waits for each of those that are in it to end. */
#include "bench/budget/budget.h"

enum { CLIENT_CLOSES, SERVER_CLOSES };

static int client[SOCKETS_MAX];
static bool closes;
static long echoed, closed;

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    must(cdt_flow_write(flow, data, length), "write");
    if (closes)
        cdt_flow_close(flow);
    echoed++;
}

static void on_close(struct cdt_flow *flow, int status)
{
    must(status, cdt_flow_error(flow));
    closed++;
}

static const struct cdt_handler handler = {
    .size = sizeof handler, .on_read = on_read, .on_close = on_close};

static void begin(const struct scenario *scenario)
{
    const struct cdt_server_options options = {
        .size = sizeof options,
        .max_active = scenario->at_once < scenario->connections ? scenario->at_once : 0,
    };
    closes = scenario->variant == SERVER_CLOSES;
    server_begin(false, &options, &handler);
}

/* Those that are accepted read, and close. */
static void leave(int *first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sockets_receive(first[i], 1);
        close(first[i]);
    }
    server_settle_ends();
}

static void visit(const struct scenario *scenario)
{
    const long begun = closed;
    for (unsigned i = 0; i < scenario->connections; i++) {
        client[i] = sockets_connect(&server_address);
        sockets_send(client[i], 1);
        sockets_settle(client[i]);
    }
    server_settle_backlog(scenario->connections);
    for (unsigned i = 0; i < scenario->connections; i += scenario->at_once) {
        turns(&echoed, begun + i + scenario->at_once);
        leave(client + i, scenario->at_once);
    }
    turns(&closed, begun + scenario->connections);
}

#define VISIT(n, count, limit, who)                                                    \
    {                                                                                  \
        .name = (n), .begin = begin, .round = visit, .warm_up = 12, .rounds = 10,      \
        .batch = (count), .connections = (count), .at_once = (limit), .variant = (who) \
    }

const struct scenario visit_scenarios[] = {
    VISIT("accept, echo, the client closes", 64, 64, CLIENT_CLOSES),
    VISIT("accept, echo, the server closes", 64, 64, SERVER_CLOSES),
    VISIT("accept, echo, limit 16 of 64 clients", 64, 16, CLIENT_CLOSES),
    {.name = NULL},
};
