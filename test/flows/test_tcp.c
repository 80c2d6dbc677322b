/* TCP: options that are there before on_open, sources, families, adopted sockets, a peer that
 * vanishes. */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "test/support/probe.h"

static int option(struct cdt_flow *flow, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt(cdt_flow_fd(flow), level, name, &value, &length), 0);
    return value;
}

static void connect_to(struct cdt_reactor *reactor, const struct cdt_addr *addr,
                       const struct cdt_flow_options *options, struct probe *probe)
{
    struct cdt_flow *flow;
    assert_int_equal(cdt_tcp_connect(reactor, addr, options, &probe_handler, &flow), 0);
    probe_attach(flow, probe);
}

static void check_defaults(struct probe *probe)
{
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(probe->flow, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_KEEPINTVL), 15);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_KEEPCNT), 4);
    assert_true(fcntl(cdt_flow_fd(probe->flow), F_GETFD) & FD_CLOEXEC);
}

static void check_set(struct probe *probe)
{
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_KEEPINTVL), 3);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_KEEPCNT), 2);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_USER_TIMEOUT), 1235);
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 12345);
    assert_true(option(probe->flow, SOL_SOCKET, SO_SNDBUF) >= 20000);
    assert_true(option(probe->flow, SOL_SOCKET, SO_RCVBUF) >= 30000);
}

static void check_off(struct probe *probe)
{
    assert_int_equal(option(probe->flow, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option(probe->flow, SOL_SOCKET, SO_KEEPALIVE), 0);
}

static void test_options(void **state)
{
    (void)state;
    const struct cdt_flow_options set = {.size = sizeof set,
                                         .keepalive_times = {7, 3, 2},
                                         .user_timeout = 1234 * CDT_MS + 1,
                                         .notsent_lowat = 12345,
                                         .send_buffer = 20000,
                                         .receive_buffer = 30000};
    const struct cdt_flow_options off = {
        .size = sizeof off, .nodelay = CDT_OFF, .keepalive = CDT_OFF};
    const struct cdt_flow_options *const options[] = {NULL, &set, &off};
    void (*const checks[])(struct probe *) = {check_defaults, check_set, check_off};
    for (int i = 0; i < 6; i++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {.on_open = checks[i / 2]};
        struct cdt_addr addr;
        int peer = -1, listener = test_tcp_listener(1, &addr);
        if (i % 2)
            peer = test_flow(reactor, 't', options[i / 2], &probe);
        else
            connect_to(reactor, &addr, options[i / 2], &probe);
        until(reactor, probe.opened || probe.closed);
        assert_int_equal(probe.opened, 1);
        assert_string_equal(cdt_flow_carrier(probe.flow), "tcp");
        if (peer >= 0)
            close(peer);
        close(listener);
        test_end(reactor, &probe, 1);
    }
}

static void test_source(void **state)
{
    (void)state;
    struct cdt_addr addr, src;
    int listener = test_tcp_listener(4, &addr);
    static const struct {
        const char *source, *interface;
        int status;
    } rows[] = {
        {"127.0.0.2", "", 0}, {"::1", "", -EAFNOSUPPORT},      {"192.0.2.1", "", -EADDRNOTAVAIL},
        {NULL, "lo", 0},      {NULL, "conduit-none", -ENODEV},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        struct cdt_flow_options options = {.size = sizeof options};
        if (rows[i].source)
            assert_int_equal(cdt_addr_ip(&options.source, rows[i].source, 0), 0);
        snprintf(options.interface, sizeof options.interface, "%s", rows[i].interface);
        connect_to(reactor, &addr, &options, &probe);
        assert_int_equal(probe.closed, 0);
        until(reactor, probe.opened || probe.closed);
        bool forbidden = probe.status == -EPERM && rows[i].interface[0]; /* to bind to a device */
        if (probe.closed && !forbidden)
            assert_int_equal(probe.status, rows[i].status);
        if (probe.opened) {
            assert_int_equal(rows[i].status, 0);
            assert_int_equal(cdt_flow_src(probe.flow, &src), 0);
            if (rows[i].source)
                assert_memory_equal(&src.v4.sin_addr, &options.source.v4.sin_addr, 4);
        }
        test_end(reactor, &probe, 1);
    }
    close(listener);
}

static void test_fastopen(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_addr addr;
    const struct cdt_flow_options options = {.size = sizeof options, .fastopen = CDT_ON};
    int listener = test_tcp_listener(4, &addr);
    connect_to(reactor, &addr, &options, &probe);
    cdt_flow_write(probe.flow, "hello", 5);
    until(reactor, probe.opened || probe.closed);
    assert_int_equal(probe.opened, 1);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char text[6] = "";
    test_receive(peer, text, 5);
    assert_string_equal(text, "hello");
    close(peer);
    close(listener);
    test_end(reactor, &probe, 1);
}

static void test_v6(void **state)
{
    (void)state;
    struct cdt_addr addr, dst;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || cdt_addr_ip(&addr, "::1", 0) || bind(fd, &addr.any, addr.length)) {
        if (fd >= 0)
            close(fd);
        printf("there is no IPv6 here\n");
        skip();
    }
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, &addr.any, &addr.length), 0);
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    connect_to(reactor, &addr, NULL, &probe);
    until(reactor, probe.opened);
    assert_int_equal(cdt_flow_dst(probe.flow, &dst), 0);
    assert_true(cdt_addr_equal(&dst, &addr));
    close(fd);
    test_end(reactor, &probe, 1);
}

