/* What becomes of the chain that a peer has sent (RFC 5280 section 6): ways by names from its own
 * certificate to one of our anchors, then each signature on one, from the anchor down. wolfSSL's
 * own walk over the chain would put the certificates of peers among the anchors of all connections,
 * and cannot tell which one is bad; so its managers are used here, one for each verification. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/der.h"
#include "tls/wolfssl.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/asn.h>

enum {
    STEPS_MAX = 100, /* names that are compared, whatever the peer sends, */
    WALKS_MAX = 4,   /* and ways whose signatures are verified */
    RSA_MIN = 2048 / 8,
    EC_POINT_MIN = 1 + 2 * 32 /* of P-256 */
};

/* ---- names ----------------------------------------------------------------------------------- */

bool wolfssl_link_read(struct wolfssl_link *link, const uint8_t *der, size_t length)
{
    struct der at = {der, der + length}, issuer, subject;

    if (!der_enter(&at, DER_SEQUENCE) || !der_take(&at, DER_SEQUENCE, &at))
        return false;
    der_take(&at, DER_CONTEXT | DER_CONSTRUCTED, NULL); /* the version */
    if (!der_take(&at, DER_INTEGER, NULL) || !der_take(&at, DER_SEQUENCE, NULL) ||
        !der_take(&at, DER_SEQUENCE, &issuer) || !der_take(&at, DER_SEQUENCE, NULL) ||
        !der_take(&at, DER_SEQUENCE, &subject))
        return false;
    *link = (struct wolfssl_link){.der = der,
                                  .length = length,
                                  .subject = subject.at,
                                  .subject_length = der_left(&subject),
                                  .issuer = issuer.at,
                                  .issuer_length = der_left(&issuer)};
    return true;
}

static bool same(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

static bool issued_by(const struct wolfssl_link *link, const uint8_t *name, size_t length)
{
    return same(link->issuer, link->issuer_length, name, length);
}

static bool self_issued(const struct wolfssl_link *link)
{
    return issued_by(link, link->subject, link->subject_length);
}

/* ---- the way --------------------------------------------------------------------------------- */

struct way {
    const struct wolfssl_trust *trust;
    enum cdt_tls_role role;
    const struct wolfssl_link *links;
    size_t count;
    size_t at[WOLFSSL_CHAIN]; /* indexes of links, the peer's own first */
    size_t length;
    unsigned steps, walks;
    struct tls_verdict verdict; /* of the first walk */
};

static bool has_anchor(const struct way *way, const struct wolfssl_link *link)
{
    for (size_t i = 0; i < way->trust->anchor_count; i++) {
        const struct wolfssl_item *anchor = &way->trust->anchors[i];
        if (issued_by(link, anchor->name, anchor->name_length))
            return true;
    }
    return false;
}

static bool is_on(const struct way *way, size_t index)
{
    for (size_t i = 0; i < way->length; i++) {
        if (way->at[i] == index)
            return true;
    }
    return false;
}

/* ---- one certificate ------------------------------------------------------------------------- */

/* wolfSSL's codes; what is not here is a bad certificate. */
static const struct {
    int code;
    enum tls_chain chain;
} verdicts[] = {
    {ASN_AFTER_DATE_E, TLS_CHAIN_EXPIRED},       {ASN_BEFORE_DATE_E, TLS_CHAIN_NOT_YET_VALID},
    {ASN_NO_SIGNER_E, TLS_CHAIN_UNKNOWN_ISSUER}, {ASN_SELF_SIGNED_E, TLS_CHAIN_SELF_SIGNED},
    {CRL_CERT_REVOKED, TLS_CHAIN_REVOKED},       {CRL_MISSING, TLS_CHAIN_NO_CRL},
    {CRL_CERT_DATE_ERR, TLS_CHAIN_OLD_CRL},      {RSA_KEY_SIZE_E, TLS_CHAIN_WEAK_KEY},
    {ECC_KEY_SIZE_E, TLS_CHAIN_WEAK_KEY},
};

static enum tls_chain verdict_of(int code, const char **detail)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        if (verdicts[i].code == code)
            return verdicts[i].chain;
    }
    *detail = wolfssl_words(code);
    return TLS_CHAIN_BAD;
}

/* RSAPublicKey: the length of the modulus. */
static size_t modulus_length(const struct DecodedCert *cert)
{
    struct der at = {cert->publicKey, cert->publicKey + cert->pubKeySize}, modulus;

    if (!der_enter(&at, DER_SEQUENCE) || !der_take(&at, DER_INTEGER, &modulus))
        return 0;
    while (der_left(&modulus) && *modulus.at == 0)
        modulus.at++;
    return der_left(&modulus);
}

