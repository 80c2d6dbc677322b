/* Wrong arguments give -EINVAL, change nothing and never crash. */
#include <limits.h>
#include <sys/wait.h>

#include "test/support/probe.h"
#include "test/support/toy.h"

#include <conduit/carrier.h>

static void test_null(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char byte = 0;
    assert_int_equal(cdt_flow_write(NULL, &byte, 1), -EINVAL);
    assert_int_equal(cdt_flow_writev(NULL, NULL, 0), -EINVAL);
    assert_int_equal(cdt_flow_write_nodelay(NULL, &byte, 1, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_writev_nodelay(NULL, NULL, 0, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_write_owned(NULL, &byte, 1, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_flush(NULL), -EINVAL);
    assert_int_equal(cdt_flow_pause(NULL), -EINVAL);
    assert_int_equal(cdt_flow_resume(NULL), -EINVAL);
    assert_int_equal(cdt_flow_unread(NULL, &byte, 1), -EINVAL);
    assert_int_equal(cdt_flow_close(NULL), -EINVAL);
    assert_int_equal(cdt_flow_abort(NULL, 0, NULL), -EINVAL);
    assert_int_equal(cdt_flow_shutdown(NULL, CDT_SHUT_BOTH), -EINVAL);
    assert_int_equal(cdt_flow_detach(NULL), -EINVAL);
    assert_int_equal(cdt_flow_set_handler(NULL, &probe_handler), -EINVAL);
    assert_int_equal(cdt_flow_set_timeout(NULL, CDT_TIMEOUT_IDLE, 0), -EINVAL);
    assert_int_equal(cdt_flow_set_watermarks(NULL, 0, 0, 0), -EINVAL);
    assert_int_equal(cdt_flow_set_min_rate(NULL, 0, 0), -EINVAL);
    assert_int_equal(cdt_flow_state(NULL), CDT_CLOSED);
    assert_null(cdt_flow_data(NULL));
    assert_null(cdt_flow_reactor(NULL));
    assert_null(cdt_flow_server(NULL));
    assert_string_equal(cdt_flow_error(NULL), "");
    assert_string_equal(cdt_flow_carrier(NULL), "");
    assert_int_equal(cdt_flow_dst(NULL, &addr), -EINVAL);
    assert_int_equal(cdt_flow_src(NULL, &addr), -EINVAL);
    assert_int_equal(cdt_flow_fd(NULL), -1);
    assert_int_equal(cdt_flow_pending(NULL, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_push(NULL, &toy_ops, NULL), -EINVAL);
    assert_int_equal(cdt_flow_relay(NULL, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_take_fds(NULL, NULL, 0), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(NULL, NULL, 0, NULL, 0), -EINVAL);
    assert_int_equal(cdt_flow_credentials(NULL, NULL), -EINVAL);
}

static void test_flow_arguments(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}};
    test_flows(reactor, 'p', NULL, probe);
    struct cdt_flow *flow = probe[0].flow;
    char byte = 0;
    struct iovec parts[3] = {{&byte, 1}, {NULL, 1}, {&byte, SSIZE_MAX}};
    assert_int_equal(cdt_flow_write(flow, NULL, 1), -EINVAL);
    assert_int_equal(cdt_flow_write(flow, NULL, 0), 0);
    assert_int_equal(cdt_flow_writev(flow, NULL, 1), -EINVAL);
    assert_int_equal(cdt_flow_writev(flow, parts, -1), -EINVAL);
    assert_int_equal(cdt_flow_writev(flow, parts, 2), -EINVAL);
    assert_int_equal(cdt_flow_writev(flow, parts, 100000), -EINVAL);
    parts[1] = parts[2];
    assert_int_equal(cdt_flow_writev(flow, parts, 2), -EINVAL);
    assert_int_equal(cdt_flow_writev(flow, NULL, 0), 0);
    assert_int_equal(cdt_flow_write(flow, &byte, SIZE_MAX), -ENOBUFS);
    assert_int_equal(cdt_flow_unread(flow, NULL, 1), -EINVAL);
    assert_int_equal(cdt_flow_unread(flow, NULL, 0), 0);
    assert_int_equal(cdt_flow_abort(flow, 1, NULL), -EINVAL);
    assert_int_equal(cdt_flow_shutdown(flow, (enum cdt_how)0), -EINVAL);
    assert_int_equal(cdt_flow_shutdown(flow, (enum cdt_how)4), -EINVAL);
    assert_int_equal(cdt_flow_set_handler(flow, NULL), -EINVAL);
    struct cdt_handler handler = probe_handler;
    handler.size = 8;
    assert_int_equal(cdt_flow_set_handler(flow, &handler), -EINVAL);
    handler = probe_handler;
    handler.user_size++;
    assert_int_equal(cdt_flow_set_handler(flow, &handler), -EINVAL);
    assert_int_equal(cdt_flow_set_timeout(flow, (enum cdt_timeout)6, 1), -EINVAL);
    assert_int_equal(cdt_flow_set_timeout(flow, (enum cdt_timeout) - 1, 1), -EINVAL);
    assert_int_equal(cdt_flow_set_watermarks(flow, 2, 1, 3), -EINVAL);
    assert_int_equal(cdt_flow_set_watermarks(flow, 1, 3, 2), -EINVAL);
    assert_int_equal(cdt_flow_set_watermarks(flow, 1, 2, SIZE_MAX), -EINVAL);
    assert_int_equal(cdt_flow_dst(flow, NULL), -EINVAL);
    assert_int_equal(cdt_flow_src(flow, NULL), -EINVAL);
    struct cdt_layer_ops ops = toy_ops;
    ops.size = 8;
    assert_int_equal(cdt_flow_push(flow, &ops, NULL), -EINVAL);
    ops = toy_ops;
    ops.free = NULL;
    assert_int_equal(cdt_flow_push(flow, &ops, NULL), -EINVAL);
    assert_int_equal(cdt_flow_push(flow, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_flow_state(flow), CDT_OPEN);
    cdt_flow_write(flow, "ok", 2);
    until(reactor, probe[1].length == 2);
    test_end(reactor, probe, 2);
}

static void test_making(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow = NULL, *other = NULL;
    struct cdt_addr ip, local, none = {0};
    const struct cdt_handler *handler = &probe_handler;
    struct cdt_handler small = probe_handler;
    small.size = 4;
    cdt_addr_ip(&ip, "127.0.0.1", 9);
    cdt_addr_unix(&local, "@conduit-test-nobody");
    assert_int_equal(cdt_tcp_connect(NULL, &ip, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_tcp_connect(reactor, NULL, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_tcp_connect(reactor, &none, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_tcp_connect(reactor, &local, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_tcp_connect(reactor, &ip, NULL, NULL, &flow), -EINVAL);
    assert_int_equal(cdt_tcp_connect(reactor, &ip, NULL, &small, &flow), -EINVAL);
    assert_int_equal(cdt_tcp_connect(reactor, &ip, NULL, handler, NULL), -EINVAL);
    assert_int_equal(cdt_unix_connect(NULL, &local, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_unix_connect(reactor, NULL, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_unix_connect(reactor, &none, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_unix_connect(reactor, &ip, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_unix_connect(reactor, &local, NULL, NULL, &flow), -EINVAL);
    assert_int_equal(cdt_unix_connect(reactor, &local, NULL, handler, NULL), -EINVAL);
    assert_int_equal(cdt_flow_adopt(NULL, 0, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_flow_adopt(reactor, 0, NULL, handler, NULL), -EINVAL);
    assert_int_equal(cdt_flow_pair(NULL, 0, NULL, handler, handler, &flow, &other), -EINVAL);
    assert_int_equal(cdt_flow_pair(reactor, 0, NULL, NULL, handler, &flow, &other), -EINVAL);
    assert_int_equal(cdt_flow_pair(reactor, 0, NULL, handler, NULL, &flow, &other), -EINVAL);
    assert_int_equal(cdt_flow_pair(reactor, 0, NULL, handler, handler, NULL, &other), -EINVAL);
    assert_int_equal(cdt_flow_pair(reactor, 0, NULL, handler, handler, &flow, NULL), -EINVAL);
    assert_int_equal(cdt_flow_pair(reactor, SIZE_MAX, NULL, handler, handler, &flow, &other),
                     -EINVAL);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

static void test_options(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow_options bad[12];
    for (int i = 0; i < 12; i++)
        bad[i] = (struct cdt_flow_options){.size = sizeof *bad};
    bad[0].size = 0;
    bad[1].nodelay = (enum cdt_switch)3;
    bad[2].keepalive = (enum cdt_switch) - 1;
    bad[3].fastopen = (enum cdt_switch)9;
    bad[4].low_watermark = 1 << 20;
    bad[5].hard_limit = 1;
    bad[6].hard_limit = SIZE_MAX;
    bad[7].source.length = 1000;
    memset(bad[8].interface, 'x', sizeof bad[8].interface);
    bad[9].keepalive_times.after = 1000000;
    bad[10].keepalive_times.interval = 1000000;
    bad[11].keepalive_times.probes = 1000;
    struct cdt_flow *flow[2];
    for (int i = 0; i < 12; i++)
        assert_int_equal(
            cdt_flow_pair(reactor, 0, &bad[i], &probe_handler, &probe_handler, &flow[0], &flow[1]),
            -EINVAL);
    /* an older struct is taken, a newer one as long as it asks for nothing unknown */
    struct {
        struct cdt_flow_options options;
        char more[16];
    } newer = {.options = {.size = sizeof newer}};
    struct probe probe[4] = {{0}};
    assert_int_equal(cdt_flow_pair(reactor, 0, &newer.options, &probe_handler, &probe_handler,
                                   &flow[0], &flow[1]),
                     0);
    probe_attach(flow[0], &probe[0]);
    probe_attach(flow[1], &probe[1]);
    newer.more[15] = 1;
    assert_int_equal(cdt_flow_pair(reactor, 0, &newer.options, &probe_handler, &probe_handler,
                                   &flow[0], &flow[1]),
                     -EINVAL);
    struct cdt_flow_options older = {.size = offsetof(struct cdt_flow_options, nodelay),
                                     .nodelay = (enum cdt_switch)77};
    assert_int_equal(
        cdt_flow_pair(reactor, 0, &older, &probe_handler, &probe_handler, &flow[0], &flow[1]), 0);
    probe_attach(flow[0], &probe[2]);
    probe_attach(flow[1], &probe[3]);
    test_end(reactor, probe, 4);
}

/* In a forked child every call on the parent's flow says so, and the parent's flow lives on. */
static void test_fork(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}};
    test_flows(reactor, 't', NULL, probe);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct cdt_flow *flow = probe[0].flow, *made;
        bool right = cdt_flow_write(flow, "x", 1) == -EINVAL && cdt_flow_close(flow) == -EINVAL &&
                     cdt_flow_abort(flow, 0, NULL) == -EINVAL && cdt_flow_detach(flow) == -EINVAL &&
                     cdt_flow_pause(flow) == -EINVAL && cdt_flow_flush(flow) == -EINVAL &&
                     cdt_flow_relay(flow, probe[1].flow, NULL, NULL) == -EINVAL &&
                     cdt_reactor_step(reactor, 0) == -EINVAL &&
                     cdt_flow_pair(reactor, 0, NULL, &probe_handler, &probe_handler, &made,
                                   &made) == -EINVAL;
        _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    cdt_flow_write(probe[0].flow, "alive", 5);
    until(reactor, probe[1].length == 5);
    test_end(reactor, probe, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_null),    flow_test(test_flow_arguments), flow_test(test_making),
        flow_test(test_options), flow_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
