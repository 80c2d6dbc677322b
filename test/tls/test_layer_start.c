/* TLS begun in the middle of a protocol (STARTTLS, CONNECT), by a server's on_accept, and in a relay
 * between TLS and plain flows. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* ---- STARTTLS -------------------------------------------------------------------------------- */

/* Handles lines until the one that begins TLS; what came behind it is handed back. */
static void line_then_tls(struct probe *probe, const void *data, size_t length, const char *line,
                          const char *answer, struct cdt_tls_config *config, const char *name)
{
    struct cdt_tls_info info;
    const size_t size = strlen(line);
    (void)data;
    if (cdt_tls_info(probe->flow, &info) != -ENOENT || probe->length < size)
        return;
    assert_memory_equal(probe->data, line, size);
    const size_t rest = probe->length - size;
    assert_true(rest <= length);
    if (rest) {
        assert_int_equal(cdt_flow_unread(probe->flow, probe->data + size, rest), 0);
        probe->length -= rest;
    }
    if (*answer)
        assert_int_equal(cdt_flow_write(probe->flow, answer, strlen(answer)), 0);
    assert_int_equal(cdt_tls_start(probe->flow, config, name), 0);
    assert_int_equal(cdt_flow_write(probe->flow, "secret", 6), 0);
}

static void as_server(struct probe *probe, const void *data, size_t length)
{
    struct ends *ends = probe->arg;
    line_then_tls(probe, data, length, "STARTTLS\r\n", "220 go ahead\r\n", ends->config[SERVER],
                  NULL);
}

static void as_client(struct probe *probe, const void *data, size_t length)
{
    struct ends *ends = probe->arg;
    line_then_tls(probe, data, length, "220 go ahead\r\n", "", ends->config[CLIENT], NAME);
}

static void test_starttls(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 6; cell++) {
            struct ends ends;
            ends_begin(&ends, &way, NULL, NULL);
            if (cell >= 2)
                ends.wire[0].step = ends.wire[1].step = cell == 2 ? 1 : cell == 3 ? 9 : 64;
            ends_flows(&ends, cell == 0 ? 't' : cell == 1 ? 'p' : 'w', NULL);
            ends.probe[CLIENT].on_read = as_client;
            ends.probe[SERVER].on_read = as_server;
            ends.probe[CLIENT].arg = ends.probe[SERVER].arg = &ends;
            assert_int_equal(cdt_flow_write(ends.probe[CLIENT].flow, "STARTTLS\r\n", 10), 0);
            ends_until_open(&ends);
            until(ends.reactor,
                  ends.probe[SERVER].length == 10 + 6 && ends.probe[CLIENT].length == 14 + 6);
            assert_memory_equal(ends.probe[SERVER].data, "STARTTLS\r\nsecret", 16);
            assert_memory_equal(ends.probe[CLIENT].data, "220 go ahead\r\nsecret", 20);
            assert_int_equal(ends.probe[CLIENT].opened, 1);
            ends_close(&ends, CLIENT);
            ends_free(&ends);
        }
    }
}

/* The client waits for no answer: its line and its hello are in one piece; the server hands back what
 * is not the line. */
static void without_answer(struct probe *probe, const void *data, size_t length)
{
    struct ends *ends = probe->arg;
    line_then_tls(probe, data, length, "CONNECT\r\n", "", ends->config[SERVER], NULL);
}

static void test_hello_behind_the_line(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_begin(&ends, &way, NULL, NULL);
        ends.wire[CLIENT].held = true;
        ends_flows(&ends, 'w', NULL);
        ends.probe[SERVER].on_read = without_answer;
        ends.probe[SERVER].arg = &ends;
        assert_int_equal(cdt_flow_write(ends.probe[CLIENT].flow, "CONNECT\r\n", 9), 0);
        assert_int_equal(cdt_tls_start(ends.probe[CLIENT].flow, ends.config[CLIENT], NAME), 0);
        settle(ends.reactor);
        assert_true(ends.wire[CLIENT].length > 100); /* the line and the hello */
        wire_go(&ends.wire[CLIENT]);
        ends_until_open(&ends);
        until(ends.reactor, ends.probe[CLIENT].length == 6);
        ends_say(&ends, CLIENT, "hello");
        assert_true(probe_has(&ends.probe[SERVER], "CONNECT\r\nhello", 14));
        ends_close(&ends, SERVER);
        ends_free(&ends);
    }
}

