/* Whether a certificate is for a host: names, wildcards, addresses, and certificates that are
 * malformed. What is looked at lies in memory of its exact size, so that a sanitizer sees a byte
 * too much. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/tls/certificate.h"
#include "test/tls/real_certificates.h"
#include "tls/names.h"

#define COUNT(a)       (sizeof(a) / sizeof *(a))
#define LABEL_60       "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
#define LABEL_63       LABEL_60 "ggg"
#define NAME_253       LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_60 "g"
#define BYTES(literal) (literal), sizeof(literal) - 1

static uint8_t *copy_of(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

static int check_bytes(const uint8_t *bytes, size_t length, const char *host)
{
    uint8_t *copy = copy_of(bytes, length);
    const int status = tls_names_check(copy, length, host);
    free(copy);
    return status;
}

static int check(const struct general_name *names, unsigned ways, const char *host)
{
    struct der_text certificate;
    make_certificate(&certificate, names, ways);
    return check_bytes(certificate.bytes, certificate.length, host);
}

/* ---- DNS names ---- */

static const struct {
    const char *pattern;
    size_t length;
    const char *host;
    bool matches;
} pairs[] = {
    {BYTES("example.org"), "example.org", true},
    {BYTES("example.org"), "EXAMPLE.ORG", true},
    {BYTES("eXaMpLe.OrG"), "example.org", true},
    {BYTES("example.org"), "example.org.", true}, /* the root's dot, in the host only */
    {BYTES("example.org."), "example.org", false},
    {BYTES("example.org."), "example.org.", false},
    {BYTES("example.org"), "example.org..", false},
    {BYTES("example.org"), ".example.org", false},
    {BYTES(".example.org"), "example.org", false},
    {BYTES(".example.org"), "www.example.org", false},
    {BYTES("example.org"), "www.example.org", false},
    {BYTES("www.example.org"), "example.org", false},
    {BYTES("example.org"), "example.com", false},
    {BYTES("example.org"), "example.or", false},
    {BYTES("example.or"), "example.org", false},
    {BYTES("xample.org"), "example.org", false},
    {BYTES("localhost"), "localhost", true},
    {BYTES("localhost"), "LocalHost.", true},
    {BYTES("a_b.example.org"), "a_b.example.org", true},
    {BYTES("3com.example"), "3com.example", true},
    {BYTES("-a-.example"), "-a-.example", true},
    {BYTES("a@b"), "a`b", false}, /* no letters, but 32 apart */
    {BYTES("a[.example"), "a{.example", false},
    /* wildcards: RFC 9525 section 6.3 */
    {BYTES("*.example.org"), "www.example.org", true},
    {BYTES("*.example.org"), "WWW.EXAMPLE.ORG", true},
    {BYTES("*.EXAMPLE.org"), "www.example.org.", true},
    {BYTES("*.example.org"), "a.b.example.org", false},
    {BYTES("*.example.org"), "example.org", false},
    {BYTES("*.example.org"), ".example.org", false},
    {BYTES("*.example.org"), "wwwexample.org", false},
    {BYTES("*.example.org"), "www.example.com", false},
    {BYTES("*.example.org"), "*.example.org", false}, /* this is no host */
    {BYTES("*.example.org."), "www.example.org", false},
    {BYTES("*.example.org."), "www.example.org.", false},
    {BYTES("*.b.example.org"), "a.b.example.org", true},
    {BYTES("*.co.uk"), "example.co.uk", true},
    {BYTES("*.org"), "example.org", false},
    {BYTES("*.org."), "example.org", false},
    {BYTES("*."), "org", false},
    {BYTES("*"), "org", false},
    {BYTES("*"), "example.org", false},
    {BYTES("*."), "example.org", false},
    {BYTES("*.."), "example.org", false},
    {BYTES("*..org"), "example.org", false},
    {BYTES("*.*.org"), "www.example.org", false},
    {BYTES("*.*.example.org"), "a.b.example.org", false},
    {BYTES("**.example.org"), "www.example.org", false},
    {BYTES("w*.example.org"), "www.example.org", false},
    {BYTES("*w.example.org"), "www.example.org", false},
    {BYTES("w*w.example.org"), "www.example.org", false},
    {BYTES("www.*.org"), "www.example.org", false},
    {BYTES("www.example.*"), "www.example.org", false},
    {BYTES("www.exam*.org"), "www.example.org", false},
    {BYTES("*www.example.org"), "www.example.org", false},
    {BYTES("*example.org"), "www.example.org", false},
    {BYTES("?ww.example.org"), "www.example.org", false},
    {BYTES(" *.example.org"), "www.example.org", false},
    {BYTES("*\0.example.org"), "www.example.org", false},
    /* internationalised: A-labels are names like others, as a whole */
    {BYTES("xn--bcher-kva.example"), "xn--bcher-kva.example", true},
    {BYTES("XN--BCHER-KVA.example"), "xn--bcher-kva.example", true},
    {BYTES("*.example.org"), "xn--bcher-kva.example.org", true},
    {BYTES("*.xn--bcher-kva.example"), "www.xn--bcher-kva.example", true},
    {BYTES("xn--*.example.org"), "xn--bcher-kva.example.org", false},
    {BYTES("xn--bcher-*.example.org"), "xn--bcher-kva.example.org", false},
    {BYTES("*-kva.example.org"), "xn--bcher-kva.example.org", false},
    {BYTES("b\303\274cher.example"), "xn--bcher-kva.example", false},
    {BYTES("b\303\274cher.example"), "b\303\274cher.example", false},
    {BYTES("b\374cher.example"), "b\374cher.example", false},
    {BYTES("\xef\xbc\x8a.example.org"), "www.example.org", false}, /* a wide asterisk */
    {BYTES("example\xe3\x80\x82org"), "example.org", false},       /* a wide dot */
    /* bytes that hide something */
    {BYTES("example.org\0"), "example.org", false},
    {BYTES("example.org\0.evil.test"), "example.org", false},
    {BYTES("\0example.org"), "example.org", false},
    {BYTES("\0"), "example.org", false},
    {BYTES("www\0.example.org"), "www.example.org", false},
    {BYTES("*.example.org\0"), "www.example.org", false},
    {BYTES("example.org\n"), "example.org", false},
    {BYTES("example.org "), "example.org", false},
    {BYTES(" example.org"), "example.org", false},
    {BYTES("example.org:443"), "example.org", false},
    {BYTES("example.org/"), "example.org", false},
    {BYTES("https://example.org"), "example.org", false},
    {BYTES("user@example.org"), "example.org", false},
    {BYTES("example.org,www.example.org"), "example.org", false},
    {BYTES("example..org"), "example.org", false},
    {BYTES("example..org"), "example..org", false},
    {BYTES(""), "example.org", false},
    {BYTES(""), "", false},
    {BYTES("."), ".", false},
    {BYTES(".."), ".", false},
    /* addresses are never names */
    {BYTES("127.0.0.1"), "127.0.0.1", false},
    {BYTES("127.0.0.1"), "127.0.0.1.", false},
    {BYTES("127.1"), "127.1", false},
    {BYTES("2130706433"), "2130706433", false},
    {BYTES("*.0.0.1"), "127.0.0.1", false},
    {BYTES("::1"), "::1", false},
    {BYTES("[::1]"), "[::1]", false},
    {BYTES("\x7f\0\0\1"), "127.0.0.1", false},
    /* lengths */
    {BYTES(LABEL_63 ".example"), LABEL_63 ".example", true},
    {BYTES(LABEL_63 "a.example"), LABEL_63 "a.example", false},
    {BYTES(NAME_253), NAME_253, true},
    {BYTES(NAME_253), NAME_253 ".", true},
    {BYTES(NAME_253 "h"), NAME_253 "h", false},
    {BYTES(NAME_253 "."), NAME_253 ".", false},
    {BYTES("*." LABEL_63 "." LABEL_63 "." LABEL_60 "g"), NAME_253, true},
    {BYTES("*." LABEL_63 "." LABEL_63 "." LABEL_60 "g"), LABEL_63 "a" NAME_253, false},
};

