/* The flow's life: made, connected, opened, looked at when its descriptor or the ready list says
 * so, ended, and freed after on_close. */
#include <string.h>
#include <sys/epoll.h>

#include "flows/internal.h"

/* ---- making ---------------------------------------------------------------------------------- */

/* Few peers have one. Without memory for it the carrier is asked for the address. */
static bool set_scope(struct cdt_flow *flow, uint32_t scope)
{
    if (scope && !flow_extra(flow))
        return false;
    if (flow->extra)
        flow->extra->peer_scope = scope;
    return true;
}

/* Inline into flow_new(): each accepted flow comes this way. */
static inline __attribute__((always_inline)) void set_peer(struct cdt_flow *flow,
                                                           const struct cdt_addr *peer)
{
    if (!peer || peer->length == 0)
        return;
    if (peer->any.sa_family == AF_INET) {
        memcpy(flow->peer_ip, &peer->v4.sin_addr, sizeof peer->v4.sin_addr);
        flow->peer_port = peer->v4.sin_port;
        flow->peer_family = AF_INET;
    } else if (peer->any.sa_family == AF_INET6 && set_scope(flow, peer->v6.sin6_scope_id)) {
        memcpy(flow->peer_ip, &peer->v6.sin6_addr, sizeof peer->v6.sin6_addr);
        flow->peer_port = peer->v6.sin6_port;
        flow->peer_family = AF_INET6;
    }
}

bool flow_handler_valid(const struct cdt_handler *handler)
{
    return handler && handler->size >= sizeof *handler && handler->user_size <= SIZE_MAX / 2;
}

bool flow_ops_valid(const struct cdt_carrier_ops *ops)
{
    return ops && ops->size >= sizeof *ops && ops->read && ops->write && ops->writev && ops->close;
}

