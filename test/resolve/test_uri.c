/* URIs: what is read and into which parts, what is refused and where, names in the form of DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <conduit/uri.h>

#include "resolve/internal.h"

/* NULL and port -1: not there. */
static const struct good {
    const char *text, *scheme;
    enum cdt_uri_host kind;
    const char *host;
    int32_t port;
    const char *path, *query, *fragment, *userinfo;
} good[] = {
    /* the parts */
    {"http://example.org/", "http", CDT_URI_NAME, "example.org", -1, "/", NULL, NULL, NULL},
    {"http://example.org", "http", CDT_URI_NAME, "example.org", -1, "", NULL, NULL, NULL},
    {"HTTP://EXAMPLE.org/A", "http", CDT_URI_NAME, "example.org", -1, "/A", NULL, NULL, NULL},
    {"http://a:80/p?q#f", "http", CDT_URI_NAME, "a", 80, "/p", "q", "f", NULL},
    {"http://a?#", "http", CDT_URI_NAME, "a", -1, "", "", "", NULL},
    {"http://a?b?c#d?e", "http", CDT_URI_NAME, "a", -1, "", "b?c", "d?e", NULL},
    {"http://a#/b", "http", CDT_URI_NAME, "a", -1, "", NULL, "/b", NULL},
    {"http://u:p@a/", "http", CDT_URI_NAME, "a", -1, "/", NULL, NULL, "u:p"},
    {"http://u%40:p%3A@a:1/", "http", CDT_URI_NAME, "a", 1, "/", NULL, NULL, "u%40:p%3A"},
    {"http://@a/", "http", CDT_URI_NAME, "a", -1, "/", NULL, NULL, ""},
    {"http://:@a/", "http", CDT_URI_NAME, "a", -1, "/", NULL, NULL, ":"},
    {"srv+http://a/", "srv+http", CDT_URI_NAME, "a", -1, "/", NULL, NULL, NULL},
    {"a1+-.://h", "a1+-.", CDT_URI_NAME, "h", -1, "", NULL, NULL, NULL},
    {"x:", "x", CDT_URI_NO_HOST, "", -1, "", NULL, NULL, NULL},
    {"x:/", "x", CDT_URI_NO_HOST, "", -1, "/", NULL, NULL, NULL},
    {"mailto:a@b.c", "mailto", CDT_URI_NO_HOST, "", -1, "a@b.c", NULL, NULL, NULL},
    {"urn:a:b?c", "urn", CDT_URI_NO_HOST, "", -1, "a:b", "c", NULL, NULL},
    {"localhost:8080", "localhost", CDT_URI_NO_HOST, "", -1, "8080", NULL, NULL, NULL},
    {"http://a/%2f%00/../.", "http", CDT_URI_NAME, "a", -1, "/%2f%00/../.", NULL, NULL, NULL},
    {"http://a//b///c", "http", CDT_URI_NAME, "a", -1, "//b///c", NULL, NULL, NULL},
    {"http://a/b:c@d", "http", CDT_URI_NAME, "a", -1, "/b:c@d", NULL, NULL, NULL},

    /* references without a scheme */
    {"example.org/", NULL, CDT_URI_NO_HOST, "", -1, "example.org/", NULL, NULL, NULL},
    {"example.org", NULL, CDT_URI_NO_HOST, "", -1, "example.org", NULL, NULL, NULL},
    {"//example.org:1/x", NULL, CDT_URI_NAME, "example.org", 1, "/x", NULL, NULL, NULL},
    {"/a:b", NULL, CDT_URI_NO_HOST, "", -1, "/a:b", NULL, NULL, NULL},
    {"./a:b", NULL, CDT_URI_NO_HOST, "", -1, "./a:b", NULL, NULL, NULL},
    {"?q", NULL, CDT_URI_NO_HOST, "", -1, "", "q", NULL, NULL},
    {"#f", NULL, CDT_URI_NO_HOST, "", -1, "", NULL, "f", NULL},

    /* ports */
    {"http://a:/", "http", CDT_URI_NAME, "a", -1, "/", NULL, NULL, NULL},
    {"http://a:0/", "http", CDT_URI_NAME, "a", 0, "/", NULL, NULL, NULL},
    {"http://a:65535", "http", CDT_URI_NAME, "a", 65535, "", NULL, NULL, NULL},
    {"http://a:0000000000000080/", "http", CDT_URI_NAME, "a", 80, "/", NULL, NULL, NULL},
    {"http://[::1]:82/", "http", CDT_URI_ADDRESS, "::1", 82, "/", NULL, NULL, NULL},
    {"http://[::1]:/", "http", CDT_URI_ADDRESS, "::1", -1, "/", NULL, NULL, NULL},

    /* no host */
    {"http:///x", "http", CDT_URI_NO_HOST, "", -1, "/x", NULL, NULL, NULL},
    {"http://:80/", "http", CDT_URI_NO_HOST, "", 80, "/", NULL, NULL, NULL},
    {"http://u@:80/", "http", CDT_URI_NO_HOST, "", 80, "/", NULL, NULL, "u"},
    {"file:///etc/passwd", "file", CDT_URI_NO_HOST, "", -1, "/etc/passwd", NULL, NULL, NULL},

    /* addresses */
    {"http://127.0.0.1/", "http", CDT_URI_ADDRESS, "127.0.0.1", -1, "/", NULL, NULL, NULL},
    {"http://%31.2.3.4/", "http", CDT_URI_ADDRESS, "1.2.3.4", -1, "/", NULL, NULL, NULL},
    {"http://[2001:DB8:0:0::1]/", "http", CDT_URI_ADDRESS, "2001:db8::1", -1, "/", NULL, NULL,
     NULL},
    {"http://[::ffff:1.2.3.4]/", "http", CDT_URI_ADDRESS, "::ffff:1.2.3.4", -1, "/", NULL, NULL,
     NULL},
    {"http://[fe80::1%25lo]/", "http", CDT_URI_ADDRESS, "fe80::1%1", -1, "/", NULL, NULL, NULL},
    {"http://[fe80::1%lo]:8/", "http", CDT_URI_ADDRESS, "fe80::1%1", 8, "/", NULL, NULL, NULL},
    {"http://[fe80::1%251]/", "http", CDT_URI_ADDRESS, "fe80::1%1", -1, "/", NULL, NULL, NULL},
    {"http://[fe80::1%7]/", "http", CDT_URI_ADDRESS, "fe80::1%7", -1, "/", NULL, NULL, NULL},
    {"http://[fe80::1%25%6Co]/", "http", CDT_URI_ADDRESS, "fe80::1%1", -1, "/", NULL, NULL, NULL},
    {"http://u@[fe80::1%25lo]:8/?\303\274", "http", CDT_URI_ADDRESS, "fe80::1%1", 8, "/",
     "\303\274", NULL, "u"},

    /* paths */
    {"http+unix://%2Frun%2Fapp.sock/", "http+unix", CDT_URI_PATH, "/run/app.sock", -1, "/", NULL,
     NULL, NULL},
    {"http+unix://%2frun%2fa%20b%ff:80/x", "http+unix", CDT_URI_PATH, "/run/a b\377", 80, "/x",
     NULL, NULL, NULL},
    {"http+unix://%40name/", "http+unix", CDT_URI_PATH, "@name", -1, "/", NULL, NULL, NULL},
    {"x://%2F", "x", CDT_URI_PATH, "/", -1, "", NULL, NULL, NULL},

    /* names */
    {"http://a.b.c./", "http", CDT_URI_NAME, "a.b.c", -1, "/", NULL, NULL, NULL},
    {"http://%65xample%2eorg/", "http", CDT_URI_NAME, "example.org", -1, "/", NULL, NULL, NULL},
    {"http://_dmarc.a-b.x1/", "http", CDT_URI_NAME, "_dmarc.a-b.x1", -1, "/", NULL, NULL, NULL},
    {"http://r3---sn-4g5.example/", "http", CDT_URI_NAME, "r3---sn-4g5.example", -1, "/", NULL,
     NULL, NULL},
    {"http://1.2.3.4.example/", "http", CDT_URI_NAME, "1.2.3.4.example", -1, "/", NULL, NULL, NULL},
    {"http://0xzz/", "http", CDT_URI_NAME, "0xzz", -1, "/", NULL, NULL, NULL},
    {"http://[::1%1]/\303\274", "http", CDT_URI_ADDRESS, "::1%1", -1, "/\303\274", NULL, NULL,
     NULL},

    /* internationalised names */
    {"http://b\303\274cher.example/\303\274?\303\274#\303\274", "http", CDT_URI_NAME,
     "xn--bcher-kva.example", -1, "/\303\274", "\303\274", "\303\274", NULL},
    {"http://B%C3%9CCHER.example./", "http", CDT_URI_NAME, "xn--bcher-kva.example", -1, "/", NULL,
     NULL, NULL},
    {"http://bu\314\210cher.example/", "http", CDT_URI_NAME, "xn--bcher-kva.example", -1, "/", NULL,
     NULL, NULL},
    {"http://XN--Bcher-KVA.example/", "http", CDT_URI_NAME, "xn--bcher-kva.example", -1, "/", NULL,
     NULL, NULL},
    {"http://fa\303\237.de/", "http", CDT_URI_NAME, "xn--fa-hia.de", -1, "/", NULL, NULL, NULL},
    {"http://\346\227\245\346\234\254\350\252\236\343\200\202jp/", "http", CDT_URI_NAME,
     "xn--wgv71a119e.jp", -1, "/", NULL, NULL, NULL},
    {"http://\357\274\241.de/", "http", CDT_URI_NAME, "a.de", -1, "/", NULL, NULL, NULL},
    {"http://u\303\274@a/", "http", CDT_URI_NAME, "a", -1, "/", NULL, NULL, "u\303\274"},
};

