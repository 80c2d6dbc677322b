/* Peers that show chains of a hundred certificates, and of hundreds of kilobytes: an error that says
 * so, in bounded memory, also where all of them are good. Servers and clients, every backend. */
#include "test/tls/tls.h"

#ifdef CDT_HAVE_OPENSSL
#include "test/tls/authority.h"

#include <openssl/ssl.h>

enum { LONG = 100, HUGE = 1000 };

static struct {
    const struct issued *root, *leaf, *above[LONG];
} chain;

static int make_chain(void **state)
{
    char name[32];
    chain.root = authority_issue(&(struct request){.name = "root", .ca = true});
    const struct issued *issuer = chain.root;
    for (int i = LONG - 1; i > 0; i--) {
        snprintf(name, sizeof name, "authority %d", i);
        issuer = chain.above[i] =
            authority_issue(&(struct request){.name = name, .ca = true, .issuer = issuer});
    }
    chain.leaf =
        authority_issue(&(struct request){.name = "leaf", .san = "DNS:" NAME, .issuer = issuer});
    return pki_make(state);
}

static int free_chain(void **state)
{
    authority_free_all();
    return pki_remove(state);
}

/* A context that shows the leaf and so many more, one after the other and again. */
static SSL_CTX *boaster(int side, unsigned count)
{
    SSL_CTX *context = SSL_CTX_new(side == CLIENT ? TLS_client_method() : TLS_server_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_use_certificate(context, chain.leaf->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, chain.leaf->key), 1);
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(
            SSL_CTX_add1_chain_cert(context, chain.above[1 + (i - 1) % (LONG - 1)]->certificate),
            1);
    return context;
}

/* What the other side, `judge`, makes of it: whether it takes it. */
static bool takes(const struct way *way, int judge, unsigned count, bool pinned)
{
    struct cdt_tls_options options[2] = {tls_options(way, CLIENT), tls_options(way, SERVER)};
    uint8_t pin[1][32];
    struct ends ends;
    const int side = 1 - judge;
    SSL_CTX *context = boaster(side, count);
    authority_digest_of(chain.leaf, pin[0]);
    options[judge].ca_file = NULL;
    options[judge].ca = pinned ? NULL : chain.root->cert_pem;
    options[judge].pins = pinned ? (const uint8_t(*)[32])pin : NULL;
    options[judge].pin_count = pinned;
    options[judge].verify = CDT_TLS_VERIFY_REQUIRE;
    options[side] = (struct cdt_tls_options){.size = sizeof *options,
                                             .role = options[side].role,
                                             .backend = CDT_TLS_OPENSSL,
                                             .native = context};
    ends_begin(&ends, way, &options[CLIENT], &options[SERVER]);
    ends_flows(&ends, 'w', NULL);
    ends_start(&ends, NAME);
    const struct probe *probe = &ends.probe[judge];
    until(ends.reactor, probe->closed || probe->opened);
    const bool opened = probe->opened;
    if (!opened) {
        assert_true(probe->status == -CDT_ETLS || probe->status == -CDT_ETLSCERT);
        assert_true(strlen(probe->error) > 5);
        assert_int_equal(tls_counters(ends.config[judge]).failed, 1);
        until(ends.reactor, ends.probe[side].closed);
        assert_int_equal(ends.probe[side].status, -CDT_ETLSALERT);
        assert_in_range(ends.wire[side].given, 1000, 400 * 1024); /* not to the end */
    }
    ends_free(&ends);
    SSL_CTX_free(context);
    return opened;
}

/* OpenSSL takes 100 KB, wolfSSL about 18: a chain of a hundred is good there if all of it is, and
 * too long here. */
static void test_chains(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int judge = CLIENT; judge <= SERVER; judge++) {
            if (way.backend[1 - judge] != CDT_TLS_OPENSSL)
                continue;
            const bool is_openssl = way.backend[judge] == CDT_TLS_OPENSSL;
            for (int pinned = 0; pinned < 2; pinned++) {
                if (pinned && judge == SERVER)
                    continue;                                            /* servers want anchors */
                assert_int_equal(takes(&way, judge, 8, pinned), pinned); /* it is not complete */
                assert_int_equal(takes(&way, judge, LONG, pinned), is_openssl);
                assert_false(takes(&way, judge, HUGE, pinned));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_chains),
    };
    return cmocka_run_group_tests(tests, make_chain, free_chain);
}
#else
int main(void)
{
    printf("long chains are made with OpenSSL, which is not built in\n");
    return 77;
}
#endif
