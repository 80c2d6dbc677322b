/* For tests: certificates, keys and revocation lists made with libcrypto, as PEM texts. Texts live
 * until authority_free_all(). Good from yesterday until next week, unless asked otherwise. */
#ifndef TEST_TLS_AUTHORITY_H
#define TEST_TLS_AUTHORITY_H

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

struct issued {
    EVP_PKEY *key;
    X509 *certificate;
    char *cert_pem, *key_pem;
    char *chain_pem; /* with those of its issuers, but not of the last */
};

enum { AUTHORITY_ISSUED = 256, AUTHORITY_TEXTS = 64, AUTHORITY_DAY = 86400 };

static struct {
    struct issued issued[AUTHORITY_ISSUED];
    char *texts[AUTHORITY_TEXTS];
    size_t count, text_count;
    long serial;
} authority;

static inline char *authority_keep(BIO *bio)
{
    char *bytes, *text;
    const long length = BIO_get_mem_data(bio, &bytes);
    text = strndup(bytes, (size_t)length);
    assert(text);
    BIO_free(bio);
    return text;
}

/* "RSA-2048", "P-256", "ED25519" ... */
static inline EVP_PKEY *authority_key(const char *kind)
{
    EVP_PKEY *key = NULL;
    if (strncmp(kind, "RSA-", 4) == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 4));
    else if (kind[0] == 'P')
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    assert(key);
    return key;
}

struct request {
    const char *kind;  /* of the key; NULL: P-256 */
    const char *name;  /* common name */
    const char *san;   /* as in openssl.cnf; NULL: none */
    const char *usage; /* extended key usage; NULL: none */
    /* Basic constraints and key usage; NULL: as an authority has them, or another. */
    const char *basic, *key_usage;
    const char *until; /* the last date, as it stands there; NULL: `to` */
    bool ca;
    bool sha1;                   /* signed with it */
    bool pss;                    /* signed with RSASSA-PSS */
    int from, to;                /* days from now; both 0: -1 and 7 */
    const struct issued *issuer; /* NULL: itself */
};

static inline void authority_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static inline const EVP_MD *authority_digest(EVP_PKEY *key, bool sha1)
{
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
        return NULL;
    return sha1 ? EVP_sha1() : EVP_sha256();
}

static inline void authority_sign(X509 *certificate, EVP_PKEY *key, bool sha1, bool pss)
{
    EVP_MD_CTX *signing = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings;
    assert(EVP_DigestSignInit(signing, &settings, authority_digest(key, sha1), NULL, key) == 1);
    if (pss)
        assert(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
    assert(X509_sign_ctx(certificate, signing));
    EVP_MD_CTX_free(signing);
}

static inline void authority_write(struct issued *made, const struct issued *issuer)
{
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem()), *chain = BIO_new(BIO_s_mem());
    assert(PEM_write_bio_X509(cert, made->certificate));
    assert(PEM_write_bio_PrivateKey(key, made->key, NULL, NULL, 0, NULL, NULL));
    made->cert_pem = authority_keep(cert);
    made->key_pem = authority_keep(key);
    BIO_puts(chain, made->cert_pem);
    if (issuer && X509_check_issued(issuer->certificate, issuer->certificate) != X509_V_OK)
        BIO_puts(chain, issuer->chain_pem);
    made->chain_pem = authority_keep(chain);
}

static inline const struct issued *authority_issue(const struct request *request)
{
    struct issued *made = &authority.issued[authority.count++];
    const bool dates = request->from || request->to;
    X509 *certificate = made->certificate = X509_new();
    X509_NAME *name = X509_NAME_new();
    assert(authority.count <= AUTHORITY_ISSUED && certificate && name);
    made->key = authority_key(request->kind ? request->kind : "P-256");
    const struct issued *issuer = request->issuer ? request->issuer : made;
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)request->name, -1, -1, 0);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++authority.serial);
    X509_set_subject_name(certificate, name);
    X509_set_issuer_name(certificate,
                         request->issuer ? X509_get_subject_name(issuer->certificate) : name);
    X509_NAME_free(name);
    X509_gmtime_adj(X509_getm_notBefore(certificate),
                    (long)(dates ? request->from : -1) * AUTHORITY_DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate),
                    (long)(dates ? request->to : 7) * AUTHORITY_DAY);
    if (request->until)
        assert(ASN1_STRING_set(X509_getm_notAfter(certificate), request->until, -1));
    X509_set_pubkey(certificate, made->key);
    authority_extend(certificate, issuer->certificate, NID_basic_constraints,
                     request->basic ? request->basic
                     : request->ca  ? "critical,CA:TRUE"
                                    : "critical,CA:FALSE");
    authority_extend(certificate, issuer->certificate, NID_key_usage,
                     request->key_usage ? request->key_usage
                     : request->ca      ? "critical,keyCertSign,cRLSign"
                                        : "critical,digitalSignature");
    authority_extend(certificate, issuer->certificate, NID_subject_key_identifier, "hash");
    if (request->issuer)
        authority_extend(certificate, issuer->certificate, NID_authority_key_identifier, "keyid");
    if (request->san)
        authority_extend(certificate, issuer->certificate, NID_subject_alt_name, request->san);
    if (request->usage)
        authority_extend(certificate, issuer->certificate, NID_ext_key_usage, request->usage);
    authority_sign(certificate, issuer->key, request->sha1, request->pss);
    authority_write(made, request->issuer);
    return made;
}

/* A list of `issuer`, with one certificate (NULL: empty), that ends in so many days. */
static inline const char *authority_crl(const struct issued *issuer, const struct issued *revoked,
                                        int days)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -2L * AUTHORITY_DAY),
              *next = X509_gmtime_adj(NULL, (long)days * AUTHORITY_DAY);
    BIO *bio = BIO_new(BIO_s_mem());
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, next);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate));
        X509_REVOKED_set_revocationDate(entry, now);
        assert(X509_CRL_add0_revoked(crl, entry));
    }
    X509_CRL_sort(crl);
    assert(X509_CRL_sign(crl, issuer->key, authority_digest(issuer->key, false)));
    assert(PEM_write_bio_X509_CRL(bio, crl));
    X509_CRL_free(crl);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    assert(authority.text_count < AUTHORITY_TEXTS);
    return authority.texts[authority.text_count++] = authority_keep(bio);
}

/* The key behind a password. */
static inline const char *authority_locked_key(const struct issued *issued, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert(PEM_write_bio_PKCS8PrivateKey(bio, issued->key, EVP_aes_256_cbc(), password,
                                         (int)strlen(password), NULL, NULL));
    assert(authority.text_count < AUTHORITY_TEXTS);
    return authority.texts[authority.text_count++] = authority_keep(bio);
}

static inline void authority_digest_of(const struct issued *issued, uint8_t digest[32])
{
    assert(X509_digest(issued->certificate, EVP_sha256(), digest, NULL));
}

static inline void authority_free_all(void)
{
    for (size_t i = 0; i < authority.count; i++) {
        struct issued *issued = &authority.issued[i];
        EVP_PKEY_free(issued->key);
        X509_free(issued->certificate);
        free(issued->cert_pem);
        free(issued->key_pem);
        free(issued->chain_pem);
    }
    for (size_t i = 0; i < authority.text_count; i++)
        free(authority.texts[i]);
    memset(&authority, 0, sizeof authority);
}

#endif
