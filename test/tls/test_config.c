/* Configurations: what is refused and with which sentence, what is copied, what is decided, and
 * reloading, which changes all or nothing. With every backend that is built in. */
#include "test/tls/keys.h"
#include "tls/config.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
/* NOLINTBEGIN(bugprone-macro-parentheses): it declares `b` */
#define each_backend(b) \
    (enum cdt_tls_backend b = CDT_TLS_WOLFSSL; b < CDT_TLS_NONE; b++) if (cdt_tls_built_in(b))
/* NOLINTEND(bugprone-macro-parentheses) */

static struct cdt_reactor *reactor;

static int setup(void **state)
{
    unsetenv("SSL_CERT_DIR");
    setenv("SSL_CERT_FILE", keys_path("ca.crt"), 1);
    reactor = test_reactor();
    return test_fds_remember(state);
}

static int teardown(void **state)
{
    const int status = test_fds_same(state);
    cdt_reactor_free(reactor);
    return status;
}

static struct cdt_tls_options client(enum cdt_tls_backend backend)
{
    return (struct cdt_tls_options){
        .size = sizeof(struct cdt_tls_options), .role = CDT_TLS_CLIENT, .backend = backend};
}

/* With the identity of a.test. */
static struct cdt_tls_options server(enum cdt_tls_backend backend)
{
    static char cert[96], key[96];
    static const struct cdt_tls_identity own = {.cert_file = cert, .key_file = key};
    snprintf(cert, sizeof cert, "%s", keys_path("a.crt"));
    snprintf(key, sizeof key, "%s", keys_path("a.key"));
    return (struct cdt_tls_options){.size = sizeof(struct cdt_tls_options),
                                    .role = CDT_TLS_SERVER,
                                    .backend = backend,
                                    .identities = &own,
                                    .identity_count = 1};
}

static struct cdt_tls_config *make(const struct cdt_tls_options *options)
{
    struct cdt_text_error error = {0};
    struct cdt_tls_config *config = NULL;
    const int status = cdt_tls_config_new(reactor, options, &config, &error);
    if (status)
        fail_msg("%s: %d: %s", cdt_tls_backend_name(options->backend), status, error.text);
    return config;
}

/* Is refused: with this code, and this in its sentence. */
static void refuse(const struct cdt_tls_options *options, int expected, const char *sentence)
{
    struct cdt_text_error error = {0};
    struct cdt_tls_config *config = NULL;
    const int status = cdt_tls_config_new(reactor, options, &config, &error);
    if (status != expected || !strstr(error.text, sentence))
        fail_msg("%s: %d (%s), not %d (%s)", cdt_tls_backend_name(options->backend), status,
                 error.text, expected, sentence);
    assert_null(config);
    assert_int_equal(cdt_tls_config_new(reactor, options, &config, NULL), expected);
}

/* ---- what is decided ------------------------------------------------------------------------- */

static void defaults_of_a_client(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_options options = client(b);
            struct cdt_tls_config *config = make(&options);
            assert_int_equal(cdt_tls_config_backend(config), b);
            assert_ptr_equal(config->backend, tls_backend(b));
            assert_int_equal(config->options.verify, CDT_TLS_VERIFY_REQUIRE);
            assert_int_equal(config->options.system_anchors, CDT_ON);
            assert_int_equal(config->options.check_host, CDT_ON);
            assert_int_equal(config->options.check_ip, CDT_ON);
            assert_int_equal(config->options.resumption, CDT_ON);
            assert_int_equal(config->options.min_version, CDT_TLS_1_2);
            assert_int_equal(config->set.count, 1);
            assert_null(config->set.identities[0].der);
            assert_null(config->tickets);
            assert_null(config->alpn);
            assert_false(config->pins_only);
            assert_int_equal(cdt_tls_config_free(config), 0);
        }
}

