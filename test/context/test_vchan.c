/* vchan through the context, over the local backend: endpoints to connect to and to serve on, their
 * texts, names of URIs, TLS over a vchan, races with other endpoints, one limit. */
#include "test/context/race.h"

static struct fixture {
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct serve serve;
    struct probe probe;
    char folder[64];
} f;

static struct cdt_context *context_with(const struct cdt_vchan_options *vchan)
{
    const struct cdt_context_options options = {
        .size = sizeof options, .attempt_delay = 50 * CDT_MS, .vchan = vchan};
    struct cdt_context *context;
    assert_int_equal(cdt_context_new(f.reactor, &options, &context), 0);
    return context;
}

/* The texts of the options are the context's own. */
static int set_up(void **state)
{
    char folder[64], name[] = "me";
    struct cdt_vchan_options vchan = {.size = sizeof vchan, .backend = CDT_VCHAN_LOCAL};
    test_fds_remember(state);
    memset(&f, 0, sizeof f);
    f.reactor = test_reactor();
    test_folder(f.folder);
    snprintf(folder, sizeof folder, "%s", f.folder);
    vchan.directory = folder;
    vchan.name = name;
    vchan.domid = 3 + 1;
    vchan.read_size = 4096;
    f.context = context_with(&vchan);
    memset(folder, 'x', sizeof folder - 1);
    memset(name, 'x', sizeof name - 1);
    return 0;
}

static int tear_down(void **state)
{
    test_end(f.reactor, &f.probe, 1);
    assert_int_equal(cdt_context_free(f.context), 0);
    test_folder_remove(f.folder);
    return test_fds_same(state);
}

/* Serves, and says what it is bound to. */
static void serve_on(const char *text, const char *bound)
{
    const struct cdt_server_options options = serve_options(&f.serve);
    struct cdt_endp *endp;
    char human[200];
    if (cdt_serve(f.context, text, &options, &serve_handler, &f.serve.server) != 0)
        fail_msg("%s: %s", text, cdt_context_error(f.context));
    assert_int_equal(cdt_server_endp(f.serve.server, &endp), -ENOTCONN);
    until(f.reactor, f.serve.listened);
    if (f.serve.listen_status)
        fail_msg("%s: %s", text, f.serve.listen_text);
    assert_int_equal(cdt_server_endp(f.serve.server, &endp), 0);
    cdt_endp_format(endp, CDT_ENDP_HUMAN, human, sizeof human);
    assert_string_equal(human, bound);
    cdt_endp_free(endp);
}

static void connect_to(const char *text)
{
    struct cdt_flow *flow;
    if (cdt_connect(f.context, text, NULL, &probe_handler, &flow) != 0)
        fail_msg("%s: %s", text, cdt_context_error(f.context));
    probe_attach(flow, &f.probe);
    until(f.reactor, f.probe.opened || f.probe.closed);
    if (!f.probe.opened)
        fail_msg("%s: %s", text, f.probe.error);
    cdt_flow_write(flow, "hello", 5);
    until(f.reactor, probe_has(&f.probe, "hello", 5));
}

static void assert_peer(const struct cdt_flow *flow, bool peer, const char *wanted)
{
    struct cdt_endp *endp;
    char human[200];
    assert_int_equal(cdt_flow_endp(flow, peer, &endp), 0);
    cdt_endp_format(endp, CDT_ENDP_HUMAN, human, sizeof human);
    assert_string_equal(human, wanted);
    cdt_endp_free(endp);
}

static void hang_up(void)
{
    cdt_flow_close(f.probe.flow);
    until(f.reactor, f.probe.closed);
    assert_int_equal(f.probe.status, 0);
    probe_free(&f.probe);
    memset(&f.probe, 0, sizeof f.probe);
}

/* ---- connecting and serving ------------------------------------------------------------------ */

static void test_direct(void **state)
{
    char text[100];
    (void)state;
    serve_on("vchan:3/foo", "(Vchan_direct (3 foo))");
    connect_to("vchan:3/foo");
    assert_peer(f.probe.flow, true, "(Vchan_direct (3 foo))");
    assert_peer(f.probe.flow, false, "(Unknown vchan)");
    assert_peer(cdt_server_first(f.serve.server), true, "(Vchan_direct (3 foo))");
    cdt_flow_format(f.probe.flow, CDT_ENDP_HUMAN, text, sizeof text);
    assert_string_equal(text, "(Vchan ((domid 3) (port foo)))");
    cdt_flow_format(f.probe.flow, CDT_ENDP_MACHINE, text, sizeof text);
    assert_string_equal(text, "(Vchan((domid 3)(port foo)))");
}

