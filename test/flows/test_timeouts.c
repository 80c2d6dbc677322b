/* The timeouts of a flow, with real small times and generous upper bounds. */
#include "test/support/probe.h"
#include "test/support/toy.h"

enum { TIME = 50 }; /* ms */

static uint64_t longest(void)
{
    return (test_slow() ? 10000 : 1000) * CDT_MS;
}

/* Turns for so many ms. */
static void pass(struct cdt_reactor *reactor, uint64_t ms)
{
    uint64_t now, end = test_now() + ms * CDT_MS;
    while ((now = test_now()) < end)
        cdt_reactor_step(reactor, end - now);
}

/* It ends with this status, not before TIME has passed since `start`. */
static void expect(struct cdt_reactor *reactor, struct probe *probe, int status, uint64_t start)
{
    until(reactor, probe->closed);
    assert_int_equal(probe->status, status);
    assert_true(strlen(probe->error) > 10);
    assert_in_range(test_now() - start, (TIME - 1) * CDT_MS, longest());
}

/* A listener with a full backlog: what knocks is not answered. */
static int black_hole(struct cdt_addr *addr, int fds[4])
{
    fds[0] = test_tcp_listener(0, addr);
    for (int i = 1; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fds[i], &addr->any, addr->length);
    }
    return 4;
}

static void test_connect(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .connect_timeout = TIME * CDT_MS};
    for (int later = 0; later < 2; later++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct cdt_addr addr;
        struct cdt_flow *flow;
        int fds[4];
        black_hole(&addr, fds);
        uint64_t start = test_now();
        assert_int_equal(
            cdt_tcp_connect(reactor, &addr, later ? NULL : &options, &probe_handler, &flow), 0);
        probe_attach(flow, &probe);
        if (later)
            assert_int_equal(cdt_flow_set_timeout(flow, CDT_TIMEOUT_CONNECT, TIME * CDT_MS), 0);
        cdt_flow_write(flow, "x", 1);
        cdt_carrier_ready(flow, 0); /* a turn of the flow is no connection */
        expect(reactor, &probe, -ETIMEDOUT, start);
        assert_int_equal(probe.opened, 0);
        test_end(reactor, &probe, 1);
        for (int i = 0; i < 4; i++)
            close(fds[i]);
    }
}

/* Neither a pause nor a layer is progress: the deadlines to connect and of the handshake stay. */
static void test_not_extended(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .connect_timeout = TIME * CDT_MS,
                                             .handshake_timeout = TIME * CDT_MS,
                                             .idle_timeout = CDT_SECOND};
    for (int connects = 0; connects < 2; connects++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct toy toys[3] = {{.client = true}, {.client = true}, {.client = true}};
        struct cdt_addr addr;
        struct cdt_flow *flow;
        int peer = -1, fds[4];
        black_hole(&addr, fds);
        if (connects) {
            assert_int_equal(cdt_tcp_connect(reactor, &addr, &options, &probe_handler, &flow), 0);
            probe_attach(flow, &probe);
        } else {
            peer = test_flow(reactor, 'u', &options, &probe);
            assert_int_equal(cdt_flow_push(probe.flow, &toy_ops, &toys[2]), 0);
        }
        uint64_t start = test_now();
        for (int turn = 0; !probe.closed; turn++) {
            cdt_flow_pause(probe.flow);
            cdt_flow_resume(probe.flow);
            if (turn < 2)
                assert_int_equal(cdt_flow_push(probe.flow, &toy_ops, &toys[turn]), 0);
            cdt_reactor_step(reactor, CDT_MS);
            assert_true(test_now() - start < longest());
        }
        expect(reactor, &probe, connects ? -ETIMEDOUT : -CDT_EHANDSHAKE, start);
        test_end(reactor, &probe, 1);
        for (int i = 0; i < 4; i++)
            close(fds[i]);
        if (peer >= 0)
            close(peer);
    }
}

/* A carrier that is never connected, or one that takes a byte of what was written now and then. */
struct trickle {
    bool connects;
    int bytes;
};

