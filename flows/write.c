/* Writing: what the user hands over.
 *
 * It is admitted whole or refused (admit), held by the cork inside callbacks (cork_hold), and
 * passed through the layers (flow_send) to the carrier: output.c. */
#include <limits.h>
#include <string.h>

#include "flows/internal.h"

/* Whether `length` more bytes may be taken: 0, -EPIPE, -ENOBUFS. */
static int admit(const struct cdt_flow *flow, size_t length)
{
    if (!flow_may_write(flow))
        return -EPIPE;
    size_t unsent = flow_unsent(flow), hard = flow->config->options.hard_limit;
    return unsent > hard || length > hard - unsent ? -ENOBUFS : 0;
}

/* The result of a write that was taken. */
static int taken(struct cdt_flow *flow)
{
    if (flow_unsent(flow) <= flow->config->options.high_watermark)
        return 0;
    flow->flags |= FLOW_ABOVE;
    return 1;
}

/* ---- through the layers ---------------------------------------------------------------------- */

static int send_early(struct cdt_flow *flow, const struct iovec *parts, int count)
{
    struct flow_extra *extra = flow_extra(flow);
    if (!extra)
        return -ENOMEM;
    int result = segment_copy(flow->config->hub, &extra->early, parts, count, 0);
    if (result == 0)
        extra->early_bytes += (uint32_t)flow_parts_length(parts, count);
    return result;
}

static bool is_early(const struct cdt_flow *flow)
{
    return flow->state < CDT_OPEN && flow->top;
}

/* Sends bytes that were admitted: 0, or a code; nothing was taken then. */
static int flow_send(struct cdt_flow *flow, const struct iovec *parts, int count)
{
    if (flow->state == CDT_CLOSED)
        return 0;
    if (is_early(flow))
        return send_early(flow, parts, count);
    if (!flow->top)
        return flow_output(flow, parts, count);
    if (flow->flags & FLOW_HAS_DEADLINES)
        flow->active = cdt_reactor_now(flow->config->hub->reactor);
    int result = flow->top->ops->write(flow->top, parts, count);
    if (result == -ENOMEM)
        flow_end(flow, result, NULL); /* a part may be on its way */
    return result;
}

/* A code of flow_send() for bytes that the user has been told are taken, or an error of the
 * carrier. */
void flow_send_failed(struct cdt_flow *flow, int status)
{
    if (status == -ENOMEM)
        flow_end(flow, status, NULL);
    else
        flow_write_failed(flow, status);
}

/* Puts a marker, or a segment that refers to the user's bytes, behind what is queued. */
static void segment_enqueue(struct cdt_flow *flow, struct flow_segment *segment)
{
    bool lost = flow->state == CDT_CLOSED || (flow->flags & FLOW_BROKEN);
    if (is_early(flow)) {
        flow->extra->early_bytes += (uint32_t)segment->length;
        segment_append(&flow->extra->early, segment);
    } else if (flow->tail || segment->length) {
        size_t length = segment->length;
        segment_append(&flow->tail, segment);
        flow_queue_grew(flow, length);
    } else {
        flow_segment_done(flow, segment, !lost ? 0 : flow->status ? flow->status : -ECANCELED);
    }
}

/* Its bytes went through the layers; what became of them waits in the queue. */
static void segment_sent(struct cdt_flow *flow, struct flow_segment *segment, int result)
{
    segment->length = 0;
    if (result)
        flow_send_failed(flow, result);
    if (result || !segment->written)
        flow_segment_done(flow, segment, result);
    else
        segment_enqueue(flow, segment);
}

void flow_send_early(struct cdt_flow *flow)
{
    struct flow_extra *extra = flow->extra;
    while (extra && extra->early && flow->state != CDT_CLOSED) {
        struct flow_segment *segment = segment_take(&extra->early);
        struct iovec part = {.iov_base = (void *)segment->at, .iov_len = segment->length};
        extra->early_bytes -= (uint32_t)segment->length;
        segment_sent(flow, segment, part.iov_len ? flow_send(flow, &part, 1) : 0);
    }
}

/* ---- the cork -------------------------------------------------------------------------------- */

