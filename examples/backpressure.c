/* Back-pressure from end to end: a producer that stops when a write returns 1 and goes on in
 * on_writable, and a consumer that pauses. Both are in this process, joined in memory. */
#include <conduit/conduit.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TOTAL = 8 << 20, PIECE = 16 << 10 };

/* ---- the producer ---------------------------------------------------------------------------- */

struct producer {
    size_t sent;
    size_t most_queued;
};

static void produce(struct cdt_flow *flow)
{
    struct producer *producer = cdt_flow_data(flow);
    char piece[PIECE];
    int result = 0;

    memset(piece, 'x', sizeof piece);
    while (result == 0 && producer->sent < TOTAL) {
        result = cdt_flow_write(flow, piece, sizeof piece);
        if (result >= 0) /* 1 as well: taken, but no more for now */
            producer->sent += sizeof piece;
    }
    if (result < 0 && result != -EPIPE) /* after -EPIPE on_close tells why */
        cdt_flow_abort(flow, result, NULL);
    else if (producer->sent == TOTAL)
        cdt_flow_close(flow);
}

static void on_open(struct cdt_flow *flow)
{
    produce(flow);
}

static void on_writable(struct cdt_flow *flow)
{
    produce(flow);
}

static const struct cdt_handler producer_handler = {
    .size = sizeof producer_handler,
    .user_size = sizeof(struct producer),
    .on_open = on_open,
    .on_writable = on_writable,
};

/* ---- the consumer ---------------------------------------------------------------------------- */

struct consumer {
    struct cdt_timer rest;
    struct cdt_flow *flow, *from;
    size_t received;
};

static void on_rested(struct cdt_timer *timer)
{
    struct consumer *consumer = cdt_container_of(timer, struct consumer, rest);
    cdt_flow_resume(consumer->flow);
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct consumer *consumer = cdt_flow_data(flow);
    struct producer *producer = cdt_flow_data(consumer->from);
    size_t queued;

    (void)data;
    consumer->received += length;
    cdt_flow_pending(consumer->from, &queued, NULL);
    if (queued > producer->most_queued)
        producer->most_queued = queued;
    cdt_flow_pause(flow); /* no on_read, and no on_eof, before we have rested */
    cdt_timer_set(cdt_flow_reactor(flow), &consumer->rest, CDT_MS);
}

static void on_close(struct cdt_flow *flow, int status)
{
    struct consumer *consumer = cdt_flow_data(flow);
    const struct producer *producer = cdt_flow_data(consumer->from);
    cdt_timer_cancel(&consumer->rest); /* the timer lies in the flow's area, which goes away */
    printf("received %zu bytes, status %d; never more than %zu bytes queued\n", consumer->received,
           status, producer->most_queued);
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler consumer_handler = {
    .size = sizeof consumer_handler,
    .user_size = sizeof(struct consumer),
    .on_read = on_read,
    .on_close = on_close,
};

int main(void)
{
    struct cdt_reactor *reactor;
    struct cdt_flow *from, *to;

    if (cdt_reactor_new(NULL, &reactor) < 0 ||
        cdt_flow_pair(reactor, 0, NULL, &producer_handler, &consumer_handler, &from, &to) < 0)
        return 1;
    *(struct consumer *)cdt_flow_data(to) =
        (struct consumer){.rest.fn = on_rested, .flow = to, .from = from};
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    return 0;
}
