/* Connecting to dual-stack names where one family does not work: black-holed, unreachable,
 * prohibited, refused, slow. In a network namespace of the test's own; skipped where there can be
 * none.
 *
 * 2001:db8::/64 and 198.51.100.0/24 lead to a machine that is not there, 2001:db8:N::/64 are routes
 * that fail; 2001:db8:f::1 and 10.0.0.1 are this machine. */
#include <sched.h>

#include "test/context/race.h"
#include "test/support/name_server.h"

static const char *missing; /* why there is no namespace; NULL: there is one */

static struct cdt_reactor *reactor;
static struct cdt_resolver *resolver;
static struct cdt_context *context;
static struct probe probe;
static char folder[64], hosts[96];

/* A namespace of users as well, in which we are root: programs that we start keep our rights. */
static bool unshare_as_user(void)
{
    const unsigned me = getuid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return false;
    FILE *map = fopen("/proc/self/uid_map", "w");
    if (!map)
        return false;
    fprintf(map, "0 %u 1\n", me);
    return fclose(map) == 0;
}

static void make_namespace(void)
{
    static const char *const commands[] = {
        "ip link set lo up",
        "ip addr add 10.0.0.1/32 dev lo",
        "ip -6 addr add 2001:db8:f::1/128 dev lo nodad",
        "ip link add v0 type veth peer name v1",
        "ip link set v0 up",
        "ip link set v1 up",
        "ip addr add 198.51.100.2/24 dev v0",
        "ip -6 addr add 2001:db8::2/64 dev v0 nodad",
        "ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:99 dev v0 nud permanent",
        "ip -6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:99 dev v0 nud permanent",
        "ip -6 route add unreachable 2001:db8:1::/64",
        "ip -6 route add prohibit 2001:db8:2::/64",
        "ip -6 route add blackhole 2001:db8:3::/64",
    };
    if (unshare(CLONE_NEWNET) && !unshare_as_user()) {
        missing = "network namespaces are not allowed here";
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (system(commands[i]) != 0) {
            missing = commands[i]; /* that failed */
            return;
        }
    }
}

static int set_up(void **state)
{
    const struct cdt_resolver_options names = {
        .size = sizeof names, .hosts_file = hosts, .resolv_conf = ""};
    struct cdt_context_options options = {.size = sizeof options};
    test_fds_remember(state);
    memset(&probe, 0, sizeof probe);
    reactor = test_reactor();
    test_folder(folder);
    snprintf(hosts, sizeof hosts, "%s/hosts", folder);
    assert_int_equal(cdt_resolver_new(reactor, &names, &resolver), 0);
    options.resolver = resolver;
    assert_int_equal(cdt_context_new(reactor, &options, &context), 0);
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(cdt_context_free(context), 0);
    cdt_resolver_free(resolver);
    test_end(reactor, &probe, 1);
    test_folder_remove(folder);
    return test_fds_same(state);
}

static void need_namespace(void)
{
    if (!missing)
        return;
    print_message("no network namespace: %s\n", missing);
    skip();
}

/* A listener at this address, with this port if it is not 0. */
static int listener_at(const char *ip, uint16_t port, struct cdt_addr *addr)
{
    assert_int_equal(cdt_addr_ip(addr, ip, port), 0);
    const int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr->any, addr->length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, &addr->any, &addr->length), 0);
    return fd;
}

static void write_hosts(const char *v6, const char *v4)
{
    FILE *file = fopen(hosts, "w");
    assert_non_null(file);
    fprintf(file, "%s dual.test\n%s dual.test\n", v6, v4);
    assert_int_equal(fclose(file), 0);
}

