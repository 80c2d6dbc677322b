/* The relay: both ways, with half-closes, back-pressure, counts; either side failing or not yet
 * there. */
#include "test/support/probe.h"
#include "test/support/toy.h"

#include <conduit/server.h>

struct joint {
    int called;
    struct cdt_relay_result result;
    uint64_t areas[2];
};

static void joined_done(struct cdt_flow *a, struct cdt_flow *b,
                        const struct cdt_relay_result *result, void *arg)
{
    struct joint *joint = arg;
    joint->called++;
    joint->result = *result;
    joint->areas[0] = *(uint64_t *)cdt_flow_data(a);
    joint->areas[1] = *(uint64_t *)cdt_flow_data(b);
    assert_int_equal(cdt_flow_state(a), CDT_CLOSED);
    assert_int_equal(cdt_flow_state(b), CDT_CLOSED);
    for (int i = 0; i < 2; i++) { /* nothing can be done any more, and nothing breaks */
        struct cdt_flow *flow = i ? b : a;
        assert_int_equal(cdt_flow_write(flow, "x", 1), -EPIPE);
        assert_int_equal(cdt_flow_set_watermarks(flow, 1, 2, 3), 0);
        assert_int_equal(cdt_flow_abort(flow, -EIO, NULL), 0);
        assert_int_equal(cdt_flow_resume(flow), 0);
        assert_int_equal(cdt_flow_relay(a, b, NULL, NULL), -EPIPE);
    }
}

static void never_closed(struct cdt_flow *flow, int status)
{
    (void)flow, (void)status;
    fail();
}

static const struct cdt_handler plain = {
    .size = sizeof plain, .user_size = sizeof(uint64_t), .on_close = never_closed};

/* Two flows over sockets of this kind, and the peers' ends. */
static void make(struct cdt_reactor *reactor, const char *kinds,
                 const struct cdt_flow_options *options, struct cdt_flow *flow[2], int peer[2])
{
    for (int i = 0; i < 2; i++) {
        int fd[2];
        if (kinds[i] == 't')
            test_tcp_sockets(fd);
        else
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        assert_int_equal(cdt_flow_adopt(reactor, fd[0], options, &plain, &flow[i]), 0);
        *(uint64_t *)cdt_flow_data(flow[i]) = (uint64_t)i + 77;
        peer[i] = fd[1];
    }
}

