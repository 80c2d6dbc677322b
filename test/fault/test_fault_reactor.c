/* Single faults in a reactor: made, used with timers, a signal, posts, a deferred call, a hook, a watch
 * and a child process, and freed, also with all of them still there. */
#include "test/fault/fault.h"

enum { LATE_MS = 2 };

/* What was asked for and what came. */
static struct {
    struct cdt_timer at_once, late, cancelled;
    struct cdt_signal signal;
    struct cdt_post post, post_asleep;
    struct cdt_deferred deferred;
    struct cdt_hook hook;
    struct cdt_watch watch;
    struct cdt_child child;
    int asked, came; /* single shots */
    int hooked, refused, status;
    bool watched;
} parts;

static void on_timer(struct cdt_timer *timer)
{
    if (timer == &parts.cancelled)
        problem("a cancelled timer fired");
    parts.came++;
}

static void on_signal(struct cdt_signal *signal, int number)
{
    (void)signal, (void)number;
    parts.came++;
}

static void on_post(struct cdt_post *post)
{
    (void)post;
    parts.came++;
}

static void on_deferred(struct cdt_deferred *deferred)
{
    (void)deferred;
    parts.came++;
}

static void on_hook(struct cdt_hook *hook)
{
    (void)hook;
    parts.hooked++;
}

/* Waits to write first, then to read; a mask that was refused is asked for again. */
static void on_watch(struct cdt_watch *watch, unsigned events)
{
    if (events == CDT_ERROR) {
        parts.refused++;
        cdt_watch_modify(watch, CDT_READ);
    } else if (events & CDT_WRITE) {
        cdt_watch_modify(watch, CDT_READ);
    } else {
        cdt_watch_remove(watch);
        parts.watched = true;
        parts.came++;
    }
}

static void on_child(struct cdt_child *child, int status)
{
    (void)child;
    parts.came++;
    parts.status = status;
}

/* Begins with a signal that nobody has changed, and a child that has ended. */
static pid_t prepare(int fds[2])
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    pid_t pid = fork();

    if (pid == 0)
        _exit(7);
    if (pid < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        problem("no child or no sockets: %s", strerror(errno));
    __real_sigaction(SIGUSR1, &plain, NULL);
    memset(&parts, 0, sizeof parts);
    parts.at_once.fn = parts.late.fn = parts.cancelled.fn = on_timer;
    parts.signal.fn = on_signal;
    parts.post.fn = parts.post_asleep.fn = on_post;
    parts.deferred.fn = on_deferred;
    parts.hook.fn = on_hook;
    parts.watch.fn = on_watch;
    parts.child.fn = on_child;
    return pid;
}

/* Counts what was taken: it has to come. */
static int asked(int result)
{
    parts.asked += result == 0;
    return result;
}

/* 0, or something negative if anything was refused. */
static int ask(struct cdt_reactor *reactor, pid_t pid, int fd)
{
    int result = asked(LIB(cdt_timer_set(reactor, &parts.at_once, 0)));

    result |= asked(LIB(cdt_timer_set(reactor, &parts.late, LATE_MS * CDT_MS)));
    result |= LIB(cdt_timer_set(reactor, &parts.cancelled, CDT_MS));
    result |= LIB(cdt_timer_cancel(&parts.cancelled));
    result |= asked(LIB(cdt_reactor_post(reactor, &parts.post)));
    result |= asked(LIB(cdt_defer(reactor, &parts.deferred)));
    result |= LIB(cdt_hook_add(reactor, &parts.hook, CDT_BEFORE_WAIT));
    result |= asked(LIB(cdt_watch_add(reactor, &parts.watch, fd, CDT_WRITE)));
    result |= asked(LIB(cdt_child_add(reactor, &parts.child, pid)));
    result |= asked(LIB(cdt_signal_add(reactor, &parts.signal, SIGUSR1)));
    return result;
}

/* Not before the signal is caught. */
static void send_signal(void)
{
    if (parts.signal.reactor)
        raise(SIGUSR1);
}

static int post_while_asleep(struct cdt_reactor *reactor)
{
    uint64_t timeout;
    int result = LIB(cdt_reactor_prepare(reactor, &timeout));

    return result | asked(LIB(cdt_reactor_post(reactor, &parts.post_asleep)));
}

static int use(struct cdt_reactor *reactor, bool leave_all)
{
    int fds[2] = {-1, -1};
    pid_t pid = prepare(fds);
    int result = ask(reactor, pid, fds[0]);

    send_signal();
    if (send(fds[1], "", 1, MSG_NOSIGNAL) != 1)
        problem("cannot send: %s", strerror(errno));
    if (!leave_all) {
        turn(reactor);
        result |= post_while_asleep(reactor);
        while (parts.came < parts.asked && in_bounds())
            turn(reactor);
        LIB(cdt_signal_remove(&parts.signal));
        LIB(cdt_hook_remove(&parts.hook));
    }
    if (LIB(cdt_reactor_free(reactor)))
        problem("the reactor cannot be freed");
    if (cdt_timer_is_set(&parts.late) || parts.signal.reactor || parts.watch.reactor ||
        parts.child.watch.reactor)
        problem("something is still marked as added");
    close(fds[0]);
    close(fds[1]);
    waitpid(pid, NULL, WNOHANG);
    return result;
}

static struct outcome use_reactor(bool leave_all)
{
    const struct cdt_reactor_options options = {.size = sizeof options, .count_time = true};
    struct cdt_reactor *reactor = NULL;
    int result;

    memset(&parts, 0, sizeof parts);
    result = LIB(cdt_reactor_new(&options, &reactor));
    if (result == 0)
        result = use(reactor, leave_all);
    return (struct outcome){
        .complete = leave_all ? parts.asked == 7 : parts.came == 8 && parts.hooked && parts.watched,
        .told = result < 0 || parts.refused};
}

static struct outcome everything(void)
{
    return use_reactor(false);
}

static struct outcome left_behind(void)
{
    return use_reactor(true);
}

static void is_used(void **state)
{
    (void)state;
    inject("a reactor", everything, 40);
}

static void is_freed_at_once(void **state)
{
    (void)state;
    inject("a reactor that is freed at once", left_behind, 25);
}

/* Once in a process, so in a process of its own: without the handlers a fork would go unnoticed. */
static int without_fork_handlers(void)
{
    struct cdt_reactor *reactor = NULL;
    int first, second;

    fault.function = AT_pthread_atfork;
    fault.error = ENOMEM;
    first = LIB(cdt_reactor_new(NULL, &reactor));
    second = LIB(cdt_reactor_new(NULL, &reactor));
    return first == -ENOMEM && second == 0 && cdt_reactor_free(reactor) == 0 ? 0 : 1;
}

static void tells_that_forks_go_unnoticed(void **state)
{
    (void)state;
    assert_int_equal(test_in_child(without_fork_handlers), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_that_forks_go_unnoticed), /* before any reactor */
        cmocka_unit_test(is_used),
        cmocka_unit_test(is_freed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
