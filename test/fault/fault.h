/* Single faults: every call that the library makes of the C library fails once, with each errno that
 * the kernel may give there, at each of its places in a scenario.
 *
 * The linker's --wrap (the file `wrapped`) sends the calls here. Only calls made from inside LIB() can
 * fail, so that the sockets and the memory of the tests themselves never do; callbacks of the library
 * make no system calls. A scenario is run again and again: for each function and errno the first call
 * fails, then the second, and so on, until a run in which there was no such call any more.
 *
 * What must hold in each run is checked here: all descriptors and all memory are given back, the number
 * of calls is bounded, and what was to be done was done, unless somebody was told that it was not.
 *
 * One test program is one file and includes this once. */
#ifndef TEST_FAULT_FAULT_H
#define TEST_FAULT_FAULT_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "test/support/serve.h"

/* ---- what may go wrong --------------------------------------------------------------------------- */

/* Faults that are no errno. */
enum {
    HALF = -1,  /* half of the bytes are taken, or given */
    NO_FDS = -2 /* the receiver had no room for descriptors: MSG_CTRUNC, and they are gone */
};

enum { MAX_ERRORS = 12 };

/* The three operations of epoll_ctl are functions of their own here, since they fail differently. */
#define FUNCTIONS(F)                                                                        \
    F(accept4, EINTR, EAGAIN, ECONNABORTED, EPROTO, EPERM, EMFILE, ENFILE, ENOBUFS, ENOMEM) \
    F(bind, EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOMEM)                                      \
    F(calloc, ENOMEM)                                                                       \
    F(chmod, EPERM, ENOENT)                                                                 \
    F(close, EINTR, EIO)                                                                    \
    F(connect, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, EACCES, EAGAIN)         \
    F(epoll_create1, EMFILE, ENFILE, ENOMEM)                                                \
    F(epoll_ctl_add, ENOMEM, ENOSPC)                                                        \
    F(epoll_ctl_del, ENOENT)                                                                \
    F(epoll_ctl_mod, ENOMEM)                                                                \
    F(epoll_pwait2, EINTR, ENOSYS)                                                          \
    F(epoll_wait, EINTR)                                                                    \
    F(eventfd, EMFILE, ENFILE, ENOMEM)                                                      \
    F(fallocate, EINTR, ENOSPC, ENOMEM)                                                     \
    F(fchmod, EPERM)                                                                        \
    F(fchmodat, EPERM)                                                                      \
    F(fchownat, EPERM)                                                                      \
    F(fcntl, EMFILE)                                                                        \
    F(fdopendir, ENOMEM)                                                                    \
    F(flock, EWOULDBLOCK, EINTR, ENOLCK)                                                    \
    F(fstat, ENOMEM)                                                                        \
    F(fstatat, ENOMEM, ENOENT, EACCES)                                                      \
    F(ftruncate, ENOSPC, ENOMEM)                                                            \
    F(getpeername, ENOBUFS, ENOTCONN)                                                       \
    F(getsockname, ENOBUFS)                                                                 \
    F(getsockopt, ENOBUFS)                                                                  \
    F(inotify_add_watch, ENOSPC, ENOMEM, EACCES)                                            \
    F(inotify_init1, EMFILE, ENOMEM)                                                        \
    F(ioctl, EINVAL)                                                                        \
    F(listen, EADDRINUSE)                                                                   \
    F(malloc, ENOMEM)                                                                       \
    F(memfd_create, EMFILE, ENFILE, ENOMEM, EINVAL)                                         \
    F(mkdirat, EACCES, ENOSPC)                                                              \
    F(mmap, ENOMEM)                                                                         \
    F(open, EMFILE, ENFILE, ENOENT, EACCES)                                                 \
    F(openat, EMFILE, ENFILE, ENOENT)                                                       \
    F(pipe2, EMFILE, ENFILE)                                                                \
    F(poll, EINTR, ENOMEM)                                                                  \
    F(pthread_atfork, ENOMEM)                                                               \
    F(read, EINTR, EIO)                                                                     \
    F(realloc, ENOMEM)                                                                      \
    F(recv, HALF, EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM)               \
    F(recvmsg, HALF, NO_FDS, EINTR, EAGAIN, ECONNRESET, ENOMEM)                             \
    F(renameat, ENOSPC, EACCES)                                                             \
    F(send, HALF, EINTR, EAGAIN, EPIPE, ECONNRESET, ENOBUFS, ENOMEM)                        \
    F(sendmsg, HALF, EINTR, EAGAIN, EPIPE, ECONNRESET, ENOBUFS, ENOMEM, ETOOMANYREFS)       \
    F(setsockopt, ENOMEM, ENOPROTOOPT)                                                      \
    F(shutdown, ENOTCONN)                                                                   \
    F(sigaction, EINVAL)                                                                    \
    F(socket, EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES)                                      \
    F(splice, EINTR, EPIPE, ECONNRESET, EINVAL, ENOMEM)                                     \
    F(syscall, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM)                                       \
    F(timer_create, EAGAIN, ENOMEM)                                                         \
    F(timer_delete, EINVAL)                                                                 \
    F(timer_settime, EINVAL)                                                                \
    F(timerfd_create, EMFILE, ENFILE, ENOMEM)                                               \
    F(timerfd_settime, EINVAL)                                                              \
    F(unlinkat, EACCES, ENOENT)                                                             \
    F(waitid, EINTR, ECHILD)

