/* DNS against name servers: real ones of the packages, dead and slow ones; and what names them. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "test/resolve/world.h"

static const char zone[] = "a A 192.0.2.1\n"
                           "two A 192.0.2.1\n"
                           "two A 192.0.2.2\n"
                           "two AAAA 2001:db8::1\n"
                           "six AAAA 2001:db8::6\n"
                           "c1 CNAME c2\n"
                           "c2 30 CNAME c3\n"
                           "c3 CNAME two\n"
                           "loop1 CNAME loop2\n"
                           "loop2 CNAME loop1\n"
                           "dangling CNAME nothing\n"
                           "_http._tcp SRV 10 60 8080 a\n"
                           "_http._tcp SRV 20 0 8081 two\n"
                           "_none._tcp SRV 0 0 0 .\n";

/* The zone, with names that have 60 and 200 addresses. */
static const char *zone_text(void)
{
    static char text[16384];
    size_t length = sizeof zone - 1;

    memcpy(text, zone, sizeof zone);
    for (int i = 1; i <= 200; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "huge A 192.0.2.%d\n", i);
    for (int i = 1; i <= 60; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "big A 192.0.2.%d\n", i);
    return text;
}

/* ---- real servers ---------------------------------------------------------------------------- */

static void all_types(enum name_server_kind kind)
{
    struct world world = {.server = name_server_start(kind, zone_text())};
    struct cdt_reactor *reactor;
    struct asked asked = {.called = 0};
    char found[INET6_ADDRSTRLEN];
    unsigned first;

    begin(&world, world.server->address);
    reactor = world.reactor;
    assert_int_equal(ask(reactor, world.dns, &asked, "a.test", DNS_A), 0);
    assert_int_equal(asked.count, 1);
    assert_in_range(asked.ttl, 58, 60);
    expect_a(&asked, 0, "192.0.2.1");
    assert_int_equal(ask(reactor, world.dns, &asked, "A.TEST", DNS_A), 0);
    assert_int_equal(asked.count, 1);

    assert_int_equal(ask(reactor, world.dns, &asked, "six.test", DNS_AAAA), 0);
    assert_int_equal(asked.count, 1);
    assert_string_equal(inet_ntop(AF_INET6, &asked.aaaa[0], found, sizeof found), "2001:db8::6");

    assert_int_equal(ask(reactor, world.dns, &asked, "c1.test", DNS_A), 0);
    assert_int_equal(asked.count, 2);
    assert_in_range(asked.ttl, 28, 30);

    assert_int_equal(ask(reactor, world.dns, &asked, "_http._tcp.test", DNS_SRV), 0);
    assert_int_equal(asked.count, 2);
    first = asked.srv[0].priority == 10 ? 0 : 1;
    assert_int_equal(asked.srv[first].priority, 10);
    assert_int_equal(asked.srv[first].weight, 60);
    assert_int_equal(asked.srv[first].port, 8080);
    assert_string_equal(asked.srv[first].target, "a.test");
    assert_int_equal(asked.srv[!first].priority, 20);
    assert_string_equal(asked.srv[!first].target, "two.test");
    assert_int_equal(ask(reactor, world.dns, &asked, "_none._tcp.test", DNS_SRV), 0);
    assert_string_equal(asked.srv[0].target, "");

    assert_int_equal(ask(reactor, world.dns, &asked, "nothing.test", DNS_A), -CDT_ENXDOMAIN);
    assert_in_range(asked.ttl, 4, 5);
    assert_int_equal(ask(reactor, world.dns, &asked, "dangling.test", DNS_A), -CDT_ENXDOMAIN);
    assert_int_equal(ask(reactor, world.dns, &asked, "six.test", DNS_A), -CDT_ENODATA);
    assert_in_range(asked.ttl, 4, 5);
    assert_int_equal(ask(reactor, world.dns, &asked, "loop1.test", DNS_A), -CDT_EDNSANSWER);
    assert_int_equal(ask(reactor, world.dns, &asked, "not.served", DNS_A), -CDT_EDNSREFUSED);
    end(&world);
}

static void test_knot(void **state)
{
    (void)state;
    all_types(NAME_SERVER_KNOT);
}

static void test_nsd(void **state)
{
    (void)state;
    all_types(NAME_SERVER_NSD);
}

