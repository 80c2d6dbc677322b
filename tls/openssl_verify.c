/* Verification: OpenSSL builds the chain, tls_verify() has the last word. In contexts of ours it is
 * asked in place of OpenSSL's own verification; in a caller's context, which is not to be
 * changed, where OpenSSL tells that the peer's own certificate is good, or would have failed. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"

#include <errno.h>
#include <openssl/err.h>

enum { EC_BITS_MIN = 256 }; /* OpenSSL's security level 2 would take P-224 too */

static struct tls_engine *engine_of(X509_STORE_CTX *store)
{
    return openssl_engine_of(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

static enum tls_chain chain_of(int error)
{
    static const struct {
        int error;
        enum tls_chain chain;
    } known[] = {
        {X509_V_OK, TLS_CHAIN_GOOD},
        {X509_V_ERR_CERT_HAS_EXPIRED, TLS_CHAIN_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, TLS_CHAIN_NOT_YET_VALID},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_CHAIN_SELF_SIGNED},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_CHAIN_UNKNOWN_ISSUER},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_CHAIN_UNKNOWN_ISSUER},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_CHAIN_UNKNOWN_ISSUER},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_CHAIN_UNKNOWN_ISSUER},
        {X509_V_ERR_CERT_UNTRUSTED, TLS_CHAIN_UNKNOWN_ISSUER},
        {X509_V_ERR_CERT_REVOKED, TLS_CHAIN_REVOKED},
        {X509_V_ERR_UNABLE_TO_GET_CRL, TLS_CHAIN_NO_CRL},
        {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, TLS_CHAIN_NO_CRL},
        {X509_V_ERR_DIFFERENT_CRL_SCOPE, TLS_CHAIN_NO_CRL},
        {X509_V_ERR_CRL_HAS_EXPIRED, TLS_CHAIN_OLD_CRL},
        {X509_V_ERR_CRL_NOT_YET_VALID, TLS_CHAIN_OLD_CRL},
        {X509_V_ERR_EE_KEY_TOO_SMALL, TLS_CHAIN_WEAK_KEY},
        {X509_V_ERR_CA_KEY_TOO_SMALL, TLS_CHAIN_WEAK_KEY},
        {X509_V_ERR_CA_MD_TOO_WEAK, TLS_CHAIN_WEAK_KEY},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].error == error)
            return known[i].chain;
    return TLS_CHAIN_BAD;
}

/* OpenSSL makes the alert of this error. */
static int error_for_alert(int code, int error)
{
    if (!code)
        return X509_V_OK;
    if (error != X509_V_OK)
        return error;
    return code == -CDT_ETLSNAME ? X509_V_ERR_HOSTNAME_MISMATCH : X509_V_ERR_CERT_REJECTED;
}

/* Asks tls_verify() about the peer's certificate, whose chain has this error, for the certificate
 * `bad` (NULL: the peer's own). Returns whether the handshake goes on. */
static int ask(struct tls_engine *engine, X509_STORE_CTX *store, int error, const X509 *bad)
{
    struct tls_verdict verdict = {.chain = chain_of(error)};
    uint8_t *der = NULL, *bad_der = NULL;
    int length = i2d_X509(X509_STORE_CTX_get0_cert(store), &der), bad_length = 0, code;

    if (bad)
        bad_length = i2d_X509(bad, &bad_der);
    if (verdict.chain == TLS_CHAIN_BAD)
        verdict.detail = X509_verify_cert_error_string(error);
    if (bad_length > 0) {
        verdict.bad = bad_der;
        verdict.bad_length = (size_t)bad_length;
    }
    engine->verified = true;
    code = length > 0 ? tls_verify(engine->connection, der, (size_t)length, &verdict)
                      : tls_fail(engine->connection, -ENOMEM, NULL);
    OPENSSL_free(der);
    OPENSSL_free(bad_der);
    X509_STORE_CTX_set_error(store, error_for_alert(code, error));
    return !code;
}

/* The certificate that the present error is about; NULL: the peer's own, or none. */
static X509 *bad_of(X509_STORE_CTX *store)
{
    return X509_STORE_CTX_get_error_depth(store) ? X509_STORE_CTX_get_current_cert(store) : NULL;
}

/* ---- contexts of ours ------------------------------------------------------------------------ */