struct der wolfssl_point(const struct DecodedCert *cert)
{
    struct der at = {cert->publicKey, cert->publicKey + cert->pubKeySize}, point = at;

    if (der_enter(&at, DER_SEQUENCE) && der_take(&at, DER_SEQUENCE, NULL) &&
        der_take(&at, DER_BIT_STRING, &point) && der_left(&point))
        point.at++; /* the number of bits that are not used */
    return point;
}

static bool has_weak_key(const struct DecodedCert *cert)
{
    if (cert->keyOID == RSAk || cert->keyOID == RSAPSSk)
        return modulus_length(cert) < RSA_MIN;
    const struct der point = wolfssl_point(cert);
    return cert->keyOID == ECDSAk && der_left(&point) < EC_POINT_MIN;
}

/* RSASSA-PSS-params: the digest is SHA-256, 384 or 512; one that is not told is SHA-1 (RFC 4055
 * section 3.1). Only as it stands before the signature: wolfSSL compares it with that inside. */
static bool has_weak_pss(const struct wolfssl_link *link)
{
    static const uint8_t sha2[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02};
    enum { SHA_256 = 1, SHA_384, SHA_512, DIGEST = DER_CONTEXT | DER_CONSTRUCTED | 0 };
    struct der at = {link->der, link->der + link->length}, id;

    if (!der_enter(&at, DER_SEQUENCE) || !der_take(&at, DER_SEQUENCE, NULL) ||
        !der_take(&at, DER_SEQUENCE, &at) || !der_take(&at, DER_OID, NULL) ||
        !der_enter(&at, DER_SEQUENCE) || !der_take(&at, DIGEST, &at) ||
        !der_enter(&at, DER_SEQUENCE) || !der_take(&at, DER_OID, &id))
        return true;
    return der_left(&id) != sizeof sha2 + 1 || memcmp(id.at, sha2, sizeof sha2) != 0 ||
           id.at[sizeof sha2] < SHA_256 || id.at[sizeof sha2] > SHA_512;
}

static bool has_weak_signature(const struct DecodedCert *cert, const struct wolfssl_link *link)
{
    switch (cert->signatureOID) {
    case CTC_SHA256wRSA:
    case CTC_SHA384wRSA:
    case CTC_SHA512wRSA:
    case CTC_SHA256wECDSA:
    case CTC_SHA384wECDSA:
    case CTC_SHA512wECDSA:
    case CTC_ED25519:
        return false;
    case CTC_RSASSAPSS:
        return has_weak_pss(link);
    default:
        return true;
    }
}

/* Anchors of old say less about themselves. */
static bool is_authority(const struct DecodedCert *cert, bool anchor)
{
    const bool old = cert->version == 0 && cert->selfSigned;
    const bool signs = cert->extKeyUsageSet && cert->extKeyUsage & KEYUSE_KEY_CERT_SIGN;

    return cert->isCA || (anchor && !cert->extBasicConstSet && (old || signs));
}

/* Authorities on the way below the one at `index` that its path length counts. */
static size_t authorities_below(const struct way *way, size_t index)
{
    size_t count = 0;

    while (index-- > 1)
        count += !self_issued(&way->links[way->at[index]]);
    return count;
}

/* What a certificate may be used for; NULL: for what it is used at `index` of the way, where an
 * anchor is behind the last one. wolfSSL forgets the path length of those that name themselves as
 * their issuer. */
static const char *misuse(const struct DecodedCert *cert, const struct way *way, size_t index)
{
    const bool client = way->role == CDT_TLS_CLIENT, issues = index > 0;
    const unsigned purpose = client ? EXTKEYUSE_SERVER_AUTH : EXTKEYUSE_CLIENT_AUTH;

    if (issues && !is_authority(cert, index == way->length))
        return "it issues certificates and is no authority";
    if (issues && cert->extKeyUsageSet && !(cert->extKeyUsage & KEYUSE_KEY_CERT_SIGN))
        return "its key is not for signing certificates";
    if (issues && cert->pathLengthSet && authorities_below(way, index) > cert->pathLength)
        return "there are more authorities below it than it allows";
    if (!issues && cert->extKeyUsageSet && !(cert->extKeyUsage & KEYUSE_DIGITAL_SIG))
        return "its key is not for signatures";
    if (cert->extExtKeyUsageSet && !(cert->extExtKeyUsage & (EXTKEYUSE_ANY | purpose)))
        return client ? "it is not for servers" : "it is not for clients";
    return NULL;
}

/* wolfSSL takes dates that are none, as the 13th month. */
static bool has_dates(const struct wolfssl_link *link)
{
    int64_t from, to;

    return tls_certificate_validity(link->der, link->length, &from, &to) == 0;
}

