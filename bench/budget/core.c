/* Runs one of the core workloads, for bench/budget/run to count what it takes: instructions inside
 * of counted(), system calls between the two marks.
 *
 * core              lists: name, operations that are counted, why it cannot be run here
 * core NAME         runs it */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

#include "bench/budget/budget.h"
#include "reactor/state.h"

struct cdt_reactor *loop;

static const struct scenario *const tables[] = {
    loop_scenarios,  echo_scenarios, visit_scenarios, connect_scenarios,
    relay_scenarios, name_scenarios, vchan_scenarios, tls_scenarios,
};

enum { TABLES = sizeof tables / sizeof tables[0] };

void must(int status, const char *what)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, cdt_strerror(status == -1 ? -errno : status));
    exit(1);
}

/* ---- counting -------------------------------------------------------------------------------- */

static bool counting;

/* Calls that nothing else makes. */
static void mark(long number)
{
    if (counting)
        syscall(number);
}

void counted(void (*work)(void *arg), void *arg);

/* Known to bench/budget/run by its name. */
__attribute__((noinline)) void counted(void (*work)(void *arg), void *arg)
{
    work(arg);
    __asm__ volatile("" ::: "memory"); /* it must return here: no jump */
}

void call(void (*work)(void *arg), void *arg)
{
    mark(SYS_getpgrp);
    if (counting)
        counted(work, arg);
    else
        work(arg);
    mark(SYS_getppid);
}

struct goal {
    const long *counter;
    long until;
};

static void turn_until(void *arg)
{
    const struct goal *goal = arg;
    while (*goal->counter < goal->until)
        must(cdt_reactor_step(loop, CDT_NEVER), "step");
}

void turns(const long *counter, long until)
{
    struct goal goal = {counter, until};
    call(turn_until, &goal);
}

static void turn(void *arg)
{
    (void)arg;
    must(cdt_reactor_step(loop, 0), "step");
}

void one_turn(void)
{
    call(turn, NULL);
}

bool has_work(const struct cdt_reactor *of)
{
    struct pollfd ready = {.fd = cdt_reactor_fd(of), .events = POLLIN};
    return of->changed || turn_has_work(of) || poll(&ready, 1, 0) == 1;
}

/* ---- running --------------------------------------------------------------------------------- */

static void run(const struct scenario *scenario)
{
    must(cdt_reactor_new(NULL, &loop), "reactor");
    scenario->begin(scenario);
    for (unsigned i = 0; i < scenario->warm_up; i++)
        scenario->round(scenario);
    counting = true;
    for (unsigned i = 0; i < scenario->rounds; i++)
        scenario->round(scenario);
    counting = false;
}

static void list(const struct scenario *scenario)
{
    const char *why = scenario->missing ? scenario->missing(scenario) : NULL;
    printf("%s\t%u\t%s\n", scenario->name, scenario->rounds * scenario->batch, why ? why : "");
}

int main(int argc, char **argv)
{
    for (int i = 0; i < TABLES; i++) {
        for (const struct scenario *at = tables[i]; at->name; at++) {
            if (argc == 1)
                list(at);
            else if (strcmp(at->name, argv[1]) == 0) {
                run(at);
                return 0;
            }
        }
    }
    if (argc > 1)
        fprintf(stderr, "there is no %s\n", argv[1]);
    return argc > 1;
}
