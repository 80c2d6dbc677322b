/* Watches of the store of files. A watch looks at the folder of its node and at all below, and at
 * each folder above, there for the next part of its path only: whatever comes, goes, or is moved is
 * told. Folders are put under inotify(7) before they are looked into, so nothing is missed.
 *
 * What inotify cannot do (no descriptor, the limits of the user, folders that cannot be read, more
 * of them than are worth it) is replaced by telling every now and then that something may have
 * changed. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "vchan/local.h"

enum {
    EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |
             IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW,
    FOLDERS_MAX = 1024, /* below one node */
    DEPTH_MAX = 8,
    READS = 8, /* of events in one turn */
    POLL = 200 /* ms */
};

/* A folder under inotify. */
struct node {
    struct list link;
    int wd;
    struct list places;
};

/* That a watch looks at a folder. */
struct place {
    struct list of_node, of_watch;
    struct node *node;
    struct files_watch *owner;
    const char *next; /* a part of the watch's path; NULL: all that happens there */
    size_t next_length;
    bool fresh;
};

struct files_watch {
    struct vchan_watch *watch;
    struct list pending; /* in the list of those that are to be told */
    struct list places;
    unsigned folders; /* below its node */
    bool stale;       /* the folders are to be looked at again */
    bool polled;
};

static struct vchan_store *store_of(struct files_store *files)
{
    return &files->store;
}

/* ---- folders under inotify ------------------------------------------------------------------- */

static struct list *bucket_of(struct files_store *files, int wd)
{
    return &files->nodes[(unsigned)wd % FILES_BUCKETS];
}

static struct node *node_find(struct files_store *files, int wd)
{
    struct list *bucket = bucket_of(files, wd);
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct node *node = cdt_container_of(at, struct node, link);
        if (node->wd == wd)
            return node;
    }
    return NULL;
}

static struct node *node_get(struct files_store *files, int wd)
{
    struct node *node = node_find(files, wd);
    if (node)
        return node;
    node = mem_zalloc(sizeof *node);
    if (!node)
        return NULL;
    node->wd = wd;
    list_init(&node->places);
    list_append(bucket_of(files, wd), &node->link);
    return node;
}

static void node_put(struct files_store *files, struct node *node)
{
    if (!list_empty(&node->places))
        return;
    if (node->wd >= 0)
        inotify_rm_watch(files->inotify, node->wd);
    list_remove(&node->link);
    mem_free(node);
}

static void place_free(struct files_store *files, struct place *place)
{
    list_remove(&place->of_node);
    list_remove(&place->of_watch);
    node_put(files, place->node);
    mem_free(place);
}

static struct place *place_find(const struct node *node, const struct files_watch *owner)
{
    for (struct list *at = node->places.next; at != &node->places; at = at->next) {
        struct place *place = cdt_container_of(at, struct place, of_node);
        if (place->owner == owner)
            return place;
    }
    return NULL;
}

static struct place *place_get(struct files_store *files, struct node *node,
                               struct files_watch *owner)
{
    struct place *place = place_find(node, owner);
    if (place)
        return place;
    place = mem_zalloc(sizeof *place);
    if (!place) {
        node_put(files, node);
        return NULL;
    }
    place->node = node;
    place->owner = owner;
    list_append(&node->places, &place->of_node);
    list_append(&owner->places, &place->of_watch);
    return place;
}

/* ---- putting a watch where it belongs -------------------------------------------------------- */

