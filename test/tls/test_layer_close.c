/* Ends of TLS streams in every state: who closes, half-closes, aborts or vanishes, and when; what the
 * other side hears. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* ---- the matrix ------------------------------------------------------------------------------ */

enum when {
    BEFORE_HELLO, /* nothing of TLS has arrived anywhere */
    IN_HANDSHAKE, /* the server has the hello, the client nothing */
    OPEN,
    OTHER_ENDED, /* the other side has half-closed */
    OTHER_CLOSED,
    QUEUED, /* more is queued than the wire takes */
    WHENS
};

enum what { CLOSE, SHUT_WRITE, SHUT_BOTH, ABORT, VANISH, WHATS };

static const char *const whens[] = {"before the hello", "in the handshake",     "open",
                                    "the other ended",  "the other has closed", "data queued"};
static const char *const whats[] = {"close", "shutdown", "shutdown both", "abort", "vanish"};

enum { QUEUE = 500000 };

/* Brings both into the state; `actor` is who will act. */
static void reach(struct ends *ends, const struct way *way, int actor, enum when when)
{
    static uint8_t data[QUEUE];
    struct probe *other = &ends->probe[1 - actor];
    ends_begin(ends, way, NULL, NULL);
    ends->wire[SERVER].held = when == BEFORE_HELLO || when == IN_HANDSHAKE;
    ends->wire[CLIENT].held = when == BEFORE_HELLO;
    ends_flows(ends, 'w', NULL);
    ends_start(ends, NAME);
    if (when == BEFORE_HELLO || when == IN_HANDSHAKE) {
        settle(ends->reactor);
        assert_int_equal(ends->wire[SERVER].total > 0, when == IN_HANDSHAKE);
        assert_int_equal(cdt_flow_write(ends->probe[actor].flow, "greeting", 8), 0);
        return;
    }
    ends_until_open(ends);
    ends_say(ends, CLIENT, "greeting");
    ends_say(ends, SERVER, "greeting");
    switch (when) {
    case OTHER_ENDED:
        cdt_flow_shutdown(other->flow, CDT_SHUT_WRITE);
        until(ends->reactor, ends->probe[actor].eofs);
        break;
    case OTHER_CLOSED:
        cdt_flow_close(other->flow);
        until(ends->reactor, ends->probe[actor].eofs);
        break;
    case QUEUED:
        settle(ends->reactor);
        ends->wire[actor].limit = 10000;
        ends->wire[actor].held = true;
        test_pattern(data, sizeof data, 0);
        assert_int_equal(cdt_flow_write(ends->probe[actor].flow, data, sizeof data), 1);
        settle(ends->reactor);
        break;
    default:
        break;
    }
}

static void act(struct ends *ends, int actor, enum what what)
{
    struct cdt_flow *flow = ends->probe[actor].flow;
    switch (what) {
    case CLOSE:
        cdt_flow_close(flow);
        break;
    case SHUT_WRITE:
        cdt_flow_shutdown(flow, CDT_SHUT_WRITE);
        break;
    case SHUT_BOTH:
        cdt_flow_shutdown(flow, CDT_SHUT_BOTH);
        break;
    case ABORT:
        cdt_flow_abort(flow, -ECANCELED, "enough");
        break;
    default:
        wire_vanish(&ends->wire[actor]);
    }
    for (int i = 0; i < 2; i++)
        wire_go(&ends->wire[i]);
}

/* An end in order: the other hears all data and on_eof, may still send, and closes. */
static void expect_order(struct ends *ends, int actor, enum when when, enum what what)
{
    struct probe *mine = &ends->probe[actor], *other = &ends->probe[1 - actor];
    const bool early = when == BEFORE_HELLO || when == IN_HANDSHAKE;
    if (when != OTHER_ENDED && when != OTHER_CLOSED) {
        until(ends->reactor, other->eofs || other->closed);
        assert_string_equal(other->error, "");
        assert_int_equal(other->closed, 0);
        assert_int_equal(other->opened, 1);
        assert_int_equal(other->length, 8 + (when == QUEUED ? QUEUE : 0));
        if (when == QUEUED)
            assert_true(test_is_pattern(other->data + 8, QUEUE, 0));
        assert_int_equal(cdt_flow_write(other->flow, "answer", 6), 0);
        cdt_flow_close(other->flow);
    } else if (when == OTHER_ENDED) {
        until(ends->reactor, other->eofs);
    }
    until(ends->reactor, mine->closed && other->closed);
    assert_string_equal(mine->error, "");
    assert_string_equal(other->error, "");
    assert_int_equal(mine->status, 0);
    assert_int_equal(other->status, 0);
    assert_int_equal(other->eofs, 1);
    const bool hears = what == SHUT_WRITE || (what == CLOSE && !early);
    if (when != OTHER_ENDED && when != OTHER_CLOSED) {
        assert_int_equal(mine->eofs, hears);
        assert_int_equal(mine->length, (early ? 0 : 8) + (hears ? 6 : 0));
    }
    assert_false(ends->wire[0].reset || ends->wire[1].reset);
}

