/* User instructions, counted by the processor through perf_event_open(2). Where that is not to be
 * had, it is said once, and every count is -1. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <conduit/error.h>

static int counter_fd = -1;

static inline void open_counter(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    counter_fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
    if (counter_fd < 0)
        printf("instructions cannot be counted here: %s\n", cdt_strerror(errno));
}

static inline void start_counting(void)
{
    ioctl(counter_fd, PERF_EVENT_IOC_RESET, 0);
    ioctl(counter_fd, PERF_EVENT_IOC_ENABLE, 0);
}

static inline double counted_per(double operations)
{
    uint64_t count = 0;
    ioctl(counter_fd, PERF_EVENT_IOC_DISABLE, 0);
    if (counter_fd < 0 || read(counter_fd, &count, sizeof count) != sizeof count)
        return -1;
    return (double)count / operations;
}

#endif
