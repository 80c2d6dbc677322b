/* SHA-256 and HMAC with it, over bytes that lie in several places. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

int openssl_sha256(const struct iovec *parts, int count, uint8_t digest[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

    for (int i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(md, parts[i].iov_base, parts[i].iov_len);
    good = good && EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return good ? 0 : -ENOMEM;
}

int openssl_hmac_sha256(const void *key, size_t key_length, const struct iovec *parts, int count,
                        uint8_t digest[32])
{
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    size_t length;
    int good = mac && EVP_MAC_init(mac, key, key_length, params);

    for (int i = 0; good && i < count; i++)
        good = EVP_MAC_update(mac, parts[i].iov_base, parts[i].iov_len);
    good = good && EVP_MAC_final(mac, digest, &length, 32);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    ERR_clear_error();
    return good ? 0 : -ENOMEM;
}
#endif
