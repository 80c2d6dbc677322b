/* What is thought of a peer, and the sentence for it: chains, dates, names, addresses, pins, the
 * switches for each, and the last word of the application. The backend's verdict is given by hand;
 * real peers are in test_peers_*.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "reactor/internal.h"
#include "test/tls/made.h"
#include "test/tls/real_certificates.h"
#include "tls/certificate.h"
#include "tls/config.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct tls_backend toy = {.sha256 = toy_sha256, .hmac_sha256 = toy_hmac};

static const struct attribute leaf[] = {{OID_CN, MADE_UTF8, "leaf", 0, false}, {0}};
static const struct attribute issuer[] = {{OID_CN, MADE_UTF8, "issuer", 0, false}, {0}};
static const struct general_name names[] = {
    {SAN_DNS, "example.org", 0},
    {SAN_DNS, "*.example.org", 0},
    {SAN_IP, "\xc0\x00\x02\x01", 4},
    {SAN_IP, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16},
    {0}};
static const struct made plain = {.subject = leaf,
                                  .issuer = issuer,
                                  .from = "300101000000Z",
                                  .to = "240101000000Z",
                                  .names = names};

/* A connection, its configuration, and what became of them. */
struct peer {
    struct cdt_tls_config config;
    struct tls_connection connection;
    struct der_text certificate;
    struct tls_verdict verdict;
};

static void begin(struct peer *peer, enum cdt_tls_role role, const char *name)
{
    memset(peer, 0, sizeof *peer);
    peer->config.backend = &toy;
    peer->config.options.role = role;
    peer->config.options.verify = CDT_TLS_VERIFY_REQUIRE;
    peer->config.options.check_host = peer->config.options.check_ip = CDT_ON;
    peer->connection = (struct tls_connection){
        .backend = &toy,
        .config = &peer->config,
        .role = role,
        .name = (char *)name,
        .name_is_address = name && (strchr(name, ':') || (*name >= '0' && *name <= '9')),
    };
    make(&peer->certificate, &plain);
}

static void finish(struct peer *peer)
{
    tls_certificate_put(peer->connection.peer);
    mem_free(peer->connection.why);
}

/* The certificate lies in memory of its exact size; what was verified is kept, whatever became of
 * it. */
static int verify(struct peer *peer)
{
    uint8_t *der = malloc(peer->certificate.length + 1);
    assert_non_null(der);
    memcpy(der + 1, peer->certificate.bytes, peer->certificate.length);
    const int status =
        tls_verify(&peer->connection, der + 1, peer->certificate.length, &peer->verdict);
    free(der);
    assert_int_equal(peer->connection.failed, status);
    const struct tls_certificate *kept = peer->connection.peer;
    assert_true(kept && kept->length == peer->certificate.length &&
                memcmp(kept->der, peer->certificate.bytes, kept->length) == 0);
    return status;
}

static void expect(struct peer *peer, int status, const char *why)
{
    assert_int_equal(verify(peer), status);
    if (status)
        assert_string_equal(peer->connection.why, why);
    else
        assert_null(peer->connection.why);
    finish(peer);
}

/* ---- chains ---- */

static const struct {
    enum tls_chain chain;
    const char *own, *of_issuer;
} chains[] = {
    {TLS_CHAIN_EXPIRED, "certificate expired 2024-01-01: CN=leaf",
     "issuer's certificate expired 2034-01-01: CN=issuer"},
    {TLS_CHAIN_NOT_YET_VALID, "certificate is not valid before 2030-01-01: CN=leaf",
     "issuer's certificate is not valid before 2024-01-01: CN=issuer"},
    {TLS_CHAIN_SELF_SIGNED, "certificate is self-signed: CN=leaf",
     "issuer's certificate is self-signed: CN=issuer"},
    {TLS_CHAIN_UNKNOWN_ISSUER, "certificate's issuer is not known: CN=leaf, issued by CN=issuer",
     "certificate's issuer is not known: CN=issuer, issued by CN=root"},
    {TLS_CHAIN_REVOKED, "certificate was revoked: CN=leaf",
     "issuer's certificate was revoked: CN=issuer"},
    {TLS_CHAIN_NO_CRL,
     "certificate's issuer has no revocation list here: CN=leaf, issued by CN=issuer",
     "certificate's issuer has no revocation list here: CN=issuer, issued by CN=root"},
    {TLS_CHAIN_OLD_CRL,
     "certificate's issuer has an outdated revocation list here: CN=leaf, issued by CN=issuer",
     "certificate's issuer has an outdated revocation list here: CN=issuer, issued by CN=root"},
    {TLS_CHAIN_WEAK_KEY, "certificate has a weak key or signature: CN=leaf",
     "issuer's certificate has a weak key or signature: CN=issuer"},
    {TLS_CHAIN_BAD, "certificate is bad: its words: CN=leaf",
     "issuer's certificate is bad: its words: CN=issuer"},
};

