/* Resumption: tickets and kept sessions, to whom they are given and when they are worth nothing;
 * reloading. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* Connects once more with the configurations: whether it was a resumption. */
static bool again(struct ends *ends, struct cdt_tls_config *client, struct cdt_tls_config *server,
                  const char *name)
{
    struct probe probe[2] = {{0}};
    const struct cdt_tls_counters before = tls_counters(server);
    test_flows(ends->reactor, 'p', NULL, probe);
    probe[0].opened = probe[1].opened = 0;
    assert_int_equal(cdt_tls_start(probe[SERVER].flow, server, NULL), 0);
    assert_int_equal(cdt_tls_start(probe[CLIENT].flow, client, name), 0);
    until(ends->reactor,
          (probe[0].opened && probe[1].opened) || probe[0].closed || probe[1].closed);
    assert_string_equal(probe[CLIENT].error, "");
    assert_string_equal(probe[SERVER].error, "");
    const struct cdt_tls_info info[2] = {tls_info(probe[CLIENT].flow),
                                         tls_info(probe[SERVER].flow)};
    assert_int_equal(info[CLIENT].resumed, info[SERVER].resumed);
    assert_true(info[CLIENT].has_certificate); /* a resumed one remembers it */
    assert_string_equal(info[CLIENT].server_name, name);
    char pem[4096];
    assert_true(cdt_tls_peer_pem(probe[CLIENT].flow, pem, sizeof pem) > 100);
    assert_int_equal(tls_counters(server).handshakes, before.handshakes + 1);
    assert_int_equal(tls_counters(server).resumed, before.resumed + info[SERVER].resumed);
    /* tickets come behind the handshake: something must be read */
    cdt_flow_write(probe[SERVER].flow, "welcome", 7);
    until(ends->reactor, probe[CLIENT].length == 7);
    cdt_flow_close(probe[CLIENT].flow);
    until(ends->reactor, probe[SERVER].eofs);
    cdt_flow_close(probe[SERVER].flow);
    until(ends->reactor, probe[0].closed && probe[1].closed);
    assert_int_equal(probe[0].status | probe[1].status, 0);
    probe_free(&probe[0]);
    probe_free(&probe[1]);
    return info[CLIENT].resumed;
}

/* Behind a ticket that was refused. A server of wolfSSL 5.5 gives no new one of TLS 1.2 in the same
 * handshake, but in the next. */
static bool soon(struct ends *ends, const struct way *way, struct cdt_tls_config *server)
{
    if (way->old && way->backend[SERVER] == CDT_TLS_WOLFSSL)
        again(ends, ends->config[CLIENT], server, NAME);
    return again(ends, ends->config[CLIENT], server, NAME);
}

static void test_resumed(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_begin(&ends, &way, NULL, NULL);
        struct cdt_tls_config **config = ends.config;
        assert_false(again(&ends, config[CLIENT], config[SERVER], NAME));
        for (int i = 0; i < 5; i++)
            assert_true(again(&ends, config[CLIENT], config[SERVER], NAME));
        /* Each name has its own. */
        assert_false(again(&ends, config[CLIENT], config[SERVER], "localhost"));
        assert_true(again(&ends, config[CLIENT], config[SERVER], "localhost"));
        assert_false(again(&ends, config[CLIENT], config[SERVER], "127.0.0.1"));
        assert_true(again(&ends, config[CLIENT], config[SERVER], "127.0.0.1"));
        assert_true(again(&ends, config[CLIENT], config[SERVER], NAME));
        assert_int_equal(tls_counters(config[CLIENT]).resumed, 8);
        assert_int_equal(tls_counters(config[CLIENT]).handshakes, 11);
        /* So has each configuration. */
        const struct cdt_tls_options options = tls_options(&way, CLIENT);
        struct cdt_tls_config *other = tls_config(ends.reactor, &options);
        assert_false(again(&ends, other, config[SERVER], NAME));
        cdt_tls_config_free(other);
        ends_free(&ends);
    }
}

