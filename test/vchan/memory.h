/* A backend of vchan for tests, in the place of vchan/backends.c: the tree and the rings are in the
 * memory of this process, and each step can be made to fail. Stores with other domain ids are other
 * domains. */
#ifndef TEST_VCHAN_MEMORY_H
#define TEST_VCHAN_MEMORY_H

#include <sys/eventfd.h>

#include <conduit/conduit.h>

#include "test/support/serve.h"
#include "vchan/internal.h"

/* ---- what tests set and see ------------------------------------------------------------------ */

static struct memory {
    /* Set. */
    int attach_status;      /* what attach gives; 0: as it is */
    const char *attach_why; /* its sentence */
    bool attach_hangs;      /* it is in progress, until memory_answer() */
    int open_status;        /* what opening a port gives */
    unsigned open_later;    /* so many openings say -EINPROGRESS */
    int accept_status;      /* what accept gives, once */
    int read_status;        /* what the store gives for each value */
    int write_status;       /* what the store gives */
    bool no_xen, no_local;
    /* Seen. */
    unsigned stores, attempts, cancelled, ports, opened, armed;
    struct vchan_attempt *hanging;
} memory;

/* ---- the tree -------------------------------------------------------------------------------- */

enum { MEMORY_NODES = 8192 };

static struct memory_node {
    char *path, *value;
} memory_nodes[MEMORY_NODES];
static unsigned memory_count;

struct memory_store {
    struct vchan_store store; /* first */
    struct list link;
    struct cdt_deferred tell;
};

static struct list memory_stores = {&memory_stores, &memory_stores};

static inline bool memory_below(const char *path, const char *top)
{
    const size_t length = strlen(top);
    return strncmp(path, top, length) == 0 && (path[length] == 0 || path[length] == '/');
}

/* Whoever watches it, or what is above or below it, is told from the reactor. */
static inline void memory_changed(const char *path)
{
    for (struct list *at = memory_stores.next; at != &memory_stores; at = at->next) {
        struct memory_store *store = cdt_container_of(at, struct memory_store, link);
        for (struct list *w = store->store.watches.next; w != &store->store.watches; w = w->next) {
            struct vchan_watch *watch = cdt_container_of(w, struct vchan_watch, link);
            if (!memory_below(path, watch->path) && !memory_below(watch->path, path))
                continue;
            watch->state = watch;
            cdt_defer(store->store.reactor, &store->tell);
        }
    }
}

static inline const char *memory_get(const char *path)
{
    for (unsigned i = 0; i < memory_count; i++) {
        if (strcmp(memory_nodes[i].path, path) == 0)
            return memory_nodes[i].value;
    }
    return NULL;
}

static inline void memory_set(const char *path, const char *value)
{
    unsigned i = 0;
    while (i < memory_count && strcmp(memory_nodes[i].path, path) != 0)
        i++;
    assert_true(i < MEMORY_NODES);
    if (i == memory_count)
        memory_nodes[memory_count++] = (struct memory_node){strdup(path), NULL};
    free(memory_nodes[i].value);
    memory_nodes[i].value = strdup(value);
    memory_changed(path);
}

static inline unsigned memory_remove(const char *path)
{
    unsigned kept = 0, removed;
    for (unsigned i = 0; i < memory_count; i++) {
        if (memory_below(memory_nodes[i].path, path)) {
            free(memory_nodes[i].path);
            free(memory_nodes[i].value);
        } else {
            memory_nodes[kept++] = memory_nodes[i];
        }
    }
    removed = memory_count - kept;
    memory_count = kept;
    if (removed)
        memory_changed(path);
    return removed;
}

/* ---- the store ------------------------------------------------------------------------------- */

static inline int memory_read(struct vchan_store *store, const char *path, char *value, size_t size)
{
    const char *found = memory_get(path);
    (void)store;
    if (memory.read_status)
        return memory.read_status;
    if (!found)
        return -ENOENT;
    if (strlen(found) >= size)
        return -E2BIG;
    memcpy(value, found, strlen(found) + 1);
    return (int)strlen(found);
}

static inline int memory_write(struct vchan_store *store, const char *path, const char *value)
{
    (void)store;
    if (memory.write_status)
        return memory.write_status;
    memory_set(path, value);
    return 0;
}

static inline int memory_drop(struct vchan_store *store, const char *path)
{
    (void)store;
    memory_remove(path);
    return 0;
}

/* A name comes once for each node below it: who lists must bear that. */
static inline int memory_list(struct vchan_store *store, const char *path,
                              int (*each)(void *arg, const char *name), void *arg)
{
    const size_t length = strlen(path);
    char name[VCHAN_NAME_MAX];
    bool found_any = false;
    (void)store;
    for (unsigned i = 0; i < memory_count; i++) {
        const char *found = memory_nodes[i].path;
        found_any = found_any || memory_below(found, path);
        if (!memory_below(found, path) || found[length] == 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(found + length + 1, "/"),
                 found + length + 1);
        const int status = each(arg, name);
        if (status)
            return status;
    }
    return found_any ? 0 : -ENOENT;
}

