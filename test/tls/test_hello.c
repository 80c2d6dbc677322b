/* Reading a ClientHello: of real clients and built ones, in one record and in many, cut, split and
 * spoilt everywhere. Each is read from memory that ends where it does. */
#include "tls/hello.h"
#include "test/support/probe.h"

/* ---- what real clients send ------------------------------------------------------------------ */

/* openssl s_client -servername www.Example.org -alpn h2,http/1.1 */
static const uint8_t of_openssl[] = {
    0x16, 0x03, 0x01, 0x01, 0x4e, 0x01, 0x00, 0x01, 0x4a, 0x03, 0x03, 0x46, 0x49, 0xfc, 0x89, 0x95,
    0x30, 0xa0, 0x39, 0xad, 0x4f, 0xf2, 0x37, 0x70, 0x75, 0x1a, 0xea, 0xeb, 0x2a, 0xa8, 0x49, 0x2b,
    0x38, 0x9d, 0x1b, 0x1a, 0x2f, 0x3a, 0xf4, 0xa0, 0x76, 0xd5, 0x5b, 0x20, 0x13, 0xb6, 0x3e, 0x22,
    0xac, 0x93, 0x3c, 0xfa, 0x52, 0x6c, 0xea, 0x86, 0x04, 0x2c, 0x44, 0x1c, 0x7f, 0x00, 0x53, 0x8f,
    0xa3, 0xf4, 0x44, 0xa1, 0x56, 0xfe, 0xe2, 0xcc, 0x87, 0x83, 0x4e, 0x19, 0x00, 0x3e, 0x13, 0x02,
    0x13, 0x03, 0x13, 0x01, 0xc0, 0x2c, 0xc0, 0x30, 0x00, 0x9f, 0xcc, 0xa9, 0xcc, 0xa8, 0xcc, 0xaa,
    0xc0, 0x2b, 0xc0, 0x2f, 0x00, 0x9e, 0xc0, 0x24, 0xc0, 0x28, 0x00, 0x6b, 0xc0, 0x23, 0xc0, 0x27,
    0x00, 0x67, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x39, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x33, 0x00, 0x9d,
    0x00, 0x9c, 0x00, 0x3d, 0x00, 0x3c, 0x00, 0x35, 0x00, 0x2f, 0x00, 0xff, 0x01, 0x00, 0x00, 0xc3,
    0x00, 0x00, 0x00, 0x14, 0x00, 0x12, 0x00, 0x00, 0x0f, 0x77, 0x77, 0x77, 0x2e, 0x45, 0x78, 0x61,
    0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00, 0x0b, 0x00, 0x04, 0x03, 0x00, 0x01, 0x02,
    0x00, 0x0a, 0x00, 0x16, 0x00, 0x14, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x1e, 0x00, 0x19, 0x00, 0x18,
    0x01, 0x00, 0x01, 0x01, 0x01, 0x02, 0x01, 0x03, 0x01, 0x04, 0x00, 0x23, 0x00, 0x00, 0x00, 0x10,
    0x00, 0x0e, 0x00, 0x0c, 0x02, 0x68, 0x32, 0x08, 0x68, 0x74, 0x74, 0x70, 0x2f, 0x31, 0x2e, 0x31,
    0x00, 0x16, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x2a, 0x00, 0x28, 0x04, 0x03,
    0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x09, 0x08, 0x0a, 0x08, 0x0b, 0x08, 0x04,
    0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01, 0x03, 0x03, 0x03, 0x01, 0x03, 0x02,
    0x04, 0x02, 0x05, 0x02, 0x06, 0x02, 0x00, 0x2b, 0x00, 0x09, 0x08, 0x03, 0x04, 0x03, 0x03, 0x03,
    0x02, 0x03, 0x01, 0x00, 0x2d, 0x00, 0x02, 0x01, 0x01, 0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00,
    0x1d, 0x00, 0x20, 0x4a, 0xbe, 0xa4, 0x4f, 0x5a, 0xe4, 0x3d, 0xed, 0xa2, 0x12, 0x80, 0x59, 0xd3,
    0x88, 0x62, 0xda, 0xec, 0xb9, 0x7c, 0xe8, 0xd3, 0x23, 0xe5, 0x18, 0xf9, 0x35, 0x30, 0xf9, 0xc3,
    0x33, 0xd0, 0x74,
};

