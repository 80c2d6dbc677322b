/* The names for which an authority may issue (RFC 5280 section 4.2.1.10). wolfSSL asks the issuer
 * alone, not those above it, takes "badexample.org" for a part of "example.org", and leaves
 * addresses out; so those names that are compared with whom we want to reach are looked at here. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "tls/der.h"
#include "tls/names.h"
#include "tls/wolfssl.h"

enum {
    PERMITTED = DER_CONTEXT | DER_CONSTRUCTED | 0,
    EXCLUDED = DER_CONTEXT | DER_CONSTRUCTED | 1,
    EXTENSIONS = DER_CONTEXT | DER_CONSTRUCTED | 3,
    GENERAL_DNS = DER_CONTEXT | 2,
    GENERAL_IP = DER_CONTEXT | 7
};

/* The constraints of a certificate. 1; 0: there are none; -1: it is malformed. */
static int find(const uint8_t *der, size_t length, struct der *constraints)
{
    static const uint8_t id[] = {0x55, 0x1d, 0x1e};
    struct der at = {der, der + length}, contents, name;
    uint8_t tag;

    if (!der_enter(&at, DER_SEQUENCE) || !der_take(&at, DER_SEQUENCE, &at))
        return -1;
    do {
        if (!der_left(&at))
            return 0;
        if (!der_next(&at, &tag, &contents))
            return -1;
    } while (tag != EXTENSIONS);
    if (!der_enter(&contents, DER_SEQUENCE))
        return -1;
    while (der_left(&contents)) {
        if (!der_take(&contents, DER_SEQUENCE, &at) || !der_take(&at, DER_OID, &name))
            return -1;
        if (der_left(&name) != sizeof id || memcmp(name.at, id, sizeof id) != 0)
            continue;
        der_take(&at, DER_BOOLEAN, NULL); /* critical */
        return der_enter(&at, DER_OCTET_STRING) && der_enter(&at, DER_SEQUENCE) &&
                       (*constraints = at, true)
                   ? 1
                   : -1;
    }
    return 0;
}

/* "example.org" and what is below it; ".example.org": only what is below; "": all. */
static bool dns_is_below(const struct tls_san *san, const struct der *base)
{
    const char *name = (const char *)san->bytes;
    const size_t length = der_left(base);

    if (length == 0)
        return true;
    if (san->length < length)
        return false;
    const size_t skip = san->length - length;
    if (strncasecmp(name + skip, (const char *)base->at, length) != 0)
        return false;
    return skip == 0 || *base->at == '.' || name[skip - 1] == '.';
}

/* An address and a mask. */
static bool ip_is_below(const struct tls_san *san, const struct der *base)
{
    if (der_left(base) != 2 * san->length)
        return false;
    for (size_t i = 0; i < san->length; i++) {
        if ((san->bytes[i] ^ base->at[i]) & base->at[san->length + i])
            return false;
    }
    return true;
}

/* What a list says of a name: whether it is there, and whether any of its kind is. */
struct found {
    bool is_there, kind_is_there, malformed;
};

static struct found look(struct der list, const struct tls_san *san)
{
    const uint8_t wanted = san->kind == TLS_SAN_DNS ? GENERAL_DNS : GENERAL_IP;
    struct found found = {false, false, false};
    struct der subtree, base;
    uint8_t tag;

    while (der_left(&list)) {
        if (!der_take(&list, DER_SEQUENCE, &subtree) || !der_next(&subtree, &tag, &base)) {
            found.malformed = true;
            break;
        }
        if (tag != wanted)
            continue;
        found.kind_is_there = true;
        if (tag == GENERAL_DNS ? dns_is_below(san, &base) : ip_is_below(san, &base))
            found.is_there = true;
    }
    return found;
}

static bool is_allowed(struct der constraints, const struct tls_san *san)
{
    struct der permitted, excluded;

    if (san->kind == TLS_SAN_OTHER)
        return true;
    if (der_take(&constraints, PERMITTED, &permitted)) {
        const struct found found = look(permitted, san);
        if (found.malformed || (found.kind_is_there && !found.is_there))
            return false;
    }
    if (der_take(&constraints, EXCLUDED, &excluded)) {
        const struct found found = look(excluded, san);
        if (found.malformed || found.is_there)
            return false;
    }
    return der_left(&constraints) == 0;
}

bool wolfssl_may_issue(const uint8_t *authority, size_t authority_length, const uint8_t *der,
                       size_t length)
{
    struct der constraints;
    struct tls_sans sans;
    struct tls_san san;
    const int any = find(authority, authority_length, &constraints);

    if (any <= 0)
        return any == 0;
    int status = tls_sans_find(der, length, &sans);
    if (status)
        return status == -ENOENT; /* there are no names, or they are malformed */
    while ((status = tls_sans_next(&sans, &san)) > 0) {
        if (!is_allowed(constraints, &san))
            return false;
    }
    return status == 0;
}

#endif
