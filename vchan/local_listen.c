/* A server of the local backend: a socket in its place, and for each client memory for two rings,
 * sent over the client's socket.
 *
 * The socket is made under another name and renamed when it listens: who sees it can connect, and
 * who waits for it is told by just that. One that was left behind is replaced, one that is answered
 * is not; both looks and the renaming happen under flock(2) on the folder, which the kernel drops
 * whatever happens to us. Where another has the lock, opening is tried again a little later, and
 * after a second without it: anybody who can read the folder can hold it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vchan/local.h"

enum {
    LOCK_ATTEMPTS = 500,
    OPENINGS = 4, /* the folder is removed, under the lock, by one who has stopped to serve */
    BACKLOG = 4096,
    SOCKET_MODE = 0666
};

struct local_port {
    struct vchan_port *port;
    struct cdt_watch watch;
    struct cdt_deferred again;
    struct unix_file file; /* `folder` is -1 before it is there */
    int fd;
    int client; /* accepted, and not yet served for want of something; -1: none */
    unsigned attempts;
};

static struct files_root root_of(const struct vchan_port *port)
{
    return (struct files_root){port->settings.directory, port->settings.mode};
}

static int fail(struct vchan_port *port, int status, const char *why)
{
    port->why = why;
    return status;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* Whether somebody serves there: -EADDRINUSE, 0, others. */
static int look_for_server(struct vchan_port *port, int folder)
{
    const struct files_root root = root_of(port);
    struct cdt_addr at;
    int status = files_address(&root, port->path, folder, FILES_SOCKET, &at);
    if (status == 0)
        status = unix_file_probe(&at);
    if (status == 0 || status == -EAGAIN)
        return fail(port, -EADDRINUSE, "another server answers there");
    if (status == -EACCES)
        return fail(port, -EADDRINUSE, "the socket of another user is there");
    return status == -ENOENT || status == -ECONNREFUSED ? 0 : status;
}

/* Binds to the name of what is under way, which the lock makes ours. */
static int bind_socket(const struct vchan_port *port, int fd, int folder)
{
    const struct files_root root = root_of(port);
    struct cdt_addr at;
    const int status = files_address(&root, port->path, folder, FILES_UNDERWAY, &at);
    if (status)
        return status;
    if (bind(fd, &at.any, at.length) == 0)
        return 0;
    if (errno != EADDRINUSE || unlinkat(folder, FILES_UNDERWAY, 0))
        return -errno;
    return bind(fd, &at.any, at.length) ? -errno : 0;
}

static int put_in_place(const struct vchan_port *port, struct unix_file *file, int fd)
{
    const struct unix_owner owner = {.mode = port->settings.mode & SOCKET_MODE};
    int status = unix_file_made(file, &owner);
    if (status == 0 &&
        (listen(fd, BACKLOG) || renameat(file->folder, file->name, file->folder, FILES_SOCKET)))
        status = -errno;
    if (status)
        unix_file_remove(file);
    snprintf(file->name, sizeof file->name, FILES_SOCKET);
    return status;
}

static int open_socket(struct vchan_port *port, int folder, struct unix_file *file)
{
    int status = look_for_server(port, folder);
    if (status)
        return status;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    status = bind_socket(port, fd, folder);
    if (status == 0) {
        *file = (struct unix_file){.folder = folder, .name = FILES_UNDERWAY};
        status = put_in_place(port, file, fd);
    }
    if (status) {
        close(fd);
        return status;
    }
    return fd;
}

/* The listening socket, or a negative code; -EINPROGRESS: another has the lock; -ENOENT: the folder
 * is gone. Who has stopped meanwhile may have left an empty folder to us. */
static int open_locked(struct local_port *local)
{
    struct vchan_port *port = local->port;
    const struct files_root root = root_of(port);
    const int folder = files_open(&root, port->path, O_RDONLY, true);
    if (folder < 0)
        return folder;
    const bool locked = flock(folder, LOCK_EX | LOCK_NB) == 0;
    int fd = -EINPROGRESS;
    if (locked || errno != EWOULDBLOCK || local->attempts >= LOCK_ATTEMPTS)
        fd = files_is_folder(&root, port->path, folder) ? open_socket(port, folder, &local->file)
                                                        : -ENOENT;
    if (fd < 0) {
        if (locked && fd != -ENOENT)
            files_prune(&root, port->path);
        close(folder);
        return fd;
    }
    flock(folder, LOCK_UN);
    local->file.folder = folder;
    return fd;
}

static int open_port(struct local_port *local)
{
    int status = -ENOENT;
    for (int i = 0; i < OPENINGS && status == -ENOENT; i++)
        status = open_locked(local);
    if (status == -ENOENT && local->attempts < LOCK_ATTEMPTS)
        status = -EINPROGRESS;
    if (status == -EINPROGRESS)
        local->attempts++;
    if (status == -ENAMETOOLONG)
        local->port->why = "the path of vchan's directory is too long without /proc";
    if (status < 0)
        return status;
    local->fd = status;
    return cdt_watch_add(local->port->reactor, &local->watch, local->fd, 0);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void on_client(struct cdt_watch *watch, unsigned events)
{
    struct vchan_port *port = cdt_container_of(watch, struct local_port, watch)->port;
    (void)events;
    port->ready(port);
}

static void on_again(struct cdt_deferred *deferred)
{
    struct vchan_port *port = cdt_container_of(deferred, struct local_port, again)->port;
    port->ready(port);
}

static struct local_port *port_new(struct vchan_port *port)
{
    struct local_port *local = mem_zalloc(sizeof *local);
    if (!local)
        return NULL;
    local->port = port;
    local->watch.fn = on_client;
    local->again.fn = on_again;
    local->fd = local->client = local->file.folder = -1;
    port->state = local;
    return local;
}

/* What waits for the lock is called again, or closed. */
int local_open(struct vchan_port *port)
{
    struct local_port *local = port->state ? port->state : port_new(port);
    if (!local)
        return -ENOMEM;
    const int status = open_port(local);
    if (status && status != -EINPROGRESS)
        local_close(port);
    return status;
}

/* The file goes first: as long as we listen nobody replaces it. */
void local_close(struct vchan_port *port)
{
    struct local_port *local = port->state;
    const struct files_root root = root_of(port);
    if (!local)
        return;
    port->state = NULL;
    cdt_watch_remove(&local->watch);
    cdt_defer_cancel(&local->again);
    if (local->file.folder >= 0) {
        unix_file_remove(&local->file);
        if (flock(local->file.folder, LOCK_EX | LOCK_NB) == 0) /* nobody is about to serve there */
            files_prune(&root, port->path);
        close(local->file.folder);
    }
    local_close_fd(port->reactor, &local->client);
    local_close_fd(port->reactor, &local->fd);
    mem_free(local);
}

/* ---- clients --------------------------------------------------------------------------------- */

void local_arm(struct vchan_port *port, bool on)
{
    struct local_port *local = port->state;
    cdt_watch_modify(&local->watch, on ? CDT_READ : 0);
    if (on && local->client >= 0)
        cdt_defer(port->reactor, &local->again);
    else
        cdt_defer_cancel(&local->again);
}

/* One message, which is not cut, into a socket in which nothing is yet: 0 or a negative errno. */
static int send_hello(int fd, const struct local_hello *hello, int memory)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof memory)];
    } control = {.header = {CMSG_LEN(sizeof memory), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {(void *)(uintptr_t)hello, sizeof *hello};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (memory >= 0) {
        memcpy(CMSG_DATA(&control.header), &memory, sizeof memory);
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
    }
    const ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    return n == (ssize_t)sizeof *hello ? 0 : -EPIPE;
}

static struct local_hello hello_of(unsigned answer, unsigned left_order, unsigned right_order)
{
    struct local_hello hello = {
        {0}, LOCAL_VERSION, (uint16_t)answer, (uint16_t)left_order, (uint16_t)right_order};
    memcpy(hello.magic, LOCAL_MAGIC, sizeof hello.magic);
    return hello;
}

/* Takes a client that waits: 0, and it is `local->client`. */
static int take_client(struct local_port *local)
{
    const int fd = accept4(local->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (!local_trusts(&local->port->settings, fd)) {
        const struct local_hello refusal = hello_of(LOCAL_REFUSED, 0, 0);
        (void)send_hello(fd, &refusal, -1);
        close(fd);
        return -EPERM;
    }
    local->client = fd;
    return 0;
}

/* Gives the client its memory. One that is gone makes room for the next; where something is wanting
 * it stays ours, for the next time. */
static int give(struct local_port *local, struct local_memory *memory, int fd, struct vchan **vchan)
{
    struct vchan_port *port = local->port;
    const struct local_side side = {port->reactor, &port->settings, port->domid, port->port, true};
    const struct local_hello hello =
        hello_of(LOCAL_GRANTED, memory->layout.left_order, memory->layout.right_order);
    int status = local_vchan_new(&side, local->client, memory, vchan);
    if (status) {
        local_memory_free(memory);
        return status;
    }
    status = send_hello(local->client, &hello, fd);
    if (status == 0) {
        local->client = -1;
        return 0;
    }
    (*vchan)->bell->close(*vchan, CDT_CLOSE_KEEP);
    if (status != -EPIPE && status != -ECONNRESET)
        return status == -EAGAIN ? -ENOBUFS : status;
    close(local->client);
    local->client = -1;
    return -ECONNABORTED;
}

/* Left is what we read. */
int local_accept(struct vchan_port *port, struct vchan **vchan)
{
    struct local_port *local = port->state;
    struct local_memory memory = {0};
    unsigned left_order, right_order;
    int status = local->client < 0 ? take_client(local) : 0;
    if (status == 0)
        status = vchan_orders(port->settings.read_size, port->settings.write_size, &left_order,
                              &right_order);
    if (status)
        return status;
    const int fd = local_memory_make(&memory, left_order, right_order);
    if (fd < 0)
        return fd;
    status = give(local, &memory, fd, vchan);
    close(fd);
    return status;
}
