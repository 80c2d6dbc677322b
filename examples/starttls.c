/* A stream that becomes TLS on the way (STARTTLS): the client asks for it with a line, the server
 * says go, and both begin TLS on the flow they have. Here the two are joined in memory.
 * Usage: starttls CERTIFICATE KEY; the certificate is for localhost, and its own anchor. */
#include <conduit/conduit.h>

#include <stdio.h>
#include <string.h>

static struct cdt_tls_config *client_tls, *server_tls;
static int result = 1;

/* Whether this line was read. (It comes whole here; over a network, gather what comes in pieces.)
 * What lies behind it is no longer plain text: it is handed back, and read as TLS. Who forgets that
 * lets an attacker slip in commands. */
static bool take_line(struct cdt_flow *flow, const char *line, const char *data, size_t length)
{
    const size_t size = strlen(line);
    if (length < size || memcmp(data, line, size) != 0) {
        cdt_flow_abort(flow, -CDT_ETLS, "the peer does not want TLS"); /* nor do we go on without */
        return false;
    }
    if (length > size)
        cdt_flow_unread(flow, data + size, length - size);
    return true;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void secure_read(struct cdt_flow *flow, const void *data, size_t length)
{
    cdt_flow_write(flow, data, length);
}

static const struct cdt_handler secure_server = {.size = sizeof secure_server,
                                                 .on_read = secure_read};

static void plain_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (!take_line(flow, "STARTTLS\n", data, length))
        return;
    cdt_flow_write(flow, "go\n", 3); /* goes out as plain text: TLS begins behind it */
    cdt_flow_set_handler(flow, &secure_server);
    cdt_tls_start(flow, server_tls, NULL);
}

static const struct cdt_handler plain_server = {.size = sizeof plain_server, .on_read = plain_read};

/* ---- the client ------------------------------------------------------------------------------ */

static void on_open(struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    if (cdt_tls_info(flow, &info) < 0) { /* the first time: connected, without TLS */
        cdt_flow_write(flow, "STARTTLS\n", 9);
        return;
    }
    printf("%s with %s\n", info.version, info.server_name);
    cdt_flow_write(flow, "a secret", 8);
    cdt_flow_shutdown(flow, CDT_SHUT_WRITE); /* close_notify */
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct cdt_tls_info info;
    if (cdt_tls_info(flow, &info) == 0)
        printf("answer: %.*s\n", (int)length, (const char *)data);
    else if (take_line(flow, "go\n", data, length))
        cdt_tls_start(flow, client_tls, "localhost");
}

static void on_close(struct cdt_flow *flow, int status)
{
    printf("closed: %s\n", status ? cdt_flow_error(flow) : "in order");
    result = status != 0;
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler client = {
    .size = sizeof client, .on_open = on_open, .on_read = on_read, .on_close = on_close};

/* ---- both ------------------------------------------------------------------------------------ */

static int configure(struct cdt_reactor *reactor, const char *certificate, const char *key)
{
    const struct cdt_tls_identity identity = {.cert_file = certificate, .key_file = key};
    const struct cdt_tls_options server_options = {
        .size = sizeof server_options,
        .role = CDT_TLS_SERVER,
        .identities = &identity,
        .identity_count = 1,
    };
    const struct cdt_tls_options client_options = {
        .size = sizeof client_options,
        .role = CDT_TLS_CLIENT,
        .system_anchors = CDT_OFF,
        .ca_file = certificate,
    };
    struct cdt_text_error error;
    if (cdt_tls_config_new(reactor, &server_options, &server_tls, &error) == 0 &&
        cdt_tls_config_new(reactor, &client_options, &client_tls, &error) == 0)
        return 0;
    fprintf(stderr, "starttls: %s\n", error.text);
    return -1;
}

int main(int argc, char **argv)
{
    struct cdt_reactor *reactor;
    struct cdt_flow *a, *b;

    if (argc < 3) {
        fprintf(stderr, "usage: starttls CERTIFICATE KEY\n");
        return 2;
    }
    if (cdt_reactor_new(NULL, &reactor) < 0 || configure(reactor, argv[1], argv[2]) < 0 ||
        cdt_flow_pair(reactor, 0, NULL, &client, &plain_server, &a, &b) < 0)
        return 1;
    cdt_reactor_run(reactor);
    cdt_tls_config_free(client_tls);
    cdt_tls_config_free(server_tls);
    cdt_reactor_free(reactor);
    return result;
}
