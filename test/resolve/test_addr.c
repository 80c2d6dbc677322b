/* Socket addresses: reading, writing, comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <conduit/addr.h>

static const struct {
    const char *ip, *text;
} good[] = {
    {"127.0.0.1", "127.0.0.1:80"},
    {"0.0.0.0", "0.0.0.0:80"},
    {"::1", "[::1]:80"},
    {"::", "[::]:80"},
    {"2001:DB8::0:1", "[2001:db8::1]:80"},
    {"1:0:0:2:0:0:0:3", "[1:0:0:2::3]:80"},
    {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"},
    {"::1.2.3.4", "[::102:304]:80"},
    {"::1.2.0.0", "[::102:0]:80"},
    {"fe80::1%lo", "[fe80::1%1]:80"},
    {"fe80::1%4294967295", "[fe80::1%4294967295]:80"},
};

static void test_numeric(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct cdt_addr addr;
        char text[CDT_ADDR_TEXT];
        assert_int_equal(cdt_addr_ip(&addr, good[i].ip, 80), 0);
        assert_string_equal(cdt_addr_format(&addr, text), good[i].text);
        assert_int_equal(cdt_addr_port(&addr), 80);
        assert_int_equal(addr.length,
                         addr.any.sa_family == AF_INET ? sizeof addr.v4 : sizeof addr.v6);
    }
}

static const struct {
    const char *ip;
    int status;
} bad[] = {
    {"", -EINVAL},
    {"localhost", -EINVAL},
    {"1.2.3", -EINVAL},
    {"1.2.3.4.5", -EINVAL},
    {"1.2.3.256", -EINVAL},
    {"0x7f.0.0.1", -EINVAL},
    {"1.2.3.4 ", -EINVAL},
    {"01.2.3.4", -EINVAL},
    {"[::1]", -EINVAL},
    {":::", -EINVAL},
    {"1:2:3:4:5:6:7", -EINVAL},
    {"1.2.3.4%lo", -EINVAL},
    {"::1%", -EINVAL},
    {"::1%0", -EINVAL},
    {"::1%4294967296", -EINVAL},
    {"::1%no-such-if", -ENODEV},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff", -EINVAL},
};

static void test_not_numeric(void **state)
{
    (void)state;
    struct cdt_addr addr = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(cdt_addr_ip(&addr, bad[i].ip, 80), bad[i].status);
    assert_int_equal(addr.length, 0);
    assert_int_equal(cdt_addr_ip(NULL, "::1", 80), -EINVAL);
    assert_int_equal(cdt_addr_ip(&addr, NULL, 80), -EINVAL);
}

static void test_wildcards(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char text[CDT_ADDR_TEXT];
    assert_int_equal(cdt_addr_any(&addr, AF_INET, 1), 0);
    assert_string_equal(cdt_addr_format(&addr, text), "0.0.0.0:1");
    assert_int_equal(cdt_addr_any(&addr, AF_INET6, 1), 0);
    assert_string_equal(cdt_addr_format(&addr, text), "[::]:1");
    assert_int_equal(cdt_addr_any(&addr, AF_UNIX, 1), -EINVAL);
    assert_int_equal(cdt_addr_any(NULL, AF_INET, 1), -EINVAL);
}

/* A name of so many bytes behind a first one. */
static const char *name_of(char memory[200], char first, size_t length)
{
    memset(memory, 'x', length);
    memory[0] = first;
    memory[length] = 0;
    return memory;
}

static void test_unix_names(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char text[CDT_ADDR_TEXT], memory[200];
    assert_int_equal(cdt_addr_unix(&addr, "/run/x.sock"), 0);
    assert_string_equal(cdt_addr_format(&addr, text), "/run/x.sock");
    assert_int_equal(cdt_addr_port(&addr), 0);
    assert_int_equal(cdt_addr_unix(&addr, "@name"), 0);
    assert_int_equal(addr.length, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_memory_equal(addr.local.sun_path, "\0name", 5);
    assert_string_equal(cdt_addr_format(&addr, text), "@name");
    assert_int_equal(cdt_addr_unix(&addr, ""), -EINVAL);
    assert_int_equal(cdt_addr_unix(&addr, "@"), -EINVAL);
    assert_int_equal(cdt_addr_unix(&addr, NULL), -EINVAL);
    assert_int_equal(cdt_addr_unix(&addr, name_of(memory, '/', 107)), 0);
    assert_string_equal(cdt_addr_format(&addr, text), memory);
    assert_int_equal(cdt_addr_unix(&addr, name_of(memory, '@', 108)), 0);
    assert_string_equal(cdt_addr_format(&addr, text), memory);
    assert_int_equal(cdt_addr_unix(&addr, name_of(memory, '/', 108)), -ENAMETOOLONG);
    assert_int_equal(cdt_addr_unix(&addr, name_of(memory, '@', 109)), -ENAMETOOLONG);
}

static void test_unprintable_names(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char text[CDT_ADDR_TEXT], memory[200];
    cdt_addr_unix(&addr, "/a\nb\\\303");
    assert_string_equal(cdt_addr_format(&addr, text), "/a\\x0ab\\x5c\\xc3");
    cdt_addr_unix(&addr, "@ab");
    addr.local.sun_path[2] = 0;
    assert_string_equal(cdt_addr_format(&addr, text), "@a\\x00");
    memset(memory, 1, 107);
    memory[107] = 0;
    cdt_addr_unix(&addr, memory);
    cdt_addr_format(&addr, text);
    assert_int_equal(strlen(text), 107 * 4);
    assert_string_equal(text + 106 * 4, "\\x01");
    addr.length = sizeof(sa_family_t);
    assert_string_equal(cdt_addr_format(&addr, text), "");
    addr.length = 0;
    assert_string_equal(cdt_addr_format(&addr, text), "");
    assert_string_equal(cdt_addr_format(NULL, text), "");
}

static struct cdt_addr sample(int index)
{
    static const char *const names[] = {"127.0.0.1", "127.0.0.2", "::1",   "::2",
                                        "fe80::1%1", "fe80::1%2", "/a/b",  "/a/c",
                                        "@a",        "@b",        "/a/bb", "@aa"};
    struct cdt_addr addr = {0};
    if (index < 12)
        index < 6 ? cdt_addr_ip(&addr, names[index], 80) : cdt_addr_unix(&addr, names[index]);
    else if (index == 12)
        cdt_addr_ip(&addr, "127.0.0.1", 81);
    return addr; /* the last: none */
}

static void test_equal(void **state)
{
    (void)state;
    for (int i = 0; i < 14; i++) {
        const struct cdt_addr a = sample(i);
        for (int j = 0; j < 14; j++) {
            const struct cdt_addr b = sample(j);
            assert_int_equal(cdt_addr_equal(&a, &b), i == j);
        }
        assert_int_equal(cdt_addr_equal(&a, NULL), 0);
    }
    struct cdt_addr a = sample(6), b = a; /* the kernel counts the 0 of a path, or does not */
    b.length--;
    assert_int_equal(cdt_addr_equal(&a, &b), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric),           cmocka_unit_test(test_not_numeric),
        cmocka_unit_test(test_wildcards),         cmocka_unit_test(test_unix_names),
        cmocka_unit_test(test_unprintable_names), cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
