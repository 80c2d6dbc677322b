/* What the programs of this folder have in common: the work, and what it costs. Each of them is the
 * loop of another library, and gives what differs.
 *
 *   NAME WORK [ARGUMENT...] OPERATIONS
 *
 *   rearm PENDING           sets one of so many timers again, to another time, earlier or later
 *   expire PENDING MS       lets so many timers expire, at random within so many ms
 *   late MS                 one timer after the other, up to so many ms each: how late it comes
 *   post WATCHES            another thread wakes the sleeping loop to run a function, each time
 *   flood WATCHES           another thread posts functions as fast as it can
 *   turn                    a turn of the loop with one event
 *
 * prints a line of JSON: what each operation has cost, and the latency where there is one. WATCHES
 * are descriptors that are watched and have nothing to say. The loop runs on the first CPU that is
 * allowed, the other thread on the second. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/measure.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)

/* ---- of the including file, which defines the three structs before it includes this one ------ */

struct watch; /* a descriptor */
struct timer;
struct post; /* a function that the loop is to run */

/* `threads`: others will post. */
static void loop_open(bool threads);
static void loop_run(void);
/* From a callback: loop_run() returns. */
static void loop_stop(void);

/* on_readable() is called each turn for as long as the descriptor is readable. */
static void watch_start(struct watch *watch, int fd);

/* Once before its first use; on_timer() is called when it expires. */
static void timer_init(struct timer *timer);
/* Sets a timer that is not set; and one that is. */
static void timer_set(struct timer *timer, int64_t delay);
static void timer_set_again(struct timer *timer, int64_t delay);

/* From another thread: on_post() is called in the loop's. */
static void post_init(struct post *post);
static void post_send(struct post *post);

/* ---- what that calls ------------------------------------------------------------------------- */

static inline void on_readable(void);
static inline void on_timer(struct timer *timer);
static inline void on_post(void);

_Noreturn static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* The library has nothing for this work. */
_Noreturn static inline void cannot(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(77);
}

/* ---- measuring ------------------------------------------------------------------------------- */

/* Of the work: what it was given, and what it has found. */
static struct {
    uint64_t arguments[2], operations;
    struct costs costs;
    struct histogram latency;
} work;

static inline int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 * MS + (int64_t)time.tv_nsec;
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        die("calloc");
    return memory;
}

static inline uint64_t random_below(uint64_t limit)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static inline void add_cost(double *sum, double cost)
{
    *sum = cost < 0 || *sum < 0 ? -1 : *sum + cost;
}

/* The processor's counters are opened when they are used first: with them, threads take longer to
 * wake up, which the latencies shall not know. */
static inline void begin_counting(void)
{
    static bool open;
    if (!open)
        measure_open_self();
    open = true;
    measure_begin();
}

/* Adds what was counted to the costs of the work. */
static inline void end_counting(void)
{
    const struct costs costs = measure_end();
    add_cost(&work.costs.user_instructions, costs.user_instructions);
    add_cost(&work.costs.kernel_instructions, costs.kernel_instructions);
    add_cost(&work.costs.cpu_seconds, costs.cpu_seconds);
}

/* Puts the calling thread on the index-th of the CPUs that this process was allowed. */
static inline void pin(unsigned index)
{
    static cpu_set_t allowed;
    cpu_set_t one;
    if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof allowed, &allowed))
        die("sched_getaffinity");
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || index-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one))
            die("sched_setaffinity");
        return;
    }
    fprintf(stderr, "there is one CPU only: the two threads take turns on it\n");
}

/* ---- a turn ---------------------------------------------------------------------------------- */

static uint64_t turns;

static inline void on_readable(void)
{
    if (++turns == work.operations)
        loop_stop();
}

static inline void measure_turns(void)
{
    static struct watch watch;
    const int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        die("eventfd");
    watch_start(&watch, fd);
    begin_counting();
    loop_run();
    end_counting();
}

/* ---- all works ------------------------------------------------------------------------------- */

#include "bench/loops/posts.h"
#include "bench/loops/timers.h"

static const struct kind {
    const char *name;
    int arguments;
    bool threads;
    void (*run)(void);
    void (*print)(void); /* more members of the JSON object */
} works[] = {
    {"rearm", 1, false, measure_rearm, NULL},
    {"expire", 2, false, measure_expiry, NULL},
    {"late", 1, false, measure_lateness, print_early},
    {"post", 1, true, measure_posts, print_sleeps},
    {"flood", 1, true, measure_flood, print_sleeps},
    {"turn", 0, false, measure_turns, NULL},
};

_Noreturn static inline void usage(const char *name)
{
    fprintf(stderr,
            "usage: %s WORK [ARGUMENT...] OPERATIONS\n"
            "works: rearm PENDING, expire PENDING MS, late MS, post WATCHES, flood WATCHES, turn\n",
            name);
    exit(2);
}

static inline uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    const uint64_t value = strtoull(text, &end, 10);
    return *end || errno || value > UINT32_MAX ? 0 : value;
}

static inline const struct kind *read_arguments(int argc, char **argv)
{
    const struct kind *found = NULL;
    for (size_t i = 0; argc > 2 && i < sizeof works / sizeof works[0]; i++) {
        if (strcmp(argv[1], works[i].name) == 0 && argc == works[i].arguments + 3)
            found = &works[i];
    }
    if (!found)
        usage(argv[0]);
    for (int i = 0; i < found->arguments; i++) {
        work.arguments[i] = number(argv[2 + i]);
        if (work.arguments[i] == 0)
            usage(argv[0]);
    }
    work.operations = number(argv[argc - 1]);
    if (work.operations == 0)
        usage(argv[0]);
    return found;
}

int main(int argc, char **argv)
{
    const struct kind *chosen = read_arguments(argc, argv);
    pin(0);
    loop_open(chosen->threads);
    chosen->run();
    printf("{\"operations\": %" PRIu64, work.operations);
    histogram_print_us("latency_us", &work.latency);
    if (chosen->print)
        chosen->print();
    measure_print(&work.costs, (double)work.operations);
    printf("}\n");
    return 0;
}

#endif
