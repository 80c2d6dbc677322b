/* Wrong arguments give -EINVAL and change nothing; calls on what was never added give 0. */
#include "test/reactor/support.h"

static void nothing_is_given(void **state)
{
    struct cdt_watch watch = {0};
    struct cdt_timer timer = {0};
    struct cdt_signal caught = {0};
    struct cdt_child child = {0};
    struct cdt_deferred deferred = {0};
    struct cdt_post post = {0};
    struct cdt_hook hook = {0};
    struct cdt_reactor_counters counters;
    uint64_t timeout;
    const int results[] = {
        cdt_reactor_new(NULL, NULL),
        cdt_reactor_run(NULL),
        cdt_reactor_step(NULL, 0),
        cdt_reactor_stop(NULL),
        cdt_reactor_prepare(NULL, &timeout),
        cdt_reactor_prepare(*state, NULL),
        cdt_reactor_fd(NULL),
        cdt_reactor_update_time(NULL),
        cdt_reactor_set_log(NULL, NULL, NULL),
        cdt_reactor_counters(NULL, &counters),
        cdt_reactor_counters(*state, NULL),
        cdt_watch_add(NULL, &watch, 0, CDT_READ),
        cdt_watch_add(*state, NULL, 0, CDT_READ),
        cdt_watch_add(*state, &watch, 0, CDT_READ),
        cdt_watch_modify(NULL, CDT_READ),
        cdt_watch_modify(&watch, CDT_READ),
        cdt_watch_remove(NULL),
        cdt_timer_set(NULL, &timer, 0),
        cdt_timer_set(*state, NULL, 0),
        cdt_timer_set(*state, &timer, 0),
        cdt_timer_set_at(NULL, &timer, 0),
        cdt_timer_set_at(*state, NULL, 0),
        cdt_timer_set_at(*state, &timer, 0),
        cdt_timer_cancel(NULL),
        cdt_signal_add(NULL, &caught, 10),
        cdt_signal_add(*state, NULL, 10),
        cdt_signal_add(*state, &caught, 10),
        cdt_signal_remove(NULL),
        cdt_child_add(NULL, &child, 1),
        cdt_child_add(*state, NULL, 1),
        cdt_child_add(*state, &child, 1),
        cdt_child_remove(NULL),
        cdt_defer(NULL, &deferred),
        cdt_defer(*state, NULL),
        cdt_defer(*state, &deferred),
        cdt_defer_cancel(NULL),
        cdt_reactor_post(NULL, &post),
        cdt_reactor_post(*state, NULL),
        cdt_reactor_post(*state, &post),
        cdt_hook_add(NULL, &hook, CDT_BEFORE_WAIT),
        cdt_hook_add(*state, NULL, CDT_BEFORE_WAIT),
        cdt_hook_add(*state, &hook, CDT_BEFORE_WAIT),
        cdt_hook_remove(NULL),
    };

    for (size_t i = 0; i < COUNT(results); i++) {
        if (results[i] != -EINVAL)
            print_message("call %zu\n", i);
        assert_int_equal(results[i], -EINVAL);
    }
    assert_false(cdt_timer_is_set(NULL));
    assert_true(cdt_reactor_now(NULL) == 0);
    assert_int_equal(cdt_reactor_free(NULL), 0);
    assert_int_equal(cdt_reactor_step(*state, 0), 0);
}

static void on_watch(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
}

static void on_hook(struct cdt_hook *hook)
{
    (void)hook;
}

static void values_out_of_range(void **state)
{
    struct cdt_watch watch = {.fn = on_watch};
    struct cdt_hook hook = {.fn = on_hook};

    assert_int_equal(cdt_watch_add(*state, &watch, 0, CDT_HANGUP), -EINVAL);
    assert_int_equal(cdt_watch_add(*state, &watch, 0, 256), -EINVAL);
    assert_int_equal(cdt_hook_add(*state, &hook, (enum cdt_hook_point)2), -EINVAL);
    assert_int_equal(cdt_watch_add(*state, &watch, cdt_reactor_fd(*state), CDT_READ), -EINVAL);
}

static void never_added(void **state)
{
    struct cdt_watch watch = {0};
    struct cdt_timer timer = {0};
    struct cdt_signal caught = {0};
    struct cdt_child child = {0};
    struct cdt_deferred deferred = {0};
    struct cdt_hook hook = {0};

    (void)state;
    assert_int_equal(cdt_watch_remove(&watch), 0);
    assert_int_equal(cdt_timer_cancel(&timer), 0);
    assert_int_equal(cdt_signal_remove(&caught), 0);
    assert_int_equal(cdt_child_remove(&child), 0);
    assert_int_equal(cdt_defer_cancel(&deferred), 0);
    assert_int_equal(cdt_hook_remove(&hook), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(nothing_is_given),
        WITH_REACTOR(values_out_of_range),
        WITH_REACTOR(never_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
