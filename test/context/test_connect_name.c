/* Connecting by name and by URI: through a hosts file, a name server, and rules that answer when
 * they like. */
#include "test/context/race.h"
#include "test/support/name_server.h"

static struct cdt_reactor *reactor;
static struct cdt_resolver *resolver;
static struct cdt_context *context;
static struct probe probe;
static char folder[64], hosts[96];

/* A context whose names come from a hosts file, and from these name servers. */
static void with_names(const char *servers)
{
    const struct cdt_resolver_options names = {.size = sizeof names,
                                               .hosts_file = hosts,
                                               .resolv_conf = "",
                                               .servers = servers,
                                               .tries = 1};
    struct cdt_context_options options = {.size = sizeof options, .attempt_delay = 50 * CDT_MS};
    assert_int_equal(cdt_resolver_new(reactor, &names, &resolver), 0);
    options.resolver = resolver;
    assert_int_equal(cdt_context_new(reactor, &options, &context), 0);
    assert_ptr_equal(cdt_context_resolver(context), resolver);
}

static int set_up(void **state)
{
    test_fds_remember(state);
    memset(&probe, 0, sizeof probe);
    reactor = test_reactor();
    test_folder(folder);
    snprintf(hosts, sizeof hosts, "%s/hosts", folder);
    FILE *file = fopen(hosts, "w");
    assert_non_null(file);
    fputs("::1 both.test\n127.0.0.1 both.test four.test\n127.0.0.2 four.test\n", file);
    assert_int_equal(fclose(file), 0);
    resolver = NULL;
    context = NULL;
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(cdt_context_free(context), 0);
    cdt_resolver_free(resolver);
    test_end(reactor, &probe, 1);
    test_folder_remove(folder);
    return test_fds_same(state);
}

static struct cdt_flow *connect_text(const char *text, const struct cdt_flow_options *options)
{
    struct cdt_flow *flow;
    if (cdt_connect(context, text, options, &probe_handler, &flow) != 0)
        fail_msg("%s: %s", text, cdt_context_error(context));
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    probe_attach(flow, &probe);
    return flow;
}

static void connect_port(const char *format, const struct cdt_addr *addr)
{
    char text[160];
    snprintf(text, sizeof text, format, cdt_addr_port(addr));
    connect_text(text, NULL);
}

/* ---- names ------------------------------------------------------------------------------------ */

static void every_text_of_a_name(void **state)
{
    (void)state;
    static const char *const formats[] = {
        "tcp:both.test:%u",  "tcp://both.test:%u",      "http://both.test:%u/path?query",
        "tcp:four.test:%u",  "http://127.0.0.1:%u",     "tcp:localhost:%u",
        "http://:%u/nobody", "redis://BOTH.TEST.:%u/0",
    };
    struct cdt_addr addr, peer;
    with_names(NULL);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const int listener = test_tcp_listener(4, &addr);
        connect_port(formats[i], &addr);
        until(reactor, probe.opened || probe.closed);
        if (!probe.opened)
            fail_msg("%s: %s", formats[i], probe.error);
        assert_int_equal(cdt_flow_dst(probe.flow, &peer), 0);
        assert_true(cdt_addr_equal(&peer, &addr));
        cdt_flow_abort(probe.flow, 0, NULL);
        until(reactor, probe.closed);
        probe_free(&probe);
        memset(&probe, 0, sizeof probe);
        close(listener);
    }
}

static void every_address_refuses(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char wanted[160];
    with_names(NULL);
    const int taken = refusing("127.0.0.1", &addr);
    const unsigned port = cdt_addr_port(&addr);
    connect_port("tcp:four.test:%u", &addr);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED);
    snprintf(wanted, sizeof wanted,
             "127.0.0.1:%u: connection refused; 127.0.0.2:%u: connection refused", port, port);
    assert_string_equal(probe.error, wanted);
    close(taken);
}

static void source_skips_addresses(void **state)
{
    (void)state;
    struct cdt_flow_options from = {.size = sizeof from};
    struct cdt_addr addr;
    char text[80];
    with_names(NULL);
    const int listener = test_tcp_listener(4, &addr);
    assert_int_equal(cdt_addr_ip(&from.source, "127.0.0.4", 0), 0);
    snprintf(text, sizeof text, "tcp:both.test:%u", cdt_addr_port(&addr));
    connect_text(text, &from);
    until(reactor, probe.opened);
    close(listener);
}