static void test_options_are_used(void **state)
{
    struct cdt_vchan_info info;
    (void)state;
    serve_on("vchan:3/foo", "(Vchan_direct (3 foo))");
    connect_to("(Vchan_direct (3 foo))");
    assert_int_equal(cdt_vchan_info(cdt_server_first(f.serve.server), &info), 0);
    assert_int_equal(info.backend, CDT_VCHAN_LOCAL);
    assert_int_equal(info.read_size, 4096);
    assert_int_equal(cdt_vchan_info(f.probe.flow, &info), 0);
    assert_int_equal(info.write_size, 4096);
}

static void test_by_name(void **state)
{
    (void)state;
    serve_on("vchan:web/http", "(Vchan_domain_socket (web http))");
    connect_to("vchan:web/http");
    assert_peer(f.probe.flow, true, "(Vchan_direct (3 http))");
    hang_up();
    connect_to("http://web.xen/"); /* the port is that of the service */
    assert_peer(f.probe.flow, true, "(Vchan_direct (3 http))");
    cdt_server_stop(f.serve.server, CDT_NEVER);
    struct cdt_endp *endp; /* still readable */
    assert_int_equal(cdt_server_endp(f.serve.server, &endp), 0);
    cdt_endp_free(endp);
}

static void test_client_first(void **state)
{
    struct cdt_flow *flow;
    (void)state;
    assert_int_equal(cdt_connect(f.context, "vchan:web/http", NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &f.probe);
    settle(f.reactor);
    assert_int_equal(f.probe.closed, 0);
    serve_on("vchan:web/http", "(Vchan_domain_socket (web http))");
    until(f.reactor, f.probe.opened);
}

static void test_limit(void **state)
{
    enum { CLIENTS = 6 };
    struct probe probes[CLIENTS] = {0};
    struct cdt_flow *flow;
    (void)state;
    assert_int_equal(cdt_set_max_active(f.context, 2), 0);
    serve_on("vchan:web/http", "(Vchan_domain_socket (web http))");
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(cdt_connect(f.context, "vchan:web/http", NULL, &probe_handler, &flow), 0);
        probe_attach(flow, &probes[i]);
    }
    for (int left = CLIENTS; left > 0; left--) {
        int at = -1;
        while (at < 0) {
            cdt_reactor_step(f.reactor, 10 * CDT_MS);
            for (int i = 0; i < CLIENTS; i++)
                at = probes[i].opened && !probes[i].closed ? i : at;
        }
        cdt_flow_close(probes[at].flow);
        until(f.reactor, probes[at].closed);
        assert_int_equal(probes[at].status, 0);
        probe_free(&probes[at]);
    }
    until(f.reactor, f.serve.closed == CLIENTS);
    assert_int_equal(f.serve.peak, 2);
}

/* ---- failures -------------------------------------------------------------------------------- */

static const struct cdt_flow_options soon = {.size = sizeof soon, .connect_timeout = 30 * CDT_MS};

static void fails(const char *text, int status, const char *why)
{
    struct cdt_flow *flow;
    memset(&f.probe, 0, sizeof f.probe);
    assert_int_equal(cdt_connect(f.context, text, &soon, &probe_handler, &flow), 0);
    probe_attach(flow, &f.probe);
    until(f.reactor, f.probe.closed);
    assert_int_equal(f.probe.status, status);
    assert_string_equal(f.probe.error, why);
}

static void test_nobody(void **state)
{
    (void)state;
    fails("vchan:4/foo", -ETIMEDOUT,
          "no connection within the connect timeout: no server has appeared at "
          "/local/domain/4/data/vchan/3/foo");
    fails("vchan:web/foo", -ETIMEDOUT,
          "no connection within the connect timeout: no server has registered the name web");
    fails("http://web.xen/", -ETIMEDOUT,
          "no connection within the connect timeout: vchan:web/http: no server has registered the "
          "name web");
}

/* The folder cannot be made. */
static void test_no_directory(void **state)
{
    const struct cdt_vchan_options vchan = {
        .size = sizeof vchan, .backend = CDT_VCHAN_LOCAL, .directory = "/proc/nowhere"};
    struct cdt_context *mine = f.context, *broken = context_with(&vchan);
    const struct cdt_server_options options = serve_options(&f.serve);
    (void)state;
    f.context = broken;
    fails("vchan:4/foo", -ENOENT, "/proc/nowhere cannot be used: no such file or directory");
    assert_int_equal(cdt_serve(broken, "vchan:4/foo", &options, &serve_handler, &f.serve.server),
                     0);
    until(f.reactor, f.serve.stopped);
    assert_int_equal(f.serve.listen_status, -ENOENT);
    assert_string_equal(f.serve.listen_text,
                        "/proc/nowhere cannot be used: no such file or directory");
    f.context = mine;
    assert_int_equal(cdt_context_free(broken), 0);
}

