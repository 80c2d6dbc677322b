/* The line of servers that wait for a descriptor, or for memory. The first is served as soon as the
 * library closes a descriptor; because others close descriptors too, it is also tried after 100 ms,
 * and then less and less often, once a second in the end. One line in the log a second at most, for
 * all servers of a reactor.
 *
 * Shedding: a server with that option keeps a descriptor in reserve, gives it up for a moment,
 * accepts a client with it and resets it. That is bounded to SERVER_BUDGET clients in 100 ms; then
 * the server waits in the line as all others do. */
#include <fcntl.h>
#include <unistd.h>

#include "flows/server.h"

enum { DELAY_MIN = 100, DELAY_MAX = 1000 }; /* ms */

static void starved_wake(struct cdt_deferred *deferred);
static void starved_on_timer(struct cdt_timer *timer);

static struct starved *starved_of(struct flow_hub *hub)
{
    return cdt_container_of(hub->starved, struct starved, line);
}

int starved_prepare(struct flow_hub *hub)
{
    struct starved *starved;

    if (hub->starved)
        return 0;
    starved = mem_zalloc(sizeof *starved);
    if (!starved)
        return -ENOMEM;
    starved->line.hub = hub;
    starved->line.wake.fn = starved_wake;
    list_init(&starved->line.line);
    starved->timer.fn = starved_on_timer;
    starved->delay = DELAY_MIN * CDT_MS;
    hub->starved = &starved->line;
    return 0;
}

static void report(struct starved *starved, int status)
{
    struct cdt_reactor *reactor = starved->line.hub->reactor;
    uint64_t now = cdt_reactor_now(reactor);

    if (now < starved->next_log)
        return;
    starved->next_log = now + CDT_SECOND;
    reactor_log(reactor, CDT_LOG_WARNING, "accepting waits: %s", cdt_strerror(status));
}

void starved_join(struct cdt_server *server, int status)
{
    struct starved *starved = starved_of(server->hub);

    line_join(&starved->line, server);
    if (!cdt_timer_is_set(&starved->timer))
        cdt_timer_set(server->hub->reactor, &starved->timer, starved->delay);
    report(starved, status);
}

void starved_left(struct flow_hub *hub)
{
    struct starved *starved = starved_of(hub);

    if (list_empty(&starved->line.line))
        cdt_timer_cancel(&starved->timer);
}

/* Gives each in line a turn of one connection until none gets a descriptor; true if any did. */
static bool serve(struct starved *starved)
{
    bool any = false;
    struct cdt_server *server;

    for (int budget = SERVER_BUDGET; budget > 0 && (server = line_first(&starved->line));
         budget--) {
        line_leave(server);
        switch (server_accept(server, &starved->line)) {
        case ACCEPT_DONE:
        case ACCEPT_FAILED:
            any = true;
            if (!server->stopping) {
                server->again = true;
                line_join(&starved->line, server);
            }
            break;
        case ACCEPT_EMPTY:
            any = true;
            server_arm(server);
            break;
        case ACCEPT_STARVED: /* it keeps its place, the first */
            list_remove(&server->place);
            list_append(starved->line.line.next, &server->place);
            return any;
        case ACCEPT_LIMITED:
        case ACCEPT_STOPPED:
            break;
        }
    }
    return any;
}

static void starved_turn(struct starved *starved, bool by_timer)
{
    struct cdt_reactor *reactor = starved->line.hub->reactor;

    if (serve(starved))
        starved->delay = DELAY_MIN * CDT_MS;
    else if (by_timer && starved->delay < DELAY_MAX * CDT_MS)
        starved->delay *= 2;
    if (starved->delay > DELAY_MAX * CDT_MS)
        starved->delay = DELAY_MAX * CDT_MS;
    cdt_timer_set(reactor, &starved->timer,
                  list_empty(&starved->line.line) ? CDT_NEVER : starved->delay);
}

static void starved_wake(struct cdt_deferred *deferred)
{
    struct cdt_limit *line = cdt_container_of(deferred, struct cdt_limit, wake);

    starved_turn(starved_of(line->hub), false);
}

static void starved_on_timer(struct cdt_timer *timer)
{
    starved_turn(cdt_container_of(timer, struct starved, timer), true);
}

void server_descriptor_freed(struct flow_hub *hub)
{
    if (hub->starved && !list_empty(&hub->starved->line))
        cdt_defer(hub->reactor, &hub->starved->wake);
}

/* ---- shedding -------------------------------------------------------------------------------- */

void server_open_reserve(struct cdt_server *server)
{
    if (server->options.shed && server->reserve < 0)
        server->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Whether one more may be shed in this window of time. */
static bool may_shed(struct cdt_server *server)
{
    uint64_t now = cdt_reactor_now(server->hub->reactor);

    if (now - server->shed_window >= DELAY_MIN * CDT_MS) {
        server->shed_window = now;
        server->shed_left = SERVER_BUDGET;
    }
    if (server->shed_left == 0)
        return false;
    server->shed_left--;
    return true;
}

int server_shed(struct cdt_server *server, int error)
{
    struct cdt_carrier carrier = {.fd = -1};
    struct cdt_addr peer = {0};
    int status;

    if (!server->options.shed)
        return error;
    server_open_reserve(server);
    if (server->reserve < 0 || !may_shed(server))
        return error;
    close(server->reserve);
    server->reserve = -1;
    status = server->ops->accept(&server->listener, &carrier, &peer);
    if (status == 0)
        server->carrier->close(&carrier, CDT_CLOSE_RESET);
    server_open_reserve(server);
    if (status < 0)
        return status;
    server->counters.shed++;
    server_report(server, REPORT_SHED, -CDT_ESHED, &peer);
    return 0;
}
