/* The host of a URI: a name, an address literal, or the path of a Unix socket. */
#include <string.h>

#include "resolve/uri_parts.h"

static unsigned hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* Decodes what is well encoded, into a text as long as `raw` and a 0. */
static int decode(const struct uri_parts *parts, struct slice raw, char *out, size_t *length)
{
    *length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        unsigned char byte = (unsigned char)raw.at[i];
        if (byte == '%') {
            byte = (unsigned char)(hex(raw.at[i + 1]) << 4 | hex(raw.at[i + 2]));
            if (byte == 0)
                return uri_wrong(parts, raw.at + i, "expected no %00 in a host");
            i += 2;
        }
        out[(*length)++] = (char)byte;
    }
    out[*length] = 0;
    return 0;
}

/* The place in the text of a byte that was decoded. */
static const char *place_of(struct slice raw, size_t decoded)
{
    const char *at = raw.at;
    while (decoded--)
        at += *at == '%' ? 3 : 1;
    return at;
}

/* The scope behind % or %25, as an interface can be called. %25 alone is no scope (RFC 6874). */
static int read_scope(const struct uri_parts *parts, char scope[32])
{
    static const char expected[] = "expected a scope after %";
    struct slice raw = {parts->zone.at + 1, parts->zone.length - 1};
    size_t length;
    if (raw.length >= 2 && memcmp(raw.at, "25", 2) == 0)
        raw = (struct slice){raw.at + 2, raw.length - 2};
    if (raw.length == 0)
        return uri_wrong(parts, raw.at, expected);
    if (raw.length >= 32)
        return uri_wrong(parts, raw.at, "expected a scope of at most 31 bytes");
    const int status = decode(parts, raw, scope, &length);
    if (status == 0 && strchr(scope, '%'))
        return uri_wrong(parts, raw.at, expected);
    return status;
}

static int read_literal(const struct uri_parts *parts, char *host, struct cdt_addr *addr)
{
    char text[INET6_ADDRSTRLEN + 33], memory[CDT_ADDR_TEXT];
    const size_t length = parts->host.length - parts->zone.length;
    int status = -EINVAL;
    if (length < INET6_ADDRSTRLEN) {
        memcpy(text, parts->host.at, length);
        text[length] = 0;
        status = cdt_addr_ip(addr, text, 0);
    }
    if (status || addr->any.sa_family != AF_INET6)
        return uri_wrong(parts, parts->host.at, "expected an IPv6 address");
    if (parts->zone.at) {
        text[length] = '%';
        status = read_scope(parts, text + length + 1);
        if (status)
            return status;
        status = cdt_addr_ip(addr, text, 0);
        if (status)
            return endp_wrong(parts->error, status, (size_t)(parts->zone.at - parts->text.at),
                              "expected the scope of an interface that exists");
    }
    const char *ip = endp_ip(addr, memory);
    memcpy(host, ip, strlen(ip) + 1);
    return 0;
}

static int read_name(const struct uri_parts *parts, char *host, size_t length)
{
    char ascii[HOST_ASCII];
    const char *why;
    size_t at;
    const int status = host_to_ascii_at((struct slice){host, length}, ascii, &why, &at);
    if (status == 0)
        memcpy(host, ascii, strlen(ascii) + 1);
    return status == -EINVAL ? uri_wrong(parts, place_of(parts->host, at), why) : status;
}

int uri_read_host(const struct uri_parts *parts, char *host, enum cdt_uri_host *kind,
                  struct cdt_addr *addr)
{
    size_t length;
    *host = 0;
    *kind = CDT_URI_NO_HOST;
    if (!parts->host.length && !parts->brackets)
        return 0;
    *kind = CDT_URI_ADDRESS;
    if (parts->brackets)
        return read_literal(parts, host, addr);
    const int status = decode(parts, parts->host, host, &length);
    if (status)
        return status;
    if (!strchr(host, ':') && cdt_addr_ip(addr, host, 0) == 0)
        return 0;
    *kind = *host == '/' || *host == '@' ? CDT_URI_PATH : CDT_URI_NAME;
    return *kind == CDT_URI_PATH ? 0 : read_name(parts, host, length);
}
