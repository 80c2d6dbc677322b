/* The backend of wolfSSL: its table, its beginning, and what of its cryptography others use. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha256.h>

static int init(void)
{
    if (wolfssl_memory_init() != 0)
        return -ENOTSUP;
#ifdef CDT_WOLFSSL_BUILT
    (void)wolfssl_sha256_init();
#endif
    if (wolfSSL_Init() != WOLFSSL_SUCCESS)
        return -ENOTSUP;
    wolfssl_wake();
    return 0;
}

static void session_free(void *session)
{
    wolfSSL_SESSION_free(session);
}

/* wolfSSL counts in 32 bits. */
static bool fits(const struct iovec *part)
{
    return part->iov_len <= UINT32_MAX;
}

static int sha256(const struct iovec *parts, int count, uint8_t digest[32])
{
    wc_Sha256 sha;
    int status = wc_InitSha256(&sha);

    if (status)
        return -ENOTSUP;
    for (int i = 0; !status && i < count; i++)
        status = fits(&parts[i])
                     ? wc_Sha256Update(&sha, parts[i].iov_base, (word32)parts[i].iov_len)
                     : -EINVAL;
    if (!status)
        status = wc_Sha256Final(&sha, digest);
    wc_Sha256Free(&sha);
    return status ? -EINVAL : 0;
}

static int hmac_sha256(const void *key, size_t key_length, const struct iovec *parts, int count,
                       uint8_t digest[32])
{
    Hmac hmac;
    int status = wc_HmacInit(&hmac, NULL, INVALID_DEVID);

    if (status)
        return -ENOTSUP;
    status = wc_HmacSetKey(&hmac, WC_SHA256, key, (word32)key_length);
    for (int i = 0; !status && i < count; i++)
        status = fits(&parts[i]) ? wc_HmacUpdate(&hmac, parts[i].iov_base, (word32)parts[i].iov_len)
                                 : -EINVAL;
    if (!status)
        status = wc_HmacFinal(&hmac, digest);
    wc_HmacFree(&hmac);
    explicit_bzero(&hmac, sizeof hmac);
    return status ? -EINVAL : 0;
}

const struct tls_backend tls_wolfssl = {
    .name = "wolfssl",
    .init = init,
    .context_new = wolfssl_context_new,
    .context_put = wolfssl_context_put,
    .engine_new = wolfssl_engine_new,
    .engine_free = wolfssl_engine_free,
    .handshake = wolfssl_handshake,
    .read = wolfssl_read,
    .write = wolfssl_write,
    .shutdown = wolfssl_shutdown,
    .update_key = wolfssl_update_key,
    .facts = wolfssl_facts,
    .session_free = session_free,
    .certificate = wolfssl_certificate,
    .sha256 = sha256,
    .hmac_sha256 = hmac_sha256,
};

#endif
