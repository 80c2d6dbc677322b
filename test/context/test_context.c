/* The context: serving and connecting by endpoint, what it shares, and what it cannot do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <conduit/conduit.h>

static struct fixture {
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    unsigned listening, opened, closed, stopped, answered;
    int status; /* of the last on_close */
    char error[160];
    char peer[160], local[160]; /* endpoints of the last flow that opened */
} f;

static int set_up(void **state)
{
    const struct cdt_context_options options = {.size = sizeof options};
    (void)state;
    memset(&f, 0, sizeof f);
    assert_int_equal(cdt_reactor_new(NULL, &f.reactor), 0);
    assert_int_equal(cdt_context_new(f.reactor, &options, &f.context), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(cdt_reactor_free(f.reactor), 0);
    assert_int_equal(cdt_context_free(f.context), 0);
    return 0;
}

/* Turns until `count` has reached `wanted`; fails after ten seconds. */
static void run_until(const unsigned *count, unsigned wanted)
{
    const uint64_t end = cdt_reactor_now(f.reactor) + 10 * CDT_SECOND;
    while (*count < wanted) {
        assert_true(cdt_reactor_now(f.reactor) < end);
        assert_true(cdt_reactor_step(f.reactor, CDT_SECOND) >= 0);
    }
}

static struct cdt_endp *parse(const char *text)
{
    struct cdt_endp *endp = NULL;
    struct cdt_text_error error;
    if (cdt_endp_parse(text, &endp, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    return endp;
}

static void text_of(const struct cdt_flow *flow, bool peer, char text[160])
{
    struct cdt_endp *endp;
    assert_int_equal(cdt_flow_endp(flow, peer, &endp), 0);
    cdt_endp_format(endp, CDT_ENDP_HUMAN, text, 160);
    cdt_endp_free(endp);
}

/* ---- an echo server and a client that asks once ---------------------------------------------- */

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)server;
    if (status == -ECANCELED) /* the test is over */
        return;
    if (status)
        fail_msg("%s", text);
    f.listening++;
}

static void on_stopped(struct cdt_server *server)
{
    (void)server;
    f.stopped++;
}

static void echo(struct cdt_flow *flow, const void *data, size_t length)
{
    assert_int_equal(cdt_flow_write(flow, data, length), 0);
}

static const struct cdt_handler echo_handler = {.size = sizeof echo_handler, .on_read = echo};

static const struct cdt_server_options server_options = {
    .size = sizeof server_options,
    .on_listen = on_listen,
    .on_stopped = on_stopped,
};

static void ask(struct cdt_flow *flow)
{
    f.opened++;
    text_of(flow, true, f.peer);
    text_of(flow, false, f.local);
    assert_int_equal(cdt_flow_write(flow, "x", 1), 0);
}

static void answer(struct cdt_flow *flow, const void *data, size_t length)
{
    assert_int_equal(length, 1);
    assert_memory_equal(data, "x", 1);
    f.answered++;
    cdt_flow_close(flow);
}

static void on_close(struct cdt_flow *flow, int status)
{
    f.closed++;
    f.status = status;
    snprintf(f.error, sizeof f.error, "%s", cdt_flow_error(flow));
}

static const struct cdt_handler client_handler = {
    .size = sizeof client_handler,
    .on_open = ask,
    .on_read = answer,
    .on_close = on_close,
};

static struct cdt_server *serve(const char *text)
{
    struct cdt_endp *endp = parse(text);
    struct cdt_server *server = NULL;
    if (cdt_serve_endp(f.context, endp, &server_options, &echo_handler, &server) != 0)
        fail_msg("%s: %s", text, cdt_context_error(f.context));
    cdt_endp_free(endp);
    run_until(&f.listening, f.listening + 1);
    return server;
}

static struct cdt_flow *start(const struct cdt_endp *endp)
{
    struct cdt_flow *flow;
    assert_int_equal(cdt_connect_endp(f.context, endp, NULL, &client_handler, &flow), 0);
    assert_string_equal(cdt_context_error(f.context), "");
    return flow;
}

static void bound(const struct cdt_server *server, char text[160], struct cdt_endp **endp)
{
    assert_int_equal(cdt_server_endp(server, endp), 0);
    cdt_endp_format(*endp, CDT_ENDP_HUMAN, text, 160);
}

static void exchange(const struct cdt_endp *endp)
{
    const unsigned answered = f.answered;
    start(endp);
    run_until(&f.closed, f.closed + 1);
    assert_int_equal(f.status, 0);
    assert_int_equal(f.answered, answered + 1);
}

/* ---- carriers -------------------------------------------------------------------------------- */

static void test_tcp(void **state)
{
    (void)state;
    static const char *const texts[] = {"tcp:127.0.0.1:0", "(TCP (127.0.0.1 0))"};
    for (size_t i = 0; i < 2; i++) {
        struct cdt_endp *endp;
        char text[160];
        struct cdt_server *server = serve(texts[i]);
        bound(server, text, &endp);
        assert_true(cdt_addr_port(&endp->addr) > 0);
        exchange(endp);
        assert_string_equal(f.peer, text);
        assert_int_equal(strncmp(f.local, "(TCP (127.0.0.1 ", 16), 0);
        cdt_endp_free(endp);
    }
}

static void test_unix(void **state)
{
    (void)state;
    char path[] = "/tmp/conduit-test-XXXXXX", texts[2][64];
    assert_non_null(mkdtemp(path));
    snprintf(texts[0], sizeof texts[0], "unix:%s/s", path);
    snprintf(texts[1], sizeof texts[1], "unix:@conduit-test-%d", (int)getpid());
    for (size_t i = 0; i < 2; i++) {
        struct cdt_endp *endp, *same = parse(texts[i]);
        char text[160];
        struct cdt_server *server = serve(texts[i]);
        bound(server, text, &endp);
        assert_true(cdt_endp_equal(endp, same));
        exchange(endp);
        assert_string_equal(f.peer, text);
        assert_string_equal(f.local, "(Unix_domain_socket \"\")");
        cdt_endp_free(same);
        cdt_endp_free(endp);
        cdt_server_stop(server, 0);
        run_until(&f.stopped, (unsigned)i + 1);
    }
    assert_int_equal(rmdir(path), 0);
}

static void test_abstract_name_with_its_zero_byte(void **state)
{
    (void)state;
    char text[80], name[160];
    struct cdt_endp *endp, *zero;
    snprintf(text, sizeof text, "(Unix_domain_socket \"\\000conduit-test-%d\")", (int)getpid());
    bound(serve(text), name, &endp);
    zero = parse(text);
    exchange(endp);
    exchange(zero);
    snprintf(text, sizeof text, "(Unix_domain_socket @conduit-test-%d)", (int)getpid());
    assert_string_equal(name, text);
    cdt_endp_free(endp);
    cdt_endp_free(zero);
}

/* No host: every address, dual stack where there is IPv6, and this host. */
static void test_no_host(void **state)
{
    (void)state;
    struct cdt_endp *endp;
    char text[160];
    bound(serve("tcp:0"), text, &endp);
    assert_true(strstr(text, "(TCP (:: ") || strstr(text, "(TCP (0.0.0.0 "));
    snprintf(text, sizeof text, "tcp:%u", cdt_addr_port(&endp->addr));
    cdt_endp_free(endp);
    endp = parse(text);
    exchange(endp);
    cdt_endp_free(endp);
}

/* ---- what is shared -------------------------------------------------------------------------- */

static void test_limit_over_all_servers(void **state)
{
    (void)state;
    struct cdt_limit_counters counters;
    struct cdt_endp *a, *b;
    char text[160];
    assert_int_equal(cdt_set_max_active(f.context, 1), 0);
    bound(serve("tcp:127.0.0.1:0"), text, &a);
    bound(serve("tcp:127.0.0.1:0"), text, &b);
    for (int i = 0; i < 10; i++) {
        start(a);
        start(b);
    }
    run_until(&f.closed, 20);
    assert_int_equal(f.answered, 20);
    assert_int_equal(cdt_limit_counters(cdt_context_limit(f.context), &counters), 0);
    assert_int_equal(counters.peak, 1);
    assert_int_equal(counters.max, 1);
    assert_int_equal(cdt_context_free(f.context), -EBUSY);
    cdt_endp_free(a);
    cdt_endp_free(b);
}

static void test_context_limit_needs_a_place(void **state)
{
    (void)state;
    struct cdt_server_options options = server_options;
    struct cdt_limit *limits[CDT_MAX_LIMITS];
    struct cdt_server *server = NULL;
    struct cdt_endp *endp = parse("tcp:127.0.0.1:0");
    for (int i = 0; i < CDT_MAX_LIMITS; i++) {
        assert_int_equal(cdt_limit_new(f.reactor, 0, &limits[i]), 0);
        options.limits[i] = limits[i];
    }
    assert_int_equal(cdt_serve_endp(f.context, endp, &options, &echo_handler, &server), -EINVAL);
    assert_string_not_equal(cdt_context_error(f.context), "");
    options.limits[2] = cdt_context_limit(f.context);
    assert_int_equal(cdt_serve_endp(f.context, endp, &options, &echo_handler, &server), 0);
    run_until(&f.listening, 1);
    cdt_server_stop(server, 0);
    run_until(&f.stopped, 1);
    for (int i = 0; i < CDT_MAX_LIMITS; i++)
        assert_int_equal(cdt_limit_free(limits[i]), 0);
    cdt_endp_free(endp);
}

static void test_options_of_the_context(void **state)
{
    (void)state;
    const struct cdt_context_options options = {
        .size = sizeof options,
        .flow = &(struct cdt_flow_options){.size = sizeof *options.flow, .lifetime = 20 * CDT_MS},
    };
    struct cdt_context *brief;
    struct cdt_endp *endp;
    struct cdt_flow *flow;
    char text[160];
    static const struct cdt_handler patient = {.size = sizeof patient, .on_close = on_close};
    assert_int_equal(cdt_context_new(f.reactor, &options, &brief), 0);
    assert_ptr_equal(cdt_context_reactor(brief), f.reactor);
    bound(serve("tcp:127.0.0.1:0"), text, &endp);
    assert_int_equal(cdt_connect_endp(brief, endp, NULL, &patient, &flow), 0);
    run_until(&f.closed, 1);
    assert_int_equal(f.status, -CDT_ELIFETIME);
    assert_int_equal(cdt_context_free(brief), 0);
    cdt_endp_free(endp);
}

/* ---- what cannot be done --------------------------------------------------------------------- */

static char long_path[200];

static const struct {
    const char *text;
    int status;
    const char *why;
} no_connect[] = {
    {"tls+fd:1", -EPROTONOSUPPORT, "only for listening"},
    {"vchan:3/foo", -EPROTONOSUPPORT, "vchan is switched off"},
    {"vchan:vm/foo", -EPROTONOSUPPORT, "vchan is switched off"},
    {"(Vchan_direct (3 foo.bar))", -EINVAL, "a port of vchan is"},
    {"(Vchan_direct (3 \"foo\\000\"))", -EINVAL, "holds no 0 byte"},
    {"(Vchan_domain_socket (a/b foo))", -EINVAL, "a domain's name has"},
    {"(Vchan_domain_socket (\"a\\000\" foo))", -EINVAL, "holds no 0 byte"},
    {"fd:0", -EPROTONOSUPPORT, "only for listening"},
    {"systemd:x", -EPROTONOSUPPORT, "only for listening"},
    {"(Unknown \"no scheme\")", -EPROTONOSUPPORT, "no scheme"},
    {"(Unknown \"\")", -EPROTONOSUPPORT, "unknown endpoint"},
    {"(Unix_domain_socket \"\")", -EINVAL, "not empty"},
    {"(Unix_domain_socket \"a\\000b\")", -EINVAL, "no 0 byte"},
    {long_path, -ENAMETOOLONG, "107 bytes"},
    {"unix:/nonexistent/x", -ENOENT, "no such file"},
    {"tcp:127.0.0.1:1", -ECONNREFUSED, "connection refused"},
};

static void test_connecting_fails_by_callback(void **state)
{
    (void)state;
    snprintf(long_path, sizeof long_path, "unix:/%0150d", 0);
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_NONE), 0);
    for (size_t i = 0; i < sizeof no_connect / sizeof *no_connect; i++) {
        struct cdt_endp *endp = parse(no_connect[i].text);
        start(endp);
        assert_int_equal(f.closed, i);
        run_until(&f.closed, (unsigned)i + 1);
        if (f.status != no_connect[i].status || !strstr(f.error, no_connect[i].why))
            fail_msg("%s: %d, %s", no_connect[i].text, f.status, f.error);
        cdt_endp_free(endp);
    }
    assert_int_equal(f.opened, 0);
}

