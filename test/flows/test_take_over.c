/* Sockets from elsewhere, adopted or served: exec does not inherit them, and an SO_LINGER that
 * somebody has set neither resets what is closed in order nor blocks. */
#include <fcntl.h>

#include "test/support/serve.h"

static const struct linger resetting = {.l_onoff = 1};

static void set_linger(int fd)
{
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &resetting, sizeof resetting), 0);
}

static void expect_taken_over(int fd)
{
    struct linger linger;
    socklen_t length = sizeof linger;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
    assert_int_equal(linger.l_onoff, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void reply_and_close(struct probe *probe)
{
    assert_int_equal(cdt_flow_write(probe->flow, "reply", 5), 0);
    cdt_flow_close(probe->flow);
}

static void test_adopted(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {.on_eof = reply_and_close};
    struct cdt_flow *flow;
    int fd[2];
    char text[8];
    test_tcp_sockets(fd);
    set_linger(fd[0]);
    assert_int_equal(fcntl(fd[0], F_SETFD, 0), 0);
    assert_int_equal(cdt_flow_adopt(reactor, fd[0], NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    expect_taken_over(fd[0]);
    shutdown(fd[1], SHUT_WR);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    test_receive(fd[1], text, 5);
    assert_int_equal(recv(fd[1], text, 1, 0), 0); /* in order, not a reset */
    close(fd[1]);
    test_end(reactor, &probe, 1);
}

static void check_accepted(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    expect_taken_over(cdt_flow_fd(flow));
}

/* What a listener accepts has its SO_LINGER. */
static void test_served(void **state)
{
    if (test_emulated()) {
        print_message("the emulator has no timers for threads\n");
        skip();
    }
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {.on_open = check_accepted};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr addr;
    int listener = test_tcp_listener(8, &addr);
    set_linger(listener);
    assert_int_equal(fcntl(listener, F_SETFD, 0), 0);
    assert_int_equal(cdt_listen_fd(reactor, listener, &options, &serve_handler, &serve.server), 0);
    expect_taken_over(listener);
    int client = client_connect(&addr);
    until(reactor, serve.opened);
    close(client);
    until(reactor, serve.closed);
    serve_stop(reactor, &serve);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_adopted),
        flow_test(test_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