#define AT(name, ...) AT_##name,
enum { FUNCTIONS(AT) AT_END };
#undef AT

static const struct {
    const char *name;
    int errors[MAX_ERRORS]; /* up to a 0 */
} functions[AT_END] = {
#define ROW(name, ...) {#name, {__VA_ARGS__}},
    FUNCTIONS(ROW)
#undef ROW
};

/* ---- the present run ----------------------------------------------------------------------------- */

enum { MAX_CALLS = 30000, MAX_FDS = 1024 };

static struct {
    const char *scenario;
    bool inside; /* the library: its calls are counted and may fail */
    int function, error;
    unsigned place; /* which of the calls of the function is to fail */
    unsigned calls; /* of the function so far */
    unsigned long all_calls;
    bool happened;
    bool local;  /* Unix sockets: messages are never cut, and one that is broken hangs up */
    long blocks; /* of memory that the library holds */
    int edge;    /* a descriptor on which epoll owes an event; -1: none */
    unsigned problems;
    struct {
        int epoll_fd;
        struct epoll_event event;
    } registered[MAX_FDS];
} fault = {.function = AT_END, .edge = -1};

/* A call of the library. */
#define LIB(call)                              \
    ({                                         \
        fault.inside = true;                   \
        __typeof__(call) lib_result_ = (call); \
        fault.inside = false;                  \
        lib_result_;                           \
    })

static const char *fault_name(void)
{
    static char name[96];
    const char *what = fault.error == HALF ? "half" : "no descriptors";

    if (fault.function == AT_END)
        return "no fault";
    snprintf(name, sizeof name, "%s call %u: %s", functions[fault.function].name, fault.place,
             fault.error > 0 ? strerrorname_np(fault.error) : what);
    return name;
}