static const struct {
    const char *text;
    int status;
    const char *why;
} no_listen[] = {
    {"vchan:3/foo", -EPROTONOSUPPORT, "vchan is switched off"},
    {"vchan:vm/foo", -EPROTONOSUPPORT, "vchan is switched off"},
    {"(Vchan_domain_socket (\"a\\000\" foo))", -EINVAL, "holds no 0 byte"},
    {"tcp:example.org:80", -EPROTONOSUPPORT, "listening needs an address"},
    {"(Unknown x)", -EPROTONOSUPPORT, "unknown endpoint"},
    {"(Unix_domain_socket \"\")", -EINVAL, "not empty"},
    {"(Unix_domain_socket \"a\\000b\")", -EINVAL, "no 0 byte"},
    {long_path, -ENAMETOOLONG, "107 bytes"},
    {"systemd:none", -ENOENT, "LISTEN_FDNAMES"},
    {"fd:9999", -EBADF, "bad file descriptor"},
};

static void test_listening_fails_at_once(void **state)
{
    (void)state;
    snprintf(long_path, sizeof long_path, "unix:/%0150d", 0);
    unsetenv("LISTEN_PID");
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_NONE), 0);
    for (size_t i = 0; i < sizeof no_listen / sizeof *no_listen; i++) {
        struct cdt_server *server = NULL;
        struct cdt_endp *endp = parse(no_listen[i].text);
        const int status = cdt_serve_endp(f.context, endp, &server_options, &echo_handler, &server);
        if (status != no_listen[i].status ||
            !strstr(cdt_context_error(f.context), no_listen[i].why))
            fail_msg("%s: %d, %s", no_listen[i].text, status, cdt_context_error(f.context));
        assert_null(server);
        cdt_endp_free(endp);
    }
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    const struct cdt_context_options unsized = {0};
    const struct cdt_server_options unsized_server = {0};
    struct cdt_context *context = NULL;
    struct cdt_endp *endp = parse("tcp:127.0.0.1:0");
    struct cdt_server *server;
    struct cdt_flow *flow;
    assert_int_equal(cdt_context_new(NULL, NULL, &context), -EINVAL);
    assert_int_equal(cdt_context_new(f.reactor, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_context_new(f.reactor, &unsized, &context), -EINVAL);
    assert_int_equal(cdt_context_free(NULL), 0);
    assert_null(cdt_context_reactor(NULL));
    assert_null(cdt_context_limit(NULL));
    assert_string_equal(cdt_context_error(NULL), "");
    assert_int_equal(cdt_set_max_active(NULL, 1), -EINVAL);
    assert_int_equal(cdt_connect_endp(NULL, endp, NULL, &client_handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endp(f.context, NULL, NULL, &client_handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endp(f.context, endp, NULL, NULL, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endp(f.context, endp, NULL, &client_handler, NULL), -EINVAL);
    assert_int_equal(cdt_serve_endp(NULL, endp, NULL, &echo_handler, &server), -EINVAL);
    assert_int_equal(cdt_serve_endp(f.context, NULL, NULL, &echo_handler, &server), -EINVAL);
    assert_int_equal(cdt_serve_endp(f.context, endp, &unsized_server, &echo_handler, &server),
                     -EINVAL);
    assert_int_equal(cdt_serve_endp(f.context, endp, NULL, NULL, &server), -EINVAL);
    assert_int_equal(cdt_serve_endp(f.context, endp, NULL, &echo_handler, NULL), -EINVAL);
    assert_int_equal(cdt_flow_endp(NULL, true, &endp), -EINVAL);
    assert_int_equal(cdt_server_endp(NULL, &endp), -EINVAL);
    cdt_endp_free(endp);
}

/* ---- inherited sockets ----------------------------------------------------------------------- */

/* Listening sockets at 3 and 4, as systemd would pass them. */
static int set_up_inherited(void **state)
{
    char pid[16];
    int sockets[2];
    for (int i = 0; i < 2; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(listen(sockets[i], 16), 0);
        sockets[i] = fcntl(sockets[i], F_DUPFD, 20);
    }
    for (int fd = 3; fd < 20; fd++)
        close(fd);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dup2(sockets[i], 3 + i), 3 + i);
        close(sockets[i]);
    }
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "web:admin", 1);
    return set_up(state);
}