/* Sends `size` bytes of the pattern both ways at once; the ends read in small pieces. */
static void exchange(struct cdt_reactor *reactor, const int peer[2], size_t size)
{
    static uint8_t data[256 * 1024], read[256 * 1024];
    size_t sent[2] = {0}, got[2] = {0};
    bool ended[2] = {false, false};
    uint64_t deadline = test_deadline();
    while (!ended[0] || !ended[1]) {
        for (int i = 0; i < 2; i++) {
            size_t length = size - sent[i] < sizeof data ? size - sent[i] : sizeof data;
            test_pattern(data, length, sent[i]);
            ssize_t n = length ? send(peer[i], data, length, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
            if (n > 0)
                sent[i] += (size_t)n;
            if (n > 0 && sent[i] == size)
                shutdown(peer[i], SHUT_WR);
            n = recv(peer[i], read, i ? sizeof read : 30000, MSG_DONTWAIT);
            if (n == 0)
                ended[i] = true;
            if (n > 0)
                assert_true(test_is_pattern(read, (size_t)n, got[i]));
            if (n > 0)
                got[i] += (size_t)n;
        }
        cdt_reactor_step(reactor, CDT_MS);
        assert_true(test_now() < deadline);
    }
    assert_int_equal(got[0], size);
    assert_int_equal(got[1], size);
}

static void test_both_ways(void **state)
{
    (void)state;
    const struct cdt_flow_options options[] = {
        {.size = sizeof *options},
        {.size = sizeof *options, .low_watermark = 1, .high_watermark = 1, .hard_limit = 1},
        {.size = sizeof *options, .low_watermark = 10, .high_watermark = 1000, .hard_limit = 1000},
        {.size = sizeof *options, .low_watermark = 1, .high_watermark = 1000, .hard_limit = 100000},
        {.size = sizeof *options,
         .low_watermark = 1000000,
         .high_watermark = 1000000,
         .hard_limit = 1000000},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        for (int kind = 0; kind < 3; kind++) {
            size_t size = i == 1 ? 3000 : i == 2 ? 300000 : 3000000;
            struct cdt_reactor *reactor = test_reactor();
            struct cdt_flow *flow[2];
            struct joint joint = {0};
            int peer[2];
            make(reactor, &"ttuu"[kind], &options[i], flow, peer);
            assert_int_equal(cdt_flow_relay(flow[0], flow[1], joined_done, &joint), 0);
            exchange(reactor, peer, size);
            until(reactor, joint.called);
            assert_int_equal(joint.result.bytes_a_to_b, size);
            assert_int_equal(joint.result.bytes_b_to_a, size);
            assert_int_equal(joint.result.status_a | joint.result.status_b, 0);
            assert_int_equal(joint.areas[0], 77);
            assert_int_equal(joint.areas[1], 78);
            close(peer[0]);
            close(peer[1]);
            assert_int_equal(cdt_reactor_free(reactor), 0);
            assert_int_equal(joint.called, 1);
        }
    }
}

/* The queue of the one stays near its watermark while its peer does not read. */
static void test_back_pressure(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {
        .size = sizeof options, .high_watermark = 100000, .hard_limit = 200000};
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct joint joint = {0};
    int peer[2];
    make(reactor, "tt", &options, flow, peer);
    cdt_flow_relay(flow[0], flow[1], joined_done, &joint);
    static uint8_t data[100000];
    size_t sent = 0, queued;
    for (int quiet = 0; quiet < 20;) {
        test_pattern(data, sizeof data, sent);
        ssize_t n = send(peer[0], data, sizeof data, MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        quiet = n > 0 ? 0 : quiet + 1;
        settle(reactor);
        assert_int_equal(cdt_flow_pending(flow[1], &queued, NULL), 0);
        assert_in_range(queued, 0, 200000);
    }
    struct cdt_reactor_counters before, after;
    cdt_reactor_counters(reactor, &before);
    for (int i = 0; i < 10; i++)
        cdt_reactor_step(reactor, 5 * CDT_MS);
    cdt_reactor_counters(reactor, &after);
    assert_true(after.turns - before.turns < 40); /* it rests */
    shutdown(peer[0], SHUT_WR);
    int end;
    assert_int_equal(test_drink(reactor, peer[1], sent + 1, 50000, 0, &end), sent);
    assert_int_equal(end, 0);
    close(peer[1]);
    until(reactor, joint.called);
    close(peer[0]);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

/* One fails: the other delivers what it has, and is closed. */
static void test_abort(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        int which = way & 1;
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2];
        struct joint joint = {0};
        int peer[2], end;
        make(reactor, "ut", NULL, flow, peer);
        cdt_flow_relay(flow[0], flow[1], joined_done, &joint);
        static uint8_t data[50000];
        test_pattern(data, sizeof data, 0);
        test_send(peer[which], data, sizeof data);
        size_t queued = 0;
        settle(reactor);
        cdt_flow_pending(flow[!which], &queued, NULL);
        if (way < 2)
            cdt_flow_abort(flow[which], -EOWNERDEAD, "gone");
        else
            cdt_flow_close(flow[which]);
        assert_int_equal(joint.called, 0);
        if (way >= 2)
            shutdown(peer[which], SHUT_WR);
        assert_int_equal(test_drink(reactor, peer[!which], 60000, 60000, 0, &end), 50000);
        /* All of it, and then, where the carrier can tell, not as if it were whole. */
        assert_int_equal(end, way == 0 ? -ECONNRESET : 0);
        close(peer[!which]);
        until(reactor, joint.called);
        int status[2] = {joint.result.status_a, joint.result.status_b};
        assert_int_equal(status[which], way < 2 ? -EOWNERDEAD : 0);
        assert_int_equal(status[!which], way < 2 ? -EOWNERDEAD : 0);
        close(peer[which]);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

/* Still connecting: what comes meanwhile waits. Refused: the other one hears of it at once. */
static void test_connecting(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool refused = way & 1, first = way & 2;
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2], *out;
        struct joint joint = {0};
        struct cdt_addr addr;
        int peer[2], end, listener = test_tcp_listener(4, &addr);
        if (refused)
            close(listener);
        make(reactor, "tt", NULL, flow, peer);
        cdt_flow_abort(flow[1], 0, NULL); /* one is enough here; the handler must not hear */
        static const struct cdt_handler quiet = {.size = sizeof quiet};
        cdt_flow_set_handler(flow[1], &quiet);
        close(peer[1]);
        test_send(peer[0], "hello", 5);
        shutdown(peer[0], SHUT_WR);
        assert_int_equal(cdt_tcp_connect(reactor, &addr, NULL, &plain, &out), 0);
        struct cdt_flow *a = first ? out : flow[0], *b = first ? flow[0] : out;
        assert_int_equal(cdt_flow_relay(a, b, joined_done, &joint), 0);
        assert_int_equal(cdt_flow_relay(a, b, joined_done, &joint), -EALREADY);
        if (refused) {
            until(reactor, joint.called);
            assert_int_equal(joint.result.status_a, -ECONNREFUSED);
            assert_int_equal(joint.result.status_b, -ECONNREFUSED);
        } else {
            int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            char text[6] = "";
            until(reactor, recv(accepted, text, 5, MSG_DONTWAIT) == 5);
            assert_string_equal(text, "hello");
            uint8_t answer[100];
            test_pattern(answer, sizeof answer, 0);
            test_send(accepted, answer, sizeof answer);
            close(accepted);
            assert_int_equal(test_drink(reactor, peer[0], 200, 200, 0, &end), 100);
            assert_int_equal(end, 0);
            until(reactor, joint.called);
            assert_int_equal(joint.result.status_a | joint.result.status_b, 0);
            close(listener);
        }
        close(peer[0]);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

/* Read by the one before, handed back, ended before, paused before: all is carried on. */
static void hand_back(struct probe *probe, const void *data, size_t length)
{
    assert_int_equal(cdt_flow_unread(probe->flow, data, length), 0);
    assert_int_equal(cdt_flow_relay(probe->flow, probe->arg, NULL, NULL), 0);
}

static void test_unread(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{.on_read = hand_back}, {0}};
        int end, peer[2];
        for (int i = 0; i < 2; i++)
            peer[i] = test_flow(reactor, 't', NULL, &probe[i]);
        probe[0].arg = probe[1].flow;
        if (way & 1) {
            cdt_flow_pause(probe[0].flow);
            cdt_flow_pause(probe[1].flow);
        }
        uint8_t data[1000];
        test_pattern(data, sizeof data, 0);
        test_send(peer[0], data, sizeof data);
        shutdown(peer[0], SHUT_WR);
        if (way & 2) {
            settle(reactor);
        }
        cdt_flow_resume(probe[0].flow);
        assert_int_equal(test_drink(reactor, peer[1], 2000, 2000, 0, &end), 1000);
        assert_int_equal(end, 0);
        close(peer[1]);
        assert_int_equal(test_drink(reactor, peer[0], 1, 1, 0, &end), 0);
        assert_int_equal(end, 0);
        close(peer[0]);
        settle(reactor);
        assert_int_equal(probe[0].closed + probe[1].closed, 0);
        probe[0].flow = probe[1].flow = NULL;
        test_end(reactor, probe, 2);
    }
}

static void relay_in_eof(struct probe *probe)
{
    assert_int_equal(cdt_flow_relay(probe->arg, probe->flow, NULL, NULL), 0);
}

static void test_ended_before(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{.on_eof = relay_in_eof}, {0}};
    int end, peer[2];
    for (int i = 0; i < 2; i++)
        peer[i] = test_flow(reactor, 't', NULL, &probe[i]);
    probe[0].arg = probe[1].flow;
    shutdown(peer[0], SHUT_WR);
    assert_int_equal(test_drink(reactor, peer[1], 1, 1, 0, &end), 0);
    uint8_t data[10];
    test_pattern(data, sizeof data, 0);
    test_send(peer[1], data, sizeof data);
    close(peer[1]);
    assert_int_equal(test_drink(reactor, peer[0], 11, 11, 0, &end), 10);
    close(peer[0]);
    settle(reactor);
    probe[0].flow = probe[1].flow = NULL;
    test_end(reactor, probe, 2);
}

