/* The store of backend xen: xenstore, through libxenstore. A request is sent and its answer
 * awaited, which takes the daemon some ten microseconds; only watches come by the reactor.
 *
 * WHO MAY READ. A new node is as its parent: in what domain 0 makes, guests may read nothing. The
 * nodes of names are for all: what is written at /conduit/NAME others may read, and put their
 * requests below it, which xenstore cannot tell from changing the name. */
#ifdef CDT_HAVE_XEN
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vchan/xen.h"

static const char names[] = "/conduit";

enum { EVENTS = 64 /* in one turn */ };

static struct xs_handle *handle(struct vchan_store *store)
{
    return xen_store_of(store)->xs;
}

static int failed(void)
{
    return errno ? -errno : -EIO;
}

int xen_unreadable(int error)
{
    return error == EACCES ? -ENOENT : error ? -error : -EIO;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int xen_read(struct vchan_store *store, const char *path, char *value, size_t size)
{
    unsigned length = 0;
    char *text = xs_read(handle(store), XBT_NULL, path, &length);
    int result = (int)length;

    if (!text)
        return xen_unreadable(errno);
    if (length >= size)
        result = -E2BIG;
    else if (memchr(text, 0, length))
        result = -EPROTO;
    else
        memcpy(value, text, length + 1);
    free(text);
    return result;
}

static int permit(struct vchan_store *store, const char *path, unsigned others)
{
    const int own = store->ops->domid(store);
    if (own < 0)
        return own;
    struct xs_permissions permissions = {.id = (unsigned)own, .perms = others};
    return xs_set_permissions(handle(store), XBT_NULL, path, &permissions, 1) ? 0 : failed();
}

/* The root of all names: anyone may look for one. Who else may register is the administrator's
 * say. */
static int make_names(struct vchan_store *store)
{
    char value[1];

    if (xen_read(store, names, value, sizeof value) != -ENOENT)
        return 0;
    return xs_mkdir(handle(store), XBT_NULL, names) ? permit(store, names, XS_PERM_READ) : failed();
}

/* Whether it is /conduit/NAME. */
static bool is_name(const char *path)
{
    const size_t root = sizeof names - 1;
    return strncmp(path, names, root) == 0 && path[root] == '/' && !strchr(path + root + 1, '/');
}

static int xen_write(struct vchan_store *store, const char *path, const char *value)
{
    if (is_name(path) && store->ops->domid(store) == 0) {
        const int status = make_names(store);
        if (status)
            return status;
    }
    if (!xs_write(handle(store), XBT_NULL, path, value, (unsigned)strlen(value)))
        return failed();
    return is_name(path) ? permit(store, path, XS_PERM_READ | XS_PERM_WRITE) : 0;
}

static int xen_remove(struct vchan_store *store, const char *path)
{
    return xs_rm(handle(store), XBT_NULL, path) || errno == ENOENT ? 0 : failed();
}

static int xen_list(struct vchan_store *store, const char *path,
                    int (*each)(void *arg, const char *name), void *arg)
{
    unsigned count = 0;
    char **parts = xs_directory(handle(store), XBT_NULL, path, &count);
    int result = 0;

    if (!parts)
        return xen_unreadable(errno);
    for (unsigned i = 0; i < count && result == 0; i++)
        result = each(arg, parts[i]);
    free(parts);
    return result;
}

/* ---- watches --------------------------------------------------------------------------------- */

/* Each watch has a token of its own: what is told for one that is over finds nobody. */
static void token_of(const struct vchan_watch *watch, char token[24])
{
    snprintf(token, 24, "%lu", (unsigned long)(uintptr_t)watch->state);
}

static int xen_watch(struct vchan_store *store, struct vchan_watch *watch)
{
    char token[24];

    watch->state = (void *)(uintptr_t)++xen_store_of(store)->tokens;
    token_of(watch, token);
    if (!xs_watch(handle(store), watch->path, token))
        return failed();
    list_append(&store->watches, &watch->link);
    return 0;
}

static void xen_unwatch(struct vchan_store *store, struct vchan_watch *watch)
{
    char token[24];

    list_remove(&watch->link);
    token_of(watch, token);
    xs_unwatch(handle(store), watch->path, token);
}

static struct vchan_watch *find_watch(struct xen_store *store, const char *token)
{
    void *const state = (void *)(uintptr_t)strtoul(token, NULL, 10);

    for (struct list *at = store->base.watches.next; at != &store->base.watches; at = at->next) {
        struct vchan_watch *watch = cdt_container_of(at, struct vchan_watch, link);
        if (watch->state == state)
            return watch;
    }
    return NULL;
}

/* Tells one watch that fired; false if there is none. */
static bool tell_one(struct xen_store *store)
{
    char **event = xs_check_watch(store->xs); /* path, token */

    if (!event) {
        if (errno != EAGAIN) {
            reactor_log(store->base.reactor, CDT_LOG_ERROR, "xenstore: watches are lost: %s",
                        strerror(errno));
            cdt_watch_remove(&store->readable);
        }
        return false;
    }
    struct vchan_watch *watch = find_watch(store, event[1]);
    free(event);
    if (watch)
        watch->fn(watch);
    return true;
}

static void tell(struct xen_store *store)
{
    for (int i = 0; i < EVENTS; i++) {
        if (!tell_one(store))
            return;
    }
    cdt_defer(store->base.reactor, &store->more); /* the descriptor need not be readable any more */
}

static void on_readable(struct cdt_watch *watch, unsigned events)
{
    (void)events;
    tell(cdt_container_of(watch, struct xen_store, readable));
}

static void on_more(struct cdt_deferred *deferred)
{
    tell(cdt_container_of(deferred, struct xen_store, more));
}

/* ---- the store ------------------------------------------------------------------------------- */

/* In domain 0 the node is made by the tools that start xenstore; not all versions of them do. */
static int xen_domid(struct vchan_store *store)
{
    struct xen_store *xen = xen_store_of(store);
    char text[16];
    unsigned domid;

    if (xen->domid >= 0)
        return xen->domid;
    if (xen_read(store, "domid", text, sizeof text) > 0 && vchan_domid_read(text, &domid) == 0)
        xen->domid = (int)domid;
    else if (access("/run/xenstored", F_OK) == 0)
        xen->domid = 0;
    return xen->domid >= 0 ? xen->domid : -ENODEV;
}

static void xen_store_free(struct vchan_store *store)
{
    struct xen_store *xen = xen_store_of(store);

    if (xen->xs) {
        vchan_watch_end(&xen->deaths);
        cdt_watch_remove(&xen->readable);
        cdt_defer_cancel(&xen->more);
        xs_close(xen->xs);
    }
    mem_free(xen);
}

static const struct vchan_store_ops ops = {
    .read = xen_read,
    .write = xen_write,
    .remove = xen_remove,
    .list = xen_list,
    .watch = xen_watch,
    .unwatch = xen_unwatch,
    .domid = xen_domid,
    .free = xen_store_free,
};

int xen_store(struct vchan_store **result)
{
    struct xen_store *store = mem_zalloc(sizeof *store);

    if (!store)
        return -ENOMEM;
    store->base.ops = &ops;
    store->domid = -1;
    list_init(&store->vchans);
    store->readable.fn = on_readable;
    store->more.fn = on_more;
    *result = &store->base;
    return 0;
}

int xen_store_open(struct vchan_store *base)
{
    struct xen_store *store = xen_store_of(base);
    int status;

    store->xs = xs_open(0);
    if (!store->xs)
        return errno == ENOENT ? -ENODEV : failed();
    status = cdt_watch_add(base->reactor, &store->readable, xs_fileno(store->xs), CDT_READ);
    if (status == 0)
        return 0;
    xs_close(store->xs);
    store->xs = NULL;
    return status;
}
#endif
