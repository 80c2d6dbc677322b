/* Endpoint texts: every row of the table, every short form, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <conduit/endp.h>

/* Fails with the text that was under test. */
#define check(condition, text)                    \
    do {                                          \
        if (!(condition))                         \
            fail_msg("%s: %s", #condition, text); \
    } while (0)

static struct cdt_endp *parse(const char *text)
{
    struct cdt_endp *endp = NULL;
    struct cdt_text_error error;
    if (cdt_endp_parse(text, &endp, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    return endp;
}

static void expect_form(const struct cdt_endp *endp, enum cdt_endp_form form, const char *expected)
{
    char text[1024];
    const int length = cdt_endp_format(endp, form, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    struct cdt_endp *again = parse(text);
    check(cdt_endp_equal(endp, again), text);
    cdt_endp_free(again);
}

static const struct good {
    const char *text, *human, *machine, *brief;
} good[] = {
    /* s-expressions: the reference table */
    {"(TCP (127.0.0.1 80))", "(TCP (127.0.0.1 80))", "(TCP(127.0.0.1 80))", "tcp:127.0.0.1:80"},
    {"(TCP (2001:db8::1 443))", "(TCP (2001:db8::1 443))", "(TCP(2001:db8::1 443))",
     "tcp:[2001:db8::1]:443"},
    {"(TCP (::ffff:1.2.3.4 443))", "(TCP (::ffff:1.2.3.4 443))", "(TCP(::ffff:1.2.3.4 443))",
     "tcp:[::ffff:1.2.3.4]:443"},
    {"(TCP (::102:304 0))", "(TCP (::102:304 0))", "(TCP(::102:304 0))", "tcp:[::102:304]:0"},
    {"(TCP (0:0:0:0:0:0:0:1 65535))", "(TCP (::1 65535))", "(TCP(::1 65535))", "tcp:[::1]:65535"},
    {"(TCP (:: 1))", "(TCP (:: 1))", "(TCP(:: 1))", "tcp:[::]:1"},
    {"(TCP (2001:DB8:0:0:1:0:0:1 1))", "(TCP (2001:db8::1:0:0:1 1))", "(TCP(2001:db8::1:0:0:1 1))",
     "tcp:[2001:db8::1:0:0:1]:1"},
    {"(TCP (fe80::1%1 1))", "(TCP (fe80::1%1 1))", "(TCP(fe80::1%1 1))", "tcp:[fe80::1%1]:1"},
    {"(TCP (1.2.3.4 0080))", "(TCP (1.2.3.4 80))", "(TCP(1.2.3.4 80))", "tcp:1.2.3.4:80"},
    {"(Unix_domain_socket /tmp/foo)", "(Unix_domain_socket /tmp/foo)",
     "(Unix_domain_socket /tmp/foo)", "unix:/tmp/foo"},
    {"(Unix_domain_socket \"/tmp/foo bar\")", "(Unix_domain_socket \"/tmp/foo bar\")",
     "(Unix_domain_socket\"/tmp/foo bar\")", "unix:/tmp/foo bar"},
    {"(Unix_domain_socket \"\")", "(Unix_domain_socket \"\")", "(Unix_domain_socket\"\")",
     "(Unix_domain_socket \"\")"},
    {"(Vchan_direct (3 foo))", "(Vchan_direct (3 foo))", "(Vchan_direct(3 foo))", "vchan:3/foo"},
    {"(Vchan_domain_socket (vm1 http))", "(Vchan_domain_socket (vm1 http))",
     "(Vchan_domain_socket(vm1 http))", "vchan:vm1/http"},
    {"(Vchan_domain_socket (\"a b\" http))", "(Vchan_domain_socket (\"a b\" http))",
     "(Vchan_domain_socket(\"a b\"http))", "vchan:a b/http"},
    {"(Vchan_domain_socket (a \"b c\"))", "(Vchan_domain_socket (a \"b c\"))",
     "(Vchan_domain_socket(a\"b c\"))", "vchan:a/b c"},
    {"(TLS (example.org (TCP (10.0.0.1 443))))", "(TLS (example.org (TCP (10.0.0.1 443))))",
     "(TLS(example.org(TCP(10.0.0.1 443))))", "(TLS (example.org (TCP (10.0.0.1 443))))"},
    {"(TLS (a (TLS (b (TLS (\"c d\" (Unknown x)))))))",
     "(TLS (a (TLS (b (TLS (\"c d\" (Unknown x)))))))", "(TLS(a(TLS(b(TLS(\"c d\"(Unknown x)))))))",
     "(TLS (a (TLS (b (TLS (\"c d\" (Unknown x)))))))"},
    {"(TLS (10.0.0.1 (TCP (10.0.0.1 443))))", "(TLS (10.0.0.1 (TCP (10.0.0.1 443))))",
     "(TLS(10.0.0.1(TCP(10.0.0.1 443))))", "tls:10.0.0.1:443"},
    {"(Unknown \"no scheme\")", "(Unknown \"no scheme\")", "(Unknown\"no scheme\")",
     "(Unknown \"no scheme\")"},
    {"(Unknown \"\")", "(Unknown \"\")", "(Unknown\"\")", "(Unknown \"\")"},

    /* quoting and escapes */
    {"(Unknown a|b)", "(Unknown a|b)", "(Unknown a|b)", "(Unknown a|b)"},
    {"(Unknown a#b)", "(Unknown a#b)", "(Unknown a#b)", "(Unknown a#b)"},
    {"(Unknown |)", "(Unknown |)", "(Unknown |)", "(Unknown |)"},
    {"(Unknown #)", "(Unknown #)", "(Unknown #)", "(Unknown #)"},
    {"(Unknown \"a|#b\")", "(Unknown \"a|#b\")", "(Unknown\"a|#b\")", "(Unknown \"a|#b\")"},
    {"(Unknown \"a#|b\")", "(Unknown \"a#|b\")", "(Unknown\"a#|b\")", "(Unknown \"a#|b\")"},
    {"(Unknown a\\b)", "(Unknown \"a\\\\b\")", "(Unknown\"a\\\\b\")", "(Unknown \"a\\\\b\")"},
    {"(Unknown caf\303\251)", "(Unknown \"caf\\195\\169\")", "(Unknown\"caf\\195\\169\")",
     "(Unknown \"caf\\195\\169\")"},
    {"(Unknown \"\\n\\t\\r\\b\\\"\\\\\")", "(Unknown \"\\n\\t\\r\\b\\\"\\\\\")",
     "(Unknown\"\\n\\t\\r\\b\\\"\\\\\")", "(Unknown \"\\n\\t\\r\\b\\\"\\\\\")"},
    {"(Unknown \"\\000\\127\\xfF\\x4\")", "(Unknown \"\\000\\127\\255\\\\x4\")",
     "(Unknown\"\\000\\127\\255\\\\x4\")", "(Unknown \"\\000\\127\\255\\\\x4\")"},
    {"(Unknown \"\\'\\ \\q\\12z\")", "(Unknown \"' \\\\q\\\\12z\")", "(Unknown\"' \\\\q\\\\12z\")",
     "(Unknown \"' \\\\q\\\\12z\")"},
    {"(Unknown \"one \\\n   two\\\r\n\tthree\")", "(Unknown \"one twothree\")",
     "(Unknown\"one twothree\")", "(Unknown \"one twothree\")"},
    {"(Unknown \"a\nb\")", "(Unknown \"a\\nb\")", "(Unknown\"a\\nb\")", "(Unknown \"a\\nb\")"},
    {"(Unknown a'b)", "(Unknown a'b)", "(Unknown a'b)", "(Unknown a'b)"},
    {"(Unix_domain_socket \"\\000name\")", "(Unix_domain_socket \"\\000name\")",
     "(Unix_domain_socket\"\\000name\")", "(Unix_domain_socket \"\\000name\")"},

    /* white space and comments */
    {" \t\r\n\f( TCP\n(127.0.0.1\t80 ) ) \n", "(TCP (127.0.0.1 80))", "(TCP(127.0.0.1 80))",
     "tcp:127.0.0.1:80"},
    {"; first\n(TCP ; the tag\n(127.0.0.1 80))", "(TCP (127.0.0.1 80))", "(TCP(127.0.0.1 80))",
     "tcp:127.0.0.1:80"},
    {"#| a #| nested |# \"|#\" |#(TCP(127.0.0.1 80))#||#", "(TCP (127.0.0.1 80))",
     "(TCP(127.0.0.1 80))", "tcp:127.0.0.1:80"},
    {"#;(gone (and gone)) (TCP (#;no 127.0.0.1 #; #; a (b) 80)) #;x", "(TCP (127.0.0.1 80))",
     "(TCP(127.0.0.1 80))", "tcp:127.0.0.1:80"},
    {"(\"TCP\" (\"127.0.0.1\"\"80\"))", "(TCP (127.0.0.1 80))", "(TCP(127.0.0.1 80))",
     "tcp:127.0.0.1:80"},

    /* short texts */
    {"tcp:127.0.0.1:80", "(TCP (127.0.0.1 80))", "(TCP(127.0.0.1 80))", "tcp:127.0.0.1:80"},
    {"tcp://127.0.0.1:80", "(TCP (127.0.0.1 80))", "(TCP(127.0.0.1 80))", "tcp:127.0.0.1:80"},
    {"tcp:[::1]:80", "(TCP (::1 80))", "(TCP(::1 80))", "tcp:[::1]:80"},
    {"tcp://[::1]:80", "(TCP (::1 80))", "(TCP(::1 80))", "tcp:[::1]:80"},
    {"tcp:[fe80::1%lo]:80", "(TCP (fe80::1%1 80))", "(TCP(fe80::1%1 80))", "tcp:[fe80::1%1]:80"},
    {"tcp:0", "tcp:0", "tcp:0", "tcp:0"},
    {"tcp:65535", "tcp:65535", "tcp:65535", "tcp:65535"},
    {"tcp:example.org:80", "tcp:example.org:80", "tcp:example.org:80", "tcp:example.org:80"},
    {"tcp://localhost:80", "tcp:localhost:80", "tcp:localhost:80", "tcp:localhost:80"},
    {"tcp:b\303\274cher.example:80", "\"tcp:b\\195\\188cher.example:80\"",
     "\"tcp:b\\195\\188cher.example:80\"", "tcp:b\303\274cher.example:80"},
    {"unix:/run/x.sock", "(Unix_domain_socket /run/x.sock)", "(Unix_domain_socket /run/x.sock)",
     "unix:/run/x.sock"},
    {"unix:a:b(c)", "(Unix_domain_socket \"a:b(c)\")", "(Unix_domain_socket\"a:b(c)\")",
     "unix:a:b(c)"},
    {"unix:@name", "(Unix_domain_socket @name)", "(Unix_domain_socket @name)", "unix:@name"},
    {"tls:example.org:443", "(TLS (example.org tcp:example.org:443))",
     "(TLS(example.org tcp:example.org:443))", "tls:example.org:443"},
    {"tls:10.0.0.1:443", "(TLS (10.0.0.1 (TCP (10.0.0.1 443))))",
     "(TLS(10.0.0.1(TCP(10.0.0.1 443))))", "tls:10.0.0.1:443"},
    {"tls:[::1]:443", "(TLS (::1 (TCP (::1 443))))", "(TLS(::1(TCP(::1 443))))", "tls:[::1]:443"},
    {"tls:443", "(TLS (\"\" tcp:443))", "(TLS(\"\"tcp:443))", "tls:443"},
    {"tls+tcp:example.org:443", "(TLS (example.org tcp:example.org:443))",
     "(TLS(example.org tcp:example.org:443))", "tls:example.org:443"},
    {"tls+unix:/run/x", "(TLS (\"\" (Unix_domain_socket /run/x)))",
     "(TLS(\"\"(Unix_domain_socket /run/x)))", "tls+unix:/run/x"},
    {"tls+tls:h:1", "(TLS (h (TLS (h tcp:h:1))))", "(TLS(h(TLS(h tcp:h:1))))", "tls+tls:h:1"},
    {"tls+(TCP (1.2.3.4 5))", "(TLS (1.2.3.4 (TCP (1.2.3.4 5))))", "(TLS(1.2.3.4(TCP(1.2.3.4 5))))",
     "tls:1.2.3.4:5"},
    {"tls+vchan:vm/p", "(TLS (\"\" (Vchan_domain_socket (vm p))))",
     "(TLS(\"\"(Vchan_domain_socket(vm p))))", "tls+vchan:vm/p"},
    {"vchan:3/foo", "(Vchan_direct (3 foo))", "(Vchan_direct(3 foo))", "vchan:3/foo"},
    {"vchan:0/f", "(Vchan_direct (0 f))", "(Vchan_direct(0 f))", "vchan:0/f"},
    {"vchan:vm1/http", "(Vchan_domain_socket (vm1 http))", "(Vchan_domain_socket(vm1 http))",
     "vchan:vm1/http"},
    {"vchan:3a/p", "(Vchan_domain_socket (3a p))", "(Vchan_domain_socket(3a p))", "vchan:3a/p"},
    {"fd:3", "fd:3", "fd:3", "fd:3"},
    {"systemd:web", "(Launchd web)", "(Launchd web)", "systemd:web"},
    {"systemd:a b", "(Launchd \"a b\")", "(Launchd\"a b\")", "systemd:a b"},
    {"(Launchd web)", "(Launchd web)", "(Launchd web)", "systemd:web"},
    {"(Launchd \"\")", "(Launchd \"\")", "(Launchd\"\")", "(Launchd \"\")"},
    {"(TLS (\"\" (Launchd web)))", "(TLS (\"\" (Launchd web)))", "(TLS(\"\"(Launchd web)))",
     "tls+systemd:web"},
};

static void test_good_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[1024];
        struct cdt_endp *endp = parse(good[i].text);
        const bool whole = *good[i].human == '(';
        const char *const forms[] = {good[i].human, good[i].machine, good[i].brief};
        for (int form = CDT_ENDP_HUMAN; form <= CDT_ENDP_SHORT; form++) {
            if (whole || form == CDT_ENDP_SHORT) {
                expect_form(endp, (enum cdt_endp_form)form, forms[form]);
            } else { /* an atom alone reads back inside TLS only */
                cdt_endp_format(endp, (enum cdt_endp_form)form, text, sizeof text);
                assert_string_equal(text, forms[form]);
            }
        }
        cdt_endp_free(endp);
    }
    print_message("%zu texts\n", sizeof good / sizeof *good);
}

#define LABEL_64 "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef"

static const struct bad {
    const char *text;
    int status;
    size_t offset;
    const char *expected; /* a part of the sentence */
} bad[] = {
    {"", -EPROTONOSUPPORT, 0, "expected tcp:"},
    {"http://x/", -EPROTONOSUPPORT, 0, "expected tcp:"},
    {"TCP:1", -EPROTONOSUPPORT, 0, "expected tcp:"},
    {"localhost", -EPROTONOSUPPORT, 0, "expected tcp:"},
    {"tcp", -EPROTONOSUPPORT, 0, "expected tcp:"},
    {")", -EPROTONOSUPPORT, 0, "expected tcp:"},
    {"tcp:", -EINVAL, 4, "a port from 0 to 65535"},
    {"tcp:65536", -EINVAL, 4, "a port from 0 to 65535"},
    {"tcp:-1", -EINVAL, 4, "a port from 0 to 65535"},
    {"tcp:1.2.3.4:99999", -EINVAL, 12, "a port from 0 to 65535"},
    {"tcp:1.2.3.4:99999999999999999999", -EINVAL, 12, "a port from 0 to 65535"},
    {"tcp:1.2.3.4:", -EINVAL, 12, "a port from 0 to 65535"},
    {"tcp:1.2.3.4:8o", -EINVAL, 12, "a port from 0 to 65535"},
    {"tcp:1.2.3.4: 80", -EINVAL, 12, "a port from 0 to 65535"},
    {"tcp::80", -EINVAL, 4, "a host"},
    {"tcp://:80", -EINVAL, 6, "a host"},
    {"tcp://80", -EINVAL, 6, "an IPv4 address"},
    {"tcp://host", -EINVAL, 10, ": and a port"},
    {"tcp:::1:80", -EINVAL, 4, "expected"},
    {"tcp:fe80::1:80", -EINVAL, 4, "expected [ before"},
    {"tcp:[::1]", -EINVAL, 9, ": and a port"},
    {"tcp:[::1]80", -EINVAL, 9, ": and a port"},
    {"tcp:[::1", -EINVAL, 5, "an address and ]"},
    {"tcp:[]:80", -EINVAL, 5, "an IPv6 address"},
    {"tcp:[1.2.3.4]:80", -EINVAL, 5, "an IPv6 address"},
    {"tcp:[::1%]:80", -EINVAL, 5, "an IPv6 address"},
    {"tcp:[fe80::1%nosuchif0]:80", -ENODEV, 5, "an interface that exists"},
    {"tcp:a b:80", -EINVAL, 5, "a host name"},
    {"tcp:a/b:80", -EINVAL, 5, "a host name"},
    {"tcp:user@host:80", -EINVAL, 8, "a host name"},
    {"tcp:127.1:80", -EINVAL, 4, "an IPv4 address"},
    {"tcp:1.2.3.256:80", -EINVAL, 4, "an IPv4 address"},
    {"tcp:0x7f.1.2.0x3:80", -EINVAL, 4, "an IPv4 address"},
    {"tcp:1.2.3.4.:80", -EINVAL, 4, "an IPv4 address"},
    {"tcp:a..b:80", -EINVAL, 6, "no empty label"},
    {"tls:" LABEL_64 ".b:80", -EINVAL, 4, "labels of at most 63 bytes"},
    {"tls+tcp:xn--a:80", -EINVAL, 8, "a host name that IDNA allows"},
    {"tcp:\377:80", -EINVAL, 4, "UTF-8"},
    {"unix:", -EINVAL, 5, "a path"},
    {"unix:@", -EINVAL, 6, "a name"},
    {"tls:", -EINVAL, 4, "a port"},
    {"tls:h:", -EINVAL, 6, "a port"},
    {"tls+", -EINVAL, 4, "expected tcp:"},
    {"tls+http://x", -EINVAL, 4, "expected tcp:"},
    {"tls+(TCP (1.2.3.4 x))", -EINVAL, 18, "a port"},
    {"vchan:", -EINVAL, 6, "a domain id or name"},
    {"vchan:3", -EINVAL, 6, "a domain id or name"},
    {"vchan:3/", -EINVAL, 8, "the name of a port"},
    {"vchan:/p", -EINVAL, 6, "a domain id or name"},
    {"vchan:65536/p", -EINVAL, 6, "a domain id from"},
    {"fd:", -EINVAL, 3, "the number of a descriptor"},
    {"fd:-1", -EINVAL, 3, "the number of a descriptor"},
    {"fd:2147483648", -EINVAL, 3, "the number of a descriptor"},
    {"systemd:", -EINVAL, 8, "a name of LISTEN_FDNAMES"},
    {"(Launchd (a))", -EINVAL, 9, "a name of LISTEN_FDNAMES"},
    {"(Launchd a b)", -EINVAL, 11, ") after the endpoint"},
    {"(launchd a)", -EINVAL, 1, "Launchd or Unknown"},
    {"(TLS (h systemd:a))", -EINVAL, 8, "( and an endpoint"},
    {"(", -EINVAL, 1, "TCP, TLS"},
    {"()", -EINVAL, 1, "TCP, TLS"},
    {"(tcp (1.2.3.4 80))", -EINVAL, 1, "TCP, TLS"},
    {"(TLS_tunnel x)", -EINVAL, 1, "TCP, TLS"},
    {"((TCP) (1.2.3.4 80))", -EINVAL, 1, "TCP, TLS"},
    {"(TCP 1.2.3.4 80)", -EINVAL, 5, "( and an IP"},
    {"(TCP (host 80))", -EINVAL, 6, "an IP address"},
    {"(TCP (\"1.2.3.4\\0005\" 80))", -EINVAL, 6, "an IP address"},
    {"(TCP (1.2.3.4 99999))", -EINVAL, 14, "a port from 0 to 65535"},
    {"(TCP (1.2.3.4 -1))", -EINVAL, 14, "a port from 0 to 65535"},
    {"(TCP (1.2.3.4 \"\"))", -EINVAL, 14, "a port from 0 to 65535"},
    {"(TCP (1.2.3.4))", -EINVAL, 13, "a port from 0 to 65535"},
    {"(TCP (1.2.3.4 80 81))", -EINVAL, 17, ") after the port"},
    {"(TCP (1.2.3.4 80)", -EINVAL, 17, ") after the endpoint"},
    {"(TCP (1.2.3.4 80)))", -EINVAL, 18, "the end of the text"},
    {"(TCP (1.2.3.4 80)) x", -EINVAL, 19, "the end of the text"},
    {"(TCP (1.2.3.4 80))\"", -EINVAL, 19, "a closing quote"},
    {"(Unix_domain_socket)", -EINVAL, 19, "a path"},
    {"(Unix_domain_socket (x))", -EINVAL, 20, "a path"},
    {"(Unix_domain_socket a b)", -EINVAL, 22, ") after the endpoint"},
    {"(Unknown \"x)", -EINVAL, 12, "a closing quote"},
    {"(Unknown \"\\256\")", -EINVAL, 11, "up to \\255"},
    {"(Unknown a#|b)", -EINVAL, 10, "no comment inside"},
    {"(Unknown |#)", -EINVAL, 9, "no comment inside"},
    {"#| (TCP (1.2.3.4 80))", -EINVAL, 21, "the end of a comment"},
    {"#| \" |# (TCP (1.2.3.4 80))", -EINVAL, 26, "a closing quote"},
    {"#;", -EINVAL, 2, "an expression after #;"},
    {"(Unknown #; )", -EINVAL, 12, "an expression after #;"},
    {"(Vchan_direct (x p))", -EINVAL, 15, "a domain id"},
    {"(Vchan_direct (-1 p))", -EINVAL, 15, "a domain id"},
    {"(Vchan_direct (65536 p))", -EINVAL, 15, "a domain id"},
    {"(Vchan_direct (1))", -EINVAL, 16, "the name of a port"},
    {"(Vchan_domain_socket ((a) p))", -EINVAL, 22, "the name of a domain"},
    {"(TLS (h))", -EINVAL, 7, "( and an endpoint"},
    {"(TLS (h x))", -EINVAL, 8, "( and an endpoint"},
    {"(TLS (h tls:a:1))", -EINVAL, 8, "( and an endpoint"},
    {"(TLS (h (TCP (1.2.3.4 80)) x))", -EINVAL, 27, ") after the endpoint inside"},
};

static void test_bad_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cdt_endp *endp = NULL;
        struct cdt_text_error error;
        char prefix[32];
        const int status = cdt_endp_parse(bad[i].text, &endp, &error);
        if (status != bad[i].status || error.offset != bad[i].offset ||
            !strstr(error.text, bad[i].expected))
            fail_msg("%s: %d, %s", bad[i].text, status, error.text);
        snprintf(prefix, sizeof prefix, "offset %zu: ", error.offset);
        check(strncmp(error.text, prefix, strlen(prefix)) == 0, bad[i].text);
        check(endp == NULL, bad[i].text);
        assert_int_equal(cdt_endp_parse(bad[i].text, &endp, NULL), status);
    }
    print_message("%zu texts\n", sizeof bad / sizeof *bad);
}

