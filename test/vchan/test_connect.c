/* Connecting to a vchan: a server that is there, that comes late, that never comes; attempts that
 * fail, hang and are given up; what is left behind, which is nothing. By name: test_names.c. */
#include "test/vchan/memory.h"

static struct serve serve;
static struct probe probe;
static struct cdt_vchan_options ours, theirs;

static int set_up(void **state)
{
    memory_set_up(state);
    memset(&serve, 0, sizeof serve);
    memset(&probe, 0, sizeof probe);
    ours = domain(3, "server");
    theirs = domain(5, "client");
    return 0;
}

static int tear_down(void **state)
{
    test_end(reactor, &probe, 1); /* frees the reactor, and with it the server */
    reactor = NULL;
    return memory_tear_down(state);
}

static void listen_for(unsigned domid, const char *port)
{
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(
        cdt_vchan_listen(reactor, domid, port, &ours, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.listened);
    assert_int_equal(serve.listen_status, 0);
}

static struct cdt_flow *connect_with(const struct cdt_flow_options *options)
{
    struct cdt_flow *flow;
    assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", &theirs, options, &probe_handler, &flow),
                     0);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    probe_attach(flow, &probe);
    return flow;
}

static void assert_echo(struct cdt_flow *flow)
{
    until(reactor, probe.opened || probe.closed);
    assert_int_equal(probe.status, 0);
    assert_int_equal(cdt_flow_write(flow, "hello", 5), 0);
    until(reactor, probe_has(&probe, "hello", 5));
}

/* ---- success --------------------------------------------------------------------------------- */

static void test_server_is_there(void **state)
{
    struct cdt_vchan_info info;
    (void)state;
    listen_for(5, "foo");
    struct cdt_flow *flow = connect_with(NULL);
    assert_int_equal(cdt_vchan_info(flow, &info), -ENOTSUP); /* not yet */
    assert_string_equal(cdt_flow_carrier(flow), "vchan");
    assert_echo(flow);
    assert_int_equal(memory.attempts, 1);
    assert_int_equal(cdt_vchan_info(flow, &info), 0);
    assert_int_equal(info.domid, 3);
    assert_string_equal(info.port, "foo");
    assert_int_equal(cdt_vchan_info(cdt_server_first(serve.server), &info), 0);
    assert_int_equal(info.domid, 5);
    cdt_flow_close(flow);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    until(reactor, serve.closed);
}

static void test_server_comes_late(void **state)
{
    (void)state;
    struct cdt_flow *flow = connect_with(NULL);
    until(reactor, memory.attempts > 0);
    settle(reactor);
    assert_int_equal(probe.opened, 0);
    memory_set("/local/domain/3/data/vchan/5/foo/half", "x"); /* something, but no server */
    settle(reactor);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    listen_for(5, "foo");
    assert_echo(flow);
}

static void test_many_at_once_and_in_turn(void **state)
{
    enum { CLIENTS = 8 };
    struct probe probes[CLIENTS] = {0};
    struct cdt_flow *flow;
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", &theirs, NULL, &probe_handler, &flow),
                         0);
        probe_attach(flow, &probes[i]);
    }
    listen_for(5, "foo");
    for (int i = 0; i < CLIENTS; i++)
        until(reactor, probes[i].opened);
    until(reactor, serve.active == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        cdt_flow_close(probes[i].flow);
        until(reactor, probes[i].closed);
        assert_int_equal(probes[i].status, 0);
        probe_free(&probes[i]);
    }
    assert_echo(connect_with(NULL));
    assert_int_equal(serve.opened, CLIENTS + 1);
}

/* What was written before, and a close, reach the server. */
static void test_write_and_close_before(void **state)
{
    (void)state;
    struct cdt_flow *flow = connect_with(NULL);
    assert_int_equal(cdt_flow_write(flow, "early", 5), 0);
    cdt_flow_close(flow);
    settle(reactor);
    listen_for(5, "foo");
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    until(reactor, serve.closed);
    assert_int_equal(serve.opened, 1);
    struct cdt_server_counters counters;
    assert_int_equal(cdt_server_counters(serve.server, &counters), 0);
    assert_int_equal(counters.bytes_in, 5);
}

/* ---- failures -------------------------------------------------------------------------------- */

static const struct cdt_flow_options soon = {.size = sizeof soon, .connect_timeout = 20 * CDT_MS};

static void test_no_server(void **state)
{
    (void)state;
    connect_with(&soon);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ETIMEDOUT);
    assert_string_equal(probe.error, "no connection within the connect timeout: no server has "
                                     "appeared at /local/domain/3/data/vchan/5/foo");
}

static void test_server_hangs(void **state)
{
    (void)state;
    memory.attach_hangs = true;
    listen_for(5, "foo");
    connect_with(&soon);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ETIMEDOUT);
    assert_string_equal(probe.error, "no connection within the connect timeout: no answer at "
                                     "/local/domain/3/data/vchan/5/foo");
    assert_int_equal(memory.cancelled, 1);
    assert_int_equal(memory.attempts, 1);
}

