/* The OpenSSL backend: its table. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"

#include <errno.h>

static int init(void)
{
    int status;

    if (!OPENSSL_init_ssl(0, NULL))
        return -ENOMEM;
    status = openssl_bio_init();
    return status ? status : openssl_engine_init();
}

const struct tls_backend tls_openssl = {
    .name = "openssl",
    .init = init,
    .context_new = openssl_context_new,
    .context_put = openssl_context_put,
    .engine_new = openssl_engine_new,
    .engine_free = openssl_engine_free,
    .handshake = openssl_handshake,
    .read = openssl_read,
    .write = openssl_write,
    .shutdown = openssl_shutdown,
    .update_key = openssl_update_key,
    .facts = openssl_facts,
    .session_free = openssl_session_free,
    .certificate = openssl_certificate,
    .sha256 = openssl_sha256,
    .hmac_sha256 = openssl_hmac_sha256,
};
#endif
