/* AES-GCM of intel-ipsec-mb for the records of wolfSSL, where it is the faster one: on processors of
 * x86-64 whose AVX-512 has instructions for AES. Elsewhere, and for what is not taken, wolfSSL does
 * its work itself. */
#ifndef TLS_WOLFSSL_IPSEC_MB_H
#define TLS_WOLFSSL_IPSEC_MB_H

#include "tls/wolfssl.h"

#ifdef CDT_HAVE_IPSEC_MB
#include <wolfssl/wolfcrypt/cryptocb.h>

enum {
    WOLFSSL_IPSEC_MB = 0x43445401, /* our number among wolfSSL's devices */
    WOLFSSL_IPSEC_MB_LEAST = 1024, /* bytes; wolfSSL is faster with less than 700 */
};

/* Has the records of a connection done here. To be called before its handshake; what the context was
 * told to load has not seen the device, and is checked as always. */
void wolfssl_ipsec_mb(WOLFSSL *ssl);
/* Is the processor one for which that does anything? */
bool wolfssl_ipsec_mb_fits(void);
/* The device: wolfSSL's callback. CRYPTOCB_UNAVAILABLE: not taken, and nothing touched. */
int wolfssl_ipsec_mb_crypt(int device, wc_CryptoInfo *info, void *arg);
#else
static inline void wolfssl_ipsec_mb(WOLFSSL *ssl)
{
    (void)ssl;
}
#endif

#endif
