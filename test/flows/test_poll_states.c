/* What the kernel reports in each state of a socket, and what the flow makes of it. */
#include <sys/epoll.h>

#include "test/support/probe.h"

static void reset(int fd)
{
    const struct linger linger = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

static void test_refused(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_addr addr, dst;
    struct cdt_flow *flow;
    close(test_tcp_listener(1, &addr));
    assert_int_equal(cdt_tcp_connect(reactor, &addr, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    assert_int_equal(cdt_flow_write(flow, "early", 5), 0);
    assert_int_equal(probe.closed, 0);
    assert_int_equal(cdt_flow_dst(flow, &dst), 0);
    assert_true(cdt_addr_equal(&dst, &addr));
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED);
    assert_int_equal(probe.opened, 0);
    assert_true(strlen(probe.error) > 5);
    test_end(reactor, &probe, 1);
}

static void check_addresses(struct probe *probe)
{
    struct cdt_addr addr;
    assert_int_equal(cdt_flow_dst(probe->flow, &addr), 0);
    assert_int_equal(addr.any.sa_family, AF_INET);
    assert_int_equal(cdt_flow_src(probe->flow, &addr), 0);
    assert_int_equal(addr.any.sa_family, AF_INET);
    assert_true(cdt_addr_port(&addr) > 0);
}

/* Reset while paused: parked. Writes fail at once; on resume the data, then the error. */
static void test_reset_while_paused(void **state)
{
    (void)state;
    for (int queued = 0; queued < 2; queued++) {
        for (int way = 0; way < 3; way++) {
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe = {.on_close = check_addresses};
            int peer = test_flow(reactor, 't', NULL, &probe);
            cdt_flow_pause(probe.flow);
            if (queued) {
                char *large = calloc(1, 14 << 20);
                assert_int_equal(cdt_flow_write(probe.flow, large, 14 << 20), 1);
                free(large);
            }
            test_send(peer, "last words", 10);
            reset(peer);
            settle(reactor);
            assert_int_equal(probe.closed + probe.eofs, 0);
            assert_int_equal(probe.length, 0);
            assert_int_equal(cdt_flow_write(probe.flow, "x", 1), -EPIPE);
            assert_int_equal(cdt_flow_write_nodelay(probe.flow, "x", 1, NULL, NULL), -EPIPE);
            settle(reactor);
            assert_int_equal(probe.closed, 0);
            if (way == 0)
                cdt_flow_resume(probe.flow);
            if (way == 1)
                cdt_flow_close(probe.flow);
            if (way == 2) {
                cdt_flow_shutdown(probe.flow, CDT_SHUT_WRITE);
                settle(reactor);
                cdt_flow_resume(probe.flow);
            }
            until(reactor, probe.closed);
            assert_true(probe_has(&probe, "last words", 10));
            assert_int_equal(probe.status, -ECONNRESET);
            assert_int_equal(probe.eofs, 0);
            test_end(reactor, &probe, 1);
        }
    }
}

/* Data, then a reset: still delivered. */
static void test_data_then_reset(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {.on_close = check_addresses};
    int peer = test_flow(reactor, 't', NULL, &probe);
    size_t sent = 0;
    ssize_t n;
    while (sent < SIZE && (n = send(peer, data + sent, SIZE - sent, MSG_DONTWAIT)) > 0)
        sent += (size_t)n;
    until(reactor, probe.length == sent);
    test_send(peer, data, 1000);
    reset(peer);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNRESET);
    assert_int_equal(probe.length, sent + 1000);
    assert_true(test_is_pattern(probe.data, sent, 0));
    free(data);
    test_end(reactor, &probe, 1);
}

/* Data and the end in one event; more data than one read takes. */
static void test_hangup_with_unread(void **state)
{
    (void)state;
    for (const char *kind = "tu"; *kind; kind++) {
        enum { SIZE = 120000 };
        static uint8_t data[SIZE];
        test_pattern(data, SIZE, 0);
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, *kind, NULL, &probe);
        test_send(peer, data, SIZE);
        close(peer);
        until(reactor, probe.eofs);
        assert_true(probe_has(&probe, data, SIZE));
        assert_int_equal(cdt_flow_state(probe.flow), CDT_PEER_ENDED);
        cdt_flow_close(probe.flow);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, 0);
        test_end(reactor, &probe, 1);
    }
}

/* A Unix peer that closes is gone for writing at once, but what it sent is read; if it left
 * something unread, the end is a reset. */