static int trickle_connected(struct cdt_carrier *carrier)
{
    const struct trickle *trickle = carrier->context;
    return trickle->connects ? 0 : -EAGAIN;
}

static ssize_t trickle_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    return -EAGAIN;
}

static ssize_t trickle_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    struct trickle *trickle = carrier->context;
    (void)parts, (void)count;
    if (trickle->bytes == 0)
        return -EAGAIN;
    trickle->bytes--;
    return 1;
}

static ssize_t trickle_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    const struct iovec part = {(void *)(uintptr_t)data, length};
    return trickle_writev(carrier, &part, 1);
}

static void trickle_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)carrier, (void)how;
}

static const struct cdt_carrier_ops trickle_ops = {
    .size = sizeof trickle_ops,
    .name = "trickle",
    .read = trickle_read,
    .write = trickle_write,
    .writev = trickle_writev,
    .connected = trickle_connected,
    .close = trickle_close,
};

/* Nor is output, queued or taken. */
static void test_not_extended_by_output(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .connect_timeout = TIME * CDT_MS,
                                             .handshake_timeout = TIME * CDT_MS,
                                             .idle_timeout = CDT_SECOND};
    for (int connects = 0; connects < 2; connects++) {
        struct cdt_reactor *reactor = test_reactor();
        struct trickle trickle = {.connects = connects};
        const struct cdt_carrier carrier = {.context = &trickle, .fd = -1};
        struct probe probe = {0};
        struct toy toy = {.client = true};
        struct cdt_flow *flow;
        uint64_t start = test_now();
        assert_int_equal(cdt_carrier_flow(reactor, &trickle_ops, &carrier, !connects, &options,
                                          &probe_handler, &flow),
                         0);
        probe_attach(flow, &probe);
        if (connects) {
            until(reactor, probe.opened);
            assert_int_equal(cdt_flow_write(flow, options.interface, 16), 0);
            start = test_now();
            assert_int_equal(cdt_flow_push(flow, &toy_ops, &toy), 0);
        } else {
            pass(reactor, TIME / 2);
            assert_int_equal(cdt_flow_write(flow, "x", 1), 0);
        }
        while (!probe.closed) {
            trickle.bytes = connects;
            cdt_carrier_ready(flow, CDT_WRITE);
            pass(reactor, TIME / 10);
            assert_true(test_now() - start < longest());
        }
        assert_int_equal(probe.status, connects ? -CDT_EHANDSHAKE : -ETIMEDOUT);
        test_end(reactor, &probe, 1);
    }
}

static void test_handshake(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .handshake_timeout = TIME * CDT_MS};
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct toy toy = {.client = true};
    int peer = test_flow(reactor, 'u', &options, &probe);
    pass(reactor, TIME / 2);
    uint64_t start = test_now();
    cdt_flow_push(probe.flow, &toy_ops, &toy);
    cdt_flow_write(probe.flow, "early", 5);
    test_send(peer, "h", 1); /* too little, and it does not extend the time */
    expect(reactor, &probe, -CDT_EHANDSHAKE, start);
    close(peer);
    test_end(reactor, &probe, 1);
}

