/* Timers of a reactor: argument checks around the wheel, and running what is due. */
#include <errno.h>

#include "reactor/state.h"

static int set_at(struct cdt_reactor *reactor, struct cdt_timer *timer, uint64_t deadline,
                  uint64_t now)
{
    if (deadline <= now)
        reactor->attention |= ATTEND_WORK;
    wheel_set(&reactor->wheel, timer, deadline, now);
    return 0;
}

int cdt_timer_set(struct cdt_reactor *reactor, struct cdt_timer *timer, uint64_t delay)
{
    uint64_t now;

    if (!is_usable(reactor) || !timer || !timer->fn)
        return -EINVAL;
    if (delay == CDT_NEVER)
        return cdt_timer_cancel(timer);
    if (delay > WHEEL_LAST)
        delay = WHEEL_LAST;
    now = clock_turn(reactor);
    return set_at(reactor, timer, now + delay, now);
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
