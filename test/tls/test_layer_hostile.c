/* TLS among layers and callbacks that do what they may, and peers that do what they may not: a layer
 * below that gives up early, one more layer from inside verify_peer, records without data, answers
 * that nobody takes, tiny records. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/support/toy.h"
#include "test/tls/tls.h"

/* ---- layers ---------------------------------------------------------------------------------- */

enum { LAZY_TOTAL = 100 * 1000 };

/* Records of a layer below that gives up after each look: no byte waits for an event that does not
 * come. */
static void test_lazy_below(void **state)
{
    (void)state;
    static uint8_t data[LAZY_TOTAL];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct toy toy[2] = {{.client = true, .record = 100}, {.record = 100}};
        ends_begin(&ends, &way, NULL, NULL);
        ends_flows(&ends, 't', NULL);
        for (int i = 0; i < 2; i++)
            assert_int_equal(cdt_flow_push(ends.probe[i].flow, &toy_lazy, &toy[i]), 0);
        ends_start(&ends, NAME);
        ends_until_open(&ends);
        size_t sent = 0;
        for (size_t n = 1; sent + n < LAZY_TOTAL; n = 2 * n + 1) {
            assert_int_equal(cdt_flow_write(ends.probe[CLIENT].flow, data + sent, n), 0);
            sent += n;
            until(ends.reactor, ends.probe[SERVER].length == sent || ends.probe[SERVER].closed);
        }
        assert_true(probe_has(&ends.probe[SERVER], data, sent));
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

static int push_one_more(void *arg, const struct cdt_tls_peer *peer)
{
    assert_int_equal(cdt_flow_push(peer->flow, &toy_ops, arg), 0);
    return 0;
}

static void test_push_while_verifying(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct toy toy[2] = {{.client = true}, {0}};
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        client.verify_peer = push_one_more;
        client.verify_arg = &toy[CLIENT];
        ends_begin(&ends, &way, &client, NULL);
        ends_flows(&ends, 't', NULL);
        ends_start(&ends, NAME);
        assert_int_equal(cdt_flow_push(ends.probe[SERVER].flow, &toy_ops, &toy[SERVER]), 0);
        ends_until_open(&ends);
        assert_int_equal(toy[CLIENT].starts, 1);
        ends_say(&ends, CLIENT, "hello");
        ends_say(&ends, SERVER, "hello");
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

/* ---- floods ---------------------------------------------------------------------------------- */

enum { FLOOD = 50 * 1000 };

static void hang_up(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        if (ends->probe[i].flow)
            cdt_flow_abort(ends->probe[i].flow, 0, NULL);
    }
    until(ends->reactor, ends->probe[0].closed && ends->probe[1].closed);
    ends_free(ends);
}

/* New keys, again and again, and no data. */
static void test_nothing_but_keys(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        if (way.old)
            continue;
        ends_open(&ends, &way, 'w', NULL);
        settle(ends.reactor);
        for (int i = 0; i < FLOOD; i++)
            assert_int_equal(cdt_tls_update_key(ends.probe[CLIENT].flow), 0);
        until(ends.reactor, ends.probe[SERVER].closed);
        assert_int_equal(ends.probe[SERVER].status, -CDT_ETLS);
        assert_non_null(strstr(ends.probe[SERVER].error, "without data"));
        hang_up(&ends);
    }
}

/* The same with data between them: the answers count against the hard limit. */
static void test_answers_that_nobody_takes(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {
        .size = sizeof options, .high_watermark = 16 * 1024, .hard_limit = 64 * 1024};
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        size_t queued = 0;
        if (way.old)
            continue;
        ends_open(&ends, &way, 'w', &options);
        settle(ends.reactor);
        ends.wire[SERVER].held = true;
        ends.wire[SERVER].limit = 1000;
        for (int i = 0; i < FLOOD && !ends.probe[SERVER].closed; i++) {
            assert_int_equal(cdt_tls_update_key(ends.probe[CLIENT].flow), 0);
            assert_int_equal(cdt_flow_write(ends.probe[CLIENT].flow, "x", 1), 0);
            cdt_reactor_step(ends.reactor, 0);
            if (ends.probe[SERVER].flow)
                cdt_flow_pending(ends.probe[SERVER].flow, &queued, NULL);
            assert_true(queued < 4 * options.hard_limit);
        }
        assert_int_equal(ends.probe[SERVER].status, -CDT_ETLS);
        assert_non_null(strstr(ends.probe[SERVER].error, "does not take them"));
        hang_up(&ends);
    }
}

/* They are no payload, nor are their answers: an idle flow stays idle. */
static void test_keys_are_idle(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        if (way.old)
            continue;
        ends_open(&ends, &way, 't', NULL);
        assert_int_equal(
            cdt_flow_set_timeout(ends.probe[SERVER].flow, CDT_TIMEOUT_IDLE, 200 * CDT_MS), 0);
        const uint64_t begin = test_now();
        for (uint64_t next = begin; !ends.probe[SERVER].closed;) {
            if (test_now() >= next) {
                assert_int_equal(cdt_tls_update_key(ends.probe[CLIENT].flow), 0);
                next += 40 * CDT_MS;
            }
            cdt_reactor_step(ends.reactor, 5 * CDT_MS);
            assert_true(test_now() - begin < 2 * CDT_SECOND || test_slow());
        }
        assert_int_equal(ends.probe[SERVER].status, -CDT_EIDLE);
        hang_up(&ends);
    }
}

/* Much in tiny records is read in many turns, so that others have theirs. */
static void test_tiny_records_take_turns(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_open(&ends, &way, 'w', NULL);
        settle(ends.reactor);
        ends.wire[CLIENT].held = true;
        for (int i = 0; i < 3 * FLOOD; i++)
            assert_true(cdt_flow_write(ends.probe[CLIENT].flow, "x", 1) >= 0);
        wire_go(&ends.wire[CLIENT]);
        size_t before = 0;
        while (ends.probe[SERVER].length < 3 * FLOOD) {
            cdt_reactor_step(ends.reactor, 10 * CDT_MS);
            assert_int_equal(ends.probe[SERVER].closed, 0);
            assert_true(ends.probe[SERVER].length - before <= 17 * 65536 / 22);
            before = ends.probe[SERVER].length;
        }
        hang_up(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_lazy_below),       flow_test(test_push_while_verifying),
        flow_test(test_nothing_but_keys), flow_test(test_answers_that_nobody_takes),
        flow_test(test_keys_are_idle),    flow_test(test_tiny_records_take_turns),
    };
    return tls_main(tests);
}
