/* What is special to wolfSSL: closing, where version 5.5 has its traps; output into small buffers;
 * the memory of a connection at rest; and that nothing which a peer shows is trusted afterwards. */
#include "test/tls/scene.h"

#if defined CDT_HAVE_WOLFSSL && defined CDT_TEST_LIBCRYPTO

static struct {
    const struct issued *root, *middle, *leaf, *fake_root, *fake_middle, *fake_leaf;
} made;

static const struct pair both = {"wolfssl to wolfssl", CDT_TLS_WOLFSSL, CDT_TLS_WOLFSSL};

static void begin(struct scene *scene, unsigned version)
{
    const struct pair *pair = &both;
    scene_begin(scene, (void **)&pair, made.root, made.leaf);
    set_version(scene, (uint16_t)version);
}

static void begin_open(struct scene *scene, unsigned version)
{
    begin(scene, version);
    scene_open(scene);
    talk_pass(&scene->talk, &scene->talk.server, 10); /* tickets are through */
    talk_pass(&scene->talk, &scene->talk.client, 10);
}

/* ---- closing --------------------------------------------------------------------------------- */

static uint64_t sent_by(const struct end *end)
{
    return end->other->in.passed;
}

static void closes_once(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        begin_open(&scene, version);
        const uint64_t before = sent_by(&scene.talk.server);
        end_close(&scene.talk.server);
        const uint64_t once = sent_by(&scene.talk.server);
        assert_in_range(once - before, 5 + 2, 5 + 2 + 32); /* one record with an alert */
        for (int i = 0; i < 3; i++)
            end_close(&scene.talk.server);
        assert_int_equal(sent_by(&scene.talk.server), once);
        talk_run(&scene.talk);
        assert_true(scene.talk.client.eof && !scene.talk.client.failed);
        scene_end(&scene);
    }
}

/* A read at the end of the stream says so, however often. */
static void reads_the_end_again(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        uint8_t byte;
        begin_open(&scene, version);
        end_write(&scene.talk.server, "last", 4);
        end_close(&scene.talk.server);
        talk_run(&scene.talk);
        struct end *client = &scene.talk.client;
        assert_true(client->eof);
        assert_memory_equal(client->data, "last", 4);
        for (int i = 0; i < 3; i++) {
            struct tls_io *io = end_begin(client, true);
            assert_int_equal(
                client->connection.backend->read(client->connection.engine, io, &byte, 1), 0);
        }
        assert_int_equal(client->connection.failed, 0);
        scene_end(&scene);
    }
}

/* Each side goes on after the close_notify of the other one, and after its own. */
static void half_closed_connections_go_on(void **state)
{
    (void)state;
    for_versions(version)
    {
        for (int of_server = 0; of_server < 2; of_server++) {
            struct scene scene;
            begin_open(&scene, version);
            struct end *first = of_server ? &scene.talk.server : &scene.talk.client;
            end_close(first);
            talk_run(&scene.talk);
            assert_true(first->other->eof);
            for (int i = 0; i < 3; i++)
                talk_pass(&scene.talk, first->other, 40000);
            assert_int_equal(sent_by(first), first->other->in.passed);
            end_close(first->other);
            talk_run(&scene.talk);
            assert_true(first->eof);
            assert_int_equal(first->failed, 0);
            scene_end(&scene);
        }
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

/* wolfSSL never waits for room: what does not fit is flushed, and nothing is given twice. */
static void small_buffers_are_flushed(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, version);
        scene_start(&scene);
        scene.talk.client.out_size = 1;
        scene.talk.server.out_size = 7;
        talk_open(&scene.talk);
        talk_pass(&scene.talk, &scene.talk.client, 40000);
        talk_pass(&scene.talk, &scene.talk.server, 40000);
        const uint64_t before = sent_by(&scene.talk.client);
        end_close(&scene.talk.client);
        assert_in_range(sent_by(&scene.talk.client) - before, 5 + 2, 5 + 2 + 32);
        talk_run(&scene.talk);
        assert_true(scene.talk.server.eof);
        scene_end(&scene);
    }
}

static int refuse(struct tls_io *io)
{
    (void)io;
    return -ECONNRESET;
}

