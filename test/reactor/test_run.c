/* Running: run, step, stop, prepare in a foreign loop, and what is refused inside a callback. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "test/reactor/support.h"

static struct cdt_reactor *reactor;
static int calls;

static void on_timer(struct cdt_timer *timer)
{
    (void)timer;
    calls++;
}

static void on_stop(struct cdt_timer *timer)
{
    cdt_timer_set(reactor, timer, 0);
    if (++calls == 3)
        assert_int_equal(cdt_reactor_stop(reactor), 0);
}

static void stop_before_run(void **state)
{
    reactor = *state;
    assert_int_equal(cdt_reactor_stop(reactor), 0);
    assert_int_equal(cdt_reactor_run(reactor), 0);
    assert_int_equal(support_counters(reactor).turns, 0);
}

static void stop_from_a_callback(void **state)
{
    struct cdt_timer timer = {.fn = on_stop};

    reactor = *state;
    calls = 0;
    cdt_timer_set(reactor, &timer, 0);
    assert_int_equal(cdt_reactor_run(reactor), 0);
    assert_int_equal(calls, 3);
    assert_int_equal(support_counters(reactor).turns, 3);
    calls = 0;
    assert_int_equal(cdt_reactor_run(reactor), 0);
    assert_int_equal(calls, 3);
    cdt_timer_cancel(&timer);
}

static void refuse_all(void)
{
    uint64_t timeout;

    assert_int_equal(cdt_reactor_run(reactor), -EBUSY);
    assert_int_equal(cdt_reactor_step(reactor, 0), -EBUSY);
    assert_int_equal(cdt_reactor_free(reactor), -EBUSY);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), -EBUSY);
    calls++;
}

static void in_timer(struct cdt_timer *timer)
{
    (void)timer;
    refuse_all();
}

static void in_deferred(struct cdt_deferred *deferred)
{
    (void)deferred;
    refuse_all();
}

static void in_post(struct cdt_post *post)
{
    (void)post;
    refuse_all();
}

static void in_hook(struct cdt_hook *hook)
{
    (void)hook;
    refuse_all();
}

static void in_watch(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    refuse_all();
}

static void busy_inside_callbacks(void **state)
{
    struct cdt_timer timer = {.fn = in_timer};
    struct cdt_deferred deferred = {.fn = in_deferred};
    struct cdt_post post = {.fn = in_post};
    struct cdt_hook before = {.fn = in_hook}, after = {.fn = in_hook};
    struct cdt_watch watch = {.fn = in_watch};
    uint64_t timeout;
    int fd = eventfd(1, EFD_CLOEXEC);

    reactor = *state;
    calls = 0;
    cdt_timer_set(reactor, &timer, 0);
    cdt_defer(reactor, &deferred);
    cdt_reactor_post(reactor, &post);
    cdt_hook_add(reactor, &before, CDT_BEFORE_WAIT);
    cdt_hook_add(reactor, &after, CDT_AFTER_WAIT);
    cdt_watch_add(reactor, &watch, fd, CDT_READ);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout == 0);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 4);
    assert_int_equal(calls, 6);
    cdt_hook_remove(&before);
    cdt_hook_remove(&after);
    cdt_watch_remove(&watch);
    close(fd);
}

static void step_waits_as_long_as_told(void **state)
{
    uint64_t start = support_clock();

    reactor = *state;
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(cdt_reactor_step(reactor, 3 * CDT_MS), 0);
    assert_true(support_clock() - start >= 3 * CDT_MS);
    start = support_clock();
    assert_int_equal(cdt_reactor_step(reactor, 1), 0);
    assert_int_equal(cdt_reactor_step(reactor, 10 * CDT_US), 0);
    assert_true(support_clock() - start >= 10 * CDT_US);
}

/* A poll loop drives the reactor: it sleeps exactly when the reactor lets it. */
static void inside_a_poll_loop(void **state)
{
    const uint64_t delay = 50 * CDT_MS; /* more than all that is done meanwhile */
    struct cdt_timer timer = {.fn = on_timer}, later = {.fn = on_timer};
    struct pollfd poll_fd;
    uint64_t timeout, start = support_clock();

    reactor = *state;
    poll_fd = (struct pollfd){.fd = cdt_reactor_fd(reactor), .events = POLLIN};
    calls = 0;
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout == CDT_NEVER);
    cdt_timer_set(reactor, &timer, delay);
    cdt_timer_set(reactor, &later, 100 * CDT_SECOND);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout > 0 && timeout < delay + 10 * CDT_US);
    while (calls == 0) {
        assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
        assert_true(timeout <= LONG_ENOUGH);
        poll(&poll_fd, 1, (int)((timeout + CDT_MS - 1) / CDT_MS));
        assert_true(cdt_reactor_step(reactor, 0) >= 0);
    }
    assert_true(support_clock() - start >= delay);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout > 90 * CDT_SECOND && timeout <= 100 * CDT_SECOND + 10 * CDT_US);
    cdt_timer_set(reactor, &timer, 0);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout == 0);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    cdt_timer_cancel(&later);
}

