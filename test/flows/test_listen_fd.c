/* Inherited descriptors: listening or only bound, of several kinds, nonblocking or not; two
 * processes that share a blocking one. */
#include "test/support/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static int bound_socket(struct cdt_addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(cdt_addr_ip(addr, "127.0.0.1", 0), 0);
    assert_int_equal(bind(fd, &addr->any, addr->length), 0);
    assert_int_equal(getsockname(fd, &addr->any, &addr->length), 0);
    return fd;
}

static void serve_fd(struct cdt_reactor *reactor, struct serve *serve,
                     const struct cdt_server_options *options, int fd)
{
    assert_int_equal(cdt_listen_fd(reactor, fd, options, &serve_handler, &serve->server), 0);
    until(reactor, serve->listened);
    assert_int_equal(serve->listen_status, 0);
    assert_int_equal(cdt_server_fd(serve->server), fd);
}

static void echo_once(struct cdt_reactor *reactor, struct serve *serve)
{
    int before = serve->closed, fd = client_connect(&serve->address);

    client_send(fd);
    until(reactor, client_read(fd) == 1);
    close(fd);
    until(reactor, serve->closed == before + 1);
}

static void test_errors(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_server *server = NULL;
    int pair[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int unbound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int nameless = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct {
        int fd, status;
    } wrong[] = {{-1, -EBADF},       {9999, -EBADF},     {file, -ENOTSOCK}, {datagram, -EPROTOTYPE},
                 {unbound, -EINVAL}, {nameless, -EINVAL}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(cdt_listen_fd(reactor, wrong[i].fd, NULL, &serve_handler, &server),
                         wrong[i].status);
    test_tcp_sockets(pair); /* connected */
    assert_int_equal(cdt_listen_fd(reactor, pair[0], NULL, &serve_handler, &server), -EINVAL);
    assert_int_equal(cdt_listen_fd(NULL, unbound, NULL, &serve_handler, &server), -EINVAL);
    assert_null(server);
    close(pair[0]); /* all still ours */
    close(pair[1]);
    assert_int_equal(close(file) | close(datagram) | close(unbound) | close(nameless), 0);
    cdt_reactor_free(reactor);
}

static void test_listening_and_bound(void **state)
{
    if (test_emulated()) {
        print_message("the emulator has no timers for threads, and no TCP_INFO\n");
        skip();
    }
    (void)state;
    for (int listening = 0; listening < 2; listening++) {
        for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
            struct cdt_reactor *reactor = test_reactor();
            struct serve serve = {0};
            struct cdt_server_options options = serve_options(&serve);
            struct cdt_addr addr;
            int fd = bound_socket(&addr), flags;

            if (listening)
                assert_int_equal(listen(fd, 17), 0);
            if (nonblocking)
                assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
            serve_fd(reactor, &serve, &options, fd);
            assert_true(cdt_addr_equal(&serve.address, &addr));
            if (listening)
                assert_int_equal(serve_counters(&serve).backlog, 17);
            flags = fcntl(fd, F_GETFL);
            assert_int_equal(!!(flags & O_NONBLOCK), nonblocking); /* not ours to change */
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            for (int i = 0; i < 5; i++)
                echo_once(reactor, &serve);
            assert_int_equal(cdt_server_set_backlog(serve.server, 9), 0);
            assert_int_equal(serve_counters(&serve).backlog, 9);
            serve_stop(reactor, &serve);
            assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
            cdt_reactor_free(reactor);
        }
    }
}

static void test_unix_file_is_left_alone(void **state)
{
    if (test_emulated()) {
        print_message("the emulator has no timers for threads\n");
        skip();
    }
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char folder[64], path[128];
    struct cdt_addr at;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    test_folder(folder);
    snprintf(path, sizeof path, "%s/sock", folder);
    assert_int_equal(cdt_addr_unix(&at, path), 0);
    assert_int_equal(bind(fd, &at.any, at.length), 0);
    serve_fd(reactor, &serve, &options, fd);
    assert_true(cdt_addr_equal(&serve.address, &at));
    echo_once(reactor, &serve);
    serve_stop(reactor, &serve);
    assert_int_equal(access(path, F_OK), 0);
    test_folder_remove(folder);
    cdt_reactor_free(reactor);
}

/* Serves a shared, blocking listener until the parent closes the pipe; says how many it has served,
 * and whether a turn ever lasted: a blocked accept would last until the next client. */
static int share(int listener, int stop, int report)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct pollfd end = {.fd = stop, .events = POLLIN};
    uint64_t longest = 0;

    serve_fd(reactor, &serve, &options, listener);
    while (poll(&end, 1, 0) == 0) {
        cdt_reactor_step(reactor, 5 * CDT_MS);
        uint64_t before = cdt_reactor_now(reactor);
        cdt_reactor_update_time(reactor);
        if (cdt_reactor_now(reactor) - before > longest)
            longest = cdt_reactor_now(reactor) - before;
    }
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
    const uint64_t result[2] = {(uint64_t)serve.opened, longest};
    return write(report, result, sizeof result) != sizeof result;
}