void flow_use_handler(struct cdt_flow *flow, const struct cdt_handler *handler)
{
    flow->handler = handler;
    flow->flags &= ~(uint32_t)FLOW_NO_READER;
    if (!handler->on_read)
        flow->flags |= FLOW_NO_READER;
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { MAX_SPARE_FLOWS = 64 * MEM_REUSE };

static struct cdt_flow *flow_alloc(struct flow_hub *hub, size_t user_size)
{
    struct cdt_flow *flow = hub->spare_flow;
    if (flow && hub->spare_flow_size == user_size) {
        hub->spare_flow = flow->carrier.context;
        hub->spare_flow_count--;
    } else {
        flow = mem_alloc(sizeof *flow + user_size);
        if (!flow)
            return NULL;
    }
    *flow = (struct cdt_flow){0};
    if (user_size)
        memset(flow->user, 0, user_size);
    return flow;
}

static void flow_free(struct flow_hub *hub, struct cdt_flow *flow, size_t user_size)
{
    if (hub->spare_flow_count == 0)
        hub->spare_flow_size = user_size;
    if (hub->spare_flow_size != user_size || hub->spare_flow_count == MAX_SPARE_FLOWS) {
        mem_free(flow);
        return;
    }
    flow->carrier.context = hub->spare_flow;
    hub->spare_flow = flow;
    hub->spare_flow_count++;
}

/* Whether its descriptor, if it has one, is to tell from the beginning when it can be written. */
static inline bool starts_armed(const struct cdt_carrier_ops *ops, bool connecting)
{
    return connecting && !(ops->flags & CDT_CARRIER_ONE_EVENT);
}

static inline uint32_t carrier_events(const struct cdt_carrier_ops *ops, bool connecting)
{
    return FLOW_EVENTS_READ | (starts_armed(ops, connecting) ? FLOW_EVENTS_WRITE : 0);
}

static inline uint32_t carrier_flags(const struct cdt_carrier_ops *ops, bool connecting)
{
    uint32_t flags = connecting ? FLOW_ARMED : 0;
    if (ops->flags & CDT_CARRIER_SHORT_READS)
        flags |= FLOW_SHORT_READS;
    if (ops->flags & CDT_CARRIER_ONE_EVENT)
        flags |= FLOW_ONE_EVENT | FLOW_ARMED; /* it never will be more armed */
    return flags;
}

int flow_new(struct flow_config *config, const struct cdt_handler *handler,
             const struct cdt_carrier_ops *ops, const struct cdt_carrier *carrier, bool connecting,
             const struct cdt_addr *peer, struct cdt_flow **result)
{
    struct flow_hub *hub = config->hub;
    if (hub->closing)
        return -EINVAL;
    struct cdt_flow *flow = flow_alloc(hub, handler->user_size);
    if (!flow)
        return -ENOMEM;
    flow->source.on_event = flow_on_event;
    flow_use_handler(flow, handler);
    flow->ops = ops;
    flow->carrier = *carrier;
    flow->config = config;
    flow->timer.fn = flow_on_timer;
    if (connecting || config->deadlines) /* else nobody asks, and the clock need not be read */
        flow->born = flow->active = cdt_reactor_now(hub->reactor);
    uint32_t flags = carrier_flags(ops, connecting) | (connecting ? 0 : FLOW_CONNECTED);
    if (carrier->fd >= 0) {
        int error = reactor_source_add(hub->reactor, &flow->source, carrier->fd,
                                       carrier_events(ops, connecting));
        if (error) {
            flow_free(hub, flow, handler->user_size);
            return error;
        }
        flags |= FLOW_REGISTERED;
    }
    flow->flags |= flags;
    set_peer(flow, peer);
    list_append(config->server ? server_flows(config->server) : &hub->flows, &flow->link);
    *result = flow;
    return 0;
}

/* As flow_new() and its callers, for a flow that is there already. */
int flow_set_carrier(struct cdt_flow *flow, const struct cdt_carrier_ops *ops,
                     const struct cdt_carrier *carrier, bool connecting,
                     const struct cdt_addr *peer)
{
    struct cdt_reactor *reactor = flow->config->hub->reactor;
    uint32_t flags = carrier_flags(ops, connecting);
    flags |= connecting ? FLOW_READABLE : FLOW_CONNECTED; /* the first: ask it once */
    if (carrier->fd >= 0) {
        int error = reactor_source_add(reactor, &flow->source, carrier->fd,
                                       carrier_events(ops, connecting));
        if (error)
            return error;
        flags |= FLOW_REGISTERED;
    }
    const uint32_t old = FLOW_READABLE | FLOW_WRITABLE | FLOW_READ_END | FLOW_HUNG |
                         FLOW_CONNECTED | FLOW_SHORT_READS | FLOW_SHORT_WRITES | FLOW_ONE_EVENT |
                         FLOW_ARMED;
    flow->flags = (flow->flags & ~old) | flags;
    flow->ops = ops;
    flow->carrier = *carrier;
    flow->peer_family = 0;
    set_peer(flow, peer);
    flow_schedule(flow);
    return 0;
}

struct flow_extra *flow_extra(struct cdt_flow *flow)
{
    if (!flow->extra)
        flow->extra = mem_zalloc(sizeof *flow->extra);
    return flow->extra;
}

/* ---- opening --------------------------------------------------------------------------------- */

void flow_begin(struct cdt_flow *flow)
{
    if (flow->state != CDT_CONNECTING)
        return;
    flow->flags = (flow->flags & ~(uint32_t)FLOW_CONNECTED) | FLOW_WRITABLE;
    if (flow->carrier.fd < 0 || (flow->flags & FLOW_ONE_EVENT))
        flow->flags |= FLOW_READABLE; /* nobody has told yet */
    if (!flow->top) {
        flow_opened(flow);
        return;
    }
    flow_change(flow, FLOW_EV_CONNECTED);
    flow->active = cdt_reactor_now(flow->config->hub->reactor);
    flow_update_timer(flow);
    flow_read(flow);
}

/* What was asked of the flow before it was open. */
static void do_wanted(struct cdt_flow *flow, uint32_t wanted)
{
    if (wanted & FLOW_CLOSE_WANTED) {
        flow->flags |= FLOW_SHUT_READ; /* it never hears on_open, so nothing else either */
        cdt_flow_close(flow);
    } else if (wanted & FLOW_FIN_WANTED) {
        cdt_flow_shutdown(flow, CDT_SHUT_WRITE);
    }
}

/* With one of these, or with deadlines, catch_up() has something to do. */
enum { FLOW_BEHIND = FLOW_CLOSE_WANTED | FLOW_FIN_WANTED | FLOW_LAYERED | FLOW_QUEUED };

/* Starts the deadlines, sends what was written before the flow was open, does what was asked.
 * Whether on_open is to come. Not inline: accepted flows seldom need it. */
static __attribute__((noinline)) bool catch_up(struct cdt_flow *flow)
{
    flow->active = cdt_reactor_now(flow->config->hub->reactor);
    flow_restart_rate(flow);
    uint32_t wanted = flow->flags & (FLOW_CLOSE_WANTED | FLOW_FIN_WANTED);
    flow->flags &= ~wanted; /* for now: the layers have to send their ends before */
    if (flow->top)
        flow_send_early(flow);
    if (flow->tail)
        flow_drain(flow);
    do_wanted(flow, wanted);
    return flow->state != CDT_CLOSED && !(wanted & FLOW_CLOSE_WANTED);
}

/* Inline into flow_begin(): each accepted flow comes this way. */
inline void flow_opened(struct cdt_flow *flow)
{
    struct flow_hub *hub = flow->config->hub;
    flow_change(flow, FLOW_EV_OPEN);
    if (((flow->flags & FLOW_BEHIND) || flow->config->deadlines) && !catch_up(flow))
        return;
    flow->flags |= FLOW_OPENED;
    if (flow->handler->on_open) {
        flow_enter_callback(hub);
        flow->handler->on_open(flow);
        flow_leave_callback(hub);
    }
    if (flow_has_input(flow))
        flow_schedule(flow);
}

/* What tells that the carrier may be connected: turns of the flow come for other reasons too. */
enum { MAY_BE_CONNECTED = FLOW_CONNECTED | FLOW_READABLE | FLOW_WRITABLE };

static void look_connected(struct cdt_flow *flow)
{
    int result = 0;
    if (!(flow->flags & FLOW_CONNECTED) && flow->ops->connected)
        result = flow->ops->connected(&flow->carrier);
    if (result == -EAGAIN) { /* what was told of writing so far means nothing */
        flow->flags &= ~(uint32_t)(FLOW_WRITABLE | FLOW_READ_END | FLOW_HUNG);
        return;
    }
    if (result)
        flow_end(flow, result, NULL);
    else
        flow_begin(flow);
}

/* ---- looking --------------------------------------------------------------------------------- */

static void advance(struct cdt_flow *flow)
{
    if (flow->state == CDT_CONNECTING && (flow->flags & MAY_BE_CONNECTED))
        look_connected(flow);
    if (flow->tail && (flow->flags & FLOW_WRITABLE) && flow->state > CDT_CONNECTING)
        flow_drain(flow);
    if ((flow->flags & (FLOW_FIN_WANTED | FLOW_FIN_SENT)) == FLOW_FIN_WANTED)
        flow_try_fin(flow); /* if it was too early before */
    if (flow_has_input(flow) || (flow->state == CDT_HANDSHAKING && !flow->top->started))
        flow_read(flow);
}

static void check_writable(struct cdt_flow *flow)
{
    struct flow_hub *hub = flow->config->hub;
    if (!flow_writable_due(flow))
        return;
    flow->flags &= ~(uint32_t)FLOW_ABOVE;
    /* Also if nothing can be written any more: who has paused until now must go on to hear of the
     * end. */
    if (!flow->handler->on_writable || flow->state >= CDT_CLOSING)
        return;
    flow_enter_callback(hub);
    flow->handler->on_writable(flow);
    flow_leave_callback(hub);
}

static void finish(struct cdt_flow *flow);

/* Called by the reactor, outside of all other callbacks, with what epoll reported, or 0: the flow
 * was on the ready list. A flow that ends meanwhile is finished at the end: no event of it is
 * outstanding, since it has one descriptor, and this was its event. One that ends elsewhere waits
 * on the ready list until all events that were fetched are handled. */
__attribute__((noinline)) /* it would spoil the short path of flow_on_event() */
void flow_look(struct cdt_flow *flow, uint32_t events)
{
    struct flow_hub *hub = flow->config->hub;
    if (events && flow->state == CDT_CLOSED)
        return;
    uint32_t flags = flow->flags;
    if (events & EPOLLOUT)
        flags |= FLOW_WRITABLE;
    if (events & EPOLLIN)
        flags |= FLOW_READABLE | (flags & FLOW_ONE_EVENT ? FLOW_WRITABLE : 0);
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        flags |= FLOW_READABLE | FLOW_READ_END;
    if (events & EPOLLPRI) /* TCP's urgent mark stops a read short */
        flags |= FLOW_READABLE | FLOW_SHORT_READS;
    if (events & (EPOLLHUP | EPOLLERR))
        flags |= FLOW_HUNG | FLOW_WRITABLE;
    flow->flags = flags;

    hub->looking = flow;
    if ((events & EPOLLERR) && (flags & (FLOW_EOF | FLOW_FIN_SENT)) == FLOW_EOF) {
        /* reading will not tell; when both ends have passed it does not matter */
        int error = socket_connected(&flow->carrier);
        flow_write_failed(flow, error && error != -ENOTSOCK ? error : -ECONNRESET);
    }
    if (flow->extra && flow->extra->done)
        flow_call_written(flow);
    if (flow->state != CDT_CLOSED)
        advance(flow);
    if (flow->state != CDT_CLOSED && events == 0)
        check_writable(flow);
    hub->looking = NULL;
    if (flow->state != CDT_CLOSED)
        return;
    if (flow->tail || flow->extra)
        flow_drop_output(flow, flow->status ? flow->status : -ECANCELED);
    if (!reactor_is_ready(&flow->source))
        finish(flow);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void flow_set_error(struct cdt_flow *flow, const char *text)
{
    if (!text || !flow_extra(flow) || flow->extra->error)
        return;
    flow->extra->error = mem_strdup(text);
}

static void deregister(struct cdt_flow *flow)
{
    if (!(flow->flags & FLOW_REGISTERED))
        return;
    reactor_source_remove(flow->config->hub->reactor, flow->carrier.fd);
    flow->flags &= ~(uint32_t)FLOW_REGISTERED;
}

void flow_end(struct cdt_flow *flow, int status, const char *text)
{
    if (!flow_change(flow, FLOW_EV_END))
        return;
    if (text)
        flow_set_error(flow, text);
    flow->status = status;
    if (flow->config->hub->cork.flow == flow)
        cork_drop(flow);
    if (flow->timer.next)
        cdt_timer_cancel(&flow->timer);
    deregister(flow);
    if (flow->config->hub->looking != flow)
        flow_schedule(flow);
}

static void close_carrier(struct cdt_flow *flow)
{
    enum cdt_close_how how = CDT_CLOSE_ORDERLY;
    if ((flow->status && !(flow->flags & FLOW_PARTING)) || (flow->flags & FLOW_RESET))
        how = CDT_CLOSE_RESET;
    if (flow->flags & FLOW_DETACHED)
        how = CDT_CLOSE_KEEP;
    flow->ops->close(&flow->carrier, how);
    flow->carrier.fd = -1;
    server_descriptor_freed(flow->config->hub);
}

static void free_extra(struct flow_extra *extra)
{
    mem_free(extra->error);
    mem_free(extra->stash.memory);
    mem_free(extra);
}

size_t flow_user_size(const struct cdt_flow *flow)
{
    return flow->extra && flow->extra->user_size ? flow->extra->user_size
                                                 : flow->handler->user_size;
}

void flow_release(struct cdt_flow *flow)
{
    struct flow_config *config = flow->config;
    struct cdt_server *server = config->server;
    struct flow_hub *hub = config->hub;
    int status = flow->status;
    size_t user_size = flow_user_size(flow);
    list_remove(&flow->link);
    if (flow->extra)
        free_extra(flow->extra);
    flow_free(hub, flow, user_size);
    flow_config_put(config);
    if (server)
        server_flow_ended(server, status);
}

/* The last callbacks; then the flow is freed, unless its relay keeps it until the other one is
 * over. */
static void finish(struct cdt_flow *flow)
{
    struct flow_hub *hub = flow->config->hub;
    struct cdt_server *server = flow->config->server;
    if (server && flow->status)
        server_flow_failed(server, flow, flow->status, cdt_flow_error(flow));
    bool heard = !server || (flow->flags & FLOW_OPENED) || (flow->extra && flow->extra->relay);
    if (heard && flow->handler->on_close) {
        flow_enter_callback(hub);
        flow->handler->on_close(flow, flow->status);
        flow_leave_callback(hub);
    }
    if (flow->top)
        layer_free_all(flow);
    close_carrier(flow);
    if (!flow->extra || !relay_finished(flow))
        flow_release(flow);
}
