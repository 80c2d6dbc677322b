/* Sessions of a client: offered, and kept when their ticket has come. */
#ifdef CDT_HAVE_WOLFSSL
#include "tls/wolfssl.h"

/* Called in the middle of a handshake of TLS 1.2, where it is not known yet who the peer is. */
static int on_ticket(WOLFSSL *ssl, const unsigned char *ticket, int length, void *arg)
{
    struct tls_engine *engine = arg;

    (void)ssl, (void)ticket, (void)length;
    engine->ticket_came = true;
    return 0;
}

void wolfssl_session_offer(struct tls_engine *engine)
{
    wolfSSL_set_SessionTicket_cb(engine->ssl, on_ticket, engine);
    WOLFSSL_SESSION *session = tls_take_session(engine->connection);
    if (session && wolfSSL_set_session(engine->ssl, session) == WOLFSSL_SUCCESS)
        engine->offered = session;
    else
        wolfSSL_SESSION_free(session); /* it is too old */
}

static bool is_old(const struct tls_engine *engine)
{
    return wolfSSL_GetVersion(engine->ssl) == WOLFSSL_TLSV1_2;
}

/* A client of wolfSSL 5.5 that has a ticket of TLS 1.2 takes every answer for a resumption. When it
 * is none it fails, unless it was built for WPA, where that is usual. */
static bool is_good(const struct tls_engine *engine)
{
#ifdef WOLFSSL_WPAS
    (void)engine;
    return true;
#else
    return !is_old(engine);
#endif
}

/* TLS 1.2: a ticket that was taken and not replaced is good for the next time too. */
void wolfssl_session_open(struct tls_engine *engine)
{
    WOLFSSL_SESSION *session = engine->offered;

    engine->offered = NULL;
    if (session && engine->resumed && !engine->ticket_came && is_old(engine))
        tls_keep_session(engine->connection, session);
    else
        wolfSSL_SESSION_free(session);
}

void wolfssl_session_keep(struct tls_engine *engine)
{
    engine->ticket_came = false;
    if (!is_good(engine))
        return;
    WOLFSSL_SESSION *session = wolfSSL_get1_session(engine->ssl);
    if (session)
        tls_keep_session(engine->connection, session);
}

#endif
