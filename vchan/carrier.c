/* The carrier: a flow's reads and writes on a ring, its two ends, and when to sleep.
 *
 * A side that finds nothing says so to the peer by a wish, and the peer pays for its bell with a
 * system call. While bulk is moving that would be one for every operation of the faster side. So
 * that side looks again in the next turns of its reactor, for about as long as the bytes took to
 * move, and wishes only then: what it may waste is bounded by what was done. With `spin` small
 * messages are waited for in this way too. */
#include <string.h>

#include "vchan/internal.h"

/* Where bytes are moved the ring's part is inlined, too, if that is optimised across files: it
 * saves an eighth of the instructions. */
#define WITH_RING __attribute__((flatten))

enum {
    BULK = 16 * 1024,      /* an operation that moved so much, or half of a smaller ring */
    BULK_LOOKS = 50 * 1000 /* how long it is looked for more: 1 ns a byte, at most this */
};

static struct vchan *vchan_at(const struct cdt_carrier *carrier)
{
    return carrier->context;
}

static void ring_bell(struct vchan *vchan)
{
    vchan->ring.bell = false;
    vchan->bells_sent++;
    vchan->bell->ring(vchan);
}

/* An event that was taken away may have been meant for the other direction: if that sleeps (its
 * flag is not set), it is looked at too. */
static inline void acknowledge(struct vchan *vchan, struct cdt_flow *flow, uint32_t other)
{
    if (!vchan->bell->acknowledge || !vchan->bell->acknowledge(vchan) || (flow->flags & other))
        return;
    flow->flags |= other;
    flow_schedule(flow);
}

/* ---- looking again --------------------------------------------------------------------------- */

/* Nothing could be moved: whether to look again in the next turn. The turn's clock may be as old as
 * all that has moved in it: it counts from the second look. */
static bool lingers(struct vchan *vchan, struct vchan_linger *linger, struct cdt_flow *flow)
{
    uint64_t window = linger->moved < BULK_LOOKS ? linger->moved : BULK_LOOKS;
    if (window < vchan->spin)
        window = vchan->spin;
    if (window == 0)
        return false;
    if (linger->since == 0) {
        linger->since = 1;
        return true;
    }
    const uint64_t now = cdt_reactor_now(flow->config->hub->reactor);
    if (linger->since == 1)
        linger->since = now;
    return now - linger->since < window;
}

/* The bytes that were read are bulk, or there is `spin`: the next read sets no wish. */
static inline void linger_for_more(struct vchan *vchan, struct cdt_flow *flow, size_t length)
{
    const size_t size = vchan->ring.in.size;
    vchan->in.since = 0;
    if (length >= BULK || length >= size / 2)
        vchan->in.moved += length;
    else if (!vchan->spin)
        return;
    flow->flags |= FLOW_SHORT_READS;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_lost(const struct vchan *vchan, const struct cdt_flow *flow)
{
    return vchan->gone || (flow->flags & FLOW_HUNG);
}

/* The ring was empty. If the peer was at its end before this look, it is the last. */
static __attribute__((noinline)) ssize_t read_nothing(struct vchan *vchan, struct cdt_flow *flow,
                                                      void *data, size_t length)
{
    unsigned peer = vchan_ring_peer(&vchan->ring);
    bool over = peer == VCHAN_CLOSED || is_lost(vchan, flow);
    if (peer > VCHAN_AWAITS)
        return -EPROTO;
    if (!over && !(flow->flags & FLOW_SHORT_READS)) { /* the wish is set */
        if (vchan->spin)
            flow->flags |= FLOW_SHORT_READS; /* from the next read on */
        return -EAGAIN;
    }
    if (!over && lingers(vchan, &vchan->in, flow))
        return -EINTR;

    vchan->in.moved = 0;
    if (!vchan->spin)
        flow->flags &= ~(uint32_t)FLOW_SHORT_READS;
    if (!over) { /* an event that is taken away now may have told of the end */
        acknowledge(vchan, flow, FLOW_WRITABLE);
        peer = vchan_ring_peer(&vchan->ring);
        over = peer == VCHAN_CLOSED || is_lost(vchan, flow);
    }
    ssize_t n = vchan_ring_read(&vchan->ring, data, length, !over);
    if (n)
        return n;
    if (peer == VCHAN_CLOSED) {
        vchan->over = true;
        flow->flags |= FLOW_SHORT_READS; /* only such reads look at it */
        return 0;
    }
    return over ? -ECONNRESET : -EAGAIN;
}

/* A flow with FLOW_SHORT_READS comes again by itself. One without it takes a short read for all
 * there is, and sleeps: the wish is set, but a peer that is closed, or was gone before there was a
 * flow, has rung its bell for the last time. */
static WITH_RING ssize_t vchan_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct vchan *vchan = vchan_at(carrier);
    struct cdt_flow *flow = flow_of_carrier(carrier);
    const bool sleep = !(flow->flags & FLOW_SHORT_READS);
    vchan->flow = flow;
    if (sleep)
        acknowledge(vchan, flow, FLOW_WRITABLE);
    else if (vchan->over)
        return 0;
    ssize_t n = vchan_ring_read(&vchan->ring, data, length, sleep);
    if (n == 0)
        n = read_nothing(vchan, flow, data, length);
    if (vchan->ring.bell)
        ring_bell(vchan);
    if (n <= 0)
        return n;
    linger_for_more(vchan, flow, (size_t)n);
    if ((size_t)n < length && (vchan_ring_peer(&vchan->ring) == VCHAN_CLOSED || vchan->gone))
        cdt_carrier_ready(flow, CDT_READ | CDT_HANGUP);
    return n;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Why nothing will be taken any more; 0: something may. A peer that is closed and not gone may read
 * on. */
static int write_end(const struct vchan *vchan, const struct cdt_flow *flow)
{
    if (is_lost(vchan, flow))
        return -ECONNRESET;
    if (!vchan->bell->hangs_up && vchan_ring_peer(&vchan->ring) == VCHAN_CLOSED)
        return -EPIPE;
    return 0;
}

/* The ring is full: what is in it is bulk. */
static __attribute__((noinline)) ssize_t write_nothing(struct vchan *vchan, struct cdt_flow *flow,
                                                       const void *data, size_t length)
{
    vchan->out.moved = vchan->ring.out.size;
    int status = write_end(vchan, flow);
    if (status)
        return status;
    if (lingers(vchan, &vchan->out, flow))
        return -EINTR;
    acknowledge(vchan, flow, FLOW_READABLE);
    ssize_t n = vchan_ring_write(&vchan->ring, data, length, true);
    if (n)
        return n;
    status = write_end(vchan, flow); /* of which the event may have told */
    return status ? status : -EAGAIN;
}

/* What every write ends with. A part sets no wish: the flow asks again for the rest. From a ring
 * that cannot be nothing more is read: the peer could make the flow last for ever. */
static inline ssize_t wrote(struct vchan *vchan, struct cdt_flow *flow, ssize_t n, bool all)
{
    if (vchan->ring.bell)
        ring_bell(vchan);
    if (n > 0) {
        vchan->out.since = 0;
        if (!all)
            flow->flags |= FLOW_SHORT_WRITES;
    } else if (n == -EPROTO) {
        vchan->over = true;
        flow->flags |= FLOW_SHORT_READS; /* only such reads look at it */
    }
    return n;
}

static WITH_RING ssize_t vchan_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    struct vchan *vchan = vchan_at(carrier);
    struct cdt_flow *flow = flow_of_carrier(carrier);
    ssize_t n = vchan_ring_write(&vchan->ring, data, length, false);
    if (n == 0)
        n = write_nothing(vchan, flow, data, length);
    return wrote(vchan, flow, n, (size_t)n == length);
}