/* True: the folder is there, and looked at if that is possible. */
static bool look_at(struct files_store *files, struct files_watch *files_watch, const char *folder,
                    const char *next)
{
    const int wd = inotify_add_watch(files->inotify, folder, EVENTS);
    if (wd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return false;
    struct node *node = wd < 0 ? NULL : node_get(files, wd);
    struct place *place = node ? place_get(files, node, files_watch) : NULL;
    if (!place) {
        if (wd >= 0 && !node)
            inotify_rm_watch(files->inotify, wd);
        files_watch->polled = true;
        return true;
    }
    place->next = next;
    place->next_length = next ? strcspn(next, "/") : 0;
    place->fresh = true;
    return true;
}

static void look_below(struct files_store *files, struct files_watch *files_watch, char *folder,
                       size_t size, int depth);

static void look_into(struct files_store *files, struct files_watch *files_watch, DIR *listing,
                      char *folder, size_t size, int depth)
{
    const size_t length = strlen(folder);
    for (const struct dirent *entry; (entry = readdir(listing));) {
        if (*entry->d_name == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        if (files_watch->folders == FOLDERS_MAX || depth == DEPTH_MAX ||
            length + strlen(entry->d_name) + 2 > size) {
            files_watch->polled = true;
            return;
        }
        snprintf(folder + length, size - length, "/%s", entry->d_name);
        look_below(files, files_watch, folder, size, depth + 1);
        folder[length] = 0;
    }
}

/* The folder and all below. */
static void look_below(struct files_store *files, struct files_watch *files_watch, char *folder,
                       size_t size, int depth)
{
    if (!look_at(files, files_watch, folder, NULL))
        return;
    files_watch->folders++;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (listing) {
        look_into(files, files_watch, listing, folder, size, depth);
        closedir(listing);
    } else {
        files_watch->polled |= fd >= 0 || errno != ENOENT;
        if (fd >= 0)
            close(fd);
    }
}

/* Each folder above the node as far as they are there, then the node. */
static void look_along(struct files_store *files, struct files_watch *files_watch)
{
    char folder[4 * VCHAN_PATH_MAX];
    const char *path = files_watch->watch->path;
    size_t length = (size_t)snprintf(folder, sizeof folder, "%s", store_of(files)->directory);
    while (*path == '/') {
        if (!look_at(files, files_watch, folder, path + 1)) {
            files_watch->polled |= path == files_watch->watch->path; /* not even the directory */
            return;
        }
        const size_t part = 1 + strcspn(path + 1, "/");
        memcpy(folder + length, path, part);
        length += part;
        folder[length] = 0;
        path += part;
    }
    look_below(files, files_watch, folder, sizeof folder, 0);
}

static void drop_places(struct files_store *files, struct files_watch *files_watch, bool all)
{
    for (struct list *at = files_watch->places.next, *next; at != &files_watch->places; at = next) {
        struct place *place = cdt_container_of(at, struct place, of_watch);
        next = at->next;
        if (all || !place->fresh)
            place_free(files, place);
        else
            place->fresh = false;
    }
}

static void set_polled(struct files_store *files, struct files_watch *files_watch, bool polled)
{
    files->polled += polled;
    files->polled -= files_watch->polled;
    files_watch->polled = polled;
    if (files->polled && !cdt_timer_is_set(&files->poll))
        cdt_timer_set(store_of(files)->reactor, &files->poll, POLL * CDT_MS);
}

static void look_again(struct files_store *files, struct files_watch *files_watch)
{
    const bool before = files_watch->polled;
    files_watch->stale = false;
    files_watch->folders = 0;
    files_watch->polled = files->inotify < 0;
    if (files->inotify >= 0)
        look_along(files, files_watch);
    drop_places(files, files_watch, false);
    const bool now = files_watch->polled;
    files_watch->polled = before;
    set_polled(files, files_watch, now);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void mark(struct files_store *files, struct files_watch *files_watch, bool stale)
{
    files_watch->stale |= stale;
    if (list_empty(&files_watch->pending))
        list_append(&files->pending, &files_watch->pending);
}

static void mark_all(struct files_store *files)
{
    struct list *watches = &store_of(files)->watches;
    for (struct list *at = watches->next; at != watches; at = at->next)
        mark(files, cdt_container_of(at, struct vchan_watch, link)->state, true);
}

/* What is told may end this watch or others, begin new ones, and give the store back: those that
 * are marked from now on come later. */
static void tell(struct files_store *files)
{
    struct vchan_store *store = store_of(files);
    struct list last;
    store->references++;
    list_init(&last);
    list_append(&files->pending, &last);
    while (files->pending.next != &last) {
        struct files_watch *files_watch =
            cdt_container_of(files->pending.next, struct files_watch, pending);
        list_remove(&files_watch->pending);
        if (files_watch->stale)
            look_again(files, files_watch);
        files_watch->watch->fn(files_watch->watch);
    }
    list_remove(&last);
    if (!list_empty(&files->pending))
        cdt_defer(store->reactor, &files->tell);
    vchan_store_put(store);
}

static void on_tell(struct cdt_deferred *deferred)
{
    tell(cdt_container_of(deferred, struct files_store, tell));
}

static void open_inotify(struct files_store *files);

static void on_poll(struct cdt_timer *timer)
{
    struct files_store *files = cdt_container_of(timer, struct files_store, poll);
    struct list *watches = &store_of(files)->watches;
    if (files->polled == 0)
        return;
    cdt_timer_set(store_of(files)->reactor, timer, POLL * CDT_MS);
    open_inotify(files);
    for (struct list *at = watches->next; at != watches; at = at->next) {
        struct files_watch *files_watch = cdt_container_of(at, struct vchan_watch, link)->state;
        if (files_watch->polled)
            mark(files, files_watch, true);
    }
    tell(files);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Files that are under way are nobody's business. */
static bool is_told(const struct place *place, const char *name)
{
    if (place->next)
        return strncmp(place->next, name, place->next_length) == 0 && !name[place->next_length];
    return *name != '.' || strcmp(name, FILES_VALUE) == 0 || strcmp(name, FILES_SOCKET) == 0;
}

static void on_node(struct files_store *files, struct node *node, const struct inotify_event *event)
{
    const bool itself = event->len == 0;
    for (struct list *at = node->places.next; at != &node->places; at = at->next) {
        const struct place *place = cdt_container_of(at, struct place, of_node);
        if (itself || is_told(place, event->name))
            mark(files, place->owner, itself || (event->mask & IN_ISDIR));
    }
    if (event->mask & IN_IGNORED) { /* the kernel has forgotten it, and we do when it is dropped */
        node->wd = -1;
        list_remove(&node->link);
    }
}

/* False: there are no more. */
static bool read_events(struct files_store *files)
{
    _Alignas(struct inotify_event) char data[8192];
    const ssize_t n = read(files->inotify, data, sizeof data);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const void *)(data + at);
        struct node *node = event->wd < 0 ? NULL : node_find(files, event->wd);
        at += (ssize_t)(sizeof *event + event->len);
        if (event->mask & IN_Q_OVERFLOW)
            mark_all(files);
        else if (node)
            on_node(files, node, event);
    }
    return n > 0;
}

static void on_events(struct cdt_watch *watch, unsigned events)
{
    struct files_store *files = cdt_container_of(watch, struct files_store, events);
    (void)events;
    for (int i = 0; i < READS && read_events(files); i++) {}
    tell(files);
}

/* To close one takes the kernel some 20 ms, for which nobody is to wait: the one of a store that is
 * freed is kept for the next store of the reactor. */
struct spare {
    struct reactor_room room;
    struct cdt_reactor *reactor;
    int inotify;
};

static void spare_destroy(struct reactor_room *room)
{
    struct spare *spare = cdt_container_of(room, struct spare, room);
    if (spare->inotify >= 0)
        close(spare->inotify);
    reactor_remove_room(spare->reactor, room);
    mem_free(spare);
}

static struct spare *spare_of(struct cdt_reactor *reactor)
{
    struct reactor_room *room = reactor_room(reactor, spare_destroy);
    return room ? cdt_container_of(room, struct spare, room) : NULL;
}

/* Made with the first inotify, so that it is there when a store is freed. */
static void spare_prepare(struct cdt_reactor *reactor)
{
    struct spare *spare = spare_of(reactor) ? NULL : mem_zalloc(sizeof *spare);
    if (!spare)
        return;
    spare->room.destroy = spare_destroy;
    spare->reactor = reactor;
    spare->inotify = -1;
    reactor_add_room(reactor, &spare->room);
}

static int take_inotify(struct cdt_reactor *reactor)
{
    struct spare *spare = spare_of(reactor);
    if (!spare || spare->inotify < 0) {
        spare_prepare(reactor);
        return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    }
    const int fd = spare->inotify;
    spare->inotify = -1;
    return fd;
}

/* Nothing is under it any more. Events that wait in it name folders that nobody knows. */
static void keep_inotify(struct cdt_reactor *reactor, int fd)
{
    struct spare *spare = spare_of(reactor);
    if (spare && spare->inotify < 0)
        spare->inotify = fd;
    else
        close(fd);
}

/* Without it all watches are polled. */
static void open_inotify(struct files_store *files)
{
    struct cdt_reactor *reactor = store_of(files)->reactor;
    if (files->inotify >= 0)
        return;
    files->inotify = take_inotify(reactor);
    if (files->inotify < 0)
        return;
    files->events.fn = on_events;
    if (cdt_watch_add(reactor, &files->events, files->inotify, CDT_READ) == 0)
        return;
    keep_inotify(reactor, files->inotify);
    files->inotify = -1;
}

/* ---- beginning and ending -------------------------------------------------------------------- */

int files_watch(struct vchan_store *store, struct vchan_watch *watch)
{
    struct files_store *files = files_of(store);
    if (*watch->path != '/')
        return -EINVAL;
    struct files_watch *files_watch = mem_zalloc(sizeof *files_watch);
    if (!files_watch)
        return -ENOMEM;
    files_watch->watch = watch;
    list_init(&files_watch->pending);
    list_init(&files_watch->places);
    watch->state = files_watch;
    list_append(&store->watches, &watch->link);
    open_inotify(files);
    mark(files, files_watch, true);
    return cdt_defer(store->reactor, &files->tell);
}

void files_unwatch(struct vchan_store *store, struct vchan_watch *watch)
{
    struct files_store *files = files_of(store);
    struct files_watch *files_watch = watch->state;
    list_remove(&watch->link);
    list_remove(&files_watch->pending);
    drop_places(files, files_watch, true);
    set_polled(files, files_watch, false);
    mem_free(files_watch);
}

void files_watches_init(struct files_store *files)
{
    files->inotify = -1;
    files->tell.fn = on_tell;
    files->poll.fn = on_poll;
    list_init(&files->pending);
    for (int i = 0; i < FILES_BUCKETS; i++)
        list_init(&files->nodes[i]);
}

void files_watches_free(struct files_store *files)
{
    struct list *watches = &store_of(files)->watches;
    while (!list_empty(watches)) {
        struct vchan_watch *watch = cdt_container_of(watches->next, struct vchan_watch, link);
        watch->store = NULL;
        files_unwatch(store_of(files), watch);
    }
    cdt_defer_cancel(&files->tell);
    cdt_timer_cancel(&files->poll);
    if (files->inotify < 0)
        return;
    cdt_watch_remove(&files->events);
    keep_inotify(store_of(files)->reactor, files->inotify);
}
