/* Limits: counters of active connections, and the lines in which servers wait for a free slot.
 *
 * WHY NO WAKE-UP IS LOST. A server that listens is in exactly one of three places: armed (the
 * kernel tells of its clients, as long as there are any), in one line, or being served just now by
 * the code below or by its batch. It joins a limit's line only while that limit has no room or
 * others stand in line. So it is enough to keep one invariant:
 *
 *     a limit that has room and a line has its `wake` deferred, or is serving its line just now.
 *
 * Room comes from limit_release() and limit_set_max(), which defer the wake if there is a line, and
 * from a flow that has ended, which serves the line at once (a wake that is deferred then finds
 * nothing to do and is taken back). A line begins only while there is no room; it grows
 * by any who come, and they find the invariant kept. A server that leaves (it stops) takes nothing
 * along: whoever stands behind is served by the same wake. limit_serve() returns only when there is
 * no room, no line, or its budget is spent; then the wake is deferred again. The one whose turn it
 * is accepts at once, joins the line of another limit that refuses, or, if no client waits, is
 * armed; in none of these cases does it keep a slot, so the next in line has its turn. */
#include "flows/server.h"

static void limit_wake(struct cdt_deferred *deferred);

void limit_init(struct cdt_limit *limit, struct flow_hub *hub, unsigned max)
{
    limit->hub = hub;
    limit->max = max;
    limit->wake.fn = limit_wake;
    list_init(&limit->line);
    list_append(&hub->limits, &limit->link);
}

void limit_fini(struct cdt_limit *limit)
{
    cdt_defer_cancel(&limit->wake);
    list_remove(&limit->link);
    limit->hub = NULL;
}

/* ---- lines ----------------------------------------------------------------------------------- */

void line_join(struct cdt_limit *line, struct cdt_server *server)
{
    server->waits = line;
    line->waiting++;
    list_append(&line->line, &server->place);
}

void line_leave(struct cdt_server *server)
{
    if (!server->waits)
        return;
    server->waits->waiting--;
    server->waits = NULL;
    list_remove(&server->place);
}

struct cdt_server *line_first(const struct cdt_limit *line)
{
    return list_empty(&line->line) ? NULL
                                   : cdt_container_of(line->line.next, struct cdt_server, place);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void wake_later(struct cdt_limit *limit)
{
    if (!list_empty(&limit->line) && limit_has_room(limit))
        cdt_defer(limit->hub->reactor, &limit->wake);
}

void limit_release(struct cdt_limit *limit)
{
    limit->active--;
    wake_later(limit);
}

void limit_set_max(struct cdt_limit *limit, unsigned max)
{
    limit->max = max;
    wake_later(limit);
}

/* Gives each in line a turn of one connection, round and round, while there is room. */
void limit_serve(struct cdt_limit *limit)
{
    struct cdt_server *server;

    cdt_defer_cancel(&limit->wake);
    for (int budget = SERVER_BUDGET; budget > 0 && limit_has_room(limit); budget--) {
        server = line_first(limit);
        if (!server)
            return;
        line_leave(server);
        switch (server_accept(server, limit)) {
        case ACCEPT_DONE:
        case ACCEPT_FAILED:
            if (!server->stopping) {
                server->again = true;
                line_join(limit, server);
            }
            break;
        case ACCEPT_EMPTY:
            server_arm(server);
            break;
        case ACCEPT_LIMITED:
        case ACCEPT_STARVED:
        case ACCEPT_STOPPED:
            break;
        }
    }
    wake_later(limit);
}

static void limit_wake(struct cdt_deferred *deferred)
{
    limit_serve(cdt_container_of(deferred, struct cdt_limit, wake));
}

/* ---- public ---------------------------------------------------------------------------------- */

static bool limit_usable(const struct cdt_limit *limit)
{
    return limit && limit->hub && reactor_usable(limit->hub->reactor);
}

int cdt_limit_new(struct cdt_reactor *reactor, unsigned max, struct cdt_limit **limit)
{
    struct flow_hub *hub;
    struct cdt_limit *made;

    if (!reactor_usable(reactor) || !limit)
        return -EINVAL;
    hub = flow_hub(reactor);
    if (!hub)
        return -ENOMEM;
    made = mem_zalloc(sizeof *made);
    if (!made)
        return -ENOMEM;
    limit_init(made, hub, max);
    *limit = made;
    return 0;
}

int cdt_limit_free(struct cdt_limit *limit)
{
    if (!limit)
        return 0;
    if (limit->hub && !limit_usable(limit))
        return -EINVAL;
    if (limit->users)
        return -EBUSY;
    if (limit->hub)
        limit_fini(limit);
    mem_free(limit);
    return 0;
}

int cdt_limit_set(struct cdt_limit *limit, unsigned max)
{
    if (!limit_usable(limit))
        return -EINVAL;
    limit_set_max(limit, max);
    return 0;
}

int cdt_limit_counters(const struct cdt_limit *limit, struct cdt_limit_counters *counters)
{
    if (!limit_usable(limit) || !counters)
        return -EINVAL;
    *counters = (struct cdt_limit_counters){
        .max = limit->max,
        .active = limit->active,
        .peak = limit->peak,
        .waiting = limit->waiting,
        .throttled = limit->throttled,
    };
    return 0;
}
