/* Resumption: how a server seals the sessions that it gives away as tickets, and the sessions that
 * a client keeps and offers. No cache of OpenSSL's own is used. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"
#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

/* ---- a server's tickets ---------------------------------------------------------------------- */

/* AES-256-CBC, then HMAC-SHA256, as RFC 5077 section 4 recommends. */
static bool use_key(struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int sealing)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, sealing) &&
           EVP_MAC_CTX_set_params(mac, params);
}

/* Without a key the ticket is sealed with a random one, and will not open: TLS 1.3 in OpenSSL 3.0
 * knows no way to give none once it has begun to. */
static bool key_for_sealing(struct tls_tickets *tickets, struct tls_ticket_key *key)
{
    return tls_tickets_current(tickets, key) == 0 || RAND_bytes((void *)key, sizeof *key) == 1;
}

/* 1: the key is there; 2: it is an old one, a new ticket is to be given; 0: unknown; -1: failed. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int sealing)
{
    struct tls_tickets *tickets = openssl_engine_of(ssl)->context->tickets;
    struct tls_ticket_key key;
    int found = 1;

    if (!sealing)
        found = tls_tickets_find(tickets, name, &key);
    else if (!key_for_sealing(tickets, &key) ||
             RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
        found = -1;
    else
        memcpy(name, key.name, sizeof key.name);
    if (found > 0 && !use_key(&key, iv, cipher, mac, sealing))
        found = -1;
    explicit_bzero(&key, sizeof key);
    /* In TLS 1.3 a ticket is used once, so each that was is followed by a new one. */
    return found == 1 && !sealing && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : found;
}

void openssl_set_tickets(SSL_CTX *ssl_ctx, const struct tls_spec *spec)
{
    if (!spec->tickets) {
        SSL_CTX_set_options(ssl_ctx,
                            SSL_OP_NO_TICKET); /* 1.2; in 1.3 it means others, with state */
        SSL_CTX_set_num_tickets(ssl_ctx, 0);
        return;
    }
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, ticket_key);
    SSL_CTX_set_num_tickets(ssl_ctx, 1);
    SSL_CTX_set_timeout(ssl_ctx, (long)spec->ticket_lifetime);
}

/* ---- a client's sessions --------------------------------------------------------------------- */

void openssl_offer_session(struct tls_engine *engine)
{
    SSL_SESSION *session = tls_take_session(engine->connection);

    if (!session)
        return;
    if (SSL_set_session(engine->ssl, session))
        engine->session = session;
    else
        SSL_SESSION_free(session);
}

/* Looked for after each handshake and read rather than by SSL_CTX_sess_set_new_cb(), which a
 * caller's context may need itself. */
void openssl_keep_session(struct tls_engine *engine)
{
    SSL_SESSION *session;

    if (!engine->context->sessions)
        return;
    session = SSL_get_session(engine->ssl);
    if (!session || session == engine->session || !SSL_SESSION_is_resumable(session))
        return;
    SSL_SESSION_free(engine->session);
    engine->session = SSL_get1_session(engine->ssl);
    if (SSL_SESSION_up_ref(session))
        tls_keep_session(engine->connection, session);
}

void openssl_session_free(void *session)
{
    SSL_SESSION_free(session);
}
#endif
