/* The table of states: every event in every state, and each transition as the public interface
 * makes it. */
#include "test/support/probe.h"
#include "test/support/toy.h"

#include "flows/internal.h"

enum { NONE = -1 };

static const int expected[CDT_CLOSED + 1][FLOW_EVENTS] = {
    [CDT_CONNECTING] = {[FLOW_EV_CONNECTED] = CDT_HANDSHAKING,
                        [FLOW_EV_OPEN] = CDT_OPEN,
                        [FLOW_EV_PUSH] = NONE,
                        [FLOW_EV_PEER_END] = NONE,
                        [FLOW_EV_OUR_END] = CDT_CONNECTING,
                        [FLOW_EV_CLOSE] = CDT_CONNECTING,
                        [FLOW_EV_END] = CDT_CLOSED},
    [CDT_HANDSHAKING] = {[FLOW_EV_CONNECTED] = NONE,
                         [FLOW_EV_OPEN] = CDT_OPEN,
                         [FLOW_EV_PUSH] = CDT_HANDSHAKING,
                         [FLOW_EV_PEER_END] = NONE,
                         [FLOW_EV_OUR_END] = CDT_HANDSHAKING,
                         [FLOW_EV_CLOSE] = CDT_HANDSHAKING,
                         [FLOW_EV_END] = CDT_CLOSED},
    [CDT_OPEN] = {[FLOW_EV_CONNECTED] = NONE,
                  [FLOW_EV_OPEN] = NONE,
                  [FLOW_EV_PUSH] = CDT_HANDSHAKING,
                  [FLOW_EV_PEER_END] = CDT_PEER_ENDED,
                  [FLOW_EV_OUR_END] = CDT_WE_ENDED,
                  [FLOW_EV_CLOSE] = CDT_CLOSING,
                  [FLOW_EV_END] = CDT_CLOSED},
    [CDT_PEER_ENDED] = {[FLOW_EV_CONNECTED] = NONE,
                        [FLOW_EV_OPEN] = NONE,
                        [FLOW_EV_PUSH] = NONE,
                        [FLOW_EV_PEER_END] = NONE,
                        [FLOW_EV_OUR_END] = CDT_CLOSING,
                        [FLOW_EV_CLOSE] = CDT_CLOSING,
                        [FLOW_EV_END] = CDT_CLOSED},
    [CDT_WE_ENDED] = {[FLOW_EV_CONNECTED] = NONE,
                      [FLOW_EV_OPEN] = NONE,
                      [FLOW_EV_PUSH] = NONE,
                      [FLOW_EV_PEER_END] = CDT_CLOSING,
                      [FLOW_EV_OUR_END] = NONE,
                      [FLOW_EV_CLOSE] = CDT_CLOSING,
                      [FLOW_EV_END] = CDT_CLOSED},
    [CDT_CLOSING] = {[FLOW_EV_CONNECTED] = NONE,
                     [FLOW_EV_OPEN] = NONE,
                     [FLOW_EV_PUSH] = NONE,
                     [FLOW_EV_PEER_END] = CDT_CLOSING,
                     [FLOW_EV_OUR_END] = NONE,
                     [FLOW_EV_CLOSE] = NONE,
                     [FLOW_EV_END] = CDT_CLOSED},
    [CDT_CLOSED] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE},
};

static void test_table(void **state)
{
    (void)state;
    struct cdt_flow *flow = calloc(1, sizeof *flow);
    assert_non_null(flow);
    for (int from = CDT_CONNECTING; from <= CDT_CLOSED; from++) {
        for (int event = 0; event < FLOW_EVENTS; event++) {
            int next = expected[from][event];
            flow->state = (uint8_t)from;
            assert_int_equal(flow_change(flow, (enum flow_event)event), next != NONE);
            assert_int_equal(flow->state, next == NONE ? from : next);
        }
    }
    free(flow);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = CDT_CONNECTING; i <= CDT_CLOSED; i++) {
        assert_true(strlen(cdt_state_name((enum cdt_state)i)) > 3);
        for (int j = CDT_CONNECTING; j < i; j++)
            assert_string_not_equal(cdt_state_name((enum cdt_state)i),
                                    cdt_state_name((enum cdt_state)j));
    }
    assert_string_equal(cdt_state_name((enum cdt_state)77), "unknown");
    assert_string_equal(cdt_state_name((enum cdt_state) - 1), "unknown");
    assert_int_equal(cdt_flow_state(NULL), CDT_CLOSED);
}

/* ---- by the public interface ----------------------------------------------------------------- */

