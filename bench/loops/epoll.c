/* A bare epoll loop. A timer is a timerfd, which is nothing for many of them; its posts
 * are the list and an eventfd, which is edge-triggered and never read. */
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "bench/loops/queue.h"

struct source {
    void (*fn)(struct source *source);
};

struct watch {
    struct source source;
};

struct timer {
    struct source source;
    int fd;
};

#include "bench/loops/loop.h"

enum { EVENTS = 256 };

static int set, wake_fd;
static bool stopped;

static void add(struct source *source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (fd < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static void wake_fn(struct source *source)
{
    (void)source;
    queue_run();
}

static void loop_open(bool threads)
{
    static struct source wake = {wake_fn};
    set = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (threads)
        add(&wake, wake_fd, EPOLLIN | EPOLLET);
}

static void loop_run(void)
{
    struct epoll_event events[EVENTS];
    while (!stopped) {
        const int count = epoll_wait(set, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            source->fn(source);
        }
    }
}

static void loop_stop(void)
{
    stopped = true;
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watch_fn(struct source *source)
{
    (void)source;
    on_readable();
}

static void watch_start(struct watch *watch, int fd)
{
    watch->source.fn = watch_fn;
    add(&watch->source, fd, EPOLLIN);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void timer_fn(struct source *source)
{
    on_timer((struct timer *)source);
}

static void timer_init(struct timer *timer)
{
    static int made;
    if (++made > 2)
        cannot("a bare loop has a timerfd for each timer, which is nothing for many");
    timer->source.fn = timer_fn;
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    add(&timer->source, timer->fd, EPOLLIN | EPOLLET);
}

static void timer_set(struct timer *timer, int64_t delay)
{
    const struct itimerspec time = {
        .it_value = {.tv_sec = delay / (1000 * MS), .tv_nsec = delay % (1000 * MS)}};
    if (timerfd_settime(timer->fd, 0, &time, NULL))
        die("timerfd_settime");
}

static void timer_set_again(struct timer *timer, int64_t delay)
{
    timer_set(timer, delay);
}

/* ---- posts ----------------------------------------------------------------------------------- */

static void post_send(struct post *post)
{
    static const uint64_t one = 1;
    if (queue_add(post) && write(wake_fd, &one, sizeof one) < 0)
        die("write");
}
