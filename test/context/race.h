/* For tests of connecting: addresses that refuse, that answer, and that swallow everything. */
#ifndef TEST_CONTEXT_RACE_H
#define TEST_CONTEXT_RACE_H

#include <poll.h>

#include <conduit/conduit.h>

#include "test/support/serve.h"

static inline struct cdt_endp *endp_of(const struct cdt_addr *addr)
{
    struct cdt_endp *endp;
    assert_int_equal(cdt_endp_of_addr(addr, &endp), 0);
    return endp;
}

static inline struct cdt_endp *endp_read(const char *text)
{
    struct cdt_endp *endp = NULL;
    struct cdt_text_error error;
    if (cdt_endp_parse(text, &endp, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    return endp;
}

/* A port of this address that is taken, and that nobody listens on, as long as the descriptor
 * lives. */
static inline int refusing(const char *ip, struct cdt_addr *addr)
{
    assert_int_equal(cdt_addr_ip(addr, ip, 0), 0);
    const int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &addr->any, addr->length), 0);
    assert_int_equal(getsockname(fd, &addr->any, &addr->length), 0);
    return fd;
}

/* A listener whose backlog is full: it swallows who wants to connect, until it is opened. */
struct hole {
    int listener, filler;
    struct cdt_addr addr;
};

static inline void hole_make(struct hole *hole)
{
    hole->listener = refusing("127.0.0.1", &hole->addr);
    assert_int_equal(listen(hole->listener, 0), 0);
    hole->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(hole->filler, &hole->addr.any, hole->addr.length), 0);
}

/* From now on it answers; clients come back by themselves, after a second. */
static inline void hole_open(struct hole *hole)
{
    close(accept(hole->listener, NULL, NULL));
}

static inline void hole_close(struct hole *hole)
{
    close(hole->filler);
    close(hole->listener);
}

/* Waits until somebody has connected to the listener. */
static inline void wait_for_client(int listener)
{
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 20 * 1000), 1);
}

#endif
