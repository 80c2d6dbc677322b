/* A configuration from inside: the copied options, what was read from files, and a set of contexts
 * of one backend. Reloading makes a new set and drops the old one. */
#ifndef TLS_CONFIG_H
#define TLS_CONFIG_H

#include "reactor/internal.h"
#include "tls/connection.h"
#include "tls/sessions.h"
#include "tls/tickets.h"

/* One identity in use. */
struct tls_identity {
    struct tls_context *context;
    uint8_t
        *der; /* our certificate, for the choice by name; NULL: none, or a context of the user's */
    size_t der_length;
};

/* What one reading of the files has given. */
struct tls_set {
    size_t count; /* at least one */
    struct tls_identity *identities;
};

struct cdt_tls_config {
    unsigned references;
    struct cdt_reactor *reactor; /* NULL once it was freed */
    const struct tls_backend *backend;
    enum cdt_tls_backend backend_id;
    struct cdt_tls_options options; /* copied deeply; paths as they were given. What was left to us
                                     * is decided: no DEFAULT, no 0; but with a native context
                                     * `verify` and `min_version` stay as they were: it decides */
    uint8_t *alpn;                  /* wire form; NULL: none */
    size_t alpn_length;
    bool pins_only; /* no anchors at all: the pin decides */
    struct tls_set set;
    struct tls_tickets *tickets;  /* NULL: off */
    struct tls_sessions sessions; /* a client's */
    struct cdt_tls_counters counters;
    unsigned generation; /* one more by each reload: sessions of connections that began before
                          * it are not to be kept */
    struct reactor_room room;
    struct cdt_tls_config *others[CDT_TLS_NONE]; /* of tls_config_with(), by backend; they are
                                                  * reloaded and counted with this one */
};

struct cdt_tls_config *tls_config_get(struct cdt_tls_config *config); /* one reference more */
void tls_config_put(struct cdt_tls_config *config);                   /* NULL is allowed */

/* The identity for a name that a client asks for ("" for none): the first exact one, the first
 * wildcard, the first. */
const struct tls_identity *tls_config_choose(const struct cdt_tls_config *config, const char *name);

/* The same configuration with another backend (ANY: the same one): a reference to it. For modes
 * that force one. 0, or as cdt_tls_config_new(). */
int tls_config_with(struct cdt_tls_config *config, enum cdt_tls_backend backend,
                    struct cdt_tls_config **result, struct cdt_text_error *error);

/* ---- pieces of it ---------------------------------------------------------------------------- */

/* Sets the sentence, returns the code. `error` may be NULL. */
__attribute__((format(printf, 3, 4))) int tls_why(struct cdt_text_error *error, int code,
                                                  const char *format, ...);

/* backends.c: a CONDUIT_TLS that cannot be followed is told to the log, once in the process. */
void tls_backend_warn(struct cdt_reactor *reactor);

/* keylog.c: whether secrets are wanted: $SSLKEYLOGFILE, which is opened by the first call. If it
 * cannot be, the log is told, once. */
bool tls_key_log_wanted(struct cdt_reactor *reactor);

/* load.c: a regular file as a text, at most 4 MiB. 0; errors of open and read; -EFBIG; -EISDIR;
 * -EINVAL: it is none. */
int tls_load_file(const char *path, struct tls_blob *blob, struct cdt_text_error *error);
/* All files of a folder that hold certificates, appended to a list (mem_realloc). */
int tls_load_folder(const char *path, struct tls_blob **blobs, size_t *count,
                    struct cdt_text_error *error);
/* The system's anchors, appended; -CDT_ETLSKEY if there are none. */
int tls_load_system(struct tls_blob **blobs, size_t *count, struct cdt_text_error *error);
/* A copy of a text, under a name for errors; 0 or -ENOMEM. */
int tls_load_text(const char *text, const char *source, struct tls_blob *blob);
/* Appends a blob to a list, which owns it then: 0, or -ENOMEM, and it is freed. */
int tls_blob_append(struct tls_blob *blob, struct tls_blob **blobs, size_t *count);
/* Blobs own their texts, which are wiped, and sources. */
void tls_blob_fini(struct tls_blob *blob);
void tls_blobs_free(struct tls_blob *blobs, size_t count);

/* The next PEM block of a text from *at: its bounds, from -----BEGIN to the end of -----END, and
 * *at behind it. False: there is none. `label` ("CERTIFICATE") NULL: any. */
bool tls_pem_next(const char **at, const char *end, const char *label, const char **block,
                  size_t *length);

/* ciphers.c: splits a list into the suites of 1.3 and of 1.2, in the names of a backend. NULL: the
 * default list. 0, -CDT_ETLSKEY (an unknown name, none), -ENOMEM. Both to be freed with
 * mem_free(). */
int tls_ciphers(const char *list, enum cdt_tls_backend backend, char **ciphers13, char **ciphers12,
                struct cdt_text_error *error);
/* IANA's name; NULL: not in our table. */
const char *tls_cipher_name(uint16_t number);

#endif
