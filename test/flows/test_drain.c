/* Stopping: on_stop for those that are not closing, the deadline, shorter deadlines, stop in every
 * callback, on_stopped exactly once. */
#include "test/support/serve.h"

static void connect_some(struct cdt_reactor *reactor, struct serve *serve, int *fds, int count)
{
    for (int i = 0; i < count; i++)
        fds[i] = client_connect(&serve->address);
    until(reactor, serve->opened == count);
}

static void close_flow(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    assert_int_equal(cdt_flow_close(flow), 0);
}

static void test_flows_finish(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_stop = close_flow};
    struct cdt_server_options options = serve_options(&serve);
    int fds[10];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    connect_some(reactor, &serve, fds, 10);
    cdt_flow_close(cdt_server_first(serve.server)); /* closing already: not told */
    assert_int_equal(cdt_server_stop(serve.server, CDT_NEVER), 0);
    assert_int_equal(serve.told_to_stop, 0);
    int refused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(refused, &serve.address.any, serve.address.length), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(refused);
    until(reactor, serve.told_to_stop == 9);
    for (int i = 0; i < 10; i++) {
        until(reactor, client_read(fds[i]) == -1);
        close(fds[i]);
    }
    until(reactor, serve.stopped);
    assert_int_equal(serve.last.closed, 10);
    assert_int_equal(serve.errors, 0);
    cdt_reactor_free(reactor);
}

static void test_deadline_aborts(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[3];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    connect_some(reactor, &serve, fds, 3);
    cdt_reactor_update_time(reactor);
    uint64_t begun = cdt_reactor_now(reactor);
    assert_int_equal(cdt_server_stop(serve.server, 30 * CDT_MS), 0);
    until(reactor, serve.told_to_stop == 3);
    close(fds[0]);
    until(reactor, serve.stopped);
    assert_true(cdt_reactor_now(reactor) - begun >= 30 * CDT_MS);
    assert_int_equal(serve.last.closed, 1);
    assert_int_equal(serve.last.aborted, 2);
    assert_int_equal(serve.errors, 2);
    assert_int_equal(serve.error_status, -CDT_EDRAIN);
    assert_string_equal(serve.error_text, "the server stopped");
    assert_int_equal(client_read(fds[1]), -ECONNRESET);
    close(fds[1]);
    close(fds[2]);
    cdt_reactor_free(reactor);
}

static void test_earlier_deadline_counts(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[2];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    connect_some(reactor, &serve, fds, 2);
    assert_int_equal(cdt_server_stop(serve.server, CDT_NEVER), 0);
    settle(reactor);
    assert_int_equal(serve.stopped, 0);
    assert_int_equal(cdt_server_stop(serve.server, 1000 * CDT_SECOND), 0);
    assert_int_equal(cdt_server_stop(serve.server, 10 * CDT_MS), 0);
    assert_int_equal(cdt_server_stop(serve.server, 2000 * CDT_SECOND), 0);
    settle(reactor);
    assert_int_equal(serve.told_to_stop, 2);
    until(reactor, serve.stopped);
    close(fds[0]);
    close(fds[1]);
    cdt_reactor_free(reactor);
}

static void test_stop_at_once(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[2];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    connect_some(reactor, &serve, fds, 2);
    assert_int_equal(cdt_server_stop(serve.server, 0), 0);
    assert_int_equal(serve.closed, 0); /* never from inside the call */
    until(reactor, serve.stopped);
    assert_int_equal(serve.told_to_stop, 0);
    assert_int_equal(serve.last.aborted, 2);
    assert_int_equal(client_read(fds[0]), -ECONNRESET);
    close(fds[0]);
    close(fds[1]);
    cdt_reactor_free(reactor);
}

/* on_stop may abort any flow, its own and others. */
static void abort_all(struct serve *serve, struct cdt_flow *flow)
{
    (void)flow;
    for (struct cdt_flow *at = cdt_server_first(serve->server); at;
         at = cdt_server_next(serve->server, at))
        cdt_flow_abort(at, 0, NULL);
}

static void test_on_stop_aborts_others(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_stop = abort_all};
    struct cdt_server_options options = serve_options(&serve);
    int fds[6];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    connect_some(reactor, &serve, fds, 6);
    assert_int_equal(cdt_server_stop(serve.server, CDT_NEVER), 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.told_to_stop, 1);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    cdt_reactor_free(reactor);
}

