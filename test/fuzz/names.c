/* Fuzzes the names of certificates: the bytes are a certificate, and a pattern. What is found lies
 * inside; a check says yes only where one of the names does; a name that is a host's matches
 * itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tls/names.h"

enum { NAME = 254, NAMES_LOOKED_AT = 16 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* A host that the name should be good for. False: there is none. */
static bool host_of(const struct tls_san *san, char host[NAME])
{
    if (san->kind == TLS_SAN_IP)
        return inet_ntop(san->length == 4 ? AF_INET : AF_INET6, san->bytes, host, NAME) != NULL;
    if (san->kind != TLS_SAN_DNS || san->length >= NAME || memchr(san->bytes, 0, san->length))
        return false;
    memcpy(host, san->bytes, san->length);
    host[san->length] = 0;
    return san->length == 0 || host[san->length - 1] != '.';
}

static void check_host(const uint8_t *bytes, size_t size, const struct tls_san *san, bool whole)
{
    char host[NAME];
    if (!host_of(san, host))
        return;
    const int status = tls_names_check(bytes, size, host);
    check(status == (whole ? 0 : -EBADMSG) || (status == -EINVAL && san->kind == TLS_SAN_DNS));
    if (san->kind == TLS_SAN_DNS)
        check(tls_names_match(san->bytes, san->length, host) == (status != -EINVAL));
}

static void check_fixed(const uint8_t *bytes, size_t size, struct tls_sans sans)
{
    static const char host[] = "www.example.org";
    struct tls_san san;
    bool found = false;
    int status;
    while ((status = tls_sans_next(&sans, &san)) == 1)
        found |= san.kind == TLS_SAN_DNS && tls_names_match(san.bytes, san.length, host);
    check(tls_names_check(bytes, size, host) == (status ? status : found ? 0 : -ENOENT));
}

static void check_names(const uint8_t *bytes, size_t size, const struct tls_sans *all)
{
    struct tls_sans sans = *all;
    struct tls_san san;
    size_t count = 0;
    int status;
    while ((status = tls_sans_next(&sans, &san)) == 1) {
        check(san.bytes >= bytes && san.bytes + san.length <= bytes + size);
        check(san.kind != TLS_SAN_IP || san.length == 4 || san.length == 16);
        check(++count <= size / 2);
    }
    check(status == 0 || status == -EBADMSG);
    sans = *all;
    for (size_t i = 0; i < NAMES_LOOKED_AT && tls_sans_next(&sans, &san) == 1; i++)
        check_host(bytes, size, &san, status == 0);
    check_fixed(bytes, size, *all);
}

static void check_text(const uint8_t *bytes, size_t size)
{
    char *text = calloc(1, 1 + size % 100);
    check(text);
    tls_names_describe(bytes, size, text, 1 + size % 100);
    check(strlen(text) <= size % 100);
    for (const char *at = text; *at; at++)
        check(*at >= ' ' && *at < 127);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size); /* of this size exactly, so that a byte too much is noticed */
    struct tls_sans sans;
    check(copy || size == 0);
    if (size)
        memcpy(copy, data, size);
    const int status = tls_sans_find(copy, size, &sans);
    if (status == 0)
        check_names(copy, size, &sans);
    else
        check((status == -ENOENT || status == -EBADMSG) &&
              tls_names_check(copy, size, "www.example.org") == status);
    check_text(copy, size);
    if (tls_names_match(copy, size, "www.example.org"))
        check((size == 15 || size == 13) && !memchr(copy, 0, size));
    free(copy);
    return 0;
}
