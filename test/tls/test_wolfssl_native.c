/* A WOLFSSL_CTX of the caller: used with the system's wolfSSL, refused with the one built for us. */
#include "test/tls/engines.h"
#include "test/tls/pki.h"

#ifdef CDT_HAVE_WOLFSSL
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#ifdef CDT_WOLFSSL_BUILT
static void contexts_of_others_are_refused(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    int nothing;
    const struct cdt_tls_options options = {.size = sizeof options,
                                            .role = CDT_TLS_CLIENT,
                                            .backend = CDT_TLS_WOLFSSL,
                                            .native = &nothing};
    const struct tls_spec spec = {.role = CDT_TLS_CLIENT, .native = &nothing};
    struct cdt_tls_config *config;
    struct tls_context *context;
    struct cdt_text_error error = {0};
    assert_true(cdt_tls_config_new(reactor, &options, &config, &error) < 0);
    assert_non_null(strstr(error.text, "system's wolfSSL"));
    memset(&error, 0, sizeof error);
    assert_int_equal(tls_wolfssl.context_new(&spec, NULL, &context, &error), -EPROTONOSUPPORT);
    assert_non_null(strstr(error.text, "system's wolfSSL"));
    cdt_reactor_free(reactor);
}
#else
static WOLFSSL_CTX *native_client(void)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_client_method());
    assert_non_null(ctx);
    assert_int_equal(wolfSSL_CTX_load_verify_locations(ctx, pki("ca.pem"), NULL), WOLFSSL_SUCCESS);
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
    return ctx;
}

static WOLFSSL_CTX *native_server(void)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_server_method());
    assert_non_null(ctx);
    assert_int_equal(wolfSSL_CTX_use_certificate_chain_file(ctx, pki_cert("p256")),
                     WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_CTX_use_PrivateKey_file(ctx, pki_key("p256"), WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    return ctx;
}

/* They verify; the name is still ours to check. The caller may let go of them at once. */
static void contexts_of_others_are_used(void **state)
{
    static const struct {
        const char *name;
        bool trusted;
        int failed;
    } cases[] = {{"example.test", true, 0},
                 {"example.test", false, -CDT_ETLSCERT},
                 {"other.test", true, -CDT_ETLSNAME}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WOLFSSL_CTX *client = native_client(), *server = native_server();
        struct cdt_reactor *reactor = test_reactor();
        struct talk talk;
        if (!cases[i].trusted)
            assert_int_equal(wolfSSL_CTX_UnloadCAs(client), WOLFSSL_SUCCESS);
        struct cdt_tls_config *configs[] = {
            make_config(
                reactor, CDT_TLS_WOLFSSL,
                (struct cdt_tls_options){.role = CDT_TLS_CLIENT, .alpn = "a,b", .native = client}),
            make_config(
                reactor, CDT_TLS_WOLFSSL,
                (struct cdt_tls_options){.role = CDT_TLS_SERVER, .alpn = "b", .native = server})};
        wolfSSL_CTX_free(client);
        wolfSSL_CTX_free(server);
        talk_begin(&talk, configs[0], configs[1], cases[i].name);
        if (!cases[i].failed) {
            talk_open(&talk);
            assert_int_equal(talk.client.facts.alpn_length, 1);
            talk_pass(&talk, &talk.client, 40000);
            talk_pass(&talk, &talk.server, 40000);
        } else {
            talk_run(&talk);
            assert_int_equal(talk.client.failed, cases[i].failed);
        }
        talk_end(&talk);
        cdt_tls_config_free(configs[0]);
        cdt_tls_config_free(configs[1]);
        cdt_reactor_free(reactor);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CDT_WOLFSSL_BUILT
        cmocka_unit_test(contexts_of_others_are_refused),
#else
        cmocka_unit_test(contexts_of_others_are_used),
#endif
    };
    return cmocka_run_group_tests(tests, pki_make, pki_remove);
}

#else

static void without_wolfssl(void **state)
{
    (void)state;
    print_message("wolfSSL is not built in\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_wolfssl)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
