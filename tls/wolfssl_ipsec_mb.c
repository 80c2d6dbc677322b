/* AES-GCM of intel-ipsec-mb, as a device for wolfSSL's cryptography. Only the functions that work
 * on one buffer are used: they keep nothing between calls, so that any thread may. The key schedule
 * is made for each record, which costs a tenth of its time, and the connection no memory. */
#if defined CDT_HAVE_WOLFSSL && defined CDT_HAVE_IPSEC_MB
#include <pthread.h>
#include <string.h>

#include "tls/wolfssl_ipsec_mb.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <intel-ipsec-mb.h>

enum { NONCE = 12, TAG = 16, KEYS = 2 };

/* By the length of the key: 16, 32. */
static struct {
    aes_gcm_pre_t prepare[KEYS];
    aes_gcm_enc_dec_t encrypt[KEYS], decrypt[KEYS];
    bool usable;
} gcm;

/* What holds secrets during a call. The header asks for no alignment, its authors do. */
struct scratch {
    _Alignas(64) struct gcm_key_data key;
    struct gcm_context_data context;
    uint8_t tag[TAG];
};

/* ---- the library ----------------------------------------------------------------------------- */

/* The library asks what the processor has, but not whether the system saves the registers of
 * AVX-512. With anything less, its AES-GCM is as fast as wolfSSL's at best. */
bool wolfssl_ipsec_mb_fits(void)
{
    const uint64_t needed = IMB_CPUFLAGS_AVX512_T2;

    return __builtin_cpu_supports("avx512f") && (imb_get_feature_flags() & needed) == needed;
}

/* With the first record, for the tests that the library makes of itself take as long as a
 * handshake. The manager is needed no longer than to learn the functions. */
static void load(void)
{
    IMB_MGR *manager = alloc_mb_mgr(0);

    if (!manager)
        return;
    init_mb_mgr_avx512(manager);
    gcm.prepare[0] = manager->gcm128_pre;
    gcm.prepare[1] = manager->gcm256_pre;
    gcm.encrypt[0] = manager->gcm128_enc;
    gcm.encrypt[1] = manager->gcm256_enc;
    gcm.decrypt[0] = manager->gcm128_dec;
    gcm.decrypt[1] = manager->gcm256_dec;
    gcm.usable = imb_get_errno(manager) == 0;
    free_mb_mgr(manager);
}

static bool loaded(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return gcm.usable;
}

/* ---- the device ------------------------------------------------------------------------------ */

/* Is a record of the form that TLS has? */
static bool takes(const Aes *aes, word32 nonce, word32 tag)
{
    return nonce == NONCE && tag == TAG && aes &&
           (aes->keylen == AES_128_KEY_SIZE || aes->keylen == AES_256_KEY_SIZE) && loaded();
}

/* If a pointer were missing, the library would leave the output alone and not say so. */
static bool complete(const void *in, const void *out, const void *nonce, const void *tag,
                     const void *extra, word32 extra_size)
{
    return in && out && nonce && tag && (extra || !extra_size);
}

/* As long for any two. */
static bool same(const uint8_t *a, const uint8_t *b)
{
    volatile uint8_t difference = 0;

    for (int i = 0; i < TAG; i++)
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    return difference == 0;
}

/* Not inlined, for their frames are large. */
static __attribute__((noinline)) int encrypt(const wc_CryptoInfo *info)
{
    const Aes *aes = info->cipher.aesgcm_enc.aes;
    const uint8_t *in = info->cipher.aesgcm_enc.in, *nonce = info->cipher.aesgcm_enc.iv;
    const uint8_t *extra = info->cipher.aesgcm_enc.authIn;
    uint8_t *out = info->cipher.aesgcm_enc.out, *tag = info->cipher.aesgcm_enc.authTag;
    const word32 size = info->cipher.aesgcm_enc.sz, extra_size = info->cipher.aesgcm_enc.authInSz;
    struct scratch scratch;

    if (!takes(aes, info->cipher.aesgcm_enc.ivSz, info->cipher.aesgcm_enc.authTagSz) ||
        !complete(in, out, nonce, tag, extra, extra_size))
        return CRYPTOCB_UNAVAILABLE;
    const int key = aes->keylen == AES_256_KEY_SIZE;
    gcm.prepare[key](aes->devKey, &scratch.key);
    gcm.encrypt[key](&scratch.key, &scratch.context, out, in, size, nonce, extra, extra_size, tag,
                     TAG);
    explicit_bzero(&scratch, sizeof scratch);
    return 0;
}

/* The text comes before the tag is known, and goes again if that is wrong. */
static __attribute__((noinline)) int decrypt(const wc_CryptoInfo *info)
{
    const Aes *aes = info->cipher.aesgcm_dec.aes;
    const uint8_t *in = info->cipher.aesgcm_dec.in, *nonce = info->cipher.aesgcm_dec.iv;
    const uint8_t *extra = info->cipher.aesgcm_dec.authIn, *tag = info->cipher.aesgcm_dec.authTag;
    uint8_t *out = info->cipher.aesgcm_dec.out;
    const word32 size = info->cipher.aesgcm_dec.sz, extra_size = info->cipher.aesgcm_dec.authInSz;
    struct scratch scratch;

    if (!takes(aes, info->cipher.aesgcm_dec.ivSz, info->cipher.aesgcm_dec.authTagSz) ||
        !complete(in, out, nonce, tag, extra, extra_size))
        return CRYPTOCB_UNAVAILABLE;
    const int key = aes->keylen == AES_256_KEY_SIZE;
    gcm.prepare[key](aes->devKey, &scratch.key);
    gcm.decrypt[key](&scratch.key, &scratch.context, out, in, size, nonce, extra, extra_size,
                     scratch.tag, TAG);
    const bool good = same(scratch.tag, tag);
    explicit_bzero(&scratch, sizeof scratch);
    if (good)
        return 0;
    explicit_bzero(out, size);
    return AES_GCM_AUTH_E;
}

int wolfssl_ipsec_mb_crypt(int device, wc_CryptoInfo *info, void *arg)
{
    (void)device, (void)arg;
    if (info->algo_type != WC_ALGO_TYPE_CIPHER || info->cipher.type != WC_CIPHER_AES_GCM)
        return CRYPTOCB_UNAVAILABLE;
    if (info->cipher.enc)
        return info->cipher.aesgcm_enc.sz < WOLFSSL_IPSEC_MB_LEAST ? CRYPTOCB_UNAVAILABLE
                                                                   : encrypt(info);
    return info->cipher.aesgcm_dec.sz < WOLFSSL_IPSEC_MB_LEAST ? CRYPTOCB_UNAVAILABLE
                                                               : decrypt(info);
}

/* ---- for connections ------------------------------------------------------------------------- */

static bool registered;

static void register_device(void)
{
    registered = wolfssl_ipsec_mb_fits() &&
                 wc_CryptoCb_RegisterDevice(WOLFSSL_IPSEC_MB, wolfssl_ipsec_mb_crypt, NULL) == 0;
}

int wolfssl_ipsec_mb(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_device);
    return registered ? WOLFSSL_IPSEC_MB : INVALID_DEVID;
}

#endif
