/* Deferred calls: a list that each turn takes as it stands, and runs at its end. */
#include <errno.h>

#include "reactor/state.h"

static void unlink_deferred(struct cdt_deferred *deferred)
{
    deferred->prev->next = deferred->next;
    deferred->next->prev = deferred->prev;
    deferred->next = NULL;
}

int cdt_defer(struct cdt_reactor *reactor, struct cdt_deferred *deferred)
{
    struct cdt_deferred *list;

    if (!is_usable(reactor) || !deferred || !deferred->fn)
        return -EINVAL;
    if (deferred->next)
        return 0;
    list = &reactor->deferred;
    deferred->next = list;
    deferred->prev = list->prev;
    list->prev->next = deferred;
    list->prev = deferred;
    reactor->attention |= ATTEND_WORK;
    return 0;
}

int cdt_defer_cancel(struct cdt_deferred *deferred)
{
    if (!deferred)
        return -EINVAL;
    if (deferred->next)
        unlink_deferred(deferred);
    return 0;
}

/* What is waiting moves to a list of its own, from where it can still be cancelled. */
static void take(struct cdt_deferred *to, struct cdt_deferred *from)
{
    to->next = from->next;
    to->prev = from->prev;
    from->next->prev = to;
    from->prev->next = to;
    from->next = from->prev = from;
}

void defer_run(struct cdt_reactor *reactor)
{
    struct cdt_deferred *list = &reactor->deferred_now, *deferred;

    if (reactor->deferred.next == &reactor->deferred)
        return;
    take(list, &reactor->deferred);
    while ((deferred = list->next) != list) {
        unlink_deferred(deferred);
        reactor->handled++;
        deferred->fn(deferred);
    }
}

void defer_forget_all(struct cdt_reactor *reactor)
{
    struct cdt_deferred *list = &reactor->deferred, *deferred, *next;

    for (deferred = list->next; deferred != list; deferred = next) {
        next = deferred->next;
        deferred->next = NULL;
    }
}
