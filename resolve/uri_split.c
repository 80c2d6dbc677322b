/* The parts of a URI, by its delimiters (RFC 3986 appendix B). The bytes and what has a limit are
 * checked here, where the offset and a sentence can be given; the grammar is left to liburiparser.
 * */
#include <string.h>

#include "resolve/uri_parts.h"

int uri_wrong(const struct uri_parts *parts, const char *at, const char *sentence)
{
    return endp_wrong(parts->error, -EINVAL, (size_t)(at - parts->text.at), "%s", sentence);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* How many bytes the character has, beyond ASCII; 0: no UTF-8 (RFC 3629). Ends at a 0 byte. */
static size_t utf8_length(const char *text)
{
    static const struct {
        unsigned char first, last, low, high; /* range of the first byte, and of the second */
        size_t length;
    } rows[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *byte = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (*byte < rows[i].first || *byte > rows[i].last)
            continue;
        if (byte[1] < rows[i].low || byte[1] > rows[i].high)
            return 0;
        for (size_t next = 2; next < rows[i].length; next++) {
            if ((byte[next] & 0xc0) != 0x80)
                return 0;
        }
        return rows[i].length;
    }
    return 0;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* A byte that no URI has, and what is written instead. */
static int bad_byte(const struct uri_parts *parts, const char *at)
{
    char what[24] = "a control character";
    if (*at == ' ')
        strcpy(what, "a space");
    else if (*at > ' ' && *at < 127)
        memcpy(what, (char[]){*at, 0}, 2);
    return endp_wrong(parts->error, -EINVAL, (size_t)(at - parts->text.at),
                      "expected %%%02X instead of %s", (unsigned char)*at, what);
}

/* Bytes that no URI has, and UTF-8. */
static int check_bytes(const struct uri_parts *parts)
{
    const char *end = parts->text.at + parts->text.length;
    for (const char *at = parts->text.at; at < end;) {
        const unsigned char byte = (unsigned char)*at;
        const size_t length = byte < 128 ? 1 : utf8_length(at);
        if (length == 0)
            return uri_wrong(parts, at, "expected UTF-8");
        if (byte <= ' ' || byte == 127 || strchr("\"<>\\^`{|}", byte))
            return bad_byte(parts, at);
        at += length;
    }
    return 0;
}

/* The beginning of a scope is the only place for a % alone. */
static int check_percent(const struct uri_parts *parts)
{
    const char *at = strchr(parts->text.at, '%');
    for (; at; at = strchr(at + 1, '%')) {
        if (at != parts->zone.at && !(is_hex(at[1]) && is_hex(at[2])))
            return uri_wrong(parts, at, "expected two hexadecimal digits after %");
    }
    return 0;
}

/* ---- delimiters ------------------------------------------------------------------------------ */

static struct slice between(const char *begin, const char *end)
{
    return (struct slice){begin, (size_t)(end - begin)};
}

/* What is behind a delimiter up to one of `stops`, if the delimiter is here. */
static struct slice part_after(const char **at, char delimiter, const char *stops)
{
    if (**at != delimiter)
        return (struct slice){NULL, 0};
    const char *begin = *at + 1;
    *at = begin + strcspn(begin, stops);
    return between(begin, *at);
}

static int split_port(struct uri_parts *parts, const char *at, const char *end)
{
    static const char expected[] = "expected a port from 0 to 65535";
    uint32_t port;
    if (at == end)
        return 0;
    if (*at != ':')
        return uri_wrong(parts, at, "expected : and a port, or the end of the host");
    parts->port = between(at + 1, end);
    if (parts->port.length == 0 || slice_number(parts->port, UINT16_MAX, &port))
        return 0;
    const size_t digits = strspn(at + 1, "0123456789");
    return uri_wrong(parts, at + 1 + (digits < parts->port.length ? digits : 0), expected);
}

/* [USERINFO@]HOST[:PORT] */
static int split_authority(struct uri_parts *parts, struct slice authority)
{
    const char *begin = authority.at, *end = begin + authority.length;
    const char *user = memrchr(begin, '@', authority.length);
    if (user) {
        parts->userinfo = between(begin, user);
        begin = user + 1;
    }
    const size_t length = (size_t)(end - begin);
    if (length && *begin == '[') {
        const char *close = memchr(begin, ']', length);
        if (!close)
            return uri_wrong(parts, end, "expected ] behind an IPv6 address");
        parts->brackets = true;
        parts->host = between(begin + 1, close);
        const char *zone = memchr(parts->host.at, '%', parts->host.length);
        if (zone)
            parts->zone = between(zone, close);
        return split_port(parts, close + 1, end);
    }
    const char *colon = length ? memchr(begin, ':', length) : NULL;
    if (colon && colon != memrchr(begin, ':', length))
        return uri_wrong(parts, begin, "expected [ before an IPv6 address, and ] behind it");
    parts->host = between(begin, colon ? colon : end);
    return colon ? split_port(parts, colon, end) : 0;
}

static int split_scheme(struct uri_parts *parts, const char **at)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char others[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.";
    const char *begin = *at, *end = begin + strcspn(begin, ":/?#");
    if (*end != ':')
        return 0;
    const char *bad = strspn(begin, letters) ? begin + strspn(begin, others) : begin;
    if (bad != end || begin == end)
        return uri_wrong(parts, bad,
                         "expected a scheme: a letter, then letters, digits, +, - or .");
    parts->scheme = between(begin, end);
    *at = end + 1;
    return 0;
}

int uri_split(struct uri_parts *parts)
{
    const char *at = parts->text.at;
    if (!*at)
        return uri_wrong(parts, at, "expected a URI");
    int status = check_bytes(parts);
    if (status == 0)
        status = split_scheme(parts, &at);
    if (status == 0 && strncmp(at, "//", 2) == 0) {
        const struct slice authority = between(at + 2, at + 2 + strcspn(at + 2, "/?#"));
        at = authority.at + authority.length;
        status = split_authority(parts, authority);
    }
    if (status)
        return status;
    parts->path = between(at, at + strcspn(at, "?#"));
    at += parts->path.length;
    parts->query = part_after(&at, '?', "#");
    parts->fragment = part_after(&at, '#', "");
    return check_percent(parts);
}
