/* The wait: sleeping until an event, the earliest timer or a timeout.
 *
 * Timers wake the reactor through a timerfd with an absolute time, armed only when the earliest
 * deadline has changed: the kernel adds no slack to it, and a wait costs nothing for timers that
 * are far away. The timeout of a step is given to epoll, and where no timerfd can be had, so is the
 * timer's. */
#include <errno.h>
#include <limits.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "reactor/state.h"

/* Waking up from a short sleep takes 3 us, from a long one 20 or more, where the processor has gone
 * to sleep too or a hypervisor has taken it away. A long sleep therefore ends early, and is followed
 * by a short one. */
#define LONG_SLEEP (8 * CDT_MS)
#define EARLY      (100 * CDT_US)
#define WAKE_UP    (1 * CDT_US) /* the least that it takes */

#define POLLS_FOR_EACH_LOOK_AT_THE_CLOCK 4

#define NOTHING_YET (-EAGAIN) /* busy-polling ended: go to sleep */

static struct timespec to_timespec(uint64_t time)
{
    return (struct timespec){.tv_sec = (time_t)(time / CDT_SECOND),
                             .tv_nsec = (long)(time % CDT_SECOND)};
}

static inline bool arm(struct cdt_reactor *reactor, uint64_t time, bool early)
{
    struct itimerspec alarm = {.it_value = to_timespec(time)};

    if (timerfd_settime(reactor->alarm_fd, TFD_TIMER_ABSTIME, &alarm, NULL))
        return false;
    reactor->alarm_tick = reactor->wheel.earliest;
    reactor->alarm_is_early = early;
    return true;
}

/* Whether the alarm that has gone off is followed by another. No look at the clock: should the long
 * sleep have been too long, that one goes off at once. */
static bool snooze(struct cdt_reactor *reactor)
{
    return reactor->alarm_is_early && reactor->alarm_tick == reactor->wheel.earliest &&
           arm(reactor, wheel_next(&reactor->wheel) - WAKE_UP, false);
}

static void on_alarm(struct cdt_source *source, uint32_t events)
{
    struct cdt_reactor *reactor = cdt_container_of(source, struct cdt_reactor, alarm);

    (void)events;
    source_not_counted(reactor);
    if (!snooze(reactor))
        reactor->alarm_tick = WHEEL_NO_TICK;
}

static __attribute__((noinline)) bool make_alarm(struct cdt_reactor *reactor)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd < 0)
        return false;
    reactor->alarm.on_event = on_alarm;
    /* Edge-triggered and never read: setting it again resets it. */
    if (reactor_source_add(reactor, &reactor->alarm, fd, EPOLLIN | EPOLLET)) {
        close(fd);
        return false;
    }
    reactor->alarm_fd = fd;
    return true;
}

static bool set_alarm(struct cdt_reactor *reactor)
{
    uint64_t now = clock_turn(reactor), time = wheel_next(&reactor->wheel);
    bool early = time > now + LONG_SLEEP;

    if (time <= now || (reactor->alarm_fd < 0 && !make_alarm(reactor)))
        return false;
    return arm(reactor, time - (early ? EARLY : WAKE_UP), early);
}

__attribute__((noinline)) /* it would spoil the short path of reactor_turn() */
int wait_for_timer(struct cdt_reactor *reactor)
{
    int count;

    if (!set_alarm(reactor))
        return -1;
    do {
        reactor->counters.waits++;
        count = epoll_wait(reactor->epoll_fd, reactor->events, reactor->max_events, -1);
    } while (count == 1 && reactor->events->data.ptr == &reactor->alarm && snooze(reactor));
    return count;
}

static int poll_now(struct cdt_reactor *reactor)
{
    int count;

    do {
        reactor->counters.waits++;
        count = epoll_wait(reactor->epoll_fd, reactor->events, reactor->max_events, 0);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

/* Milliseconds, rounded up: a wait may end late, not early. */
static int to_ms(uint64_t time)
{
    return time > (uint64_t)INT_MAX * CDT_MS ? INT_MAX : (int)((time + CDT_MS - 1) / CDT_MS);
}

static int wait_at_most(struct cdt_reactor *reactor, uint64_t time)
{
    struct timespec timeout = to_timespec(time);
    int count;

    if (!reactor->no_pwait2) {
        count =
            epoll_pwait2(reactor->epoll_fd, reactor->events, reactor->max_events, &timeout, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
        reactor->no_pwait2 = true;
    }
    return epoll_wait(reactor->epoll_fd, reactor->events, reactor->max_events, to_ms(time));
}

/* Sleeps until `until`, or for ever; -1 and errno on failure. */
static int sleep_once(struct cdt_reactor *reactor, uint64_t until)
{
    uint64_t now;

    if (timer_not_alarmed(reactor) && !set_alarm(reactor) && wheel_next(&reactor->wheel) < until)
        until = wheel_next(&reactor->wheel);
    reactor->counters.waits++;
    if (until == CDT_NEVER)
        return epoll_wait(reactor->epoll_fd, reactor->events, reactor->max_events, -1);
    now = clock_now();
    return wait_at_most(reactor, until > now ? until - now : 0);
}

static uint64_t add_time(uint64_t time, uint64_t delay)
{
    return delay > CDT_NEVER - time ? CDT_NEVER : time + delay;
}

/* Asks again and again without sleeping, for the time set. Posts need no system call meanwhile. */
static int busy_poll(struct cdt_reactor *reactor, uint64_t until)
{
    uint64_t next = wheel_next(&reactor->wheel), now;
    uint64_t end = add_time(clock_now(), reactor->busy_poll);

    do {
        for (int i = 0; i < POLLS_FOR_EACH_LOOK_AT_THE_CLOCK; i++) {
            int count = poll_now(reactor);

            if (count || post_waiting(reactor))
                return count;
        }
        now = clock_now();
        if (now >= next || now >= until)
            return 0;
    } while (now < end);
    return NOTHING_YET;
}

static int sleep_until(struct cdt_reactor *reactor, uint64_t until)
{
    uint64_t start = reactor->count_time ? clock_now() : 0;
    int count;

    if (!post_fall_asleep(reactor))
        return poll_now(reactor);
    /* A signal whose handler is not ours must not end the wait; ours has written to the eventfd. */
    do {
        count = sleep_once(reactor, until);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        count = -errno;
    post_wake_up(reactor);
    if (reactor->count_time)
        reactor->counters.asleep += clock_now() - start;
    return count;
}

int wait_for_events(struct cdt_reactor *reactor, uint64_t timeout)
{
    uint64_t until = CDT_NEVER;
    int count;

    post_wake_up(reactor); /* from the sleep that cdt_reactor_prepare() has announced */
    if (timeout == 0 || turn_has_work(reactor))
        return poll_now(reactor);
    if (timeout != CDT_NEVER)
        until = add_time(clock_now(), timeout);
    if (reactor->busy_poll) {
        count = busy_poll(reactor, until);
        if (count != NOTHING_YET)
            return count;
    }
    return sleep_until(reactor, until);
}

void wait_init(struct cdt_reactor *reactor)
{
    reactor->alarm_fd = -1;
    reactor->alarm_tick = WHEEL_NO_TICK;
}

void wait_close(struct cdt_reactor *reactor)
{
    if (reactor->alarm_fd >= 0)
        close(reactor->alarm_fd);
}
