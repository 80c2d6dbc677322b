/* The wait without what newer kernels offer, and with system calls that fail. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "test/reactor/support.h"

/* In the place of the C library's; each can be told to fail. */
static int timerfd_error, settime_error, pwait2_error, wait_error, create_error, eventfd_error;
static int settime_calls, wait_failures;

static int fails(int error)
{
    errno = error;
    return error != 0;
}

int timerfd_create(int clock, int flags)
{
    return fails(timerfd_error) ? -1 : (int)syscall(SYS_timerfd_create, clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
    settime_calls++;
    return fails(settime_error) ? -1 : (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
}

int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout,
                 const sigset_t *mask)
{
    if (fails(pwait2_error))
        return -1;
    return (int)syscall(SYS_epoll_pwait2, fd, events, count, timeout, mask, 8);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    if (wait_failures > 0 && wait_failures-- && fails(wait_error))
        return -1;
    return (int)syscall(SYS_epoll_pwait, fd, events, count, timeout, NULL, 8);
}

int epoll_create1(int flags)
{
    return fails(create_error) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int eventfd(unsigned value, int flags)
{
    return fails(eventfd_error) ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}

static struct cdt_reactor *reactor;
static int calls;

static int setup(void **state)
{
    timerfd_error = settime_error = pwait2_error = wait_error = create_error = eventfd_error = 0;
    settime_calls = wait_failures = calls = 0;
    if (support_setup(state))
        return -1;
    reactor = *state;
    return 0;
}

static void on_timer(struct cdt_timer *timer)
{
    (void)timer;
    calls++;
}

static void timer_takes(uint64_t delay)
{
    struct cdt_timer timer = {.fn = on_timer};
    uint64_t start = support_clock();

    cdt_timer_set(reactor, &timer, delay);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    assert_int_equal(calls, 1);
    assert_true(support_clock() - start >= delay);
}

static void no_timerfd(void **state)
{
    (void)state;
    timerfd_error = EMFILE;
    timer_takes(2 * CDT_MS);
    assert_int_equal(settime_calls, 0);
    calls = 0;
    timerfd_error = 0; /* and later there is one */
    timer_takes(2 * CDT_MS);
    assert_true(settime_calls > 0);
}

static void timerfd_cannot_be_set(void **state)
{
    (void)state;
    settime_error = EINVAL;
    timer_takes(2 * CDT_MS);
}

static void neither_timerfd_nor_pwait2(void **state)
{
    (void)state;
    timerfd_error = ENFILE;
    pwait2_error = ENOSYS;
    timer_takes(1500 * CDT_US);
}

static void no_pwait2(void **state)
{
    uint64_t start = support_clock();

    (void)state;
    pwait2_error = ENOSYS;
    assert_int_equal(cdt_reactor_step(reactor, 1500 * CDT_US), 0);
    assert_true(support_clock() - start >= 1500 * CDT_US);
    pwait2_error = EIO; /* not asked again */
    assert_int_equal(cdt_reactor_step(reactor, 10 * CDT_US), 0);
}

static void failing_wait_ends_run(void **state)
{
    (void)state;
    wait_error = EBADF;
    wait_failures = 1000;
    assert_int_equal(cdt_reactor_run(reactor), -EBADF);
    assert_int_equal(cdt_reactor_step(reactor, 0), -EBADF);
    wait_failures = 0;
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
}

static void interrupted_wait_goes_on(void **state)
{
    struct cdt_timer timer = {.fn = on_timer};

    (void)state;
    wait_error = EINTR;
    wait_failures = 5;
    cdt_timer_set(reactor, &timer, CDT_MS);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(calls, 1);
    wait_failures = 5;
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
}

static void making_fails(void **state)
{
    struct cdt_reactor *failed = NULL;

    (void)state;
    create_error = EMFILE;
    assert_int_equal(cdt_reactor_new(NULL, &failed), -EMFILE);
    create_error = 0;
    eventfd_error = ENFILE;
    assert_int_equal(cdt_reactor_new(NULL, &failed), -ENFILE);
    eventfd_error = 0;
    assert_null(failed);
}

/* A timer that moves to and fro behind an earlier alarm costs no system call. */
static void alarm_is_set_only_when_needed(void **state)
{
    struct cdt_timer timer = {.fn = on_timer};

    (void)state;
    cdt_timer_set(reactor, &timer, 100 * CDT_SECOND);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cdt_reactor_step(reactor, 10 * CDT_US), 0);
        cdt_timer_set(reactor, &timer, (200 + (uint64_t)i) * CDT_SECOND);
        assert_int_equal(cdt_reactor_step(reactor, 10 * CDT_US), 0);
        cdt_timer_set(reactor, &timer, (101 + (uint64_t)i) * CDT_SECOND);
    }
    assert_int_equal(settime_calls, 1);
    cdt_timer_cancel(&timer);
}

/* One that takes the processor long to wake up from is followed by a short one, in the same turn
 * unless the step has an end. */
static void long_sleep_ends_early(void **state)
{
    struct cdt_timer timer = {.fn = on_timer};

    (void)state;
    timer_takes(20 * CDT_MS);
    assert_int_equal(settime_calls, 2);
    cdt_timer_set(reactor, &timer, 20 * CDT_MS);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(settime_calls, 4);
    cdt_timer_set(reactor, &timer, 500 * CDT_US);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(settime_calls, 5);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, support_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_timerfd),   TEST(timerfd_cannot_be_set),         TEST(neither_timerfd_nor_pwait2),
        TEST(no_pwait2),    TEST(failing_wait_ends_run),         TEST(interrupted_wait_goes_on),
        TEST(making_fails), TEST(alarm_is_set_only_when_needed), TEST(long_sleep_ends_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