static void matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        uint8_t *pattern = copy_of((const uint8_t *)pairs[i].pattern, pairs[i].length);
        const bool matches = tls_names_match(pattern, pairs[i].length, pairs[i].host);
        free(pattern);
        if (matches != pairs[i].matches)
            fail_msg("%s and %s: %d", pairs[i].pattern, pairs[i].host, matches);
    }
    assert_false(tls_names_match(NULL, 0, "example.org"));
    assert_false(tls_names_match((const uint8_t *)"a", 1, NULL));
}

/* The same pairs by way of a certificate, the name between others. */
static void matching_in_certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        if (pairs[i].length == 0)
            continue; /* general_name knows no empty one of them */
        const struct general_name names[] = {{SAN_MAIL, "root@example.org", 0},
                                             {SAN_DNS, "other.test", 0},
                                             {SAN_DNS, pairs[i].pattern, pairs[i].length},
                                             {SAN_IP, "\xc0\0\2\x63", 4},
                                             {0}};
        const int status = check(names, 0, pairs[i].host);
        if (pairs[i].matches ? status != 0 : status != -ENOENT && status != -EINVAL)
            fail_msg("%s and %s: %d", pairs[i].pattern, pairs[i].host, status);
        assert_int_equal(check(names, 0, "other.test"), 0);
    }
}