/* ---- adopting -------------------------------------------------------------------------------- */

static void test_adopt(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_flow *flow, *second;
    struct cdt_addr addr;
    int fd[2], other;
    assert_int_equal(cdt_flow_adopt(reactor, -1, NULL, &probe_handler, &flow), -EINVAL);
    assert_int_equal(cdt_flow_adopt(reactor, 99999, NULL, &probe_handler, &flow), -EBADF);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    assert_int_equal(cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &flow), -ENOTSOCK);
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &flow), -EPROTOTYPE);
    close(fd[0]);
    close(fd[1]);
    other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(cdt_flow_adopt(reactor, other, NULL, &probe_handler, &flow), -ENOTCONN);
    close(other);
    other = test_tcp_listener(1, &addr);
    assert_int_equal(cdt_flow_adopt(reactor, other, NULL, &probe_handler, &flow), -ENOTCONN);
    close(other);
    test_tcp_sockets(fd);
    for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
        fcntl(fd[0], F_SETFL, nonblocking ? O_NONBLOCK : 0);
        int flags = fcntl(fd[0], F_GETFL);
        memset(&probe, 0, sizeof probe);
        assert_int_equal(cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &flow), 0);
        probe_attach(flow, &probe);
        assert_int_equal(cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &second), -EEXIST);
        until(reactor, probe.opened);
        cdt_flow_write(flow, "x", 1);
        settle(reactor);
        assert_int_equal(fcntl(fd[0], F_GETFL), flags);
        assert_int_equal(cdt_flow_detach(flow), fd[0]);
        until(reactor, probe.closed);
    }
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

/* ---- a network of its own -------------------------------------------------------------------- */

static int set_link(const char *name, bool up)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int result = ioctl(fd, SIOCGIFFLAGS, &request);
    if (up)
        request.ifr_flags |= IFF_UP;
    else
        request.ifr_flags &= ~IFF_UP;
    if (result == 0)
        result = ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return result;
}

