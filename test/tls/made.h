/* For tests: certificates with names, dates and subjects of choice, whose key and signature are
 * nothing; and a backend that computes no more than toy digests. */
#ifndef TEST_TLS_MADE_H
#define TEST_TLS_MADE_H

#include <sys/uio.h>

#include "test/tls/certificate.h"
#include "tls/engine.h"

enum { MADE_SET = 0x31, MADE_UTF8 = 0x0c, MADE_PRINTABLE = 0x13, MADE_IA5 = 0x16 };
#define OID_CN    "\x55\x04\x03"
#define OID_O     "\x55\x04\x0a"
#define OID_C     "\x55\x04\x06"
#define OID_DC    "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"
#define OID_EMAIL "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"

struct attribute {
    const char *id; /* NULL: the end */
    uint8_t tag;
    const char *value;
    size_t length; /* 0: that of the string */
    bool joined;   /* in the set of the one before */
};

struct made {
    const struct attribute *subject, *issuer;
    const char *from, *to; /* 13 characters: UTCTime; else GeneralizedTime. NULL: 2024, 2034 */
    const struct general_name *names; /* NULL: no extension */
};

static inline void put_attribute(struct der_text *out, const struct attribute *attribute)
{
    const size_t from = out->length;
    put_element(out, DER_OID, attribute->id, strlen(attribute->id));
    put_element(out, attribute->tag, attribute->value,
                attribute->length ? attribute->length : strlen(attribute->value));
    wrap(out, from, DER_SEQUENCE);
}

static inline void put_attributes(struct der_text *out, const struct attribute *attribute)
{
    const size_t from = out->length;
    while (attribute && attribute->id) {
        const size_t set = out->length;
        put_attribute(out, attribute++);
        while (attribute->id && attribute->joined)
            put_attribute(out, attribute++);
        wrap(out, set, MADE_SET);
    }
    wrap(out, from, DER_SEQUENCE);
}

static inline void put_date(struct der_text *out, const char *date)
{
    put_element(out, strlen(date) == 13 ? 0x17 : 0x18, date, strlen(date));
}

static inline void make(struct der_text *out, const struct made *made)
{
    static const uint8_t version[] = {DER_INTEGER, 1, 2};
    out->length = 0;
    put_element(out, 0xa0, version, sizeof version);
    put_element(out, DER_INTEGER, "\x01", 1);
    put_element(out, DER_SEQUENCE, "\x06\x01\x2a", 3);
    put_attributes(out, made->issuer);
    const size_t dates = out->length;
    put_date(out, made->from ? made->from : "240101000000Z");
    put_date(out, made->to ? made->to : "340101000000Z");
    wrap(out, dates, DER_SEQUENCE);
    put_attributes(out, made->subject);
    put_element(out, DER_SEQUENCE, "\x30\x03\x06\x01\x2a\x03\x02\x00k", 9);
    if (made->names)
        put_extensions(out, made->names, 0);
    wrap(out, 0, DER_SEQUENCE);
    put_element(out, DER_SEQUENCE, "\x06\x01\x2a", 3);
    put_element(out, DER_BIT_STRING, "\x00s", 2);
    wrap(out, 0, DER_SEQUENCE);
}

/* Four times FNV-1a, with another beginning each. */
static inline int toy_sha256(const struct iovec *parts, int count, uint8_t digest[32])
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t hash = UINT64_C(14695981039346656037) + i;
        for (int p = 0; p < count; p++) {
            for (size_t at = 0; at < parts[p].iov_len; at++)
                hash = (hash ^ ((const uint8_t *)parts[p].iov_base)[at]) * UINT64_C(1099511628211);
        }
        memcpy(digest + 8 * i, &hash, 8);
    }
    return 0;
}

static inline int toy_hmac(const void *key, size_t key_length, const struct iovec *parts, int count,
                           uint8_t digest[32])
{
    struct iovec all[8] = {{(void *)key, key_length}};
    assert(count < 8);
    memcpy(all + 1, parts, (size_t)count * sizeof *parts);
    return toy_sha256(all, count + 1, digest);
}

#endif
