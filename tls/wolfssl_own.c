/* A certificate of ours, its chain and its key: from PEM into a context of wolfSSL. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/config.h"
#include "tls/wolfssl.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

int wolfssl_certificate(const char *pem, size_t length, uint8_t **der, size_t *der_length)
{
    const char *at = pem, *block;
    DerBuffer *buffer = NULL;
    int status;

    if (!tls_pem_next(&at, pem + length, "CERTIFICATE", &block, &length))
        return -CDT_ETLSKEY;
    if (wc_PemToDer((const unsigned char *)block, (long)length, CERT_TYPE, &buffer, NULL, NULL,
                    NULL) == 0) {
        *der = mem_alloc(buffer->length);
        status = *der ? 0 : -ENOMEM;
        if (*der)
            memcpy(*der, buffer->buffer, buffer->length);
        *der_length = buffer->length;
    } else {
        status = wolfssl_memory_lacked() ? -ENOMEM : -CDT_ETLSKEY;
    }
    wc_FreeDer(&buffer);
    return status;
}

/* ---- the certificate ------------------------------------------------------------------------- */

static int refuse(const struct tls_blob *blob, const char *what, int code,
                  struct cdt_text_error *error)
{
    if (code == MEMORY_E)
        return -ENOMEM;
    return tls_why(error, -CDT_ETLSKEY, "%s: %s cannot be used: %s", blob->source, what,
                   wolfssl_words(code));
}

/* wolfSSL's codes for a function that gives 1, or less. */
static int load_certificate(WOLFSSL_CTX *ctx, const struct tls_blob *blob,
                            struct cdt_text_error *error)
{
    const char *at = blob->text, *block;
    size_t length;

    if (!tls_pem_next(&at, blob->text + blob->length, "CERTIFICATE", &block, &length))
        return tls_why(error, -CDT_ETLSKEY, "%s: there is no certificate in it", blob->source);
    const int status = wolfSSL_CTX_use_certificate_chain_buffer(
        ctx, (const unsigned char *)block, (long)(blob->text + blob->length - block));
    return status == WOLFSSL_SUCCESS ? 0 : refuse(blob, "the certificate", status, error);
}

/* ---- the key --------------------------------------------------------------------------------- */

/* The password callback of wolfSSL, in the clothes of ours, which is asked once. */
struct asking {
    const struct tls_spec *spec;
    const char *file;
    int status; /* what ours has given */
    bool asked;
    char password[NAME_SZ]; /* as much as wolfSSL takes */
};

static void ask(struct asking *asking, int size)
{
    asking->asked = true;
    asking->status = asking->spec->password
                         ? asking->spec->password(asking->spec->password_arg, asking->file,
                                                  asking->password, (size_t)size)
                         : -CDT_ETLSKEY;
}

static int on_password(char *password, int size, int writing, void *arg)
{
    struct asking *asking = arg;

    (void)writing;
    if (size > NAME_SZ)
        size = NAME_SZ;
    if (!asking->asked)
        ask(asking, size);
    if (asking->status <= 0 || asking->status > size)
        return 0;
    memcpy(password, asking->password, (size_t)asking->status);
    return asking->status;
}

/* The first block that is a key, whatever its kind. */
static bool find_key(const struct tls_blob *blob, const char **key, size_t *length)
{
    static const char *const labels[] = {"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY",
                                         "RSA PRIVATE KEY"};
    const char *end = blob->text + blob->length;
    bool found = false;

    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        const char *at = blob->text, *block;
        size_t block_length;
        if (!tls_pem_next(&at, end, labels[i], &block, &block_length) || (found && block > *key))
            continue;
        *key = block;
        *length = block_length;
        found = true;
    }
    return found;
}

static int key_error(const struct tls_blob *blob, const struct asking *asking, int code,
                     struct cdt_text_error *error)
{
    if (asking->asked && !asking->spec->password)
        return tls_why(error, -CDT_ETLSKEY, "%s: the key is encrypted, and there is no password",
                       blob->source);
    if (asking->asked && asking->status < 0)
        return tls_why(error, -CDT_ETLSKEY,
                       "%s: the key is encrypted, and there is no password: %s", blob->source,
                       cdt_strerror(asking->status));
    if (asking->asked)
        return tls_why(error, -CDT_ETLSKEY, "%s: the key cannot be decrypted: wrong password?",
                       blob->source);
    return refuse(blob, "the key", code, error);
}

static int use_key(WOLFSSL_CTX *ctx, const struct tls_own *own, const char *key, size_t length,
                   struct asking *asking, struct cdt_text_error *error)
{
    const struct wolfssl_password password = {on_password, asking};

    wolfSSL_CTX_set_default_passwd_cb(ctx, on_password);
    wolfSSL_CTX_set_default_passwd_cb_userdata(ctx, asking);
    const int code = wolfSSL_CTX_use_PrivateKey_buffer(ctx, (const unsigned char *)key,
                                                       (long)length, WOLFSSL_FILETYPE_PEM);
    wolfSSL_CTX_set_default_passwd_cb(ctx, NULL);
    wolfSSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (code != WOLFSSL_SUCCESS)
        return key_error(&own->key, asking, code, error);
    int status = wolfSSL_CTX_check_private_key(ctx) == WOLFSSL_SUCCESS
                     ? wolfssl_pair_check(&own->cert, key, length, &password)
                     : -CDT_ETLSKEY;
    if (status == -CDT_ETLSKEY)
        status = tls_why(error, status, "%s: the key is not that of the certificate in %s",
                         own->key.source, own->cert.source);
    return status;
}

static int load_key(WOLFSSL_CTX *ctx, const struct tls_spec *spec, const struct tls_own *own,
                    struct cdt_text_error *error)
{
    struct asking asking = {.spec = spec, .file = own->key_file};
    const char *key = NULL;
    size_t length = 0;

    if (!find_key(&own->key, &key, &length))
        return tls_why(error, -CDT_ETLSKEY, "%s: there is no private key in it", own->key.source);
    const int status = use_key(ctx, own, key, length, &asking, error);
    explicit_bzero(asking.password, sizeof asking.password);
    return status;
}

int wolfssl_load_own(WOLFSSL_CTX *ctx, const struct tls_spec *spec, const struct tls_own *own,
                     struct cdt_text_error *error)
{
    const int status = load_certificate(ctx, &own->cert, error);

    return status ? status : load_key(ctx, spec, own, error);
}

#endif