static void test_wrong_options(void **state)
{
    const struct cdt_vchan_options large = {.size = sizeof large, .read_size = SIZE_MAX};
    const struct cdt_vchan_options odd = {.size = 1};
    struct cdt_context *mine = f.context, *context;
    struct cdt_context_options options = {.size = sizeof options, .vchan = &odd};
    struct cdt_server *server;
    (void)state;
    assert_int_equal(cdt_context_new(f.reactor, &options, &context), -EINVAL);
    f.context = context_with(&large);
    fails("vchan:4/foo", -EINVAL, "a ring of vchan has at most 1 MiB");
    assert_int_equal(cdt_serve(f.context, "vchan:4/foo", NULL, &serve_handler, &server), -EINVAL);
    assert_string_equal(cdt_context_error(f.context), "a ring of vchan has at most 1 MiB");
    assert_int_equal(cdt_context_free(f.context), 0);
    f.context = mine;
}

static void test_context_is_freed(void **state)
{
    const struct cdt_vchan_options vchan = {
        .size = sizeof vchan, .backend = CDT_VCHAN_LOCAL, .directory = f.folder};
    struct cdt_context *other = context_with(&vchan);
    struct cdt_flow *flow;
    (void)state;
    assert_int_equal(cdt_connect(other, "vchan:web/foo", NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &f.probe);
    settle(f.reactor);
    assert_int_equal(cdt_context_free(other), 0);
    until(f.reactor, f.probe.closed);
    assert_int_equal(f.probe.status, -ECANCELED);
}

/* ---- races ----------------------------------------------------------------------------------- */

static void race(struct cdt_endp *a, struct cdt_endp *b)
{
    const struct cdt_endp *const endps[] = {a, b};
    struct cdt_flow *flow;
    assert_int_equal(cdt_connect_endps(f.context, endps, 2, &soon, &probe_handler, &flow), 0);
    probe_attach(flow, &f.probe);
    cdt_endp_free(a);
    cdt_endp_free(b);
    until(f.reactor, f.probe.opened || f.probe.closed);
}

/* A server that never comes, and an address that answers: the attempt that lost leaves nothing. */
static void test_race_is_won_by_tcp(void **state)
{
    struct cdt_addr good;
    const int listener = test_tcp_listener(4, &good);
    const struct cdt_flow_options patient = {.size = sizeof patient};
    const struct cdt_endp *endps[] = {endp_read("vchan:web/foo"), endp_of(&good)};
    struct cdt_flow *flow;
    (void)state;
    assert_int_equal(cdt_connect_endps(f.context, endps, 2, &patient, &probe_handler, &flow), 0);
    probe_attach(flow, &f.probe);
    for (int i = 0; i < 2; i++)
        cdt_endp_free((struct cdt_endp *)(uintptr_t)endps[i]);
    until(f.reactor, f.probe.opened);
    assert_string_equal(cdt_flow_carrier(flow), "tcp");
    close(listener);
}

static void test_race_is_won_by_vchan(void **state)
{
    struct cdt_addr refused;
    const int taken = refusing("127.0.0.1", &refused);
    (void)state;
    serve_on("vchan:3/foo", "(Vchan_direct (3 foo))");
    race(endp_of(&refused), endp_read("vchan:3/foo"));
    assert_int_equal(f.probe.opened, 1);
    assert_string_equal(cdt_flow_carrier(f.probe.flow), "vchan");
    close(taken);
}

static void test_race_tells_of_each(void **state)
{
    (void)state;
    race(endp_read("unix:/nonexistent/x"), endp_read("vchan:web/foo"));
    assert_int_equal(f.probe.status, -ETIMEDOUT);
    assert_string_equal(f.probe.error,
                        "no connection within the connect timeout: /nonexistent/x: no such file or "
                        "directory; vchan:web/foo: no server has registered the name web");
}

#define vchan_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        vchan_test(test_direct),
        vchan_test(test_options_are_used),
        vchan_test(test_by_name),
        vchan_test(test_client_first),
        vchan_test(test_limit),
        vchan_test(test_nobody),
        vchan_test(test_no_directory),
        vchan_test(test_wrong_options),
        vchan_test(test_context_is_freed),
        vchan_test(test_race_is_won_by_tcp),
        vchan_test(test_race_is_won_by_vchan),
        vchan_test(test_race_tells_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
