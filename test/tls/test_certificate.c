/* What is said of certificates: subjects, issuers and dates of all forms, PEM, digests; bytes that
 * are no certificate. What is looked at lies in memory of its exact size, so that a sanitizer
 * sees a byte too much. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/serve.h"
#include "test/tls/made.h"
#include "test/tls/real_certificates.h"
#include "tls/certificate.h"

#define COUNT(a)       (sizeof(a) / sizeof *(a))
#define BYTES(literal) (literal), sizeof(literal) - 1

static const struct tls_backend toy = {.sha256 = toy_sha256, .hmac_sha256 = toy_hmac};

static uint8_t *copy_of(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

static void subject_of(const struct der_text *certificate, char *text, size_t size)
{
    uint8_t *der = copy_of(certificate->bytes, certificate->length);
    tls_certificate_subject(der, certificate->length, text, size);
    free(der);
}

static void expect_subject(const struct attribute *subject, const char *expected)
{
    struct der_text certificate;
    char text[400];
    make(&certificate, &(struct made){.subject = subject});
    subject_of(&certificate, text, sizeof text);
    assert_string_equal(text, expected);
}

/* ---- names ---- */

static const struct {
    uint8_t tag;
    const char *value;
    size_t length;
    const char *shown;
} values[] = {
    {MADE_UTF8, BYTES("example.org"), "example.org"},
    {MADE_PRINTABLE, BYTES("example.org"), "example.org"},
    {MADE_UTF8,
     BYTES("b\xc3\xbc"
           "cher.example"),
     "b\xc3\xbc"
     "cher.example"},
    {MADE_UTF8, BYTES("\xe4\xbe\x8b \xf0\x9f\x90\x88"), "\xe4\xbe\x8b \xf0\x9f\x90\x88"},
    {0x1e, BYTES("\0A\0\xdf\x4f\x8b"), "A\xc3\x9f\xe4\xbe\x8b"},             /* BMPString */
    {0x1c, BYTES("\0\0\0A\0\x01\xf4\x08"), "A\xf0\x9f\x90\x88"},             /* UniversalString */
    {0x1c, BYTES("\0\0\0A\xff\xff\xff\xff"), "A\\xff\\xff\\xff\\xff"},       /* beyond Unicode */
    {0x1e, BYTES("\0A\xd8\x01"), "A\\xd8\\x01"},                             /* a surrogate */
    {0x1e, BYTES("\0A\0"), "A\\x00"},                                        /* half a character */
    {MADE_IA5, BYTES("gr\xfcn"), "gr\\xfcn"},                                /* not ASCII */
    {0x14, BYTES("gr\xfcn"), "gr\\xfcn"},                                    /* TeletexString */
    {MADE_UTF8, BYTES("gr\xfcn"), "gr\\xfcn"},                               /* not UTF-8: */
    {MADE_UTF8, BYTES("\xc0\xaf\xc1\x81"), "\\xc0\\xaf\\xc1\\x81"},          /* too long, */
    {MADE_UTF8, BYTES("\xe0\x80\xaf"), "\\xe0\\x80\\xaf"},                   /* also so, */
    {MADE_UTF8, BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"},          /* too large, */
    {MADE_UTF8, BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80"},                   /* a surrogate, */
    {MADE_UTF8, BYTES("a\xe4\xbe"), "a\\xe4\\xbe"},                          /* cut, */
    {MADE_UTF8, BYTES("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80"}, /* of five bytes */
    {MADE_UTF8, BYTES("a\0b"), "a\\x00b"},
    {MADE_UTF8, BYTES("a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f"},
    {MADE_UTF8, BYTES("\xc2\x9b"), "\\xc2\\x9b"},                /* a control of terminals */
    {MADE_UTF8, BYTES("\xe2\x80\x8fgro"), "\\xe2\\x80\\x8fgro"}, /* right to left */
    {MADE_UTF8, BYTES("a\xe2\x80\x8b"), "a\\xe2\\x80\\x8b"},     /* of no width */
    {0x1e, BYTES("\x20\x2e\0o"), "\\x20\\x2eo"},
    {MADE_UTF8, BYTES("Some, Inc."), "Some\\, Inc."},
    {MADE_UTF8, BYTES("a+CN=b\\"), "a\\+CN=b\\\\"},
    {DER_INTEGER, BYTES("\x01"), "\\x01"}, /* no string at all */
    {DER_SEQUENCE, BYTES("\x0c\x01x"), "\\x0c\\x01x"},
};

static void values_are_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        const struct attribute subject[] = {
            {OID_CN, values[i].tag, values[i].value, values[i].length, false}, {0}};
        char expected[100];
        snprintf(expected, sizeof expected, "CN=%s", values[i].shown);
        expect_subject(subject, expected);
    }
}

static void attributes_are_shown(void **state)
{
    (void)state;
    const struct attribute full[] = {{OID_C, MADE_PRINTABLE, "NO", 0, false},
                                     {OID_O, MADE_UTF8, "Some", 0, false},
                                     {OID_CN, MADE_UTF8, "example.org", 0, false},
                                     {OID_EMAIL, MADE_IA5, "me@example.org", 0, true},
                                     {0}};
    expect_subject(full, "C=NO, O=Some, CN=example.org+emailAddress=me@example.org");
    const struct attribute parts[] = {
        {OID_DC, MADE_IA5, "org", 0, false}, {OID_DC, MADE_IA5, "example", 0, false}, {0}};
    expect_subject(parts, "DC=org, DC=example");
    const struct attribute unnamed[] = {{"\x2a\x86\x48\x86\xf7\x0d", MADE_UTF8, "a", 0, false},
                                        {"\x88\x37\x01", MADE_UTF8, "b", 0, false},
                                        {"\x55\x04\x03\x01", MADE_UTF8, "c", 0, false},
                                        {"\x55\x80\x03", MADE_UTF8, "d", 0, false},
                                        {"\x55\x84", MADE_UTF8, "e", 0, false},
                                        {"\x69\xff\xff\xff\xff\xff\x7f", MADE_UTF8, "f", 0, false},
                                        {"\x80\x01", MADE_UTF8, "g", 0, false},
                                        {"", MADE_UTF8, "h", 0, false},
                                        {"\x8f\xff\xff\xff\x7f", MADE_UTF8, "i", 0, false},
                                        {0}};
    expect_subject(unnamed, "1.2.840.113549=a, 2.999.1=b, 2.5.4.3.1=c, 2.5.?=d, 2.5.?=e, "
                            "2.25.?=f, ?=g, ?=h, 2.4294967215=i");
}

static void an_empty_name_is_told(void **state)
{
    (void)state;
    struct der_text certificate;
    char text[100];
    make(&certificate, &(struct made){0});
    subject_of(&certificate, text, sizeof text);
    assert_string_equal(text, "(no subject)");
    tls_certificate_issuer(certificate.bytes, certificate.length, text, sizeof text);
    assert_string_equal(text, "(no issuer)");
    const struct attribute blank[] = {{OID_CN, MADE_UTF8, "", 0, false}, {0}};
    expect_subject(blank, "CN=");
}

static void subject_and_issuer_are_told_apart(void **state)
{
    (void)state;
    const struct attribute subject[] = {{OID_CN, MADE_UTF8, "leaf", 0, false}, {0}};
    const struct attribute issuer[] = {{OID_CN, MADE_UTF8, "issuer", 0, false}, {0}};
    struct der_text certificate;
    char text[100];
    make(&certificate, &(struct made){.subject = subject, .issuer = issuer});
    tls_certificate_subject(certificate.bytes, certificate.length, text, sizeof text);
    assert_string_equal(text, "CN=leaf");
    tls_certificate_issuer(certificate.bytes, certificate.length, text, sizeof text);
    assert_string_equal(text, "CN=issuer");
}

/* Cut after a whole piece, whatever the size. */
static void long_names_are_cut(void **state)
{
    (void)state;
    char value[4096];
    for (size_t i = 0; i < sizeof value; i += 2)
        memcpy(value + i, "\xc3\xbc", 2);
    const struct attribute subject[] = {{OID_CN, MADE_UTF8, value, sizeof value, false}, {0}};
    struct der_text certificate;
    make(&certificate, &(struct made){.subject = subject});
    for (size_t size = 1; size < 300; size++) {
        char *text = malloc(size);
        assert_non_null(text);
        subject_of(&certificate, text, size);
        const size_t length = strlen(text);
        assert_true(length < size);
        const size_t dots = length < 3 ? length : 3;
        assert_memory_equal(text + length - dots, "...", dots);
        if (size > 8) {
            assert_true(length >= size - 2);
            assert_int_equal((length - strlen("CN=...")) % 2, 0); /* no half a character */
        }
        free(text);
    }
    tls_certificate_subject(certificate.bytes, certificate.length, NULL, 0);
    char whole[4200];
    subject_of(&certificate, whole, sizeof whole);
    assert_int_equal(strlen(whole), 3 + 4096);
}

/* ---- dates ---- */

static const struct {
    const char *text;
    int64_t seconds; /* -1: malformed */
} dates[] = {
    {"700101000000Z", 0},
    {"19700101000000Z", 0},
    {"500101000000Z", -631152000},
    {"491231235959Z", 2524607999},
    {"240229120000Z", 1709208000},
    {"20240229120000Z", 1709208000},
    {"20000229000000Z", 951782400},
    {"21000228235959Z", 4107542399},
    {"99991231235959Z", 253402300799},
    {"00000101000000Z", -62167219200},
    {"00010101000000Z", -62135596800},
    {"00000301000000Z", -62162035200},
    {"16010101000000Z", -11644473600},
    {"230229120000Z", -1},
    {"21000229000000Z", -1},
    {"19000229000000Z", -1},
    {"240431000000Z", -1},
    {"240400000000Z", -1},
    {"240132000000Z", -1},
    {"240001000000Z", -1},
    {"241301000000Z", -1},
    {"240101240000Z", -1},
    {"240101006000Z", -1},
    {"240101000060Z", -1},
    {"240101000000", -1},
    {"2401010000Z", -1},
    {"240101000000+0100", -1},
    {"240101000000z", -1},
    {"24010100000 Z", -1},
    {"-40101000000Z", -1},
    {"24:101000000Z", -1},
    {"24/101000000Z", -1},
    {"20240101000000.5Z", -1},
    {"20240101000000", -1},
    {"2024010100Z", -1},
    {"20240101000000Zx", -1},
    {"Z", -1},
    {"", -1},
};

static int validity_of(const struct der_text *certificate, int64_t *from, int64_t *to)
{
    uint8_t *der = copy_of(certificate->bytes, certificate->length);
    const int status = tls_certificate_validity(der, certificate->length, from, to);
    free(der);
    return status;
}

static void dates_are_read(void **state)
{
    (void)state;
    struct der_text certificate;
    int64_t from, to;
    for (size_t i = 0; i < COUNT(dates); i++) {
        const int expected = dates[i].seconds == -1 ? -EBADMSG : 0;
        make(&certificate, &(struct made){.from = dates[i].text, .to = "20500101000000Z"});
        assert_int_equal(validity_of(&certificate, &from, &to), expected);
        if (expected == 0) {
            assert_int_equal(from, dates[i].seconds);
            assert_int_equal(to, 2524608000);
        }
        make(&certificate, &(struct made){.from = "700101000000Z", .to = dates[i].text});
        assert_int_equal(validity_of(&certificate, &from, &to), expected);
        if (expected == 0)
            assert_int_equal(to, dates[i].seconds);
    }
}

/* The type and the length of a date belong together. */
static void dates_of_the_wrong_type_are_refused(void **state)
{
    (void)state;
    struct der_text certificate;
    int64_t from, to;
    make(&certificate, &(struct made){0});
    uint8_t *date = memmem(certificate.bytes, certificate.length, "\x17\x0d", 2);
    assert_non_null(date);
    for (unsigned tag = 0; tag < 256; tag++) {
        *date = (uint8_t)tag;
        assert_int_equal(validity_of(&certificate, &from, &to), tag == 0x17 ? 0 : -EBADMSG);
    }
}

/* Each day of four centuries is one after the other. */
static void days_follow_each_other(void **state)
{
    (void)state;
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct der_text certificate;
    int64_t from, to, expected = -11644473600;
    make(&certificate, &(struct made){.from = "16010101000000Z"});
    uint8_t *date = memmem(certificate.bytes, certificate.length, "16010101", 8);
    assert_non_null(date);
    for (unsigned year = 1601; year <= 2001; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            const bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
            const unsigned last = lengths[month - 1] + (month == 2 && leap ? 1u : 0u);
            for (unsigned day = 1; day <= last; day++, expected += 86400) {
                char text[16];
                snprintf(text, sizeof text, "%04u%02u%02u", year % 10000, month % 100, day % 100);
                memcpy(date, text, 8);
                assert_int_equal(
                    tls_certificate_validity(certificate.bytes, certificate.length, &from, &to), 0);
                assert_int_equal(from, expected);
            }
        }
    }
}

/* ---- malformed bytes ---- */

static void look_at(const uint8_t *der, size_t length)
{
    char text[64];
    int64_t from, to;
    tls_certificate_subject(der, length, text, sizeof text);
    assert_in_range(strlen(text), 1, sizeof text - 1);
    tls_certificate_issuer(der, length, text, sizeof text);
    assert_in_range(strlen(text), 1, sizeof text - 1);
    const int status = tls_certificate_validity(der, length, &from, &to);
    assert_true(status == 0 || status == -EBADMSG);
}

static void prefixes_are_malformed(void **state)
{
    (void)state;
    char text[64];
    int64_t from, to;
    for (size_t cut = 0; cut < sizeof real_names; cut++) {
        uint8_t *der = copy_of(real_names, cut);
        tls_certificate_subject(der, cut, text, sizeof text);
        assert_string_equal(text, "(malformed)");
        tls_certificate_issuer(der, cut, text, sizeof text);
        assert_string_equal(text, "(malformed)");
        assert_int_equal(tls_certificate_validity(der, cut, &from, &to), -EBADMSG);
        free(der);
    }
    tls_certificate_subject(NULL, 0, text, sizeof text);
    assert_string_equal(text, "(malformed)");
    assert_int_equal(tls_certificate_validity(NULL, 0, &from, &to), -EBADMSG);
}

static void any_byte_may_be_wrong(void **state)
{
    (void)state;
    uint8_t *der = copy_of(real_names, sizeof real_names);
    for (size_t i = 0; i < sizeof real_names; i++) {
        for (unsigned change = 1; change < 256; change++) {
            der[i] ^= (uint8_t)change;
            look_at(der, sizeof real_names);
            der[i] ^= (uint8_t)change;
        }
    }
    free(der);
}

/* Of a name in which anything is wrong, nothing is shown. */
static void malformed_names_are_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t length;
    } names[] = {
        {BYTES("\x31\x00")},                                             /* an empty set */
        {BYTES("\x30\x00")},                                             /* no set */
        {BYTES("\x31\x02\x30\x00")},                                     /* an empty attribute */
        {BYTES("\x31\x07\x30\x05\x06\x03\x55\x04\x03")},                 /* without a value */
        {BYTES("\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x00\x0c\x00")}, /* of two */
        {BYTES("\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x01")},         /* that is cut */
        {BYTES("\x31\x09\x30\x07\x0c\x03\x55\x04\x03\x0c\x00")},         /* without an identifier */
        {BYTES("\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00\x31")},     /* more behind it */
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct der_text certificate = {.length = 0};
        char text[64];
        put_element(&certificate, DER_INTEGER, "\x01", 1);
        put_element(&certificate, DER_SEQUENCE, "\x06\x01\x2a", 3);
        put_element(&certificate, DER_SEQUENCE, "", 0);
        put_element(&certificate, DER_SEQUENCE, "", 0);
        put_element(&certificate, DER_SEQUENCE, names[i].name, names[i].length);
        wrap(&certificate, 0, DER_SEQUENCE);
        wrap(&certificate, 0, DER_SEQUENCE);
        subject_of(&certificate, text, sizeof text);
        assert_string_equal(text, "(malformed)");
        tls_certificate_issuer(certificate.bytes, certificate.length, text, sizeof text);
        assert_string_equal(text, "(no issuer)");
    }
}

