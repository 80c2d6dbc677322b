/* A flow that is connecting goes on with another carrier, and what is said when its time is
 * over. */
#include <fcntl.h>

#include "flows/internal.h"
#include "test/support/probe.h"

#include <conduit/carrier.h>

static struct cdt_reactor *reactor;
static struct probe probe;

/* ---- a carrier that never connects --------------------------------------------------------------- */

static int closes;
static const char *tried_text;

static ssize_t no_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    fail_msg("read from a carrier that is not connected");
    return -EAGAIN;
}

static ssize_t no_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    fail_msg("written to a carrier that is not connected");
    return -EAGAIN;
}

static ssize_t no_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    return no_write(carrier, parts, (size_t)count);
}

static int not_connected(struct cdt_carrier *carrier)
{
    (void)carrier;
    return -EAGAIN;
}

static void count_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)carrier, (void)how;
    closes++;
}

static const char *tried(const struct cdt_carrier *carrier)
{
    (void)carrier;
    return tried_text;
}

static const struct cdt_carrier_ops waiting_ops = {
    .size = sizeof waiting_ops,
    .name = "waiting",
    .read = no_read,
    .write = no_write,
    .writev = no_writev,
    .connected = not_connected,
    .close = count_close,
    .tried = tried,
};

static struct cdt_flow *start(const struct cdt_flow_options *options)
{
    const struct cdt_carrier carrier = {.fd = -1};
    struct cdt_flow *flow;
    memset(&probe, 0, sizeof probe);
    closes = 0;
    tried_text = NULL;
    reactor = test_reactor();
    assert_int_equal(
        cdt_carrier_flow(reactor, &waiting_ops, &carrier, true, options, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    settle(reactor);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    return flow;
}

/* ---- another carrier ------------------------------------------------------------------------------ */

static void connected_socket(void **state)
{
    (void)state;
    int fd[2];
    struct cdt_addr peer = {0}, dst;
    char got[5];
    struct cdt_flow *flow = start(NULL);
    test_tcp_sockets(fd);
    peer.length = sizeof peer.v6;
    assert_int_equal(getpeername(fd[0], &peer.any, &peer.length), 0);
    assert_int_equal(cdt_flow_write(flow, "early", 5), 0);
    test_send(fd[1], "hello", 5); /* there before the descriptor is watched */
    const struct cdt_carrier carrier = {.fd = fd[0]};
    assert_int_equal(flow_set_carrier(flow, &tcp_ops, &carrier, false, &peer), 0);
    assert_int_equal(probe.opened, 0); /* not from inside the call */
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    until(reactor, probe.length == 5);
    assert_int_equal(probe.opened, 1);
    assert_true(probe_has(&probe, "hello", 5));
    test_receive(fd[1], got, 5);
    assert_memory_equal(got, "early", 5);
    assert_string_equal(cdt_flow_carrier(flow), "tcp");
    assert_int_equal(cdt_flow_fd(flow), fd[0]);
    assert_int_equal(cdt_flow_dst(flow, &dst), 0);
    assert_true(cdt_addr_equal(&dst, &peer));
    assert_int_equal(closes, 0); /* whoever changes it has closed the old one */
    close(fd[1]);
    until(reactor, probe.eofs);
    test_end(reactor, &probe, 1);
}

static void connecting_socket(void **state)
{
    (void)state;
    struct cdt_addr addr;
    struct cdt_flow *flow = start(NULL);
    const int listener = test_tcp_listener(4, &addr);
    const int fd = tcp_start(&addr, flow_options(flow));
    assert_true(fd >= 0);
    assert_int_equal(flow_set_carrier(flow, &tcp_ops, &(struct cdt_carrier){.fd = fd}, true, &addr),
                     0);
    until(reactor, probe.opened);
    close(listener);
    test_end(reactor, &probe, 1);
}

static void connecting_socket_that_is_refused(void **state)
{
    (void)state;
    struct cdt_addr addr;
    struct cdt_flow *flow = start(NULL);
    const int listener = test_tcp_listener(4, &addr);
    close(listener);
    const int fd = tcp_start(&addr, flow_options(flow));
    assert_true(fd >= 0);
    assert_int_equal(flow_set_carrier(flow, &tcp_ops, &(struct cdt_carrier){.fd = fd}, true, &addr),
                     0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED);
    test_end(reactor, &probe, 1);
}

static void refused_by_epoll(void **state)
{
    (void)state;
    struct cdt_flow *flow = start(NULL);
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* cannot be polled */
    assert_true(file >= 0);
    assert_int_equal(
        flow_set_carrier(flow, &tcp_ops, &(struct cdt_carrier){.fd = file}, false, NULL), -EPERM);
    settle(reactor);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    assert_string_equal(cdt_flow_carrier(flow), "waiting");
    close(file);
    cdt_flow_abort(flow, -EINTR, NULL);
    until(reactor, probe.closed);
    assert_int_equal(closes, 1);
    test_end(reactor, &probe, 1);
}

static void closed_before_flushes_over_the_new_one(void **state)
{
    (void)state;
    int fd[2];
    char got[4], end;
    struct cdt_flow *flow = start(NULL);
    test_tcp_sockets(fd);
    assert_int_equal(cdt_flow_write(flow, "last", 4), 0);
    assert_int_equal(cdt_flow_close(flow), 0);
    settle(reactor);
    assert_int_equal(probe.closed, 0);
    assert_int_equal(
        flow_set_carrier(flow, &tcp_ops, &(struct cdt_carrier){.fd = fd[0]}, false, NULL), 0);
    until(reactor, cdt_flow_state(flow) == CDT_CLOSING);
    test_receive(fd[1], got, 4);
    assert_memory_equal(got, "last", 4);
    assert_int_equal(recv(fd[1], &end, 1, 0), 0);
    close(fd[1]);
    until(reactor, probe.closed);
    assert_int_equal(probe.opened, 0);
    assert_int_equal(probe.status, 0);
    test_end(reactor, &probe, 1);
}

/* ---- the connect timeout ---------------------------------------------------------------------------- */

static void time_is_over(const char *text, const char *wanted)
{
    const struct cdt_flow_options brief = {.size = sizeof brief, .connect_timeout = 20 * CDT_MS};
    start(&brief);
    tried_text = text;
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ETIMEDOUT);
    assert_string_equal(probe.error, wanted);
    assert_int_equal(closes, 1);
    test_end(reactor, &probe, 1);
}

static void what_was_tried_is_told(void **state)
{
    (void)state;
    time_is_over("[::1]:80: no answer",
                 "no connection within the connect timeout: [::1]:80: no answer");
    time_is_over("", "no connection within the connect timeout");
    time_is_over(NULL, "no connection within the connect timeout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(connected_socket),
        flow_test(connecting_socket),
        flow_test(connecting_socket_that_is_refused),
        flow_test(refused_by_epoll),
        flow_test(closed_before_flushes_over_the_new_one),
        flow_test(what_was_tried_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
