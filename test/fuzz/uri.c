/* Fuzzing URIs: the parts put together again are the text; they are the parts that liburiparser
 * finds; a host reads back as itself; what does not read has an offset inside the text and a
 * sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uriparser/Uri.h>

#include <conduit/uri.h>

#include "resolve/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

/* Takes a part and what stands around it from the front of the text. */
static const char *take(const char *at, const char *before, const char *part, const char *after)
{
    if (!part)
        return at;
    check(strncmp(at, before, strlen(before)) == 0);
    at += strlen(before);
    check(strncasecmp(at, part, strlen(part)) == 0);
    at += strlen(part);
    check(strncmp(at, after, strlen(after)) == 0);
    return at + strlen(after);
}

/* All but host and port are there as they were given. */
static void check_whole(const struct cdt_uri *uri)
{
    const char *at = take(uri->text, "", uri->scheme, ":");
    if (strncmp(at, "//", 2) == 0) {
        at = take(at + 2, "", uri->userinfo, "@");
        at += strcspn(at, "/?#");
    } else {
        check(!uri->userinfo && uri->kind == CDT_URI_NO_HOST && uri->port == -1);
    }
    at = take(at, "", uri->path, "");
    at = take(at, "?", uri->query, "");
    at = take(at, "#", uri->fragment, "");
    check(*at == 0);
}

static void check_range(UriTextRangeA range, const char *part)
{
    const size_t length = range.first ? (size_t)(range.afterLast - range.first) : 0;
    check(strlen(part ? part : "") == length);
    check(length == 0 || strncasecmp(range.first, part, length) == 0);
}

/* Another reader of the same text, if that can read it. */
static void check_other(const struct cdt_uri *uri)
{
    UriUriA other;
    const char *stopped;
    if (uriParseSingleUriA(&other, uri->text, &stopped) != URI_SUCCESS)
        return;
    check_range(other.scheme, uri->scheme);
    check_range(other.userInfo, uri->userinfo);
    check_range(other.query, uri->query);
    check_range(other.fragment, uri->fragment);
    check((other.portText.first != other.portText.afterLast) == (uri->port >= 0));
    check(uri->port < 0 || strtol(other.portText.first, NULL, 10) == uri->port);
    check((other.hostText.first != other.hostText.afterLast) == (uri->kind != CDT_URI_NO_HOST));
    if (other.hostData.ip6)
        check(memcmp(other.hostData.ip6->data, &uri->addr.v6.sin6_addr, 16) == 0);
    if (other.hostData.ip4)
        check(memcmp(other.hostData.ip4->data, &uri->addr.v4.sin_addr, 4) == 0);
    uriFreeUriMembersA(&other);
}

static void check_host(const struct cdt_uri *uri)
{
    char out[HOST_ASCII];
    const char *why;
    struct cdt_addr addr;
    switch (uri->kind) {
    case CDT_URI_NO_HOST:
        check(*uri->host == 0);
        break;
    case CDT_URI_ADDRESS:
        check(cdt_addr_ip(&addr, uri->host, 0) == 0 && cdt_addr_equal(&addr, &uri->addr));
        break;
    case CDT_URI_PATH:
        check(*uri->host == '/' || *uri->host == '@');
        break;
    case CDT_URI_NAME:
        check(strlen(uri->host) < HOST_ASCII);
        check(cdt_addr_ip(&addr, uri->host, 0) == -EINVAL);
        check(host_to_ascii(slice_of(uri->host), out, &why) == 0 && strcmp(out, uri->host) == 0);
        for (const char *at = uri->host; *at; at++)
            check(*at > ' ' && *at < 127 && !(*at >= 'A' && *at <= 'Z') && *at != '/');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cdt_uri *uri = NULL;
    struct cdt_text_error error;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    if (cdt_uri_parse(text, &uri, &error) == 0) {
        check(strcmp(uri->text, text) == 0);
        check_whole(uri);
        check_other(uri);
        check_host(uri);
        cdt_uri_free(uri);
    } else {
        check(!uri && error.offset <= strlen(text));
        check(strncmp(error.text, "offset ", 7) == 0 && strstr(error.text, ": expected "));
    }
    free(text);
    return 0;
}
