/* A relay that its user meddles with: one side is closed while the other is stalled, or its hard
 * limit is lowered below what is queued; descriptors are sent when all is over. */
#include "test/support/probe.h"

struct end {
    int called;
    struct cdt_relay_result result;
};

static const struct cdt_handler plain = {.size = sizeof plain};
static const struct cdt_flow_options small = {
    .size = sizeof small, .high_watermark = 100000, .hard_limit = 200000, .send_buffer = 10000};

static void on_end(struct cdt_flow *a, struct cdt_flow *b, const struct cdt_relay_result *result,
                   void *arg)
{
    struct end *end = arg;
    int fd = 0;
    end->called++;
    end->result = *result;
    assert_int_equal(cdt_flow_write_fds(a, "x", 1, &fd, 1), -EPIPE);
    assert_int_equal(cdt_flow_write_fds(b, "x", 1, &fd, 1), -EPIPE);
}

static void make(struct cdt_reactor *reactor, struct cdt_flow *flow[2], int peer[2])
{
    for (int i = 0; i < 2; i++) {
        int fd[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        assert_int_equal(cdt_flow_adopt(reactor, fd[0], &small, &plain, &flow[i]), 0);
        peer[i] = fd[1];
    }
}

/* Sends until nothing more is taken; `sent` and what it has sent. The pieces are too small for
 * splice(2). */
static size_t stall(struct cdt_reactor *reactor, int fd, size_t sent)
{
    uint8_t data[1000];
    for (int quiet = 0; quiet < 20;) {
        test_pattern(data, sizeof data, sent);
        ssize_t n = send(fd, data, sizeof data, MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        quiet = n > 0 ? 0 : quiet + 1;
        for (int turn = 0; turn < 5; turn++) /* not settle(): it might never come to rest */
            cdt_reactor_step(reactor, 0);
    }
    return sent;
}

static void finish(struct cdt_reactor *reactor, struct end *end, const int peer[2], size_t sent)
{
    int state;
    shutdown(peer[0], SHUT_WR);
    assert_int_equal(test_drink(reactor, peer[1], sent + 1, 50000, 0, &state), sent);
    assert_int_equal(state, 0);
    close(peer[1]);
    until(reactor, end->called);
    assert_int_equal(end->result.status_a, 0);
    assert_int_equal(end->result.status_b, 0);
    close(peer[0]);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

/* What still comes on the closed side waits for the other one, and costs nothing meanwhile. */
static void test_close(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct end end = {0};
    int peer[2], busy = 0;
    make(reactor, flow, peer);
    cdt_flow_set_timeout(flow[0], CDT_TIMEOUT_LINGER, CDT_NEVER);
    cdt_flow_relay(flow[0], flow[1], on_end, &end);
    size_t sent = stall(reactor, peer[0], 0);
    cdt_flow_close(flow[0]);
    sent = stall(reactor, peer[0], sent);
    for (int i = 0; i < 100; i++)
        busy += cdt_reactor_step(reactor, 0) > 0;
    assert_in_range(busy, 0, 50);
    finish(reactor, &end, peer, sent);
}

static void test_lowered_limit(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct end end = {0};
    int peer[2];
    make(reactor, flow, peer);
    cdt_flow_relay(flow[0], flow[1], on_end, &end);
    size_t sent = stall(reactor, peer[0], 0);
    assert_int_equal(cdt_flow_set_watermarks(flow[1], 1000, 2000, 3000), 0);
    cdt_flow_resume(flow[0]);
    settle(reactor);
    finish(reactor, &end, peer, sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_close),
        flow_test(test_lowered_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