/* A place that changes while an attempt goes on is tried once more after it. */
static void test_change_during_attempt(void **state)
{
    (void)state;
    struct cdt_flow *flow = connect_with(NULL);
    until(reactor, memory.attempts > 0);
    settle(reactor);
    memory.attach_hangs = true;
    memory_set("/local/domain/3/data/vchan/5/foo", "x");
    until(reactor, memory.hanging);
    listen_for(5, "foo"); /* not seen by the attempt, which is late */
    memory.attach_hangs = false;
    memory_answer(-ENOENT);
    assert_echo(flow);
}

static void test_attach_fails(void **state)
{
    (void)state;
    memory.attach_status = -EPROTO;
    memory.attach_why = "what answers is no server of vchan";
    connect_with(NULL);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EPROTO);
    assert_string_equal(probe.error, "what answers is no server of vchan");
    assert_int_equal(memory.attempts, 1);
}

static void test_attach_fails_late(void **state)
{
    (void)state;
    memory.attach_hangs = true;
    connect_with(NULL);
    until(reactor, memory.hanging);
    memory_answer(-EACCES);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EACCES);
    assert_string_equal(probe.error, cdt_strerror(-EACCES));
}

static void test_abort(void **state)
{
    (void)state;
    memory.attach_hangs = true;
    struct cdt_flow *flow = connect_with(NULL);
    until(reactor, memory.hanging);
    cdt_flow_abort(flow, -ECANCELED, NULL);
    until(reactor, probe.closed);
    assert_int_equal(memory.cancelled, 1);
    until(reactor, memory.stores == 0);
}

/* The flow has ended, and its carrier is not closed yet. */
static void test_answer_after_abort(void **state)
{
    (void)state;
    memory.attach_hangs = true;
    listen_for(5, "foo");
    struct cdt_flow *flow = connect_with(NULL);
    until(reactor, memory.hanging);
    cdt_flow_abort(flow, -ECANCELED, NULL);
    memory_answer(0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECANCELED);
    assert_int_equal(memory.cancelled, 0);
}

static void test_no_backend(void **state)
{
    (void)state;
    struct cdt_flow *flow;
    theirs.backend = CDT_VCHAN_NONE;
    assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", &theirs, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    assert_int_equal(probe.closed, 0); /* it hears of it from the reactor */
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EPROTONOSUPPORT);
    assert_string_equal(probe.error, "vchan is switched off (its backend is none)");
    ours.backend = CDT_VCHAN_NONE;
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(
        cdt_vchan_listen(reactor, 5, "foo", &ours, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.listen_status, -EPROTONOSUPPORT);
    assert_string_equal(serve.listen_text, "vchan is switched off (its backend is none)");
}

static void test_arguments(void **state)
{
    const struct cdt_vchan_options wrong = {.size = sizeof wrong, .read_size = SIZE_MAX};
    struct cdt_flow *flow = NULL;
    struct cdt_server *server = NULL;
    (void)state;
#define CONNECT(...) cdt_vchan_connect(__VA_ARGS__, NULL, &probe_handler, &flow)
    assert_int_equal(CONNECT(NULL, 3, "foo", &theirs), -EINVAL);
    assert_int_equal(CONNECT(reactor, 65536, "foo", &theirs), -EINVAL);
    assert_int_equal(CONNECT(reactor, 3, "", &theirs), -EINVAL);
    assert_int_equal(CONNECT(reactor, 3, "a/b", &theirs), -EINVAL);
    assert_int_equal(CONNECT(reactor, 3, NULL, &theirs), -EINVAL);
    assert_int_equal(CONNECT(reactor, 3, "foo", &wrong), -EINVAL);
    assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", &theirs, NULL, NULL, &flow), -EINVAL);
    assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", &theirs, NULL, &probe_handler, NULL),
                     -EINVAL);
    assert_null(flow);
#define LISTEN(...) cdt_vchan_listen(__VA_ARGS__, NULL, &serve_handler, &server)
    assert_int_equal(LISTEN(NULL, 3, "foo", &ours), -EINVAL);
    assert_int_equal(LISTEN(reactor, 65536, "foo", &ours), -EINVAL);
    assert_int_equal(LISTEN(reactor, 3, "fo o", &ours), -EINVAL);
    assert_int_equal(LISTEN(reactor, 3, "foo", &wrong), -EINVAL);
    assert_int_equal(cdt_vchan_listen(reactor, 3, "foo", &ours, NULL, NULL, &server), -EINVAL);
    assert_int_equal(cdt_vchan_listen(reactor, 3, "foo", &ours, NULL, &serve_handler, NULL),
                     -EINVAL);
    assert_null(server);
}