/* curl https://www.example.org/, padded to 512 bytes */
static const uint8_t of_curl[] = {
    0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0xd5, 0xce, 0xe8, 0xa7, 0xea,
    0xd5, 0x42, 0xac, 0x06, 0x87, 0x8a, 0xdf, 0x13, 0xed, 0x61, 0x7a, 0x9c, 0xca, 0x98, 0xbb, 0xd2,
    0x7a, 0xd0, 0x8f, 0x79, 0x6d, 0x4b, 0x4a, 0x92, 0xfb, 0x10, 0x7a, 0x20, 0x73, 0x49, 0xb2, 0x5d,
    0xf3, 0x7d, 0xce, 0x3a, 0x15, 0x54, 0xb3, 0x95, 0xcd, 0xf9, 0x50, 0x13, 0x6c, 0x44, 0x1b, 0x8a,
    0xf4, 0x06, 0x2b, 0xfa, 0x35, 0x9b, 0xfc, 0x2c, 0xa6, 0x1c, 0xb2, 0xac, 0x00, 0x3e, 0x13, 0x02,
    0x13, 0x03, 0x13, 0x01, 0xc0, 0x2c, 0xc0, 0x30, 0x00, 0x9f, 0xcc, 0xa9, 0xcc, 0xa8, 0xcc, 0xaa,
    0xc0, 0x2b, 0xc0, 0x2f, 0x00, 0x9e, 0xc0, 0x24, 0xc0, 0x28, 0x00, 0x6b, 0xc0, 0x23, 0xc0, 0x27,
    0x00, 0x67, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x39, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x33, 0x00, 0x9d,
    0x00, 0x9c, 0x00, 0x3d, 0x00, 0x3c, 0x00, 0x35, 0x00, 0x2f, 0x00, 0xff, 0x01, 0x00, 0x01, 0x75,
    0x00, 0x00, 0x00, 0x14, 0x00, 0x12, 0x00, 0x00, 0x0f, 0x77, 0x77, 0x77, 0x2e, 0x65, 0x78, 0x61,
    0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00, 0x0b, 0x00, 0x04, 0x03, 0x00, 0x01, 0x02,
    0x00, 0x0a, 0x00, 0x16, 0x00, 0x14, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x1e, 0x00, 0x19, 0x00, 0x18,
    0x01, 0x00, 0x01, 0x01, 0x01, 0x02, 0x01, 0x03, 0x01, 0x04, 0x00, 0x10, 0x00, 0x0e, 0x00, 0x0c,
    0x02, 0x68, 0x32, 0x08, 0x68, 0x74, 0x74, 0x70, 0x2f, 0x31, 0x2e, 0x31, 0x00, 0x16, 0x00, 0x00,
    0x00, 0x17, 0x00, 0x00, 0x00, 0x31, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x2a, 0x00, 0x28, 0x04, 0x03,
    0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x09, 0x08, 0x0a, 0x08, 0x0b, 0x08, 0x04,
    0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01, 0x03, 0x03, 0x03, 0x01, 0x03, 0x02,
    0x04, 0x02, 0x05, 0x02, 0x06, 0x02, 0x00, 0x2b, 0x00, 0x09, 0x08, 0x03, 0x04, 0x03, 0x03, 0x03,
    0x02, 0x03, 0x01, 0x00, 0x2d, 0x00, 0x02, 0x01, 0x01, 0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00,
    0x1d, 0x00, 0x20, 0x4f, 0x7b, 0x13, 0xfa, 0x6f, 0x1a, 0x5d, 0x1e, 0x5f, 0x2e, 0x3e, 0xb3, 0x5b,
    0xca, 0xa0, 0x2f, 0x1e, 0x86, 0xe9, 0x73, 0x7b, 0x0f, 0xd2, 0x6e, 0x45, 0x5f, 0x17, 0x89, 0x2d,
    0x48, 0x25, 0x00, 0x00, 0x15, 0x00, 0xae, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00,
};

/* openssl s_client -servername example.net -tls1_2 */
static const uint8_t of_openssl_1_2[] = {
    0x16, 0x03, 0x01, 0x00, 0xcb, 0x01, 0x00, 0x00, 0xc7, 0x03, 0x03, 0xbd, 0xcf, 0x65, 0x86, 0x3a,
    0x50, 0x19, 0xb8, 0x53, 0x4d, 0x40, 0xfa, 0x38, 0xb1, 0x40, 0xe2, 0xc9, 0x13, 0x1c, 0x5f, 0x99,
    0x2f, 0xe9, 0x3d, 0x9a, 0x5d, 0x72, 0x71, 0xd8, 0xd9, 0xec, 0xc8, 0x00, 0x00, 0x38, 0xc0, 0x2c,
    0xc0, 0x30, 0x00, 0x9f, 0xcc, 0xa9, 0xcc, 0xa8, 0xcc, 0xaa, 0xc0, 0x2b, 0xc0, 0x2f, 0x00, 0x9e,
    0xc0, 0x24, 0xc0, 0x28, 0x00, 0x6b, 0xc0, 0x23, 0xc0, 0x27, 0x00, 0x67, 0xc0, 0x0a, 0xc0, 0x14,
    0x00, 0x39, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x33, 0x00, 0x9d, 0x00, 0x9c, 0x00, 0x3d, 0x00, 0x3c,
    0x00, 0x35, 0x00, 0x2f, 0x00, 0xff, 0x01, 0x00, 0x00, 0x66, 0x00, 0x00, 0x00, 0x10, 0x00, 0x0e,
    0x00, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6e, 0x65, 0x74, 0x00, 0x0b,
    0x00, 0x04, 0x03, 0x00, 0x01, 0x02, 0x00, 0x0a, 0x00, 0x0c, 0x00, 0x0a, 0x00, 0x1d, 0x00, 0x17,
    0x00, 0x1e, 0x00, 0x19, 0x00, 0x18, 0x00, 0x23, 0x00, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00, 0x17,
    0x00, 0x00, 0x00, 0x0d, 0x00, 0x2a, 0x00, 0x28, 0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07,
    0x08, 0x08, 0x08, 0x09, 0x08, 0x0a, 0x08, 0x0b, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06, 0x04, 0x01,
    0x05, 0x01, 0x06, 0x01, 0x03, 0x03, 0x03, 0x01, 0x03, 0x02, 0x04, 0x02, 0x05, 0x02, 0x06, 0x02,
};