/* TLS in TLS, `count` deep, around an endpoint. */
static char *nested(unsigned count, const char *before, const char *inside, const char *after)
{
    char *text = malloc(count * (strlen(before) + strlen(after)) + strlen(inside) + 1);
    char *at = text;
    for (unsigned i = 0; i < count; i++)
        at = stpcpy(at, before);
    at = stpcpy(at, inside);
    for (unsigned i = 0; i < count; i++)
        at = stpcpy(at, after);
    return text;
}

static int parse_nested(unsigned count, const char *before, const char *inside, const char *after)
{
    struct cdt_text_error error;
    struct cdt_endp *endp = NULL;
    char *text = nested(count, before, inside, after);
    const int status = cdt_endp_parse(text, &endp, &error);
    cdt_endp_free(endp);
    free(text);
    return status;
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    const unsigned most = CDT_ENDP_DEPTH - 1;
    assert_int_equal(parse_nested(most, "(TLS (h ", "(Unknown x)", "))"), 0);
    assert_int_equal(parse_nested(most + 1, "(TLS (h ", "(Unknown x)", "))"), -E2BIG);
    assert_int_equal(parse_nested(100000, "(TLS (h ", "(Unknown x)", "))"), -E2BIG);
    assert_int_equal(parse_nested(most, "tls+", "tcp:h:1", ""), 0);
    assert_int_equal(parse_nested(most + 1, "tls+", "tcp:h:1", ""), -E2BIG);
    assert_int_equal(parse_nested(100000, "tls+", "tcp:h:1", ""), -E2BIG);
    assert_int_equal(parse_nested(most, "tls+", "tls:h:1", ""), -E2BIG);
    assert_int_equal(parse_nested(most, "tls+", "(TLS (h (Unknown x)))", ""), -E2BIG);
    assert_int_equal(parse_nested(100000, "(", "", ""), -EINVAL);
    assert_int_equal(parse_nested(100000, "#|", "", "|#"), -EINVAL);
    assert_int_equal(parse_nested(100000, "#;", "", "x"), -EINVAL);
    assert_int_equal(parse_nested(100000, "#;(", "", ")"), -EINVAL);
}

