/* The stack of layers: handshakes from the bottom up, bytes pulled from below, leftovers kept.
 *
 * While a flow is read, each depth (0: the carrier, 1: the first layer, ...) has a view: the bytes
 * that it gave and nobody has taken yet. Views belong to the reactor and serve one flow at a time:
 * what is left when the flow's turn is over goes into the flow's stash of that depth, and comes
 * back first. */
#include <string.h>

#include "flows/internal.h"

static struct cdt_layer *layer_at(const struct cdt_flow *flow, unsigned depth)
{
    struct cdt_layer *layer = flow->top;
    while (layer && layer->depth != depth)
        layer = layer->below;
    return layer;
}

/* NULL: the flow has no stash at this depth. */
static struct flow_stash *stash_at(const struct cdt_flow *flow, unsigned depth)
{
    if (depth > 0)
        return &layer_at(flow, depth)->stash;
    return flow->extra ? &flow->extra->stash : NULL;
}

static inline void view_clear(struct flow_view *view)
{
    if (view->owned)
        mem_free(view->owned);
    view->owned = NULL;
    view->length = 0;
}

/* ---- stashes --------------------------------------------------------------------------------- */

int layer_put_back(struct cdt_flow *flow, unsigned depth, const void *data, size_t length)
{
    if (depth == 0 && !flow_extra(flow))
        return -ENOMEM;
    struct flow_stash *stash = stash_at(flow, depth);
    uint8_t *memory = mem_alloc(length + stash->length);
    if (!memory)
        return -ENOMEM;
    memcpy(memory, data, length);
    if (stash->length)
        memcpy(memory + length, stash->at, stash->length);
    length += stash->length;
    mem_free(stash->memory);
    *stash = (struct flow_stash){.memory = memory, .at = memory, .length = length};
    flow->flags |= FLOW_STASHED;
    return 0;
}

/* Keeps what one view still has. 0 or -ENOMEM. */
static int stash_view(struct cdt_flow *flow, unsigned depth, struct flow_view *view)
{
    struct flow_stash *stash = stash_at(flow, depth);
    if (!view->owned || !stash || stash->length)
        return layer_put_back(flow, depth, view->at, view->length);
    *stash = (struct flow_stash){view->owned, view->at, view->length};
    view->owned = NULL;
    return 0;
}

bool layer_stashed(const struct cdt_flow *flow, unsigned depth)
{
    const struct flow_stash *stash = stash_at(flow, depth);
    return stash && stash->length;
}

void layer_stash(struct cdt_flow *flow)
{
    const bool stashed = flow->flags & FLOW_STASHED;
    const unsigned top = flow_depth(flow);
    struct flow_view *view = flow->config->hub->view;
    flow->flags &= ~(uint32_t)FLOW_STASHED;
    for (unsigned depth = 0; depth <= top; depth++, view++) {
        if (!view->length && !stashed) {
            view_clear(view);
            continue;
        }
        if (flow->state != CDT_CLOSED && view->length && stash_view(flow, depth, view))
            flow_end(flow, -ENOMEM, NULL);
        view_clear(view);
        if (layer_stashed(flow, depth))
            flow->flags |= FLOW_STASHED;
    }
}

/* ---- pulling --------------------------------------------------------------------------------- */

static ssize_t fill_from_carrier(struct cdt_flow *flow, uint8_t *memory)
{
    if (flow->flags & FLOW_CARRIER_EOF)
        return 0;
    if (!(flow->flags & FLOW_READABLE))
        return -EAGAIN;
    ssize_t n = flow->ops->read(&flow->carrier, memory, FLOW_READ_SIZE);
    if (n > 0) {
        flow->config->traffic->in += (uint64_t)n;
        if (n < FLOW_READ_SIZE && !(flow->flags & (FLOW_READ_END | FLOW_SHORT_READS)))
            flow->flags &= ~(uint32_t)FLOW_READABLE;
    } else if (n == 0) {
        flow->flags |= FLOW_CARRIER_EOF;
    } else if (n == -EAGAIN) {
        flow->flags &= ~(uint32_t)FLOW_READABLE;
    } else if (n == -EINTR && flow->top) { /* nothing for layers to know */
        flow_schedule(flow);
        n = -EAGAIN;
    }
    return n;
}

