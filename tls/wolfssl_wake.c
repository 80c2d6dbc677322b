/* What wolfSSL finds out about the processor when a cipher, digest or curve is first used, and keeps
 * without a lock: it is asked here, once, before there can be two threads to ask. */
#ifdef CDT_HAVE_WOLFSSL
#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/hash.h>

enum { SIZE = 64 };

static void wake_aes(const uint8_t *key)
{
    Aes aes;

    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
        return;
    (void)wc_AesGcmSetKey(&aes, key, AES_128_KEY_SIZE);
    wc_AesFree(&aes);
}

/* Nobody minds what is not built in. */
void wolfssl_wake(void)
{
    static const uint8_t bytes[SIZE] = {[31] = 64}; /* what a key of X25519 must have set */
    uint8_t out[SIZE], tag[SIZE];

    (void)wc_Sha256Hash(bytes, 0, out);
    (void)wc_Sha384Hash(bytes, 0, out);
    wake_aes(bytes);
#if defined(HAVE_CHACHA) && defined(HAVE_POLY1305)
    (void)wc_ChaCha20Poly1305_Encrypt(bytes, bytes, bytes, 0, bytes, 1, out, tag);
#endif
#ifdef HAVE_CURVE25519
    (void)wc_curve25519_make_pub(CURVE25519_KEYSIZE, out, CURVE25519_KEYSIZE, bytes);
#endif
    (void)tag;
}

#endif
