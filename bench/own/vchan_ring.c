/* What a flow costs over its bare ring: user instructions for each read and each write, of 64 bytes
 * that go to and fro and of bulk; and how often bulk rings the bell. Both ends are in one
 * thread. */
#include <sys/epoll.h>

#include "bench/own/count.h"
#include "test/support/vchan_pair.h"

enum { SMALL = 64, BULK = 64 * 1024, HOPS = 400 * 1000, PIECES = 20 * 1000 };

static uint8_t bytes[BULK];
static struct vchan_layout layout;
static struct vchan *end[2];
static int fd[2];

static void make(void)
{
    layout = pair_layout(20, 20);
    pair_sockets(fd);
    for (int i = 0; i < 2; i++)
        end[i] = pair_end(&layout, i == 0, fd[i]);
}

/* ---- the bare ring --------------------------------------------------------------------------- */

static void bare_write(int side, size_t length)
{
    struct vchan_ring *ring = &end[side]->ring;
    pair_check(vchan_ring_write(ring, bytes, length, false) == (ssize_t)length, "write");
    if (ring->bell)
        (void)!send(fd[side], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    ring->bell = false;
}

/* Sleeps, then looks; epoll is asked for the next one as well. */
static void bare_read(int side, int epoll_fd, size_t length)
{
    struct epoll_event event;
    if (epoll_fd >= 0)
        pair_check(epoll_wait(epoll_fd, &event, 1, -1) == 1, "epoll_wait");
    if (epoll_fd >= 0)
        pair_acknowledge(end[side]);
    pair_check(vchan_ring_read(&end[side]->ring, bytes, BULK, epoll_fd >= 0) == (ssize_t)length,
               "read");
}

static double bare_small(void)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    make();
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd[i], &event);
    }
    start_counting();
    for (int i = 0; i < HOPS; i++) {
        bare_write(i % 2, SMALL);
        bare_read(!(i % 2), epoll_fd, SMALL);
    }
    double count = counted_per(2.0 * HOPS);
    close(epoll_fd);
    for (int i = 0; i < 2; i++)
        pair_close(end[i], CDT_CLOSE_ORDERLY);
    pair_layout_free(&layout);
    return count;
}

static double bare_bulk(void)
{
    make();
    layout.page->cli_notify = layout.page->srv_notify = 0;
    start_counting();
    for (int i = 0; i < PIECES; i++) {
        bare_write(1, BULK);
        bare_read(0, -1, BULK);
    }
    double count = counted_per(2.0 * PIECES);
    for (int i = 0; i < 2; i++)
        pair_close(end[i], CDT_CLOSE_ORDERLY);
    pair_layout_free(&layout);
    return count;
}

/* ---- flows ----------------------------------------------------------------------------------- */

static struct cdt_reactor *reactor;
static struct cdt_flow *flow[2];
static size_t got, hops;

static void on_small(struct cdt_flow *at, const void *data, size_t length)
{
    if (++hops == HOPS)
        cdt_reactor_stop(reactor);
    else
        cdt_flow_write(at, data, length);
}

static size_t written;

static void count_bulk(size_t length)
{
    got += length;
    if (got == (size_t)PIECES * BULK)
        cdt_reactor_stop(reactor);
}

static int write_piece(struct cdt_flow *at)
{
    if (written == PIECES)
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

static const struct cdt_handler small = {.size = sizeof small, .on_read = on_small};
static const struct cdt_handler bulk = {.size = sizeof bulk, .on_read = on_bulk};
static const struct cdt_handler flooding = {
    .size = sizeof flooding, .on_read = on_flood, .on_writable = flood};

static void begin(const struct cdt_handler *handler)
{
    make();
    pair_check(cdt_reactor_new(NULL, &reactor) == 0, "cdt_reactor_new");
    for (int i = 0; i < 2; i++)
        flow[i] = pair_flow(reactor, end[i], NULL, handler);
    while (cdt_reactor_step(reactor, 0) > 0)
        ;
}

static void finish(void)
{
    cdt_reactor_free(reactor);
    pair_layout_free(&layout);
}

static double flow_small(void)
{
    begin(&small);
    start_counting();
    cdt_flow_write(flow[1], bytes, SMALL);
    cdt_reactor_run(reactor);
    double count = counted_per(2.0 * HOPS);
    finish();
    return count;
}

static double flow_bulk(const struct cdt_handler *handler, void (*first)(struct cdt_flow *),
                        double *bells)
{
    begin(handler);
    got = written = 0;
    start_counting();
    first(flow[1]);
    cdt_reactor_run(reactor);
    double count = counted_per(2.0 * PIECES);
    *bells = (double)(end[0]->bells_sent + end[1]->bells_sent) / PIECES;
    finish();
    return count;
}

static void report(const char *what, double layer, double bare)
{
    printf("%-28s %6.1f user instructions an operation, %6.1f over the bare ring's %6.1f\n", what,
           layer, layer - bare, bare);
}

int main(void)
{
    double bells, bare, layer;
    open_counter();
    bare = bare_small();
    layer = flow_small();
    report("64 bytes to and fro", layer, bare);
    bare = bare_bulk();
    layer = flow_bulk(&bulk, trickle, &bells);
    report("64 KiB, 1 MiB of ring", layer, bare);
    layer = flow_bulk(&flooding, flood, &bells);
    report("the same, and it is full", layer, bare);
    printf("bells for each 64 KiB of it: %.5f\n", bells);
    return 0;
}
