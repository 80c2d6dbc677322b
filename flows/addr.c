/* Socket addresses as values: reading numeric IP addresses and Unix names, and writing any of them
 * for people. The text of IPv6 follows RFC 5952; the dotted form is used for ::ffff:0:0/96 only. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <conduit/addr.h>

enum { UNIX_BASE = offsetof(struct sockaddr_un, sun_path), UNIX_NAME = 107 };

/* A scope by number or by the name of an interface. */
static int read_scope(const char *text, uint32_t *scope)
{
    uint64_t number = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && number <= UINT32_MAX)
        number = number * 10 + (uint64_t)(*at++ - '0');
    if (*at == 0 && at != text) {
        if (number == 0 || number > UINT32_MAX)
            return -EINVAL;
        *scope = (uint32_t)number;
        return 0;
    }
    if (*text == 0)
        return -EINVAL;
    *scope = if_nametoindex(text);
    return *scope ? 0 : -ENODEV;
}

int cdt_addr_ip(struct cdt_addr *addr, const char *ip, uint16_t port)
{
    if (!addr || !ip)
        return -EINVAL;
    struct cdt_addr made = {0};
    if (inet_pton(AF_INET, ip, &made.v4.sin_addr) == 1) {
        made.length = sizeof made.v4;
        made.v4.sin_family = AF_INET;
        made.v4.sin_port = htons(port);
        *addr = made;
        return 0;
    }
    char bare[INET6_ADDRSTRLEN];
    const size_t length = strcspn(ip, "%");
    if (length >= sizeof bare)
        return -EINVAL;
    memcpy(bare, ip, length);
    bare[length] = 0;
    if (inet_pton(AF_INET6, bare, &made.v6.sin6_addr) != 1)
        return -EINVAL;
    if (ip[length]) {
        const int status = read_scope(ip + length + 1, &made.v6.sin6_scope_id);
        if (status)
            return status;
    }
    made.length = sizeof made.v6;
    made.v6.sin6_family = AF_INET6;
    made.v6.sin6_port = htons(port);
    *addr = made;
    return 0;
}

int cdt_addr_any(struct cdt_addr *addr, int family, uint16_t port)
{
    if (family == AF_INET)
        return cdt_addr_ip(addr, "0.0.0.0", port);
    if (family == AF_INET6)
        return cdt_addr_ip(addr, "::", port);
    return -EINVAL;
}

int cdt_addr_unix(struct cdt_addr *addr, const char *path)
{
    if (!addr || !path || !*path)
        return -EINVAL;
    const bool abstract = *path == '@';
    const char *name = path + abstract;
    const size_t length = strlen(name);
    if (length == 0)
        return -EINVAL;
    if (length > UNIX_NAME)
        return -ENAMETOOLONG;
    memset(addr, 0, sizeof *addr);
    addr->local.sun_family = AF_UNIX;
    memcpy(addr->local.sun_path + abstract, name, length);
    addr->length =
        (socklen_t)(UNIX_BASE + length + 1); /* the first 0 of "@", or the last of a path */
    return 0;
}

/* The bytes of a Unix name: without the 0 that ends a path, with the one that begins an abstract
 * name. */
static size_t unix_name(const struct cdt_addr *addr, const char **name)
{
    *name = addr->local.sun_path;
    if (addr->length <= UNIX_BASE)
        return 0;
    size_t length = addr->length - UNIX_BASE;
    if (length > sizeof addr->local.sun_path)
        length = sizeof addr->local.sun_path;
    return **name ? strnlen(*name, length) : length;
}

_Static_assert(CDT_ADDR_TEXT > 4 * sizeof((struct sockaddr_un *)0)->sun_path, "all of a name fits");

static void format_unix(const struct cdt_addr *addr, char text[CDT_ADDR_TEXT])
{
    const char *name;
    const size_t length = unix_name(addr, &name);
    char *out = text;
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)name[i];
        if (i == 0 && byte == 0)
            *out++ = '@';
        else if (byte >= ' ' && byte < 127 && byte != '\\')
            *out++ = (char)byte;
        else
            out += snprintf(out, 5, "\\x%02x", byte);
    }
    *out = 0;
}

/* As inet_ntop(3), except that it writes ::102:304 for what is not an IPv4 address. */
static void format_v6(const struct in6_addr *ip, char text[INET6_ADDRSTRLEN])
{
    const uint8_t *b = ip->s6_addr;
    const unsigned high = (unsigned)(b[12] << 8 | b[13]), low = (unsigned)(b[14] << 8 | b[15]);
    if (IN6_IS_ADDR_V4COMPAT(ip) && high)
        snprintf(text, INET6_ADDRSTRLEN, "::%x:%x", high, low);
    else
        inet_ntop(AF_INET6, ip, text, INET6_ADDRSTRLEN);
}

const char *cdt_addr_format(const struct cdt_addr *addr, char text[CDT_ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN];
    if (!text)
        return "";
    *text = 0;
    if (!addr || addr->length < sizeof addr->any.sa_family)
        return text;
    switch (addr->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &addr->v4.sin_addr, ip, sizeof ip);
        snprintf(text, CDT_ADDR_TEXT, "%s:%u", ip, cdt_addr_port(addr));
        break;
    case AF_INET6:
        format_v6(&addr->v6.sin6_addr, ip);
        if (addr->v6.sin6_scope_id)
            snprintf(text, CDT_ADDR_TEXT, "[%s%%%u]:%u", ip, addr->v6.sin6_scope_id,
                     cdt_addr_port(addr));
        else
            snprintf(text, CDT_ADDR_TEXT, "[%s]:%u", ip, cdt_addr_port(addr));
        break;
    case AF_UNIX:
        format_unix(addr, text);
        break;
    default:
        break;
    }
    return text;
}

uint16_t cdt_addr_port(const struct cdt_addr *addr)
{
    if (!addr || !addr->length)
        return 0;
    if (addr->any.sa_family == AF_INET)
        return ntohs(addr->v4.sin_port);
    if (addr->any.sa_family == AF_INET6)
        return ntohs(addr->v6.sin6_port);
    return 0;
}

static int unix_equal(const struct cdt_addr *a, const struct cdt_addr *b)
{
    const char *name_a, *name_b;
    const size_t length_a = unix_name(a, &name_a), length_b = unix_name(b, &name_b);
    return length_a == length_b && memcmp(name_a, name_b, length_a) == 0;
}

int cdt_addr_equal(const struct cdt_addr *a, const struct cdt_addr *b)
{
    if (!a || !b)
        return 0;
    if (!a->length || !b->length)
        return a->length == b->length;
    if (a->any.sa_family != b->any.sa_family || cdt_addr_port(a) != cdt_addr_port(b))
        return 0;
    switch (a->any.sa_family) {
    case AF_INET:
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    case AF_INET6:
        return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0 &&
               a->v6.sin6_scope_id == b->v6.sin6_scope_id;
    case AF_UNIX:
        return unix_equal(a, b);
    default:
        return 0;
    }
}
