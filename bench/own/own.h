/* What the programs of bench/own share. Each does one run of one kind of work,
 *
 *   NAME WORK ARGUMENTS... OPERATIONS
 *
 * and prints one line of JSON: the operations, what each of them cost, and figures of its own. */
#ifndef BENCH_OWN_H
#define BENCH_OWN_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"

static inline _Noreturn void own_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

static inline _Noreturn void own_die_errno(const char *what)
{
    own_die(what, strerror(errno));
}

static inline void *own_zalloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        own_die_errno("calloc");
    return memory;
}

/* A number of the command line, from least on; false: it is none. */
static inline bool own_number(const char *text, unsigned long least, unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *number >= least &&
           *number <= 1000000000;
}

/* The line of JSON; the program's own figures stand between. Costs may be NULL. */
static inline void own_print_begin(unsigned long operations, const struct costs *costs)
{
    printf("{\"operations\": %lu", operations);
    if (costs)
        measure_print(costs, (double)operations);
}

static inline void own_print_end(void)
{
    printf("}\n");
    if (fflush(stdout))
        own_die_errno("standard output");
}

#endif