static void test_truncated_goes_over_tcp(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct asked asked[3] = {{.called = 0}};

    (void)state;
    begin(&world, world.server->address);
    assert_int_equal(ask(world.reactor, world.dns, &asked[0], "big.test", DNS_A), 0);
    assert_int_equal(asked[0].count, 60);
    /* More than are taken, two at a time on one connection, and one over UDP meanwhile. */
    ask_only(world.dns, &asked[0], "huge.test", DNS_A);
    ask_only(world.dns, &asked[1], "big.test", DNS_AAAA);
    ask_only(world.dns, &asked[2], "a.test", DNS_A);
    until(world.reactor, asked[0].called && asked[1].called && asked[2].called);
    assert_int_equal(asked[0].status, 0);
    assert_int_equal(asked[0].count, DNS_RECORDS_MAX);
    assert_int_equal(asked[1].status, -CDT_ENODATA);
    assert_int_equal(asked[2].status, 0);
    end(&world);
}

static void test_servfail(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct asked asked = {.called = 0};

    (void)state;
    begin(&world, world.server->address);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.broken", DNS_A), -CDT_ESERVFAIL);
    assert_true(asked.time < 300 * CDT_MS);
    end(&world);
}

/* dnsmasq that forwards to a server that refuses, and answers others by itself. */
static void test_dnsmasq_in_front(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct name_server *front;
    struct asked asked = {.called = 0};
    char text[200];

    (void)state;
    snprintf(text, sizeof text, "server=/test/127.0.0.1#%u\nserver=/broken/127.0.0.1#%u\n%s",
             world.server->port, world.server->port, "address=/own.example/192.0.2.77\n");
    front = name_server_start(NAME_SERVER_DNSMASQ, text);
    begin(&world, front->address);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "own.example", DNS_A), 0);
    expect_a(&asked, 0, "192.0.2.77");
    assert_int_equal(ask(world.reactor, world.dns, &asked, "c1.test", DNS_A), 0);
    assert_int_equal(asked.count, 2);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.broken", DNS_A), -CDT_ESERVFAIL);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "x.other", DNS_A), -CDT_EDNSREFUSED);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "big.test", DNS_A), 0);
    assert_int_equal(asked.count, 60);
    end(&world);
    name_server_stop(front);
}

static void test_over_ipv6(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct asked asked = {.called = 0};
    char servers[32];

    (void)state;
    if (!world.server->ipv6) {
        name_server_stop(world.server);
        print_message("there is no IPv6 here\n");
        skip();
    }
    snprintf(servers, sizeof servers, "[::1]:%u", world.server->port);
    begin(&world, servers);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "two.test", DNS_A), 0);
    assert_int_equal(asked.count, 2);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "big.test", DNS_A), 0);
    end(&world);
}

/* ---- several servers ------------------------------------------------------------------------- */

/* One that refuses the zone, and one that fails: the other is asked at once. */
static void test_refusal_goes_on_to_the_next(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct name_server *other =
        name_server_start(NAME_SERVER_DNSMASQ, "address=/a.broken/192.0.2.9");
    struct asked asked = {.called = 0};
    char servers[80];

    (void)state;
    snprintf(servers, sizeof servers, "%s,%s", other->address, world.server->address);
    begin(&world, servers);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), 0);
    assert_true(asked.time < 300 * CDT_MS);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "big.test", DNS_A), 0);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "x.broken", DNS_A), -CDT_ESERVFAIL);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "x.other", DNS_A), -CDT_EDNSREFUSED);
    assert_true(asked.time < 300 * CDT_MS);
    end(&world);
    begin(&world, servers + strlen(other->address) + 1);
    dns_free(world.dns);
    cdt_reactor_free(world.reactor);
    name_server_stop(other);
}

/* Nobody listens: the kernel says so, and the next is asked at once. */
static void test_dead_server_beside_a_live_one(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct asked asked = {.called = 0};
    char servers[80];

    (void)state;
    snprintf(servers, sizeof servers, "127.0.0.1:%u,%s", name_server_free_port(),
             world.server->address);
    begin(&world, servers);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), 0);
    assert_true(asked.time < 300 * CDT_MS);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.broken", DNS_A), -CDT_ESERVFAIL);
    end(&world);
}

/* A black hole costs the first question 400 ms, and those that come later nothing. */
static void test_black_hole_beside_a_live_one(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct asked asked[2] = {{.called = 0}};
    char servers[80], hole[32];
    int fd = name_server_socket(hole);

    (void)state;
    snprintf(servers, sizeof servers, "%s,%s", hole, world.server->address);
    begin(&world, servers);
    ask_only(world.dns, &asked[0], "two.test", DNS_A);
    ask_only(world.dns, &asked[1], "two.test", DNS_AAAA);
    until(world.reactor, asked[0].called && asked[1].called);
    assert_int_equal(asked[0].status, 0);
    assert_int_equal(asked[1].status, 0);
    assert_true(asked[0].time >= 390 * CDT_MS);
    if (!test_slow())
        assert_true(asked[0].time < 600 * CDT_MS);
    assert_int_equal(ask(world.reactor, world.dns, &asked[0], "a.test", DNS_A), 0);
    assert_true(asked[0].time < 300 * CDT_MS);
    end(&world);
    close(fd);
}

