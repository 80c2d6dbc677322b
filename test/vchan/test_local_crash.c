/* Processes that are killed: the other side reads what they have written, then hears of a reset, at
 * once; and after many that came and went, some of them killed anywhere on their way, no page, no
 * descriptor and no name is left. CDT_TEST_CYCLES says how many (10000 for the whole test). */
#include "test/vchan/meeting.h"

/* ---- one that is killed ---------------------------------------------------------------------- */

static void write_and_die(struct probe *probe)
{
    cdt_flow_write_nodelay(probe->flow, "last words", 10, NULL, NULL);
    raise(SIGKILL);
}

static void client_that_dies(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {.on_open = write_and_die};
    (void)tell;
    start_client(reactor, &probe);
    cdt_reactor_run(reactor);
}

static size_t heard;

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow, (void)data;
    heard += length;
}

static void on_close(struct cdt_flow *flow, int status)
{
    serve_of(flow)->closed++;
    serve_of(flow)->error_status = status;
}

static const struct cdt_handler listener = {
    .size = sizeof listener, .on_read = on_read, .on_close = on_close};

static void test_client_killed(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};

    (void)state;
    served_by = &listener;
    serve_here(reactor, &serve, 0, 0);
    for (int i = 0; i < 10; i++) {
        const struct child child = start_child(client_that_dies);
        heard = 0;
        until(reactor, serve.closed == i + 1);
        assert_int_equal(heard, 10);
        assert_int_equal(serve.error_status, -ECONNRESET);
        kill_child(child.pid);
        close(child.says);
    }
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
    assert_int_equal(count_rings(), 0);
}

/* Killed while nothing moves: what tells is the kernel, not a byte. */
static void client_that_stays(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    start_client(reactor, &probe);
    until(reactor, probe.opened);
    say(tell);
    cdt_reactor_run(reactor);
}

static void test_idle_client_killed(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    const struct child child = start_child(client_that_stays);
    until(reactor, serve.opened == 1);
    hear_child(&child);
    settle(reactor);
    const uint64_t before = test_now();
    kill_child(child.pid);
    until(reactor, serve.closed == 1);
    assert_int_equal(serve.error_status, -ECONNRESET);
    if (!test_slow())
        assert_in_range(test_now() - before, 0, CDT_SECOND);
    close(child.says);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

static void die_of(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    cdt_flow_write_nodelay(flow, "last words", 10, NULL, NULL);
    raise(SIGKILL);
}

static void server_that_dies(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_open = die_of};
    serve_here(reactor, &serve, 0, 0);
    say(tell);
    cdt_reactor_run(reactor);
}

static void test_server_killed(void **state)
{
    struct cdt_reactor *reactor = test_reactor();

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct probe probe = {0};
        const struct child child = start_child(server_that_dies);
        hear_child(&child);
        start_client(reactor, &probe);
        until(reactor, probe.closed || probe.eofs);
        assert_true(probe_has(&probe, "last words", 10));
        assert_int_equal(probe.eofs, 0);
        assert_int_equal(probe.status, -ECONNRESET);
        probe_free(&probe);
        kill_child(child.pid);
        close(child.says);
    }
    test_end(reactor, NULL, 0);
}

/* A writer that waits for room hears of it, too. */
static void test_reader_killed(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    char block[10000] = {0};

    (void)state;
    served_by = &listener;
    serve_here(reactor, &serve, 0, 0);
    const struct child child = start_child(client_that_stays);
    until(reactor, serve_counters(&serve).active == 1);
    hear_child(&child);
    kill(child.pid, SIGSTOP);
    assert_int_equal(cdt_flow_write(cdt_server_first(serve.server), block, sizeof block), 0);
    settle(reactor);
    assert_int_equal(serve.closed, 0);
    kill_child(child.pid);
    until(reactor, serve.closed == 1);
    assert_int_equal(serve.error_status, -ECONNRESET);
    close(child.says);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

/* ---- many that come and go ------------------------------------------------------------------- */

enum { AT_ONCE = 8 };

/* What a client does: one of these, with a little chance in it. */
enum { LEAVE_CONNECTING, DIE_CONNECTING, DIE_OPEN, DIE_WRITING, DIE_ECHOED, ABORT, CLOSE, PLANS };

struct visit {
    unsigned plan, steps;
    struct probe probe;
};

static void visit_opened(struct probe *probe)
{
    const struct visit *visit = probe->arg;
    if (visit->plan == DIE_OPEN)
        raise(SIGKILL);
    cdt_flow_write(probe->flow, "hello", 5);
    if (visit->plan == DIE_WRITING) {
        cdt_flow_flush(probe->flow);
        raise(SIGKILL);
    }
}

static void visit_read(struct probe *probe, const void *data, size_t length)
{
    const struct visit *visit = probe->arg;
    (void)data, (void)length;
    if (probe->length < 5)
        return;
    if (visit->plan == DIE_ECHOED)
        raise(SIGKILL);
    if (visit->plan == ABORT)
        cdt_flow_abort(probe->flow, 0, NULL);
    else
        cdt_flow_close(probe->flow);
}

/* What a child does. */
static void go_there(unsigned random)
{
    struct cdt_reactor *reactor = test_reactor();
    struct visit visit = {.plan = random % PLANS, .steps = random / PLANS % 8};
    visit.probe = (struct probe){.on_open = visit_opened, .on_read = visit_read, .arg = &visit};
    start_client(reactor, &visit.probe);
    if (visit.plan <= DIE_CONNECTING) {
        for (unsigned i = 0; i < visit.steps && !visit.probe.opened; i++)
            cdt_reactor_step(reactor, CDT_MS);
        if (visit.plan == DIE_CONNECTING)
            raise(SIGKILL);
        _exit(0);
    }
    until(reactor, visit.probe.closed);
    _exit(visit.plan == CLOSE && visit.probe.status ? 1 : 0);
}

static unsigned cycles(void)
{
    const char *wanted = getenv("CDT_TEST_CYCLES");
    return wanted ? (unsigned)atoi(wanted) : test_slow() ? 100 : 2000;
}

/* A client of ours is over: as it should be. */
static void check_end(int status)
{
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGKILL);
    else
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* As many as may be there at once, until all have been. */
static void let_them_come(struct cdt_reactor *reactor, unsigned seed)
{
    unsigned started = 0, ended = 0;
    while (ended < cycles()) {
        int status;
        while (started < cycles() && started - ended < AT_ONCE) {
            const unsigned random = (unsigned)rand_r(&seed);
            const pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0)
                go_there(random);
            started++;
        }
        cdt_reactor_step(reactor, CDT_MS);
        while (waitpid(-1, &status, WNOHANG) > 0) {
            check_end(status);
            ended++;
        }
    }
}

