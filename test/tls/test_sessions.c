/* Sessions of a client: the last of each name, 64 names, each used once; which connections keep and
 * take them; and the certificate that goes with them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <conduit/memory.h>

#include "test/tls/made.h"
#include "tls/certificate.h"
#include "tls/config.h"

/* Sessions are numbers on the heap, so that a sanitizer sees what is lost. */
static int alive;

static void *new_session(int number)
{
    int *session = malloc(sizeof *session);
    assert_non_null(session);
    *session = number;
    alive++;
    return session;
}

static void free_session(void *session)
{
    assert_non_null(session);
    free(session);
    alive--;
}

static const struct tls_backend toy = {.sha256 = toy_sha256, .session_free = free_session};

static struct tls_certificate *new_certificate(const char *bytes)
{
    struct tls_certificate *made = tls_certificate_new(&toy, (const uint8_t *)bytes, strlen(bytes));
    assert_non_null(made);
    return made;
}

/* The number of the session that was kept for a name; -1: none. */
static int take(struct tls_sessions *sessions, const char *name)
{
    struct tls_certificate *certificate = (void *)1;
    int *session = tls_sessions_take(sessions, name, &certificate);
    const int number = session ? *session : -1;
    if (session)
        free_session(session);
    else
        assert_null(certificate);
    tls_certificate_put(certificate);
    return number;
}

/* ---- the list ---- */

static void each_is_used_once(void **state)
{
    (void)state;
    struct tls_sessions sessions;
    tls_sessions_init(&sessions, &toy);
    assert_int_equal(take(&sessions, "a.test"), -1);
    tls_sessions_put(&sessions, "a.test", new_session(1), NULL);
    tls_sessions_put(&sessions, "b.test", new_session(2), NULL);
    assert_int_equal(take(&sessions, ""), -1);
    assert_int_equal(take(&sessions, "a.tes"), -1);
    assert_int_equal(take(&sessions, "a.test"), 1);
    assert_int_equal(take(&sessions, "a.test"), -1);
    assert_int_equal(take(&sessions, "b.test"), 2);
    assert_int_equal(sessions.count, 0);
    assert_int_equal(alive, 0);
}

static void the_last_of_a_name_is_kept(void **state)
{
    (void)state;
    struct tls_sessions sessions;
    tls_sessions_init(&sessions, &toy);
    for (int i = 0; i < 1000; i++) {
        tls_sessions_put(&sessions, "a.test", new_session(i), NULL);
        tls_sessions_put(&sessions, "", new_session(-i), NULL);
        assert_int_equal(alive, 2);
    }
    assert_int_equal(take(&sessions, "a.test"), 999);
    assert_int_equal(take(&sessions, "a.test"), -1);
    tls_sessions_clear(&sessions);
    assert_int_equal(alive, 0);
    assert_int_equal(take(&sessions, ""), -1);
}

static void name_of(int number, char name[32])
{
    snprintf(name, 32, "host-%d.test", number);
}

static void the_least_recently_used_is_forgotten(void **state)
{
    (void)state;
    struct tls_sessions sessions;
    char name[32];
    tls_sessions_init(&sessions, &toy);
    for (int i = 0; i < TLS_SESSIONS_MAX; i++) {
        name_of(i, name);
        tls_sessions_put(&sessions, name, new_session(i), NULL);
    }
    assert_int_equal(alive, TLS_SESSIONS_MAX);
    assert_int_equal(take(&sessions, "host-0.test"), 0); /* used: becomes the youngest */
    tls_sessions_put(&sessions, "host-0.test", new_session(1000), NULL);
    tls_sessions_put(&sessions, "host-2.test", new_session(1002), NULL);
    for (int i = 0; i < 2; i++) {
        name_of(500 + i, name);
        tls_sessions_put(&sessions, name, new_session(500 + i), NULL);
        assert_int_equal(alive, TLS_SESSIONS_MAX);
        assert_int_equal(sessions.count, TLS_SESSIONS_MAX);
    }
    for (int i = 0; i < TLS_SESSIONS_MAX; i++) { /* 1 and 3 made room */
        name_of(i, name);
        assert_int_equal(take(&sessions, name), i == 1 || i == 3   ? -1
                                                : i == 0 || i == 2 ? 1000 + i
                                                                   : i);
    }
    assert_int_equal(take(&sessions, "host-500.test"), 500);
    assert_int_equal(take(&sessions, "host-501.test"), 501);
    assert_int_equal(alive, 0);
    tls_sessions_clear(&sessions);
}

