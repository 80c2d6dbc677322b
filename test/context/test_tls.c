/* TLS endpoints through the context: over TCP and Unix sockets, nested, by name, by mode; what is
 * written early never goes out in plain; the endpoints of such flows. Once for each backend. */
#include <conduit/context.h>

#include "test/support/serve.h"

#include "test/context/tls.h"

static enum cdt_tls_backend backend; /* of the tests that run now */

struct world {
    struct cdt_reactor *reactor;
    struct cdt_tls_config *client, *server;
    struct cdt_context *context;
    struct serve serve;
    struct probe probe;
    char folder[64];
};

static void begin(struct world *world)
{
    *world = (struct world){.reactor = test_reactor()};
    world->client = make_config(world->reactor, CDT_TLS_CLIENT, backend, "echo,other");
    world->server = make_config(world->reactor, CDT_TLS_SERVER, backend, "echo,other");
    const struct cdt_flow_options flow = {.size = sizeof flow, .tls = world->client};
    const struct cdt_context_options options = {
        .size = sizeof options, .flow = &flow, .tls_server = world->server};
    assert_int_equal(cdt_context_new(world->reactor, &options, &world->context), 0);
    test_folder(world->folder);
}

static void end(struct world *world)
{
    serve_stop(world->reactor, &world->serve);
    probe_free(&world->probe);
    assert_int_equal(cdt_context_free(world->context), 0);
    cdt_tls_config_free(world->client);
    cdt_tls_config_free(world->server);
    assert_int_equal(cdt_reactor_free(world->reactor), 0);
    test_folder_remove(world->folder);
}

/* Listens at the text of an endpoint; `bound` gets that of the one it is bound to. */
static void listen_at(struct world *world, const char *text, char *bound, size_t size)
{
    const struct cdt_server_options options = serve_options(&world->serve);
    struct cdt_endp *endp;
    if (cdt_serve(world->context, text, &options, &serve_handler, &world->serve.server) != 0)
        fail_msg("%s: %s", text, cdt_context_error(world->context));
    until(world->reactor, world->serve.listened);
    assert_int_equal(world->serve.listen_status, 0);
    assert_int_equal(cdt_server_endp(world->serve.server, &endp), 0);
    assert_true(cdt_endp_format(endp, CDT_ENDP_HUMAN, bound, size) < (int)size);
    cdt_endp_free(endp);
}

static void connect_to(struct world *world, const char *text)
{
    struct cdt_flow *flow;
    if (cdt_connect(world->context, text, NULL, &probe_handler, &flow) != 0)
        fail_msg("%s: %s", text, cdt_context_error(world->context));
    probe_attach(flow, &world->probe);
}

static void exchange(struct world *world)
{
    struct probe *probe = &world->probe;
    assert_true(cdt_flow_write(probe->flow, "hello", 5) >= 0); /* before it is open */
    until(world->reactor, probe->length == 5 || probe->closed);
    if (probe->closed)
        fail_msg("%s", probe->error);
    assert_true(probe_has(probe, "hello", 5));
    assert_int_equal(probe->opened, 1);
}

static void close_both(struct world *world)
{
    cdt_flow_close(world->probe.flow);
    until(world->reactor, world->probe.closed && world->serve.closed == 1);
    assert_int_equal(world->probe.status, 0);
    assert_int_equal(world->serve.errors, 0);
}

static void flow_endp_is(const struct cdt_flow *flow, bool peer, const char *wanted)
{
    char text[256];
    struct cdt_endp *endp;
    assert_int_equal(cdt_flow_endp(flow, peer, &endp), 0);
    cdt_endp_format(endp, CDT_ENDP_HUMAN, text, sizeof text);
    cdt_endp_free(endp);
    assert_string_equal(text, wanted);
}

static void test_tcp(void **state)
{
    struct world world;
    struct cdt_tls_info info;
    char bound[256], text[64], wanted[128];
    (void)state;
    begin(&world);
    listen_at(&world, "tls:127.0.0.1:0", bound, sizeof bound);
    const unsigned port = cdt_addr_port(&world.serve.address);
    snprintf(wanted, sizeof wanted, "(TLS (127.0.0.1 (TCP (127.0.0.1 %u))))", port);
    assert_string_equal(bound, wanted);
    snprintf(text, sizeof text, "tls:localhost:%u", port);
    connect_to(&world, text);
    exchange(&world);
    snprintf(wanted, sizeof wanted, "(TLS (localhost (TCP (127.0.0.1 %u))))", port);
    flow_endp_is(world.probe.flow, true, wanted);
    struct cdt_flow *accepted = cdt_server_first(world.serve.server);
    struct cdt_addr peer;
    assert_int_equal(cdt_flow_dst(accepted, &peer), 0);
    snprintf(wanted, sizeof wanted, "(TLS (localhost (TCP (127.0.0.1 %u))))", cdt_addr_port(&peer));
    flow_endp_is(accepted, true, wanted);
    assert_int_equal(cdt_tls_info(world.probe.flow, &info), 0);
    assert_int_equal(info.backend, backend);
    assert_string_equal(info.version, "TLSv1.3");
    assert_string_equal(info.alpn, "echo");
    assert_string_equal(info.server_name, "localhost");
    close_both(&world);
    end(&world);
}

static void test_unix_and_nested(void **state)
{
    static const char *const forms[] = {
        "(TLS (conduit.test (Unix_domain_socket %s)))",
        "(TLS (localhost (TLS (conduit.test (Unix_domain_socket %s)))))"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        char bound[256], path[128], text[256];
        begin(&world);
        snprintf(path, sizeof path, "%s/socket", world.folder);
        snprintf(text, sizeof text, forms[i], path);
        listen_at(&world, text, bound, sizeof bound);
        assert_string_equal(bound, text);
        connect_to(&world, text);
        exchange(&world);
        flow_endp_is(world.probe.flow, true, text);
        close_both(&world);
        end(&world);
    }
}

