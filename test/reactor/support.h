/* What the tests of the reactor share: cmocka's headers, a reactor for each test, a clock. */
#ifndef TEST_REACTOR_SUPPORT_H
#define TEST_REACTOR_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <conduit/reactor.h>

#define COUNT(array)     (sizeof(array) / sizeof(array)[0])
#define WITH_REACTOR(fn) cmocka_unit_test_setup_teardown(fn, support_setup, support_teardown)
#define LONG_ENOUGH      (20 * CDT_SECOND) /* a test that waits for it has failed */

static inline int support_setup(void **state)
{
    struct cdt_reactor *reactor = NULL;
    int error = cdt_reactor_new(NULL, &reactor);

    *state = reactor;
    return error;
}

static inline int support_teardown(void **state)
{
    return cdt_reactor_free(*state);
}

static inline uint64_t support_clock(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * CDT_SECOND + (uint64_t)time.tv_nsec;
}

static inline struct cdt_reactor_counters support_counters(const struct cdt_reactor *reactor)
{
    struct cdt_reactor_counters counters;

    assert_int_equal(cdt_reactor_counters(reactor, &counters), 0);
    return counters;
}

/* The seed of a random test: of the environment, or a new one; it is printed. */
static inline unsigned support_seed(void)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)support_clock();

    print_message("SEED=%u\n", seed);
    return seed;
}

#endif