static void defaults_of_a_server(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_options options = server(b);
            struct cdt_tls_config *config = make(&options);
            assert_int_equal(config->options.verify, CDT_TLS_VERIFY_NONE);
            assert_int_equal(config->options.system_anchors, CDT_OFF);
            assert_int_equal(config->options.ticket_rotation, 3600 * CDT_SECOND);
            assert_non_null(config->tickets);
            assert_int_equal(config->set.count, 1);
            assert_non_null(config->set.identities[0].der);
            assert_int_equal(cdt_tls_config_free(config), 0);
        }
}

static void no_system_anchors_where_nothing_is_verified(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", "/nowhere", 1);
    for
        each_backend(b)
        {
            static const uint8_t pins[1][32];
            struct cdt_tls_options options = client(b);
            refuse(&options, -ENOENT, "/nowhere: no such file or directory");
            options.verify = CDT_TLS_VERIFY_NONE;
            cdt_tls_config_free(make(&options));
            options.verify = CDT_TLS_VERIFY_DEFAULT;
            options.system_anchors = CDT_OFF;
            options.pins = pins;
            options.pin_count = 1;
            struct cdt_tls_config *config = make(&options);
            assert_true(config->pins_only);
            cdt_tls_config_free(config);
            options.ca_file = keys_path("ca.crt");
            config = make(&options);
            assert_false(config->pins_only);
            cdt_tls_config_free(config);
        }
}

static void tickets_only_where_nobody_is_verified(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_options options = server(b);
            options.ca_file = keys_path("ca.crt");
            options.verify = CDT_TLS_VERIFY_ASK;
            struct cdt_tls_config *config = make(&options);
            assert_null(config->tickets);
            cdt_tls_config_free(config);
            options = server(b);
            options.resumption = CDT_OFF;
            config = make(&options);
            assert_null(config->tickets);
            cdt_tls_config_free(config);
        }
}

static void alpn_is_kept_in_wire_form(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_options options = server(b);
            options.alpn = "h2,http/1.1";
            struct cdt_tls_config *config = make(&options);
            assert_int_equal(config->alpn_length, 12);
            assert_memory_equal(config->alpn, "\x02h2\x08http/1.1", 12);
            cdt_tls_config_free(config);
            options.alpn = "h2,";
            refuse(&options, -CDT_ETLSKEY, "alpn: protocols have 1 to 255 bytes each: \"h2,\"");
        }
}

/* ---- what is refused ------------------------------------------------------------------------- */

static int verify_peer(void *arg, const struct cdt_tls_peer *peer)
{
    (void)arg;
    return peer->status;
}

