/* Writing the short text of an endpoint, where there is one that reads back as the same. */
#include <string.h>

#include "resolve/writer.h"

const char *endp_ip(const struct cdt_addr *addr, char memory[CDT_ADDR_TEXT])
{
    cdt_addr_format(addr, memory);
    char *colon = strrchr(memory, ':');
    if (!colon)
        return memory;
    if (*memory != '[') {
        *colon = 0;
        return memory;
    }
    colon[-1] = 0;
    return memory + 1;
}

struct slice endp_tls_name(const struct cdt_endp *inner, char memory[CDT_ADDR_TEXT])
{
    switch (inner->kind) {
    case CDT_ENDP_HOST:
    case CDT_ENDP_TLS:
        return name_of(inner);
    case CDT_ENDP_TCP:
        return slice_of(endp_ip(&inner->addr, memory));
    default:
        return (struct slice){"", 0};
    }
}

/* HOST:PORT or PORT, behind "tcp:" or "tls:". */
static void put_tcp(struct writer *writer, const struct cdt_endp *endp)
{
    char memory[CDT_ADDR_TEXT];
    if (endp->kind == CDT_ENDP_TCP) {
        put_text(writer, cdt_addr_format(&endp->addr, memory));
        return;
    }
    put_slice(writer, name_of(endp));
    put_format(writer, endp->name_length ? ":%u" : "%u", endp->number);
}

/* Whether bytes can stand in a text that a 0 ends. */
static bool is_plain(struct slice slice)
{
    return slice.length && !memchr(slice.at, 0, slice.length);
}

static bool put_short_vchan(struct writer *writer, const struct cdt_endp *endp)
{
    const struct slice port = {endp->port, endp->port_length};
    if (!is_plain(port) || memchr(port.at, '/', port.length))
        return false;
    if (endp->kind == CDT_ENDP_VCHAN_DIRECT) {
        put_format(writer, "vchan:%u/", endp->number);
    } else {
        if (!is_plain(name_of(endp)) || endp->name[strspn(endp->name, "0123456789")] == 0)
            return false;
        put_text(writer, "vchan:");
        put_slice(writer, name_of(endp));
        put(writer, '/');
    }
    put_slice(writer, port);
    return true;
}

static bool put_short_tls(struct writer *writer, const struct cdt_endp *endp)
{
    char memory[CDT_ADDR_TEXT];
    const struct slice derived = endp_tls_name(endp->inner, memory);
    if (derived.length != endp->name_length || memcmp(derived.at, endp->name, derived.length) != 0)
        return false;
    if (endp->inner->kind == CDT_ENDP_TCP || endp->inner->kind == CDT_ENDP_HOST) {
        put_text(writer, "tls:");
        put_tcp(writer, endp->inner);
        return true;
    }
    put_text(writer, "tls+");
    return put_short(writer, endp->inner);
}

static bool put_short_name(struct writer *writer, const char *prefix, const struct cdt_endp *endp)
{
    if (!is_plain(name_of(endp)) || (endp->kind == CDT_ENDP_UNIX && slice_is(name_of(endp), "@")))
        return false;
    put_text(writer, prefix);
    put_slice(writer, name_of(endp));
    return true;
}

bool put_short(struct writer *writer, const struct cdt_endp *endp)
{
    switch (endp->kind) {
    case CDT_ENDP_TCP:
    case CDT_ENDP_HOST:
        put_text(writer, "tcp:");
        put_tcp(writer, endp);
        return true;
    case CDT_ENDP_UNIX:
        return put_short_name(writer, "unix:", endp);
    case CDT_ENDP_SYSTEMD:
        return put_short_name(writer, "systemd:", endp);
    case CDT_ENDP_FD:
        put_format(writer, "fd:%u", endp->number);
        return true;
    case CDT_ENDP_TLS:
        return put_short_tls(writer, endp);
    case CDT_ENDP_VCHAN_DIRECT:
    case CDT_ENDP_VCHAN_DOMAIN_SOCKET:
        return put_short_vchan(writer, endp);
    default:
        return false;
    }
}