/* An end without close_notify: an error for the other, unless it has closed before. */
static void expect_break(struct ends *ends, int actor, enum when when, enum what what)
{
    struct probe *mine = &ends->probe[actor], *other = &ends->probe[1 - actor];
    const bool early = when == BEFORE_HELLO || when == IN_HANDSHAKE;
    until(ends->reactor, other->closed);
    assert_int_equal(other->opened, !early);
    if (when == OTHER_CLOSED && what == VANISH) {
        assert_int_equal(other->status, 0); /* nobody waits for the rest */
    } else {
        assert_int_equal(other->eofs, 0);
        assert_int_equal(other->status, what == ABORT || early ? -ECONNRESET : -CDT_ETLSTRUNC);
        assert_true(strlen(other->error) > 5);
    }
    assert_in_range(other->length, early ? 0 : 8, early ? 0 : 8 + 20000);
    if (when == QUEUED)
        assert_true(test_is_pattern(other->data + 8, other->length - 8, 0));
    if (what == ABORT) {
        until(ends->reactor, mine->closed);
        assert_int_equal(mine->status, -ECANCELED);
        assert_string_equal(mine->error, "enough");
    }
}

static void test_matrix(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 2 * WHENS * WHATS; cell++) {
            const int actor = cell & 1;
            const enum when when = (enum when)(cell / 2 % WHENS);
            const enum what what = (enum what)(cell / 2 / WHENS);
            struct ends ends;
            print_message("           %s: %s by the %s\n", whens[when], whats[what],
                          actor == CLIENT ? "client" : "server");
            reach(&ends, &way, actor, when);
            act(&ends, actor, what);
            if (what == ABORT || what == VANISH)
                expect_break(&ends, actor, when, what);
            else
                expect_order(&ends, actor, when, what);
            ends_free(&ends);
        }
    }
}

/* ---- single cases ---------------------------------------------------------------------------- */

/* Closed before it is open, with nothing written: there is nothing to shake hands for. */
static void test_close_before_open(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 4; cell++) {
            const int actor = cell & 1;
            struct ends ends;
            ends_begin(&ends, &way, NULL, NULL);
            ends.wire[0].held = ends.wire[1].held = cell & 2;
            ends_flows(&ends, 'w', NULL);
            ends_start(&ends, NAME);
            cdt_flow_close(ends.probe[actor].flow);
            wire_go(&ends.wire[0]);
            wire_go(&ends.wire[1]);
            until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
            assert_int_equal(ends.probe[actor].status, 0);
            assert_int_equal(ends.probe[1 - actor].status, -ECONNRESET);
            for (int i = 0; i < 2; i++)
                assert_int_equal(ends.probe[i].opened + ends.probe[i].eofs, 0);
            ends_free(&ends);
        }
    }
}

/* Half-closed, the other side sends much, for long. */
static void test_half_close(void **state)
{
    (void)state;
    static uint8_t data[100000];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            struct ends ends;
            ends_open(&ends, &way, 't', NULL);
            struct probe *mine = &ends.probe[side], *other = &ends.probe[1 - side];
            assert_int_equal(cdt_flow_write(mine->flow, "question", 8), 0);
            assert_int_equal(cdt_flow_shutdown(mine->flow, CDT_SHUT_WRITE), 0);
            assert_int_equal(cdt_flow_write(mine->flow, "more", 4), -EPIPE);
            until(ends.reactor, other->eofs);
            assert_true(probe_has(other, "question", 8));
            for (size_t i = 1; i <= 20; i++) {
                assert_in_range(cdt_flow_write(other->flow, data, sizeof data), 0, 1);
                until(ends.reactor, mine->length == i * sizeof data);
                assert_memory_equal(mine->data + (i - 1) * sizeof data, data, sizeof data);
            }
            assert_int_equal(mine->closed + other->closed, 0);
            assert_int_equal(cdt_flow_state(mine->flow), CDT_WE_ENDED);
            assert_int_equal(cdt_flow_state(other->flow), CDT_PEER_ENDED);
            cdt_flow_close(other->flow);
            until(ends.reactor, mine->closed && other->closed);
            assert_int_equal(mine->status | other->status, 0);
            ends_free(&ends);
        }
    }
}

/* close_notify goes out once, and nothing of TLS after it but what the other side's data asks for. */
static void test_one_close_notify(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            struct ends ends;
            ends_begin(&ends, &way, NULL, NULL);
            ends_flows(&ends, 'w', NULL);
            ends_start(&ends, NAME);
            ends_until_open(&ends);
            ends_say(&ends, CLIENT, "x");
            ends_say(&ends, SERVER, "x");
            settle(ends.reactor);
            const size_t before = ends.wire[side].total;
            for (int i = 0; i < 3; i++) {
                cdt_flow_shutdown(ends.probe[side].flow, CDT_SHUT_WRITE);
                settle(ends.reactor);
            }
            /* a record with an alert of two bytes: TLS 1.3 hides its kind in one byte more */
            assert_int_equal(ends.wire[side].total - before, 5 + 2 + 16 + (way.old ? 8 : 1));
            ends_say(&ends, 1 - side, "still there");
            assert_int_equal(ends.wire[side].total - before, 5 + 2 + 16 + (way.old ? 8 : 1));
            cdt_flow_close(ends.probe[1 - side].flow);
            until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
            assert_int_equal(ends.wire[side].total - before, 5 + 2 + 16 + (way.old ? 8 : 1));
            ends_free(&ends);
        }
    }
}

