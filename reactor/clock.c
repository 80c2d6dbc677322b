/* The clock: CLOCK_MONOTONIC, in ns. */
#include <time.h>

#include "reactor/state.h"

uint64_t clock_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * CDT_SECOND + (uint64_t)time.tv_nsec;
}

/* The reactor is const to its readers only: none is made const. */
uint64_t clock_read(const struct cdt_reactor *reactor)
{
    struct cdt_reactor *writable = (struct cdt_reactor *)reactor;

    return writable->now = clock_now();
}