static void unix_socket_in_a_uri(void **state)
{
    (void)state;
    struct serve serve = {0};
    const struct cdt_server_options options = serve_options(&serve);
    char text[160];
    with_names(NULL);
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    assert_int_equal(cdt_serve(context, text, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.listened);
    assert_int_equal(serve.listen_status, 0);
    snprintf(text, sizeof text, "http+unix://%%2Ftmp%%2F%s%%2Fsocket/", strrchr(folder, '/') + 1);
    connect_text(text, NULL);
    until(reactor, probe.opened);
    assert_string_equal(cdt_flow_carrier(probe.flow), "unix");
    serve_stop(reactor, &serve);
}

static void a_resolver_of_its_own(void **state)
{
    (void)state;
    struct cdt_addr addr;
    assert_int_equal(cdt_context_new(reactor, NULL, &context), 0);
    const int listener = test_tcp_listener(4, &addr);
    connect_port("tcp:localhost:%u", &addr);
    until(reactor, probe.opened);
    assert_non_null(cdt_context_resolver(context));
    assert_ptr_equal(cdt_context_resolver(context), cdt_context_resolver(context));
    close(listener);
}

/* ---- through a name server --------------------------------------------------------------------- */

static void through_a_name_server(void **state)
{
    (void)state;
    struct cdt_addr addr;
    struct name_server *server =
        name_server_start(NAME_SERVER_KNOT, "both AAAA ::1\nboth A 127.0.0.1\nsix AAAA ::1\n"
                                            "alias CNAME both\n");
    with_names(server->address);
    const int listener = test_tcp_listener(4, &addr);
    connect_port("http://alias.test:%u/", &addr);
    until(reactor, probe.opened || probe.closed);
    assert_string_equal(probe.error, "");
    assert_int_equal(probe.opened, 1);
    name_server_stop(server);
    close(listener);
}

static void no_such_name(void **state)
{
    (void)state;
    struct name_server *server = name_server_start(NAME_SERVER_KNOT, "");
    with_names(server->address);
    connect_text("tcp:nothing.test:80", NULL);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -CDT_ENXDOMAIN);
    assert_non_null(strstr(probe.error, "NXDOMAIN"));
    name_server_stop(server);
}

static void nobody_answers(void **state)
{
    (void)state;
    const struct cdt_flow_options brief = {.size = sizeof brief, .connect_timeout = 100 * CDT_MS};
    char address[32];
    const int hole = name_server_socket(address);
    with_names(address);
    connect_text("tcp:nothing.test:80", &brief);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ETIMEDOUT);
    assert_string_equal(probe.error,
                        "no connection within the connect timeout: the name was not resolved");
    close(hole);
}

/* ---- rules that answer later ------------------------------------------------------------------- */

static struct cdt_resolution *asked;

static int later(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
                 const struct cdt_uri *uri)
{
    (void)user, (void)service, (void)uri;
    asked = resolution;
    return 1;
}

static void with_rule(const char *text, const struct cdt_flow_options *options)
{
    with_names(NULL);
    asked = NULL;
    assert_int_equal(
        cdt_resolver_add_rewrite(resolver, &(struct cdt_rewrite){.suffix = "later", .fn = later}),
        0);
    connect_text(text, options);
    until(reactor, asked);
    assert_int_equal(probe.opened + probe.closed, 0);
}

static void add(const struct cdt_addr *addr)
{
    struct cdt_endp *endp = endp_of(addr);
    assert_int_equal(cdt_resolution_add(asked, endp), 0);
    cdt_endp_free(endp);
}

static void endpoints_join_as_they_come(void **state)
{
    (void)state;
    struct cdt_addr refused, good;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    with_rule("http://a.later/", NULL);
    add(&refused);
    settle(reactor);
    assert_int_equal(probe.opened + probe.closed, 0); /* more may come */
    add(&good);
    until(reactor, probe.opened);
    close(taken);
    close(listener);
}

static void a_late_one_wins_beside_a_hole(void **state)
{
    (void)state;
    struct cdt_addr good;
    struct hole hole;
    hole_make(&hole);
    const int listener = test_tcp_listener(4, &good);
    with_rule("http://a.later/", NULL);
    add(&hole.addr);
    const uint64_t after = test_now() + 100 * CDT_MS; /* beyond the delay */
    until(reactor, test_now() > after);
    add(&good);
    cdt_resolution_done(asked, 0);
    until(reactor, probe.opened);
    hole_close(&hole);
    close(listener);
}

static void the_last_fails_when_the_rule_is_done(void **state)
{
    (void)state;
    struct cdt_addr refused;
    char wanted[160], name[CDT_ADDR_TEXT];
    const int taken = refusing("127.0.0.1", &refused);
    with_rule("http://a.later/", NULL);
    add(&refused);
    settle(reactor);
    cdt_resolution_done(asked, 0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED);
    snprintf(wanted, sizeof wanted, "%s: connection refused", cdt_addr_format(&refused, name));
    assert_string_equal(probe.error, wanted);
    close(taken);
}

