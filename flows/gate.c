/* Handshakes in progress: so many of a server at once, and so few of them begun in one turn that
 * open connections are served in between. Who comes later waits in line, first come, first served,
 * and holds no more than its flow. A handshake whose peer keeps silent loses its place when others
 * wait for it. */
#include "flows/server.h"

enum {
    GATE_DEFAULT = 64,
    GATE_A_TURN = 8,
    GATE_PATIENCE = 2 /* seconds, if others wait */
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

/* When the holder that began first loses its place. */
static void update_timer(struct flow_gate *gate)
{
    const struct cdt_layer *holder = first(&gate->holders);
    if (holder && gate->active >= gate->max && !list_empty(&gate->line))
        cdt_timer_set_at(gate->reactor, &gate->patience,
                         holder->since + GATE_PATIENCE * CDT_SECOND);
    else
        cdt_timer_cancel(&gate->patience);
}

/* Calls those in line, as many as there is room for. */
static void serve(struct flow_gate *gate)
{
    struct cdt_layer *layer;
    while (has_room(gate) && (layer = first(&gate->line))) {
        list_remove(&layer->place);
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

/* One for each that waits. */
static void on_patience(struct cdt_timer *timer)
{
    struct flow_gate *gate = cdt_container_of(timer, struct flow_gate, patience);
    const uint64_t now = cdt_reactor_now(gate->reactor);
    size_t waiting = 0;
    for (const struct list *at = gate->line.next; at != &gate->line; at = at->next)
        waiting++;
    for (; waiting > 0; waiting--) {
        struct cdt_layer *holder = first(&gate->holders);
        if (!holder || holder->since + GATE_PATIENCE * CDT_SECOND > now)
            break;
        gate_leave(holder);
        flow_end(holder->flow, -CDT_EHANDSHAKE,
                 "the handshake made no progress while others waited for its place");
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
    if (layer->claim == CLAIM_HELD) {
        gate->active--;
        if (!list_empty(&gate->line))
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
