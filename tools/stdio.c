/* Standard input and output as the carrier of a flow.
 *
 * Both may be anything, and are shared with other processes, so their O_NONBLOCK flag is never
 * changed:
 *   pipe, terminal   opened again through /proc/self/fd, nonblocking, and used until EAGAIN
 *   socket           MSG_DONTWAIT
 *   file, /dev/null  read and written directly; the flow does so in bounded pieces
 *   other            polled before each read and write; writes are small enough not to block */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tools/tool.h"

enum kind { DIRECT, NONBLOCKING, SOCKET, ASK_FIRST };

struct half {
    const char *name;
    int fd, event; /* CDT_READ or CDT_WRITE */
    enum kind kind;
    bool ours; /* opened by us */
    struct cdt_watch watch;
};

static struct stdio {
    struct half in, out;
    struct cdt_flow *flow;
    struct cdt_reactor *reactor;
    bool peer_ended; /* the output is complete: nobody wants more input */
    const char *failed;
    int status;
    struct cdt_deferred failure, again;
    void (*on_failed)(int status);
    uint64_t bytes_in, bytes_out;
} stdio;

/* ---- opening --------------------------------------------------------------------------------- */

static void on_ready(struct cdt_watch *watch, unsigned events)
{
    const struct half *half = cdt_container_of(watch, struct half, watch);
    (void)events;
    cdt_watch_modify(watch, 0);
    cdt_carrier_ready(stdio.flow, (unsigned)half->event);
}

/* A descriptor of our own for the same pipe or terminal; -1 if there is none. The master of a
 * terminal would give another terminal. */
static int open_again(int fd, const struct stat *status, int flags)
{
    char path[32];
    const bool terminal =
        S_ISCHR(status->st_mode) && isatty(fd) && status->st_rdev != makedev(5, 2);
    if (!S_ISFIFO(status->st_mode) && !terminal)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static int open_half(struct half *half, const char *name, int fd, int event)
{
    struct stat status;
    *half = (struct half){.name = name, .fd = fd, .event = event, .watch.fn = on_ready};
    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) {
        half->kind = DIRECT;
        return 0;
    }
    half->kind = S_ISSOCK(status.st_mode) ? SOCKET : ASK_FIRST;
    const int again = open_again(fd, &status, event == CDT_READ ? O_RDONLY : O_WRONLY);
    if (again >= 0) {
        half->fd = again;
        half->ours = true;
        half->kind = NONBLOCKING;
    }
    const int result = cdt_watch_add(stdio.reactor, &half->watch, half->fd, 0);
    if (result != -EPERM)
        return result;
    half->kind = DIRECT; /* what cannot be polled does not block */
    return 0;
}

static void close_half(struct half *half)
{
    cdt_watch_remove(&half->watch);
    if (half->ours)
        close(half->fd);
    half->ours = false;
    half->fd = -1;
}

/* ---- reading and writing --------------------------------------------------------------------- */

/* The flow is told from the reactor, not from inside its own call. */
static void on_failure(struct cdt_deferred *deferred)
{
    (void)deferred;
    stdio.on_failed(stdio.status);
}

static void on_again(struct cdt_deferred *deferred)
{
    (void)deferred;
    cdt_carrier_ready(stdio.flow, CDT_WRITE);
}

static ssize_t failed(const struct half *half, int status)
{
    if (!stdio.failed) {
        stdio.failed = half->name;
        stdio.status = status;
        cdt_defer(stdio.reactor, &stdio.failure);
    }
    return status;
}

/* Nothing now: told when there is. */
static ssize_t later(struct half *half)
{
    cdt_watch_modify(&half->watch, (unsigned)half->event);
    return -EAGAIN;
}

static bool is_ready(const struct half *half)
{
    struct pollfd poll_fd = {.fd = half->fd, .events = half->event == CDT_READ ? POLLIN : POLLOUT};
    return poll(&poll_fd, 1, 0) > 0;
}