static void bad_chains_have_sentences(void **state)
{
    (void)state;
    static const struct attribute root[] = {{OID_CN, MADE_UTF8, "root", 0, false}, {0}};
    struct der_text above;
    make(&above, &(struct made){.subject = issuer, .issuer = root});
    assert_int_equal(COUNT(chains), TLS_CHAIN_VERDICTS - 1);
    for (size_t i = 0; i < COUNT(chains); i++) {
        const enum cdt_tls_role roles[] = {CDT_TLS_CLIENT, CDT_TLS_SERVER};
        for (size_t role = 0; role < 2; role++) {
            struct peer peer;
            begin(&peer, roles[role], role ? NULL : "example.org");
            peer.verdict = (struct tls_verdict){.chain = chains[i].chain, .detail = "its words"};
            expect(&peer, -CDT_ETLSCERT, chains[i].own);

            begin(&peer, roles[role], role ? NULL : "example.org");
            peer.verdict = (struct tls_verdict){chains[i].chain, peer.certificate.bytes,
                                                peer.certificate.length, "its words"};
            expect(&peer, -CDT_ETLSCERT, chains[i].own);

            begin(&peer, roles[role], role ? NULL : "example.org");
            peer.verdict =
                (struct tls_verdict){chains[i].chain, above.bytes, above.length, "its words"};
            expect(&peer, -CDT_ETLSCERT, chains[i].of_issuer);
        }
    }
}

static void good_ones_have_none(void **state)
{
    (void)state;
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    expect(&peer, 0, NULL);
    begin(&peer, CDT_TLS_SERVER, NULL);
    expect(&peer, 0, NULL);
}

static void no_verdict_is_a_bad_one(void **state)
{
    (void)state;
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    assert_int_equal(
        tls_verify(&peer.connection, peer.certificate.bytes, peer.certificate.length, NULL),
        -CDT_ETLSCERT);
    assert_string_equal(peer.connection.why, "certificate is bad: not verified: CN=leaf");
    finish(&peer);
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    peer.verdict.chain = (enum tls_chain)99;
    expect(&peer, -CDT_ETLSCERT, "certificate is bad: malformed: CN=leaf");
}

static void dates_that_cannot_be_read(void **state)
{
    (void)state;
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    make(&peer.certificate, &(struct made){.subject = leaf, .from = "never", .names = names});
    peer.verdict.chain = TLS_CHAIN_EXPIRED;
    expect(&peer, -CDT_ETLSCERT, "certificate expired (no date): CN=leaf");
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    make(&peer.certificate, &(struct made){.subject = leaf, .to = "99991231235959Z"});
    peer.verdict.chain = TLS_CHAIN_EXPIRED;
    expect(&peer, -CDT_ETLSCERT, "certificate expired 9999-12-31: CN=leaf");
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    make(&peer.certificate, &(struct made){.subject = leaf, .to = "00000101000000Z"});
    peer.verdict.chain = TLS_CHAIN_EXPIRED;
    assert_int_equal(verify(&peer), -CDT_ETLSCERT);
    finish(&peer);
}

/* ---- odd certificates ---- */

