/* The life of a server: options, the first callback, the last one, and what can be asked of it in
 * between. Its own callbacks come from one deferred call, outside of those of its flows. */
#include <string.h>
#include <unistd.h>

#include "flows/server.h"

static void server_work(struct cdt_deferred *deferred);

enum { MODE_BITS = 07777, OPEN_DELAY = 2 /* ms */ };

/* ---- making ---------------------------------------------------------------------------------- */

static bool options_valid(const struct cdt_server_options *options, const struct flow_hub *hub)
{
    for (int i = 0; i < CDT_MAX_LIMITS; i++)
        if (options->limits[i] && options->limits[i]->hub != hub)
            return false;
    return options->backlog >= 0 && (options->unix_mode & ~(mode_t)MODE_BITS) == 0;
}

static int prepare_options(struct cdt_server *server, const struct cdt_server_options *options)
{
    struct cdt_server_options *copy = &server->options;

    if (!options_copy(copy, sizeof *copy, options) || !options_valid(copy, server->hub))
        return -EINVAL;
    if (!copy->accept_budget)
        copy->accept_budget = SERVER_BUDGET;
    int result = flow_config_get(server->hub, copy->flow, server, &server->config);

    copy->flow = NULL; /* the caller's */
    return result;
}

/* The server's own limit, and each of the shared ones once. */
static void prepare_limits(struct cdt_server *server)
{
    limit_init(&server->own, server->hub, server->options.max_active);
    server->limits[server->limit_count++] = &server->own;
    for (int i = 0; i < CDT_MAX_LIMITS; i++) {
        struct cdt_limit *limit = server->options.limits[i];
        bool known = !limit;
        for (unsigned j = 0; j < server->limit_count; j++)
            known = known || server->limits[j] == limit;
        if (known)
            continue;
        limit->users++;
        server->limits[server->limit_count++] = limit;
    }
}

/* Lets go of the shared limits, so that on_stopped may free them. */
static void release_limits(struct cdt_server *server)
{
    for (unsigned i = 1; i < server->limit_count; i++)
        server->limits[i]->users--;
    server->limit_count = 0;
    limit_fini(&server->own);
}

static void init(struct cdt_server *server, struct flow_hub *hub, const struct cdt_handler *handler)
{
    server->hub = hub;
    server->handler = handler;
    server->listener.fd = -1;
    server->reserve = -1;
    server->expected = 1;
    server->deadline = CDT_NEVER;
    server->abort_status = -CDT_EDRAIN;
    server->watch.fn = server_on_watch;
    server->deferred.fn = server_work;
    server->timer.fn = server_on_deadline;
    list_init(&server->flows);
    list_init(&server->refused);
    list_init(&server->place);
}

int server_new(struct cdt_reactor *reactor, const struct cdt_server_options *options,
               const struct cdt_handler *handler, struct cdt_server **result)
{
    struct flow_hub *hub;
    struct cdt_server *server;
    int error;

    if (!reactor_usable(reactor) || !flow_handler_valid(handler) || !result)
        return -EINVAL;
    hub = flow_hub(reactor);
    if (!hub || starved_prepare(hub))
        return -ENOMEM;
    if (hub->closing)
        return -EINVAL;
    server = mem_zalloc(sizeof *server);
    if (!server)
        return -ENOMEM;
    init(server, hub, handler);
    error = prepare_options(server, options);
    if (error) {
        mem_free(server);
        return error;
    }
    server->config->traffic = &server->traffic;
    gate_init(&server->gate, reactor, server->options.max_handshakes);
    prepare_limits(server);
    list_append(&hub->servers, &server->link);
    *result = server;
    return 0;
}

void server_discard(struct cdt_server *server)
{
    release_limits(server);
    list_remove(&server->link);
    flow_config_put(server->config);
    mem_free(server->where);
    mem_free(server);
}

/* ---- starting -------------------------------------------------------------------------------- */

int server_apply_backlog(struct cdt_server *server)
{
    int wanted = server->options.backlog;
    int in_force = server->ops->set_backlog(&server->listener, wanted ? wanted : SERVER_BACKLOG);

    if (in_force < 0)
        return in_force;
    server->backlog = in_force;
    if (in_force < wanted)
        reactor_log(server->hub->reactor, CDT_LOG_WARNING, "the backlog of %d is cut to %d%s",
                    wanted, in_force,
                    server->ops->set_backlog == socket_set_backlog ? " by net.core.somaxconn" : "");
    return 0;
}

