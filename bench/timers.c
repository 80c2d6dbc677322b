/* What timers cost: user instructions to cancel and re-arm one of many, and to let them expire;
 * how late they come; what a turn costs that has one event.
 *
 * Instructions are counted by the processor, through perf_event_open(2); without it only the
 * lateness is measured. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <conduit/reactor.h>

#include "bench/own/count.h"

#define OPERATIONS 1000000u
#define SAMPLES    2000u
#define TURNS      100000u

static struct cdt_reactor *reactor;

static void report(const char *what, size_t pending, double instructions)
{
    if (instructions < 0)
        printf("%-24s %8zu pending   not counted\n", what, pending);
    else
        printf("%-24s %8zu pending   %6.1f user instructions\n", what, pending, instructions);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

static size_t fired, to_fire;

static void on_timer(struct cdt_timer *timer)
{
    (void)timer;
    if (++fired == to_fire)
        cdt_reactor_stop(reactor);
}

static struct cdt_timer *make_timers(size_t count)
{
    struct cdt_timer *timers = calloc(count, sizeof *timers);

    if (!timers)
        abort();
    for (size_t i = 0; i < count; i++)
        timers[i].fn = on_timer;
    return timers;
}

/* The choice of a timer and of its delay is made before, so that only the two calls are counted. */
static void measure_rearm(size_t pending)
{
    struct cdt_timer *timers = make_timers(pending);
    struct choice {
        struct cdt_timer *timer;
        uint64_t delay;
    } *choices = calloc(OPERATIONS, sizeof *choices);

    if (!choices)
        abort();
    for (size_t i = 0; i < pending; i++)
        cdt_timer_set(reactor, &timers[i], CDT_SECOND + random_below(3600 * CDT_SECOND));
    for (size_t i = 0; i < OPERATIONS; i++) {
        choices[i].timer = &timers[random_below(pending)];
        choices[i].delay = CDT_SECOND + random_below(3600 * CDT_SECOND);
    }
    start_counting();
    for (size_t i = 0; i < OPERATIONS; i++) {
        cdt_timer_cancel(choices[i].timer);
        cdt_timer_set(reactor, choices[i].timer, choices[i].delay);
    }
    report("cancel and re-arm", pending, counted_per(OPERATIONS));
    for (size_t i = 0; i < pending; i++)
        cdt_timer_cancel(&timers[i]);
    free(choices);
    free(timers);
}

/* Deadlines within 100 ms, all turns until the last has fired: with 1000, each has a turn and a
 * sleep of its own. */
static void measure_expiry(size_t pending)
{
    struct cdt_timer *timers = make_timers(pending);

    fired = 0;
    cdt_reactor_update_time(reactor);
    start_counting();
    for (size_t i = 0; i < pending; i++)
        cdt_timer_set(reactor, &timers[i], random_below(100 * CDT_MS));
    to_fire = pending;
    cdt_reactor_run(reactor);
    report("set and expiry", pending, counted_per((double)pending));
    free(timers);
}

struct sample {
    struct cdt_timer timer;
    uint64_t due, late[SAMPLES];
    size_t count;
};

static uint64_t clock_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * CDT_SECOND + (uint64_t)time.tv_nsec;
}

static void next_sample(struct sample *sample, uint64_t limit)
{
    sample->due = cdt_reactor_now(reactor) + 1 + random_below(limit);
    cdt_timer_set_at(reactor, &sample->timer, sample->due);
}

static void on_sample(struct cdt_timer *timer)
{
    struct sample *sample = cdt_container_of(timer, struct sample, timer);

    sample->late[sample->count++] = clock_ns() - sample->due;
    if (sample->count == SAMPLES)
        cdt_reactor_stop(reactor);
    else
        next_sample(sample, 2 * CDT_MS);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double us(uint64_t time)
{
    return (double)time / 1e3;
}

static void measure_lateness(void)
{
    static struct sample sample = {.timer.fn = on_sample};

    next_sample(&sample, CDT_MS);
    cdt_reactor_run(reactor);
    qsort(sample.late, SAMPLES, sizeof sample.late[0], compare);
    printf("lateness, one timer after the other, up to 2 ms each: median %.1f us, 90 %% %.1f us, "
           "99 %% %.1f us, max %.1f us\n",
           us(sample.late[SAMPLES / 2]), us(sample.late[SAMPLES / 10 * 9]),
           us(sample.late[SAMPLES / 100 * 99]), us(sample.late[SAMPLES - 1]));
}

static size_t events;

static void on_event(struct cdt_watch *watch, unsigned reported)
{
    (void)watch, (void)reported;
    if (++events == TURNS)
        cdt_reactor_stop(reactor);
}

static void measure_turn(void)
{
    struct cdt_watch watch = {.fn = on_event};
    int fd = eventfd(1, EFD_CLOEXEC);

    if (fd < 0 || cdt_watch_add(reactor, &watch, fd, CDT_READ))
        abort();
    start_counting();
    cdt_reactor_run(reactor);
    report("turn with one event", 0, counted_per(TURNS));
    cdt_watch_remove(&watch);
    close(fd);
}

int main(void)
{
    static const size_t pending[] = {1000, 100000, 1000000};

    if (cdt_reactor_new(NULL, &reactor))
        return 1;
    open_counter();
    for (size_t i = 0; i < sizeof pending / sizeof pending[0]; i++)
        measure_rearm(pending[i]);
    for (size_t i = 0; i < sizeof pending / sizeof pending[0]; i++)
        measure_expiry(pending[i]);
    measure_turn();
    measure_lateness();
    if (counter_fd >= 0)
        close(counter_fd);
    cdt_reactor_free(reactor);
    return 0;
}