static void odd_subjects(void **state)
{
    (void)state;
    static char value[4096];
    memset(value, 'x', sizeof value);
    const struct attribute umlaut[] = {{OID_CN, MADE_UTF8,
                                        "b\xc3\xbc"
                                        "cher",
                                        0, false},
                                       {0}};
    const struct attribute wide[] = {{OID_CN, 0x1e, "\0b\0\xfc", 4, false}, {0}};
    const struct attribute large[] = {{OID_CN, MADE_UTF8, value, sizeof value, false}, {0}};
    const struct attribute smaller[] = {{OID_CN, MADE_UTF8, value, 1000, false}, {0}};
    const struct {
        const struct attribute *subject;
        const char *shown;
    } rows[] = {
        {umlaut, "certificate was revoked: CN=b\xc3\xbc"
                 "cher"},
        {wide, "certificate was revoked: CN=b\xc3\xbc"},
        {NULL, "certificate was revoked: (no subject)"},
    };
    struct peer peer;
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin(&peer, CDT_TLS_SERVER, NULL);
        make(&peer.certificate, &(struct made){.subject = rows[i].subject});
        peer.verdict.chain = TLS_CHAIN_REVOKED;
        expect(&peer, -CDT_ETLSCERT, rows[i].shown);
    }
    begin(&peer, CDT_TLS_SERVER, NULL);
    make(&peer.certificate, &(struct made){.subject = large, .issuer = smaller});
    peer.verdict.chain = TLS_CHAIN_UNKNOWN_ISSUER;
    assert_int_equal(verify(&peer), -CDT_ETLSCERT);
    assert_in_range(strlen(peer.connection.why), 350, 500);
    assert_non_null(strstr(peer.connection.why, "xxx..., issued by CN=xxx"));
    assert_string_equal(strrchr(peer.connection.why, 'x') + 1, "...");
    finish(&peer);
}

static void malformed_certificates(void **state)
{
    (void)state;
    struct peer peer;
    for (size_t cut = 0; cut < sizeof real_names; cut++) {
        begin(&peer, CDT_TLS_CLIENT, "example.org");
        memcpy(peer.certificate.bytes, real_names, cut);
        peer.certificate.length = cut;
        expect(&peer, -CDT_ETLSCERT, "certificate is malformed: (malformed)");
        begin(&peer, CDT_TLS_SERVER, NULL);
        memcpy(peer.certificate.bytes, real_names, cut);
        peer.certificate.length = cut;
        peer.verdict.chain = TLS_CHAIN_BAD;
        expect(&peer, -CDT_ETLSCERT, "certificate is bad: malformed: (malformed)");
    }
}

/* ---- names ---- */

#define IS_FOR      "certificate is for example.org, *.example.org, 192.0.2.1, 2001:db8::1, not "
#define HAS_NO_NAME "certificate has no names, so is not for "

static void names_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } rows[] = {
        {"example.org", NULL},
        {"www.example.org", NULL},
        {"192.0.2.1", NULL},
        {"2001:db8::1", NULL},
        {"other.test", IS_FOR "for other.test"},
        {"a.b.example.org", IS_FOR "for a.b.example.org"},
        {"leaf", IS_FOR "for leaf"}, /* the common name is no name */
        {"192.0.2.2", IS_FOR "for 192.0.2.2"},
        {"::1", IS_FOR "for ::1"},
        {"2001:db8::2", IS_FOR "for 2001:db8::2"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer peer;
        begin(&peer, CDT_TLS_CLIENT, rows[i].name);
        expect(&peer, rows[i].why ? -CDT_ETLSNAME : 0, rows[i].why);
    }
}

static void odd_names_are_not_matched(void **state)
{
    (void)state;
    static const struct {
        struct general_name odd;
        const char *name, *why;
    } rows[] = {
        {{SAN_DNS, "w*.example.org", 0},
         "www.example.org",
         "certificate is for w*.example.org, not for www.example.org"},
        {{SAN_DNS, "*.org", 0}, "example.org", "certificate is for *.org, not for example.org"},
        {{SAN_DNS, "*", 0}, "localhost", "certificate is for *, not for localhost"},
        {{SAN_DNS, "192.0.2.1", 0},
         "192.0.2.1", /* a name, not an address */
         "certificate is for 192.0.2.1, not for 192.0.2.1"},
        {{SAN_DNS, "example.org\0.evil", 17},
         "example.org",
         "certificate is for example.org\\x00.evil, not for example.org"},
        {{SAN_URI, "https://example.org", 0}, "example.org", HAS_NO_NAME "example.org: CN=leaf"},
        {{SAN_MAIL, "me@example.org", 0}, "example.org", HAS_NO_NAME "example.org: CN=leaf"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct general_name list[] = {rows[i].odd, {0}};
        struct peer peer;
        begin(&peer, CDT_TLS_CLIENT, rows[i].name);
        peer.connection.name_is_address = rows[i].name[0] == '1';
        make(&peer.certificate, &(struct made){.subject = leaf, .names = list});
        expect(&peer, -CDT_ETLSNAME, rows[i].why);
    }
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "leaf");
    make(&peer.certificate, &(struct made){.subject = leaf});
    expect(&peer, -CDT_ETLSNAME, HAS_NO_NAME "leaf: CN=leaf");
}

