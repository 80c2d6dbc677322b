/* conduit: the reactor. One thread, one epoll set: watches on descriptors, timers, signals, child
 * processes, deferred calls, posts from other threads.
 *
 * Watches, timers and the other event structs are yours: embed them in structs of your own, fill in
 * `fn`, and find your struct again with cdt_container_of(). The library keeps pointers to them, and
 * allocates nothing, from add (or set) until remove (or cancel, or the single shot). Members below
 * the line "private" are the library's; zero them before first use.
 *
 * THE ORDER OF A TURN
 *   1. hooks before the wait; changed watch masks are applied
 *   2. the wait: until an event, the earliest timer, a post, or the step's timeout
 *   3. hooks after the wait; the clock is read at its first use from here on
 *   4. events of descriptors, at most one call for each watch
 *   5. posts, in the order in which they were posted
 *   6. timers that are due: those that were set with no delay since the last turn's step 3, in the
 *      order of setting; then the others in the order of their deadlines' ticks (1.024 us), and
 *      within a tick in the order of setting
 *   7. deferred calls and flows that have more to do, those that were there when this step began
 * A timer set with no delay and a call deferred in step 7 come in the next turn, after its events:
 * nothing starves I/O.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_REACTOR_H
#define CONDUIT_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <conduit/error.h>
#include <conduit/memory.h>
#include <conduit/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CDT_US     UINT64_C(1000)
#define CDT_MS     UINT64_C(1000000)
#define CDT_SECOND UINT64_C(1000000000)
#define CDT_NEVER  UINT64_MAX /* no timeout; no deadline */

/* The struct of which `pointer` points to `member`. */
#define cdt_container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct cdt_reactor;

/* ---- making and running ---------------------------------------------------------------------- */

enum cdt_log_level { CDT_LOG_ERROR, CDT_LOG_WARNING, CDT_LOG_INFO, CDT_LOG_DEBUG };

/* Takes one line without a newline, lent for the call. The library writes nowhere else. */
typedef void cdt_log_fn(void *user, enum cdt_log_level level, const char *text);

struct cdt_reactor_options {
    size_t size;
    uint64_t busy_poll;  /* poll this long without sleeping before each sleep; default 0 */
    bool count_time;     /* count the time asleep (two more clock readings a turn) */
    unsigned max_events; /* events taken from the kernel at once, 1 to 4096; default 256 */
    cdt_log_fn *log;     /* NULL: nothing is logged */
    void *log_user;
};

/* Makes a reactor; it belongs to the thread that runs it. `options` may be NULL. Errors: -EINVAL,
 * -ENOMEM, -EMFILE, -ENFILE. Close-on-exec everywhere: exec inherits nothing. */
CDT_API int cdt_reactor_new(const struct cdt_reactor_options *options,
                            struct cdt_reactor **reactor);

/* Frees a reactor. Flows and servers that still live are aborted with -ECANCELED and their last
 * callbacks run now, from inside this call; watches, timers and the rest are forgotten without a
 * call, and marked as not added: those that were neither removed nor fired must still be valid
 * memory. -EBUSY inside a callback. NULL is allowed. */
CDT_API int cdt_reactor_free(struct cdt_reactor *reactor);

/* Turns until cdt_reactor_stop(). Returns 0, or the negative errno of a failing wait. A stop that
 * came before run makes run return at once, after no turn. -EBUSY inside a callback. */
CDT_API int cdt_reactor_run(struct cdt_reactor *reactor);

/* Makes run return after the present turn. From any callback, or before run. */
CDT_API int cdt_reactor_stop(struct cdt_reactor *reactor);

/* One turn that waits at most `timeout` (0: not at all; CDT_NEVER: without end). Returns the number
 * of events, timers, posts and deferred calls that were handled, 0 if the time passed: never before
 * `timeout`, and later by no more than the kernel's timer slack (50 us, or 0.1 % of long timeouts).
 * -EBUSY inside a callback. A signal without a cdt_signal never ends a wait early. */
CDT_API int cdt_reactor_step(struct cdt_reactor *reactor, uint64_t timeout);

/* For a foreign loop: runs the hooks before the wait, applies pending changes and stores in
 * `timeout` how long the foreign loop may sleep on cdt_reactor_fd(): 0 if work is waiting,
 * CDT_NEVER if no timer is set. When the descriptor is readable or the time is over, call
 * cdt_reactor_step(reactor, 0), then prepare again. Changes made between prepare and the sleep
 * need another prepare. -EBUSY inside a callback. */
CDT_API int cdt_reactor_prepare(struct cdt_reactor *reactor, uint64_t *timeout);

