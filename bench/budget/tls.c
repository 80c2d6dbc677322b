/* TLS 1.3 by the server, with both backends: handshakes, full and resumed, with an echo and the end
 * of the connection; echoes; a relay to TCP. The clients are the library too, in a reactor of their
 * own, which is not counted. An operation is a connection, a message, or 64 KiB relayed. */
#include <errno.h>
#include <linux/tcp.h>
#include <sched.h>

#include "bench/budget/budget.h"
#include "bench/budget/identity.h"

enum { FULL = 1, RESUMED = 2, OPENSSL = 4 }; /* variants; else wolfSSL, and echoes */
enum { BUFFER = 1 << 19 };

static struct cdt_reactor *clients;
static struct cdt_flow *client[SOCKETS_MAX];
static unsigned client_count;
static struct cdt_tls_config *server_config, *client_config;
static long echoed, came, closed, resumed;

static enum cdt_tls_backend backend_of(const struct scenario *scenario)
{
    return scenario->variant & OPENSSL ? CDT_TLS_OPENSSL : CDT_TLS_WOLFSSL;
}

static const char *missing(const struct scenario *scenario)
{
    return cdt_tls_built_in(backend_of(scenario)) ? NULL : "this backend is not built in";
}

/* ---- the two sides --------------------------------------------------------------------------- */

static int on_accept(struct cdt_server *at, struct cdt_flow *flow)
{
    (void)at;
    return cdt_tls_start(flow, server_config, NULL);
}

static void on_server_read(struct cdt_flow *flow, const void *data, size_t length)
{
    must(cdt_flow_write(flow, data, length), "write");
    echoed += (long)length;
}

static void on_client_open(struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    must(cdt_tls_info(flow, &info), "TLS");
    resumed += info.resumed;
}

static void on_client_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow, (void)data;
    came += (long)length;
}

static void on_close(struct cdt_flow *flow, int status)
{
    must(status, cdt_flow_error(flow));
    closed++;
}

static const struct cdt_handler serving = {
    .size = sizeof serving, .on_read = on_server_read, .on_close = on_close};
static const struct cdt_handler asking = {.size = sizeof asking,
                                          .on_open = on_client_open,
                                          .on_read = on_client_read,
                                          .on_close = on_close};

static void configure(const struct scenario *scenario)
{
    const struct cdt_tls_identity identity = {.cert = identity_cert, .key = identity_key};
    const struct cdt_tls_options serve = {.size = sizeof serve,
                                          .role = CDT_TLS_SERVER,
                                          .backend = backend_of(scenario),
                                          .ciphers = "TLS_AES_128_GCM_SHA256",
                                          .identities = &identity,
                                          .identity_count = 1};
    const struct cdt_tls_options ask = {.size = sizeof ask,
                                        .role = CDT_TLS_CLIENT,
                                        .backend = backend_of(scenario),
                                        .ciphers = "TLS_AES_128_GCM_SHA256",
                                        .system_anchors = CDT_OFF,
                                        .ca = identity_cert,
                                        .resumption =
                                            scenario->variant & RESUMED ? CDT_ON : CDT_OFF};
    struct cdt_text_error error = {.text = ""};
    must(cdt_tls_config_new(loop, &serve, &server_config, &error), error.text);
    must(cdt_tls_config_new(clients, &ask, &client_config, &error), error.text);
}

/* ---- in lockstep ----------------------------------------------------------------------------- */

static struct tcp_info info_of(const struct cdt_flow *flow)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    must(getsockopt(cdt_flow_fd(flow), IPPROTO_TCP, TCP_INFO, &info, &length), "TCP_INFO");
    return info;
}

static uint64_t sent_by_clients(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < client_count; i++) {
        const struct tcp_info info = info_of(client[i]);
        sum += info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
    }
    return sum;
}

static uint64_t received_by_server(unsigned *flows)
{
    uint64_t sum = 0;
    *flows = 0;
    for (struct cdt_flow *at = cdt_server_first(server); at; at = cdt_server_next(server, at)) {
        sum += info_of(at).tcpi_bytes_received;
        ++*flows;
    }
    return sum;
}

/* Until what the clients have sent has reached the server. */
static void settle(void)
{
    const uint64_t sent = sent_by_clients();
    unsigned flows;
    while (received_by_server(&flows) < sent && flows == client_count)
        sched_yield();
    if (flows < client_count)
        server_settle_backlog(client_count - flows);
    if (flows < client_count)
        sockets_settle(cdt_flow_fd(client[client_count - 1]));
}

static void run_clients(void)
{
    while (cdt_reactor_step(clients, 0) > 0)
        ;
}

