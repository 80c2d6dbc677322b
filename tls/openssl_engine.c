/* Engines: an SSL over the bytes that are lent to it for one call. The queue of errors, which the
 * thread's connections share, is empty before each call and after it. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

static int ssl_index = -1;

int openssl_engine_init(void)
{
    if (ssl_index < 0)
        ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return ssl_index < 0 ? -ENOMEM : 0;
}

struct tls_engine *openssl_engine_of(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, ssl_index);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static bool ask_for_name(SSL *ssl, const struct tls_connection *connection)
{
    return !connection->name || connection->name_is_address ||
           SSL_set_tlsext_host_name(ssl, connection->name) == 1;
}

static int set_client(struct tls_engine *engine)
{
    const struct tls_connection *connection = engine->connection;

    SSL_set_connect_state(engine->ssl);
    if (!ask_for_name(engine->ssl, connection))
        return -EINVAL;
    if (connection->alpn_length > UINT_MAX ||
        (connection->alpn &&
         SSL_set_alpn_protos(engine->ssl, connection->alpn, (unsigned)connection->alpn_length)))
        return -ENOMEM;
    openssl_offer_session(engine);
    return 0;
}

static void set_server(struct tls_engine *engine)
{
    struct tls_context *context = engine->context;

    SSL_set_accept_state(engine->ssl);
    /* The one thing that no single SSL can be told: only where the caller wants ALPN of us. */
    if (context->native && engine->connection->alpn && !context->answers_alpn) {
        openssl_answer_alpn(context->ssl_ctx);
        context->answers_alpn = true;
    }
}