static void expect_text(const char *text, const char *what, const char *got, const char *expected)
{
    if (!got != !expected || (got && strcmp(got, expected) != 0))
        fail_msg("%s: %s is %s, not %s", text, what, got ? got : "not there",
                 expected ? expected : "not there");
}

static void test_good_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct good *row = &good[i];
        struct cdt_uri *uri = NULL;
        struct cdt_text_error error;
        if (cdt_uri_parse(row->text, &uri, &error) != 0)
            fail_msg("%s: %s", row->text, error.text);
        expect_text(row->text, "the text", uri->text, row->text);
        expect_text(row->text, "the scheme", uri->scheme, row->scheme);
        expect_text(row->text, "the user", uri->userinfo, row->userinfo);
        expect_text(row->text, "the host", uri->host, row->host);
        expect_text(row->text, "the path", uri->path, row->path);
        expect_text(row->text, "the query", uri->query, row->query);
        expect_text(row->text, "the fragment", uri->fragment, row->fragment);
        if (uri->kind != row->kind || uri->port != row->port)
            fail_msg("%s: kind %d, port %d", row->text, uri->kind, uri->port);
        assert_int_equal(uri->addr.length != 0, uri->kind == CDT_URI_ADDRESS);
        assert_int_equal(cdt_addr_port(&uri->addr), 0);
        cdt_uri_free(uri);
    }
    print_message("%zu texts\n", sizeof good / sizeof *good);
}

