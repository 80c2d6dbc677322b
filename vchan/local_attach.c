/* A client of the local backend: connects to the socket in the place of its server, and waits until
 * the server has sent the memory of its rings. All that comes is looked at before it is used; a
 * server that says nothing is waited for as long as the caller likes. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vchan/local.h"

enum {
    RETRY_MAX = 64, /* ms */
    DENIALS = 10,   /* a folder that is being made lets nobody in for a moment */
    FDS = 4         /* that are looked at: there must be one */
};

struct local_attempt {
    struct vchan_attempt *attempt;
    struct cdt_watch watch;
    struct cdt_timer retry;
    uint64_t delay;
    unsigned denials;
    int fd;
};

/* ---- the end --------------------------------------------------------------------------------- */

/* Its socket is closed, unless a vchan has it. */
static void end(struct local_attempt *local)
{
    local->attempt->state = NULL;
    cdt_watch_remove(&local->watch);
    cdt_timer_cancel(&local->retry);
    local_close_fd(local->attempt->reactor, &local->fd);
    mem_free(local);
}

void local_cancel(struct vchan_attempt *attempt)
{
    if (attempt->state)
        end(attempt->state);
}

/* As a step says. */
static void report(struct local_attempt *local, int status)
{
    struct vchan_attempt *attempt = local->attempt;
    if (status == -EINPROGRESS)
        return;
    end(local);
    vchan_attempt_done(attempt, status);
}

static int fail(struct local_attempt *local, int status, const char *why)
{
    local->attempt->why = why;
    return status;
}

/* ---- what the server sends ------------------------------------------------------------------- */

struct message {
    struct local_hello hello;
    ssize_t length;
    bool cut; /* there were more descriptors */
    int fds[FDS];
    unsigned count;
};

static void close_fds(const struct message *message)
{
    for (unsigned i = 0; i < message->count; i++)
        close(message->fds[i]);
}

/* 0, or a negative errno. */
static int receive(int fd, struct message *message)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof message->fds)];
    } control;
    struct iovec part = {&message->hello, sizeof message->hello};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.space,
                            .msg_controllen = sizeof control.space};
    message->length = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (message->length < 0)
        return -errno;
    message->cut = header.msg_flags & MSG_CTRUNC;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t size = at->cmsg_len - CMSG_LEN(0);
        memcpy(message->fds, CMSG_DATA(at), size);
        message->count = (unsigned)(size / sizeof *message->fds);
    }
    return 0;
}

/* What is wrong with it; NULL: nothing. */
static const char *fault_of(const struct message *message)
{
    const struct local_hello *hello = &message->hello;
    if (message->length != sizeof *hello ||
        memcmp(hello->magic, LOCAL_MAGIC, sizeof hello->magic) != 0)
        return "what answers is no server of vchan";
    if (hello->version != LOCAL_VERSION)
        return "the server speaks another version";
    if (hello->answer == LOCAL_REFUSED && message->count == 0)
        return NULL;
    if (hello->answer != LOCAL_GRANTED)
        return "the server gave an impossible answer";
    if (message->cut || message->count > 1)
        return "the server sent more than one descriptor";
    return message->count == 0 ? "the server sent no memory" : NULL;
}

static int take_memory(struct local_attempt *local, const struct message *message)
{
    struct vchan_attempt *attempt = local->attempt;
    const struct local_side side = {attempt->reactor, &attempt->settings, attempt->domid,
                                    attempt->port, false};
    struct local_memory memory = {0};
    int error = local_memory_take(&memory, message->fds[0], message->hello.left_order,
                                  message->hello.right_order, &attempt->why);
    if (error)
        return error;
    error = local_vchan_new(&side, local->fd, &memory, &attempt->vchan);
    if (error) {
        local_memory_free(&memory);
        return error == -EPROTO ? fail(local, error, "the server's ring is in an impossible state")
                                : error;
    }
    cdt_watch_remove(&local->watch);
    local->fd = -1;
    return 0;
}