static void __attribute__((format(printf, 1, 2))) problem(const char *format, ...)
{
    va_list arguments;

    fault.problems++;
    fprintf(stderr, "%s, %s: ", fault.scenario, fault_name());
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* The fault of this call; 0: none. */
static int fault_at(int function)
{
    if (!fault.inside)
        return 0;
    if (++fault.all_calls > MAX_CALLS) {
        problem("spins: %s is called for ever", functions[function].name);
        abort();
    }
    if (function != fault.function || fault.calls++ != fault.place)
        return 0;
    fault.happened = true;
    return fault.error;
}

/* What a function does that fails without doing anything. */
#define FAIL_AT(name)                          \
    do {                                       \
        int fail_error_ = fault_at(AT_##name); \
        if (fail_error_) {                     \
            errno = fail_error_;               \
            return -1;                         \
        }                                      \
    } while (0)

#define PLAIN(name, parameters, arguments) \
    int __real_##name parameters;          \
    int __wrap_##name parameters           \
    {                                      \
        FAIL_AT(name);                     \
        return __real_##name arguments;    \
    }

PLAIN(accept4, (int fd, struct sockaddr *addr, socklen_t *length, int flags),
      (fd, addr, length, flags))
PLAIN(bind, (int fd, const struct sockaddr *addr, socklen_t length), (fd, addr, length))
PLAIN(chmod, (const char *path, mode_t mode), (path, mode))
PLAIN(connect, (int fd, const struct sockaddr *addr, socklen_t length), (fd, addr, length))
PLAIN(epoll_create1, (int flags), (flags))
PLAIN(eventfd, (unsigned value, int flags), (value, flags))
PLAIN(fchmodat, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags))
PLAIN(fchownat, (int folder, const char *path, uid_t uid, gid_t gid, int flags),
      (folder, path, uid, gid, flags))
PLAIN(fallocate, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length))
PLAIN(fchmod, (int fd, mode_t mode), (fd, mode))
PLAIN(flock, (int fd, int operation), (fd, operation))
PLAIN(fstat, (int fd, struct stat *found), (fd, found))
PLAIN(fstatat, (int folder, const char *path, struct stat *found, int flags),
      (folder, path, found, flags))
PLAIN(ftruncate, (int fd, off_t length), (fd, length))
PLAIN(getpeername, (int fd, struct sockaddr *addr, socklen_t *length), (fd, addr, length))
PLAIN(getsockname, (int fd, struct sockaddr *addr, socklen_t *length), (fd, addr, length))
PLAIN(getsockopt, (int fd, int level, int name, void *value, socklen_t *length),
      (fd, level, name, value, length))
PLAIN(inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))
PLAIN(inotify_init1, (int flags), (flags))
PLAIN(listen, (int fd, int backlog), (fd, backlog))
PLAIN(memfd_create, (const char *name, unsigned flags), (name, flags))
PLAIN(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
PLAIN(pipe2, (int fd[2], int flags), (fd, flags))
PLAIN(poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
PLAIN(renameat, (int from, const char *old, int to, const char *path), (from, old, to, path))
PLAIN(setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
      (fd, level, name, value, length))
PLAIN(shutdown, (int fd, int how), (fd, how))
PLAIN(sigaction, (int number, const struct sigaction *action, struct sigaction *old),
      (number, action, old))
PLAIN(socket, (int domain, int type, int protocol), (domain, type, protocol))
PLAIN(timer_create, (clockid_t clock, struct sigevent *event, timer_t *timer),
      (clock, event, timer))
PLAIN(timer_settime,
      (timer_t timer, int flags, const struct itimerspec *value, struct itimerspec *old),
      (timer, flags, value, old))
PLAIN(timerfd_create, (int clock, int flags), (clock, flags))
PLAIN(timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
      (fd, flags, value, old))
PLAIN(unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
PLAIN(waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))

ssize_t __real_splice(int in, off_t *in_at, int out, off_t *out_at, size_t length, unsigned flags);
ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t length, unsigned flags);
ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t length, unsigned flags)
{
    FAIL_AT(splice);
    return __real_splice(in, in_at, out, out_at, length, flags);
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
    errno = fault_at(AT_fdopendir);
    return errno ? NULL : __real_fdopendir(fd);
}

void *__real_mmap(void *at, size_t length, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t length, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t length, int access, int flags, int fd, off_t offset)
{
    errno = fault_at(AT_mmap);
    return errno ? MAP_FAILED : __real_mmap(at, length, access, flags, fd, offset);
}

