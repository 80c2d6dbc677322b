/* The flow of a race: it has a carrier of the race's own, so that it times out, is aborted and
 * closed as any, until the winner's takes its place. */
#include "context/race.h"
#include "tls/config.h"

static struct race *race_of(const struct cdt_carrier *carrier)
{
    return carrier->context;
}

static void race_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)how;
    race_free(race_of(carrier));
}

static const char *tried(const struct cdt_carrier *carrier)
{
    struct race *race = race_of(carrier);
    if (!race->named && !(race->attempts && attempt_vchan_tells(race->attempts)))
        return NULL;
    return race->attempts ? race_describe(race) : "the name was not resolved";
}

static const struct cdt_carrier_ops race_ops = {
    .size = sizeof race_ops,
    .name = "none",
    .read = waiting_read,
    .write = waiting_write,
    .writev = waiting_writev,
    .connected = waiting_connected,
    .close = race_close,
    .address = waiting_address,
    .tried = tried,
};

int race_run(struct race *race, struct cdt_context *context, const struct cdt_flow_options *options,
             const struct cdt_handler *handler, struct cdt_flow **flow)
{
    const struct cdt_carrier carrier = {.context = race, .fd = -1};
    struct cdt_flow_options mine;
    int status = options_copy(&mine, sizeof mine, options ? options : &context->flow) ? 0 : -EINVAL;
    race->context = context;
    if (status == 0 && mine.tls)
        race->tls_wanted = tls_config_get(mine.tls);
    mine.tls = NULL;
    if (status == 0)
        status = cdt_carrier_flow(context->reactor, &race_ops, &carrier, true, &mine, handler,
                                  &race->flow);
    if (status) {
        race_free(race);
        return status;
    }
    *flow = race->flow;
    race->delay = context->attempt_delay;
    race->due = race->in_call = true;
    race->named = race->resolution || race->count > 1;
    list_append(&context->races, &race->link);
    race_advance(race);
    return 0;
}
