/* A layer of a user's own: handshakes, bytes that come one at a time, failures, layers on layers,
 * an upgrade in the middle of a stream, its end. */
#include "test/support/probe.h"
#include "test/support/toy.h"

struct side {
    struct probe probe;
    struct toy toy;
    const struct cdt_layer_ops *ops;
};

static void push(struct side *side)
{
    assert_int_equal(cdt_flow_push(side->probe.flow, side->ops, &side->toy), 0);
}

static struct cdt_reactor *begin(struct side side[2], const struct cdt_layer_ops *ops)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    assert_int_equal(
        cdt_flow_pair(reactor, 0, NULL, &probe_handler, &probe_handler, &flow[0], &flow[1]), 0);
    for (int i = 0; i < 2; i++) {
        side[i] = (struct side){.ops = ops, .toy = {.client = i == 0, .key = 0x55}};
        probe_attach(flow[i], &side[i].probe);
        push(&side[i]);
    }
    return reactor;
}

static void end(struct cdt_reactor *reactor, struct side side[2])
{
    for (int i = 0; i < 2; i++) {
        if (side[i].probe.flow)
            cdt_flow_abort(side[i].probe.flow, 0, NULL);
    }
    until(reactor, side[0].probe.closed && side[1].probe.closed);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(side[i].toy.freed, 1);
        assert_int_equal(side[i].toy.starts, 1);
        probe_free(&side[i].probe);
    }
}

static void close_both(struct cdt_reactor *reactor, struct side side[2])
{
    cdt_flow_close(side[0].probe.flow);
    until(reactor, side[1].probe.eofs);
    cdt_flow_close(side[1].probe.flow);
    until(reactor, side[0].probe.closed && side[1].probe.closed);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(side[i].probe.status, 0);
        assert_int_equal(side[i].toy.shutdowns, 1);
    }
}

static const struct cdt_layer_ops *const kinds[] = {&toy_ops, &toy_lazy, &toy_greedy};
enum { KINDS = 3 };

/* Both ways, written before it was open and after; then the ends. */
static void test_exchange(void **state)
{
    (void)state;
    enum { SIZE = 500000 };
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    for (int kind = 0; kind < KINDS; kind++) {
        struct side side[2];
        struct cdt_reactor *reactor = begin(side, kinds[kind]);
        side[0].toy.record = 100;
        for (int i = 0; i < 2; i++)
            assert_true(cdt_flow_write(side[i].probe.flow, data, SIZE / 2) == 1);
        until(reactor, side[0].probe.opened && side[1].probe.opened);
        for (int i = 0; i < 2; i++)
            assert_true(cdt_flow_write(side[i].probe.flow, data + SIZE / 2, SIZE / 2) == 1);
        until(reactor, side[0].probe.length == SIZE && side[1].probe.length == SIZE);
        for (int i = 0; i < 2; i++)
            assert_memory_equal(side[i].probe.data, data, SIZE);
        close_both(reactor, side);
        end(reactor, side);
    }
    free(data);
}

/* A peer that sends every byte for itself, and one that sends all at once, its end behind it. */
static void test_pieces(void **state)
{
    (void)state;
    for (int way = 0; way < 4 * KINDS; way++) {
        bool whole = way & 1, tcp = way & 2;
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct toy toy = {.key = 9};
        int peer = test_flow(reactor, tcp ? 't' : 'u', NULL, &probe);
        assert_int_equal(cdt_flow_push(probe.flow, kinds[way / 4], &toy), 0);
        uint8_t stream[600], payload[100];
        size_t length = toy_record(stream, 'h', 9, "1", 1);
        length += toy_record(stream + length, 'h', 9, "3", 1);
        test_pattern(payload, sizeof payload, 0);
        for (size_t i = 0; i < sizeof payload; i += 20)
            length += toy_record(stream + length, 'd', 9, payload + i, 20);
        length += toy_record(stream + length, 'e', 9, "", 0);
        if (whole) {
            test_send(peer, stream, length);
            shutdown(peer, SHUT_WR);
        }
        for (size_t i = 0; !whole && i < length; i++) {
            test_send(peer, stream + i, 1);
            settle(reactor);
        }
        until(reactor, probe.eofs || probe.closed);
        assert_int_equal(probe.opened, 2);
        assert_true(probe_has(&probe, payload, sizeof payload));
        cdt_flow_close(probe.flow);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, 0);
        uint8_t answer[20], wanted[20];
        size_t answered = toy_record(wanted, 'h', 9, "2", 1);
        answered += toy_record(wanted + answered, 'e', 9, "", 0);
        test_receive(peer, answer, answered);
        assert_memory_equal(answer, wanted, answered);
        assert_int_equal(recv(peer, answer, 1, 0), 0);
        close(peer);
        test_end(reactor, &probe, 1);
        assert_int_equal(toy.freed, 1);
    }
}