static void options_that_contradict_each_other(void **state)
{
    static const uint8_t key[32], pins[1][32];
    static int theirs; /* never looked into */
    static const struct cdt_tls_identity nothing = {0}, twice = {.cert_file = "x", .cert = "x"},
                                         keys = {.cert_file = "x", .key_file = "x", .key = "x"};
#define SERVER  .size = sizeof(struct cdt_tls_options), .role = CDT_TLS_SERVER
#define CLIENT  .size = sizeof(struct cdt_tls_options), .role = CDT_TLS_CLIENT
#define OWN(of) .identities = &(of), .identity_count = 1
    const struct cdt_tls_identity own = *server(CDT_TLS_ANY).identities;
    const struct {
        struct cdt_tls_options options;
        const char *sentence;
    } rows[] = {
        {{SERVER}, "No TLS server key configured"},
        {{SERVER, OWN(nothing)}, "certificate in a file or as a text"},
        {{SERVER, OWN(twice)}, "certificate in a file or as a text"},
        {{SERVER, OWN(keys)}, "key in a file or as a text"},
        {{SERVER, .identity_count = 1}, "a list has a count"},
        {{CLIENT, .pin_count = 1}, "a list has a count"},
        {{.size = sizeof(struct cdt_tls_options), .role = (enum cdt_tls_role)2}, "no such role"},
        {{CLIENT, .backend = (enum cdt_tls_backend)9}, "no such TLS backend"},
        {{CLIENT, .min_version = (enum cdt_tls_version)0x0302}, "no such version"},
        {{CLIENT, .verify = (enum cdt_tls_verify)4}, "no such way to verify"},
        {{CLIENT, .check_host = (enum cdt_switch)3}, "neither on nor off"},
        {{SERVER, OWN(own), .system_anchors = CDT_ON}, "system_anchors is for clients"},
        {{SERVER, OWN(own), .check_host = CDT_ON}, "are for clients"},
        {{SERVER, OWN(own), .check_ip = CDT_ON}, "are for clients"},
        {{SERVER, OWN(own), .ca_file = "x"}, "no certificate is asked for"},
        {{SERVER, OWN(own), .crl = "x"}, "no certificate is asked for"},
        {{SERVER, OWN(own), .pins = pins, .pin_count = 1}, "no certificate is asked for"},
        {{SERVER, OWN(own), .verify_peer = verify_peer}, "no certificate is asked for"},
        {{SERVER, OWN(own), .verify = CDT_TLS_VERIFY_REQUIRE}, "no client's certificate"},
        {{CLIENT, .verify = CDT_TLS_VERIFY_ASK}, "a client cannot only ask"},
        {{CLIENT, .ticket_key = key}, "are for servers"},
        {{CLIENT, .ticket_rotation = 1}, "are for servers"},
        {{CLIENT, .system_anchors = CDT_OFF}, "no server's certificate"},
        {{CLIENT, .native = &theirs}, "a native context needs its backend"},
#ifdef CDT_WOLFSSL_BUILT
        {{CLIENT, .native = &theirs, .backend = CDT_TLS_WOLFSSL}, "the system's wolfSSL"},
#endif
        {{CLIENT, .native = &theirs, .backend = CDT_TLS_OPENSSL, .ciphers = "x"}, "native context"},
        {{SERVER, .native = &theirs, .backend = CDT_TLS_OPENSSL, .resumption = CDT_ON}, "tickets"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        refuse(&rows[i].options, -EINVAL, rows[i].sentence);
}

static void arguments_that_are_none(void **state)
{
    struct cdt_tls_config *config = NULL;
    struct cdt_tls_options options = client(CDT_TLS_ANY);
    struct cdt_tls_counters counters;
    struct cdt_text_error error = {0};
    (void)state;
    assert_int_equal(cdt_tls_config_new(NULL, &options, &config, &error), -EINVAL);
    assert_string_equal(error.text, cdt_strerror(EINVAL));
    assert_int_equal(cdt_tls_config_new(reactor, &options, NULL, NULL), -EINVAL);
    options.size = 1;
    assert_int_equal(cdt_tls_config_new(reactor, &options, &config, NULL), -EINVAL);
    assert_int_equal(cdt_tls_config_reload(NULL, NULL), -EINVAL);
    assert_int_equal(cdt_tls_config_free(NULL), 0);
    assert_int_equal(cdt_tls_config_backend(NULL), CDT_TLS_NONE);
    assert_int_equal(cdt_tls_counters(NULL, &counters), -EINVAL);
}

static void backends_that_are_not_there(void **state)
{
    struct cdt_tls_options options = client(CDT_TLS_NONE);
    (void)state;
    refuse(&options, -EPROTONOSUPPORT, "the TLS backend is \"none\"");
    for (enum cdt_tls_backend b = CDT_TLS_WOLFSSL; b < CDT_TLS_NONE; b++) {
        if (cdt_tls_built_in(b))
            continue;
        options.backend = b;
        refuse(&options, -EPROTONOSUPPORT, "is not built in");
    }
    options.backend = CDT_TLS_ANY;
    for
        each_backend(b)
        {
            assert_int_equal(cdt_tls_select(b), 0);
            struct cdt_tls_config *config = make(&options);
            assert_int_equal(cdt_tls_config_backend(config), b);
            cdt_tls_config_free(config);
        }
    assert_int_equal(cdt_tls_select(CDT_TLS_NONE), 0);
    refuse(&options, -EPROTONOSUPPORT, "the TLS backend is \"none\"");
    assert_int_equal(cdt_tls_select(CDT_TLS_ANY), 0);
}

static void files_that_cannot_be_used(void **state)
{
    static const struct {
        const char *cert, *key;
        int status;
        const char *sentence;
    } rows[] = {
        {"missing", "a.key", -ENOENT, "missing: no such file or directory"},
        {"a.crt", "missing", -ENOENT, "missing: no such file or directory"},
        {"a.crt", NULL, -CDT_ETLSKEY, "a.crt: no private key (PEM) in it"},
        {"a.crt", "b.crt", -CDT_ETLSKEY, "b.crt: no private key (PEM) in it"},
        {"a.key", "a.key", -CDT_ETLSKEY, "a.key: no certificate (PEM) in it"},
        {"a.crt", "b.key", -CDT_ETLSKEY, "b.key"},       /* of another certificate */
        {"junk.pem", "a.key", -CDT_ETLSKEY, "junk.pem"}, /* not the first in the file is read */
        {"a.crt", "locked.key", -CDT_ETLSKEY, "locked.key"},
        {".", "a.key", -EISDIR, "/.: "},
    };
    (void)state;
    for
        each_backend(b)
        {
            for (size_t i = 0; i < COUNT(rows); i++) {
                const struct cdt_tls_identity own = {
                    .cert_file = keys_path(rows[i].cert),
                    .key_file = rows[i].key ? keys_path(rows[i].key) : NULL};
                struct cdt_tls_options options = server(b);
                options.identities = &own;
                refuse(&options, rows[i].status, rows[i].sentence);
            }
        }
}

static void anchors_that_cannot_be_used(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_options options = client(b);
            options.ca_file = keys_path("missing");
            refuse(&options, -ENOENT, "missing: no such file or directory");
            options.ca_file = keys_path("ca.key");
            refuse(&options, -CDT_ETLSKEY, "ca.key: no certificate (PEM) in it");
            options.ca_file = keys_path("junk.pem");
            refuse(&options, -CDT_ETLSKEY, "junk.pem");
            options.ca_file = NULL;
            options.ca = "nothing";
            refuse(&options, -CDT_ETLSKEY, "the text of anchors: no certificate (PEM) in it");
            options.ca = NULL;
            options.crl_file = keys_path("ca.crt");
            refuse(&options, -CDT_ETLSKEY, "ca.crt: no revocation list (PEM) in it");
            options.crl_file = NULL;
            options.ciphers = "RC4-MD5";
            refuse(&options, -CDT_ETLSKEY, "ciphers: no such suite: \"RC4-MD5\"");
        }
}

/* ---- what is used ---------------------------------------------------------------------------- */

static void the_systems_anchors_may_hold_nonsense(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", keys_path("junk.pem"), 1);
    for
        each_backend(b)
        {
            const struct cdt_tls_options options = client(b);
            cdt_tls_config_free(make(&options));
        }
}

static void anchors_and_lists_of_all_kinds(void **state)
{
    char *ca = keys_text("ca.crt"), *crl = keys_text("ca.crl");
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_options options = client(b);
            options.ca_file = keys_path("ca.crt");
            options.ca_dir = keys_path("anchors");
            options.ca = ca;
            options.crl = crl;
            cdt_tls_config_free(make(&options));
            options.crl_file = keys_path("ca.crl");
            options.crl = NULL;
            cdt_tls_config_free(make(&options));
        }
    free(ca);
    free(crl);
}

