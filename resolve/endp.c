/* Endpoints as values: making, copying, comparing, freeing. An endpoint and its texts are one
 * allocation; what is inside TLS is another. */
#include <stdio.h>
#include <string.h>

#include "resolve/internal.h"

static const struct slice nothing = {"", 0};

struct cdt_endp *endp_make(enum cdt_endp_kind kind, uint32_t number, struct slice name,
                           struct slice port)
{
    struct cdt_endp *endp = mem_zalloc(sizeof *endp + name.length + port.length + 2);
    if (!endp)
        return NULL;
    char *texts = (char *)(endp + 1);
    endp->kind = kind;
    endp->number = number;
    endp->name = texts;
    endp->name_length = name.length;
    endp->port = texts + name.length + 1;
    endp->port_length = port.length;
    if (name.length) /* else it may be NULL */
        memcpy(texts, name.at, name.length);
    if (port.length)
        memcpy(texts + name.length + 1, port.at, port.length);
    return endp;
}

static int made(struct cdt_endp *endp, struct cdt_endp **result)
{
    if (!endp)
        return -ENOMEM;
    *result = endp;
    return 0;
}

int cdt_endp_tcp(const struct cdt_addr *addr, struct cdt_endp **endp)
{
    if (!addr || !endp || !addr->length ||
        (addr->any.sa_family != AF_INET && addr->any.sa_family != AF_INET6))
        return -EINVAL;
    struct cdt_endp *new = endp_make(CDT_ENDP_TCP, 0, nothing, nothing);
    if (new)
        new->addr = *addr;
    return made(new, endp);
}

struct cdt_endp *endp_make_tcp(const struct cdt_addr *addr, uint16_t port)
{
    struct cdt_endp *endp = endp_make(CDT_ENDP_TCP, 0, nothing, nothing);
    if (!endp)
        return NULL;
    endp->addr = *addr;
    if (addr->any.sa_family == AF_INET)
        endp->addr.v4.sin_port = htons(port);
    else
        endp->addr.v6.sin6_port = htons(port);
    return endp;
}

static int make_named(enum cdt_endp_kind kind, uint32_t number, const char *name, const char *port,
                      struct cdt_endp **endp)
{
    if (!name || !port || !endp)
        return -EINVAL;
    return made(endp_make(kind, number, slice_of(name), slice_of(port)), endp);
}

int cdt_endp_unix(const char *path, struct cdt_endp **endp)
{
    return make_named(CDT_ENDP_UNIX, 0, path, "", endp);
}

int cdt_endp_vchan_direct(uint32_t domid, const char *port, struct cdt_endp **endp)
{
    if (domid > UINT16_MAX)
        return -EINVAL;
    return make_named(CDT_ENDP_VCHAN_DIRECT, domid, "", port, endp);
}

int cdt_endp_vchan_domain_socket(const char *name, const char *port, struct cdt_endp **endp)
{
    return make_named(CDT_ENDP_VCHAN_DOMAIN_SOCKET, 0, name, port, endp);
}

int cdt_endp_unknown(const char *reason, struct cdt_endp **endp)
{
    return make_named(CDT_ENDP_UNKNOWN, 0, reason, "", endp);
}

int cdt_endp_host(const char *name, uint16_t port, struct cdt_endp **endp)
{
    char ascii[HOST_ASCII];
    const char *why;
    const int status = name && *name ? host_to_ascii(slice_of(name), ascii, &why) : 0;
    return status ? status : make_named(CDT_ENDP_HOST, port, name, "", endp);
}

int cdt_endp_systemd(const char *name, struct cdt_endp **endp)
{
    return make_named(CDT_ENDP_SYSTEMD, 0, name, "", endp);
}

int cdt_endp_fd(int fd, struct cdt_endp **endp)
{
    if (fd < 0)
        return -EINVAL;
    return make_named(CDT_ENDP_FD, (uint32_t)fd, "", "", endp);
}

unsigned endp_depth(const struct cdt_endp *endp)
{
    unsigned depth = 0;
    for (; endp; endp = endp->inner)
        depth++;
    return depth;
}

int cdt_endp_tls(const char *host, struct cdt_endp *inner, struct cdt_endp **endp)
{
    if (!host || !inner || !endp)
        return -EINVAL;
    if (endp_depth(inner) >= CDT_ENDP_DEPTH)
        return -E2BIG;
    struct cdt_endp *new = endp_make(CDT_ENDP_TLS, 0, slice_of(host), nothing);
    if (new)
        new->inner = inner;
    return made(new, endp);
}

int cdt_endp_of_addr(const struct cdt_addr *addr, struct cdt_endp **endp)
{
    if (!addr || !endp || !addr->length)
        return -EINVAL;
    if (addr->any.sa_family != AF_UNIX)
        return cdt_endp_tcp(addr, endp);
    const size_t base = offsetof(struct sockaddr_un, sun_path);
    char name[sizeof addr->local.sun_path];
    size_t length = addr->length > base ? addr->length - base : 0;
    if (length > sizeof name)
        length = sizeof name;
    memcpy(name, addr->local.sun_path, length);
    if (length && name[0] == 0)
        name[0] = '@';
    else
        length = strnlen(name, length);
    return made(endp_make(CDT_ENDP_UNIX, 0, (struct slice){name, length}, nothing), endp);
}

void cdt_endp_free(struct cdt_endp *endp)
{
    while (endp) {
        struct cdt_endp *inner = endp->inner;
        mem_free(endp);
        endp = inner;
    }
}

int cdt_endp_copy(const struct cdt_endp *endp, struct cdt_endp **copy)
{
    if (!endp || !copy)
        return -EINVAL;
    struct cdt_endp *first = NULL, **link = &first;
    for (; endp; endp = endp->inner) {
        struct cdt_endp *new =
            endp_make(endp->kind, endp->number, (struct slice){endp->name, endp->name_length},
                      (struct slice){endp->port, endp->port_length});
        if (!new) {
            cdt_endp_free(first);
            return -ENOMEM;
        }
        new->addr = endp->addr;
        *link = new;
        link = &new->inner;
    }
    *copy = first;
    return 0;
}

static bool same_bytes(const char *a, size_t length_a, const char *b, size_t length_b)
{
    return length_a == length_b && memcmp(a, b, length_a) == 0;
}

int cdt_endp_equal(const struct cdt_endp *a, const struct cdt_endp *b)
{
    for (; a && b; a = a->inner, b = b->inner) {
        if (a->kind != b->kind || a->number != b->number ||
            !same_bytes(a->name, a->name_length, b->name, b->name_length) ||
            !same_bytes(a->port, a->port_length, b->port, b->port_length) ||
            !cdt_addr_equal(&a->addr, &b->addr))
            return 0;
    }
    return !a && !b;
}

const struct cdt_endp *cdt_endp_base(const struct cdt_endp *endp)
{
    while (endp && endp->inner)
        endp = endp->inner;
    return endp;
}

bool vchan_port_is_valid(struct slice port)
{
    for (size_t i = 0; i < port.length; i++) {
        const char c = port.at[i];
        if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') && c != '_' &&
            c != '-')
            return false;
    }
    return port.length > 0;
}
