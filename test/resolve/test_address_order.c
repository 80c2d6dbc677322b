/* The order of addresses: the examples of RFC 6724 section 10.2 as far as they need no more than
 * sources (home addresses, section 10.2's fifth, are nothing that the kernel tells), and the
 * kernel's sources. */
#include "test/resolve/resolving.h"

struct pair {
    const char *to, *from; /* NULL: cannot be reached */
};

static uint64_t key_of(const struct pair *pair)
{
    struct cdt_addr to, from;
    assert_int_equal(cdt_addr_ip(&to, pair->to, 80), 0);
    if (!pair->from)
        return address_key(&to, NULL);
    assert_int_equal(cdt_addr_ip(&from, pair->from, 0), 0);
    return address_key(&to, &from);
}

static void expect_before(struct pair first, struct pair second)
{
    if (key_of(&first) >= key_of(&second))
        fail_msg("%s from %s should be before %s from %s", first.to,
                 first.from ? first.from : "nowhere", second.to,
                 second.from ? second.from : "nowhere");
}

static void expect_equal(struct pair first, struct pair second)
{
    assert_int_equal(key_of(&first), key_of(&second));
}

static void examples_of_section_10_2(void **state)
{
    (void)state;
    /* prefer matching scope */
    expect_before((struct pair){"2001:db8:1::1", "2001:db8:1::2"},
                  (struct pair){"198.51.100.121", "169.254.13.78"});
    expect_before((struct pair){"198.51.100.121", "198.51.100.117"},
                  (struct pair){"2001:db8:1::1", "fe80::1"});
    /* prefer higher precedence */
    expect_before((struct pair){"2001:db8:1::1", "2001:db8:1::2"},
                  (struct pair){"10.1.2.3", "10.1.2.4"});
    /* prefer smaller scope */
    expect_before((struct pair){"fe80::1", "fe80::2"},
                  (struct pair){"2001:db8:1::1", "2001:db8:1::2"});
    /* prefer matching label */
    expect_before((struct pair){"2002:c633:6401::1", "2002:c633:6401::2"},
                  (struct pair){"2001:db8:1::1", "2002:c633:6401::2"});
    /* prefer higher precedence */
    expect_before((struct pair){"2001:db8:1::1", "2001:db8:1::2"},
                  (struct pair){"2002:c633:6401::1", "2002:c633:6401::2"});
    /* longest matching prefix */
    expect_before((struct pair){"2001:db8:1::1", "2001:db8:1::2"},
                  (struct pair){"2001:db8:3ffe::1", "2001:db8:3f44::2"});
}

static void rules(void **state)
{
    (void)state;
    /* rule 1, over all others */
    expect_before((struct pair){"3ffe::1", "fe80::1"}, (struct pair){"::1", NULL});
    expect_before((struct pair){"192.0.2.1", "10.0.0.1"}, (struct pair){"2001:db8::1", NULL});
    /* rule 6 among those that cannot be reached */
    expect_before((struct pair){"2001:db8::1", NULL}, (struct pair){"192.0.2.1", NULL});
    /* loopback, ULA, Teredo, site-local, 6bone by the policy table */
    expect_before((struct pair){"::1", "::1"}, (struct pair){"127.0.0.1", "127.0.0.1"});
    expect_before((struct pair){"192.0.2.1", "192.0.2.2"}, (struct pair){"fd00::1", "fd00::2"});
    expect_before((struct pair){"192.0.2.1", "192.0.2.2"}, (struct pair){"2001::1", "2001::2"});
    expect_before((struct pair){"2001::1", "2001::2"}, (struct pair){"fd00::1", "fd00::2"});
    expect_before((struct pair){"fd00::1", "fd00::2"}, (struct pair){"fec0::1", "fec0::2"});
    expect_before((struct pair){"fd00::1", "fd00::2"}, (struct pair){"3ffe::1", "3ffe::2"});
    /* rule 9 not beyond the prefix of a network, and not for IPv4 */
    expect_equal((struct pair){"2001:db8::1", "2001:db8::2"},
                 (struct pair){"2001:db8::ffff:1", "2001:db8::2"});
    expect_equal((struct pair){"192.0.2.1", "192.0.2.2"},
                 (struct pair){"198.51.100.1", "192.0.2.2"});
}

