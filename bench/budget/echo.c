/* Echo by the server: all clients send, it answers all of them, they read. An operation is a
 * message. */
#include "bench/budget/budget.h"

enum { TCP, LOCAL };

static int client[SOCKETS_MAX];
static long opened, echoed;

static void on_open(struct cdt_flow *flow)
{
    (void)flow;
    opened++;
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    must(cdt_flow_write(flow, data, length), "write");
    echoed += (long)length;
}

static const struct cdt_handler handler = {
    .size = sizeof handler, .on_open = on_open, .on_read = on_read};

static void begin(const struct scenario *scenario)
{
    server_begin(scenario->variant == LOCAL, NULL, &handler);
    for (unsigned i = 0; i < scenario->connections; i++) {
        client[i] = sockets_connect(&server_address);
        turns(&opened, i + 1);
    }
}

static void exchange(const struct scenario *scenario)
{
    const size_t length = scenario->size * scenario->at_once;
    for (unsigned i = 0; i < scenario->connections; i++)
        sockets_send(client[i], length);
    server_settle_bytes(length);
    turns(&echoed, echoed + (long)(length * scenario->connections));
    for (unsigned i = 0; i < scenario->connections; i++)
        sockets_receive(client[i], length);
}

#define ECHO(n, where, count, deep, bytes, times)                                              \
    {                                                                                          \
        .name = (n), .begin = begin, .round = exchange, .warm_up = 5, .rounds = (times),       \
        .batch = (count) * (deep), .connections = (count), .at_once = (deep), .size = (bytes), \
        .variant = (where)                                                                     \
    }

const struct scenario echo_scenarios[] = {
    ECHO("echo, 1 connection", TCP, 1, 1, 64, 500),
    ECHO("echo, 100 connections", TCP, 100, 1, 64, 20),
    ECHO("echo, 100 connections, 16 deep", TCP, 100, 16, 64, 20),
    ECHO("echo, 100 connections, Unix", LOCAL, 100, 1, 64, 20),
    ECHO("echo, 16 KiB", TCP, 10, 1, 16384, 50),
    {.name = NULL},
};
