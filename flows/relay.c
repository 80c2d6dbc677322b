/* The relay: joins two flows. It is an ordinary handler of both: what one reads it writes to the
 * other, pausing the reader while the writer might get above its high watermark. */
#include <string.h>

#include "flows/internal.h"

/* A direction is bulk, and spliced, once it has this many points: two for each read that fills the
 * buffer, less one for each that does not. */
enum { BULK_POINTS = 8 };

struct flow_relay {
    struct cdt_flow *flow[2];
    struct cdt_relay_result result;
    cdt_relay_fn *done;
    void *arg;
    int open;           /* flows whose on_close has not come */
    bool kept[2];       /* over, but not freed before the other one is */
    unsigned points[2]; /* of the direction that begins here */
    /* One has failed, the other delivers what it has, and then ends with the same status. */
    struct cdt_flow *last;
    int status;
    struct cdt_timer look_again;
    uint64_t interval, deadline;
};

static struct cdt_reactor *reactor_of(const struct flow_relay *relay)
{
    return relay->flow[0]->config->hub->reactor;
}

static int index_of(const struct flow_relay *relay, const struct cdt_flow *flow)
{
    return relay->flow[1] == flow;
}

struct cdt_flow *relay_other(const struct cdt_flow *flow)
{
    if (!flow->extra || !flow->extra->relay)
        return NULL;
    const struct flow_relay *relay = flow->extra->relay;
    return relay->open == 2 ? relay->flow[!index_of(relay, flow)] : NULL;
}

static uint64_t *passed(struct flow_relay *relay, int index)
{
    return index ? &relay->result.bytes_b_to_a : &relay->result.bytes_a_to_b;
}

void relay_passed(struct cdt_flow *flow, size_t length)
{
    struct flow_relay *relay = flow->extra->relay;
    *passed(relay, index_of(relay, flow)) += length;
}

static void judge(struct flow_relay *relay, int index, size_t length)
{
    unsigned *points = &relay->points[index];
    if (length < FLOW_READ_SIZE) {
        *points -= *points > 0;
    } else if ((*points += 2) >= BULK_POINTS) {
        *points = 0;
        splice_begin(relay->flow[index], relay->flow[!index]);
    }
}

/* Pauses it, also one that the user has closed: what still comes must not outrun the other one. */
static void hold(struct cdt_flow *flow)
{
    flow->flags |= FLOW_PAUSED;
}

/* Whether the next read might bring more than the watermark allows. What is corked does not count: it
 * is little, and mostly taken at once. */
static bool is_full(const struct cdt_flow *flow)
{
    return flow->queued && flow->queued + FLOW_READ_SIZE > flow->config->options.high_watermark;
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct flow_relay *relay = flow->extra->relay;
    int index = index_of(relay, flow);
    struct cdt_flow *other = relay->flow[!index];
    size_t hard = other->config->options.hard_limit, unsent = flow_unsent(other);
    size_t room = hard > unsent ? hard - unsent : 0, taken = length < room ? length : room;
    if (!flow_may_write(other))
        return; /* it is ending, and its on_close says what becomes of us */
    if (length > FLOW_CORK_SIZE)
        flow->config->hub->cork.lent_end = NULL; /* no cork: what is not taken must be known now */
    int result = taken ? cdt_flow_write(other, data, taken) : 0;
    if (result >= 0)
        *passed(relay, index) += taken;
    if (result >= 0 && taken < length) /* the rest when it has room */
        result = cdt_flow_unread(flow, (const uint8_t *)data + taken, length - taken);
    if (result < 0) {
        cdt_flow_abort(other, -ENOMEM, NULL);
    } else if (result == 1 || taken < length || is_full(other)) {
        other->flags |= FLOW_ABOVE;
        hold(flow);
        if (flow_writable_due(other)) /* already: nothing else would tell */
            flow_schedule(other);
    }
    if (length == FLOW_READ_SIZE || relay->points[index])
        judge(relay, index, length);
}

static void on_eof(struct cdt_flow *flow)
{
    struct flow_relay *relay = flow->extra->relay;
    cdt_flow_shutdown(relay->flow[!index_of(relay, flow)], CDT_SHUT_WRITE);
}

static void on_writable(struct cdt_flow *flow)
{
    struct flow_relay *relay = flow->extra->relay;
    cdt_flow_resume(relay->flow[!index_of(relay, flow)]);
}

/* Ends the last one once its peer has all. Nothing tells when bytes are acknowledged: look again,
 * less and less often, for the linger timeout at most. */