/* ---- PEM and copies ---- */

static void pem_is_that_of_rfc_7468(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *inside;
    } rows[] = {
        {BYTES(""), ""},
        {BYTES("f"), "Zg==\n"},
        {BYTES("fo"), "Zm8=\n"},
        {BYTES("foo"), "Zm9v\n"},
        {BYTES("\xff\xfb\xf0"), "//vw\n"},
        {BYTES("foobarfoobarfoobarfoobarfoobarfoobarfoobarfoobar"),
         "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFy\n"},
        {BYTES("foobarfoobarfoobarfoobarfoobarfoobarfoobarfoobarf"),
         "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFy\nZg==\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char expected[300];
        const int whole =
            snprintf(expected, sizeof expected,
                     "-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n", rows[i].inside);
        for (size_t size = 0; size < (size_t)whole + 3; size++) {
            char *text = malloc(size + 1);
            assert_non_null(text);
            assert_int_equal(tls_certificate_pem((const uint8_t *)rows[i].bytes, rows[i].length,
                                                 size ? text : NULL, size),
                             whole);
            if (size) {
                assert_int_equal(strlen(text), size > (size_t)whole ? (size_t)whole : size - 1);
                assert_memory_equal(text, expected, strlen(text));
            }
            free(text);
        }
    }
    assert_int_equal(tls_certificate_pem((const uint8_t *)"", SIZE_MAX, NULL, 0), -EOVERFLOW);
}

