/* Services: the built-in table, services(5) files, and functions of the user's. */
#include "test/resolve/resolving.h"

static struct resolving r;

static int set_up(void **state)
{
    (void)state;
    resolving_start(&r, NULL, NULL,
                    "# a comment\n"
                    "plain\t\t7001/tcp\n"
                    "Mixed 7002/tcp Alias1 alias2 # alias3\n"
                    "udponly 7003/udp\n"
                    "both 7004/udp\nboth 7005/tcp\n"
                    "http 7006/tcp\n"
                    "large 65536/tcp\nzero 0/tcp\nnegative -1/tcp\nword x/tcp\nbare 7007\nlone\n"
                    "\r\n  indented 7008/tcp\r\n"
                    "last 7009/tcp lastalias",
                    NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolving_stop(&r);
    return 0;
}

static void expect_service(const char *scheme, const char *name, int port, bool tls)
{
    struct cdt_service service;
    if (cdt_resolver_service(r.resolver, scheme, &service) != 0)
        fail_msg("%s is not known", scheme);
    assert_string_equal(service.name, name);
    assert_int_equal(service.port, port);
    assert_int_equal(service.tls, tls);
}

static void expect_none(const char *scheme)
{
    struct cdt_service service;
    if (cdt_resolver_service(r.resolver, scheme, &service) != -CDT_ENOSERVICE)
        fail_msg("%s is known", scheme);
}

static void table_is_sorted(void **state)
{
    (void)state;
    assert_true(services_builtin_count > 100);
    for (size_t i = 0; i < services_builtin_count; i++) {
        const struct service_entry *entry = &services_builtin[i];
        assert_true(entry->port > 0);
        assert_true(strlen(entry->name) < sizeof((struct cdt_service *)0)->name);
        assert_int_equal(strspn(entry->name, "abcdefghijklmnopqrstuvwxyz0123456789+-"),
                         strlen(entry->name));
        if (i && strcmp(entry[-1].name, entry->name) >= 0)
            fail_msg("%s is before %s", entry[-1].name, entry->name);
    }
}

static void built_in(void **state)
{
    static const struct service_entry known[] = {
        {"http", 80, false},          {"https", 443, true},        {"ws", 80, false},
        {"wss", 443, true},           {"ldap", 389, false},        {"ldaps", 636, true},
        {"smtp", 25, false},          {"smtps", 465, true},        {"submission", 587, false},
        {"submissions", 465, true},   {"imap", 143, false},        {"imaps", 993, true},
        {"pop3", 110, false},         {"pop3s", 995, true},        {"ftp", 21, false},
        {"ftps", 990, true},          {"irc", 6667, false},        {"ircs", 6697, true},
        {"mqtt", 1883, false},        {"mqtts", 8883, true},       {"amqp", 5672, false},
        {"amqps", 5671, true},        {"redis", 6379, false},      {"rediss", 6379, true},
        {"ssh", 22, false},           {"postgresql", 5432, false}, {"git", 9418, false},
        {"domain", 53, false},        {"domain-s", 853, true},     {"nntp", 119, false},
        {"nntps", 563, true},         {"sip", 5060, false},        {"sips", 5061, true},
        {"rtsp", 554, false},         {"rtsps", 322, true},        {"xmpp-client", 5222, false},
        {"xmpps-client", 5223, true}, {"mysql", 3306, false},      {"telnet", 23, false},
        {"telnets", 992, true},       {"svn", 3690, false},        {"coap+tcp", 5683, false},
        {"coaps+tcp", 5684, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        expect_service(known[i].name, known[i].name, known[i].port, known[i].tls);
    expect_service("HTTPS", "https", 443, true);
}

static void from_the_file(void **state)
{
    (void)state;
    expect_service("plain", "plain", 7001, false);
    expect_service("mixed", "mixed", 7002, false);
    expect_service("alias1", "alias1", 7002, false);
    expect_service("alias2", "alias2", 7002, false);
    expect_service("both", "both", 7005, false);
    expect_service("indented", "indented", 7008, false);
    expect_service("last", "last", 7009, false);
    expect_service("lastalias", "lastalias", 7009, false);
    expect_service("http", "http", 80, false);
    static const char *const unknown[] = {"alias3", "udponly", "large", "zero", "negative",
                                          "word",   "bare",    "lone",  "#",    ""};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        expect_none(unknown[i]);
}

static void without_a_file(void **state)
{
    static const char *const files[] = {"", "/tmp", "/dev/zero", "/no/such/file"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct cdt_resolver_options options = {.size = sizeof options,
                                                     .services_file = files[i]};
        struct cdt_resolver *resolver;
        struct cdt_service service;
        assert_int_equal(cdt_resolver_new(r.reactor, &options, &resolver), 0);
        assert_int_equal(cdt_resolver_service(resolver, "https", &service), 0);
        assert_int_equal(cdt_resolver_service(resolver, "plain", &service), -CDT_ENOSERVICE);
        cdt_resolver_free(resolver);
    }
}

static void read_once(void **state)
{
    (void)state;
    expect_service("plain", "plain", 7001, false);
    write_text(r.services, "plain 7999/tcp\n");
    expect_service("plain", "plain", 7001, false);
}

/* A name of 63 bytes fits, one more does not; nor do bytes that no scheme has. */
static void odd_names(void **state)
{
    char text[400], name[65];
    struct services_file file;
    struct cdt_service service;
    (void)state;
    memset(name, 'n', 64);
    name[64] = 0;
    snprintf(text, sizeof text, "%s 1/tcp %.63s a\001b caf\303\251 ok", name, name);
    const size_t length = strlen(text);
    char *copy = mem_alloc(length + 1);
    memcpy(copy, text, length + 1);
    assert_int_equal(services_read(copy, length, &file), 0);
    assert_int_equal(file.count, 2);
    assert_false(services_find(&file, name, &service));
    name[63] = 0;
    assert_true(services_find(&file, name, &service));
    assert_string_equal(service.name, name);
    assert_true(services_find(&file, "ok", &service));
    services_free(&file);
}

static int only_mine(void *user, const char *scheme, struct cdt_service *service)
{
    unsigned *asked = user;
    ++*asked;
    if (strcmp(scheme, "mine") != 0 && strcmp(scheme, "http") != 0)
        return 0;
    snprintf(service->name, sizeof service->name, "mine");
    service->port = 4711;
    service->tls = true;
    return 1;
}

static void composed(void **state)
{
    unsigned asked = 0;
    (void)state;
    assert_int_equal(cdt_resolver_add_service(r.resolver, only_mine, &asked), 0);
    expect_service("mine", "mine", 4711, true);
    expect_service("http", "mine", 4711, true);
    expect_service("https", "https", 443, true);
    expect_service("plain", "plain", 7001, false);
    expect_none("nobodys");
    assert_int_equal(asked, 5);
}

static void replaced(void **state)
{
    unsigned asked = 0;
    (void)state;
    assert_int_equal(cdt_resolver_set_service(r.resolver, only_mine, &asked), 0);
    expect_service("mine", "mine", 4711, true);
    expect_none("https");
    assert_int_equal(cdt_resolver_set_service(r.resolver, NULL, NULL), 0);
    expect_none("mine");
    expect_service("https", "https", 443, true);
    expect_service("plain", "plain", 7001, false);
}

static void by_hand(void **state)
{
    struct cdt_service service;
    (void)state;
    assert_int_equal(cdt_service_builtin(r.resolver, "plain", &service), 1);
    assert_int_equal(service.port, 7001);
    assert_int_equal(cdt_service_builtin(NULL, "imaps", &service), 1);
    assert_int_equal(cdt_service_builtin(NULL, "no-such-service", &service), 0);
    assert_int_equal(cdt_service_builtin(NULL, NULL, &service), 0);
}

static void arguments(void **state)
{
    struct cdt_service service;
    char longer[400];
    (void)state;
    assert_int_equal(cdt_resolver_service(NULL, "http", &service), -EINVAL);
    assert_int_equal(cdt_resolver_service(r.resolver, NULL, &service), -EINVAL);
    assert_int_equal(cdt_resolver_service(r.resolver, "http", NULL), -EINVAL);
    assert_int_equal(cdt_resolver_add_service(r.resolver, NULL, NULL), -EINVAL);
    assert_int_equal(cdt_resolver_set_service(NULL, NULL, NULL), -EINVAL);
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    expect_none(longer);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(table_is_sorted), test(built_in),  test(from_the_file), test(without_a_file),
        test(read_once),       test(odd_names), test(composed),      test(replaced),
        test(by_hand),         test(arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
