/* Handshakes in progress: so many of a server at once, and so few of them begun in one turn that
 * open connections are served in between. Who comes later waits in line, first come, first served,
 * and holds no more than its flow. Where others wait, a handshake that is not over in time loses its
 * place: in two seconds, and the sooner the longer the line is, if handshakes come to nothing. */
#include "flows/server.h"

enum {
    GATE_DEFAULT = 64,
    GATE_A_TURN = 8,
    GATE_PATIENCE = 2,  /* seconds, if others wait */
    GATE_FAILED = 1024, /* `failed`, if all do */
    GATE_RECENT = 16    /* handshakes that it is about */
};

static struct flow_gate *gate_of(const struct cdt_layer *layer)
{
    struct cdt_server *server = layer->flow->config->server;
    return server ? &server->gate : NULL;
}

static struct cdt_layer *first(const struct list *list)
{
    return list_empty(list) ? NULL : cdt_container_of(list->next, struct cdt_layer, place);
}

static bool has_room(const struct flow_gate *gate)
{
    return gate->active < gate->max && gate->begun < GATE_A_TURN;
}

static void take(struct flow_gate *gate, struct cdt_layer *layer)
{
    gate->active++;
    gate->begun++;
    layer->claim = CLAIM_HELD;
    layer->since = cdt_reactor_now(gate->reactor);
    list_append(&gate->holders, &layer->place);
    cdt_defer(gate->reactor, &gate->next_turn);
}

/* Those in line that have no free place before them. */
static unsigned in_need(const struct flow_gate *gate)
{
    const unsigned places = gate->max - gate->active;
    return gate->waiting > places ? gate->waiting - places : 0;
}

/* When a holder loses its place, if others need it.
 *
 * Silent peers free a place every patience / max, so that who comes last waits for line * patience /
 * max: with what is computed here that is about a second at most, at whatever rate they come. A
 * crowd of clients that are only far away makes a line too, but none of their handshakes fails: so
 * the line counts only as far as handshakes do. */
static uint64_t give_way_at(const struct flow_gate *gate, const struct cdt_layer *holder)
{
    const uint64_t line = (uint64_t)in_need(gate) * 2 * (unsigned)gate->failed / GATE_FAILED;
    return holder->since + GATE_PATIENCE * CDT_SECOND * gate->max / (gate->max + line);
}

static void update_timer(struct flow_gate *gate)
{
    const struct cdt_layer *holder = first(&gate->holders);
    if (holder && in_need(gate))
        cdt_timer_set_at(gate->reactor, &gate->patience, give_way_at(gate, holder));
    else
        cdt_timer_cancel(&gate->patience);
}

/* One handshake more is over: how many fail, about. With nobody waiting that does not matter, and is
 * forgotten. */
static void learn(struct flow_gate *gate, bool failed)
{
    gate->failed += ((failed ? GATE_FAILED : 0) - gate->failed) / GATE_RECENT;
    if (gate->waiting == 0)
        gate->failed = 0;
}

/* Calls those in line, as many as there is room for. */
static void serve(struct flow_gate *gate)
{
    struct cdt_layer *layer;
    while (has_room(gate) && (layer = first(&gate->line))) {
        list_remove(&layer->place);
        gate->waiting--;
        take(gate, layer);
        flow_schedule(layer->flow);
    }
    update_timer(gate);
}

static void on_next_turn(struct cdt_deferred *deferred)
{
    struct flow_gate *gate = cdt_container_of(deferred, struct flow_gate, next_turn);
    gate->begun = 0;
    serve(gate);
}

/* As many as are needed. */
static void on_patience(struct cdt_timer *timer)
{
    struct flow_gate *gate = cdt_container_of(timer, struct flow_gate, patience);
    const uint64_t now = cdt_reactor_now(gate->reactor);
    struct cdt_layer *holder;
    while (in_need(gate) && (holder = first(&gate->holders))) {
        if (give_way_at(gate, holder) > now)
            break;
        gate_leave(holder);
        flow_end(holder->flow, -CDT_EHANDSHAKE,
                 "the handshake was not over in time, and others waited for its place");
    }
    update_timer(gate);
}

/* ---- called by layers ------------------------------------------------------------------------ */

int cdt_layer_claim(struct cdt_layer *layer)
{
    struct flow_gate *gate = gate_of(layer);
    if (!gate || layer->claim == CLAIM_HELD)
        return 0;
    if (layer->claim == CLAIM_WAITS)
        return -EAGAIN;
    if (has_room(gate) && list_empty(&gate->line)) {
        take(gate, layer);
        return 0;
    }
    gate->waited++;
    gate->waiting++;
    layer->claim = CLAIM_WAITS;
    list_append(&gate->line, &layer->place);
    update_timer(gate);
    return -EAGAIN;
}

void gate_leave(struct cdt_layer *layer)
{
    struct flow_gate *gate = gate_of(layer);
    if (!gate || layer->claim == CLAIM_NONE)
        return;
    list_remove(&layer->place);
    if (layer->claim == CLAIM_WAITS) {
        gate->waiting--;
    } else {
        gate->active--;
        learn(gate, !layer->open);
        if (gate->waiting)
            cdt_defer(gate->reactor, &gate->next_turn);
    }
    layer->claim = CLAIM_NONE;
    update_timer(gate);
}

void gate_init(struct flow_gate *gate, struct cdt_reactor *reactor, unsigned max)
{
    gate->reactor = reactor;
    gate->max = max ? max : GATE_DEFAULT;
    gate->next_turn.fn = on_next_turn;
    gate->patience.fn = on_patience;
    list_init(&gate->line);
    list_init(&gate->holders);
}

void gate_fini(struct flow_gate *gate)
{
    cdt_defer_cancel(&gate->next_turn);
    cdt_timer_cancel(&gate->patience);
}
