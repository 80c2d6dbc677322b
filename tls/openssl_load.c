/* What a context reads from PEM texts: our certificate, its chain and its key, the anchors, the
 * lists of what was revoked. Each block by itself, so that an error can say what is wrong. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"
#include "tls/config.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* ---- certificates ---------------------------------------------------------------------------- */

/* Nobody is asked at the terminal for the password of what has none. */
static int no_password(char *password, int size, int writing, void *arg)
{
    (void)password;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static BIO *text_bio(const char *text, size_t length)
{
    return length <= INT_MAX ? BIO_new_mem_buf(text, (int)length) : NULL;
}

/* Reads the next block of a text: 1; 0: there is none; -1: it cannot be read (openssl_reason()). */
static int next_certificate(const char **at, const char *end, X509 **certificate)
{
    const char *block;
    size_t length;
    BIO *bio;

    *certificate = NULL;
    if (!tls_pem_next(at, end, "CERTIFICATE", &block, &length))
        return 0;
    bio = text_bio(block, length);
    *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    return *certificate ? 1 : -1;
}

static int next_crl(const char **at, const char *end, X509_CRL **crl)
{
    const char *block;
    size_t length;
    BIO *bio;

    *crl = NULL;
    if (!tls_pem_next(at, end, "X509 CRL", &block, &length))
        return 0;
    bio = text_bio(block, length);
    *crl = bio ? PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    return *crl ? 1 : -1;
}

int openssl_certificate(const char *pem, size_t length, uint8_t **der, size_t *der_length)
{
    X509 *certificate;
    uint8_t *bytes = NULL;
    int size = 0, status = -CDT_ETLSKEY;

    ERR_clear_error();
    if (next_certificate(&pem, pem + length, &certificate) > 0)
        size = i2d_X509(certificate, &bytes);
    if (size > 0) {
        *der = mem_alloc((size_t)size);
        status = *der ? 0 : -ENOMEM;
    }
    if (!status) {
        memcpy(*der, bytes, (size_t)size);
        *der_length = (size_t)size;
    }
    OPENSSL_free(bytes);
    X509_free(certificate);
    ERR_clear_error();
    return status;
}

/* ---- anchors and lists ----------------------------------------------------------------------- */

static int add_anchors(X509_STORE *store, const struct tls_blob *blob, struct cdt_text_error *error)
{
    const char *at = blob->text, *end = at + blob->length;
    unsigned number = 0;
    X509 *anchor;
    int found;

    while ((found = next_certificate(&at, end, &anchor)) != 0) {
        bool added = found > 0 && X509_STORE_add_cert(store, anchor);

        X509_free(anchor);
        number++;
        if (!added && !blob->lenient)
            return tls_why(error, -CDT_ETLSKEY, "%s: certificate %u: %s", blob->source, number,
                           openssl_reason());
    }
    if (!number && !blob->lenient)
        return tls_why(error, -CDT_ETLSKEY, "%s: no certificate in it", blob->source);
    return 0;
}

int openssl_load_anchors(SSL_CTX *ssl_ctx, const struct tls_spec *spec,
                         struct cdt_text_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
    int status = 0;

    for (size_t i = 0; !status && i < spec->anchor_count; i++)
        status = add_anchors(store, &spec->anchors[i], error);
    return status;
}

static int add_crls(X509_STORE *store, const struct tls_blob *blob, struct cdt_text_error *error)
{
    const char *at = blob->text, *end = at + blob->length;
    unsigned number = 0;
    X509_CRL *crl;
    int found;

    while ((found = next_crl(&at, end, &crl)) != 0) {
        bool added = found > 0 && X509_STORE_add_crl(store, crl);

        X509_CRL_free(crl);
        number++;
        if (!added)
            return tls_why(error, -CDT_ETLSKEY, "%s: revocation list %u: %s", blob->source, number,
                           openssl_reason());
    }
    if (!number)
        return tls_why(error, -CDT_ETLSKEY, "%s: no revocation list in it", blob->source);
    return 0;
}

int openssl_load_crls(SSL_CTX *ssl_ctx, const struct tls_spec *spec, struct cdt_text_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
    int status = 0;

    for (size_t i = 0; !status && i < spec->crl_count; i++)
        status = add_crls(store, &spec->crls[i], error);
    return status;
}

/* ---- our key --------------------------------------------------------------------------------- */

struct asking {
    const struct tls_spec *spec;
    const char *key_file;
    bool asked;
    int status; /* negative: what the callback has given */
};

static int ask_password(char *password, int size, int writing, void *arg)
{
    struct asking *asking = arg;
    int length;

    (void)writing;
    asking->asked = true;
    if (!asking->spec->password)
        return -1;
    length = asking->spec->password(asking->spec->password_arg, asking->key_file, password,
                                    (size_t)size);
    if (length < 0 || length > size) {
        asking->status = length < 0 ? length : -EINVAL;
        return -1;
    }
    return length;
}

/* The first block with a private key, of any kind ("RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"). */
static bool find_key(const struct tls_blob *blob, const char **block, size_t *length)
{
    static const char label[] = "PRIVATE KEY-----";
    const char *at = blob->text, *end = at + blob->length;

    while (tls_pem_next(&at, end, NULL, block, length)) {
        const char *line = memchr(*block, '\n', *length);
        size_t first = line ? (size_t)(line - *block) : *length;

        if (memmem(*block, first, label, sizeof label - 1))
            return true;
    }
    return false;
}

static int read_key(const struct tls_spec *spec, const struct tls_own *own, EVP_PKEY **key,
                    struct cdt_text_error *error)
{
    struct asking asking = {.spec = spec, .key_file = own->key_file};
    const char *source = own->key.source, *block;
    size_t length;
    BIO *bio;

    if (!find_key(&own->key, &block, &length))
        return tls_why(error, -CDT_ETLSKEY, "%s: no private key in it", source);
    bio = text_bio(block, length);
    if (!bio)
        return -ENOMEM;
    *key = PEM_read_bio_PrivateKey(bio, NULL, ask_password, &asking);
    BIO_free(bio);
    if (*key)
        return 0;
    if (!asking.asked)
        return tls_why(error, -CDT_ETLSKEY, "%s: private key: %s", source, openssl_reason());
    if (!spec->password)
        return tls_why(error, -CDT_ETLSKEY, "%s: the key is encrypted, and there is no password",
                       source);
    if (asking.status)
        return tls_why(error, -CDT_ETLSKEY, "%s: no password for the key: %s", source,
                       cdt_strerror(asking.status));
    return tls_why(error, -CDT_ETLSKEY, "%s: the key cannot be decrypted: wrong password?", source);
}

/* What is wrong with a key of this kind or size; NULL: nothing. */
static const char *unfit(const EVP_PKEY *key)
{
    char group[64];
    size_t length;

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(key) < 2048 ? "an RSA key of less than 2048 bits" : NULL;
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                           &length) &&
            (!strcmp(group, "prime256v1") || !strcmp(group, "secp384r1")))
            return NULL;
        return "an ECDSA key that is neither P-256 nor P-384";
    case EVP_PKEY_ED25519:
        return NULL;
    default:
        return "neither RSA nor ECDSA nor Ed25519";
    }
}

