/* The cache of answers: what is kept, for how long, how many; and that it can be switched off. */
#include "resolve/cache.h"
#include "test/resolve/asked.h"

static const char zone[] = "a A 192.0.2.1\n"
                           "short 1 A 192.0.2.2\n"
                           "never 0 A 192.0.2.3\n"
                           "six AAAA 2001:db8::6\n";

struct world {
    struct cdt_reactor *reactor;
    struct name_server *server;
    struct dns *dns;
};

static void begin(struct world *world, enum cdt_switch cache, unsigned size)
{
    struct cdt_resolver_options options;

    world->server = name_server_start(NAME_SERVER_KNOT, zone);
    options = asked_options(world->server->address);
    options.cache = cache;
    options.cache_size = size;
    options.timeout = 20 * CDT_MS;
    options.tries = 1;
    world->reactor = test_reactor();
    world->dns = asked_dns(world->reactor, &options);
}

/* From now on only what is kept is answered. */
static void stop_server(struct world *world)
{
    name_server_stop(world->server);
    world->server = NULL;
}

static int look(struct world *world, const char *name, enum dns_type type)
{
    struct asked asked = {0};

    return ask(world->reactor, world->dns, &asked, name, type);
}

static void end(struct world *world)
{
    dns_free(world->dns);
    cdt_reactor_free(world->reactor);
    name_server_stop(world->server);
}

static void test_answers_are_kept(void **state)
{
    struct world world;
    struct asked asked = {0};

    (void)state;
    begin(&world, CDT_DEFAULT, 0);
    assert_int_equal(look(&world, "a.test", DNS_A), 0);
    assert_int_equal(look(&world, "six.test", DNS_A), -CDT_ENODATA);
    assert_int_equal(look(&world, "no.test", DNS_A), -CDT_ENXDOMAIN);
    assert_int_equal(look(&world, "never.test", DNS_A), 0);
    assert_int_equal(look(&world, "a.broken", DNS_A), -CDT_ESERVFAIL);
    assert_int_equal(look(&world, "a.other", DNS_A), -CDT_EDNSREFUSED);
    stop_server(&world);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "A.TEST", DNS_A), 0);
    assert_int_equal(asked.count, 1);
    assert_in_range(asked.ttl, 50, 60);
    assert_int_equal(ntohl(asked.a[0].s_addr), 0xc0000201);
    assert_int_equal(look(&world, "six.test", DNS_A), -CDT_ENODATA);
    assert_int_equal(look(&world, "no.test", DNS_A), -CDT_ENXDOMAIN);
    /* Another type; a TTL of 0; failures. */
    assert_int_equal(look(&world, "a.test", DNS_AAAA), -CDT_EDNSTIMEOUT);
    assert_int_equal(look(&world, "never.test", DNS_A), -CDT_EDNSTIMEOUT);
    assert_int_equal(look(&world, "a.broken", DNS_A), -CDT_EDNSTIMEOUT);
    assert_int_equal(look(&world, "a.other", DNS_A), -CDT_EDNSTIMEOUT);
    end(&world);
}

static void test_expiry(void **state)
{
    struct world world;
    struct asked asked = {0};
    uint64_t start;

    (void)state;
    begin(&world, CDT_ON, 0);
    start = test_now();
    assert_int_equal(ask(world.reactor, world.dns, &asked, "short.test", DNS_A), 0);
    assert_int_equal(asked.ttl, 1);
    stop_server(&world);
    const int kept = ask(world.reactor, world.dns, &asked, "short.test", DNS_A);
    if (test_now() - start < CDT_SECOND) { /* else the machine was too slow to see it */
        assert_int_equal(kept, 0);
        assert_in_range(asked.ttl, 0, 1);
    }
    while (test_now() - start < 1500 * CDT_MS)
        cdt_reactor_step(world.reactor, 100 * CDT_MS);
    assert_int_equal(look(&world, "short.test", DNS_A), -CDT_EDNSTIMEOUT);
    end(&world);
}

