/* Limits: arguments, counters, and what they do to servers: never more than the maximum, lowered,
 * raised, unlimited, shared. */
#include "test/support/serve.h"

static void test_arguments(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_limit_counters counters;
    struct cdt_limit *limit;

    (void)state;
    assert_int_equal(cdt_limit_new(NULL, 1, &limit), -EINVAL);
    assert_int_equal(cdt_limit_new(reactor, 1, NULL), -EINVAL);
    assert_int_equal(cdt_limit_set(NULL, 1), -EINVAL);
    assert_int_equal(cdt_limit_counters(NULL, &counters), -EINVAL);
    assert_int_equal(cdt_limit_free(NULL), 0);
    assert_int_equal(cdt_limit_new(reactor, 7, &limit), 0);
    assert_int_equal(cdt_limit_counters(limit, NULL), -EINVAL);
    assert_int_equal(cdt_limit_counters(limit, &counters), 0);
    assert_int_equal(counters.max, 7);
    assert_int_equal(counters.active, 0);
    assert_int_equal(cdt_limit_set(limit, 0), 0);
    assert_int_equal(cdt_limit_free(limit), 0);
    cdt_reactor_free(reactor);
}

static void test_outlives_its_reactor(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_limit_counters counters;
    struct cdt_limit *limit;

    (void)state;
    assert_int_equal(cdt_limit_new(reactor, 7, &limit), 0);
    cdt_reactor_free(reactor);
    assert_int_equal(cdt_limit_set(limit, 1), -EINVAL);
    assert_int_equal(cdt_limit_counters(limit, &counters), -EINVAL);
    assert_int_equal(cdt_limit_free(limit), 0);
}

static void free_limit(struct serve *serve)
{
    assert_int_equal(cdt_limit_free(serve->arg), 0);
}

static void test_busy_while_used(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_stopped = free_limit};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_limit *limit;

    (void)state;
    assert_int_equal(cdt_limit_new(reactor, 7, &limit), 0);
    serve.arg = limit;
    options.limits[1] = options.limits[3] = limit; /* twice is once */
    serve_tcp(reactor, &serve, &options);
    assert_int_equal(cdt_limit_free(limit), -EBUSY);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_foreign_limit(void **state)
{
    struct cdt_reactor *reactor = test_reactor(), *other = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr at;

    (void)state;
    assert_int_equal(cdt_addr_ip(&at, "127.0.0.1", 0), 0);
    assert_int_equal(cdt_limit_new(other, 7, &options.limits[0]), 0);
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, &serve_handler, &serve.server),
                     -EINVAL);
    assert_int_equal(cdt_limit_free(options.limits[0]), 0);
    cdt_reactor_free(other);
    cdt_reactor_free(reactor);
}

enum { CLIENTS = 200 };

/* Each client echoes a byte and leaves. */
static void test_never_more_than_max(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_server_counters counters;
    int fds[CLIENTS], left = CLIENTS;

    (void)state;
    options.max_active = 10;
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client_connect(&serve.address);
    for (int i = 0; i < CLIENTS; i++)
        until(reactor, send(fds[i], "x", 1, MSG_NOSIGNAL) == 1);
    uint64_t end = test_deadline();
    while (left) {
        cdt_reactor_step(reactor, 10 * CDT_MS);
        assert_true(cdt_reactor_now(reactor) < end);
        assert_true(serve.active <= 10);
        for (int i = 0; i < CLIENTS; i++) {
            if (fds[i] < 0 || client_read(fds[i]) != 1)
                continue;
            close(fds[i]);
            fds[i] = -1;
            left--;
        }
    }
    until(reactor, serve.closed == CLIENTS);
    counters = serve_counters(&serve);
    assert_int_equal(counters.accepted, CLIENTS);
    assert_int_equal(counters.closed, CLIENTS);
    assert_int_equal(counters.peak, 10);
    assert_int_equal(counters.max_active, 10);
    assert_true(counters.throttled > 0);
    assert_int_equal(counters.bytes_in, CLIENTS);
    assert_int_equal(counters.bytes_out, CLIENTS);
    assert_int_equal(serve.peak, 10);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_lower_and_raise(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[12];

    (void)state;
    options.max_active = 4;
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < 12; i++)
        fds[i] = client_connect(&serve.address);
    until(reactor, serve.active == 4);
    settle(reactor);
    assert_int_equal(serve.active, 4);

    assert_int_equal(cdt_server_set_max_active(serve.server, 2), 0);
    close(fds[0]);
    close(fds[1]);
    until(reactor, serve.active == 2);
    settle(reactor);
    assert_int_equal(serve.opened, 4); /* nobody new: the limit is full again */
    close(fds[2]);
    until(reactor, serve.opened == 5);
    settle(reactor);
    assert_int_equal(serve.active, 2);

    assert_int_equal(cdt_server_set_max_active(serve.server, 5), 0);
    until(reactor, serve.active == 5);
    settle(reactor);
    assert_int_equal(serve.active, 5);

    assert_int_equal(cdt_server_set_max_active(serve.server, 0), 0);
    until(reactor, serve.opened == 12);
    assert_int_equal(serve_counters(&serve).active, 9);
    assert_int_equal(serve_counters(&serve).max_active, 0);
    serve_stop(reactor, &serve);
    for (int i = 3; i < 12; i++)
        close(fds[i]);
    cdt_reactor_free(reactor);
}