/* Lists of issuers above the peer's are looked at where there are any. */
static int forgive(int ok, X509_STORE_CTX *store)
{
    if (ok || X509_STORE_CTX_get_error(store) != X509_V_ERR_UNABLE_TO_GET_CRL ||
        !X509_STORE_CTX_get_error_depth(store))
        return ok;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static bool is_weak(const X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);

    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) < EC_BITS_MIN;
}

/* Builds and checks the chain: the error, and the certificate it is about. */
static int check(X509_STORE_CTX *store, X509 **bad)
{
    STACK_OF(X509) * chain;

    if (X509_verify_cert(store) <= 0) {
        int error = X509_STORE_CTX_get_error(store);

        *bad = bad_of(store);
        return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
    }
    chain = X509_STORE_CTX_get0_chain(store);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);

        if (!is_weak(certificate))
            continue;
        *bad = i ? certificate : NULL;
        return i ? X509_V_ERR_CA_KEY_TOO_SMALL : X509_V_ERR_EE_KEY_TOO_SMALL;
    }
    return X509_V_OK;
}

static int verify(X509_STORE_CTX *store, void *arg)
{
    struct tls_engine *engine = engine_of(store);
    int error = X509_V_OK, go_on;
    X509 *bad = NULL;

    (void)arg;
    if (engine->context->verify != CDT_TLS_VERIFY_NONE)
        error = check(store, &bad);
    go_on = ask(engine, store, error, bad);
    if (go_on)
        ERR_clear_error(); /* of what was overruled */
    return go_on;
}

static int verify_mode(const struct tls_context *context)
{
    if (context->role == CDT_TLS_CLIENT)
        return SSL_VERIFY_PEER; /* else tls_verify() could not refuse */
    switch (context->verify) {
    case CDT_TLS_VERIFY_REQUIRE:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    case CDT_TLS_VERIFY_ASK:
        return SSL_VERIFY_PEER;
    default:
        return SSL_VERIFY_NONE;
    }
}

void openssl_set_verify(struct tls_context *context, bool has_crls)
{
    unsigned long flags = X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN;

    if (has_crls)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context->ssl_ctx), flags);
    SSL_CTX_set_verify(context->ssl_ctx, verify_mode(context), forgive);
    SSL_CTX_set_cert_verify_callback(context->ssl_ctx, verify, NULL);
}

/* ---- a caller's context ---------------------------------------------------------------------- */

/* Called for each error of the chain, and for each certificate that is good, the peer's own last.
 * Errors are passed over until then. */
static int verify_native(int ok, X509_STORE_CTX *store)
{
    struct tls_engine *engine = engine_of(store);
    SSL_CTX *ssl_ctx = engine->context->ssl_ctx;
    SSL_verify_cb callers = SSL_CTX_get_verify_callback(ssl_ctx);
    bool last = ok == 1 && !X509_STORE_CTX_get_error_depth(store);

    if (callers)
        ok = callers(ok, store);
    if (engine->verified)
        return ok; /* nothing that may be overruled any more */
    if (!ok && engine->chain_error == X509_V_OK &&
        SSL_CTX_get_verify_mode(ssl_ctx) != SSL_VERIFY_NONE) {
        engine->chain_error = X509_STORE_CTX_get_error(store);
        engine->chain_bad = bad_of(store);
        if (engine->chain_error == X509_V_OK)
            engine->chain_error = X509_V_ERR_CERT_REJECTED;
    }
    return last ? ask(engine, store, engine->chain_error, engine->chain_bad) : 1;
}

void openssl_set_native_verify(struct tls_engine *engine)
{
    int mode = SSL_CTX_get_verify_mode(engine->context->ssl_ctx);

    /* A client that verifies nothing still asks tls_verify(), which must be able to refuse. */
    if (engine->context->role == CDT_TLS_CLIENT)
        mode |= SSL_VERIFY_PEER;
    SSL_set_verify(engine->ssl, mode, verify_native);
}

int openssl_verify_late(struct tls_engine *engine)
{
    static const struct tls_verdict good = {.chain = TLS_CHAIN_GOOD};
    X509 *peer = SSL_get0_peer_certificate(engine->ssl);
    uint8_t *der = NULL;
    int length, code;

    if (!peer || engine->verified || SSL_session_reused(engine->ssl))
        return 0;
    length = i2d_X509(peer, &der);
    code = length > 0 ? tls_verify(engine->connection, der, (size_t)length, &good)
                      : tls_fail(engine->connection, -ENOMEM, NULL);
    OPENSSL_free(der);
    return code;
}
#endif