/* Stops while clients wait for a slot: they are refused, the active ones drain. */
static void test_stop_while_throttled(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_stop = close_flow};
    struct cdt_server_options options = serve_options(&serve);
    int fds[8];

    (void)state;
    options.max_active = 2;
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < 8; i++)
        fds[i] = client_connect(&serve.address);
    until(reactor, serve.opened == 2);
    settle(reactor);
    assert_int_equal(serve_counters(&serve).throttled, 1);
    assert_int_equal(cdt_server_stop(serve.server, CDT_NEVER), 0);
    until(reactor, client_read(fds[7]) == -ECONNRESET);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    until(reactor, serve.stopped);
    assert_int_equal(serve.last.accepted, 2);
    assert_int_equal(serve.last.closed, 2);
    cdt_reactor_free(reactor);
}

/* ---- stop in every callback ------------------------------------------------------------------ */

enum where { ON_LISTEN, FILTER, ON_ACCEPT, ON_OPEN, ON_READ, ON_CLOSE, ON_ERROR, ON_STOP, WHERES };

static enum where chosen;
static uint64_t drain;

static void stop_in(struct serve *serve, enum where here)
{
    if (here == chosen)
        assert_int_equal(cdt_server_stop(serve->server, drain), 0);
}

static void in_listen(struct serve *serve)
{
    stop_in(serve, ON_LISTEN);
}

static int in_filter(struct serve *serve, const struct cdt_addr *peer)
{
    (void)peer;
    stop_in(serve, FILTER);
    return 0;
}

static int in_accept(struct serve *serve, struct cdt_flow *flow)
{
    (void)flow;
    stop_in(serve, ON_ACCEPT);
    return chosen == ON_ERROR && serve->accepted == 2 ? -EACCES : 0;
}

static void in_open(struct serve *serve, struct cdt_flow *flow)
{
    (void)flow;
    stop_in(serve, ON_OPEN);
}

static void in_read(struct serve *serve, struct cdt_flow *flow)
{
    (void)flow;
    stop_in(serve, ON_READ);
}

static void in_close(struct serve *serve, struct cdt_flow *flow, int status)
{
    (void)flow;
    (void)status;
    stop_in(serve, ON_CLOSE);
}

static void in_error(struct serve *serve)
{
    stop_in(serve, ON_ERROR);
}

static void in_stop(struct serve *serve, struct cdt_flow *flow)
{
    stop_in(serve, ON_STOP);
    cdt_flow_close(flow);
}

static void in_stopped(struct serve *serve)
{
    assert_int_equal(cdt_server_stop(serve->server, drain), 0); /* once more does nothing */
    assert_int_equal(cdt_server_stop(serve->server, 0), 0);
}

static void stop_somewhere(void)
{
    unsigned before = test_open_fds();
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {
        .on_listen = in_listen,
        .filter = in_filter,
        .on_accept = in_accept,
        .on_open = in_open,
        .on_read = in_read,
        .on_close = in_close,
        .on_error = in_error,
        .on_stop = in_stop,
        .on_stopped = in_stopped,
    };
    struct cdt_server_options options = serve_options(&serve);
    int fds[6];

    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < 6; i++) {
        fds[i] = client_connect(&serve.address);
        (void)send(fds[i], "x", 1, MSG_NOSIGNAL);
        cdt_reactor_step(reactor, 0);
    }
    for (int i = 0; i < 100; i++)
        cdt_reactor_step(reactor, 0);
    if (chosen == ON_CLOSE)
        close(fds[0]);
    if (chosen == ON_STOP)
        assert_int_equal(cdt_server_stop(serve.server, CDT_NEVER), 0);
    if (chosen == ON_CLOSE)
        until(reactor, serve.closed);
    until(reactor, serve.stopped || serve.told_to_stop == serve.active || drain == 0);
    for (int i = chosen == ON_CLOSE; i < 6; i++)
        close(fds[i]);
    until(reactor, serve.stopped);
    assert_int_equal(serve.opened, serve.closed);
    cdt_reactor_free(reactor);
    assert_int_equal(test_open_fds(), before);
}

static void test_stop_in_every_callback(void **state)
{
    static const uint64_t drains[] = {0, 5 * CDT_MS, CDT_NEVER};

    (void)state;
    for (size_t i = 0; i < sizeof drains / sizeof *drains; i++) {
        drain = drains[i];
        for (chosen = 0; chosen < WHERES; chosen++)
            stop_somewhere();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flows_finish),
        cmocka_unit_test(test_deadline_aborts),
        cmocka_unit_test(test_earlier_deadline_counts),
        cmocka_unit_test(test_stop_at_once),
        cmocka_unit_test(test_on_stop_aborts_others),
        cmocka_unit_test(test_stop_while_throttled),
        cmocka_unit_test(test_stop_in_every_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
