/* Keys of tickets: when they change, how long they are known, which processes agree on them, and
 * clocks that go wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <conduit/memory.h>

#include "test/tls/made.h"
#include "tls/tickets.h"

#define HOUR (3600 * CDT_SECOND)

static const uint8_t secret[TLS_TICKET_SECRET] = "a secret of thirty-two bytes :-)";
static const uint8_t other_secret[TLS_TICKET_SECRET] = "another one of thirty-two bytes!";
static const uint8_t binding[32] = "bound to this";
static const uint8_t other_binding[32] = "bound to that";
static const uint64_t start = UINT64_C(491000) * HOUR; /* in 2026 */

static const struct tls_backend toy = {
    .name = "toy", .sha256 = toy_sha256, .hmac_sha256 = toy_hmac};

static struct tls_tickets *new_tickets(const uint8_t *of, const uint8_t bound[32])
{
    struct tls_tickets *tickets = NULL;
    assert_int_equal(tls_tickets_new(&toy, of, bound, HOUR, &tickets), 0);
    assert_non_null(tickets);
    return tickets;
}

static struct tls_ticket_key current(struct tls_tickets *tickets, uint64_t now)
{
    struct tls_ticket_key key, found;
    assert_int_equal(tls_tickets_current_at(tickets, now, &key), 0);
    assert_int_equal(tls_tickets_find_at(tickets, now, key.name, &found), 1);
    assert_memory_equal(&key, &found, sizeof key);
    return key;
}

static int find(struct tls_tickets *tickets, uint64_t now, const struct tls_ticket_key *key)
{
    struct tls_ticket_key found, untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    found = untouched;
    const int answer = tls_tickets_find_at(tickets, now, key->name, &found);
    assert_memory_equal(&found, answer ? key : &untouched, sizeof found);
    return answer;
}

static bool same(const struct tls_ticket_key *a, const struct tls_ticket_key *b)
{
    const bool name = memcmp(a->name, b->name, sizeof a->name) == 0;
    assert_int_equal(memcmp(a->aes, b->aes, sizeof a->aes) == 0, name);
    assert_int_equal(memcmp(a->mac, b->mac, sizeof a->mac) == 0, name);
    return name;
}

static void each_period_has_its_key(const uint8_t *of)
{
    struct tls_tickets *tickets = new_tickets(of, binding);
    const struct tls_ticket_key first = current(tickets, start);
    struct tls_ticket_key key = current(tickets, start + HOUR - 1);
    assert_true(same(&first, &key));
    assert_memory_not_equal(key.aes, key.mac, 32);
    assert_memory_not_equal(key.aes, key.name, 16);

    const struct tls_ticket_key second = current(tickets, start + HOUR);
    assert_false(same(&first, &second));
    assert_int_equal(find(tickets, start + HOUR, &first), 2);
    assert_int_equal(find(tickets, start + 2 * HOUR - 1, &first), 2);
    assert_int_equal(find(tickets, start + 2 * HOUR, &first), 0);
    assert_int_equal(find(tickets, start + 2 * HOUR, &second), 2);
    assert_int_equal(find(tickets, start + 3 * HOUR, &second), 0);
    key = current(tickets, start + 3 * HOUR);
    assert_int_equal(find(tickets, start + 100 * HOUR, &key), 0); /* a long time without calls */
    tls_tickets_free(tickets);
}

static void keys_of_a_secret_change(void **state)
{
    (void)state;
    each_period_has_its_key(secret);
}

static void random_keys_change(void **state)
{
    (void)state;
    each_period_has_its_key(NULL);
}

static void processes_with_one_secret_agree(void **state)
{
    (void)state;
    struct tls_tickets *one = new_tickets(secret, binding), *two = new_tickets(secret, binding);
    const struct tls_ticket_key a = current(one, start), b = current(two, start + HOUR / 2);
    assert_true(same(&a, &b));
    assert_int_equal(find(two, start, &a), 1);
    assert_int_equal(find(two, start + HOUR, &a), 2);
    assert_int_equal(find(two, start + 2 * HOUR, &a), 0);
    tls_tickets_free(one);
    tls_tickets_free(two);
}

static void a_clock_ahead_is_tolerated(void **state)
{
    (void)state;
    struct tls_tickets *ours = new_tickets(secret, binding), *ahead = new_tickets(secret, binding);
    const struct tls_ticket_key next = current(ahead, start + HOUR);
    const struct tls_ticket_key far = current(ahead, start + 2 * HOUR);
    assert_int_equal(find(ours, start, &next), 1);
    assert_int_equal(find(ours, start, &far), 0);
    assert_int_equal(find(ours, start + HOUR, &far), 1);
    tls_tickets_free(ours);
    tls_tickets_free(ahead);
}

