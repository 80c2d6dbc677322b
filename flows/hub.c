/* What each reactor keeps for its flows: made with the first flow or server, freed with the
 * reactor. */
#include "flows/internal.h"
#include "flows/server.h"

static void end_all(struct flow_hub *hub)
{
    for (struct list *node = hub->flows.next; node != &hub->flows; node = node->next)
        flow_end(cdt_container_of(node, struct cdt_flow, link), -ECANCELED, "the reactor is freed");
}

/* Limits outlive the reactor, until their owners free them; the line for descriptors does not. */
static void forget_limits(struct flow_hub *hub)
{
    while (!list_empty(&hub->limits))
        limit_fini(cdt_container_of(hub->limits.next, struct cdt_limit, link));
    if (!hub->starved)
        return;
    struct starved *starved = cdt_container_of(hub->starved, struct starved, line);
    cdt_timer_cancel(&starved->timer);
    cdt_defer_cancel(&starved->line.wake);
    mem_free(starved);
}

/* The last turns: every flow and server ends and says so. */
static void destroy(struct reactor_room *room)
{
    struct flow_hub *hub = cdt_container_of(room, struct flow_hub, room);
    hub->closing = true;
    while (!list_empty(&hub->flows) || !list_empty(&hub->servers)) {
        end_all(hub);
        server_stop_all(hub);
        reactor_turn(hub->reactor, 0);
    }
    for (unsigned depth = 0; depth <= FLOW_MAX_LAYERS; depth++)
        mem_free(hub->view[depth].memory);
    while (hub->spare_flow) {
        struct cdt_flow *flow = hub->spare_flow;
        hub->spare_flow = flow->carrier.context;
        mem_free(flow);
    }
    while (hub->spare) {
        struct flow_segment *segment = hub->spare;
        hub->spare = segment->next;
        mem_free(segment);
    }
    splice_free_pipes(hub);
    if (hub->config)
        flow_config_put(hub->config);
    forget_limits(hub);
    reactor_remove_room(hub->reactor, room);
    mem_free(hub);
}

struct flow_hub *flow_hub(struct cdt_reactor *reactor)
{
    struct reactor_room *room = reactor_room(reactor, destroy);
    if (room)
        return cdt_container_of(room, struct flow_hub, room);
    struct flow_hub *hub = mem_zalloc(sizeof *hub);
    if (!hub)
        return NULL;
    hub->room.destroy = destroy;
    hub->reactor = reactor;
    hub->fork_generation = reactor_fork_generation;
    list_init(&hub->flows);
    list_init(&hub->servers);
    list_init(&hub->limits);
    hub->view[0].memory = mem_alloc(FLOW_READ_SIZE);
    if (!hub->view[0].memory) {
        mem_free(hub);
        return NULL;
    }
    reactor_add_room(reactor, &hub->room);
    return hub;
}
