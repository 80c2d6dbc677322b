/* The works of posts from another thread, and how that waits. Part of loop.h.
 *
 * It waits without sleeping, so that its own waking up is no part of the costs, and the looks that
 * this takes are subtracted: how many instructions one is was counted before. CPU time is that of
 * the loop's thread alone. */
#ifndef BENCH_LOOPS_POSTS_H
#define BENCH_LOOPS_POSTS_H

#include <pthread.h>

#include "bench/loops/loop.h"

enum { POSTS = 1024, TRIAL = 200000, TRIALS = 20, PAUSE = 40 };

static struct {
    struct post posts[POSTS]; /* those not yet run are at most as many */
    struct watch *watches;
    uint64_t total; /* the loop ends after the last one */
    bool timed;
    int64_t sent;
    uint64_t pause; /* looks that take the loop's time to fall asleep: PAUSE us */
    uint64_t instructions_a_look;
    uint64_t looks; /* since the measuring began */
    long sleeps;
    struct timespec cpu;
    clockid_t loop_clock;
    _Alignas(64) uint64_t done;
} posts;

/* In the loop's thread. */
static inline void on_post(void)
{
    const uint64_t done = posts.done + 1;
    if (posts.timed)
        histogram_add(&work.latency, (uint64_t)(now_ns() - posts.sent));
    __atomic_store_n(&posts.done, done, __ATOMIC_RELEASE);
    if (done == posts.total)
        loop_stop();
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Looks until so many posts have run, but not more often than `limit`; how often it has looked. */
static __attribute__((noinline)) uint64_t wait_done(uint64_t count, uint64_t limit)
{
    uint64_t looks = 0;
    while (__atomic_load_n(&posts.done, __ATOMIC_ACQUIRE) < count && looks < limit) {
#ifdef __x86_64__
        __builtin_ia32_pause();
#endif
        looks++;
    }
    return looks;
}

static inline void wait_all(uint64_t count)
{
    posts.looks += wait_done(count, UINT64_MAX);
}

/* How many looks the pause is, by the fastest of some. */
static inline void choose_pause(void)
{
    int64_t fastest = INT64_MAX;
    for (int i = 0; i < TRIALS; i++) {
        const int64_t before = now_ns();
        wait_done(UINT64_MAX, TRIAL);
        const int64_t took = now_ns() - before;
        fastest = took < fastest ? took : fastest;
    }
    posts.pause = (uint64_t)(PAUSE * US * TRIAL / fastest);
}

/* How many instructions a look is: a whole number. The loop is asleep. */
static inline void count_look(void)
{
    begin_counting();
    wait_done(UINT64_MAX, TRIAL);
    posts.instructions_a_look = (uint64_t)(measure_end().user_instructions / TRIAL + 0.5);
}

/* ---- measuring two threads ------------------------------------------------------------------- */

/* How often the first thread, which is the loop's, has gone to sleep; -1 where that is not told. */
static inline long loop_sleeps(void)
{
    static const char name[] = "voluntary_ctxt_switches:";
    char line[128];
    long sleeps = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, sizeof name - 1) == 0)
            sleeps = strtol(line + sizeof name - 1, NULL, 10);
    }
    if (file)
        fclose(file);
    return sleeps;
}

static inline void begin_measuring(void)
{
    wait_done(UINT64_MAX, posts.pause);
    count_look();
    posts.looks = 0;
    posts.sleeps = loop_sleeps();
    clock_gettime(posts.loop_clock, &posts.cpu);
    begin_counting();
}

static inline void end_measuring(void)
{
    struct timespec cpu;
    end_counting();
    clock_gettime(posts.loop_clock, &cpu);
    work.costs.cpu_seconds =
        (double)(cpu.tv_sec - posts.cpu.tv_sec) + (double)(cpu.tv_nsec - posts.cpu.tv_nsec) / 1e9;
    if (work.costs.user_instructions >= 0)
        work.costs.user_instructions -= (double)(posts.looks * posts.instructions_a_look);
    if (posts.sleeps >= 0)
        posts.sleeps = loop_sleeps() - posts.sleeps;
}

/* For each operation: 1 means that each post has woken the loop. */
static inline void print_sleeps(void)
{
    if (posts.sleeps >= 0)
        printf(", \"sleeps\": %.4f", (double)posts.sleeps / (double)work.operations);
}

/* ---- the other thread ------------------------------------------------------------------------ */

/* Each post when the one before has run, and the loop has had the time to fall asleep again. */
static inline void send_one_by_one(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        posts.looks += wait_done(UINT64_MAX, posts.pause);
        if (posts.timed)
            posts.sent = now_ns();
        post_send(&posts.posts[i % POSTS]);
        wait_all(i + 1);
    }
}

/* First the latency, then the costs, which the reading of the clock is no part of. */
static void *post_thread(void *arg)
{
    const uint64_t half = work.operations;
    (void)arg;
    pin(1);
    posts.timed = true;
    send_one_by_one(0, half);
    posts.timed = false;
    begin_measuring();
    send_one_by_one(half, 2 * half);
    end_measuring();
    send_one_by_one(2 * half, 2 * half + 1);
    return NULL;
}

static inline void send_all(uint64_t from, uint64_t to)
{
    uint64_t room = from + POSTS;
    for (uint64_t i = from; i < to; i++) {
        if (i == room) {
            wait_all(i - POSTS + 1);
            room = __atomic_load_n(&posts.done, __ATOMIC_ACQUIRE) + POSTS;
        }
        post_send(&posts.posts[i % POSTS]);
    }
    wait_all(to);
}

static void *flood_thread(void *arg)
{
    const uint64_t warm = work.operations / 10;
    (void)arg;
    pin(1);
    send_all(0, warm);
    begin_measuring();
    send_all(warm, warm + work.operations);
    end_measuring();
    send_all(warm + work.operations, warm + work.operations + 1);
    return NULL;
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Watched, and never readable. */
static inline void watch_idle(uint64_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    posts.watches = allocate(count, sizeof *posts.watches);
    for (uint64_t i = 0; i < count; i++) {
        const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (fd < 0)
            die("eventfd");
        watch_start(&posts.watches[i], fd);
    }
}

static inline void run_beside(void *(*thread)(void *))
{
    pthread_t other;
    watch_idle(work.arguments[0]);
    for (size_t i = 0; i < POSTS; i++)
        post_init(&posts.posts[i]);
    choose_pause();
    pthread_getcpuclockid(pthread_self(), &posts.loop_clock);
    errno = pthread_create(&other, NULL, thread, NULL);
    if (errno)
        die("pthread_create");
    loop_run();
    pthread_join(other, NULL);
}

static inline void measure_posts(void)
{
    posts.total = 2 * work.operations + 1;
    run_beside(post_thread);
}

static inline void measure_flood(void)
{
    posts.total = work.operations / 10 + work.operations + 1;
    run_beside(flood_thread);
}

#endif
