/* A vchan on the local backend, both ends in one reactor: a message there and back, and pieces one
 * way. */
#include "bench/budget/budget.h"

enum { PING, BULK };

static struct cdt_flow *client;
static bool echoes;
static long opened, came, arrived;

static void on_open(struct cdt_flow *flow)
{
    (void)flow;
    opened++;
}

static void on_server_read(struct cdt_flow *flow, const void *data, size_t length)
{
    arrived += (long)length;
    if (echoes)
        must(cdt_flow_write(flow, data, length), "write");
}

static void on_client_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow, (void)data;
    came += (long)length;
}

static const struct cdt_handler serving = {
    .size = sizeof serving, .on_open = on_open, .on_read = on_server_read};
static const struct cdt_handler asking = {
    .size = sizeof asking, .on_open = on_open, .on_read = on_client_read};

static void begin(const struct scenario *scenario)
{
    const size_t ring = scenario->variant == BULK ? 1 << 20 : 0;
    const struct cdt_vchan_options options = {.size = sizeof options,
                                              .backend = CDT_VCHAN_LOCAL,
                                              .read_size = ring,
                                              .write_size = ring,
                                              .directory = world_path("vchan"),
                                              .name = "budget",
                                              .domid = 1};
    echoes = scenario->variant == PING;
    must(cdt_vchan_listen(loop, 0, "budget", &options, NULL, &serving, &server), "listen");
    must(cdt_vchan_connect(loop, 0, "budget", &options, NULL, &asking, &client), "connect");
    turns(&opened, 2);
}

static void send_all(void *arg)
{
    const struct scenario *scenario = arg;
    for (unsigned i = 0; i < scenario->batch; i++)
        must(cdt_flow_write(client, sockets_bytes, scenario->size), "write");
}

static void exchange(const struct scenario *scenario)
{
    const long length = (long)(scenario->size * scenario->batch);
    call(send_all, (void *)scenario);
    if (echoes)
        turns(&came, came + length);
    else
        turns(&arrived, arrived + length);
}

#define VCHAN(n, what, bytes, count, times)                                               \
    {                                                                                     \
        .name = (n), .begin = begin, .round = exchange, .warm_up = 20, .rounds = (times), \
        .batch = (count), .size = (bytes), .variant = (what)                              \
    }

const struct scenario vchan_scenarios[] = {
    VCHAN("vchan, 64 B there and back", PING, 64, 1, 500),
    VCHAN("vchan, 64 KiB one way", BULK, 65536, 8, 50),
    {.name = NULL},
};