static enum tls_chain check_one(WOLFSSL_CERT_MANAGER *manager, const struct way *way, size_t index,
                                const struct wolfssl_link *link, const char **detail)
{
    const bool anchor = index == way->length;
    struct DecodedCert cert;
    enum tls_chain chain = TLS_CHAIN_GOOD;

    wc_InitDecodedCert(&cert, link->der, (word32)link->length, NULL);
    const int status =
        wc_ParseCert(&cert, anchor ? CA_TYPE : CERT_TYPE, anchor ? NO_VERIFY : VERIFY, manager);
    if (status)
        chain = verdict_of(status, detail);
    else if (has_weak_key(&cert) || (!anchor && has_weak_signature(&cert, link)))
        chain = TLS_CHAIN_WEAK_KEY;
    else if ((*detail = has_dates(link) ? misuse(&cert, way, index) : "its dates are malformed"))
        chain = TLS_CHAIN_BAD;
    wc_FreeDecodedCert(&cert);
    return chain;
}

/* ---- revocation ------------------------------------------------------------------------------ */

/* Lists that are outdated, or of another key of the issuer. */
static bool is_passed_over(int status)
{
    return status == CRL_CERT_DATE_ERR || status == CRL_MISSING || status == ASN_AFTER_DATE_E ||
           status == ASN_CRL_NO_SIGNER_E;
}

/* Each list of the issuer for itself, for wolfSSL looks at one alone: who is on one of them is
 * revoked, one of them must be good, and none may be forged: it might name him. */
