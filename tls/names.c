/* Whether a certificate is for a name: the way to its subject alternative names (RFC 5280 sections
 * 4.1 and 4.2.1.6), and their comparison with a host (RFC 9525 section 6). A certificate that is
 * malformed on the way, or in any of its names, is for nobody. */
#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <string.h>

#include "tls/der.h"
#include "tls/line.h"
#include "tls/names.h"

enum { NAME_MAX_LENGTH = 253, LABEL_MAX_LENGTH = 63, V4_LENGTH = 4, V6_LENGTH = 16 };

/* ---- the way to the names ---- */

/* The extensions of a certificate: 1; 0: it has none; -EBADMSG. */
static int find_extensions(struct der certificate, struct der *extensions)
{
    /* TBSCertificate after the version: serial, signature, issuer, validity, subject, key. */
    static const uint8_t fields[] = {DER_INTEGER,  DER_SEQUENCE, DER_SEQUENCE,
                                     DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE};
    struct der tbs;
    if (!der_enter(&certificate, DER_SEQUENCE) || !der_take(&certificate, DER_SEQUENCE, &tbs) ||
        !der_take(&certificate, DER_SEQUENCE, NULL) || !der_enter(&certificate, DER_BIT_STRING))
        return -EBADMSG;
    der_take(&tbs, DER_CONTEXT | DER_CONSTRUCTED | 0, NULL); /* version */
    for (size_t i = 0; i < sizeof fields; i++) {
        if (!der_take(&tbs, fields[i], NULL))
            return -EBADMSG;
    }
    der_take(&tbs, DER_CONTEXT | 1, NULL); /* unique identifiers */
    der_take(&tbs, DER_CONTEXT | 2, NULL);
    if (der_left(&tbs) == 0)
        return 0;
    *extensions = tbs;
    return der_enter(extensions, DER_CONTEXT | DER_CONSTRUCTED | 3) &&
                   der_enter(extensions, DER_SEQUENCE)
               ? 1
               : -EBADMSG;
}

static bool take_extension(struct der *extensions, struct der *id, struct der *value)
{
    struct der extension, critical;
    if (!der_take(extensions, DER_SEQUENCE, &extension) || !der_take(&extension, DER_OID, id))
        return false;
    if (der_take(&extension, DER_BOOLEAN, &critical) && der_left(&critical) != 1)
        return false;
    *value = extension;
    return der_enter(value, DER_OCTET_STRING);
}

int tls_sans_find(const uint8_t *certificate, size_t length, struct tls_sans *sans)
{
    static const uint8_t subject_alt_name[] = {0x55, 0x1d, 0x11}; /* 2.5.29.17 */
    struct der extensions, id, value;
    *sans = (struct tls_sans){0};
    if (!certificate || length == 0)
        return -EBADMSG;
    const int status =
        find_extensions((struct der){certificate, certificate + length}, &extensions);
    if (status <= 0)
        return status ? status : -ENOENT;

    struct tls_sans found = {0};
    while (der_left(&extensions) > 0) {
        if (!take_extension(&extensions, &id, &value))
            return -EBADMSG;
        if (der_left(&id) != sizeof subject_alt_name ||
            memcmp(id.at, subject_alt_name, sizeof subject_alt_name) != 0)
            continue;
        if (found.at || !der_enter(&value, DER_SEQUENCE)) /* RFC 5280 section 4.2: not twice */
            return -EBADMSG;
        found = (struct tls_sans){value.at, value.end};
    }
    *sans = found;
    return found.at ? 0 : -ENOENT;
}

int tls_sans_next(struct tls_sans *sans, struct tls_san *san)
{
    struct der names = {sans->at, sans->end}, name;
    uint8_t tag;
    if (sans->at == sans->end)
        return 0;
    if (!der_next(&names, &tag, &name))
        return -EBADMSG;
    *san = (struct tls_san){TLS_SAN_OTHER, name.at, der_left(&name)};
    switch (tag) {
    case DER_CONTEXT | 2:
        san->kind = TLS_SAN_DNS;
        break;
    case DER_CONTEXT | 7:
        if (san->length != V4_LENGTH && san->length != V6_LENGTH)
            return -EBADMSG;
        san->kind = TLS_SAN_IP;
        break;
    case DER_CONTEXT | DER_CONSTRUCTED | 0: /* otherName */
    case DER_CONTEXT | 1:                   /* rfc822Name */
    case DER_CONTEXT | DER_CONSTRUCTED | 3: /* x400Address */
    case DER_CONTEXT | DER_CONSTRUCTED | 4: /* directoryName */
    case DER_CONTEXT | DER_CONSTRUCTED | 5: /* ediPartyName */
    case DER_CONTEXT | 6:                   /* uniformResourceIdentifier */
    case DER_CONTEXT | 8:                   /* registeredID */
        break;
    default:
        return -EBADMSG;
    }
    sans->at = names.at;
    return 1;
}