static const struct bad {
    const char *text;
    int status;
    size_t offset;
    const char *expected;
} bad[] = {
    {"", -EINVAL, 0, "a URI"},

    /* bytes */
    {" http://a/", -EINVAL, 0, "%20 instead of a space"},
    {"http://a/ ", -EINVAL, 9, "%20 instead of a space"},
    {"http://a b/", -EINVAL, 8, "%20 instead of a space"},
    {"http://a/\n", -EINVAL, 9, "%0A instead of a control character"},
    {"http://a/\177", -EINVAL, 9, "%7F instead of a control character"},
    {"http://a\\b/", -EINVAL, 8, "%5C instead of \\"},
    {"http:\\\\a", -EINVAL, 5, "%5C instead of \\"},
    {"http://a/<", -EINVAL, 9, "%3C instead of <"},
    {"http://a/{x}", -EINVAL, 9, "%7B instead of {"},
    {"http://a/|", -EINVAL, 9, "%7C instead of |"},
    {"http://a/\"", -EINVAL, 9, "%22 instead of \""},
    {"http://a/\377", -EINVAL, 9, "UTF-8"},
    {"http://a/\300\200", -EINVAL, 9, "UTF-8"},
    {"http://a/\355\240\200", -EINVAL, 9, "UTF-8"},
    {"http://a/\364\220\200\200", -EINVAL, 9, "UTF-8"},
    {"http://a/\303\274\303", -EINVAL, 11, "UTF-8"},
    {"http://a/\360\237\222", -EINVAL, 9, "UTF-8"},

    /* percent-encoding */
    {"http://a/%", -EINVAL, 9, "two hexadecimal digits after %"},
    {"http://a/%2", -EINVAL, 9, "two hexadecimal digits after %"},
    {"http://a/%zz", -EINVAL, 9, "two hexadecimal digits after %"},
    {"http://a%2/", -EINVAL, 8, "two hexadecimal digits after %"},
    {"http://a%:80/", -EINVAL, 8, "two hexadecimal digits after %"},
    {"http://u%@a/", -EINVAL, 8, "two hexadecimal digits after %"},
    {"http://\303\274/%4", -EINVAL, 10, "two hexadecimal digits after %"},
    {"http://a%00b/", -EINVAL, 8, "no %00 in a host"},
    {"http+unix://%2Frun%00/", -EINVAL, 18, "no %00 in a host"},
    {"http://%41%5b/", -EINVAL, 10, "a host name"},
    {"http://%3A%3A1/", -EINVAL, 7, "a host name"},
    {"http://a%2Fb/", -EINVAL, 8, "a host name"},
    {"http://a%40b/", -EINVAL, 8, "a host name"},
    {"http://a%0ab/", -EINVAL, 8, "a host name"},

    /* scheme */
    {"://a", -EINVAL, 0, "a scheme"},
    {":", -EINVAL, 0, "a scheme"},
    {"1http://a/", -EINVAL, 0, "a scheme"},
    {"ht_tp://a/", -EINVAL, 2, "a scheme"},
    {"ht%74p://a/", -EINVAL, 2, "a scheme"},
    {"h\303\274://a/", -EINVAL, 1, "a scheme"},
    {"127.0.0.1:80", -EINVAL, 0, "a scheme"},
    {"[::1]:80", -EINVAL, 0, "a scheme"},

    /* ports */
    {"http://a:65536/", -EINVAL, 9, "a port from 0 to 65535"},
    {"http://a:99999/", -EINVAL, 9, "a port from 0 to 65535"},
    {"http://a:18446744073709551696/", -EINVAL, 9, "a port from 0 to 65535"},
    {"http://a:80x/", -EINVAL, 11, "a port from 0 to 65535"},
    {"http://a:-1/", -EINVAL, 9, "a port from 0 to 65535"},
    {"http://a:%38/", -EINVAL, 9, "a port from 0 to 65535"},
    {"http://[::1]:x/", -EINVAL, 13, "a port from 0 to 65535"},
    {"http://\303\274:x/", -EINVAL, 10, "a port from 0 to 65535"},

    /* addresses */
    {"http://::1/", -EINVAL, 7, "[ before an IPv6 address"},
    {"http://u@fe80::1:80/", -EINVAL, 9, "[ before an IPv6 address"},
    {"http://[::1", -EINVAL, 11, "] behind an IPv6 address"},
    {"http://[::1]x/", -EINVAL, 12, ": and a port"},
    {"http://[]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[1.2.3.4]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[v1.a]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[::1::]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[::g]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[1:2:3:4:5:6:7:8:9]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[%25lo]/", -EINVAL, 8, "an IPv6 address"},
    {"http://[::%3]:\303\274@", -EINVAL, 10, "two hexadecimal digits after %"},
    {"http://[fe80::1%]/", -EINVAL, 16, "a scope after %"},
    {"http://[fe80::1%25]/", -EINVAL, 18, "a scope after %"},
    {"http://[fe80::1%25nosuchif]/", -ENODEV, 15, "the scope of an interface"},
    {"http://[fe80::1%nosuchif]/", -ENODEV, 15, "the scope of an interface"},
    {"http://[fe80::1%0]/", -EINVAL, 15, "the scope of an interface"},
    {"http://[fe80::1%25l%6]/", -EINVAL, 19, "two hexadecimal digits after %"},
    {"http://[fe80::1%25l%00o]/", -EINVAL, 19, "no %00 in a host"},
    {"http://[fe80::1%25lo%25x]/", -EINVAL, 18, "a scope after %"},
    {"http://[fe80::1%01234567890123456789012345678901]/", -EINVAL, 16, "at most 31 bytes"},
    {"http://1.2.3.999/", -EINVAL, 7, "an IPv4 address"},
    {"http://1.2.3/", -EINVAL, 7, "an IPv4 address"},
    {"http://2130706433/", -EINVAL, 7, "an IPv4 address"},
    {"http://0x7f.1/", -EINVAL, 7, "an IPv4 address"},
    {"http://0x7f000001/", -EINVAL, 7, "an IPv4 address"},
    {"http://1.2.3.0X4./", -EINVAL, 7, "an IPv4 address"},
    {"http://example.0x/", 0, 0, NULL},
    {"http://1.2.3.4./", -EINVAL, 7, "an IPv4 address"},
    {"http://01.2.3.4/", -EINVAL, 7, "an IPv4 address"},
    {"http://\357\274\221.2.3.4/", -EINVAL, 7, "an IPv4 address"},
    {"http://1.2.3\343\200\2024/", -EINVAL, 7, "an IPv4 address"},

    /* names */
    {"http://./", -EINVAL, 7, "no empty label"},
    {"http://a..b/", -EINVAL, 9, "no empty label"},
    {"http://.a/", -EINVAL, 7, "no empty label"},
    {"http://a.%2e/", -EINVAL, 9, "no empty label"},
    {"http://a()/", -EINVAL, 8, "a host name"},
    {"http://\303\274..a/", -EINVAL, 7, "no empty label"},
    {"http://\302\255/", -EINVAL, 7, "expected a host"},
    {"http://\342\204\200.com/", -EINVAL, 7, "a host name"},
    {"http://%ff.com/", -EINVAL, 7, "a host name in UTF-8"},
    {"http://xn--a/", -EINVAL, 7, "a host name that IDNA allows"},
    {"http://xn--.de/", -EINVAL, 7, "a valid A-label"},
    {"http://-\303\274.de/", -EINVAL, 7, "no hyphen at the ends"},
    {"http://\342\230\203.net/", -EINVAL, 7, "a host name that IDNA allows"},
    {"http://a\342\200\213b\342\200\215.net/", -EINVAL, 7, "a host name that IDNA allows"},

    /* the grammar */
    {"http://a@b@c/", -EINVAL, 10, "expected a URI (RFC 3986)"},
    {"http://u[@h/", -EINVAL, 8, "expected a URI (RFC 3986)"},
    {"http://a]/", -EINVAL, 8, "expected a URI (RFC 3986)"},
    {"http://a/[x]", -EINVAL, 9, "expected a URI (RFC 3986)"},
    {"http://\303\274/\303\274[x]", -EINVAL, 12, "expected a URI (RFC 3986)"},
    {"http://a/#b#c", -EINVAL, 11, "expected a URI (RFC 3986)"},
};