ssize_t layer_fill(struct cdt_flow *flow, unsigned depth)
{
    struct flow_view *view = &flow->config->hub->view[depth];
    if (view->length)
        return (ssize_t)view->length;
    view_clear(view);
    if ((flow->flags & FLOW_STASHED) && layer_stashed(flow, depth)) {
        struct flow_stash *stash = stash_at(flow, depth);
        view->owned = stash->memory;
        view->at = stash->at;
        view->length = stash->length;
        *stash = (struct flow_stash){0};
        return (ssize_t)view->length;
    }
    if (!view->memory && !(view->memory = mem_alloc(FLOW_READ_SIZE)))
        return -ENOMEM;
    struct cdt_layer *layer = depth ? layer_at(flow, depth) : NULL;
    ssize_t n = layer ? layer->ops->read(layer, view->memory, FLOW_READ_SIZE)
                      : fill_from_carrier(flow, view->memory);
    if (n > 0) {
        view->at = view->memory;
        view->length = (size_t)n;
    }
    return n;
}

/* ---- handshakes ------------------------------------------------------------------------------ */

/* Opens what lies below, then this layer. 0, -EAGAIN, or a negative code. */
static int open_layer(struct cdt_layer *layer)
{
    if (!layer || layer->open)
        return 0;
    int result = open_layer(layer->below);
    if (result)
        return result;
    if (!layer->started) {
        layer->started = true;
        result = layer->ops->start ? layer->ops->start(layer) : 0;
        if (result == -EAGAIN)
            result = layer->ops->handshake ? layer->ops->handshake(layer) : -EINVAL;
    } else {
        result = layer->ops->handshake(layer);
    }
    layer->open = result == 0;
    if (layer->open)
        gate_leave(layer);
    return result;
}

bool layer_handshake(struct cdt_flow *flow)
{
    const struct cdt_layer *top;
    int result;
    do { /* a callback may push one more meanwhile */
        top = flow->top;
        result = open_layer(flow->top);
    } while (result == 0 && flow->top != top && flow->state == CDT_HANDSHAKING);
    if (flow->state != CDT_HANDSHAKING)
        return false;
    if (result == -EAGAIN && (flow->flags & FLOW_CARRIER_EOF)) {
        result = -ECONNRESET;
        flow_set_error(flow, "the peer closed during the handshake");
    }
    if (result == -EAGAIN)
        return false;
    if (result) {
        flow->flags |= FLOW_PARTING;
        flow_end(flow, result, NULL);
    } else {
        flow_opened(flow);
    }
    return result == 0;
}

/* ---- public ---------------------------------------------------------------------------------- */

static int check_push(const struct cdt_flow *flow, const struct cdt_layer_ops *ops)
{
    if (!flow_usable(flow) || !ops || ops->size < sizeof *ops || !ops->read || !ops->write ||
        !ops->free || flow_depth(flow) == FLOW_MAX_LAYERS)
        return -EINVAL;
    if (flow->state > CDT_OPEN || (flow->flags & (FLOW_CLOSE_WANTED | FLOW_FIN_WANTED)))
        return -EPIPE;
    return flow->extra && flow->extra->relay ? -EALREADY : 0;
}

static int link_layer(struct cdt_flow *flow, struct cdt_layer **place,
                      const struct cdt_layer_ops *ops, void *context)
{
    struct cdt_layer *layer = mem_zalloc(sizeof *layer);
    if (!layer)
        return -ENOMEM;
    *layer = (struct cdt_layer){.ops = ops,
                                .context = context,
                                .flow = flow,
                                .below = *place,
                                .depth = *place ? (*place)->depth + 1 : 1};
    *place = layer;
    flow->flags |= FLOW_LAYERED;
    return 0;
}