static void test_switched_off(void **state)
{
    struct world world;

    (void)state;
    begin(&world, CDT_OFF, 100);
    assert_int_equal(look(&world, "a.test", DNS_A), 0);
    stop_server(&world);
    assert_int_equal(look(&world, "a.test", DNS_A), -CDT_EDNSTIMEOUT);
    end(&world);
}

/* Of three there is room for two: the one that was not used goes. */
static void test_least_recently_used_goes(void **state)
{
    struct world world;

    (void)state;
    begin(&world, CDT_ON, 2);
    assert_int_equal(look(&world, "a.test", DNS_A), 0);
    assert_int_equal(look(&world, "ns.test", DNS_A), 0);
    assert_int_equal(look(&world, "a.test", DNS_A), 0);
    assert_int_equal(look(&world, "six.test", DNS_AAAA), 0);
    stop_server(&world);
    assert_int_equal(look(&world, "a.test", DNS_A), 0);
    assert_int_equal(look(&world, "six.test", DNS_AAAA), 0);
    assert_int_equal(look(&world, "ns.test", DNS_A), -CDT_EDNSTIMEOUT);
    end(&world);
}

/* ---- the table by itself --------------------------------------------------------------------- */

static size_t question_of(unsigned number, uint8_t question[MESSAGE_QUESTION_MAX])
{
    char name[32];

    snprintf(name, sizeof name, "n%u.test", number);
    return message_question(name, DNS_A, question);
}

static bool has(struct cache *cache, unsigned number, uint64_t now)
{
    uint8_t question[MESSAGE_QUESTION_MAX];
    size_t length = question_of(number, question);

    return cache_find(cache, cache_hash(cache, question, length), question, length, now) != NULL;
}

static void keep(struct cache *cache, unsigned number, uint64_t expiry)
{
    uint8_t question[MESSAGE_QUESTION_MAX];
    size_t length = question_of(number, question);
    struct cache_entry *entry =
        cache_add(cache, cache_hash(cache, question, length), question, length);

    assert_non_null(entry);
    entry->answer = &entry->small.answer;
    cache_keep(cache, entry, expiry);
    cache_release(entry);
}

static void test_table_is_bounded(void **state)
{
    struct cache cache;

    (void)state;
    assert_int_equal(cache_init(&cache, 1000), 0);
    for (unsigned i = 0; i < 20000; i++)
        keep(&cache, i, 100);
    assert_int_equal(cache.count, 1000);
    assert_true(has(&cache, 19000, 99));
    assert_false(has(&cache, 18999, 99));
    for (unsigned i = 19000; i < 20000; i++)
        assert_false(has(&cache, i, 100));
    assert_int_equal(cache.count, 0);
    cache_close(&cache);
}

/* One that is still asked for cannot be pushed out, and is found. */
static void test_open_questions_stay(void **state)
{
    uint8_t question[MESSAGE_QUESTION_MAX];
    size_t length = question_of(1000000, question);
    struct cache_entry *entry;
    struct cache cache;
    uint64_t hash;

    (void)state;
    assert_int_equal(cache_init(&cache, 10), 0);
    hash = cache_hash(&cache, question, length);
    entry = cache_add(&cache, hash, question, length);
    for (unsigned i = 0; i < 1000; i++)
        keep(&cache, i, 100);
    assert_ptr_equal(cache_find(&cache, hash, question, length, 1000), entry);
    cache_drop(&cache, entry);
    assert_null(cache_find(&cache, hash, question, length, 0));
    cache_drop(&cache, entry);
    cache_release(entry);
    cache_close(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_answers_are_kept),
        flow_test(test_expiry),
        flow_test(test_switched_off),
        flow_test(test_least_recently_used_goes),
        cmocka_unit_test(test_table_is_bounded),
        cmocka_unit_test(test_open_questions_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