/* ---- those with a variable number of arguments: the library never gives more than one, or two ------- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
    FAIL_AT(open);
    return __real_open(path, flags, mode);
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, mode_t mode);
int __wrap_openat(int folder, const char *path, int flags, mode_t mode)
{
    FAIL_AT(openat);
    return __real_openat(folder, path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, long argument);
int __wrap_fcntl(int fd, int command, long argument)
{
    FAIL_AT(fcntl);
    return __real_fcntl(fd, command, argument);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    FAIL_AT(ioctl);
    return __real_ioctl(fd, request, argument);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, long first, long second);
long __wrap_syscall(long number, long first, long second)
{
    FAIL_AT(syscall);
    return __real_syscall(number, first, second);
}

/* ---- those that do their work though they report a failure ------------------------------------------ */

int __real_close(int fd);
int __wrap_close(int fd)
{
    int error = fault_at(AT_close);
    int result = __real_close(fd);

    if (fault.edge == fd)
        fault.edge = -1;
    if (!error)
        return result;
    errno = error;
    return -1;
}

int __real_timer_delete(timer_t timer);
int __wrap_timer_delete(timer_t timer)
{
    int error = fault_at(AT_timer_delete);
    int result = __real_timer_delete(timer);

    errno = error ? error : errno;
    return error ? -1 : result;
}

int __real_pthread_atfork(void (*before)(void), void (*after)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*after)(void), void (*child)(void))
{
    int error = fault_at(AT_pthread_atfork);

    return error ? error : __real_pthread_atfork(before, after, child);
}

/* ---- epoll ------------------------------------------------------------------------------------------ */

int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __real_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout);
int __real_epoll_pwait2(int epoll_fd, struct epoll_event *events, int max,
                        const struct timespec *timeout, const sigset_t *mask);

/* A removal that fails means that nothing was there, or is not there any more. */
int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    int result;

    if (operation == EPOLL_CTL_DEL) {
        result = __real_epoll_ctl(epoll_fd, operation, fd, event);
        if (fault.edge == fd)
            fault.edge = -1;
        FAIL_AT(epoll_ctl_del);
        return result;
    }
    if (operation == EPOLL_CTL_MOD)
        FAIL_AT(epoll_ctl_mod);
    else
        FAIL_AT(epoll_ctl_add);
    if (fd < MAX_FDS) {
        fault.registered[fd].epoll_fd = epoll_fd;
        fault.registered[fd].event = *event;
    }
    return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

/* A socket that gave or took less than it could, or nothing, tells when it can do more: the kernel's
 * promise to those who watch edges. Here it is kept at the next wait. */
static void fault_edge(void)
{
    int fd = fault.edge;

    fault.edge = -1;
    if (fd >= 0 && fd < MAX_FDS)
        __real_epoll_ctl(fault.registered[fd].epoll_fd, EPOLL_CTL_MOD, fd,
                         &fault.registered[fd].event);
}

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout)
{
    FAIL_AT(epoll_wait);
    fault_edge();
    return __real_epoll_wait(epoll_fd, events, max, timeout);
}

