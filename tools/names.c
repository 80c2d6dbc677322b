/* From the texts of the command line to endpoints. Host names go through getaddrinfo(3), before the
 * reactor runs. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* ---- the list -------------------------------------------------------------------------------- */

static int out_of_memory(const char *text)
{
    return complain(text, cdt_strerror(-ENOMEM));
}

/* Takes the endpoint. */
static void append(struct targets *targets, struct cdt_endp *endp)
{
    if (targets->count < sizeof targets->endps / sizeof targets->endps[0])
        targets->endps[targets->count++] = endp;
    else
        cdt_endp_free(endp);
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        cdt_endp_free(targets->endps[i]);
    targets->count = 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The endpoint with its host replaced by an address, TLS and all. NULL: no memory. */
static struct cdt_endp *with_address(const struct cdt_endp *endp, const struct cdt_addr *addr)
{
    struct cdt_endp *made = NULL, *inner;
    if (endp->kind != CDT_ENDP_TLS)
        return cdt_endp_tcp(addr, &made) == 0 ? made : NULL;
    inner = with_address(endp->inner, addr);
    if (!inner)
        return NULL;
    if (cdt_endp_tls(endp->name, inner, &made) != 0)
        cdt_endp_free(inner);
    return made;
}

static bool is_other_family(const struct settings *settings, int family)
{
    return settings->bind.length && settings->bind.any.sa_family != family;
}

static int name_error(const char *text, int code)
{
    if (code == EAI_SYSTEM)
        return complain(text, cdt_strerror(-errno));
    char why[128];
    snprintf(why, sizeof why, "%s", gai_strerror(code));
    why[0] = (char)tolower((unsigned char)why[0]);
    return complain(text, why);
}

/* The addresses of a name; only those of --bind's family if `settings` are given. */
static int resolve(const struct settings *settings, struct targets *targets,
                   const struct cdt_endp *endp)
{
    const struct cdt_endp *host = cdt_endp_base(endp);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const char *name = host->name_length ? host->name : "localhost";
    const int code = getaddrinfo(name, NULL, &hints, &found);
    if (code)
        return name_error(targets->text, code);
    int status = 0;
    bool left_out = false;
    for (const struct addrinfo *info = found; info && status == 0; info = info->ai_next) {
        struct cdt_addr addr = {.length = info->ai_addrlen};
        if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
            continue;
        if (settings && is_other_family(settings, info->ai_family)) {
            left_out = true;
            continue;
        }
        memcpy(&addr.any, info->ai_addr, info->ai_addrlen);
        if (info->ai_family == AF_INET)
            addr.v4.sin_port = htons((uint16_t)host->number);
        else
            addr.v6.sin6_port = htons((uint16_t)host->number);
        struct cdt_endp *made = with_address(endp, &addr);
        if (made)
            append(targets, made);
        else
            status = out_of_memory(targets->text);
    }
    freeaddrinfo(found);
    if (status == 0 && targets->count == 0)
        return complain(targets->text, left_out ? "the name has no address of --bind's family"
                                                : "the name has no IP address");
    return status;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* A path that no socket can have; NULL: it can. A first 0 byte is the abstract namespace. */
static const char *wrong_path(const struct cdt_endp *endp)
{
    struct cdt_addr addr;
    const size_t skip = endp->name_length && *endp->name == 0;
    if (endp->name_length > sizeof addr.local.sun_path)
        return "a Unix socket's path has at most 107 bytes";
    if (endp->name_length == skip || strlen(endp->name + skip) != endp->name_length - skip)
        return "a Unix socket's path is not empty and holds no 0 byte";
    if (!skip && cdt_addr_unix(&addr, endp->name) != 0)
        return "a Unix socket's path has at most 107 bytes";
    return NULL;
}

/* An inherited descriptor is open, and none of ours. */
static int check_descriptor(const char *text, int fd)
{
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0)
        return complain(text, cdt_strerror(-errno));
    return flags & FD_CLOEXEC ? complain(text, "this descriptor was not inherited") : 0;
}

/* Whether the carrier is built in, and can connect, or listen. */
static int check(const struct settings *settings, const char *text, const struct cdt_endp *endp,
                 bool listening)
{
    static const char *const missing[CDT_ENDP_KINDS] = {
        [CDT_ENDP_TLS] = "TLS is not built in",
        [CDT_ENDP_VCHAN_DIRECT] = "vchan is not built in",
        [CDT_ENDP_VCHAN_DOMAIN_SOCKET] = "vchan is not built in",
    };
    const char *wrong = endp->kind == CDT_ENDP_UNIX ? wrong_path(endp) : NULL;
    if (wrong)
        return misuse(text, "%s", wrong);
    if (missing[endp->kind])
        return misuse(text, "%s", missing[endp->kind]);
    if (!listening && (endp->kind == CDT_ENDP_FD || endp->kind == CDT_ENDP_SYSTEMD))
        return misuse(text, "an inherited descriptor is only for listening");
    if (listening && endp->kind == CDT_ENDP_UNKNOWN)
        return misuse(text, "an unknown endpoint");
    if (!listening && endp->kind == CDT_ENDP_TCP &&
        is_other_family(settings, endp->addr.any.sa_family))
        return misuse(text, "the address of --bind is of another family");
    return endp->kind == CDT_ENDP_FD ? check_descriptor(text, (int)endp->number) : 0;
}

/* What was wrong with a text: an URI, or where it went wrong. */
static int text_error(const char *text, int status, const struct cdt_endp_error *error)
{
    if (status == -ENOMEM)
        return out_of_memory(text);
    if (status == -EPROTONOSUPPORT && strstr(text, "://"))
        return misuse(text, "names are not resolved in this build");
    return misuse(text, "%s", error->text);
}

/* Listening without a host: the address of --bind, if there is one. */
static int listen_anywhere(const struct settings *settings, struct targets *targets,
                           struct cdt_endp *endp)
{
    const struct cdt_endp *host = cdt_endp_base(endp);
    if (!settings->bind.length) {
        append(targets, endp);
        return 0;
    }
    struct cdt_addr addr = settings->bind;
    if (addr.any.sa_family == AF_INET)
        addr.v4.sin_port = htons((uint16_t)host->number);
    else
        addr.v6.sin6_port = htons((uint16_t)host->number);
    struct cdt_endp *made = with_address(endp, &addr);
    cdt_endp_free(endp);
    if (!made)
        return out_of_memory(targets->text);
    append(targets, made);
    return 0;
}

int targets_read(const struct settings *settings, const char *text, bool listening,
                 struct targets *targets)
{
    struct cdt_endp_error error;
    struct cdt_endp *endp;
    *targets = (struct targets){.text = text};
    int status = cdt_endp_parse(text, &endp, &error);
    if (status)
        return text_error(text, status, &error);
    status = settings->command->bit == RESOLVE ? 0 : check(settings, text, endp, listening);
    if (status) {
        cdt_endp_free(endp);
        return status;
    }
    const struct cdt_endp *base = cdt_endp_base(endp);
    if (base->kind != CDT_ENDP_HOST) {
        append(targets, endp);
        return 0;
    }
    if (listening && base->name_length == 0)
        return listen_anywhere(settings, targets, endp);
    status = resolve(listening ? NULL : settings, targets, endp);
    cdt_endp_free(endp);
    if (status)
        targets_free(targets);
    return status;
}
