/* The load over TLS and vchan, through the library itself: it has to speak them somehow. Its own
 * backend of TLS is that of CONDUIT_TLS; certificates are not looked at. */
#include <stdlib.h>
#include <string.h>

#include <conduit/conduit.h>

#include "bench/load/load.h"

enum { PATIENCE = 60 /* seconds without any event */ };

static struct cdt_reactor *reactor;
static struct cdt_tls_config *tls; /* NULL: vchan */
static struct cdt_addr server;
static unsigned domid;
static const char *port;
static struct cdt_timer timer;

/* Nothing that the work sends may be refused: it is bounded by the work. Nor is it the load's to say that a
 * server is late, but by PATIENCE. */
static const struct cdt_flow_options unbounded = {.size = sizeof unbounded,
                                                  .high_watermark = LOAD_BUFFER,
                                                  .hard_limit = 1 << 30,
                                                  .connect_timeout = CDT_NEVER,
                                                  .handshake_timeout = CDT_NEVER};

static void must(int status, const char *what)
{
    if (status < 0)
        load_die(what, cdt_strerror(status));
}

static struct connection *connection_of(struct cdt_flow *flow)
{
    return *(struct connection **)cdt_flow_data(flow);
}

static void on_open(struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    if (tls && cdt_tls_info(flow, &info) == 0)
        flows.resumed += info.resumed;
    work_opened(connection_of(flow));
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)data;
    work_received(connection_of(flow), length);
}

/* A vchan has no half-close: our end is the end of both, and heard at once. All is sent when it
 * closes. */
static bool ends_when_closed(const struct connection *connection)
{
    return !tls && connection->ended;
}

static void on_eof(struct cdt_flow *flow)
{
    struct connection *connection = connection_of(flow);
    if (ends_when_closed(connection))
        cdt_flow_close(flow);
    else
        work_ended(connection);
}

static void on_writable(struct cdt_flow *flow)
{
    struct connection *connection = connection_of(flow);
    connection->unsent = 0;
    work_sent(connection);
}

/* Not every server sends a close_notify, or waits for ours. */
static void on_close(struct cdt_flow *flow, int status)
{
    struct connection *connection = connection_of(flow);
    if (status == -CDT_ETLSTRUNC || ends_when_closed(connection))
        work_ended(connection);
    else if (status && !connection->closing)
        load_die(cdt_flow_error(flow), cdt_strerror(status));
    work_closed(connection);
}

static const struct cdt_handler handler = {.size = sizeof handler,
                                           .user_size = sizeof(struct connection *),
                                           .on_open = on_open,
                                           .on_read = on_read,
                                           .on_eof = on_eof,
                                           .on_writable = on_writable,
                                           .on_close = on_close};

static void on_timer(struct cdt_timer *expired)
{
    (void)expired;
    work_due();
}

static void prepare_tls(const char *address)
{
    const struct cdt_tls_options settings = {.size = sizeof settings,
                                             .verify = CDT_TLS_VERIFY_NONE,
                                             .resumption = options.resumption ? CDT_ON : CDT_OFF};
    struct cdt_text_error error = {.text = ""};
    char host[64] = "";
    uint16_t number = 0;
    if (sscanf(address, "%63[0-9.]:%hu", host, &number) != 2)
        load_die(address, "no IPv4 address and port");
    must(cdt_addr_ip(&server, host, number), address);
    must(cdt_tls_config_new(reactor, &settings, &tls, &error), error.text);
}

static void flows_prepare(const char *address)
{
    timer.fn = on_timer;
    must(cdt_reactor_new(NULL, &reactor), "reactor");
    if (strncmp(options.address, "tls:", 4) == 0) {
        prepare_tls(address);
        return;
    }
    char *end;
    domid = (unsigned)strtoul(address, &end, 10);
    if (*end != '/')
        load_die(address, "no DOMID/PORT");
    port = end + 1;
}

static void flows_connect(struct connection *connection)
{
    connection->unsent = 0;
    connection->ended = connection->closing = false;
    if (tls) {
        must(cdt_tcp_connect(reactor, &server, &unbounded, &handler, &connection->flow), "connect");
        must(cdt_tls_start(connection->flow, tls, "conduit.test"), "TLS");
    } else {
        const struct cdt_vchan_options vchan = {.size = sizeof vchan, .backend = CDT_VCHAN_LOCAL};
        must(cdt_vchan_connect(reactor, domid, port, &vchan, &unbounded, &handler,
                               &connection->flow),
             "connect");
    }
    *(struct connection **)cdt_flow_data(connection->flow) = connection;
}

static void flows_send(struct connection *connection, size_t length)
{
    while (length) {
        const size_t part = length < LOAD_BUFFER ? length : LOAD_BUFFER;
        const int result = cdt_flow_write(connection->flow, load_buffer, part);
        must(result, "write");
        if (result > 0)
            connection->unsent = 1; /* how much, nobody asks: until on_writable */
        length -= part;
    }
}

static void flows_shutdown(struct connection *connection)
{
    connection->ended = true;
    cdt_flow_shutdown(connection->flow, CDT_SHUT_WRITE);
}

static void flows_close(struct connection *connection)
{
    connection->closing = true;
    cdt_flow_close(connection->flow);
}

static void flows_run(void)
{
    while (!work_over()) {
        const int handled = cdt_reactor_step(reactor, PATIENCE * CDT_SECOND);
        must(handled, "reactor");
        if (handled == 0)
            load_die("the server", "silent for a minute");
    }
}

static void flows_wake_at(uint64_t when)
{
    cdt_timer_set_at(reactor, &timer, when);
}

struct transport flows = {
    .prepare = flows_prepare,
    .connect = flows_connect,
    .send = flows_send,
    .shutdown = flows_shutdown,
    .close = flows_close,
    .run = flows_run,
    .wake_at = flows_wake_at,
};
