/* Between the engine and the flow: what has arrived is shown to the engine where it lies, what it
 * wants to send is gathered in a buffer that all flows of a reactor share, one for each depth.
 * There the end of a handshake may wait for what the user says first. */
#include <errno.h>
#include <string.h>

#include "tls/layer.h"

enum { OUT_SIZE = 72 * 1024 }; /* four full records, and what comes with them */

/* What each reactor keeps. A buffer that is in use is not here: who comes meanwhile, from a
 * callback of the user, gets another one. */
struct layer_hub {
    struct reactor_room room;
    struct cdt_reactor *reactor;
    uint8_t *out[FLOW_MAX_LAYERS + 1], *gather[FLOW_MAX_LAYERS + 1];
    struct tls_spare spare;
    struct held {                /* layer_io_hold() */
        struct cdt_layer *layer; /* NULL: nothing is held */
        uint8_t *out;
        size_t length;
    } held;
    struct cdt_deferred send_held;
};

static void destroy(struct reactor_room *room)
{
    struct layer_hub *hub = cdt_container_of(room, struct layer_hub, room);
    if (hub->held.layer)
        layer_io_drop(hub->held.layer->context);
    reactor_remove_room(hub->reactor, room);
    for (int depth = 0; depth <= FLOW_MAX_LAYERS; depth++) {
        mem_free(hub->out[depth]);
        mem_free(hub->gather[depth]);
    }
    mem_free(hub->spare.small);
    mem_free(hub->spare.full);
    mem_free(hub);
}

static void on_turn_over(struct cdt_deferred *deferred);

struct layer_hub *layer_hub(struct cdt_reactor *reactor)
{
    struct reactor_room *room = reactor_room(reactor, destroy);
    if (room)
        return cdt_container_of(room, struct layer_hub, room);
    struct layer_hub *hub = mem_zalloc(sizeof *hub);
    if (!hub)
        return NULL;
    hub->reactor = reactor;
    hub->room.destroy = destroy;
    hub->send_held.fn = on_turn_over;
    reactor_add_room(reactor, &hub->room);
    return hub;
}

static uint8_t *borrow(uint8_t **place, size_t size)
{
    uint8_t *buffer = *place;
    *place = NULL;
    return buffer ? buffer : mem_alloc(size);
}

static void give_back(uint8_t **place, uint8_t *buffer)
{
    if (*place)
        mem_free(*place);
    *place = buffer;
}

/* ---- output ---------------------------------------------------------------------------------- */

static int send_out(struct layer_io *io)
{
    const struct iovec part = {.iov_base = io->io.out, .iov_len = io->io.out_length};
    io->io.out_length = 0;
    io->answered = true;
    return cdt_layer_write(io->layer, &part, 1);
}

/* What is held is no longer. */
static struct held take_held(struct layer_hub *hub)
{
    const struct held held = hub->held;
    struct tls_layer *tls = held.layer->context;
    tls->holds = false;
    hub->held.layer = NULL;
    cdt_defer_cancel(&hub->send_held);
    return held;
}

static __attribute__((noinline)) void send_held(struct layer_hub *hub)
{
    const struct held held = take_held(hub);
    struct cdt_flow *flow = held.layer->flow;
    const struct iovec part = {.iov_base = held.out, .iov_len = held.length};
    uint8_t **place = &hub->out[held.layer->depth];
    const bool over = cdt_flow_state(flow) == CDT_CLOSED; /* it was aborted */
    const int status = over ? 0 : cdt_layer_write(held.layer, &part, 1);
    give_back(place, held.out);
    if (status)
        flow_send_failed(flow, status);
}

static void on_turn_over(struct cdt_deferred *deferred)
{
    send_held(cdt_container_of(deferred, struct layer_hub, send_held));
}

void layer_io_drop(struct tls_layer *tls)
{
    if (!tls->holds)
        return;
    struct layer_hub *hub = tls->hub;
    const struct held held = take_held(hub);
    give_back(&hub->out[held.layer->depth], held.out);
}

/* Behind what is held. */
static __attribute__((noinline)) void go_on(struct layer_io *io)
{
    const struct held held = take_held(io->tls->hub);
    io->io.out = held.out;
    io->io.out_length = held.length;
}

/* The first time, there is no buffer yet. */
static int flush(struct tls_io *tls_io)
{
    struct layer_io *io = cdt_container_of(tls_io, struct layer_io, io);
    if (tls_io->out)
        return send_out(io);
    if (io->tls->holds)
        go_on(io);
    else
        tls_io->out = borrow(&io->tls->hub->out[io->layer->depth], OUT_SIZE);
    if (!tls_io->out)
        return -ENOMEM;
    tls_io->out_size = OUT_SIZE;
    return 0;
}

void layer_io_begin(struct layer_io *io, struct cdt_layer *layer)
{
    io->layer = layer;
    io->tls = layer->context;
    io->shown = NULL;
    io->taken = 0;
    io->from_kept = io->answered = false;
    io->io = (struct tls_io){.flush = flush, .spare = &io->tls->hub->spare};
    if (io->tls->hub->held.layer && !io->tls->holds)
        send_held(io->tls->hub);
}

int layer_io_end(struct layer_io *io)
{
    if (!io->io.out)
        return 0;
    const int status = io->io.out_length ? send_out(io) : 0;
    give_back(&io->tls->hub->out[io->layer->depth], io->io.out);
    return status;
}

int layer_io_hold(struct layer_io *io)
{
    struct layer_hub *hub = io->tls->hub;
    if (!io->io.out_length || hub->held.layer || cdt_defer(hub->reactor, &hub->send_held) != 0)
        return layer_io_end(io);
    hub->held = (struct held){io->layer, io->io.out, io->io.out_length};
    io->tls->holds = true;
    return 0;
}

uint8_t *layer_gather_take(struct layer_io *io)
{
    return borrow(&io->tls->hub->gather[io->layer->depth], TLS_RECORD);
}

void layer_gather_put(struct layer_io *io, uint8_t *buffer)
{
    give_back(&io->tls->hub->gather[io->layer->depth], buffer);
}

/* ---- input ----------------------------------------------------------------------------------- */

int layer_io_feed(struct layer_io *io)
{
    struct tls_layer *tls = io->tls;
    if (io->io.in_length)
        return 1;
    io->from_kept = tls->kept.memory != NULL;
    if (io->from_kept) {
        io->io.in = io->shown = tls->kept.memory + tls->kept.at;
        io->io.in_length = tls->kept.length - tls->kept.at;
        return 1;
    }
    const ssize_t n = cdt_layer_peek(io->layer, &io->io.in);
    io->shown = io->io.in;
    io->io.in_length = n > 0 ? (size_t)n : 0;
    return n > 0 ? 1 : (int)n;
}

void layer_io_taken(struct layer_io *io)
{
    struct tls_layer *tls = io->tls;
    const size_t taken = (size_t)(io->io.in - io->shown);
    if (taken == 0)
        return;
    io->shown = io->io.in;
    io->taken += taken;
    if (!io->from_kept) {
        cdt_layer_consume(io->layer, taken);
        return;
    }
    io->layer->flow->config->hub->consumed = true;
    tls->kept.at += taken;
    if (tls->kept.at < tls->kept.length)
        return;
    mem_free(tls->kept.memory);
    tls->kept.memory = NULL;
}
