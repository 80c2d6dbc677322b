/* What only the OpenSSL backend has: contexts of the caller's own, which stay as they are; and
 * peers that break the rules by OpenSSL's own means, to every backend: renegotiation, protocols
 * never offered. */
#include "test/tls/scene.h"

#ifdef CDT_HAVE_OPENSSL
#include <openssl/err.h>
#include <openssl/ssl.h>

static struct {
    const struct issued *root, *stranger, *leaf, *other_name, *client;
} made;

static struct pair both = {"openssl to openssl", CDT_TLS_OPENSSL, CDT_TLS_OPENSSL};

static void begin(struct scene *scene)
{
    void *state = &both;
    scene_begin(scene, &state, made.root, made.leaf);
}

/* ---- a peer that is OpenSSL alone ------------------------------------------------------------ */

/* In the place of one end: what it writes goes to the other end, and the other way round. */
struct bare {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
};

static int told; /* the last alert that a bare one was sent: level << 8 | number */

static void note_alert(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        told = value;
}

enum { NO_RENEGOTIATION = 1 << 8 | 100 };

static void bare_identify(SSL_CTX *context, const struct issued *issued)
{
    assert_true(SSL_CTX_use_certificate(context, issued->certificate));
    assert_true(SSL_CTX_use_PrivateKey(context, issued->key));
}

static void bare_begin(struct bare *bare, bool server)
{
    bare->context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    assert_non_null(bare->context);
    SSL_CTX_set_max_proto_version(bare->context, TLS1_2_VERSION);
    if (server)
        bare_identify(bare->context, made.leaf);
    bare->ssl = SSL_new(bare->context);
    SSL_set_info_callback(bare->ssl, note_alert);
    told = 0;
    bare->in = BIO_new(BIO_s_mem());
    bare->out = BIO_new(BIO_s_mem());
    SSL_set_bio(bare->ssl, bare->in, bare->out);
    if (server)
        SSL_set_accept_state(bare->ssl);
    else
        SSL_set_connect_state(bare->ssl);
}

static void bare_end(struct bare *bare)
{
    SSL_free(bare->ssl);
    SSL_CTX_free(bare->context);
}

/* Moves bytes both ways until nothing moves. `end` talks to `bare` instead of its other end, whose
 * stream only carries. */
static void bare_run(struct bare *bare, struct end *end)
{
    for (int i = 0; i < 20; i++) {
        uint8_t buffer[20000];
        int n;
        while (end_step(end))
            ;
        struct stream *to = &end->other->in;
        if (stream_left(to))
            BIO_write(bare->in, to->bytes + to->from, (int)stream_left(to));
        to->from = to->length;
        SSL_read(bare->ssl, buffer, sizeof buffer);
        while ((n = BIO_read(bare->out, buffer, sizeof buffer)) > 0)
            stream_put(&end->in, buffer, (size_t)n);
        ERR_clear_error();
    }
}

/* Either the peer is told no and the connection goes on, or it is over. Nothing is negotiated. */
static void assert_refused(const struct end *end)
{
    if (end->failed)
        assert_true(told >> 8 == 2 || end->failed == -CDT_ETLSALERT);
    else
        assert_int_equal(told, NO_RENEGOTIATION);
    assert_int_equal(end->length, 0);
}

static struct pair alone[] = {{"wolfssl", CDT_TLS_WOLFSSL, CDT_TLS_WOLFSSL},
                              {"openssl", CDT_TLS_OPENSSL, CDT_TLS_OPENSSL}};

static void refuses_clients_that_negotiate_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        struct scene scene;
        struct bare bare;
        void *pair = &alone[i];
        if (!tls_backend(alone[i].server))
            continue;
        scene_begin(&scene, &pair, made.root, made.leaf);
        scene_start(&scene);
        scene.talk.server.in.from = scene.talk.server.in.length; /* the other client's hello */
        bare_begin(&bare, false);
        bare_run(&bare, &scene.talk.server);
        assert_true(scene.talk.server.open);
        assert_true(SSL_is_init_finished(bare.ssl));
        assert_true(SSL_renegotiate(bare.ssl));
        SSL_do_handshake(bare.ssl);
        bare_run(&bare, &scene.talk.server);
        assert_refused(&scene.talk.server);
        assert_false(SSL_is_init_finished(bare.ssl));
        bare_end(&bare);
        scene_end(&scene);
    }
}

static void refuses_servers_that_negotiate_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        struct scene scene;
        struct bare bare;
        void *pair = &alone[i];
        if (!tls_backend(alone[i].client))
            continue;
        scene_begin(&scene, &pair, made.root, made.leaf);
        scene_start(&scene);
        bare_begin(&bare, true);
        BIO_write(bare.in, scene.talk.server.in.bytes, (int)stream_left(&scene.talk.server.in));
        scene.talk.server.in.from = scene.talk.server.in.length;
        bare_run(&bare, &scene.talk.client);
        assert_true(scene.talk.client.open);
        assert_true(SSL_renegotiate(bare.ssl));
        SSL_do_handshake(bare.ssl);
        bare_run(&bare, &scene.talk.client);
        assert_refused(&scene.talk.client);
        bare_end(&bare);
        scene_end(&scene);
    }
}

