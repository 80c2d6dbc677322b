/* No free descriptor: accepting pauses and does not spin, says so once a second, and goes on as
 * soon as the library closes a descriptor, or after a while if somebody else did; or it sheds. */
#include "test/support/serve.h"

static int log_lines;

static void count_lines(void *user, enum cdt_log_level level, const char *text)
{
    (void)user;
    (void)level;
    assert_non_null(strstr(text, cdt_strerror(EMFILE)));
    log_lines++;
}

static struct cdt_reactor *quiet_reactor(void)
{
    struct cdt_reactor *reactor = test_reactor();

    log_lines = 0;
    cdt_reactor_set_log(reactor, count_lines, NULL);
    return reactor;
}

static uint64_t turns_of(struct cdt_reactor *reactor)
{
    struct cdt_reactor_counters counters;

    assert_int_equal(cdt_reactor_counters(reactor, &counters), 0);
    return counters.turns;
}

static void run_for(struct cdt_reactor *reactor, uint64_t time)
{
    cdt_reactor_update_time(reactor);
    for (uint64_t end = cdt_reactor_now(reactor) + time; cdt_reactor_now(reactor) < end;)
        cdt_reactor_step(reactor, end - cdt_reactor_now(reactor));
}

/* Lets the reactor make its timer descriptor before there are no more. */
static void warm_up(struct cdt_reactor *reactor)
{
    run_for(reactor, CDT_MS);
}

static void test_pause_without_spinning(void **state)
{
    struct cdt_reactor *reactor = quiet_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[8];

    (void)state;
    serve_tcp(reactor, &serve, &options);
    warm_up(reactor);
    for (int i = 0; i < 4; i++)
        fds[i] = client_connect(&serve.address);
    until(reactor, serve.opened == 4);
    for (int i = 4; i < 8; i++)
        fds[i] = client_connect(&serve.address);
    test_no_more_fds();
    until(reactor, serve.errors == 1); /* the first one at once */
    assert_int_equal(serve.error_status, -EMFILE);
    assert_false(serve.error_has_peer);
    uint64_t turns = turns_of(reactor);
    run_for(reactor, 2500 * CDT_MS);
    assert_in_range(turns_of(reactor) - turns, 1, 20);
    assert_in_range(log_lines, 1, 4);
    assert_in_range(serve.errors, 1, 4);
    assert_int_equal(serve.opened, 4);
    assert_int_equal(serve_counters(&serve).starved, 1);

    /* The library closes one: the first in line has it at once. The socket of the client stays
     * open, so that only one descriptor is free. */
    cdt_reactor_update_time(reactor);
    uint64_t before = cdt_reactor_now(reactor);
    cdt_flow_abort(cdt_server_first(serve.server), 0, NULL);
    until(reactor, serve.opened == 5);
    cdt_reactor_update_time(reactor);
    assert_true(cdt_reactor_now(reactor) - before < 100 * CDT_MS || test_slow());
    settle(reactor);
    assert_int_equal(serve.opened, 5);

    /* Somebody else gives some back: found by trying again. */
    test_more_fds();
    until(reactor, serve.opened == 8);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

/* Two servers in line: each descriptor goes to the next, and stopping the first does no harm. */
static void test_line_for_descriptors(void **state)
{
    struct cdt_reactor *reactor = quiet_reactor();
    struct serve serve[3] = {{0}, {0}, {0}};
    int fds[3][4];

    (void)state;
    for (int s = 0; s < 3; s++) {
        struct cdt_server_options options = serve_options(&serve[s]);
        serve_tcp(reactor, &serve[s], &options);
    }
    warm_up(reactor);
    for (int i = 0; i < 4; i++)
        fds[0][i] = client_connect(&serve[0].address);
    until(reactor, serve[0].opened == 4);
    for (int i = 0; i < 4; i++)
        for (int s = 1; s < 3; s++)
            fds[s][i] = client_connect(&serve[s].address);
    test_no_more_fds();
    until(reactor, serve[1].errors + serve[2].errors > 0);
    settle(reactor);
    for (int i = 0; i < 4; i++) {
        cdt_flow_abort(cdt_server_first(serve[0].server), 0, NULL);
        until(reactor, serve[1].opened + serve[2].opened == i + 1);
    }
    assert_int_equal(serve[1].opened, 2);
    assert_int_equal(serve[2].opened, 2);
    /* The listener that stops frees a descriptor, and its flows do. */
    assert_int_equal(cdt_server_stop(serve[1].server, 0), 0);
    until(reactor, serve[1].stopped && serve[2].opened == 4);
    test_more_fds();
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < 4; i++)
            close(fds[s][i]);
    serve_stop(reactor, &serve[0]);
    serve_stop(reactor, &serve[2]);
    cdt_reactor_free(reactor);
}

static void test_stop_while_starved(void **state)
{
    struct cdt_reactor *reactor = quiet_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);

    (void)state;
    serve_tcp(reactor, &serve, &options);
    warm_up(reactor);
    int fd = client_connect(&serve.address);
    test_no_more_fds();
    until(reactor, serve.errors == 1);
    serve_stop(reactor, &serve);
    test_more_fds();
    close(fd);
    cdt_reactor_free(reactor);
}

static void test_shed(void **state)
{
    unsigned before = test_open_fds();
    struct cdt_reactor *reactor = quiet_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[10];

    (void)state;
    options.shed = true;
    serve_tcp(reactor, &serve, &options);
    warm_up(reactor);
    for (int i = 0; i < 10; i++)
        fds[i] = client_connect(&serve.address);
    test_no_more_fds();
    for (int i = 0; i < 10; i++)
        until(reactor, client_read(fds[i]) == -ECONNRESET);
    settle(reactor);
    assert_int_equal(serve_counters(&serve).shed, 10);
    assert_int_equal(serve_counters(&serve).accepted, 0);
    assert_int_equal(serve.errors, 1); /* once a second */
    assert_int_equal(serve.error_status, -CDT_ESHED);
    assert_true(serve.error_peer.length > 0);
    assert_int_equal(serve_counters(&serve).starved, 0);
    test_more_fds();
    for (int i = 0; i < 10; i++)
        close(fds[i]);
    int fd = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    close(fd);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
    assert_int_equal(test_open_fds(), before);
}

/* Shedding is bounded too. */
static void test_shed_does_not_spin(void **state)
{
    enum { MANY = 300 };
    struct cdt_reactor *reactor = quiet_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[MANY];

    (void)state;
    options.shed = true;
    serve_tcp(reactor, &serve, &options);
    warm_up(reactor);
    for (int i = 0; i < MANY; i++)
        fds[i] = client_connect(&serve.address);
    test_no_more_fds();
    cdt_reactor_update_time(reactor);
    uint64_t begun = cdt_reactor_now(reactor);
    until(reactor, serve_counters(&serve).shed == MANY);
    assert_true(cdt_reactor_now(reactor) - begun >= 350 * CDT_MS); /* 64 in 100 ms */
    test_more_fds();
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause_without_spinning), cmocka_unit_test(test_line_for_descriptors),
        cmocka_unit_test(test_stop_while_starved),     cmocka_unit_test(test_shed),
        cmocka_unit_test(test_shed_does_not_spin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