static inline int memory_watch(struct vchan_store *store, struct vchan_watch *watch)
{
    list_append(&store->watches, &watch->link);
    watch->state = watch;
    cdt_defer(store->reactor, &cdt_container_of(store, struct memory_store, store)->tell);
    return 0;
}

static inline void memory_unwatch(struct vchan_store *store, struct vchan_watch *watch)
{
    (void)store;
    list_remove(&watch->link);
}

static inline void memory_tell(struct cdt_deferred *deferred)
{
    struct memory_store *memories = cdt_container_of(deferred, struct memory_store, tell);
    struct list *watches = &memories->store.watches;
    for (struct list *at = watches->next; at != watches;) {
        struct vchan_watch *watch = cdt_container_of(at, struct vchan_watch, link);
        at = at->next;
        if (!watch->state)
            continue;
        watch->state = NULL;
        watch->fn(watch);
        at = watches->next; /* it may have ended any */
    }
}

static inline int memory_domid(struct vchan_store *store)
{
    return (int)store->own_domid;
}

static inline void memory_free(struct vchan_store *store)
{
    struct memory_store *memories = cdt_container_of(store, struct memory_store, store);
    assert_true(list_empty(&store->watches));
    cdt_defer_cancel(&memories->tell);
    list_remove(&memories->link);
    memory.stores--;
    free(memories);
}

static inline int memory_store(struct vchan_store **store)
{
    static const struct vchan_store_ops ops = {
        .read = memory_read,
        .write = memory_write,
        .remove = memory_drop,
        .list = memory_list,
        .watch = memory_watch,
        .unwatch = memory_unwatch,
        .domid = memory_domid,
        .free = memory_free,
    };
    struct memory_store *made = calloc(1, sizeof *made);
    made->store.ops = &ops;
    made->tell.fn = memory_tell;
    list_append(&memory_stores, &made->link);
    memory.stores++;
    *store = &made->store;
    return 0;
}

static inline int memory_store_open(struct vchan_store *store)
{
    (void)store;
    return 0;
}

/* ---- rings ----------------------------------------------------------------------------------- */

struct memory_page {
    unsigned references;
    _Alignas(VCHAN_PAGE) uint8_t bytes[VCHAN_PAGE];
};

struct memory_vchan {
    struct vchan vchan; /* first */
    struct memory_vchan *peer;
    struct memory_page *page;
};

static inline struct memory_vchan *memory_vchan_of(struct vchan *vchan)
{
    return cdt_container_of(vchan, struct memory_vchan, vchan);
}

static inline void memory_ring(struct vchan *vchan)
{
    const struct memory_vchan *peer = memory_vchan_of(vchan)->peer;
    if (peer)
        assert_int_equal(eventfd_write(peer->vchan.fd, 1), 0);
}

static inline void memory_close(struct vchan *vchan, enum cdt_close_how how)
{
    struct memory_vchan *mine = memory_vchan_of(vchan);
    if (mine->peer) {
        mine->peer->peer = NULL;
        if (how == CDT_CLOSE_RESET)
            vchan_gone(&mine->peer->vchan);
    }
    if (--mine->page->references == 0)
        free(mine->page);
    close(vchan->fd);
    free(mine);
}

static inline struct memory_vchan *memory_side(struct memory_page *page, bool server,
                                               unsigned domid, const char *port)
{
    static const struct vchan_bell bell = {
        .backend = CDT_VCHAN_LOCAL, .ring = memory_ring, .close = memory_close};
    const struct vchan_layout layout = {(struct vchan_page *)page->bytes, NULL, NULL, 10, 11};
    struct memory_vchan *made = calloc(1, sizeof *made);
    made->page = page;
    made->vchan.bell = &bell;
    made->vchan.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    made->vchan.domid = domid;
    snprintf(made->vchan.port, sizeof made->vchan.port, "%s", port);
    assert_true(made->vchan.fd >= 0);
    assert_int_equal(vchan_ring_init(&made->vchan.ring, &layout, server), 0);
    return made;
}

/* ---- ports and attempts ---------------------------------------------------------------------- */

enum { MEMORY_CLIENTS = 64 };

struct memory_port {
    struct list link;
    struct vchan_port *port;
    struct cdt_deferred tell;
    bool armed;
    struct memory_vchan *clients[MEMORY_CLIENTS]; /* the server's sides */
    unsigned count;
};

static struct list memory_ports = {&memory_ports, &memory_ports};

static inline void memory_ready(struct cdt_deferred *deferred)
{
    struct memory_port *port = cdt_container_of(deferred, struct memory_port, tell);
    if (port->armed && port->count)
        port->port->ready(port->port);
}

static inline int memory_open(struct vchan_port *port)
{
    if (memory.open_later) {
        memory.open_later--;
        return -EINPROGRESS;
    }
    if (memory.open_status) {
        port->why = memory.open_status == -ENOSPC ? "no more memory can be granted" : NULL;
        return memory.open_status;
    }
    struct memory_port *made = calloc(1, sizeof *made);
    made->port = port;
    made->tell.fn = memory_ready;
    port->state = made;
    list_append(&memory_ports, &made->link);
    memory.ports++;
    memory.opened++;
    memory_set(port->path, "ring");
    return 0;
}