static int take_answer(struct local_attempt *local, const struct message *message)
{
    const char *fault = fault_of(message);
    if (fault)
        return fail(local, -EPROTO, fault);
    if (message->hello.answer == LOCAL_REFUSED)
        return fail(local, -EACCES, "the server serves its own user and root only");
    return take_memory(local, message);
}

/* A listener that is closed resets those who wait to be accepted: its server is gone, and another
 * one may come. One that was accepted and hears nothing was not wanted. Where not even one
 * descriptor had room in the message it had none in our table. */
static int read_answer(struct local_attempt *local)
{
    struct message message = {.count = 0};
    int status = receive(local->fd, &message);
    if (status == -EAGAIN || status == -EINTR)
        return -EINPROGRESS;
    if (status == -ECONNRESET)
        return -ENOENT;
    if (status)
        return status;
    if (message.cut && message.count == 0)
        return -EMFILE;
    if (message.length == 0)
        return fail(local, -ECONNRESET, "the server closed the connection before it gave a ring");
    status = take_answer(local, &message);
    close_fds(&message);
    return status;
}

static void on_answer(struct cdt_watch *watch, unsigned events)
{
    struct local_attempt *local = cdt_container_of(watch, struct local_attempt, watch);
    (void)events;
    report(local, read_answer(local));
}

/* ---- connecting ------------------------------------------------------------------------------ */

static int connect_to(int fd, const struct files_root *root, const char *path)
{
    struct cdt_addr at;
    int folder = -1;
    int status = files_address(root, path, -1, FILES_SOCKET, &at);
    if (status == -ENAMETOOLONG) {
        folder = files_open(root, path, O_PATH, false);
        status = folder < 0 ? folder : files_address(root, path, folder, FILES_SOCKET, &at);
    }
    if (status == 0 && connect(fd, &at.any, at.length))
        status = -errno;
    if (folder >= 0)
        close(folder);
    return status;
}

static int try_again(struct local_attempt *local)
{
    local->delay = local->delay ? local->delay * 2 : CDT_MS;
    if (local->delay > RETRY_MAX * CDT_MS)
        local->delay = RETRY_MAX * CDT_MS;
    cdt_timer_set(local->attempt->reactor, &local->retry, local->delay);
    return -EINPROGRESS;
}

static int connected(struct local_attempt *local)
{
    if (!local_trusts(&local->attempt->settings, local->fd))
        return fail(local, -EACCES, "the server is neither of our own user nor of root");
    const int status = cdt_watch_add(local->attempt->reactor, &local->watch, local->fd, CDT_READ);
    return status ? status : -EINPROGRESS;
}

/* A full backlog is waited for: nothing tells when there is room again. */
static int knock(struct local_attempt *local)
{
    struct vchan_attempt *attempt = local->attempt;
    const struct files_root root = {attempt->settings.directory, attempt->settings.mode};
    const int status = connect_to(local->fd, &root, attempt->path);
    switch (status) {
    case 0:
        return connected(local);
    case -EAGAIN:
    case -EINTR:
        return try_again(local);
    case -ENOENT:
    case -ECONNREFUSED:
        return -ENOENT;
    case -EACCES:
        return ++local->denials < DENIALS ? try_again(local) : -EACCES;
    case -ENAMETOOLONG:
        return fail(local, status, "the path of vchan's directory is too long without /proc");
    default:
        return status;
    }
}

static void on_retry(struct cdt_timer *timer)
{
    struct local_attempt *local = cdt_container_of(timer, struct local_attempt, retry);
    report(local, knock(local));
}

int local_attach(struct vchan_attempt *attempt)
{
    struct local_attempt *local = mem_zalloc(sizeof *local);
    if (!local)
        return -ENOMEM;
    attempt->state = local;
    attempt->vchan = NULL;
    local->attempt = attempt;
    local->watch.fn = on_answer;
    local->retry.fn = on_retry;
    local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int status = local->fd < 0 ? -errno : knock(local);
    if (status != -EINPROGRESS)
        end(local);
    return status;
}