static void the_chain_comes_before_the_name(void **state)
{
    (void)state;
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "other.test");
    peer.verdict.chain = TLS_CHAIN_EXPIRED;
    expect(&peer, -CDT_ETLSCERT, "certificate expired 2024-01-01: CN=leaf");
}

/* What is switched off, by name: host, ip, both. */
static void checks_of_names_are_switched_off_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool fails[4]; /* nothing off, hosts, addresses, both */
    } rows[] = {
        {"other.test", {true, false, true, false}},    {"192.0.2.2", {true, true, false, false}},
        {"::1", {true, true, false, false}},           {NULL, {true, true, true, false}},
        {"example.org", {false, false, false, false}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (unsigned off = 0; off < 4; off++) {
            struct peer peer;
            begin(&peer, CDT_TLS_CLIENT, rows[i].name);
            peer.config.options.check_host = off & 1 ? CDT_OFF : CDT_ON;
            peer.config.options.check_ip = off & 2 ? CDT_OFF : CDT_ON;
            assert_int_equal(verify(&peer), rows[i].fails[off] ? -CDT_ETLSNAME : 0);
            if (!rows[i].name && rows[i].fails[off])
                assert_string_equal(peer.connection.why,
                                    "there is no name to check the certificate for: CN=leaf");
            finish(&peer);
            begin(&peer, CDT_TLS_CLIENT, rows[i].name); /* the chain still is checked */
            peer.config.options.check_host = off & 1 ? CDT_OFF : CDT_ON;
            peer.config.options.check_ip = off & 2 ? CDT_OFF : CDT_ON;
            peer.verdict.chain = TLS_CHAIN_SELF_SIGNED;
            expect(&peer, -CDT_ETLSCERT, "certificate is self-signed: CN=leaf");
        }
    }
}

static void servers_check_no_names(void **state)
{
    (void)state;
    struct peer peer;
    begin(&peer, CDT_TLS_SERVER, "the.sni.of.the.client");
    expect(&peer, 0, NULL);
}

/* A server that asks nobody, and gets one after all: its chain is looked at. */
static void servers_always_check_chains(void **state)
{
    (void)state;
    static const enum cdt_tls_verify modes[] = {CDT_TLS_VERIFY_DEFAULT, CDT_TLS_VERIFY_NONE,
                                                CDT_TLS_VERIFY_ASK, CDT_TLS_VERIFY_REQUIRE};
    for (size_t i = 0; i < COUNT(modes); i++) {
        struct peer peer;
        begin(&peer, CDT_TLS_SERVER, NULL);
        peer.config.options.verify = modes[i];
        peer.verdict.chain = TLS_CHAIN_SELF_SIGNED;
        expect(&peer, -CDT_ETLSCERT, "certificate is self-signed: CN=leaf");
    }
}

static void clients_check_unless_told_not_to(void **state)
{
    (void)state;
    static const enum cdt_tls_verify modes[] = {CDT_TLS_VERIFY_DEFAULT, CDT_TLS_VERIFY_ASK,
                                                CDT_TLS_VERIFY_REQUIRE};
    struct peer peer;
    for (size_t i = 0; i < COUNT(modes); i++) {
        begin(&peer, CDT_TLS_CLIENT, "example.org");
        peer.config.options.verify = modes[i];
        peer.verdict.chain = TLS_CHAIN_SELF_SIGNED;
        expect(&peer, -CDT_ETLSCERT, "certificate is self-signed: CN=leaf");
    }
    for (size_t i = 0; i < COUNT(chains); i++) {
        begin(&peer, CDT_TLS_CLIENT, i % 2 ? "other.test" : NULL);
        peer.config.options.verify = CDT_TLS_VERIFY_NONE;
        peer.verdict.chain = chains[i].chain;
        expect(&peer, 0, NULL);
    }
}

/* ---- pins ---- */

static void digest_of(const struct peer *peer, uint8_t digest[32])
{
    const struct iovec whole = {(void *)peer->certificate.bytes, peer->certificate.length};
    assert_int_equal(toy_sha256(&whole, 1, digest), 0);
}