static void certificates_are_counted(void **state)
{
    (void)state;
    struct tls_sessions sessions;
    struct tls_certificate *one = new_certificate("one"), *two = new_certificate("two"), *taken;
    tls_sessions_init(&sessions, &toy);
    tls_sessions_put(&sessions, "a", new_session(1), one);
    tls_sessions_put(&sessions, "b", new_session(2), one);
    assert_int_equal(one->references, 3);
    tls_sessions_put(&sessions, "a", new_session(3), two);
    assert_int_equal(one->references, 2);
    assert_int_equal(two->references, 2);
    int *session = tls_sessions_take(&sessions, "a", &taken);
    assert_int_equal(*session, 3);
    free_session(session);
    assert_ptr_equal(taken, two);
    assert_int_equal(two->references, 2);
    tls_certificate_put(taken);
    tls_sessions_clear(&sessions);
    assert_int_equal(one->references, 1);
    assert_int_equal(two->references, 1);
    tls_certificate_put(one);
    tls_certificate_put(two);
    assert_int_equal(alive, 0);
}

static bool no_memory;

static void *allocate(size_t size)
{
    return no_memory ? NULL : malloc(size);
}

static void *resize(void *memory, size_t size)
{
    return no_memory ? NULL : realloc(memory, size);
}

static void without_memory_a_session_is_freed(void **state)
{
    (void)state;
    struct tls_sessions sessions;
    struct tls_certificate *certificate = new_certificate("one");
    tls_sessions_init(&sessions, &toy);
    tls_sessions_put(&sessions, "a", new_session(1), certificate);
    no_memory = true;
    tls_sessions_put(&sessions, "a", new_session(2), certificate);
    tls_sessions_put(&sessions, "b", new_session(3), NULL);
    no_memory = false;
    assert_int_equal(alive, 0);
    assert_int_equal(certificate->references, 1);
    assert_int_equal(take(&sessions, "a"), -1);
    assert_int_equal(sessions.count, 0);
    tls_certificate_put(certificate);
}

/* ---- connections ---- */

struct client {
    struct cdt_tls_config config;
    struct tls_connection connection;
};

static void client_init(struct client *client, struct cdt_tls_config *config, const char *name)
{
    client->connection = (struct tls_connection){
        .backend = &toy, .config = config, .role = config->options.role, .name = (char *)name};
}

static struct cdt_tls_config new_config(void)
{
    struct cdt_tls_config config = {.backend = &toy, .options.role = CDT_TLS_CLIENT};
    tls_sessions_init(&config.sessions, &toy);
    return config;
}

static int take_of(struct cdt_tls_config *config, const char *name)
{
    struct client client;
    client_init(&client, config, name);
    int *session = tls_take_session(&client.connection);
    const int number = session ? *session : -1;
    if (session)
        free_session(session);
    tls_certificate_put(client.connection.peer);
    return number;
}

static void keep_in(struct cdt_tls_config *config, const char *name, int number)
{
    struct client client;
    client_init(&client, config, name);
    client.connection.generation = config->generation;
    tls_keep_session(&client.connection, new_session(number));
}

static void a_session_returns_by_name(void **state)
{
    (void)state;
    struct cdt_tls_config config = new_config(), other = new_config();
    keep_in(&config, "a.test", 1);
    keep_in(&config, NULL, 2);
    assert_int_equal(take_of(&config, "b.test"), -1);
    assert_int_equal(take_of(&other, "a.test"), -1);
    assert_int_equal(take_of(&other, NULL), -1);
    assert_int_equal(take_of(&config, "a.test"), 1);
    assert_int_equal(take_of(&config, "a.test"), -1);
    assert_int_equal(take_of(&config, NULL), 2);
    assert_int_equal(alive, 0);
}

