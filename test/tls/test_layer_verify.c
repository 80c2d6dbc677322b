/* Whose certificate is taken, by which code and sentence it is refused, on both sides: chains, dates,
 * names, keys, revocation, pins, the verify callback, clients' certificates; which of its certificates
 * a server shows. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* ---- one handshake --------------------------------------------------------------------------- */

/* Shakes hands and ends; the probes keep what they heard, configurations and reactor are freed. */
static void shake(const struct way *way, const struct cdt_tls_options *client,
                  const struct cdt_tls_options *server, const char *name, struct ends *ends)
{
    ends_begin(ends, way, client, server);
    ends_flows(ends, 'p', NULL);
    ends_start(ends, name);
    struct probe *probe = ends->probe;
    /* TLS 1.3: the client is open before the server has looked at its certificate */
    until(ends->reactor,
          (probe[0].opened && probe[1].opened) || (probe[0].closed && probe[1].closed));
    if (!probe[0].closed) {
        cdt_flow_write(probe[SERVER].flow, "welcome", 7);
        until(ends->reactor, probe[CLIENT].length == 7 || probe[CLIENT].closed);
    }
}

/* It must work. */
static void good(const struct way *way, const struct cdt_tls_options *client,
                 const struct cdt_tls_options *server, const char *name)
{
    struct ends ends;
    shake(way, client, server, name, &ends);
    for (int i = 0; i < 2; i++) {
        if (ends.probe[i].closed)
            fail_msg("the %s: %s", i == CLIENT ? "client" : "server", ends.probe[i].error);
        assert_int_equal(tls_counters(ends.config[i]).handshakes, 1);
    }
    ends_close(&ends, CLIENT);
    ends_free(&ends);
}

/* It must fail: `side` with this code and these words, the other with an alert. */
static void bad(const struct way *way, const struct cdt_tls_options *client,
                const struct cdt_tls_options *server, const char *name, int side, int code,
                const char *words)
{
    struct ends ends;
    shake(way, client, server, name, &ends);
    struct probe *mine = &ends.probe[side], *other = &ends.probe[1 - side];
    if (!mine->closed)
        fail_msg("%s: it was taken", words);
    if (mine->status != code || !strstr(mine->error, words))
        fail_msg("%s: %s; expected %s: %s", cdt_errname(mine->status), mine->error,
                 cdt_errname(code), words);
    if (other->status != -CDT_ETLSALERT)
        fail_msg("%s: the other: %s: %s", words, cdt_errname(other->status), other->error);
    assert_int_equal(mine->opened, 0);
    assert_int_equal(mine->length, 0);
    assert_int_equal(tls_counters(ends.config[side]).failed, 1);
    assert_int_equal(tls_counters(ends.config[side]).handshakes, 0);
    ends_free(&ends);
}

static struct cdt_tls_options showing(const struct way *way, const char *cert)
{
    struct cdt_tls_options server = tls_options(way, SERVER);
    server.identities = tls_identity(cert);
    return server;
}

/* ---- servers' certificates ------------------------------------------------------------------- */

static const struct {
    const char *cert, *name;
    int code;
    const char *words;
} wrong[] = {
    {"expired", NAME, -CDT_ETLSCERT, "expired 2021-01-01: CN=expired"},
    {"future", NAME, -CDT_ETLSCERT, "2098-01-01: CN=future"},
    {"self-signed", NAME, -CDT_ETLSCERT, "self-signed"},
    {"unknown", NAME, -CDT_ETLSCERT, "CN=Test other-ca"},
    {"wrong", NAME, -CDT_ETLSNAME, "wrong.test"},
    {"cn-only", NAME, -CDT_ETLSNAME, NAME},
    {"odd-part", "www.example.test", -CDT_ETLSNAME, "w*.example.test"},
    {"odd-top", NAME, -CDT_ETLSNAME, "*.test"},
    {"odd-inner", "www.any.test", -CDT_ETLSNAME, "www.*.test"},
    {"odd-all", "localhost", -CDT_ETLSNAME, "*"},
    {"wildcard", "example.test", -CDT_ETLSNAME, "*.example.test"},
    {"wildcard", "a.b.example.test", -CDT_ETLSNAME, "*.example.test"},
    {"ip4", "127.0.0.2", -CDT_ETLSNAME, "127.0.0.1"},
    {"ip4", "::1", -CDT_ETLSNAME, "127.0.0.1"},
    {"ip6", "127.0.0.1", -CDT_ETLSNAME, "::1"},
    {"ip-as-name", "127.0.0.1", -CDT_ETLSNAME, "127.0.0.1"},
};

