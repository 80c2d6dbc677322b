/* conduit proxy: connects to TARGET for each connection of LISTEN and relays the two. The client is
 * not read before the target has answered. */
#include <errno.h>

#include "tools/tool.h"

static struct proxy {
    const struct settings *settings;
    struct session session;
    struct target target;
} proxy;

/* The area of either flow, until they are joined. */
struct half {
    struct cdt_flow *other; /* NULL: none under way, or it has gone */
};

static struct half *half_of(struct cdt_flow *flow)
{
    return cdt_flow_data(flow);
}

static void on_done(struct cdt_flow *client, struct cdt_flow *target,
                    const struct cdt_relay_result *result, void *arg)
{
    (void)arg;
    const struct cdt_flow *failed = result->status_a ? client : target;
    if (result->status_a || result->status_b)
        tell(proxy.settings, "%s: %s", proxy.target.text, cdt_flow_error(failed));
}

/* ---- the target ------------------------------------------------------------------------------ */

static void target_open(struct cdt_flow *flow)
{
    struct cdt_flow *client = half_of(flow)->other;
    if (!client)
        return;
    vchan_tell(proxy.settings, proxy.target.text, flow);
    tls_tell(proxy.settings, proxy.target.text, flow);
    const int status = cdt_flow_relay(client, flow, on_done, NULL);
    if (status) {
        cdt_flow_abort(flow, status, NULL);
        cdt_flow_abort(client, status, NULL);
    }
}

static void target_close(struct cdt_flow *flow, int status)
{
    struct cdt_flow *client = half_of(flow)->other;
    if (!client)
        return;
    half_of(client)->other = NULL;
    if (!proxy.settings->quiet)
        complain(proxy.target.text, cdt_flow_error(flow));
    cdt_flow_abort(client, status, cdt_flow_error(flow));
}

static const struct cdt_handler target_handler = {
    .size = sizeof target_handler,
    .user_size = sizeof(struct half),
    .on_open = target_open,
    .on_close = target_close,
};

/* ---- the client ------------------------------------------------------------------------------ */

static void client_open(struct cdt_flow *flow)
{
    struct cdt_flow *target;
    vchan_tell(proxy.settings, proxy.settings->texts[0], flow);
    tls_tell(proxy.settings, proxy.settings->texts[0], flow);
    cdt_flow_pause(flow);
    if (target_connect(&proxy.session, &proxy.target, &target_handler, &target) != 0) {
        cdt_flow_abort(flow, -ENOMEM, cdt_context_error(proxy.session.context));
        return;
    }
    half_of(target)->other = flow;
    half_of(flow)->other = target;
}

/* It has gone before the two were joined. */
static void client_close(struct cdt_flow *flow, int status)
{
    struct cdt_flow *target = half_of(flow)->other;
    (void)status;
    if (!target)
        return;
    half_of(target)->other = NULL;
    cdt_flow_abort(target, 0, NULL);
}

static const struct cdt_handler client_handler = {
    .size = sizeof client_handler,
    .user_size = sizeof(struct half),
    .on_open = client_open,
    .on_close = client_close,
};

int proxy_run(struct settings *settings)
{
    struct listeners_job job = {
        .settings = settings, .handler = &client_handler, .texts = settings->texts, .count = 1};
    const char *text = settings->texts[1];
    proxy.settings = settings;
    int status = target_read(settings, text, &proxy.target);
    if (status)
        return status;
    status = session_begin(settings, &proxy.session);
    if (status == 0) {
        job.session = &proxy.session;
        status = tls_for_connecting(&proxy.session, proxy.target.endp);
        if (status == 0)
            status = listeners_run(&job);
        session_end(&proxy.session);
    }
    target_free(&proxy.target);
    return status;
}