/* A command in the clear behind STARTTLS must not be taken for one that came by TLS. */
static void test_no_injection(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_begin(&ends, &way, NULL, NULL);
        ends_flows(&ends, 't', NULL);
        ends.probe[SERVER].on_read = as_server;
        ends.probe[SERVER].arg = &ends;
        assert_int_equal(
            cdt_flow_write(ends.probe[CLIENT].flow, "STARTTLS\r\nDELETE everything\r\n", 29), 0);
        until(ends.reactor, ends.probe[SERVER].closed);
        assert_int_equal(ends.probe[SERVER].status, -CDT_ETLS);
        assert_int_equal(ends.probe[SERVER].length, 10);
        ends_free(&ends);
    }
}

/* ---- servers --------------------------------------------------------------------------------- */

static struct cdt_tls_config *server_config;

static int accept_tls(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    return cdt_tls_start(flow, server_config, NULL);
}

static void test_server(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct serve serve = {.on_accept = accept_tls};
        ends_begin(&ends, &way, NULL, NULL);
        server_config = ends.config[SERVER];
        const struct cdt_server_options options = serve_options(&serve);
        serve_tcp(ends.reactor, &serve, &options);
        for (int i = 0; i < 20; i++) {
            struct cdt_flow *flow;
            struct probe *probe = &ends.probe[CLIENT];
            assert_int_equal(
                cdt_tcp_connect(ends.reactor, &serve.address, NULL, &probe_handler, &flow), 0);
            probe_attach(flow, probe);
            /* while it is connecting: on_open comes once, when all is done */
            assert_int_equal(cdt_tls_start(flow, ends.config[CLIENT], NAME), 0);
            assert_int_equal(cdt_flow_write(flow, "hello", 5), 0);
            until(ends.reactor, probe->length == 5 || probe->closed);
            assert_string_equal(probe->error, "");
            assert_memory_equal(probe->data, "hello", 5);
            assert_int_equal(probe->opened, 1);
            assert_string_equal(cdt_flow_carrier(flow), "tcp");
            cdt_flow_close(flow);
            until(ends.reactor, probe->closed);
            assert_int_equal(probe->status, 0);
            probe_free(probe);
        }
        until(ends.reactor, serve.closed == 20);
        assert_int_equal(serve.opened, 20);
        assert_int_equal(serve.errors, 0);
        serve_stop(ends.reactor, &serve);
        assert_int_equal(serve.last.closed, 20);
        ends_free(&ends);
    }
}

/* By endpoints: a context with configurations, cdt_serve() and cdt_connect(). */
static void test_endpoints(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct serve serve = {0};
        struct cdt_context *context;
        struct cdt_endp *endp;
        struct cdt_flow *flow;
        char text[200];
        ends_begin(&ends, &way, NULL, NULL);
        const struct cdt_flow_options flow_options = {.size = sizeof flow_options,
                                                      .tls = ends.config[CLIENT]};
        const struct cdt_context_options options = {
            .size = sizeof options, .flow = &flow_options, .tls_server = ends.config[SERVER]};
        const struct cdt_server_options server = serve_options(&serve);
        assert_int_equal(cdt_context_new(ends.reactor, &options, &context), 0);
        assert_int_equal(cdt_serve(context, "(TLS (example.test (TCP (127.0.0.1 0))))", &server,
                                   &serve_handler, &serve.server),
                         0);
        until(ends.reactor, serve.listened);
        assert_string_equal(serve.listen_text, "");
        for (int i = 0; i < 3; i++) { /* by name, by address, for another name */
            static const char *const names[] = {"example.test", "127.0.0.1", "wrong.test"};
            struct probe *probe = &ends.probe[CLIENT];
            snprintf(text, sizeof text, "(TLS (%s (TCP (127.0.0.1 %d))))", names[i],
                     cdt_addr_port(&serve.address));
            assert_int_equal(cdt_connect(context, text, NULL, &probe_handler, &flow), 0);
            probe_attach(flow, probe);
            until(ends.reactor, probe->opened || probe->closed);
            if (i == 2) {
                assert_int_equal(probe->status, -CDT_ETLSNAME);
                assert_int_equal(probe->opened, 0);
            } else {
                assert_int_equal(probe->closed, 0);
                assert_int_equal(cdt_flow_endp(flow, true, &endp), 0);
                char back[200];
                assert_true(cdt_endp_format(endp, CDT_ENDP_HUMAN, back, sizeof back) > 0);
                assert_string_equal(back, text);
                cdt_endp_free(endp);
                cdt_flow_close(flow);
                until(ends.reactor, probe->closed);
                assert_int_equal(probe->status, 0);
            }
            probe_free(probe);
        }
        serve_stop(ends.reactor, &serve);
        assert_int_equal(cdt_context_free(context), 0);
        ends_free(&ends);
    }
}

