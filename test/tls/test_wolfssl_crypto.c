/* What tls/wolfssl.patch changes in wolfSSL's cryptography gives what it gave before: SHA-256 by
 * the processor's instructions, keys of X25519 by the tables of Ed25519. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#if defined CDT_WOLFSSL_BUILT && defined CDT_TEST_LIBCRYPTO
#include <openssl/evp.h>

#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/sha256.h>

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static void expect_sha256(const uint8_t *data, size_t length, const uint8_t digest[32])
{
    uint8_t right[32];
    unsigned size;
    assert_int_equal(EVP_Digest(data, length, right, &size, EVP_sha256(), NULL), 1);
    assert_memory_equal(digest, right, sizeof right);
}

/* ---- SHA-256 --------------------------------------------------------------------------------- */

enum { LONGEST = 100000, SHORT = 300 };

#ifdef __x86_64__
enum { IS_X86_64 = true };
#else
enum { IS_X86_64 = false };
#endif

static uint8_t text[LONGEST + 16];

/* Every length at every place in a block, whole and in two pieces. */
static void test_every_length(void **state)
{
    (void)state;
    for (size_t length = 0; length <= SHORT; length++) {
        const uint8_t *at = text + length % 16;
        const struct iovec whole = {(void *)at, length};
        uint8_t digest[32];
        assert_int_equal(tls_wolfssl.sha256(&whole, 1, digest), 0);
        expect_sha256(at, length, digest);
        for (size_t first = 0; first <= length; first += 7) {
            const struct iovec parts[] = {{(void *)at, first},
                                          {(void *)(at + first), length - first}};
            assert_int_equal(tls_wolfssl.sha256(parts, 2, digest), 0);
            expect_sha256(at, length, digest);
        }
    }
}

static void test_many_blocks(void **state)
{
    (void)state;
    for (size_t length = 1; length <= LONGEST; length = length * 3 + 1) {
        const struct iovec whole = {text + 1, length};
        uint8_t digest[32];
        assert_int_equal(tls_wolfssl.sha256(&whole, 1, digest), 0);
        expect_sha256(text + 1, length, digest);
    }
}

/* A digest is asked for in the middle, and the text goes on (as transcripts of handshakes do). */
static void test_in_the_middle(void **state)
{
    wc_Sha256 sha;
    uint8_t digest[32];
    (void)state;
    assert_int_equal(wc_InitSha256(&sha), 0);
    for (size_t at = 0; at < 2000; at += 100) {
        assert_int_equal(wc_Sha256Update(&sha, text + at, 100), 0);
        assert_int_equal(wc_Sha256GetHash(&sha, digest), 0);
        expect_sha256(text, at + 100, digest);
    }
    wc_Sha256Free(&sha);
}

/* Where the kernel says that the processor has the instructions, they are used. */
static void test_instructions(void **state)
{
    char line[4096];
    bool has = false;
    (void)state;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) /* an emulator may show another one's */
        has |= IS_X86_64 && strncmp(line, "flags", 5) == 0 && strstr(line, " sha_ni");
    if (file)
        fclose(file);
    if (!has) {
        print_message("SKIPPED: this processor has no instructions for SHA-256\n");
        skip();
    }
    assert_true(wolfssl_sha256_init());
}

/* ---- X25519 ---------------------------------------------------------------------------------- */

static const uint8_t base[CURVE25519_KEYSIZE] = {9};

/* By the tables, and by the ladder. */
static void expect_same(const uint8_t key[CURVE25519_KEYSIZE])
{
    uint8_t fast[CURVE25519_KEYSIZE], slow[CURVE25519_KEYSIZE];
    assert_int_equal(wc_curve25519_make_pub(sizeof fast, fast, CURVE25519_KEYSIZE, key), 0);
    assert_int_equal(
        wc_curve25519_generic(sizeof slow, slow, CURVE25519_KEYSIZE, key, sizeof base, base), 0);
    assert_memory_equal(fast, slow, sizeof fast);
}

static void clamp(uint8_t key[CURVE25519_KEYSIZE])
{
    key[0] &= 248;
    key[31] = (uint8_t)((key[31] & 127) | 64);
}

static void test_random_keys(void **state)
{
    uint8_t key[CURVE25519_KEYSIZE];
    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        fill(key, sizeof key, i);
        clamp(key);
        expect_same(key);
    }
}

/* Digits of one kind only, the least and the greatest key, and one that is none: 0. */
static void test_uncommon_keys(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x08, 0x77, 0x78, 0x80, 0x87, 0x88, 0x89, 0xf8, 0xff};
    uint8_t key[CURVE25519_KEYSIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        memset(key, bytes[i], sizeof key);
        clamp(key);
        expect_same(key);
        key[31] &= 63; /* not as a key should be, but asked for */
        expect_same(key);
    }
    memset(key, 0, sizeof key);
    expect_same(key);
}

/* RFC 7748 section 6.1. */
static void test_known_keys(void **state)
{
    static const uint8_t key[CURVE25519_KEYSIZE] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
                                                    0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                                                    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
                                                    0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const uint8_t right[CURVE25519_KEYSIZE] = {
        0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
        0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
        0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};
    uint8_t clamped[CURVE25519_KEYSIZE], pub[CURVE25519_KEYSIZE];
    (void)state;
    memcpy(clamped, key, sizeof key);
    clamp(clamped);
    assert_int_equal(wc_curve25519_make_pub(sizeof pub, pub, sizeof clamped, clamped), 0);
    assert_memory_equal(pub, right, sizeof pub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),  cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_in_the_middle), cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_random_keys),   cmocka_unit_test(test_uncommon_keys),
        cmocka_unit_test(test_known_keys),
    };
    fill(text, sizeof text, 1);
    if (!tls_backend(CDT_TLS_WOLFSSL))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    printf("SKIPPED: no wolfSSL with our changes, or no libcrypto to compare with\n");
    return 77;
}
#endif
