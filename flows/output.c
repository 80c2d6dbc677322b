/* Output: bytes on their way to the carrier.
 *
 * They are given to it at once, and queued as far as it does not take them (flow_output);
 * flow_drain() sends the queue when the carrier can take more. Then the end of our stream; and what
 * becomes of all that when writing fails. */
#include "flows/internal.h"

bool flow_may_write(const struct cdt_flow *flow)
{
    return flow->state <= CDT_PEER_ENDED &&
           !(flow->flags & (FLOW_HUNG | FLOW_BROKEN | FLOW_FIN_WANTED | FLOW_CLOSE_WANTED));
}

bool flow_writable_due(const struct cdt_flow *flow)
{
    return (flow->flags & FLOW_ABOVE) && flow_unsent(flow) <= flow->config->options.low_watermark;
}

/* ---- to the carrier -------------------------------------------------------------------------- */

/* Output has moved. Until the flow is open, the time holds the beginning of another deadline. */
static void touch(struct cdt_flow *flow)
{
    if (flow->state >= CDT_OPEN)
        flow->active = cdt_reactor_now(flow->config->hub->reactor);
}

static ssize_t count_sent(struct cdt_flow *flow, ssize_t n)
{
    if (n > 0) {
        flow->config->traffic->out += (uint64_t)n;
        if ((flow->flags & FLOW_HAS_DEADLINES) &&
            !flow->top) /* layers also send what is no payload */
            touch(flow);
    }
    return n;
}

/* Only `writev` of sockets looks at FLOW_ENDING: the short path of `write` need not. */
static ssize_t carrier_write(struct cdt_flow *flow, const struct iovec *parts, int count)
{
    bool simple = count == 1 && !(flow->flags & FLOW_ENDING);
    ssize_t n = simple ? flow->ops->write(&flow->carrier, parts->iov_base, parts->iov_len)
                       : flow->ops->writev(&flow->carrier, parts, count);
    return count_sent(flow, n);
}

/* The carrier took less than it was given. It is full, and will tell when it is not; or it is tried
 * again in the next turn: a signal came, or the carrier wants it. */
static void fell_short(struct cdt_flow *flow, ssize_t result)
{
    if (result == -EINTR || (result > 0 && (flow->flags & FLOW_SHORT_WRITES))) {
        flow_schedule(flow);
        return;
    }
    flow->flags &= ~(uint32_t)FLOW_WRITABLE;
    if ((flow->flags & (FLOW_REGISTERED | FLOW_ARMED)) != FLOW_REGISTERED)
        return;
    int error = reactor_source_modify(flow->config->hub->reactor, &flow->source, flow->carrier.fd,
                                      FLOW_EVENTS_READ | FLOW_EVENTS_WRITE);
    if (error)
        flow_end(flow, error, NULL);
    flow->flags |= FLOW_ARMED;
}

static bool is_failure(ssize_t result)
{
    return result < 0 && result != -EAGAIN && result != -EINTR;
}

size_t flow_parts_length(const struct iovec *parts, int count)
{
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    return length;
}

void flow_queue_grew(struct cdt_flow *flow, size_t length)
{
    bool first = flow->queued == 0;
    flow->queued += (uint32_t)length;
    flow->flags |= FLOW_QUEUED;
    if (first && length) {
        touch(flow);
        flow_update_timer(flow);
    }
}

/* Appends what was not sent. Without memory: -ENOMEM if nothing was sent, else the stream has a
 * hole and the flow ends. */
static int queue_rest(struct cdt_flow *flow, const struct iovec *parts, int count, size_t sent)
{
    size_t length = flow_parts_length(parts, count);
    int result = segment_copy(flow->config->hub, &flow->tail, parts, count, sent);
    if (result == 0) {
        flow_queue_grew(flow, length - sent);
    } else if (sent > 0) {
        flow_end(flow, result, NULL);
        result = 0;
    }
    return result;
}

int flow_output_rest(struct cdt_flow *flow, const struct iovec *parts, int count, ssize_t result)
{
    if (is_failure(result))
        return (int)result;
    fell_short(flow, result);
    return queue_rest(flow, parts, count, result > 0 ? (size_t)result : 0);
}

