/* Listening on TCP: dual stack, what accepted sockets inherit, SO_REUSEPORT, interfaces. */
#include "test/support/serve.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>

static void serve_wildcard(struct cdt_reactor *reactor, struct serve *serve, bool ipv6_only)
{
    struct cdt_server_options options = serve_options(serve);
    struct cdt_addr at;

    assert_int_equal(cdt_addr_any(&at, AF_INET6, 0), 0);
    options.ipv6_only = ipv6_only;
    serve_at(reactor, serve, &options, &at);
}

static int take_peer(struct serve *serve, const struct cdt_addr *peer)
{
    *(struct cdt_addr *)serve->arg = *peer;
    return 0;
}

static void test_dual_stack(void **state)
{
    struct cdt_reactor *reactor;
    struct cdt_addr peer, to, of_flow;
    struct serve serve = {.filter = take_peer, .arg = &peer};

    (void)state;
    if (!test_has_ipv6()) {
        print_message("this machine has no IPv6\n");
        skip();
    }
    reactor = test_reactor();
    serve_wildcard(reactor, &serve, false);
    for (int v6 = 0; v6 < 2; v6++) {
        cdt_addr_ip(&to, v6 ? "::1" : "127.0.0.1", cdt_addr_port(&serve.address));
        int fd = client_connect(&to);
        until(reactor, serve.opened == v6 + 1);
        assert_int_equal(peer.any.sa_family, v6 ? AF_INET6 : AF_INET);
        assert_int_equal(peer.length, v6 ? sizeof peer.v6 : sizeof peer.v4);
        struct cdt_flow *flow = cdt_server_first(serve.server);
        assert_int_equal(cdt_flow_dst(flow, &of_flow), 0);
        assert_true(cdt_addr_equal(&of_flow, &peer));
        char text[CDT_ADDR_TEXT];
        assert_ptr_equal(strstr(cdt_addr_format(&peer, text), v6 ? "[::1]:" : "127.0.0.1:"), text);
        close(fd);
        until(reactor, serve.closed == v6 + 1);
    }
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_ipv6_only(void **state)
{
    struct cdt_reactor *reactor;
    struct serve serve = {0};
    struct cdt_addr to;

    (void)state;
    if (!test_has_ipv6()) {
        print_message("this machine has no IPv6\n");
        skip();
    }
    reactor = test_reactor();
    serve_wildcard(reactor, &serve, true);
    cdt_addr_ip(&to, "127.0.0.1", cdt_addr_port(&serve.address));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &to.any, to.length), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    cdt_addr_ip(&to, "::1", cdt_addr_port(&serve.address));
    fd = client_connect(&to);
    until(reactor, serve.opened == 1);
    close(fd);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

/* In a network namespace without IPv6: the wildcard is the IPv4 one. */
static int without_ipv6(void)
{
    struct cdt_reactor *reactor;
    struct serve serve = {0};
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) && unshare(CLONE_NEWNET))
        return 77;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &request))
        return 1;
    close(fd);
    FILE *file = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "we");
    if (file && (fputs("1", file) < 0 || fclose(file)))
        return 77;
    if (test_has_ipv6()) /* /proc may show the namespace of before, or be read-only */
        return 77;
    reactor = test_reactor();
    serve_wildcard(reactor, &serve, false);
    struct cdt_addr to;
    cdt_addr_ip(&to, "127.0.0.1", cdt_addr_port(&serve.address));
    fd = client_connect(&to);
    until(reactor, serve.opened == 1);
    close(fd);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
    return 0;
}

static void test_without_ipv6(void **state)
{
    (void)state;
    if (test_in_child(without_ipv6) == 77) {
        print_message("network namespaces are not allowed here\n");
        skip();
    }
}

static int get(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof value;

    assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
    return value;
}

