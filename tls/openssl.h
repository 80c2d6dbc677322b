/* The OpenSSL backend from inside (3.0 and later): the objects behind the table of tls/engine.h,
 * and what its files call in each other. One file a job: contexts, what they load, engines, their
 * BIO, verification, tickets and sessions, failures, digests. */
#ifndef TLS_OPENSSL_H
#define TLS_OPENSSL_H

#include <openssl/ssl.h>

#include "tls/connection.h"

#include "reactor/internal.h"

struct tls_context {
    unsigned references;
    SSL_CTX *ssl_ctx;
    enum cdt_tls_role role;
    enum cdt_tls_verify verify;
    struct tls_tickets *tickets; /* server: NULL: none */
    bool native;                 /* `ssl_ctx` is the caller's */
    bool sessions;
    bool answers_alpn; /* of a native one: openssl_answer_alpn() was called */
};

struct tls_engine {
    SSL *ssl;
    struct tls_context *context;
    struct tls_connection *connection;
    struct tls_io *io; /* lent for the present call; NULL outside of calls */
    int put_status;    /* what tls_io_put() has given when it failed */
    bool closed;       /* close_notify is out: nothing may follow it */
    bool verified;     /* tls_verify() was called */
    /* The session that was kept last, or is being resumed: only to tell whether it is another. A
     * reference, so that no other has its address. */
    SSL_SESSION *session;
    /* Native: the first error of the chain that the caller's callback has not forgiven. */
    int chain_error;
    X509 *chain_bad;
};

/* ---- openssl_context.c ----------------------------------------------------------------------- */

int openssl_context_new(const struct tls_spec *spec, const struct tls_own *own,
                        struct tls_context **context, struct cdt_text_error *error);
void openssl_context_put(struct tls_context *context);
/* Servers of this context choose the protocol that the connection says. */
void openssl_answer_alpn(SSL_CTX *ssl_ctx);
/* Secrets of its connections go to tls_log_secret(). */
void openssl_log_keys(SSL_CTX *ssl_ctx);

/* ---- openssl_load.c: PEM into a context. 0, -ENOMEM, -CDT_ETLSKEY ---------------------------- */

int openssl_load_own(SSL_CTX *ssl_ctx, const struct tls_spec *spec, const struct tls_own *own,
                     struct cdt_text_error *error);
int openssl_load_anchors(SSL_CTX *ssl_ctx, const struct tls_spec *spec,
                         struct cdt_text_error *error);
int openssl_load_crls(SSL_CTX *ssl_ctx, const struct tls_spec *spec, struct cdt_text_error *error);
int openssl_certificate(const char *pem, size_t length, uint8_t **der, size_t *der_length);

/* ---- openssl_engine.c ------------------------------------------------------------------------ */

/* Makes the index under which an SSL finds its engine. */
int openssl_engine_init(void);
struct tls_engine *openssl_engine_of(const SSL *ssl); /* NULL: it is not one of ours */

int openssl_engine_new(struct tls_context *context, struct tls_connection *connection,
                       struct tls_engine **engine);
void openssl_engine_free(struct tls_engine *engine);
int openssl_handshake(struct tls_engine *engine, struct tls_io *io);
ssize_t openssl_read(struct tls_engine *engine, struct tls_io *io, void *data, size_t length);
int openssl_write(struct tls_engine *engine, struct tls_io *io, const void *data, size_t length);
int openssl_shutdown(struct tls_engine *engine, struct tls_io *io);
int openssl_update_key(struct tls_engine *engine, struct tls_io *io);
void openssl_facts(const struct tls_engine *engine, struct tls_facts *facts);

/* ---- openssl_bio.c --------------------------------------------------------------------------- */

int openssl_bio_init(void);
/* Where an SSL reads and writes: the bytes lent to its engine. NULL without memory. */
BIO *openssl_bio_new(struct tls_engine *engine);

/* ---- openssl_verify.c ------------------------------------------------------------------------ */

/* How the peers of a context of ours are verified. */
void openssl_set_verify(struct tls_context *context, bool has_crls);
/* The same for one connection of the caller's context, beside what that does itself. */
void openssl_set_native_verify(struct tls_engine *engine);
/* After a handshake: calls tls_verify() if the caller's context has kept us from it. 0 or its
 * code. */
int openssl_verify_late(struct tls_engine *engine);

/* ---- openssl_tickets.c ----------------------------------------------------------------------- */

/* How a server of ours seals tickets, or that it gives none. */
void openssl_set_tickets(SSL_CTX *ssl_ctx, const struct tls_spec *spec);
/* Offers the session that the cache has. */
void openssl_offer_session(struct tls_engine *engine);
/* Hands a session that has come to the cache; after whatever may have brought one. */
void openssl_keep_session(struct tls_engine *engine);
void openssl_session_free(void *session);

/* ---- openssl_error.c ------------------------------------------------------------------------- */

/* What a call that has returned `result`, not success, means: -EAGAIN; 0: close_notify has come; or
 * the code, after tls_fail(). Before the queue of errors is cleared. */
int openssl_outcome(struct tls_engine *engine, int result);
/* The library's words for the first error in the queue. */
const char *openssl_reason(void);

/* ---- openssl_digest.c ------------------------------------------------------------------------ */

int openssl_sha256(const struct iovec *parts, int count, uint8_t digest[32]);
int openssl_hmac_sha256(const void *key, size_t key_length, const struct iovec *parts, int count,
                        uint8_t digest[32]);

#endif
