/* Sessions of a client: the last one of each name that was verified, the least recently used
 * forgotten first. Each is used once (RFC 8446 appendix C.4). With it, the certificate that the
 * server had shown. */
#ifndef TLS_SESSIONS_H
#define TLS_SESSIONS_H

#include <stddef.h>

struct tls_backend;
struct tls_certificate;

enum { TLS_SESSIONS_MAX = 64 };

struct tls_sessions {
    const struct tls_backend *backend;
    struct tls_session *first; /* most recently used */
    size_t count;
};

void tls_sessions_init(struct tls_sessions *sessions, const struct tls_backend *backend);
/* Forgets all. */
void tls_sessions_clear(struct tls_sessions *sessions);
/* Keeps a session, which belongs to it (or is freed, without memory), and a reference to the
 * certificate (may be NULL). */
void tls_sessions_put(struct tls_sessions *sessions, const char *name, void *session,
                      struct tls_certificate *certificate);
/* Takes the session of a name out, and the reference: NULL if there is none. */
void *tls_sessions_take(struct tls_sessions *sessions, const char *name,
                        struct tls_certificate **certificate);

#endif