static void test_handshake_fails(void **state)
{
    (void)state;
    struct side side[2];
    struct cdt_reactor *reactor = begin(side, &toy_ops);
    side[1].toy.fail = -EKEYREJECTED;
    cdt_flow_write(side[1].probe.flow, "never", 5);
    until(reactor, side[0].probe.closed && side[1].probe.closed);
    assert_int_equal(side[1].probe.status, -EKEYREJECTED);
    assert_string_equal(side[1].probe.error, "the toy refuses");
    assert_int_equal(side[0].probe.status, -EPROTO); /* an end, no reset: it may have been told */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(side[i].probe.opened, 0);
        assert_int_equal(side[i].probe.length + (size_t)side[i].probe.eofs, 0);
    }
    end(reactor, side);
}

/* The end of the stream during the handshake, at each byte; with a layer that looks once, too. */
static void test_handshake_cut_off(void **state)
{
    (void)state;
    for (int way = 0; way < 4 * KINDS; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct toy toy = {0};
        int peer = test_flow(reactor, way & 1 ? 't' : 'u', NULL, &probe);
        assert_int_equal(cdt_flow_push(probe.flow, kinds[way / 4], &toy), 0);
        test_send(peer, "h\0\001", way & 2 ? 3 : 0);
        shutdown(peer, SHUT_WR);
        until(reactor, probe.closed);
        assert_true(probe.status == -EPROTO || probe.status == -ECONNRESET);
        assert_true(strlen(probe.error) > 5);
        assert_int_equal(probe.eofs, 0);
        close(peer);
        test_end(reactor, &probe, 1);
    }
}

/* A stream cut off inside the layer is not an orderly end. */
static void test_truncated(void **state)
{
    (void)state;
    struct side side[2];
    struct cdt_reactor *reactor = begin(side, &toy_ops);
    until(reactor, side[0].probe.opened && side[1].probe.opened);
    cdt_flow_write(side[0].probe.flow, "abc", 3);
    until(reactor, side[1].probe.length == 3);
    cdt_flow_abort(side[0].probe.flow, 0, NULL);
    until(reactor, side[1].probe.closed);
    assert_true(side[1].probe.status < 0);
    assert_int_equal(side[1].probe.eofs, 0);
    end(reactor, side);
}

/* Four layers; the fifth is refused. */
static void test_on_layers(void **state)
{
    (void)state;
    struct side side[2];
    struct toy more[2][4] = {{{0}}};
    struct cdt_reactor *reactor = begin(side, &toy_ops);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            more[i][j] = (struct toy){.client = i == 0, .key = (uint8_t)(j + 1)};
            assert_int_equal(cdt_flow_push(side[i].probe.flow, kinds[j], &more[i][j]), 0);
        }
        assert_int_equal(cdt_flow_push(side[i].probe.flow, &toy_ops, &more[i][3]), -EINVAL);
    }
    uint8_t data[100000];
    test_pattern(data, sizeof data, 0);
    cdt_flow_write(side[0].probe.flow, data, sizeof data);
    until(reactor, side[1].probe.length == sizeof data);
    assert_memory_equal(side[1].probe.data, data, sizeof data);
    assert_int_equal(side[0].probe.opened, 1);
    close_both(reactor, side);
    end(reactor, side);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            assert_int_equal(more[i][j].freed, 1);
            assert_int_equal(more[i][j].shutdowns, 1);
        }
        assert_int_equal(more[i][3].freed, 0);
    }
}

/* STARTTLS: the command and the first bytes of the handshake in one read. */
static const char command[] = "STARTTLS\n";

