/* Ending: half-closes both ways, what is under way at close, the linger timeout, detach. */
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "test/support/probe.h"

static void test_half_close_ours(void **state)
{
    (void)state;
    for (const char *kind = "tup"; *kind; kind++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        test_flows(reactor, *kind, NULL, probe);
        cdt_flow_write(probe[0].flow, "question", 8);
        assert_int_equal(cdt_flow_shutdown(probe[0].flow, CDT_SHUT_WRITE), 0);
        assert_int_equal(cdt_flow_write(probe[0].flow, "more", 4), -EPIPE);
        until(reactor, probe[1].eofs);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(cdt_flow_write(probe[1].flow, "answer", 6), 0);
            until(reactor, probe[0].length == (size_t)(i + 1) * 6);
        }
        assert_int_equal(probe[0].closed + probe[1].closed, 0);
        cdt_flow_close(probe[1].flow);
        until(reactor, probe[0].closed && probe[1].closed);
        assert_int_equal(probe[0].eofs, 1);
        assert_int_equal(probe[0].status | probe[1].status, 0);
        assert_true(probe_has(&probe[1], "question", 8));
        test_end(reactor, probe, 2);
    }
}

/* Closed while the peer goes on: on_read and on_eof go on, a pause is lifted. */
static void test_close_goes_on_reading(void **state)
{
    (void)state;
    for (const char *kind = "tup"; *kind; kind++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        test_flows(reactor, *kind, NULL, probe);
        cdt_flow_pause(probe[0].flow);
        cdt_flow_write(probe[1].flow, "before", 6);
        settle(reactor);
        cdt_flow_close(probe[0].flow);
        cdt_flow_pause(probe[0].flow);
        until(reactor, probe[0].length == 6 && probe[1].eofs);
        cdt_flow_write(probe[1].flow, "after", 5);
        until(reactor, probe[0].length == 11);
        assert_int_equal(probe[0].closed, 0);
        cdt_flow_close(probe[1].flow);
        until(reactor, probe[0].closed && probe[1].closed);
        assert_int_equal(probe[0].eofs, 1);
        assert_int_equal(probe[0].status | probe[1].status, 0);
        test_end(reactor, probe, 2);
    }
}

/* The handler without on_eof: the end of the stream closes the flow, after what it has written. */
static void test_no_on_eof(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 't', NULL, &probe);
    assert_int_equal(cdt_flow_set_handler(probe.flow, &probe_no_eof), 0);
    cdt_flow_write(probe.flow, "answer", 6);
    shutdown(peer, SHUT_WR);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    char answer[7] = "";
    test_receive(peer, answer, 6);
    assert_string_equal(answer, "answer");
    assert_int_equal(recv(peer, answer, 1, 0), 0);
    close(peer);
    test_end(reactor, &probe, 1);
}

/* No more reading: what comes is thrown away; the writing side lives on, also when the peer ends.
 */
static void test_shut_read(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool ends = way & 1, paused = way & 2;
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        test_flows(reactor, 'u', NULL, probe);
        if (paused)
            cdt_flow_pause(probe[0].flow);
        assert_int_equal(cdt_flow_shutdown(probe[0].flow, CDT_SHUT_READ), 0);
        char *data = calloc(1, 4 << 20);
        assert_true(cdt_flow_write(probe[1].flow, data, 4 << 20) >= 0);
        free(data);
        if (ends) {
            cdt_flow_shutdown(probe[1].flow, CDT_SHUT_WRITE);
            until(reactor, cdt_flow_state(probe[0].flow) == CDT_PEER_ENDED);
        } else {
            size_t queued = 1;
            until(reactor, cdt_flow_pending(probe[1].flow, &queued, NULL) == 0 && queued == 0);
        }
        settle(reactor);
        assert_int_equal(cdt_flow_write(probe[0].flow, "still", 5), 0);
        until(reactor, probe[1].length == 5);
        assert_int_equal(probe[0].length + (size_t)probe[0].eofs, 0);
        cdt_flow_shutdown(probe[0].flow, CDT_SHUT_WRITE);
        until(reactor, probe[1].eofs);
        if (!ends) {
            assert_int_equal(cdt_flow_state(probe[0].flow), CDT_CLOSING);
            cdt_flow_close(probe[1].flow);
        }
        until(reactor, probe[0].closed && probe[1].closed);
        assert_int_equal(probe[0].status | probe[1].status, 0);
        test_end(reactor, probe, 2);
    }
}

