/* The loop of libuv. Its timers are in ms, by a clock of whole ms that is read once a turn. */
#include <uv.h>

#include "bench/loops/queue.h"

struct watch {
    uv_poll_t uv;
};

struct timer {
    uv_timer_t uv;
};

#include "bench/loops/loop.h"

static uv_loop_t *loop;
static uv_async_t wake;

static void must(int status, const char *what)
{
    if (status >= 0)
        return;
    errno = -status;
    die(what);
}

static void wake_fn(uv_async_t *async)
{
    (void)async;
    queue_run();
}

static void loop_open(bool threads)
{
    loop = uv_default_loop();
    if (threads)
        must(uv_async_init(loop, &wake, wake_fn), "uv_async_init");
}

static void loop_run(void)
{
    uv_run(loop, UV_RUN_DEFAULT);
}

static void loop_stop(void)
{
    uv_stop(loop);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watch_fn(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
    on_readable();
}

static void watch_start(struct watch *watch, int fd)
{
    must(uv_poll_init(loop, &watch->uv, fd), "uv_poll_init");
    must(uv_poll_start(&watch->uv, UV_READABLE, watch_fn), "uv_poll_start");
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void timer_fn(uv_timer_t *timer)
{
    on_timer((struct timer *)timer);
}

static void timer_init(struct timer *timer)
{
    must(uv_timer_init(loop, &timer->uv), "uv_timer_init");
}

static void timer_set(struct timer *timer, int64_t delay)
{
    uv_timer_start(&timer->uv, timer_fn, (uint64_t)((delay + MS - 1) / MS), 0);
}

/* It stops what was started. */
static void timer_set_again(struct timer *timer, int64_t delay)
{
    timer_set(timer, delay);
}

/* ---- posts ----------------------------------------------------------------------------------- */

static void post_send(struct post *post)
{
    if (queue_add(post))
        must(uv_async_send(&wake), "uv_async_send");
}
