/* Session tickets of a server (RFC 5077): sealed with AES-256-GCM under the keys of tls/tickets.h.
 * The name of the key is bound to the rest. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "tls/tickets.h"
#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/aes.h>

enum {
    NONCE = 12, /* of the room of 16 bytes */
    TAG = 16    /* of the room of 32 */
};

static int seal(Aes *aes, const struct tls_ticket_key *key, uint8_t *iv, uint8_t *mac,
                uint8_t *ticket, word32 length)
{
    memset(iv, 0, WOLFSSL_TICKET_IV_SZ);
    memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
    if (getrandom(iv, NONCE, 0) != NONCE)
        return -EIO;
    return wc_AesGcmEncrypt(aes, ticket, ticket, length, iv, NONCE, mac, TAG, key->name,
                            sizeof key->name);
}

static int unseal(Aes *aes, const struct tls_ticket_key *key, const uint8_t *iv, const uint8_t *mac,
                  uint8_t *ticket, word32 length)
{
    return wc_AesGcmDecrypt(aes, ticket, ticket, length, iv, NONCE, mac, TAG, key->name,
                            sizeof key->name);
}

int wolfssl_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                   unsigned char iv[WOLFSSL_TICKET_IV_SZ], unsigned char mac[WOLFSSL_TICKET_MAC_SZ],
                   int encrypt, unsigned char *ticket, int length, int *written, void *arg)
{
    const struct tls_context *context = arg;
    struct tls_ticket_key key;
    Aes aes;

    (void)ssl;
    const int age = encrypt ? tls_tickets_current(context->tickets, &key)
                            : tls_tickets_find(context->tickets, name, &key);
    if (encrypt ? age < 0 : age <= 0)
        return WOLFSSL_TICKET_RET_REJECT;
    int status = wc_AesInit(&aes, NULL, INVALID_DEVID);
    if (!status)
        status = wc_AesGcmSetKey(&aes, key.aes, sizeof key.aes);
    if (!status)
        status = encrypt ? seal(&aes, &key, iv, mac, ticket, (word32)length)
                         : unseal(&aes, &key, iv, mac, ticket, (word32)length);
    if (encrypt)
        memcpy(name, key.name, sizeof key.name);
    wc_AesFree(&aes);
    explicit_bzero(&aes, sizeof aes);
    explicit_bzero(&key, sizeof key);
    *written = length;
    if (status)
        return WOLFSSL_TICKET_RET_REJECT;
    return age == 2 ? WOLFSSL_TICKET_RET_CREATE : WOLFSSL_TICKET_RET_OK;
}

#endif
