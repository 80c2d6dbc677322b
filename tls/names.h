/* Whether a certificate is for a name: one check for both engines (RFC 9525), over the subject
 * alternative names of the certificate in DER (RFC 5280 section 4.2.1.6). The common name is never
 * looked at. Hostile bytes. */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_san {
    enum { TLS_SAN_DNS, TLS_SAN_IP, TLS_SAN_OTHER } kind;
    const uint8_t *bytes; /* inside the certificate: a name, or 4 or 16 bytes */
    size_t length;
};

/* A walk over the names of a certificate. */
struct tls_sans {
    const uint8_t *at, *end;
};

/* Finds the subject alternative names of a certificate in DER. 0; -ENOENT: it has none;
 * -EBADMSG: it is malformed. */
int tls_sans_find(const uint8_t *certificate, size_t length, struct tls_sans *sans);
/* The next one: 1; 0: there is none; -EBADMSG. */
int tls_sans_next(struct tls_sans *sans, struct tls_san *san);

/* Whether a certificate is for a host: a DNS name (A-labels, with or without a trailing dot) is
 * compared with the DNS names, a * allowed as the whole left-most label and for one label only,
 * not right above a top-level domain's place (two labels must follow it); an IPv4 or IPv6
 * address, as text with or without brackets and without scope, with the IP addresses. Case does
 * not matter. 0: it is; -ENOENT: it is not (or has no names); -EBADMSG: malformed; -EINVAL:
 * `host` is neither. */
int tls_names_check(const uint8_t *certificate, size_t length, const char *host);

enum { TLS_HOST = 256 }; /* a host name with its 0 */

/* What a host is called, for SNI and for keeping: DNS names in small letters without trailing dot,
 * names beyond ASCII as A-labels (IDNA 2008), addresses without brackets and scope. 0, -ENOMEM, or
 * -EINVAL: it is neither. */
int tls_host_read(const char *host, char name[TLS_HOST], bool *is_address);

/* One DNS name of a certificate against a host name: as above. */
bool tls_names_match(const uint8_t *pattern, size_t length, const char *host);

/* The whole certificate's names for people: "example.org, *.example.org, 10.0.0.1", cut at
 * `size` with "...". Bytes that are no text are shown as \xHH. */
void tls_names_describe(const uint8_t *certificate, size_t length, char *text, size_t size);

#endif