/* The bell rings once for all parts. */
static ssize_t vchan_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    struct vchan *vchan = vchan_at(carrier);
    ssize_t sum = 0;
    bool all = true;
    for (int i = 0; i < count && all; i++) {
        ssize_t n = vchan_ring_write(&vchan->ring, parts[i].iov_base, parts[i].iov_len, false);
        all = n == (ssize_t)parts[i].iov_len;
        sum += n > 0 ? n : 0;
    }
    if (sum == 0) { /* why, or until when; if there is room by now, the other parts come later */
        sum = vchan_write(carrier, parts->iov_base, parts->iov_len);
        if (sum > 0 && count > 1)
            flow_of_carrier(carrier)->flags |= FLOW_SHORT_WRITES;
        return sum;
    }
    return wrote(vchan, flow_of_carrier(carrier), sum, all);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void end_ours(struct vchan *vchan)
{
    if (vchan->ended)
        return;
    vchan->ended = true;
    vchan_ring_close(&vchan->ring);
    ring_bell(vchan);
}

/* What the peer writes until it ends its side is read. What it has not read when it is gone is
 * lost. */
static int vchan_shutdown(struct cdt_carrier *carrier)
{
    struct vchan *vchan = vchan_at(carrier);
    end_ours(vchan);
    if (is_lost(vchan, flow_of_carrier(carrier)) && vchan_ring_unread(&vchan->ring))
        return -ECONNRESET;
    return 0;
}

static void vchan_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    struct vchan *vchan = vchan_at(carrier);
    if (how != CDT_CLOSE_RESET)
        end_ours(vchan);
    carrier->context = NULL;
    vchan->bell->close(vchan, how);
}

void vchan_gone(struct vchan *vchan)
{
    vchan->gone = true;
    if (vchan->flow)
        cdt_carrier_ready(vchan->flow, CDT_READ | CDT_WRITE | CDT_HANGUP);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static size_t vchan_unacknowledged(const struct cdt_carrier *carrier)
{
    const struct vchan *vchan = vchan_at(carrier);
    return vchan ? vchan_ring_unread(&vchan->ring) : 0;
}

const struct cdt_carrier_ops vchan_ops = {
    .size = sizeof vchan_ops,
    .name = "vchan",
    .flags = CDT_CARRIER_ONE_EVENT,
    .read = vchan_read,
    .write = vchan_write,
    .writev = vchan_writev,
    .shutdown = vchan_shutdown,
    .close = vchan_close,
    .unacknowledged = vchan_unacknowledged,
};

struct vchan *vchan_of(const struct cdt_flow *flow)
{
    return flow && flow->ops == &vchan_ops ? flow->carrier.context : NULL;
}

int cdt_vchan_info(const struct cdt_flow *flow, struct cdt_vchan_info *info)
{
    if (!flow_usable(flow) || !info)
        return -EINVAL;
    const struct vchan *vchan = vchan_of(flow);
    if (!vchan)
        return -ENOTSUP;
    *info = (struct cdt_vchan_info){
        .backend = vchan->bell->backend,
        .domid = vchan->domid,
        .read_size = vchan->ring.in.size,
        .write_size = vchan->ring.out.size,
        .bells_sent = vchan->bells_sent,
        .sleeps = vchan->ring.sleeps,
    };
    memcpy(info->port, vchan->port, sizeof info->port);
    return 0;
}