/* Two listeners with clients in line share a limit: neither has more than one turn more. */
static void share_fairly(unsigned max, int clients)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve[2] = {{0}, {0}};
    struct cdt_limit_counters counters;
    struct cdt_limit *limit;
    int fds[2][64];

    assert_int_equal(cdt_limit_new(reactor, max, &limit), 0);
    for (int s = 0; s < 2; s++) {
        struct cdt_server_options options = serve_options(&serve[s]);
        options.limits[0] = limit;
        serve_tcp(reactor, &serve[s], &options);
    }
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < clients; i++)
            fds[s][i] = client_connect(&serve[s].address);
    for (int served = 0; served < 2 * clients; served++) {
        until(reactor, serve[0].active + serve[1].active > 0);
        settle(reactor);
        assert_true(serve[0].active + serve[1].active <= (int)max);
        int s = serve[0].active && (!serve[1].active || serve[0].closed <= serve[1].closed) ? 0 : 1;
        if (serve[0].opened < clients && serve[1].opened < clients && serve[0].closed > (int)max)
            assert_in_range(serve[0].opened - serve[1].opened + (int)max + 1, 0, 2 * max + 2);
        if (max == 1 && serve[0].opened < clients && serve[1].opened < clients)
            assert_in_range(serve[0].opened - serve[1].opened + 1, 0, 2);
        close(fds[s][serve[s].closed]);
        int before = serve[s].closed;
        until(reactor, serve[s].closed > before);
    }
    assert_int_equal(serve[0].closed, clients);
    assert_int_equal(serve[1].closed, clients);
    settle(reactor);
    assert_int_equal(cdt_limit_counters(limit, &counters), 0);
    assert_int_equal(counters.active, 0);
    assert_int_equal(counters.peak, max);
    serve_stop(reactor, &serve[0]);
    serve_stop(reactor, &serve[1]);
    assert_int_equal(cdt_limit_free(limit), 0);
    cdt_reactor_free(reactor);
}

static void test_limit_of_one_alternates(void **state)
{
    (void)state;
    share_fairly(1, 20);
}

static void test_limit_of_five_is_fair(void **state)
{
    (void)state;
    share_fairly(5, 60);
}

/* An idle listener that had its turn must not keep the slot from the other. */
static void test_idle_listener_holds_nothing(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve[2] = {{0}, {0}};
    struct cdt_limit *limit;

    (void)state;
    assert_int_equal(cdt_limit_new(reactor, 1, &limit), 0);
    for (int s = 0; s < 2; s++) {
        struct cdt_server_options options = serve_options(&serve[s]);
        options.limits[0] = limit;
        serve_tcp(reactor, &serve[s], &options);
    }
    int first = client_connect(&serve[0].address);
    until(reactor, serve[0].active == 1);
    int second = client_connect(&serve[0].address); /* server 0 stands in line */
    settle(reactor);
    close(first);
    until(reactor, serve[0].opened == 2);
    close(second);
    until(reactor, serve[0].closed == 2);
    for (int i = 0; i < 10; i++) {
        int fd = client_connect(&serve[1].address);
        until(reactor, serve[1].opened == i + 1);
        close(fd);
        until(reactor, serve[1].closed == i + 1);
    }
    serve_stop(reactor, &serve[0]);
    serve_stop(reactor, &serve[1]);
    cdt_limit_free(limit);
    cdt_reactor_free(reactor);
}

