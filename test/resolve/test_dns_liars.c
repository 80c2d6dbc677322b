/* DNS against name servers that lie: nothing of it is believed, and the true answer still comes. */
#include "test/resolve/world.h"

/* First all that must be thrown away, then the truth. */
static void lie_then_answer(struct liar *liar, uint8_t *message, size_t length)
{
    uint8_t other[512], zeros[600] = {0};
    size_t n;

    tell(liar, "", 0);
    tell(liar, "x", 1);
    tell(liar, zeros, sizeof zeros);
    memcpy(other, message, length);
    n = make_answer(other, length, "\300\014", 2, 66);
    other[0] ^= 1; /* another id */
    tell(liar, other, n);
    memcpy(other, message, length);
    other[13] ^= 2; /* another name */
    n = make_answer(other, length, "\300\014", 2, 67);
    tell(liar, other, n);
    memcpy(other, message, length);
    other[length - 3] = 28; /* another type */
    n = make_answer(other, length, "\300\014", 2, 68);
    tell(liar, other, n);
    n = make_answer(message, length, "\300\014", 2, 1);
    tell(liar, message, n);
}

static void test_wrong_answers_are_thrown_away(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, lie_then_answer);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), 0);
    assert_int_equal(asked.count, 1);
    expect_a(&asked, 0, "192.0.2.1");
    assert_int_equal(liar.heard, 1);
    end_liar(&world, &liar);
}

static void answer_for_others(struct liar *liar, uint8_t *message, size_t length)
{
    tell(liar, message, make_answer(message, length, "\004evil\000", 6, 66));
}

static void test_records_of_other_names(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, answer_for_others);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), -CDT_ENODATA);
    assert_int_equal(asked.ttl, 0);
    end_liar(&world, &liar);
}

static void answer_garbage(struct liar *liar, uint8_t *message, size_t length)
{
    message[2] |= 0x80;
    message[7] = 9;
    memset(message + length, 0xff, 40);
    tell(liar, message, length + 40);
}

static void test_garbage(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, answer_garbage);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), -CDT_EDNSANSWER);
    end_liar(&world, &liar);
}

/* Garbage for every question, for ever: other sources of the reactor get their turns. */
static void flood(struct liar *liar, uint8_t *message, size_t length)
{
    message[0] ^= 1;
    for (int i = 0; i < 150; i++)
        tell(liar, message, length);
}

static void test_flood_of_wrong_answers(void **state)
{
    struct world world = {0};
    struct asked asked = {.called = 0};
    struct liar liar;

    (void)state;
    begin_liar(&world, &liar, flood);
    assert_int_equal(ask(world.reactor, world.dns, &asked, "a.test", DNS_A), -CDT_EDNSTIMEOUT);
    assert_int_equal(liar.heard, 2);
    end_liar(&world, &liar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_wrong_answers_are_thrown_away),
        flow_test(test_records_of_other_names),
        flow_test(test_garbage),
        flow_test(test_flood_of_wrong_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
