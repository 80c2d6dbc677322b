/* conduit connect: standard input to the peer, the peer to standard output. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tools/tool.h"

static struct connection {
    const struct settings *settings;
    struct session session;
    struct target target;
    struct cdt_flow *network, *local;
    struct cdt_signal user;
    int status; /* of the program */
} connection;

static void end(int status)
{
    connection.status = status;
    cdt_reactor_stop(connection.session.reactor);
}

/* ---- the relay ------------------------------------------------------------------------------- */

/* Standard input or output failed: whatever is under way has nowhere to go, and the peer shall not
 * take what it got for the whole. */
static void on_local_failure(int status)
{
    cdt_flow_abort(connection.local, status, NULL);
    cdt_flow_abort(connection.network, -ECANCELED, NULL);
}

static void on_done(struct cdt_flow *local, struct cdt_flow *network,
                    const struct cdt_relay_result *result, void *arg)
{
    (void)local, (void)arg;
    int status = EXIT_DONE;
    if (stdio_failed())
        status = complain(stdio_failed(), cdt_strerror(result->status_a));
    else if (result->status_b)
        status = complain(connection.target.text, cdt_flow_error(network));
    tell(connection.settings, "sent %llu bytes, received %llu",
         (unsigned long long)result->bytes_a_to_b, (unsigned long long)result->bytes_b_to_a);
    end(status);
}

static const struct cdt_handler local_handler = {.size = sizeof local_handler};

static void on_open(struct cdt_flow *flow)
{
    char peer[CDT_ADDR_TEXT];
    tell(connection.settings, "%s: connected to %s", connection.target.text, peer_name(flow, peer));
    vchan_tell(connection.settings, connection.target.text, flow);
    tls_tell(connection.settings, connection.target.text, flow);
    int status =
        stdio_flow(connection.session.reactor, &local_handler, on_local_failure, &connection.local);
    if (status) {
        complain(stdio_failed() ? stdio_failed() : "standard input", cdt_strerror(status));
    } else {
        status = cdt_flow_relay(connection.local, flow, on_done, NULL);
        if (status == 0)
            return;
        cdt_flow_abort(connection.local, status, NULL);
        complain(connection.target.text, cdt_strerror(status));
    }
    cdt_flow_abort(flow, 0, NULL);
    connection.status = EXIT_FAILED;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_close(struct cdt_flow *flow, int status)
{
    end(status ? complain(connection.target.text, cdt_flow_error(flow)) : connection.status);
}

static const struct cdt_handler network_handler = {
    .size = sizeof network_handler,
    .on_open = on_open,
    .on_close = on_close,
};

static void on_user(struct cdt_signal *signal, int number)
{
    uint64_t in, out;
    (void)signal, (void)number;
    stdio_counters(&in, &out);
    note("counters: %s: sent %llu, received %llu", connection.target.text, (unsigned long long)in,
         (unsigned long long)out);
}

static int run(void)
{
    connection.user.fn = on_user;
    int status = cdt_signal_add(connection.session.reactor, &connection.user, SIGUSR1);
    if (status)
        return complain("signals", cdt_strerror(status));
    connection.status = target_connect(&connection.session, &connection.target, &network_handler,
                                       &connection.network);
    if (connection.status == 0)
        status = cdt_reactor_run(connection.session.reactor);
    cdt_signal_remove(&connection.user);
    return status ? complain("reactor", cdt_strerror(status)) : connection.status;
}

int connect_run(struct settings *settings)
{
    const char *text = settings->texts[0];
    connection.settings = settings;
    int status = target_read(settings, text, &connection.target);
    if (status)
        return status;
    status = session_begin(settings, &connection.session);
    if (status == 0) {
        status = tls_for_connecting(&connection.session, connection.target.endp);
        if (status == 0)
            status = run();
        session_end(&connection.session);
    }
    target_free(&connection.target);
    /* The last chance of a file system to say that it did not keep what was written. */
    if (close(STDOUT_FILENO) < 0 && status == 0)
        status = complain("standard output", cdt_strerror(-errno));
    return status;
}
