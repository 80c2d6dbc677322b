/* Child processes: a pidfd for each, watched until the process has ended. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/state.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int wait_by_pidfd(int pidfd, siginfo_t *info, int options)
{
    int result;

    do {
        info->si_pid = 0;
        result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, info, WEXITED | WNOHANG | options);
    } while (result && errno == EINTR);
    return result ? -errno : 0;
}

/* The status as wait(2) reports it, which waitid(2) does not. */
static int wait_status(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return (info->si_status & 0xff) << 8;
    case CLD_DUMPED:
        return info->si_status | WCOREFLAG;
    default:
        return info->si_status;
    }
}

static void on_exit_of_child(struct cdt_watch *watch, unsigned events)
{
    struct cdt_child *child = cdt_container_of(watch, struct cdt_child, watch);
    siginfo_t info;
    int error = wait_by_pidfd(watch->fd, &info, 0);

    (void)events;
    if (!error && !info.si_pid)
        return;
    cdt_child_remove(child);
    child->fn(child, error ? -1 : wait_status(&info));
}

/* Whether the process is a child of this one, and the kernel can wait for it by its pidfd. */
static int check_child(int pidfd)
{
    siginfo_t info;
    int error = wait_by_pidfd(pidfd, &info, WNOWAIT);

    return error == -EINVAL ? -ENOSYS : error;
}

int cdt_child_add(struct cdt_reactor *reactor, struct cdt_child *child, pid_t pid)
{
    int pidfd, error;

    if (!is_usable(reactor) || !child || !child->fn || pid <= 0)
        return -EINVAL;
    if (child->watch.reactor)
        return -EBUSY;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -errno;
    child->watch.fn = on_exit_of_child;
    error = check_child(pidfd);
    if (!error)
        error = cdt_watch_add(reactor, &child->watch, pidfd, CDT_READ);
    if (error)
        close(pidfd);
    return error;
}

int cdt_child_remove(struct cdt_child *child)
{
    int error;

    if (!child)
        return -EINVAL;
    if (!child->watch.reactor)
        return 0;
    error = cdt_watch_remove(&child->watch);
    if (!error)
        close(child->watch.fd);
    return error;
}

void child_forget(struct cdt_watch *watch)
{
    if (watch->fn == on_exit_of_child)
        close(watch->fd);
}
