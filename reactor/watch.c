/* Watches: level-triggered, with masks that change lazily.
 *
 * A watch with an empty mask stays in the epoll set, edge-triggered: so it keeps its descriptor,
 * and a hang-up, which no mask can exclude, is reported once at most and not in every wait. */
#include <errno.h>

#include "reactor/state.h"

/* No mask that was asked for: what was applied is not known. */
#define UNKNOWN_MASK 0xff

static bool is_mask(unsigned events)
{
    return events <= (CDT_READ | CDT_WRITE);
}

static uint32_t to_epoll(unsigned events)
{
    /* EPOLLRDHUP only for readers, who see the end of the stream anyway: a writer to a half-closed
     * peer would spin on it. */
    return (events & CDT_READ ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0) |
           (events & CDT_WRITE ? (uint32_t)EPOLLOUT : 0) | (events ? 0 : (uint32_t)EPOLLET);
}

static unsigned from_epoll(uint32_t events, unsigned wanted)
{
    unsigned result = 0;

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        result |= wanted & CDT_READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        result |= wanted & CDT_WRITE;
    if (!wanted || !(events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)))
        return result;
    if (events & (EPOLLHUP | EPOLLRDHUP))
        result |= CDT_HANGUP;
    if (events & EPOLLERR)
        result |= CDT_ERROR;
    return result;
}

static void on_event(struct cdt_source *source, uint32_t events)
{
    struct cdt_watch *watch = cdt_container_of(source, struct cdt_watch, source);
    unsigned reported = from_epoll(events, watch->wanted);

    if (reported)
        watch->fn(watch, reported);
    else
        source_not_counted(watch->reactor);
}

static void link_changed(struct cdt_watch **list, struct cdt_watch *watch)
{
    watch->next_changed = *list;
    watch->changed = list;
    if (*list)
        (*list)->changed = &watch->next_changed;
    *list = watch;
}

static void unlink_changed(struct cdt_watch *watch)
{
    *watch->changed = watch->next_changed;
    if (watch->next_changed)
        watch->next_changed->changed = watch->changed;
    watch->changed = NULL;
}

/* Takes the first of a list; NULL if it is empty. */
static struct cdt_watch *pop_changed(struct cdt_watch **list)
{
    struct cdt_watch *watch = *list;

    if (!watch)
        return NULL;
    *list = watch->next_changed;
    if (*list)
        (*list)->changed = list;
    watch->changed = NULL;
    return watch;
}

static void forget(struct cdt_watch *watch)
{
    watch->prev->next = watch->next;
    watch->next->prev = watch->prev;
    if (watch->changed)
        unlink_changed(watch);
    watch->reactor = NULL;
}

int cdt_watch_add(struct cdt_reactor *reactor, struct cdt_watch *watch, int fd, unsigned events)
{
    struct cdt_watch *list;
    int error;

    if (!is_usable(reactor) || !watch || !watch->fn || !is_mask(events))
        return -EINVAL;
    if (watch->reactor)
        return -EBUSY;
    watch->source.on_event = on_event;
    error = reactor_source_add(reactor, &watch->source, fd, to_epoll(events));
    if (error)
        return error;
    watch->reactor = reactor;
    watch->fd = fd;
    watch->wanted = watch->applied = (uint8_t)events;
    list = &reactor->watches;
    watch->next = list;
    watch->prev = list->prev;
    list->prev->next = watch;
    list->prev = watch;
    return 0;
}

int cdt_watch_modify(struct cdt_watch *watch, unsigned events)
{
    if (!watch || !is_usable(watch->reactor) || !is_mask(events))
        return -EINVAL;
    watch->wanted = (uint8_t)events;
    /* One that waits to report a failure goes back: the new mask is a new attempt. */
    if (watch->applied == UNKNOWN_MASK && watch->changed)
        unlink_changed(watch);
    if (watch->wanted != watch->applied && !watch->changed) {
        link_changed(&watch->reactor->changed, watch);
        watch->reactor->attention |= ATTEND_CHANGES;
    }
    return 0;
}

int cdt_watch_remove(struct cdt_watch *watch)
{
    struct cdt_reactor *reactor;

    if (!watch)
        return -EINVAL;
    reactor = watch->reactor;
    if (!reactor)
        return 0;
    if (!is_usable(reactor))
        return -EINVAL;
    reactor_source_remove(reactor, watch->fd);
    source_scrub(reactor, &watch->source);
    forget(watch);
    return 0;
}

static void apply(struct cdt_reactor *reactor, struct cdt_watch *watch)
{
    struct epoll_event event = {.events = to_epoll(watch->wanted), .data.ptr = &watch->source};

    if (watch->wanted == watch->applied)
        return;
    if (!epoll_ctl(reactor->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event)) {
        watch->applied = watch->wanted;
        return;
    }
    reactor_log(reactor, CDT_LOG_ERROR, "watch on descriptor %d: %s", watch->fd,
                cdt_strerror(errno));
    watch->applied = UNKNOWN_MASK;
    link_changed(&reactor->failed, watch);
    reactor->attention |= ATTEND_WORK;
}

void watch_apply_changes(struct cdt_reactor *reactor)
{
    struct cdt_watch *watch;

    while ((watch = pop_changed(&reactor->changed)))
        apply(reactor, watch);
    reactor->attention &= ~(unsigned)ATTEND_CHANGES;
}

void watch_report_failed(struct cdt_reactor *reactor)
{
    struct cdt_watch *watch;

    while ((watch = pop_changed(&reactor->failed))) {
        reactor->handled++;
        watch->fn(watch, CDT_ERROR);
    }
}

void watch_forget_all(struct cdt_reactor *reactor)
{
    while (reactor->watches.next != &reactor->watches) {
        struct cdt_watch *watch = reactor->watches.next;

        reactor_source_remove(reactor, watch->fd);
        child_forget(watch);
        forget(watch);
    }
}
