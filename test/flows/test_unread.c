/* Bytes handed back: before another handler, another layer, a pause; and other bytes than those
 * read. */
#include "test/support/probe.h"
#include "test/support/toy.h"

static const uint8_t *text = (const uint8_t *)"0123456789";

static void second_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct probe *probe = probe_of(flow);
    memcpy(probe->error + strlen(probe->error), data, length);
}

static const struct cdt_handler second = {.size = sizeof second, .on_read = second_read};

/* Three for the first handler, the rest for the second. */
static void hand_over(struct probe *probe, const void *data, size_t length)
{
    if (probe->length < 3)
        return;
    size_t mine = length - (probe->length - 3);
    assert_int_equal(cdt_flow_unread(probe->flow, (const uint8_t *)data + mine, length - mine), 0);
    assert_int_equal(cdt_flow_set_handler(probe->flow, &second), 0);
    if (probe->arg)
        cdt_flow_pause(probe->flow);
}

static void test_handler(void **state)
{
    (void)state;
    for (const char *kind = "tu"; *kind; kind++) {
        for (int way = 0; way < 8; way++) {
            bool pause = way & 1, single = way & 2, end = way & 4;
            struct cdt_reactor *reactor = test_reactor();
            struct probe probe = {.on_read = hand_over, .arg = pause ? &probe : NULL};
            int peer = test_flow(reactor, *kind, NULL, &probe);
            for (int i = 0; i < 10; i += single ? 1 : 10) {
                test_send(peer, text + i, single ? 1 : 10);
                if (single && !end)
                    settle(reactor);
            }
            if (end)
                shutdown(peer, SHUT_WR);
            if (pause) {
                until(reactor, probe.length >= 3);
                settle(reactor);
                assert_string_equal(probe.error, "");
                cdt_flow_resume(probe.flow);
            }
            until(reactor, strlen(probe.error) == 7);
            assert_string_equal(probe.error, "3456789");
            close(peer);
            settle(reactor);
            probe.flow = NULL; /* the second handler has no on_close */
            test_end(reactor, &probe, 1);
        }
    }
}

/* The same handler gets them again, in a later turn; in the order of a stack. */
static void twice(struct probe *probe, const void *data, size_t length)
{
    if (probe->reads > 1)
        return;
    (void)data, (void)length;
    assert_int_equal(cdt_flow_unread(probe->flow, "cd", 2), 0);
    assert_int_equal(cdt_flow_unread(probe->flow, "ab", 2), 0);
    assert_int_equal(cdt_flow_unread(probe->flow, "", 0), 0);
}

static void test_again(void **state)
{
    (void)state;
    for (int layers = 0; layers < 3; layers++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}, {.on_read = twice}};
        struct toy toy[4] = {{.client = true}, {0}, {.client = true, .key = 1}, {.key = 1}};
        test_flows(reactor, 'p', NULL, probe);
        for (int i = 0; i < 2 * layers; i++)
            assert_int_equal(cdt_flow_push(probe[i % 2].flow, &toy_ops, &toy[i]), 0);
        until(reactor, cdt_flow_state(probe[0].flow) == CDT_OPEN &&
                           cdt_flow_state(probe[1].flow) == CDT_OPEN);
        cdt_flow_write(probe[0].flow, "xyz", 3);
        cdt_flow_write(probe[0].flow, "end", 3);
        cdt_flow_shutdown(probe[0].flow, CDT_SHUT_WRITE);
        until(reactor, probe[1].eofs);
        assert_true(probe_has(&probe[1], "xyzabcdend", 10) ||
                    probe_has(&probe[1], "xyzendabcd", 10));
        test_end(reactor, probe, 2);
    }
}

/* From outside: they come before what arrives. */
static void test_outside(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int peer = test_flow(reactor, 'u', NULL, &probe);
        if (way)
            cdt_flow_pause(probe.flow);
        assert_int_equal(cdt_flow_unread(probe.flow, "first", 5), 0);
        assert_int_equal(probe.length, 0);
        test_send(peer, "second", 6);
        close(peer);
        settle(reactor);
        if (way) {
            assert_int_equal(probe.length, 0);
            cdt_flow_resume(probe.flow);
        }
        until(reactor, probe.eofs);
        assert_true(probe_has(&probe, "firstsecond", 11));
        assert_int_equal(cdt_flow_unread(probe.flow, "x", 1), -EPIPE);
        test_end(reactor, &probe, 1);
    }
}

/* A megabyte handed back once, whole. */
static void test_large(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    uint8_t *data = malloc(SIZE);
    test_pattern(data, SIZE, 0);
    int peer = test_flow(reactor, 'u', NULL, &probe);
    assert_int_equal(cdt_flow_unread(probe.flow, data, SIZE), 0);
    until(reactor, probe.length == SIZE);
    assert_memory_equal(probe.data, data, SIZE);
    free(data);
    close(peer);
    test_end(reactor, &probe, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_handler),
        flow_test(test_again),
        flow_test(test_outside),
        flow_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
