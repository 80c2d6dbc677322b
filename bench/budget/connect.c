/* The library as a client: it connects, to an address or to a URI that has it, and writes a byte,
 * gets it back, and the server closes. An operation is a connection. */
#include <poll.h>
#include <sys/socket.h>

#include "bench/budget/budget.h"

enum { ADDRESS, URI };

static struct cdt_addr address;
static char uri[64];
static struct cdt_context *context;
static int listener;
static struct cdt_flow *flows[SOCKETS_MAX];
static int accepted[SOCKETS_MAX];
static long opened, closed;

static void on_open(struct cdt_flow *flow)
{
    (void)flow;
    opened++;
}

static void on_close(struct cdt_flow *flow, int status)
{
    must(status, cdt_flow_error(flow));
    closed++;
}

static const struct cdt_handler handler = {
    .size = sizeof handler, .on_open = on_open, .on_close = on_close};

static void begin(const struct scenario *scenario)
{
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(cdt_addr_ip(&address, "127.0.0.1", 0), "address");
    must(bind(listener, &address.any, address.length), "bind");
    must(listen(listener, (int)scenario->batch), "listen");
    must(getsockname(listener, &address.any, &address.length), "getsockname");
    snprintf(uri, sizeof uri, "http://127.0.0.1:%u/", cdt_addr_port(&address));
    must(cdt_context_default(loop, &context), "context");
}

static void connect_all(void *arg)
{
    const struct scenario *scenario = arg;
    for (unsigned i = 0; i < scenario->batch; i++) {
        if (scenario->variant == URI)
            must(cdt_connect(context, uri, NULL, &handler, &flows[i]), "connect");
        else
            must(cdt_tcp_connect(loop, &address, NULL, &handler, &flows[i]), "connect");
        must(cdt_flow_write(flows[i], "x", 1), "write");
    }
}

/* Whose connection is in the queue of the listener is connected: its flow has an event. A URI is
 * resolved first. */
static void visit(const struct scenario *scenario)
{
    const long until = opened + scenario->batch;
    call(connect_all, (void *)scenario);
    while (sockets_backlog(listener) < scenario->batch) {
        if (has_work(loop))
            one_turn();
    }
    for (unsigned i = 0; i < scenario->batch; i++) {
        accepted[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        must(accepted[i], "accept");
    }
    turns(&opened, until);
    for (unsigned i = 0; i < scenario->batch; i++) {
        sockets_receive(accepted[i], 1);
        sockets_send(accepted[i], 1);
        close(accepted[i]);
    }
    for (unsigned i = 0; i < scenario->batch; i++) {
        struct pollfd end = {.fd = cdt_flow_fd(flows[i]), .events = POLLRDHUP};
        must(poll(&end, 1, -1), "poll");
    }
    turns(&closed, closed + scenario->batch);
}

#define CONNECT(n, where)                                                                     \
    {                                                                                         \
        .name = (n), .begin = begin, .round = visit, .warm_up = 5, .rounds = 20, .batch = 16, \
        .variant = (where)                                                                    \
    }

const struct scenario connect_scenarios[] = {
    CONNECT("connect, echo, the server closes", ADDRESS),
    CONNECT("connect to a URI, echo, it closes", URI),
    {.name = NULL},
};
