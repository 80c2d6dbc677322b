/* Fork and exec: a child can do nothing with the reactor of its parent, and exec inherits
 * nothing. */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "test/reactor/support.h"

static struct cdt_reactor *reactor;

static void on_watch(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
}

static void on_timer(struct cdt_timer *timer)
{
    (void)timer;
}

static void on_signal(struct cdt_signal *signal, int number)
{
    (void)signal, (void)number;
}

static void on_post(struct cdt_post *post)
{
    (void)post;
}

static void on_deferred(struct cdt_deferred *deferred)
{
    (void)deferred;
}

static void on_hook(struct cdt_hook *hook)
{
    (void)hook;
}

static void on_child(struct cdt_child *child, int status)
{
    (void)child, (void)status;
}

static struct cdt_watch watch = {.fn = on_watch};
static struct cdt_timer timer = {.fn = on_timer};
static struct cdt_signal caught = {.fn = on_signal};

/* The number of the first call that did not refuse, or 0. */
static int calls_in_the_child(int fd)
{
    struct cdt_watch new_watch = {.fn = on_watch};
    struct cdt_signal new_signal = {.fn = on_signal};
    struct cdt_post post = {.fn = on_post};
    struct cdt_deferred deferred = {.fn = on_deferred};
    struct cdt_hook hook = {.fn = on_hook};
    struct cdt_child child = {.fn = on_child};
    struct cdt_reactor_counters counters;
    uint64_t timeout;
    int results[] = {
        cdt_reactor_run(reactor),
        cdt_reactor_step(reactor, 0),
        cdt_reactor_stop(reactor),
        cdt_reactor_prepare(reactor, &timeout),
        cdt_reactor_fd(reactor),
        cdt_reactor_update_time(reactor),
        cdt_reactor_set_log(reactor, NULL, NULL),
        cdt_reactor_counters(reactor, &counters),
        cdt_watch_add(reactor, &new_watch, fd, CDT_READ),
        cdt_watch_modify(&watch, CDT_WRITE),
        cdt_watch_remove(&watch),
        cdt_timer_set(reactor, &timer, 0),
        cdt_timer_set_at(reactor, &timer, 0),
        cdt_signal_add(reactor, &new_signal, 10),
        cdt_signal_remove(&caught),
        cdt_child_add(reactor, &child, getppid()),
        cdt_defer(reactor, &deferred),
        cdt_reactor_post(reactor, &post),
        cdt_hook_add(reactor, &hook, CDT_BEFORE_WAIT),
        cdt_reactor_free(reactor),
    };

    for (size_t i = 0; i < COUNT(results); i++)
        if (results[i] != -EINVAL)
            return (int)i + 1;
    return cdt_reactor_now(reactor) ? 100 : 0;
}

static void every_call_is_refused_in_a_child(void **state)
{
    int pair[2], status;
    pid_t pid;

    reactor = *state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    assert_int_equal(cdt_signal_add(reactor, &caught, 12), 0);
    pid = fork();
    if (pid == 0)
        _exit(calls_in_the_child(pair[1]));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
    /* All as before in the parent. */
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    assert_int_equal(cdt_watch_remove(&watch), 0);
    assert_int_equal(cdt_signal_remove(&caught), 0);
    close(pair[0]);
    close(pair[1]);
}

static void never(struct cdt_watch *unwanted, unsigned events)
{
    (void)unwanted, (void)events;
    fail();
}

/* The child's copy keeps the description alive after the parent has closed its descriptor. */
static void copy_in_a_child_keeps_no_registration(void **state)
{
    struct cdt_watch removed = {.fn = never};
    int pair[2], hold[2];
    char byte;
    pid_t pid;

    reactor = *state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(hold), 0);
    assert_int_equal(cdt_watch_add(reactor, &removed, pair[0], CDT_READ), 0);
    pid = fork();
    if (pid == 0) {
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(hold[0]);
    assert_int_equal(cdt_watch_remove(&removed), 0);
    close(pair[0]);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    close(hold[1]);
    waitpid(pid, NULL, 0);
    close(pair[1]);
}

static void on_fork(struct cdt_timer *expired)
{
    int *status = (int *)(void *)(expired + 1);
    pid_t pid = fork();

    if (pid == 0)
        return;
    waitpid(pid, status, 0);
    cdt_reactor_stop(reactor);
}

/* The child that returns from the callback leaves run with an error. */
static void run_ends_in_a_child(void **state)
{
    struct {
        struct cdt_timer timer;
        int status;
    } forking = {.timer.fn = on_fork};
    pid_t self = getpid();
    int result;

    reactor = *state;
    cdt_timer_set(reactor, &forking.timer, 0);
    result = cdt_reactor_run(reactor);
    if (getpid() != self)
        _exit(result == -EINVAL ? 17 : 1);
    assert_int_equal(result, 0);
    assert_int_equal(WEXITSTATUS(forking.status), 17);
}

static int count_descriptors_of_a_new_program(void)
{
    FILE *list = popen("ls /proc/self/fd | wc -l", "r");
    char line[32] = "";

    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    pclose(list);
    return atoi(line);
}

static void exec_inherits_nothing(void **state)
{
    int before = count_descriptors_of_a_new_program();
    struct cdt_watch pending = {.fn = on_watch};
    struct cdt_child child = {.fn = on_child};
    int fd = eventfd(0, EFD_CLOEXEC);
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    reactor = *state;
    cdt_timer_set(reactor, &timer, 50 * CDT_US);
    cdt_signal_add(reactor, &caught, 12);
    cdt_watch_add(reactor, &pending, fd, CDT_READ);
    (void)cdt_child_add(reactor, &child, pid);
    while (cdt_timer_is_set(&timer))
        cdt_reactor_step(reactor, LONG_ENOUGH);
    assert_int_equal(count_descriptors_of_a_new_program(), before);
    cdt_child_remove(&child);
    cdt_watch_remove(&pending);
    cdt_signal_remove(&caught);
    waitpid(pid, NULL, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(every_call_is_refused_in_a_child),
        WITH_REACTOR(copy_in_a_child_keeps_no_registration),
        WITH_REACTOR(run_ends_in_a_child),
        WITH_REACTOR(exec_inherits_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
