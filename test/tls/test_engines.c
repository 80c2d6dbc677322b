/* Engines of every backend against those of every other: versions, suites, keys, protocols, names,
 * resumption, key updates, both ways to close, big data, and input byte by byte. */
#include "test/tls/scene.h"

#ifdef CDT_TEST_LIBCRYPTO

static struct {
    const struct issued *root, *rsa, *p256, *p384, *ed25519, *other_name;
} made;

/* A server with this identity, and a client that trusts its authority. */
static void begin(struct scene *scene, void **state, const struct issued *identity)
{
    scene_begin(scene, state, made.root, identity);
}

/* ---- what is negotiated ---------------------------------------------------------------------- */

static void negotiates_versions(void **state)
{
    for_versions(version)
    {
        for (int of_server = 0; of_server < 2; of_server++) {
            struct scene scene;
            begin(&scene, state, made.p256);
            if (of_server) {
                set_version(&scene, version);
            } else if (version == CDT_TLS_1_2) {
                scene.server.ciphers = suites12;
            } else {
                scene.server.min_version = CDT_TLS_1_3;
            }
            scene_open(&scene);
            assert_int_equal(scene.talk.client.facts.version, version);
            assert_int_equal(scene.talk.server.facts.version, version);
            assert_int_equal(scene.talk.client.facts.cipher, scene.talk.server.facts.cipher);
            assert_false(scene.talk.client.facts.resumed || scene.talk.server.facts.resumed);
            assert_non_null(scene.talk.client.connection.peer);
            assert_null(scene.talk.server.connection.peer);
            talk_pass(&scene.talk, &scene.talk.client, 1);
            talk_pass(&scene.talk, &scene.talk.server, 1);
            scene_end(&scene);
        }
    }
}

static void refuses_other_versions(void **state)
{
    struct scene scene;
    begin(&scene, state, made.p256);
    scene.client.ciphers = suites12;
    scene.server.min_version = CDT_TLS_1_3;
    scene_start(&scene);
    talk_run(&scene.talk);
    assert_int_equal(scene.talk.server.failed, -CDT_ETLS);
    assert_int_equal(scene.talk.client.failed, -CDT_ETLSALERT);
    assert_string_equal(end_why(&scene.talk.client),
                        "peer ended TLS with an alert: protocol version");
    scene_end(&scene);
}

/* Also where the client has only one version to offer. */
static void says_who_does_not_speak_tls(void **state)
{
    static const char *const greetings[] = {
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "220 mail.example.test ESMTP ready for a long time\r\n",
    };
    for (size_t i = 0; i < 3 * sizeof greetings / sizeof *greetings; i++) {
        struct scene scene;
        begin(&scene, state, made.p256);
        if (i % 3)
            set_version(&scene, i % 3 == 1 ? CDT_TLS_1_2 : CDT_TLS_1_3);
        scene_start(&scene);
        struct end *client = &scene.talk.client;
        while (end_step(client))
            ;
        stream_put(&client->in, (const uint8_t *)greetings[i / 3], strlen(greetings[i / 3]));
        while (end_step(client))
            ;
        assert_int_equal(client->failed, -CDT_ETLS);
        assert_string_equal(end_why(client), "peer does not speak TLS");
        scene_end(&scene);
    }
}

static void speaks_every_suite(void **state)
{
    static const struct {
        const char *name;
        uint16_t number;
        const struct issued **identity;
    } suites[] = {
        {"TLS_AES_128_GCM_SHA256", 0x1301, &made.p256},
        {"TLS_AES_256_GCM_SHA384", 0x1302, &made.rsa},
        {"TLS_CHACHA20_POLY1305_SHA256", 0x1303, &made.p384},
        {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b, &made.p256},
        {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f, &made.rsa},
        {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c, &made.p384},
        {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030, &made.rsa},
        {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, &made.p256},
        {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8, &made.rsa},
    };
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        struct scene scene;
        begin(&scene, state, *suites[i].identity);
        scene.client.ciphers = suites[i].name;
        scene_open(&scene);
        assert_int_equal(scene.talk.client.facts.cipher, suites[i].number);
        assert_int_equal(scene.talk.server.facts.cipher, suites[i].number);
        assert_string_equal(tls_cipher_name(suites[i].number), suites[i].name);
        talk_pass(&scene.talk, &scene.talk.client, 40000);
        talk_pass(&scene.talk, &scene.talk.server, 40000);
        scene_end(&scene);
    }
}

