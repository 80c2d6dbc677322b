/* An echo server over TLS. SIGHUP reads the certificate and the key again; connections go on.
 * Usage: tls_server CERTIFICATE KEY [ENDPOINT]; ENDPOINT is tls:7777, tls+unix:/run/x.sock, ... */
#include <conduit/conduit.h>

#include <signal.h>
#include <stdio.h>

static void on_open(struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    if (cdt_tls_info(flow, &info) == 0)
        printf("%s, %s%s\n", info.version, info.cipher, info.resumed ? ", resumed" : "");
    fflush(stdout);
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int result = cdt_flow_write(flow, data, length);
    if (result > 0) /* the client does not take it: we read no more until it does */
        cdt_flow_pause(flow);
    else if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static void on_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

static const struct cdt_handler echo = {
    .size = sizeof echo, .on_open = on_open, .on_read = on_read, .on_writable = on_writable};

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    struct cdt_addr addr;
    char name[CDT_ADDR_TEXT];
    if (status == 0 && cdt_server_address(server, &addr) == 0)
        printf("listening on %s\n", cdt_addr_format(&addr, name));
    else
        fprintf(stderr, "tls_server: %s\n", text);
    fflush(stdout);
}

/* Handshakes that failed come here as well: on_open has not come for them. */
static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)peer;
    fprintf(stderr, "tls_server: %s (%s)\n", text, cdt_errname(status));
}

static struct cdt_tls_config *config;

static void on_hangup(struct cdt_signal *signal, int number)
{
    struct cdt_text_error error;
    (void)signal, (void)number;
    if (cdt_tls_config_reload(config, &error) < 0) /* the old ones stay */
        fprintf(stderr, "tls_server: %s\n", error.text);
}

static int configure(struct cdt_reactor *reactor, const char *certificate, const char *key)
{
    const struct cdt_tls_identity identity = {.cert_file = certificate, .key_file = key};
    const struct cdt_tls_options options = {
        .size = sizeof options,
        .role = CDT_TLS_SERVER,
        .identities = &identity,
        .identity_count = 1,
    };
    struct cdt_text_error error;
    const int status = cdt_tls_config_new(reactor, &options, &config, &error);
    if (status < 0)
        fprintf(stderr, "tls_server: %s\n", error.text);
    return status;
}

static int serve(struct cdt_reactor *reactor, const char *at)
{
    const struct cdt_flow_options flow = {.size = sizeof flow, .tls = config};
    const struct cdt_server_options options = {
        .size = sizeof options, .flow = &flow, .on_listen = on_listen, .on_error = on_error};
    struct cdt_context *context;
    struct cdt_server *server;
    int status = cdt_context_default(reactor, &context);
    if (status < 0)
        return status;
    status = cdt_serve(context, at, &options, &echo, &server);
    if (status < 0)
        fprintf(stderr, "tls_server: %s\n", cdt_context_error(context));
    return status;
}

int main(int argc, char **argv)
{
    struct cdt_signal hangup = {.fn = on_hangup};
    struct cdt_reactor *reactor;
    int result = 1;

    if (argc < 3) {
        fprintf(stderr, "usage: tls_server CERTIFICATE KEY [ENDPOINT]\n");
        return 2;
    }
    if (cdt_reactor_new(NULL, &reactor) < 0)
        return 1;
    if (configure(reactor, argv[1], argv[2]) == 0 &&
        serve(reactor, argc > 3 ? argv[3] : "tls:7777") == 0 &&
        cdt_signal_add(reactor, &hangup, SIGHUP) == 0)
        result = cdt_reactor_run(reactor) < 0;
    cdt_tls_config_free(config);
    cdt_reactor_free(reactor);
    return result;
}
