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

/* Moves what is waiting to `list`, from where it can still be cancelled. */
void defer_take(struct cdt_reactor *reactor, struct cdt_deferred *list)
{
    struct cdt_deferred *from = &reactor->deferred;

    list->next = from->next;
    list->prev = from->prev;
    from->next->prev = list;
    from->prev->next = list;
    from->next = from->prev = from;
}

void defer_run(struct cdt_reactor *reactor, struct cdt_deferred *list)
{
    while (list->next != list) {
        struct cdt_deferred *deferred = list->next;

        unlink_deferred(deferred);
        reactor->handled++;
        deferred->fn(deferred);
    }
}

void defer_forget_all(struct cdt_reactor *reactor)
{
    while (reactor->deferred.next != &reactor->deferred)
        unlink_deferred(reactor->deferred.next);
}