static void end_delivered(struct cdt_timer *timer)
{
    struct flow_relay *relay = cdt_container_of(timer, struct flow_relay, look_again);
    size_t queued = 0, unacknowledged = 0;
    cdt_flow_pending(relay->last, &queued, &unacknowledged);
    if (queued + unacknowledged == 0 || cdt_reactor_now(reactor_of(relay)) >= relay->deadline) {
        cdt_flow_abort(relay->last, relay->status, "the other side of the relay has failed");
        return;
    }
    if (relay->interval < 64 * CDT_MS)
        relay->interval *= 2;
    cdt_timer_set(reactor_of(relay), timer, relay->interval);
}

/* A failure is carried across as one: the peer of the other must not take a part for the whole. */
static void end_with(struct flow_relay *relay, struct cdt_flow *other, int status)
{
    uint64_t now = cdt_reactor_now(reactor_of(relay)),
             linger = other->config->options.linger_timeout;
    relay->last = other;
    relay->status = status;
    relay->look_again.fn = end_delivered;
    relay->interval = CDT_MS;
    relay->deadline = linger > CDT_NEVER - now ? CDT_NEVER : now + linger;
    cdt_flow_shutdown(other, CDT_SHUT_READ);
    end_delivered(&relay->look_again);
}

/* One is over. The other sends what it has and ends in the same way; if the first never was open,
 * nothing will come and the other is told at once, as it is when the server's time is up. */
static void on_close(struct cdt_flow *flow, int status)
{
    struct flow_relay *relay = flow->extra->relay;
    int index = index_of(relay, flow);
    struct cdt_flow *other = relay->flow[!index];
    *(index ? &relay->result.status_b : &relay->result.status_a) = status;
    if (--relay->open == 0)
        return;
    bool stopped = status == -CDT_EDRAIN || status == -ECANCELED;
    if (stopped || (status && !(flow->flags & FLOW_OPENED)))
        cdt_flow_abort(other, status, cdt_flow_error(flow));
    else if (status && other->state < CDT_CLOSING)
        end_with(relay, other, status);
    else
        cdt_flow_close(other);
    cdt_flow_resume(other); /* closing it has not, if it was closed before */
}

static const struct cdt_handler handler = {
    .size = sizeof handler,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_writable = on_writable,
    .on_close = on_close,
};

bool relay_finished(struct cdt_flow *flow)
{
    struct flow_relay *relay = flow->extra ? flow->extra->relay : NULL;
    if (!relay)
        return false;
    struct flow_hub *hub = flow->config->hub;
    relay->kept[index_of(relay, flow)] = true;
    if (!relay->kept[0] || !relay->kept[1])
        return true;
    cdt_timer_cancel(&relay->look_again);
    if (relay->done) {
        flow_enter_callback(hub);
        relay->done(relay->flow[0], relay->flow[1], &relay->result, relay->arg);
        flow_leave_callback(hub);
    }
    for (int i = 0; i < 2; i++) {
        relay->flow[i]->extra->relay = NULL;
        flow_release(relay->flow[i]);
    }
    mem_free(relay);
    return true;
}

static bool may_join(const struct cdt_flow *flow)
{
    return flow->state < CDT_CLOSING && !(flow->flags & FLOW_CLOSE_WANTED);
}

/* Hands a flow over: it is resumed, and an end that came before is carried across. */
static void join(struct cdt_flow *flow, struct flow_relay *relay)
{
    flow->extra->relay = relay;
    if (!flow->extra->user_size)
        flow->extra->user_size = flow->handler->user_size;
    flow_use_handler(flow, &handler);
    if (flow->state == CDT_PEER_ENDED)
        on_eof(flow);
}

int cdt_flow_relay(struct cdt_flow *a, struct cdt_flow *b, cdt_relay_fn *done, void *arg)
{
    if (!flow_usable(a) || !flow_usable(b) || a == b || a->config->hub != b->config->hub)
        return -EINVAL;
    if (!may_join(a) || !may_join(b))
        return -EPIPE;
    if (!flow_extra(a) || !flow_extra(b))
        return -ENOMEM;
    if (a->extra->relay || b->extra->relay)
        return -EALREADY;
    struct flow_relay *relay = mem_zalloc(sizeof *relay);
    if (!relay)
        return -ENOMEM;
    *relay = (struct flow_relay){.flow = {a, b}, .done = done, .arg = arg, .open = 2};
    join(a, relay);
    join(b, relay);
    /* What either side has queued already counts: it may be too much to go on reading the other. */
    for (int i = 0; i < 2; i++) {
        struct cdt_flow *flow = relay->flow[i], *other = relay->flow[!i];
        if (flow_unsent(other) > other->config->options.high_watermark) {
            other->flags |= FLOW_ABOVE;
            cdt_flow_pause(flow);
        } else {
            cdt_flow_resume(flow);
        }
    }
    return 0;
}