/* What contexts of ours say, and a caller's may not. */
static void set_native(struct tls_engine *engine)
{
    if (!engine->context->native)
        return;
    SSL_set_options(engine->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_set_mode(engine->ssl, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(engine->ssl, 0);
    SSL_set_max_early_data(engine->ssl, 0);
    SSL_set_quiet_shutdown(engine->ssl, 0);
    openssl_set_native_verify(engine);
}

static int set_up(struct tls_engine *engine)
{
    BIO *bio;

    engine->ssl = SSL_new(engine->context->ssl_ctx);
    bio = engine->ssl ? openssl_bio_new(engine) : NULL;
    if (!bio)
        return -ENOMEM;
    SSL_set_bio(engine->ssl, bio, bio); /* which owns it now */
    if (!SSL_set_ex_data(engine->ssl, ssl_index, engine))
        return -ENOMEM;
    set_native(engine);
    if (engine->context->role == CDT_TLS_CLIENT)
        return set_client(engine);
    set_server(engine);
    return 0;
}

int openssl_engine_new(struct tls_context *context, struct tls_connection *connection,
                       struct tls_engine **engine)
{
    struct tls_engine *made = mem_zalloc(sizeof *made);
    int status;

    if (!made)
        return -ENOMEM;
    made->context = context;
    made->connection = connection;
    context->references++;
    ERR_clear_error();
    status = set_up(made);
    ERR_clear_error();
    if (status)
        openssl_engine_free(made);
    else
        *engine = made;
    return status;
}

void openssl_engine_free(struct tls_engine *engine)
{
    /* Else a connection that ends early would take its session along. */
    if (engine->ssl)
        SSL_set_shutdown(engine->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_SESSION_free(engine->session);
    SSL_free(engine->ssl);
    openssl_context_put(engine->context);
    mem_free(engine);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void enter(struct tls_engine *engine, struct tls_io *io)
{
    engine->io = io;
    ERR_clear_error();
}

static int leave(struct tls_engine *engine, int status)
{
    engine->io = NULL;
    ERR_clear_error();
    return status;
}

/* A server chooses from what it was offered (RFC 7301 section 3.1); the first releases of OpenSSL
 * 3.0 do not look. */
static bool alpn_was_offered(const struct tls_engine *engine)
{
    const uint8_t *at = engine->connection->alpn, *end, *chosen;
    unsigned length;

    SSL_get0_alpn_selected(engine->ssl, &chosen, &length);
    if (!length || engine->context->role != CDT_TLS_CLIENT)
        return true;
    if (engine->context->native && !at) /* the caller's own, which we do not know */
        return true;
    for (end = at + engine->connection->alpn_length; at < end; at += 1 + *at)
        if (*at == length && !memcmp(at + 1, chosen, length))
            return true;
    return false;
}

static int opened(struct tls_engine *engine)
{
    int code = openssl_verify_late(engine);

    if (code)
        return code;
    if (!alpn_was_offered(engine))
        return tls_fail(engine->connection, -CDT_ETLS,
                        "peer has chosen a protocol that was not offered");
    /* TLS 1.2 resumes a session again and again, until there is another ticket. */
    if (SSL_version(engine->ssl) < TLS1_3_VERSION) {
        SSL_SESSION_free(engine->session);
        engine->session = NULL;
    }
    openssl_keep_session(engine);
    return 0;
}

int openssl_handshake(struct tls_engine *engine, struct tls_io *io)
{
    int result, status;

    enter(engine, io);
    result = SSL_do_handshake(engine->ssl);
    status = result == 1 ? opened(engine) : openssl_outcome(engine, result);
    if (!status && result != 1)
        status = tls_fail(engine->connection, -CDT_ETLS, "peer has closed during the handshake");
    return leave(engine, status);
}

ssize_t openssl_read(struct tls_engine *engine, struct tls_io *io, void *data, size_t length)
{
    int result;

    enter(engine, io);
    result = SSL_read(engine->ssl, data, length < INT_MAX ? (int)length : INT_MAX);
    openssl_keep_session(engine);
    return leave(engine, result > 0 ? result : openssl_outcome(engine, result));
}

int openssl_write(struct tls_engine *engine, struct tls_io *io, const void *data, size_t length)
{
    int result, status = 0;

    enter(engine, io);
    result = SSL_write(engine->ssl, data, (int)length);
    if (result <= 0)
        status = openssl_outcome(engine, result);
    if (result <= 0 && status >= 0)
        status = tls_fail(engine->connection, -CDT_ETLS, NULL);
    return leave(engine, status);
}

int openssl_shutdown(struct tls_engine *engine, struct tls_io *io)
{
    int result, status = 0;

    if (!SSL_is_init_finished(engine->ssl))
        return 0; /* there is nothing to be closed */
    enter(engine, io);
    result = SSL_shutdown(engine->ssl); /* 0: sent, the peer's has not come */
    engine->closed = true;
    if (result < 0)
        status = openssl_outcome(engine, result);
    return leave(engine, status == -EAGAIN ? 0 : status);
}

int openssl_update_key(struct tls_engine *engine, struct tls_io *io)
{
    int result, status = 0;

    if (SSL_version(engine->ssl) < TLS1_3_VERSION)
        return -ENOTSUP;
    if (engine->closed)
        return -EPIPE;
    enter(engine, io);
    result = SSL_key_update(engine->ssl, SSL_KEY_UPDATE_REQUESTED);
    if (result == 1)
        result = SSL_do_handshake(engine->ssl);
    if (result != 1)
        status = openssl_outcome(engine, result);
    return leave(engine, status);
}

void openssl_facts(const struct tls_engine *engine, struct tls_facts *facts)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(engine->ssl);
    const unsigned char *alpn;
    unsigned length;

    SSL_get0_alpn_selected(engine->ssl, &alpn, &length);
    *facts = (struct tls_facts){
        .version = (uint16_t)SSL_version(engine->ssl),
        .cipher = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0,
        .cipher_name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL,
        .alpn = length ? alpn : NULL,
        .alpn_length = length,
        .resumed = SSL_session_reused(engine->ssl),
    };
    if (!facts->cipher_name)
        facts->cipher_name = cipher ? SSL_CIPHER_get_name(cipher) : "";
}
#endif