/* ---- comparison ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t small(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

/* The number of labels of a name in ASCII; 0: it is none. The underline is not of host names, but
 * in use. */
static size_t count_labels(const uint8_t *name, size_t length)
{
    size_t count = 1, begin = 0;
    if (length == 0 || length > NAME_MAX_LENGTH)
        return 0;
    for (size_t i = 0; i <= length; i++) {
        if (i == length || name[i] == '.') {
            if (i == begin || i - begin > LABEL_MAX_LENGTH)
                return 0;
            begin = i + 1;
            count += i < length;
        } else if (!(small(name[i]) >= 'a' && small(name[i]) <= 'z') && !is_digit(name[i]) &&
                   name[i] != '-' && name[i] != '_') {
            return 0;
        }
    }
    return count;
}

/* Whether the last label is a number: such a text is meant as an IPv4 address, in a form that is
 * not taken ("127.1", "10.0.0.1."), and never is a name of DNS (RFC 1123 section 2.1). */
static bool ends_in_number(const uint8_t *name, size_t length)
{
    size_t digits = 0;
    while (digits < length && is_digit(name[length - 1 - digits]))
        digits++;
    return digits > 0 && (digits == length || name[length - 1 - digits] == '.');
}

/* Reads an IP address. Its length; 0: it is none. */
static size_t read_ip(const char *host, size_t length, uint8_t ip[V6_LENGTH])
{
    char text[INET6_ADDRSTRLEN];
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length >= sizeof text)
        return 0;
    memcpy(text, host, length);
    text[length] = 0;
    if (inet_pton(AF_INET, text, ip) == 1)
        return V4_LENGTH;
    return inet_pton(AF_INET6, text, ip) == 1 ? V6_LENGTH : 0;
}

/* What to look for in a certificate: `wanted` points into `host` or is `ip`. */
static int read_host(const char *host, uint8_t ip[V6_LENGTH], struct tls_san *wanted)
{
    if (!host)
        return -EINVAL;
    size_t length = strnlen(host, NAME_MAX_LENGTH + 2);
    *wanted = (struct tls_san){TLS_SAN_IP, ip, read_ip(host, length, ip)};
    if (wanted->length)
        return 0;
    if (length > 0 && host[length - 1] == '.')
        length--;
    *wanted = (struct tls_san){TLS_SAN_DNS, (const uint8_t *)host, length};
    if (count_labels(wanted->bytes, length) == 0 || ends_in_number(wanted->bytes, length))
        return -EINVAL;
    return 0;
}

static bool is_ascii(const char *text)
{
    while (*text && (uint8_t)*text < 0x80)
        text++;
    return !*text;
}