static void nothing_at_all(void **state)
{
    (void)state;
    with_rule("http://a.later/", NULL);
    cdt_resolution_done(asked, 0);
    until(reactor, probe.closed);
    assert_true(probe.status < 0);
    assert_string_not_equal(probe.error, "");
}

static void the_rule_fails(void **state)
{
    (void)state;
    with_rule("http://a.later/", NULL);
    cdt_resolution_done(asked, -EHOSTDOWN);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EHOSTDOWN);
    assert_string_not_equal(probe.error, "");
}

static void descriptors_are_for_listening(void **state)
{
    (void)state;
    with_rule("http://a.later/", NULL);
    struct cdt_endp *fd = endp_read("fd:0");
    assert_int_equal(cdt_resolution_add(asked, fd), 0);
    cdt_resolution_done(asked, 0);
    cdt_endp_free(fd);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EPROTONOSUPPORT);
    assert_string_equal(probe.error, "fd:0: only for listening");
}

/* ---- ends while it is being resolved ------------------------------------------------------------ */

static void aborted_while_resolving(void **state)
{
    (void)state;
    with_rule("http://a.later/", NULL);
    cdt_flow_abort(probe.flow, -EINTR, NULL);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EINTR);
}

static void context_freed_while_resolving(void **state)
{
    (void)state;
    with_rule("http://a.later/", NULL);
    assert_int_equal(cdt_context_free(context), 0);
    context = NULL;
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECANCELED);
}

static void reactor_freed_while_resolving(void **state)
{
    (void)state;
    char address[32];
    const int hole = name_server_socket(address);
    struct cdt_reactor *mine = test_reactor();
    struct cdt_context *common;
    struct cdt_flow *flow;
    assert_int_equal(cdt_context_default(mine, &common), 0);
    assert_int_equal(cdt_connect(common, "tcp:nothing.test:80", NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    settle(mine);
    assert_int_equal(cdt_reactor_free(mine), 0);
    assert_int_equal(probe.closed, 1);
    close(hole);
}

static void written_before_it_is_resolved(void **state)
{
    (void)state;
    struct cdt_addr good;
    char got[5];
    const int listener = test_tcp_listener(4, &good);
    with_rule("http://a.later/", NULL);
    assert_int_equal(cdt_flow_write(probe.flow, "hello", 5), 0);
    add(&good);
    until(reactor, probe.opened);
    const int peer = accept(listener, NULL, NULL);
    test_receive(peer, got, sizeof got);
    assert_memory_equal(got, "hello", 5);
    close(peer);
    close(listener);
}

/* ---- texts ------------------------------------------------------------------------------------- */

static void wrong_texts_fail_at_once(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",          "a b",  "http://[::1/", "http://a:99999/",
                                        "tcp:a:b:c", "(TCP", "http://%00/"};
    struct cdt_flow *flow;
    with_names(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int status = cdt_connect(context, wrong[i], NULL, &probe_handler, &flow);
        if (status == 0) /* a reference without a scheme is a URI of a kind */
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(status, -EINVAL);
        assert_non_null(strstr(cdt_context_error(context), "offset"));
    }
}

static void services_that_nobody_knows(void **state)
{
    (void)state;
    static const char *const texts[] = {"nonsense://127.0.0.1/", "//127.0.0.1/"};
    with_names(NULL);
    for (size_t i = 0; i < 2; i++) {
        connect_text(texts[i], NULL);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, -CDT_ENOSERVICE);
        assert_non_null(strstr(probe.error, "scheme"));
        probe_free(&probe);
        memset(&probe, 0, sizeof probe);
    }
}

int main(void)
{
#define name_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        name_test(every_text_of_a_name),
        name_test(every_address_refuses),
        name_test(source_skips_addresses),
        name_test(unix_socket_in_a_uri),
        name_test(a_resolver_of_its_own),
        name_test(through_a_name_server),
        name_test(no_such_name),
        name_test(nobody_answers),
        name_test(endpoints_join_as_they_come),
        name_test(a_late_one_wins_beside_a_hole),
        name_test(the_last_fails_when_the_rule_is_done),
        name_test(nothing_at_all),
        name_test(the_rule_fails),
        name_test(descriptors_are_for_listening),
        name_test(aborted_while_resolving),
        name_test(context_freed_while_resolving),
        name_test(reactor_freed_while_resolving),
        name_test(written_before_it_is_resolved),
        name_test(wrong_texts_fail_at_once),
        name_test(services_that_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
