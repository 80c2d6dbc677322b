/* What other processes cost: instructions in user and kernel mode and system calls, counted by
 * perf_event_open(2), their CPU time and their memory. What cannot be had here is -1, and that is
 * said once, on stderr. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <sys/types.h>

struct costs {
    double user_instructions, kernel_instructions, system_calls, cpu_seconds;
};

/* Watches these processes, all their threads and children, and those that they make later. System
 * calls are counted instead of instructions: counting them costs the kernel some. */
void measure_open(const pid_t *pids, int count, bool system_calls);
void measure_begin(void);
struct costs measure_end(void);

/* Bytes of memory that only these processes use, and all that is resident for them (Rss). */
double measure_private(void);
double measure_resident(void);

#endif