/* The first releases of OpenSSL 3.0 believe whatever protocol a server chooses. */
static int choose_imap(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *in, unsigned in_length, void *arg)
{
    (void)ssl;
    (void)in;
    (void)in_length;
    (void)arg;
    *out = (const unsigned char *)"imap";
    *out_length = 4;
    return SSL_TLSEXT_ERR_OK;
}

static void refuses_protocols_never_offered(void **state)
{
    struct scene scene;
    struct bare bare;
    (void)state;
    begin(&scene);
    scene.client.alpn = "h2,http/1.1";
    scene_start(&scene);
    bare_begin(&bare, true);
    SSL_CTX_set_alpn_select_cb(bare.context, choose_imap, NULL);
    BIO_write(bare.in, scene.talk.server.in.bytes, (int)stream_left(&scene.talk.server.in));
    scene.talk.server.in.from = scene.talk.server.in.length;
    bare_run(&bare, &scene.talk.client);
    assert_int_equal(scene.talk.client.failed, -CDT_ETLS);
    bare_end(&bare);
    scene_end(&scene);
}

/* ---- contexts of the caller's own ------------------------------------------------------------ */

static SSL_CTX *own_client(const struct issued *anchor, int mode)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor->certificate);
    SSL_CTX_set_verify(context, mode, NULL);
    return context;
}

static void use_own_client(struct scene *scene, SSL_CTX *context)
{
    scene->client = (struct cdt_tls_options){
        .role = CDT_TLS_CLIENT, .backend = CDT_TLS_OPENSSL, .native = context};
}

static void assert_client(struct scene *scene, int code, const char *words)
{
    scene_start(scene);
    talk_run(&scene->talk);
    if (scene->talk.client.failed != code || !strstr(end_why(&scene->talk.client), words))
        fail_msg("%d: %s", scene->talk.client.failed, end_why(&scene->talk.client));
    if (code) {
        assert_int_equal(scene->talk.server.failed, -CDT_ETLSALERT);
    } else {
        talk_open(&scene->talk);
        assert_non_null(scene->talk.client.connection.peer);
        talk_pass(&scene->talk, &scene->talk.server, 1000);
        talk_pass(&scene->talk, &scene->talk.client, 1000);
    }
}

static void a_native_client_verifies_as_its_context_says(void **state)
{
    (void)state;
    for_versions(version)
    {
        const struct {
            const struct issued *anchor, *shown;
            int mode, code;
            const char *words;
        } cases[] = {
            {made.root, made.leaf, SSL_VERIFY_PEER, 0, ""},
            {made.stranger, made.leaf, SSL_VERIFY_PEER, -CDT_ETLSCERT, "issuer is not known"},
            {made.stranger, made.leaf, SSL_VERIFY_NONE, 0, ""},
            {made.root, made.other_name, SSL_VERIFY_PEER, -CDT_ETLSNAME, "certificate is for"},
            {made.stranger, made.other_name, SSL_VERIFY_NONE, -CDT_ETLSNAME, "certificate is for"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct scene scene;
            SSL_CTX *context = own_client(cases[i].anchor, cases[i].mode);
            begin(&scene);
            scene.identities[0] = identity_of(cases[i].shown);
            use_own_client(&scene, context);
            SSL_CTX_set_max_proto_version(context, version);
            assert_client(&scene, cases[i].code, cases[i].words);
            assert_int_equal(SSL_CTX_get_verify_mode(context), cases[i].mode);
            assert_null(SSL_CTX_get_verify_callback(context));
            assert_null(SSL_CTX_sess_get_new_cb(context));
            scene_end(&scene);
            SSL_CTX_free(context);
        }
    }
}

static int forgiven;

/* The caller's callback: nothing is wrong with unknown issuers. */
static int forgive(int ok, X509_STORE_CTX *store)
{
    (void)store;
    forgiven += !ok;
    return 1;
}

static int trust_all(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    return 1;
}

static int no_word(void *arg, const struct cdt_tls_peer *peer)
{
    (*(int *)arg)++;
    return peer->status;
}

static void a_native_context_keeps_its_callbacks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        int words = 0;
        SSL_CTX *context = own_client(made.stranger, SSL_VERIFY_PEER);
        if (i)
            SSL_CTX_set_cert_verify_callback(context, trust_all, NULL);
        else
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, forgive);
        begin(&scene);
        use_own_client(&scene, context);
        scene.client.verify_peer = no_word;
        scene.client.verify_arg = &words;
        forgiven = 0;
        assert_client(&scene, 0, "");
        assert_int_equal(words, 1);
        assert_true(i || forgiven > 0);
        assert_ptr_equal(SSL_CTX_get_verify_callback(context), i ? NULL : forgive);
        scene_end(&scene);
        SSL_CTX_free(context);
    }
}