static void test_cycles(void **state)
{
    const unsigned seed = test_seed();
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};

    (void)state;
    serve_here(reactor, &serve, 65536, 0);
    const unsigned fds = test_open_fds();
    const int files = count_files(folder);
    let_them_come(reactor, seed);
    until(reactor, serve_counters(&serve).active == 0);
    settle(reactor);
    const struct cdt_server_counters counters = serve_counters(&serve);
    print_message("%u clients: %lu flows, %lu of them ended in order; left behind %d\n", cycles(),
                  (unsigned long)counters.accepted, (unsigned long)counters.closed,
                  (int)test_open_fds() - (int)fds + count_files(folder) - files + count_rings());
    assert_int_equal(test_open_fds(), fds);
    assert_int_equal(count_files(folder), files);
    assert_int_equal(count_rings(), 0);
    assert_true(counters.accepted >= cycles() / 2);

    start_client(reactor, &probe); /* and the server serves as ever */
    until(reactor, probe.opened);
    echo_pattern(reactor, &probe, 1000);
    serve_stop(reactor, &serve);
    until(reactor, probe.closed);
    test_end(reactor, &probe, 1);
    assert_int_equal(count_files(folder), 0);
}

/* Servers that are killed leave a socket; the next one takes its place, and nothing piles up. */
static void test_servers_come_and_go(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    int files = 0;

    (void)state;
    for (unsigned i = 0; i < (test_slow() ? 5 : 20); i++) {
        struct probe probe = {0};
        const struct child child = start_child(server_that_dies);
        hear_child(&child);
        start_client(reactor, &probe);
        until(reactor, probe.closed);
        probe_free(&probe);
        kill_child(child.pid);
        close(child.says);
        if (i == 0)
            files = count_files(folder);
        assert_int_equal(count_files(folder), files);
    }
    serve_here(reactor, &serve, 0, 0);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
    assert_int_equal(count_files(folder), 0);
}

enum { RIVALS = 4 };

/* Serves and stops, again and again: another one may be there, and nothing else may go wrong. */
static void serve_in_turn(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    const int rounds = test_slow() ? 20 : 100;
    for (int i = 0; i < rounds; i++) {
        struct serve serve = {0};
        const struct cdt_vchan_options vchan = here(0, 0);
        const struct cdt_server_options options = serve_options(&serve);
        const int status = try_to_serve(reactor, &serve, &vchan, &options);
        if (status != 0 && status != -EADDRINUSE)
            fail_msg("%s", serve.listen_text);
        if (status == 0)
            serve_stop(reactor, &serve);
        until(reactor, serve.stopped);
    }
    say(tell);
    cdt_reactor_free(reactor);
}

/* Folders are made by one and removed by another, and clients find whoever serves. */
static void test_servers_race(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct child children[RIVALS];
    int status;

    (void)state;
    for (int i = 0; i < RIVALS; i++)
        children[i] = start_child(serve_in_turn);
    for (int i = 0; i < 20; i++) {
        struct probe probe = {0};
        start_client(reactor, &probe);
        for (int j = 0; j < 50 && !probe.closed; j++)
            cdt_reactor_step(reactor, CDT_MS);
        if (!probe.closed)
            cdt_flow_abort(probe.flow, 0, NULL);
        until(reactor, probe.closed);
        assert_true(probe.status == 0 || probe.status == -ECONNRESET);
        probe_free(&probe);
    }
    for (int i = 0; i < RIVALS; i++) {
        hear_child(&children[i]);
        close(children[i].says);
        assert_int_equal(waitpid(children[i].pid, &status, 0), children[i].pid);
        assert_int_equal(status, 0);
    }
    test_end(reactor, NULL, 0);
    assert_int_equal(count_files(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        meeting_test(test_client_killed), meeting_test(test_idle_client_killed),
        meeting_test(test_server_killed), meeting_test(test_reader_killed),
        meeting_test(test_cycles),        meeting_test(test_servers_come_and_go),
        meeting_test(test_servers_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
