/* Timers of a reactor: argument checks around the wheel, and running what is due. */
#include <errno.h>

#include "reactor/state.h"

static int set_at(struct cdt_reactor *reactor, struct cdt_timer *timer, uint64_t deadline,
                  uint64_t now)
{
    if (!wheel_set(&reactor->wheel, timer, deadline, now))
        reactor->attention |= ATTEND_WORK;
    return 0;
}

/* The first one of a turn reads the clock: apart, so that the others save no registers for it. */
static __attribute__((noinline)) int set_first(struct cdt_reactor *reactor, struct cdt_timer *timer,
                                               uint64_t delay)
{
    clock_read(reactor);
    return cdt_timer_set(reactor, timer, delay);
}

int cdt_timer_set(struct cdt_reactor *reactor, struct cdt_timer *timer, uint64_t delay)
{
    uint64_t deadline;

    if (!is_usable(reactor) || !timer || !timer->fn)
        return -EINVAL;
    if (delay == CDT_NEVER)
        return cdt_timer_cancel(timer);
    if (!reactor->now)
        return set_first(reactor, timer, delay);
    if (__builtin_add_overflow(reactor->now, delay, &deadline))
        deadline = WHEEL_LAST;
    return set_at(reactor, timer, deadline, reactor->now);
}

int cdt_timer_set_at(struct cdt_reactor *reactor, struct cdt_timer *timer, uint64_t deadline)
{
    if (!is_usable(reactor) || !timer || !timer->fn)
        return -EINVAL;
    if (deadline == CDT_NEVER)
        return cdt_timer_cancel(timer);
    return set_at(reactor, timer, deadline, clock_turn(reactor));
}

int cdt_timer_cancel(struct cdt_timer *timer)
{
    if (!timer)
        return -EINVAL;
    if (timer->next)
        wheel_unlink(timer);
    return 0;
}

bool cdt_timer_is_set(const struct cdt_timer *timer)
{
    return timer && timer->next;
}

void timer_run_due(struct cdt_reactor *reactor)
{
    struct cdt_timer *timer;

    if (timer_is_due(reactor))
        wheel_advance(&reactor->wheel, reactor->now);
    while ((timer = wheel_pop(&reactor->wheel))) {
        reactor->counters.timers++;
        reactor->handled++;
        timer->fn(timer);
    }
}