static void test_long_atoms(void **state)
{
    (void)state;
    char *text = nested(1000000, "a", "", "");
    struct cdt_endp *endp, *again;
    char *printed;
    assert_int_equal(cdt_endp_unknown(text, &endp), 0);
    assert_int_equal(cdt_endp_text(endp, CDT_ENDP_HUMAN, &printed), 0);
    assert_int_equal(strlen(printed), 1000000 + strlen("(Unknown )"));
    again = parse(printed);
    assert_true(cdt_endp_equal(endp, again));
    cdt_endp_text_free(printed);
    cdt_endp_free(endp);
    cdt_endp_free(again);
    free(text);
}

static void test_long_host_names(void **state)
{
    (void)state;
    char text[300];
    struct cdt_endp *endp;
    snprintf(text, sizeof text, "tcp:%063d.%063d.%063d.%057d.org:80", 0, 0, 0, 0);
    assert_int_equal(cdt_endp_parse(text, &endp, NULL), 0);
    assert_int_equal(endp->name_length, 253);
    cdt_endp_free(endp);
    snprintf(text, sizeof text, "tcp:%063d.%063d.%063d.%058d.org:80", 0, 0, 0, 0);
    assert_int_equal(cdt_endp_parse(text, &endp, NULL), -EINVAL);
}