static ssize_t read_input(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct half *in = &stdio.in;
    ssize_t count;
    (void)carrier;
    if (stdio.peer_ended)
        return 0;
    if (in->kind == ASK_FIRST && !is_ready(in))
        return later(in);
    do
        count = in->kind == SOCKET ? recv(in->fd, data, length, MSG_DONTWAIT)
                                   : read(in->fd, data, length);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN)
        return later(in);
    if (count < 0)
        return failed(in, -errno);
    stdio.bytes_in += (uint64_t)count;
    return count;
}

static ssize_t write_once(const struct half *out, const char *data, size_t length)
{
    if (out->kind == SOCKET)
        return send(out->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out->kind != ASK_FIRST)
        return write(out->fd, data, length);
    if (is_ready(out))
        return write(out->fd, data, length < PIPE_BUF ? length : PIPE_BUF);
    errno = EAGAIN;
    return -1;
}

/* As much as goes. A part only: the flow waits to be told to go on. */
static ssize_t write_output(struct cdt_carrier *carrier, const void *data, size_t length)
{
    struct half *out = &stdio.out;
    size_t done = 0;
    (void)carrier;
    while (done < length) {
        const ssize_t count = write_once(out, (const char *)data + done, length - done);
        if (count >= 0) {
            done += (size_t)count;
            stdio.bytes_out += (uint64_t)count;
        } else if (errno == EAGAIN) {
            later(out);
            return done ? (ssize_t)done : -EAGAIN;
        } else if (errno != EINTR) {
            if (done == 0)
                return failed(out, -errno);
            cdt_defer(stdio.reactor, &stdio.again); /* the same error comes again */
            break;
        }
    }
    return (ssize_t)done;
}

static ssize_t writev_output(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    ssize_t done = 0;
    for (int i = 0; i < count; i++) {
        const ssize_t written = write_output(carrier, parts[i].iov_base, parts[i].iov_len);
        if (written < 0)
            return done ? done : written;
        done += written;
        if ((size_t)written < parts[i].iov_len)
            break;
    }
    return done;
}

/* The peer's stream is over and written: the input ends too. */
static int end_output(struct cdt_carrier *carrier)
{
    (void)carrier;
    stdio.peer_ended = true;
    if (stdio.out.kind == SOCKET)
        shutdown(stdio.out.fd, SHUT_WR);
    cdt_carrier_ready(stdio.flow, CDT_READ);
    return 0;
}

static void close_both(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)carrier, (void)how;
    close_half(&stdio.in);
    close_half(&stdio.out);
    cdt_defer_cancel(&stdio.again);
}

static const struct cdt_carrier_ops stdio_ops = {
    .size = sizeof stdio_ops,
    .name = "stdio",
    .flags = CDT_CARRIER_SHORT_READS,
    .read = read_input,
    .write = write_output,
    .writev = writev_output,
    .shutdown = end_output,
    .close = close_both,
};

/* ---- for connect ----------------------------------------------------------------------------- */

int stdio_flow(struct cdt_reactor *reactor, const struct cdt_handler *handler,
               void (*on_failed)(int status), struct cdt_flow **flow)
{
    /* Whoever reads our output may take a day. */
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .write_stall_timeout = CDT_NEVER};
    const struct cdt_carrier carrier = {.fd = -1};
    stdio.reactor = reactor;
    stdio.on_failed = on_failed;
    stdio.failure.fn = on_failure;
    stdio.again.fn = on_again;
    int status = open_half(&stdio.in, "standard input", STDIN_FILENO, CDT_READ);
    stdio.failed = "standard input";
    if (status)
        return status;
    status = open_half(&stdio.out, "standard output", STDOUT_FILENO, CDT_WRITE);
    stdio.failed = "standard output";
    if (status == 0) {
        stdio.failed = NULL;
        status =
            cdt_carrier_flow(reactor, &stdio_ops, &carrier, false, &options, handler, &stdio.flow);
    }
    if (status) {
        close_half(&stdio.in);
        close_half(&stdio.out);
        return status;
    }
    *flow = stdio.flow;
    return cdt_carrier_ready(stdio.flow, CDT_READ | CDT_WRITE);
}

const char *stdio_failed(void)
{
    return stdio.failed;
}

void stdio_counters(uint64_t *bytes_in, uint64_t *bytes_out)
{
    *bytes_in = stdio.bytes_in;
    *bytes_out = stdio.bytes_out;
}