static void servers_order_of_suites_counts(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        scene.client.ciphers = version == CDT_TLS_1_2
                                   ? "ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305"
                                   : "TLS_AES_128_GCM_SHA256,TLS_CHACHA20_POLY1305_SHA256";
        scene.server.ciphers = version == CDT_TLS_1_2
                                   ? "ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-ECDSA-AES128-GCM-SHA256"
                                   : "TLS_CHACHA20_POLY1305_SHA256,TLS_AES_128_GCM_SHA256";
        scene_open(&scene);
        assert_int_equal(scene.talk.client.facts.cipher, version == CDT_TLS_1_2 ? 0xcca9 : 0x1303);
        scene_end(&scene);
    }
}

static void refuses_when_no_suite_is_common(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        scene.client.ciphers =
            version == CDT_TLS_1_2 ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256";
        scene.server.ciphers =
            version == CDT_TLS_1_2 ? "ECDHE-ECDSA-AES256-GCM-SHA384" : "TLS_AES_256_GCM_SHA384";
        scene_start(&scene);
        talk_run(&scene.talk);
        assert_int_equal(scene.talk.server.failed, -CDT_ETLS);
        assert_int_equal(scene.talk.client.failed, -CDT_ETLSALERT);
        scene_end(&scene);
    }
}

static void uses_every_kind_of_key(void **state)
{
    const struct issued *const identities[] = {made.rsa, made.p256, made.p384, made.ed25519};
    for_versions(version)
    {
        for (size_t i = 0; i < 4; i++) {
            struct scene scene;
            begin(&scene, state, identities[i]);
            set_version(&scene, version);
            scene_open(&scene);
            talk_pass(&scene.talk, &scene.talk.server, 100);
            scene_end(&scene);
        }
    }
}

/* ---- ALPN and SNI ---------------------------------------------------------------------------- */

static void assert_alpn(const struct scene *scene, const char *wanted)
{
    const struct tls_facts *facts[] = {&scene->talk.client.facts, &scene->talk.server.facts};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(facts[i]->alpn_length, strlen(wanted));
        assert_memory_equal(facts[i]->alpn ? (const char *)facts[i]->alpn : "", wanted,
                            strlen(wanted));
    }
}

static void servers_order_of_protocols_counts(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene.client.alpn = "http/1.1,h2,imap";
        scene.server.alpn = "smtp,h2,http/1.1";
        scene_open(&scene);
        assert_alpn(&scene, "h2");
        scene_end(&scene);
    }
}

static void speaks_no_protocol_unless_both_name_some(void **state)
{
    for_versions(version)
    {
        for (int of_server = 0; of_server < 2; of_server++) {
            struct scene scene;
            begin(&scene, state, made.p256);
            set_version(&scene, version);
            if (of_server)
                scene.server.alpn = "h2";
            else
                scene.client.alpn = "h2";
            scene_open(&scene);
            assert_alpn(&scene, "");
            scene_end(&scene);
        }
    }
}

static void refuses_other_protocols(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene.client.alpn = "h2,http/1.1";
        scene.server.alpn = "imap,smtp";
        scene_start(&scene);
        talk_run(&scene.talk);
        assert_int_equal(scene.talk.server.failed, -CDT_ETLS);
        assert_int_equal(scene.talk.client.failed, -CDT_ETLSALERT);
        assert_string_equal(end_why(&scene.talk.client),
                            "peer ended TLS with an alert: no application protocol");
        scene_end(&scene);
    }
}

/* The name that is asked for decides which certificate is shown. */
static void names_choose_the_certificate(void **state)
{
    static const struct {
        const char *name;
        const struct issued **shown;
    } cases[] = {{"example.test", &made.p256}, {"a.other.test", &made.other_name}};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        uint8_t digest[32];
        begin(&scene, state, made.p256);
        scene.identities[1] = identity_of(made.other_name);
        scene.server.identity_count = 2;
        scene_configure(&scene);
        talk_begin(&scene.talk, scene.configs[0], scene.configs[1], cases[i].name);
        talk_open(&scene.talk);
        assert_string_equal(scene.talk.server.connection.name, cases[i].name);
        authority_digest_of(*cases[i].shown, digest);
        assert_memory_equal(scene.talk.client.connection.peer->sha256, digest, 32);
        scene_end(&scene);
    }
}

