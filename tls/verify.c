/* Whether the peer is trusted: what the backend says of the chain, the name, the pins, and the last
 * word of the application. The first thing that is wrong gets a sentence for people. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/config.h"
#include "tls/names.h"

enum { SUBJECT = 192, NAMES = 256, WHY = 640 };

/* A certificate, and what is thought of it. */
struct judgement {
    const struct tls_connection *connection;
    const struct cdt_tls_options *options;
    const struct tls_certificate *peer;
    int status;
    char why[WHY];
};

/* The first one counts. */
__attribute__((format(printf, 3, 4))) static void condemn(struct judgement *judgement, int status,
                                                          const char *format, ...)
{
    va_list arguments;
    if (judgement->status)
        return;
    judgement->status = status;
    va_start(arguments, format);
    vsnprintf(judgement->why, sizeof judgement->why, format, arguments);
    va_end(arguments);
}

/* ---- the chain ------------------------------------------------------------------------------- */

/* "certificate expired 2024-01-01: CN=leaf": whose it is, words, perhaps a date or what the backend
 * said, the subject, and perhaps the issuer. */
static const struct {
    const char *words;
    enum { NO_MORE, FROM, TO, DETAIL } more;
    bool peer;   /* never "issuer's" before the words: they speak of one already */
    bool issuer; /* is told too */
} faults[TLS_CHAIN_VERDICTS] = {
    [TLS_CHAIN_EXPIRED] = {" expired ", TO, false, false},
    [TLS_CHAIN_NOT_YET_VALID] = {" is not valid before ", FROM, false, false},
    [TLS_CHAIN_SELF_SIGNED] = {" is self-signed", NO_MORE, false, false},
    [TLS_CHAIN_UNKNOWN_ISSUER] = {"'s issuer is not known", NO_MORE, true, true},
    [TLS_CHAIN_REVOKED] = {" was revoked", NO_MORE, false, false},
    [TLS_CHAIN_NO_CRL] = {"'s issuer has no revocation list here", NO_MORE, true, true},
    [TLS_CHAIN_OLD_CRL] = {"'s issuer has an outdated revocation list here", NO_MORE, true, true},
    [TLS_CHAIN_WEAK_KEY] = {" has a weak key or signature", NO_MORE, false, false},
    [TLS_CHAIN_BAD] = {" is bad: ", DETAIL, false, false},
};

static void format_date(const uint8_t *der, size_t length, bool last, char text[16])
{
    int64_t from, to;
    struct tm date;
    snprintf(text, 16, "(no date)");
    if (tls_certificate_validity(der, length, &from, &to) != 0)
        return;
    const time_t time = (time_t)(last ? to : from);
    if (gmtime_r(&time, &date))
        strftime(text, 16, "%Y-%m-%d", &date);
}

static void check_chain(struct judgement *judgement, const struct tls_verdict *verdict)
{
    const struct tls_certificate *peer = judgement->peer;
    const uint8_t *der = verdict->bad ? verdict->bad : peer->der;
    const size_t length = verdict->bad ? verdict->bad_length : peer->length;
    const bool own = length == peer->length && memcmp(der, peer->der, length) == 0;
    const unsigned chain = verdict->chain < TLS_CHAIN_VERDICTS ? verdict->chain : TLS_CHAIN_BAD;
    char subject[SUBJECT], issuer[SUBJECT], date[16];
    const char *more = "";
    if (chain == TLS_CHAIN_GOOD)
        return;
    tls_certificate_subject(der, length, subject, sizeof subject);
    tls_certificate_issuer(der, length, issuer, sizeof issuer);
    if (faults[chain].more == DETAIL) {
        more = verdict->detail ? verdict->detail : "malformed";
    } else if (faults[chain].more != NO_MORE) {
        format_date(der, length, faults[chain].more == TO, date);
        more = date;
    }
    condemn(judgement, -CDT_ETLSCERT, "%s%s%.100s: %s%s%s",
            own || faults[chain].peer ? "certificate" : "issuer's certificate", faults[chain].words,
            more, subject, faults[chain].issuer ? ", issued by " : "",
            faults[chain].issuer ? issuer : "");
}

/* ---- the name -------------------------------------------------------------------------------- */

static bool name_is_checked(const struct judgement *judgement)
{
    const bool host = judgement->options->check_host != CDT_OFF;
    const bool ip = judgement->options->check_ip != CDT_OFF;
    if (!judgement->connection->name)
        return host || ip;
    return judgement->connection->name_is_address ? ip : host;
}

