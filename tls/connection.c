/* One side of one TLS connection, from the choice of its context to its end. */
#include <errno.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/certificate.h"
#include "tls/config.h"
#include "tls/hello.h"
#include "tls/names.h"

int tls_connection_init(struct tls_connection *connection, struct cdt_tls_config *config,
                        const char *name)
{
    char host[TLS_HOST];
    *connection = (struct tls_connection){.backend = config->backend, .role = config->options.role};
    if (name && *name) {
        const int status = tls_host_read(name, host, &connection->name_is_address);
        if (status)
            return status;
        connection->name = mem_strdup(host);
        if (!connection->name)
            return -ENOMEM;
    }
    connection->config = tls_config_get(config);
    return 0;
}

static int make_engine(struct tls_connection *connection, struct tls_context *context)
{
    const int status = connection->backend->engine_new(context, connection, &connection->engine);
    return status ? tls_fail(connection, status, NULL) : 0;
}

int tls_connection_connect(struct tls_connection *connection)
{
    const struct cdt_tls_config *config = connection->config;
    connection->alpn = config->alpn;
    connection->alpn_length = config->alpn_length;
    return make_engine(connection, config->set.identities[0].context);
}

/* The protocol to be spoken. With none in common the engine is given ours, and refuses. */
static void choose_alpn(struct tls_connection *connection, const struct hello *hello)
{
    const struct cdt_tls_config *config = connection->config;
    if (!hello->alpn || !config->alpn)
        return;
    size_t length;
    const uint8_t *chosen = hello_choose_alpn(hello, config->alpn, config->alpn_length, &length);
    connection->alpn = chosen ? chosen - 1 : config->alpn; /* with its length before it */
    connection->alpn_length = chosen ? length + 1 : config->alpn_length;
}

int tls_connection_accept(struct tls_connection *connection, const struct hello *hello)
{
    if (hello->name[0]) {
        connection->name = mem_strdup(hello->name);
        if (!connection->name)
            return tls_fail(connection, -ENOMEM, NULL);
    }
    choose_alpn(connection, hello);
    return make_engine(connection, tls_config_choose(connection->config, hello->name)->context);
}

void tls_connection_fini(struct tls_connection *connection)
{
    if (connection->engine)
        connection->backend->engine_free(connection->engine);
    tls_certificate_put(connection->peer);
    mem_free(connection->name);
    mem_free(connection->why);
    tls_config_put(connection->config);
}
