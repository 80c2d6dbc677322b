/* Engines of every backend against those of every other: whom they trust. Chains, dates, names,
 * pins, revocation, the application's last word, and certificates of clients. */
#include "test/tls/scene.h"

#ifdef CDT_TEST_LIBCRYPTO

#define EXAMPLE "DNS:example.test"

enum { KINDS = 4 };
static const char *const kinds[KINDS] = {"P-256", "P-384", "RSA-2048", "ED25519"};

static struct {
    const struct issued *mine[KINDS], *others[KINDS];
    const struct issued *root, *stranger, *middle, *leaf, *below, *expired, *future, *self, *weak,
        *weak_ec, *other_name, *for_clients, *client, *strange_client, *old_client;
    const char *crl, *empty_crl, *old_crl, *middle_crl;
} made;

static const struct issued *issue(const char *name, const struct issued *issuer, const char *kind,
                                  const char *san, int from, int to)
{
    return authority_issue(&(struct request){
        .name = name, .issuer = issuer, .kind = kind, .san = san, .from = from, .to = to});
}

static void begin(struct scene *scene, void **state, const struct issued *identity)
{
    scene_begin(scene, state, made.root, identity);
}

/* The server is refused with this code, a sentence with these words, and this alert (NULL: any). */
static void refused(struct scene *scene, int code, const char *words, const char *alert)
{
    const struct end *client = &scene->talk.client, *server = &scene->talk.server;
    scene_start(scene);
    talk_run(&scene->talk);
    if (client->failed != code || !strstr(end_why(client), words))
        fail_msg("%d: %s", client->failed, end_why(client));
    if (server->failed != -CDT_ETLSALERT || (alert && !strstr(end_why(server), alert)))
        fail_msg("server %d: %s", server->failed, end_why(server));
    assert_false(client->open);
    scene_end(scene);
}

static void accepted(struct scene *scene)
{
    scene_open(scene);
    talk_pass(&scene->talk, &scene->talk.client, 10);
    scene_end(scene);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static void trusts_chains_that_reach_an_anchor(void **state)
{
    const struct issued *const identities[] = {made.leaf, made.below};
    for_versions(version)
    {
        for (size_t i = 0; i < 2; i++) {
            struct scene scene;
            begin(&scene, state, identities[i]);
            set_version(&scene, version);
            accepted(&scene);
        }
    }
}

static void refuses_bad_chains(void **state)
{
    static const struct {
        const struct issued **identity;
        const char *words, *alert;
    } cases[] = {
        {&made.expired, "certificate expired ", "certificate expired"},
        {&made.future, "certificate is not valid before ", NULL},
        {&made.self, "certificate is self-signed: CN=self", NULL},
        {&made.weak, "weak", NULL},
        {&made.weak_ec, "weak", NULL},
        {&made.for_clients, "certificate", NULL},
    };
    for_versions(version)
    {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct scene scene;
            begin(&scene, state, *cases[i].identity);
            set_version(&scene, version);
            if (cases[i].identity == &made.self || cases[i].identity == &made.expired ||
                cases[i].identity == &made.future || cases[i].identity == &made.for_clients) {
                refused(&scene, -CDT_ETLSCERT, cases[i].words, cases[i].alert);
                continue;
            }
            /* no server would show it */
            struct cdt_tls_config *config;
            struct cdt_text_error error = {0};
            scene.server.size = sizeof scene.server;
            scene.server.backend = scene.pair->server;
            assert_int_equal(cdt_tls_config_new(scene.reactor, &scene.server, &config, &error),
                             -CDT_ETLSKEY);
            assert_true(*error.text);
            cdt_reactor_free(scene.reactor);
        }
    }
}

