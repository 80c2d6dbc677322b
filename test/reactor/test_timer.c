/* Timers of a running reactor: never early, in order, safe to change from each other's
 * callbacks. */
#include <string.h>
#include <sys/eventfd.h>

#include "test/reactor/support.h"

static struct cdt_reactor *reactor;
static char order[64];

struct named {
    struct cdt_timer timer;
    uint64_t due;
    char name;
    struct named *other;
    uint64_t delay;
};

static void note(char name)
{
    order[strlen(order)] = name;
}

static void on_named(struct cdt_timer *timer)
{
    struct named *named = cdt_container_of(timer, struct named, timer);

    assert_false(cdt_timer_is_set(timer));
    assert_true(cdt_reactor_now(reactor) >= named->due);
    assert_true(support_clock() >= named->due);
    note(named->name);
}

static void begin(void **state)
{
    reactor = *state;
    memset(order, 0, sizeof order);
}

static void run_all(struct named *named, size_t count)
{
    for (size_t i = 0; i < count; i++)
        while (cdt_timer_is_set(&named[i].timer))
            assert_true(cdt_reactor_step(reactor, LONG_ENOUGH) > 0);
}

static void in_order_and_never_early(void **state)
{
    static const uint64_t delays[] = {3 * CDT_MS, 20 * CDT_US, 0, CDT_MS, 200 * CDT_US, 1};
    struct named named[COUNT(delays)] = {0};

    begin(state);
    for (size_t i = 0; i < COUNT(delays); i++) {
        named[i].timer.fn = on_named;
        named[i].name = (char)('a' + i);
        named[i].due = cdt_reactor_now(reactor) + delays[i];
        assert_int_equal(cdt_timer_set(reactor, &named[i].timer, delays[i]), 0);
        assert_true(cdt_timer_is_set(&named[i].timer));
    }
    run_all(named, COUNT(named));
    assert_string_equal(order, "cfbeda");
}

static void equal_deadlines_in_order_of_setting(void **state)
{
    struct named named[20] = {0};
    uint64_t deadline;

    begin(state);
    deadline = cdt_reactor_now(reactor) + 2 * CDT_MS;
    for (size_t i = 0; i < COUNT(named); i++) {
        named[i].timer.fn = on_named;
        named[i].name = (char)('a' + i);
        assert_int_equal(cdt_timer_set_at(reactor, &named[i].timer, deadline), 0);
    }
    run_all(named, COUNT(named));
    assert_string_equal(order, "abcdefghijklmnopqrst");
}

static void on_again(struct cdt_timer *timer)
{
    note('t');
    cdt_timer_set(reactor, timer, 0);
}

static void on_readable(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    note('w');
}

static void zero_delay_does_not_starve_io(void **state)
{
    struct cdt_timer timer = {.fn = on_again};
    struct cdt_watch watch = {.fn = on_readable};
    int fd = eventfd(1, EFD_CLOEXEC);

    begin(state);
    cdt_timer_set(reactor, &timer, 0);
    assert_int_equal(cdt_watch_add(reactor, &watch, fd, CDT_READ), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 2);
    assert_string_equal(order, "wtwtwtwt");
    cdt_timer_cancel(&timer);
    cdt_watch_remove(&watch);
    close(fd);
}

static void past_deadline_fires_in_the_next_turn(void **state)
{
    struct named named = {.timer.fn = on_named, .name = 'a'};

    begin(state);
    assert_int_equal(cdt_timer_set_at(reactor, &named.timer, 1), 0);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(cdt_timer_set_at(reactor, &named.timer, 0), 0);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_string_equal(order, "aa");
}

static void on_cancel_other(struct cdt_timer *timer)
{
    struct named *named = cdt_container_of(timer, struct named, timer);

    note(named->name);
    if (named->delay == CDT_NEVER)
        assert_int_equal(cdt_timer_cancel(&named->other->timer), 0);
    else
        assert_int_equal(cdt_timer_set(reactor, &named->other->timer, named->delay), 0);
}