static void connect_dual(unsigned port)
{
    struct cdt_flow *flow;
    char text[64];
    snprintf(text, sizeof text, "http://dual.test:%u/", port);
    assert_int_equal(cdt_connect(context, text, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
}

/* The same with IPv6 first, whatever the resolver thinks of it. */
static void connect_both(const char *v6, const struct cdt_addr *v4)
{
    struct cdt_addr six;
    struct cdt_flow *flow;
    assert_int_equal(cdt_addr_ip(&six, v6, cdt_addr_port(v4)), 0);
    struct cdt_endp *endps[] = {endp_of(&six), endp_of(v4)};
    assert_int_equal(cdt_connect_endps(context, (const struct cdt_endp *const *)endps, 2, NULL,
                                       &probe_handler, &flow),
                     0);
    probe_attach(flow, &probe);
    cdt_endp_free(endps[0]);
    cdt_endp_free(endps[1]);
}

/* Connected by IPv4, after `least` ns and before `most`. */
static void connected(const struct cdt_addr *addr, uint64_t before, uint64_t least, uint64_t most)
{
    struct cdt_addr peer;
    until(reactor, probe.opened || probe.closed);
    const uint64_t took = test_now() - before;
    assert_string_equal(probe.error, "");
    assert_int_equal(cdt_flow_dst(probe.flow, &peer), 0);
    assert_true(cdt_addr_equal(&peer, addr));
    print_message("connected after %u us\n", (unsigned)(took / CDT_US));
    assert_true(took >= least);
    assert_true(took < (test_slow() ? most * 5 : most));
    cdt_flow_abort(probe.flow, 0, NULL);
    until(reactor, probe.closed);
    probe_free(&probe);
    memset(&probe, 0, sizeof probe);
}

/* IPv6 does not work, IPv4 does: by name, and by a list. */
static void falls_back(const char *v6, uint64_t least, uint64_t most)
{
    struct cdt_addr addr;
    const int listener = listener_at("10.0.0.1", 0, &addr);
    write_hosts(v6, "10.0.0.1");
    uint64_t before = test_now();
    connect_dual(cdt_addr_port(&addr));
    connected(&addr, before, least, most);
    before = test_now();
    connect_both(v6, &addr);
    connected(&addr, before, least, most);
    close(listener);
}

static void ipv6_black_holed(void **state)
{
    (void)state;
    need_namespace();
    falls_back("2001:db8::1", 250 * CDT_MS, 500 * CDT_MS);
}

static void ipv6_unreachable(void **state)
{
    (void)state;
    need_namespace();
    falls_back("2001:db8:1::1", 0, 100 * CDT_MS);
}

static void ipv6_prohibited(void **state)
{
    (void)state;
    need_namespace();
    falls_back("2001:db8:2::1", 0, 100 * CDT_MS);
}

static void ipv6_route_to_nowhere(void **state)
{
    (void)state;
    need_namespace();
    falls_back("2001:db8:3::1", 0, 100 * CDT_MS);
}

static void ipv6_refused(void **state)
{
    (void)state;
    need_namespace();
    falls_back("2001:db8:f::1", 0, 100 * CDT_MS);
}

/* Somebody is there, and answers later than IPv4. */
static void ipv6_slow(void **state)
{
    (void)state;
    need_namespace();
    struct cdt_addr four, six, peer;
    const int listener = listener_at("10.0.0.1", 0, &four);
    const int slow = listener_at("2001:db8:f::1", cdt_addr_port(&four), &six);
    const int filler = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(listen(slow, 0), 0);
    assert_int_equal(connect(filler, &six.any, six.length), 0);
    write_hosts("2001:db8:f::1", "10.0.0.1");
    const uint64_t before = test_now();
    connect_dual(cdt_addr_port(&four));
    until(reactor, probe.opened);
    assert_true(test_now() - before >= 250 * CDT_MS);
    assert_int_equal(cdt_flow_dst(probe.flow, &peer), 0);
    assert_true(cdt_addr_equal(&peer, &four));
    close(filler);
    close(slow);
    close(listener);
}

static void ipv6_works_and_ipv4_does_not(void **state)
{
    (void)state;
    need_namespace();
    struct cdt_addr addr, peer;
    const int listener = listener_at("2001:db8:f::1", 0, &addr);
    write_hosts("2001:db8:f::1", "198.51.100.1");
    const uint64_t before = test_now();
    connect_dual(cdt_addr_port(&addr));
    until(reactor, probe.opened);
    assert_true(test_now() - before < 250 * CDT_MS * (test_slow() ? 5 : 1));
    assert_int_equal(cdt_flow_dst(probe.flow, &peer), 0);
    assert_true(cdt_addr_equal(&peer, &addr));
    close(listener);
}

static void nothing_works(void **state)
{
    (void)state;
    need_namespace();
    write_hosts("2001:db8:1::1", "10.0.0.1");
    connect_dual(1);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EHOSTUNREACH); /* it has no source: RFC 6724 puts it behind */
    assert_string_equal(probe.error,
                        "10.0.0.1:1: connection refused; [2001:db8:1::1]:1: no route to host");
}

/* Everything at once: the first name server is dead, and what the name says of IPv6 leads
 * nowhere. */
static void dead_name_server_and_dead_ipv6(void **state)
{
    (void)state;
    need_namespace();
    struct name_server *server =
        name_server_start(NAME_SERVER_KNOT, "dual AAAA 2001:db8::1\ndual A 10.0.0.1\n");
    char dead[32], servers[80];
    const int hole = name_server_socket(dead);
    snprintf(servers, sizeof servers, "%s,%s", dead, server->address);
    const struct cdt_resolver_options names = {
        .size = sizeof names, .hosts_file = "", .resolv_conf = "", .servers = servers};
    struct cdt_context_options options = {.size = sizeof options};
    assert_int_equal(cdt_context_free(context), 0);
    cdt_resolver_free(resolver);
    assert_int_equal(cdt_resolver_new(reactor, &names, &resolver), 0);
    options.resolver = resolver;
    assert_int_equal(cdt_context_new(reactor, &options, &context), 0);
    struct cdt_addr addr;
    const int listener = listener_at("10.0.0.1", 0, &addr);
    const uint64_t before = test_now();
    connect_dual(cdt_addr_port(&addr));
    connected(&addr, before, 250 * CDT_MS, CDT_SECOND);
    name_server_stop(server);
    close(hole);
    close(listener);
}

int main(void)
{
#define namespace_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        namespace_test(ipv6_black_holed),
        namespace_test(ipv6_unreachable),
        namespace_test(ipv6_prohibited),
        namespace_test(ipv6_route_to_nowhere),
        namespace_test(ipv6_refused),
        namespace_test(ipv6_slow),
        namespace_test(ipv6_works_and_ipv4_does_not),
        namespace_test(nothing_works),
        namespace_test(dead_name_server_and_dead_ipv6),
    };
    make_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
