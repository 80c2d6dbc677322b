/* Names of servers: /conduit/NAME is the domain id of who serves it. On local a name belongs to one
 * process, as long as it lives: flock(2) on a file beside the store says so, and the kernel drops
 * it whatever happens to us. What a process that was killed has left is taken over. Xenstore has
 * nothing like it: there the last one who registers has the name. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vchan/internal.h"

/* ---- the lock -------------------------------------------------------------------------------- */

static int open_locked(const char *path, mode_t mode)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode & 0666);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    const int error = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
    close(fd);
    return error;
}

/* Whether this is the file of that path: who had the lock before us removes it. */
static bool is_file(int fd, const char *path)
{
    struct stat ours, found;
    return fstat(fd, &ours) == 0 && lstat(path, &found) == 0 && ours.st_dev == found.st_dev &&
           ours.st_ino == found.st_ino;
}

static int lock(struct vchan_name *name)
{
    enum { ATTEMPTS = 8 };
    const struct vchan_store *store = name->store;
    if (store->backend != CDT_VCHAN_LOCAL)
        return 0;
    const int length = snprintf(name->lock_path, sizeof name->lock_path, "%s/name-%s",
                                store->directory, name->name);
    if (length >= (int)sizeof name->lock_path)
        return -ENAMETOOLONG;
    for (int i = 0; i < ATTEMPTS; i++) {
        const int fd = open_locked(name->lock_path, store->mode);
        if (fd < 0)
            return fd;
        if (is_file(fd, name->lock_path)) {
            name->lock = fd;
            return 0;
        }
        close(fd);
    }
    return -EADDRINUSE;
}

static void unlock(struct vchan_name *name)
{
    if (name->lock < 0)
        return;
    if (is_file(name->lock, name->lock_path))
        unlink(name->lock_path);
    close(name->lock);
    name->lock = -1;
}

/* ---- registering ----------------------------------------------------------------------------- */

static int write_name(struct vchan_name *name)
{
    char text[16];
    const int domid = name->store->ops->domid(name->store);
    if (domid < 0)
        return domid;
    snprintf(text, sizeof text, "%d", domid);
    return name->store->ops->write(name->store, name->path, text);
}

/* Unless another domain has taken it over. */
static void remove_name(struct vchan_name *name)
{
    char text[16];
    unsigned owner;
    struct vchan_store *store = name->store;
    const int domid = store->ops->domid(store);
    const int length = store->ops->read(store, name->path, text, sizeof text);
    if (length >= 0 && vchan_domid_read(text, &owner) == 0 && (int)owner == domid)
        store->ops->remove(store, name->path);
}

static void name_free(struct vchan_name *name)
{
    list_remove(&name->link);
    unlock(name);
    mem_free(name);
}

static int name_new(struct vchan_store *store, const char *text, struct vchan_name **result)
{
    struct vchan_name *name = mem_zalloc(sizeof *name);
    if (!name)
        return -ENOMEM;
    name->store = store;
    name->lock = -1;
    list_init(&name->ports);
    list_append(&store->names, &name->link);
    snprintf(name->name, sizeof name->name, "%s", text);
    int status = vchan_name_path(name->path, text);
    if (status == 0)
        status = lock(name);
    if (status == 0) /* requests that wait for one that was killed are for us */
        status = write_name(name);
    if (status) {
        name_free(name);
        return status;
    }
    *result = name;
    return 0;
}

static struct vchan_name *find(const struct vchan_store *store, const char *text)
{
    for (struct list *at = store->names.next; at != &store->names; at = at->next) {
        struct vchan_name *name = cdt_container_of(at, struct vchan_name, link);
        if (strcmp(name->name, text) == 0)
            return name;
    }
    return NULL;
}

static bool has_port(const struct vchan_name *name, const char *port)
{
    for (struct list *at = name->ports.next; at != &name->ports; at = at->next) {
        if (strcmp(cdt_container_of(at, struct vchan_name_port, link)->port, port) == 0)
            return true;
    }
    return false;
}

int vchan_name_claim(struct vchan_store *store, const char *text, struct vchan_name_port *port,
                     const char **why)
{
    struct vchan_name *name = find(store, text);
    int status = 0;
    *why = NULL;
    if (name && has_port(name, port->port)) {
        *why = "this port of the name is served already";
        return -EADDRINUSE;
    }
    if (!name)
        status = name_new(store, text, &name);
    if (status == -EADDRINUSE)
        *why = "another server has registered this name";
    if (status)
        return status;
    port->name = name;
    list_append(&name->ports, &port->link);
    return 0;
}

void vchan_name_release(struct vchan_name_port *port)
{
    struct vchan_name *name = port->name;
    if (!name)
        return;
    port->name = NULL;
    list_remove(&port->link);
    if (!list_empty(&name->ports))
        return;
    remove_name(name);
    name_free(name);
}
