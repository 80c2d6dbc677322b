/* For tests: a small writer of DER, and certificates made with it, whose key and signature are
 * nothing. */
#ifndef TEST_TLS_CERTIFICATE_H
#define TEST_TLS_CERTIFICATE_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/der.h"

enum { SAN_OTHER = 0xa0, SAN_MAIL = 0x81, SAN_DNS = 0x82, SAN_URI = 0x86, SAN_IP = 0x87 };

struct der_text {
    uint8_t bytes[8192];
    size_t length;
};

static inline void put(struct der_text *out, const void *bytes, size_t length)
{
    assert(length <= sizeof out->bytes - out->length);
    if (length)
        memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

/* Makes all that was written since `from` the contents of an element. */
static inline void wrap(struct der_text *out, size_t from, uint8_t tag)
{
    const size_t length = out->length - from;
    uint8_t header[4] = {tag, (uint8_t)length}, *to = out->bytes + from;
    size_t size = 2;
    if (length > 127) {
        header[1] = 0x82;
        header[2] = (uint8_t)(length >> 8);
        header[3] = (uint8_t)length;
        size = 4;
    }
    put(out, header, size); /* for the room */
    memmove(to + size, to, length);
    memcpy(to, header, size);
}

static inline void put_element(struct der_text *out, uint8_t tag, const void *bytes, size_t length)
{
    const size_t from = out->length;
    put(out, bytes, length);
    wrap(out, from, tag);
}

struct general_name {
    uint8_t tag; /* 0: the end of a list */
    const char *bytes;
    size_t length; /* 0: that of the string */
};

/* How a certificate differs from the plain one: bits. */
enum {
    WITHOUT_VERSION = 1,
    WITHOUT_EXTENSIONS = 2,
    WITHOUT_SAN = 4,
    WITH_UNIQUE_IDS = 8,
    WITH_CRITICAL = 16,      /* the extension of names is critical */
    WITH_LONG_CRITICAL = 32, /* by a BOOLEAN of two bytes */
    WITH_SAN_TWICE = 64,
    WITH_MORE_AFTER = 128,     /* a byte after the certificate, */
    WITH_MORE_IN_VALUE = 256,  /* after the names, */
    WITH_MORE_IN_TBS = 512,    /* after the extensions, */
    WITH_MORE_AT_END = 1024,   /* after the signature, */
    WITH_SAN_NO_LIST = 2048,   /* the names are in a SET */
    WITH_VALUE_NO_TEXT = 4096, /* and here the extension's value is no OCTET STRING */
    WITHOUT_SIGNATURE = 8192
};

static inline void put_extension_head(struct der_text *out, uint8_t last_of_id)
{
    const uint8_t id[] = {0x55, 0x1d, last_of_id};
    put_element(out, DER_OID, id, sizeof id);
}

static inline void put_names(struct der_text *out, const struct general_name *names, unsigned ways)
{
    const size_t from = out->length;
    put_extension_head(out, 0x11);
    if (ways & (WITH_CRITICAL | WITH_LONG_CRITICAL))
        put_element(out, DER_BOOLEAN, "\xff\xff", ways & WITH_CRITICAL ? 1 : 2);
    const size_t value = out->length;
    for (; names && names->tag; names++)
        put_element(out, names->tag, names->bytes,
                    names->length ? names->length : strlen(names->bytes));
    wrap(out, value, ways & WITH_SAN_NO_LIST ? 0x31 : DER_SEQUENCE);
    if (ways & WITH_MORE_IN_VALUE)
        put_element(out, DER_BOOLEAN, "", 0);
    wrap(out, value, ways & WITH_VALUE_NO_TEXT ? DER_BIT_STRING : DER_OCTET_STRING);
    wrap(out, from, DER_SEQUENCE);
}

static inline void put_extensions(struct der_text *out, const struct general_name *names,
                                  unsigned ways)
{
    const size_t from = out->length;
    size_t one = from;
    put_extension_head(out, 0x13); /* basicConstraints, {} */
    put_element(out, DER_OCTET_STRING, "\x30", 2);
    wrap(out, one, DER_SEQUENCE);
    if (!(ways & WITHOUT_SAN))
        put_names(out, names, ways);
    if (ways & WITH_SAN_TWICE)
        put_names(out, names, ways);
    one = out->length;
    put_extension_head(out, 0x0e); /* subjectKeyIdentifier */
    put_element(out, DER_OCTET_STRING, "\x04\x01k", 3);
    wrap(out, one, DER_SEQUENCE);
    wrap(out, from, DER_SEQUENCE);
    wrap(out, from, 0xa3);
}

static inline void put_tbs(struct der_text *out, const struct general_name *names, unsigned ways)
{
    /* commonName=example.org */
    static const uint8_t subject[] = "\x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0b"
                                     "example.org";
    static const uint8_t version[] = {DER_INTEGER, 1, 2};
    static const uint8_t dates[] = "\x17\x0d"
                                   "240101000000Z"
                                   "\x17\x0d"
                                   "340101000000Z";
    const size_t from = out->length;
    if (!(ways & WITHOUT_VERSION))
        put_element(out, 0xa0, version, sizeof version);
    put_element(out, DER_INTEGER, "\x01", 1);
    put_element(out, DER_SEQUENCE, "\x06\x01\x2a", 3);
    put_element(out, DER_SEQUENCE, subject, sizeof subject - 1);
    put_element(out, DER_SEQUENCE, dates, sizeof dates - 1);
    put_element(out, DER_SEQUENCE, subject, sizeof subject - 1);
    put_element(out, DER_SEQUENCE, "\x30\x03\x06\x01\x2a\x03\x02\x00k", 9);
    if (ways & WITH_UNIQUE_IDS) {
        put_element(out, 0x81, "\x00i", 2);
        put_element(out, 0x82, "\x00s", 2);
    }
    if (!(ways & WITHOUT_EXTENSIONS))
        put_extensions(out, names, ways);
    if (ways & WITH_MORE_IN_TBS)
        put_element(out, DER_BOOLEAN, "", 0);
    wrap(out, from, DER_SEQUENCE);
}

static inline void make_certificate(struct der_text *out, const struct general_name *names,
                                    unsigned ways)
{
    out->length = 0;
    put_tbs(out, names, ways);
    put_element(out, DER_SEQUENCE, "\x06\x01\x2a", 3);
    if (!(ways & WITHOUT_SIGNATURE))
        put_element(out, DER_BIT_STRING, "\x00s", 2);
    if (ways & WITH_MORE_AT_END)
        put_element(out, DER_BOOLEAN, "", 0);
    wrap(out, 0, DER_SEQUENCE);
    if (ways & WITH_MORE_AFTER)
        put(out, "", 1);
}

#endif