static void test_shut_both(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        test_flows(reactor, 't', NULL, probe);
        cdt_flow_write(probe[0].flow, "end", 3);
        if (way == 0)
            cdt_flow_shutdown(probe[0].flow, CDT_SHUT_BOTH);
        if (way == 1)
            cdt_flow_shutdown(probe[0].flow, CDT_SHUT_READ);
        if (way)
            cdt_flow_shutdown(probe[0].flow, CDT_SHUT_WRITE);
        if (way == 2)
            cdt_flow_shutdown(probe[0].flow, CDT_SHUT_READ);
        assert_int_equal(cdt_flow_state(probe[0].flow), CDT_CLOSING);
        cdt_flow_write(probe[1].flow, "unheard", 7);
        until(reactor, probe[1].eofs);
        cdt_flow_close(probe[1].flow);
        until(reactor, probe[0].closed && probe[1].closed);
        assert_int_equal(probe[0].length + (size_t)probe[0].eofs, 0);
        assert_true(probe_has(&probe[1], "end", 3));
        assert_int_equal(probe[0].status | probe[1].status, 0);
        test_end(reactor, probe, 2);
    }
}

static void released(void *arg, int status)
{
    assert_int_equal(status, 0);
    ++*(int *)arg;
}

/* Eight megabytes and close at once; the peer reads slowly, and sends meanwhile. */
static void test_delivered(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    for (const char *kind = "tu"; *kind; kind++) {
        for (int owned = 0; owned < 2; owned++) {
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe = {0};
            int sum = 0, end, peer = test_flow(reactor, *kind, NULL, &probe);
            for (size_t at = 0; at < SIZE; at += SIZE / 8) {
                int result =
                    owned ? cdt_flow_write_owned(probe.flow, data + at, SIZE / 8, released, &sum)
                          : cdt_flow_write(probe.flow, data + at, SIZE / 8);
                assert_true(result >= 0);
            }
            cdt_flow_close(probe.flow);
            test_send(peer, "noise", 5);
            assert_int_equal(test_drink(reactor, peer, SIZE / 2, 50000, 0, NULL), SIZE / 2);
            test_send(peer, "noise", 5);
            assert_int_equal(test_drink(reactor, peer, SIZE, 200000, SIZE / 2, &end), SIZE / 2);
            assert_int_equal(end, 0);
            assert_int_equal(probe.closed, 0);
            close(peer);
            until(reactor, probe.closed);
            assert_int_equal(probe.status, 0);
            assert_true(probe_has(&probe, "noisenoise", 10));
            assert_int_equal(sum, owned ? 8 : 0);
            test_end(reactor, &probe, 1);
        }
    }
    free(data);
}

static unsigned segments_sent(const struct cdt_flow *flow)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    const int fd = cdt_flow_fd(flow);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_true(info.tcpi_segs_out > 0);
    return info.tcpi_segs_out;
}

struct farewell {
    int writes;
    bool closes; /* else it ends its side only */
    unsigned segments;
};

static void say_farewell(struct probe *probe, const void *data, size_t length)
{
    struct farewell *farewell = probe->arg;
    farewell->segments = segments_sent(probe->flow);
    for (int i = 0; i < farewell->writes; i++) /* first what is lent, then what is not */
        assert_int_equal(cdt_flow_write(probe->flow, i ? "bye" : data, i ? 3 : length), 0);
    if (farewell->closes)
        cdt_flow_close(probe->flow);
    else
        cdt_flow_shutdown(probe->flow, CDT_SHUT_WRITE);
}

/* What a callback writes, and the end of the stream, leave in one segment. */
static void test_one_segment(void **state)
{
    (void)state;
    if (test_emulated()) {
        print_message("the emulator has no TCP_INFO\n");
        skip();
    }
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct farewell farewell = {.writes = 1 + way % 2, .closes = way / 2};
        struct probe probe = {.on_read = say_farewell, .arg = &farewell};
        const int peer = test_flow(reactor, 't', NULL, &probe);
        char text[8] = "";
        test_send(peer, "hello", 5);
        until(reactor, probe.reads);
        assert_int_equal(segments_sent(probe.flow) - farewell.segments, 1);
        const size_t length = farewell.writes > 1 ? 8 : 5;
        test_receive(peer, text, length);
        assert_memory_equal(text, "hellobye", length);
        assert_int_equal(recv(peer, text, 1, 0), 0);
        close(peer);
        until(reactor, probe.eofs && (probe.closed || !farewell.closes));
        test_end(reactor, &probe, 1);
    }
}

/* ---- linger ---------------------------------------------------------------------------------- */

static const struct cdt_flow_options short_linger = {.size = sizeof short_linger,
                                                     .linger_timeout = 60 * CDT_MS};