/* Sends what is held, and `more` behind it, in one go. */
static void cork_send(struct flow_hub *hub, const void *more, size_t length)
{
    struct flow_cork *cork = &hub->cork;
    struct cdt_flow *flow = cork->flow;
    struct iovec parts[3];
    int count = 0;
    if (cork->reference_length)
        parts[count++] = (struct iovec){(void *)cork->reference, cork->reference_length};
    if (cork->held_length)
        parts[count++] = (struct iovec){cork->held, cork->held_length};
    if (length)
        parts[count++] = (struct iovec){(void *)more, length};
    cork->flow = NULL;
    cork->held_length = 0;
    cork->mixed = false;
    int result = count ? flow_send(flow, parts, count) : 0;
    if (result)
        flow_send_failed(flow, result);
    if ((flow->flags & FLOW_ABOVE) && flow_writable_due(flow))
        flow_schedule(flow);
}

void cork_flush(struct flow_hub *hub)
{
    if (hub->cork.flow)
        cork_send(hub, NULL, 0);
}

void cork_drop(struct cdt_flow *flow)
{
    struct flow_cork *cork = &flow->config->hub->cork;
    if (cork->flow != flow)
        return;
    cork->flow = NULL;
    cork->held_length = 0;
    cork->mixed = false;
}

static inline bool is_lent(const struct flow_cork *cork, const uint8_t *data, size_t length)
{
    return data >= cork->lent && data + length <= cork->lent_end;
}

static void cork_hold(struct flow_hub *hub, struct cdt_flow *flow, const void *data, size_t length)
{
    struct flow_cork *cork = &hub->cork;
    if (cork->flow != flow)
        cork_flush(hub);
    const uint8_t *bytes = data;
    bool first = !cork->flow;
    if (first)
        cork->reference_length = 0;
    cork->flow = flow;
    cork->mixed = true;
    if (first && is_lent(cork, bytes, length)) {
        cork->reference = bytes;
        cork->reference_length = length;
    } else if (length <= FLOW_CORK_SIZE - cork->held_length) {
        memcpy(cork->held + cork->held_length, bytes, length);
        cork->held_length += length;
    } else {
        cork_send(hub, data, length);
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

/* The short path of bulk, which nothing is held for: the carrier is asked at once. */
static int write_bulk(struct cdt_flow *flow, const void *data, size_t length)
{
    ssize_t n = flow->ops->write(&flow->carrier, data, length);
    if (n > 0)
        flow->config->traffic->out += (uint64_t)n;
    if (likely((size_t)n == length))
        return 0;
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    int result = flow_output_rest(flow, &part, 1, n);
    if (result == -ENOMEM)
        return result;
    if (result)
        flow_write_failed(flow, result);
    return taken(flow);
}

static __attribute__((noinline)) int write_general(struct cdt_flow *flow, const void *data,
                                                   size_t length)
{
    if (!flow_usable(flow) || (!data && length))
        return -EINVAL;
    if (length > FLOW_CORK_SIZE && !flow->config->hub->cork.flow &&
        flow_is_plain(flow, FLOW_WRITABLE) && length <= flow->config->options.hard_limit)
        return write_bulk(flow, data, length);
    int result = admit(flow, length);
    if (result < 0)
        return result;
    if (length == 0)
        return taken(flow);
    if (flow->config->hub->cork.lent_end) {
        cork_hold(flow->config->hub, flow, data, length);
        return taken(flow);
    }
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    result = flow_send(flow, &part, 1);
    if (result == -ENOMEM)
        return result;
    if (result)
        flow_write_failed(flow, result);
    return taken(flow);
}

/* The short path: the first write in an on_read, of bytes that are lent. Who lends them is a
 * reactor that runs: it need not be asked whether it is usable. */
int cdt_flow_write(struct cdt_flow *flow, const void *data, size_t length)
{
    if (!flow)
        return -EINVAL;
    struct flow_config *config = flow->config;
    struct flow_cork *cork = &config->hub->cork;
    if (cork->flow || !flow_is_plain(flow, FLOW_WRITABLE) || !is_lent(cork, data, length) ||
        length - 1 >= config->options.high_watermark) /* or 0 */
        return write_general(flow, data, length);
    cork->flow = flow;
    cork->reference = data;
    cork->reference_length = length;
    return 0;
}

static bool parts_valid(const struct iovec *parts, int count, size_t *length)
{
    if (count < 0 || count > IOV_MAX || (!parts && count))
        return false;
    *length = 0;
    for (int i = 0; i < count; i++) {
        if (!parts[i].iov_base && parts[i].iov_len)
            return false;
        if (parts[i].iov_len > (size_t)SSIZE_MAX - *length)
            return false;
        *length += parts[i].iov_len;
    }
    return true;
}

/* Sends parts that were admitted, in pieces that carriers take, without empty parts. */
static int send_parts(struct cdt_flow *flow, const struct iovec *parts, int count)
{
    struct iovec piece[FLOW_IOV];
    int used = 0;
    bool some = false;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len)
            piece[used++] = parts[i];
        if (used == 0 || (used < FLOW_IOV && i + 1 < count))
            continue;
        int result = flow_send(flow, piece, used);
        if (result == -ENOMEM && some) {
            flow_end(flow, result, NULL);
            return 0;
        }
        if (result)
            return result;
        some = true;
        used = 0;
    }
    return 0;
}