/* Its own verification is bypassed, but not our names: they are looked at after the handshake. */
static void names_are_checked_behind_any_callback(void **state)
{
    struct scene scene;
    SSL_CTX *context = own_client(made.stranger, SSL_VERIFY_PEER);
    (void)state;
    SSL_CTX_set_cert_verify_callback(context, trust_all, NULL);
    begin(&scene);
    scene.identities[0] = identity_of(made.other_name);
    use_own_client(&scene, context);
    scene_start(&scene);
    talk_run(&scene.talk);
    assert_int_equal(scene.talk.client.failed, -CDT_ETLSNAME);
    assert_false(scene.talk.client.open);
    scene_end(&scene);
    SSL_CTX_free(context);
}

static void a_native_client_resumes(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        SSL_CTX *context = own_client(made.root, SSL_VERIFY_PEER);
        begin(&scene);
        use_own_client(&scene, context);
        SSL_CTX_set_max_proto_version(context, version);
        for (int i = 0; i < 3; i++) {
            assert_client(&scene, 0, "");
            assert_int_equal(scene.talk.client.facts.resumed, i > 0);
            talk_end(&scene.talk);
        }
        scene_start(&scene);
        scene_end(&scene);
        SSL_CTX_free(context);
    }
}

static void a_native_server_asks_and_chooses(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        struct cdt_tls_identity identity = identity_of(made.client);
        SSL_CTX *context = SSL_CTX_new(TLS_server_method());
        bare_identify(context, made.leaf);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), made.root->certificate);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
        for (int shown = 0; shown < 2; shown++) {
            begin(&scene);
            scene.server = (struct cdt_tls_options){.role = CDT_TLS_SERVER,
                                                    .backend = CDT_TLS_OPENSSL,
                                                    .native = context,
                                                    .alpn = "h2,http/1.1"};
            set_version(&scene, version);
            scene.client.alpn = "http/1.1,h2";
            scene.client.resumption = CDT_OFF;
            if (shown) {
                scene.client.identities = &identity;
                scene.client.identity_count = 1;
                scene_open(&scene);
                assert_non_null(scene.talk.server.connection.peer);
                assert_int_equal(scene.talk.client.facts.alpn_length, 2);
                assert_memory_equal(scene.talk.client.facts.alpn, "h2", 2);
            } else {
                scene_start(&scene);
                talk_run(&scene.talk);
                assert_int_equal(scene.talk.server.failed, -CDT_ETLSNOCERT);
            }
            scene_end(&scene);
        }
        SSL_CTX_free(context);
    }
}

/* ---- the queue of errors --------------------------------------------------------------------- */

/* What others have left in it does no harm, and nothing is left in it. */
static void errors_of_others_do_no_harm(void **state)
{
    struct scene scene;
    (void)state;
    begin(&scene);
    scene_configure(&scene);
    for (int i = 0; i < 10; i++)
        ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "", 0);
    talk_begin(&scene.talk, scene.configs[0], scene.configs[1], "example.test");
    ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "", 0);
    end_step(&scene.talk.client);
    end_step(&scene.talk.server);
    assert_int_equal(ERR_peek_error(), 0);
    ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "", 0);
    talk_open(&scene.talk);
    ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "", 0);
    talk_pass(&scene.talk, &scene.talk.client, 10);
    assert_int_equal(ERR_peek_error(), 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_clients_that_negotiate_again),
        cmocka_unit_test(refuses_servers_that_negotiate_again),
        cmocka_unit_test(refuses_protocols_never_offered),
        cmocka_unit_test(a_native_client_verifies_as_its_context_says),
        cmocka_unit_test(a_native_context_keeps_its_callbacks),
        cmocka_unit_test(names_are_checked_behind_any_callback),
        cmocka_unit_test(a_native_client_resumes),
        cmocka_unit_test(a_native_server_asks_and_chooses),
        cmocka_unit_test(errors_of_others_do_no_harm),
    };
    made.root = authority_issue(&(struct request){.name = "root", .ca = true});
    made.stranger = authority_issue(&(struct request){.name = "stranger", .ca = true});
    made.leaf = authority_issue(
        &(struct request){.name = "leaf", .san = "DNS:example.test", .issuer = made.root});
    made.other_name = authority_issue(
        &(struct request){.name = "other", .san = "DNS:other.test", .issuer = made.root});
    made.client = authority_issue(&(struct request){.name = "client", .issuer = made.root});
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_free_all();
    return failed;
}

#else
int main(void)
{
    return run_nothing();
}
#endif
