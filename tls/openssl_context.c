/* Contexts: a struct tls_spec becomes an SSL_CTX, or the caller's own is taken as it is. All that
 * the system's openssl.cnf might say otherwise is set here. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"
#include "tls/config.h"
#include "tls/hello.h"

#include <openssl/err.h>
#include <string.h>

enum {
    SECURITY_LEVEL = 2, /* 112 bits: RSA from 2048 bits on, no SHA-1 */
    SECRET_MAX = 64     /* of a line of the key log */
};

/* ---- callbacks ------------------------------------------------------------------------------- */

/* The connection has one protocol, or several of which none is common: then the engine is to
 * refuse (RFC 7301 section 3.2). */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *in, unsigned in_length, void *arg)
{
    const struct tls_engine *engine = openssl_engine_of(ssl);
    const struct hello hello = {.alpn = in, .alpn_length = in_length};
    size_t length;

    (void)arg;
    if (!engine || !engine->connection->alpn)
        return SSL_TLSEXT_ERR_NOACK;
    *out = hello_choose_alpn(&hello, engine->connection->alpn, engine->connection->alpn_length,
                             &length);
    if (!*out)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out_length = (unsigned char)length;
    return SSL_TLSEXT_ERR_OK;
}

void openssl_answer_alpn(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_alpn_select_cb(ssl_ctx, choose_alpn, NULL);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Reads hex digits up to a space or the end: the number of bytes; -1: it is no such thing. */
static int read_hex(const char **text, uint8_t *bytes, int size)
{
    int length = 0;

    for (; **text && **text != ' '; *text += 2, length++) {
        int high = hex_digit((*text)[0]), low = high < 0 ? -1 : hex_digit((*text)[1]);

        if (low < 0 || length == size)
            return -1;
        bytes[length] = (uint8_t)(high << 4 | low);
    }
    return length;
}

/* "LABEL RANDOM SECRET", the last two in hex. */
static void log_line(const SSL *ssl, const char *line)
{
    const char *at = strchr(line, ' ');
    char label[48] = "";
    uint8_t random[32], secret[SECRET_MAX];
    int length;

    if (!openssl_engine_of(ssl) || !at || (size_t)(at - line) >= sizeof label)
        return;
    memcpy(label, line, (size_t)(at - line));
    at++;
    if (read_hex(&at, random, sizeof random) != sizeof random || *at++ != ' ')
        return;
    length = read_hex(&at, secret, sizeof secret);
    if (length > 0)
        tls_log_secret(label, random, secret, (size_t)length);
    explicit_bzero(secret, sizeof secret);
}

void openssl_log_keys(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_keylog_callback(ssl_ctx, log_line);
}

/* ---- contexts of ours ------------------------------------------------------------------------ */

static bool set_versions(SSL_CTX *ssl_ctx, const struct tls_spec *spec)
{
    int min = *spec->ciphers12 ? spec->min_version : TLS1_3_VERSION;
    int max = *spec->ciphers13 ? spec->max_version : TLS1_2_VERSION;

    return min <= max && SSL_CTX_set_min_proto_version(ssl_ctx, min) &&
           SSL_CTX_set_max_proto_version(ssl_ctx, max);
}

static int set_ciphers(SSL_CTX *ssl_ctx, const struct tls_spec *spec, struct cdt_text_error *error)
{
    if (!set_versions(ssl_ctx, spec))
        return tls_why(error, -CDT_ETLSKEY, "no cipher suite for a TLS version that is allowed");
    if (!SSL_CTX_set_ciphersuites(ssl_ctx, spec->ciphers13) ||
        (*spec->ciphers12 && !SSL_CTX_set_cipher_list(ssl_ctx, spec->ciphers12)) ||
        !SSL_CTX_set1_groups_list(ssl_ctx, "X25519:P-256:P-384"))
        return tls_why(error, -CDT_ETLSKEY, "cipher suites: %s", openssl_reason());
    return 0;
}

static void set_options(SSL_CTX *ssl_ctx)
{
    SSL_CTX_clear_options(ssl_ctx, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                       SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_PRIORITIZE_CHACHA |
                                       SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* The chain that is shown is the one in the file, not what could be built from anchors. */
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_security_level(ssl_ctx, SECURITY_LEVEL);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(ssl_ctx, 0);
    SSL_CTX_set_dh_auto(ssl_ctx, 1);
}

static int set_up(struct tls_context *context, const struct tls_spec *spec,
                  const struct tls_own *own, struct cdt_text_error *error)
{
    static const unsigned char id[] = "conduit";
    SSL_CTX *ssl_ctx = context->ssl_ctx;
    int status;

    set_options(ssl_ctx);
    if (!SSL_CTX_set_session_id_context(ssl_ctx, id, sizeof id - 1))
        return -ENOMEM;
    openssl_set_verify(context, spec->crl_count > 0);
    if (spec->role == CDT_TLS_SERVER) {
        openssl_set_tickets(ssl_ctx, spec);
        openssl_answer_alpn(ssl_ctx);
    }
    if (spec->key_log)
        openssl_log_keys(ssl_ctx);
    status = set_ciphers(ssl_ctx, spec, error);
    if (!status)
        status = openssl_load_anchors(ssl_ctx, spec, error);
    if (!status)
        status = openssl_load_crls(ssl_ctx, spec, error);
    if (!status && own)
        status = openssl_load_own(ssl_ctx, spec, own, error);
    return status;
}

static int make(struct tls_context *context, const struct tls_spec *spec, const struct tls_own *own,
                struct cdt_text_error *error)
{
    context->ssl_ctx =
        SSL_CTX_new(spec->role == CDT_TLS_SERVER ? TLS_server_method() : TLS_client_method());
    return context->ssl_ctx ? set_up(context, spec, own, error) : -ENOMEM;
}

/* ---- a caller's context ---------------------------------------------------------------------- */

/* Nothing of it is changed, but that secrets are logged if that is wanted and nobody else does. */
static int adopt(struct tls_context *context, const struct tls_spec *spec)
{
    if (!SSL_CTX_up_ref(spec->native))
        return -ENOMEM;
    context->ssl_ctx = spec->native;
    context->native = true;
    if (spec->key_log && !SSL_CTX_get_keylog_callback(context->ssl_ctx))
        openssl_log_keys(context->ssl_ctx);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */

int openssl_context_new(const struct tls_spec *spec, const struct tls_own *own,
                        struct tls_context **context, struct cdt_text_error *error)
{
    struct tls_context *made = mem_zalloc(sizeof *made);
    int status;

    if (!made)
        return -ENOMEM;
    made->references = 1;
    made->role = spec->role;
    made->verify = spec->verify;
    made->sessions = spec->sessions && spec->role == CDT_TLS_CLIENT;
    made->tickets = spec->tickets;
    ERR_clear_error();
    status = spec->native ? adopt(made, spec) : make(made, spec, own, error);
    ERR_clear_error();
    if (status)
        openssl_context_put(made);
    else
        *context = made;
    return status;
}

void openssl_context_put(struct tls_context *context)
{
    if (--context->references)
        return;
    SSL_CTX_free(context->ssl_ctx);
    mem_free(context);
}
#endif
