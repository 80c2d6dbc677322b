/* Reading: pulls bytes through the stack and hands them to the user, within a budget; the end of
 * the peer's stream; pausing. */
#include <sys/epoll.h>

#include "flows/internal.h"

/* Payload arrived: for the idle timeout and the minimum rate. */
static void count_activity(struct cdt_flow *flow, size_t length)
{
    if (!flow->tail && flow->state < CDT_CLOSING)
        flow->active = cdt_reactor_now(flow->config->hub->reactor);
    if (flow->extra)
        flow->extra->rate_bytes += length;
}

/* cork_flush() after an on_read. The short path: the flow was plain and writable when
 * cdt_flow_write() held the lent bytes, and it is so still, because whatever changes that flushes
 * or drops the cork first. */
static inline void flush_lent(struct flow_hub *hub)
{
    struct flow_cork *cork = &hub->cork;
    struct cdt_flow *flow = cork->flow;
    if (likely(!cork->mixed)) {
        ssize_t n = flow->ops->write(&flow->carrier, cork->reference, cork->reference_length);
        if (likely((size_t)n == cork->reference_length)) {
            flow->config->traffic->out += (uint64_t)n;
            cork->flow = NULL;
            return;
        }
        if (n > 0) {
            flow->config->traffic->out += (uint64_t)n;
            cork->reference += n;
            cork->reference_length -= (size_t)n;
        } else if (n != -EAGAIN && n != -EINTR) { /* said once only: must not be lost */
            flow_write_failed(flow, (int)n);
            return;
        }
    }
    cork_flush(hub);
}

static inline void call_on_read(struct flow_hub *hub, struct cdt_flow *flow, const uint8_t *data,
                                size_t length)
{
    hub->cork.lent = data;
    hub->cork.lent_end = data + length;
    flow->handler->on_read(flow, data, length);
    hub->cork.lent_end = NULL;
    if (hub->cork.flow)
        flush_lent(hub);
}

static void deliver(struct cdt_flow *flow, const uint8_t *data, size_t length)
{
    if (flow->flags & FLOW_HAS_DEADLINES)
        count_activity(flow, length);
    if (flow->flags & (FLOW_SHUT_READ | FLOW_NO_READER))
        return;
    call_on_read(flow->config->hub, flow, data, length);
}

/* The peer's stream is over, in order. */
static void peer_ended(struct cdt_flow *flow)
{
    uint32_t before = flow->flags;
    flow->flags = (before | FLOW_EOF) & ~(uint32_t)FLOW_READABLE;
    if (before & FLOW_BROKEN) {
        flow_end(flow, flow->status, NULL);
        return;
    }
    if (before & FLOW_EOF)
        return; /* some event made us look again */
    if (!flow->handler->on_eof && (before & (FLOW_OPEN | FLOW_FIN_SENT)) &&
        !(before & (FLOW_LAYERED | FLOW_QUEUED))) {
        flow_end(flow, 0, NULL); /* nothing left to say: closing ends our side, if it has not */
        return;
    }
    flow_change(flow, FLOW_EV_PEER_END);
    if (flow->handler->on_eof && !(flow->flags & FLOW_SHUT_READ)) {
        struct flow_hub *hub = flow->config->hub;
        flow_enter_callback(hub);
        flow->handler->on_eof(flow);
        flow_leave_callback(hub);
    } else if (flow->state == CDT_PEER_ENDED && !flow->handler->on_eof) {
        cdt_flow_close(flow);
    }
    if (flow->state == CDT_CLOSING)
        flow_try_fin(flow);
    flow_update_timer(flow);
}

/* What a read that gave no bytes means. */
static void no_bytes(struct cdt_flow *flow, ssize_t result)
{
    if (result == 0) {
        peer_ended(flow);
    } else if (result == -EINTR) {
        flow_schedule(flow);
    } else if (result == -EAGAIN) {
        if (!(flow->flags & FLOW_LAYERED)) /* else who asked the carrier has done so */
            flow->flags &= ~(uint32_t)FLOW_READABLE;
        if (flow->flags & FLOW_BROKEN)
            flow_end(flow, flow->status, NULL);
    } else if (flow->flags & FLOW_BROKEN) {
        flow_end(flow, flow->status, NULL);
    } else {
        flow_end(flow, (int)result, NULL);
    }
}