static enum tls_chain check_revoked(WOLFSSL_CERT_MANAGER *manager, const struct way *way,
                                    const struct wolfssl_link *link, const char **detail)
{
    enum tls_chain chain = TLS_CHAIN_NO_CRL;

    for (size_t i = 0; i < way->trust->crl_count; i++) {
        const struct wolfssl_item *crl = &way->trust->crls[i];
        if (!issued_by(link, crl->name, crl->name_length))
            continue;
        int status = wolfssl_trust_crl(manager, crl);
        if (status == 1)
            status = wolfSSL_CertManagerCheckCRL(manager, (unsigned char *)(uintptr_t)link->der,
                                                 (int)link->length);
        wolfSSL_CertManagerFreeCRL(manager);
        if (status == CRL_CERT_REVOKED)
            return TLS_CHAIN_REVOKED;
        if (status == 1)
            chain = TLS_CHAIN_GOOD;
        else if (!is_passed_over(status))
            return verdict_of(status, detail);
        else if (chain != TLS_CHAIN_GOOD)
            chain = status == ASN_CRL_NO_SIGNER_E ? verdict_of(status, detail) : TLS_CHAIN_OLD_CRL;
    }
    return chain;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void condemn(struct tls_verdict *verdict, enum tls_chain chain,
                    const struct wolfssl_link *link, const char *detail)
{
    *verdict = (struct tls_verdict){chain, link->der, link->length, detail};
}

/* An anchor is put into the manager, if it may issue what is on the way, or is the peer's own. */
static enum tls_chain check_anchor(WOLFSSL_CERT_MANAGER *manager, const struct way *way,
                                   const struct wolfssl_link *anchor, const char **detail)
{
    const struct wolfssl_link *own = &way->links[0];
    const bool is_own =
        way->length == 1 && same(own->der, own->length, anchor->der, anchor->length);
    const enum tls_chain chain =
        is_own ? TLS_CHAIN_GOOD : check_one(manager, way, way->length, anchor, detail);

    if (chain != TLS_CHAIN_GOOD)
        return chain;
    const int status = wolfssl_trust_anchor(manager, anchor->der, anchor->length);
    return status == 1 ? TLS_CHAIN_GOOD : verdict_of(status, detail);
}

/* All anchors of the name that the way ends with; false: there is none that can be used. */
static bool trust(WOLFSSL_CERT_MANAGER *manager, const struct way *way, struct tls_verdict *verdict)
{
    const struct wolfssl_link *last = &way->links[way->at[way->length - 1]];
    bool any = false;

    for (size_t i = 0; i < way->trust->anchor_count; i++) {
        const struct wolfssl_item *anchor = &way->trust->anchors[i];
        const struct wolfssl_link link = {.der = anchor->der, .length = anchor->length};
        const char *detail = NULL;
        if (!issued_by(last, anchor->name, anchor->name_length))
            continue;
        const enum tls_chain chain = check_anchor(manager, way, &link, &detail);
        if (chain == TLS_CHAIN_GOOD)
            any = true;
        else if (!any)
            condemn(verdict, chain, &link, detail);
    }
    return any;
}

static enum tls_chain check_link(WOLFSSL_CERT_MANAGER *manager, const struct way *way, size_t index,
                                 const char **detail)
{
    const struct wolfssl_link *link = &way->links[way->at[index]];
    enum tls_chain chain = check_one(manager, way, index, link, detail);

    if (chain == TLS_CHAIN_GOOD && way->trust->crl_count) {
        chain = check_revoked(manager, way, link, detail);
        if (chain == TLS_CHAIN_NO_CRL && index > 0)
            chain = TLS_CHAIN_GOOD; /* nobody demands one for higher issuers */
    }
    if (chain == TLS_CHAIN_GOOD && index > 0) {
        const int status = wolfssl_trust_anchor(manager, link->der, link->length);
        if (status != 1)
            chain = verdict_of(status, detail);
    }
    return chain;
}

/* All authorities on the way, the anchors too, may issue for the names of the peer's own. */
static bool names_are_allowed(const struct way *way)
{
    const struct wolfssl_link *own = &way->links[0], *last = &way->links[way->at[way->length - 1]];

    for (size_t i = 1; i < way->length; i++) {
        const struct wolfssl_link *link = &way->links[way->at[i]];
        if (!wolfssl_may_issue(link->der, link->length, own->der, own->length))
            return false;
    }
    for (size_t i = 0; i < way->trust->anchor_count; i++) {
        const struct wolfssl_item *anchor = &way->trust->anchors[i];
        if (issued_by(last, anchor->name, anchor->name_length) &&
            !wolfssl_may_issue(anchor->der, anchor->length, own->der, own->length))
            return false;
    }
    return true;
}

static void verify(WOLFSSL_CERT_MANAGER *manager, const struct way *way,
                   struct tls_verdict *verdict)
{
    if (!trust(manager, way, verdict))
        return;
    for (size_t i = way->length; i-- > 0;) {
        const char *detail = NULL;
        const enum tls_chain chain = check_link(manager, way, i, &detail);
        if (chain != TLS_CHAIN_GOOD) {
            condemn(verdict, chain, &way->links[way->at[i]], detail);
            return;
        }
    }
    *verdict = (struct tls_verdict){.chain = TLS_CHAIN_GOOD};
    if (!names_are_allowed(way))
        condemn(verdict, TLS_CHAIN_BAD, &way->links[0], "an authority may not issue for its names");
}

/* The way leads to an anchor: true if all on it is good. */
static bool walk(struct way *way)
{
    struct tls_verdict verdict = {.chain = TLS_CHAIN_UNKNOWN_ISSUER};
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();

    if (manager)
        verify(manager, way, &verdict);
    else
        condemn(&verdict, TLS_CHAIN_BAD, way->links, "there is no memory to verify it");
    wolfSSL_CertManagerFree(manager);
    if (way->walks++ == 0 || verdict.chain == TLS_CHAIN_GOOD)
        way->verdict = verdict;
    return verdict.chain == TLS_CHAIN_GOOD;
}

/* Goes on from the last certificate of the way, and comes back where that was in vain: there may be
 * several of one name. Not deeper than the certificates are many. */
static bool search(struct way *way)
{
    const struct wolfssl_link *last = &way->links[way->at[way->length - 1]];

    if (has_anchor(way, last) && walk(way))
        return true;
    if (self_issued(last))
        return false;
    for (size_t i = 1; i < way->count && way->length < WOLFSSL_CHAIN; i++) {
        const struct wolfssl_link *next = &way->links[i];
        if (++way->steps > STEPS_MAX || way->walks >= WALKS_MAX)
            return false;
        if (is_on(way, i) || !issued_by(last, next->subject, next->subject_length))
            continue;
        way->at[way->length++] = i;
        if (search(way))
            return true;
        way->length--;
    }
    return false;
}

/* No way: whose issuer is it that we do not know? */
static void lost(const struct way *way, struct tls_verdict *verdict)
{
    const struct wolfssl_link *last = &way->links[0];

    if (self_issued(last)) {
        condemn(verdict, TLS_CHAIN_SELF_SIGNED, last, NULL);
        return;
    }
    for (size_t i = 1, hops = 0; i < way->count && hops < way->count; i++) {
        const struct wolfssl_link *next = &way->links[i];
        if (self_issued(last) || !issued_by(last, next->subject, next->subject_length))
            continue;
        last = next;
        i = 0;
        hops++;
    }
    condemn(verdict, TLS_CHAIN_UNKNOWN_ISSUER, last, NULL);
}

void wolfssl_chain_check(const struct wolfssl_trust *trusted, enum cdt_tls_role role,
                         const struct wolfssl_link *links, size_t count,
                         struct tls_verdict *verdict)
{
    struct way way = {.trust = trusted, .role = role, .links = links, .count = count, .length = 1};

    search(&way);
    if (way.walks)
        *verdict = way.verdict;
    else
        lost(&way, verdict);
}

#endif
