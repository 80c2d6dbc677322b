/* For tests of engines: a client and a server with certificates of the test's own authority.
 * Without libcrypto, which makes them, there are none, and such tests are skipped. */
#ifndef TEST_TLS_SCENE_H
#define TEST_TLS_SCENE_H

#include "test/tls/engines.h"

#ifdef CDT_TEST_LIBCRYPTO
#include "test/tls/authority.h"

static inline struct cdt_tls_identity identity_of(const struct issued *issued)
{
    return (struct cdt_tls_identity){.cert = issued->chain_pem, .key = issued->key_pem};
}

/* ---- a talk of two configurations ------------------------------------------------------------ */

struct scene {
    const struct pair *pair;
    struct cdt_reactor *reactor;
    struct cdt_tls_identity identities[2];
    struct cdt_tls_options client, server;
    struct cdt_tls_config *configs[2];
    struct talk talk;
};

static inline void scene_begin(struct scene *scene, void **state, const struct issued *root,
                               const struct issued *identity)
{
    *scene = (struct scene){
        .pair = *state,
        .reactor = test_reactor(),
        .identities = {identity_of(identity)},
        .client = {.role = CDT_TLS_CLIENT, .system_anchors = CDT_OFF, .ca = root->cert_pem},
        .server = {.role = CDT_TLS_SERVER, .identity_count = 1},
    };
    scene->server.identities = scene->identities;
}

/* The options are complete. */
static inline void scene_configure(struct scene *scene)
{
    scene->configs[0] = make_config(scene->reactor, scene->pair->client, scene->client);
    scene->configs[1] = make_config(scene->reactor, scene->pair->server, scene->server);
}

static inline void scene_start(struct scene *scene)
{
    if (!scene->configs[0])
        scene_configure(scene);
    talk_begin(&scene->talk, scene->configs[0], scene->configs[1], "example.test");
}

static inline void scene_open(struct scene *scene)
{
    scene_start(scene);
    talk_open(&scene->talk);
}

static inline void scene_end(struct scene *scene)
{
    talk_end(&scene->talk);
    cdt_tls_config_free(scene->configs[0]);
    cdt_tls_config_free(scene->configs[1]);
    cdt_reactor_free(scene->reactor);
}

static const char suites12[] = "ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256";

/* Both versions in turn. */
static inline void set_version(struct scene *scene, unsigned version)
{
    if (version == CDT_TLS_1_2)
        scene->client.ciphers = suites12;
    else
        scene->client.min_version = CDT_TLS_1_3;
}

#define for_versions(version) \
    for (unsigned(version) = CDT_TLS_1_2; (version) <= CDT_TLS_1_3; (version)++)

#endif

static inline void skipped(void **state)
{
    (void)state;
    print_message("it takes a TLS backend (some tests: OpenSSL) and libcrypto for certificates\n");
    skip();
}

static inline int run_nothing(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(skipped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
