/* Lists of cipher suites: every name of every suite, what is split off for each version, and the
 * versions that are left. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tls/config_parts.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct {
    uint16_t number;
    const char *names[3]; /* IANA, OpenSSL, wolfSSL */
} suites[] = {
    {0x1301, {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256"}},
    {0x1302, {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384"}},
    {0x1303,
     {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
      "TLS13-CHACHA20-POLY1305-SHA256"}},
    {0xc02b,
     {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
      "ECDHE-ECDSA-AES128-GCM-SHA256"}},
    {0xc02c,
     {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-ECDSA-AES256-GCM-SHA384"}},
    {0xc02f,
     {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
      "ECDHE-RSA-AES128-GCM-SHA256"}},
    {0xc030,
     {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES256-GCM-SHA384"}},
    {0xcca8,
     {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
      "ECDHE-RSA-CHACHA20-POLY1305"}},
    {0xcca9,
     {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
      "ECDHE-ECDSA-CHACHA20-POLY1305"}},
};

static void expect_lists(const char *list, enum cdt_tls_backend backend, const char *of_13,
                         const char *of_12)
{
    struct cdt_text_error error = {0};
    char *ciphers13 = NULL, *ciphers12 = NULL;
    assert_int_equal(tls_ciphers(list, backend, &ciphers13, &ciphers12, &error), 0);
    assert_string_equal(ciphers13, of_13);
    assert_string_equal(ciphers12, of_12);
    mem_free(ciphers13);
    mem_free(ciphers12);
}

static void expect_refused(const char *list, const char *sentence)
{
    struct cdt_text_error error = {0};
    char *ciphers13 = NULL, *ciphers12 = NULL;
    assert_int_equal(tls_ciphers(list, CDT_TLS_OPENSSL, &ciphers13, &ciphers12, &error),
                     -CDT_ETLSKEY);
    assert_null(ciphers13);
    assert_null(ciphers12);
    assert_string_equal(error.text, sentence);
}

static void any_name_of_a_suite_gives_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(suites); i++) {
        const bool is_13 = suites[i].number < 0x1400;
        for (size_t j = 0; j < 3; j++) {
            const char *openssl = suites[i].names[1], *wolfssl = suites[i].names[2];
            char other[64], *c = other;
            snprintf(other, sizeof other, "%s", suites[i].names[j]);
            for (; *c; c++)
                *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
            expect_lists(suites[i].names[j], CDT_TLS_OPENSSL, is_13 ? openssl : "",
                         is_13 ? "" : openssl);
            expect_lists(other, CDT_TLS_WOLFSSL, is_13 ? wolfssl : "", is_13 ? "" : wolfssl);
        }
    }
}

static void numbers_have_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(suites); i++)
        assert_string_equal(tls_cipher_name(suites[i].number), suites[i].names[0]);
    assert_null(tls_cipher_name(0));
    assert_null(tls_cipher_name(0x1304));
    assert_null(tls_cipher_name(0x009c)); /* RSA: no forward secrecy */
}

static void lists_keep_their_order(void **state)
{
    (void)state;
    expect_lists("ECDHE-RSA-AES256-GCM-SHA384:TLS_CHACHA20_POLY1305_SHA256,"
                 "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:tls_aes_128_gcm_sha256",
                 CDT_TLS_OPENSSL, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
                 "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256");
    expect_lists("TLS_AES_256_GCM_SHA384:TLS13-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256",
                 CDT_TLS_WOLFSSL, "TLS13-AES256-GCM-SHA384:TLS13-AES128-GCM-SHA256", "");
}

static void without_a_list_all_are_given(void **state)
{
    struct cdt_text_error error;
    (void)state;
    for (enum cdt_tls_backend backend = CDT_TLS_WOLFSSL; backend < CDT_TLS_NONE; backend++) {
        char *lists[2];
        assert_int_equal(tls_ciphers(NULL, backend, &lists[0], &lists[1], &error), 0);
        for (size_t i = 0; i < COUNT(suites); i++)
            assert_non_null(strstr(lists[suites[i].number >= 0x1400],
                                   suites[i].names[backend == CDT_TLS_WOLFSSL ? 2 : 1]));
        mem_free(lists[0]);
        mem_free(lists[1]);
    }
}

static void what_is_no_suite_is_refused(void **state)
{
    (void)state;
    expect_refused("", "ciphers: no such suite: \"\"");
    expect_refused("HIGH:!aNULL", "ciphers: no such suite: \"HIGH\"");
    expect_refused("TLS_AES_128_GCM_SHA256:", "ciphers: no such suite: \"\"");
    expect_refused("TLS_AES_128_GCM_SHA256 ",
                   "ciphers: no such suite: \"TLS_AES_128_GCM_SHA256 \"");
    expect_refused("TLS_AES_128_GCM_SHA25", "ciphers: no such suite: \"TLS_AES_128_GCM_SHA25\"");
    expect_refused("AES128-SHA", "ciphers: no such suite: \"AES128-SHA\"");
    expect_refused("TLS_AES_128_GCM_SHA256,"
                   "0123456789012345678901234567890123456789012345678901234567890123456789",
                   "ciphers: no such suite: \"012345678901234567890123456789012345678901234567\"");
}

/* ---- versions -------------------------------------------------------------------------------- */

static struct tls_spec seen; /* by the context that was made last; its texts are copied */
static char seen13[512], seen12[512];
static int made;

static int context_new(const struct tls_spec *spec, const struct tls_own *own,
                       struct tls_context **context, struct cdt_text_error *error)
{
    (void)own;
    (void)error;
    seen = *spec;
    snprintf(seen13, sizeof seen13, "%s", spec->ciphers13);
    snprintf(seen12, sizeof seen12, "%s", spec->ciphers12);
    made++;
    *context = (struct tls_context *)&made;
    return 0;
}

static void context_put(struct tls_context *context)
{
    assert_ptr_equal(context, &made);
    made--;
}

static const struct tls_backend recorder = {
    .name = "recorder", .context_new = context_new, .context_put = context_put};

static int make(const char *ciphers, enum cdt_tls_version min_version, struct cdt_text_error *error)
{
    const struct cdt_tls_config config = {
        .backend = &recorder,
        .backend_id = CDT_TLS_OPENSSL,
        .options = {.ciphers = ciphers, .min_version = min_version},
    };
    struct tls_set set;
    const int status = tls_set_make(&config, &(struct tls_material){0}, &set, error);
    if (status == 0)
        tls_set_free(&recorder, &set);
    assert_int_equal(made, 0);
    return status;
}

static void versions_without_suites_are_off(void **state)
{
    (void)state;
    static const struct {
        const char *ciphers;
        enum cdt_tls_version at_least;
        uint16_t min, max;
    } rows[] = {
        {NULL, CDT_TLS_1_2, 0x0303, 0x0304},
        {NULL, CDT_TLS_1_3, 0x0304, 0x0304},
        {"TLS_AES_128_GCM_SHA256", CDT_TLS_1_2, 0x0304, 0x0304},
        {"TLS_AES_128_GCM_SHA256", CDT_TLS_1_3, 0x0304, 0x0304},
        {"ECDHE-RSA-AES128-GCM-SHA256", CDT_TLS_1_2, 0x0303, 0x0303},
        {"ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256", CDT_TLS_1_2, 0x0303, 0x0304},
        {"ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256", CDT_TLS_1_3, 0x0304, 0x0304},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cdt_text_error error = {0};
        assert_int_equal(make(rows[i].ciphers, rows[i].at_least, &error), 0);
        assert_int_equal(seen.min_version, rows[i].min);
        assert_int_equal(seen.max_version, rows[i].max);
        assert_int_equal(*seen13 != 0, rows[i].max == 0x0304);
        assert_int_equal(*seen12 != 0, rows[i].min == 0x0303);
    }
}

static void nothing_left_is_an_error(void **state)
{
    struct cdt_text_error error = {0};
    (void)state;
    assert_int_equal(make("ECDHE-RSA-AES128-GCM-SHA256", CDT_TLS_1_3, &error), -CDT_ETLSKEY);
    assert_string_equal(error.text,
                        "ciphers: none of TLS 1.3, which is the lowest version allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_name_of_a_suite_gives_it),
        cmocka_unit_test(numbers_have_names),
        cmocka_unit_test(lists_keep_their_order),
        cmocka_unit_test(without_a_list_all_are_given),
        cmocka_unit_test(what_is_no_suite_is_refused),
        cmocka_unit_test(versions_without_suites_are_off),
        cmocka_unit_test(nothing_left_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