static void refuses_unknown_issuers(void **state)
{
    const struct issued *const identities[] = {made.leaf, made.below};
    for_versions(version)
    {
        for (size_t i = 0; i < 2; i++) {
            struct scene scene;
            begin(&scene, state, identities[i]);
            set_version(&scene, version);
            scene.client.ca = made.stranger->cert_pem;
            refused(&scene, -CDT_ETLSCERT, "issuer is not known", "unknown ca");
        }
    }
}

/* Without the certificate between it and the anchor. */
static void refuses_chains_with_a_gap(void **state)
{
    struct scene scene;
    begin(&scene, state, made.below);
    scene.identities[0].cert = made.below->cert_pem;
    refused(&scene, -CDT_ETLSCERT, "issuer is not known", NULL);
}

/* Who puts an intermediate, or the very certificate, among the anchors means it. */
static void trusts_what_is_among_the_anchors(void **state)
{
    static const struct {
        const struct issued **identity, **anchor;
    } cases[] = {{&made.below, &made.middle}, {&made.self, &made.self}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        begin(&scene, state, *cases[i].identity);
        scene.client.ca = (*cases[i].anchor)->cert_pem;
        accepted(&scene);
    }
}

static void takes_anything_when_told_to(void **state)
{
    const struct issued *const identities[] = {made.self, made.expired, made.other_name};
    for (size_t i = 0; i < 3; i++) {
        struct scene scene;
        uint8_t digest[32];
        begin(&scene, state, identities[i]);
        scene.client.ca = NULL;
        scene.client.verify = CDT_TLS_VERIFY_NONE;
        scene_open(&scene);
        authority_digest_of(identities[i], digest);
        assert_non_null(scene.talk.client.connection.peer);
        assert_memory_equal(scene.talk.client.connection.peer->sha256, digest, 32);
        scene_end(&scene);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static void refuses_wrong_names(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.other_name);
        set_version(&scene, version);
        refused(&scene, -CDT_ETLSNAME, "certificate is for other.test, not for example.test",
                "bad certificate");
    }
}

static void takes_wrong_names_where_they_are_not_checked(void **state)
{
    struct scene scene;
    begin(&scene, state, made.other_name);
    scene.client.check_host = CDT_OFF;
    accepted(&scene);
    begin(&scene, state, made.other_name); /* the chain still is */
    scene.client.check_host = CDT_OFF;
    scene.client.ca = made.stranger->cert_pem;
    refused(&scene, -CDT_ETLSCERT, "issuer is not known", "unknown ca");
}

/* ---- pins ------------------------------------------------------------------------------------ */

static void pins_are_demanded_besides(void **state)
{
    uint8_t pins[2][32] = {{0}};
    struct scene scene;
    begin(&scene, state, made.leaf);
    authority_digest_of(made.leaf, pins[1]);
    scene.client.pins = (const uint8_t(*)[32])pins;
    scene.client.pin_count = 2;
    accepted(&scene);
    begin(&scene, state, made.leaf);
    scene.client.pins = (const uint8_t(*)[32])pins;
    scene.client.pin_count = 1;
    refused(&scene, -CDT_ETLSCERT, "not pinned", "bad certificate");
}

static void pins_alone_decide_without_anchors(void **state)
{
    const struct issued *const identities[] = {made.expired, made.self, made.other_name, made.leaf};
    for (size_t i = 0; i < 4; i++) {
        struct scene scene;
        uint8_t pin[1][32];
        begin(&scene, state, identities[i]);
        authority_digest_of(i == 3 ? made.self : identities[i], pin[0]);
        scene.client.ca = NULL;
        scene.client.pins = (const uint8_t(*)[32])pin;
        scene.client.pin_count = 1;
        if (i == 3)
            refused(&scene, -CDT_ETLSCERT, "not pinned", NULL);
        else
            accepted(&scene);
    }
}

/* ---- the application's word ------------------------------------------------------------------ */

struct word {
    int answer, calls, status;
    uint8_t sha256[32];
};