/* The descriptor that is readable when a step has something to do (timers excepted). It stays the
 * reactor's: poll it for reading, never close it. */
CDT_API int cdt_reactor_fd(const struct cdt_reactor *reactor);

/* The turn's clock: CLOCK_MONOTONIC in ns, read at most once between two waits, when it is used
 * first; outside of turns, at the first use after run or step has returned. 0 for a wrong
 * argument. */
CDT_API uint64_t cdt_reactor_now(const struct cdt_reactor *reactor);

/* Reads the clock again, after long work inside a turn. Returns 0. */
CDT_API int cdt_reactor_update_time(struct cdt_reactor *reactor);

/* Replaces the log hook; NULL: none. */
CDT_API int cdt_reactor_set_log(struct cdt_reactor *reactor, cdt_log_fn *log, void *user);

struct cdt_reactor_counters {
    uint64_t turns;   /* turns done */
    uint64_t waits;   /* calls of the kernel's wait */
    uint64_t events;  /* descriptor events handled */
    uint64_t wakeups; /* wake-ups by posts and signals */
    uint64_t posts;   /* posts run */
    uint64_t timers;  /* timers run */
    uint64_t asleep;  /* ns in the kernel's wait; 0 unless options.count_time */
};

/* Copies the counters. */
CDT_API int cdt_reactor_counters(const struct cdt_reactor *reactor,
                                 struct cdt_reactor_counters *counters);

/* ---- watches --------------------------------------------------------------------------------- */

enum {
    CDT_READ = 1,   /* readable, or end of stream */
    CDT_WRITE = 2,  /* writable */
    CDT_HANGUP = 4, /* reported only: the peer is gone (EPOLLHUP, EPOLLRDHUP) */
    CDT_ERROR = 8   /* reported only: an error is pending (EPOLLERR) */
};

struct cdt_watch;
typedef void cdt_watch_fn(struct cdt_watch *watch, unsigned events);

/* Base of everything that epoll reports to; private. */
struct cdt_source {
    void (*on_event)(struct cdt_source *source, uint32_t events);
    struct cdt_source *next_ready;
};

/* A level-triggered watch on a descriptor of yours. Its O_NONBLOCK flag is never touched. */
struct cdt_watch {
    cdt_watch_fn *fn;
    /* private */
    struct cdt_source source;
    struct cdt_reactor *reactor;
    struct cdt_watch *next, *prev;
    struct cdt_watch *next_changed, **changed;
    int fd;
    uint8_t wanted, applied;
};

/* Starts to watch `fd` for `events` (CDT_READ, CDT_WRITE, both, or 0 for later). `watch->fn` is set
 * by you. Hang-ups and errors are reported whenever any of the two is asked for, together with what
 * was asked for: neither a read nor a write would wait then. Errors: -EINVAL,
 * -EBUSY (already added), -EEXIST (another watch has this descriptor), -EPERM (regular files and
 * directories cannot be polled), -EBADF, -ENOMEM, -ENOSPC. */
CDT_API int cdt_watch_add(struct cdt_reactor *reactor, struct cdt_watch *watch, int fd,
                          unsigned events);

/* Changes the mask. Applied once before the next wait, however often it changes until then; 0 keeps
 * the watch and reports nothing. -EINVAL if it was not added. If the kernel refuses the change (the
 * descriptor was closed without cdt_watch_remove()), `fn` is called with CDT_ERROR alone. */
CDT_API int cdt_watch_modify(struct cdt_watch *watch, unsigned events);

/* Stops watching; call it before closing the descriptor. From now on `fn` is not called, even
 * for an event that was fetched already, and the struct is yours again. 0 if it was not added. */
CDT_API int cdt_watch_remove(struct cdt_watch *watch);

/* ---- timers ---------------------------------------------------------------------------------- */

struct cdt_timer;
typedef void cdt_timer_fn(struct cdt_timer *timer);

/* A single-shot timer. O(1) to set, set again and cancel. */
struct cdt_timer {
    cdt_timer_fn *fn;
    /* private */
    struct cdt_timer *next, *prev;
    uint64_t deadline;
};

/* Sets, or sets again, a timer: it fires once, not before `delay` has passed by the turn's
 * clock, and at most 10 us (plus the turn and the kernel's wake-up) after it. CDT_NEVER cancels.
 * To repeat, set it again in `fn`. */
CDT_API int cdt_timer_set(struct cdt_reactor *reactor, struct cdt_timer *timer, uint64_t delay);

/* The same with an absolute time of cdt_reactor_now()'s clock; a past one fires in the next
 * turn. */