static void upgrade(struct probe *probe, const void *data, size_t length)
{
    struct toy *toy = probe->arg;
    if (toy->starts || toy->record == 1)
        return;
    const char *line = memchr(data, '\n', length);
    if (!line)
        return;
    size_t rest = length - (size_t)(line + 1 - (const char *)data);
    toy->record = 1;
    assert_int_equal(cdt_flow_write(probe->flow, "GO\n", 3), 0);
    assert_int_equal(cdt_flow_unread(probe->flow, line + 1, rest), 0);
    assert_int_equal(cdt_flow_push(probe->flow, &toy_ops, toy), 0);
    assert_int_equal(cdt_flow_write(probe->flow, "secret", 6), 0);
    probe->length -= rest;
}

static void test_upgrade(void **state)
{
    (void)state;
    for (int pause = 0; pause < 2; pause++) {
        struct cdt_reactor *reactor = test_reactor();
        struct toy toy = {.key = 4};
        struct probe probe = {.on_read = upgrade, .arg = &toy};
        int peer = test_flow(reactor, 't', NULL, &probe);
        uint8_t stream[200], answer[60], wanted[60];
        memcpy(stream, command, 9);
        size_t length = 9;
        length += toy_record(stream + length, 'h', 4, "1", 1);
        length += toy_record(stream + length, 'h', 4, "3", 1);
        length += toy_record(stream + length, 'd', 4, "hello", 5);
        test_send(peer, stream, length);
        if (pause) {
            until(reactor, toy.starts);
            cdt_flow_pause(probe.flow);
            settle(reactor);
            cdt_flow_resume(probe.flow);
        }
        until(reactor, probe.length == 14);
        assert_true(probe_has(&probe, "STARTTLS\nhello", 14));
        assert_int_equal(probe.opened, 2);
        memcpy(wanted, "GO\n", 3);
        size_t answered = 3;
        answered += toy_record(wanted + answered, 'h', 4, "2", 1);
        for (int i = 0; i < 6; i++)
            answered += toy_record(wanted + answered, 'd', 4, &"secret"[i], 1);
        test_receive(peer, answer, answered);
        assert_memory_equal(answer, wanted, answered);
        close(peer);
        test_end(reactor, &probe, 1);
    }
}

/* Paused in the middle of many decoded records, again and again: nothing is lost or stays. */
static void pause_each(struct probe *probe, const void *data, size_t length)
{
    (void)data, (void)length;
    cdt_flow_pause(probe->flow);
}

static void test_pause(void **state)
{
    (void)state;
    enum { SIZE = 2000 };
    for (int kind = 0; kind < KINDS; kind++) {
        for (int pausing = 0; pausing < 2; pausing++) {
            struct side side[2];
            struct cdt_reactor *reactor = begin(side, kinds[kind]);
            uint8_t data[SIZE];
            unsigned reads = 0;
            until(reactor, side[0].probe.opened && side[1].probe.opened);
            side[0].toy.record = 10;
            if (pausing)
                side[1].probe.on_read = pause_each;
            test_pattern(data, SIZE, 0);
            cdt_flow_write(side[0].probe.flow, data, SIZE);
            if (!pausing)
                until(reactor, side[1].probe.length == SIZE);
            while (side[1].probe.length < SIZE) {
                until(reactor, side[1].probe.reads > reads);
                settle(reactor);
                assert_int_equal(side[1].probe.reads, reads + 1);
                reads++;
                cdt_flow_resume(side[1].probe.flow);
            }
            assert_memory_equal(side[1].probe.data, data, SIZE);
            assert_true(side[1].probe.reads >= SIZE / 10);
            side[1].probe.on_read = NULL;
            cdt_flow_resume(side[1].probe.flow);
            close_both(reactor, side);
            end(reactor, side);
        }
    }
}

/* Our end before it was open: what was written, then the trailer, then the carrier's end. */
static void test_ended_early(void **state)
{
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        struct side side[2];
        struct cdt_reactor *reactor = begin(side, &toy_ops);
        cdt_flow_write(side[0].probe.flow, "all", 3);
        if (closing)
            cdt_flow_close(side[0].probe.flow);
        else
            cdt_flow_shutdown(side[0].probe.flow, CDT_SHUT_WRITE);
        until(reactor, side[1].probe.eofs);
        assert_true(probe_has(&side[1].probe, "all", 3));
        assert_int_equal(side[0].toy.shutdowns, 1);
        assert_int_equal(side[0].probe.opened, !closing);
        cdt_flow_close(side[1].probe.flow);
        until(reactor, side[0].probe.closed && side[1].probe.closed);
        assert_int_equal(side[0].probe.status, 0);
        assert_int_equal(side[1].probe.status, 0);
        end(reactor, side);
    }
}