static int say(void *arg, const struct cdt_tls_peer *peer)
{
    struct word *word = arg;
    word->calls++;
    word->status = peer->status;
    memcpy(word->sha256, peer->sha256, 32);
    return word->answer;
}

static void the_application_has_the_last_word(void **state)
{
    static const struct {
        const struct issued **identity;
        int thought;
    } cases[] = {{&made.leaf, 0},
                 {&made.expired, -CDT_ETLSCERT},
                 {&made.self, -CDT_ETLSCERT},
                 {&made.other_name, -CDT_ETLSNAME}};
    for_versions(version)
    {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct scene scene;
            struct word word = {0};
            uint8_t digest[32];
            begin(&scene, state, *cases[i].identity);
            set_version(&scene, version);
            scene.client.verify_peer = say;
            scene.client.verify_arg = &word;
            accepted(&scene);
            assert_int_equal(word.calls, 1);
            assert_int_equal(word.status, cases[i].thought);
            authority_digest_of(*cases[i].identity, digest);
            assert_memory_equal(word.sha256, digest, 32);

            begin(&scene, state, *cases[i].identity);
            set_version(&scene, version);
            word = (struct word){.answer = -CDT_ETLSCERT};
            scene.client.verify_peer = say;
            scene.client.verify_arg = &word;
            refused(&scene, -CDT_ETLSCERT, "", NULL);
            assert_int_equal(word.calls, 1);
        }
    }
}

/* To an engine it would mean that more has to arrive. */
static void applications_that_want_to_wait_refuse(void **state)
{
    struct word word = {.answer = -EAGAIN};
    struct scene scene;
    begin(&scene, state, made.leaf);
    scene.client.verify_peer = say;
    scene.client.verify_arg = &word;
    refused(&scene, -CDT_ETLSCERT, "refused by the application", NULL);
}

/* ---- revocation ------------------------------------------------------------------------------ */

static void looks_at_revocation_lists(void **state)
{
    static const struct {
        const struct issued **identity;
        const char **crl, **more;
        const char *words; /* NULL: it is good */
    } cases[] = {
        {&made.leaf, &made.empty_crl, NULL, NULL},
        {&made.leaf, &made.crl, NULL, "certificate was revoked"},
        {&made.leaf, &made.old_crl, NULL, "outdated revocation list"},
        {&made.leaf, &made.middle_crl, NULL, "no revocation list"},
        {&made.below, &made.middle_crl, NULL, NULL},
        {&made.below, &made.middle_crl, &made.empty_crl, NULL},
        {&made.below, &made.empty_crl, NULL, "no revocation list"},
    };
    for_versions(version)
    {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct scene scene;
            char *text = NULL;
            begin(&scene, state, *cases[i].identity);
            set_version(&scene, version);
            assert_true(
                asprintf(&text, "%s%s", *cases[i].crl, cases[i].more ? *cases[i].more : "") > 0);
            scene.client.crl = text;
            if (cases[i].words)
                refused(&scene, -CDT_ETLSCERT, cases[i].words, NULL);
            else
                accepted(&scene);
            free(text);
        }
    }
}

/* ---- clients --------------------------------------------------------------------------------- */

static void begin_mutual(struct scene *scene, void **state, enum cdt_tls_verify verify,
                         const struct issued *client)
{
    static struct cdt_tls_identity identity;
    begin(scene, state, made.leaf);
    scene->server.verify = verify;
    scene->server.ca = made.root->cert_pem;
    if (!client)
        return;
    identity = identity_of(client);
    scene->client.identities = &identity;
    scene->client.identity_count = 1;
}

