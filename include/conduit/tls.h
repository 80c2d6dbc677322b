/* conduit: TLS 1.2 and 1.3 (RFC 5246, RFC 8446), as a layer over any flow.
 *
 * A configuration holds certificates, trust and settings for one side, client or server. It becomes
 * TLS in three ways: cdt_tls_start() on a flow, cdt_connect() and cdt_serve() with TLS endpoints.
 * The flow is handshaking until both sides have agreed; on_open comes then. Its callbacks, timeouts
 * and watermarks are those of any flow:
 *   - on_eof means close_notify. A stream that ends without it fails with -CDT_ETLSTRUNC, unless
 *     cdt_flow_close() was called before: nobody waits for the rest then.
 *   - cdt_flow_close() and cdt_flow_shutdown(CDT_SHUT_WRITE) send close_notify behind what was
 *     written; the peer may go on sending.
 *   - a handshake that fails ends the flow with one of the CDT_ETLS codes and a sentence
 *     (cdt_flow_error); the peer is sent an alert. -CDT_EHANDSHAKE: it took too long, or longer than
 *     others could wait (max_handshakes). -ECONNRESET: the stream ended during it, in order or
 *     not; once the flow is open an end in order is -CDT_ETLSTRUNC.
 * Renegotiation is refused; there is no early data (0-RTT) and no compression.
 *
 * THREE BACKENDS speak TLS: wolfSSL, OpenSSL, none. Which are built in is decided at build time.
 * The one that is used is that of the configuration; else that of cdt_tls_select(); else that of
 * the environment's CONDUIT_TLS; else wolfSSL, else OpenSSL, else none. Names are read in any case:
 * native, wolfssl; openssl, libressl; none, notls. (A CONDUIT_TLS that is none of these, or not
 * built in, is warned of in the log and ignored.)
 *
 * LIFETIME
 *   1. A configuration belongs to one reactor; flows and servers that use it keep what they need.
 *   2. What the options point to is read, or copied, before the call returns.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_TLS_H
#define CONDUIT_TLS_H

#include <conduit/flow.h>
#include <conduit/mode.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- backends -------------------------------------------------------------------------------- */

/* Chooses the backend of this process for configurations made from now on that do not choose.
 * CDT_TLS_ANY: as if it had never been called. -EINVAL; -EPROTONOSUPPORT: not built in. */
CDT_API int cdt_tls_select(enum cdt_tls_backend backend);

/* The backend in force, never CDT_TLS_ANY. */
CDT_API enum cdt_tls_backend cdt_tls_selected(void);

/* 1 if it is built in, else 0. CDT_TLS_NONE always is. */
CDT_API int cdt_tls_built_in(enum cdt_tls_backend backend);

/* "wolfssl", "openssl", "none"; "any". Static storage. */
CDT_API const char *cdt_tls_backend_name(enum cdt_tls_backend backend);

/* Reads a name, as above. -EINVAL. */
CDT_API int cdt_tls_backend_parse(const char *text, enum cdt_tls_backend *backend);

/* ---- configurations -------------------------------------------------------------------------- */

struct cdt_tls_config;

enum cdt_tls_role { CDT_TLS_CLIENT, CDT_TLS_SERVER };

enum cdt_tls_version { CDT_TLS_1_2 = 0x0303, CDT_TLS_1_3 = 0x0304 };

enum cdt_tls_verify {
    CDT_TLS_VERIFY_DEFAULT, /* REQUIRE for clients, NONE for servers */
    CDT_TLS_VERIFY_NONE,    /* a server asks for no certificate; a client takes any whose key its
                             * backend can use: wolfSSL as it is built here computes with RSA keys
                             * of 2048, 3072 and 4096 bits only */
    CDT_TLS_VERIFY_ASK,     /* servers: a client may show none; one that it shows must be good */
    CDT_TLS_VERIFY_REQUIRE
};

/* A certificate of ours and its key: PEM files, or PEM text (with a 0 behind it). First the
 * certificate, then those between it and the anchor. RSA (2048 bits or more), ECDSA (P-256, P-384),
 * Ed25519. */
struct cdt_tls_identity {
    const char *cert_file, *key_file; /* read again by cdt_tls_config_reload() */
    const char *cert, *key;           /* or these; key NULL and key_file NULL: in the same text */
};

