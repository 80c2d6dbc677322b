/* Signals: to every reactor that wants them, none lost, dispositions put back, children kept
 * apart. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "test/reactor/support.h"

struct counted {
    struct cdt_signal signal;
    int calls, number;
    struct counted *other;
};

static struct cdt_reactor *reactor;
static volatile sig_atomic_t foreign_calls;

static void foreign_handler(int number)
{
    (void)number;
    foreign_calls++;
}

static void on_signal(struct cdt_signal *signal, int number)
{
    struct counted *counted = cdt_container_of(signal, struct counted, signal);

    counted->calls++;
    counted->number = number;
}

static void two_reactors_get_it(void **state)
{
    struct counted a = {.signal.fn = on_signal}, b = a, c = a;
    struct cdt_reactor *second;

    reactor = *state;
    assert_int_equal(cdt_reactor_new(NULL, &second), 0);
    assert_int_equal(cdt_signal_add(reactor, &a.signal, SIGUSR1), 0);
    assert_int_equal(cdt_signal_add(reactor, &b.signal, SIGUSR1), 0);
    assert_int_equal(cdt_signal_add(second, &c.signal, SIGUSR1), 0);
    assert_int_equal(cdt_signal_add(second, &c.signal, SIGUSR1), -EBUSY);
    raise(SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 2);
    assert_int_equal(cdt_reactor_step(second, LONG_ENOUGH), 1);
    assert_int_equal(a.calls + b.calls + c.calls, 3);
    assert_int_equal(a.number, SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(support_counters(reactor).wakeups, 1);
    assert_int_equal(cdt_signal_remove(&a.signal), 0);
    assert_int_equal(cdt_signal_remove(&a.signal), 0);
    raise(SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(cdt_reactor_free(second), 0);
    assert_int_equal(cdt_signal_remove(&c.signal), 0);
    assert_int_equal(cdt_signal_remove(&b.signal), 0);
}

static void disposition_is_put_back(void **state)
{
    struct counted a = {.signal.fn = on_signal}, b = a;
    struct sigaction before = {.sa_handler = foreign_handler}, now;

    reactor = *state;
    foreign_calls = 0;
    sigemptyset(&before.sa_mask);
    sigaction(SIGUSR2, &before, NULL);
    assert_int_equal(cdt_signal_add(reactor, &a.signal, SIGUSR2), 0);
    assert_int_equal(cdt_signal_add(reactor, &b.signal, SIGUSR2), 0);
    cdt_signal_remove(&a.signal);
    raise(SIGUSR2);
    assert_int_equal(foreign_calls, 0);
    cdt_signal_remove(&b.signal);
    raise(SIGUSR2);
    assert_int_equal(foreign_calls, 1);
    assert_int_equal(cdt_signal_add(reactor, &a.signal, SIGUSR2), 0);
    signal(SIGUSR2, SIG_IGN);
    cdt_signal_remove(&a.signal);
    sigaction(SIGUSR2, NULL, &now);
    assert_ptr_equal(now.sa_handler, SIG_IGN);
    signal(SIGUSR2, SIG_DFL);
}

static void wrong_numbers(void **state)
{
    struct counted a = {.signal.fn = on_signal};
    static const int numbers[] = {0, -1, 65, 1000, SIGKILL, SIGSTOP};

    for (size_t i = 0; i < COUNT(numbers); i++)
        assert_int_equal(cdt_signal_add(*state, &a.signal, numbers[i]), -EINVAL);
    assert_int_equal(cdt_signal_add(*state, &a.signal, SIGRTMIN + 1), 0);
    raise(SIGRTMIN + 1);
    assert_int_equal(cdt_reactor_step(*state, LONG_ENOUGH), 1);
    assert_int_equal(a.number, SIGRTMIN + 1);
    cdt_signal_remove(&a.signal);
}

static void on_exchange(struct cdt_signal *signal, int number)
{
    struct counted *counted = cdt_container_of(signal, struct counted, signal);

    counted->calls++;
    assert_int_equal(cdt_signal_remove(signal), 0);
    assert_int_equal(cdt_signal_remove(&counted->other->signal), 0);
    assert_int_equal(cdt_signal_add(reactor, &counted->other->signal, number), 0);
}

/* a removes itself and takes b off and on: b is new now, and first called for the next signal. */
static void changed_from_callbacks(void **state)
{
    struct counted b = {.signal.fn = on_signal};
    struct counted a = {.signal.fn = on_exchange, .other = &b};

    reactor = *state;
    cdt_signal_add(reactor, &a.signal, SIGUSR1);
    cdt_signal_add(reactor, &b.signal, SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
    raise(SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    cdt_signal_remove(&b.signal);
}

/* The child has the disposition from before, dies of the signal, and the parent hears nothing. */
static void forked_child_is_kept_apart(void **state)
{
    struct counted a = {.signal.fn = on_signal};
    int status;
    pid_t pid;

    reactor = *state;
    assert_int_equal(cdt_signal_add(reactor, &a.signal, SIGUSR1), 0);
    pid = fork();
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(a.calls, 0);
    raise(SIGUSR1);
    assert_int_equal(cdt_reactor_step(reactor, LONG_ENOUGH), 1);
    cdt_signal_remove(&a.signal);
}

static void reactor_of_a_forked_child_catches(void **state)
{
    struct counted a = {.signal.fn = on_signal}, b = a;
    struct cdt_reactor *own;
    int status;
    pid_t pid;

    reactor = *state;
    cdt_signal_add(reactor, &a.signal, SIGUSR1);
    pid = fork();
    if (pid == 0) {
        if (cdt_reactor_new(NULL, &own) || cdt_signal_add(own, &b.signal, SIGUSR1))
            _exit(1);
        raise(SIGUSR1);
        if (cdt_reactor_step(own, LONG_ENOUGH) != 1 || b.calls != 1 || a.calls)
            _exit(2);
        _exit(cdt_reactor_free(own) ? 3 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    cdt_signal_remove(&a.signal);
}

struct target {
    pthread_t thread;
    int number, count;
};

static void *send_signals(void *argument)
{
    struct target *target = argument;
    const struct timespec pause = {.tv_nsec = 2000000};

    for (int i = 0; i < target->count; i++) {
        nanosleep(&pause, NULL);
        pthread_kill(target->thread, target->number);
    }
    return NULL;
}

/* A signal with a handler of somebody else interrupts the wait; the wait goes on. */
static void foreign_signals_do_not_end_a_wait(void **state)
{
    struct target target = {.thread = pthread_self(), .number = SIGUSR2, .count = 5};
    struct sigaction action = {.sa_handler = foreign_handler};
    struct cdt_reactor_counters counters;
    pthread_t thread;
    uint64_t start;

    reactor = *state;
    foreign_calls = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR2, &action, NULL);
    start = support_clock();
    assert_int_equal(pthread_create(&thread, NULL, send_signals, &target), 0);
    assert_int_equal(cdt_reactor_step(reactor, 50 * CDT_MS), 0);
    assert_true(support_clock() - start >= 50 * CDT_MS);
    pthread_join(thread, NULL);
    assert_in_range(foreign_calls, 1, 5); /* those sent while one is pending are one */
    counters = support_counters(reactor);
    assert_true(counters.turns == 1);
    signal(SIGUSR2, SIG_DFL);
}

static void on_stop(struct cdt_signal *signal, int number)
{
    (void)signal, (void)number;
    cdt_reactor_stop(reactor);
}

static void wakes_a_sleeping_reactor(void **state)
{
    struct target target = {.thread = pthread_self(), .number = SIGTERM, .count = 1};
    struct cdt_signal signal = {.fn = on_stop};
    pthread_t thread;

    reactor = *state;
    assert_int_equal(cdt_signal_add(reactor, &signal, SIGTERM), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_signals, &target), 0);
    assert_int_equal(cdt_reactor_run(reactor), 0);
    pthread_join(thread, NULL);
    cdt_signal_remove(&signal);
}

static void sixty_four_reactors(void **state)
{
    struct cdt_reactor *reactors[65];
    static struct counted counted[65];

    (void)state;
    for (size_t i = 0; i < COUNT(reactors); i++) {
        counted[i].signal.fn = on_signal;
        assert_int_equal(cdt_reactor_new(NULL, &reactors[i]), 0);
        assert_int_equal(cdt_signal_add(reactors[i], &counted[i].signal, SIGUSR1),
                         i < 64 ? 0 : -ENOSPC);
    }
    raise(SIGUSR1);
    for (size_t i = 0; i < COUNT(reactors); i++) {
        assert_int_equal(cdt_reactor_step(reactors[i], 0), i < 64);
        assert_int_equal(cdt_reactor_free(reactors[i]), 0);
        assert_int_equal(cdt_signal_remove(&counted[i].signal), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(two_reactors_get_it),
        WITH_REACTOR(disposition_is_put_back),
        WITH_REACTOR(wrong_numbers),
        WITH_REACTOR(changed_from_callbacks),
        WITH_REACTOR(forked_child_is_kept_apart),
        WITH_REACTOR(reactor_of_a_forked_child_catches),
        WITH_REACTOR(foreign_signals_do_not_end_a_wait),
        WITH_REACTOR(wakes_a_sleeping_reactor),
        WITH_REACTOR(sixty_four_reactors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
