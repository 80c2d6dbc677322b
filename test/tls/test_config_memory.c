/* Configurations without memory: the n-th allocation fails, alone or with all that follow, for
 * every n. The answer is -ENOMEM with a sentence, and nothing is left behind; a configuration that
 * is read again stays as it was. With every backend that is built in; the wolfSSL that is built
 * here asks for its memory too. */
#include "test/tls/keys.h"
#include "test/tls/starve.h"
#include "tls/config.h"

static struct cdt_reactor *reactor;

static int setup(void **state)
{
    (void)state;
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", keys_path("anchors"), 1);
    reactor = test_reactor();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cdt_reactor_free(reactor);
    reactor = NULL;
    return 0;
}

/* All that can be in one. */
static struct cdt_tls_options everything(enum cdt_tls_backend backend, enum cdt_tls_role role)
{
    static const uint8_t secret[32] = {1}, pins[2][32] = {{2}};
    static struct cdt_tls_identity own[3];
    struct cdt_tls_options options = {.size = sizeof options, .role = role, .backend = backend};
    own[0] = (struct cdt_tls_identity){.cert_file = keys_path("both.pem")};
    own[1] =
        (struct cdt_tls_identity){.cert_file = keys_path("b.crt"), .key_file = keys_path("b.key")};
    own[2] = own[0];
    options.identities = own;
    options.identity_count = 3;
    options.alpn = "h2,http/1.1";
    options.ciphers = "TLS_AES_128_GCM_SHA256,ECDHE-ECDSA-AES128-GCM-SHA256";
    if (role == CDT_TLS_SERVER) {
        options.ticket_key = secret;
        return options;
    }
    options.ca_file = keys_path("ca.crt");
    options.ca_dir = keys_path("anchors");
    options.crl_file = keys_path("ca.crl");
    options.pins = pins;
    options.pin_count = 2;
    return options;
}

/* Nothing that lacked memory is done by halves. */
static void check_answer(long n, int status, const struct cdt_text_error *error)
{
    if (status != (starve.failures ? -ENOMEM : 0))
        fail_msg("allocation %ld: %d, after %ld failures: %s", n, status, starve.failures,
                 error->text);
    assert_int_equal(strstr(error->text, cdt_strerror(-ENOMEM)) != NULL, starve.failures > 0);
}

/* Makes one, the n-th allocation fails. Whether it was made with all of its memory. */
static bool make_without(const struct cdt_tls_options *options, long n)
{
    struct cdt_text_error error = {0};
    struct cdt_tls_config *config = NULL;
    const long before = starve.blocks;
    starve_at(n);
    const int status = cdt_tls_config_new(reactor, options, &config, &error);
    starve.until_failure = -1;
    check_answer(n, status, &error);
    if (status == 0)
        cdt_tls_config_free(config);
    if (n >= 0 && starve.blocks != before)
        fail_msg("allocation %ld: %ld blocks are left (%d)", n, starve.blocks - before, status);
    return starve.failures == 0;
}

static bool reload_without(struct cdt_tls_config *config, long n)
{
    struct cdt_text_error error = {0};
    const long before = starve.blocks;
    const struct tls_identity *identities = config->set.identities;
    starve_at(n);
    const int status = cdt_tls_config_reload(config, &error);
    starve.until_failure = -1;
    check_answer(n, status, &error);
    if (status && config->set.identities != identities)
        fail_msg("allocation %ld: it failed, and changed all the same", n);
    if (status && starve.blocks != before)
        fail_msg("allocation %ld: %ld blocks are left (%d)", n, starve.blocks - before, status);
    return starve.failures == 0;
}

static void for_each_kind(void (*run)(const struct cdt_tls_options *options))
{
    for (enum cdt_tls_backend b = CDT_TLS_WOLFSSL; b < CDT_TLS_NONE; b++) {
        for (int role = CDT_TLS_CLIENT; role <= CDT_TLS_SERVER && cdt_tls_built_in(b); role++) {
            const struct cdt_tls_options options = everything(b, (enum cdt_tls_role)role);
            make_without(&options, -1); /* what is made once in a process, or for the reactor */
            for (int i = 0; i < 2; i++) {
                starve.alone = i == 1;
                run(&options);
            }
        }
    }
}

static void make_all(const struct cdt_tls_options *options)
{
    long n = 0;
    while (!make_without(options, n))
        n++;
    assert_true(n > 20); /* the hook is asked */
}

static void reload_all(const struct cdt_tls_options *options)
{
    struct cdt_tls_config *config = NULL;
    const long before = starve.blocks;
    long n = 0;
    assert_int_equal(cdt_tls_config_new(reactor, options, &config, NULL), 0);
    while (!reload_without(config, n))
        n++;
    assert_true(n > 10);
    cdt_tls_config_free(config);
    assert_int_equal(starve.blocks, before);
}

static void making_fails_cleanly(void **state)
{
    (void)state;
    for_each_kind(make_all);
}

static void reloading_fails_cleanly(void **state)
{
    (void)state;
    for_each_kind(reload_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(making_fails_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(reloading_fails_cleanly, setup, teardown),
    };
    if (starve_begin())
        return 1;
    return keys_run(tests);
}
