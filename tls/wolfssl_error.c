/* Why a call of wolfSSL has failed, in words for people. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "tls/wolfssl.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

/* The usual ones; wolfSSL has words of its own for all. The alert is sent where wolfSSL has sent
 * none; 0: handshake_failure. */
static const struct reason {
    int error, code, alert;
    const char *words;
} reasons[] = {
    {NO_PEER_CERT, CDT_ETLSNOCERT, 0, "peer has shown no certificate"},
    {MATCH_SUITE_ERROR, CDT_ETLS, 0, "no cipher suite or group is common to both sides"},
    {VERSION_ERROR, CDT_ETLS, protocol_version, "no version of TLS is common to both sides"},
    {UNSUPPORTED_PROTO_VERSION, CDT_ETLS, protocol_version,
     "no version of TLS is common to both sides"},
    {UNKNOWN_ALPN_PROTOCOL_NAME_E, CDT_ETLS, no_application_protocol,
     "no application protocol is common to both sides"},
    {ECC_CURVE_ERROR, CDT_ETLS, 0, "no group for the key exchange is common to both sides"},
    {EXT_MISSING, CDT_ETLS, missing_extension, "peer has left out an extension that is needed"},
    {UNKNOWN_RECORD_TYPE, CDT_ETLS, unexpected_message,
     "peer breaks the rules: there is no such record"},
    {UNKNOWN_HANDSHAKE_TYPE, CDT_ETLS, unexpected_message,
     "peer breaks the rules: there is no such message"},
    {LENGTH_ERROR, CDT_ETLS, record_overflow,
     "peer breaks the rules: a record has an impossible length"},
    {HANDSHAKE_SIZE_ERROR, CDT_ETLS, illegal_parameter,
     "peer has sent a message that is too long: most likely too many certificates"},
    {BUFFER_ERROR, CDT_ETLS, decode_error, "peer breaks the rules: a message is malformed"},
    {BUFFER_E, CDT_ETLS, decode_error, "peer breaks the rules: a message is malformed"},
    {PARSE_ERROR, CDT_ETLS, decode_error, "peer breaks the rules: a message is malformed"},
    {INCOMPLETE_DATA, CDT_ETLS, decode_error, "peer breaks the rules: a message is incomplete"},
    {INVALID_PARAMETER, CDT_ETLS, illegal_parameter,
     "peer breaks the rules: a parameter is not allowed"},
    {OUT_OF_ORDER_E, CDT_ETLS, unexpected_message,
     "peer breaks the rules: a message is out of order"},
    {SANITY_MSG_E, CDT_ETLS, unexpected_message,
     "peer breaks the rules: a message is out of order"},
    {DUPLICATE_MSG_E, CDT_ETLS, unexpected_message,
     "peer breaks the rules: a message came twice, or would renegotiate"},
    {NO_CHANGE_CIPHER_E, CDT_ETLS, unexpected_message,
     "peer breaks the rules: a message is out of order"},
    {SECURE_RENEGOTIATION_E, CDT_ETLS, 0, "peer wants to renegotiate, which is refused"},
    {DECRYPT_ERROR, CDT_ETLS, bad_record_mac,
     "a record was changed on its way, or is of another connection"},
    {VERIFY_MAC_ERROR, CDT_ETLS, bad_record_mac,
     "a record was changed on its way, or is of another connection"},
    {AES_GCM_AUTH_E, CDT_ETLS, bad_record_mac,
     "a record was changed on its way, or is of another connection"},
    {MAC_CMP_FAILED_E, CDT_ETLS, bad_record_mac,
     "a record was changed on its way, or is of another connection"},
    {VERIFY_FINISHED_ERROR, CDT_ETLS, decrypt_error, "the handshake was changed on its way"},
    {VERIFY_SIGN_ERROR, CDT_ETLS, decrypt_error,
     "peer has not proved that the certificate's key is its own"},
    {SIG_VERIFY_E, CDT_ETLS, decrypt_error,
     "peer has not proved that the certificate's key is its own"},
    {PEER_KEY_ERROR, CDT_ETLSCERT, bad_certificate, "certificate has a key that cannot be used"},
    {ASN_PARSE_E, CDT_ETLSCERT, bad_certificate, "certificate is malformed"},
    {MAX_CHAIN_ERROR, CDT_ETLSCERT, bad_certificate, "peer has sent too many certificates"},
    {RSA_KEY_SIZE_E, CDT_ETLSCERT, bad_certificate, "an RSA key has less than 2048 bits"},
    {ECC_KEY_SIZE_E, CDT_ETLSCERT, bad_certificate, "a key has less than 256 bits"},
    {ALERT_COUNT_E, CDT_ETLS, unexpected_message, "peer sends nothing but alerts"},
    {EXT_MASTER_SECRET_NEEDED_E, CDT_ETLS, 0, "peer resumes without its extended master secret"},
    {SCR_DIFFERENT_CERT_E, CDT_ETLSCERT, 0, "peer has changed its certificate"},
};

static const struct reason *find(int error)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].error == error)
            return &reasons[i];
    }
    return NULL;
}

const char *wolfssl_words(int error)
{
    const struct reason *reason = find(error);
    return reason ? reason->words : wolfSSL_ERR_reason_error_string((unsigned long)error);
}

static int code_of(int error)
{
    const struct reason *reason = find(error);
    return reason ? -reason->code : -CDT_ETLS;
}

static int alert_of(int error)
{
    const struct reason *reason = find(error);
    return reason && reason->alert ? reason->alert : handshake_failure;
}

static int fail(struct tls_engine *engine, int error)
{
    struct tls_connection *connection = engine->connection;
    WOLFSSL_ALERT_HISTORY history;
    unsigned alert;

    if (connection->failed)
        return connection->failed;
    if (engine->io_status)
        return tls_fail(connection, engine->io_status, NULL);
    if (error == MEMORY_E || error == MEMORY_ERROR || (!engine->open && wolfssl_memory_lacked()))
        return tls_fail(connection, -ENOMEM, NULL);
    if (error == FATAL_ERROR &&
        wolfSSL_get_alert_history(engine->ssl, &history) == WOLFSSL_SUCCESS &&
        history.last_rx.level == alert_fatal)
        return tls_fail_alert(connection, (unsigned)history.last_rx.code);
    if (error == PARSE_ERROR && wolfssl_plain_alert(engine, &alert))
        return tls_fail_alert(connection, alert);
    if (error == ZERO_RETURN || error == WOLFSSL_ERROR_ZERO_RETURN)
        return tls_fail(connection, -CDT_ETLS,
                        "peer has closed TLS in the middle of the handshake");
    if (wolfssl_no_record(engine))
        return tls_fail(connection, -CDT_ETLS, "peer does not speak TLS");
    return tls_fail(connection, code_of(error), "%s", wolfssl_words(error));
}

int wolfssl_fail(struct tls_engine *engine, int error)
{
    const int status = fail(engine, error);
    if (!engine->open && status != -CDT_ETLSALERT)
        wolfssl_alert_untold(engine, status == -ENOMEM ? internal_error : alert_of(error));
    return status;
}

#endif
