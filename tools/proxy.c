/* conduit proxy: connects to TARGET for each connection of LISTEN and relays the two. The client is
 * not read before the target has answered. */
#include <errno.h>

#include "tools/tool.h"

static struct proxy {
    const struct settings *settings;
    struct cdt_context *context;
    struct targets targets;
} proxy;

/* The areas of both flows, until they are joined. */
struct client {
    struct cdt_flow *target; /* NULL: none under way */
};

struct target {
    struct cdt_flow *client; /* NULL: it has gone */
    size_t next;             /* of the addresses, if this one fails */
};

static void on_done(struct cdt_flow *client, struct cdt_flow *target,
                    const struct cdt_relay_result *result, void *arg)
{
    (void)arg;
    const struct cdt_flow *failed = result->status_a ? client : target;
    if (result->status_a || result->status_b)
        tell(proxy.settings, "%s: %s", proxy.targets.text, cdt_flow_error(failed));
}

/* ---- the target ------------------------------------------------------------------------------ */

static void connect_target(struct cdt_flow *client, size_t index);

static void target_open(struct cdt_flow *flow)
{
    struct cdt_flow *client = ((struct target *)cdt_flow_data(flow))->client;
    if (!client)
        return;
    const int status = cdt_flow_relay(client, flow, on_done, NULL);
    if (status) {
        cdt_flow_abort(flow, status, NULL);
        cdt_flow_abort(client, status, NULL);
    }
}

static void target_close(struct cdt_flow *flow, int status)
{
    const struct target *target = cdt_flow_data(flow);
    if (!target->client)
        return;
    ((struct client *)cdt_flow_data(target->client))->target = NULL;
    if (target->next < proxy.targets.count) {
        connect_target(target->client, target->next);
        return;
    }
    if (!proxy.settings->quiet)
        complain(proxy.targets.text, cdt_flow_error(flow));
    cdt_flow_abort(target->client, status, cdt_flow_error(flow));
}

static const struct cdt_handler target_handler = {
    .size = sizeof target_handler,
    .user_size = sizeof(struct target),
    .on_open = target_open,
    .on_close = target_close,
};

static void connect_target(struct cdt_flow *client, size_t index)
{
    struct cdt_flow *flow;
    const int status =
        cdt_connect_endp(proxy.context, proxy.targets.endps[index], NULL, &target_handler, &flow);
    if (status) {
        complain(proxy.targets.text, cdt_strerror(status));
        cdt_flow_abort(client, status, NULL);
        return;
    }
    *(struct target *)cdt_flow_data(flow) = (struct target){client, index + 1};
    ((struct client *)cdt_flow_data(client))->target = flow;
}

/* ---- the client ------------------------------------------------------------------------------ */

static void client_open(struct cdt_flow *flow)
{
    cdt_flow_pause(flow);
    connect_target(flow, 0);
}

/* It has gone before the two were joined. */
static void client_close(struct cdt_flow *flow, int status)
{
    struct cdt_flow *target = ((struct client *)cdt_flow_data(flow))->target;
    (void)status;
    if (!target)
        return;
    ((struct target *)cdt_flow_data(target))->client = NULL;
    cdt_flow_abort(target, 0, NULL);
}

static const struct cdt_handler client_handler = {
    .size = sizeof client_handler,
    .user_size = sizeof(struct client),
    .on_open = client_open,
    .on_close = client_close,
};

int proxy_run(struct settings *settings)
{
    struct listeners_job job = {
        .settings = settings, .handler = &client_handler, .texts = settings->texts, .count = 1};
    const char *text = settings->texts[1];
    proxy.settings = settings;
    int status = targets_read(settings, text, false, &proxy.targets);
    if (status)
        return status;
    status = setup(settings, &job.reactor, &job.context);
    if (status == 0) {
        proxy.context = job.context;
        status = listeners_run(&job);
        teardown(job.reactor, job.context);
    }
    targets_free(&proxy.targets);
    return status;
}