/* The A-labels of a name; its result is to be freed with idn2_free(). */
static int encode(const char *host, char **ascii)
{
    uint8_t *encoded = NULL;
    const int code =
        idn2_lookup_u8((const uint8_t *)host, &encoded, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    *ascii = (char *)encoded;
    return code == IDN2_OK ? 0 : code == IDN2_MALLOC ? -ENOMEM : -EINVAL;
}

static int read_name(const char *host, char name[TLS_HOST], bool *is_address)
{
    uint8_t ip[V6_LENGTH];
    struct tls_san wanted;
    const char *scope = strchr(host, '%');
    if (scope && strnlen(host, TLS_HOST) < TLS_HOST) { /* of an IPv6 address, perhaps in brackets */
        char plain[TLS_HOST];
        const bool in_brackets = host[0] == '[';
        const size_t length = (size_t)(scope - host) - in_brackets;
        memcpy(plain, host + in_brackets, length);
        plain[length] = 0;
        return strchr(plain, ':') && !strchr(plain, '%') ? read_name(plain, name, is_address)
                                                         : -EINVAL;
    }
    if (read_host(host, ip, &wanted) != 0)
        return -EINVAL;
    *is_address = wanted.kind == TLS_SAN_IP;
    if (*is_address) {
        inet_ntop(wanted.length == V4_LENGTH ? AF_INET : AF_INET6, ip, name, TLS_HOST);
        return 0;
    }
    for (size_t i = 0; i < wanted.length; i++)
        name[i] = (char)small(wanted.bytes[i]);
    name[wanted.length] = 0;
    return 0;
}

int tls_host_read(const char *host, char name[TLS_HOST], bool *is_address)
{
    char *ascii;
    if (is_ascii(host))
        return read_name(host, name, is_address);
    if (strnlen(host, 4 * TLS_HOST) == (size_t)4 * TLS_HOST)
        return -EINVAL;
    int status = encode(host, &ascii);
    if (status == 0)
        status = read_name(ascii, name, is_address);
    idn2_free(ascii);
    return status;
}

/* A DNS name of a certificate and a good name of a host. */
static bool match_name(struct der pattern, struct der host)
{
    size_t needed = 1;
    if (der_left(&pattern) > 2 && pattern.at[0] == '*' && pattern.at[1] == '.') {
        host.at = memchr(host.at, '.', der_left(&host));
        if (!host.at)
            return false;
        host.at++;
        pattern.at += 2;
        needed = 2;
    }
    const size_t length = der_left(&pattern);
    if (length != der_left(&host) || count_labels(pattern.at, length) < needed)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (small(pattern.at[i]) != small(host.at[i]))
            return false;
    }
    return true;
}

static bool match(const struct tls_san *san, const struct tls_san *wanted)
{
    if (san->kind != wanted->kind)
        return false;
    if (san->kind == TLS_SAN_IP)
        return san->length == wanted->length && memcmp(san->bytes, wanted->bytes, san->length) == 0;
    return match_name((struct der){san->bytes, san->bytes + san->length},
                      (struct der){wanted->bytes, wanted->bytes + wanted->length});
}

bool tls_names_match(const uint8_t *pattern, size_t length, const char *host)
{
    uint8_t ip[V6_LENGTH];
    struct tls_san wanted;
    if (!pattern || read_host(host, ip, &wanted) != 0)
        return false;
    return match(&(struct tls_san){TLS_SAN_DNS, pattern, length}, &wanted);
}

int tls_names_check(const uint8_t *certificate, size_t length, const char *host)
{
    uint8_t ip[V6_LENGTH];
    struct tls_san wanted, san;
    struct tls_sans sans;
    int status = read_host(host, ip, &wanted);
    if (status == 0)
        status = tls_sans_find(certificate, length, &sans);
    if (status)
        return status;
    bool found = false;
    while ((status = tls_sans_next(&sans, &san)) == 1)
        found = found || match(&san, &wanted);
    if (status)
        return status;
    return found ? 0 : -ENOENT;
}

/* ---- for people ---- */

/* A comma, a space or a backslash in a name would read as what is written between names. */
static void add_name(struct line *line, const struct tls_san *san)
{
    for (size_t i = 0; i < san->length && !line->full; i++) {
        const uint8_t byte = san->bytes[i];
        char piece[5];
        const bool plain = byte > ' ' && byte < 127 && byte != '\\' && byte != ',';
        snprintf(piece, sizeof piece, plain ? "%c" : "\\x%02x", byte);
        line_add(line, piece, strlen(piece));
    }
}

static void add_ip(struct line *line, const struct tls_san *san)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(san->length == V4_LENGTH ? AF_INET : AF_INET6, san->bytes, text, sizeof text);
    line_add(line, text, strlen(text));
}

void tls_names_describe(const uint8_t *certificate, size_t length, char *text, size_t size)
{
    struct line line;
    struct tls_sans sans;
    struct tls_san san;
    if (!text || size == 0)
        return;
    line_begin(&line, text, size);
    if (tls_sans_find(certificate, length, &sans) != 0)
        return;
    const char *between = "";
    while (!line.full && tls_sans_next(&sans, &san) == 1) {
        if (san.kind == TLS_SAN_OTHER)
            continue;
        line_add(&line, between, strlen(between));
        (san.kind == TLS_SAN_DNS ? add_name : add_ip)(&line, &san);
        between = ", ";
    }
    line_end(&line);
}
