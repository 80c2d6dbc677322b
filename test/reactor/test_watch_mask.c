/* Masks of watches: what is reported, lazy changes, the empty mask, and errors of the kernel. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "test/reactor/support.h"

static struct cdt_reactor *reactor;
static unsigned reported, calls;
static int pair[2], control_calls;

/* In the place of the C library's: counts. */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    control_calls++;
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static void on_event(struct cdt_watch *watch, unsigned events)
{
    (void)watch;
    reported = events;
    calls++;
}

static struct cdt_watch watch;

static int begin(void **state)
{
    if (support_setup(state))
        return -1;
    reactor = *state;
    reported = calls = 0;
    watch = (struct cdt_watch){.fn = on_event};
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

static int end(void **state)
{
    int error = cdt_watch_remove(&watch);

    close(pair[0]);
    close(pair[1]);
    return error ? error : support_teardown(state);
}

static unsigned step(void)
{
    reported = 0;
    assert_true(cdt_reactor_step(reactor, 0) >= 0);
    return reported;
}

static void reports_what_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ | CDT_WRITE), 0);
    assert_int_equal(step(), CDT_WRITE);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(step(), CDT_READ | CDT_WRITE);
    assert_int_equal(step(), CDT_READ | CDT_WRITE);
    cdt_watch_modify(&watch, CDT_READ);
    assert_int_equal(step(), CDT_READ);
    cdt_watch_modify(&watch, CDT_WRITE);
    assert_int_equal(step(), CDT_WRITE);
}

static void half_close_and_hang_up(void **state)
{
    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    shutdown(pair[1], SHUT_WR);
    assert_int_equal(step(), CDT_READ | CDT_HANGUP);
    cdt_watch_modify(&watch, CDT_WRITE);
    assert_int_equal(step(), CDT_WRITE);
    close(pair[1]);
    assert_int_equal(step(), CDT_WRITE | CDT_HANGUP);
}

static void end_of_a_pipe_is_readable(void **state)
{
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(cdt_watch_add(reactor, &watch, pipes[0], CDT_READ), 0);
    close(pipes[1]);
    assert_int_equal(step(), CDT_READ | CDT_HANGUP);
    cdt_watch_remove(&watch);
    close(pipes[0]);
}

static void broken_pipe_is_an_error(void **state)
{
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(cdt_watch_add(reactor, &watch, pipes[1], CDT_WRITE), 0);
    close(pipes[0]);
    assert_int_equal(step(), CDT_WRITE | CDT_ERROR);
    cdt_watch_remove(&watch);
    close(pipes[1]);
}

/* Not on every wait, not once: an empty mask is silent, and returns to work. */
static void empty_mask_does_not_spin(void **state)
{
    uint64_t turns;

    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    cdt_watch_modify(&watch, 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    close(pair[1]);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    turns = support_counters(reactor).turns;
    assert_int_equal(cdt_reactor_step(reactor, 5 * CDT_MS), 0);
    assert_true(support_counters(reactor).turns - turns <= 3);
    assert_int_equal(calls, 0);
    cdt_watch_modify(&watch, CDT_READ);
    assert_int_equal(step(), CDT_READ | CDT_HANGUP);
}

static void added_with_an_empty_mask(void **state)
{
    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], 0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(step(), 0);
    cdt_watch_modify(&watch, CDT_READ);
    assert_int_equal(step(), CDT_READ);
}

static void changes_are_applied_once(void **state)
{
    int before;

    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    before = control_calls;
    for (int i = 0; i < 10; i++) {
        cdt_watch_modify(&watch, CDT_WRITE);
        cdt_watch_modify(&watch, CDT_READ);
        cdt_watch_modify(&watch, 0);
    }
    cdt_watch_modify(&watch, CDT_WRITE);
    assert_int_equal(control_calls, before);
    assert_int_equal(step(), CDT_WRITE);
    assert_int_equal(control_calls, before + 1);
    cdt_watch_modify(&watch, CDT_READ);
    cdt_watch_modify(&watch, CDT_WRITE);
    assert_int_equal(step(), CDT_WRITE);
    assert_int_equal(control_calls, before + 1);
}

static void errors_of_adding(void **state)
{
    struct cdt_watch second = {.fn = on_event};
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        folder = open("/", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &second, file, CDT_READ), -EPERM);
    assert_int_equal(cdt_watch_add(reactor, &second, folder, 0), -EPERM);
    assert_int_equal(cdt_watch_add(reactor, &second, -1, CDT_READ), -EBADF);
    assert_int_equal(cdt_watch_add(reactor, &second, 1 << 20, CDT_READ), -EBADF);
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], 0), 0);
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[1], CDT_READ), -EBUSY);
    assert_int_equal(cdt_watch_add(reactor, &second, pair[0], CDT_READ), -EEXIST);
    assert_int_equal(cdt_watch_remove(&second), 0);
    close(file);
    close(folder);
}

/* The user has closed the descriptor first: that is wrong, and is said, once. */
static void refused_change_is_reported(void **state)
{
    (void)state;
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    close(pair[0]);
    cdt_watch_modify(&watch, CDT_WRITE);
    assert_int_equal(step(), CDT_ERROR);
    assert_int_equal(step(), 0);
    cdt_watch_modify(&watch, CDT_READ);
    assert_int_equal(step(), CDT_ERROR);
    cdt_watch_modify(&watch, CDT_READ | CDT_WRITE);
}

static void foreign_flags_are_left_alone(void **state)
{
    int flags;

    (void)state;
    assert_int_equal(fcntl(pair[0], F_SETFL, 0), 0);
    flags = fcntl(pair[0], F_GETFL);
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    step();
    assert_int_equal(fcntl(pair[0], F_GETFL), flags);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reports_what_is_asked_for),  TEST(half_close_and_hang_up),
        TEST(end_of_a_pipe_is_readable),  TEST(broken_pipe_is_an_error),
        TEST(empty_mask_does_not_spin),   TEST(added_with_an_empty_mask),
        TEST(changes_are_applied_once),   TEST(errors_of_adding),
        TEST(refused_change_is_reported), TEST(foreign_flags_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