/* The peer has acknowledged all but never ends: status 0, though it sends all the time. */
static void test_linger(void **state)
{
    (void)state;
    for (const char *kind = "tu"; *kind; kind++) {
        for (int idle = 0; idle < 2; idle++) {
            struct cdt_flow_options options = short_linger;
            if (idle)
                options.idle_timeout = 10 * CDT_SECOND;
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe = {0};
            int peer = test_flow(reactor, *kind, &options, &probe);
            char text[4];
            cdt_flow_write(probe.flow, "last", 4);
            uint64_t start = test_now();
            cdt_flow_close(probe.flow);
            test_receive(peer, text, 4);
            while (!probe.closed) {
                test_send(peer, "x", 1);
                cdt_reactor_step(reactor, 5 * CDT_MS);
            }
            uint64_t took = test_now() - start;
            assert_int_equal(probe.status, 0);
            assert_int_equal(probe.eofs, 0);
            assert_true(probe.length > 0);
            assert_in_range(took, 59 * CDT_MS, (test_slow() ? 5000 : 500) * CDT_MS);
            close(peer);
            test_end(reactor, &probe, 1);
        }
    }
}

/* Something is not acknowledged: -ETIMEDOUT. TCP's kernel acknowledges by itself, a Unix peer by
 * reading. */
static void test_linger_unacknowledged(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 'u', &short_linger, &probe);
    char text[4];
    cdt_flow_write(probe.flow, "last", 4);
    size_t unacknowledged;
    assert_int_equal(cdt_flow_pending(probe.flow, NULL, &unacknowledged), 0);
    assert_true(unacknowledged >= 4);
    cdt_flow_close(probe.flow);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ETIMEDOUT);
    test_receive(peer, text, 4); /* it is there all the same */
    close(peer);
    test_end(reactor, &probe, 1);
}

/* The time begins when our end is out, not when close was called. */
static void test_linger_begins_late(void **state)
{
    (void)state;
    enum { SIZE = 12 << 20 };
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    /* Long enough for the peer to take what the kernel has when our end is out. */
    const uint64_t linger = (test_slow() ? 2000 : 400) * CDT_MS;
    const struct cdt_flow_options options = {.size = sizeof options, .linger_timeout = linger};
    int end, peer = test_flow(reactor, 't', &options, &probe);
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    assert_int_equal(cdt_flow_write(probe.flow, data, SIZE), 1);
    free(data);
    cdt_flow_close(probe.flow);
    uint64_t start = test_now();
    while (test_now() - start < linger + 40 * CDT_MS)
        cdt_reactor_step(reactor, 10 * CDT_MS);
    assert_int_equal(probe.closed, 0);
    assert_int_equal(test_drink(reactor, peer, SIZE + 1, SIZE, 0, &end), SIZE);
    assert_int_equal(end, 0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    close(peer);
    test_end(reactor, &probe, 1);
}

/* ---- detach ---------------------------------------------------------------------------------- */

static void test_detach(void **state)
{
    (void)state;
    for (const char *kind = "tu"; *kind; kind++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, *kind, NULL, &probe);
        int flags = fcntl(cdt_flow_fd(probe.flow), F_GETFL);
        assert_int_equal(flags & O_NONBLOCK, 0);
        cdt_flow_write(probe.flow, "flow", 4);
        int fd = cdt_flow_detach(probe.flow);
        assert_true(fd >= 0);
        assert_int_equal(cdt_flow_state(probe.flow), CDT_CLOSED);
        assert_int_equal(cdt_flow_fd(probe.flow), -1);
        assert_int_equal(probe.closed, 0);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, 0);
        assert_int_equal(fcntl(fd, F_GETFL), flags);
        test_send(fd, "own", 3);
        char text[8] = "";
        test_receive(peer, text, 7);
        assert_string_equal(text, "flowown");
        test_end(reactor, &probe, 1);
        test_send(peer, "x", 1);
        test_receive(fd, text, 1);
        close(fd);
        close(peer);
    }
}

static void test_detach_refused(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}}, extra = {0};
    test_flows(reactor, 'p', NULL, probe);
    assert_int_equal(cdt_flow_detach(probe[0].flow), -ENOTSUP);
    assert_int_equal(cdt_flow_detach(NULL), -EINVAL);
    int peer = test_flow(reactor, 'u', NULL, &extra);
    assert_int_equal(cdt_flow_unread(extra.flow, "x", 1), 0);
    assert_int_equal(cdt_flow_detach(extra.flow), -EBUSY);
    until(reactor, extra.length == 1);
    char *data = calloc(1, 4 << 20);
    cdt_flow_write(extra.flow, data, 4 << 20);
    free(data);
    assert_int_equal(cdt_flow_detach(extra.flow), -EBUSY);
    cdt_flow_abort(extra.flow, 0, NULL);
    assert_int_equal(cdt_flow_detach(extra.flow), -EBUSY);
    until(reactor, extra.closed);
    probe_free(&extra);
    close(peer);
    test_end(reactor, probe, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_half_close_ours),
        flow_test(test_close_goes_on_reading),
        flow_test(test_no_on_eof),
        flow_test(test_shut_read),
        flow_test(test_shut_both),
        flow_test(test_delivered),
        flow_test(test_one_segment),
        flow_test(test_linger),
        flow_test(test_linger_unacknowledged),
        flow_test(test_linger_begins_late),
        flow_test(test_detach),
        flow_test(test_detach_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
