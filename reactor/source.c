/* Sources of events: registration in the epoll set, and the ready list. */
#include <errno.h>

#include "reactor/state.h"

struct cdt_source source_end;

static void ignore(struct cdt_source *source, uint32_t events)
{
    (void)source, (void)events;
}

static struct cdt_source nobody = {.on_event = ignore};

int reactor_source_add(struct cdt_reactor *reactor, struct cdt_source *source, int fd,
                       uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(reactor->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int reactor_source_modify(struct cdt_reactor *reactor, struct cdt_source *source, int fd,
                          uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(reactor->epoll_fd, EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
}

/* Explicitly, and before the close: closing a descriptor leaves it in the epoll set for as long
 * as a duplicate of it lives, here or in a child. */
void reactor_source_remove(struct cdt_reactor *reactor, int fd)
{
    struct epoll_event unused = {0};

    (void)epoll_ctl(reactor->epoll_fd, EPOLL_CTL_DEL, fd, &unused);
}

/* Makes the rest of the batch forget a source, whose memory may be gone after this call. */
void source_scrub(struct cdt_reactor *reactor, const struct cdt_source *source)
{
    for (struct epoll_event *event = reactor->event_next; event < reactor->event_end; event++) {
        if (event->data.ptr == source) {
            event->data.ptr = &nobody;
            source_not_counted(reactor);
            return;
        }
    }
}

/* Takes an event back that the turn has counted in advance, with its whole batch. */
void source_not_counted(struct cdt_reactor *reactor)
{
    reactor->counters.events--;
    reactor->handled--;
}

void reactor_ready(struct cdt_reactor *reactor, struct cdt_source *source)
{
    if (source->next_ready)
        return;
    source->next_ready = &source_end;
    *reactor->ready_tail = source;
    reactor->ready_tail = &source->next_ready;
    reactor->attention |= ATTEND_WORK;
}

bool reactor_is_ready(const struct cdt_source *source)
{
    return source->next_ready;
}
