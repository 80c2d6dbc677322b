/* Refusing: the filter before anything is made, on_accept before the flow opens. */
#include "test/support/serve.h"

static int refuse_odd(struct serve *serve, const struct cdt_addr *peer)
{
    assert_int_equal(peer->any.sa_family, AF_INET);
    assert_int_equal(ntohl(peer->v4.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_true(cdt_addr_port(peer) != 0);
    return serve->filtered % 2;
}

static void test_filter_resets(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.filter = refuse_odd};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_server_counters counters;
    int fds[6];

    (void)state;
    options.max_active = 3; /* the refused take no slot */
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < 6; i++)
        fds[i] = client_connect(&serve.address);
    until(reactor, serve.filtered == 6 && serve.opened == 3);
    for (int i = 0; i < 6; i += 2)
        assert_int_equal(client_read(fds[i]), -ECONNRESET);
    counters = serve_counters(&serve);
    assert_int_equal(counters.refused, 3);
    assert_int_equal(counters.accepted, 3);
    assert_int_equal(counters.throttled, 0);
    assert_int_equal(serve.accepted, 3);
    assert_int_equal(serve.errors, 0);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static int refuse(struct serve *serve, struct cdt_flow *flow)
{
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    switch (serve->accepted) {
    case 1:
        return -EACCES;
    case 2:
        return cdt_flow_abort(flow, -EPERM, "not on Sundays");
    case 3:
        return cdt_flow_abort(flow, 0, NULL);
    case 4:
        return cdt_flow_close(flow);
    default:
        return 1; /* only negative codes refuse */
    }
}

static void test_on_accept_refuses(void **state)
{
    static const int statuses[] = {-EACCES, -EPERM, -CDT_EFILTERED, -CDT_EFILTERED};
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_accept = refuse};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_server_counters counters;

    (void)state;
    options.max_active = 1; /* a refused flow gives its slot back */
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < 4; i++) {
        int fd = client_connect(&serve.address);
        until(reactor, serve.errors == i + 1);
        assert_int_equal(serve.error_status, statuses[i]);
        assert_true(serve.error_peer.length > 0);
        if (i == 1)
            assert_string_equal(serve.error_text, "not on Sundays");
        until(reactor, client_read(fd) == -ECONNRESET);
        close(fd);
    }
    int fd = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    close(fd);
    until(reactor, serve.closed == 1);
    counters = serve_counters(&serve);
    assert_int_equal(counters.refused, 4);
    assert_int_equal(counters.accepted, 1);
    assert_int_equal(counters.closed, 1);
    assert_int_equal(counters.aborted, 0);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

/* on_accept may write, and give the flow another handler. */
static int greet(struct serve *serve, struct cdt_flow *flow)
{
    assert_int_equal(cdt_flow_write(flow, "hi\n", 3), 0);
    memcpy(cdt_flow_data(flow), serve, 8);
    return 0;
}

static void test_on_accept_writes(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_accept = greet};
    struct cdt_server_options options = serve_options(&serve);
    char text[3];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    int fd = client_connect(&serve.address);
    until(reactor, recv(fd, text, 3, MSG_PEEK | MSG_DONTWAIT) == 3);
    close(fd);
    until(reactor, serve.closed == 1);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_resets),
        cmocka_unit_test(test_on_accept_refuses),
        cmocka_unit_test(test_on_accept_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