static void hosts_that_are_none(void **state)
{
    static const char *const hosts[] = {"",
                                        ".",
                                        "..",
                                        ".a",
                                        "a..b",
                                        "a..",
                                        "*",
                                        "*.example.org",
                                        "a b",
                                        "example.org\n",
                                        "a/b",
                                        "a:1",
                                        "a@b",
                                        "b\303\274cher.example",
                                        "127.1",
                                        "127.0.0.1.",
                                        "127.0.0.1.1",
                                        "256.0.0.1",
                                        "010.0.0.1",
                                        "1",
                                        "127.0.0.1:80",
                                        "[::1",
                                        "::1]",
                                        "[]",
                                        "[[::1]]",
                                        "[::1]:80",
                                        "[example.org]",
                                        "fe80::1%1",
                                        "fe80::1%eth0",
                                        "[fe80::1%251]",
                                        "127.0.0.1%1",
                                        "::g",
                                        "1:2:3:4:5:6:7:8:9",
                                        ":::",
                                        "::1.",
                                        (LABEL_63 "a.example"),
                                        (NAME_253 "h"),
                                        (NAME_253 ".."),
                                        (NAME_253 NAME_253)};
    static const struct general_name names[] = {{SAN_DNS, "example.org", 0}, {0}};
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        if (check(names, 0, hosts[i]) != -EINVAL)
            fail_msg("%s: %d", hosts[i], check(names, 0, hosts[i]));
    }
    assert_int_equal(check(names, 0, NULL), -EINVAL);
}

/* ---- addresses ---- */