static void test_layered(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct joint joint = {0};
    struct toy toy = {.key = 8}, far = {.client = true, .key = 8};
    struct probe client = {0};
    int peer[2], end;
    make(reactor, "tt", NULL, flow, peer);
    cdt_flow_push(flow[0], &toy_ops, &toy);
    assert_int_equal(cdt_flow_relay(flow[0], flow[1], joined_done, &joint), 0);
    assert_int_equal(cdt_flow_push(flow[0], &toy_ops, &toy), -EALREADY);
    struct cdt_flow *out;
    assert_int_equal(cdt_flow_adopt(reactor, peer[0], NULL, &probe_handler, &out), 0);
    probe_attach(out, &client);
    cdt_flow_push(out, &toy_ops, &far);
    static uint8_t data[200000];
    test_pattern(data, sizeof data, 0);
    test_send(peer[1], "hello", 5);
    cdt_flow_write(out, data, sizeof data);
    until(reactor, client.opened);
    cdt_flow_close(out);
    assert_int_equal(test_drink(reactor, peer[1], sizeof data + 1, 5000, 0, &end), sizeof data);
    assert_int_equal(end, 0);
    close(peer[1]);
    until(reactor, client.closed && joint.called);
    assert_int_equal(client.status, 0);
    assert_int_equal(joint.result.bytes_a_to_b, sizeof data);
    assert_int_equal(joint.result.bytes_b_to_a, 5);
    assert_true(probe_has(&client, "hello", 5));
    test_end(reactor, &client, 1);
}

