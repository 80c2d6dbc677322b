/* A server from on_listen to on_stopped: arguments, options of other sizes, errors of listening,
 * addresses, backlog, walking, statistics, freeing the reactor. */
#include "test/support/serve.h"

static struct cdt_addr loopback(void)
{
    struct cdt_addr at;

    assert_int_equal(cdt_addr_ip(&at, "127.0.0.1", 0), 0);
    return at;
}

static void test_arguments(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_server *server = NULL;
    struct cdt_server_counters counters;
    struct cdt_addr at = loopback(), local, none = {0};
    struct serve serve = {0};
    struct cdt_server_options options;
    const struct cdt_handler *handler = &serve_handler, small = {.size = 1};

    (void)state;
    assert_int_equal(cdt_addr_unix(&local, "@cdt-test"), 0);
    assert_int_equal(cdt_tcp_listen(NULL, &at, NULL, handler, &server), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, NULL, NULL, handler, &server), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, &at, NULL, NULL, &server), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, &at, NULL, &small, &server), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, &at, NULL, handler, NULL), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, &local, NULL, handler, &server), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, &none, NULL, handler, &server), -EINVAL);
    assert_int_equal(cdt_unix_listen(reactor, &at, NULL, handler, &server), -EINVAL);
    assert_int_equal(cdt_unix_listen(reactor, &none, NULL, handler, &server), -EINVAL);
    assert_int_equal(cdt_unix_listen(reactor, &local, NULL, handler, NULL), -EINVAL);
    assert_int_equal(cdt_listen(reactor, NULL, NULL, NULL, handler, &server), -EINVAL);
    options = serve_options(&serve);
    options.backlog = -1;
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, handler, &server), -EINVAL);
    options = serve_options(&serve);
    options.unix_mode = 010000;
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, handler, &server), -EINVAL);
    options = serve_options(&serve);
    const struct cdt_flow_options wrong = {
        .size = sizeof wrong, .high_watermark = 1, .low_watermark = 2};
    options.flow = &wrong;
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, handler, &server), -EINVAL);
    assert_int_equal(cdt_server_stop(NULL, 0), -EINVAL);
    assert_null(cdt_server_user(NULL));
    assert_null(cdt_server_reactor(NULL));
    assert_null(cdt_server_first(NULL));
    assert_null(cdt_server_next(NULL, NULL));
    assert_int_equal(cdt_server_fd(NULL), -1);
    assert_int_equal(cdt_server_address(NULL, &at), -EINVAL);
    assert_int_equal(cdt_server_counters(NULL, &counters), -EINVAL);
    assert_int_equal(cdt_server_set_backlog(NULL, 1), -EINVAL);
    assert_int_equal(cdt_server_set_max_active(NULL, 1), -EINVAL);
    assert_int_equal(cdt_listener_ready(NULL), -EINVAL);
    assert_null(server);
    cdt_reactor_free(reactor);
}

/* Callers built against an older or a newer header. */
static void test_option_sizes(void **state)
{
    struct {
        struct cdt_server_options options;
        uint64_t later;
    } large = {.options.size = sizeof large};
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_server_options small = {.size = offsetof(struct cdt_server_options, max_active)};
    struct cdt_server_counters counters;
    struct cdt_server *server;
    struct cdt_addr at = loopback();

    (void)state;
    small.max_active = 5; /* beyond its size: not seen */
    assert_int_equal(cdt_tcp_listen(reactor, &at, &small, &serve_handler, &server), 0);
    assert_int_equal(cdt_server_counters(server, &counters), 0);
    assert_int_equal(counters.max_active, 0);
    cdt_server_stop(server, 0);
    assert_int_equal(cdt_tcp_listen(reactor, &at, (void *)&large, &serve_handler, &server), 0);
    cdt_server_stop(server, 0);
    large.later = 1;
    assert_int_equal(cdt_tcp_listen(reactor, &at, (void *)&large, &serve_handler, &server),
                     -EINVAL);
    small.size = 1;
    assert_int_equal(cdt_tcp_listen(reactor, &at, &small, &serve_handler, &server), -EINVAL);
    assert_int_equal(cdt_tcp_listen(reactor, &at, NULL, &serve_handler, &server), 0);
    cdt_reactor_free(reactor);
}