int cdt_flow_writev(struct cdt_flow *flow, const struct iovec *parts, int count)
{
    size_t length;
    if (!flow_usable(flow) || !parts_valid(parts, count, &length))
        return -EINVAL;
    int result = admit(flow, length);
    if (result < 0)
        return result;
    struct flow_hub *hub = flow->config->hub;
    if (hub->cork.lent_end) {
        for (int i = 0; i < count; i++) {
            if (parts[i].iov_len)
                cork_hold(hub, flow, parts[i].iov_base, parts[i].iov_len);
        }
        return taken(flow);
    }
    result = send_parts(flow, parts, count);
    if (result == -ENOMEM)
        return result;
    if (result)
        flow_write_failed(flow, result);
    return taken(flow);
}

/* A segment without bytes that carries a callback; NULL without memory. */
static struct flow_segment *marker_new(struct cdt_flow *flow, cdt_written_fn *written, void *arg)
{
    if (!flow_extra(flow))
        return NULL;
    struct flow_segment *marker = segment_new(flow->config->hub, 0);
    if (!marker)
        return NULL;
    marker->written = written;
    marker->arg = arg;
    return marker;
}

int cdt_flow_writev_nodelay(struct cdt_flow *flow, const struct iovec *parts, int count,
                            cdt_written_fn *written, void *arg)
{
    size_t length;
    if (!flow_usable(flow) || !parts_valid(parts, count, &length))
        return -EINVAL;
    int result = admit(flow, length);
    if (result < 0)
        return result;
    struct flow_segment *marker = NULL;
    if (written && !(marker = marker_new(flow, written, arg)))
        return -ENOMEM;
    cork_flush(flow->config->hub);
    result = send_parts(flow, parts, count);
    if (result == -ENOMEM) {
        if (marker)
            segment_free(flow->config->hub, marker);
        return result;
    }
    if (result)
        flow_write_failed(flow, result);
    if (marker)
        segment_enqueue(flow, marker);
    return taken(flow);
}

int cdt_flow_write_nodelay(struct cdt_flow *flow, const void *data, size_t length,
                           cdt_written_fn *written, void *arg)
{
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    return cdt_flow_writev_nodelay(flow, &part, 1, written, arg);
}

int cdt_flow_write_owned(struct cdt_flow *flow, const void *data, size_t length,
                         cdt_written_fn *release, void *arg)
{
    if (!flow_usable(flow) || (!data && length) || !release)
        return -EINVAL;
    int result = admit(flow, length);
    if (result < 0)
        return result;
    struct flow_segment *segment = marker_new(flow, release, arg);
    if (!segment)
        return -ENOMEM;
    cork_flush(flow->config->hub);
    segment->at = data;
    segment->length = length;
    if (flow->top && !is_early(flow)) { /* the layer copies: nothing to keep */
        struct iovec part = {.iov_base = (void *)data, .iov_len = length};
        segment_sent(flow, segment, length ? flow_send(flow, &part, 1) : 0);
    } else {
        segment_enqueue(flow, segment);
        if (flow->state >= CDT_OPEN)
            flow_drain(flow);
    }
    return taken(flow);
}

int cdt_flow_flush(struct cdt_flow *flow)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (flow->config->hub->cork.flow == flow)
        cork_flush(flow->config->hub);
    return 0;
}
