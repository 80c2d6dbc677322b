/* What a backend is: one table of functions. An engine is one side of one TLS connection without
 * any I/O: it is given the bytes that have arrived and puts the bytes to be sent into a buffer.
 *
 * A context (WOLFSSL_CTX, SSL_CTX) holds what many connections share: trust, one identity of ours,
 * settings. It counts its references: who makes it has one, each engine takes one, so that a
 * reload can drop it while connections go on. */
#ifndef TLS_ENGINE_H
#define TLS_ENGINE_H

#include <sys/uio.h>

#include <conduit/tls.h>

struct tls_connection; /* tls/connection.h: what engines call back */
struct tls_context;    /* of the backend */
struct tls_engine;     /* of the backend */
struct tls_tickets;    /* tls/tickets.h */

/* ---- bytes in, bytes out --------------------------------------------------------------------- */

/* Memory that engines use again, from one call to the next; mem_free() it in the end. */
struct tls_spare {
    void *small, *full;
};

/* Lent to an engine for one call. */
struct tls_io {
    const uint8_t *in; /* arrived and not yet taken: the engine takes from the front */
    size_t in_length;
    uint8_t *out; /* to be sent: the engine appends */
    size_t out_length, out_size;
    /* Sends what is in `out` and empties it: 0, or a negative code, which ends the connection. */
    int (*flush)(struct tls_io *io);
    struct tls_spare *spare; /* of the caller; NULL: none */
};

/* Takes up to `length` bytes: how many there were. */
size_t tls_io_take(struct tls_io *io, void *data, size_t length);
/* Appends all of the bytes, flushing when it is full: 0, or flush's code. */
int tls_io_put(struct tls_io *io, const void *data, size_t length);

/* ---- what a context is made of --------------------------------------------------------------- */

/* A PEM text, and where it comes from, for errors: a file's name, or what it is. */
struct tls_blob {
    char *text; /* with a 0 behind the last byte */
    size_t length;
    const char *source;
    bool lenient; /* anchors of the system: those that the backend cannot use are left out */
};

/* A certificate of ours with its chain, and its key (perhaps the same text). */
struct tls_own {
    struct tls_blob cert, key;
    const char *key_file; /* for the password callback; NULL: a text */
};

struct tls_spec {
    enum cdt_tls_role role;
    uint16_t min_version, max_version; /* 0x0303 or 0x0304 */
    const char *ciphers13, *ciphers12; /* in the backend's own names, separated by ':'; "" if there
                                        * are none of that version */
    enum cdt_tls_verify verify;        /* never DEFAULT */
    const struct tls_blob *anchors, *crls;
    size_t anchor_count, crl_count;
    bool sessions;               /* client: tls_keep_session() is wanted */
    struct tls_tickets *tickets; /* server: NULL: no tickets at all */
    unsigned ticket_lifetime;    /* seconds, to be told to clients */
    bool key_log;                /* tls_log_secret() is wanted */
    cdt_tls_password_fn *password;
    void *password_arg;
    void *native; /* the caller's own context; NULL. Then nothing above applies but `role`,
                   * `sessions` and `key_log` */
};

/* ---- the table ------------------------------------------------------------------------------- */

enum { TLS_RECORD = 16384 }; /* plain bytes of a record at most */

/* What was negotiated. */
struct tls_facts {
    uint16_t version, cipher; /* as on the wire */
    const char *cipher_name; /* the backend's name, for a number that tls/ciphers.c does not know */
    const uint8_t *alpn;     /* NULL: none */
    size_t alpn_length;
    bool resumed;
};

struct tls_backend {
    const char *name;

    /* Once in the process, before anything else (the caller sees to that). 0 or a negative code. */
    int (*init)(void);

    /* Makes a context; `own` NULL: no certificate of ours. 0; -ENOMEM; -CDT_ETLSKEY with a sentence
     * that names the blob's source. */
    int (*context_new)(const struct tls_spec *spec, const struct tls_own *own,
                       struct tls_context **context, struct cdt_text_error *error);
    void (*context_put)(struct tls_context *context);

    /* Makes the engine of a connection: role, name (SNI), protocols, session to be resumed are read
     * from it. The connection outlives the engine. 0, -ENOMEM, or another negative code. */
    int (*engine_new)(struct tls_context *context, struct tls_connection *connection,
                      struct tls_engine **engine);
    void (*engine_free)(struct tls_engine *engine);

    /* The handshake: 0 over, -EAGAIN when all of `in` was taken and more is needed, or a negative
     * code after tls_fail(); an alert for the peer is in `out` then. */
    int (*handshake)(struct tls_engine *engine, struct tls_io *io);
    /* Up to `length` plain bytes: their number; 0: close_notify has come; -EAGAIN as above, also
     * while records come that are no data (tickets, key updates: answered in `out`); a negative
     * code as above. */
    ssize_t (*read)(struct tls_engine *engine, struct tls_io *io, void *data, size_t length);
    /* Sends 1 to TLS_RECORD bytes as one record: 0 or a negative code. */
    int (*write)(struct tls_engine *engine, struct tls_io *io, const void *data, size_t length);
    /* close_notify: 0 or a negative code. Called once; reading may go on. */
    int (*shutdown)(struct tls_engine *engine, struct tls_io *io);
    /* TLS 1.3: new keys on both sides. 0, -ENOTSUP, or a negative code. */
    int (*update_key)(struct tls_engine *engine, struct tls_io *io);
    /* After a handshake. What it points to lives as long as the engine. */
    void (*facts)(const struct tls_engine *engine, struct tls_facts *facts);

    void (*session_free)(void *session);

    /* The first certificate in a PEM text, as DER, to be freed with mem_free(). 0, -ENOMEM,
     * -CDT_ETLSKEY. */
    int (*certificate)(const char *pem, size_t length, uint8_t **der, size_t *der_length);
    int (*sha256)(const struct iovec *parts, int count, uint8_t digest[32]);
    int (*hmac_sha256)(const void *key, size_t key_length, const struct iovec *parts, int count,
                       uint8_t digest[32]);
};

extern const struct tls_backend tls_wolfssl, tls_openssl; /* where they are built in */

/* backends.c: the table of a backend, initialised; NULL: not built in, or CDT_TLS_NONE, or it
 * could not be initialised. ANY: the one in force. */
const struct tls_backend *tls_backend(enum cdt_tls_backend backend);

#endif
