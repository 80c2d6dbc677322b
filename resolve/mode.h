/* Modes from inside: what the reader and the converters have in common. */
#ifndef RESOLVE_MODE_H
#define RESOLVE_MODE_H

#include <conduit/mode.h>

#include "resolve/internal.h"

/* A key under way, whose texts belong to someone else. `at` NULL: None. */
struct key_slices {
    struct slice cert, key;
    bool password;
};

/* Each is one allocation, texts included, and takes the endpoint if there was memory. */
struct cdt_client_mode *client_mode_make(enum cdt_tls_backend tls, struct cdt_endp *endp);
struct cdt_server_mode *server_mode_make(enum cdt_tls_backend tls, const struct key_slices *key,
                                         struct cdt_endp *endp);
struct cdt_own_key *own_key_make(const struct key_slices *key);

/* Whether an endpoint can stand in a mode. */
bool is_client_endp(const struct cdt_endp *endp);
bool is_server_endp(const struct cdt_endp *endp);

/* The tags of TLS: "TLS", "TLS_native", "OpenSSL". */
enum { TLS_TAGS = CDT_TLS_OPENSSL + 1 };
extern const char *const tls_tags[TLS_TAGS];

#endif