static void servers_keep_none(void **state)
{
    (void)state;
    struct cdt_tls_config config = new_config();
    config.options.role = CDT_TLS_SERVER;
    keep_in(&config, "a.test", 1);
    assert_int_equal(alive, 0);
    assert_int_equal(config.sessions.count, 0);
    tls_sessions_put(&config.sessions, "a.test", new_session(2), NULL);
    assert_int_equal(take_of(&config, "a.test"), -1);
    tls_sessions_clear(&config.sessions);
    assert_int_equal(alive, 0);
}

static void none_where_it_is_switched_off(void **state)
{
    (void)state;
    struct cdt_tls_config config = new_config();
    config.options.resumption = CDT_OFF;
    keep_in(&config, "a.test", 1);
    assert_int_equal(alive, 0);
    assert_int_equal(take_of(&config, "a.test"), -1);
}

static void none_of_a_connection_that_failed(void **state)
{
    (void)state;
    struct cdt_tls_config config = new_config();
    struct client client;
    client_init(&client, &config, "a.test");
    client.connection.failed = -CDT_ETLSCERT;
    tls_keep_session(&client.connection, new_session(1));
    assert_int_equal(alive, 0);
    assert_int_equal(take_of(&config, "a.test"), -1);
}

/* A reload forgets sessions; those of connections that began before it come too late. */
static void none_from_before_a_reload(void **state)
{
    (void)state;
    struct cdt_tls_config config = new_config();
    struct client client;
    client_init(&client, &config, "a.test");
    assert_null(tls_take_session(&client.connection));
    tls_keep_session(&client.connection, new_session(1));
    config.generation++;
    tls_sessions_clear(&config.sessions);
    tls_keep_session(&client.connection, new_session(2));
    assert_int_equal(alive, 0);
    assert_int_equal(take_of(&config, "a.test"), -1);
    client_init(&client, &config, "a.test");
    assert_null(tls_take_session(&client.connection));
    tls_keep_session(&client.connection, new_session(3));
    assert_int_equal(take_of(&config, "a.test"), 3);
    assert_int_equal(alive, 0);
}

static void the_certificate_travels_along(void **state)
{
    (void)state;
    struct cdt_tls_config config = new_config();
    config.options.check_host = config.options.check_ip = CDT_OFF;
    struct client first, second;
    client_init(&first, &config, "a.test");
    first.connection.peer = new_certificate("of the first handshake");
    tls_keep_session(&first.connection, new_session(1));
    tls_certificate_put(first.connection.peer);

    client_init(&second, &config, "a.test");
    void *session = tls_take_session(&second.connection);
    assert_non_null(session);
    assert_non_null(second.connection.peer);
    assert_memory_equal(second.connection.peer->der, "of the first", 12);
    free_session(session);

    /* The server did not resume it: a full handshake shows another one. */
    static const struct tls_verdict good = {.chain = TLS_CHAIN_GOOD};
    assert_int_equal(tls_verify(&second.connection, (const uint8_t *)"of the second", 13, &good),
                     0);
    assert_memory_equal(second.connection.peer->der, "of the second", 13);
    assert_int_equal(second.connection.peer->references, 1);
    tls_certificate_put(second.connection.peer);
    assert_int_equal(alive, 0);
}

int main(void)
{
    if (cdt_set_allocator(allocate, resize, free) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_used_once),
        cmocka_unit_test(the_last_of_a_name_is_kept),
        cmocka_unit_test(the_least_recently_used_is_forgotten),
        cmocka_unit_test(certificates_are_counted),
        cmocka_unit_test(without_memory_a_session_is_freed),
        cmocka_unit_test(a_session_returns_by_name),
        cmocka_unit_test(servers_keep_none),
        cmocka_unit_test(none_where_it_is_switched_off),
        cmocka_unit_test(none_of_a_connection_that_failed),
        cmocka_unit_test(none_from_before_a_reload),
        cmocka_unit_test(the_certificate_travels_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
