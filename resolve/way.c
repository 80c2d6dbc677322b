/* The way of a URI: from its scheme to the service, from its host to the rule, which is asked;
 * or straight to a Unix socket. Services and rules are functions of the user's, which may free
 * the resolver or this resolution: it has no resolver then. */
#include <string.h>

#include "resolve/resolver.h"

/* A path of a URI without its percent-encoding; NULL: it is wrong. Any byte but 0. */
static char *decode(const char *from, char *to)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    char *out = to;
    while (*from) {
        if (*from != '%') {
            *out++ = *from++;
            continue;
        }
        const char *high = from[1] ? strchr(digits, from[1]) : NULL;
        const char *low = high && from[2] ? strchr(digits, from[2]) : NULL;
        const int byte = low ? ((int)((high - digits) & 15) << 4 | (int)((low - digits) & 15)) : 0;
        if (!byte)
            return NULL;
        *out++ = (char)byte;
        from += 3;
    }
    *out = 0;
    return to;
}

static int add_path(struct cdt_resolution *r, const char *path)
{
    struct cdt_endp *endp;
    const int status = cdt_endp_unix(path, &endp);
    return status ? status : resolution_add_owned(r, endp);
}

/* http+unix://%2Frun%2Fapp.sock/index, or without a host unix:/run/app.sock. */
static int add_unix(struct cdt_resolution *r)
{
    static const char wrong[] = "expected the path of a Unix socket";
    if (r->uri->kind == CDT_URI_PATH)
        return add_path(r, r->uri->host);
    if (r->uri->kind != CDT_URI_NO_HOST || !*r->uri->path)
        return resolution_refuse(r, -EINVAL, wrong);
    char *memory = mem_alloc(strlen(r->uri->path) + 1);
    if (!memory)
        return -ENOMEM;
    const char *path = decode(r->uri->path, memory);
    const int status = path ? add_path(r, path) : resolution_refuse(r, -EINVAL, wrong);
    mem_free(memory);
    return status;
}

/* Takes srv+ and +unix off a scheme. */
static const char *bare_scheme(const char *scheme, char *memory, bool *srv, bool *is_unix)
{
    static const char before[] = "srv+", behind[] = "+unix";
    size_t length = strlen(scheme);
    const size_t tail = sizeof behind - 1;
    if (strncmp(scheme, before, sizeof before - 1) == 0) {
        *srv = true;
        scheme += sizeof before - 1;
        length -= sizeof before - 1;
    }
    *is_unix = length > tail && strcmp(scheme + length - tail, behind) == 0;
    if (!*is_unix)
        return scheme;
    memcpy(memory, scheme, length - tail);
    memory[length - tail] = 0;
    return memory;
}

enum { SCHEME_SIZE = sizeof((struct cdt_service *)0)->name };

/* Finds the service; 1 if the URI is for a Unix socket. */
static int find_service(struct cdt_resolution *r)
{
    char memory[SCHEME_SIZE];
    bool is_unix;
    const char *scheme = r->uri->scheme;
    struct cdt_service service;
    if (!scheme)
        return resolution_refuse(r, -CDT_ENOSERVICE, "no scheme");
    if (strlen(scheme) >= sizeof memory)
        return -CDT_ENOSERVICE;
    scheme = bare_scheme(scheme, memory, &r->srv, &is_unix);
    const int status = resolver_find_service(r->resolver, scheme, &service);
    if (!r->resolver)
        return status;
    r->service = service;
    r->tls = status == 0 && service.tls;
    if (status && strcmp(scheme, "unix") == 0)
        return 1;
    return status ? status : is_unix;
}

static int ask_rule(struct cdt_resolution *r)
{
    if (!r->rule_fn)
        return -CDT_ENORULE;
    r->in_rule = true;
    const int status = r->rule_fn(r->rule_user, r, &r->service, &r->view);
    if (r->resolver && status != 1)
        r->in_rule = false;
    return status < 0 ? status : 0;
}

static void trace_way(const struct cdt_resolution *r)
{
    const char *suffix = r->rule ? r->rule->suffix : NULL;
    if (!r->resolver->trace)
        return;
    trace(r->resolver, "%s: service %s, port %u%s", r->uri->text, r->service.name, r->service.port,
          r->service.tls ? ", TLS" : "");
    trace(r->resolver, "%s: %s%s%s", r->view.host,
          suffix       ? "rule \""
          : r->rule_fn ? "rule of this call"
                       : "no rule",
          suffix ? suffix : "", suffix ? "\"" : "");
}

int way_go(struct cdt_resolution *r)
{
    int status = find_service(r);
    if (!r->resolver)
        return 0;
    if (status == 0) {
        trace_way(r);
        status = ask_rule(r);
    } else if (status == 1) {
        status = add_unix(r);
    }
    return status;
}