/* Runs in a child with a network of its own; its exit status, or 77 if there can be none. */
static int in_namespace(void (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
            _exit(77);
        if (set_link("lo", true))
            _exit(77);
        run();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define check(condition)                                                \
    do {                                                                \
        if (condition)                                                  \
            break;                                                      \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
        _exit(1);                                                       \
    } while (0)

struct vanished {
    int closed, status, eofs;
    bool opened;
};

static void vanished_open(struct cdt_flow *flow)
{
    (*(struct vanished **)cdt_flow_data(flow))->opened = true;
}

static void vanished_eof(struct cdt_flow *flow)
{
    (*(struct vanished **)cdt_flow_data(flow))->eofs++;
}

static void vanished_close(struct cdt_flow *flow, int status)
{
    struct vanished *vanished = *(struct vanished **)cdt_flow_data(flow);
    struct cdt_addr addr;
    check(cdt_flow_dst(flow, &addr) == 0 && cdt_addr_port(&addr) != 0);
    check(cdt_flow_write(flow, "x", 1) == -EPIPE);
    vanished->closed++;
    vanished->status = status;
}

static const struct cdt_handler vanished_handler = {.size = sizeof vanished_handler,
                                                    .user_size = sizeof(struct vanished *),
                                                    .on_open = vanished_open,
                                                    .on_eof = vanished_eof,
                                                    .on_close = vanished_close};

static void vanish(void)
{
    struct vanished vanished = {0};
    struct cdt_reactor *reactor;
    struct cdt_flow *flow;
    struct cdt_addr addr;
    const struct cdt_flow_options options = {.size = sizeof options, .keepalive_times = {1, 1, 1}};
    check(cdt_reactor_new(NULL, &reactor) == 0);
    int listener = test_tcp_listener(1, &addr);
    check(cdt_tcp_connect(reactor, &addr, &options, &vanished_handler, &flow) == 0);
    *(struct vanished **)cdt_flow_data(flow) = &vanished;
    while (!vanished.opened)
        cdt_reactor_step(reactor, CDT_SECOND);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    check(peer >= 0);
    check(set_link("lo", false) == 0);
    uint64_t end = test_deadline();
    while (!vanished.closed && test_now() < end)
        cdt_reactor_step(reactor, CDT_SECOND);
    check(vanished.closed == 1);
    check(vanished.status == -ETIMEDOUT);
    check(vanished.eofs == 0);
    check(cdt_reactor_free(reactor) == 0);
}

static void expect_in_namespace(void (*run)(void))
{
    if (test_emulated()) {
        printf("user emulation has no network namespaces\n");
        skip();
    }
    int status = in_namespace(run);
    if (status == 77) {
        printf("network namespaces are not allowed here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_vanished(void **state)
{
    (void)state;
    expect_in_namespace(vanish);
}

/* A link-local address, with its scope, over a pair of virtual links. */
static void link_local(void)
{
    struct vanished vanished = {0};
    struct cdt_reactor *reactor;
    struct cdt_flow *flow;
    struct cdt_addr addr, dst;
    if (system("ip link add one type veth peer name two 2>/dev/null && "
               "sysctl -qw net.ipv6.conf.one.accept_dad=0 net.ipv6.conf.two.accept_dad=0 && "
               "ip link set one up && ip link set two up"))
        _exit(77);
    if (system("ip -6 addr add fe80::77/64 dev one nodad 2>/dev/null"))
        _exit(77);
    check(cdt_addr_ip(&addr, "fe80::77%one", 0) == 0);
    check(addr.v6.sin6_scope_id == if_nametoindex("one"));
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, &addr.any, addr.length) == 0 && listen(listener, 1) == 0);
    check(getsockname(listener, &addr.any, &addr.length) == 0);
    check(cdt_reactor_new(NULL, &reactor) == 0);
    check(cdt_tcp_connect(reactor, &addr, NULL, &vanished_handler, &flow) == 0);
    *(struct vanished **)cdt_flow_data(flow) = &vanished;
    uint64_t end = test_deadline();
    while (!vanished.opened && !vanished.closed && test_now() < end)
        cdt_reactor_step(reactor, CDT_SECOND);
    check(vanished.opened);
    check(cdt_flow_dst(flow, &dst) == 0);
    check(cdt_addr_equal(&dst, &addr) && dst.v6.sin6_scope_id == addr.v6.sin6_scope_id);
    check(cdt_reactor_free(reactor) == 0);
}

static void test_link_local(void **state)
{
    (void)state;
    expect_in_namespace(link_local);
}

/* A socket that knocks, and may have to wait. It says nothing. */
static void knock(const struct cdt_addr *addr)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(fd >= 0 && (connect(fd, &addr->any, addr->length) == 0 || errno == EINPROGRESS));
    (void)shutdown(fd, SHUT_WR);
}

static void say_hello(struct cdt_flow *flow)
{
    (*(struct vanished **)cdt_flow_data(flow))->opened = true;
    check(cdt_flow_write(flow, "hello", 5) == 0);
    check(cdt_flow_close(flow) == 0);
}

static const struct cdt_handler hello_handler = {.size = sizeof hello_handler,
                                                 .user_size = sizeof(struct vanished *),
                                                 .on_open = say_hello,
                                                 .on_close = vanished_close};

/* All that a client says, and its end. Nothing is what those say that have only knocked. */
static void hear_hello(struct cdt_reactor *reactor, int peer, char text[8], uint64_t deadline)
{
    ssize_t n = recv(peer, text, 5, 0);
    check(n == 0 || n == 5);
    while (n && (n = recv(peer, text + 5, 1, MSG_DONTWAIT)) < 0 && test_now() < deadline)
        cdt_reactor_step(reactor, 10 * CDT_MS);
    check(n == 0);
    close(peer);
}

/* Fast Open to a listener whose backlog is full: written and closed before anybody has answered.
 * All arrives once there is room; if there never is, that is no orderly end. */
static void close_fastopen(bool room)
{
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .fastopen = CDT_ON,
                                             .linger_timeout = room ? CDT_NEVER : 50 * CDT_MS};
    struct vanished vanished = {0};
    struct cdt_reactor *reactor;
    struct cdt_flow *flow;
    struct cdt_addr addr;
    const int listener = test_tcp_listener(0, &addr), one = 1;
    const int file = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "1543", 4) != 4) /* both sides, and no cookie is needed */
        _exit(77);
    close(file);
    check(setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &one, sizeof one) == 0);
    check(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    for (int i = 0; i < 3; i++)
        knock(&addr);
    check(cdt_reactor_new(NULL, &reactor) == 0);
    check(cdt_tcp_connect(reactor, &addr, &options, &hello_handler, &flow) == 0);
    *(struct vanished **)cdt_flow_data(flow) = &vanished;
    while (!vanished.opened)
        cdt_reactor_step(reactor, CDT_SECOND);
    const uint64_t end = test_deadline();
    char text[8] = "";
    while (room && !vanished.closed && text[0] == 0 && test_now() < end) {
        cdt_reactor_step(reactor, 10 * CDT_MS);
        const int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (peer >= 0)
            hear_hello(reactor, peer, text, end);
    }
    while (!vanished.closed && test_now() < end)
        cdt_reactor_step(reactor, 10 * CDT_MS);
    check(vanished.closed == 1);
    check(vanished.status == (room ? 0 : -ETIMEDOUT));
    check(strcmp(text, room ? "hello" : "") == 0);
    check(cdt_reactor_free(reactor) == 0);
}

static void close_fastopen_early(void)
{
    close_fastopen(true);
}

static void close_fastopen_in_vain(void)
{
    close_fastopen(false);
}

static void test_close_fastopen(void **state)
{
    (void)state;
    expect_in_namespace(close_fastopen_early);
    expect_in_namespace(close_fastopen_in_vain);
}

/* A read stops at the urgent mark: what lies behind it is read all the same. The urgent byte itself is
 * not part of the stream. */
static void test_urgent(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    int peer = test_flow(reactor, 't', NULL, &probe);
    cdt_flow_pause(probe.flow);
    test_send(peer, "before", 6);
    assert_int_equal(send(peer, "!", 1, MSG_OOB), 1);
    test_send(peer, "behind", 6);
    settle(reactor);
    cdt_flow_resume(probe.flow);
    until(reactor, probe.length >= 12);
    assert_true(probe_has(&probe, "beforebehind", 12));
    close(peer);
    test_end(reactor, &probe, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_options),    flow_test(test_source), flow_test(test_fastopen),
        flow_test(test_v6),         flow_test(test_adopt),  flow_test(test_vanished),
        flow_test(test_link_local), flow_test(test_urgent), flow_test(test_close_fastopen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