CDT_API int cdt_timer_set_at(struct cdt_reactor *reactor, struct cdt_timer *timer,
                             uint64_t deadline);

/* Cancels; `fn` will not be called. 0 if it was not set. */
CDT_API int cdt_timer_cancel(struct cdt_timer *timer);

/* Whether the timer is set. */
CDT_API bool cdt_timer_is_set(const struct cdt_timer *timer);

/* ---- signals --------------------------------------------------------------------------------- */

struct cdt_signal;
typedef void cdt_signal_fn(struct cdt_signal *signal, int number);

/* Any number of cdt_signals, in any number of reactors, may share a signal: each gets it. */
struct cdt_signal {
    cdt_signal_fn *fn;
    /* private */
    struct cdt_reactor *reactor;
    struct cdt_signal *next, *prev;
    int number;
};

/* Catches a signal by sigaction(2) (SA_RESTART) and runs `fn` on the reactor's thread; signals
 * of one number that arrive before it runs are one call. No mask is changed, so children inherit
 * nothing. The disposition that was there before is put back when the last cdt_signal of that
 * number is removed. -EINVAL for signals that cannot be caught; -EBUSY if already added; -ENOSPC
 * when 64 reactors of the process catch signals. */
CDT_API int cdt_signal_add(struct cdt_reactor *reactor, struct cdt_signal *signal, int number);

/* Stops catching; 0 if it was not added. */
CDT_API int cdt_signal_remove(struct cdt_signal *signal);

/* ---- children -------------------------------------------------------------------------------- */

struct cdt_child;

/* `status` as of wait(2): WIFEXITED, WEXITSTATUS, WTERMSIG; -1 if someone else has reaped it. */
typedef void cdt_child_fn(struct cdt_child *child, int status);

struct cdt_child {
    cdt_child_fn *fn;
    /* private */
    struct cdt_watch watch;
};

/* Waits for the exit of a child process (pidfd_open(2)) and reaps it; single shot. Errors: -EINVAL,
 * -ESRCH, -ECHILD, -ENOSYS (before Linux 5.4), -EMFILE. */
CDT_API int cdt_child_add(struct cdt_reactor *reactor, struct cdt_child *child, pid_t pid);

/* Stops waiting; the child is left to you. 0 if it was not added. */
CDT_API int cdt_child_remove(struct cdt_child *child);

/* ---- calls: later, and from other threads ---------------------------------------------------- */

struct cdt_deferred;
typedef void cdt_deferred_fn(struct cdt_deferred *deferred);

/* A call at the end of a turn, outside of every other callback. */
struct cdt_deferred {
    cdt_deferred_fn *fn;
    /* private */
    struct cdt_deferred *next, *prev;
};

/* Calls `fn` once, at the end of this turn, or of the next if this one's deferred calls are already
 * running. 0 also if it was waiting already. */
CDT_API int cdt_defer(struct cdt_reactor *reactor, struct cdt_deferred *deferred);

/* Takes it back; 0 if it was not waiting. */
CDT_API int cdt_defer_cancel(struct cdt_deferred *deferred);

struct cdt_post;
typedef void cdt_post_fn(struct cdt_post *post);

struct cdt_post {
    cdt_post_fn *fn;
    /* private */
    struct cdt_post *next;
    int posted; /* atomic */
};

/* Runs `post->fn` on the reactor's thread. From any thread, and without a lock; at most one
 * system call for each sleep of the reactor, however many posts. The struct belongs to the
 * library until `fn` is called; it may then be posted again. -EALREADY if it is still waiting.
 * Posts that never ran are forgotten by cdt_reactor_free(); no post may be made during or after
 * it. */
CDT_API int cdt_reactor_post(struct cdt_reactor *reactor, struct cdt_post *post);

/* ---- hooks ----------------------------------------------------------------------------------- */

enum cdt_hook_point { CDT_BEFORE_WAIT, CDT_AFTER_WAIT };

struct cdt_hook;
typedef void cdt_hook_fn(struct cdt_hook *hook);

/* Called each turn, before or after the wait, in the order of adding. */
struct cdt_hook {
    cdt_hook_fn *fn;
    /* private */
    struct cdt_hook *next, *prev;
};

CDT_API int cdt_hook_add(struct cdt_reactor *reactor, struct cdt_hook *hook,
                         enum cdt_hook_point point);

/* From any callback, also its own; 0 if it was not added. */
CDT_API int cdt_hook_remove(struct cdt_hook *hook);

#ifdef __cplusplus
}
#endif
#endif
