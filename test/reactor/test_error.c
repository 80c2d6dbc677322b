/* Texts and names of error codes. */
#include <limits.h>
#include <string.h>

#include "test/reactor/support.h"

static void texts(void **state)
{
    (void)state;
    assert_string_equal(cdt_strerror(-ECONNREFUSED), "connection refused");
    assert_string_equal(cdt_strerror(ECONNREFUSED), "connection refused");
    assert_string_equal(cdt_strerror(-EADDRINUSE), "address already in use");
    assert_string_equal(cdt_strerror(0), "success");
    assert_string_equal(cdt_strerror(-4999), "unknown error");
    assert_string_equal(cdt_strerror(CDT_ELAST), "unknown error");
    assert_string_equal(cdt_strerror(INT_MIN), "unknown error");
    assert_string_equal(cdt_strerror(INT_MAX), "unknown error");
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(cdt_errname(-ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(cdt_errname(CDT_ETOOSLOW), "CDT_ETOOSLOW");
    assert_string_equal(cdt_errname(0), "unknown");
    assert_string_equal(cdt_errname(-4999), "unknown");
    assert_string_equal(cdt_errname(INT_MIN), "unknown");
}

static void every_code_has_both(void **state)
{
    (void)state;
    for (int code = CDT_EBASE; code < CDT_ELAST; code++) {
        assert_string_not_equal(cdt_strerror(-code), "unknown error");
        assert_int_equal(strncmp(cdt_errname(-code), "CDT_E", 5), 0);
    }
    for (int code = 1; code < CDT_EBASE; code++) {
        bool named = strcmp(cdt_errname(code), "unknown") != 0;

        assert_int_equal(named, strcmp(cdt_strerror(code), "unknown error") != 0);
    }
}

static void version(void **state)
{
    char expected[32];

    (void)state;
    snprintf(expected, sizeof expected, "%d.%d.%d", CDT_VERSION_MAJOR, CDT_VERSION_MINOR,
             CDT_VERSION_PATCH);
    assert_string_equal(cdt_version(), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(names),
        cmocka_unit_test(every_code_has_both),
        cmocka_unit_test(version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