static void test_write_stall(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {
        .size = sizeof options, .write_stall_timeout = TIME * CDT_MS, .send_buffer = 200000};
    for (int way = 0; way < 3; way++) {
        enum { SIZE = 14 << 20 };
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, "tut"[way], &options, &probe);
        uint8_t *data = malloc(SIZE);
        test_pattern(data, SIZE, 0);
        cdt_reactor_update_time(reactor); /* that took long */
        assert_int_equal(cdt_flow_write(probe.flow, data, SIZE), 1);
        free(data);
        if (way == 2)
            cdt_flow_close(probe.flow);
        size_t got = 0;
        for (int i = 0; way == 1 && i < 5;
             i++) { /* slow is not stalled; TCP has pauses of its own */
            size_t before, queued;
            pass(reactor, TIME / 3);
            cdt_flow_pending(probe.flow, &before, NULL);
            do {
                got += test_drink(reactor, peer, 100000, 100000, got, NULL);
                assert_int_equal(cdt_flow_pending(probe.flow, &queued, NULL), 0);
            } while (queued == before);
        }
        assert_int_equal(probe.closed, 0);
        uint64_t start = test_now() - TIME * CDT_MS;
        /* neither data nor a resume is progress */
        for (int i = 0; !probe.closed && i < 1000; i++) {
            (void)!send(peer, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            cdt_flow_pause(probe.flow);
            cdt_reactor_step(reactor, 5 * CDT_MS);
            if (probe.flow)
                cdt_flow_resume(probe.flow);
        }
        expect(reactor, &probe, -CDT_ESTALLED, start);
        close(peer);
        test_end(reactor, &probe, 1);
    }
}

/* What was written before the flow was open, and is not taken. */
static void test_write_stall_early(void **state)
{
    (void)state;
    enum { SIZE = 14 << 20 };
    const uint64_t connect[] = {0, CDT_NEVER};
    for (size_t i = 0; i < sizeof connect / sizeof *connect; i++) {
        const struct cdt_flow_options options = {.size = sizeof options,
                                                 .connect_timeout = connect[i],
                                                 .write_stall_timeout = TIME * CDT_MS};
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct cdt_addr addr;
        struct cdt_flow *flow;
        const int listener = test_tcp_listener(1, &addr);
        void *data = calloc(1, SIZE);
        const uint64_t start = test_now();
        assert_int_equal(cdt_tcp_connect(reactor, &addr, &options, &probe_handler, &flow), 0);
        probe_attach(flow, &probe);
        assert_int_equal(cdt_flow_write(flow, data, SIZE), 1);
        free(data);
        expect(reactor, &probe, -CDT_ESTALLED, start);
        close(listener);
        test_end(reactor, &probe, 1);
    }
}

static void test_idle(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options, .idle_timeout = TIME * CDT_MS};
    for (int way = 0; way < 3; way++) { /* nothing; we read; we write */
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, 'u', &options, &probe);
        uint64_t start = test_now();
        for (int i = 0; way && i < 8; i++) {
            pass(reactor, TIME / 4);
            start = test_now();
            if (way == 1)
                test_send(peer, "x", 1);
            if (way == 2)
                cdt_flow_write(probe.flow, "x", 1);
            settle(reactor);
            assert_int_equal(probe.closed, 0);
        }
        expect(reactor, &probe, -CDT_EIDLE, start);
        close(peer);
        test_end(reactor, &probe, 1);
    }
}

/* It rests while output is queued, and while paused. */
static void test_idle_rests(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options, .idle_timeout = TIME * CDT_MS};
    enum { SIZE = 4 << 20 };
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 'u', &options, &probe);
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    assert_int_equal(cdt_flow_write(probe.flow, data, SIZE), 1);
    free(data);
    pass(reactor, 3 * TIME);
    assert_int_equal(probe.closed, 0);
    assert_int_equal(test_drink(reactor, peer, SIZE, SIZE, 0, NULL), SIZE);
    cdt_flow_pause(probe.flow);
    pass(reactor, 3 * TIME);
    assert_int_equal(probe.closed, 0);
    uint64_t start = test_now();
    cdt_flow_resume(probe.flow);
    expect(reactor, &probe, -CDT_EIDLE, start);
    close(peer);
    test_end(reactor, &probe, 1);
}

/* Set on a flow that was silent for longer: it counts from then on. */
static void test_idle_set_late(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 'u', NULL, &probe);
    pass(reactor, 2 * TIME);
    uint64_t start = test_now();
    assert_int_equal(cdt_flow_set_timeout(probe.flow, CDT_TIMEOUT_IDLE, TIME * CDT_MS), 0);
    expect(reactor, &probe, -CDT_EIDLE, start);
    close(peer);
    test_end(reactor, &probe, 1);
}

