/* Accepting: the limits first, then the client, the filter, the flow. What an errno of accept(2)
 * means is a table. How many are accepted at once follows from how many came before. */
#include <string.h>

#include "flows/server.h"

/* ---- what an error of accept means ----------------------------------------------------------- */

enum policy {
    POLICY_PAUSE, /* wait for a descriptor, or some time; also what is not in the table */
    POLICY_EMPTY, /* no client waits */
    POLICY_NEXT,  /* this client is gone, or the network was: go on */
    POLICY_BROKEN /* the listener cannot be used: stop */
};

enum { ERRNOS = 134 };

static const uint8_t policies[ERRNOS] = {
    [EAGAIN] = POLICY_EMPTY,      [EINTR] = POLICY_NEXT,
    [ECONNABORTED] = POLICY_NEXT, [ECONNRESET] = POLICY_NEXT,
    [EPROTO] = POLICY_NEXT,       [EPERM] = POLICY_NEXT, /* a firewall's rule */
    [ENETDOWN] = POLICY_NEXT,     [ENETUNREACH] = POLICY_NEXT,
    [EHOSTDOWN] = POLICY_NEXT,    [EHOSTUNREACH] = POLICY_NEXT,
    [ENONET] = POLICY_NEXT,       [ENOPROTOOPT] = POLICY_NEXT,
    [EOPNOTSUPP] = POLICY_NEXT,   [ETIMEDOUT] = POLICY_NEXT,
    [EBADF] = POLICY_BROKEN,      [EINVAL] = POLICY_BROKEN,
    [ENOTSOCK] = POLICY_BROKEN,   [EFAULT] = POLICY_BROKEN,
    [EMFILE] = POLICY_PAUSE,      [ENFILE] = POLICY_PAUSE,
    [ENOBUFS] = POLICY_PAUSE,     [ENOMEM] = POLICY_PAUSE,
};

static enum policy policy_of(int status)
{
    return status > -ERRNOS ? (enum policy)policies[-status] : POLICY_PAUSE;
}

void server_report(struct cdt_server *server, enum server_report kind, int status,
                   const struct cdt_addr *peer)
{
    uint64_t now = cdt_reactor_now(server->hub->reactor);

    if (now < server->next_report[kind])
        return;
    server->next_report[kind] = now + CDT_SECOND;
    if (server->options.on_error)
        server->options.on_error(server, status, cdt_strerror(status), peer);
}

/* ---- arming ---------------------------------------------------------------------------------- */

void server_arm(struct cdt_server *server)
{
    if (server->armed || server->stopping)
        return;
    server->armed = true;
    if (server->listener.fd >= 0)
        cdt_watch_modify(&server->watch, CDT_READ);
    else if (server->ops->arm)
        server->ops->arm(&server->listener, server);
}

void server_disarm(struct cdt_server *server)
{
    if (!server->armed)
        return;
    server->armed = false;
    if (server->listener.fd >= 0)
        cdt_watch_modify(&server->watch, 0);
    else if (server->ops->disarm)
        server->ops->disarm(&server->listener);
}

/* ---- one connection -------------------------------------------------------------------------- */

/* The first limit that has no room, or in whose line others wait: they come first. */
static struct cdt_limit *refusing_limit(struct cdt_server *server, const struct cdt_limit *turn)
{
    struct cdt_limit **end = server->limits + server->limit_count;

    for (struct cdt_limit **limit = server->limits; limit != end; limit++)
        if (!limit_has_room(*limit) || ((*limit)->waiting && *limit != turn))
            return *limit;
    return NULL;
}

static void wait_for_limit(struct cdt_server *server, struct cdt_limit *limit,
                           const struct cdt_limit *turn)
{
    /* One that comes from a line in which it was not counted may have no client at all. */
    if (!server->again) {
        limit->throttled++;
        server->counters.throttled += !turn;
    }
    server_disarm(server);
    line_join(limit, server);
}

static void take_slots(struct cdt_server *server)
{
    struct cdt_limit **end = server->limits + server->limit_count;

    for (struct cdt_limit **limit = server->limits; limit != end; limit++)
        limit_take(*limit);
}

static void release_slots(struct cdt_server *server)
{
    for (unsigned i = 0; i < server->limit_count; i++)
        limit_release(server->limits[i]);
}

