/* Endpoints as values: making them, wrong arguments, comparing, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <conduit/endp.h>

#include "resolve/internal.h"

static struct cdt_addr ip(const char *text, uint16_t port)
{
    struct cdt_addr addr;
    assert_int_equal(cdt_addr_ip(&addr, text, port), 0);
    return addr;
}

static void expect(struct cdt_endp *endp, const char *human)
{
    char text[256];
    cdt_endp_format(endp, CDT_ENDP_HUMAN, text, sizeof text);
    assert_string_equal(text, human);
    cdt_endp_free(endp);
}

static void test_making(void **state)
{
    (void)state;
    const struct cdt_addr addr = ip("10.0.0.1", 443);
    struct cdt_endp *endp, *outer;
    assert_int_equal(cdt_endp_tcp(&addr, &endp), 0);
    assert_int_equal(cdt_endp_tls("example.org", endp, &outer), 0);
    assert_ptr_equal(cdt_endp_base(outer), endp);
    expect(outer, "(TLS (example.org (TCP (10.0.0.1 443))))");
    assert_int_equal(cdt_endp_unix("/tmp/a b", &endp), 0);
    expect(endp, "(Unix_domain_socket \"/tmp/a b\")");
    assert_int_equal(cdt_endp_vchan_direct(3, "foo", &endp), 0);
    expect(endp, "(Vchan_direct (3 foo))");
    assert_int_equal(cdt_endp_vchan_domain_socket("vm", "foo", &endp), 0);
    expect(endp, "(Vchan_domain_socket (vm foo))");
    assert_int_equal(cdt_endp_unknown("no scheme", &endp), 0);
    expect(endp, "(Unknown \"no scheme\")");
    assert_int_equal(cdt_endp_host("example.org", 80, &endp), 0);
    expect(endp, "tcp:example.org:80");
    assert_int_equal(cdt_endp_host("", 80, &endp), 0);
    expect(endp, "tcp:80");
    assert_int_equal(cdt_endp_fd(7, &endp), 0);
    expect(endp, "fd:7");
    assert_int_equal(cdt_endp_systemd("web", &endp), 0);
    expect(endp, "(Launchd web)");
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    struct cdt_addr addr = {0};
    struct cdt_endp *endp = NULL;
    assert_int_equal(cdt_endp_tcp(NULL, &endp), -EINVAL);
    assert_int_equal(cdt_endp_tcp(&addr, &endp), -EINVAL);
    assert_int_equal(cdt_endp_of_addr(&addr, &endp), -EINVAL);
    cdt_addr_unix(&addr, "/x");
    assert_int_equal(cdt_endp_tcp(&addr, &endp), -EINVAL);
    assert_int_equal(cdt_endp_tcp(&addr, NULL), -EINVAL);
    assert_int_equal(cdt_endp_unix(NULL, &endp), -EINVAL);
    assert_int_equal(cdt_endp_unix("/x", NULL), -EINVAL);
    assert_int_equal(cdt_endp_vchan_direct(65536, "p", &endp), -EINVAL);
    assert_int_equal(cdt_endp_vchan_direct(1, NULL, &endp), -EINVAL);
    assert_int_equal(cdt_endp_tls("h", NULL, &endp), -EINVAL);
    assert_int_equal(cdt_endp_fd(-1, &endp), -EINVAL);
    assert_int_equal(cdt_endp_host("1.2.3.4", 80, &endp), -EINVAL);
    assert_int_equal(cdt_endp_host("a b", 80, &endp), -EINVAL);
    assert_int_equal(cdt_endp_host("a..b", 80, &endp), -EINVAL);
    assert_int_equal(cdt_endp_host(NULL, 80, &endp), -EINVAL);
    assert_int_equal(cdt_endp_copy(NULL, &endp), -EINVAL);
    assert_null(endp);
    assert_null(cdt_endp_base(NULL));
    cdt_endp_free(NULL);
}

static void test_tls_nests_to_its_limit(void **state)
{
    (void)state;
    struct cdt_endp *endp, *outer;
    assert_int_equal(cdt_endp_unknown("x", &endp), 0);
    for (int depth = 2; depth <= CDT_ENDP_DEPTH; depth++) {
        assert_int_equal(cdt_endp_tls("h", endp, &outer), 0);
        endp = outer;
    }
    assert_int_equal(cdt_endp_tls("h", endp, &outer), -E2BIG);
    cdt_endp_free(endp);
}

static void test_equal_or_not(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "tcp:1.2.3.4:5", "tcp:1.2.3.4:6",
        "tcp:1.2.3.5:5", "tcp:[::1]:5",
        "tcp:[::1%1]:5", "unix:/a",
        "unix:/b",       "unix:@a",
        "vchan:1/p",     "vchan:2/p",
        "vchan:1/q",     "vchan:a/p",
        "tls:h:1",       "tls+tls:h:1",
        "tcp:h:1",       "tcp:h:2",
        "tls+unix:/a",   "(Unknown /a)",
        "fd:1",          "systemd:a",
        "tcp:1",         "(Unknown \"/a\\000\")",
    };
    const size_t count = sizeof texts / sizeof *texts;
    struct cdt_endp *endps[sizeof texts / sizeof *texts];
    for (size_t i = 0; i < count; i++)
        assert_int_equal(cdt_endp_parse(texts[i], &endps[i], NULL), 0);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(cdt_endp_equal(endps[i], endps[j]), i == j);
            assert_int_equal(cdt_endp_hash(endps[i]) == cdt_endp_hash(endps[j]), i == j);
        }
        assert_int_equal(cdt_endp_equal(endps[i], NULL), 0);
    }
    for (size_t i = 0; i < count; i++)
        cdt_endp_free(endps[i]);
}

/* What cdt_endp_equal() leaves out, the hash leaves out. */
static void test_equal_ones_have_one_hash(void **state)
{
    (void)state;
    struct cdt_addr one = ip("fe80::1%1", 80), other = one;
    struct cdt_endp *a, *b, *c;
    other.v6.sin6_flowinfo = 7;
    assert_int_equal(cdt_endp_tcp(&one, &a), 0);
    assert_int_equal(cdt_endp_tcp(&other, &b), 0);
    assert_int_equal(cdt_endp_copy(a, &c), 0);
    assert_true(cdt_endp_equal(a, b));
    assert_int_equal(cdt_endp_hash(a), cdt_endp_hash(b));
    assert_int_equal(cdt_endp_hash(a), cdt_endp_hash(c));
    cdt_endp_free(a);
    cdt_endp_free(b);
    cdt_endp_free(c);
    one = ip("1.2.3.4", 80);
    other = one;
    memset(other.v4.sin_zero, 1, sizeof other.v4.sin_zero);
    assert_int_equal(cdt_endp_tcp(&one, &a), 0);
    assert_int_equal(cdt_endp_tcp(&other, &b), 0);
    assert_int_equal(cdt_endp_hash(a), cdt_endp_hash(b));
    cdt_endp_free(a);
    cdt_endp_free(b);
    assert_int_equal(cdt_endp_hash(NULL), cdt_endp_hash(NULL));
}

