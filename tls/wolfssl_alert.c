/* The alert that tells the peer why, and nothing after it. wolfSSL has one function for it, inside,
 * which a packaged one does not show; but most show the one that seals a record of TLS 1.3. Where
 * it is missing the peer is told what wolfSSL thinks. */
#ifdef CDT_HAVE_WOLFSSL
#include "tls/wolfssl.h"

#ifdef CDT_WOLFSSL_BUILT
int SendAlert(WOLFSSL *ssl, int severity, int type);

static bool try_alert(struct tls_engine *engine, int alert)
{
    SendAlert(engine->ssl, alert_fatal, alert);
    return true;
}
#else
enum { ALERT = 21, SEALED = 23 }; /* types of records, RFC 8446 section 5.1 */

__attribute__((weak)) int BuildTls13Message(WOLFSSL *ssl, uint8_t *record, int size,
                                            const uint8_t *message, int length, int type,
                                            int hashed, int size_only, int may_wait);

static bool is_newer(const struct tls_engine *engine)
{
    return wolfSSL_GetVersion(engine->ssl) == WOLFSSL_TLSV1_3;
}

/* TLS 1.3: what the peer seals is answered with what is sealed; wolfSSL refuses without keys. 1.2:
 * we have no way to seal, and are silent once we would have to. */
static bool try_alert(struct tls_engine *engine, int alert)
{
    enum { SIZE = 64 };
    const uint8_t message[] = {alert_fatal, (uint8_t)alert};
    uint8_t record[SIZE] = {ALERT, 3, 3, 0, sizeof message, message[0], message[1]};
    int length = engine->seals && !is_newer(engine) ? 0 : WOLFSSL_HEADER + sizeof message;

    if (is_newer(engine) && engine->header[0] == SEALED)
        length = BuildTls13Message ? BuildTls13Message(engine->ssl, record, sizeof record, message,
                                                       sizeof message, ALERT, 0, 0, 0)
                                   : 0;
    return length > 0 && wolfssl_put(engine->ssl, (char *)record, length, engine) == length;
}
#endif

void wolfssl_alert(struct tls_engine *engine, int alert)
{
    if (try_alert(engine, alert))
        engine->silent = true; /* what wolfSSL sends besides is dropped */
}

/* Whether the peer has heard of the end, or has told us. */
static bool is_told(const struct tls_engine *engine)
{
    WOLFSSL_ALERT_HISTORY history;

    return wolfSSL_get_alert_history(engine->ssl, &history) != WOLFSSL_SUCCESS ||
           history.last_tx.level == alert_fatal || history.last_rx.level == alert_fatal;
}

void wolfssl_alert_untold(struct tls_engine *engine, int alert)
{
    if (engine->io && !engine->io_status && !engine->silent && !is_told(engine))
        wolfssl_alert(engine, alert);
}

#endif