int cdt_flow_push(struct cdt_flow *flow, const struct cdt_layer_ops *ops, void *context)
{
    int status = check_push(flow, ops);
    if (status)
        return status;
    cdt_flow_flush(flow); /* what was written before goes below */
    if (flow->state == CDT_CLOSED)
        return -EPIPE;
    status = link_layer(flow, &flow->top, ops, context);
    if (status)
        return status;
    if (flow->state == CDT_OPEN) /* a handshake begins; else the deadline stays */
        flow->active = cdt_reactor_now(flow->config->hub->reactor);
    if (flow_change(flow, FLOW_EV_PUSH))
        flow_schedule(flow);
    flow_update_timer(flow);
    return 0;
}

/* What was written so far waits until the layers are open: nothing may pass below the new one. */
static int hold_queue(struct cdt_flow *flow)
{
    struct flow_extra *extra = flow_extra(flow);
    if (!extra)
        return -ENOMEM;
    if (!flow->tail)
        return 0;
    if (extra->early) { /* both are circular: the queue's head follows the last one */
        struct flow_segment *head = flow->tail->next;
        flow->tail->next = extra->early->next;
        extra->early->next = head;
    } else {
        extra->early = flow->tail;
    }
    extra->early_bytes += flow->queued;
    flow->tail = NULL;
    flow->queued = 0;
    flow->flags &= ~(uint32_t)FLOW_QUEUED;
    return 0;
}

int layer_insert(struct cdt_flow *flow, const struct cdt_layer_ops *ops, void *context,
                 unsigned depth)
{
    struct cdt_layer **place = &flow->top;
    if (flow_depth(flow) == FLOW_MAX_LAYERS || flow->state != CDT_CONNECTING)
        return -EINVAL;
    if (flow->config->hub->cork.flow == flow)
        cork_flush(flow->config->hub);
    const int status = hold_queue(flow);
    if (status)
        return status;
    for (; *place && (*place)->depth >= depth; place = &(*place)->below)
        (*place)->depth++;
    return link_layer(flow, place, ops, context);
}

void layer_free_all(struct cdt_flow *flow)
{
    while (flow->top) {
        struct cdt_layer *layer = flow->top;
        gate_leave(layer);
        layer->ops->free(layer);
        flow->top = layer->below;
        mem_free(layer->stash.memory);
        mem_free(layer);
    }
}

void *cdt_layer_context(const struct cdt_layer *layer)
{
    return layer->context;
}

struct cdt_flow *cdt_layer_flow(const struct cdt_layer *layer)
{
    return layer->flow;
}

ssize_t cdt_layer_peek(struct cdt_layer *layer, const uint8_t **data)
{
    ssize_t n = layer_fill(layer->flow, layer->depth - 1);
    if (n > 0)
        *data = layer->flow->config->hub->view[layer->depth - 1].at;
    return n;
}

void cdt_layer_consume(struct cdt_layer *layer, size_t length)
{
    struct flow_view *view = &layer->flow->config->hub->view[layer->depth - 1];
    if (length > view->length)
        length = view->length;
    view->at += length;
    view->length -= length;
    if (length)
        layer->flow->config->hub->consumed = true;
}

/* The parts as carriers want them: FLOW_IOV at the most, none empty. */
int cdt_layer_write(struct cdt_layer *layer, const struct iovec *parts, int count)
{
    struct iovec piece[FLOW_IOV];
    int used = 0, result = 0;
    if (count == 1 && parts->iov_len)
        return layer->below ? layer->below->ops->write(layer->below, parts, 1)
                            : flow_output(layer->flow, parts, 1);
    for (int i = 0; i < count && result == 0; i++) {
        if (parts[i].iov_len)
            piece[used++] = parts[i];
        if (used == 0 || (used < FLOW_IOV && i + 1 < count))
            continue;
        result = layer->below ? layer->below->ops->write(layer->below, piece, used)
                              : flow_output(layer->flow, piece, used);
        used = 0;
    }
    return result;
}

void cdt_layer_error(struct cdt_layer *layer, const char *text)
{
    flow_set_error(layer->flow, text);
}