/* ---- servers --------------------------------------------------------------------------------- */

static void test_listen_fails(void **state)
{
    const struct cdt_server_options options = serve_options(&serve);
    (void)state;
    memory.open_status = -ENOSPC;
    assert_int_equal(
        cdt_vchan_listen(reactor, 5, "foo", &ours, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.listen_status, -ENOSPC);
    assert_string_equal(serve.listen_text, "no more memory can be granted");
}

static void test_listen_in_a_moment(void **state)
{
    (void)state;
    memory.open_later = 3;
    listen_for(5, "foo");
    assert_int_equal(memory.opened, 1);
    assert_echo(connect_with(NULL));
}

static void test_stop_before_it_listens(void **state)
{
    const struct cdt_server_options options = serve_options(&serve);
    (void)state;
    memory.open_later = 1000;
    assert_int_equal(
        cdt_vchan_listen(reactor, 5, "foo", &ours, &options, &serve_handler, &serve.server), 0);
    settle(reactor);
    cdt_server_stop(serve.server, 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.listen_status, -ECANCELED);
}

/* A client that has gone meanwhile does not stop the others. */
static void test_accept_fails(void **state)
{
    static const int statuses[] = {-EPIPE, -ECONNRESET, -EPERM, -ECONNABORTED};
    (void)state;
    listen_for(5, "foo");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        memory.accept_status = statuses[i];
        struct cdt_flow *flow = connect_with(NULL);
        probe.length = 0;
        assert_echo(flow);
        assert_int_equal(memory.accept_status, 0);
        cdt_flow_abort(flow, 0, NULL);
        until(reactor, probe.closed);
        probe_free(&probe);
        memset(&probe, 0, sizeof probe);
    }
    struct cdt_server_counters counters;
    assert_int_equal(cdt_server_counters(serve.server, &counters), 0);
    assert_int_equal(counters.failed, 4);
    assert_int_equal(counters.starved, 0);
}

/* Throttled to one, every client has its turn. */
static void test_throttled(void **state)
{
    enum { CLIENTS = 20 };
    struct probe probes[CLIENTS] = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_flow *flow;
    (void)state;
    options.max_active = 1;
    assert_int_equal(
        cdt_vchan_listen(reactor, 5, "foo", &ours, &options, &serve_handler, &serve.server), 0);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", &theirs, NULL, &probe_handler, &flow),
                         0);
        probe_attach(flow, &probes[i]);
        cdt_flow_write(flow, "x", 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        until(reactor, probes[i].length == 1);
        assert_int_equal(serve.active, 1);
        cdt_flow_close(probes[i].flow);
        until(reactor, probes[i].closed);
        probe_free(&probes[i]);
    }
    until(reactor, serve.closed == CLIENTS);
    assert_int_equal(serve.peak, 1);
}

/* ---- stores ---------------------------------------------------------------------------------- */

static void test_stores_are_shared(void **state)
{
    struct cdt_vchan_options other = domain(9, "other");
    struct probe probes[3] = {0};
    struct cdt_flow *flow;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cdt_vchan_connect(reactor, 3, "foo", i == 2 ? &other : &theirs, NULL,
                                           &probe_handler, &flow),
                         0);
        probe_attach(flow, &probes[i]);
    }
    settle(reactor);
    assert_int_equal(memory.stores, 2);
    for (int i = 0; i < 3; i++) {
        cdt_flow_abort(probes[i].flow, 0, NULL);
        until(reactor, probes[i].closed);
        probe_free(&probes[i]);
    }
    until(reactor, memory.stores == 0);
}

/* With everything under way. */
static void test_reactor_is_freed(void **state)
{
    (void)state;
    memory.attach_hangs = true;
    listen_for(5, "foo");
    connect_with(NULL);
    until(reactor, memory.hanging);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    reactor = NULL;
    assert_int_equal(probe.closed, 1);
    assert_int_equal(probe.status, -ECANCELED);
    assert_int_equal(memory.stores, 0);
    assert_int_equal(serve.stopped, 1);
    reactor = test_reactor();
}

#define connect_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        connect_test(test_server_is_there),
        connect_test(test_server_comes_late),
        connect_test(test_many_at_once_and_in_turn),
        connect_test(test_write_and_close_before),
        connect_test(test_no_server),
        connect_test(test_server_hangs),
        connect_test(test_change_during_attempt),
        connect_test(test_attach_fails),
        connect_test(test_attach_fails_late),
        connect_test(test_abort),
        connect_test(test_answer_after_abort),
        connect_test(test_no_backend),
        connect_test(test_arguments),
        connect_test(test_listen_fails),
        connect_test(test_listen_in_a_moment),
        connect_test(test_stop_before_it_listens),
        connect_test(test_accept_fails),
        connect_test(test_throttled),
        connect_test(test_stores_are_shared),
        connect_test(test_reactor_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