static void test_vchan_ports(void **state)
{
    (void)state;
    assert_true(vchan_port_is_valid(slice_of("azAZ09_-")));
    assert_false(vchan_port_is_valid(slice_of("")));
    static const char wrong[] = "/. @[`{:\"\\\n\177\200\377";
    for (size_t i = 0; i < sizeof wrong; i++)
        assert_false(vchan_port_is_valid((struct slice){(char[]){'a', wrong[i]}, 2}));
}

static void test_addresses_become_endpoints(void **state)
{
    (void)state;
    struct cdt_addr addr = ip("fe80::1%1", 80);
    struct cdt_endp *endp;
    assert_int_equal(cdt_endp_of_addr(&addr, &endp), 0);
    expect(endp, "(TCP (fe80::1%1 80))");
    cdt_addr_unix(&addr, "/run/x");
    assert_int_equal(cdt_endp_of_addr(&addr, &endp), 0);
    expect(endp, "(Unix_domain_socket /run/x)");
    cdt_addr_unix(&addr, "@name");
    assert_int_equal(cdt_endp_of_addr(&addr, &endp), 0);
    expect(endp, "(Unix_domain_socket @name)");
    addr.length = sizeof(sa_family_t);
    assert_int_equal(cdt_endp_of_addr(&addr, &endp), 0);
    expect(endp, "(Unix_domain_socket \"\")");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_tls_nests_to_its_limit),
        cmocka_unit_test(test_equal_or_not),
        cmocka_unit_test(test_equal_ones_have_one_hash),
        cmocka_unit_test(test_vchan_ports),
        cmocka_unit_test(test_addresses_become_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