static void test_switched_off(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            struct cdt_tls_options options[2] = {tls_options(&way, 0), tls_options(&way, 1)};
            struct ends ends;
            options[side].resumption = CDT_OFF;
            ends_begin(&ends, &way, &options[CLIENT], &options[SERVER]);
            for (int i = 0; i < 3; i++)
                assert_false(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
            ends_free(&ends);
        }
    }
}

/* Servers that share a key take each other's tickets; others do not, and shake hands anew. */
static void test_shared_key(void **state)
{
    (void)state;
    static const uint8_t key[2][32] = {{1}, {2}};
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options options = tls_options(&way, SERVER);
        struct ends ends;
        options.ticket_key = key[0];
        ends_begin(&ends, &way, NULL, &options);
        struct cdt_tls_config *same = tls_config(ends.reactor, &options);
        options.ticket_key = key[1];
        struct cdt_tls_config *other = tls_config(ends.reactor, &options);
        assert_false(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
        assert_true(again(&ends, ends.config[CLIENT], same, NAME));
        assert_true(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
        assert_false(again(&ends, ends.config[CLIENT], other, NAME));
        assert_true(soon(&ends, &way, other));
        cdt_tls_config_free(same);
        cdt_tls_config_free(other);
        ends_free(&ends);
    }
}

/* A ticket of a server that asks nobody is no way round one that does, even with the same key. */
static void test_no_way_round(void **state)
{
    (void)state;
    static const uint8_t key[32] = {3};
    for (struct way way = {0}; way_next(&way);) {
        for (int demanded = 0; demanded < 2; demanded++) {
            struct cdt_tls_options open = tls_options(&way, SERVER), closed = open;
            struct cdt_tls_options client = tls_options(&way, CLIENT);
            struct ends ends;
            open.ticket_key = closed.ticket_key = key;
            closed.ca_file = pki("ca.pem");
            closed.verify = demanded ? CDT_TLS_VERIFY_REQUIRE : CDT_TLS_VERIFY_ASK;
            client.identities = tls_identity("client");
            client.identity_count = 1;
            ends_begin(&ends, &way, &client, &open);
            struct cdt_tls_config *strict = tls_config(ends.reactor, &closed);
            assert_false(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
            assert_true(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
            for (int i = 0; i < 3; i++)
                assert_false(again(&ends, ends.config[CLIENT], strict, NAME));
            cdt_tls_config_free(strict);
            ends_free(&ends);
        }
    }
}

/* Sessions that a client has kept are forgotten: anchors may have changed. A server's tickets stay
 * good: they say nothing of a client. */
static void test_reload_forgets(void **state)
{
    (void)state;
    const char *cert = pki("live.pem"), *key = pki("live.key");
    const struct cdt_tls_identity live = {.cert_file = cert, .key_file = key};
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            struct cdt_tls_options options = tls_options(&way, SERVER);
            struct cdt_text_error error = {0};
            struct ends ends;
            pki_copy(pki_cert("p256"), cert);
            pki_copy(pki_key("p256"), key);
            options.identities = &live;
            ends_begin(&ends, &way, NULL, &options);
            assert_false(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
            assert_true(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME));
            assert_int_equal(cdt_tls_config_reload(ends.config[side], &error), 0);
            assert_int_equal(again(&ends, ends.config[CLIENT], ends.config[SERVER], NAME),
                             side == SERVER);
            assert_true(soon(&ends, &way, ends.config[SERVER]));
            assert_int_equal(tls_counters(ends.config[side]).reloads, 1);
            ends_free(&ends);
        }
    }
}

static void shown(struct ends *ends, uint8_t sha256[32])
{
    struct probe probe[2] = {{0}};
    test_flows(ends->reactor, 'p', NULL, probe);
    probe[0].opened = 0;
    assert_int_equal(cdt_tls_start(probe[SERVER].flow, ends->config[SERVER], NULL), 0);
    assert_int_equal(cdt_tls_start(probe[CLIENT].flow, ends->config[CLIENT], NAME), 0);
    until(ends->reactor, probe[0].opened || probe[0].closed);
    assert_string_equal(probe[0].error, "");
    memcpy(sha256, tls_info(probe[0].flow).sha256, 32);
    for (int i = 0; i < 2; i++) {
        cdt_flow_abort(probe[i].flow, 0, NULL);
        until(ends->reactor, probe[i].closed);
        probe_free(&probe[i]);
    }
}

/* New connections get what the files say now, old ones go on, connections that are shaking hands
 * end as they began; what is wrong changes nothing. */
static void test_reload(void **state)
{
    (void)state;
    const char *cert = pki("live.pem"), *key = pki("live.key");
    const struct cdt_tls_identity live = {.cert_file = cert, .key_file = key};
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT),
                               server = tls_options(&way, SERVER);
        struct cdt_text_error error = {0};
        struct ends ends;
        uint8_t first[32], second[32], third[32];
        pki_copy(pki_cert("p256"), cert);
        pki_copy(pki_key("p256"), key);
        client.resumption = CDT_OFF;
        server.identities = &live;
        ends_begin(&ends, &way, &client, &server);
        shown(&ends, first);
        ends.wire[SERVER].held = true;
        ends_flows(&ends, 'w', NULL);
        ends_start(&ends, NAME);
        settle(ends.reactor); /* the server has answered with the first */
        pki_copy(pki_cert("rsa"), cert);
        pki_copy(pki_key("rsa"), key);
        for (int i = 0; i < 2; i++)
            assert_int_equal(cdt_tls_config_reload(ends.config[i], &error), 0);
        wire_go(&ends.wire[SERVER]);
        ends_until_open(&ends);
        assert_memory_equal(tls_info(ends.probe[CLIENT].flow).sha256, first, 32);
        shown(&ends, second);
        assert_memory_not_equal(first, second, 32);
        ends_say(&ends, CLIENT, "still here");
        ends_say(&ends, SERVER, "so am I");

        pki_copy(pki_key("p384"), key); /* another's */
        assert_int_equal(cdt_tls_config_reload(ends.config[SERVER], &error), -CDT_ETLSKEY);
        assert_non_null(strstr(error.text, "live"));
        shown(&ends, third);
        assert_memory_equal(second, third, 32);
        assert_int_equal(unlink(cert), 0);
        assert_int_equal(cdt_tls_config_reload(ends.config[SERVER], &error), -ENOENT);
        assert_non_null(strstr(error.text, cert));
        shown(&ends, third);
        assert_memory_equal(second, third, 32);
        assert_int_equal(tls_counters(ends.config[SERVER]).reloads, 1);
        assert_int_equal(cdt_tls_config_reload(ends.config[SERVER], NULL), -ENOENT);
        ends_close(&ends, SERVER);
        ends_free(&ends);
    }
}

/* The configuration is freed while its connections live, and the reactor before the configuration. */
static void test_lifetime(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_begin(&ends, &way, NULL, NULL);
        ends_flows(&ends, 't', NULL);
        ends_start(&ends, NAME);
        cdt_tls_config_free(ends.config[SERVER]);
        cdt_tls_config_free(ends.config[CLIENT]);
        const struct cdt_tls_options options = tls_options(&way, CLIENT);
        ends.config[CLIENT] = tls_config(ends.reactor, &options);
        ends.config[SERVER] = NULL;
        ends_until_open(&ends);
        ends_say(&ends, CLIENT, "it goes on");
        ends_close(&ends, CLIENT);
        test_end(ends.reactor, ends.probe, 2);
        assert_int_equal(cdt_tls_config_free(ends.config[CLIENT]), 0);
        assert_int_equal(cdt_tls_config_free(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_resumed),      flow_test(test_switched_off),   flow_test(test_shared_key),
        flow_test(test_no_way_round), flow_test(test_reload_forgets), flow_test(test_reload),
        flow_test(test_lifetime),
    };
    return tls_main(tests);
}