static void test_two_processes_share_a_blocking_listener(void **state)
{
    enum { CHILDREN = 2, CLIENTS = 300 };
    struct cdt_addr addr;
    int listener = bound_socket(&addr), stop[2], report[2];
    uint64_t served = 0;

    (void)state;
    if (test_emulated()) {
        print_message("the emulator has no timers for threads\n");
        skip();
    }
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(stop[1]);
            _exit(share(listener, stop[0], report[1]));
        }
    }
    close(stop[0]);
    close(report[1]);
    for (int i = 0; i < CLIENTS; i++) { /* one at a time: both children wake for each */
        char byte = 'x';
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, &addr.any, addr.length), 0);
        test_send(fd, &byte, 1);
        test_receive(fd, &byte, 1);
        close(fd);
    }
    close(stop[1]);
    for (int i = 0; i < CHILDREN; i++) {
        uint64_t result[2];
        assert_int_equal(read(report[0], result, sizeof result), sizeof result);
        served += result[0];
        assert_true(result[1] < 2 * CDT_SECOND);
        assert_true(wait(NULL) > 0);
    }
    assert_int_equal(served, CLIENTS);
    assert_int_equal(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
    close(report[0]);
    close(listener);
}

/* The library's call of poll(2), which may be made to say that a client waits where none does. */
static bool poll_lies;
static int polls;

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    const struct timespec time = {.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000};

    polls++;
    if (!poll_lies)
        return ppoll(fds, count, timeout < 0 ? NULL : &time, NULL);
    fds->revents = POLLIN;
    return 1;
}

/* Poll says that a client waits, and somebody else takes it before accept is called: accept gives
 * up. */
static void test_blocked_accept_is_interrupted(void **state)
{
    enum { MANY = 20 };
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr addr;
    int fd = bound_socket(&addr), fds[MANY];
    sigset_t all, before;

    (void)state;
    if (test_emulated()) {
        print_message("the emulator has no timers for threads\n");
        skip();
    }
    assert_int_equal(listen(fd, 64), 0);
    serve_fd(reactor, &serve, &options, fd);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* as in a thread that takes no signals */
    poll_lies = true;
    polls = 0;
    for (int i = 0; i < MANY; i++) {
        fds[i] = client_connect(&addr);
        until(reactor, serve.opened == i + 1);
    }
    assert_true(polls > MANY); /* some accepts found nobody */
    poll_lies = false;
    sigset_t after;
    sigprocmask(SIG_SETMASK, &before, &after);
    assert_int_equal(sigismember(&after, SIGRTMAX), 1); /* the mask is as it was */
    assert_int_equal(serve.errors, 0);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    until(reactor, serve.closed == MANY);
    echo_once(reactor, &serve);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_listening_and_bound),
        cmocka_unit_test(test_unix_file_is_left_alone),
        cmocka_unit_test(test_two_processes_share_a_blocking_listener),
        cmocka_unit_test(test_blocked_accept_is_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
