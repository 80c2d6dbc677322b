/* For tests of flows: handlers that write down what they hear, and sockets to talk to. */
#ifndef TEST_SUPPORT_PROBE_H
#define TEST_SUPPORT_PROBE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <conduit/server.h>

/* What a flow's handler heard. Attach one to a flow with probe_attach(). */
struct probe {
    struct cdt_flow *flow; /* NULL after on_close */
    int opened, eofs, writables, closed;
    int status;      /* of on_close */
    char error[256]; /* cdt_flow_error() in on_close */
    uint8_t *data;   /* all that was read */
    size_t length, room;
    unsigned reads;
    /* Called inside the callback of that name, after it was written down; NULL: nothing. */
    void (*on_open)(struct probe *probe);
    void (*on_read)(struct probe *probe, const void *data, size_t length);
    void (*on_eof)(struct probe *probe);
    void (*on_writable)(struct probe *probe);
    void (*on_close)(struct probe *probe);
    void *arg;
};

/* Hears everything; `probe_no_eof` has no on_eof, so that the end of the stream closes the flow. */
extern const struct cdt_handler probe_handler, probe_no_eof;

/* The probe of flows that come from a server: probe_attach() in on_accept. */
void probe_attach(struct cdt_flow *flow, struct probe *probe);
struct probe *probe_of(struct cdt_flow *flow);
void probe_free(struct probe *probe);
/* 1 if the probe has read exactly this. */
int probe_has(const struct probe *probe, const void *data, size_t length);

/* Turns of a reactor until the condition holds; fails the test after 20 s (more under emulation).
 */
uint64_t test_deadline(void);
#define until(reactor, condition)                                \
    do {                                                         \
        uint64_t until_end_ = test_deadline();                   \
        while (!(condition)) {                                   \
            cdt_reactor_step((reactor), 10 * CDT_MS);            \
            if (cdt_reactor_now(reactor) > until_end_)           \
                fail_msg("not within the time: %s", #condition); \
        }                                                        \
    } while (0)

/* Whether there is IPv6 on loopback. */
bool test_has_ipv6(void);

/* Turns until nothing is left to do now. */
void settle(struct cdt_reactor *reactor);

/* A reactor whose log goes to standard error. */
struct cdt_reactor *test_reactor(void);

/* A connected pair of blocking TCP sockets over loopback, close-on-exec. */
void test_tcp_sockets(int fd[2]);
/* A listening TCP socket on a free port of loopback; its address. */
int test_tcp_listener(int backlog, struct cdt_addr *addr);
/* fd[0] as a flow with this probe, fd[1] left as a plain blocking socket. `kind` is 't' (TCP) or
 * 'u' (Unix socket pair). Runs until on_open. */
int test_flow(struct cdt_reactor *reactor, char kind, const struct cdt_flow_options *options,
              struct probe *probe);

/* Both ends as flows with these probes, open. `kind` as above, or 'p': joined in memory. */
void test_flows(struct cdt_reactor *reactor, char kind, const struct cdt_flow_options *options,
                struct probe probe[2]);
/* Aborts what still lives, frees the probes' memory and the reactor. */
void test_end(struct cdt_reactor *reactor, struct probe *probes, size_t count);

/* The descriptors that are open now. */
unsigned test_open_fds(void);
/* A test after which as many descriptors are open as before. */
#define flow_test(test) cmocka_unit_test_setup_teardown(test, test_fds_remember, test_fds_same)
int test_fds_remember(void **state);
int test_fds_same(void **state);

/* CLOCK_MONOTONIC, ns. */
uint64_t test_now(void);

/* Bytes that tell where in a stream they belong. */
void test_pattern(void *data, size_t length, size_t position);
bool test_is_pattern(const void *data, size_t length, size_t position);

/* Reads up to `length` bytes of a pattern from the peer's socket while the reactor turns, in pieces
 * of at most `piece`, and checks them; `position` is where the first belongs. Stops early at the
 * end of the stream. Returns how many came; `end`, unless NULL, is 1 if the stream goes on, 0 at
 * its end, or a negative errno. */
size_t test_drink(struct cdt_reactor *reactor, int fd, size_t length, size_t piece, size_t position,
                  int *end);

/* All of it, or the test fails. */
void test_send(int fd, const void *data, size_t length);
void test_receive(int fd, void *data, size_t length);

/* Whether tests run slowly (sanitizers, valgrind, emulation), or in user emulation. */
bool test_slow(void);
bool test_emulated(void);

#endif