static void asks_clients(void **state)
{
    for_versions(version)
    {
        for (int verify = CDT_TLS_VERIFY_ASK; verify <= CDT_TLS_VERIFY_REQUIRE; verify++) {
            struct scene scene;
            uint8_t digest[32];
            begin_mutual(&scene, state, (enum cdt_tls_verify)verify, made.client);
            set_version(&scene, version);
            scene_open(&scene);
            authority_digest_of(made.client, digest);
            assert_non_null(scene.talk.server.connection.peer);
            assert_memory_equal(scene.talk.server.connection.peer->sha256, digest, 32);
            talk_pass(&scene.talk, &scene.talk.server, 10);
            talk_pass(&scene.talk, &scene.talk.client, 10);
            talk_end(&scene.talk);
            scene_open(&scene); /* each shows it anew */
            assert_false(scene.talk.client.facts.resumed || scene.talk.server.facts.resumed);
            assert_non_null(scene.talk.server.connection.peer);
            scene_end(&scene);
        }
    }
}

static void clients_may_have_none_when_only_asked(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin_mutual(&scene, state, CDT_TLS_VERIFY_ASK, NULL);
        set_version(&scene, version);
        scene_open(&scene);
        assert_null(scene.talk.server.connection.peer);
        talk_pass(&scene.talk, &scene.talk.server, 10);
        scene_end(&scene);
    }
}

/* What the server thinks, and what reaches the client: in TLS 1.3 after its handshake. */
static void client_refused(struct scene *scene, int code, const char *words)
{
    scene_start(scene);
    talk_run(&scene->talk);
    if (scene->talk.server.failed != code || !strstr(end_why(&scene->talk.server), words))
        fail_msg("%d: %s", scene->talk.server.failed, end_why(&scene->talk.server));
    assert_false(scene->talk.server.open);
    assert_int_equal(scene->talk.client.failed, -CDT_ETLSALERT);
    scene_end(scene);
}

static void clients_without_one_are_refused_when_it_is_demanded(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin_mutual(&scene, state, CDT_TLS_VERIFY_REQUIRE, NULL);
        set_version(&scene, version);
        client_refused(&scene, -CDT_ETLSNOCERT, "");
    }
}

static void bad_clients_are_refused(void **state)
{
    for_versions(version)
    {
        for (int verify = CDT_TLS_VERIFY_ASK; verify <= CDT_TLS_VERIFY_REQUIRE; verify++) {
            struct scene scene;
            begin_mutual(&scene, state, (enum cdt_tls_verify)verify, made.strange_client);
            set_version(&scene, version);
            client_refused(&scene, -CDT_ETLSCERT, "issuer is not known");
            begin_mutual(&scene, state, (enum cdt_tls_verify)verify, made.old_client);
            set_version(&scene, version);
            client_refused(&scene, -CDT_ETLSCERT, "certificate expired ");
        }
    }
}

static void applications_judge_clients(void **state)
{
    for_versions(version)
    {
        struct word word = {0};
        struct scene scene;
        begin_mutual(&scene, state, CDT_TLS_VERIFY_REQUIRE, made.strange_client);
        set_version(&scene, version);
        scene.server.verify_peer = say;
        scene.server.verify_arg = &word;
        scene_open(&scene);
        assert_int_equal(word.calls, 1);
        assert_int_equal(word.status, -CDT_ETLSCERT);
        talk_pass(&scene.talk, &scene.talk.server, 10);
        scene_end(&scene);

        begin_mutual(&scene, state, CDT_TLS_VERIFY_REQUIRE, made.client);
        set_version(&scene, version);
        word = (struct word){.answer = -EACCES};
        scene.server.verify_peer = say;
        scene.server.verify_arg = &word;
        client_refused(&scene, -EACCES, "refused by the application");
        assert_int_equal(word.status, 0);
    }
}

/* ---- our own --------------------------------------------------------------------------------- */

static int asked; /* calls of give_password() */

static int give_password(void *arg, const char *key_file, char *password, size_t size)
{
    const char *text = arg;
    asked++;
    assert_null(key_file);
    if (!text)
        return -ENOENT;
    assert_true(strlen(text) <= size);
    memcpy(password, text, strlen(text));
    return (int)strlen(text);
}