enum { BUSY_AT_ONCE = 20, BUSY_NAMES = 200 };

struct busy {
    struct world world;
    struct asked asked[BUSY_AT_ONCE];
    unsigned begun, answered;
};

static void ask_busily(struct asked *asked)
{
    struct busy *busy = asked->arg;
    char name[32];

    if (asked->called) {
        assert_int_equal(asked->status, -CDT_ENXDOMAIN);
        busy->answered++;
    }
    if (busy->begun == BUSY_NAMES)
        return;
    snprintf(name, sizeof name, "none%u.test", busy->begun++);
    ask_only(busy->world.dns, asked, name, DNS_A);
}

/* Also when there is never a moment in which nothing is asked: the dead server is asked those that are
 * under way when it dies, and no more. */
static void test_black_hole_under_load(void **state)
{
    struct busy busy = {.world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())}};
    char servers[80], hole[32], packet[512];
    int fd = name_server_socket(hole), packets = 0;

    (void)state;
    snprintf(servers, sizeof servers, "%s,%s", hole, busy.world.server->address);
    begin(&busy.world, servers);
    for (int i = 0; i < BUSY_AT_ONCE; i++) {
        busy.asked[i].then = ask_busily;
        busy.asked[i].arg = &busy;
        ask_busily(&busy.asked[i]);
    }
    until(busy.world.reactor, busy.answered == BUSY_NAMES);
    while (recv(fd, packet, sizeof packet, MSG_DONTWAIT) >= 0)
        packets++;
    assert_in_range(packets, 1, 2 * BUSY_AT_ONCE);
    end(&busy.world);
    close(fd);
}

static void test_all_dead(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};
    char servers[80];

    (void)state;
    snprintf(servers, sizeof servers, "127.0.0.1:%u,127.0.0.1:%u", name_server_free_port(),
             name_server_free_port());
    begin(&world, servers);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), -CDT_EDNSTIMEOUT);
    end(&world);
}

/* Rounds of 20, 40 and 80 ms. */
static void test_timeout(void **state)
{
    struct world world = {0};
    struct cdt_resolver_options options;
    struct asked asked = {.called = 0};
    char hole[32];
    int fd = name_server_socket(hole), datagrams = 0;
    uint8_t byte;

    (void)state;
    options = asked_options(hole);
    options.timeout = 20 * CDT_MS;
    options.tries = 3;
    world.reactor = test_reactor();
    world.dns = asked_dns(world.reactor, &options);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), -CDT_EDNSTIMEOUT);
    assert_true(asked.time >= 130 * CDT_MS);
    while (recv(fd, &byte, 1, 0) == 1)
        datagrams++;
    assert_int_equal(datagrams, 3);
    /* It was not kept. */
    ask_only(world.dns, &asked, "a.test", DNS_A);
    until(world.reactor, recv(fd, &byte, 1, 0) == 1);
    dns_cancel(&asked.query);
    end(&world);
    close(fd);
}

/* One that awakes later: the second try reaches it. */
static void test_slow_server(void **state)
{
    struct world world = {.server = name_server_start(NAME_SERVER_KNOT, zone_text())};
    struct asked asked = {.called = 0};

    (void)state;
    begin(&world, world.server->address);
    name_server_signal(world.server, SIGSTOP);
    ask_only(world.dns, &asked, "a.test", DNS_A);
    while (test_now() - asked.time < 450 * CDT_MS)
        cdt_reactor_step(world.reactor, 10 * CDT_MS);
    assert_int_equal(asked.called, 0);
    name_server_signal(world.server, SIGCONT);
    until(world.reactor, asked.called);
    assert_int_equal(asked.status, 0);
    end(&world);
}

/* ---- sockets and servers --------------------------------------------------------------------- */

static void test_sockets_are_closed_on_exec(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};
    char hole[32];
    int fd = name_server_socket(hole), lowest;

    (void)state;
    begin(&world, hole);
    lowest = fcntl(0, F_DUPFD, 0);
    close(lowest);
    ask_only(world.dns, &asked, "a.test", DNS_A);
    assert_int_equal(fcntl(lowest, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(lowest, F_GETFL) & O_NONBLOCK);
    dns_cancel(&asked.query);
    end(&world);
    close(fd);
}

static void test_no_descriptor(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};

    (void)state;
    begin(&world, "127.0.0.1:9");
    test_no_more_fds();
    ask_only(world.dns, &asked, "a.test", DNS_A);
    cdt_reactor_step(world.reactor, 0);
    test_more_fds();
    assert_int_equal(asked.called, 1);
    assert_int_equal(asked.status, -EMFILE);
    end(&world);
}