/* ---- resumption ------------------------------------------------------------------------------ */

static int verified; /* calls of count() */

static int count_verify(void *arg, const struct cdt_tls_peer *peer)
{
    (void)arg;
    verified++;
    return peer->status;
}

/* Speaks, so that tickets arrive, closes properly, and begins anew. */
static void talk_again(struct scene *scene)
{
    struct talk *talk = &scene->talk;
    talk_pass(talk, &talk->server, 10);
    end_close(&talk->client);
    end_close(&talk->server);
    talk_run(talk);
    talk_end(talk);
    scene_open(scene);
}

static void resumes(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        uint8_t digest[32];
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene.client.verify_peer = count_verify;
        verified = 0;
        scene_open(&scene);
        authority_digest_of(made.p256, digest);
        for (int i = 0; i < 4; i++) {
            talk_again(&scene);
            assert_true(scene.talk.client.facts.resumed);
            assert_true(scene.talk.server.facts.resumed);
            assert_int_equal(scene.talk.client.facts.version, version);
            assert_non_null(scene.talk.client.connection.peer);
            assert_memory_equal(scene.talk.client.connection.peer->sha256, digest, 32);
            talk_pass(&scene.talk, &scene.talk.client, 50000);
            talk_pass(&scene.talk, &scene.talk.server, 50000);
        }
        assert_int_equal(verified, 1);
        scene_end(&scene);
    }
}

/* Also after connections that ended without a word. */
static void resumes_what_was_cut_off(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.server, 10);
        talk_end(&scene.talk);
        scene_open(&scene);
        assert_true(scene.talk.client.facts.resumed);
        scene_end(&scene);
    }
}

static void resumes_nothing_when_that_is_off(void **state)
{
    for_versions(version)
    {
        for (int of_server = 0; of_server < 2; of_server++) {
            struct scene scene;
            begin(&scene, state, made.p256);
            set_version(&scene, version);
            if (of_server)
                scene.server.resumption = CDT_OFF;
            else
                scene.client.resumption = CDT_OFF;
            scene_open(&scene);
            talk_again(&scene);
            assert_false(scene.talk.client.facts.resumed || scene.talk.server.facts.resumed);
            assert_non_null(scene.talk.client.connection.peer);
            scene_end(&scene);
        }
    }
}

/* The client begins anew, with answers in pieces (0: whole). */
static void talk_in_pieces(struct scene *scene, size_t piece)
{
    talk_end(&scene->talk);
    scene_start(scene);
    scene->talk.client.piece = piece;
    talk_open(&scene->talk);
}

/* The server is another one. */
static void replace_server(struct scene *scene)
{
    cdt_tls_config_free(scene->configs[1]);
    scene->configs[1] = make_config(scene->reactor, scene->pair->server, scene->server);
}

/* Another process with the same key takes the tickets, one with another key does not. */
static void tickets_are_good_where_their_key_is(void **state)
{
    static const uint8_t keys[2][32] = {{1, 2, 3}, {4, 5, 6}};
    for_versions(version)
    {
        for (size_t piece = 0; piece < 4; piece++) {
            struct scene scene;
            begin(&scene, state, made.p256);
            set_version(&scene, version);
            scene.server.ticket_key = keys[0];
            scene_open(&scene);
            for (int same = 1; same >= 0; same--) {
                talk_pass(&scene.talk, &scene.talk.server, 10);
                scene.server.ticket_key = keys[same ? 0 : 1];
                replace_server(&scene);
                talk_in_pieces(&scene, piece);
                assert_int_equal(scene.talk.client.facts.resumed, same);
                assert_int_equal(scene.talk.server.facts.resumed, same);
                talk_pass(&scene.talk, &scene.talk.client, 10);
            }
            assert_non_null(scene.talk.client.connection.peer);
            scene_end(&scene);
        }
    }
}