/* Asked for the password of an encrypted key: puts it into `password` and returns its length (at
 * most `size`), or a negative code. `key_file` is NULL for a text. */
typedef int cdt_tls_password_fn(void *arg, const char *key_file, char *password, size_t size);

/* A peer's certificate, as a verify callback sees it. */
struct cdt_tls_peer {
    const uint8_t *der; /* X.509, lent for the call */
    size_t der_length;
    uint8_t sha256[32];    /* of the DER */
    const char *host;      /* a client's: the name that was to be verified; "" if none */
    int status;            /* what we think: 0, or -CDT_ETLSCERT, -CDT_ETLSNAME */
    const char *why;       /* the sentence for it; "" */
    struct cdt_flow *flow; /* NULL: none */
};

/* Called once a full handshake with the peer's own certificate, after all other checks. Returns 0:
 * trust it, whatever `status` says; or the code to fail with (peer->status: as we think). Not
 * called for a resumed session: its certificate was verified when it began. */
typedef int cdt_tls_verify_fn(void *arg, const struct cdt_tls_peer *peer);

struct cdt_tls_options {
    size_t size;
    enum cdt_tls_role role;
    enum cdt_tls_backend backend;

    enum cdt_tls_version min_version; /* 0: TLS 1.2 */
    const char *ciphers; /* suites by their IANA or OpenSSL names, best first, separated by : or , ;
                          * NULL: all with AEAD and forward secrecy. A list without suites for a
                          * version switches that version off */
    const char *alpn;    /* "h2,http/1.1", best first; a server's order counts. NULL: none. At most
                          * 8190 bytes. A client that offers only others is refused (RFC 7301
                          * section 3.2) */

    /* Ours. Servers need one at least, and show the first whose names (RFC 9525) fit the SNI, an
     * exact one before a wildcard; else the first of all. Of clients only the first is used. */
    const struct cdt_tls_identity *identities;
    size_t identity_count;
    cdt_tls_password_fn *password; /* NULL: encrypted keys cannot be used */
    void *password_arg;

    /* The peer's certificate. */
    enum cdt_tls_verify verify;
    enum cdt_switch system_anchors;    /* clients; default on, where there are none only needed
                                         * without others. $SSL_CERT_FILE and $SSL_CERT_DIR, else
                                         * where systems keep them */
    const char *ca_file, *ca_dir, *ca; /* anchors besides: PEM file, folder of such, PEM text.
                                         * Of a server: whose clients are good */
    const char *crl_file, *crl;        /* revocation lists, PEM. If there is one, the issuer of the
                                         * peer's certificate must have one among them; those of
                                         * higher issuers are looked at if there are any */
    const uint8_t (*pins)[32];         /* SHA-256 of certificates (DER): the peer's must be one of
                                         * these. Without any anchor (system_anchors off, no ca) the
                                         * pin alone decides: no chain, no name, no date */
    size_t pin_count;
    enum cdt_switch check_host, check_ip; /* clients: RFC 9525 check of the name, or of the address,
                                           * against the certificate's; default on. What is off is
                                           * not checked; the chain still is */
    cdt_tls_verify_fn *verify_peer;       /* the last word; NULL: none */
    void *verify_arg;

    /* Resumption. Servers: tickets, without state; never where clients are asked for certificates.
     * Clients: the last ticket of each of 64 verified names. A client of wolfSSL that resumes TLS 1.2
     * offers that only, and TLS 1.3 again as soon as the ticket is refused or has run out. */
    enum cdt_switch resumption; /* default on */
    const uint8_t *ticket_key;  /* 32 secret bytes from which tickets' keys are made, to be
                                 * shared by processes; NULL: random ones. Servers with the same
                                 * one take each other's tickets if their backend, min_version and
                                 * ticket_rotation are the same, whatever their identities and alpn
                                 * are. So whoever has it can stand for all of them */
    uint64_t ticket_rotation;   /* ns until the next key; default an hour. Tickets are good for
                                 * one to two of these */

    void *native; /* your own WOLFSSL_CTX (only with the system's wolfSSL) or SSL_CTX of `backend`,
                   * which then must be given; a reference is taken. It brings versions, ciphers,
                   * identities, anchors, verification mode, CRLs and tickets: those of these options
                   * must not be set. ALPN, SNI, names, pins and verify_peer are still ours. A
                   * WOLFSSL_CTX stays as it is. An SSL_CTX gets two callbacks, which leave your own
                   * connections alone: with `alpn` (without, what the SSL_CTX says counts), a
                   * server's that chooses the protocol, in place of yours; with SSLKEYLOGFILE,
                   * unless you have one, that for secrets */
};

