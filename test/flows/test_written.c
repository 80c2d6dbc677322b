/* The callback of a write: once, never from inside the call, when the bytes are with the carrier or
 * lost. */
#include "test/support/probe.h"
#include "test/support/toy.h"

struct note {
    int called, status;
    bool inside;
    struct probe *probe; /* aborted, closed ... by the callback */
    void (*act)(struct probe *probe);
};

static bool inside_call;

static void written(void *arg, int status)
{
    struct note *note = arg;
    assert_false(inside_call);
    note->called++;
    assert_int_equal(note->called, 1);
    note->status = status;
    if (note->act)
        note->act(note->probe);
}

static int write_noted(struct cdt_flow *flow, bool owned, const void *data, size_t length,
                       struct note *note)
{
    inside_call = true;
    int result = owned ? cdt_flow_write_owned(flow, data, length, written, note)
                       : cdt_flow_write_nodelay(flow, data, length, written, note);
    inside_call = false;
    return result;
}

static void test_at_once(void **state)
{
    (void)state;
    for (int owned = 0; owned < 2; owned++) {
        for (size_t length = 0; length < 6; length += 5) {
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe[2] = {{0}};
            struct note note = {0};
            test_flows(reactor, 'u', NULL, probe);
            assert_int_equal(write_noted(probe[0].flow, owned, "hello", length, &note), 0);
            assert_int_equal(note.called, 0);
            until(reactor, note.called && probe[1].length == length);
            assert_int_equal(note.status, 0);
            test_end(reactor, probe, 2);
        }
    }
}

/* Queued behind a megabyte: not before the peer has read. */
static void test_queued(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    uint8_t *data = malloc(2 * SIZE);
    test_pattern(data, 2 * SIZE, 0);
    for (int owned = 0; owned < 2; owned++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct note first = {0}, second = {0}, third = {0};
        int peer = test_flow(reactor, 'u', NULL, &probe), end;
        assert_int_equal(write_noted(probe.flow, owned, data, SIZE, &first), 1);
        assert_int_equal(write_noted(probe.flow, owned, data + SIZE, SIZE, &second), 1);
        assert_int_equal(write_noted(probe.flow, owned, NULL, 0, &third), 1);
        settle(reactor);
        assert_int_equal(first.called + second.called + third.called, 0);
        assert_int_equal(test_drink(reactor, peer, SIZE / 2, 10000, 0, NULL), SIZE / 2);
        settle(reactor);
        assert_int_equal(second.called, 0);
        cdt_flow_shutdown(probe.flow, CDT_SHUT_WRITE);
        assert_int_equal(test_drink(reactor, peer, 2 * SIZE, SIZE, SIZE / 2, &end), 3 * SIZE / 2);
        until(reactor, third.called);
        assert_int_equal(end, 0);
        assert_int_equal(first.called + second.called, 2);
        assert_int_equal(first.status | second.status | third.status, 0);
        close(peer);
        test_end(reactor, &probe, 1);
    }
    free(data);
}

/* Lost, in each way that a flow can end. */
static void test_lost(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20, ABORT, ABORT_0, PEER, FREE, STALL, WAYS };
    uint8_t *data = calloc(1, SIZE);
    for (int way = ABORT; way < WAYS; way++) {
        for (int owned = 0; owned < 2; owned++) {
            struct cdt_reactor *reactor = test_reactor();
            const struct cdt_flow_options options = {.size = sizeof options,
                                                     .write_stall_timeout = 30 * CDT_MS};
            struct probe probe = {0};
            struct note note[3] = {{0}};
            int peer = test_flow(reactor, 't', way == STALL ? &options : NULL, &probe);
            uint8_t *more = calloc(1, 12 * SIZE);
            assert_int_equal(cdt_flow_write(probe.flow, more, 12 * SIZE), 1);
            free(more);
            for (int i = 0; i < 3; i++)
                assert_int_equal(write_noted(probe.flow, owned, data, SIZE, &note[i]), 1);
            int status = -ECANCELED;
            if (way == ABORT)
                cdt_flow_abort(probe.flow, status = -EIO, NULL);
            if (way == ABORT_0)
                cdt_flow_abort(probe.flow, 0, NULL);
            if (way == PEER) {
                struct linger linger = {.l_onoff = 1};
                setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
                close(peer);
                status = -ECONNRESET;
            }
            if (way == STALL)
                status = -CDT_ESTALLED;
            assert_int_equal(note[0].called, 0);
            if (way != FREE)
                until(reactor, probe.closed);
            test_end(reactor, &probe, 1);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(note[i].called, 1);
                if (way != FREE)
                    assert_int_equal(note[i].status, status);
                assert_int_not_equal(note[i].status, 0);
            }
            if (way != PEER)
                close(peer);
        }
    }
    free(data);
}