/* After a refusal, too, there is a session: at the latest from the connection behind. */
static void resumes_again_behind_a_refused_ticket(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.server, 10);
        replace_server(&scene);
        talk_again(&scene);
        assert_false(scene.talk.client.facts.resumed);
        talk_again(&scene);
        talk_again(&scene);
        assert_true(scene.talk.client.facts.resumed);
        scene_end(&scene);
    }
}

/* The server has only the suites `before`, then, as another one, only those `after`; NULL: all. */
static void change_versions(void **state, const char *before, const char *after)
{
    struct scene scene;
    begin(&scene, state, made.p256);
    scene.server.ciphers = before;
    scene_open(&scene);
    assert_int_equal(scene.talk.client.facts.version, before ? CDT_TLS_1_2 : CDT_TLS_1_3);
    talk_pass(&scene.talk, &scene.talk.server, 10);
    scene.server.ciphers = after;
    replace_server(&scene);
    talk_again(&scene);
    assert_false(scene.talk.client.facts.resumed);
    talk_again(&scene);
    talk_again(&scene);
    assert_int_equal(scene.talk.client.facts.version, after ? CDT_TLS_1_2 : CDT_TLS_1_3);
    scene_end(&scene);
}

static void finds_out_that_a_server_has_learnt_tls_1_3(void **state)
{
    change_versions(state, suites12, NULL);
}

static void finds_out_that_a_server_has_lost_tls_1_3(void **state)
{
    if (cannot(((struct pair *)*state)->client, "with a session of TLS 1.3 to servers without it"))
        skip();
    change_versions(state, NULL, suites12);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void updates_keys(void **state)
{
    struct scene scene;
    begin(&scene, state, made.p256);
    scene_open(&scene);
    for (int i = 0; i < 5; i++) {
        struct end *end = i % 2 ? &scene.talk.client : &scene.talk.server;
        assert_int_equal(end_update_key(end), 0);
        talk_pass(&scene.talk, &scene.talk.client, 20000);
        talk_pass(&scene.talk, &scene.talk.server, 20000);
    }
    /* both at once, and data on the way */
    assert_int_equal(end_update_key(&scene.talk.client), 0);
    end_write(&scene.talk.client, "client", 6);
    assert_int_equal(end_update_key(&scene.talk.server), 0);
    end_write(&scene.talk.server, "server", 6);
    talk_run(&scene.talk);
    assert_memory_equal(scene.talk.server.data, "client", 6);
    assert_memory_equal(scene.talk.client.data, "server", 6);
    talk_pass(&scene.talk, &scene.talk.client, 1);
    talk_pass(&scene.talk, &scene.talk.server, 1);
    scene_end(&scene);
}

static void updates_no_keys_in_tls_1_2(void **state)
{
    struct scene scene;
    begin(&scene, state, made.p256);
    set_version(&scene, CDT_TLS_1_2);
    scene_open(&scene);
    assert_int_equal(end_update_key(&scene.talk.client), -ENOTSUP);
    assert_int_equal(end_update_key(&scene.talk.server), -ENOTSUP);
    talk_pass(&scene.talk, &scene.talk.client, 10);
    talk_pass(&scene.talk, &scene.talk.server, 10);
    scene_end(&scene);
}

/* ---- closing --------------------------------------------------------------------------------- */

/* One side closes and reads on; the other has seen the end, and writes on. */
static void closes_by_halves(void **state)
{
    for_versions(version)
    {
        for (int server_first = 0; server_first < 2; server_first++) {
            struct scene scene;
            begin(&scene, state, made.p256);
            set_version(&scene, version);
            scene_open(&scene);
            struct end *first = server_first ? &scene.talk.server : &scene.talk.client;
            struct end *second = first->other;
            end_write(first, "last", 4);
            end_close(first);
            talk_run(&scene.talk);
            assert_int_equal(second->length, 4);
            assert_true(second->eof && !second->failed);
            assert_false(first->eof);
            talk_pass(&scene.talk, second, 100000);
            assert_false(first->eof || first->failed);
            end_close(second);
            talk_run(&scene.talk);
            assert_true(first->eof && !first->failed);
            scene_end(&scene);
        }
    }
}

/* What was sent before the other's close_notify came is still read after our own. */
static void closes_at_the_same_time(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene_open(&scene);
        end_write(&scene.talk.client, "client", 6);
        end_write(&scene.talk.server, "server", 6);
        end_close(&scene.talk.client);
        end_close(&scene.talk.server);
        talk_run(&scene.talk);
        assert_true(scene.talk.client.eof && !scene.talk.client.failed);
        assert_true(scene.talk.server.eof && !scene.talk.server.failed);
        assert_memory_equal(scene.talk.server.data, "client", 6);
        assert_memory_equal(scene.talk.client.data, "server", 6);
        scene_end(&scene);
    }
}