static void test_wrong(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            const struct cdt_tls_options server = showing(&way, wrong[i].cert);
            bad(&way, NULL, &server, wrong[i].name, CLIENT, wrong[i].code, wrong[i].words);
        }
    }
}

static void test_right(void **state)
{
    (void)state;
    static const struct {
        const char *cert, *name;
    } right[] = {
        {"rsa", NAME},
        {"p384", NAME},
        {"ed25519", NAME},
        {"direct", "localhost"},
        {"p256", "EXAMPLE.test"},
        {"p256", "example.test."},
        {"ip4", "127.0.0.1"},
        {"ip6", "::1"},
        {"ip6", "[::1]"},
        {"wildcard", "www.example.test"},
        {"p256", "127.0.0.1"},
        {"p256", "0:0:0:0:0:0:0:1"},
    };
    for (struct way way = {0}; way_next(&way);) {
        for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
            const struct cdt_tls_options server = showing(&way, right[i].cert);
            good(&way, NULL, &server, right[i].name);
        }
    }
}

/* No name and names are checked; checks switched off one by one, the chain still looked at. */
static void test_checks_switched_off(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        const struct cdt_tls_options wrong_name = showing(&way, "wrong");
        const struct cdt_tls_options expired = showing(&way, "expired");
        bad(&way, NULL, NULL, NULL, CLIENT, -CDT_ETLSNAME, "");
        client.check_host = CDT_OFF;
        good(&way, &client, &wrong_name, NAME);
        bad(&way, &client, &wrong_name, "127.0.0.1", CLIENT, -CDT_ETLSNAME, "wrong.test");
        bad(&way, &client, &expired, NAME, CLIENT, -CDT_ETLSCERT, "expired");
        client.check_host = CDT_DEFAULT;
        client.check_ip = CDT_OFF;
        good(&way, &client, &wrong_name, "127.0.0.1");
        bad(&way, &client, &wrong_name, NAME, CLIENT, -CDT_ETLSNAME, "wrong.test");
        client.check_host = CDT_OFF;
        good(&way, &client, &wrong_name, NULL);
        client.verify = CDT_TLS_VERIFY_NONE;
        good(&way, &client, &expired, NAME);
    }
}

static void test_revocation(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        const struct cdt_tls_options revoked = showing(&way, "revoked");
        good(&way, &client, &revoked, NAME);
        client.crl_file = pki("crl.pem");
        bad(&way, &client, &revoked, NAME, CLIENT, -CDT_ETLSCERT, "revoked: CN=revoked");
        good(&way, &client, NULL, NAME);
        client.crl_file = pki("some.pem"); /* none of the root: those of higher ones need not be */
        good(&way, &client, NULL, NAME);
        bad(&way, &client, &revoked, NAME, CLIENT, -CDT_ETLSCERT, "revoked");
        client.crl_file = pki("crl-root.pem"); /* none of the issuer */
        bad(&way, &client, NULL, NAME, CLIENT, -CDT_ETLSCERT, "revocation");
        client.crl_file = pki("crl-old.pem");
        bad(&way, &client, NULL, NAME, CLIENT, -CDT_ETLSCERT, "revocation");
        char *text = pki_read(pki("crl.pem"));
        client.crl_file = NULL;
        client.crl = text;
        bad(&way, &client, &revoked, NAME, CLIENT, -CDT_ETLSCERT, "revoked");
        free(text);
    }
}