struct scene {
    struct cdt_reactor *reactor;
    struct probe probe[2];
    struct toy toy[2];
};

static void begin(struct scene *scene)
{
    *scene =
        (struct scene){.reactor = test_reactor(), .toy = {{.client = true}, {.client = false}}};
    test_flows(scene->reactor, 'p', NULL, scene->probe);
}

static void end(struct scene *scene)
{
    test_end(scene->reactor, scene->probe, 2);
}

#define assert_state(which, wanted) \
    assert_int_equal(cdt_flow_state(scene.probe[which].flow), wanted)

static void test_orderly(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    assert_state(0, CDT_OPEN);
    cdt_flow_shutdown(scene.probe[0].flow, CDT_SHUT_WRITE);
    assert_state(0, CDT_WE_ENDED);
    until(scene.reactor, scene.probe[1].eofs);
    assert_state(1, CDT_PEER_ENDED);
    cdt_flow_shutdown(scene.probe[0].flow, CDT_SHUT_WRITE);
    assert_state(0, CDT_WE_ENDED);
    cdt_flow_shutdown(scene.probe[1].flow, CDT_SHUT_WRITE);
    until(scene.reactor, scene.probe[0].closed && scene.probe[1].closed);
    assert_int_equal(scene.probe[0].status, 0);
    assert_int_equal(scene.probe[1].status, 0);
    assert_int_equal(scene.probe[0].eofs, 1);
    end(&scene);
}

static void test_close_of_each_state(void **state)
{
    (void)state;
    struct scene scene;
    /* open */
    begin(&scene);
    cdt_flow_close(scene.probe[0].flow);
    assert_state(0, CDT_CLOSING);
    cdt_flow_close(scene.probe[0].flow);
    cdt_flow_shutdown(scene.probe[0].flow, CDT_SHUT_WRITE);
    assert_state(0, CDT_CLOSING);
    until(scene.reactor, scene.probe[1].eofs);
    cdt_flow_close(scene.probe[1].flow);
    until(scene.reactor, scene.probe[0].closed && scene.probe[1].closed);
    assert_int_equal(scene.probe[0].status, 0);
    end(&scene);
    /* we ended */
    begin(&scene);
    cdt_flow_shutdown(scene.probe[0].flow, CDT_SHUT_WRITE);
    cdt_flow_close(scene.probe[0].flow);
    assert_state(0, CDT_CLOSING);
    end(&scene);
    /* connecting, nothing written */
    begin(&scene);
    struct probe extra = {0};
    struct cdt_flow *flow, *other;
    assert_int_equal(
        cdt_flow_pair(scene.reactor, 0, NULL, &probe_handler, &probe_handler, &flow, &other), 0);
    probe_attach(flow, &extra);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    cdt_flow_close(flow);
    assert_int_equal(cdt_flow_state(flow), CDT_CLOSED);
    assert_int_equal(extra.closed, 0);
    until(scene.reactor, extra.closed);
    assert_int_equal(extra.opened, 0);
    assert_int_equal(extra.status, 0);
    end(&scene);
    /* handshaking */
    begin(&scene);
    cdt_flow_push(scene.probe[0].flow, &toy_ops, &scene.toy[1]);
    assert_state(0, CDT_HANDSHAKING);
    cdt_flow_close(scene.probe[0].flow);
    assert_state(0, CDT_CLOSED);
    until(scene.reactor, scene.probe[0].closed);
    assert_int_equal(scene.toy[1].freed, 1);
    end(&scene);
}

static void abort_in(struct cdt_flow *flow, struct probe *probe, struct cdt_reactor *reactor)
{
    assert_int_equal(cdt_flow_abort(flow, -EBADMSG, "because"), 0);
    assert_int_equal(cdt_flow_state(flow), CDT_CLOSED);
    assert_int_equal(probe->closed, 0);
    assert_int_equal(cdt_flow_write(flow, "x", 1), -EPIPE);
    assert_int_equal(cdt_flow_abort(flow, -EIO, "again"), 0);
    assert_int_equal(cdt_flow_close(flow), 0);
    assert_int_equal(cdt_flow_shutdown(flow, CDT_SHUT_BOTH), 0);
    assert_int_equal(cdt_flow_pause(flow), 0);
    assert_int_equal(cdt_flow_resume(flow), 0);
    assert_int_equal(cdt_flow_unread(flow, "x", 1), -EPIPE);
    assert_int_equal(cdt_flow_push(flow, &toy_ops, NULL), -EPIPE);
    assert_int_equal(cdt_flow_flush(flow), 0);
    until(reactor, probe->closed);
    assert_int_equal(probe->status, -EBADMSG);
    assert_string_equal(probe->error, "because");
}