static void check_name(struct judgement *judgement)
{
    const struct tls_certificate *peer = judgement->peer;
    const char *name = judgement->connection->name;
    char subject[SUBJECT], names[NAMES];
    tls_certificate_subject(peer->der, peer->length, subject, sizeof subject);
    tls_names_describe(peer->der, peer->length, names, sizeof names);
    if (!name) {
        condemn(judgement, -CDT_ETLSNAME, "there is no name to check the certificate for: %s",
                subject);
        return;
    }
    const int status = tls_names_check(peer->der, peer->length, name);
    if (status == -EBADMSG)
        condemn(judgement, -CDT_ETLSCERT, "certificate is malformed: %s", subject);
    else if (status && *names)
        condemn(judgement, -CDT_ETLSNAME, "certificate is for %s, not for %s", names, name);
    else if (status)
        condemn(judgement, -CDT_ETLSNAME, "certificate has no names, so is not for %s: %s", name,
                subject);
}

/* ---- pins ------------------------------------------------------------------------------------ */

static void check_pins(struct judgement *judgement)
{
    const struct cdt_tls_options *options = judgement->options;
    const struct tls_certificate *peer = judgement->peer;
    char subject[SUBJECT], digest[2 * sizeof peer->sha256 + 1];
    for (size_t i = 0; i < options->pin_count; i++) {
        if (memcmp(options->pins[i], peer->sha256, sizeof peer->sha256) == 0)
            return;
    }
    for (size_t i = 0; i < sizeof peer->sha256; i++)
        snprintf(digest + 2 * i, 3, "%02x", peer->sha256[i]);
    tls_certificate_subject(peer->der, peer->length, subject, sizeof subject);
    condemn(judgement, -CDT_ETLSCERT, "certificate's fingerprint is not pinned: %s, SHA-256 %s",
            subject, digest);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* A server that wants no certificates asks for none, so that one which it gets after all (a native
 * context may ask) is looked at. */
static void judge(struct judgement *judgement, const struct tls_verdict *verdict)
{
    static const struct tls_verdict unknown = {.chain = TLS_CHAIN_BAD, .detail = "not verified"};
    const bool client = judgement->connection->role == CDT_TLS_CLIENT;
    const bool any = client && judgement->options->verify == CDT_TLS_VERIFY_NONE;
    if (!any && !judgement->connection->config->pins_only) {
        check_chain(judgement, verdict ? verdict : &unknown);
        if (client && name_is_checked(judgement))
            check_name(judgement);
    }
    if (judgement->options->pin_count)
        check_pins(judgement);
}

/* The application's; it may trust what we do not, and the other way round. */
static void ask(struct judgement *judgement)
{
    const struct tls_connection *connection = judgement->connection;
    const char *name = connection->role == CDT_TLS_CLIENT ? connection->name : NULL;
    struct cdt_tls_peer peer = {
        .der = judgement->peer->der,
        .der_length = judgement->peer->length,
        .host = name ? name : "",
        .status = judgement->status,
        .why = judgement->why,
        .flow = connection->flow,
    };
    memcpy(peer.sha256, judgement->peer->sha256, sizeof peer.sha256);
    const int answer = judgement->options->verify_peer(judgement->options->verify_arg, &peer);
    if (answer == judgement->status)
        return;
    judgement->status = 0;
    *judgement->why = 0;
    if (answer) {
        char subject[SUBJECT];
        tls_certificate_subject(peer.der, peer.der_length, subject, sizeof subject);
        const bool is_code = answer < 0 && answer != -EAGAIN; /* which would mean: wait */
        condemn(judgement, is_code ? answer : -CDT_ETLSCERT,
                "certificate was refused by the application: %s", subject);
    }
}

int tls_verify(struct tls_connection *connection, const uint8_t *der, size_t length,
               const struct tls_verdict *verdict)
{
    struct tls_certificate *peer = tls_certificate_new(connection->backend, der, length);
    if (!peer)
        return tls_fail(connection, -ENOMEM, NULL);
    tls_certificate_put(connection->peer); /* of a session that was not resumed */
    connection->peer = peer;

    struct judgement judgement = {connection, &connection->config->options, peer, 0, ""};
    judge(&judgement, verdict);
    if (judgement.options->verify_peer)
        ask(&judgement);
    return judgement.status ? tls_fail(connection, judgement.status, "%s", judgement.why) : 0;
}