static inline ssize_t read_carrier(struct cdt_flow *flow)
{
    ssize_t n = flow->ops->read(&flow->carrier, flow->config->hub->view[0].memory, FLOW_READ_SIZE);
    if (n > 0)
        flow->config->traffic->in += (uint64_t)n;
    return n;
}

/* No layers and no stash: from the carrier to the user, beginning with the `n` bytes that were just
 * read. A short read means drained, unless the end was announced. */
static __attribute__((noinline)) void read_direct(struct cdt_flow *flow, ssize_t n)
{
    int budget = FLOW_READS;
    do {
        if (n < FLOW_READ_SIZE && !(flow->flags & (FLOW_READ_END | FLOW_SHORT_READS)))
            flow->flags &= ~(uint32_t)FLOW_READABLE;
        deliver(flow, flow->config->hub->view[0].memory, (size_t)n);
        if (!flow_has_input(flow))
            return;
        if (--budget == 0 || (flow->flags & (FLOW_LAYERED | FLOW_STASHED | FLOW_SPLICED))) {
            flow_schedule(flow);
            return;
        }
        n = read_carrier(flow);
    } while (n > 0);
    no_bytes(flow, n);
}

void flow_on_event(struct cdt_source *source, uint32_t events)
{
    struct cdt_flow *flow = cdt_container_of(source, struct cdt_flow, source);
    if ((events & ~(uint32_t)EPOLLOUT) != EPOLLIN || !flow_is_plain(flow, FLOW_WRITABLE)) {
        flow_look(flow, events);
        return;
    }
    struct flow_hub *hub = flow->config->hub;
    ssize_t n = flow->ops->read(&flow->carrier, hub->view[0].memory, FLOW_READ_SIZE);
    if (likely((size_t)n - 1 < FLOW_READ_SIZE - 1)) { /* at least one, and drained */
        flow->config->traffic->in += (uint64_t)n;
        call_on_read(hub, flow, hub->view[0].memory, (size_t)n);
        return;
    }
    flow->flags |= FLOW_READABLE;
    if (n <= 0) {
        no_bytes(flow, n);
        return;
    }
    flow->config->traffic->in += (uint64_t)n;
    read_direct(flow, n);
}

static bool may_read(const struct cdt_flow *flow)
{
    return flow->state == CDT_HANDSHAKING ||
           (flow->state != CDT_CLOSED && !(flow->flags & (FLOW_PAUSED | FLOW_EOF)));
}

/* Whether a layer has left bytes below it: it has taken some and not looked for more. */
static bool left_below(const struct flow_hub *hub, unsigned depth)
{
    while (depth > 0) {
        if (hub->view[--depth].length)
            return true;
    }
    return false;
}

static void read_layered(struct cdt_flow *flow)
{
    struct flow_hub *hub = flow->config->hub;
    int budget = FLOW_READS;
    bool drained = false;
    while (may_read(flow)) {
        if (budget-- == 0) {
            flow_schedule(flow);
            break;
        }
        hub->consumed = false;
        if (flow->state == CDT_HANDSHAKING) {
            if (!layer_handshake(flow) && !hub->consumed)
                break;
            continue;
        }
        unsigned depth = flow_depth(flow);
        ssize_t n = layer_fill(flow, depth);
        if (n == -EAGAIN && hub->consumed)
            continue; /* it has not looked for more */
        if (n <= 0) {
            drained = true;
            if (n < 0 && n != -EAGAIN && flow->top)
                flow->flags |= FLOW_PARTING;
            no_bytes(flow, n);
            break;
        }
        struct flow_view *view = &hub->view[depth];
        view->length = 0;
        deliver(flow, view->at, (size_t)n);
        if ((flow->flags & FLOW_STASHED) &&
            layer_stashed(flow, depth)) { /* handed back: in a later turn */
            flow_schedule(flow);
            break;
        }
        if (flow->top && flow->top->drained && !(flow->flags & (FLOW_READABLE | FLOW_BROKEN)) &&
            !left_below(hub, depth)) {
            drained = true;
            break;
        }
    }
    layer_stash(flow);
    if (!drained && flow->top)
        flow->flags |= FLOW_STASHED; /* a layer may hold more, decoded */
}

