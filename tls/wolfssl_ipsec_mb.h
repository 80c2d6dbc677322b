/* AES-GCM of intel-ipsec-mb for the records of wolfSSL, where it is the faster one: on processors
 * of x86-64 whose AVX-512 has instructions for AES. Elsewhere, and for what is not taken, wolfSSL
 * does its work itself. */
#ifndef TLS_WOLFSSL_IPSEC_MB_H
#define TLS_WOLFSSL_IPSEC_MB_H

#include <stdbool.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/types.h>

#ifdef CDT_HAVE_IPSEC_MB
#include <wolfssl/wolfcrypt/cryptocb.h>

enum {
    WOLFSSL_IPSEC_MB = 0x43445401, /* our number among wolfSSL's devices */
    WOLFSSL_IPSEC_MB_LEAST = 1024, /* bytes; wolfSSL is faster with less than 700 */
};

/* The device for wolfSSL_SetDevId(), before the handshake; INVALID_DEVID: none that helps on this
 * processor. Not for a context: it would change how wolfSSL checks the keys that are loaded. */
int wolfssl_ipsec_mb(void);
/* Is the processor one that it is for? */
bool wolfssl_ipsec_mb_fits(void);
/* wolfSSL's callback. CRYPTOCB_UNAVAILABLE: not taken, and nothing touched. */
int wolfssl_ipsec_mb_crypt(int device, wc_CryptoInfo *info, void *arg);
#else
static inline int wolfssl_ipsec_mb(void)
{
    return INVALID_DEVID;
}
#endif

#endif