int __wrap_epoll_pwait2(int epoll_fd, struct epoll_event *events, int max,
                        const struct timespec *timeout, const sigset_t *mask)
{
    FAIL_AT(epoll_pwait2);
    fault_edge();
    return __real_epoll_pwait2(epoll_fd, events, max, timeout, mask);
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

ssize_t __real_read(int fd, void *data, size_t length);
ssize_t __real_recv(int fd, void *data, size_t length, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __real_send(int fd, const void *data, size_t length, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_read(int fd, void *data, size_t length)
{
    FAIL_AT(read);
    return __real_read(fd, data, length);
}

/* Fails with an errno of a socket: after EAGAIN and half of something there is an edge to come; after
 * EINTR there is none. */
static int socket_fault(int fd, int error)
{
    if (error == EAGAIN || error == HALF)
        fault.edge = fd;
    if (fault.local && (error == EPIPE || error == ECONNRESET))
        __real_shutdown(fd, SHUT_RDWR);
    if (error > 0)
        errno = error;
    return error > 0;
}

static size_t half(size_t length)
{
    return length > 1 ? length / 2 : length;
}

/* Half of what there is to be read. */
static size_t half_readable(int fd)
{
    int there = 0;

    __real_ioctl(fd, FIONREAD, &there);
    return half(there > 0 ? (size_t)there : 1);
}

ssize_t __wrap_recv(int fd, void *data, size_t length, int flags)
{
    int error = fault_at(AT_recv);

    if (socket_fault(fd, error))
        return -1;
    if (error == HALF && half_readable(fd) < length)
        length = half_readable(fd);
    return __real_recv(fd, data, length, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    int error = fault_at(AT_recvmsg);

    if (socket_fault(fd, error))
        return -1;
    if (error == HALF && half_readable(fd) < message->msg_iov->iov_len)
        message->msg_iov->iov_len = half_readable(fd);
    if (error == NO_FDS)
        message->msg_controllen = 0;
    return __real_recvmsg(fd, message, flags);
}

ssize_t __wrap_send(int fd, const void *data, size_t length, int flags)
{
    int error = fault_at(AT_send);

    if (socket_fault(fd, error))
        return -1;
    return __real_send(fd, data, error == HALF ? half(length) : length, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    int error = fault_at(AT_sendmsg);
    struct iovec parts[64];
    struct msghdr shorter = *message;
    size_t length = 0;

    if (socket_fault(fd, error))
        return -1;
    if (error != HALF)
        return __real_sendmsg(fd, message, flags);
    for (size_t i = 0; i < message->msg_iovlen; i++)
        length += message->msg_iov[i].iov_len;
    length = half(length);
    shorter.msg_iov = parts;
    for (shorter.msg_iovlen = 0; length; shorter.msg_iovlen++) {
        struct iovec *part = &parts[shorter.msg_iovlen];
        *part = message->msg_iov[shorter.msg_iovlen];
        if (part->iov_len > length)
            part->iov_len = length;
        length -= part->iov_len;
    }
    return __real_sendmsg(fd, &shorter, flags);
}

/* ---- memory ----------------------------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

static void *counted(void *memory)
{
    fault.blocks += fault.inside && memory;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return fault_at(AT_malloc) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fault_at(AT_calloc) ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    void *result;

    if (fault_at(AT_realloc))
        return NULL;
    result = __real_realloc(memory, size);
    return memory ? result : counted(result);
}

void __wrap_free(void *memory)
{
    fault.blocks -= fault.inside && memory;
    __real_free(memory);
}

/* ---- turning ---------------------------------------------------------------------------------------- */

/* A run must not take longer: what waits for a timeout of the library, all of which are longer, has
 * lost an event. Turns are bounded too; a fault costs a few more, not many. */
enum { RUN_MS = 3000, RUN_TURNS = 600 };

static struct {
    uint64_t end;
    unsigned turns;
} bound;

/* False, once and for all, if the run has taken too long. */
static inline bool in_bounds(void)
{
    if (bound.end == 0)
        return false;
    if (++bound.turns <= RUN_TURNS * (test_slow() ? 3 : 1) && test_now() <= bound.end)
        return true;
    problem("does not come to its end: %u turns", bound.turns);
    bound.end = 0;
    return false;
}

/* A turn inside a loop of our own, which also watches one of our descriptors. */
static inline void turn_with(struct cdt_reactor *reactor, int fd, short events)
{
    struct pollfd fds[2] = {{.fd = LIB(cdt_reactor_fd(reactor)), .events = POLLIN},
                            {.fd = fd, .events = events}};
    uint64_t timeout = 0;
    int result = LIB(cdt_reactor_prepare(reactor, &timeout));

    fault_edge();
    __real_poll(fds, 2,
                timeout < RUN_MS * CDT_MS ? (int)((timeout + CDT_MS - 1) / CDT_MS) : RUN_MS);
    if (result == 0)
        result = LIB(cdt_reactor_step(reactor, 0));
    if (result < 0)
        problem("the turn: %s", cdt_strerror(result));
}

static inline void turn(struct cdt_reactor *reactor)
{
    int result = LIB(cdt_reactor_step(reactor, RUN_MS * CDT_MS));

    if (result < 0)
        problem("the turn: %s", cdt_strerror(result));
}

/* ---- all runs --------------------------------------------------------------------------------------- */

/* What a run has come to. */
struct outcome {
    bool complete; /* all that was to be done was done */
    bool told;     /* somebody was told of a failure */
};
typedef struct outcome scenario_fn(void);

/* What nobody is to notice but by some delay: a call that is only to be made again, or whose work was done,
 * or that there is another way for. */
static bool is_harmless(void)
{
    switch (fault.function) {
    case AT_close:
    case AT_epoll_ctl_del:
    case AT_epoll_pwait2:
    case AT_flock:
    case AT_ioctl:
    case AT_read:
    case AT_timerfd_create:
    case AT_timerfd_settime:
        return true;
    case AT_accept4:
    case AT_recv:
    case AT_recvmsg:
    case AT_send:
    case AT_sendmsg:
        return fault.error == EAGAIN || fault.error == EINTR ||
               (fault.error == HALF && !fault.local);
    default:
        return fault.error == EINTR;
    }
}

static void on_alarm(int number)
{
    (void)number;
    problem("hangs");
    _exit(1);
}

static void run(scenario_fn *scenario)
{
    unsigned fds = test_open_fds();
    struct outcome outcome;

    fault.calls = 0;
    fault.all_calls = 0;
    fault.happened = false;
    fault.blocks = 0;
    fault.edge = -1;
    bound.end = test_now() + RUN_MS * CDT_MS * (test_slow() ? 5 : 1);
    bound.turns = 0;
    if (getenv("CDT_FAULT_TRACE"))
        fprintf(stderr, "%s, %s\n", fault.scenario, fault_name());
    alarm(60);
    outcome = scenario();
    alarm(0);
    if (fault.blocks)
        problem("%ld blocks of memory are left", fault.blocks);
    if (test_open_fds() != fds)
        problem("%u descriptors are open, %u were", test_open_fds(), fds);
    if (!outcome.complete && !outcome.told)
        problem("not all was done, and nobody was told");
    if (!outcome.complete && is_harmless())
        problem("not all was done, for so little");
    if (!fault.happened && !outcome.complete)
        problem("not all was done without any fault");
}

/* Every fault of a scenario; at least `least` of them. */
static void inject(const char *name, scenario_fn *scenario, unsigned least)
{
    unsigned step = test_slow() ? 4 : 1, all = 0;

    fault.scenario = name;
    fault.function = AT_END;
    fault.problems = 0;
    signal(SIGALRM, on_alarm);
    run(scenario);
    printf("%s:", name);
    for (fault.function = 0; fault.function < AT_END; fault.function++) {
        unsigned count = 0;

        for (int i = 0; i < MAX_ERRORS && functions[fault.function].errors[i]; i++) {
            fault.error = functions[fault.function].errors[i];
            for (fault.place = step == 1 ? 0 : (unsigned)i % step;; fault.place += step) {
                run(scenario);
                if (!fault.happened)
                    break;
                count++;
            }
        }
        if (count)
            printf(" %s %u", functions[fault.function].name, count);
        all += count;
    }
    printf(", %u faults in all\n", all);
    fault.function = AT_END;
    assert_int_equal(fault.problems, 0);
    assert_true(all >= least / step);
}

#endif