/* Idle together, though each alone would have been idle for longer. */
static void test_idle(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options, .idle_timeout = 60 * CDT_MS};
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct joint joint = {0};
    int peer[2];
    make(reactor, "uu", &options, flow, peer);
    cdt_flow_relay(flow[0], flow[1], joined_done, &joint);
    cdt_flow_shutdown(flow[1], CDT_SHUT_READ); /* throws away: flow[0] hears nothing at all */
    for (int i = 0; i < 10; i++) {
        test_send(peer[1], "x", 1);
        uint64_t now, end = test_now() + 20 * CDT_MS;
        while ((now = test_now()) < end)
            cdt_reactor_step(reactor, end - now);
        assert_int_equal(joint.called, 0);
    }
    until(reactor, joint.called);
    assert_true(joint.result.status_a == -CDT_EIDLE || joint.result.status_b == -CDT_EIDLE);
    close(peer[0]);
    close(peer[1]);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

/* The reactor goes first. */
static void test_reactor_free(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct joint joint = {0};
    int peer[2];
    make(reactor, "tu", NULL, flow, peer);
    cdt_flow_relay(flow[0], flow[1], joined_done, &joint);
    test_send(peer[0], "hello", 5);
    cdt_reactor_step(reactor, 0);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(joint.called, 1);
    assert_int_equal(joint.result.status_a, -ECANCELED);
    close(peer[0]);
    close(peer[1]);
}

static void test_wrong(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor(), *foreign = test_reactor();
    struct probe probe[2] = {{0}}, other[2] = {{0}};
    test_flows(reactor, 'p', NULL, probe);
    test_flows(foreign, 'p', NULL, other);
    assert_int_equal(cdt_flow_relay(NULL, probe[0].flow, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_relay(probe[0].flow, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_relay(probe[0].flow, probe[0].flow, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_relay(probe[0].flow, other[0].flow, NULL, NULL), -EINVAL);
    cdt_flow_close(probe[0].flow);
    assert_int_equal(cdt_flow_relay(probe[0].flow, probe[1].flow, NULL, NULL), -EPIPE);
    test_end(reactor, probe, 2);
    test_end(foreign, other, 2);
}

/* Accepted, and joined before its layer was open; then the handshake fails. */
static struct joint server_joint;
static struct cdt_flow *server_other;
static struct toy server_toy;
static int server_stopped;

static int join_accepted(struct cdt_server *server, struct cdt_flow *flow)
{
    (void)server;
    assert_int_equal(cdt_flow_push(flow, &toy_ops, &server_toy), 0);
    return cdt_flow_relay(flow, server_other, joined_done, &server_joint);
}

static void stopped(struct cdt_server *server)
{
    (void)server;
    server_stopped++;
}

static void test_accepted(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    const struct cdt_server_options options = {
        .size = sizeof options, .on_accept = join_accepted, .on_stopped = stopped};
    struct cdt_server *server;
    struct cdt_flow *flow[2];
    struct cdt_addr addr;
    int peer[2];
    memset(&server_joint, 0, sizeof server_joint);
    make(reactor, "tt", NULL, flow, peer);
    server_other = flow[0];
    close(peer[1]);
    static const struct cdt_handler quiet = {.size = sizeof quiet};
    cdt_flow_set_handler(flow[1], &quiet);
    cdt_addr_ip(&addr, "127.0.0.1", 0);
    assert_int_equal(cdt_tcp_listen(reactor, &addr, &options, &plain, &server), 0);
    until(reactor, cdt_server_address(server, &addr) == 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, &addr.any, addr.length), 0);
    test_send(client, "nonsense", 8);
    until(reactor, server_joint.called);
    assert_int_equal(server_joint.result.status_a, -EPROTO);
    close(client);
    close(peer[0]);
    cdt_server_stop(server, 0);
    until(reactor, server_stopped);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_both_ways),  flow_test(test_back_pressure), flow_test(test_abort),
        flow_test(test_connecting), flow_test(test_unread),        flow_test(test_ended_before),
        flow_test(test_layered),    flow_test(test_idle),          flow_test(test_reactor_free),
        flow_test(test_wrong),      flow_test(test_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
