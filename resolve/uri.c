/* URIs as values: one allocation for the parts and their texts. */
#include <string.h>

#include "resolve/uri_parts.h"

enum { URI_LENGTH = 65535 };

/* Copies a part; NULL if it is not there. */
static char *keep(char **free_at, struct slice part)
{
    if (!part.at)
        return NULL;
    char *copy = memcpy(*free_at, part.at, part.length);
    copy[part.length] = 0;
    *free_at += part.length + 1;
    return copy;
}

static char *keep_small(char **free_at, struct slice part)
{
    char *copy = keep(free_at, part);
    for (char *at = copy; at && *at; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at |= 32;
    }
    return copy;
}

/* All texts: the whole, its parts, which together are not longer, a 0 each, and the host. */
static struct cdt_uri *make(const struct uri_parts *parts, char **host)
{
    const size_t length = parts->text.length;
    struct cdt_uri *uri = mem_zalloc(sizeof *uri + 3 * length + 8 + CDT_ADDR_TEXT);
    if (!uri)
        return NULL;
    char *free_at = (char *)(uri + 1);
    uri->text = keep(&free_at, parts->text);
    uri->scheme = keep_small(&free_at, parts->scheme);
    uri->userinfo = keep(&free_at, parts->userinfo);
    uri->path = keep(&free_at, parts->path);
    uri->query = keep(&free_at, parts->query);
    uri->fragment = keep(&free_at, parts->fragment);
    uri->host = *host = free_at;
    uint32_t port;
    uri->port = slice_number(parts->port, UINT16_MAX, &port) ? (int32_t)port : -1;
    return uri;
}

static int read_uri(struct uri_parts *parts, struct cdt_uri **result)
{
    char *host;
    int status = uri_split(parts);
    if (status == 0)
        status = uri_check(parts);
    if (status)
        return status;
    struct cdt_uri *uri = make(parts, &host);
    if (!uri)
        return -ENOMEM;
    status = uri_read_host(parts, host, &uri->kind, &uri->addr);
    if (status)
        mem_free(uri);
    else
        *result = uri;
    return status;
}

int cdt_uri_parse(const char *text, struct cdt_uri **uri, struct cdt_text_error *error)
{
    if (error)
        *error = (struct cdt_text_error){0};
    if (!text || !uri)
        return -EINVAL;
    struct uri_parts parts = {.text = {text, strnlen(text, URI_LENGTH + 1)}, .error = error};
    if (parts.text.length > URI_LENGTH)
        return endp_wrong(error, -EINVAL, URI_LENGTH, "expected a URI of at most 65535 bytes");
    const int status = read_uri(&parts, uri);
    return status == -ENOMEM ? endp_wrong(error, status, 0, "not enough memory") : status;
}

void cdt_uri_free(struct cdt_uri *uri)
{
    mem_free(uri);
}