/* Clients as far as they come, then a turn of the server, and again. */
static void lockstep(const long *counter, long until, void (*wait)(void))
{
    for (;;) {
        run_clients();
        if (*counter >= until)
            return;
        wait();
        if (has_work(loop))
            one_turn();
    }
}

/* ---- connections ----------------------------------------------------------------------------- */

static void connect_one(void)
{
    const struct cdt_flow_options options = {.size = sizeof options, .send_buffer = BUFFER};
    struct cdt_flow **flow = &client[client_count];
    must(cdt_tcp_connect(clients, &server_address, &options, &asking, flow), "connect");
    must(cdt_tls_start(*flow, client_config, "budget.example"), "TLS");
    must(cdt_flow_write(*flow, "x", 1), "write");
    client_count++;
    lockstep(&came, came + 1, settle);
}

static void begin(const struct scenario *scenario)
{
    const struct cdt_flow_options flow = {.size = sizeof flow, .receive_buffer = BUFFER};
    const struct cdt_server_options options = {
        .size = sizeof options, .flow = &flow, .on_accept = on_accept};
    must(cdt_reactor_new(NULL, &clients), "reactor");
    configure(scenario);
    server_begin(false, &options, &serving);
    for (unsigned i = 0; i < scenario->connections; i++)
        connect_one();
}

static void handshake(const struct scenario *scenario)
{
    const bool resumes = scenario->variant & RESUMED && closed > 0;
    const long both = closed + 2, before = resumed;
    connect_one();
    must(resumed == before + resumes ? 0 : -EPROTO, "resumption");
    cdt_flow_close(client[--client_count]);
    lockstep(&closed, both, server_settle_ends);
}

static void echo(const struct scenario *scenario)
{
    const long length = (long)(scenario->size * scenario->connections);
    for (unsigned i = 0; i < scenario->connections; i++)
        must(cdt_flow_write(client[i], sockets_bytes, scenario->size), "write");
    run_clients();
    settle();
    turns(&echoed, echoed + length);
    for (const long until = came + length; came < until;)
        must(cdt_reactor_step(clients, CDT_NEVER), "step");
}

/* ---- a relay --------------------------------------------------------------------------------- */

static int sink[2];

static void begin_relay(const struct scenario *scenario)
{
    static const struct cdt_handler handler = {.size = sizeof handler};
    struct cdt_flow *flow;
    begin(scenario);
    sockets_pair(sink);
    must(cdt_flow_adopt(loop, sink[0], NULL, &handler, &flow), "adopt");
    must(cdt_flow_relay(cdt_server_first(server), flow, NULL, NULL), "relay");
}

static void carry(const struct scenario *scenario)
{
    must(cdt_flow_write(client[0], sockets_bytes, scenario->size), "write");
    run_clients();
    settle();
    while (sockets_arrived(sink[1]) < scenario->size || has_work(loop)) {
        if (has_work(loop))
            one_turn();
    }
    sockets_receive(sink[1], scenario->size);
}

#define ECHO(n, count, bytes, times, with)                                            \
    {                                                                                 \
        .name = (n), .missing = missing, .begin = begin, .round = echo, .warm_up = 5, \
        .rounds = (times), .batch = (count), .connections = (count), .size = (bytes), \
        .variant = (with)                                                             \
    }
#define SHAKE(n, times, with)                                                              \
    {                                                                                      \
        .name = (n), .missing = missing, .begin = begin, .round = handshake, .warm_up = 5, \
        .rounds = (times), .batch = 1, .variant = (with)                                   \
    }

#define RELAY(n, with)                                                                       \
    {                                                                                        \
        .name = (n), .missing = missing, .begin = begin_relay, .round = carry, .warm_up = 5, \
        .rounds = 20, .batch = 1, .connections = 1, .size = 65536, .variant = (with)         \
    }

const struct scenario tls_scenarios[] = {
    SHAKE("wolfSSL, full handshake", 20, FULL),
    SHAKE("wolfSSL, resumed handshake", 20, RESUMED),
    ECHO("wolfSSL, echo, 20 connections", 20, 64, 20, 0),
    ECHO("wolfSSL, echo, 16 KiB", 4, 16384, 20, 0),
    RELAY("wolfSSL, relay to TCP, 64 KiB", 0),
    SHAKE("OpenSSL, full handshake", 20, OPENSSL | FULL),
    SHAKE("OpenSSL, resumed handshake", 20, OPENSSL | RESUMED),
    ECHO("OpenSSL, echo, 20 connections", 20, 64, 20, OPENSSL),
    ECHO("OpenSSL, echo, 16 KiB", 4, 16384, 20, OPENSSL),
    RELAY("OpenSSL, relay to TCP, 64 KiB", OPENSSL),
    {.name = NULL},
};