/* Half-closed: the other direction goes on. */
static void test_half_close(void **state)
{
    (void)state;
    struct side side[2];
    struct cdt_reactor *reactor = begin(side, &toy_ops);
    until(reactor, side[0].probe.opened && side[1].probe.opened);
    cdt_flow_write(side[0].probe.flow, "question", 8);
    cdt_flow_shutdown(side[0].probe.flow, CDT_SHUT_WRITE);
    until(reactor, side[1].probe.eofs);
    cdt_flow_write(side[1].probe.flow, "answer", 6);
    cdt_flow_shutdown(side[1].probe.flow, CDT_SHUT_WRITE);
    until(reactor, side[0].probe.closed && side[1].probe.closed);
    assert_true(probe_has(&side[0].probe, "answer", 6));
    assert_true(probe_has(&side[1].probe, "question", 8));
    assert_int_equal(side[0].probe.status | side[1].probe.status, 0);
    end(reactor, side);
}

/* No handshake: open at once, though on_open comes from the reactor. A start that wants one and has
 * no function for it fails. */
static int start_at_once(struct cdt_layer *layer)
{
    ((struct toy *)cdt_layer_context(layer))->starts++;
    return 0;
}

static int start_again(struct cdt_layer *layer)
{
    ((struct toy *)cdt_layer_context(layer))->starts++;
    return -EAGAIN;
}

static void test_no_handshake(void **state)
{
    (void)state;
    struct cdt_layer_ops at_once = toy_ops, again = toy_ops, none = toy_ops;
    at_once.start = start_at_once;
    again.start = start_again;
    none.start = NULL;
    at_once.handshake = again.handshake = none.handshake = NULL;
    const struct cdt_layer_ops *ops[] = {&at_once, &none, &again};
    for (int i = 0; i < 3; i++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct toy toy = {0};
        int peer = test_flow(reactor, 'u', NULL, &probe);
        assert_int_equal(cdt_flow_push(probe.flow, ops[i], &toy), 0);
        assert_int_equal(probe.opened, 1);
        cdt_flow_write(probe.flow, "abc", 3);
        if (i < 2) {
            char record[6];
            until(reactor, probe.opened == 2);
            test_receive(peer, record, 6);
            assert_memory_equal(record, "d\0\003abc", 6);
        } else {
            until(reactor, probe.closed);
            assert_int_equal(probe.status, -EINVAL);
        }
        close(peer);
        test_end(reactor, &probe, 1);
        assert_int_equal(toy.freed, 1);
    }
}

/* Every callback may abort: also the on_open that comes in the middle of reading. */
static void abort_now(struct probe *probe)
{
    cdt_flow_abort(probe->flow, -EINTR, NULL);
}

static void abort_read(struct probe *probe, const void *data, size_t length)
{
    (void)data, (void)length;
    abort_now(probe);
}

static void test_abort(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct side side[2];
        struct cdt_reactor *reactor = begin(side, &toy_ops);
        if (way == 0)
            side[1].probe.on_open = abort_now;
        if (way == 1)
            side[1].probe.on_read = abort_read;
        if (way == 2)
            side[1].probe.on_eof = abort_now;
        cdt_flow_write(side[0].probe.flow, "data", 4);
        cdt_flow_shutdown(side[0].probe.flow, CDT_SHUT_WRITE);
        until(reactor, side[1].probe.closed);
        assert_int_equal(side[1].probe.status, -EINTR);
        end(reactor, side);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_exchange),        flow_test(test_pieces),
        flow_test(test_handshake_fails), flow_test(test_handshake_cut_off),
        flow_test(test_truncated),       flow_test(test_on_layers),
        flow_test(test_upgrade),         flow_test(test_pause),
        flow_test(test_ended_early),     flow_test(test_half_close),
        flow_test(test_no_handshake),    flow_test(test_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