static int use_key(SSL_CTX *ssl_ctx, const struct tls_own *own, EVP_PKEY *key,
                   struct cdt_text_error *error)
{
    const char *wrong = unfit(key);

    if (wrong)
        return tls_why(error, -CDT_ETLSKEY, "%s: private key: %s", own->key.source, wrong);
    if (!X509_check_private_key(SSL_CTX_get0_certificate(ssl_ctx), key))
        return tls_why(error, -CDT_ETLSKEY, "%s: the key is not that of the certificate in %s",
                       own->key.source, own->cert.source);
    if (!SSL_CTX_use_PrivateKey(ssl_ctx, key))
        return tls_why(error, -CDT_ETLSKEY, "%s: private key: %s", own->key.source,
                       openssl_reason());
    return 0;
}

/* ---- our certificate ------------------------------------------------------------------------- */

/* The first certificate is ours, the others are those between it and the anchor. */
static int use_chain(SSL_CTX *ssl_ctx, const struct tls_blob *blob, struct cdt_text_error *error)
{
    const char *at = blob->text, *end = at + blob->length;
    unsigned number = 0;
    X509 *certificate;
    int found;

    while ((found = next_certificate(&at, end, &certificate)) != 0) {
        bool used = found > 0 && (number ? SSL_CTX_add1_chain_cert(ssl_ctx, certificate) > 0
                                         : SSL_CTX_use_certificate(ssl_ctx, certificate) > 0);

        X509_free(certificate);
        number++;
        if (!used)
            return tls_why(error, -CDT_ETLSKEY, "%s: certificate %u: %s", blob->source, number,
                           openssl_reason());
    }
    if (!number)
        return tls_why(error, -CDT_ETLSKEY, "%s: no certificate in it", blob->source);
    return 0;
}

int openssl_load_own(SSL_CTX *ssl_ctx, const struct tls_spec *spec, const struct tls_own *own,
                     struct cdt_text_error *error)
{
    EVP_PKEY *key = NULL;
    int status = use_chain(ssl_ctx, &own->cert, error);

    if (!status)
        status = read_key(spec, own, &key, error);
    if (!status)
        status = use_key(ssl_ctx, own, key, error);
    EVP_PKEY_free(key);
    return status;
}
#endif