/* A request for new keys that comes after our close_notify is not answered, and does no harm. */
static void closing_comes_before_new_keys(void **state)
{
    struct scene scene;
    begin(&scene, state, made.p256);
    scene_open(&scene);
    talk_pass(&scene.talk, &scene.talk.server, 10);
    end_close(&scene.talk.client);
    const uint64_t sent = scene.talk.server.in.passed;
    assert_int_equal(end_update_key(&scene.talk.server), 0);
    talk_pass(&scene.talk, &scene.talk.server, 1000);
    assert_int_equal(scene.talk.server.in.passed, sent);
    assert_true(scene.talk.server.eof);
    assert_true(!scene.talk.client.failed && !scene.talk.client.eof);
    end_close(&scene.talk.server);
    talk_run(&scene.talk);
    assert_true(scene.talk.client.eof);
    scene_end(&scene);
}

/* ---- amounts and pieces ---------------------------------------------------------------------- */

static void carries_big_data(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.client, 4 << 20);
        talk_pass(&scene.talk, &scene.talk.server, 4 << 20);
        for (size_t i = TLS_RECORD - 1; i <= TLS_RECORD + 1; i++)
            talk_pass(&scene.talk, &scene.talk.client, i);
        scene_end(&scene);
    }
}

/* Bytes come one by one, and leave a buffer that is hardly larger. */
static void takes_byte_by_byte(void **state)
{
    for_versions(version)
    {
        for (size_t piece = 1; piece < 12; piece += 5) {
            struct scene scene;
            begin(&scene, state, made.p256);
            set_version(&scene, version);
            scene.client.alpn = scene.server.alpn = "h2";
            scene_start(&scene);
            scene.talk.client.piece = scene.talk.server.piece = piece;
            scene.talk.client.out_size = scene.talk.server.out_size = 2 * piece - 1;
            talk_open(&scene.talk);
            talk_pass(&scene.talk, &scene.talk.client, 20000);
            talk_pass(&scene.talk, &scene.talk.server, 20000);
            if (version == CDT_TLS_1_3)
                assert_int_equal(end_update_key(&scene.talk.server), 0);
            talk_pass(&scene.talk, &scene.talk.client, 3);
            end_close(&scene.talk.client);
            end_close(&scene.talk.server);
            talk_run(&scene.talk);
            assert_true(scene.talk.client.eof && scene.talk.server.eof);
            scene_end(&scene);
        }
    }
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* A connection that fails leaves nothing to one that runs beside it. */
static void failures_stay_where_they_are(void **state)
{
    static const uint8_t rubbish[] = "\x17\x03\x03\x00\x20 0123456789abcdef0123456789abcdef";
    for_versions(version)
    {
        struct scene good, bad;
        begin(&good, state, made.p256);
        begin(&bad, state, made.p256);
        set_version(&good, version);
        set_version(&bad, version);
        scene_open(&good);
        scene_open(&bad);
        stream_put(&bad.talk.server.in, rubbish, sizeof rubbish - 1);
        assert_true(end_step(&bad.talk.server));
        assert_int_equal(bad.talk.server.failed, -CDT_ETLS);
        talk_pass(&good.talk, &good.talk.client, 10);
        talk_run(&bad.talk);
        assert_int_equal(bad.talk.client.failed, -CDT_ETLSALERT);
        talk_pass(&good.talk, &good.talk.server, 10);
        scene_end(&bad);
        talk_pass(&good.talk, &good.talk.client, 10);
        scene_end(&good);
    }
}

static int refuse_bytes(struct tls_io *io)
{
    (void)io;
    return -ENOBUFS;
}

/* Where bytes cannot be sent, calls fail with the reason. */
static void tells_why_bytes_cannot_be_sent(void **state)
{
    for_versions(version)
    {
        struct scene scene;
        uint8_t data[100] = {0};
        begin(&scene, state, made.p256);
        set_version(&scene, version);
        scene_start(&scene);
        scene.talk.client.out_size = 10;
        struct tls_connection *client = &scene.talk.client.connection;
        struct tls_connection *server = &scene.talk.server.connection;
        talk_open(&scene.talk);
        struct tls_io *io = end_begin(&scene.talk.client, false);
        io->flush = refuse_bytes;
        assert_int_equal(client->backend->write(client->engine, io, data, sizeof data), -ENOBUFS);
        assert_int_equal(client->failed, -ENOBUFS);
        talk_end(&scene.talk);

        scene_start(&scene); /* in the middle of the handshake */
        while (end_step(&scene.talk.client))
            ;
        assert_true(end_accept(&scene.talk.server));
        scene.talk.server.out_size = 10;
        io = end_begin(&scene.talk.server, true);
        io->flush = refuse_bytes;
        assert_int_equal(server->backend->handshake(server->engine, io), -ENOBUFS);
        assert_int_equal(server->failed, -ENOBUFS);
        scene_end(&scene);
    }
}

static const struct pair_test tests[] = {
    {"negotiates_versions", negotiates_versions},
    {"refuses_other_versions", refuses_other_versions},
    {"speaks_every_suite", speaks_every_suite},
    {"servers_order_of_suites_counts", servers_order_of_suites_counts},
    {"refuses_when_no_suite_is_common", refuses_when_no_suite_is_common},
    {"uses_every_kind_of_key", uses_every_kind_of_key},
    {"servers_order_of_protocols_counts", servers_order_of_protocols_counts},
    {"speaks_no_protocol_unless_both_name_some", speaks_no_protocol_unless_both_name_some},
    {"refuses_other_protocols", refuses_other_protocols},
    {"names_choose_the_certificate", names_choose_the_certificate},
    {"resumes", resumes},
    {"resumes_what_was_cut_off", resumes_what_was_cut_off},
    {"resumes_nothing_when_that_is_off", resumes_nothing_when_that_is_off},
    {"tickets_are_good_where_their_key_is", tickets_are_good_where_their_key_is},
    {"resumes_again_behind_a_refused_ticket", resumes_again_behind_a_refused_ticket},
    {"finds_out_that_a_server_has_learnt_tls_1_3", finds_out_that_a_server_has_learnt_tls_1_3},
    {"finds_out_that_a_server_has_lost_tls_1_3", finds_out_that_a_server_has_lost_tls_1_3},
    {"says_who_does_not_speak_tls", says_who_does_not_speak_tls},
    {"updates_keys", updates_keys},
    {"updates_no_keys_in_tls_1_2", updates_no_keys_in_tls_1_2},
    {"closes_by_halves", closes_by_halves},
    {"closes_at_the_same_time", closes_at_the_same_time},
    {"closing_comes_before_new_keys", closing_comes_before_new_keys},
    {"carries_big_data", carries_big_data},
    {"takes_byte_by_byte", takes_byte_by_byte},
    {"failures_stay_where_they_are", failures_stay_where_they_are},
    {"tells_why_bytes_cannot_be_sent", tells_why_bytes_cannot_be_sent},
};

int main(void)
{
    static const char names[] = "DNS:example.test";
    made.root = authority_issue(&(struct request){.name = "root", .ca = true});
    made.rsa = authority_issue(
        &(struct request){.name = "rsa", .kind = "RSA-2048", .san = names, .issuer = made.root});
    made.p256 =
        authority_issue(&(struct request){.name = "p256", .san = names, .issuer = made.root});
    made.p384 = authority_issue(
        &(struct request){.name = "p384", .kind = "P-384", .san = names, .issuer = made.root});
    made.ed25519 = authority_issue(
        &(struct request){.name = "ed25519", .kind = "ED25519", .san = names, .issuer = made.root});
    made.other_name = authority_issue(
        &(struct request){.name = "other", .san = "DNS:*.other.test", .issuer = made.root});
    const int failed = run_for_pairs("engines", tests, sizeof tests / sizeof *tests);
    authority_free_all();
    return failed;
}

#else
int main(void)
{
    return run_nothing();
}
#endif