static void test_bad_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cdt_uri *uri = NULL;
        struct cdt_text_error error;
        char prefix[32];
        const int status = cdt_uri_parse(bad[i].text, &uri, &error);
        if (status != bad[i].status || error.offset != bad[i].offset ||
            (bad[i].expected && !strstr(error.text, bad[i].expected)))
            fail_msg("%s: %d, %s", bad[i].text, status, error.text);
        if (status == 0) {
            cdt_uri_free(uri);
            continue;
        }
        snprintf(prefix, sizeof prefix, "offset %zu: ", error.offset);
        assert_int_equal(strncmp(error.text, prefix, strlen(prefix)), 0);
        assert_null(uri);
        assert_int_equal(cdt_uri_parse(bad[i].text, &uri, NULL), status);
    }
    print_message("%zu texts\n", sizeof bad / sizeof *bad);
}

/* Labels of `label` bytes, `count` of them, each with a dot behind it, in a URI. */
static int parse_labels(const char *piece, size_t label, size_t count, const char *last,
                        struct cdt_text_error *error)
{
    char text[8192] = "http://";
    char *at = text + strlen(text);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < label; j++)
            at = stpcpy(at, piece);
        at = stpcpy(at, ".");
    }
    stpcpy(at, last);
    struct cdt_uri *uri = NULL;
    const int status = cdt_uri_parse(text, &uri, error);
    if (status == 0)
        assert_true(strlen(uri->host) <= 253);
    cdt_uri_free(uri);
    return status;
}

