/* Everything that may be done in a callback, done in each callback, over each carrier. */
#include "test/support/probe.h"
#include "test/support/toy.h"

struct scene {
    struct cdt_reactor *reactor;
    struct probe probe[4]; /* 0 and 1 are joined, 2 and 3 are others */
    struct probe made[2];  /* flows made inside the callback */
    struct toy toy;
    int acted, done;
};

static struct scene scene;
static char kind;

typedef void act_fn(struct cdt_flow *flow);

static void act_close(struct cdt_flow *flow)
{
    cdt_flow_close(flow);
}

static void act_abort(struct cdt_flow *flow)
{
    cdt_flow_abort(flow, -EL2HLT, "act");
}

static void act_abort_peer(struct cdt_flow *flow)
{
    (void)flow;
    if (scene.probe[1].flow)
        cdt_flow_abort(scene.probe[1].flow, 0, NULL);
}

static void act_pause(struct cdt_flow *flow)
{
    cdt_flow_pause(flow);
    cdt_flow_resume(flow);
    cdt_flow_pause(flow);
}

static void act_handler(struct cdt_flow *flow)
{
    static const struct cdt_handler none = {.size = sizeof none};
    assert_int_equal(cdt_flow_set_handler(flow, &none), 0);
    assert_int_equal(cdt_flow_set_handler(flow, &probe_no_eof), 0);
}

static void act_push(struct cdt_flow *flow)
{
    scene.toy.client = true;
    int result = cdt_flow_push(flow, &toy_ops, &scene.toy);
    assert_true(result == 0 || result == -EPIPE);
}

static void act_unread(struct cdt_flow *flow)
{
    int result = cdt_flow_unread(flow, "again", 5);
    assert_true(result == 0 || result == -EPIPE);
}

static void act_write(struct cdt_flow *flow)
{
    char large[20000] = "";
    for (int i = 0; i < 10; i++) {
        int result = cdt_flow_write(flow, large, (size_t)i * 2000);
        assert_true(result >= 0 || result == -EPIPE);
        result = cdt_flow_write(scene.probe[2].flow, "others", 6);
        assert_true(result >= 0);
        cdt_flow_write_nodelay(flow, "!", 1, NULL, NULL);
    }
}

static void act_make(struct cdt_flow *flow)
{
    struct cdt_flow *made[2];
    assert_int_equal(cdt_flow_pair(cdt_flow_reactor(flow), 0, NULL, &probe_handler, &probe_handler,
                                   &made[0], &made[1]),
                     0);
    for (int i = 0; i < 2; i++)
        probe_attach(made[i], &scene.made[i]);
    cdt_flow_write(made[0], "made", 4);
    assert_int_equal(scene.made[0].opened + scene.made[1].opened, 0);
}

static void act_abort_others(struct cdt_flow *flow)
{
    (void)flow;
    for (int i = 2; i < 4; i++)
        cdt_flow_abort(scene.probe[i].flow, -EL3HLT, NULL);
    assert_int_equal(scene.probe[2].closed + scene.probe[3].closed, 0);
}

static void relay_done(struct cdt_flow *a, struct cdt_flow *b,
                       const struct cdt_relay_result *result, void *arg)
{
    (void)result, (void)arg;
    for (int i = 0; i < 3; i++) {
        if (scene.probe[i].flow == a || scene.probe[i].flow == b) {
            scene.probe[i].flow = NULL;
            scene.probe[i].closed++;
        }
    }
    scene.done++;
}

static void act_relay(struct cdt_flow *flow)
{
    int result = cdt_flow_relay(flow, scene.probe[2].flow, relay_done, NULL);
    assert_true(result == 0 || result == -EPIPE);
}

static void act_detach(struct cdt_flow *flow)
{
    int fd = cdt_flow_detach(flow);
    if (fd >= 0)
        close(fd);
}

static void act_settings(struct cdt_flow *flow)
{
    cdt_flow_set_watermarks(flow, 10000000, 10000000, 10000000);
    cdt_flow_set_timeout(flow, CDT_TIMEOUT_IDLE, CDT_SECOND);
    cdt_flow_set_timeout(flow, CDT_TIMEOUT_IDLE, 0);
    cdt_flow_set_min_rate(flow, 10, 0);
    cdt_flow_set_min_rate(flow, 0, 0);
    cdt_carrier_ready(flow, CDT_READ | CDT_WRITE);
    cdt_flow_flush(flow);
}

static void act_reactor(struct cdt_flow *flow)
{
    struct cdt_reactor *reactor = cdt_flow_reactor(flow);
    assert_int_equal(cdt_reactor_step(reactor, 0), -EBUSY);
    assert_int_equal(cdt_reactor_run(reactor), -EBUSY);
    assert_int_equal(cdt_reactor_free(reactor), -EBUSY);
}

static void act_shutdown(struct cdt_flow *flow)
{
    cdt_flow_shutdown(flow, CDT_SHUT_READ);
    cdt_flow_shutdown(flow, CDT_SHUT_WRITE);
}

