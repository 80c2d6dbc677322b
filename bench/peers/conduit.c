/* The small server over conduit itself, on the listening socket that all of them use; with CERT and
 * KEY over TLS, by the backend of CONDUIT_TLS; with the address "vchan" for clients of domain 0. */
#include <conduit/conduit.h>

#include "bench/peers/peer.h"

static struct peer peer;
static struct cdt_tls_config *tls;

static void must(int status, const char *what)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, cdt_strerror(status));
    exit(1);
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int result = cdt_flow_write(flow, data, length);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
    else if (peer.close_after_echo)
        cdt_flow_close(flow);
    else if (result > 0)
        cdt_flow_pause(flow);
}

static void on_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

static const struct cdt_handler echo = {
    .size = sizeof echo, .on_read = on_read, .on_writable = on_writable};
static const struct cdt_handler discard = {.size = sizeof discard};

static void send_on(struct cdt_flow *flow)
{
    static const char buffer[PEER_BUFFER];
    int result;
    while ((result = cdt_flow_write(flow, buffer, sizeof buffer)) == 0)
        ;
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static const struct cdt_handler source = {
    .size = sizeof source, .on_open = send_on, .on_writable = send_on};

static int on_accept(struct cdt_server *server, struct cdt_flow *flow)
{
    (void)server;
    return cdt_tls_start(flow, tls, NULL);
}

static void load_identity(struct cdt_reactor *reactor)
{
    const struct cdt_tls_identity identity = {.cert_file = peer.cert, .key_file = peer.key};
    const struct cdt_tls_options options = {.size = sizeof options,
                                            .role = CDT_TLS_SERVER,
                                            .identities = &identity,
                                            .identity_count = 1};
    struct cdt_text_error error = {.text = ""};
    const int status = cdt_tls_config_new(reactor, &options, &tls, &error);
    must(status, error.text);
}

/* Where they meet is the folder of CONDUIT_VCHAN_DIR. */
static int listen_vchan(struct cdt_reactor *reactor, const struct cdt_server_options *options,
                        const struct cdt_handler *handler, struct cdt_server **server)
{
    static const struct cdt_vchan_options vchan = {.size = sizeof vchan,
                                                   .backend = CDT_VCHAN_LOCAL};
    return cdt_vchan_listen(reactor, 0, "bench", &vchan, options, handler, server);
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)server;
    must(status, text);
    if (peer.is_vchan)
        puts("0/bench");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct cdt_server_options options = {.size = sizeof options, .on_listen = on_listen};
    struct cdt_reactor *reactor = NULL;
    struct cdt_server *server;
    peer = peer_start(argc, argv);
    const struct cdt_handler *handler = peer.discard ? &discard : peer.source ? &source : &echo;
    must(cdt_reactor_new(NULL, &reactor), "reactor");
    if (peer.cert) {
        load_identity(reactor);
        options.on_accept = on_accept;
    }
    must(peer.is_vchan ? listen_vchan(reactor, &options, handler, &server)
                       : cdt_listen_fd(reactor, peer.listener, &options, handler, &server),
         "listening");
    return cdt_reactor_run(reactor) < 0;
}
