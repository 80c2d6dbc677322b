/* The default context of a reactor, serving by text, and the source as the address to listen on. */
#include "test/context/race.h"

static struct cdt_reactor *reactor;

static int set_up(void **state)
{
    test_fds_remember(state);
    reactor = test_reactor();
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(cdt_reactor_free(reactor), 0);
    return test_fds_same(state);
}

static void the_same_each_time(void **state)
{
    (void)state;
    struct cdt_reactor *other = test_reactor();
    struct cdt_context *a = NULL, *b = NULL, *of_other = NULL;
    assert_int_equal(cdt_context_default(reactor, &a), 0);
    assert_int_equal(cdt_context_default(reactor, &b), 0);
    assert_int_equal(cdt_context_default(other, &of_other), 0);
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, of_other);
    assert_ptr_equal(cdt_context_reactor(a), reactor);
    assert_int_equal(cdt_reactor_free(other), 0);
}

static void others_beside_it(void **state)
{
    (void)state;
    struct cdt_context *own = NULL, *common = NULL, *again = NULL;
    assert_int_equal(cdt_context_new(reactor, NULL, &own), 0);
    assert_int_equal(cdt_context_default(reactor, &common), 0);
    assert_ptr_not_equal(own, common);
    assert_int_equal(cdt_context_free(own), 0);
    assert_int_equal(cdt_context_default(reactor, &again), 0);
    assert_ptr_equal(again, common);
}

static void cannot_be_freed(void **state)
{
    (void)state;
    struct cdt_context *context = NULL;
    assert_int_equal(cdt_context_default(NULL, &context), -EINVAL);
    assert_int_equal(cdt_context_default(reactor, NULL), -EINVAL);
    assert_int_equal(cdt_context_default(reactor, &context), 0);
    assert_int_equal(cdt_context_free(context), -EINVAL);
    assert_int_equal(cdt_set_max_active(context, 3), 0);
}

/* The reactor is freed while its default context serves, and connects. */
static void freed_with_the_reactor_at_work(void **state)
{
    (void)state;
    struct cdt_reactor *mine = test_reactor();
    struct cdt_context *context;
    struct cdt_flow *flow;
    struct probe probe = {0};
    struct serve serve = {0};
    struct hole hole;
    const struct cdt_server_options options = serve_options(&serve);
    hole_make(&hole);
    assert_int_equal(cdt_context_default(mine, &context), 0);
    assert_int_equal(cdt_serve(context, "tcp:127.0.0.1:0", &options, &serve_handler, &serve.server),
                     0);
    struct cdt_endp *endp = endp_of(&hole.addr);
    assert_int_equal(cdt_connect_endp(context, endp, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    cdt_endp_free(endp);
    until(mine, serve.listened);
    assert_int_equal(cdt_reactor_free(mine), 0);
    assert_int_equal(serve.stopped, 1);
    assert_int_equal(probe.closed, 1);
    assert_int_equal(probe.status, -ECANCELED);
    probe_free(&probe);
    hole_close(&hole);
}

/* It is asked for in the last callback. */
static struct cdt_context *made_late;

static void ask_for_it(struct probe *probe)
{
    struct cdt_flow *flow;
    assert_int_equal(cdt_context_default(cdt_flow_reactor(probe->flow), &made_late), 0);
    assert_int_equal(cdt_connect(made_late, "tcp:127.0.0.1:1", NULL, &probe_handler, &flow),
                     -EINVAL);
}

static void made_while_the_reactor_is_freed(void **state)
{
    (void)state;
    struct cdt_reactor *mine = test_reactor();
    struct probe probe = {.on_close = ask_for_it};
    const int fd = test_flow(mine, 't', NULL, &probe);
    assert_int_equal(cdt_reactor_free(mine), 0);
    assert_int_equal(probe.closed, 1);
    assert_non_null(made_late);
    probe_free(&probe);
    close(fd);
}

static void serve_and_connect_by_text(void **state)
{
    (void)state;
    char text[160];
    struct cdt_context *context;
    struct cdt_flow *flow;
    struct probe probe = {0};
    struct serve serve = {0};
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(cdt_context_default(reactor, &context), 0);
    assert_int_equal(
        cdt_serve(context, "(TCP (127.0.0.1 0))", &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.listened);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", cdt_addr_port(&serve.address));
    assert_int_equal(cdt_connect(context, text, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    assert_int_equal(cdt_flow_write(flow, "hello", 5), 0);
    until(reactor, probe.length == 5);
    cdt_flow_close(flow);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    probe_free(&probe);
    serve_stop(reactor, &serve);
}

static void texts_that_cannot_be_served(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *why;
    } wrong[] = {
        {"http://127.0.0.1:80/", -EINVAL, "offset 0"},
        {"nonsense", -EINVAL, "offset 0"},
        {"tcp:127.0.0.1:65536", -EINVAL, "offset"},
        {"tcp:example.org:80", -EPROTONOSUPPORT, "listening needs an address"},
        {"(Unknown x)", -EPROTONOSUPPORT, "unknown endpoint"},
    };
    struct cdt_context *context;
    struct cdt_server *server = NULL;
    assert_int_equal(cdt_context_default(reactor, &context), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(cdt_serve(context, wrong[i].text, NULL, &serve_handler, &server),
                         wrong[i].status);
        if (!strstr(cdt_context_error(context), wrong[i].why))
            fail_msg("%s: %s", wrong[i].text, cdt_context_error(context));
    }
    assert_int_equal(cdt_serve(NULL, "tcp:0", NULL, &serve_handler, &server), -EINVAL);
    assert_int_equal(cdt_serve(context, NULL, NULL, &serve_handler, &server), -EINVAL);
    assert_int_equal(cdt_serve(context, "tcp:0", NULL, NULL, &server), -EINVAL);
    assert_null(server);
}

static void listens_on_the_source(void **state)
{
    (void)state;
    struct cdt_flow_options from = {.size = sizeof from};
    const struct cdt_context_options with = {.size = sizeof with, .flow = &from};
    struct cdt_context *context;
    struct cdt_addr wanted;
    struct serve serve = {0};
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(cdt_addr_ip(&from.source, "127.0.0.3", 0), 0);
    assert_int_equal(cdt_context_new(reactor, &with, &context), 0);
    assert_int_equal(cdt_serve(context, "tcp:0", &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.listened);
    assert_int_equal(serve.listen_status, 0);
    cdt_addr_ip(&wanted, "127.0.0.3", cdt_addr_port(&serve.address));
    assert_true(cdt_addr_equal(&serve.address, &wanted));
    serve_stop(reactor, &serve);
    assert_int_equal(cdt_context_free(context), 0);
}

int main(void)
{
#define context_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        context_test(the_same_each_time),
        context_test(others_beside_it),
        context_test(cannot_be_freed),
        context_test(freed_with_the_reactor_at_work),
        context_test(made_while_the_reactor_is_freed),
        context_test(serve_and_connect_by_text),
        context_test(texts_that_cannot_be_served),
        context_test(listens_on_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