static void busy_poll_waits_without_sleeping(void **state)
{
    struct cdt_reactor_options options = {.size = sizeof options, .busy_poll = CDT_SECOND};
    struct cdt_timer timer = {.fn = on_timer};
    struct cdt_reactor *spinning;
    uint64_t timeout;

    (void)state;
    options.count_time = true;
    calls = 0;
    assert_int_equal(cdt_reactor_new(&options, &spinning), 0);
    cdt_timer_set(spinning, &timer, CDT_MS);
    assert_int_equal(cdt_reactor_step(spinning, CDT_NEVER), 1);
    assert_int_equal(cdt_reactor_step(spinning, CDT_MS), 0);
    assert_int_equal(cdt_reactor_prepare(spinning, &timeout), 0);
    assert_true(timeout == CDT_NEVER);
    assert_int_equal(cdt_reactor_step(spinning, CDT_MS), 0);
    assert_true(support_counters(spinning).asleep == 0);
    assert_true(support_counters(spinning).waits > 2);
    assert_int_equal(cdt_reactor_free(spinning), 0);
}

static void counters_count(void **state)
{
    struct cdt_reactor_options options = {.size = sizeof options, .count_time = true};
    struct cdt_reactor_counters counters;
    struct cdt_timer timer = {.fn = on_timer};
    struct cdt_reactor *counting;

    (void)state;
    assert_int_equal(cdt_reactor_new(&options, &counting), 0);
    cdt_timer_set(counting, &timer, 5 * CDT_MS);
    assert_int_equal(cdt_reactor_step(counting, CDT_NEVER), 1);
    counters = support_counters(counting);
    assert_int_equal(counters.timers, 1);
    assert_int_equal(counters.events, 0);
    assert_int_equal(counters.wakeups, 0);
    assert_true(counters.asleep > 2 * CDT_MS);
    assert_true(counters.turns >= 1 && counters.waits >= counters.turns);
    assert_int_equal(cdt_reactor_free(counting), 0);
}

static void options_by_size(void **state)
{
    struct {
        struct cdt_reactor_options options;
        uint64_t unknown;
    } newer = {.options.size = sizeof newer};
    struct cdt_reactor_options older = {.size = offsetof(struct cdt_reactor_options, max_events)};
    struct cdt_reactor *made;

    (void)state;
    older.max_events = 100000;
    assert_int_equal(cdt_reactor_new(&older, &made), 0);
    cdt_reactor_free(made);
    older.size = sizeof older;
    assert_int_equal(cdt_reactor_new(&older, &made), -EINVAL);
    older.size = 0;
    assert_int_equal(cdt_reactor_new(&older, &made), -EINVAL);
    assert_int_equal(cdt_reactor_new(&newer.options, &made), 0);
    cdt_reactor_free(made);
    newer.unknown = 1;
    assert_int_equal(cdt_reactor_new(&newer.options, &made), -EINVAL);
}

static void on_one(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    calls++;
}

static void batch_of_one(void **state)
{
    struct cdt_reactor_options options = {.size = sizeof options, .max_events = 1};
    struct cdt_watch watches[3] = {{.fn = on_one}, {.fn = on_one}, {.fn = on_one}};
    struct cdt_reactor *narrow;
    int fds[3];

    (void)state;
    calls = 0;
    assert_int_equal(cdt_reactor_new(&options, &narrow), 0);
    for (int i = 0; i < 3; i++) {
        fds[i] = eventfd(1, EFD_CLOEXEC);
        assert_int_equal(cdt_watch_add(narrow, &watches[i], fds[i], CDT_READ), 0);
    }
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(cdt_reactor_step(narrow, CDT_NEVER), 1);
        assert_int_equal(calls, i);
    }
    assert_int_equal(cdt_reactor_free(narrow), 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(stop_before_run),       WITH_REACTOR(stop_from_a_callback),
        WITH_REACTOR(busy_inside_callbacks), WITH_REACTOR(step_waits_as_long_as_told),
        WITH_REACTOR(inside_a_poll_loop),    WITH_REACTOR(busy_poll_waits_without_sleeping),
        WITH_REACTOR(counters_count),        WITH_REACTOR(options_by_size),
        WITH_REACTOR(batch_of_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