static void test_abort_in_each_state(void **state)
{
    (void)state;
    struct scene scene;
    for (int which = CDT_HANDSHAKING; which <= CDT_CLOSING; which++) {
        begin(&scene);
        struct cdt_flow *flow = scene.probe[0].flow;
        if (which == CDT_HANDSHAKING)
            cdt_flow_push(flow, &toy_ops, &scene.toy[0]);
        if (which == CDT_PEER_ENDED) {
            cdt_flow_shutdown(scene.probe[1].flow, CDT_SHUT_WRITE);
            until(scene.reactor, scene.probe[0].eofs);
        }
        if (which == CDT_WE_ENDED)
            cdt_flow_shutdown(flow, CDT_SHUT_WRITE);
        if (which == CDT_CLOSING)
            cdt_flow_close(flow);
        assert_int_equal(cdt_flow_state(flow), which);
        abort_in(flow, &scene.probe[0], scene.reactor);
        if (which != CDT_PEER_ENDED) {
            until(scene.reactor, scene.probe[1].closed);
            assert_int_equal(scene.probe[1].status, -ECONNRESET);
        }
        end(&scene);
    }
    begin(&scene);
    struct probe extra = {0};
    struct cdt_flow *flow, *other;
    cdt_flow_pair(scene.reactor, 0, NULL, &probe_handler, &probe_handler, &flow, &other);
    probe_attach(flow, &extra);
    abort_in(flow, &extra, scene.reactor);
    end(&scene);
}

/* Open, handshaking, open again; pushed while handshaking too. */
static void test_push(void **state)
{
    (void)state;
    struct scene scene;
    struct toy second[2] = {{.client = true, .key = 3}, {.key = 3}};
    begin(&scene);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cdt_flow_push(scene.probe[i].flow, &toy_ops, &scene.toy[i]), 0);
        assert_state(i, CDT_HANDSHAKING);
        assert_int_equal(cdt_flow_push(scene.probe[i].flow, &toy_ops, &second[i]), 0);
        assert_state(i, CDT_HANDSHAKING);
    }
    until(scene.reactor, scene.probe[0].opened == 2 && scene.probe[1].opened == 2);
    assert_state(0, CDT_OPEN);
    assert_state(1, CDT_OPEN);
    cdt_flow_write(scene.probe[0].flow, "hello", 5);
    until(scene.reactor, scene.probe[1].length == 5);
    assert_true(probe_has(&scene.probe[1], "hello", 5));
    end(&scene);
    assert_int_equal(second[0].freed + second[1].freed, 2);
    assert_int_equal(scene.toy[0].freed + scene.toy[1].freed, 2);
}

/* Ended before it was open: the end goes out when it is. */
static void test_ended_early(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}};
    struct cdt_flow *flow[2];
    cdt_flow_pair(reactor, 0, NULL, &probe_handler, &probe_handler, &flow[0], &flow[1]);
    for (int i = 0; i < 2; i++)
        probe_attach(flow[i], &probe[i]);
    cdt_flow_write(flow[0], "early", 5);
    cdt_flow_shutdown(flow[0], CDT_SHUT_WRITE);
    assert_int_equal(cdt_flow_write(flow[0], "late", 4), -EPIPE);
    assert_int_equal(cdt_flow_state(flow[0]), CDT_CONNECTING);
    cdt_flow_write(flow[1], "early", 5);
    cdt_flow_close(flow[1]);
    assert_int_equal(cdt_flow_write(flow[1], "late", 4), -EPIPE);
    assert_int_equal(cdt_flow_state(flow[1]), CDT_CONNECTING);
    until(reactor, probe[0].closed && probe[1].closed);
    assert_true(probe_has(&probe[0], "early", 5));
    assert_int_equal(probe[0].eofs, 1);
    assert_int_equal(probe[1].length + (size_t)probe[1].eofs, 0); /* hears on_close only */
    assert_int_equal(probe[0].status | probe[1].status, 0);
    assert_int_equal(probe[0].opened, 1);
    assert_int_equal(probe[1].opened, 0);
    test_end(reactor, probe, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_table),
        flow_test(test_names),
        flow_test(test_orderly),
        flow_test(test_close_of_each_state),
        flow_test(test_abort_in_each_state),
        flow_test(test_push),
        flow_test(test_ended_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