static void test_lifetime(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options, .lifetime = TIME * CDT_MS};
    for (int closing = 0; closing < 2; closing++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        uint64_t start = test_now();
        int peer = test_flow(reactor, 'u', &options, &probe);
        if (closing)
            cdt_flow_close(probe.flow);
        while (!probe.closed) {
            test_send(peer, "x", 1);
            if (!closing)
                cdt_flow_write(probe.flow, "x", 1);
            cdt_reactor_step(reactor, 5 * CDT_MS);
        }
        expect(reactor, &probe, -CDT_ELIFETIME, start);
        close(peer);
        test_end(reactor, &probe, 1);
    }
}

static void test_min_rate(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        const struct cdt_flow_options options = {
            .size = sizeof options, .min_rate = 1000, .min_rate_window = TIME * CDT_MS};
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, 'u', later ? NULL : &options, &probe);
        if (later)
            assert_int_equal(cdt_flow_set_min_rate(probe.flow, 1000, TIME * CDT_MS), 0);
        for (int i = 0; i < 8; i++) { /* 50 bytes a window are enough */
            char block[50] = "";
            test_send(peer, block, sizeof block);
            pass(reactor, TIME / 2);
            assert_int_equal(probe.closed, 0);
        }
        cdt_flow_pause(probe.flow); /* rests */
        pass(reactor, 3 * TIME);
        assert_int_equal(probe.closed, 0);
        uint64_t start = test_now();
        cdt_flow_resume(probe.flow);
        test_send(peer, "slow", 4);
        expect(reactor, &probe, -CDT_ETOOSLOW, start);
        close(peer);
        test_end(reactor, &probe, 1);
    }
}

/* Set before the first turn of a flow that is connected: there is nothing to connect. */
static void test_set_early(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_flow *flow;
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    uint64_t start = test_now();
    cdt_flow_set_min_rate(flow, 1, 0);
    cdt_flow_set_timeout(flow, CDT_TIMEOUT_CONNECT, 1);
    cdt_flow_set_timeout(flow, CDT_TIMEOUT_IDLE, TIME * CDT_MS);
    expect(reactor, &probe, -CDT_EIDLE, start);
    assert_int_equal(probe.opened, 1);
    close(fd[1]);
    test_end(reactor, &probe, 1);
}

/* Off, and off again. */
static void test_off(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .write_stall_timeout = CDT_NEVER,
                                             .connect_timeout = CDT_NEVER,
                                             .handshake_timeout = CDT_NEVER,
                                             .linger_timeout = CDT_NEVER,
                                             .idle_timeout = TIME / 2 * CDT_MS,
                                             .lifetime = TIME * CDT_MS,
                                             .min_rate = 1000000,
                                             .min_rate_window = TIME / 2 * CDT_MS};
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 'u', &options, &probe);
    assert_int_equal(cdt_flow_set_timeout(probe.flow, CDT_TIMEOUT_IDLE, CDT_NEVER), 0);
    assert_int_equal(cdt_flow_set_timeout(probe.flow, CDT_TIMEOUT_LIFETIME, 0), 0);
    assert_int_equal(cdt_flow_set_min_rate(probe.flow, 0, 0), 0);
    pass(reactor, 3 * TIME);
    cdt_flow_close(probe.flow);
    pass(reactor, TIME);
    assert_int_equal(probe.closed, 0);
    assert_int_equal(cdt_flow_set_timeout(probe.flow, CDT_TIMEOUT_LINGER, TIME * CDT_MS), 0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    close(peer);
    test_end(reactor, &probe, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_connect),           flow_test(test_handshake),
        flow_test(test_write_stall),       flow_test(test_idle),
        flow_test(test_idle_rests),        flow_test(test_idle_set_late),
        flow_test(test_lifetime),          flow_test(test_min_rate),
        flow_test(test_set_early),         flow_test(test_off),
        flow_test(test_not_extended),      flow_test(test_not_extended_by_output),
        flow_test(test_write_stall_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