/* Reads all files and makes a configuration. -EINVAL; -ENOMEM; -EPROTONOSUPPORT: the backend is not
 * built in, or none; -CDT_ETLSKEY: a file, key, certificate, list of ciphers or protocols cannot be
 * used; errors of open(2). `error` (may be NULL) gets the sentence, which names the file. */
CDT_API int cdt_tls_config_new(struct cdt_reactor *reactor, const struct cdt_tls_options *options,
                               struct cdt_tls_config **config, struct cdt_text_error *error);

/* Reads all files again; new connections use what they say. If anything is wrong with them all stays
 * as it was. Connections are not touched. Sessions that a client has kept are forgotten; tickets that
 * a server has given stay good. Errors as above. */
CDT_API int cdt_tls_config_reload(struct cdt_tls_config *config, struct cdt_text_error *error);

/* Lets go of it. NULL is allowed. 0. */
CDT_API int cdt_tls_config_free(struct cdt_tls_config *config);

CDT_API enum cdt_tls_backend cdt_tls_config_backend(const struct cdt_tls_config *config);

struct cdt_tls_counters {
    uint64_t handshakes; /* that succeeded, resumed ones included */
    uint64_t resumed;
    uint64_t failed;
    uint64_t reloads;
};
CDT_API int cdt_tls_counters(const struct cdt_tls_config *config,
                             struct cdt_tls_counters *counters);

/* ---- TLS on a flow --------------------------------------------------------------------------- */

/* Begins TLS on top of what the flow has: at once, or when that is open (STARTTLS, behind a proxy's
 * CONNECT, TLS in TLS). Bytes already read that belong to it must be handed back first
 * (cdt_flow_unread). Which side we are is the configuration's role.
 *
 * Client: `name` is whom we want to reach, a DNS name or an IP address as text: it is sent as SNI
 * (addresses are not), and the certificate must be for it. NULL or "": no SNI, and the handshake
 * fails with -CDT_ETLSNAME unless names are not checked. Server: `name` is NULL.
 *
 * Errors as cdt_flow_push(); -EINVAL also for a name that is neither. */
CDT_API int cdt_tls_start(struct cdt_flow *flow, struct cdt_tls_config *config, const char *name);

/* What was negotiated. Texts live as long as the flow. */
struct cdt_tls_info {
    enum cdt_tls_backend backend;
    enum cdt_tls_role role;
    const char *version;     /* "TLSv1.3" */
    const char *cipher;      /* IANA's name, "TLS_AES_128_GCM_SHA256" */
    const char *alpn;        /* "" if none */
    const char *server_name; /* the name that we were to reach, or the SNI received; "" if none */
    bool resumed;
    bool has_certificate; /* the peer has shown one (perhaps when the session began) */
    uint8_t sha256[32];   /* of it, DER */
};

/* Of the flow's uppermost TLS. -EINVAL; -ENOENT: there is none; -ENOTCONN: still handshaking. */
CDT_API int cdt_tls_info(const struct cdt_flow *flow, struct cdt_tls_info *info);

/* The peer's certificate as PEM, as snprintf(3) does: at most `size` bytes with the final 0. Returns
 * the length of the whole without it. Errors as above; -ENODATA: it has shown none. */
CDT_API int cdt_tls_peer_pem(const struct cdt_flow *flow, char *text, size_t size);

/* The names of the peer's certificate for people, "example.org, *.example.org, 10.0.0.1": cut at
 * `size` with "..."; bytes that are no text as \xHH. 0; errors as above. */
CDT_API int cdt_tls_peer_names(const struct cdt_flow *flow, char *text, size_t size);

/* TLS 1.3: new keys for what we send, and the peer is asked for the same (RFC 8446 section 4.6.3).
 * That also happens by itself long before keys wear out. Errors as cdt_tls_info(); -ENOTSUP: TLS
 * 1.2; -EPIPE. */
CDT_API int cdt_tls_update_key(struct cdt_flow *flow);

#ifdef __cplusplus
}
#endif
#endif