static void the_kernels_sources(void **state)
{
    struct address_sources sources = {.find = address_source, .fd = {-1, -1}};
    struct cdt_addr to, from;
    (void)state;
    assert_int_equal(cdt_addr_ip(&to, "127.0.0.1", 0), 0);
    for (unsigned i = 0; i < 2; i++) { /* the socket is used again */
        assert_true(address_source(&sources, &to, &from));
        assert_int_equal(from.v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        assert_int_equal(cdt_addr_ip(&to, "127.0.0.1", 80), 0);
    }
    /* class E, and an address of documentation with a scope that no interface has */
    assert_int_equal(cdt_addr_ip(&to, "255.255.255.255", 80), 0);
    assert_false(address_source(&sources, &to, &from));
    assert_int_equal(cdt_addr_ip(&to, "127.0.0.7", 80), 0);
    assert_true(address_source(&sources, &to, &from));
    assert_int_equal(from.any.sa_family, AF_INET);
    address_sources_close(&sources);
    assert_int_equal(sources.fd[0], -1);
    address_sources_close(&sources);
}

/* ---- SRV ------------------------------------------------------------------------------------- */

static void srv_priorities(void **state)
{
    const struct dns_srv records[] = {
        {30, 0, 1, "d"}, {10, 5, 1, "a"}, {20, 0, 1, "b"}, {20, 0, 1, "c"}, {10, 0, 1, "e"}};
    uint8_t order[DNS_RECORDS_MAX];
    uint64_t random = 1;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        srv_order(records, 5, &random, order);
        assert_true(records[order[0]].priority == 10 && records[order[1]].priority == 10);
        assert_true(records[order[2]].priority == 20 && records[order[3]].priority == 20);
        assert_int_equal(order[4], 0);
        unsigned seen = 0;
        for (unsigned k = 0; k < 5; k++)
            seen |= 1u << order[k];
        assert_int_equal(seen, 31);
    }
}

/* Of 40,000 orders with the weights 0, 1, 3 and 6, how often each is first: as RFC 2782 has it,
 * a number from 0 to 10 of which 0 falls to the one without weight. */
static void srv_weights(void **state)
{
    const struct dns_srv records[] = {
        {1, 1, 1, "b"}, {1, 6, 1, "d"}, {1, 0, 1, "a"}, {1, 3, 1, "c"}};
    static const unsigned expected[] = {1, 6, 1, 3};
    enum { ROUNDS = 44000 };
    unsigned first[4] = {0};
    uint8_t order[DNS_RECORDS_MAX];
    uint64_t random = 42;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        srv_order(records, 4, &random, order);
        first[order[0]]++;
    }
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(first[i], expected[i] * ROUNDS / 11 * 95 / 100,
                        expected[i] * ROUNDS / 11 * 105 / 100);
}

static void srv_extremes(void **state)
{
    struct dns_srv records[DNS_RECORDS_MAX];
    uint8_t order[DNS_RECORDS_MAX];
    uint64_t random = 7, seen = 0;
    (void)state;
    for (unsigned i = 0; i < DNS_RECORDS_MAX; i++)
        records[i] = (struct dns_srv){0, 65535, 1, "x"};
    srv_order(records, DNS_RECORDS_MAX, &random, order);
    for (unsigned i = 0; i < DNS_RECORDS_MAX; i++)
        seen |= UINT64_C(1) << order[i];
    assert_true(seen == UINT64_MAX);
    srv_order(records, 0, &random, order);
    srv_order(records, 1, &random, order);
    assert_int_equal(order[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_section_10_2),
        cmocka_unit_test(rules),
        cmocka_unit_test(the_kernels_sources),
        cmocka_unit_test(srv_priorities),
        cmocka_unit_test(srv_weights),
        cmocka_unit_test(srv_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
