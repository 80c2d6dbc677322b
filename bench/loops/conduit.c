/* The loop of conduit: timers in ns, and posts of its own. */
#include <conduit/reactor.h>

struct watch {
    struct cdt_watch cdt;
};

struct timer {
    struct cdt_timer cdt;
};

struct post {
    struct cdt_post cdt;
};

#include "bench/loops/loop.h"

static struct cdt_reactor *reactor;

static void must(int status, const char *what)
{
    if (status >= 0)
        return;
    errno = -status;
    die(what);
}

static void loop_open(bool threads)
{
    (void)threads;
    must(cdt_reactor_new(NULL, &reactor), "cdt_reactor_new");
}

static void loop_run(void)
{
    must(cdt_reactor_run(reactor), "cdt_reactor_run");
}

static void loop_stop(void)
{
    cdt_reactor_stop(reactor);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watch_fn(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    on_readable();
}

static void watch_start(struct watch *watch, int fd)
{
    watch->cdt.fn = watch_fn;
    must(cdt_watch_add(reactor, &watch->cdt, fd, CDT_READ), "cdt_watch_add");
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void timer_fn(struct cdt_timer *timer)
{
    on_timer(cdt_container_of(timer, struct timer, cdt));
}

static void timer_init(struct timer *timer)
{
    timer->cdt.fn = timer_fn;
}

static void timer_set(struct timer *timer, int64_t delay)
{
    cdt_timer_set(reactor, &timer->cdt, (uint64_t)delay);
}

/* It cancels what was set. */
static void timer_set_again(struct timer *timer, int64_t delay)
{
    cdt_timer_set(reactor, &timer->cdt, (uint64_t)delay);
}

/* ---- posts ----------------------------------------------------------------------------------- */

static void post_fn(struct cdt_post *post)
{
    (void)post;
    on_post();
}

static void post_init(struct post *post)
{
    post->cdt.fn = post_fn;
}

static void post_send(struct post *post)
{
    must(cdt_reactor_post(reactor, &post->cdt), "cdt_reactor_post");
}