/* The first in line stops just when its turn has come: the next one has it. */
static void test_stop_in_line_passes_the_turn_on(void **state)
{
    (void)state;
    for (int moment = 0; moment < 2; moment++) {
        struct cdt_reactor *reactor = test_reactor();
        struct serve serve[3] = {{0}, {0}, {0}};
        struct cdt_limit_counters counters;
        struct cdt_limit *limit;
        int fds[3];

        assert_int_equal(cdt_limit_new(reactor, 1, &limit), 0);
        for (int s = 0; s < 3; s++) {
            struct cdt_server_options options = serve_options(&serve[s]);
            options.limits[0] = limit;
            serve_tcp(reactor, &serve[s], &options);
            fds[s] = client_connect(&serve[s].address);
            until(reactor, serve[0].active == 1);
            settle(reactor);
        }
        assert_int_equal(cdt_limit_counters(limit, &counters), 0);
        assert_int_equal(counters.waiting, 2);
        assert_int_equal(counters.throttled, 2);
        if (moment == 0) {
            assert_int_equal(cdt_server_stop(serve[1].server, 0), 0);
            close(fds[0]);
            until(reactor, serve[0].closed == 1);
        } else { /* it is woken, and stops before it is served */
            assert_int_equal(cdt_limit_set(limit, 2), 0);
            assert_int_equal(cdt_server_stop(serve[1].server, 0), 0);
        }
        until(reactor, serve[2].opened == 1 && serve[1].stopped);
        assert_int_equal(serve[1].opened, 0);
        for (int s = moment == 0; s < 3; s++)
            close(fds[s]);
        serve_stop(reactor, &serve[0]);
        serve_stop(reactor, &serve[2]);
        cdt_limit_free(limit);
        cdt_reactor_free(reactor);
    }
}

/* A slot that became free goes to the line, not to a newcomer whose event is seen first. */
static void test_newcomer_stands_behind_the_line(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve[3] = {{0}, {0}, {0}};
    struct cdt_limit *limit;
    int fds[3];

    (void)state;
    assert_int_equal(cdt_limit_new(reactor, 1, &limit), 0);
    for (int s = 0; s < 3; s++) {
        struct cdt_server_options options = serve_options(&serve[s]);
        options.limits[0] = limit;
        serve_tcp(reactor, &serve[s], &options);
    }
    for (int s = 0; s < 2; s++) {
        fds[s] = client_connect(&serve[s].address);
        until(reactor, serve[0].opened == 1);
        settle(reactor);
    }
    fds[2] = client_connect(&serve[2].address);
    assert_int_equal(cdt_limit_set(limit, 2), 0);
    until(reactor, serve[1].opened + serve[2].opened > 0);
    settle(reactor);
    assert_int_equal(serve[1].opened, 1);
    assert_int_equal(serve[2].opened, 0);
    close(fds[1]);
    until(reactor, serve[2].opened == 1);
    close(fds[0]);
    close(fds[2]);
    for (int s = 0; s < 3; s++)
        serve_stop(reactor, &serve[s]);
    cdt_limit_free(limit);
    cdt_reactor_free(reactor);
}

/* More than one turn's budget waits when a limit is lifted. */
static void test_lifted_with_many_waiting(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[CLIENTS];

    (void)state;
    options.max_active = 1;
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    settle(reactor);
    assert_int_equal(cdt_server_set_max_active(serve.server, CLIENTS - 1), 0);
    for (int last = 1; serve.opened < CLIENTS - 1; last = serve.opened) {
        assert_true(cdt_reactor_step(reactor, CDT_SECOND) > 0);
        assert_true(serve.opened - last <= 64);
    }
    settle(reactor);
    assert_int_equal(serve.opened, CLIENTS - 1);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    until(reactor, serve.closed == CLIENTS);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_outlives_its_reactor),
        cmocka_unit_test(test_busy_while_used),
        cmocka_unit_test(test_foreign_limit),
        cmocka_unit_test(test_never_more_than_max),
        cmocka_unit_test(test_lower_and_raise),
        cmocka_unit_test(test_limit_of_one_alternates),
        cmocka_unit_test(test_limit_of_five_is_fair),
        cmocka_unit_test(test_idle_listener_holds_nothing),
        cmocka_unit_test(test_stop_in_line_passes_the_turn_on),
        cmocka_unit_test(test_newcomer_stands_behind_the_line),
        cmocka_unit_test(test_lifted_with_many_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
