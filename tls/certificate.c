/* Certificates of peers: copies that are counted, with their digest; and as PEM (RFC 7468). */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/certificate.h"

struct tls_certificate *tls_certificate_new(const struct tls_backend *backend, const uint8_t *der,
                                            size_t length)
{
    struct tls_certificate *certificate;
    if (length > SIZE_MAX - sizeof *certificate)
        return NULL;
    certificate = mem_alloc(sizeof *certificate + length);
    if (!certificate)
        return NULL;
    certificate->references = 1;
    certificate->length = length;
    if (length)
        memcpy(certificate->der, der, length);
    const struct iovec whole = {certificate->der, length};
    if (backend->sha256(&whole, 1, certificate->sha256) == 0)
        return certificate;
    mem_free(certificate);
    return NULL;
}

struct tls_certificate *tls_certificate_get(struct tls_certificate *certificate)
{
    certificate->references++;
    return certificate;
}

void tls_certificate_put(struct tls_certificate *certificate)
{
    if (certificate && --certificate->references == 0)
        mem_free(certificate);
}

/* ---- PEM ------------------------------------------------------------------------------------- */

/* As much of a text as fits; `length` counts all of it. */
struct sink {
    char *text;
    size_t size, length;
};

static void sink_put(struct sink *sink, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++, sink->length++) {
        if (sink->length + 1 < sink->size)
            sink->text[sink->length] = bytes[i];
    }
}

/* One to three bytes. */
static void put_group(struct sink *sink, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t three[3] = {0};
    memcpy(three, bytes, length);
    const unsigned bits = (unsigned)three[0] << 16 | (unsigned)three[1] << 8 | three[2];
    char group[4] = "====";
    for (size_t i = 0; i <= length; i++)
        group[i] = digits[bits >> (18 - 6 * i) & 63];
    sink_put(sink, group, sizeof group);
}

int tls_certificate_pem(const uint8_t *der, size_t length, char *text, size_t size)
{
    enum { GROUP = 3, LINE = 48 }; /* bytes */
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n",
                      end[] = "-----END CERTIFICATE-----\n";
    struct sink sink = {text, size, 0};
    if (length > INT_MAX / 2)
        return -EOVERFLOW;
    sink_put(&sink, begin, sizeof begin - 1);
    for (size_t at = 0; at < length; at += GROUP) {
        put_group(&sink, der + at, length - at < GROUP ? length - at : GROUP);
        if ((at + GROUP) % LINE == 0 || length - at <= GROUP)
            sink_put(&sink, "\n", 1);
    }
    sink_put(&sink, end, sizeof end - 1);
    if (size)
        text[sink.length < size ? sink.length : size - 1] = 0;
    return (int)sink.length;
}