static void fingerprint(const char *cert, uint8_t sha256[32])
{
    char *command, digits[3] = "";
    assert_true(asprintf(&command,
                         "openssl x509 -in %s -noout -fingerprint -sha256 |"
                         " cut -d= -f2 | tr -d ':\\n'",
                         pki_cert(cert)) > 0);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(fread(digits, 1, 2, pipe), 2);
        sha256[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    pclose(pipe);
    free(command);
}

static void test_pins(void **state)
{
    (void)state;
    uint8_t pins[2][32], p256[32];
    fingerprint("rsa", pins[0]);
    fingerprint("p256", p256);
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        const struct cdt_tls_options self_signed = showing(&way, "self-signed");
        fingerprint("p384", pins[1]);
        client.pins = (const uint8_t(*)[32])pins;
        client.pin_count = 2;
        bad(&way, &client, NULL, NAME, CLIENT, -CDT_ETLSCERT, "pin");
        memcpy(pins[1], p256, 32);
        good(&way, &client, NULL, NAME);
        bad(&way, &client, NULL, "wrong.test", CLIENT, -CDT_ETLSNAME, "wrong.test");
        client.ca_file = NULL; /* no anchors: the pin alone decides */
        good(&way, &client, NULL, "wrong.test");
        bad(&way, &client, &self_signed, NAME, CLIENT, -CDT_ETLSCERT, "pin");
        fingerprint("self-signed", pins[1]);
        good(&way, &client, &self_signed, "any.test");
        fingerprint("expired", pins[1]);
        const struct cdt_tls_options expired = showing(&way, "expired");
        good(&way, &client, &expired, NAME);
    }
}

/* ---- the callback ---------------------------------------------------------------------------- */

struct asked {
    int times, answer;
    bool agree;
    struct cdt_tls_peer peer;
    char host[100], why[200];
};

static int ask(void *arg, const struct cdt_tls_peer *peer)
{
    struct asked *asked = arg;
    asked->times++;
    asked->peer = *peer;
    assert_true(peer->der_length > 100);
    assert_int_equal(peer->der[0], 0x30);
    snprintf(asked->host, sizeof asked->host, "%s", peer->host);
    snprintf(asked->why, sizeof asked->why, "%s", peer->why);
    return asked->agree ? peer->status : asked->answer;
}

static void test_callback(void **state)
{
    (void)state;
    uint8_t p256[32];
    fingerprint("p256", p256);
    for (struct way way = {0}; way_next(&way);) {
        struct asked asked = {.agree = true};
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        const struct cdt_tls_options expired = showing(&way, "expired");
        client.verify_peer = ask;
        client.verify_arg = &asked;
        good(&way, &client, NULL, NAME);
        assert_int_equal(asked.times, 1);
        assert_int_equal(asked.peer.status, 0);
        assert_string_equal(asked.host, NAME);
        assert_string_equal(asked.why, "");
        assert_memory_equal(asked.peer.sha256, p256, 32);
        assert_non_null(asked.peer.flow);

        bad(&way, &client, &expired, NAME, CLIENT, -CDT_ETLSCERT, "expired");
        assert_int_equal(asked.times, 2);
        assert_int_equal(asked.peer.status, -CDT_ETLSCERT);
        assert_non_null(strstr(asked.why, "expired"));
        bad(&way, &client, NULL, "wrong.test", CLIENT, -CDT_ETLSNAME, "wrong.test");
        assert_int_equal(asked.peer.status, -CDT_ETLSNAME);

        asked.agree = false; /* whatever is wrong, it is taken */
        good(&way, &client, &expired, NAME);
        good(&way, &client, NULL, "wrong.test");
        asked.answer = -EACCES; /* whatever is right, it is not */
        bad(&way, &client, NULL, NAME, CLIENT, -EACCES, "");
        assert_int_equal(asked.times, 6);
    }
}

/* ---- clients' certificates ------------------------------------------------------------------- */

static void test_clients(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT),
                               server = tls_options(&way, SERVER);
        server.ca_file = pki("ca.pem");
        client.identity_count = 1;
        for (int demanded = 0; demanded < 2; demanded++) {
            server.verify = demanded ? CDT_TLS_VERIFY_REQUIRE : CDT_TLS_VERIFY_ASK;
            if (demanded)
                bad(&way, NULL, &server, NAME, SERVER, -CDT_ETLSNOCERT, "");
            else
                good(&way, NULL, &server, NAME);
            client.identities = tls_identity("client");
            good(&way, &client, &server, NAME);
            client.identities = tls_identity("client-rsa");
            good(&way, &client, &server, NAME);
            client.identities = tls_identity("client-unknown");
            bad(&way, &client, &server, NAME, SERVER, -CDT_ETLSCERT, "CN=Test other-ca");
            client.identities = tls_identity("client-expired");
            bad(&way, &client, &server, NAME, SERVER, -CDT_ETLSCERT, "expired");
            client.identities = tls_identity("self-signed");
            bad(&way, &client, &server, NAME, SERVER, -CDT_ETLSCERT, "self-signed");
            client.identities = tls_identity("p256"); /* a server's */
            bad(&way, &client, &server, NAME, SERVER, -CDT_ETLSCERT, "");
            server.crl_file = pki("crl.pem");
            client.identities = tls_identity("client-revoked");
            bad(&way, &client, &server, NAME, SERVER, -CDT_ETLSCERT, "revoked");
            server.crl_file = NULL;
            good(&way, &client, &server, NAME);
        }
    }
}

