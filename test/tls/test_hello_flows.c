/* Hellos that are out of the ordinary, through flows: one that the server answers with a
 * HelloRetryRequest (RFC 8446 section 4.1.4), and long ones that come in pieces. */
#include "test/tls/tls.h"

#ifdef CDT_HAVE_OPENSSL
#include <openssl/ssl.h>

/* ---- HelloRetryRequest ----------------------------------------------------------------------- */

/* A context with these groups; a client's share is of the first. */
static SSL_CTX *context_with(int side, const char *groups)
{
    SSL_CTX *context = SSL_CTX_new(side == CLIENT ? TLS_client_method() : TLS_server_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_set1_groups_list(context, groups), 1);
    if (side == CLIENT) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        assert_int_equal(SSL_CTX_load_verify_locations(context, pki("ca.pem"), NULL), 1);
        return context;
    }
    assert_int_equal(SSL_CTX_use_certificate_chain_file(context, pki_cert("p256")), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, pki_key("p256"), SSL_FILETYPE_PEM), 1);
    return context;
}

/* The random of a ServerHello that is none: SHA-256 of "HelloRetryRequest". */
static bool has_retried(const struct wire *server)
{
    static const uint8_t random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                     0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91};
    return memmem(server->log, server->total, random, sizeof random);
}

/* One side has this context; the bytes of both come `step` at a time. */
static void begin_native(struct ends *ends, const struct way *way, int side, SSL_CTX *context,
                         size_t step)
{
    struct cdt_tls_options options[2] = {tls_options(way, CLIENT), tls_options(way, SERVER)};
    options[1 - side].alpn = "last";
    options[side] = (struct cdt_tls_options){.size = sizeof *options,
                                             .role = options[side].role,
                                             .backend = CDT_TLS_OPENSSL,
                                             .native = context};
    ends_begin(ends, way, &options[CLIENT], &options[SERVER]);
    ends->wire[CLIENT].step = ends->wire[SERVER].step = step;
    ends->wire[SERVER].keep = true;
    ends_flows(ends, 'w', NULL);
    ends_start(ends, NAME);
}

static void retry(const struct way *way, int side, const char *groups, size_t step)
{
    struct ends ends;
    SSL_CTX *context = context_with(side, groups);
    begin_native(&ends, way, side, context, step);
    ends_until_open(&ends);
    assert_true(has_retried(&ends.wire[SERVER]));
    assert_string_equal(tls_info(ends.probe[CLIENT].flow).version, "TLSv1.3");
    ends_say(&ends, CLIENT, "to the server");
    ends_say(&ends, SERVER, "and back");
    ends_close(&ends, CLIENT);
    ends_free(&ends);
    SSL_CTX_free(context);
}

/* A client whose share is of a group that our servers do not have; a server that has none of those
 * of which our clients send shares. */
static void test_retry(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        if (way.old)
            continue;
        for (size_t step = 0; step < 8; step += 7) {
            if (way.backend[CLIENT] == CDT_TLS_OPENSSL)
                retry(&way, CLIENT, "P-521:P-256", step);
            if (way.backend[SERVER] == CDT_TLS_OPENSSL)
                retry(&way, SERVER, "P-384", step);
        }
    }
}

/* No group in common is an error that both hear of. (A server of wolfSSL asks once more, and leaves
 * it to the client to find that useless.) */
static void test_no_common_group(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        if (way.old || way.backend[CLIENT] != CDT_TLS_OPENSSL)
            continue;
        struct ends ends;
        SSL_CTX *context = context_with(CLIENT, "P-521");
        begin_native(&ends, &way, CLIENT, context, 0);
        until(ends.reactor, ends.probe[CLIENT].closed && ends.probe[SERVER].closed);
        const bool client_tells = way.backend[SERVER] == CDT_TLS_WOLFSSL;
        assert_int_equal(ends.probe[SERVER].status, client_tells ? -CDT_ETLSALERT : -CDT_ETLS);
        assert_int_equal(ends.probe[CLIENT].status, client_tells ? -CDT_ETLS : -CDT_ETLSALERT);
        assert_true(strlen(ends.probe[SERVER].error) > 5);
        assert_int_equal(ends.probe[SERVER].opened + ends.probe[CLIENT].opened, 0);
        ends_free(&ends);
        SSL_CTX_free(context);
    }
}