/* If the call fails the callback never comes. */
static void test_refused(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {
        .size = sizeof options, .high_watermark = 100, .low_watermark = 10, .hard_limit = 1000};
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}};
    struct note note = {0};
    char data[2000] = "";
    test_flows(reactor, 'p', &options, probe);
    for (int owned = 0; owned < 2; owned++) {
        assert_int_equal(write_noted(probe[0].flow, owned, data, 1001, &note), -ENOBUFS);
        assert_int_equal(write_noted(probe[0].flow, owned, NULL, 10, &note), -EINVAL);
    }
    assert_int_equal(cdt_flow_write_owned(probe[0].flow, data, 5, NULL, NULL), -EINVAL);
    cdt_flow_shutdown(probe[0].flow, CDT_SHUT_WRITE);
    for (int owned = 0; owned < 2; owned++)
        assert_int_equal(write_noted(probe[0].flow, owned, data, 1, &note), -EPIPE);
    test_end(reactor, probe, 2);
    assert_int_equal(note.called, 0);
}

static void act_abort(struct probe *probe)
{
    cdt_flow_abort(probe->flow, -EIO, NULL);
}

static void act_close(struct probe *probe)
{
    cdt_flow_close(probe->flow);
}

static void act_write(struct probe *probe)
{
    static struct note inner;
    inner.called = 0;
    assert_true(write_noted(probe->flow, true, "!", 1, &inner) >= 0);
}

static void act_push(struct probe *probe)
{
    static struct toy toy;
    toy = (struct toy){.client = true};
    assert_int_equal(cdt_flow_push(probe->flow, &toy_ops, &toy), 0);
}

static void act_free(struct probe *probe)
{
    assert_int_equal(cdt_reactor_free(cdt_flow_reactor(probe->flow)), -EBUSY);
}

static void test_acts(void **state)
{
    (void)state;
    static void (*const acts[])(struct probe *) = {act_abort, act_close, act_write, act_push,
                                                   act_free};
    for (size_t act = 0; act < sizeof acts / sizeof *acts; act++) {
        for (int owned = 0; owned < 2; owned++) {
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe[2] = {{0}};
            test_flows(reactor, 'p', NULL, probe);
            struct note note[2] = {{.probe = &probe[0], .act = acts[act]}, {0}};
            write_noted(probe[0].flow, owned, "a", 1, &note[0]);
            write_noted(probe[0].flow, owned, "b", 1, &note[1]);
            until(reactor, note[0].called && note[1].called);
            settle(reactor);
            test_end(reactor, probe, 2);
        }
    }
}

/* Written before the flow is open, and before its layer is; through the layer; the status 0 means
 * that the carrier has all. */