static void test_unix_close(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool unread = way & 1, paused = way & 2;
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, 'u', NULL, &probe);
        if (paused)
            cdt_flow_pause(probe.flow);
        test_send(peer, "bye", 3);
        if (unread)
            cdt_flow_write(probe.flow, "unread", 6);
        close(peer);
        until(reactor, paused || probe.eofs || probe.closed);
        settle(reactor);
        if (paused) {
            assert_int_equal(probe.length + (size_t)probe.closed, 0);
            assert_int_equal(cdt_flow_write(probe.flow, "x", 1), -EPIPE);
            cdt_flow_resume(probe.flow);
        }
        until(reactor, probe.eofs || probe.closed);
        assert_true(probe_has(&probe, "bye", 3));
        assert_int_equal(probe.eofs, !unread);
        if (probe.flow) {
            assert_int_equal(cdt_flow_write(probe.flow, "x", 1), -EPIPE);
            cdt_flow_close(probe.flow);
        }
        until(reactor, probe.closed);
        assert_int_equal(probe.status, unread ? -ECONNRESET : 0);
        test_end(reactor, &probe, 1);
    }
}

/* The peer ends its stream, and then resets: whatever we do, it is not an orderly end. */
static void test_end_then_reset(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, 't', NULL, &probe);
        if (way & 1)
            cdt_flow_pause(probe.flow);
        test_send(peer, "last", 4);
        shutdown(peer, SHUT_WR);
        if (way & 1)
            settle(reactor);
        else
            until(reactor, probe.eofs);
        reset(peer);
        if (way & 2)
            cdt_flow_close(probe.flow);
        if (way & 1) {
            settle(reactor);
            if (probe.flow)
                cdt_flow_resume(probe.flow);
            until(reactor, probe.eofs || probe.closed);
            if (probe.flow)
                cdt_flow_close(probe.flow);
        }
        until(reactor, probe.closed);
        assert_true(probe_has(&probe, "last", 4));
        if (way == 2) /* both had ended before the flow could know */
            assert_int_equal(probe.status, 0);
        else
            assert_true(probe.status == -EPIPE || probe.status == -ECONNRESET);
        test_end(reactor, &probe, 1);
    }
}

/* Adopted in each state: with data, ended, and reset before the flow was made. */
static void test_adopted_late(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct cdt_flow *flow;
        int fd[2];
        test_tcp_sockets(fd);
        test_send(fd[1], "before", 6);
        if (way == 1)
            close(fd[1]);
        if (way == 2)
            reset(fd[1]);
        int result = cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &flow);
        if (result) { /* a socket that was reset is not connected */
            assert_int_equal(way, 2);
            assert_int_equal(result, -ENOTCONN);
            close(fd[0]);
        } else {
            probe_attach(flow, &probe);
            until(reactor, probe.length == 6);
            if (way)
                until(reactor, probe.eofs || probe.closed);
            assert_int_equal(probe.opened, 1);
        }
        if (way == 0)
            close(fd[1]);
        test_end(reactor, &probe, 1);
    }
}

/* The kernel's own table, so that a change of it is seen here and not in a flow. */
static uint32_t polled(int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    int n = epoll_wait(epoll, &event, 1, 0);
    close(epoll);
    return n == 1 ? event.events : 0;
}

static void test_kernel(void **state)
{
    (void)state;
    int fd[2];
    test_tcp_sockets(fd);
    assert_int_equal(polled(fd[0]), EPOLLOUT);
    test_send(fd[1], "x", 1);
    assert_int_equal(polled(fd[0]), EPOLLOUT | EPOLLIN);
    shutdown(fd[1], SHUT_WR);
    assert_int_equal(polled(fd[0]), EPOLLOUT | EPOLLIN | EPOLLRDHUP);
    shutdown(fd[0], SHUT_WR);
    assert_int_equal(polled(fd[0]), EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    close(fd[0]);
    close(fd[1]);
    test_tcp_sockets(fd);
    reset(fd[1]);
    assert_int_equal(polled(fd[0]), EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    close(fd[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    close(fd[1]);
    assert_int_equal(polled(fd[0]), EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    close(fd[0]);
    fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(polled(fd[0]), EPOLLOUT | EPOLLHUP);
    close(fd[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_refused),         flow_test(test_reset_while_paused),
        flow_test(test_data_then_reset), flow_test(test_hangup_with_unread),
        flow_test(test_unix_close),      flow_test(test_adopted_late),
        flow_test(test_end_then_reset),  flow_test(test_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