static void not_pinned(const struct peer *peer, char text[200])
{
    uint8_t digest[32];
    int length = sprintf(text, "certificate's fingerprint is not pinned: CN=leaf, SHA-256 ");
    digest_of(peer, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        length += sprintf(text + length, "%02x", digest[i]);
}

static const struct {
    const char *name;
    enum cdt_tls_role role;
    enum cdt_tls_verify verify;
    enum tls_chain chain;
    bool only, good; /* if pinned; if not, it never is */
} pinned[] = {
    {"example.org", CDT_TLS_CLIENT, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_GOOD, false, true},
    {"other.test", CDT_TLS_CLIENT, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_GOOD, false, false},
    {"example.org", CDT_TLS_CLIENT, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_EXPIRED, false, false},
    {"other.test", CDT_TLS_CLIENT, CDT_TLS_VERIFY_NONE, TLS_CHAIN_EXPIRED, false, true},
    {NULL, CDT_TLS_CLIENT, CDT_TLS_VERIFY_NONE, TLS_CHAIN_BAD, false, true},
    {"other.test", CDT_TLS_CLIENT, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_EXPIRED, true, true},
    {NULL, CDT_TLS_CLIENT, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_SELF_SIGNED, true, true},
    {NULL, CDT_TLS_SERVER, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_GOOD, false, true},
    {NULL, CDT_TLS_SERVER, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_UNKNOWN_ISSUER, false, false},
    {NULL, CDT_TLS_SERVER, CDT_TLS_VERIFY_REQUIRE, TLS_CHAIN_UNKNOWN_ISSUER, true, true},
};

static void pins_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pinned); i++) {
        for (size_t match = 0; match <= 3; match++) { /* 3: none of them */
            struct peer peer;
            uint8_t pins[3][32] = {"one", "another", "and one more"};
            char why[200];
            begin(&peer, pinned[i].role, pinned[i].name);
            if (match < 3)
                digest_of(&peer, pins[match]);
            else
                digest_of(&peer, pins[0]), pins[0][31] ^= 1;
            not_pinned(&peer, why);
            peer.config.options.verify = pinned[i].verify;
            peer.config.options.pins = (const uint8_t(*)[32])pins;
            peer.config.options.pin_count = 3;
            peer.config.pins_only = pinned[i].only;
            peer.verdict.chain = pinned[i].chain;
            const int status = verify(&peer);
            if (match < 3 && pinned[i].good)
                assert_int_equal(status, 0);
            else
                assert_true(status < 0);
            if (match == 3 && pinned[i].good)
                assert_string_equal(peer.connection.why, why);
            finish(&peer);
        }
    }
}

/* ---- the last word ---- */

struct answer {
    int calls, code; /* 1000: as we think */
    const struct peer *peer;
    int status;
    char why[200], host[100];
    struct cdt_flow *flow;
};

static int give(void *arg, const struct cdt_tls_peer *peer)
{
    struct answer *answer = arg;
    uint8_t digest[32];
    answer->calls++;
    answer->status = peer->status;
    answer->flow = peer->flow;
    snprintf(answer->why, sizeof answer->why, "%s", peer->why);
    snprintf(answer->host, sizeof answer->host, "%s", peer->host);
    assert_int_equal(peer->der_length, answer->peer->certificate.length);
    assert_memory_equal(peer->der, answer->peer->certificate.bytes, peer->der_length);
    digest_of(answer->peer, digest);
    assert_memory_equal(peer->sha256, digest, sizeof digest);
    return answer->code == 1000 ? peer->status : answer->code;
}

static void ask(struct peer *peer, struct answer *answer, int code)
{
    *answer = (struct answer){.code = code, .peer = peer};
    peer->config.options.verify_peer = give;
    peer->config.options.verify_arg = answer;
}