static int no_digest(const struct iovec *parts, int count, uint8_t digest[32])
{
    (void)parts, (void)count, (void)digest;
    return -EIO;
}

static void copies_are_counted(void **state)
{
    (void)state;
    static const struct tls_backend broken = {.sha256 = no_digest};
    struct tls_certificate *one = tls_certificate_new(&toy, real_names, sizeof real_names);
    assert_non_null(one);
    assert_int_equal(one->length, sizeof real_names);
    assert_memory_equal(one->der, real_names, sizeof real_names);
    assert_ptr_equal(tls_certificate_get(one), one);
    tls_certificate_put(one);
    assert_int_equal(one->references, 1);
    tls_certificate_put(one);
    tls_certificate_put(NULL);
    one = tls_certificate_new(&toy, NULL, 0);
    assert_non_null(one);
    tls_certificate_put(one);
    assert_null(tls_certificate_new(&broken, real_names, sizeof real_names));
    assert_null(tls_certificate_new(&toy, real_names, SIZE_MAX));
}

/* ---- against the command openssl ---- */

static size_t read_whole(const char *folder, const char *name, char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t length = fread(text, 1, size - 1, file);
    text[length] = 0;
    fclose(file);
    return length;
}

static void check_digest(enum cdt_tls_backend id, const uint8_t *der, size_t length,
                         const char *fingerprint)
{
    const struct tls_backend *backend = tls_backend(id);
    char text[100] = "";
    if (!backend) {
        print_message("%s is not built in: its digest is not looked at\n",
                      cdt_tls_backend_name(id));
        return;
    }
    struct tls_certificate *certificate = tls_certificate_new(backend, der, length);
    assert_non_null(certificate);
    for (size_t i = 0; i < sizeof certificate->sha256; i++)
        sprintf(text + 3 * i, i < 31 ? "%02X:" : "%02X", certificate->sha256[i]);
    assert_non_null(strstr(fingerprint, text));
    tls_certificate_put(certificate);
}