/* What the server knows of its client. */
static void test_client_is_known(void **state)
{
    (void)state;
    uint8_t sha256[32];
    char pem[4096];
    fingerprint("client", sha256);
    for (struct way way = {0}; way_next(&way);) {
        struct asked asked = {.agree = true};
        struct cdt_tls_options client = tls_options(&way, CLIENT),
                               server = tls_options(&way, SERVER);
        struct ends ends;
        server.ca_file = pki("ca.pem");
        server.verify = CDT_TLS_VERIFY_ASK;
        server.verify_peer = ask;
        server.verify_arg = &asked;
        client.identities = tls_identity("client");
        client.identity_count = 1;
        shake(&way, &client, &server, NAME, &ends);
        const struct cdt_tls_info info = tls_info(ends.probe[SERVER].flow);
        assert_true(info.has_certificate);
        assert_memory_equal(info.sha256, sha256, 32);
        assert_true(cdt_tls_peer_pem(ends.probe[SERVER].flow, pem, sizeof pem) > 100);
        assert_int_equal(asked.times, 1);
        assert_string_equal(asked.host, "");
        ends_free(&ends);
        /* One that shows none is no reason to ask. */
        shake(&way, NULL, &server, NAME, &ends);
        assert_false(tls_info(ends.probe[SERVER].flow).has_certificate);
        assert_int_equal(cdt_tls_peer_pem(ends.probe[SERVER].flow, pem, sizeof pem), -ENODATA);
        assert_int_equal(asked.times, 1);
        ends_free(&ends);
    }
}

/* ---- the choice by name ---------------------------------------------------------------------- */

static void test_choice(void **state)
{
    (void)state;
    static const char *const certs[] = {"wildcard", "one", "two", "p256", "rsa"};
    static const struct {
        const char *name, *cert;
    } cases[] = {
        {"one.test", "one"},
        {"TWO.test", "two"},
        {"www.example.test", "wildcard"},
        {"example.test", "p256"},
        {"localhost", "p256"},
        {"none.test", "wildcard"},
        {"a.b.example.test", "wildcard"},
        {"127.0.0.1", "wildcard"},
    };
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_identity identities[5];
        struct cdt_tls_options client = tls_options(&way, CLIENT),
                               server = tls_options(&way, SERVER);
        for (int i = 0; i < 5; i++)
            identities[i] = *tls_identity(certs[i]);
        server.identities = identities;
        server.identity_count = 5;
        client.check_host = client.check_ip = CDT_OFF;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            uint8_t sha256[32];
            struct ends ends;
            fingerprint(cases[i].cert, sha256);
            shake(&way, &client, &server, cases[i].name, &ends);
            if (ends.probe[CLIENT].closed)
                fail_msg("%s: %s", cases[i].name, ends.probe[CLIENT].error);
            const struct cdt_tls_info info = tls_info(ends.probe[CLIENT].flow);
            if (memcmp(info.sha256, sha256, 32) != 0)
                fail_msg("%s: it is not %s that is shown", cases[i].name, cases[i].cert);
            ends_free(&ends);
        }
    }
}

/* ---- what is agreed on ----------------------------------------------------------------------- */

static void test_nothing_in_common(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT),
                               server = tls_options(&way, SERVER);
        client.alpn = "h2";
        server.alpn = "http/1.1";
        bad(&way, &client, &server, NAME, SERVER, -CDT_ETLS, "");
        client.alpn = server.alpn = NULL;
        client.ciphers = "TLS_AES_128_GCM_SHA256"; /* 1.3 only */
        client.min_version = 0;
        server.ciphers = OLD_CIPHERS;
        server.min_version = 0;
        bad(&way, &client, &server, NAME, SERVER, -CDT_ETLS, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_wrong),
        flow_test(test_right),
        flow_test(test_checks_switched_off),
        flow_test(test_revocation),
        flow_test(test_pins),
        flow_test(test_callback),
        flow_test(test_clients),
        flow_test(test_client_is_known),
        flow_test(test_choice),
        flow_test(test_nothing_in_common),
    };
    return tls_main(tests);
}
