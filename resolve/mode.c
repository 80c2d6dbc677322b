/* Modes as values: making them, freeing them, and modes of endpoints. */
#include <stdio.h>
#include <string.h>

#include "resolve/mode.h"

const char *const tls_tags[TLS_TAGS] = {
    [CDT_TLS_ANY] = "TLS",
    [CDT_TLS_WOLFSSL] = "TLS_native",
    [CDT_TLS_OPENSSL] = "OpenSSL",
};

static bool is_over(const struct cdt_endp *endp, enum cdt_endp_kind kind)
{
    return endp->inner && endp->inner->kind == kind;
}

bool is_client_endp(const struct cdt_endp *endp)
{
    switch (endp->kind) {
    case CDT_ENDP_TCP:
    case CDT_ENDP_UNIX:
    case CDT_ENDP_VCHAN_DIRECT:
    case CDT_ENDP_VCHAN_DOMAIN_SOCKET:
        return true;
    case CDT_ENDP_TLS:
        return is_over(endp, CDT_ENDP_TCP);
    default:
        return false;
    }
}

bool is_server_endp(const struct cdt_endp *endp)
{
    switch (endp->kind) {
    case CDT_ENDP_HOST:
    case CDT_ENDP_FD:
    case CDT_ENDP_UNIX:
    case CDT_ENDP_VCHAN_DIRECT:
    case CDT_ENDP_VCHAN_DOMAIN_SOCKET:
    case CDT_ENDP_SYSTEMD:
        return true;
    case CDT_ENDP_TLS:
        return is_over(endp, CDT_ENDP_HOST);
    default:
        return false;
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

static size_t size_of_key(const struct key_slices *key)
{
    return key->cert.length + key->key.length + 2;
}

static void keep_key(struct cdt_own_key *kept, const struct key_slices *key, char *texts)
{
    if (!key->cert.at)
        return;
    kept->password = key->password;
    kept->cert_file = memcpy(texts, key->cert.at, key->cert.length);
    texts[key->cert.length] = 0;
    texts += key->cert.length + 1;
    kept->key_file = memcpy(texts, key->key.at, key->key.length);
    texts[key->key.length] = 0;
}

struct cdt_own_key *own_key_make(const struct key_slices *key)
{
    struct cdt_own_key *made = mem_zalloc(sizeof *made + size_of_key(key));
    if (made)
        keep_key(made, key, (char *)(made + 1));
    return made;
}

struct cdt_client_mode *client_mode_make(enum cdt_tls_backend tls, struct cdt_endp *endp)
{
    struct cdt_client_mode *mode = mem_zalloc(sizeof *mode);
    if (!mode)
        return NULL;
    mode->tls = tls;
    mode->endp = endp;
    return mode;
}

struct cdt_server_mode *server_mode_make(enum cdt_tls_backend tls, const struct key_slices *key,
                                         struct cdt_endp *endp)
{
    struct cdt_server_mode *mode = mem_zalloc(sizeof *mode + size_of_key(key));
    if (!mode)
        return NULL;
    mode->tls = tls;
    mode->endp = endp;
    keep_key(&mode->key, key, (char *)(mode + 1));
    return mode;
}

void cdt_client_mode_free(struct cdt_client_mode *mode)
{
    if (mode)
        cdt_endp_free(mode->endp);
    mem_free(mode);
}

void cdt_server_mode_free(struct cdt_server_mode *mode)
{
    if (mode)
        cdt_endp_free(mode->endp);
    mem_free(mode);
}

void cdt_own_key_free(struct cdt_own_key *key)
{
    mem_free(key);
}

/* ---- modes of endpoints ---------------------------------------------------------------------- */

/* The error of a value, which has no offset. */
static int refuse(struct cdt_text_error *error, const char *sentence, const char *more)
{
    if (error)
        snprintf(error->text, sizeof error->text, "%s%s", sentence, more);
    return -EINVAL;
}

static int no_memory(struct cdt_text_error *error)
{
    refuse(error, cdt_strerror(-ENOMEM), "");
    return -ENOMEM;
}

static int no_mode(struct cdt_text_error *error, const struct cdt_endp *endp, const char *sentence)
{
    if (endp->kind == CDT_ENDP_UNKNOWN)
        return refuse(error, "resolution failed: ", endp->name);
    if (endp->kind == CDT_ENDP_TLS)
        return refuse(error, "TLS over anything but TCP has no mode", "");
    return refuse(error, sentence, "");
}

int cdt_endp_to_client(const struct cdt_endp *endp, struct cdt_client_mode **mode,
                       struct cdt_text_error *error)
{
    if (error)
        *error = (struct cdt_text_error){0};
    if (!endp || !mode)
        return refuse(error, cdt_strerror(-EINVAL), "");
    if (!is_client_endp(endp))
        return no_mode(error, endp,
                       endp->kind == CDT_ENDP_HOST ? "the host name is not resolved yet"
                                                   : "an inherited descriptor is only for serving");
    struct cdt_endp *copy;
    if (cdt_endp_copy(endp, &copy) != 0)
        return no_memory(error);
    struct cdt_client_mode *made = client_mode_make(CDT_TLS_ANY, copy);
    if (!made) {
        cdt_endp_free(copy);
        return no_memory(error);
    }
    *mode = made;
    return 0;
}

/* A port of every address. */
static struct cdt_endp *host_of(const struct cdt_endp *endp)
{
    const struct slice nothing = {"", 0};
    return endp_make(CDT_ENDP_HOST,
                     endp->kind == CDT_ENDP_TCP ? cdt_addr_port(&endp->addr) : endp->number,
                     nothing, nothing);
}

static bool is_tcp(const struct cdt_endp *endp)
{
    return endp && (endp->kind == CDT_ENDP_TCP || endp->kind == CDT_ENDP_HOST);
}

/* The endpoint of a server's mode; NULL: no memory. */
static struct cdt_endp *to_serve(const struct cdt_endp *endp)
{
    struct cdt_endp *made = NULL;
    if (is_tcp(endp))
        return host_of(endp);
    if (endp->kind != CDT_ENDP_TLS)
        return cdt_endp_copy(endp, &made) == 0 ? made : NULL;
    struct cdt_endp *inner = host_of(endp->inner);
    if (inner && cdt_endp_tls("", inner, &made) != 0)
        cdt_endp_free(inner);
    return made;
}

int cdt_endp_to_server(const struct cdt_endp *endp, const struct cdt_own_key *key,
                       struct cdt_server_mode **mode, struct cdt_text_error *error)
{
    struct key_slices slices = {0};
    if (error)
        *error = (struct cdt_text_error){0};
    if (!endp || !mode)
        return refuse(error, cdt_strerror(-EINVAL), "");
    if (endp->kind == CDT_ENDP_UNKNOWN || (endp->kind == CDT_ENDP_TLS && !is_tcp(endp->inner)))
        return no_mode(error, endp, "");
    if (endp->kind == CDT_ENDP_TLS) {
        if (!key || !key->cert_file || !key->key_file)
            return refuse(error, "No TLS server key configured", "");
        slices =
            (struct key_slices){slice_of(key->cert_file), slice_of(key->key_file), key->password};
    }
    struct cdt_endp *own = to_serve(endp);
    struct cdt_server_mode *made = own ? server_mode_make(CDT_TLS_ANY, &slices, own) : NULL;
    if (!made) {
        cdt_endp_free(own);
        return no_memory(error);
    }
    *mode = made;
    return 0;
}
