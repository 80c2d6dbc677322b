/* The peer's certificate. wolfSSL knows no anchor, so that every certificate of a chain is of an
 * unknown issuer to it and none is put among its anchors; whether it is good is found in
 * wolfssl_chain.c, and decided by tls_verify(). Contexts of the caller's keep wolfSSL's own
 * verification. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "tls/wolfssl.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

static int alert_of(enum tls_chain chain)
{
    static const int alerts[TLS_CHAIN_VERDICTS] = {
        [TLS_CHAIN_EXPIRED] = certificate_expired, [TLS_CHAIN_NOT_YET_VALID] = certificate_expired,
        [TLS_CHAIN_SELF_SIGNED] = unknown_ca,      [TLS_CHAIN_UNKNOWN_ISSUER] = unknown_ca,
        [TLS_CHAIN_REVOKED] = certificate_revoked,
    };
    return alerts[chain] ? alerts[chain] : bad_certificate;
}

static void check(const struct tls_engine *engine, const WOLFSSL_X509_STORE_CTX *store,
                  struct tls_verdict *verdict)
{
    const struct tls_context *context = engine->context;
    struct wolfssl_link links[WOLFSSL_CHAIN];
    size_t count = 0;

    for (int i = 0; i < store->totalCerts && count < WOLFSSL_CHAIN; i++) {
        const WOLFSSL_BUFFER_INFO *cert = &store->certs[i];
        if (wolfssl_link_read(&links[count], cert->buffer, cert->length))
            count++;
        else if (i == 0)
            break;
    }
    if (count)
        wolfssl_chain_check(&context->trust, context->role, links, count, verdict);
    else
        *verdict = (struct tls_verdict){.chain = TLS_CHAIN_BAD, .detail = "it is malformed"};
}

/* What wolfSSL finds wrong with a certificate whose issuer it does not know, and what
 * wolfssl_chain.c finds out for itself. */
static bool is_one_of(int error, const int *codes)
{
    while (*codes && *codes != error)
        codes++;
    return *codes != 0;
}

static const int unsigned_codes[] = {ASN_NO_SIGNER_E, ASN_SELF_SIGNED_E,
#ifdef OPENSSL_COMPATIBLE_DEFAULTS
                                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                                     X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
#endif
                                     0};

static const int own_codes[] = {ASN_AFTER_DATE_E,
                                ASN_BEFORE_DATE_E,
                                EXTKEYUSE_AUTH_E,
                                KEYUSE_SIGNATURE_E,
                                KEYUSE_ENCIPHER_E,
                                RSA_KEY_SIZE_E,
                                ECC_KEY_SIZE_E,
#ifdef OPENSSL_COMPATIBLE_DEFAULTS
                                X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD,
                                X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD,
#endif
                                0};

/* What the wolfSSL of a caller's context thinks. */
static void take_over(int good, int error, struct tls_verdict *verdict)
{
    *verdict = (struct tls_verdict){.chain = TLS_CHAIN_GOOD};
    if (good)
        return;
    verdict->chain = TLS_CHAIN_BAD;
    verdict->detail = wolfssl_words(error);
}

/* A verdict that was found without enough memory is none. */
static int decide(struct tls_engine *engine, const WOLFSSL_BUFFER_INFO *cert,
                  const struct tls_verdict *verdict)
{
    if (wolfssl_memory_lacked())
        tls_fail(engine->connection, -ENOMEM, NULL);
    else if (tls_verify(engine->connection, cert->buffer, cert->length, verdict) == 0)
        return 1;
    const bool ours = engine->connection->failed == -ENOMEM;
    wolfssl_alert(engine, ours ? internal_error : alert_of(verdict->chain));
    return 0;
}

/* A client has shown none. In TLS 1.3 wolfSSL has refused it by now, in TLS 1.2 it would later,
 * without an alert. */
static bool may_have_none(struct tls_engine *engine)
{
    if (engine->context->native || engine->context->verify != CDT_TLS_VERIFY_REQUIRE)
        return true;
    tls_fail(engine->connection, -CDT_ETLSNOCERT, NULL);
    wolfssl_alert(engine, handshake_failure);
    return false;
}

/* Higher ones that wolfSSL could not verify are looked at with the peer's own, which comes last.
 * What it cannot use at all (a key of an unknown kind) nobody may overrule. */
static int on_verify(int good, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls_engine *engine = store->userCtx;
    const bool native = engine->context->native;
    const bool is_unsigned = is_one_of(store->error, unsigned_codes);
    const bool unusable = !good && !native && !is_unsigned && !is_one_of(store->error, own_codes);
    struct tls_verdict verdict = {.chain = TLS_CHAIN_GOOD};

    if (store->totalCerts == 0)
        return good && may_have_none(engine);
    if (store->error_depth > 0)
        return good || (!native && is_unsigned);
    if (native || unusable)
        take_over(good, store->error, &verdict);
    else if (engine->context->verify != CDT_TLS_VERIFY_NONE)
        check(engine, store, &verdict);
    if (!decide(engine, &store->certs[0], &verdict))
        return 0;
    if (unusable)
        tls_fail(engine->connection, -CDT_ETLSCERT, "certificate cannot be used: %s",
                 verdict.detail);
    return !unusable;
}

void wolfssl_verify_set(struct tls_engine *engine)
{
    const struct tls_context *context = engine->context;
    int mode = WOLFSSL_VERIFY_PEER;

    if (context->role == CDT_TLS_SERVER && context->verify == CDT_TLS_VERIFY_NONE)
        mode = WOLFSSL_VERIFY_NONE;
    if (context->role == CDT_TLS_SERVER && context->verify == CDT_TLS_VERIFY_REQUIRE)
        mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
#ifdef OPENSSL_EXTRA
    if (context->native)
        mode = wolfSSL_get_verify_mode(engine->ssl);
#endif
    wolfSSL_set_verify(engine->ssl, mode, on_verify);
    wolfSSL_SetCertCbCtx(engine->ssl, engine);
}

#endif
