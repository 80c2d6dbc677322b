/* For tests of servers with TLS: a server over TCP, and clients that dial it. */
#ifndef TEST_TLS_HOST_H
#define TEST_TLS_HOST_H

#include "test/tls/tls.h"

struct host_limits {
    unsigned max_active, max_handshakes;
    uint64_t timeout; /* of the handshake */
};

static struct cdt_tls_config *host_config;

static inline int host_accept(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    return cdt_tls_start(flow, host_config, NULL);
}

/* A reactor, the usual configurations, and a server that listens. */
static inline void host_begin(struct ends *ends, const struct way *way, struct serve *serve,
                              struct host_limits limits)
{
    const struct cdt_flow_options flow = {.size = sizeof flow, .handshake_timeout = limits.timeout};
    ends_begin(ends, way, NULL, NULL);
    host_config = ends->config[SERVER];
    *serve = (struct serve){.on_accept = host_accept};
    struct cdt_server_options options = serve_options(serve);
    options.flow = &flow;
    options.max_active = limits.max_active;
    options.max_handshakes = limits.max_handshakes;
    serve_tcp(ends->reactor, serve, &options);
}

static inline void host_end(struct ends *ends, struct serve *serve)
{
    serve_stop(ends->reactor, serve);
    ends_free(ends);
}

/* A client that connects by TCP and begins TLS. */
static inline void host_dial(struct ends *ends, const struct serve *serve, struct probe *probe)
{
    struct cdt_flow *flow;
    assert_int_equal(cdt_tcp_connect(ends->reactor, &serve->address, NULL, &probe_handler, &flow),
                     0);
    probe_attach(flow, probe);
    assert_int_equal(cdt_tls_start(flow, ends->config[CLIENT], NAME), 0);
}

/* Ends it, with a reset. */
static inline void host_hang_up(struct ends *ends, struct probe *probe)
{
    if (probe->flow) {
        cdt_flow_abort(probe->flow, 0, NULL);
        until(ends->reactor, probe->closed);
    }
    probe_free(probe);
}

#endif
