/* The backend of wolfSSL, from inside. It works with the one that is built for us, which lacks the
 * layer for OpenSSL's names, and with a packaged one. */
#ifndef TLS_WOLFSSL_H
#define TLS_WOLFSSL_H

#include <stdbool.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "tls/connection.h"
#include "tls/der.h"

enum { WOLFSSL_DATE = 15 };

/* An anchor or a revocation list, in DER, and whose it is. */
struct wolfssl_item {
    uint8_t *der;
    size_t length;
    const uint8_t *name; /* an anchor's subject, a list's issuer: the contents in DER */
    size_t name_length;
    char until[WOLFSSL_DATE]; /* a list's next update, "20261231235959"; "": not told */
};

/* Whom a context trusts. */
struct wolfssl_trust {
    struct wolfssl_item *anchors, *crls;
    size_t anchor_count, crl_count;
};

struct tls_context {
    unsigned references;
    WOLFSSL_CTX *ctx;
    struct tls_tickets *tickets;
    struct wolfssl_trust trust;
    enum cdt_tls_role role;
    enum cdt_tls_verify verify;
    bool sessions, key_log, native;
};

enum { WOLFSSL_HEADER = 5 }; /* of a record */

struct tls_engine {
    WOLFSSL *ssl;
    struct tls_context *context;
    struct tls_connection *connection;
    struct tls_io *io;           /* during a call */
    WOLFSSL_SESSION *offered;    /* to the server, during the handshake; NULL: none */
    struct wolfssl_ahead *ahead; /* tls/wolfssl_ahead.c; NULL: what arrives is passed on */
    uint8_t *alpn;               /* NULL: none */
    int io_status;               /* of a flush that has failed */
    uint16_t version, cipher;
    uint8_t alpn_length;
    uint8_t header_length, header[WOLFSSL_HEADER]; /* of the record that is read in the handshake */
    uint16_t left;                                 /* bytes of it behind the header */
    bool resumed, open, ended, closed, silent, ticket_came;
    bool bound; /* to TLS 1.2, by the session that is offered */
    bool seals; /* ChangeCipherSpec is out: what we send in TLS 1.2 is encrypted */
};

/* wolfssl_own.c: a certificate of ours, its chain and its key. 0, -ENOMEM, -CDT_ETLSKEY. */
int wolfssl_load_own(WOLFSSL_CTX *ctx, const struct tls_spec *spec, const struct tls_own *own,
                     struct cdt_text_error *error);
/* The DER of the first certificate of a text: as the table's `certificate`; of a context that was
 * made just now. */
int wolfssl_certificate(const char *pem, size_t length, uint8_t **der, size_t *der_length);

/* wolfssl_pair.c: whether a key is that of a certificate, where wolfSSL does not find out: 0,
 * -ENOMEM, -CDT_ETLSKEY: it is not. `password` and its argument are wolfSSL's. */
struct wolfssl_password {
    wc_pem_password_cb *callback;
    void *arg;
};
int wolfssl_pair_check(const struct tls_blob *cert, const char *key, size_t key_length,
                       const struct wolfssl_password *password);

/* wolfssl_trust.c: reads anchors and lists. 0, -ENOMEM, -CDT_ETLSKEY. */
int wolfssl_trust_load(struct wolfssl_trust *trust, const struct tls_spec *spec,
                       struct cdt_text_error *error);
void wolfssl_trust_fini(struct wolfssl_trust *trust);
/* Puts one into a manager: 1, or wolfSSL's code. */
int wolfssl_trust_anchor(WOLFSSL_CERT_MANAGER *manager, const uint8_t *der, size_t length);
/* The same with a list; CRL_CERT_DATE_ERR: there should be a newer one. */
int wolfssl_trust_crl(WOLFSSL_CERT_MANAGER *manager, const struct wolfssl_item *crl);

/* wolfssl_chain.c: what becomes of the certificates that a peer has sent, its own first. */
enum { WOLFSSL_CHAIN = 10 }; /* at most; wolfSSL takes 9 */
struct wolfssl_link {
    const uint8_t *der;
    size_t length;
    const uint8_t *subject, *issuer; /* the contents in DER */
    size_t subject_length, issuer_length;
};
/* The names of a certificate; false: malformed. */
bool wolfssl_link_read(struct wolfssl_link *link, const uint8_t *der, size_t length);
void wolfssl_chain_check(const struct wolfssl_trust *trust, enum cdt_tls_role role,
                         const struct wolfssl_link *links, size_t count,
                         struct tls_verdict *verdict);
/* The public key of ECDSA in a certificate: the point. Some builds of wolfSSL keep the whole
 * SubjectPublicKeyInfo in its place. */
