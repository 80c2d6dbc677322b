/* A client's sessions: a short list, the most recently used first. A session is taken out to be
 * offered, so that nobody can tell two connections to be of one client by it. */
#include <string.h>

#include "reactor/internal.h"
#include "tls/certificate.h"
#include "tls/config.h"

struct tls_session {
    struct tls_session *next;
    void *session;
    struct tls_certificate *certificate;
    char name[];
};

void tls_sessions_init(struct tls_sessions *sessions, const struct tls_backend *backend)
{
    *sessions = (struct tls_sessions){.backend = backend};
}

static void drop(const struct tls_backend *backend, struct tls_session *session)
{
    backend->session_free(session->session);
    tls_certificate_put(session->certificate);
    mem_free(session);
}

void tls_sessions_clear(struct tls_sessions *sessions)
{
    while (sessions->first) {
        struct tls_session *session = sessions->first;
        sessions->first = session->next;
        drop(sessions->backend, session);
    }
    sessions->count = 0;
}

/* Takes the one of a name off the list; NULL: the last one. */
static struct tls_session *unlink_one(struct tls_sessions *sessions, const char *name)
{
    for (struct tls_session **at = &sessions->first; *at; at = &(*at)->next) {
        struct tls_session *session = *at;
        if (name ? strcmp(session->name, name) != 0 : session->next != NULL)
            continue;
        *at = session->next;
        sessions->count--;
        return session;
    }
    return NULL;
}

void tls_sessions_put(struct tls_sessions *sessions, const char *name, void *session,
                      struct tls_certificate *certificate)
{
    struct tls_session *old = unlink_one(sessions, name);
    if (!old && sessions->count == TLS_SESSIONS_MAX)
        old = unlink_one(sessions, NULL);
    if (old)
        drop(sessions->backend, old);

    const size_t length = strlen(name) + 1;
    struct tls_session *made = mem_alloc(sizeof *made + length);
    if (!made) {
        sessions->backend->session_free(session);
        return;
    }
    *made = (struct tls_session){.next = sessions->first, .session = session};
    if (certificate)
        made->certificate = tls_certificate_get(certificate);
    memcpy(made->name, name, length);
    sessions->first = made;
    sessions->count++;
}

void *tls_sessions_take(struct tls_sessions *sessions, const char *name,
                        struct tls_certificate **certificate)
{
    struct tls_session *found = unlink_one(sessions, name);
    *certificate = found ? found->certificate : NULL;
    if (!found)
        return NULL;
    void *session = found->session;
    mem_free(found);
    return session;
}

/* ---- of connections -------------------------------------------------------------------------- */

/* What sessions are kept under. A connection without a name was verified without one: that is for
 * the configuration to decide, which does it for all of its connections alike. */
static const char *key_of(const struct tls_connection *connection)
{
    return connection->name ? connection->name : "";
}

static bool resumes(const struct tls_connection *connection)
{
    return connection->role == CDT_TLS_CLIENT && !connection->failed &&
           connection->config->options.resumption != CDT_OFF;
}

void tls_keep_session(struct tls_connection *connection, void *session)
{
    struct cdt_tls_config *config = connection->config;
    if (!resumes(connection) || connection->generation != config->generation) {
        connection->backend->session_free(session);
        return;
    }
    tls_sessions_put(&config->sessions, key_of(connection), session, connection->peer);
}

void *tls_take_session(struct tls_connection *connection)
{
    struct tls_certificate *certificate;
    if (!resumes(connection))
        return NULL;
    connection->generation = connection->config->generation;
    void *session =
        tls_sessions_take(&connection->config->sessions, key_of(connection), &certificate);
    if (session) {
        tls_certificate_put(connection->peer);
        connection->peer = certificate; /* unless the server wants a full handshake */
    }
    return session;
}