static void as_openssl_says(void **state)
{
    (void)state;
    char folder[64], command[1000], output[6000], pem[6000], text[300];
    char der[4000];
    int64_t from, to;
    if (system("command -v openssl >/dev/null") != 0) {
        print_message("SKIPPED: there is no openssl command\n");
        skip();
    }
    test_folder(folder);
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8 "
             "-days 100 -keyout key -out pem -subj '/C=NO/O=Some, Inc./OU=a\\+b/CN=b\xc3\xbc"
             "cher.example/emailAddress=me@example.org' 2>log && "
             "openssl x509 -in pem -outform DER -out der && "
             "openssl x509 -in pem -noout -fingerprint -sha256 >fingerprint && "
             "date -u -d \"$(openssl x509 -in pem -noout -enddate | cut -d= -f2)\" +%%s >end",
             folder);
    assert_int_equal(system(command), 0);

    const size_t length = read_whole(folder, "der", der, sizeof der);
    tls_certificate_subject((const uint8_t *)der, length, text, sizeof text);
    assert_string_equal(text, "C=NO, O=Some\\, Inc., OU=a\\+b, CN=b\xc3\xbc"
                              "cher.example, emailAddress=me@example.org");
    read_whole(folder, "end", output, sizeof output);
    assert_int_equal(tls_certificate_validity((const uint8_t *)der, length, &from, &to), 0);
    assert_int_equal(to, atoll(output));
    assert_int_equal(to - from, 100 * 86400);
    read_whole(folder, "pem", output, sizeof output);
    assert_int_equal(tls_certificate_pem((const uint8_t *)der, length, pem, sizeof pem),
                     strlen(output));
    assert_string_equal(pem, output);
    read_whole(folder, "fingerprint", output, sizeof output);
    check_digest(CDT_TLS_WOLFSSL, (const uint8_t *)der, length, output);
    check_digest(CDT_TLS_OPENSSL, (const uint8_t *)der, length, output);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_shown),
        cmocka_unit_test(attributes_are_shown),
        cmocka_unit_test(an_empty_name_is_told),
        cmocka_unit_test(subject_and_issuer_are_told_apart),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(dates_of_the_wrong_type_are_refused),
        cmocka_unit_test(days_follow_each_other),
        cmocka_unit_test(prefixes_are_malformed),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(malformed_names_are_not_shown),
        cmocka_unit_test(pem_is_that_of_rfc_7468),
        cmocka_unit_test(copies_are_counted),
        cmocka_unit_test(as_openssl_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
