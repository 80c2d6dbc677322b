/* The last messages of a handshake: they go out in one piece with what the user says first, and in
 * the same turn when nobody says anything. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

static void ask(struct probe *probe)
{
    assert_int_equal(cdt_flow_write(probe->flow, "question", 8), 0);
}

static void greet(struct probe *probe)
{
    assert_int_equal(cdt_flow_write(probe->flow, "greeting", 8), 0);
}

static void answer(struct probe *probe, const void *data, size_t length)
{
    (void)data, (void)length;
    assert_int_equal(cdt_flow_write(probe->flow, "answer", 6), 0);
}

static void pause_it(struct probe *probe)
{
    assert_int_equal(cdt_flow_pause(probe->flow), 0);
}

static void abort_it(struct probe *probe)
{
    cdt_flow_abort(probe->flow, -ECANCELED, NULL);
}

static void begin(struct ends *ends, const struct way *way)
{
    ends_begin(ends, way, NULL, NULL);
    ends_flows(ends, 'w', NULL);
}

/* Hello, and "finished" with the question; all of the server, and its tickets with the answer. In
 * TLS 1.2 the server is the last to speak in a handshake. */
static void test_question_and_answer(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        begin(&ends, &way);
        ends.probe[CLIENT].on_open = ask;
        ends.probe[SERVER].on_read = answer;
        ends_start(&ends, NAME);
        until(ends.reactor, ends.probe[CLIENT].length == 6);
        assert_true(probe_has(&ends.probe[SERVER], "question", 8));
        assert_int_equal(ends.wire[CLIENT].writes, way.old ? 3 : 2);
        assert_int_equal(ends.wire[SERVER].writes, way.old ? 3 : 2);
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

static void test_server_speaks_first(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        begin(&ends, &way);
        ends.probe[SERVER].on_open = greet;
        ends_start(&ends, NAME);
        until(ends.reactor, ends.probe[CLIENT].length == 8);
        assert_true(probe_has(&ends.probe[CLIENT], "greeting", 8));
        assert_int_equal(ends.wire[SERVER].writes, 2);
        ends_close(&ends, SERVER);
        ends_free(&ends);
    }
}

/* Nobody reads either. */
static void test_silence(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        begin(&ends, &way);
        ends.probe[CLIENT].on_open = ends.probe[SERVER].on_open = pause_it;
        ends_start(&ends, NAME);
        ends_until_open(&ends);
        settle(ends.reactor);
        assert_int_equal(ends.wire[CLIENT].writes, 2);
        assert_int_equal(ends.wire[SERVER].writes, 2);
        cdt_flow_resume(ends.probe[CLIENT].flow);
        cdt_flow_resume(ends.probe[SERVER].flow);
        ends_say(&ends, CLIENT, "so");
        ends_say(&ends, SERVER, "what");
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

/* The client closes as soon as it may: in TLS 1.3 "finished" and its end are one piece. */
static void close_it(struct probe *probe)
{
    cdt_flow_close(probe->flow);
}

static void test_close_at_once(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        begin(&ends, &way);
        ends.probe[CLIENT].on_open = close_it;
        ends.probe[SERVER].on_eof = close_it;
        ends_start(&ends, NAME);
        until(ends.reactor, ends.probe[CLIENT].closed && ends.probe[SERVER].closed);
        assert_int_equal(ends.probe[CLIENT].status, 0);
        assert_int_equal(ends.probe[SERVER].status, 0);
        assert_int_equal(ends.probe[SERVER].opened, 1);
        assert_int_equal(ends.wire[CLIENT].writes, way.old ? 3 : 2);
        ends_free(&ends);
    }
}

static void test_abort_at_once(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int side = CLIENT; side <= SERVER; side++) {
            struct ends ends;
            begin(&ends, &way);
            ends.probe[side].on_open = abort_it;
            ends_start(&ends, NAME);
            until(ends.reactor, ends.probe[CLIENT].closed && ends.probe[SERVER].closed);
            assert_int_equal(ends.probe[side].status, -ECANCELED);
            ends_free(&ends);
        }
    }
}

/* The carrier fails when the last messages are sent. */
static void reset_wires(struct probe *probe)
{
    struct ends *ends = probe->arg;
    ends->wire[CLIENT].reset = ends->wire[SERVER].reset = true;
}

static void test_nowhere_to_send(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        const int last = way.old ? SERVER : CLIENT;
        struct ends ends;
        begin(&ends, &way);
        ends.probe[last].on_open = reset_wires;
        ends.probe[last].arg = &ends;
        ends_start(&ends, NAME);
        until(ends.reactor, ends.probe[last].closed);
        assert_int_equal(ends.probe[last].opened, 1);
        assert_int_equal(ends.probe[last].status, -ECONNRESET);
        ends_free(&ends);
    }
}

/* Many flows of one reactor shake hands in the same turns. */
enum { FLOWS = 5 };

static bool all_open(const struct probe *probe)
{
    for (int i = 0; i < 2 * FLOWS; i++) {
        if (!probe[i].opened)
            return false;
    }
    return true;
}

static void test_side_by_side(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct wire wire[FLOWS][2] = {0};
        struct probe probe[2 * FLOWS] = {0};
        ends_begin(&ends, &way, NULL, NULL);
        for (int i = 0; i < FLOWS; i++)
            wire_flows(ends.reactor, wire[i], NULL, &probe[2 * i]);
        for (int i = 0; i < 2 * FLOWS; i++) {
            const bool client = i % 2 == CLIENT;
            probe[i].opened = 0;
            assert_int_equal(cdt_tls_start(probe[i].flow, ends.config[i % 2], client ? NAME : NULL),
                             0);
        }
        until(ends.reactor, all_open(probe));
        settle(ends.reactor);
        for (int i = 0; i < FLOWS; i++) {
            assert_int_equal(wire[i][CLIENT].writes, 2);
            assert_int_equal(wire[i][SERVER].writes, 2);
            assert_int_equal(wire[i][SERVER].given, wire[i][SERVER].total);
        }
        cdt_tls_config_free(ends.config[CLIENT]);
        cdt_tls_config_free(ends.config[SERVER]);
        test_end(ends.reactor, probe, 2 * FLOWS);
        for (int i = 0; i < FLOWS; i++)
            wire_free(wire[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_question_and_answer),
        flow_test(test_server_speaks_first),
        flow_test(test_silence),
        flow_test(test_close_at_once),
        flow_test(test_abort_at_once),
        flow_test(test_nowhere_to_send),
        flow_test(test_side_by_side),
    };
    return tls_main(tests);
}
