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

static bool is_old(const struct tls_engine *engine)
{
    return wolfSSL_GetVersion(engine->ssl) == WOLFSSL_TLSV1_2;
}

/* A session of TLS 1.2 makes wolfSSL's hello one of TLS 1.2 only. */
int wolfssl_session_offer(struct tls_engine *engine)
{
    const bool newer = !is_old(engine);

    wolfSSL_set_SessionTicket_cb(engine->ssl, on_ticket, engine);
    WOLFSSL_SESSION *session = tls_take_session(engine->connection);
    if (!session)
        return 0;
    if (wolfSSL_set_session(engine->ssl, session) != WOLFSSL_SUCCESS) {
        wolfSSL_SESSION_free(session); /* it is too old */
        return 0;
    }
    engine->offered = session;
    engine->bound = newer && is_old(engine);
    return is_old(engine) ? wolfssl_ahead_begin(engine) : 0;
}

/* TLS 1.2: a ticket that was taken and not replaced is good for the next time too. The others of a
 * hello that was bound to TLS 1.2 by a session are not kept: each would bind the next one, and a
 * server that has learnt TLS 1.3 since would never be asked for it. */
void wolfssl_session_open(struct tls_engine *engine)
{
    WOLFSSL_SESSION *session = engine->offered;

    engine->offered = NULL;
    if (engine->bound)
        engine->ticket_came = false;
    if (session && engine->resumed && !engine->ticket_came && is_old(engine))
        tls_keep_session(engine->connection, session);
    else
        wolfSSL_SESSION_free(session);
}

void wolfssl_session_keep(struct tls_engine *engine)
{
    engine->ticket_came = false;
    WOLFSSL_SESSION *session = wolfSSL_get1_session(engine->ssl);
    if (session)
        tls_keep_session(engine->connection, session);
}

#endif
