/* What a certificate says of itself, for checks and for sentences (X.509, RFC 5280). Hostile
 * bytes. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include "tls/connection.h"
#include "tls/der.h"

/* A copy with one reference, its digest computed; NULL without memory. */
struct tls_certificate *tls_certificate_new(const struct tls_backend *backend, const uint8_t *der,
                                            size_t length);
struct tls_certificate *tls_certificate_get(struct tls_certificate *certificate);
void tls_certificate_put(struct tls_certificate *certificate); /* NULL is allowed */

/* The subject, or the issuer, for people: "CN=example.org", "O=Some, CN=example.org", cut at `size`
 * with "..."; bytes that are no text as \xHH; "(no subject)", "(no issuer)"; "(malformed)". */
void tls_certificate_subject(const uint8_t *der, size_t length, char *text, size_t size);
void tls_certificate_issuer(const uint8_t *der, size_t length, char *text, size_t size);
/* The first and the last moment of its validity, seconds since 1970. 0 or -EBADMSG. */
int tls_certificate_validity(const uint8_t *der, size_t length, int64_t *from, int64_t *to);
/* As PEM, as snprintf(3); -EOVERFLOW: longer than an int can say. */
int tls_certificate_pem(const uint8_t *der, size_t length, char *text, size_t size);

/* Where these fields are, inside the certificate. False: malformed up to the subject. */
struct tls_certificate_fields {
    struct der issuer, validity, subject;
};
bool tls_certificate_fields(const uint8_t *der, size_t length,
                            struct tls_certificate_fields *fields);

#endif