static void others_do_not_agree(void **state)
{
    (void)state;
    enum { OTHERS = 4 };
    struct tls_tickets *ours = new_tickets(secret, binding);
    struct tls_tickets *others[OTHERS] = {
        new_tickets(other_secret, binding),
        new_tickets(secret, other_binding),
        new_tickets(NULL, binding),
        new_tickets(NULL, binding),
    };
    const struct tls_ticket_key key = current(ours, start);
    for (size_t i = 0; i < OTHERS; i++) {
        const struct tls_ticket_key theirs = current(others[i], start);
        assert_false(same(&key, &theirs));
        assert_int_equal(find(ours, start, &theirs), 0);
        assert_int_equal(find(others[i], start, &key), 0);
        for (size_t j = 0; j < i; j++)
            assert_int_equal(find(others[j], start, &theirs), 0);
    }
    for (size_t i = 0; i < OTHERS; i++)
        tls_tickets_free(others[i]);
    tls_tickets_free(ours);
}

static void a_name_must_be_the_whole_name(void **state)
{
    (void)state;
    struct tls_tickets *tickets = new_tickets(secret, binding);
    struct tls_ticket_key key = current(tickets, start), found;
    for (size_t bit = 0; bit < 8 * sizeof key.name; bit++) {
        key.name[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(tls_tickets_find_at(tickets, start, key.name, &found), 0);
        key.name[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(key.name, 0, sizeof key.name); /* that of a slot without a key */
    assert_int_equal(tls_tickets_find_at(tickets, start, key.name, &found), 0);
    tls_tickets_free(tickets);
    tickets = new_tickets(NULL, binding);
    assert_int_equal(tls_tickets_find_at(tickets, start, key.name, &found), 0);
    tls_tickets_free(tickets);
}

static void with_a_secret_clocks_may_go_back(void **state)
{
    (void)state;
    struct tls_tickets *tickets = new_tickets(secret, binding);
    const struct tls_ticket_key key = current(tickets, start);
    current(tickets, start + 50 * HOUR);
    const struct tls_ticket_key again = current(tickets, start);
    assert_true(same(&key, &again));
    current(tickets, 0);
    current(tickets, UINT64_MAX);
    tls_tickets_free(tickets);
}

static void random_keys_survive_a_wobble(void **state)
{
    (void)state;
    struct tls_tickets *tickets = new_tickets(NULL, binding);
    const struct tls_ticket_key before = current(tickets, start - 1), key = current(tickets, start);
    for (int i = 0; i < 10; i++) {
        const struct tls_ticket_key back = current(tickets, start - 1);
        assert_true(same(&back, &key));
        assert_int_equal(find(tickets, start - 1, &before), 2);
        assert_int_equal(find(tickets, start, &before), 2);
    }
    tls_tickets_free(tickets);
}

/* A clock that was far ahead and is set right: keys go on changing, old ones are forgotten. */
static void random_keys_follow_a_clock_set_back(void **state)
{
    (void)state;
    struct tls_tickets *tickets = new_tickets(NULL, binding);
    const struct tls_ticket_key ahead = current(tickets, start + 1000 * HOUR);
    const struct tls_ticket_key key = current(tickets, start);
    assert_false(same(&ahead, &key));
    assert_int_equal(find(tickets, start, &ahead), 2);
    const struct tls_ticket_key next = current(tickets, start + HOUR);
    assert_false(same(&next, &key));
    assert_int_equal(find(tickets, start + HOUR, &ahead), 0);
    assert_int_equal(find(tickets, start + HOUR, &key), 2);
    current(tickets, 0);
    current(tickets, UINT64_MAX);
    tls_tickets_free(tickets);
}

/* ---- what is left of keys ------------------------------------------------------------------- */

/* The memory of the tickets made last; `released`: of those freed last, as it was then. */
static struct tls_tickets *memory;
static uint8_t memory_released[1024];
static size_t memory_size;

static void *remember(size_t size)
{
    memory_size = size;
    return memory = malloc(size);
}

static void forget(void *block)
{
    if (block && block == memory)
        memcpy(memory_released, block, memory_size);
    free(block);
}

static bool holds(const void *block, const struct tls_ticket_key *key)
{
    return memmem(block, memory_size, key->aes, sizeof key->aes) ||
           memmem(block, memory_size, key->mac, sizeof key->mac);
}

/* Keys that are no longer good are gone with the next call, however late that comes, and whether it
 * succeeds or not. */
static void random_keys_are_wiped(void **state)
{
    (void)state;
    static const uint64_t late[] = {2 * HOUR, 3 * HOUR, 100 * HOUR};
    for (int way = 0; way < 6; way++) {
        const uint64_t then = start + HOUR + late[way / 2];
        struct tls_tickets *tickets = new_tickets(NULL, binding);
        assert_ptr_equal(tickets, memory);
        assert_true(memory_size <= sizeof memory_released);
        const struct tls_ticket_key first = current(tickets, start);
        const struct tls_ticket_key second = current(tickets, start + HOUR);
        assert_true(holds(tickets, &first) && holds(tickets, &second));
        if (way & 1)
            assert_int_equal(find(tickets, then, &second), 0);
        const struct tls_ticket_key third = current(tickets, then);
        assert_false(holds(tickets, &first) || holds(tickets, &second));
        assert_true(holds(tickets, &third));
        tls_tickets_free(tickets);
        assert_false(holds(memory_released, &third));
    }
}

static void by_the_real_clock(void **state)
{
    (void)state;
    struct tls_tickets *tickets;
    struct tls_ticket_key key, found;
    assert_int_equal(tls_tickets_new(&toy, NULL, binding, UINT64_MAX, &tickets), 0);
    assert_int_equal(tls_tickets_current(tickets, &key), 0);
    assert_int_equal(tls_tickets_find(tickets, key.name, &found), 1);
    assert_memory_equal(&key, &found, sizeof key);
    tls_tickets_free(tickets);
    tls_tickets_free(NULL);
}

static int good_calls;

static int hmac_that_breaks(const void *key, size_t key_length, const struct iovec *parts,
                            int count, uint8_t digest[32])
{
    return good_calls-- > 0 ? toy_hmac(key, key_length, parts, count, digest) : -EIO;
}

static void what_a_backend_cannot_do_is_told(void **state)
{
    (void)state;
    static const struct tls_backend broken = {.name = "broken", .hmac_sha256 = hmac_that_breaks};
    const uint8_t *secrets[] = {secret, NULL};
    for (size_t i = 0; i < 2; i++) {
        const int needed = secrets[i] ? 9 : 3;
        struct tls_tickets *tickets = NULL;
        struct tls_ticket_key key, found;
        for (good_calls = 0; good_calls < needed;) {
            const int calls = good_calls;
            assert_int_equal(tls_tickets_new(&broken, secrets[i], binding, HOUR, &tickets), -EIO);
            assert_null(tickets);
            good_calls = calls + 1;
        }
        good_calls = 2 * needed;
        assert_int_equal(tls_tickets_new(&broken, secrets[i], binding, HOUR, &tickets), 0);
        assert_int_equal(tls_tickets_current_at(tickets, start, &key), 0);
        assert_int_equal(tls_tickets_current_at(tickets, start + HOUR, &found), -EIO);
        assert_int_equal(tls_tickets_find_at(tickets, start + HOUR, key.name, &found), 0);
        good_calls = 2 * needed;
        assert_int_equal(tls_tickets_current_at(tickets, start + HOUR, &found), 0);
        assert_false(same(&found, &key));
        assert_true(holds(tickets, &key)); /* as the one before */
        good_calls = 0;
        assert_int_equal(tls_tickets_current_at(tickets, start + 9 * HOUR, &found), -EIO);
        if (!secrets[i]) /* else it can be made again */
            assert_false(holds(tickets, &key));
        tls_tickets_free(tickets);
    }
}

/* RFC 4231 section 4.3. */
static void check_hmac(const struct tls_backend *backend)
{
    static const uint8_t expected[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                         0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                         0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                         0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    char text[] = "what do ya want for nothing?";
    const struct iovec parts[] = {{text, 10}, {text, 0}, {text + 10, strlen(text) - 10}};
    uint8_t digest[32];
    assert_int_equal(backend->hmac_sha256("Jefe", 4, parts, 3, digest), 0);
    assert_memory_equal(digest, expected, sizeof digest);
}

/* Their tickets are made in different ways: no key is used for both. */
static void backends_do_not_share_keys(void **state)
{
    (void)state;
    static const enum cdt_tls_backend ids[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    struct tls_ticket_key first;
    int built_in = 0;
    for (size_t i = 0; i < 2; i++) {
        const struct tls_backend *backend = tls_backend(ids[i]);
        struct tls_tickets *tickets;
        struct tls_ticket_key key;
        if (!backend)
            continue;
        check_hmac(backend);
        assert_int_equal(tls_tickets_new(backend, secret, binding, HOUR, &tickets), 0);
        assert_int_equal(tls_tickets_current_at(tickets, start, &key), 0);
        if (built_in++)
            assert_false(same(&key, &first));
        first = key;
        tls_tickets_free(tickets);
    }
    if (!built_in) {
        print_message("SKIPPED: no backend is built in\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_a_secret_change),
        cmocka_unit_test(random_keys_change),
        cmocka_unit_test(processes_with_one_secret_agree),
        cmocka_unit_test(a_clock_ahead_is_tolerated),
        cmocka_unit_test(others_do_not_agree),
        cmocka_unit_test(a_name_must_be_the_whole_name),
        cmocka_unit_test(with_a_secret_clocks_may_go_back),
        cmocka_unit_test(random_keys_survive_a_wobble),
        cmocka_unit_test(random_keys_follow_a_clock_set_back),
        cmocka_unit_test(random_keys_are_wiped),
        cmocka_unit_test(by_the_real_clock),
        cmocka_unit_test(what_a_backend_cannot_do_is_told),
        cmocka_unit_test(backends_do_not_share_keys),
    };
    if (cdt_set_allocator(remember, realloc, forget))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