/* ---- a small builder ------------------------------------------------------------------------- */

struct builder {
    uint8_t bytes[6 * (HELLO_MAX + 1)]; /* one byte a record is the most */
    size_t length;
};

static void put8(struct builder *b, unsigned value)
{
    assert_true(b->length < sizeof b->bytes);
    b->bytes[b->length++] = (uint8_t)value;
}

static void put16(struct builder *b, unsigned value)
{
    put8(b, value >> 8);
    put8(b, value & 255);
}

static void put_bytes(struct builder *b, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        put8(b, ((const uint8_t *)bytes)[i]);
}

/* Makes room for a length; close_16() and close_24() write it. */
static size_t open_length(struct builder *b, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        put8(b, 0);
    return b->length;
}

static void close_16(struct builder *b, size_t begin)
{
    b->bytes[begin - 2] = (uint8_t)((b->length - begin) >> 8);
    b->bytes[begin - 1] = (uint8_t)(b->length - begin);
}

static void close_24(struct builder *b, size_t begin)
{
    b->bytes[begin - 3] = (uint8_t)((b->length - begin) >> 16);
    close_16(b, begin);
}

/* The fields of a hello; NULL or 0 is what is usual. Lengths in front of the bytes are theirs. */
struct fields {
    unsigned version;      /* 0x0303 */
    const char *session;   /* "\x00": none */
    size_t session_length; /* of `session` with its length; likewise below */
    const char *ciphers;   /* "\x00\x02\x13\x01" */
    size_t ciphers_length;
    const char *compressions; /* "\x01\x00" */
    size_t compressions_length;
    const char *extensions; /* without the length of all; NULL: there is no list at all */
    size_t extensions_length;
};

#define BYTES(text) (text), sizeof(text) - 1

static void put_or(struct builder *b, const char *bytes, size_t length, const char *usual,
                   size_t usual_length)
{
    put_bytes(b, bytes ? bytes : usual, bytes ? length : usual_length);
}

/* One message without a record. */
static void build_message(struct builder *b, const struct fields *f)
{
    size_t message, list;

    b->length = 0;
    put8(b, 1);
    message = open_length(b, 3);
    put16(b, f->version ? f->version : 0x0303);
    for (unsigned i = 0; i < 32; i++)
        put8(b, 0xa0 + i);
    put_or(b, f->session, f->session_length, BYTES("\0"));
    put_or(b, f->ciphers, f->ciphers_length, BYTES("\0\2\x13\1"));
    put_or(b, f->compressions, f->compressions_length, BYTES("\1\0"));
    if (f->extensions) {
        list = open_length(b, 2);
        put_bytes(b, f->extensions, f->extensions_length);
        close_16(b, list);
    }
    close_24(b, message);
}

static void put_record(struct builder *b, const uint8_t *fragment, size_t length)
{
    put8(b, 22);
    put16(b, 0x0301);
    put16(b, (unsigned)length);
    put_bytes(b, fragment, length);
}

/* The message in records of at most `size` bytes. */
static void wrap(struct builder *b, const struct builder *message, size_t size)
{
    b->length = 0;
    for (size_t at = 0; at < message->length; at += size)
        put_record(b, message->bytes + at,
                   message->length - at < size ? message->length - at : size);
}

