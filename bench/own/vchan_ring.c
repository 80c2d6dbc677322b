/* What a flow costs over its bare ring: instructions for each read and each write. Both ends are in
 * one thread.
 *
 *   vchan_ring flow|bare small|bulk|full OPERATIONS
 *
 *   small   64 bytes to and fro, each end asleep until the bell
 *   bulk    pieces of 64 KiB one way, rings of 1 MiB
 *   full    the same, and the writer keeps the ring full
 *
 * An operation is a read or a write. A bare ring that is full refuses, and to wait for room is all
 * that its user could do: `bare full` is `bare bulk`. */
#include <sys/epoll.h>

#include "bench/own/own.h"
#include "test/support/vchan_pair.h"

enum { SMALL = 64, BULK = 64 * 1024 };

static uint8_t bytes[BULK];
static struct vchan_layout layout;
static struct vchan *end[2];
static int fd[2];
static unsigned long pieces; /* each written once and read once */

static void make(void)
{
    layout = pair_layout(20, 20);
    pair_sockets(fd);
    for (int i = 0; i < 2; i++)
        end[i] = pair_end(&layout, i == 0, fd[i]);
}

static uint64_t bells(void)
{
    return end[0]->bells_sent + end[1]->bells_sent;
}

static void report(const struct costs *costs, uint64_t rung)
{
    own_print_begin(2 * pieces, costs);
    printf(", \"bells\": %.6f", (double)rung / (double)pieces);
    own_print_end();
}

/* ---- the bare ring --------------------------------------------------------------------------- */

static uint64_t rung_bare;

static void bare_write(int side, size_t length)
{
    struct vchan_ring *ring = &end[side]->ring;
    pair_check(vchan_ring_write(ring, bytes, length, false) == (ssize_t)length, "write");
    if (ring->bell) {
        (void)!send(fd[side], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        rung_bare++;
    }
    ring->bell = false;
}

/* Sleeps, then looks; epoll is asked for the next one as well. */
static void bare_read(int side, int epoll_fd, size_t length)
{
    struct epoll_event event;
    if (epoll_fd >= 0) {
        pair_check(epoll_wait(epoll_fd, &event, 1, -1) == 1, "epoll_wait");
        pair_acknowledge(end[side]);
    }
    pair_check(vchan_ring_read(&end[side]->ring, bytes, BULK, epoll_fd >= 0) == (ssize_t)length,
               "read");
}

static void finish_bare(void)
{
    const struct costs costs = measure_end();
    report(&costs, rung_bare);
    for (int i = 0; i < 2; i++)
        pair_close(end[i], CDT_CLOSE_ORDERLY);
    pair_layout_free(&layout);
}

static void bare_small(void)
{
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    make();
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET};
        pair_check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd[i], &event) == 0, "epoll_ctl");
    }
    measure_begin();
    for (unsigned long i = 0; i < pieces; i++) {
        const int from = i & 1;
        bare_write(from, SMALL);
        bare_read(!from, epoll_fd, SMALL);
    }
    finish_bare();
    close(epoll_fd);
}

static void bare_bulk(void)
{
    make();
    layout.page->cli_notify = layout.page->srv_notify = 0;
    measure_begin();
    for (unsigned long i = 0; i < pieces; i++) {
        bare_write(1, BULK);
        bare_read(0, -1, BULK);
    }
    finish_bare();
}

/* ---- flows ----------------------------------------------------------------------------------- */

static struct cdt_reactor *reactor;
static struct cdt_flow *flow[2];
static unsigned long hops, written;
static uint64_t got;

static void on_small(struct cdt_flow *at, const void *data, size_t length)
{
    if (++hops == pieces)
        cdt_reactor_stop(reactor);
    else
        cdt_flow_write(at, data, length);
}

static void count_bulk(size_t length)
{
    got += length;
    if (got == (uint64_t)pieces * BULK)
        cdt_reactor_stop(reactor);
}

static int write_piece(struct cdt_flow *at)
{
    if (written == pieces)
        return 1;
    written++;
    return cdt_flow_write(at, bytes, BULK);
}

/* A piece for each that has come: the ring is never full. */
static void on_bulk(struct cdt_flow *at, const void *data, size_t length)
{
    (void)at, (void)data;
    write_piece(flow[1]);
    count_bulk(length);
}

/* As much as it takes: the ring is full most of the time, and a part of the bytes is queued. */
static void on_flood(struct cdt_flow *at, const void *data, size_t length)
{
    (void)at, (void)data;
    count_bulk(length);
}

static void flood(struct cdt_flow *at)
{
    while (write_piece(at) == 0)
        ;
}

static void trickle(struct cdt_flow *at)
{
    for (int i = 0; i < 8; i++)
        write_piece(at);
}

static void ping(struct cdt_flow *at)
{
    cdt_flow_write(at, bytes, SMALL);
}

static const struct cdt_handler small = {.size = sizeof small, .on_read = on_small};
static const struct cdt_handler bulk = {.size = sizeof bulk, .on_read = on_bulk};
static const struct cdt_handler flooding = {
    .size = sizeof flooding, .on_read = on_flood, .on_writable = flood};

static void run_flows(const struct cdt_handler *handler, void (*first)(struct cdt_flow *))
{
    make();
    pair_check(cdt_reactor_new(NULL, &reactor) == 0, "cdt_reactor_new");
    for (int i = 0; i < 2; i++)
        flow[i] = pair_flow(reactor, end[i], NULL, handler);
    while (cdt_reactor_step(reactor, 0) > 0)
        ;
    const uint64_t before = bells();
    measure_begin();
    first(flow[1]);
    cdt_reactor_run(reactor);
    const struct costs costs = measure_end();
    report(&costs, bells() - before);
    cdt_reactor_free(reactor);
    pair_layout_free(&layout);
}

static void flow_small(void)
{
    run_flows(&small, ping);
}

static void flow_bulk(void)
{
    run_flows(&bulk, trickle);
}

static void flow_full(void)
{
    run_flows(&flooding, flood);
}

/* ---- one run --------------------------------------------------------------------------------- */

static const struct work {
    const char *who, *what;
    void (*run)(void);
} works[] = {
    {"flow", "small", flow_small}, {"flow", "bulk", flow_bulk}, {"flow", "full", flow_full},
    {"bare", "small", bare_small}, {"bare", "bulk", bare_bulk}, {"bare", "full", bare_bulk},
};

static const struct work *find(const char *who, const char *what)
{
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        if (strcmp(works[i].who, who) == 0 && strcmp(works[i].what, what) == 0)
            return &works[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct work *work = argc == 4 ? find(argv[1], argv[2]) : NULL;
    if (!work || !own_number(argv[3], 2, &pieces)) {
        fprintf(stderr, "usage: vchan_ring flow|bare small|bulk|full OPERATIONS\n");
        return 2;
    }
    pieces /= 2;
    measure_open_self();
    work->run();
    return 0;
}
