/* The loop of libevent. Its timers are in us, by a clock that moves every few ms, and it sleeps
 * whole ms; with EVENT_PRECISE_TIMER in the environment it takes the exact clock, and sleeps by a
 * timerfd. It locks only where there are threads. */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include "bench/loops/queue.h"

struct watch {
    struct event event;
};

struct timer {
    struct event event;
};

#include "bench/loops/loop.h"

static struct event_base *base;
static struct event wake;

static void wake_fn(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events, (void)arg;
    queue_run();
}

static void loop_open(bool threads)
{
    if (threads && evthread_use_pthreads())
        die("evthread_use_pthreads");
    base = event_base_new();
    if (!base || event_assign(&wake, base, -1, EV_PERSIST, wake_fn, NULL))
        die("event_base_new");
}

static void loop_run(void)
{
    if (event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
        die("event_base_loop");
}

static void loop_stop(void)
{
    event_base_loopbreak(base);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watch_fn(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events, (void)arg;
    on_readable();
}

static void watch_start(struct watch *watch, int fd)
{
    if (event_assign(&watch->event, base, fd, EV_READ | EV_PERSIST, watch_fn, NULL) ||
        event_add(&watch->event, NULL))
        die("event_add");
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void timer_fn(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events;
    on_timer(arg);
}

static void timer_init(struct timer *timer)
{
    evtimer_assign(&timer->event, base, timer_fn, timer);
}

static void timer_set(struct timer *timer, int64_t delay)
{
    const int64_t us = (delay + US - 1) / US;
    const struct timeval time = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    evtimer_add(&timer->event, &time);
}

/* It puts a pending event in its new place. */
static void timer_set_again(struct timer *timer, int64_t delay)
{
    timer_set(timer, delay);
}

/* ---- posts ----------------------------------------------------------------------------------- */

static void post_send(struct post *post)
{
    if (queue_add(post))
        event_active(&wake, EV_READ, 0);
}