static void what_flush_says_ends_the_connection(void **state)
{
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        struct scene scene;
        begin_open(&scene, CDT_TLS_1_3);
        struct tls_connection *connection = &scene.talk.client.connection;
        scene.talk.client.out_size = 3;
        struct tls_io *io = end_begin(&scene.talk.client, false);
        io->flush = refuse;
        const int status = closing ? connection->backend->shutdown(connection->engine, io)
                                   : connection->backend->write(connection->engine, io, "text", 4);
        assert_int_equal(status, -ECONNRESET);
        assert_int_equal(connection->failed, -ECONNRESET);
        scene_end(&scene);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t held;        /* bytes that the library has now */
static unsigned long left; /* allocations until one fails, counted from 1; 0: none does */

static void *count_allocate(size_t size)
{
    if (left > 0 && --left == 0)
        return NULL;
    size_t *block = malloc(sizeof(max_align_t) + size);
    if (block == NULL)
        return NULL;
    *block = size;
    held += size;
    return (char *)block + sizeof(max_align_t);
}

static void count_release(void *memory)
{
    if (memory == NULL)
        return;
    size_t *block = (void *)((char *)memory - sizeof(max_align_t));
    held -= *block;
    free(block);
}

static void *count_resize(void *memory, size_t size)
{
    void *fresh = count_allocate(size);
    if (fresh == NULL || memory == NULL)
        return fresh;
    const size_t old = *(size_t *)(void *)((char *)memory - sizeof(max_align_t));
    memcpy(fresh, memory, old < size ? old : size);
    count_release(memory);
    return fresh;
}

/* All that a server keeps for a connection at rest: engine, WOLFSSL, and the names of both. */
static void connections_at_rest_are_small(void **state)
{
    (void)state;
#ifndef CDT_WOLFSSL_BUILT
    print_message("a packaged wolfSSL has its own memory\n");
    skip();
#endif
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        struct scene scene;
        begin(&scene, CDT_TLS_1_3);
        scene.client.ciphers = suites[i];
        scene.client.alpn = "http/1.1";
        scene.server.alpn = "h2,http/1.1";
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.server, 100000);
        talk_pass(&scene.talk, &scene.talk.client, 100000);
        const size_t before = held;
        tls_connection_fini(&scene.talk.server.connection);
        const size_t kept = before - held;
        print_message("%s: a server's connection at rest holds %zu bytes\n", suites[i], kept);
        assert_true(kept <= (size_t)5 * 1024);
        assert_int_equal(tls_connection_init(&scene.talk.server.connection, scene.configs[1], NULL),
                         0);
        scene_end(&scene);
    }
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, version);
        scene_open(&scene);
        talk_end(&scene.talk);
        scene_open(&scene);
        talk_end(&scene.talk);
        const size_t before = held;
        for (int i = 0; i < 5; i++) {
            scene_open(&scene);
            talk_pass(&scene.talk, &scene.talk.server, 20000);
            end_close(&scene.talk.client);
            talk_run(&scene.talk);
            talk_end(&scene.talk);
        }
        assert_in_range(held, before, before + 2048); /* a session, of which one may be kept */
        scene_start(&scene);
        scene_end(&scene);
    }
}

/* One allocation fails: the connection may, too, and gives all back; the next one is none the
 * worse. */
static void memory_may_run_out(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        unsigned long at = 0, failures = 0;

        begin(&scene, version);
        scene.client.resumption = CDT_OFF;
        scene.client.alpn = scene.server.alpn = "h2,http/1.1";
        scene_open(&scene);
        talk_end(&scene.talk);
        const size_t before = held;
        do {
            memset(&scene.talk, 0, sizeof scene.talk);
            struct end *client = &scene.talk.client, *server = &scene.talk.server;
            client->other = server;
            server->other = client;
            left = ++at;
            int status = tls_connection_init(&client->connection, scene.configs[0], "example.test");
            if (!status)
                status = tls_connection_init(&server->connection, scene.configs[1], NULL);
            if (!status && tls_connection_connect(&client->connection) == 0)
                talk_run(&scene.talk);
            failures +=
                status || client->failed || server->failed || !client->open || !server->open;
            if (server->connection.config)
                end_end(server);
            if (client->connection.config)
                end_end(client);
            else
                mem_free(client->connection.name);
            if (held != before)
                fail_msg("without allocation %lu, %zu bytes are left", at, held - before);
        } while (left == 0);
        left = 0;
        print_message("%lu of %lu allocations are needed\n", failures, at);
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.client, 10);
        scene_end(&scene);
    }
}

/* ---- trust ----------------------------------------------------------------------------------- */

static void refused(struct scene *scene, const char *words)
{
    scene_start(scene);
    talk_run(&scene->talk);
    if (scene->talk.client.failed != -CDT_ETLSCERT || !strstr(end_why(&scene->talk.client), words))
        fail_msg("%d: %s", scene->talk.client.failed, end_why(&scene->talk.client));
    talk_end(&scene->talk);
}

/* The same client, another server. */
static void change_server(struct scene *scene, const struct cdt_tls_identity *identity)
{
    cdt_tls_config_free(scene->configs[1]);
    scene->identities[0] = *identity;
    scene->configs[1] = make_config(scene->reactor, scene->pair->server, scene->server);
}

/* wolfSSL would remember the good ones of a chain: the same leaf must not be good without them
 * because somebody else has shown them before. */
static void issuers_that_were_shown_are_forgotten(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, version);
        scene.client.resumption = CDT_OFF;
        scene_open(&scene);
        talk_end(&scene.talk);
        change_server(&scene, &(struct cdt_tls_identity){.cert = made.leaf->cert_pem,
                                                         .key = made.leaf->key_pem});
        for (int i = 0; i < 2; i++)
            refused(&scene, "issuer is not known");
        scene_start(&scene);
        scene_end(&scene);
    }
}

