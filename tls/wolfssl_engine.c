/* Engines of wolfSSL: one WOLFSSL, which reads from and writes to the buffers that are lent for a
 * call. Between calls it holds no buffer of its own. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/wolfssl.h"
#include "tls/wolfssl_ipsec_mb.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

/* ---- a new one ------------------------------------------------------------------------------- */

/* "h2,http/1.1", as wolfSSL wants it, from the form on the wire: each length becomes a comma. */
static int set_alpn(struct tls_engine *engine)
{
    const struct tls_connection *connection = engine->connection;
    const size_t length = connection->alpn_length;

    if (!length)
        return 0;
    char *list = mem_alloc(length);
    if (!list)
        return -ENOMEM;
    memcpy(list, connection->alpn, length);
    for (size_t at = 0; at < length; at += (size_t)connection->alpn[at] + 1)
        list[at] = ',';
    const int status = wolfSSL_UseALPN(engine->ssl, list + 1, (unsigned)length - 1,
                                       WOLFSSL_ALPN_FAILED_ON_MISMATCH);
    mem_free(list);
    return status == WOLFSSL_SUCCESS ? 0 : status == MEMORY_E ? -ENOMEM : -EINVAL;
}

static int set_client(struct tls_engine *engine)
{
    struct tls_connection *connection = engine->connection;

    if (connection->name && !connection->name_is_address &&
        wolfSSL_UseSNI(engine->ssl, WOLFSSL_SNI_HOST_NAME, connection->name,
                       (word16)strlen(connection->name)) != WOLFSSL_SUCCESS)
        return -ENOMEM;
    return engine->context->sessions ? wolfssl_session_offer(engine) : 0;
}

#ifdef HAVE_SECRET_CALLBACK
static int on_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int length, void *arg)
{
    static const char *const labels[] = {
        [CLIENT_HANDSHAKE_TRAFFIC_SECRET] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        [SERVER_HANDSHAKE_TRAFFIC_SECRET] = "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        [CLIENT_TRAFFIC_SECRET] = "CLIENT_TRAFFIC_SECRET_0",
        [SERVER_TRAFFIC_SECRET] = "SERVER_TRAFFIC_SECRET_0",
        [EXPORTER_SECRET] = "EXPORTER_SECRET",
    };
    uint8_t random[32];

    (void)arg;
    if (id < 0 || (size_t)id >= sizeof labels / sizeof *labels || !labels[id])
        return 0;
    if (wolfSSL_get_client_random(ssl, random, sizeof random) == sizeof random)
        tls_log_secret(labels[id], random, secret, (size_t)length);
    return 0;
}
#endif

/* TLS 1.2. Only a wolfSSL with the layer for OpenSSL's names gives the secret away. */
static void log_master_secret(WOLFSSL *ssl)
{
#ifdef OPENSSL_EXTRA
    unsigned char *master, *server, *client;
    unsigned master_length, server_length, client_length;

    if (wolfSSL_GetVersion(ssl) == WOLFSSL_TLSV1_2 &&
        wolfSSL_get_keys(ssl, &master, &master_length, &server, &server_length, &client,
                         &client_length) == WOLFSSL_SUCCESS)
        tls_log_secret("CLIENT_RANDOM", client, master, master_length);
#else
    (void)ssl;
#endif
}

static int on_done(WOLFSSL *ssl, void *arg);

static int set_up(struct tls_engine *engine)
{
    WOLFSSL *ssl = engine->ssl;
    const struct tls_context *context = engine->context;

    wolfSSL_SSLSetIORecv(ssl, wolfssl_take);
    wolfSSL_SSLSetIOSend(ssl, wolfssl_put);
    wolfSSL_SetIOReadCtx(ssl, engine);
    wolfSSL_SetIOWriteCtx(ssl, engine);
    wolfSSL_SetHsDoneCb(ssl, on_done, engine);
    wolfssl_verify_set(engine);
    if (!context->native)
        wolfSSL_SetDevId(ssl, wolfssl_ipsec_mb());
#ifdef OPENSSL_EXTRA
    if (context->key_log)
        wolfSSL_KeepArrays(ssl); /* for log_master_secret() */
#endif
#ifdef HAVE_SECRET_CALLBACK
    if (context->key_log)
        wolfSSL_set_tls13_secret_cb(ssl, on_secret, NULL);
#endif
    const int status = context->role == CDT_TLS_CLIENT ? set_client(engine) : 0;
    return status ? status : set_alpn(engine);
}

int wolfssl_engine_new(struct tls_context *context, struct tls_connection *connection,
                       struct tls_engine **result)
{
    struct tls_engine *engine = mem_zalloc(sizeof *engine);

    if (!engine)
        return -ENOMEM;
    *engine = (struct tls_engine){.context = context, .connection = connection};
    context->references++;
    wolfssl_memory_begin();
    engine->ssl = wolfSSL_new(context->ctx);
    const int status = engine->ssl ? set_up(engine) : -ENOMEM;
    if (status || wolfssl_memory_lacked()) {
        wolfssl_engine_free(engine);
        return wolfssl_memory_lacked() ? -ENOMEM : status;
    }
    *result = engine;
    return 0;
}

