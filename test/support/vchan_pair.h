/* A vchan without a backend: pages between guards, and a bell over a pair of sockets. For tests and
 * benchmarks that want both ends, or one and the bare memory, in one process. */
#ifndef TEST_SUPPORT_VCHAN_PAIR_H
#define TEST_SUPPORT_VCHAN_PAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vchan/internal.h"

/* One end, as a backend would allocate it. */
struct pair_vchan {
    struct vchan vchan;
    unsigned looks; /* since the socket was emptied */
};

static inline void pair_check(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* So much memory, in whole pages, that begins right behind a page that cannot be touched and ends
 * right before another. */
static inline uint8_t *pair_pages(size_t length)
{
    uint8_t *memory =
        mmap(NULL, length + 2 * VCHAN_PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pair_check(memory != MAP_FAILED, "mmap");
    pair_check(mprotect(memory + VCHAN_PAGE, length, PROT_READ | PROT_WRITE) == 0, "mprotect");
    return memory + VCHAN_PAGE;
}

static inline void pair_unmap(void *memory, size_t length)
{
    if (memory)
        munmap((uint8_t *)memory - VCHAN_PAGE, length + 2 * VCHAN_PAGE);
}

/* A fresh ring of these orders. */
static inline struct vchan_layout pair_layout(unsigned left_order, unsigned right_order)
{
    struct vchan_layout layout = {.left_order = left_order, .right_order = right_order};
    layout.page = (struct vchan_page *)pair_pages(VCHAN_PAGE);
    if (left_order > VCHAN_ORDER_HALF)
        layout.left = pair_pages((size_t)1 << left_order);
    if (right_order > VCHAN_ORDER_HALF)
        layout.right = pair_pages((size_t)1 << right_order);
    vchan_page_init(layout.page, left_order, right_order);
    return layout;
}

static inline void pair_layout_free(const struct vchan_layout *layout)
{
    pair_unmap(layout->page, VCHAN_PAGE);
    pair_unmap(layout->left, (size_t)1 << layout->left_order);
    pair_unmap(layout->right, (size_t)1 << layout->right_order);
}

/* ---- the bell -------------------------------------------------------------------------------- */

static inline void pair_ring(struct vchan *vchan)
{
    /* Full: there is an event on its way. */
    (void)!send(vchan->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Epoll tells of each byte that arrives: they are read only so that the socket does not fill. */
static inline bool pair_acknowledge(struct vchan *vchan)
{
    struct pair_vchan *pair = cdt_container_of(vchan, struct pair_vchan, vchan);
    char bytes[512];
    if (++pair->looks < 128)
        return false;
    pair->looks = 0;
    return recv(vchan->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0;
}

static inline void pair_close(struct vchan *vchan, enum cdt_close_how how)
{
    char bytes[512];
    if (how == CDT_CLOSE_ORDERLY) { /* with bytes in it, it would look like one that was reset */
        shutdown(vchan->fd, SHUT_RDWR);
        while (recv(vchan->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
    }
    close(vchan->fd);
    free(vchan);
}

static const struct vchan_bell pair_bell = {
    .backend = CDT_VCHAN_LOCAL,
    .hangs_up = true,
    .ring = pair_ring,
    .acknowledge = pair_acknowledge,
    .close = pair_close,
};

/* ---- both ------------------------------------------------------------------------------------ */

/* One end over a page that is there; the descriptor is its own. NULL: not a page that can be
 * used. */
static inline struct vchan *pair_end(const struct vchan_layout *layout, bool server, int fd)
{
    struct pair_vchan *pair = calloc(1, sizeof *pair);
    pair_check(pair, "calloc");
    pair->vchan.bell = &pair_bell;
    pair->vchan.fd = fd;
    pair->vchan.domid = server ? 7 : 0;
    memcpy(pair->vchan.port, "port", sizeof "port");
    if (vchan_ring_init(&pair->vchan.ring, layout, server)) {
        free(pair);
        return NULL;
    }
    return &pair->vchan;
}

static inline void pair_sockets(int fd[2])
{
    pair_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0, "socketpair");
}

/* An end as a flow. */
static inline struct cdt_flow *pair_flow(struct cdt_reactor *reactor, struct vchan *vchan,
                                         const struct cdt_flow_options *options,
                                         const struct cdt_handler *handler)
{
    const struct cdt_carrier carrier = {.context = vchan, .fd = vchan->fd};
    struct cdt_flow *flow = NULL;
    pair_check(cdt_carrier_flow(reactor, &vchan_ops, &carrier, false, options, handler, &flow) == 0,
               "cdt_carrier_flow");
    return flow;
}

#endif
