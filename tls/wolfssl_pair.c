/* Whether a key is that of a certificate. wolfSSL compares the numbers of RSA and Ed25519, but of
 * ECDSA, unless it was built with its mathematics for each curve, the curves alone. So the public
 * key is computed from the private one here, and compared with the certificate's. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

enum { POINT_MAX = 1 + 2 * 66 }; /* of P-521 */

/* The key as DER; wolfSSL wipes it when it is freed. 0, or wolfSSL's code. */
static int decode(const char *key, size_t length, const struct wolfssl_password *password,
                  DerBuffer **der)
{
    EncryptedInfo info;

    memset(&info, 0, sizeof info);
    info.passwd_cb = password->callback;
    info.passwd_userdata = password->arg;
    return wc_PemToDer((const unsigned char *)key, (long)length, PRIVATEKEY_TYPE, der, NULL, &info,
                       NULL);
}

/* The public half of a key, as it stands in certificates (SEC 1 section 2.3.3). */
static int derive(const DerBuffer *der, uint8_t point[POINT_MAX], word32 *length)
{
    ecc_key key;
    word32 at = 0;
    int status = wc_ecc_init(&key);

    if (status)
        return status;
    status = wc_EccPrivateKeyDecode(der->buffer, &at, &key, der->length);
    if (!status)
        status = wc_ecc_make_pub(&key, NULL);
    if (!status)
        status = wc_ecc_export_x963(&key, point, length);
    wc_ecc_free(&key);
    return status;
}

static int compare(const struct DecodedCert *cert, const char *key, size_t key_length,
                   const struct wolfssl_password *password)
{
    uint8_t point[POINT_MAX];
    word32 length = sizeof point;
    DerBuffer *der = NULL;
    int status = decode(key, key_length, password, &der);

    if (!status)
        status = derive(der, point, &length);
    wc_FreeDer(&der);
    if (status)
        return status == MEMORY_E ? -ENOMEM : -CDT_ETLSKEY;
    const struct der theirs = wolfssl_point(cert);
    const bool equal = length == der_left(&theirs) && memcmp(point, theirs.at, length) == 0;
    return equal ? 0 : -CDT_ETLSKEY;
}

int wolfssl_pair_check(const struct tls_blob *cert, const char *key, size_t key_length,
                       const struct wolfssl_password *password)
{
    struct DecodedCert decoded;
    uint8_t *der;
    size_t length;
    int status = wolfssl_certificate(cert->text, cert->length, &der, &length);

    if (status)
        return status;
    wc_InitDecodedCert(&decoded, der, (word32)length, NULL);
    const int code = wc_ParseCert(&decoded, CERT_TYPE, NO_VERIFY, NULL);
    if (code)
        status = code == MEMORY_E ? -ENOMEM : -CDT_ETLSKEY;
    else if (decoded.keyOID == ECDSAk)
        status = compare(&decoded, key, key_length, password);
    wc_FreeDecodedCert(&decoded);
    mem_free(der);
    return status;
}

#endif
