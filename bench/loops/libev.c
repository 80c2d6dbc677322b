/* The loop of libev, the default one. Its timers are numbers of seconds, from the time at which the
 * turn began; it sleeps whole ms. */
#include <ev.h>

#include "bench/loops/queue.h"

struct watch {
    ev_io ev;
};

struct timer {
    ev_timer ev;
};

#include "bench/loops/loop.h"

static struct ev_loop *loop;
static ev_async wake;

static void wake_fn(struct ev_loop *of, ev_async *async, int events)
{
    (void)of, (void)async, (void)events;
    queue_run();
}

static void loop_open(bool threads)
{
    loop = ev_default_loop(EVBACKEND_EPOLL);
    if (!loop)
        die("ev_default_loop");
    if (!threads)
        return;
    ev_async_init(&wake, wake_fn);
    ev_async_start(loop, &wake);
}

static void loop_run(void)
{
    ev_run(loop, 0);
}

static void loop_stop(void)
{
    ev_break(loop, EVBREAK_ONE);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watch_fn(struct ev_loop *of, ev_io *io, int events)
{
    (void)of, (void)io, (void)events;
    on_readable();
}

static void watch_start(struct watch *watch, int fd)
{
    ev_io_init(&watch->ev, watch_fn, fd, EV_READ);
    ev_io_start(loop, &watch->ev);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void timer_fn(struct ev_loop *of, ev_timer *timer, int events)
{
    (void)of, (void)events;
    on_timer((struct timer *)timer);
}

static double seconds(int64_t delay)
{
    return (double)delay * 1e-9;
}

static void timer_init(struct timer *timer)
{
    ev_init(&timer->ev, timer_fn);
}

static void timer_set(struct timer *timer, int64_t delay)
{
    ev_timer_set(&timer->ev, seconds(delay), 0);
    ev_timer_start(loop, &timer->ev);
}

/* What its manual calls the fastest. */
static void timer_set_again(struct timer *timer, int64_t delay)
{
    timer->ev.repeat = seconds(delay);
    ev_timer_again(loop, &timer->ev);
}

/* ---- posts ----------------------------------------------------------------------------------- */

static void post_send(struct post *post)
{
    if (queue_add(post))
        ev_async_send(loop, &wake);
}