static void test_inherited_options(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0}, plain = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_flow_options flow = {.size = sizeof flow};

    (void)state;
    options.flow = &flow;
    flow.keepalive_times = (struct cdt_keepalive){11, 7, 3};
    flow.send_buffer = 20000;
    flow.receive_buffer = 30000;
    flow.user_timeout = 9 * CDT_SECOND;
    serve_tcp(reactor, &serve, &options);
    int fd = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    int accepted = cdt_flow_fd(cdt_server_first(serve.server));
    assert_int_equal(get(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(get(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(get(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 11);
    assert_int_equal(get(accepted, IPPROTO_TCP, TCP_KEEPINTVL), 7);
    assert_int_equal(get(accepted, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(get(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 9000);
    assert_int_equal(get(accepted, SOL_SOCKET, SO_SNDBUF), 40000); /* the kernel doubles it */
    assert_int_equal(get(accepted, SOL_SOCKET, SO_RCVBUF), 60000);
    close(fd);
    serve_stop(reactor, &serve);

    options = serve_options(&plain);
    flow = (struct cdt_flow_options){.size = sizeof flow};
    options.flow = &flow;
    flow.nodelay = flow.keepalive = CDT_OFF;
    serve_tcp(reactor, &plain, &options);
    fd = client_connect(&plain.address);
    until(reactor, plain.opened == 1);
    accepted = cdt_flow_fd(cdt_server_first(plain.server));
    assert_int_equal(get(accepted, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(get(accepted, SOL_SOCKET, SO_KEEPALIVE), 0);
    close(fd);
    serve_stop(reactor, &plain);
    cdt_reactor_free(reactor);
}

static void test_fastopen(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_flow_options flow = {.size = sizeof flow};

    (void)state;
    options.flow = &flow;
    flow.fastopen = CDT_ON;
    serve_tcp(reactor, &serve, &options);
    assert_true(get(cdt_server_fd(serve.server), IPPROTO_TCP, TCP_FASTOPEN) > 0);
    int fd = client_connect(&serve.address);
    until(reactor, serve.opened == 1);
    close(fd);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_reuseport(void **state)
{
    enum { MANY = 64 };
    struct cdt_reactor *reactor = test_reactor();
    struct serve first = {0}, second = {0};
    struct cdt_server_options options = serve_options(&first);
    int fds[MANY];

    (void)state;
    options.reuseport = true;
    serve_tcp(reactor, &first, &options);
    options = serve_options(&second);
    options.reuseport = true;
    serve_at(reactor, &second, &options, &first.address);
    for (int i = 0; i < MANY; i++)
        fds[i] = client_connect(&first.address);
    until(reactor, first.opened + second.opened == MANY);
    assert_true(first.opened > 0);
    assert_true(second.opened > 0);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    serve_stop(reactor, &first);
    serve_stop(reactor, &second);
    cdt_reactor_free(reactor);
}

static void test_interface(void **state)
{
    if (test_emulated()) {
        print_message("the emulator has no SO_BINDTODEVICE\n");
        skip();
    }
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr at;
    char bound[IF_NAMESIZE] = "";
    socklen_t length = sizeof bound;
    struct cdt_flow_options flow = {.size = sizeof flow};

    (void)state;
    options.flow = &flow;
    memcpy(flow.interface, "lo", 3);
    assert_int_equal(cdt_addr_any(&at, AF_INET, 0), 0);
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.listened);
    if (serve.listen_status == -EPERM) {
        until(reactor, serve.stopped);
        cdt_reactor_free(reactor);
        print_message("SO_BINDTODEVICE is not permitted here\n");
        skip();
    }
    assert_int_equal(serve.listen_status, 0);
    assert_int_equal(
        getsockopt(cdt_server_fd(serve.server), SOL_SOCKET, SO_BINDTODEVICE, bound, &length), 0);
    assert_string_equal(bound, "lo");
    struct cdt_addr to;
    cdt_addr_ip(&to, "127.0.0.1", cdt_addr_port(&serve.address));
    int fd = client_connect(&to);
    until(reactor, serve.opened == 1);
    close(fd);
    serve_stop(reactor, &serve);

    serve = (struct serve){0};
    memcpy(flow.interface, "no-such-if", 11);
    assert_int_equal(cdt_tcp_listen(reactor, &at, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.listen_status, -ENODEV);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dual_stack),   cmocka_unit_test(test_ipv6_only),
        cmocka_unit_test(test_without_ipv6), cmocka_unit_test(test_inherited_options),
        cmocka_unit_test(test_fastopen),     cmocka_unit_test(test_reuseport),
        cmocka_unit_test(test_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