static enum accept_result starve(struct cdt_server *server, const struct cdt_limit *turn,
                                 int status)
{
    server->counters.starved += turn != server->hub->starved;
    server_disarm(server);
    starved_join(server, status);
    server_report(server, REPORT_PAUSE, status, NULL);
    return server->stopping ? ACCEPT_STOPPED : ACCEPT_STARVED;
}

static enum accept_result accept_failed(struct cdt_server *server, const struct cdt_limit *turn,
                                        int status)
{
    enum policy policy;

    if (status == -EMFILE || status == -ENFILE) {
        if (server->hub->spare_pipe) { /* descriptors that relays keep for later: better used now */
            splice_free_pipes(server->hub);
            return ACCEPT_FAILED;
        }
        status = server_shed(server, status);
        if (status == 0)
            return server->stopping ? ACCEPT_STOPPED : ACCEPT_DONE;
    }
    policy = policy_of(status);
    if (policy == POLICY_EMPTY) {
        server->failures = 0;
        server->again = false;
        return ACCEPT_EMPTY;
    }
    /* With nothing but failures, going on at once would only burn time. */
    if (policy == POLICY_NEXT && ++server->failures >= SERVER_BUDGET) {
        server->failures = 0;
        policy = POLICY_PAUSE;
    }
    if (policy == POLICY_PAUSE)
        return starve(server, turn, status);
    server->counters.failed++;
    if (policy == POLICY_NEXT) {
        server_report(server, REPORT_NEXT, status, NULL);
        return server->stopping ? ACCEPT_STOPPED : ACCEPT_FAILED;
    }
    reactor_log(server->hub->reactor, CDT_LOG_ERROR, "the listener failed: %s",
                cdt_strerror(status));
    server->next_report[REPORT_NEXT] = 0;
    server_report(server, REPORT_NEXT, status, NULL);
    cdt_server_stop(server, CDT_NEVER);
    return ACCEPT_STOPPED;
}

/* on_accept refused the flow, or it has ended by itself: it never was one of the accepted. */
static void refuse_flow(struct cdt_server *server, struct cdt_flow *flow, int status)
{
    server->counters.refused++;
    server->counters.accepted--;
    server->refused_count++;
    list_remove(&flow->link);
    list_append(&server->refused, &flow->link);
    flow_end(flow, status < 0 ? status : -CDT_EFILTERED, NULL);
    if (flow->status == 0)
        flow->status = -CDT_EFILTERED;
}

/* A client that speaks first has often spoken by now: to read at once saves an event, and often a
 * turn. Where that mostly finds nothing, it is tried only now and then. */
static void read_early(struct cdt_server *server, struct cdt_flow *flow)
{
    enum { SURE = 8, NOW_AND_THEN = 16 };
    uint64_t before = server->traffic.in;

    if (server->eager == 0 && server->counters.accepted % NOW_AND_THEN)
        return;
    flow_on_event(&flow->source, EPOLLIN);
    if (server->traffic.in == before)
        server->eager -= server->eager > 0;
    else if (server->eager < SURE)
        server->eager++;
}

/* `turn` as of server_accept(). The flow may be gone afterwards. */
static void begin_flow(struct cdt_server *server, struct cdt_flow *flow,
                       const struct cdt_limit *turn)
{
    int status = 0;

    if (server->stack.push)
        status = server->stack.push(server->stack.context, flow);
    if (status == 0 && server->options.on_accept) {
        flow_enter_callback(server->hub);
        status = server->options.on_accept(server, flow);
        flow_leave_callback(server->hub);
    }
    if (status < 0 || flow->state == CDT_CLOSED) {
        refuse_flow(server, flow, status);
        return;
    }
    flow_begin(flow);
    /* Not in a line's turn: a flow that ended at once would serve the line again from inside. */
    if (!turn && flow->carrier.fd >= 0)
        read_early(server, flow);
}

static bool filtered(struct cdt_server *server, const struct cdt_addr *peer)
{
    return server->options.filter && server->options.filter(server, peer) != 0;
}