static unsigned port_of(int fd)
{
    struct cdt_addr addr = {.length = sizeof addr.v6};
    assert_int_equal(getsockname(fd, &addr.any, &addr.length), 0);
    return cdt_addr_port(&addr);
}

static int try_systemd(const char *name)
{
    struct cdt_server *server = NULL;
    struct cdt_endp *endp = parse(name);
    const int status = cdt_serve_endp(f.context, endp, &server_options, &echo_handler, &server);
    cdt_endp_free(endp);
    return status;
}

static void test_systemd_sockets(void **state)
{
    (void)state;
    const unsigned port = port_of(4);
    struct cdt_endp *endp;
    char text[160];
    assert_int_equal(try_systemd("systemd:we"), -ENOENT);
    assert_int_equal(try_systemd("systemd:unknown"), -ENOENT);
    bound(serve("systemd:admin"), text, &endp);
    assert_int_equal(cdt_addr_port(&endp->addr), port);
    assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(4, F_GETFD) & FD_CLOEXEC);
    cdt_endp_free(endp);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    endp = parse(text);
    exchange(endp);
    cdt_endp_free(endp);
}

static void test_systemd_sockets_of_others(void **state)
{
    (void)state;
    setenv("LISTEN_PID", "1", 1);
    assert_int_equal(try_systemd("systemd:web"), -ENOENT);
    assert_false(fcntl(3, F_GETFD) & FD_CLOEXEC);
    setenv("LISTEN_PID", "", 1);
    assert_int_equal(try_systemd("systemd:web"), -ENOENT);
}

