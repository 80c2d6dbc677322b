/* What else a reactor hears of: a signal, the exit of a child process, and a thread's result. */
#include <conduit/conduit.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct program {
    struct cdt_reactor *reactor;
    struct cdt_signal hangup;
    struct cdt_child child;
    struct cdt_post finished;
    pthread_t thread;
    long result; /* the thread's until it has posted */
    int outstanding;
};

static void one_less(struct program *program)
{
    if (--program->outstanding == 0)
        cdt_reactor_stop(program->reactor);
}

/* ---- a signal -------------------------------------------------------------------------------- */

static void on_hangup(struct cdt_signal *signal, int number)
{
    struct program *program = cdt_container_of(signal, struct program, hangup);
    printf("signal: %s\n", number == SIGHUP ? "SIGHUP" : "?");
    cdt_signal_remove(signal); /* the disposition from before is put back */
    one_less(program);
}

/* ---- a child --------------------------------------------------------------------------------- */

static void on_exit_of_child(struct cdt_child *child, int status)
{
    struct program *program = cdt_container_of(child, struct program, child);
    printf("child: exit status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    one_less(program); /* it is reaped, and `child` is ours again */
}

static int start_child(struct program *program)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(3); /* or exec, which inherits nothing of the library's */
    program->child.fn = on_exit_of_child;
    return pid < 0 ? -1 : cdt_child_add(program->reactor, &program->child, pid);
}

/* ---- a thread -------------------------------------------------------------------------------- */

static void on_finished(struct cdt_post *post)
{
    struct program *program = cdt_container_of(post, struct program, finished);
    pthread_join(program->thread, NULL);
    printf("thread: %ld\n", program->result);
    one_less(program);
}

static void *work(void *arg)
{
    struct program *program = arg;
    for (long i = 1; i <= 1000; i++)
        program->result += i;
    cdt_reactor_post(program->reactor, &program->finished); /* all else is the reactor's */
    return NULL;
}

int main(void)
{
    struct program program = {.hangup.fn = on_hangup, .finished.fn = on_finished, .outstanding = 3};

    if (cdt_reactor_new(NULL, &program.reactor) < 0 ||
        cdt_signal_add(program.reactor, &program.hangup, SIGHUP) < 0 || start_child(&program) < 0 ||
        pthread_create(&program.thread, NULL, work, &program))
        return 1;
    raise(SIGHUP);
    cdt_reactor_run(program.reactor);
    cdt_reactor_free(program.reactor);
    return 0;
}