static void act_all(struct cdt_flow *flow)
{
    act_write(flow);
    act_unread(flow);
    act_push(flow);
    act_make(flow);
    act_settings(flow);
    act_pause(flow);
    act_close(flow);
    act_abort_others(flow);
    act_abort(flow);
}

static act_fn *const acts[] = {
    act_close,        act_abort,   act_abort_peer, act_pause, act_handler, act_push,
    act_unread,       act_write,   act_make,       act_relay, act_detach,  act_settings,
    act_abort_others, act_reactor, act_shutdown,   act_all,
};

static act_fn *present;

static void act(struct probe *probe)
{
    if (scene.acted++)
        return;
    present(probe->flow);
}

static void act_read(struct probe *probe, const void *data, size_t length)
{
    (void)data, (void)length;
    act(probe);
}

static void act_written(void *arg, int status)
{
    (void)status;
    struct probe *probe = arg;
    if (probe->flow)
        act(probe);
}

enum { ON_OPEN, ON_READ, ON_EOF, ON_WRITABLE, ON_CLOSE, WRITTEN, CALLBACKS };

static void run(int callback)
{
    static const struct cdt_flow_options options = {.size = sizeof options,
                                                    .high_watermark = 1000,
                                                    .low_watermark = 100,
                                                    .linger_timeout = 20 * CDT_MS,
                                                    .handshake_timeout = 20 * CDT_MS};
    memset(&scene, 0, sizeof scene);
    scene.reactor = test_reactor();
    struct probe *probe = scene.probe;
    if (callback == ON_OPEN)
        probe[0].on_open = act;
    if (callback == ON_READ)
        probe[0].on_read = act_read;
    if (callback == ON_EOF)
        probe[0].on_eof = act;
    if (callback == ON_WRITABLE)
        probe[0].on_writable = act;
    if (callback == ON_CLOSE)
        probe[0].on_close = act;
    /* others first: what happens to them may happen while they are in the same batch */
    test_flows(scene.reactor, kind, &options, &probe[2]);
    test_flows(scene.reactor, kind, &options, &probe[0]);
    if (probe[2].flow)
        cdt_flow_write(probe[2].flow, "others", 6);
    if (probe[1].flow)
        cdt_flow_write(probe[1].flow, "hello", 5);
    static char large[12000000];
    if (probe[0].flow && callback == WRITTEN)
        cdt_flow_write_nodelay(probe[0].flow, "x", 1, act_written, &probe[0]);
    if (probe[0].flow && callback == ON_WRITABLE)
        assert_true(cdt_flow_write(probe[0].flow, large, sizeof large) != 0);
    if (probe[1].flow)
        cdt_flow_shutdown(probe[1].flow, CDT_SHUT_WRITE);
    if (callback == ON_CLOSE) {
        settle(scene.reactor);
        if (probe[0].flow)
            cdt_flow_abort(probe[0].flow, 0, NULL);
    }
    until(scene.reactor, scene.acted);
    settle(scene.reactor);
    if (scene.made[0].flow) {
        until(scene.reactor, scene.made[1].length == 4);
        for (int i = 0; i < 2; i++) {
            cdt_flow_abort(scene.made[i].flow, 0, NULL);
            until(scene.reactor, scene.made[i].closed);
            probe_free(&scene.made[i]);
        }
    }
    for (int i = 0; i < 4; i++) { /* relayed ones end by themselves, or with the reactor */
        if (scene.done || present == act_relay)
            probe[i].flow = NULL;
        if (probe[i].flow && present != act_relay) {
            cdt_flow_abort(probe[i].flow, 0, NULL);
            until(scene.reactor, probe[i].closed);
        }
    }
    assert_int_equal(cdt_reactor_free(scene.reactor), 0);
    for (int i = 0; i < 4; i++) {
        if (present != act_relay && present != act_handler)
            assert_int_equal(probe[i].closed, 1);
        probe_free(&probe[i]);
    }
    if (scene.toy.starts)
        assert_int_equal(scene.toy.freed, 1);
}

static void run_all(int callback)
{
    for (const char *k = "tup"; *k; k++) {
        kind = *k;
        for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
            present = acts[i];
            run(callback);
        }
    }
}

static void test_on_open(void **state)
{
    (void)state;
    run_all(ON_OPEN);
}

static void test_on_read(void **state)
{
    (void)state;
    run_all(ON_READ);
}

static void test_on_eof(void **state)
{
    (void)state;
    run_all(ON_EOF);
}

static void test_on_writable(void **state)
{
    (void)state;
    run_all(ON_WRITABLE);
}

static void test_on_close(void **state)
{
    (void)state;
    run_all(ON_CLOSE);
}

static void test_written(void **state)
{
    (void)state;
    run_all(WRITTEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_on_open),     flow_test(test_on_read),  flow_test(test_on_eof),
        flow_test(test_on_writable), flow_test(test_on_close), flow_test(test_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