static void test_long_names(void **state)
{
    (void)state;
    struct cdt_text_error error;
    assert_int_equal(parse_labels("a", 63, 1, "org", &error), 0);
    assert_int_equal(parse_labels("a", 64, 1, "org", &error), -EINVAL);
    assert_non_null(strstr(error.text, "labels of at most 63 bytes"));
    assert_int_equal(error.offset, 7);
    assert_int_equal(parse_labels("a", 1, 126, "a", &error), 0); /* 253 */
    assert_int_equal(parse_labels("a", 1, 127, "", &error), 0);  /* and the trailing dot */
    assert_int_equal(parse_labels("a", 1, 126, "aa", &error), -EINVAL);
    assert_non_null(strstr(error.text, "at most 253 bytes"));
    assert_int_equal(parse_labels("a", 1, 1000, "a", &error), -EINVAL);
    assert_int_equal(parse_labels("\303\274", 30, 2, "org", &error), 0);
    assert_int_equal(parse_labels("\303\274", 80, 1, "org", &error), -EINVAL);
    assert_int_equal(parse_labels("\303\274", 30, 10, "org", &error), -EINVAL);
    assert_int_equal(parse_labels("\303\274", 1, 60, "org", &error), -EINVAL);
}

static void test_long_texts(void **state)
{
    (void)state;
    enum { LONGEST = 65535 };
    static const char parts[] = "/?#a@:.\303";
    struct cdt_text_error error;
    struct cdt_uri *uri;
    char *text = malloc(LONGEST + 2);
    for (size_t i = 0; i < sizeof parts - 1; i++) {
        memset(text, parts[i], LONGEST + 1);
        memcpy(text, "http://a/", 9);
        text[LONGEST + 1] = 0;
        assert_int_equal(cdt_uri_parse(text, &uri, &error), -EINVAL);
        assert_int_equal(error.offset, LONGEST);
        assert_non_null(strstr(error.text, "at most 65535 bytes"));
        text[LONGEST] = 0;
        const int status = cdt_uri_parse(text, &uri, &error);
        assert_int_equal(status, parts[i] == '#' || parts[i] == '\303' ? -EINVAL : 0);
        if (status == 0) {
            assert_int_equal(strlen(uri->path) + strlen(uri->query ? uri->query : "") +
                                 (uri->query != NULL),
                             LONGEST - 8);
            cdt_uri_free(uri);
        }
    }
    free(text);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    struct cdt_uri *uri = NULL;
    assert_int_equal(cdt_uri_parse(NULL, &uri, NULL), -EINVAL);
    assert_int_equal(cdt_uri_parse("x:", NULL, NULL), -EINVAL);
    assert_null(uri);
    cdt_uri_free(NULL);
}

static void test_names_for_dns(void **state)
{
    (void)state;
    static const struct {
        const char *host, *ascii, *why;
    } rows[] = {
        {"Example.ORG.", "example.org", NULL},
        {"localhost", "localhost", NULL},
        {"b\303\274cher", "xn--bcher-kva", NULL},
        {"", NULL, "expected a host"},
        {"a..b", NULL, "empty label"},
        {"a b", NULL, "a host name"},
        {"1.2.3.4", NULL, "an IPv4 address"},
        {"\342\205\240.1", NULL, "an IPv4 address"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[HOST_ASCII];
        const char *why = NULL;
        const int status = host_to_ascii(slice_of(rows[i].host), out, &why);
        if (rows[i].ascii) {
            assert_int_equal(status, 0);
            assert_string_equal(out, rows[i].ascii);
        } else {
            assert_int_equal(status, -EINVAL);
            if (!strstr(why, rows[i].why))
                fail_msg("%s: %s", rows[i].host, why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_texts),      cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_long_names),      cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_wrong_arguments), cmocka_unit_test(test_names_for_dns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