static void addresses(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *host;
        int status;
    } rows[] = {
        {BYTES("\x7f\0\0\1"), "127.0.0.1", 0},
        {BYTES("\x7f\0\0\1"), "[127.0.0.1]", 0},
        {BYTES("\x7f\0\0\1"), "127.0.0.2", -ENOENT},
        {BYTES("\x7f\0\0\1"), "::ffff:127.0.0.1", -ENOENT},
        {BYTES("\x7f\0\0\1"), "::127.0.0.1", -ENOENT},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"), "127.0.0.1", -ENOENT},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"), "::ffff:127.0.0.1", 0},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"), "::FFFF:7f00:1", 0},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "::1", 0},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "[::1]", 0},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "0:0:0:0:0:0:0:1", 0},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "::2", -ENOENT},
        {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "0.0.0.1", -ENOENT},
        {BYTES("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "fe80::1", 0},
        {BYTES("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "FE80:0::1", 0},
        {BYTES("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "fe80::1%1", -EINVAL},
        {BYTES("aaaa"), "aaaa", -ENOENT},
        {BYTES("\x7f\0\0\1"), "7f00:1::", -ENOENT},
        {BYTES("\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"), "127.0.0.1", -ENOENT},
        {BYTES("\x7f\0\0"), "127.0.0.1", -EBADMSG},
        {BYTES("\x7f\0\0\1\0"), "127.0.0.1", -EBADMSG},
        {BYTES("\x7f\0\0\1\xff\xff\xff\xff"), "127.0.0.1", -EBADMSG}, /* that is for constraints */
        {BYTES("127.0.0.1"), "127.0.0.1", -EBADMSG},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct general_name names[] = {{SAN_IP, rows[i].bytes, rows[i].length}, {0}};
        const int status = check(names, 0, rows[i].host);
        if (status != rows[i].status)
            fail_msg("row %zu, %s: %d", i, rows[i].host, status);
    }
}

/* ---- certificates ---- */

static void forms(void **state)
{
    static const struct {
        unsigned ways;
        int status;
    } rows[] = {
        {0, 0},
        {WITHOUT_VERSION, 0},
        {WITH_UNIQUE_IDS, 0},
        {WITH_CRITICAL, 0},
        {WITHOUT_EXTENSIONS, -ENOENT},
        {WITHOUT_EXTENSIONS | WITH_UNIQUE_IDS, -ENOENT},
        {WITHOUT_SAN, -ENOENT},
        {WITH_LONG_CRITICAL, -EBADMSG},
        {WITH_SAN_TWICE, -EBADMSG},
        {WITH_MORE_AFTER, -EBADMSG},
        {WITH_MORE_IN_VALUE, -EBADMSG},
        {WITH_MORE_IN_TBS, -EBADMSG},
        {WITH_MORE_IN_TBS | WITHOUT_EXTENSIONS, -EBADMSG},
        {WITH_MORE_AT_END, -EBADMSG},
        {WITH_SAN_NO_LIST, -EBADMSG},
        {WITH_VALUE_NO_TEXT, -EBADMSG},
        {WITHOUT_SIGNATURE, -EBADMSG},
    };
    static const struct general_name names[] = {{SAN_DNS, "example.org", 0}, {0}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const int status = check(names, rows[i].ways, "example.org");
        if (status != rows[i].status)
            fail_msg("row %zu, ways %u: %d", i, rows[i].ways, status);
    }
    assert_int_equal(check(NULL, 0, "example.org"), -ENOENT); /* an empty list */
    assert_int_equal(check(NULL, WITH_SAN_TWICE, "example.org"), -EBADMSG);
    assert_int_equal(tls_names_check(NULL, 0, "example.org"), -EBADMSG);
    assert_int_equal(check_bytes(real_names, 0, "example.org"), -EBADMSG);
}

static void kinds(void **state)
{
    static const struct {
        struct general_name name;
        int status;
    } rows[] = {
        {{SAN_OTHER, "\x06\x01\x2a\xa0\x02\x0c\x00", 7}, -ENOENT},
        {{SAN_MAIL, "example.org", 0}, -ENOENT},
        {{SAN_URI, "https://example.org/", 0}, -ENOENT},
        {{SAN_URI, "example.org", 0}, -ENOENT},
        {{0xa4, "\x30", 2}, -ENOENT},
        {{0xa3, "example.org", 0}, -ENOENT},
        {{0xa5, "example.org", 0}, -ENOENT},
        {{0x88, "\x2a", 1}, -ENOENT},
        {{0xa2, "example.org", 0}, -EBADMSG}, /* constructed */
        {{0xa7, "\x7f\0\0\1", 4}, -EBADMSG},
        {{0x89, "example.org", 0}, -EBADMSG}, /* no such one */
        {{0x02, "example.org", 0}, -EBADMSG}, /* other classes */
        {{0x42, "example.org", 0}, -EBADMSG},
        {{0xc2, "example.org", 0}, -EBADMSG},
        {{0x16, "example.org", 0}, -EBADMSG},
        {{0x9f, "example.org", 0}, -EBADMSG}, /* a long tag */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct general_name alone[] = {rows[i].name, {0}};
        const struct general_name after[] = {{SAN_DNS, "example.org", 0}, rows[i].name, {0}};
        if (check(alone, 0, "example.org") != rows[i].status)
            fail_msg("row %zu: %d", i, check(alone, 0, "example.org"));
        /* A certificate that is malformed behind the name that matches is still malformed. */
        assert_int_equal(check(after, 0, "example.org"), rows[i].status == -EBADMSG ? -EBADMSG : 0);
    }
}

static void walk(void **state)
{
    static const struct general_name names[] = {
        {SAN_DNS, "example.org", 0}, {SAN_URI, "x:", 0}, {SAN_IP, "\x7f\0\0\1", 4}, {0}};
    struct der_text certificate;
    struct tls_sans sans;
    struct tls_san san;
    (void)state;
    make_certificate(&certificate, names, 0);
    assert_int_equal(tls_sans_find(certificate.bytes, certificate.length, &sans), 0);
    assert_int_equal(tls_sans_next(&sans, &san), 1);
    assert_int_equal(san.kind, TLS_SAN_DNS);
    assert_int_equal(san.length, 11);
    assert_memory_equal(san.bytes, "example.org", 11);
    assert_int_equal(tls_sans_next(&sans, &san), 1);
    assert_int_equal(san.kind, TLS_SAN_OTHER);
    assert_int_equal(tls_sans_next(&sans, &san), 1);
    assert_int_equal(san.kind, TLS_SAN_IP);
    assert_int_equal(san.length, 4);
    assert_memory_equal(san.bytes, "\x7f\0\0\1", 4);
    assert_int_equal(tls_sans_next(&sans, &san), 0);
    assert_int_equal(tls_sans_next(&sans, &san), 0);
    make_certificate(&certificate, names, WITHOUT_SAN);
    assert_int_equal(tls_sans_find(certificate.bytes, certificate.length, &sans), -ENOENT);
    assert_int_equal(tls_sans_next(&sans, &san), 0);
}

static void lengths(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool good;
        size_t contents;
    } rows[] = {
        {BYTES("\x04\x00"), true, 0},
        {BYTES("\x04\x01x"), true, 1},
        {BYTES("\x04\x01xy"), true, 1},
        {BYTES("\x04\x81\x01x"), true, 1}, /* not in the shortest form */
        {BYTES("\x04\x84\x00\x00\x00\x01x"), true, 1},
        {BYTES("\x04\x8a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01x"), true, 1},
        {BYTES("\x04\x80x\x00\x00"), false, 0}, /* indefinite */
        {BYTES("\x04\xff"), false, 0},
        {BYTES("\x04\x02x"), false, 0},
        {BYTES("\x04\x81"), false, 0},
        {BYTES("\x04\x82\x00"), false, 0},
        {BYTES("\x04\x84\xff\xff\xff\xffx"), false, 0},
        {BYTES("\x04\x88\xff\xff\xff\xff\xff\xff\xff\xffx"), false, 0},
        {BYTES("\x04\x88\x80\x00\x00\x00\x00\x00\x00\x01x"), false, 0},
        {BYTES("\x04\x89\x01\x00\x00\x00\x00\x00\x00\x00\x01x"), false, 0}, /* 2^64 and one */
        {BYTES("\x1f\x01x"), false, 0},
        {BYTES("\x04"), false, 0},
        {BYTES(""), false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *copy = copy_of((const uint8_t *)rows[i].bytes, rows[i].length), tag = 0;
        struct der from = {copy, copy + rows[i].length}, contents = {0};
        const bool good = der_next(&from, &tag, &contents);
        if (good != rows[i].good || (good && der_left(&contents) != rows[i].contents))
            fail_msg("row %zu", i);
        if (!good)
            assert_ptr_equal(from.at, copy);
        free(copy);
    }
}

/* X.690 section 8.1.3.5 c: a length of 127 bytes is for the future. */
static void length_reserved(void **state)
{
    const uint8_t bytes[2 + 127] = {DER_OCTET_STRING, 0xff};
    struct der from = {bytes, bytes + sizeof bytes};
    (void)state;
    assert_false(der_take(&from, DER_OCTET_STRING, NULL));
}

static void real(void **state)
{
    static const struct {
        const char *host;
        int status;
    } rows[] = {
        {"example.org", 0},          {"www.EXAMPLE.org.", 0},    {"192.0.2.1", 0},
        {"2001:db8::1", 0},          {"[2001:DB8:0::1]", 0},     {"a.b.example.org", -ENOENT},
        {"cn.example.org", 0},       {"192.0.2.2", -ENOENT},     {"2001:db8::2", -ENOENT},
        {"example.com", -ENOENT},    {"192.0.2", -EINVAL},       {"2001:db8::1%1", -EINVAL},
        {"cn.www.example", -ENOENT}, {"*.example.org", -EINVAL},
    };
    char text[128];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const int status = check_bytes(real_names, sizeof real_names, rows[i].host);
        if (status != rows[i].status)
            fail_msg("%s: %d", rows[i].host, status);
    }
    assert_int_equal(check_bytes(real_common_name, sizeof real_common_name, "example.org"),
                     -ENOENT);
    tls_names_describe(real_names, sizeof real_names, text, sizeof text);
    assert_string_equal(text, "example.org, *.example.org, 192.0.2.1, 2001:db8::1");
    tls_names_describe(real_common_name, sizeof real_common_name, text, sizeof text);
    assert_string_equal(text, "");
}

/* ---- for people ---- */

static void described(void **state)
{
    static const struct general_name names[] = {{SAN_DNS, "a,\\ \x01\xff", 0},
                                                {SAN_MAIL, "me@example.org", 0},
                                                {SAN_DNS, "b\0c", 3},
                                                {SAN_IP, "\n\0\0\1", 4},
                                                {0}};
    static const char all[] = "a\\x2c\\x5c\\x20\\x01\\xff, b\\x00c, 10.0.0.1";
    struct der_text certificate;
    (void)state;
    make_certificate(&certificate, names, 0);
    for (size_t size = 0; size <= sizeof all; size++) {
        char *text = malloc(size ? size : 1);
        assert_non_null(text);
        tls_names_describe(certificate.bytes, certificate.length, text, size);
        if (size == sizeof all) {
            assert_string_equal(text, all);
        } else if (size > 0) {
            const size_t length = strlen(text), dots = size > 3 ? 3 : size - 1;
            assert_true(length < size && length >= dots);
            assert_memory_equal(text + length - dots, "...", dots);
            assert_memory_equal(text, all, length - dots);
        }
        free(text);
    }
    char text[10];
    tls_names_describe(certificate.bytes, certificate.length, text, sizeof text);
    assert_string_equal(text, "a\\x2c..."); /* cut after a whole piece */
    tls_names_describe(certificate.bytes, certificate.length - 1, text, sizeof text);
    assert_string_equal(text, ""); /* malformed */
}

/* ---- damaged certificates ---- */

/* All that reads a certificate, over a copy of exact size; returns what tls_sans_find() did. */
static int read_all(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = copy_of(bytes, length);
    struct tls_sans sans;
    struct tls_san san;
    char text[64];
    size_t count = 0;
    const int status = tls_sans_find(copy, length, &sans);
    while (status == 0 && tls_sans_next(&sans, &san) == 1) {
        assert_true(san.bytes >= copy && san.bytes + san.length <= copy + length);
        assert_true(++count <= length / 2);
    }
    tls_names_describe(copy, length, text, sizeof text);
    assert_true(strlen(text) < sizeof text);
    /* No single byte makes this of any name that is there. */
    assert_int_not_equal(tls_names_check(copy, length, "unrelated.test"), 0);
    assert_int_not_equal(tls_names_check(copy, length, "203.0.113.77"), 0);
    free(copy);
    return status;
}

static void damage(const uint8_t *bytes, size_t size)
{
    assert_int_not_equal(read_all(bytes, size), -EBADMSG);
    for (size_t length = 0; length < size; length++)
        assert_int_equal(read_all(bytes, length), -EBADMSG);
    uint8_t *copy = copy_of(bytes, size);
    for (size_t at = 0; at < size; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            copy[at] = bytes[at] ^ (uint8_t)flip;
            const int status = read_all(copy, size);
            assert_true(status == 0 || status == -ENOENT || status == -EBADMSG);
        }
        copy[at] = bytes[at];
    }
    free(copy);
}

static void damaged(void **state)
{
    static const struct general_name names[] = {{SAN_DNS, "*.example.org", 0},
                                                {SAN_URI, "https://example.org", 0},
                                                {SAN_IP, "\xc0\0\2\1", 4},
                                                {0}};
    struct der_text certificate;
    (void)state;
    damage(real_names, sizeof real_names);
    damage(real_common_name, sizeof real_common_name);
    make_certificate(&certificate, names, WITH_UNIQUE_IDS | WITH_CRITICAL);
    damage(certificate.bytes, certificate.length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching),
        cmocka_unit_test(matching_in_certificates),
        cmocka_unit_test(hosts_that_are_none),
        cmocka_unit_test(addresses),
        cmocka_unit_test(forms),
        cmocka_unit_test(kinds),
        cmocka_unit_test(walk),
        cmocka_unit_test(lengths),
        cmocka_unit_test(length_reserved),
        cmocka_unit_test(real),
        cmocka_unit_test(described),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
