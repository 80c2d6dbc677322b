/* A relay between two TCP sockets: bytes are in the one before the library is called, and in the
 * other afterwards. An operation is 64 KiB of them; it takes several at once to be spliced. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include "bench/budget/budget.h"

enum { COPIED, SPLICED };

static int source[2], sink[2];

static struct cdt_flow *adopt(int fd)
{
    static const struct cdt_handler handler = {.size = sizeof handler};
    struct cdt_flow *flow;
    must(cdt_flow_adopt(loop, fd, NULL, &handler, &flow), "adopt");
    return flow;
}

static void begin(const struct scenario *scenario)
{
    sockets_pair(source);
    sockets_pair(sink);
    if (scenario->variant == SPLICED) {
        signal(SIGPIPE, SIG_IGN);
        must(fcntl(source[1], F_SETFL, O_NONBLOCK), "nonblocking");
        must(fcntl(sink[0], F_SETFL, O_NONBLOCK), "nonblocking");
    }
    must(cdt_flow_relay(adopt(source[1]), adopt(sink[0]), NULL, NULL), "relay");
}

static void carry(const struct scenario *scenario)
{
    const size_t length = scenario->size * scenario->batch;
    sockets_send(source[0], length);
    while (sockets_arrived(source[1]) < length)
        sched_yield();
    while (sockets_arrived(sink[1]) < length || has_work(loop)) {
        if (has_work(loop))
            one_turn();
    }
    sockets_receive(sink[1], length);
}

#define RELAY(n, how)                                                                          \
    {                                                                                          \
        .name = (n), .begin = begin, .round = carry, .warm_up = 50, .rounds = 100, .batch = 3, \
        .size = 65536, .variant = (how)                                                        \
    }

const struct scenario relay_scenarios[] = {
    RELAY("relay, copied, 64 KiB", COPIED),
    RELAY("relay, spliced, 64 KiB", SPLICED),
    {.name = NULL},
};
