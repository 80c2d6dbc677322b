/* The reactor as its own files see it: the struct, and what each file offers the others.
 *
 * The members that every turn touches come first; `posts` is alone on its cache line, since other
 * threads write it. */
#ifndef REACTOR_STATE_H
#define REACTOR_STATE_H

#include <sys/epoll.h>

#include "reactor/internal.h"
#include "reactor/wheel.h"

#define REACTOR_EVENTS_DEFAULT 256
#define REACTOR_EVENTS_MAX     4096

/* What keeps a turn off its short path. A bit may be set for nothing, since cancelling does not
 * know the reactor; it is never missing. */
enum {
    ATTEND_HOOKS = 1,   /* hooks were added */
    ATTEND_CHANGES = 2, /* masks of watches were changed */
    ATTEND_WORK = 4,    /* something waits for this turn or the next: see turn_has_work() */
    ATTEND_WAIT = 8     /* the options ask for more than a plain wait */
};

struct cdt_reactor {
    int epoll_fd;
    unsigned fork_generation;
    unsigned attention;
    bool busy;     /* inside run, step, prepare or free */
    bool stopped;  /* run is to return */
    bool prepared; /* the hooks before the wait have run for the coming turn */
    int handled;   /* in this turn */
    uint64_t now;  /* the turn's clock; 0: not read yet, see clock_turn() */

    /* The batch of events, and the part of it that is still to be dispatched. */
    struct epoll_event *events, *event_next, *event_end;
    int max_events;

    struct cdt_source *ready, **ready_tail;
    struct cdt_deferred deferred, deferred_now;
    struct cdt_watch *changed; /* masks to be applied before the wait */
    struct cdt_watch *failed;  /* the kernel refused the mask: CDT_ERROR is due */
    struct cdt_hook hooks[2], hook_cursor, hook_end; /* the first two by enum cdt_hook_point */
    struct cdt_reactor_counters counters;

    /* The wait. */
    uint64_t alarm_tick; /* for which alarm_fd is armed; WHEEL_NO_TICK once it has gone off */
    bool alarm_is_early; /* it ends a long sleep, before the tick */
    struct cdt_source alarm;
    int alarm_fd;
    bool no_pwait2;
    bool count_time;
    uint64_t busy_poll;

    struct cdt_source wake;
    int wake_fd;
    int signal_slot; /* of the process-wide registry, or -1 */
    struct cdt_signal signals, signal_cursor, signal_end;
    struct cdt_watch watches;

    cdt_log_fn *log;
    void *log_user;
    struct reactor_room *rooms;
    struct wheel wheel;

    char own_cache_line[64];
    struct cdt_post *posts; /* newest first */
    bool asleep;            /* who posts must wake the reactor: reactor/post.c */
};

/* clock.c */
uint64_t clock_now(void);
uint64_t clock_read(const struct cdt_reactor *reactor);

/* source.c: the ready list ends in this sentinel, so that a NULL link means "not on the list". */
extern struct cdt_source source_end __attribute__((visibility("hidden")));
void source_scrub(struct cdt_reactor *reactor, const struct cdt_source *source);
void source_not_counted(struct cdt_reactor *reactor);

/* watch.c */
void watch_apply_changes(struct cdt_reactor *reactor);
void watch_report_failed(struct cdt_reactor *reactor);
void watch_forget_all(struct cdt_reactor *reactor);

/* child.c: closes the descriptor if the watch is that of a cdt_child. */
void child_forget(struct cdt_watch *watch);

/* wait.c: fills the batch; the number of events or a negative errno. For turns off the short
 * path. */
int wait_for_events(struct cdt_reactor *reactor, uint64_t timeout);
/* The short path with an alarm to be set; negative if it must not, or cannot, be taken. */
int wait_for_timer(struct cdt_reactor *reactor);
void wait_init(struct cdt_reactor *reactor);
void wait_close(struct cdt_reactor *reactor);

/* timer.c */
void timer_run_due(struct cdt_reactor *reactor);

/* defer.c */
void defer_run(struct cdt_reactor *reactor);
void defer_forget_all(struct cdt_reactor *reactor);

/* hook.c */
void hook_run(struct cdt_reactor *reactor, struct cdt_hook *list);
void hook_forget_all(struct cdt_hook *list);

/* post.c */
void post_run(struct cdt_reactor *reactor);
void post_forget_all(struct cdt_reactor *reactor);

/* signal.c */
void signal_run(struct cdt_reactor *reactor);
void signal_forget_all(struct cdt_reactor *reactor);
void signal_before_fork(void);
void signal_after_fork(void);
void signal_in_child(void);

/* ---- what every turn does, inlined ----------------------------------------------------------- */

/* reactor_usable(), for this room. */
static inline bool is_usable(const struct cdt_reactor *reactor)
{
    return reactor && reactor->fork_generation == reactor_fork_generation;
}

/* The turn's clock, read when it is needed first: many turns need none, and it costs as much as all
 * the rest of a turn. */
static inline uint64_t clock_turn(const struct cdt_reactor *reactor)
{
    return reactor->now ? reactor->now : clock_read(reactor);
}

/* Whether the clock must be asked about timers. Not while the alarm is armed for the earliest or an
 * earlier one, and has not gone off. */
static inline bool timer_not_alarmed(const struct cdt_reactor *reactor)
{
    return reactor->wheel.earliest < reactor->alarm_tick;
}

static inline bool timer_is_due(const struct cdt_reactor *reactor)
{
    return timer_not_alarmed(reactor) && wheel_is_due(&reactor->wheel, clock_turn(reactor));
}

static inline bool post_waiting(const struct cdt_reactor *reactor)
{
    return __atomic_load_n(&reactor->posts, __ATOMIC_SEQ_CST);
}

/* Whoever posts from now on wakes the reactor. False if posts are waiting. */
static inline bool post_fall_asleep(struct cdt_reactor *reactor)
{
    (void)__atomic_exchange_n(&reactor->asleep, true, __ATOMIC_SEQ_CST);
    return !post_waiting(reactor);
}

static inline void post_wake_up(struct cdt_reactor *reactor)
{
    __atomic_store_n(&reactor->asleep, false, __ATOMIC_RELAXED);
}

/* Whether the next wait must not sleep. Posts are not looked at. */
static inline bool turn_has_work(const struct cdt_reactor *reactor)
{
    return reactor->ready != &source_end || reactor->deferred.next != &reactor->deferred ||
           reactor->wheel.past.next != &reactor->wheel.past || reactor->failed ||
           timer_is_due(reactor);
}

#endif
