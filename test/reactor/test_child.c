/* Exit of child processes: status, reaping, removal. */
#include <signal.h>
#include <sys/wait.h>

#include "test/reactor/support.h"

struct waited {
    struct cdt_child child;
    int status, calls;
};

static void on_exit_of(struct cdt_child *child, int status)
{
    struct waited *waited = cdt_container_of(child, struct waited, child);

    waited->status = status;
    waited->calls++;
}

static pid_t start(int code, int signal_number)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (signal_number)
            raise(signal_number);
        _exit(code);
    }
    assert_true(pid > 0);
    return pid;
}

/* Emulators and old kernels have no pidfd to wait for. */
static int setup(void **state)
{
    struct waited waited = {.child.fn = on_exit_of};
    pid_t pid = start(0, 0);
    int error = support_setup(state);

    if (!error)
        error = cdt_child_add(*state, &waited.child, pid);
    if (!error)
        error = cdt_child_remove(&waited.child);
    waitpid(pid, NULL, 0);
    if (error == -ENOSYS) {
        support_teardown(state);
        *state = NULL;
        print_message("no pidfd here\n");
        return 0;
    }
    return error;
}

static struct cdt_reactor *reactor_or_skip(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static void exit_status_and_signal(void **state)
{
    struct cdt_reactor *reactor = reactor_or_skip(state);
    struct waited a = {.child.fn = on_exit_of}, b = a;
    pid_t pid = start(42, 0);

    assert_int_equal(cdt_child_add(reactor, &a.child, pid), 0);
    assert_int_equal(cdt_child_add(reactor, &a.child, pid), -EBUSY);
    assert_int_equal(cdt_child_add(reactor, &b.child, start(0, SIGKILL)), 0);
    while (!a.calls || !b.calls)
        assert_true(cdt_reactor_step(reactor, LONG_ENOUGH) > 0);
    assert_true(WIFEXITED(a.status));
    assert_int_equal(WEXITSTATUS(a.status), 42);
    assert_true(WIFSIGNALED(b.status));
    assert_int_equal(WTERMSIG(b.status), SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), -1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(cdt_child_remove(&a.child), 0);
}

static void already_ended(void **state)
{
    struct cdt_reactor *reactor = reactor_or_skip(state);
    struct waited a = {.child.fn = on_exit_of};
    pid_t pid = start(7, 0);
    siginfo_t info;

    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(cdt_child_add(reactor, &a.child, pid), 0);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    assert_int_equal(WEXITSTATUS(a.status), 7);
}

static void reaped_by_somebody_else(void **state)
{
    struct cdt_reactor *reactor = reactor_or_skip(state);
    struct waited a = {.child.fn = on_exit_of};
    pid_t pid = start(0, 0);

    assert_int_equal(cdt_child_add(reactor, &a.child, pid), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    assert_int_equal(a.status, -1);
}

static void removed_child_is_left_alone(void **state)
{
    struct cdt_reactor *reactor = reactor_or_skip(state), *second;
    struct waited a = {.child.fn = on_exit_of};
    pid_t pid = start(0, 0);

    assert_int_equal(cdt_child_add(reactor, &a.child, pid), 0);
    assert_int_equal(cdt_child_remove(&a.child), 0);
    assert_int_equal(cdt_reactor_new(NULL, &second), 0);
    assert_int_equal(cdt_child_add(second, &a.child, pid), 0);
    assert_int_equal(cdt_reactor_free(second), 0);
    assert_int_equal(cdt_child_remove(&a.child), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(a.calls, 0);
}

static void not_a_child(void **state)
{
    struct cdt_reactor *reactor = reactor_or_skip(state);
    struct waited a = {.child.fn = on_exit_of};
    pid_t pid = start(0, 0);

    waitpid(pid, NULL, 0);
    assert_int_equal(cdt_child_add(reactor, &a.child, pid), -ESRCH);
    assert_int_equal(cdt_child_add(reactor, &a.child, getpid()), -ECHILD);
    assert_int_equal(cdt_child_add(reactor, &a.child, 0), -EINVAL);
    assert_int_equal(cdt_child_add(reactor, &a.child, -1), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, support_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exit_status_and_signal),      TEST(already_ended), TEST(reaped_by_somebody_else),
        TEST(removed_child_is_left_alone), TEST(not_a_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