static void test_wrong_name(void **state)
{
    struct world world;
    char bound[256], text[128];
    (void)state;
    begin(&world);
    listen_at(&world, "tls:127.0.0.1:0", bound, sizeof bound);
    snprintf(text, sizeof text, "(TLS (other.test (TCP (127.0.0.1 %u))))",
             cdt_addr_port(&world.serve.address));
    connect_to(&world, text);
    until(world.reactor, world.probe.closed && world.serve.errors);
    assert_int_equal(world.probe.status, -CDT_ETLSNAME);
    assert_int_equal(world.probe.opened, 0);
    assert_non_null(strstr(world.probe.error, "other.test"));
    assert_int_equal(world.serve.error_status, -CDT_ETLSALERT);
    assert_int_equal(world.serve.opened, 0);
    end(&world);
}

/* A server that speaks no TLS gets a hello, and never what was written, whenever that was. */
static void test_nothing_in_plain(void **state)
{
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct world world;
        struct cdt_addr addr;
        char text[128], bytes[4096];
        begin(&world);
        const int listener = test_tcp_listener(4, &addr);
        snprintf(text, sizeof text, "tls:localhost:%u", cdt_addr_port(&addr));
        connect_to(&world, text);
        for (int i = 0; i < 3; i++)
            assert_true(cdt_flow_write(world.probe.flow, "a secret ", 9) >= 0);
        if (closed)
            cdt_flow_close(world.probe.flow);
        settle(world.reactor);
        until(world.reactor, cdt_flow_state(world.probe.flow) == CDT_HANDSHAKING);
        settle(world.reactor);
        const int peer = accept(listener, NULL, NULL);
        assert_true(peer >= 0);
        const ssize_t n = recv(peer, bytes, sizeof bytes, 0);
        assert_true(n > 50);
        assert_int_equal(bytes[0], 22);
        assert_null(memmem(bytes, (size_t)n, "secret", 6));
        test_send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        until(world.reactor, world.probe.closed);
        assert_int_equal(world.probe.status, -CDT_ETLS);
        for (ssize_t more; (more = recv(peer, bytes, sizeof bytes, 0)) > 0;)
            assert_null(memmem(bytes, (size_t)more, "secret", 6));
        close(peer);
        close(listener);
        world.serve.stopped = 1;
        probe_free(&world.probe);
        assert_int_equal(cdt_context_free(world.context), 0);
        cdt_tls_config_free(world.client);
        cdt_tls_config_free(world.server);
        assert_int_equal(cdt_reactor_free(world.reactor), 0);
        test_folder_remove(world.folder);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The modes of the original: keys in files, the library by its tag. */
static void test_modes(void **state)
{
    struct world world;
    struct cdt_server_mode *serve;
    struct cdt_client_mode *connect;
    struct cdt_tls_info info;
    struct cdt_flow *flow;
    char cert[128], key[128], text[512];
    const char *tag = backend == CDT_TLS_OPENSSL ? "OpenSSL" : "TLS_native";
    (void)state;
    begin(&world);
    snprintf(cert, sizeof cert, "%s/cert.pem", world.folder);
    snprintf(key, sizeof key, "%s/key.pem", world.folder);
    write_file(cert, test_certificate);
    write_file(key, test_key);
    snprintf(text, sizeof text, "(%s ((Crt_file_path %s) (Key_file_path %s) No_password (Port 0)))",
             tag, cert, key);
    assert_int_equal(cdt_server_mode_parse(text, &serve, NULL), 0);
    const struct cdt_server_options options = serve_options(&world.serve);
    if (cdt_serve_mode(world.context, serve, &options, &serve_handler, &world.serve.server) != 0)
        fail_msg("%s", cdt_context_error(world.context));
    until(world.reactor, world.serve.listened);
    snprintf(text, sizeof text, "(%s ((Hostname localhost) (IP 127.0.0.1) (Port %u)))", tag,
             cdt_addr_port(&world.serve.address));
    assert_int_equal(cdt_client_mode_parse(text, &connect, NULL), 0);
    assert_int_equal(cdt_connect_mode(world.context, connect, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &world.probe);
    exchange(&world);
    assert_int_equal(cdt_tls_info(flow, &info), 0);
    assert_int_equal(info.backend, backend);
    close_both(&world);
    cdt_server_mode_free(serve);
    cdt_client_mode_free(connect);
    end(&world);
}

static void test_no_key(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_context *context;
    struct cdt_server *server;
    (void)state;
    assert_int_equal(cdt_context_new(reactor, NULL, &context), 0);
    assert_int_equal(cdt_serve(context, "tls:0", NULL, &serve_handler, &server), -EINVAL);
    assert_string_equal(cdt_context_error(context), "No TLS server key configured");
    assert_int_equal(cdt_context_free(context), 0);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

static void test_missing(void **state)
{
    (void)state;
    print_message("%s is not built in\n", cdt_tls_backend_name(backend));
    skip();
}

int main(void)
{
    static const enum cdt_tls_backend backends[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    const struct CMUnitTest tests[] = {
        flow_test(test_tcp),   flow_test(test_unix_and_nested),  flow_test(test_wrong_name),
        flow_test(test_modes), flow_test(test_nothing_in_plain), flow_test(test_no_key),
    };
    const struct CMUnitTest missing[] = {cmocka_unit_test(test_missing)};
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        backend = backends[i];
        failed += cdt_tls_built_in(backend) ? cmocka_run_group_tests(tests, NULL, NULL)
                                            : cmocka_run_group_tests(missing, NULL, NULL);
    }
    return failed;
}
