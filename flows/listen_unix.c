/* Listening on a Unix socket: a file, or a name in the abstract namespace.
 *
 * A file that is in the way is replaced if it is a socket that nobody answers. Between bind(2) and
 * listen(2) a socket that is being made looks just like that, and between the look and the
 * unlink(2) another server may have made its own. So all of it happens under flock(2) on the
 * folder: it leaves no file behind, and the kernel drops it whatever happens to us. (Binding a
 * private name and renaming it needs such a lock as well, and getpeername(2) and getsockname(2)
 * would show the private name for ever.) The lock is held for some ten system calls; where another
 * has it, opening is tried again a little later, without it after a second, since anybody who can
 * read the folder can hold it.
 *
 * Nobody can connect before listen(2), so mode and owner are in force when the first client comes.
 * On stop the file is removed before the descriptor is closed: as long as we listen nobody replaces
 * it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flows/server.h"

enum { LOCK_ATTEMPTS = 500, PATH_MAX_LENGTH = sizeof(((struct sockaddr_un *)0)->sun_path) };

static void unix_close(struct cdt_listener *listener);

static const struct cdt_listener_ops unix_listener_ops = {
    .size = sizeof unix_listener_ops,
    .accept = socket_accept,
    .close = unix_close,
    .address = socket_listener_address,
    .set_backlog = socket_set_backlog,
};

/* ---- the file -------------------------------------------------------------------------------- */

/* Why the path cannot be used. */
static int in_use(struct cdt_server *server, const char *text)
{
    snprintf(server->text, sizeof server->text, "%s: %s", cdt_strerror(EADDRINUSE), text);
    return -EADDRINUSE;
}

/* Removes what is in the way, if it is a socket that was left behind. */
static int remove_stale(struct cdt_server *server, const struct unix_file *file)
{
    struct stat found;
    int status;

    if (fstatat(file->folder, file->name, &found, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode))
        return in_use(server, "the file is not a socket");
    status = unix_file_probe(&server->address);
    if (status == -ECONNREFUSED)
        return unlinkat(file->folder, file->name, 0) && errno != ENOENT ? -errno : 0;
    if (status == 0 || status == -EAGAIN)
        return in_use(server, "another server answers");
    if (status == -EACCES || status == -EPROTOTYPE)
        return in_use(server, cdt_strerror(status));
    return status == -ENOENT ? 0 : status;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* Binds and listens; the file is made, under the lock. */
static int open_file(struct cdt_server *server, struct unix_file *file)
{
    const struct cdt_server_options *options = &server->options;
    const struct unix_owner owner = {options->unix_mode, options->unix_chown, options->unix_uid,
                                     options->unix_gid};
    const struct cdt_addr *at = &server->address;
    int fd = server->listener.fd;
    int error = bind(fd, &at->any, at->length) ? -errno : 0;

    if (error == -EADDRINUSE) {
        error = remove_stale(server, file);
        if (!error && bind(fd, &at->any, at->length))
            error = -errno;
    }
    if (error)
        return error;
    error = unix_file_made(file, &owner);
    if (!error)
        error = server_apply_backlog(server);
    if (error)
        unix_file_remove(file);
    return error;
}

static int open_abstract(struct cdt_server *server)
{
    if (bind(server->listener.fd, &server->address.any, server->address.length))
        return -errno;
    return server_apply_backlog(server);
}

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == EACCES)
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Splits the path at its last slash, and opens what is before it. */
static int find_file(const struct cdt_addr *at, struct unix_file *file)
{
    char path[PATH_MAX_LENGTH + 1] = {0}, *slash;

    memcpy(path, at->local.sun_path, at->length - offsetof(struct sockaddr_un, sun_path));
    slash = strrchr(path, '/');
    snprintf(file->name, sizeof file->name, "%s", slash ? slash + 1 : path);
    if (!*file->name || strcmp(file->name, ".") == 0 || strcmp(file->name, "..") == 0)
        return -EISDIR;
    if (slash)
        slash[slash == path] = 0;
    file->folder = open_folder(slash ? path : ".");
    return file->folder < 0 ? file->folder : 0;
}

static int open_locked(struct cdt_server *server)
{
    struct unix_file *file = mem_zalloc(sizeof *file);
    int error;

    if (!file)
        return -ENOMEM;
    error = find_file(&server->address, file);
    if (error) {
        mem_free(file);
        return error;
    }
    if (flock(file->folder, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK &&
        server->attempts < LOCK_ATTEMPTS)
        error = -EINPROGRESS;
    if (!error)
        error = open_file(server, file);
    if (error) {
        close(file->folder);
        mem_free(file);
        return error;
    }
    flock(file->folder, LOCK_UN);
    server->listener.context = file;
    return 0;
}

static int unix_open(struct cdt_server *server)
{
    int error;

    server->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener.fd < 0)
        return -errno;
    error = *server->address.local.sun_path ? open_locked(server) : open_abstract(server);
    if (error) {
        close(server->listener.fd);
        server->listener.fd = -1;
    }
    return error;
}

static void unix_close(struct cdt_listener *listener)
{
    struct unix_file *file = listener->context;

    if (file) {
        unix_file_remove(file);
        close(file->folder);
        mem_free(file);
    }
    socket_close_listener(listener);
}

static bool is_unix(const struct cdt_addr *at)
{
    return at && at->length > offsetof(struct sockaddr_un, sun_path) + 1 &&
           at->length <= sizeof at->local && at->any.sa_family == AF_UNIX;
}

int cdt_unix_listen(struct cdt_reactor *reactor, const struct cdt_addr *at,
                    const struct cdt_server_options *options, const struct cdt_handler *handler,
                    struct cdt_server **result)
{
    struct cdt_server *server;
    int error;

    if (!is_unix(at) || !result)
        return -EINVAL;
    error = server_new(reactor, options, handler, &server);
    if (error)
        return error;
    server->ops = &unix_listener_ops;
    socket_carrier(server, AF_UNIX);
    server->open = unix_open;
    server->address = *at;
    server_start(server);
    *result = server;
    return 0;
}