static void build(struct builder *b, const struct fields *f)
{
    static struct builder message;

    build_message(&message, f);
    wrap(b, &message, 16384);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What was read, without pointers. */
struct seen {
    int status;
    unsigned version;
    char name[HELLO_NAME];
    bool has_alpn;
    size_t alpn_length;
    uint8_t alpn[HELLO_MAX];
};

static struct seen *look(const uint8_t *bytes, size_t length)
{
    static struct seen seen;
    uint8_t *memory = malloc(1 + length), *scratch = malloc(HELLO_MAX), *copy;
    struct hello hello;

    assert_true(memory && scratch);
    copy = memory + 1; /* ends where the memory does */
    memcpy(copy, bytes, length);
    memset(&hello, 0xee, sizeof hello);
    memset(&seen, 0, sizeof seen);
    seen.status = hello_read(copy, length, scratch, &hello);
    if (seen.status)
        assert_true(!hello.name[0] && !hello.version && !hello.alpn && !hello.alpn_length);
    assert_true(strnlen(hello.name, sizeof hello.name) < sizeof hello.name);
    memcpy(seen.name, hello.name, sizeof seen.name);
    seen.version = hello.version;
    seen.has_alpn = hello.alpn != NULL;
    seen.alpn_length = hello.alpn_length;
    assert_true(hello.alpn_length <= HELLO_MAX);
    if (hello.alpn)
        memcpy(seen.alpn, hello.alpn, hello.alpn_length);
    free(memory);
    free(scratch);
    return &seen;
}

static int status_of(const uint8_t *bytes, size_t length)
{
    return look(bytes, length)->status;
}

static void expect(const uint8_t *bytes, size_t length, unsigned version, const char *name,
                   const char *alpn)
{
    struct seen *seen = look(bytes, length);
    uint8_t wire[256];

    assert_int_equal(seen->status, 0);
    assert_int_equal(seen->version, version);
    assert_string_equal(seen->name, name);
    assert_int_equal(seen->has_alpn, alpn != NULL);
    if (!alpn)
        return;
    assert_int_equal(seen->alpn_length, hello_alpn_text(alpn, wire, sizeof wire));
    assert_memory_equal(seen->alpn, wire, seen->alpn_length);
}

static int status_with(const char *extensions, size_t length)
{
    static struct builder b;

    build(&b, &(struct fields){.extensions = extensions, .extensions_length = length});
    return status_of(b.bytes, b.length);
}

/* The name that is read where the client sends this one; NULL: it is malformed. */
static const char *name_of(const char *name, size_t length)
{
    static struct builder b;
    struct builder list = {.length = 0};
    struct seen *seen;
    size_t extension, names, host;

    put16(&list, 0);
    extension = open_length(&list, 2);
    names = open_length(&list, 2);
    put8(&list, 0);
    host = open_length(&list, 2);
    put_bytes(&list, name, length);
    close_16(&list, host);
    close_16(&list, names);
    close_16(&list, extension);
    build(&b, &(struct fields){.extensions = (char *)list.bytes, .extensions_length = list.length});
    seen = look(b.bytes, b.length);
    if (seen->status)
        assert_int_equal(seen->status, -EPROTO);
    return seen->status ? NULL : seen->name;
}

#define NAME_H2                    \
    "\0\0\0\x0b\0\x09\0\0\6A.test" \
    "\0\x10\0\5\0\3\2h2"           \
    "\0\x2b\0\3\2\3\4"
static const struct fields usual = {.extensions = NAME_H2, .extensions_length = sizeof NAME_H2 - 1};

/* All that the tests of splits and cuts go over. */
static const struct sample {
    const uint8_t *bytes;
    size_t length;
    unsigned version;
    const char *name, *alpn;
} samples[] = {
    {of_openssl, sizeof of_openssl, 0x0304, "www.example.org", "h2,http/1.1"},
    {of_curl, sizeof of_curl, 0x0304, "www.example.org", "h2,http/1.1"},
    {of_openssl_1_2, sizeof of_openssl_1_2, 0x0303, "example.net", NULL},
};

static const struct sample *const samples_end = samples + sizeof samples / sizeof *samples;

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_real_clients(void **state)
{
    (void)state;
    for (const struct sample *s = samples; s < samples_end; s++)
        expect(s->bytes, s->length, s->version, s->name, s->alpn);
}

static void test_built(void **state)
{
    static struct builder b;

    (void)state;
    build(&b, &usual);
    expect(b.bytes, b.length, 0x0304, "a.test", "h2");
    build(&b, &(struct fields){.extensions = ""}); /* a list of none */
    expect(b.bytes, b.length, 0x0303, "", NULL);
    build(&b, &(struct fields){.version = 0x0303}); /* no list */
    expect(b.bytes, b.length, 0x0303, "", NULL);
}

/* What follows the hello in records of its own (early data, say) is not looked at. */
static void test_more_behind_it(void **state)
{
    static struct builder b;

    (void)state;
    build(&b, &usual);
    put_bytes(&b, "\x17\3\3\xff\xff junk", 10);
    expect(b.bytes, b.length, 0x0304, "a.test", "h2");
}

static void test_every_truncation(void **state)
{
    struct hello hello;

    (void)state;
    assert_int_equal(hello_read(NULL, 0, NULL, &hello), -EAGAIN);
    for (const struct sample *s = samples; s < samples_end; s++)
        for (size_t length = 0; length < s->length; length++)
            assert_int_equal(status_of(s->bytes, length), -EAGAIN);
}

/* Two records, cut at every offset of the message; and each of them is there byte by byte. */
static void test_split_at_every_offset(void **state)
{
    static struct builder b;

    (void)state;
    for (const struct sample *s = samples; s < samples_end; s++)
        for (size_t cut = 1; cut < s->length - 5; cut++) {
            b.length = 0;
            put_record(&b, s->bytes + 5, cut);
            put_record(&b, s->bytes + 5 + cut, s->length - 5 - cut);
            expect(b.bytes, b.length, s->version, s->name, s->alpn);
            for (size_t length = 0; length < b.length; length += cut % 7 == 3 ? 1 : 37)
                assert_int_equal(status_of(b.bytes, length), -EAGAIN);
        }
}

static void test_split_into_small_records(void **state)
{
    static struct builder b;

    (void)state;
    for (const struct sample *s = samples; s < samples_end; s++)
        for (size_t size = 1; size < 20; size++) {
            b.length = 0;
            for (size_t at = 5; at < s->length; at += size)
                put_record(&b, s->bytes + at, s->length - at < size ? s->length - at : size);
            expect(b.bytes, b.length, s->version, s->name, s->alpn);
            for (size_t length = 0; length < b.length; length++)
                assert_int_equal(status_of(b.bytes, length), -EAGAIN);
        }
}

/* Whatever one byte becomes, there is a verdict, and it is not another one than that of a prefix. */
static void expect_one_verdict(const uint8_t *bytes, size_t length, size_t from)
{
    int status = status_of(bytes, length);

    assert_true(status == 0 || status == -EPROTO || status == -E2BIG || status == -EAGAIN);
    for (size_t cut = from; cut < length; cut += 50) {
        int earlier = status_of(bytes, cut);

        assert_true(earlier == status || earlier == -EAGAIN);
    }
}

static void test_every_byte_spoilt(void **state)
{
    static uint8_t spoilt[1024];

    (void)state;
    for (const struct sample *s = samples; s < samples_end; s++)
        for (size_t at = 0; at < s->length; at++)
            for (unsigned flip = 1; flip < 256; flip += test_slow() ? 17 : 1) {
                memcpy(spoilt, s->bytes, s->length);
                spoilt[at] = (uint8_t)(spoilt[at] ^ flip);
                expect_one_verdict(spoilt, s->length, at);
            }
}

static void test_no_tls(void **state)
{
    (void)state;
    assert_int_equal(status_of((const uint8_t *)"GET / HTTP/1.1\r\n", 1), -EPROTO);
    assert_int_equal(status_of((const uint8_t *)"\x80\x2e\1\0\2", 1), -EPROTO); /* SSLv2 */
    assert_int_equal(status_of((const uint8_t *)"\x17\3\3\0\1a", 1), -EPROTO);
    assert_int_equal(status_of((const uint8_t *)"\x16\2", 2), -EPROTO);
    assert_int_equal(status_of((const uint8_t *)"\x16\4", 2), -EPROTO);
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\0\0", 5), -EPROTO);   /* empty */
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\0\4\2", 6), -EPROTO); /* ServerHello */
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\0\4\1\0\0\0", 9), -EPROTO);
}

static void test_record_lengths(void **state)
{
    (void)state;
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\x40\0", 5), -EAGAIN);
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\x40\1", 5), -EPROTO);
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\xff\xff", 5), -EPROTO);
}

/* Between the two halves of a hello: an alert, an empty fragment, an SSLv2 header. */
static void test_something_between(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } between[] = {
        {BYTES("\x15\3\3\0\2\1\0")}, {BYTES("\x14\3\3\0\1\1")}, {BYTES("\x16\3\3\0\0")},
        {BYTES("\x80\x2e\1")},       {BYTES("\x16\4\3\0\1a")},
    };
    static struct builder b;

    (void)state;
    for (size_t i = 0; i < sizeof between / sizeof *between; i++)
        for (size_t cut = 1; cut < 100; cut += 3) {
            b.length = 0;
            put_record(&b, of_openssl + 5, cut);
            put_bytes(&b, between[i].bytes, between[i].length);
            put_record(&b, of_openssl + 5 + cut, sizeof of_openssl - 5 - cut);
            assert_int_equal(status_of(b.bytes, b.length), -EPROTO);
        }
}

