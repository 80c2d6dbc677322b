/* Carriers that the user brings: making a flow of one, and telling that it is ready. */
#include "flows/internal.h"

int cdt_carrier_flow(struct cdt_reactor *reactor, const struct cdt_carrier_ops *ops,
                     const struct cdt_carrier *carrier, bool connecting,
                     const struct cdt_flow_options *options, const struct cdt_handler *handler,
                     struct cdt_flow **flow)
{
    if (!carrier || !flow || !flow_ops_valid(ops))
        return -EINVAL;
    struct flow_config *config;
    int result = flow_prepare(reactor, options, handler, &config);
    if (result)
        return result;
    result = flow_new(config, handler, ops, carrier, connecting, NULL, flow);
    if (result) {
        flow_config_put(config);
        return result;
    }
    (*flow)->flags |= FLOW_READABLE; /* ask it once */
    flow_update_timer(*flow);
    flow_schedule(*flow);
    return 0;
}

int cdt_carrier_ready(struct cdt_flow *flow, unsigned events)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (flow->state == CDT_CLOSED)
        return 0;
    if (events & (CDT_READ | CDT_HANGUP | CDT_ERROR))
        flow->flags |= FLOW_READABLE;
    if (events & (CDT_HANGUP | CDT_ERROR))
        flow->flags |= FLOW_READ_END;
    if (events & CDT_WRITE)
        flow->flags |= FLOW_WRITABLE;
    flow_schedule(flow);
    return 0;
}

struct cdt_carrier *cdt_carrier_of(struct cdt_flow *flow, const struct cdt_carrier_ops *ops)
{
    return flow && flow->ops == ops ? &flow->carrier : NULL;
}
