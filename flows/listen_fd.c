/* Serving an inherited descriptor: a socket that somebody else has bound, perhaps made listening,
 * and perhaps still shares with us.
 *
 * Its O_NONBLOCK belongs to all who share it and is left alone. Where it is not set, accept4(2)
 * must not block: it is asked only after poll(2) has said that a client waits. Linux keeps a client
 * in the queue even if it has gone meanwhile, so that is enough while we alone accept. But where
 * several processes accept from one blocking descriptor, another may take the client between poll
 * and accept. No socket option helps (SO_RCVTIMEO is shared as well, and the accepted inherit it),
 * and a socket cannot be opened again. So a timer of this thread interrupts the accept after a
 * millisecond, and again until it is over: EINTR then means that nobody waits. The signal is one of
 * the real-time signals that nobody in this process uses. It costs six system calls a connection
 * more; give a nonblocking descriptor to save them. */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "flows/server.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { GUARD_PERIOD = 1000000 /* ns */ };

/* ---- a blocking descriptor ------------------------------------------------------------------- */

static int guard_signal; /* 0: there is none to be had */

static void on_guard(int number)
{
    (void)number;
}

static void find_signal(void)
{
    struct sigaction action = {.sa_handler = on_guard}, old;

    for (int number = SIGRTMAX; number >= SIGRTMIN; number--) {
        if (sigaction(number, NULL, &old) || old.sa_handler != SIG_DFL)
            continue;
        if (sigaction(number, &action, NULL) == 0) {
            guard_signal = number;
            return;
        }
    }
}

/* Sends the signal to this thread, again and again, until the timer is deleted. */
static int guard_begin(timer_t *timer, sigset_t *mask)
{
    const struct itimerspec every = {.it_value.tv_nsec = GUARD_PERIOD,
                                     .it_interval.tv_nsec = GUARD_PERIOD};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = guard_signal};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t set;

    pthread_once(&once, find_signal);
    event.sigev_signo = guard_signal;
    event.sigev_notify_thread_id = gettid();
    if (!guard_signal || timer_create(CLOCK_MONOTONIC, &event, timer))
        return -ENOBUFS;
    sigemptyset(&set);
    sigaddset(&set, guard_signal);
    pthread_sigmask(SIG_UNBLOCK, &set, mask);
    timer_settime(*timer, 0, &every, NULL);
    return 0;
}

static void guard_end(timer_t timer, const sigset_t *mask)
{
    timer_delete(timer);
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static int accept_blocking(struct cdt_listener *listener, struct cdt_carrier *carrier,
                           struct cdt_addr *peer)
{
    struct pollfd ask = {.fd = listener->fd, .events = POLLIN};
    timer_t timer;
    sigset_t mask;
    int status = poll(&ask, 1, 0);

    if (status <= 0)
        return status < 0 && errno != EINTR ? -errno : -EAGAIN;
    status = guard_begin(&timer, &mask);
    if (status)
        return status;
    status = socket_accept(listener, carrier, peer);
    guard_end(timer, &mask);
    return status == -EINTR ? -EAGAIN : status;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static const struct cdt_listener_ops nonblocking_ops = {
    .size = sizeof nonblocking_ops,
    .accept = socket_accept,
    .close = socket_close_listener,
    .address = socket_listener_address,
    .set_backlog = socket_set_backlog,
};

static const struct cdt_listener_ops blocking_ops = {
    .size = sizeof blocking_ops,
    .accept = accept_blocking,
    .close = socket_close_listener,
    .address = socket_listener_address,
    .set_backlog = socket_set_backlog,
};

static int get_int(int fd, int option, int *value)
{
    socklen_t length = sizeof *value;

    return getsockopt(fd, SOL_SOCKET, option, value, &length) ? -errno : 0;
}

/* Bound, and not connected. */
static bool is_bound(int fd)
{
    struct cdt_listener listener = {.fd = fd};
    struct cdt_addr addr, peer;

    peer.length = sizeof peer - offsetof(struct cdt_addr, any);
    if (getpeername(fd, &peer.any, &peer.length) == 0)
        return false;
    if (socket_listener_address(&listener, &addr) < 0)
        return false;
    if (addr.any.sa_family == AF_UNIX)
        return addr.length > offsetof(struct sockaddr_un, sun_path);
    return cdt_addr_port(&addr) != 0;
}

static int check(int fd, int *domain, bool *listens)
{
    int type, accepts = 0;
    int error = get_int(fd, SO_TYPE, &type);

    if (!error && type != SOCK_STREAM)
        error = -EPROTOTYPE;
    if (!error)
        error = get_int(fd, SO_DOMAIN, domain);
    if (!error)
        error = get_int(fd, SO_ACCEPTCONN, &accepts);
    *listens = accepts;
    if (!error && *domain != AF_INET && *domain != AF_INET6 && *domain != AF_UNIX)
        error = -EINVAL;
    if (!error && !accepts && !is_bound(fd))
        error = -EINVAL;
    return error;
}

/* The backlog that somebody else has set: TCP tells, others do not (0). */
static int present_backlog(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
        return 0;
    return info.tcpi_sacked > INT32_MAX ? INT32_MAX : (int)info.tcpi_sacked;
}

static int open_listening(struct cdt_server *server)
{
    server->backlog = present_backlog(server->listener.fd);
    return server->options.backlog ? server_apply_backlog(server) : 0;
}

int cdt_listen_fd(struct cdt_reactor *reactor, int fd, const struct cdt_server_options *options,
                  const struct cdt_handler *handler, struct cdt_server **result)
{
    struct cdt_server *server;
    bool listens;
    int error, domain, flags;

    if (!result || fd < 0)
        return fd < 0 ? -EBADF : -EINVAL;
    error = check(fd, &domain, &listens);
    if (error)
        return error;
    error = server_new(reactor, options, handler, &server);
    if (error)
        return error;
    flags = fcntl(fd, F_GETFL);
    server->ops = flags >= 0 && (flags & O_NONBLOCK) ? &nonblocking_ops : &blocking_ops;
    socket_take_over(fd);
    socket_carrier(server, domain);
    if (domain != AF_UNIX)
        error = tcp_apply_options(fd, &server->config->options);
    if (error) /* it listens all the same */
        reactor_log(server->hub->reactor, CDT_LOG_WARNING,
                    "an option of the inherited socket could not be set: %s", cdt_strerror(error));
    server->listener.fd = fd;
    server->listening = true;
    server->open = listens ? open_listening : server_apply_backlog;
    server_start(server);
    *result = server;
    return 0;
}
