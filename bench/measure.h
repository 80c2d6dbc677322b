/* What processes cost: instructions in user and kernel mode, counted by perf_event_open(2), their CPU
 * time and their memory. What cannot be had here is -1, and that is said once, on stderr.
 * With BENCH_TIME_ONLY in the environment instructions are not counted. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <sys/types.h>

struct costs {
    double user_instructions, kernel_instructions, cpu_seconds;
};

/* Watches these processes, all their threads and children, and those that they make later; or the
 * calling process. */
void measure_open(const pid_t *pids, int count);
void measure_open_self(void);
void measure_begin(void);
struct costs measure_end(void);

/* As members of a JSON object, each after a comma, for each of so many operations. */
void measure_print(const struct costs *costs, double operations);

/* Bytes of memory that only these processes use, and all that is resident for them (Rss). */
double measure_private(void);
double measure_resident(void);

#endif