static void the_application_has_the_last_word(void **state)
{
    (void)state;
    static const struct {
        enum tls_chain chain;
        int code, status;
        const char *why;
    } rows[] = {
        {TLS_CHAIN_GOOD, 0, 0, NULL},
        {TLS_CHAIN_GOOD, 1000, 0, NULL},
        {TLS_CHAIN_SELF_SIGNED, 0, 0, NULL},
        {TLS_CHAIN_SELF_SIGNED, 1000, -CDT_ETLSCERT, "certificate is self-signed: CN=leaf"},
        {TLS_CHAIN_GOOD, -CDT_ETLSCERT, -CDT_ETLSCERT,
         "certificate was refused by the application: CN=leaf"},
        {TLS_CHAIN_SELF_SIGNED, -EACCES, -EACCES,
         "certificate was refused by the application: CN=leaf"},
        {TLS_CHAIN_GOOD, 1, -CDT_ETLSCERT, "certificate was refused by the application: CN=leaf"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer peer;
        struct answer answer;
        begin(&peer, CDT_TLS_CLIENT, "example.org");
        ask(&peer, &answer, rows[i].code);
        peer.verdict.chain = rows[i].chain;
        peer.connection.flow = (struct cdt_flow *)&peer; /* not looked into */
        expect(&peer, rows[i].status, rows[i].why);
        assert_int_equal(answer.calls, 1);
        assert_int_equal(answer.status, rows[i].chain ? -CDT_ETLSCERT : 0);
        assert_string_equal(answer.why, rows[i].chain ? "certificate is self-signed: CN=leaf" : "");
        assert_string_equal(answer.host, "example.org");
        assert_ptr_equal(answer.flow, &peer);
    }
}

static void it_is_asked_in_all_cases(void **state)
{
    (void)state;
    struct peer peer;
    struct answer answer;
    begin(&peer, CDT_TLS_CLIENT, NULL);
    peer.config.options.verify = CDT_TLS_VERIFY_NONE;
    ask(&peer, &answer, -EPERM);
    expect(&peer, -EPERM, "certificate was refused by the application: CN=leaf");
    assert_string_equal(answer.host, "");

    begin(&peer, CDT_TLS_CLIENT, "other.test");
    ask(&peer, &answer, 0);
    expect(&peer, 0, NULL);
    assert_int_equal(answer.status, -CDT_ETLSNAME);
    assert_string_equal(answer.why, IS_FOR "for other.test");

    begin(&peer, CDT_TLS_SERVER, "its.sni");
    ask(&peer, &answer, 1000);
    expect(&peer, 0, NULL);
    assert_int_equal(answer.calls, 1);
    assert_string_equal(answer.host, "");
    assert_null(answer.flow);
}

/* ---- what is kept ---- */

static int no_digest(const struct iovec *parts, int count, uint8_t digest[32])
{
    (void)parts, (void)count, (void)digest;
    return -EIO;
}

static void without_a_digest_nobody_is_trusted(void **state)
{
    (void)state;
    static const struct tls_backend broken = {.sha256 = no_digest};
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    peer.config.options.verify = CDT_TLS_VERIFY_NONE;
    peer.connection.backend = &broken;
    assert_int_equal(tls_verify(&peer.connection, peer.certificate.bytes, peer.certificate.length,
                                &peer.verdict),
                     -ENOMEM);
    assert_int_equal(peer.connection.failed, -ENOMEM);
    finish(&peer);
}

static void the_last_certificate_is_kept(void **state)
{
    (void)state;
    struct peer peer;
    begin(&peer, CDT_TLS_CLIENT, "example.org");
    assert_int_equal(verify(&peer), 0);
    make(&peer.certificate, &(struct made){.subject = issuer, .names = names});
    assert_int_equal(verify(&peer), 0);
    assert_true(peer.connection.peer && peer.connection.peer->references == 1);
    finish(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_chains_have_sentences),
        cmocka_unit_test(good_ones_have_none),
        cmocka_unit_test(no_verdict_is_a_bad_one),
        cmocka_unit_test(dates_that_cannot_be_read),
        cmocka_unit_test(odd_subjects),
        cmocka_unit_test(malformed_certificates),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(odd_names_are_not_matched),
        cmocka_unit_test(the_chain_comes_before_the_name),
        cmocka_unit_test(checks_of_names_are_switched_off_apart),
        cmocka_unit_test(servers_check_no_names),
        cmocka_unit_test(servers_always_check_chains),
        cmocka_unit_test(clients_check_unless_told_not_to),
        cmocka_unit_test(pins_are_checked),
        cmocka_unit_test(the_application_has_the_last_word),
        cmocka_unit_test(it_is_asked_in_all_cases),
        cmocka_unit_test(without_a_digest_nobody_is_trusted),
        cmocka_unit_test(the_last_certificate_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
