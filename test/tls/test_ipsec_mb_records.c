/* Records of AES-GCM between wolfSSL and any peer: of sizes around the one from which intel-ipsec-mb
 * takes them, with either key, in both versions, after a new key, and damaged. All of it holds
 * without that library as well. */
#include "test/tls/scene.h"

#if defined CDT_HAVE_WOLFSSL && defined CDT_HAVE_OPENSSL

enum { LEAST = 1024, MOST = TLS_RECORD }; /* tls/wolfssl_ipsec_mb.h */

static uint8_t text[MOST];

static const struct issued *root, *leaf;

static const struct {
    const char *suite;
    unsigned version;
} suites[] = {
    {"TLS_AES_128_GCM_SHA256", CDT_TLS_1_3},
    {"TLS_AES_256_GCM_SHA384", CDT_TLS_1_3},
    {"ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256", CDT_TLS_1_2},
    {"ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384", CDT_TLS_1_2},
};
#define for_suites(i) for (size_t(i) = 0; (i) < sizeof suites / sizeof *suites; (i)++)

static void scene_open_with(struct scene *scene, const struct pair *pair, size_t suite)
{
    scene_begin(scene, (void **)&pair, root, leaf);
    scene->client.ciphers = suites[suite].suite;
    if (suites[suite].version == CDT_TLS_1_3)
        scene->client.min_version = CDT_TLS_1_3;
    scene_open(scene);
    assert_int_equal(scene->talk.server.facts.version, suites[suite].version);
}

static void send_all(struct talk *talk, struct end *from)
{
    struct end *to = from->other;
    const size_t sizes[] = {1, LEAST - 40, LEAST - 1, LEAST, LEAST + 1, 4096, 16383, 16384};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        end_forget(to);
        end_write(from, text, sizes[i]);
        talk_run(talk);
        assert_int_equal(to->failed, 0);
        assert_int_equal(to->length, sizes[i]);
        assert_memory_equal(to->data, text, sizes[i]);
    }
}

static void records_reach_any_peer(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"wolfssl to wolfssl", CDT_TLS_WOLFSSL, CDT_TLS_WOLFSSL},
        {"wolfssl to openssl", CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL},
        {"openssl to wolfssl", CDT_TLS_OPENSSL, CDT_TLS_WOLFSSL},
    };
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++)
        for_suites(i)
        {
            struct scene scene;
            scene_open_with(&scene, &pairs[p], i);
            send_all(&scene.talk, &scene.talk.server);
            send_all(&scene.talk, &scene.talk.client);
            if (suites[i].version == CDT_TLS_1_3) {
                assert_int_equal(end_update_key(&scene.talk.server), 0);
                send_all(&scene.talk, &scene.talk.server);
                send_all(&scene.talk, &scene.talk.client);
            }
            scene_end(&scene);
        }
}

static void damaged_records_end_the_connection(void **state)
{
    (void)state;
    static const struct pair pair = {"wolfssl to wolfssl", CDT_TLS_WOLFSSL, CDT_TLS_WOLFSSL};
    for_suites(i)
    {
        struct scene scene;
        scene_open_with(&scene, &pair, i);
        struct end *from = &scene.talk.server, *to = &scene.talk.client;
        talk_pass(&scene.talk, from, 10); /* tickets are through */
        end_forget(to);
        to->in.flip_at = to->in.passed + 3000;
        to->in.flip_mask = 4;
        end_write(from, text, 8000);
        talk_run(&scene.talk);
        assert_int_equal(to->failed, -CDT_ETLS);
        assert_int_equal(to->length, 0);
        scene_end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_reach_any_peer),
        cmocka_unit_test(damaged_records_end_the_connection),
    };
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 31 + i / 256);
    root = authority_issue(&(struct request){.name = "root", .ca = true});
    leaf = authority_issue(
        &(struct request){.name = "leaf", .san = "DNS:example.test", .issuer = root});
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
