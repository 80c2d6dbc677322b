/* Whom a context trusts: anchors and revocation lists, kept in DER. The few that a chain leads to
 * are put into a manager of wolfSSL for the time of its verification (wolfssl_chain.c). */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "reactor/internal.h"
#include "tls/config.h"
#include "tls/der.h"
#include "tls/wolfssl.h"

#include <wolfssl/wolfcrypt/asn_public.h>

int wolfssl_trust_anchor(WOLFSSL_CERT_MANAGER *manager, const uint8_t *der, size_t length)
{
    return wolfSSL_CertManagerLoadCABuffer(manager, der, (long)length, WOLFSSL_FILETYPE_ASN1);
}

/* wolfSSL tells an outdated list from a malformed one no longer. */
static bool is_old(const struct wolfssl_item *crl)
{
    const time_t now = time(NULL);
    char today[WOLFSSL_DATE];
    struct tm date;

    return *crl->until && gmtime_r(&now, &date) &&
           strftime(today, sizeof today, "%Y%m%d%H%M%S", &date) > 0 &&
           strcmp(crl->until, today) < 0;
}

int wolfssl_trust_crl(WOLFSSL_CERT_MANAGER *manager, const struct wolfssl_item *crl)
{
    if (is_old(crl))
        return CRL_CERT_DATE_ERR;
    return wolfSSL_CertManagerLoadCRLBuffer(manager, crl->der, (long)crl->length,
                                            WOLFSSL_FILETYPE_ASN1);
}

/* UTCTime or GeneralizedTime, in UTC, as 14 digits (RFC 5280 section 4.1.2.5). */
static void read_date(struct der *from, char text[WOLFSSL_DATE])
{
    enum { UTC_TIME = 0x17, GENERALIZED_TIME = 0x18 };
    struct der date;
    uint8_t tag;

    *text = 0;
    if (!der_next(from, &tag, &date))
        return;
    if (tag == UTC_TIME && der_left(&date) == 13)
        snprintf(text, WOLFSSL_DATE, "%s%.12s", *date.at < '5' ? "20" : "19",
                 (const char *)date.at);
    if (tag == GENERALIZED_TIME && der_left(&date) == 15)
        snprintf(text, WOLFSSL_DATE, "%.14s", (const char *)date.at);
}

/* CertificateList: its issuer, and when the next one comes (RFC 5280 section 5.1). */
static bool read_crl(struct wolfssl_item *item)
{
    struct der at = {item->der, item->der + item->length}, issuer;

    if (!der_enter(&at, DER_SEQUENCE) || !der_take(&at, DER_SEQUENCE, &at))
        return false;
    der_take(&at, DER_INTEGER, NULL); /* the version */
    if (!der_take(&at, DER_SEQUENCE, NULL) || !der_take(&at, DER_SEQUENCE, &issuer))
        return false;
    item->name = issuer.at;
    item->name_length = der_left(&issuer);
    read_date(&at, item->until); /* this update */
    read_date(&at, item->until);
    return true;
}

/* 1, or wolfSSL's code. A date that has passed, or not come, is no reason to refuse it: the chain
 * that needs it will be refused. */
static int try_anchor(struct wolfssl_item *item)
{
    struct wolfssl_link link = {.der = NULL};
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();

    if (!manager)
        return MEMORY_E;
    int status = wolfssl_link_read(&link, item->der, item->length) ? 1 : ASN_PARSE_E;
    if (status == 1)
        status = wolfssl_trust_anchor(manager, item->der, item->length);
    wolfSSL_CertManagerFree(manager);
    item->name = link.subject;
    item->name_length = link.subject_length;
    return status == ASN_AFTER_DATE_E || status == ASN_BEFORE_DATE_E ? 1 : status;
}

static int try_crl(struct wolfssl_item *item)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();

    if (!manager)
        return MEMORY_E;
    int status = read_crl(item) ? 1 : ASN_PARSE_E;
    if (status == 1)
        status = wolfssl_trust_crl(manager, item);
    wolfSSL_CertManagerFree(manager);
    /* There is nobody in this manager. */
    return status == ASN_CRL_NO_SIGNER_E || status == CRL_CERT_DATE_ERR ? 1 : status;
}

/* What a blob may hold. */
struct kind {
    const char *label, *what;
    int type; /* wolfSSL's */
    int (*try)(struct wolfssl_item *item);
};

static const struct kind anchors = {"CERTIFICATE", "certificate", CA_TYPE, try_anchor};
static const struct kind lists = {"X509 CRL", "revocation list", CRL_TYPE, try_crl};

static int decode(const struct kind *kind, const char *block, size_t length,
                  struct wolfssl_item *item)
{
    DerBuffer *buffer = NULL;
    int status = wc_PemToDer((const unsigned char *)block, (long)length, kind->type, &buffer, NULL,
                             NULL, NULL);

    if (!status) {
        item->der = mem_alloc(buffer->length);
        item->length = buffer->length;
        status = item->der ? 0 : MEMORY_E;
        if (item->der)
            memcpy(item->der, buffer->buffer, buffer->length);
    }
    wc_FreeDer(&buffer);
    return status ? status : kind->try(item);
}

/* Room for one more: it doubles. */
static struct wolfssl_item *append(struct wolfssl_item **items, size_t count)
{
    if ((count & (count - 1)) == 0) {
        struct wolfssl_item *more = mem_realloc(*items, (count ? 2 * count : 1) * sizeof **items);
        if (!more)
            return NULL;
        *items = more;
    }
    (*items)[count] = (struct wolfssl_item){.der = NULL};
    return &(*items)[count];
}

static int load(const struct kind *kind, const struct tls_blob *blob, struct wolfssl_item **items,
                size_t *count, struct cdt_text_error *error)
{
    const char *at = blob->text, *end = blob->text + blob->length, *block;
    size_t length;
    unsigned blocks = 0;

    while (tls_pem_next(&at, end, kind->label, &block, &length)) {
        struct wolfssl_item *item = append(items, *count);
        const int status = item ? decode(kind, block, length, item) : MEMORY_E;

        blocks++;
        if (status == 1) {
            ++*count;
            continue;
        }
        if (item)
            mem_free(item->der);
        if (status == MEMORY_E)
            return -ENOMEM;
        if (!blob->lenient)
            return tls_why(error, -CDT_ETLSKEY, "%s: %s %u cannot be used: %s", blob->source,
                           kind->what, blocks, wolfssl_words(status));
    }
    if (!blocks && !blob->lenient)
        return tls_why(error, -CDT_ETLSKEY, "%s: there is no %s in it", blob->source, kind->what);
    return 0;
}

int wolfssl_trust_load(struct wolfssl_trust *trust, const struct tls_spec *spec,
                       struct cdt_text_error *error)
{
    int status = 0;

    for (size_t i = 0; !status && i < spec->anchor_count; i++)
        status = load(&anchors, &spec->anchors[i], &trust->anchors, &trust->anchor_count, error);
    for (size_t i = 0; !status && i < spec->crl_count; i++)
        status = load(&lists, &spec->crls[i], &trust->crls, &trust->crl_count, error);
    return status;
}

static void free_items(struct wolfssl_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(items[i].der);
    mem_free(items);
}

void wolfssl_trust_fini(struct wolfssl_trust *trust)
{
    free_items(trust->anchors, trust->anchor_count);
    free_items(trust->crls, trust->crl_count);
}

#endif