static int password(void *arg, const char *key_file, char *text, size_t size)
{
    const char *const word = arg;
    assert_non_null(key_file);
    assert_string_equal(key_file, keys_path("locked.key"));
    assert_true(strlen(word) <= size);
    memcpy(text, word, strlen(word));
    return (int)strlen(word);
}

static void encrypted_keys_need_their_password(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_identity own = {.cert_file = keys_path("a.crt"),
                                                 .key_file = keys_path("locked.key")};
            struct cdt_tls_options options = server(b);
            options.identities = &own;
            options.password = password;
            options.password_arg = (char[]){"secret"};
            struct cdt_tls_config *config = make(&options);
            assert_int_equal(cdt_tls_config_reload(config, NULL), 0); /* it is asked for again */
            cdt_tls_config_free(config);
            options.password_arg = (char[]){"guess"};
            refuse(&options, -CDT_ETLSKEY, "locked.key");
        }
}

static int password_that_frees(void *arg, const char *key_file, char *text, size_t size)
{
    struct cdt_tls_config **config = arg;
    (void)key_file, (void)size;
    cdt_tls_config_free(*config);
    *config = NULL;
    memcpy(text, "secret", 6);
    return 6;
}

/* The configuration that is being read again is let go of by the callback. */
static void a_password_may_be_the_end(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_identity own = {.cert_file = keys_path("a.crt"),
                                                 .key_file = keys_path("locked.key")};
            struct cdt_tls_config *config = NULL;
            struct cdt_tls_options options = server(b);
            options.identities = &own;
            options.password = password_that_frees;
            options.password_arg = &config;
            config = make(&options);
            assert_int_equal(cdt_tls_config_reload(config, NULL), 0);
            assert_null(config);
        }
}

