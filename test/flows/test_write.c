/* Writing: at once outside callbacks, corked inside, queued when the peer does not read. */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "test/support/probe.h"

static void echo(struct probe *probe, const void *data, size_t length)
{
    assert_int_equal(cdt_flow_write(probe->flow, data, length), 0);
}

static void test_echo(void **state)
{
    (void)state;
    for (const char *kind = "tu"; *kind; kind++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {.on_read = echo};
        int peer = test_flow(reactor, *kind, NULL, &probe);
        char text[6] = "";
        test_send(peer, "hello", 5);
        until(reactor, probe.length == 5);
        test_receive(peer, text, 5);
        assert_string_equal(text, "hello");
        shutdown(peer, SHUT_WR);
        until(reactor, probe.eofs);
        assert_int_equal(cdt_flow_state(probe.flow), CDT_PEER_ENDED);
        assert_int_equal(cdt_flow_close(probe.flow), 0);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, 0);
        assert_int_equal(recv(peer, text, 1, 0), 0);
        close(peer);
        probe_free(&probe);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

static size_t waiting(int fd)
{
    int bytes = 0;
    assert_int_equal(ioctl(fd, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

static void test_outside_goes_out_at_once(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 'u', NULL, &probe);
    assert_int_equal(cdt_flow_write(probe.flow, "abc", 3), 0);
    assert_int_equal(waiting(peer), 3);
    cdt_flow_abort(probe.flow, 0, NULL);
    until(reactor, probe.closed);
    close(peer);
    probe_free(&probe);
    cdt_reactor_free(reactor);
}

static int cork_peer;

static void write_twice(struct probe *probe, const void *data, size_t length)
{
    assert_int_equal(cdt_flow_write(probe->flow, data, length), 0);
    assert_int_equal(cdt_flow_write(probe->flow, "+", 1), 0);
    assert_int_equal(waiting(cork_peer), 0);
    size_t queued;
    assert_int_equal(cdt_flow_pending(probe->flow, &queued, NULL), 0);
    assert_int_equal(queued, length + 1);
}

static void test_corked_inside(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {.on_read = write_twice};
    cork_peer = test_flow(reactor, 'u', NULL, &probe);
    test_send(cork_peer, "abc", 3);
    until(reactor, probe.length == 3);
    assert_int_equal(waiting(cork_peer), 4);
    cdt_flow_abort(probe.flow, 0, NULL);
    until(reactor, probe.closed);
    close(cork_peer);
    probe_free(&probe);
    cdt_reactor_free(reactor);
}

/* A megabyte to a peer that reads slowly arrives whole and in order; a write above the high
 * watermark says so, on_writable follows, and the hard limit refuses. */
static void test_watermarks(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .high_watermark = 100000,
                                             .low_watermark = 1000,
                                             .hard_limit = 2000000};
    struct probe probe = {0};
    int peer = test_flow(reactor, 't', &options, &probe);
    uint8_t block[10000];
    size_t sent = 0, queued = 0;
    int result = 0;
    while (result == 0) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (uint8_t)((sent + i) * 7 >> 3);
        result = cdt_flow_write(probe.flow, block, sizeof block);
        sent += sizeof block;
        assert_true(sent < 100000000);
    }
    assert_int_equal(result, 1);
    cdt_flow_pending(probe.flow, &queued, NULL);
    assert_in_range(queued, 100001, 110000);
    uint8_t *large = calloc(1, 2000000);
    assert_int_equal(cdt_flow_write(probe.flow, large, 2000000), -ENOBUFS);
    free(large);
    settle(reactor);
    assert_int_equal(probe.writables, 0);
    for (size_t got = 0; got < sent;) {
        uint8_t buffer[30000];
        ssize_t n = recv(peer, buffer, sizeof buffer, MSG_DONTWAIT);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buffer[i], (uint8_t)((got + (size_t)i) * 7 >> 3));
        if (n > 0)
            got += (size_t)n;
        cdt_reactor_step(reactor, n > 0 ? 0 : CDT_MS);
    }
    until(reactor, probe.writables == 1);
    cdt_flow_close(probe.flow);
    shutdown(peer, SHUT_WR);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    close(peer);
    probe_free(&probe);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_outside_goes_out_at_once),
        cmocka_unit_test(test_corked_inside),
        cmocka_unit_test(test_watermarks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