/* A second message in the hello's last record; a hello whose record is longer than it. */
static void test_message_ends_with_its_record(void **state)
{
    static struct builder message, b;

    (void)state;
    build_message(&message, &usual);
    put8(&message, 1);
    wrap(&b, &message, 16384);
    assert_int_equal(status_of(b.bytes, b.length), -EPROTO);
    assert_int_equal(status_of(b.bytes, 9), -EPROTO); /* known with the header of the message */
    wrap(&b, &message, 64);
    assert_int_equal(status_of(b.bytes, b.length), -EPROTO);
}

/* HELLO_MAX bytes of records are read, and one more is not. */
static void test_longest(void **state)
{
    static struct builder message, b;
    static char extension[HELLO_MAX];
    size_t fixed = 4 + 2 + 32 + 1 + 4 + 2 + 2 + 4;
    size_t room = HELLO_MAX - 2 * 5 - fixed;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        memset(extension, 0, sizeof extension);
        extension[1] = 21; /* padding */
        extension[2] = (char)((room + more) >> 8);
        extension[3] = (char)(room + more);
        build_message(&message, &(struct fields){.extensions = extension,
                                                 .extensions_length = 4 + room + more});
        wrap(&b, &message, 16384);
        assert_int_equal(b.length, HELLO_MAX + more);
        assert_int_equal(status_of(b.bytes, b.length), more ? -E2BIG : 0);
        assert_int_equal(status_of(b.bytes, 16384), -EAGAIN);
    }
    wrap(&b, &message, 1); /* many headers count, too */
    assert_int_equal(status_of(b.bytes, b.length), -E2BIG);
    assert_int_equal(status_of(b.bytes, HELLO_MAX - 6), -EAGAIN);
    assert_int_equal(status_of((const uint8_t *)"\x16\3\1\1\0\1\xff\xff\xff", 9), -E2BIG);
}