/* Through a pipe, as long as that goes; then what a read gives. */
static void read_spliced(struct cdt_flow *flow)
{
    ssize_t n;
    int budget = FLOW_READS / 2; /* of up to twice as many bytes */
    while ((n = splice_in(flow)) > 0) {
        flow->config->traffic->in += (uint64_t)n;
        if (flow->flags & FLOW_HAS_DEADLINES)
            count_activity(flow, (size_t)n);
        if (!flow_has_input(flow))
            return;
        if (--budget == 0) {
            flow_schedule(flow);
            return;
        }
    }
    if (n == -EBUSY)
        return;
    if (n == 0)
        n = read_carrier(flow);
    if (n > 0)
        read_direct(flow, n);
    else
        no_bytes(flow, n);
}

/* Both ends of the top of the stack have passed; what still comes is of layers below, or nothing:
 * the carrier's end is waited for, within the linger timeout. */
static void read_rest(struct cdt_flow *flow)
{
    ssize_t n = 1;
    for (int budget = FLOW_READS; budget > 0 && n > 0; budget--)
        n = read_carrier(flow);
    if (n > 0 || n == -EINTR)
        flow_schedule(flow);
    else if (n == -EAGAIN)
        flow->flags &= ~(uint32_t)FLOW_READABLE;
    else
        flow_end(flow, flow->status, NULL);
}

static __attribute__((noinline)) void read_specially(struct cdt_flow *flow)
{
    const uint32_t over = FLOW_EOF | FLOW_FIN_SENT;
    if (flow->top && (flow->flags & over) == over)
        read_rest(flow);
    else if (flow->flags & (FLOW_LAYERED | FLOW_STASHED))
        read_layered(flow);
    else
        read_spliced(flow);
}

/* Inline into flow_look(). */
inline void flow_read(struct cdt_flow *flow)
{
    if (flow->flags & (FLOW_LAYERED | FLOW_STASHED | FLOW_SPLICED)) {
        read_specially(flow);
        return;
    }
    ssize_t n = read_carrier(flow);
    if (n > 0)
        read_direct(flow, n);
    else
        no_bytes(flow, n);
}

/* ---- public ---------------------------------------------------------------------------------- */

int cdt_flow_pause(struct cdt_flow *flow)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (flow->state < CDT_CLOSING)
        flow->flags |= FLOW_PAUSED;
    return 0;
}

int cdt_flow_resume(struct cdt_flow *flow)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (!(flow->flags & FLOW_PAUSED))
        return 0;
    flow->flags &= ~(uint32_t)FLOW_PAUSED;
    if ((flow->flags & FLOW_HAS_DEADLINES) && !flow->tail && flow->state >= CDT_OPEN &&
        flow->state < CDT_CLOSING) /* else it holds the beginning of another deadline */
        flow->active = cdt_reactor_now(flow->config->hub->reactor);
    flow_restart_rate(flow);
    if (flow_has_input(flow))
        flow_schedule(flow);
    return 0;
}

int cdt_flow_unread(struct cdt_flow *flow, const void *data, size_t length)
{
    if (!flow_usable(flow) || (!data && length))
        return -EINVAL;
    if (flow->state < CDT_OPEN || flow->state == CDT_CLOSED || (flow->flags & FLOW_EOF))
        return -EPIPE;
    if (length == 0)
        return 0;
    int result = layer_put_back(flow, flow_depth(flow), data, length);
    if (result == 0)
        flow_schedule(flow);
    return result;
}