static void test_life(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    unsigned fds = test_open_fds();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr at = loopback(), bound;

    (void)state;
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, &serve_handler, &serve.server), 0);
    assert_int_equal(serve.listened, 0); /* never from inside the call */
    assert_int_equal(cdt_server_address(serve.server, &bound), -ENOTCONN);
    assert_ptr_equal(cdt_server_user(serve.server), &serve);
    assert_ptr_equal(cdt_server_reactor(serve.server), reactor);
    until(reactor, serve.listened);
    assert_int_equal(serve.listen_status, 0);
    assert_int_equal(cdt_server_address(serve.server, &bound), 0);
    assert_true(cdt_addr_port(&bound) > 0);
    assert_true(cdt_server_fd(serve.server) >= 0);
    assert_null(cdt_server_first(serve.server));
    int fd = client_connect(&bound);
    until(reactor, serve.opened == 1);
    client_send(fd);
    until(reactor, client_read(fd) == 1);
    close(fd);
    until(reactor, serve.closed == 1);
    assert_int_equal(cdt_server_stop(serve.server, CDT_NEVER), 0);
    assert_int_equal(serve.stopped, 0);
    until(reactor, serve.stopped == 1);
    assert_int_equal(serve.last.accepted, 1);
    assert_int_equal(serve.last.closed, 1);
    assert_int_equal(serve.last.peak, 1);
    assert_int_equal(serve.errors, 0);
    assert_int_equal(test_open_fds(), fds);
    cdt_reactor_free(reactor);
}

static void test_address_in_use(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve first = {0}, second = {0};
    struct cdt_server_options options = serve_options(&first);

    (void)state;
    serve_tcp(reactor, &first, &options);
    options = serve_options(&second);
    assert_int_equal(
        cdt_tcp_listen(reactor, &first.address, &options, &serve_handler, &second.server), 0);
    until(reactor, second.stopped);
    assert_int_equal(second.listened, 1);
    assert_int_equal(second.listen_status, -EADDRINUSE);
    assert_string_equal(second.listen_text, cdt_strerror(EADDRINUSE));
    assert_int_equal(second.errors, 0);

    second = (struct serve){.listened = 1};
    options.on_listen = NULL;
    assert_int_equal(
        cdt_tcp_listen(reactor, &first.address, &options, &serve_handler, &second.server), 0);
    until(reactor, second.stopped);
    assert_int_equal(second.errors, 1);
    assert_int_equal(second.error_status, -EADDRINUSE);
    assert_false(second.error_has_peer);
    serve_stop(reactor, &first);
    cdt_reactor_free(reactor);
}

static void test_stop_before_listening(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr at = loopback();

    (void)state;
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, &serve_handler, &serve.server), 0);
    assert_int_equal(cdt_server_stop(serve.server, CDT_SECOND), 0);
    assert_int_equal(cdt_server_fd(serve.server), -1);
    assert_int_equal(cdt_server_stop(serve.server, 0), 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.listened, 1);
    assert_int_equal(serve.listen_status, -ECANCELED);
    cdt_reactor_free(reactor);
}

static int warnings;
static char warning[256];

static void take_warning(void *user, enum cdt_log_level level, const char *text)
{
    (void)user;
    warnings += level == CDT_LOG_WARNING;
    snprintf(warning, sizeof warning, "%s", text);
}

static int somaxconn(void)
{
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    int value = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &value), 1);
    fclose(file);
    return value;
}

