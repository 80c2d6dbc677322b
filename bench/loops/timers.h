/* The works of timers: set again, expire, come late. Part of loop.h. */
#ifndef BENCH_LOOPS_TIMERS_H
#define BENCH_LOOPS_TIMERS_H

#include "bench/loops/loop.h"

static struct {
    void (*fired)(void);
    struct timer *timers;
    uint64_t left; /* to fire: expire, in this round; late, in all */
    uint64_t early;
    int64_t due, earliest;
} timed;

static inline void on_timer(struct timer *timer)
{
    (void)timer;
    timed.fired();
}

static inline struct timer *make_timers(size_t count)
{
    struct timer *timers = allocate(count, sizeof *timers);
    for (size_t i = 0; i < count; i++)
        timer_init(&timers[i]);
    return timers;
}

/* Runs the loop, with a first callback from it: there most timers are set, and the libraries know
 * what time it is without asking the kernel. */
static inline void run_from_within(void (*fn)(void))
{
    static struct timer first;
    timed.fired = fn;
    timer_init(&first);
    timer_set(&first, MS);
    loop_run();
}

/* ---- rearm ----------------------------------------------------------------------------------- */

static inline int64_t far_delay(void)
{
    return 1000 * MS + (int64_t)random_below(3600 * 1000 * (uint64_t)MS);
}

/* The choices are made before, so that only the library's calls are counted. */
static inline void rearm(void)
{
    const uint64_t pending = work.arguments[0];
    struct choice {
        struct timer *timer;
        int64_t delay;
    } *choices = allocate(work.operations, sizeof *choices);
    for (size_t i = 0; i < pending; i++)
        timer_set(&timed.timers[i], far_delay());
    for (size_t i = 0; i < work.operations; i++)
        choices[i] = (struct choice){&timed.timers[random_below(pending)], far_delay()};
    begin_counting();
    for (size_t i = 0; i < work.operations; i++)
        timer_set_again(choices[i].timer, choices[i].delay);
    end_counting();
    free(choices);
    loop_stop();
}

static inline void measure_rearm(void)
{
    timed.timers = make_timers(work.arguments[0]);
    run_from_within(rearm);
}

/* ---- expire ---------------------------------------------------------------------------------- */

static inline void expired(void);

/* The first one is due when all have been set, for which each has 1 us: the setting is not
 * measured, all turns and sleeps from then on are. */
static inline void expiry_round(void)
{
    const uint64_t pending = work.arguments[0], within = work.arguments[1] * (uint64_t)MS;
    timed.fired = expired;
    timed.left = pending;
    for (size_t i = 0; i < pending; i++)
        timer_set(&timed.timers[i], (int64_t)(pending * (uint64_t)US + random_below(within)));
    begin_counting();
}

static inline void expired(void)
{
    static uint64_t done;
    if (--timed.left > 0)
        return;
    end_counting();
    done += work.arguments[0];
    if (done < work.operations) {
        expiry_round();
        return;
    }
    work.operations = done; /* whole rounds */
    loop_stop();
}

static inline void measure_expiry(void)
{
    timed.timers = make_timers(work.arguments[0]);
    run_from_within(expiry_round);
}

/* ---- late ------------------------------------------------------------------------------------ */

/* The deadline that was asked for is the time of the asking and the delay, in ns. What the library
 * makes of it, with its own unit and clock, shows here: those that count in ms come late or early
 * for that alone. Early ones have no latency, and are told apart. */
static inline void ask_next(void)
{
    const int64_t delay = 1 + (int64_t)random_below(work.arguments[0] * (uint64_t)MS);
    timed.due = now_ns() + delay;
    timer_set(timed.timers, delay);
}

static inline void note_lateness(int64_t late)
{
    histogram_add(&work.latency, late > 0 ? (uint64_t)late : 0);
    if (late < 0)
        timed.early++;
    if (late < timed.earliest)
        timed.earliest = late;
}

/* First the latency, then the costs. */
static inline void came(void)
{
    const int64_t late = now_ns() - timed.due;
    timed.left--;
    if (timed.left >= work.operations)
        note_lateness(late);
    if (timed.left > 0)
        ask_next();
    if (timed.left == work.operations)
        begin_counting();
    if (timed.left > 0)
        return;
    end_counting();
    loop_stop();
}

static inline void begin_asking(void)
{
    timed.fired = came;
    ask_next();
}

static inline void measure_lateness(void)
{
    timed.timers = make_timers(1);
    timed.left = 2 * work.operations;
    memset(&work.latency, 0, sizeof work.latency); /* its pages are there when time counts */
    run_from_within(begin_asking);
}

/* The share of those that came early, and the worst of them. */
static inline void print_early(void)
{
    printf(", \"early\": %.4f, \"earliest_us\": %.2f",
           (double)timed.early / (double)work.operations, (double)-timed.earliest / 1e3);
}

#endif