static void test_fields(void **state)
{
    static const struct {
        struct fields fields;
        int status;
    } cases[] = {
        {{.session = "\x20"
                     "0123456789abcdef0123456789abcdef",
          .session_length = 33},
         0},
        {{.session = "\x21"
                     "0123456789abcdef0123456789abcdef!",
          .session_length = 34},
         -EPROTO},
        {{.ciphers = "\0\0", .ciphers_length = 2}, -EPROTO},
        {{.ciphers = "\0\1\x13", .ciphers_length = 3}, -EPROTO},
        {{.ciphers = "\0\3\x13\1\x13", .ciphers_length = 5}, -EPROTO},
        {{.ciphers = "\0\4\x13\1\x13\2", .ciphers_length = 6}, 0},
        {{.ciphers = "\xff\xfe\x13\1", .ciphers_length = 4}, -EPROTO},
        {{.compressions = "\0", .compressions_length = 1}, -EPROTO},
        {{.compressions = "\2\1\0", .compressions_length = 3}, 0},
        {{.compressions = "\2\0", .compressions_length = 2}, -EPROTO},
        {{.compressions = "", .compressions_length = 0}, -EPROTO},
        {{.version = 0x0203}, -EPROTO},
        {{.version = 0x0403}, -EPROTO},
        {{.compressions = "\1\0\0", .compressions_length = 3}, -EPROTO},     /* half a length */
        {{.compressions = "\1\0\0\0\0", .compressions_length = 5}, -EPROTO}, /* too many bytes */
        {{.compressions = "\1\0\0\1", .compressions_length = 4}, -EPROTO},   /* too few */
    };
    static struct builder b;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        build(&b, &cases[i].fields);
        if (status_of(b.bytes, b.length) != cases[i].status)
            fail_msg("case %zu: %d", i, status_of(b.bytes, b.length));
    }
}

static void test_versions(void **state)
{
    static const struct {
        unsigned legacy;
        const char *extension;
        size_t length;
        int version; /* or an error */
    } cases[] = {
        {0x0303, NULL, 0, 0x0303},
        {0x0304, NULL, 0, 0x0303}, /* not offered that way */
        {0x0302, NULL, 0, 0},
        {0x0301, NULL, 0, 0},
        {0x0303, BYTES("\0\x2b\0\3\2\3\4"), 0x0304},
        {0x0303, BYTES("\0\x2b\0\3\2\3\3"), 0x0303},
        {0x0303, BYTES("\0\x2b\0\7\6\3\3\3\4\3\2"), 0x0304},
        {0x0303, BYTES("\0\x2b\0\7\6\x7a\x7a\3\3\3\2"), 0x0303},
        {0x0303, BYTES("\0\x2b\0\5\4\xfa\xfa\3\1"), 0},
        {0x0303, BYTES("\0\x2b\0\0"), -EPROTO},
        {0x0303, BYTES("\0\x2b\0\1\0"), -EPROTO},
        {0x0303, BYTES("\0\x2b\0\2\1\3"), -EPROTO},
        {0x0303, BYTES("\0\x2b\0\4\3\3\4\3"), -EPROTO},
        {0x0303, BYTES("\0\x2b\0\4\2\3\4\3"), -EPROTO},
        {0x0303, BYTES("\0\x2b\0\3\4\3\4"), -EPROTO},
    };
    static struct builder b;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen *seen;

        build(&b, &(struct fields){.version = cases[i].legacy,
                                   .extensions = cases[i].extension,
                                   .extensions_length = cases[i].length});
        seen = look(b.bytes, b.length);
        if ((seen->status ? seen->status : (int)seen->version) != cases[i].version)
            fail_msg("case %zu: %d, %x", i, seen->status, seen->version);
    }
}