/* ---- relay ----------------------------------------------------------------------------------- */

static void relayed(struct cdt_flow *a, struct cdt_flow *b, const struct cdt_relay_result *result,
                    void *arg)
{
    (void)a, (void)b;
    *(struct cdt_relay_result *)arg = *result;
    ((struct cdt_relay_result *)arg)->status_a += 1000; /* it has been called */
}

/* client == TLS == front | relay | back -- plain -- target: bulk and half-close both ways. */
static void test_relay(void **state)
{
    (void)state;
    enum { SIZE = 2 << 20 };
    static uint8_t data[SIZE];
    test_pattern(data, SIZE, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 4; cell++) {
            const bool client_first = cell & 1;
            const char kind = cell & 2 ? 'u' : 't';
            struct ends ends;
            struct probe plain[2] = {{0}};
            struct cdt_relay_result result = {0};
            ends_begin(&ends, &way, NULL, NULL);
            ends_flows(&ends, 't', NULL);
            test_flows(ends.reactor, kind, NULL, plain);
            ends_start(&ends, NAME);
            if (cell & 2)
                ends_until_open(&ends); /* else they are still shaking hands */
            struct cdt_flow *front = ends.probe[SERVER].flow;
            assert_int_equal(cdt_flow_relay(front, plain[0].flow, relayed, &result), 0);
            ends.probe[SERVER].flow = plain[0].flow = NULL;
            struct probe *client = &ends.probe[CLIENT], *target = &plain[1];
            struct probe *first = client_first ? client : target;
            struct probe *second = client_first ? target : client;
            assert_in_range(cdt_flow_write(first->flow, data, SIZE), 0, 1);
            cdt_flow_shutdown(first->flow, CDT_SHUT_WRITE);
            until(ends.reactor, second->eofs || second->closed);
            assert_true(probe_has(second, data, SIZE));
            assert_int_equal(first->closed, 0);
            assert_in_range(cdt_flow_write(second->flow, data, SIZE), 0, 1);
            cdt_flow_close(second->flow);
            until(ends.reactor, first->closed && second->closed && result.status_a);
            assert_true(probe_has(first, data, SIZE));
            assert_int_equal(first->status | second->status, 0);
            assert_int_equal(result.status_a, 1000);
            assert_int_equal(result.status_b, 0);
            assert_int_equal(result.bytes_a_to_b, SIZE);
            assert_int_equal(result.bytes_b_to_a, SIZE);
            probe_free(&plain[1]);
            ends_free(&ends);
        }
    }
}

/* A stream that is cut off inside TLS is not passed on as an orderly end. */
static void test_relay_truncated(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct probe plain[2] = {{0}};
        struct cdt_relay_result result = {0};
        ends_begin(&ends, &way, NULL, NULL);
        ends_flows(&ends, 'w', NULL);
        test_flows(ends.reactor, 't', NULL, plain);
        ends_start(&ends, NAME);
        ends_until_open(&ends);
        assert_int_equal(cdt_flow_relay(ends.probe[SERVER].flow, plain[0].flow, relayed, &result),
                         0);
        ends.probe[SERVER].flow = plain[0].flow = NULL;
        cdt_flow_write(ends.probe[CLIENT].flow, "a part", 6);
        until(ends.reactor, plain[1].length == 6);
        wire_vanish(&ends.wire[CLIENT]);
        until(ends.reactor, plain[1].closed);
        assert_int_equal(plain[1].eofs, 0);
        assert_true(plain[1].status < 0);
        until(ends.reactor, result.status_a);
        assert_int_equal(result.status_a, 1000 - CDT_ETLSTRUNC);
        probe_free(&plain[1]);
        ends_free(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_starttls),        flow_test(test_hello_behind_the_line),
        flow_test(test_no_injection),    flow_test(test_server),
        flow_test(test_endpoints),       flow_test(test_relay),
        flow_test(test_relay_truncated),
    };
    return tls_main(tests);
}