static void test_backlog(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int largest = somaxconn();

    (void)state;
    warnings = 0;
    cdt_reactor_set_log(reactor, take_warning, NULL);
    options.backlog = 5;
    serve_tcp(reactor, &serve, &options);
    assert_int_equal(serve_counters(&serve).backlog, 5);
    assert_int_equal(warnings, 0);
    assert_int_equal(cdt_server_set_backlog(serve.server, 0), -EINVAL);
    assert_int_equal(cdt_server_set_backlog(serve.server, -3), -EINVAL);
    assert_int_equal(cdt_server_set_backlog(serve.server, 7), 0);
    assert_int_equal(serve_counters(&serve).backlog, 7);
    assert_int_equal(warnings, 0);
    assert_int_equal(cdt_server_set_backlog(serve.server, largest + 1), 0);
    assert_int_equal(serve_counters(&serve).backlog, largest);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(warning, "somaxconn"));
    serve_stop(reactor, &serve);

    options.backlog = largest + 10;
    serve = (struct serve){0};
    serve_tcp(reactor, &serve, &options);
    assert_int_equal(warnings, 2);
    serve_stop(reactor, &serve);

    options.backlog = 0;
    serve = (struct serve){0};
    serve_tcp(reactor, &serve, &options);
    assert_int_equal(warnings, 2); /* the default may be cut without a word */
    assert_int_equal(serve_counters(&serve).backlog, largest < 4096 ? largest : 4096);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_walk(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0}, other = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_flow *flow;
    int fds[5], count = 0;

    (void)state;
    serve_tcp(reactor, &serve, &options);
    options = serve_options(&other);
    serve_tcp(reactor, &other, &options);
    for (int i = 0; i < 5; i++) {
        fds[i] = client_connect(&serve.address);
        until(reactor, serve.opened == i + 1);
    }
    for (flow = cdt_server_first(serve.server); flow; flow = cdt_server_next(serve.server, flow)) {
        struct cdt_addr peer, local = {.length = sizeof local.v4};
        assert_ptr_equal(cdt_flow_server(flow), serve.server);
        assert_int_equal(cdt_flow_dst(flow, &peer), 0);
        assert_int_equal(getsockname(fds[count], &local.any, &local.length), 0);
        assert_true(cdt_addr_equal(&peer, &local)); /* in the order of acceptance */
        assert_null(cdt_server_next(other.server, flow));
        if (count++ % 2)
            cdt_flow_abort(flow, 0, NULL); /* does not disturb the walk */
    }
    assert_int_equal(count, 5);
    until(reactor, serve.active == 3);
    count = 0;
    for (flow = cdt_server_first(serve.server); flow; flow = cdt_server_next(serve.server, flow))
        count++;
    assert_int_equal(count, 3);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    serve_stop(reactor, &serve);
    serve_stop(reactor, &other);
    cdt_reactor_free(reactor);
}

static void test_counters(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_server_counters counters;

    (void)state;
    serve_tcp(reactor, &serve, &options);
    int orderly = client_connect(&serve.address), broken = client_connect(&serve.address);
    until(reactor, serve.opened == 2);
    assert_int_equal(send(orderly, "hello", 5, 0), 5);
    until(reactor, serve_counters(&serve).bytes_out == 5);
    counters = serve_counters(&serve);
    assert_int_equal(counters.accepted, 2);
    assert_int_equal(counters.active, 2);
    assert_int_equal(counters.bytes_in, 5);
    client_reset(broken);
    until(reactor, serve.closed == 1);
    counters = serve_counters(&serve);
    assert_int_equal(counters.aborted, 1);
    assert_int_equal(serve.errors, 1);
    assert_int_equal(serve.error_status, -ECONNRESET);
    assert_true(serve.error_peer.length > 0);
    char echo[5]; /* what is left unread would make the close a reset */
    assert_int_equal(recv(orderly, echo, sizeof echo, 0), 5);
    close(orderly);
    until(reactor, serve.closed == 2);
    counters = serve_counters(&serve);
    assert_int_equal(counters.closed, 1);
    assert_int_equal(counters.active, 0);
    assert_int_equal(counters.peak, 2);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_free_with_servers(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    unsigned fds = test_open_fds();
    struct serve serve = {0}, fresh = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr at = loopback();

    (void)state;
    serve_tcp(reactor, &serve, &options);
    int fd = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    options = serve_options(&fresh);
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, &serve_handler, &fresh.server), 0);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(serve.stopped, 1);
    assert_int_equal(serve.closed, 1);
    assert_int_equal(serve.last.aborted, 1);
    assert_int_equal(serve.error_status, -ECANCELED);
    assert_int_equal(fresh.stopped, 1);
    assert_int_equal(fresh.listen_status, -ECANCELED);
    close(fd);
    assert_in_range(test_open_fds(), 1, fds);
}

static struct cdt_server *parents;

static int in_child(void)
{
    struct cdt_addr addr;
    struct cdt_server_counters counters;

    return !(cdt_server_stop(parents, 0) == -EINVAL &&
             cdt_server_address(parents, &addr) == -EINVAL &&
             cdt_server_counters(parents, &counters) == -EINVAL &&
             cdt_server_set_backlog(parents, 5) == -EINVAL &&
             cdt_server_set_max_active(parents, 5) == -EINVAL && !cdt_server_first(parents));
}

static void test_forked_child_touches_nothing(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);

    (void)state;
    serve_tcp(reactor, &serve, &options);
    parents = serve.server;
    assert_int_equal(test_in_child(in_child), 0);
    int fd = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    close(fd);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_option_sizes),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_stop_before_listening),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_free_with_servers),
        cmocka_unit_test(test_forked_child_touches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