static void test_names(void **state)
{
    char longest[257];

    (void)state;
    assert_string_equal(name_of(BYTES("example.org")), "example.org");
    assert_string_equal(name_of(BYTES("WWW.Example.ORG")), "www.example.org");
    assert_string_equal(name_of(BYTES("example.org.")), "example.org");
    assert_string_equal(name_of(BYTES("_srv.xn--bcher-kva.example")), "_srv.xn--bcher-kva.example");
    assert_string_equal(name_of(BYTES("a")), "a");
    assert_null(name_of(BYTES("")));
    assert_null(name_of(BYTES(".")));
    assert_null(name_of(BYTES("..")));
    assert_null(name_of(BYTES(".a")));
    assert_null(name_of(BYTES("a..b")));
    assert_null(name_of(BYTES("a..")));
    assert_null(name_of(BYTES("a\0.test")));
    assert_null(name_of(BYTES("a.test\0")));
    assert_null(name_of(BYTES("::1\0")));
    memset(longest, 'a', sizeof longest);
    assert_int_equal(strlen(name_of(longest, 255)), 255);
    assert_null(name_of(longest, 256));
    for (int c = 0; c < 256; c++) {
        char name[] = {'a', (char)c, 'b'};
        bool good = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c);

        assert_int_equal(name_of(name, 3) != NULL, good && c);
    }
}

/* Not allowed, and sent by many: as if there were none. */
static void test_addresses_for_names(void **state)
{
    (void)state;
    assert_string_equal(name_of(BYTES("192.0.2.1")), "");
    assert_string_equal(name_of(BYTES("192.0.2.1.")), "");
    assert_string_equal(name_of(BYTES("::1")), "");
    assert_string_equal(name_of(BYTES("2001:DB8::192.0.2.1")), "");
    assert_string_equal(name_of(BYTES("1.2.3.example")), "1.2.3.example");
    assert_null(name_of(BYTES("[::1]")));
    assert_null(name_of(BYTES("fe80::1%eth0")));
    assert_null(name_of(BYTES("a.test:443")));
}

static void test_server_name_list(void **state)
{
    (void)state;
    assert_int_equal(status_with(BYTES("\0\0\0\6\0\4\0\0\1a")), 0);
    assert_int_equal(status_with(BYTES("\0\0\0\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\0\0\2\0\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\0\0\6\0\4\1\0\1a")), -EPROTO);            /* a type */
    assert_int_equal(status_with(BYTES("\0\0\0\x0a\0\x08\0\0\1a\0\0\1b")), -EPROTO); /* two */
    assert_int_equal(status_with(BYTES("\0\0\0\6\0\4\0\0\2a")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\0\0\6\0\5\0\0\1a")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\0\0\7\0\4\0\0\1ab")), -EPROTO);
}

static void test_alpn_list(void **state)
{
    static struct builder b;
    struct builder list = {.length = 0};

    (void)state;
    assert_int_equal(status_with(BYTES("\0\x10\0\4\0\2\1a")), 0);
    assert_int_equal(status_with(BYTES("\0\x10\0\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x10\0\2\0\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x10\0\3\0\1\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x10\0\5\0\3\1a\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x10\0\4\0\2\2a")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x10\0\5\0\2\1ab")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x10\0\4\0\3\1a")), -EPROTO);
    put_bytes(&list, "\0\x10\1\2\1\0\xff", 7);
    for (unsigned i = 0; i < 255; i++)
        put8(&list, i);
    build(&b, &(struct fields){.extensions = (char *)list.bytes, .extensions_length = list.length});
    assert_int_equal(look(b.bytes, b.length)->alpn_length, 256);
}