/* Where the listener has a descriptor, it is registered once, for nothing yet. */
static int listener_opened(struct cdt_server *server)
{
    const struct cdt_listener_ops *ops = server->ops;
    int result;

    server->listening = true;
    if (!server->carrier)
        server->carrier = ops->carrier;
    if (server->listener.fd >= 0) {
        result = cdt_watch_add(server->hub->reactor, &server->watch, server->listener.fd, 0);
        if (result < 0)
            return result;
    }
    server->address.length = 0;
    if (ops->address) {
        result = ops->address(&server->listener, &server->address);
        if (result < 0)
            return result;
    }
    server_open_reserve(server);
    return 0;
}

void server_start(struct cdt_server *server)
{
    int status = server->open ? server->open(server) : 0;

    if (status == -EINPROGRESS) {
        server->attempts++;
        cdt_timer_set(server->hub->reactor, &server->timer, OPEN_DELAY * CDT_MS);
        return;
    }
    if (status == 0)
        status = listener_opened(server);
    server->status = status;
    if (status < 0)
        server_shut(server);
    server_defer(server, WORK_LISTEN);
}

void server_defer(struct cdt_server *server, unsigned work)
{
    server->work |= work;
    cdt_defer(server->hub->reactor, &server->deferred);
}

static void tell_listen(struct cdt_server *server, int status, const char *text)
{
    if (server->options.on_listen)
        server->options.on_listen(server, status, text);
    else if (status < 0 && server->options.on_error)
        server->options.on_error(server, status, text, NULL);
}

static void do_listen(struct cdt_server *server)
{
    if (server->told)
        return;
    server->told = true;
    if (server->stopping) {
        tell_listen(server, -ECANCELED, "the server was stopped");
        return;
    }
    if (server->status < 0) {
        tell_listen(server, server->status,
                    *server->text ? server->text : cdt_strerror(server->status));
        cdt_server_stop(server, 0);
        return;
    }
    server->started = true;
    tell_listen(server, 0, "");
    server_arm(server);
    if (server->listener.fd < 0 && server->armed)
        server_defer(server, WORK_ACCEPT);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_empty(const struct cdt_server *server)
{
    return list_empty(&server->flows) && list_empty(&server->refused);
}

static void finish(struct cdt_server *server)
{
    server->finished = true;
    cdt_timer_cancel(&server->timer);
    list_remove(&server->link);
    server->counters.max_active = server->own.max;
    server->counters.peak = server->own.peak;
    release_limits(server);
    if (server->options.on_stopped)
        server->options.on_stopped(server);
    cdt_defer_cancel(&server->deferred);
    gate_fini(&server->gate);
    if (server->stack.free)
        server->stack.free(server->stack.context);
    flow_config_put(server->config);
    mem_free(server->where);
    mem_free(server);
}

static void server_work(struct cdt_deferred *deferred)
{
    struct cdt_server *server = cdt_container_of(deferred, struct cdt_server, deferred);
    unsigned work = server->work;

    server->work = 0;
    if ((work & WORK_OPEN) && !server->stopping)
        server_start(server);
    if (work & WORK_LISTEN)
        do_listen(server);
    if ((work & WORK_ACCEPT) && server->armed)
        server_accept_batch(server);
    if (work & WORK_STOP)
        server_tell_flows(server);
    if (work & WORK_ABORT)
        server_abort_flows(server);
    if (server->stopping && !server->work && is_empty(server))
        finish(server);
}

/* ---- called by flows ------------------------------------------------------------------------- */

struct list *server_flows(struct cdt_server *server)
{
    return &server->flows;
}

void server_flow_failed(struct cdt_server *server, struct cdt_flow *flow, int status,
                        const char *text)
{
    struct cdt_addr peer;

    if (!server->options.on_error)
        return;
    if (cdt_flow_dst(flow, &peer) < 0)
        peer.length = 0;
    server->options.on_error(server, status, text, &peer);
}

/* Whether the flow that has just left its list was a refused one. */
static bool refused_ended(struct cdt_server *server)
{
    unsigned left = 0;

    for (struct list *at = server->refused.next; at != &server->refused; at = at->next)
        left++;
    if (left == server->refused_count)
        return false;
    server->refused_count = left;
    return true;
}

void server_flow_ended(struct cdt_server *server, int status)
{
    struct cdt_limit **end = server->limits + server->limit_count;
    bool refused = server->refused_count && refused_ended(server);
    unsigned waited_for = 0;

    if (!refused && status == 0)
        server->counters.closed++;
    else if (!refused)
        server->counters.aborted++;
    for (struct cdt_limit **limit = server->limits; limit != end; limit++) {
        (*limit)->active--;
        waited_for |= (*limit)->waiting;
    }
    if (waited_for)
        for (struct cdt_limit **limit = server->limits; limit != end; limit++)
            limit_serve(*limit);
    if (server->stopping && is_empty(server))
        server_defer(server, 0);
}
