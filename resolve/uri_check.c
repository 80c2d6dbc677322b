/* The grammar of RFC 3986, by liburiparser. It knows neither raw UTF-8 (RFC 3987) nor scopes: it is
 * given a copy in which those bytes are percent-encoded and the scope is left out. */
#include <string.h>
#include <uriparser/Uri.h>

#include "resolve/uri_parts.h"

static bool is_plain(const struct uri_parts *parts)
{
    if (parts->zone.at)
        return false;
    for (size_t i = 0; i < parts->text.length; i++) {
        if ((unsigned char)parts->text.at[i] >= 128)
            return false;
    }
    return true;
}

/* Writes the copy. Stops before the byte of the text that lands at `limit` of the copy, and returns
 * it. */
static const char *encode(const struct uri_parts *parts, char *copy, size_t limit, size_t *length)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = parts->text.at, *end = at + parts->text.length;
    size_t used = 0;
    while (at < end) {
        const unsigned char byte = (unsigned char)*at;
        if (at == parts->zone.at) {
            at += parts->zone.length;
            continue;
        }
        if (used + (byte >= 128 ? 3 : 1) > limit)
            break;
        if (byte >= 128) {
            copy[used++] = '%';
            copy[used++] = digits[byte >> 4];
            copy[used++] = digits[byte & 15];
        } else {
            copy[used++] = (char)byte;
        }
        at++;
    }
    *length = used;
    return at;
}

static int wrong_at(const struct uri_parts *parts, const char *at)
{
    const char *begin = parts->host.at;
    if (parts->brackets && at >= begin && at <= begin + parts->host.length + 1)
        return uri_wrong(parts, begin, "expected an IPv6 address");
    return uri_wrong(parts, at, "expected a URI (RFC 3986) to end or go on in another way");
}

int uri_check(const struct uri_parts *parts)
{
    UriUriA uri;
    const char *text = parts->text.at, *stopped = NULL;
    char *copy = NULL;
    size_t length = parts->text.length;
    if (!is_plain(parts)) {
        copy = mem_alloc(length * 3);
        if (!copy)
            return -ENOMEM;
        encode(parts, copy, SIZE_MAX, &length);
        text = copy;
    }
    const int status = uriParseSingleUriExA(&uri, text, text + length, &stopped);
    if (status == URI_SUCCESS) {
        uriFreeUriMembersA(&uri);
        mem_free(copy);
        return 0;
    }
    const char *at = parts->text.at;
    if (stopped && !copy)
        at = stopped;
    else if (stopped)
        at = encode(parts, copy, (size_t)(stopped - text), &length);
    mem_free(copy);
    return status == URI_ERROR_MALLOC ? -ENOMEM : wrong_at(parts, at);
}
