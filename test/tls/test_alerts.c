/* How a connection fails: the first code and sentence stay; alerts of the peer by their names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reactor/internal.h"
#include "tls/connection.h"

static void finish(struct tls_connection *connection)
{
    mem_free(connection->why);
    memset(connection, 0, sizeof *connection);
}

static void the_first_failure_stays(void **state)
{
    (void)state;
    struct tls_connection connection = {0};
    assert_int_equal(tls_fail(&connection, -CDT_ETLSCERT, "%s is %d", "one", 1), -CDT_ETLSCERT);
    assert_int_equal(tls_fail(&connection, -CDT_ETLS, "%s is %d", "two", 2), -CDT_ETLSCERT);
    assert_int_equal(tls_fail(&connection, -CDT_ETLS, NULL), -CDT_ETLSCERT);
    assert_int_equal(tls_fail_alert(&connection, 48), -CDT_ETLSCERT);
    assert_int_equal(connection.failed, -CDT_ETLSCERT);
    assert_string_equal(connection.why, "one is 1");
    finish(&connection);
}

static void without_a_sentence(void **state)
{
    (void)state;
    struct tls_connection connection = {0};
    assert_int_equal(tls_fail(&connection, -ENOMEM, NULL), -ENOMEM);
    assert_int_equal(tls_fail(&connection, -CDT_ETLS, "late"), -ENOMEM);
    assert_null(connection.why);
}

static void a_sentence_is_bounded(void **state)
{
    (void)state;
    struct tls_connection connection = {0};
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(tls_fail(&connection, -CDT_ETLS, "%s", text), -CDT_ETLS);
    assert_in_range(strlen(connection.why), 500, 1024);
    finish(&connection);
}

/* RFC 8446 appendix B.2. */
static const struct {
    unsigned alert;
    const char *name;
} named[] = {
    {0, "close notify"},
    {10, "unexpected message"},
    {20, "bad record mac"},
    {21, "decryption failed"},
    {22, "record overflow"},
    {30, "decompression failure"},
    {40, "handshake failure"},
    {41, "no certificate"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown ca"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {60, "export restriction"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {100, "no renegotiation"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {111, "certificate unobtainable"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {114, "bad certificate hash value"},
    {115, "unknown psk identity"},
    {116, "certificate required"},
    {120, "no application protocol"},
};

static void alerts_have_names(void **state)
{
    (void)state;
    size_t next = 0;
    for (unsigned alert = 0; alert < 300; alert++) {
        if (next < sizeof named / sizeof *named && named[next].alert == alert)
            assert_string_equal(tls_alert_name(alert), named[next++].name);
        else
            assert_null(tls_alert_name(alert));
    }
    assert_int_equal(next, sizeof named / sizeof *named);
    assert_null(tls_alert_name(UINT32_MAX));
}

static void an_alert_is_told(void **state)
{
    (void)state;
    struct tls_connection connection = {0};
    assert_int_equal(tls_fail_alert(&connection, 48), -CDT_ETLSALERT);
    assert_string_equal(connection.why, "peer ended TLS with an alert: unknown ca");
    finish(&connection);
    assert_int_equal(tls_fail_alert(&connection, 99), -CDT_ETLSALERT);
    assert_string_equal(connection.why, "peer ended TLS with alert 99");
    finish(&connection);
    assert_int_equal(tls_fail_alert(&connection, 4000000000), -CDT_ETLSALERT);
    assert_string_equal(connection.why, "peer ended TLS with alert 4000000000");
    finish(&connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_stays), cmocka_unit_test(without_a_sentence),
        cmocka_unit_test(a_sentence_is_bounded),   cmocka_unit_test(alerts_have_names),
        cmocka_unit_test(an_alert_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