static int trust_all(void *arg, const struct cdt_tls_peer *peer)
{
    return *(const bool *)arg ? 0 : peer->status;
}

/* An application that takes one bad chain does not make its authorities good. */
static void overruled_issuers_are_not_trusted(void **state)
{
    (void)state;
    const struct cdt_tls_identity fake = identity_of(made.fake_leaf);
    for_versions(version)
    {
        struct scene scene;
        bool all = true;
        begin(&scene, version);
        scene.client.resumption = CDT_OFF;
        scene.client.verify_peer = trust_all;
        scene.client.verify_arg = &all;
        scene.identities[0] = fake;
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.client, 10);
        talk_end(&scene.talk);
        all = false;
        for (int i = 0; i < 2; i++)
            refused(&scene, "");
        scene_start(&scene);
        scene_end(&scene);
    }
}

/* The names fit, the signatures do not: an authority of the same name as ours. */
static void names_of_issuers_are_not_enough(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        begin(&scene, version);
        scene.identities[0] = identity_of(made.fake_leaf);
        refused(&scene, "");
        scene_start(&scene);
        scene_end(&scene);
    }
}

/* Certificates that lead nowhere, and the same ones twice, do no harm. */
static void needless_certificates_are_ignored(void **state)
{
    (void)state;
    for_versions(version)
    {
        struct scene scene;
        char *chain = NULL;
        begin(&scene, version);
        assert_true(asprintf(&chain, "%s%s%s%s%s", made.leaf->cert_pem, made.leaf->cert_pem,
                             made.fake_middle->cert_pem, made.middle->cert_pem,
                             made.root->cert_pem) > 0);
        scene.identities[0].cert = chain;
        scene_open(&scene);
        talk_pass(&scene.talk, &scene.talk.client, 10);
        scene_end(&scene);
        free(chain);
    }
}

static const struct issued *issue(const char *name, const struct issued *issuer, bool ca)
{
    return authority_issue(&(struct request){
        .name = name, .issuer = issuer, .ca = ca, .san = ca ? NULL : "DNS:example.test"});
}

/* Signs an authority again, with constraints. */
static void constrain(const struct issued *authority_made, const char *constraint)
{
    struct issued *made_again = &authority.issued[authority_made - authority.issued];
    X509 *certificate = made_again->certificate;
    authority_extend(certificate, made.root->certificate, NID_name_constraints, constraint);
    assert_true(X509_sign(certificate, made.root->key, EVP_sha256()) > 0);
    free(made_again->cert_pem);
    free(made_again->key_pem);
    free(made_again->chain_pem);
    authority_write(made_again, made.root);
}

/* What an authority may issue binds those below it, at whole labels. */
static void constraints_bind_all_below(void **state)
{
    static const struct {
        const char *constraint;
        bool good;
    } cases[] = {
        {"permitted;DNS:example.test", true},
        {"permitted;DNS:test", true},
        {"permitted;DNS:le.test", false},
        {"permitted;DNS:other.test", false},
        {"excluded;DNS:test", false},
        {"excluded;DNS:www.example.test", true},
        {"permitted;IP:10.0.0.0/255.0.0.0", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int deep = 0; deep < 2; deep++) {
            const struct pair *pair = &both;
            const struct issued *above = issue("constrained", made.root, true);
            const struct request below = {
                .name = "below", .ca = true, .issuer = above, .san = "DNS:ca.example.test"};
            constrain(above, cases[i].constraint);
            const struct issued *issuer = deep ? authority_issue(&below) : above;
            struct scene scene;
            scene_begin(&scene, (void **)&pair, made.root, issue("leaf", issuer, false));
            if (cases[i].good) {
                scene_open(&scene);
            } else {
                refused(&scene, "");
                scene_start(&scene);
            }
            scene_end(&scene);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closes_once),
        cmocka_unit_test(reads_the_end_again),
        cmocka_unit_test(half_closed_connections_go_on),
        cmocka_unit_test(small_buffers_are_flushed),
        cmocka_unit_test(what_flush_says_ends_the_connection),
        cmocka_unit_test(connections_at_rest_are_small),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(issuers_that_were_shown_are_forgotten),
        cmocka_unit_test(overruled_issuers_are_not_trusted),
        cmocka_unit_test(names_of_issuers_are_not_enough),
        cmocka_unit_test(needless_certificates_are_ignored),
        cmocka_unit_test(constraints_bind_all_below),
    };
    assert(cdt_set_allocator(count_allocate, count_resize, count_release) == 0);
    made.root = issue("root", NULL, true);
    made.middle = issue("middle", made.root, true);
    made.leaf = issue("leaf", made.middle, false);
    made.fake_root = issue("root", NULL, true);
    made.fake_middle = issue("middle", made.fake_root, true);
    made.fake_leaf = issue("leaf", made.fake_middle, false);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_free_all();
    return failed;
}

#else

static void not_built_in(void **state)
{
    (void)state;
    print_message("it takes wolfSSL, and libcrypto for certificates\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_built_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
