/* The turn, in the order that <conduit/reactor.h> promises, and the calls that make turns. */
#include <errno.h>

#include "reactor/state.h"

#define OFF_THE_SHORT_PATH __attribute__((noinline))

static void run_hooks(struct cdt_reactor *reactor, enum cdt_hook_point point)
{
    struct cdt_hook *list = &reactor->hooks[point];

    if (list->next != list)
        hook_run(reactor, list);
}

static void before_wait(struct cdt_reactor *reactor)
{
    if (!reactor->prepared)
        run_hooks(reactor, CDT_BEFORE_WAIT);
    reactor->prepared = false;
    if (reactor->changed)
        watch_apply_changes(reactor);
}

/* The short path: nothing to do but to wait for descriptors, and for the earliest timer. Negative if
 * it cannot be taken. */
static inline int wait_for_descriptors(struct cdt_reactor *reactor)
{
    int count;

    if (!post_fall_asleep(reactor))
        return -1;
    if (__builtin_expect(timer_not_alarmed(reactor), false)) {
        count = wait_for_timer(reactor);
    } else {
        reactor->counters.waits++;
        count = epoll_wait(reactor->epoll_fd, reactor->events, reactor->max_events, -1);
    }
    post_wake_up(reactor);
    reactor->now = 0;
    return count;
}

static void after_wait(struct cdt_reactor *reactor)
{
    wheel_take_past(&reactor->wheel);
    run_hooks(reactor, CDT_AFTER_WAIT);
}

static OFF_THE_SHORT_PATH int wait_with_attention(struct cdt_reactor *reactor, uint64_t timeout)
{
    int count;

    if (reactor->attention)
        before_wait(reactor);
    count = wait_for_events(reactor, timeout);
    reactor->now = 0;
    if (count >= 0 && reactor->attention)
        after_wait(reactor);
    return count;
}

static inline void dispatch(struct cdt_reactor *reactor, int count)
{
    struct epoll_event *event = reactor->events, *end = event + count;

    reactor->handled = count;
    reactor->counters.events += (uint64_t)count;
    reactor->event_end = end;
    while (event != end) {
        struct cdt_source *source = event->data.ptr;
        uint32_t events = event->events;

        reactor->event_next = ++event;
        source->on_event(source, events);
    }
}

static void run_ready(struct cdt_reactor *reactor, struct cdt_source *source)
{
    while (source != &source_end) {
        struct cdt_source *next = source->next_ready;

        source->next_ready = NULL;
        reactor->handled++;
        source->on_event(source, 0);
        source = next;
    }
}

/* Both lists as they stand now: what the calls add is for the next turn. */
static void run_ready_and_deferred(struct cdt_reactor *reactor)
{
    struct cdt_source *ready = reactor->ready;

    reactor->ready = &source_end;
    reactor->ready_tail = &reactor->ready;
    defer_run(reactor);
    run_ready(reactor, ready);
}

static void update_attention(struct cdt_reactor *reactor)
{
    const struct cdt_hook *hooks = reactor->hooks;

    if (!turn_has_work(reactor))
        reactor->attention &= ~(unsigned)ATTEND_WORK;
    if (hooks[0].next == &hooks[0] && hooks[1].next == &hooks[1])
        reactor->attention &= ~(unsigned)ATTEND_HOOKS;
}

static OFF_THE_SHORT_PATH void after_events(struct cdt_reactor *reactor)
{
    if (reactor->failed)
        watch_report_failed(reactor);
    if (post_waiting(reactor))
        post_run(reactor);
    timer_run_due(reactor);
    if (reactor->attention) {
        run_ready_and_deferred(reactor);
        update_attention(reactor);
    }
}

/* 0, or why there could be no turn. */
static inline __attribute__((always_inline)) int turn(struct cdt_reactor *reactor, uint64_t timeout)
{
    int count = -1;

    if (timeout == CDT_NEVER && !reactor->attention)
        count = wait_for_descriptors(reactor);
    if (count < 0) {
        count = wait_with_attention(reactor, timeout);
        if (count < 0)
            return count;
    }
    reactor->counters.turns++;
    dispatch(reactor, count);
    if (reactor->attention || post_waiting(reactor) || timer_not_alarmed(reactor))
        after_events(reactor);
    return 0;
}

int reactor_turn(struct cdt_reactor *reactor, uint64_t timeout)
{
    int result = turn(reactor, timeout);

    return result < 0 ? result : reactor->handled;
}

/* Outside of turns the clock has stood still for an unknown time: the next use reads it. */
static void leave(struct cdt_reactor *reactor)
{
    reactor->now = 0;
    reactor->busy = false;
}

/* A callback may fork, and return in the child. */
int cdt_reactor_run(struct cdt_reactor *reactor)
{
    int result = 0;

    if (!is_usable(reactor))
        return -EINVAL;
    if (reactor->busy)
        return -EBUSY;
    reactor->busy = true;
    while (!reactor->stopped && !result)
        result = is_usable(reactor) ? turn(reactor, CDT_NEVER) : -EINVAL;
    reactor->stopped = false;
    leave(reactor);
    return result;
}

int cdt_reactor_stop(struct cdt_reactor *reactor)
{
    if (!is_usable(reactor))
        return -EINVAL;
    reactor->stopped = true;
    return 0;
}

/* A turn in which only the alarm of a cancelled timer went off is no reason to return. */
static int step(struct cdt_reactor *reactor, uint64_t timeout)
{
    uint64_t until = CDT_NEVER;
    int handled;

    if (timeout == 0)
        return reactor_turn(reactor, 0);
    if (timeout != CDT_NEVER) {
        until = clock_now();
        until = timeout > CDT_NEVER - until ? CDT_NEVER : until + timeout;
    }
    for (;;) {
        handled = reactor_turn(reactor, timeout);
        if (handled || clock_turn(reactor) >= until || !is_usable(reactor))
            return handled;
        if (until != CDT_NEVER)
            timeout = until - clock_turn(reactor);
    }
}

int cdt_reactor_step(struct cdt_reactor *reactor, uint64_t timeout)
{
    int result;

    if (!is_usable(reactor))
        return -EINVAL;
    if (reactor->busy)
        return -EBUSY;
    reactor->busy = true;
    result = step(reactor, timeout);
    leave(reactor);
    return result;
}

/* How long a foreign loop may sleep, from now and not from the turn's clock. */
static uint64_t sleep_allowed(struct cdt_reactor *reactor)
{
    uint64_t next, now;

    if (turn_has_work(reactor) || !post_fall_asleep(reactor))
        return 0;
    next = wheel_next(&reactor->wheel);
    if (next == CDT_NEVER)
        return CDT_NEVER;
    now = clock_now();
    return next > now ? next - now : 0;
}

int cdt_reactor_prepare(struct cdt_reactor *reactor, uint64_t *timeout)
{
    if (!is_usable(reactor) || !timeout)
        return -EINVAL;
    if (reactor->busy)
        return -EBUSY;
    reactor->busy = true;
    before_wait(reactor);
    reactor->prepared = true;
    reactor->attention |= ATTEND_WORK; /* so that the turn sees it */
    *timeout = sleep_allowed(reactor);
    reactor->busy = false;
    return 0;
}