static inline void memory_arm(struct vchan_port *port, bool on)
{
    struct memory_port *made = port->state;
    assert_true(made->armed != on);
    made->armed = on;
    memory.armed += on ? 1u : -1u;
    if (on)
        cdt_defer(port->reactor, &made->tell);
}

static inline int memory_accept(struct vchan_port *port, struct vchan **vchan)
{
    struct memory_port *made = port->state;
    const int status = memory.accept_status;
    memory.accept_status = 0;
    if (status)
        return status;
    if (made->count == 0)
        return -EAGAIN;
    *vchan = &made->clients[0]->vchan;
    memmove(made->clients, made->clients + 1, --made->count * sizeof(void *));
    return 0;
}

static inline void memory_close_port(struct vchan_port *port)
{
    struct memory_port *made = port->state;
    if (!made)
        return;
    for (unsigned i = 0; i < made->count; i++)
        memory_close(&made->clients[i]->vchan, CDT_CLOSE_RESET);
    memory.armed -= made->armed;
    memory.ports--;
    cdt_defer_cancel(&made->tell);
    list_remove(&made->link);
    memory_remove(port->path);
    free(made);
}

static inline int memory_knock(struct vchan_attempt *attempt)
{
    for (struct list *at = memory_ports.next; at != &memory_ports; at = at->next) {
        struct memory_port *port = cdt_container_of(at, struct memory_port, link);
        if (strcmp(port->port->path, attempt->path) != 0)
            continue;
        struct memory_page *page = aligned_alloc(VCHAN_PAGE, 2 * VCHAN_PAGE);
        page->references = 2;
        vchan_page_init((struct vchan_page *)page->bytes, 10, 11);
        struct memory_vchan *server = memory_side(page, true, port->port->domid, port->port->port);
        struct memory_vchan *client = memory_side(page, false, attempt->domid, attempt->port);
        server->peer = client;
        client->peer = server;
        assert_true(port->count < MEMORY_CLIENTS);
        port->clients[port->count++] = server;
        cdt_defer(port->port->reactor, &port->tell);
        attempt->vchan = &client->vchan;
        return 0;
    }
    return -ENOENT;
}

static inline int memory_attach(struct vchan_attempt *attempt)
{
    memory.attempts++;
    attempt->why = memory.attach_why;
    if (memory.attach_status)
        return memory.attach_status;
    if (!memory.attach_hangs)
        return memory_knock(attempt);
    memory.hanging = attempt;
    return -EINPROGRESS;
}

static inline void memory_cancel(struct vchan_attempt *attempt)
{
    assert_ptr_equal(memory.hanging, attempt);
    memory.hanging = NULL;
    memory.cancelled++;
}

/* What hangs comes to this; 0: to what is there. */
static inline void memory_answer(int status)
{
    struct vchan_attempt *attempt = memory.hanging;
    assert_non_null(attempt);
    memory.hanging = NULL;
    vchan_attempt_done(attempt, status ? status : memory_knock(attempt));
}

static const struct vchan_backend memory_backend = {
    .backend = CDT_VCHAN_LOCAL,
    .store = memory_store,
    .store_open = memory_store_open,
    .attach = memory_attach,
    .cancel = memory_cancel,
    .open = memory_open,
    .arm = memory_arm,
    .accept = memory_accept,
    .close = memory_close_port,
};

const struct vchan_backend *vchan_backend(enum cdt_vchan_backend backend)
{
    const bool there = (backend == CDT_VCHAN_XEN && !memory.no_xen) ||
                       (backend == CDT_VCHAN_LOCAL && !memory.no_local);
    return there ? &memory_backend : NULL;
}

/* ---- around each test ------------------------------------------------------------------------ */

static struct cdt_reactor *reactor;
static char memory_folder[64];

/* Options of a domain. */
static inline struct cdt_vchan_options domain(unsigned domid, const char *name)
{
    return (struct cdt_vchan_options){.size = sizeof(struct cdt_vchan_options),
                                      .backend = CDT_VCHAN_LOCAL,
                                      .name = name,
                                      .directory = memory_folder,
                                      .domid = domid + 1};
}

static inline int memory_set_up(void **state)
{
    test_fds_remember(state);
    memset(&memory, 0, sizeof memory);
    test_folder(memory_folder);
    reactor = test_reactor();
    return 0;
}

/* Nothing is left: no store, no port, no node. */
static inline int memory_tear_down(void **state)
{
    if (reactor)
        assert_int_equal(cdt_reactor_free(reactor), 0);
    reactor = NULL;
    assert_int_equal(memory.stores, 0);
    assert_int_equal(memory.ports, 0);
    assert_int_equal(memory.armed, 0);
    assert_null(memory.hanging);
    memory_remove("");
    test_folder_remove(memory_folder);
    return test_fds_same(state);
}

#define memory_test(name) cmocka_unit_test_setup_teardown(name, memory_set_up, memory_tear_down)

#endif
