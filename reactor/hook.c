/* Hooks: called each turn before or after the wait.
 *
 * While a list is run, two nodes of our own mark in it where to go on and where to end: so any hook
 * may be removed or added by any other. */
#include <errno.h>

#include "reactor/state.h"

/* Inserts `hook` before `next`; before the head of a list means at its end. */
static void insert(struct cdt_hook *next, struct cdt_hook *hook)
{
    hook->next = next;
    hook->prev = next->prev;
    next->prev->next = hook;
    next->prev = hook;
}

static void unlink_hook(struct cdt_hook *hook)
{
    hook->prev->next = hook->next;
    hook->next->prev = hook->prev;
    hook->next = NULL;
}

int cdt_hook_add(struct cdt_reactor *reactor, struct cdt_hook *hook, enum cdt_hook_point point)
{
    if (!is_usable(reactor) || !hook || !hook->fn)
        return -EINVAL;
    if (point != CDT_BEFORE_WAIT && point != CDT_AFTER_WAIT)
        return -EINVAL;
    if (hook->next)
        return -EBUSY;
    insert(&reactor->hooks[point], hook);
    reactor->attention |= ATTEND_HOOKS;
    return 0;
}

int cdt_hook_remove(struct cdt_hook *hook)
{
    if (!hook)
        return -EINVAL;
    if (hook->next)
        unlink_hook(hook);
    return 0;
}

void hook_run(struct cdt_reactor *reactor, struct cdt_hook *list)
{
    struct cdt_hook *cursor = &reactor->hook_cursor, *end = &reactor->hook_end, *hook;

    insert(list, end);
    for (hook = list->next; hook != end; hook = cursor->next) {
        if (cursor->next)
            unlink_hook(cursor);
        insert(hook->next, cursor);
        hook->fn(hook);
    }
    if (cursor->next)
        unlink_hook(cursor);
    unlink_hook(end);
}

void hook_forget_all(struct cdt_hook *list)
{
    struct cdt_hook *hook, *next;

    for (hook = list->next; hook != list; hook = next) {
        next = hook->next;
        hook->next = NULL;
    }
}
