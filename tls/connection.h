/* One side of one TLS connection: what the layer keeps beside the engine, and what engines call
 * back. Without a flow in tests and fuzzers. */
#ifndef TLS_CONNECTION_H
#define TLS_CONNECTION_H

#include "tls/engine.h"

/* A certificate of the peer. */
struct tls_certificate {
    unsigned references;
    uint8_t sha256[32];
    size_t length;
    uint8_t der[];
};

struct tls_connection {
    const struct tls_backend *backend;
    struct tls_engine *engine;     /* NULL: a server that has not read the hello */
    struct cdt_tls_config *config; /* a reference */
    struct cdt_flow *flow;         /* NULL: none */
    char *name;                    /* client: whom to reach; server: the SNI received; NULL: none */
    const uint8_t *alpn; /* protocols for engine_new(), in wire form; NULL: none. Client: all that
                          * are offered; server: the one chosen, or, if none is common, all of
                          * ours, so that the engine refuses */
    size_t alpn_length;
    struct tls_certificate *peer; /* that it has shown; NULL: none */
    char *why;                    /* the sentence for `failed`; NULL: the code's own */
    int failed;                   /* the first code given to tls_fail() */
    enum cdt_tls_role role;
    unsigned generation; /* client: of the configuration, when tls_take_session() was called */
    bool name_is_address;
};

/* Begins one, with a reference of the configuration: 0, -ENOMEM, -EINVAL (the name is neither a DNS
 * name nor an address). `name` may be NULL. */
int tls_connection_init(struct tls_connection *connection, struct cdt_tls_config *config,
                        const char *name);
/* Client: makes the engine. */
int tls_connection_connect(struct tls_connection *connection);
/* Server: the hello was read: chooses identity and protocol, makes the engine. */
struct hello;
int tls_connection_accept(struct tls_connection *connection, const struct hello *hello);
void tls_connection_fini(struct tls_connection *connection);

/* ---- called by engines ----------------------------------------------------------------------- */

/* The connection fails: remembers the first code and sentence. `format` NULL: the code's own
 * sentence. Returns the first code. */
__attribute__((format(printf, 3, 4))) int tls_fail(struct tls_connection *connection, int code,
                                                   const char *format, ...);

/* The failure is an alert that the peer has sent (RFC 8446 section 6): tls_fail() with a
 * sentence. */
int tls_fail_alert(struct tls_connection *connection, unsigned alert);
/* "unknown ca"; "alert 99" has no name: NULL. Static storage. */
const char *tls_alert_name(unsigned alert);

/* What the backend found when it built the chain. */
enum tls_chain {
    TLS_CHAIN_GOOD,
    TLS_CHAIN_EXPIRED,
    TLS_CHAIN_NOT_YET_VALID,
    TLS_CHAIN_SELF_SIGNED,
    TLS_CHAIN_UNKNOWN_ISSUER,
    TLS_CHAIN_REVOKED,
    TLS_CHAIN_NO_CRL,   /* there is no list of the issuer */
    TLS_CHAIN_OLD_CRL,  /* its list is no longer good */
    TLS_CHAIN_WEAK_KEY, /* a key is too small, or a signature's digest too weak */
    TLS_CHAIN_BAD,      /* a signature or a field is wrong: `detail` */
    TLS_CHAIN_VERDICTS
};

struct tls_verdict {
    enum tls_chain chain;
    const uint8_t *bad; /* the certificate (DER) it is about; NULL: the peer's own */
    size_t bad_length;
    const char *detail; /* the backend's words, for TLS_CHAIN_BAD; NULL: none */
};

/* Verifies the peer: called once a full handshake, from inside the backend's verification, with
 * the peer's own certificate and what became of the chain. Keeps the certificate. Also called where
 * nothing is verified. 0: go on; else a code, after tls_fail(): refuse with an alert. */
int tls_verify(struct tls_connection *connection, const uint8_t *der, size_t length,
               const struct tls_verdict *verdict);

/* A session that can be resumed later has come; it belongs to the cache (or was freed). */
void tls_keep_session(struct tls_connection *connection, void *session);
/* For a client's engine_new(): the session to be offered, which belongs to the engine; NULL: none. */
void *tls_take_session(struct tls_connection *connection);

/* A secret for SSLKEYLOGFILE, by its NSS label: "CLIENT_RANDOM", "SERVER_TRAFFIC_SECRET_0" ... */
void tls_log_secret(const char *label, const uint8_t random[32], const uint8_t *secret,
                    size_t length);

#endif