static void test_extensions_twice(void **state)
{
    static struct builder b;
    struct builder list = {.length = 0};

    (void)state;
    assert_int_equal(status_with(BYTES("\0\x17\0\0\0\x18\0\0")), 0);
    assert_int_equal(status_with(BYTES("\0\x17\0\0\0\x17\0\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\xff\xff\0\0\0\x17\0\0\xff\xff\0\0")), -EPROTO);
    assert_int_equal(status_with(BYTES(NAME_H2 "\0\x10\0\4\0\2\1a")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x17\0")), -EPROTO);
    assert_int_equal(status_with(BYTES("\0\x17\0\1")), -EPROTO);
    /* Thousands that nobody knows are read; the last of them once more is not. */
    for (unsigned type = 100; type < 4100; type++) {
        put16(&list, type);
        put16(&list, 0);
    }
    for (int again = 0; again < 2; again++) {
        build(&b,
              &(struct fields){.extensions = (char *)list.bytes, .extensions_length = list.length});
        assert_int_equal(status_of(b.bytes, b.length), again ? -EPROTO : 0);
        put16(&list, 4099);
        put16(&list, 0);
    }
}

/* ---- protocols ------------------------------------------------------------------------------- */

static void expect_choice(const char *theirs, const char *ours, const char *choice)
{
    uint8_t offered[600], wire[600];
    struct hello hello = {.alpn = NULL};
    int ours_length = ours ? hello_alpn_text(ours, wire, sizeof wire) : 0;
    size_t length = 77;
    const uint8_t *chosen;

    if (theirs) {
        hello.alpn = offered;
        hello.alpn_length = (size_t)hello_alpn_text(theirs, offered, sizeof offered);
    }
    assert_true(ours_length >= 0);
    chosen = hello_choose_alpn(&hello, ours ? wire : NULL, (size_t)ours_length, &length);
    assert_int_equal(chosen != NULL, choice != NULL);
    if (!choice)
        return;
    assert_int_equal(length, strlen(choice));
    assert_memory_equal(chosen, choice, length);
}

static void test_choice(void **state)
{
    (void)state;
    expect_choice("h2,http/1.1", "h2,http/1.1", "h2");
    expect_choice("http/1.1,h2", "h2,http/1.1", "h2"); /* the server's order */
    expect_choice("h2,http/1.1", "http/1.1,h2", "http/1.1");
    expect_choice("x,http/1.1", "h2,http/1.1", "http/1.1");
    expect_choice("h2", "h", NULL);
    expect_choice("h", "h2", NULL);
    expect_choice("H2", "h2", NULL);
    expect_choice("imap", "h2,http/1.1", NULL);
    expect_choice(NULL, "h2", NULL);
    expect_choice("h2", NULL, NULL);
}

static void test_text(void **state)
{
    char text[700];
    uint8_t wire[700];

    (void)state;
    assert_int_equal(hello_alpn_text("h2,http/1.1", wire, 12), 12);
    assert_memory_equal(wire, "\2h2\10http/1.1", 12);
    assert_int_equal(hello_alpn_text("h2,http/1.1", wire, 11), -ENOSPC);
    assert_int_equal(hello_alpn_text("h2,http/1.1", wire, 3), -ENOSPC);
    assert_int_equal(hello_alpn_text("h2", wire, 0), -ENOSPC);
    assert_int_equal(hello_alpn_text("h2", wire, 3), 3);
    assert_int_equal(hello_alpn_text("h2", wire, 2), -ENOSPC);
    assert_int_equal(hello_alpn_text("", wire, 12), -EINVAL);
    assert_int_equal(hello_alpn_text(",", wire, 12), -EINVAL);
    assert_int_equal(hello_alpn_text("h2,", wire, 12), -EINVAL);
    assert_int_equal(hello_alpn_text(",h2", wire, 12), -EINVAL);
    assert_int_equal(hello_alpn_text("a,,b", wire, 12), -EINVAL);
    memset(text, 'a', sizeof text);
    text[255] = 0;
    assert_int_equal(hello_alpn_text(text, wire, sizeof wire), 256);
    assert_int_equal(wire[0], 255);
    text[255] = 'a';
    text[256] = 0;
    assert_int_equal(hello_alpn_text(text, wire, sizeof wire), -EINVAL);
}

/* A list of 65535 bytes is the longest that there is, however much room there may be. */
static void test_longest_text(void **state)
{
    size_t room = 70000;
    char *text = malloc(room);
    uint8_t *wire = malloc(room);

    (void)state;
    assert_true(text && wire);
    for (size_t i = 0; i < 65535; i++)
        text[i] = i % 255 == 254 ? ',' : 'a'; /* 257 protocols of 255 bytes with their length */
    text[65534] = 0;
    assert_int_equal(hello_alpn_text(text, wire, room), 65535);
    text[65534] = 'a';
    text[65535] = 0;
    assert_int_equal(hello_alpn_text(text, wire, room), -ENOSPC);
    free(text);
    free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_clients),
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_more_behind_it),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_split_at_every_offset),
        cmocka_unit_test(test_split_into_small_records),
        cmocka_unit_test(test_every_byte_spoilt),
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_record_lengths),
        cmocka_unit_test(test_something_between),
        cmocka_unit_test(test_message_ends_with_its_record),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses_for_names),
        cmocka_unit_test(test_server_name_list),
        cmocka_unit_test(test_alpn_list),
        cmocka_unit_test(test_extensions_twice),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_longest_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