int flow_output(struct cdt_flow *flow, const struct iovec *parts, int count)
{
    if (flow->flags & (FLOW_BROKEN | FLOW_FIN_SENT))
        return 0; /* thrown away; on_close will tell */
    if (!flow->tail && (flow->flags & FLOW_WRITABLE)) {
        size_t length = count == 1 ? parts->iov_len : flow_parts_length(parts, count);
        ssize_t n = carrier_write(flow, parts, count);
        return (size_t)n == length ? 0 : flow_output_rest(flow, parts, count, n);
    }
    return queue_rest(flow, parts, count, 0);
}

void flow_segment_done(struct cdt_flow *flow, struct flow_segment *segment, int status)
{
    if (segment->piped) {
        splice_done(flow, segment);
        return;
    }
    if (!segment->written) {
        segment_free(flow->config->hub, segment);
        return;
    }
    segment->status = status;
    segment_append(&flow->extra->done, segment);
    flow_schedule(flow);
}

/* Fills `parts` from the queue, up to a pipe. */
static int queue_parts(const struct cdt_flow *flow, struct iovec *parts)
{
    int count = 0;
    struct flow_segment *segment = flow->tail;
    do {
        segment = segment->next;
        if (segment->piped)
            break;
        if (segment->length == 0)
            continue;
        parts[count++] =
            (struct iovec){.iov_base = (void *)segment->at, .iov_len = segment->length};
    } while (segment != flow->tail && count < FLOW_IOV);
    return count;
}

/* Takes `sent` bytes off the queue, and with them all segments that are complete. */
static void queue_consume(struct cdt_flow *flow, size_t sent)
{
    flow->queued -= (uint32_t)sent;
    while (flow->tail) {
        struct flow_segment *head = flow->tail->next;
        size_t n = sent < head->length ? sent : head->length;
        if (!head->piped)
            head->at += n;
        head->length -= n;
        sent -= n;
        if (head->length)
            return;
        flow_segment_done(flow, segment_take(&flow->tail), 0);
    }
    flow->flags &= ~(uint32_t)FLOW_QUEUED;
}

/* Sends from the head of the queue. *full: the carrier took less than it could have. */
static ssize_t send_head(struct cdt_flow *flow, bool *full)
{
    const struct flow_segment *head = flow->tail->next;
    if (head->piped) {
        ssize_t n = count_sent(flow, splice_out(flow, head));
        *full = n < 0; /* a part may have other reasons */
        return n;
    }
    struct iovec parts[FLOW_IOV];
    int count = queue_parts(flow, parts);
    ssize_t n = count ? carrier_write(flow, parts, count) : 0;
    *full = n < 0 || (size_t)n < flow_parts_length(parts, count);
    return n;
}

void flow_drain(struct cdt_flow *flow)
{
    int budget = FLOW_READS;
    while (flow->tail && (flow->flags & FLOW_WRITABLE)) {
        if (budget-- == 0) {
            flow_schedule(flow);
            return;
        }
        bool full;
        ssize_t n = send_head(flow, &full);
        if (is_failure(n)) {
            flow_write_failed(flow, (int)n);
            return;
        }
        if (full)
            fell_short(flow, n);
        if (n == -EINTR)
            return;
        if (n < 0)
            n = 0;
        if (n > 0)
            touch(flow);
        queue_consume(flow, (size_t)n);
    }
    if (!flow->tail) {
        touch(flow);
        flow_try_fin(flow);
        flow_update_timer(flow);
    }
    if (flow_writable_due(flow))
        flow_schedule(flow);
}

void flow_enqueue_pipe(struct cdt_flow *flow, struct flow_segment *segment)
{
    segment_append(&flow->tail, segment);
    flow_queue_grew(flow, segment->length);
    flow_drain(flow);
}

/* ---- failing and ending ---------------------------------------------------------------------- */

static void drop_queue(struct cdt_flow *flow, struct flow_segment **tail, int status)
{
    struct flow_segment *segment;
    while ((segment = segment_take(tail)))
        flow_segment_done(flow, segment, status);
}

void flow_drop_output(struct cdt_flow *flow, int status)
{
    cork_drop(flow);
    drop_queue(flow, &flow->tail, status);
    flow->flags &= ~(uint32_t)FLOW_QUEUED;
    flow->queued = 0;
    if (flow->extra) {
        drop_queue(flow, &flow->extra->early, status);
        flow->extra->early_bytes = 0;
    }
}