/* ---- long ones ------------------------------------------------------------------------------- */

/* A client that offers so many protocols of 255 bytes, then "last". */
static SSL_CTX *talkative(unsigned count)
{
    enum { ONE = 256, MOST = 100 };
    static uint8_t list[MOST * ONE + 5];
    SSL_CTX *context = context_with(CLIENT, "X25519:P-256");
    assert_true(count <= MOST);
    memset(list, 'x', sizeof list);
    for (unsigned i = 0; i < count; i++)
        list[(size_t)i * ONE] = ONE - 1;
    memcpy(list + (size_t)count * ONE, "\4last", 5);
    assert_int_equal(SSL_CTX_set_alpn_protos(context, list, count * ONE + 5), 0);
    return context;
}

/* In two records, and in pieces of several sizes. */
static void test_long_hello(void **state)
{
    (void)state;
    static const size_t steps[] = {0, 1000, 37};
    for (struct way way = {0}; way_next(&way);) {
        if (way.backend[CLIENT] != CDT_TLS_OPENSSL)
            continue;
        SSL_CTX *context = talkative(69);
        for (size_t i = 0; i < 3; i++) {
            struct ends ends;
            begin_native(&ends, &way, CLIENT, context, steps[i]);
            ends_until_open(&ends);
            assert_in_range(ends.wire[CLIENT].total, 17900, 19000);
            assert_string_equal(tls_info(ends.probe[SERVER].flow).alpn, "last");
            ends_say(&ends, CLIENT, "to the server");
            ends_say(&ends, SERVER, "and back");
            ends_close(&ends, SERVER);
            ends_free(&ends);
        }
        SSL_CTX_free(context);
    }
}

/* Beyond what is looked at: refused as soon as its length is known. */
static void test_too_long_hello(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        if (way.backend[CLIENT] != CDT_TLS_OPENSSL)
            continue;
        struct ends ends;
        SSL_CTX *context = talkative(75);
        begin_native(&ends, &way, CLIENT, context, 500);
        until(ends.reactor, ends.probe[CLIENT].closed && ends.probe[SERVER].closed);
        assert_int_equal(ends.probe[SERVER].status, -CDT_ETLS);
        assert_string_equal(ends.probe[SERVER].error, "the peer's ClientHello is too long");
        assert_int_equal(ends.wire[CLIENT].given, 500);
        assert_int_equal(ends.probe[CLIENT].status, -CDT_ETLSALERT);
        assert_int_equal(tls_counters(ends.config[SERVER]).failed, 1);
        ends_free(&ends);
        SSL_CTX_free(context);
    }
}

/* Those of our own configurations do not become so long. */
static void test_long_list(void **state)
{
    char list[8192];
    (void)state;
    memset(list, 'x', sizeof list);
    for (size_t i = 100; i < sizeof list; i += 100)
        list[i] = ',';
    memcpy(list + 8185, ",last", 5);
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options options[2] = {tls_options(&way, CLIENT), tls_options(&way, SERVER)};
        struct cdt_text_error error;
        struct cdt_tls_config *config = NULL;
        struct ends ends;
        list[8190] = 0;
        options[CLIENT].alpn = list;
        options[SERVER].alpn = "last";
        ends_begin(&ends, &way, &options[CLIENT], &options[SERVER]);
        ends_flows(&ends, 'w', NULL);
        ends_start(&ends, NAME);
        ends_until_open(&ends);
        assert_string_equal(tls_info(ends.probe[CLIENT].flow).alpn, "last");
        list[8190] = 's';
        list[8191] = 0;
        assert_int_equal(cdt_tls_config_new(ends.reactor, &options[CLIENT], &config, &error),
                         -CDT_ETLSKEY);
        assert_string_equal(error.text, "alpn: longer than 8190 bytes");
        ends_free(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_long_list),  flow_test(test_retry),          flow_test(test_no_common_group),
        flow_test(test_long_hello), flow_test(test_too_long_hello),
    };
    return tls_main(tests);
}
#else
int main(void)
{
    printf("such hellos are made with a context of OpenSSL, which is not built in\n");
    return 77;
}
#endif
