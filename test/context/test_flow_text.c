/* The s-expressions of flows and contexts, as the original prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <conduit/conduit.h>

static struct fixture {
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct cdt_flow *flow;
    unsigned opened, closed, accepted;
    char human[160], machine[160], peer[160];
} f;

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    assert_int_equal(cdt_reactor_new(NULL, &f.reactor), 0);
    assert_int_equal(cdt_context_new(f.reactor, NULL, &f.context), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(cdt_reactor_free(f.reactor), 0);
    assert_int_equal(cdt_context_free(f.context), 0);
    return 0;
}

/* Turns until `count` is not 0; fails after ten seconds. */
static void run_until(const unsigned *count)
{
    const uint64_t end = cdt_reactor_now(f.reactor) + 10 * CDT_SECOND;
    while (*count == 0) {
        assert_true(cdt_reactor_now(f.reactor) < end);
        assert_true(cdt_reactor_step(f.reactor, CDT_SECOND) >= 0);
    }
}

static void on_open(struct cdt_flow *flow)
{
    f.opened++;
    cdt_flow_format(flow, CDT_ENDP_HUMAN, f.human, sizeof f.human);
    cdt_flow_format(flow, CDT_ENDP_MACHINE, f.machine, sizeof f.machine);
    assert_int_equal(cdt_flow_format(flow, CDT_ENDP_HUMAN, NULL, 0), strlen(f.human));
    assert_int_equal(cdt_flow_format(flow, CDT_ENDP_SHORT, NULL, 0), -EINVAL);
    assert_int_equal(cdt_flow_format(flow, CDT_ENDP_HUMAN, NULL, 1), -EINVAL);
    cdt_flow_close(flow);
}

static void on_close(struct cdt_flow *flow, int status)
{
    (void)flow, (void)status;
    f.closed++;
}

static void on_accepted(struct cdt_flow *flow)
{
    f.accepted++;
    cdt_flow_format(flow, CDT_ENDP_HUMAN, f.peer, sizeof f.peer);
}

static const struct cdt_handler client = {
    .size = sizeof client,
    .on_open = on_open,
    .on_close = on_close,
};
static const struct cdt_handler server_handler = {
    .size = sizeof server_handler,
    .on_open = on_accepted,
};

/* Connects to a server at `text`; f holds what its ends were printed as. */
static uint16_t meet(const char *text)
{
    struct cdt_server *server;
    struct cdt_endp *endp;
    assert_int_equal(cdt_serve(f.context, text, NULL, &server_handler, &server), 0);
    while (cdt_server_endp(server, &endp) != 0)
        assert_true(cdt_reactor_step(f.reactor, CDT_SECOND) >= 0);
    assert_int_equal(cdt_connect_endp(f.context, endp, NULL, &client, &f.flow), 0);
    run_until(&f.opened);
    run_until(&f.accepted);
    run_until(&f.closed);
    const uint16_t port = cdt_addr_port(&endp->addr);
    cdt_endp_free(endp);
    return port;
}

static void test_tcp(void **state)
{
    (void)state;
    char expected[160];
    const uint16_t port = meet("tcp:127.0.0.1:0");
    snprintf(expected, sizeof expected, "(TCP ((fd <opaque>) (ip 127.0.0.1) (port %u)))", port);
    assert_string_equal(f.human, expected);
    snprintf(expected, sizeof expected, "(TCP((fd <opaque>)(ip 127.0.0.1)(port %u)))", port);
    assert_string_equal(f.machine, expected);
    assert_int_equal(strncmp(f.peer, "(TCP ((fd <opaque>) (ip 127.0.0.1) (port ", 41), 0);
}

static void test_unix(void **state)
{
    (void)state;
    char folder[] = "/tmp/conduit-XXXXXX", text[64], expected[160];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/a b", folder);
    meet(text);
    unlink(text + 5);
    rmdir(folder);
    snprintf(expected, sizeof expected, "(Domain_socket ((fd <opaque>) (path \"%s\")))", text + 5);
    assert_string_equal(f.human, expected);
    snprintf(expected, sizeof expected, "(Domain_socket((fd <opaque>)(path\"%s\")))", text + 5);
    assert_string_equal(f.machine, expected);
    assert_string_equal(f.peer, "(Domain_socket ((fd <opaque>) (path \"\")))");
}

static void expect_context(const char *source, const char *human, const char *machine)
{
    struct cdt_flow_options flow = {.size = sizeof flow};
    const struct cdt_context_options options = {.size = sizeof options, .flow = &flow};
    struct cdt_context *context;
    char text[160];
    if (source)
        assert_int_equal(cdt_addr_ip(&flow.source, source, 0), 0);
    assert_int_equal(cdt_context_new(f.reactor, &options, &context), 0);
    assert_int_equal(cdt_context_format(context, CDT_ENDP_HUMAN, text, sizeof text), strlen(human));
    assert_string_equal(text, human);
    assert_int_equal(cdt_context_format(context, CDT_ENDP_MACHINE, text, sizeof text),
                     strlen(machine));
    assert_string_equal(text, machine);
    assert_int_equal(cdt_context_free(context), 0);
}

static void test_contexts(void **state)
{
    (void)state;
    expect_context(NULL, "(() None)", "(()None)");
    expect_context("10.0.0.1", "((\"ADDR_INET(10.0.0.1,0)\") None)",
                   "((\"ADDR_INET(10.0.0.1,0)\")None)");
    expect_context("::1", "((\"ADDR_INET(::1,0)\") None)", "((\"ADDR_INET(::1,0)\")None)");
    assert_int_equal(cdt_context_format(NULL, CDT_ENDP_HUMAN, NULL, 0), -EINVAL);
    assert_int_equal(cdt_context_format(f.context, CDT_ENDP_SHORT, NULL, 0), -EINVAL);
    assert_int_equal(cdt_flow_format(NULL, CDT_ENDP_HUMAN, NULL, 0), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tcp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contexts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