/* Everything is gone when the call has returned; reading again needs it. */
static void all_is_copied(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            char *cert = keys_text("a.crt"), *key = keys_text("a.key"), *ca = keys_text("ca.crt");
            char *file = strdup(keys_path("both.pem")), *alpn = strdup("h2");
            char *ciphers = strdup("TLS_AES_128_GCM_SHA256,ECDHE-ECDSA-AES128-GCM-SHA256");
            uint8_t(*pins)[32] = calloc(2, sizeof *pins);
            struct cdt_tls_identity *own = calloc(2, sizeof *own);
            struct cdt_tls_options *options = malloc(sizeof *options);
            struct cdt_text_error error = {0};
            own[0] = (struct cdt_tls_identity){.cert = cert, .key = key};
            own[1] = (struct cdt_tls_identity){.cert_file = file};
            pins[1][5] = 7;
            *options = server(b);
            options->identities = own;
            options->identity_count = 2;
            options->verify = CDT_TLS_VERIFY_REQUIRE;
            options->ca = ca;
            options->alpn = alpn;
            options->ciphers = ciphers;
            options->pins = (const uint8_t(*)[32])pins;
            options->pin_count = 2;
            struct cdt_tls_config *config = make(options);
            void *const gone[] = {cert, key, ca, file, alpn, ciphers, pins, own, options};
            memset(pins, 1, 2 * sizeof *pins);
            for (size_t i = 0; i < COUNT(gone); i++)
                free(gone[i]);
            assert_int_equal(config->set.count, 2);
            assert_int_equal(config->options.pins[1][5], 7);
            if (cdt_tls_config_reload(config, &error))
                fail_msg("%s", error.text);
            cdt_tls_config_free(config);
        }
}

static void a_client_has_one_identity_at_most(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_identity own[] = {{.cert_file = keys_path("both.pem")},
                                                   {.cert_file = keys_path("missing")}};
            struct cdt_tls_options options = client(b);
            options.identities = own;
            options.identity_count = 2;
            struct cdt_tls_config *config = make(&options);
            assert_int_equal(config->set.count, 1);
            assert_non_null(config->set.identities[0].der);
            cdt_tls_config_free(config);
        }
}

static void names_choose_among_identities(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_identity own[] = {
                {.cert_file = keys_path("a.crt"), .key_file = keys_path("a.key")},
                {.cert_file = keys_path("b.crt"), .key_file = keys_path("b.key")}};
            struct cdt_tls_options options = server(b);
            options.identities = own;
            options.identity_count = 2;
            struct cdt_tls_config *config = make(&options);
            const struct tls_identity *identities = config->set.identities;
            assert_ptr_not_equal(identities[0].context, identities[1].context);
            assert_ptr_equal(tls_config_choose(config, "a.test"), &identities[0]);
            assert_ptr_equal(tls_config_choose(config, "b.test"), &identities[1]);
            assert_ptr_equal(tls_config_choose(config, "x.b.test"), &identities[1]);
            assert_ptr_equal(tls_config_choose(config, "c.test"), &identities[0]);
            cdt_tls_config_free(config);
        }
}

/* ---- reloading ------------------------------------------------------------------------------- */