/* Makes a flow of an accepted connection, which is taken over whatever happens. */
static enum accept_result take_client(struct cdt_server *server, const struct cdt_limit *turn,
                                      struct cdt_carrier *carrier, const struct cdt_addr *peer)
{
    const struct cdt_carrier_ops *ops = server->carrier;
    struct cdt_flow *flow;
    int error;

    if (filtered(server, peer) || server->stopping) {
        server->counters.refused++;
        ops->close(carrier, CDT_CLOSE_RESET);
        return server->stopping ? ACCEPT_STOPPED : ACCEPT_DONE;
    }
    take_slots(server);
    server->config->references++;
    error = flow_new(server->config, server->handler, ops, carrier, false, peer, &flow);
    if (error) {
        flow_config_put(server->config);
        release_slots(server);
        ops->close(carrier, CDT_CLOSE_RESET);
        return starve(server, turn, error);
    }
    server->counters.accepted++;
    begin_flow(server, flow, turn);
    return server->stopping ? ACCEPT_STOPPED : ACCEPT_DONE;
}

enum accept_result server_accept(struct cdt_server *server, struct cdt_limit *turn)
{
    struct cdt_carrier carrier = {.fd = -1};
    struct cdt_addr peer; /* not zeroed: accept fills it */
    struct cdt_limit *starved = server->hub->starved, *limit;
    int status;

    if (server->stopping)
        return ACCEPT_STOPPED;
    limit = refusing_limit(server, turn);
    if (limit) {
        wait_for_limit(server, limit, turn);
        return ACCEPT_LIMITED;
    }
    /* Whoever waits for a descriptor comes before those who would take it from under their
     * hands. */
    if (starved->waiting && turn != starved && server->listener.fd >= 0) {
        server->counters.starved++;
        server_disarm(server);
        line_join(starved, server);
        return ACCEPT_STARVED;
    }
    peer.length = 0;
    status = server->ops->accept(&server->listener, &carrier, &peer);
    if (status < 0)
        return accept_failed(server, turn, status);
    server->failures = 0;
    if (server->again && turn) {
        server->again = false;
        if (turn != starved) {
            server->counters.throttled++;
            turn->throttled++;
        }
    }
    return take_client(server, turn, &carrier, &peer);
}

/* ---- batches --------------------------------------------------------------------------------- */

/* An accept that finds nothing costs about as much as one that finds a client. So a batch ends
 * after as many as the last ones had; the kernel tells again if there are more, and the expectation
 * doubles when it was met many times in a row. A listener without a descriptor is told once only:
 * it is asked until it is empty. */
enum { FULL_BATCHES = 16 };

static void learn(struct cdt_server *server, unsigned count, bool emptied)
{
    unsigned budget = server->options.accept_budget;

    if (emptied)
        server->expected = count ? count : 1;
    else if (++server->full_batches < FULL_BATCHES)
        return;
    else
        server->expected = count < budget / 2 ? count * 2 : budget;
    server->full_batches = 0;
}

void server_accept_batch(struct cdt_server *server)
{
    bool told_again = server->listener.fd >= 0;
    unsigned limit = told_again ? server->expected : server->options.accept_budget;
    unsigned count = 0;
    enum accept_result result = ACCEPT_DONE;

    while (count < limit && (result = server_accept(server, NULL)) <= ACCEPT_GO_ON)
        count++;
    if (count == limit && !told_again)
        server_defer(server, WORK_ACCEPT);
    else if (count == limit || result == ACCEPT_EMPTY)
        learn(server, count, count < limit);
}

/* What server_arm() or server_disarm() has asked for is not in force. A listener that would be deaf
 * waits as for a descriptor, and is armed again after that; one that would wake us for nothing is
 * disarmed again at once. */
static void mask_refused(struct cdt_server *server)
{
    if (server->armed)
        starve(server, NULL, -ENOMEM);
    else
        cdt_watch_modify(&server->watch, 0);
}

void server_on_watch(struct cdt_watch *watch, unsigned events)
{
    struct cdt_server *server = cdt_container_of(watch, struct cdt_server, watch);

    if (events == CDT_ERROR)
        mask_refused(server);
    else if (server->armed)
        server_accept_batch(server);
}

int cdt_listener_ready(struct cdt_server *server)
{
    if (!server_usable(server))
        return -EINVAL;
    if (server->armed)
        server_defer(server, WORK_ACCEPT);
    return 0;
}
