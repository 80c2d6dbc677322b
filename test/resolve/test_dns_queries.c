/* Questions: which names can be asked, sharing, cancelling, and what callbacks may do. */
#include "test/resolve/world.h"

static void test_names_are_checked(void **state)
{
    static const char *const wrong[] = {
        "",
        ".",
        "a.",
        "a..b",
        ".a",
        "a b",
        "a\\.b",
        "a\nb",
        "\303\244.test",
        "a\177",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct world world = {0};
    struct dns_query query = {.fn = on_asked};
    char name[300];

    (void)state;
    begin(&world, "127.0.0.1:9");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(dns_ask(world.dns, &query, wrong[i], DNS_A), -EINVAL);
    for (int length = 250; length < 260; length++) {
        for (int i = 0; i < length; i++)
            name[i] = i % 50 == 49 ? '.' : 'x';
        name[length] = 0;
        if (name[length - 1] == '.')
            continue;
        if (length > 253) {
            assert_int_equal(dns_ask(world.dns, &query, name, DNS_A), -EINVAL);
        } else {
            assert_int_equal(dns_ask(world.dns, &query, name, DNS_A), 0);
            dns_cancel(&query);
        }
    }
    end(&world);
}

/* The same question several times at once is asked once. */
static void test_same_questions_share_a_query(void **state)
{
    struct world world = {0};
    struct asked asked[10] = {{.called = 0}};
    struct liar liar;
    int called = 0;

    (void)state;
    begin_liar(&world, &liar, answer_truth);
    for (int i = 0; i < 10; i++)
        ask_only(world.dns, &asked[i], i % 2 ? "a.test" : "A.test", DNS_A);
    dns_cancel(&asked[4].query);
    while (called < 9) {
        cdt_reactor_step(world.reactor, CDT_SECOND);
        called = 0;
        for (int i = 0; i < 10; i++)
            called += asked[i].called;
    }
    assert_int_equal(liar.heard, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(asked[i].called, i != 4);
    end_liar(&world, &liar);
}

/* One of two is cancelled: the other is answered, and both are kept. */
static void test_cancel_one(void **state)
{
    struct world world = {0};
    struct asked asked[2] = {{.called = 0}};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, answer_truth);
    ask_only(world.dns, &asked[0], "a.test", DNS_A);
    ask_only(world.dns, &asked[1], "b.test", DNS_A);
    dns_cancel(&asked[0].query);
    until(world.reactor, asked[1].called);
    settle(world.reactor);
    assert_int_equal(asked[0].called, 0);
    assert_int_equal(liar.heard, 2);
    end_liar(&world, &liar);
}

/* How long the reactor may sleep. */
static uint64_t sleeps(struct cdt_reactor *reactor)
{
    uint64_t timeout = 0;

    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    cdt_reactor_step(reactor, 0);
    return timeout;
}

/* All are cancelled: no socket stays, and no timer (the reactor may look once where one has
 * been). */
static void test_cancel_all(void **state)
{
    struct world world = {0};
    struct asked asked[50] = {{.called = 0}};
    char hole[32], name[20];
    int fd = name_server_socket(hole);
    unsigned fds;

    (void)state;
    begin(&world, hole);
    fds = test_open_fds();
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        ask_only(world.dns, &asked[i], name, DNS_A);
    }
    cdt_reactor_step(world.reactor, 0);
    assert_int_equal(test_open_fds(), fds + 1);
    for (int i = 0; i < 50; i++)
        dns_cancel(&asked[i].query);
    assert_int_equal(test_open_fds(), fds);
    until(world.reactor, sleeps(world.reactor) == CDT_NEVER);
    end(&world);
    close(fd);
}

static void free_dns(struct asked *asked)
{
    struct world *world = asked->arg;

    dns_free(world->dns);
    world->dns = NULL;
}

static void test_free_in_the_callback(void **state)
{
    struct world world = {0};
    struct asked asked = {.then = free_dns, .arg = &world};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, answer_truth);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), 0);
    assert_null(world.dns);
    end_liar(&world, &liar);
}

static void ask_again(struct asked *asked)
{
    struct asked *next = asked->arg;
    struct world *world = next->arg;

    dns_cancel(&next[1].query);
    ask_only(world->dns, next, "b.test", DNS_A);
}

/* From the callback: a question is cancelled that is being delivered too, and a new one asked. */
static void test_ask_and_cancel_in_the_callback(void **state)
{
    struct world world = {0};
    struct asked next[2] = {{.arg = &world}}, asked = {.then = ask_again, .arg = next};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, answer_truth);
    /* The one asked last is told first. */
    ask_only(world.dns, &next[1], "a.test", DNS_A);
    ask_only(world.dns, &asked, "a.test", DNS_A);
    until(world.reactor, next[0].called);
    assert_int_equal(asked.called, 1);
    assert_int_equal(next[1].called, 0);
    end_liar(&world, &liar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_names_are_checked),    flow_test(test_same_questions_share_a_query),
        flow_test(test_cancel_one),           flow_test(test_cancel_all),
        flow_test(test_free_in_the_callback), flow_test(test_ask_and_cancel_in_the_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