static void opens_locked_keys(void **state)
{
    struct scene scene;
    begin(&scene, state, made.leaf);
    scene.identities[0].key = authority_locked_key(made.leaf, "open");
    scene.server.password = give_password;
    scene.server.password_arg = (void *)(uintptr_t) "open";
    asked = 0;
    accepted(&scene);
    assert_int_equal(asked, 1);
}

/* A key of the certificate's kind and size that is not its own, plain and behind a password. */
static void refuses_the_key_of_another(void **state)
{
    for (size_t i = 0; i < 2 * KINDS; i++) {
        const struct issued *mine = made.mine[i / 2], *other = made.others[i / 2];
        struct scene scene;
        struct cdt_tls_config *config;
        struct cdt_text_error error = {0};
        begin(&scene, state, mine);
        scene.server.size = sizeof scene.server;
        scene.server.backend = scene.pair->server;
        scene.server.password = give_password;
        scene.server.password_arg = (void *)(uintptr_t) "open";
        if (i % 2)
            scene.identities[0].key = authority_locked_key(mine, "open");
        assert_int_equal(cdt_tls_config_new(scene.reactor, &scene.server, &config, &error), 0);
        cdt_tls_config_free(config);
        scene.identities[0].key = i % 2 ? authority_locked_key(other, "open") : other->key_pem;
        if (cdt_tls_config_new(scene.reactor, &scene.server, &config, &error) != -CDT_ETLSKEY)
            fail_msg("%s: another's key is not refused", kinds[i / 2]);
        assert_non_null(strstr(error.text, "the key is not that of the certificate"));
        cdt_reactor_free(scene.reactor);
    }
}

