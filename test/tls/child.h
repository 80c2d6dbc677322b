/* For tests that run in children (test_in_child(): what is read from the environment once in a process)
 * or in threads, where cmocka's checks cannot be made; and that catch what is logged. */
#ifndef TEST_TLS_CHILD_H
#define TEST_TLS_CHILD_H

#include "test/support/serve.h"

/* cmocka's would jump into the test of another process, or thread. */
#define check(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            return 1;                                               \
        }                                                           \
    } while (0)

/* The last line, and how many there were. */
static char logged[256];
static int lines;

static inline void log_line(void *user, enum cdt_log_level level, const char *text)
{
    (void)user, (void)level;
    snprintf(logged, sizeof logged, "%s", text);
    lines++;
}

#endif
