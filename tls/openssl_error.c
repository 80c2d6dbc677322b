/* What a call of OpenSSL that did not succeed means, from its result and the queue of errors: that
 * it waits for bytes, that the peer has closed or sent an alert, or what went wrong, for people. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"

#include <errno.h>
#include <openssl/err.h>

/* Reasons that deserve better words than the library's, or another code. */
static const struct {
    int reason, code;
    const char *words;
} known[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, -CDT_ETLSNOCERT, NULL},
    {SSL_R_HTTP_REQUEST, -CDT_ETLS, "peer speaks HTTP, not TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, -CDT_ETLS, "peer speaks HTTP, not TLS"},
    {SSL_R_WRONG_VERSION_NUMBER, -CDT_ETLS, "peer does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, -CDT_ETLS, "no version of TLS is common to both sides"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, -CDT_ETLS, "no version of TLS is common to both sides"},
    {SSL_R_NO_SHARED_CIPHER, -CDT_ETLS, "no cipher suite or group is common to both sides"},
    {SSL_R_NO_CIPHERS_AVAILABLE, -CDT_ETLS, "no cipher suite can be offered"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, -CDT_ETLS,
     "no group for the key exchange is common to both sides"},
    {SSL_R_NO_SHARED_GROUPS, -CDT_ETLS, "no group for the key exchange is common to both sides"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, -CDT_ETLS,
     "no signature algorithm is common to both sides"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, -CDT_ETLS,
     "no signature algorithm is common to both sides"},
    {SSL_R_NO_APPLICATION_PROTOCOL, -CDT_ETLS, "no application protocol is common to both sides"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, -CDT_ETLS,
     "a record was changed on its way, or is of another connection"},
    {SSL_R_NO_RENEGOTIATION, -CDT_ETLS, "peer refuses to renegotiate"},
};

const char *openssl_reason(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_error()); /* what the others come from */

    return words ? words : "no reason given";
}

static int fail(struct tls_engine *engine)
{
    struct tls_connection *connection = engine->connection;
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *words;

    if (reason == ERR_R_MALLOC_FAILURE)
        return tls_fail(connection, -ENOMEM, NULL);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
        if (reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255)
            return tls_fail_alert(connection, (unsigned)(reason - SSL_AD_REASON_OFFSET));
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (known[i].reason == reason && !known[i].words)
                return tls_fail(connection, known[i].code, NULL);
            else if (known[i].reason == reason)
                return tls_fail(connection, known[i].code, "%s", known[i].words);
    }
    words = error ? ERR_reason_error_string(error) : NULL;
    if (!words)
        return tls_fail(connection, -CDT_ETLS, NULL);
    return tls_fail(connection, -CDT_ETLS, "TLS failed: %s", words);
}

int openssl_outcome(struct tls_engine *engine, int result)
{
    if (engine->put_status)
        return tls_fail(engine->connection, engine->put_status, NULL);
    switch (SSL_get_error(engine->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SSL:
    case SSL_ERROR_SYSCALL:
        return fail(engine);
    default: /* a callback of the caller's context wants to be called again later */
        return tls_fail(engine->connection, -CDT_ETLS, "the context's callbacks must not wait");
    }
}
#endif