/* One error, with words, for each thing that cannot be. */
static void says_what_is_wrong_with_our_own(void **state)
{
    static char garbage[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const char *locked = authority_locked_key(made.leaf, "open");
    const struct {
        const char *cert, *key, *ca, *crl;
        cdt_tls_password_fn *password;
        const char *word, *means;
    } cases[] = {
        {made.leaf->cert_pem, made.client->key_pem, NULL, NULL, NULL, NULL, "another's key"},
        {made.leaf->cert_pem, locked, NULL, NULL, NULL, NULL, "no password"},
        {made.leaf->cert_pem, locked, NULL, NULL, give_password, "shut", "a wrong password"},
        {made.leaf->cert_pem, locked, NULL, NULL, give_password, NULL, "the callback fails"},
        {garbage, made.leaf->key_pem, NULL, NULL, NULL, NULL, "a broken certificate"},
        {made.leaf->cert_pem, made.leaf->cert_pem, NULL, NULL, NULL, NULL, "no key"},
        {made.leaf->cert_pem, made.leaf->key_pem, garbage, NULL, NULL, NULL, "a broken anchor"},
        {made.leaf->cert_pem, made.leaf->key_pem, made.root->cert_pem, garbage, NULL, NULL,
         "no list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        struct cdt_tls_config *config;
        struct cdt_text_error error = {0};
        begin(&scene, state, made.leaf);
        scene.identities[0] = (struct cdt_tls_identity){.cert = cases[i].cert, .key = cases[i].key};
        scene.server.size = sizeof scene.server;
        scene.server.backend = scene.pair->server;
        scene.server.verify = cases[i].ca ? CDT_TLS_VERIFY_ASK : CDT_TLS_VERIFY_DEFAULT;
        scene.server.ca = cases[i].ca;
        scene.server.crl = cases[i].crl;
        scene.server.password = cases[i].password;
        scene.server.password_arg = (void *)(uintptr_t)cases[i].word;
        if (cdt_tls_config_new(scene.reactor, &scene.server, &config, &error) != -CDT_ETLSKEY)
            fail_msg("%s is not refused", cases[i].means);
        print_message("%s: %s\n", cases[i].means, error.text);
        assert_true(strlen(error.text) > 10);
        cdt_reactor_free(scene.reactor);
    }
}

static const struct pair_test tests[] = {
    {"trusts_chains_that_reach_an_anchor", trusts_chains_that_reach_an_anchor},
    {"refuses_bad_chains", refuses_bad_chains},
    {"refuses_unknown_issuers", refuses_unknown_issuers},
    {"refuses_chains_with_a_gap", refuses_chains_with_a_gap},
    {"trusts_what_is_among_the_anchors", trusts_what_is_among_the_anchors},
    {"takes_anything_when_told_to", takes_anything_when_told_to},
    {"refuses_wrong_names", refuses_wrong_names},
    {"takes_wrong_names_where_they_are_not_checked", takes_wrong_names_where_they_are_not_checked},
    {"pins_are_demanded_besides", pins_are_demanded_besides},
    {"pins_alone_decide_without_anchors", pins_alone_decide_without_anchors},
    {"the_application_has_the_last_word", the_application_has_the_last_word},
    {"applications_that_want_to_wait_refuse", applications_that_want_to_wait_refuse},
    {"looks_at_revocation_lists", looks_at_revocation_lists},
    {"asks_clients", asks_clients},
    {"clients_may_have_none_when_only_asked", clients_may_have_none_when_only_asked},
    {"clients_without_one_are_refused_when_it_is_demanded",
     clients_without_one_are_refused_when_it_is_demanded},
    {"bad_clients_are_refused", bad_clients_are_refused},
    {"applications_judge_clients", applications_judge_clients},
    {"opens_locked_keys", opens_locked_keys},
    {"refuses_the_key_of_another", refuses_the_key_of_another},
    {"says_what_is_wrong_with_our_own", says_what_is_wrong_with_our_own},
};

int main(void)
{
    made.root = authority_issue(&(struct request){.name = "root", .ca = true});
    made.stranger = authority_issue(&(struct request){.name = "stranger", .ca = true});
    made.middle =
        authority_issue(&(struct request){.name = "middle", .ca = true, .issuer = made.root});
    made.leaf = issue("leaf", made.root, NULL, EXAMPLE, 0, 0);
    made.below = issue("below", made.middle, NULL, EXAMPLE, 0, 0);
    made.expired = issue("expired", made.root, NULL, EXAMPLE, -9, -2);
    made.future = issue("future", made.root, NULL, EXAMPLE, 2, 9);
    made.self = issue("self", NULL, NULL, EXAMPLE, 0, 0);
    made.weak = issue("weak", made.root, "RSA-1024", EXAMPLE, 0, 0);
    made.weak_ec = issue("weak-ec", made.root, "P-224", EXAMPLE, 0, 0);
    made.other_name = issue("other", made.root, NULL, "DNS:other.test", 0, 0);
    made.for_clients = authority_issue(&(struct request){
        .name = "for-clients", .san = EXAMPLE, .usage = "clientAuth", .issuer = made.root});
    made.client = authority_issue(
        &(struct request){.name = "client", .usage = "clientAuth", .issuer = made.root});
    made.strange_client = issue("client", made.stranger, NULL, NULL, 0, 0);
    made.old_client = issue("client", made.root, NULL, NULL, -9, -2);
    for (size_t i = 0; i < KINDS; i++) {
        made.mine[i] = issue("mine", made.root, kinds[i], EXAMPLE, 0, 0);
        made.others[i] = issue("others", made.root, kinds[i], EXAMPLE, 0, 0);
    }
    made.crl = authority_crl(made.root, made.leaf, 7);
    made.empty_crl = authority_crl(made.root, NULL, 7);
    made.old_crl = authority_crl(made.root, NULL, -1);
    made.middle_crl = authority_crl(made.middle, NULL, 7);
    const int failed = run_for_pairs("trust", tests, sizeof tests / sizeof *tests);
    authority_free_all();
    return failed;
}

#else
int main(void)
{
    return run_nothing();
}
#endif