static struct cdt_tls_config *own_files(enum cdt_tls_backend backend)
{
    const struct cdt_tls_identity own = {.cert_file = keys_path("own.crt"),
                                         .key_file = keys_path("own.key")};
    struct cdt_tls_options options = server(backend);
    keys_copy("a.crt", "own.crt");
    keys_copy("a.key", "own.key");
    options.identities = &own;
    return make(&options);
}

/* Whether the certificate in use is the one of this configuration. */
static bool shows(const struct cdt_tls_config *config, const char *file)
{
    const struct tls_identity *own = &config->set.identities[0];
    char *text = keys_text(file);
    uint8_t *der = NULL;
    size_t length = 0;
    assert_int_equal(config->backend->certificate(text, strlen(text), &der, &length), 0);
    const bool same = own->der_length == length && memcmp(own->der, der, length) == 0;
    mem_free(der);
    free(text);
    return same;
}

static uint64_t reloads(const struct cdt_tls_config *config)
{
    struct cdt_tls_counters counters;
    assert_int_equal(cdt_tls_counters(config, &counters), 0);
    return counters.reloads;
}

static void reloading_takes_what_files_say(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_config *config = own_files(b);
            struct tls_tickets *const tickets = config->tickets;
            assert_true(shows(config, "a.crt"));
            keys_copy("b.crt", "own.crt");
            keys_copy("b.key", "own.key");
            assert_true(shows(config, "a.crt"));
            assert_int_equal(cdt_tls_config_reload(config, NULL), 0);
            assert_true(shows(config, "b.crt"));
            assert_int_equal(reloads(config), 1);
            assert_int_equal(config->generation, 1);
            assert_ptr_equal(config->tickets, tickets); /* tickets that were given stay good */
            cdt_tls_config_free(config);
        }
}

static void reloading_changes_all_or_nothing(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_config *config = own_files(b);
            struct tls_context *const context = config->set.identities[0].context;
            struct cdt_text_error error = {0};
            keys_copy("b.crt", "own.crt"); /* its key has not come yet */
            assert_int_equal(cdt_tls_config_reload(config, &error), -CDT_ETLSKEY);
            assert_non_null(strstr(error.text, "own.key"));
            assert_int_equal(unlink(keys_path("own.key")), 0);
            assert_int_equal(cdt_tls_config_reload(config, &error), -ENOENT);
            assert_non_null(strstr(error.text, "own.key: no such file or directory"));
            assert_ptr_equal(config->set.identities[0].context, context);
            assert_true(shows(config, "a.crt"));
            assert_int_equal(reloads(config), 0);
            assert_int_equal(config->generation, 0);
            keys_copy("b.key", "own.key");
            assert_int_equal(cdt_tls_config_reload(config, &error), 0);
            assert_true(shows(config, "b.crt"));
            cdt_tls_config_free(config);
        }
}

/* ---- another backend ------------------------------------------------------------------------- */

static void the_same_backend_is_the_same_configuration(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            const struct cdt_tls_options options = server(b);
            struct cdt_tls_config *config = make(&options), *other = NULL;
            assert_int_equal(tls_config_with(config, CDT_TLS_ANY, &other, NULL), 0);
            assert_ptr_equal(other, config);
            tls_config_put(other);
            assert_int_equal(tls_config_with(config, b, &other, NULL), 0);
            assert_ptr_equal(other, config);
            tls_config_put(other);
            struct cdt_text_error error = {0};
            assert_int_equal(tls_config_with(config, CDT_TLS_NONE, &other, &error),
                             -EPROTONOSUPPORT);
            assert_string_equal(error.text, "the TLS backend is \"none\"");
            cdt_tls_config_free(config);
        }
}