static void test_layers(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    for (int owned = 0; owned < 2; owned++) {
        for (int early = 0; early < 2; early++) {
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe[2] = {{0}};
            struct toy toy[2] = {{.client = true, .key = 7}, {.key = 7}};
            struct cdt_flow *flow[2];
            struct note note = {0};
            assert_int_equal(cdt_flow_pair(reactor, 5000, NULL, &probe_handler, &probe_handler,
                                           &flow[0], &flow[1]),
                             0);
            for (int i = 0; i < 2; i++) {
                probe_attach(flow[i], &probe[i]);
                assert_int_equal(cdt_flow_push(flow[i], &toy_ops, &toy[i]), 0);
            }
            if (!early)
                until(reactor, probe[0].opened && probe[1].opened);
            cdt_flow_pause(flow[1]);
            assert_int_equal(write_noted(flow[0], owned, data, SIZE, &note), 1);
            until(reactor, probe[0].opened && probe[1].opened);
            settle(reactor);
            size_t queued;
            cdt_flow_pending(flow[0], &queued, NULL);
            assert_true(queued > SIZE / 2);
            assert_int_equal(note.called, 0);
            cdt_flow_resume(flow[1]);
            until(reactor, probe[1].length == SIZE && note.called);
            assert_int_equal(note.status, 0);
            assert_true(test_is_pattern(probe[1].data, SIZE, 0));
            test_end(reactor, probe, 2);
        }
    }
    free(data);
}

static void test_layers_abort(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    uint8_t *data = calloc(1, SIZE);
    for (int way = 0; way < 8; way++) {
        bool owned = way & 1, early = way & 2, fails = way & 4;
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        struct toy toy[2] = {{.client = true, .key = 7, .fail = fails ? -EPROTO : 0}, {.key = 7}};
        struct cdt_flow *flow[2];
        struct note note = {0};
        cdt_flow_pair(reactor, 5000, NULL, &probe_handler, &probe_handler, &flow[0], &flow[1]);
        for (int i = 0; i < 2; i++) {
            probe_attach(flow[i], &probe[i]);
            cdt_flow_push(flow[i], &toy_ops, &toy[i]);
        }
        if (!early)
            until(reactor, (probe[0].opened && probe[1].opened) || probe[0].closed);
        if (probe[0].flow) {
            cdt_flow_pause(flow[1]);
            assert_int_equal(write_noted(flow[0], owned, data, SIZE, &note), 1);
            if (!fails)
                cdt_flow_abort(flow[0], -EIO, NULL);
            until(reactor, probe[0].closed);
            assert_int_equal(note.called, 1);
            assert_int_equal(note.status, fails ? -EPROTO : -EIO);
        }
        test_end(reactor, probe, 2);
    }
    free(data);
}

/* A write of nothing, with a callback, before the connection is there: the flow does not open by
 * it. */
static void test_connecting(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct note note[2] = {{0}};
    struct cdt_addr addr;
    struct cdt_flow *flow;
    int fds[3], listener = test_tcp_listener(0, &addr);
    for (int i = 0; i < 3; i++) { /* the backlog is full: the kernel drops what knocks */
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fds[i], &addr.any, addr.length);
    }
    assert_int_equal(cdt_tcp_connect(reactor, &addr, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    for (int owned = 0; owned < 2; owned++)
        assert_int_equal(write_noted(flow, owned, NULL, 0, &note[owned]), 0);
    settle(reactor);
    assert_int_equal(probe.opened, 0);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    cdt_flow_abort(flow, -EIO, NULL);
    until(reactor, probe.closed);
    assert_int_equal(note[0].called + note[1].called, 2);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(listener);
    test_end(reactor, &probe, 1);
}

struct chain {
    struct probe *probe;
    int called;
};

static void write_again(void *arg, int status)
{
    struct chain *chain = arg;
    assert_int_equal(status, 0);
    if (++chain->called < 5)
        assert_int_equal(cdt_flow_write_nodelay(chain->probe->flow, "x", 1, write_again, chain), 0);
}

/* A callback that writes the next piece is not called again in the same turn: others have theirs.
 */
static void test_chain(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}};
    struct chain chain = {.probe = &probe[0]};
    test_flows(reactor, 'u', NULL, probe);
    write_again(&chain, 0);
    for (int turn = 1; turn < 5; turn++) {
        assert_int_equal(chain.called, turn);
        cdt_reactor_step(reactor, 0);
    }
    until(reactor, chain.called == 5 && probe[1].length == 4);
    test_end(reactor, probe, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_at_once),      flow_test(test_queued),     flow_test(test_lost),
        flow_test(test_refused),      flow_test(test_acts),       flow_test(test_layers),
        flow_test(test_layers_abort), flow_test(test_connecting), flow_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
