/* Two flows joined in memory: a ring of bytes for each direction. For tests, and for protocols
 * whose both ends live in one process. */
#include <string.h>

#include "flows/internal.h"

/* One direction. */
struct ring {
    size_t head, length; /* first byte; bytes inside */
    bool ended, reset;
    uint8_t *bytes;
};

struct pair {
    struct ring ring[2];     /* [i]: what end i writes */
    struct cdt_flow *end[2]; /* NULL once closed */
    size_t window;
};

static int my_index(const struct cdt_carrier *carrier)
{
    const struct pair *pair = carrier->context;
    return pair->end[0] && &pair->end[0]->carrier == carrier ? 0 : 1;
}

static void tell_other(struct pair *pair, int index, unsigned events)
{
    struct cdt_flow *other = pair->end[!index];
    if (other)
        cdt_carrier_ready(other, events);
}

static ssize_t pair_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct pair *pair = carrier->context;
    int index = my_index(carrier);
    struct ring *ring = &pair->ring[!index];
    if (ring->length == 0)
        return ring->reset ? -ECONNRESET : ring->ended ? 0 : -EAGAIN;
    if (length > ring->length)
        length = ring->length;
    size_t first = pair->window - ring->head;
    if (first > length)
        first = length;
    memcpy(data, ring->bytes + ring->head, first);
    memcpy((uint8_t *)data + first, ring->bytes, length - first);
    ring->head = (ring->head + length) % pair->window;
    ring->length -= length;
    tell_other(pair, index, CDT_WRITE);
    return (ssize_t)length;
}

static ssize_t pair_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    struct pair *pair = carrier->context;
    int index = my_index(carrier);
    struct ring *ring = &pair->ring[index];
    if (!pair->end[!index])
        return -EPIPE;
    if (length > pair->window - ring->length)
        length = pair->window - ring->length;
    if (length == 0)
        return -EAGAIN;
    size_t tail = (ring->head + ring->length) % pair->window;
    size_t first = pair->window - tail;
    if (first > length)
        first = length;
    memcpy(ring->bytes + tail, data, first);
    memcpy(ring->bytes, (const uint8_t *)data + first, length - first);
    ring->length += length;
    tell_other(pair, index, CDT_READ);
    return (ssize_t)length;
}

static ssize_t pair_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t n = pair_write(carrier, parts[i].iov_base, parts[i].iov_len);
        if (n < 0)
            return total ? total : n;
        total += n;
        if ((size_t)n < parts[i].iov_len)
            break;
    }
    return total;
}

static int pair_shutdown(struct cdt_carrier *carrier)
{
    struct pair *pair = carrier->context;
    int index = my_index(carrier);
    pair->ring[index].ended = true;
    tell_other(pair, index, CDT_READ);
    return 0;
}

static void pair_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    struct pair *pair = carrier->context;
    int index = my_index(carrier);
    pair->ring[index].ended = true;
    pair->ring[index].reset = how == CDT_CLOSE_RESET;
    tell_other(pair, index, CDT_READ | CDT_WRITE | CDT_HANGUP);
    pair->end[index] = NULL;
    carrier->context = NULL;
    if (!pair->end[!index])
        mem_free(pair);
}

static size_t pair_unacknowledged(const struct cdt_carrier *carrier)
{
    const struct pair *pair = carrier->context;
    return pair ? pair->ring[my_index(carrier)].length : 0;
}

const struct cdt_carrier_ops pair_ops = {
    .size = sizeof pair_ops,
    .name = "pair",
    .flags = CDT_CARRIER_SHORT_READS, /* the ring may be filled again while it is read */
    .read = pair_read,
    .write = pair_write,
    .writev = pair_writev,
    .shutdown = pair_shutdown,
    .close = pair_close,
    .unacknowledged = pair_unacknowledged,
};

int cdt_flow_pair(struct cdt_reactor *reactor, size_t window,
                  const struct cdt_flow_options *options, const struct cdt_handler *handler_a,
                  const struct cdt_handler *handler_b, struct cdt_flow **a, struct cdt_flow **b)
{
    struct flow_config *config;
    if (!a || !b || window > SIZE_MAX / 4 || !flow_handler_valid(handler_b))
        return -EINVAL;
    if (window == 0)
        window = 64 * 1024;
    int result = flow_prepare(reactor, options, handler_a, &config);
    if (result)
        return result;
    config->references++;

    struct pair *pair = mem_zalloc(sizeof *pair + 2 * window);
    struct cdt_carrier carrier = {.context = pair, .fd = -1};
    const struct cdt_handler *handlers[2] = {handler_a, handler_b};
    struct cdt_flow *flows[2] = {NULL, NULL};
    result = pair ? 0 : -ENOMEM;
    for (int i = 0; i < 2 && result == 0; i++)
        result = flow_new(config, handlers[i], &pair_ops, &carrier, false, NULL, &flows[i]);
    if (result) {
        if (flows[0])
            flow_release(flows[0]);
        else
            flow_config_put(config);
        flow_config_put(config);
        mem_free(pair);
        return result;
    }
    uint8_t *bytes = (uint8_t *)(pair + 1);
    pair->window = window;
    for (int i = 0; i < 2; i++) {
        pair->ring[i].bytes = bytes + (size_t)i * window;
        pair->end[i] = flows[i];
        flow_schedule(flows[i]);
    }
    *a = flows[0];
    *b = flows[1];
    return 0;
}