void flow_call_written(struct cdt_flow *flow)
{
    struct flow_hub *hub = flow->config->hub;
    struct flow_segment *done = flow->extra->done, *segment;
    flow->extra->done = NULL; /* what the callbacks write is for the next turn */
    while ((segment = segment_take(&done))) {
        flow_enter_callback(hub);
        segment->written(segment->arg, segment->status);
        flow_leave_callback(hub);
        segment_free(hub, segment);
    }
}

void flow_write_failed(struct cdt_flow *flow, int status)
{
    if (flow->state == CDT_CLOSED || (flow->flags & FLOW_BROKEN))
        return;
    flow->flags |= FLOW_BROKEN | FLOW_READABLE | FLOW_READ_END;
    flow->status = status;
    flow_drop_output(flow, status);
    if (flow->state < CDT_OPEN || (flow->flags & FLOW_EOF))
        flow_end(flow, status, NULL);
    else
        flow_schedule(flow);
}

/* The end of the top of the stack has come, that of a layer below perhaps not: closing the carrier
 * now could destroy it, and what the peer has not read yet. Where closing is the only way to tell
 * the end, the peer would wait for ours. */
static bool rest_to_come(const struct cdt_flow *flow)
{
    return flow_depth(flow) > 1 && flow->ops->shutdown &&
           !(flow->flags & (FLOW_CARRIER_EOF | FLOW_HUNG | FLOW_BROKEN));
}

void flow_try_fin(struct cdt_flow *flow)
{
    if (!(flow->flags & FLOW_FIN_WANTED) || flow->tail || flow->state < CDT_OPEN ||
        flow->state == CDT_CLOSED)
        return;
    if (!(flow->flags & FLOW_FIN_SENT)) {
        flow->flags |= FLOW_FIN_SENT;
        if ((flow->flags & (FLOW_EOF | FLOW_HUNG)) == FLOW_EOF &&
            !rest_to_come(flow)) { /* closing tells as much */
            flow_end(flow, flow->status, NULL);
            return;
        }
        int result = flow->ops->shutdown ? flow->ops->shutdown(&flow->carrier) : 0;
        if (result == -EAGAIN) { /* too early: flow_look() tries again */
            flow->flags &= ~(uint32_t)FLOW_FIN_SENT;
            flow_begin_linger(flow);
            return;
        }
        if (result) {
            flow_write_failed(flow, result);
            return;
        }
        if (flow->ops->flags & CDT_CARRIER_NO_HALF_CLOSE) { /* what came before, then the end */
            flow->flags |= FLOW_READABLE | FLOW_READ_END;
            flow_schedule(flow);
        }
        flow_begin_linger(flow);
    }
    if (!(flow->flags & FLOW_EOF))
        return;
    if (rest_to_come(flow)) { /* flows/read.c throws it away, paused or not */
        flow->flags = (flow->flags & ~(uint32_t)FLOW_PAUSED) | FLOW_READABLE;
        flow_schedule(flow);
    } else {
        flow_end(flow, flow->status, NULL);
    }
}

/* The ends of all layers, from the top. Those of several wait in the queue, to leave in one write. */
static void end_layers(struct cdt_flow *flow)
{
    const uint32_t held = flow_depth(flow) > 1 ? flow->flags & FLOW_WRITABLE : 0;
    flow->flags &= ~held;
    for (struct cdt_layer *layer = flow->top; layer; layer = layer->below) {
        int result = layer->open && layer->ops->shutdown ? layer->ops->shutdown(layer) : 0;
        if (result)
            flow_send_failed(flow, result);
    }
    flow->flags |= held;
}

void flow_end_stream(struct cdt_flow *flow)
{
    if (flow->flags & FLOW_FIN_WANTED)
        return;
    struct flow_hub *hub = flow->config->hub;
    flow->flags |= FLOW_ENDING;
    if (hub->cork.flow == flow)
        cork_flush(hub);
    if (flow->top)
        end_layers(flow);
    if (flow->state == CDT_CLOSED)
        return;
    flow->flags |= FLOW_FIN_WANTED;
    if (flow->tail)
        flow_drain(flow);
    else
        flow_try_fin(flow);
}