static void test_systemd_variables_that_are_wrong(void **state)
{
    (void)state;
    static const char *const counts[] = {"", "0", "-1", "x", "2x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        setenv("LISTEN_FDS", counts[i], 1);
        assert_int_equal(try_systemd("systemd:web"), -ENOENT);
    }
    setenv("LISTEN_FDS", "2", 1);
    unsetenv("LISTEN_FDNAMES"); /* then all are called unknown */
    assert_int_equal(try_systemd("systemd:web"), -ENOENT);
    assert_int_equal(try_systemd("systemd:unknown"), 0);
}

int main(void)
{
#define test(name)           cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define test_inherited(name) cmocka_unit_test_setup_teardown(name, set_up_inherited, tear_down)
    const struct CMUnitTest tests[] = {
        test(test_tcp),
        test(test_unix),
        test(test_abstract_name_with_its_zero_byte),
        test(test_no_host),
        test(test_limit_over_all_servers),
        test(test_context_limit_needs_a_place),
        test(test_options_of_the_context),
        test(test_connecting_fails_by_callback),
        test(test_listening_fails_at_once),
        test(test_wrong_arguments),
        test_inherited(test_systemd_sockets),
        test_inherited(test_systemd_sockets_of_others),
        test_inherited(test_systemd_variables_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