struct DecodedCert;
struct der wolfssl_point(const struct DecodedCert *cert);

/* wolfssl_constraints.c: whether the names of a certificate are among those for which an authority
 * may issue. */
bool wolfssl_may_issue(const uint8_t *authority, size_t authority_length, const uint8_t *der,
                       size_t length);

/* wolfssl_verify.c: has the peer's certificate verified when it comes. */
void wolfssl_verify_set(struct tls_engine *engine);

/* wolfssl_io.c: wolfSSL's callbacks; their argument is the engine. */
int wolfssl_take(WOLFSSL *ssl, char *data, int length, void *arg);
int wolfssl_put(WOLFSSL *ssl, char *data, int length, void *arg);
/* A client that ends a handshake of TLS 1.3 may send its alert before it encrypts; wolfSSL then
 * stops behind the header of that record. True: this is so. */
bool wolfssl_plain_alert(const struct tls_engine *engine, unsigned *alert);
/* What the handshake has read last is the beginning of no record of TLS: wolfSSL's errors for it are
 * many. */
bool wolfssl_no_record(const struct tls_engine *engine);

/* wolfssl_ahead.c: from now on the answer to a ticket of TLS 1.2 is read before wolfSSL reads it. 0,
 * -ENOMEM. */
int wolfssl_ahead_begin(struct tls_engine *engine);
/* As tls_io_take(), while there is `ahead`: 0 when that has gone, too. */
size_t wolfssl_ahead_take(struct tls_engine *engine, uint8_t *data, size_t length);

/* wolfssl_tickets.c: wolfSSL's callback; its argument is the context. */
int wolfssl_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                   unsigned char iv[WOLFSSL_TICKET_IV_SZ], unsigned char mac[WOLFSSL_TICKET_MAC_SZ],
                   int encrypt, unsigned char *ticket, int length, int *written, void *arg);

/* wolfssl_wake.c: before the first use. */
void wolfssl_wake(void);

/* wolfssl_memory.c: has wolfSSL allocate by our functions. 0, or wolfSSL's code. */
int wolfssl_memory_init(void);
/* Whether this thread's wolfSSL could not have some memory since the last wolfssl_memory_begin():
 * whatever it says then, it may be for that reason. */
void wolfssl_memory_begin(void);
bool wolfssl_memory_lacked(void);

/* Memory for wolfSSL. */
void *wolfssl_memory_take(size_t size);

/* wolfssl_records.c: has it take the buffers of records from us. */
void wolfssl_records_init(void);

/* wolfssl_sha256.c: has it use the processor's instructions for SHA-256, before it hashes anything.
 * False: there are none. */
bool wolfssl_sha256_init(void);

/* wolfssl_alert.c: the last that the peer hears. */
void wolfssl_alert(struct tls_engine *engine, int alert);
/* The same, if wolfSSL, which has failed, has left that out. */
void wolfssl_alert_untold(struct tls_engine *engine, int alert);

/* wolfssl_error.c: why a call has failed, as tls_fail(); in the handshake the peer is told. */
int wolfssl_fail(struct tls_engine *engine, int error);
/* wolfSSL's words for a code of its own. Static storage. */
const char *wolfssl_words(int error);

/* wolfssl_sessions.c: of a client. Offers the session of an earlier connection, if there is one. 0,
 * -ENOMEM. */
int wolfssl_session_offer(struct tls_engine *engine);
/* The handshake is over. */
void wolfssl_session_open(struct tls_engine *engine);
/* Keeps the session if a ticket has come. */
void wolfssl_session_keep(struct tls_engine *engine);

/* wolfssl_context.c, wolfssl_engine.c: for the table. */
int wolfssl_context_new(const struct tls_spec *spec, const struct tls_own *own,
                        struct tls_context **context, struct cdt_text_error *error);
void wolfssl_context_put(struct tls_context *context);
int wolfssl_engine_new(struct tls_context *context, struct tls_connection *connection,
                       struct tls_engine **engine);
void wolfssl_engine_free(struct tls_engine *engine);
int wolfssl_handshake(struct tls_engine *engine, struct tls_io *io);
ssize_t wolfssl_read(struct tls_engine *engine, struct tls_io *io, void *data, size_t length);
int wolfssl_write(struct tls_engine *engine, struct tls_io *io, const void *data, size_t length);
int wolfssl_shutdown(struct tls_engine *engine, struct tls_io *io);
int wolfssl_update_key(struct tls_engine *engine, struct tls_io *io);
void wolfssl_facts(const struct tls_engine *engine, struct tls_facts *facts);

#endif
