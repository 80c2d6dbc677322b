/* The stores of a reactor, one for each backend and directory, shared by all who meet there; and
 * what is the same for all stores: places, watches. A store that nobody refers to is freed at the
 * end of the turn: whoever gives it back may be one of its own watches. */
#include <stdio.h>
#include <string.h>

#include "vchan/internal.h"

/* ---- the stores of a reactor ----------------------------------------------------------------- */

struct stores {
    struct reactor_room room;
    struct cdt_reactor *reactor;
    struct list all;
};

static void store_free(struct vchan_store *store)
{
    cdt_defer_cancel(&store->idle);
    list_remove(&store->link);
    store->ops->free(store);
}

static void destroy(struct reactor_room *room)
{
    struct stores *stores = cdt_container_of(room, struct stores, room);
    while (!list_empty(&stores->all))
        store_free(cdt_container_of(stores->all.next, struct vchan_store, link));
    reactor_remove_room(stores->reactor, room);
    mem_free(stores);
}

/* Behind the room of the flows: their carriers and listeners are gone when the stores are freed. */
static struct stores *stores_of(struct cdt_reactor *reactor)
{
    struct reactor_room *room = reactor_room(reactor, destroy);
    if (room)
        return cdt_container_of(room, struct stores, room);
    if (!flow_hub(reactor))
        return NULL;
    struct stores *stores = mem_zalloc(sizeof *stores);
    if (!stores)
        return NULL;
    stores->room.destroy = destroy;
    stores->reactor = reactor;
    list_init(&stores->all);
    reactor_add_room(reactor, &stores->room);
    return stores;
}

static bool is_for(const struct vchan_store *store, const struct vchan_settings *settings)
{
    return store->backend == settings->backend && store->own_domid == settings->domid &&
           store->mode == settings->mode && strcmp(store->directory, settings->directory) == 0;
}

static void on_idle(struct cdt_deferred *deferred)
{
    store_free(cdt_container_of(deferred, struct vchan_store, idle));
}

static int store_new(struct stores *stores, const struct vchan_settings *settings,
                     struct vchan_store **result)
{
    const struct vchan_backend *backend = vchan_backend(settings->backend);
    struct vchan_store *store;
    int status = backend ? backend->store(&store) : -EPROTONOSUPPORT;
    if (status)
        return status;
    store->reactor = stores->reactor;
    store->references = 1;
    list_init(&store->watches);
    list_init(&store->names);
    store->idle.fn = on_idle;
    store->backend = settings->backend;
    store->own_domid = settings->domid;
    store->mode = settings->mode;
    snprintf(store->directory, sizeof store->directory, "%s", settings->directory);
    list_append(&stores->all, &store->link);
    status = backend->store_open(store);
    if (status) {
        store_free(store);
        return status;
    }
    *result = store;
    return 0;
}

int vchan_store_get(struct cdt_reactor *reactor, const struct vchan_settings *settings,
                    struct vchan_store **result)
{
    struct stores *stores = stores_of(reactor);
    if (!stores)
        return -ENOMEM;
    for (struct list *at = stores->all.next; at != &stores->all; at = at->next) {
        struct vchan_store *store = cdt_container_of(at, struct vchan_store, link);
        if (!is_for(store, settings))
            continue;
        cdt_defer_cancel(&store->idle);
        store->references++;
        *result = store;
        return 0;
    }
    return store_new(stores, settings, result);
}

void vchan_store_put(struct vchan_store *store)
{
    if (store && --store->references == 0)
        cdt_defer(store->reactor, &store->idle);
}

void vchan_store_tell(const struct vchan_settings *settings, int status, char *text, size_t size)
{
    const bool local = settings->backend == CDT_VCHAN_LOCAL;
    const char *why = cdt_strerror(status);
    if (local && status == -EPERM)
        why = "it is not ours, or others may write there";
    if (local && status == -ENOTDIR)
        why = "it is no directory, or a symbolic link to one";
    snprintf(text, size, "%s cannot be used: %s", local ? settings->directory : "xenstore", why);
}

/* ---- watches --------------------------------------------------------------------------------- */

int vchan_watch_begin(struct vchan_store *store, struct vchan_watch *watch, const char *path,
                      void (*fn)(struct vchan_watch *watch))
{
    vchan_watch_end(watch);
    const size_t length = strlen(path);
    if (length >= sizeof watch->path)
        return -ENAMETOOLONG;
    memcpy(watch->path, path, length + 1);
    list_init(&watch->link);
    watch->fn = fn;
    watch->state = NULL;
    watch->store = store;
    const int status = store->ops->watch(store, watch);
    if (status)
        watch->store = NULL;
    return status;
}

void vchan_watch_end(struct vchan_watch *watch)
{
    struct vchan_store *store = watch->store;
    if (!store)
        return;
    watch->store = NULL;
    store->ops->unwatch(store, watch);
}

/* ---- places ---------------------------------------------------------------------------------- */

int vchan_place(char path[VCHAN_PATH_MAX], unsigned server, unsigned client, const char *port)
{
    const int length =
        snprintf(path, VCHAN_PATH_MAX, "/local/domain/%u/data/vchan/%u/%s", server, client, port);
    return length < VCHAN_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int vchan_name_path(char path[VCHAN_PATH_MAX], const char *name)
{
    return snprintf(path, VCHAN_PATH_MAX, "/conduit/%s", name) < VCHAN_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int vchan_request_path(char path[VCHAN_PATH_MAX], const char *name, const char *client,
                       const char *port)
{
    const int length = snprintf(path, VCHAN_PATH_MAX, "/conduit/%s/%s/%s", name, client, port);
    return length < VCHAN_PATH_MAX ? 0 : -ENAMETOOLONG;
}