static void another_backend_is_made_once(void **state)
{
    struct cdt_tls_config *other = NULL, *again = NULL;
    struct cdt_text_error error = {0};
    (void)state;
    if (!cdt_tls_built_in(CDT_TLS_WOLFSSL) || !cdt_tls_built_in(CDT_TLS_OPENSSL)) {
        print_message("SKIPPED: only one TLS backend is built in\n");
        skip();
    }
    struct cdt_tls_config *config = own_files(CDT_TLS_WOLFSSL);
    assert_int_equal(tls_config_with(config, CDT_TLS_OPENSSL, &other, &error), 0);
    assert_int_equal(cdt_tls_config_backend(other), CDT_TLS_OPENSSL);
    assert_int_equal(tls_config_with(config, CDT_TLS_OPENSSL, &again, &error), 0);
    assert_ptr_equal(again, other);
    tls_config_put(again);

    other->counters.handshakes = 3; /* they count for the one that the user has */
    struct cdt_tls_counters counters;
    assert_int_equal(cdt_tls_counters(config, &counters), 0);
    assert_int_equal(counters.handshakes, 3);

    keys_copy("b.crt", "own.crt"); /* and both are read again, or none */
    assert_int_equal(cdt_tls_config_reload(config, &error), -CDT_ETLSKEY);
    assert_true(shows(other, "a.crt") && shows(config, "a.crt"));
    keys_copy("b.key", "own.key");
    assert_int_equal(cdt_tls_config_reload(config, &error), 0);
    assert_true(shows(other, "b.crt") && shows(config, "b.crt"));

    cdt_tls_config_free(config);
    assert_true(shows(other, "b.crt")); /* who uses it keeps it */
    tls_config_put(other);
}

/* ---- lifetime -------------------------------------------------------------------------------- */

static void a_configuration_may_outlive_its_reactor(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            struct cdt_tls_config *config = own_files(b), *other;
            struct cdt_tls_counters counters;
            cdt_reactor_free(reactor);
            assert_int_equal(cdt_tls_config_reload(config, NULL), -EINVAL);
            assert_int_equal(
                tls_config_with(config, b == CDT_TLS_OPENSSL ? CDT_TLS_WOLFSSL : CDT_TLS_OPENSSL,
                                &other, NULL),
                -EINVAL);
            assert_int_equal(cdt_tls_config_backend(config), b);
            assert_int_equal(cdt_tls_counters(config, &counters), 0);
            assert_int_equal(cdt_tls_config_free(config), 0);
            reactor = test_reactor();
        }
}

static struct cdt_tls_config *inherited;

static int cannot_use_it(void)
{
    struct cdt_tls_config *config;
    const struct cdt_tls_options options = server(CDT_TLS_ANY);
    return cdt_tls_config_reload(inherited, NULL) != -EINVAL ||
           cdt_tls_config_free(inherited) != -EINVAL ||
           cdt_tls_config_new(reactor, &options, &config, NULL) != -EINVAL;
}

static void a_forked_child_cannot_use_it(void **state)
{
    (void)state;
    for
        each_backend(b)
        {
            inherited = own_files(b);
            test_in_child(cannot_use_it);
            cdt_tls_config_free(inherited);
        }
}

#define config_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        config_test(defaults_of_a_client),
        config_test(defaults_of_a_server),
        config_test(no_system_anchors_where_nothing_is_verified),
        config_test(tickets_only_where_nobody_is_verified),
        config_test(alpn_is_kept_in_wire_form),
        config_test(options_that_contradict_each_other),
        config_test(arguments_that_are_none),
        config_test(backends_that_are_not_there),
        config_test(files_that_cannot_be_used),
        config_test(anchors_that_cannot_be_used),
        config_test(the_systems_anchors_may_hold_nonsense),
        config_test(anchors_and_lists_of_all_kinds),
        config_test(encrypted_keys_need_their_password),
        config_test(a_password_may_be_the_end),
        config_test(all_is_copied),
        config_test(a_client_has_one_identity_at_most),
        config_test(names_choose_among_identities),
        config_test(reloading_takes_what_files_say),
        config_test(reloading_changes_all_or_nothing),
        config_test(the_same_backend_is_the_same_configuration),
        config_test(another_backend_is_made_once),
        config_test(a_configuration_may_outlive_its_reactor),
        config_test(a_forked_child_cannot_use_it),
    };
    return keys_run(tests);
}