/* The stream is cut at every byte from the middle of the handshake on: never an orderly end, never
 * a wrong byte; with records that were whole, their data. */
static void cut_at(struct wire *wire, uint8_t *bytes, size_t length)
{
    const size_t *at = wire->arg;
    (void)bytes;
    if (wire->total + length > *at)
        wire->pause = *at;
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "a line that is cut somewhere";
    const size_t stride = test_slow() ? 41 : 7;
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            bool whole = false;
            for (size_t at = 1 + way.next % stride; !whole; at += stride) {
                struct ends ends;
                ends_begin(&ends, &way, NULL, NULL);
                ends.wire[side].arg = &at;
                ends.wire[side].mangle = cut_at;
                ends_flows(&ends, 'w', NULL);
                ends_start(&ends, NAME);
                struct probe *to = &ends.probe[1 - side];
                cdt_flow_write(ends.probe[side].flow, text, sizeof text);
                cdt_flow_shutdown(ends.probe[side].flow, CDT_SHUT_WRITE);
                const uint64_t deadline = test_deadline();
                while (!to->closed && !to->eofs) {
                    /* the reader has been told to wait: that was the place */
                    if (ends.wire[side].given == at)
                        wire_vanish(&ends.wire[side]);
                    cdt_reactor_step(ends.reactor, CDT_MS);
                    assert_true(test_now() < deadline);
                }
                whole = to->eofs;
                if (whole) {
                    assert_true(probe_has(to, text, sizeof text));
                    assert_true(at >= ends.wire[side].total);
                } else if (!to->opened) {
                    assert_int_equal(to->status, -ECONNRESET);
                    assert_string_equal(to->error, "the peer closed during the handshake");
                } else {
                    assert_int_equal(to->status, -CDT_ETLSTRUNC);
                    assert_true(to->length == 0 || probe_has(to, text, sizeof text));
                }
                ends_free(&ends);
            }
        }
    }
}

/* Closed while paused, in the middle of many records: the pause is lifted, all is read. */
static void test_close_while_paused(void **state)
{
    (void)state;
    static uint8_t data[200000];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_open(&ends, &way, 't', NULL);
        cdt_flow_pause(ends.probe[CLIENT].flow);
        assert_in_range(cdt_flow_write(ends.probe[SERVER].flow, data, sizeof data), 0, 1);
        cdt_flow_close(ends.probe[SERVER].flow);
        settle(ends.reactor);
        assert_int_equal(ends.probe[CLIENT].length + (size_t)ends.probe[CLIENT].eofs, 0);
        cdt_flow_close(ends.probe[CLIENT].flow);
        until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
        assert_int_equal(ends.probe[0].status | ends.probe[1].status, 0);
        assert_true(probe_has(&ends.probe[CLIENT], data, sizeof data));
        ends_free(&ends);
    }
}

/* Parked: data, close_notify and a reset have come while paused; on resume the data comes first. */
static void test_reset_while_paused(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_open(&ends, &way, 't', NULL);
        cdt_flow_pause(ends.probe[CLIENT].flow);
        cdt_flow_write(ends.probe[SERVER].flow, "last words", 10);
        settle(ends.reactor);
        cdt_flow_abort(ends.probe[SERVER].flow, -ECANCELED, NULL);
        until(ends.reactor, ends.probe[SERVER].closed);
        settle(ends.reactor);
        assert_int_equal(ends.probe[CLIENT].length, 0);
        cdt_flow_resume(ends.probe[CLIENT].flow);
        until(ends.reactor, ends.probe[CLIENT].closed);
        assert_true(ends.probe[CLIENT].status < 0);
        assert_int_equal(ends.probe[CLIENT].eofs, 0);
        ends_free(&ends);
    }
}

/* The peer never answers our close: the linger timeout ends it. */
static void test_linger(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options, .linger_timeout = 50 * CDT_MS};
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_open(&ends, &way, 't', &options);
        cdt_flow_pause(ends.probe[SERVER].flow);
        const uint64_t begin = test_now();
        cdt_flow_close(ends.probe[CLIENT].flow);
        until(ends.reactor, ends.probe[CLIENT].closed);
        assert_int_equal(ends.probe[CLIENT].status, 0);
        assert_in_range(test_now() - begin, 50 * CDT_MS, 10 * CDT_SECOND);
        ends_free(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_matrix),
        flow_test(test_close_before_open),
        flow_test(test_half_close),
        flow_test(test_one_close_notify),
        flow_test(test_cut_anywhere),
        flow_test(test_close_while_paused),
        flow_test(test_reset_while_paused),
        flow_test(test_linger),
    };
    return tls_main(tests);
}