static void test_format_counts_as_snprintf(void **state)
{
    (void)state;
    struct cdt_endp *endp = parse("tcp:127.0.0.1:80");
    char text[8] = "zzzzzzz";
    assert_int_equal(cdt_endp_format(endp, CDT_ENDP_HUMAN, NULL, 0), 20);
    assert_int_equal(cdt_endp_format(endp, CDT_ENDP_HUMAN, text, 6), 20);
    assert_memory_equal(text, "(TCP \0z", 7);
    assert_int_equal(cdt_endp_format(endp, CDT_ENDP_HUMAN, text, 1), 20);
    assert_int_equal(text[0], 0);
    assert_int_equal(cdt_endp_format(NULL, CDT_ENDP_HUMAN, text, 1), -EINVAL);
    assert_int_equal(cdt_endp_format(endp, CDT_ENDP_HUMAN, NULL, 1), -EINVAL);
    assert_int_equal(cdt_endp_format(endp, (enum cdt_endp_form)3, text, 1), -EINVAL);
    assert_int_equal(cdt_endp_text(endp, CDT_ENDP_HUMAN, NULL), -EINVAL);
    assert_int_equal(cdt_endp_parse(NULL, &endp, NULL), -EINVAL);
    cdt_endp_free(endp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_texts),         cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_nesting_is_bounded), cmocka_unit_test(test_long_atoms),
        cmocka_unit_test(test_long_host_names),    cmocka_unit_test(test_format_counts_as_snprintf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