/* a cancels b, which is due in the same turn; c moves d into the future; e sets itself again. */
static void changed_from_callbacks(void **state)
{
    struct named n[5] = {0};
    uint64_t deadline;

    begin(state);
    deadline = cdt_reactor_now(reactor) + 100 * CDT_US;
    for (size_t i = 0; i < COUNT(n); i++) {
        n[i].timer.fn = i % 2 ? on_named : on_cancel_other;
        n[i].name = (char)('a' + i);
        cdt_timer_set_at(reactor, &n[i].timer, deadline);
    }
    n[0].other = &n[1];
    n[0].delay = CDT_NEVER;
    n[2].other = &n[3];
    n[2].delay = 500 * CDT_US;
    n[4].other = &n[4];
    n[4].delay = LONG_ENOUGH; /* whatever else this machine is doing */
    while (!strchr(order, 'd'))
        assert_true(cdt_reactor_step(reactor, LONG_ENOUGH) > 0);
    assert_string_equal(order, "aced");
    assert_false(cdt_timer_is_set(&n[1].timer));
    assert_true(cdt_timer_is_set(&n[4].timer));
    assert_int_equal(cdt_timer_set(reactor, &n[4].timer, CDT_NEVER), 0);
    assert_false(cdt_timer_is_set(&n[4].timer));
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
}

static void on_free(struct cdt_timer *timer)
{
    note('f');
    free(cdt_container_of(timer, struct named, timer));
}

static void memory_may_be_freed_in_the_callback(void **state)
{
    begin(state);
    for (int i = 0; i < 3; i++) {
        struct named *named = calloc(1, sizeof *named);

        assert_non_null(named);
        named->timer.fn = on_free;
        cdt_timer_set(reactor, &named->timer, 50 * CDT_US);
    }
    while (strlen(order) < 3)
        assert_true(cdt_reactor_step(reactor, LONG_ENOUGH) > 0);
}

/* The alarm of the cancelled timer must not end the wait for the other one. */
static void cancelled_timer_is_not_waited_for(void **state)
{
    struct named gone = {.timer.fn = on_named, .name = 'x'};
    struct named kept = {.timer.fn = on_named, .name = 'k'};

    begin(state);
    cdt_timer_set(reactor, &gone.timer, 20 * CDT_MS);
    assert_int_equal(cdt_reactor_step(reactor, 100 * CDT_US), 0);
    cdt_timer_cancel(&gone.timer);
    kept.due = cdt_reactor_now(reactor) + 40 * CDT_MS;
    cdt_timer_set_at(reactor, &kept.timer, kept.due);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_string_equal(order, "k");
}

static void moves_between_reactors(void **state)
{
    struct named named = {.timer.fn = on_named, .name = 'm'};
    struct cdt_reactor *second;

    begin(state);
    assert_int_equal(cdt_reactor_new(NULL, &second), 0);
    cdt_timer_set(second, &named.timer, 0);
    cdt_timer_set(reactor, &named.timer, 0);
    assert_int_equal(cdt_reactor_step(second, 0), 0);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    assert_int_equal(cdt_reactor_free(second), 0);
}

static void on_update(struct cdt_timer *timer)
{
    uint64_t before = cdt_reactor_now(reactor), real;

    (void)timer;
    do {
        real = support_clock();
    } while (real < before + 100 * CDT_US);
    assert_true(cdt_reactor_now(reactor) == before);
    assert_int_equal(cdt_reactor_update_time(reactor), 0);
    assert_true(cdt_reactor_now(reactor) >= real);
}

static void clock_stands_still_in_a_turn(void **state)
{
    struct cdt_timer timer = {.fn = on_update};

    begin(state);
    cdt_timer_set(reactor, &timer, 0);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
}

static void freeing_the_reactor_forgets_timers(void **state)
{
    struct cdt_timer timer = {.fn = on_update}, past = {.fn = on_update};
    struct cdt_reactor *second;

    (void)state;
    assert_int_equal(cdt_reactor_new(NULL, &second), 0);
    cdt_timer_set(second, &timer, CDT_SECOND);
    cdt_timer_set(second, &past, 0);
    assert_int_equal(cdt_reactor_free(second), 0);
    assert_false(cdt_timer_is_set(&timer));
    assert_int_equal(cdt_timer_cancel(&timer), 0);
    assert_int_equal(cdt_timer_cancel(&past), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(in_order_and_never_early),
        WITH_REACTOR(equal_deadlines_in_order_of_setting),
        WITH_REACTOR(zero_delay_does_not_starve_io),
        WITH_REACTOR(past_deadline_fires_in_the_next_turn),
        WITH_REACTOR(changed_from_callbacks),
        WITH_REACTOR(memory_may_be_freed_in_the_callback),
        WITH_REACTOR(cancelled_timer_is_not_waited_for),
        WITH_REACTOR(moves_between_reactors),
        WITH_REACTOR(clock_stands_still_in_a_turn),
        WITH_REACTOR(freeing_the_reactor_forgets_timers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