void wolfssl_engine_free(struct tls_engine *engine)
{
    if (!engine)
        return;
    wolfSSL_SESSION_free(engine->offered);
    mem_free(engine->ahead);
    wolfSSL_free(engine->ssl);
    wolfssl_context_put(engine->context);
    mem_free(engine->alpn);
    mem_free(engine);
}

/* ---- what was negotiated --------------------------------------------------------------------- */

/* The handshake is over: the protocol is kept apart, for wolfSSL forgets it, the one built here now
 * (tls/wolfssl.patch), a packaged one when both sides have closed. */
static int on_done(WOLFSSL *ssl, void *arg)
{
    struct tls_engine *engine = arg;
    char *alpn = NULL;
    word16 length = 0;

    if (engine->context->key_log)
        log_master_secret(ssl);
    if (wolfSSL_ALPN_GetProtocol(ssl, &alpn, &length) != WOLFSSL_SUCCESS || !length)
        return 0;
    engine->alpn = mem_alloc(length);
    if (!engine->alpn) {
        tls_fail(engine->connection, -ENOMEM, NULL);
        return MEMORY_E;
    }
    memcpy(engine->alpn, alpn, length);
    engine->alpn_length = (uint8_t)length;
    return 0;
}

static void keep_facts(struct tls_engine *engine)
{
    engine->version =
        wolfSSL_GetVersion(engine->ssl) == WOLFSSL_TLSV1_3 ? CDT_TLS_1_3 : CDT_TLS_1_2;
    engine->cipher = (uint16_t)wolfSSL_get_current_cipher_suite(engine->ssl);
    engine->resumed = wolfSSL_session_reused(engine->ssl);
}

void wolfssl_facts(const struct tls_engine *engine, struct tls_facts *facts)
{
    *facts = (struct tls_facts){.version = engine->version,
                                .cipher = engine->cipher,
                                .cipher_name = wolfSSL_get_cipher_name(engine->ssl),
                                .alpn = engine->alpn,
                                .alpn_length = engine->alpn_length,
                                .resumed = engine->resumed};
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void leave(struct tls_engine *engine)
{
    engine->io = NULL;
    if (engine->ticket_came && engine->open)
        wolfssl_session_keep(engine);
}

/* What a call of wolfSSL that did not succeed means. */
static int failed(struct tls_engine *engine, int result)
{
    const int error = wolfSSL_get_error(engine->ssl, result);

    if (error == WOLFSSL_ERROR_WANT_READ && !engine->io_status)
        return -EAGAIN;
    return wolfssl_fail(engine, error);
}

int wolfssl_handshake(struct tls_engine *engine, struct tls_io *io)
{
    const bool client = engine->context->role == CDT_TLS_CLIENT;

    wolfssl_memory_begin();
    engine->io = io;
    const int result = client ? wolfSSL_connect(engine->ssl) : wolfSSL_accept(engine->ssl);
    const int status = result == WOLFSSL_SUCCESS ? 0 : failed(engine, result);
    engine->open = status == 0;
    if (engine->open) {
        keep_facts(engine);
        wolfssl_session_open(engine);
    }
    leave(engine);
    return status;
}

/* After the end of what the peer sends wolfSSL would give an error without a name. */
ssize_t wolfssl_read(struct tls_engine *engine, struct tls_io *io, void *data, size_t length)
{
    if (engine->ended)
        return 0;
    engine->io = io;
    const int result =
        wolfSSL_read(engine->ssl, data, length > TLS_RECORD ? TLS_RECORD : (int)length);
    ssize_t status = result;
    if (result <= 0 && wolfSSL_get_error(engine->ssl, result) == WOLFSSL_ERROR_ZERO_RETURN) {
        engine->ended = true;
        status = 0;
    } else if (result <= 0) {
        status = failed(engine, result);
    }
    leave(engine);
    return status;
}

int wolfssl_write(struct tls_engine *engine, struct tls_io *io, const void *data, size_t length)
{
    if (engine->closed)
        return -EPIPE;
    engine->io = io;
    const int result = wolfSSL_write(engine->ssl, data, (int)length);
    const int status =
        result == (int)length ? 0 : wolfssl_fail(engine, wolfSSL_get_error(engine->ssl, result));
    leave(engine);
    return status;
}

/* wolfSSL_shutdown() is called once in a connection's life: each further call may send another
 * close_notify, or read. */
int wolfssl_shutdown(struct tls_engine *engine, struct tls_io *io)
{
    if (engine->closed)
        return 0;
    engine->closed = true;
    engine->io = io;
    const int result = wolfSSL_shutdown(engine->ssl);
    const bool sent = result == WOLFSSL_SUCCESS || result == WOLFSSL_SHUTDOWN_NOT_DONE;
    engine->silent = true; /* wolfSSL would still answer a request for new keys */
    const int status = sent ? 0 : wolfssl_fail(engine, wolfSSL_get_error(engine->ssl, result));
    leave(engine);
    return status;
}

int wolfssl_update_key(struct tls_engine *engine, struct tls_io *io)
{
    if (engine->version != CDT_TLS_1_3)
        return -ENOTSUP;
    if (engine->closed)
        return -EPIPE;
    engine->io = io;
    const int result = wolfSSL_update_keys(engine->ssl);
    const int status = result == WOLFSSL_SUCCESS
                           ? 0
                           : wolfssl_fail(engine, wolfSSL_get_error(engine->ssl, result));
    leave(engine);
    return status;
}

#endif