static void test_texts_of_servers(void **state)
{
    static const struct {
        const char *text;
        int error;
    } rows[] = {
        {"127.0.0.1", 0},
        {"127.0.0.1:53", 0},
        {"::1", 0},
        {"[::1]", 0},
        {"[::1]:5353,10.0.0.1,2001:db8::53", 0},
        {"1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1", 0},
        {"", -EINVAL},
        {",", -EINVAL},
        {"127.0.0.1,", -EINVAL},
        {",127.0.0.1", -EINVAL},
        {"127.0.0.1,,127.0.0.2", -EINVAL},
        {"127.0.0.1 ", -EINVAL},
        {" 127.0.0.1", -EINVAL},
        {"127.0.0.1:", -EINVAL},
        {"127.0.0.1:0", -EINVAL},
        {"127.0.0.1:65536", -EINVAL},
        {"127.0.0.1:-1", -EINVAL},
        {"127.0.0.1:53x", -EINVAL},
        {"127.0.0.1:53:54", -EINVAL},
        {"127.1", -EINVAL},
        {"0x7f.0.0.1", -EINVAL},
        {"[127.0.0.1]:53", -EINVAL},
        {"[::1", -EINVAL},
        {"[::1]53", -EINVAL},
        {"[::1]:", -EINVAL},
        {"[]:53", -EINVAL},
        {"[::1]]:53", -EINVAL},
        {"fe80::1%lo", -EINVAL},
        {"name.test", -EINVAL},
        {":53", -EINVAL},
        {"[::ffff:1.2.3.4]:53", 0},
        {"1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
         "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
         -EINVAL},
    };
    struct cdt_reactor *reactor = test_reactor();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cdt_resolver_options options = asked_options(rows[i].text);
        struct dns *dns = NULL;
        int error = dns_new(reactor, &options, &dns);

        if (error != rows[i].error)
            fail_msg("\"%s\": %s", rows[i].text, cdt_strerror(error));
        dns_free(dns);
    }
    cdt_reactor_free(reactor);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_resolv_conf(void **state)
{
    static const char text[] = "# comment\n"
                               "search Example.test sub.example.test. bad..name x\\y ok\n"
                               "options ndots:3 timeout:77\n"
                               "nameserver 127.0.0.1\n";
    struct cdt_resolver_options options = asked_options(NULL);
    struct cdt_reactor *reactor = test_reactor();
    const char *const *domains;
    char folder[64], path[96];
    struct dns *dns;
    unsigned ndots;

    (void)state;
    test_folder(folder);
    snprintf(path, sizeof path, "%s/resolv.conf", folder);
    write_file(path, text);
    options.resolv_conf = path;
    dns = asked_dns(reactor, &options);
    assert_int_equal(dns_search(dns, &ndots, &domains), 3);
    assert_int_equal(ndots, 3);
    assert_string_equal(domains[0], "Example.test");
    assert_string_equal(domains[1], "sub.example.test");
    assert_string_equal(domains[2], "ok");
    write_file(path, "search changed\n");
    until(reactor, dns_search(dns, &ndots, &domains) == 1); /* it is looked at once a second */
    assert_string_equal(domains[0], "changed");
    assert_int_equal(unlink(path), 0);
    until(reactor, !dns_search(dns, &ndots, &domains) || strcmp(domains[0], "changed") != 0);
    dns_free(dns);
    /* No such file; a folder; a binary. */
    options.resolv_conf = "/nonexistent/resolv.conf";
    dns_free(asked_dns(reactor, &options));
    options.resolv_conf = folder;
    dns_free(asked_dns(reactor, &options));
    options.resolv_conf = "/proc/self/exe";
    dns_free(asked_dns(reactor, &options));
    options.resolv_conf = "/dev/zero";
    dns_free(asked_dns(reactor, &options));
    test_folder_remove(folder);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_knot),
        flow_test(test_nsd),
        flow_test(test_truncated_goes_over_tcp),
        flow_test(test_servfail),
        flow_test(test_dnsmasq_in_front),
        flow_test(test_over_ipv6),
        flow_test(test_refusal_goes_on_to_the_next),
        flow_test(test_dead_server_beside_a_live_one),
        flow_test(test_black_hole_beside_a_live_one),
        flow_test(test_black_hole_under_load),
        flow_test(test_all_dead),
        flow_test(test_timeout),
        flow_test(test_slow_server),
        flow_test(test_sockets_are_closed_on_exec),
        flow_test(test_no_descriptor),
        flow_test(test_texts_of_servers),
        flow_test(test_resolv_conf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
