/* The timer wheel against a reference model: random sets, cancels and jumps of the clock. */
#include <string.h>

#include "reactor/wheel.h"
#include "test/reactor/support.h"

#define TICK   (UINT64_C(1) << WHEEL_TICK_BITS)
#define TIMERS 300
#define ROUNDS 20000

struct model {
    uint64_t deadline; /* 0: not set */
    uint64_t set_at;   /* sequence number: order within a tick */
    bool past;
};

static struct wheel wheel;
static struct cdt_timer timers[TIMERS];
static struct model models[TIMERS];
static uint64_t now, sequence;

static uint64_t random_bits(unsigned bits)
{
    uint64_t value = (uint64_t)rand() ^ (uint64_t)rand() << 20 ^ (uint64_t)rand() << 40;

    return bits ? value >> (64 - bits) : 0;
}

static uint64_t tick_of(uint64_t deadline)
{
    return (deadline + TICK - 1) / TICK;
}

static void set(unsigned i)
{
    uint64_t deadline;

    switch (rand() % 8) {
    case 0:
        deadline = now - random_bits(20) % now;
        break;
    case 1: /* many in the same tick */
        deadline = now + TICK * (1 + random_bits(3));
        break;
    default:
        deadline = now + random_bits((unsigned)rand() % 46);
    }
    wheel_set(&wheel, &timers[i], deadline, now);
    models[i] = (struct model){
        .deadline = deadline ? deadline : 1, .set_at = ++sequence, .past = deadline <= now};
}

static void cancel(unsigned i)
{
    if (timers[i].next)
        wheel_unlink(&timers[i]);
    models[i].deadline = 0;
}

/* Whether timer a must come before timer b. */
static bool before(unsigned a, unsigned b)
{
    const struct model *x = &models[a], *y = &models[b];

    if (x->past != y->past)
        return x->past;
    if (!x->past && tick_of(x->deadline) != tick_of(y->deadline))
        return tick_of(x->deadline) < tick_of(y->deadline);
    return x->set_at < y->set_at;
}

static int first_due(void)
{
    int first = -1;

    for (unsigned i = 0; i < TIMERS; i++) {
        if (!models[i].deadline)
            continue;
        if (!models[i].past && tick_of(models[i].deadline) > now / TICK)
            continue;
        if (first < 0 || before(i, (unsigned)first))
            first = (int)i;
    }
    return first;
}

static void expire(void)
{
    struct cdt_timer *timer;
    int due;

    wheel_take_past(&wheel);
    if (wheel_is_due(&wheel, now))
        wheel_advance(&wheel, now);
    while ((timer = wheel_pop(&wheel))) {
        due = first_due();
        assert_int_equal(due, timer - timers);
        assert_null(timer->next);
        assert_true(now >= models[due].deadline);
        models[due].deadline = 0;
    }
    assert_int_equal(first_due(), -1);
}

/* The wheel never sleeps beyond a deadline, and says so when nothing is left. */
static void check_next(void)
{
    uint64_t earliest = UINT64_MAX;

    for (unsigned i = 0; i < TIMERS; i++)
        if (models[i].deadline && !models[i].past && tick_of(models[i].deadline) < earliest)
            earliest = tick_of(models[i].deadline);
    if (earliest != UINT64_MAX)
        assert_true(wheel_next(&wheel) <= earliest * TICK);
}

static void random_operations(void **state)
{
    (void)state;
    srand(support_seed());
    now = 1 + random_bits(50);
    wheel_init(&wheel, now);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (int n = rand() % 12; n > 0; n--) {
            if (rand() % 4)
                set((unsigned)rand() % TIMERS);
            else
                cancel((unsigned)rand() % TIMERS);
        }
        check_next();
        now += rand() % 3 ? random_bits((unsigned)rand() % 24) : random_bits((unsigned)rand() % 44);
        if (rand() % 5 == 0 && wheel_next(&wheel) != CDT_NEVER && wheel_next(&wheel) > now)
            now = wheel_next(&wheel);
        expire();
    }
    wheel_forget_all(&wheel);
    for (unsigned i = 0; i < TIMERS; i++)
        assert_null(timers[i].next);
}

/* A sleep exactly until wheel_next() fires a lone timer without turns in between. */
static void lone_timer_needs_one_turn(void **state)
{
    struct cdt_timer timer = {0};
    uint64_t delay = 1;

    (void)state;
    for (unsigned bits = 1; bits < 62; bits++, delay = UINT64_C(1) << bits) {
        now = 123456789;
        wheel_init(&wheel, now);
        wheel_set(&wheel, &timer, now + delay, now);
        now = wheel_next(&wheel);
        assert_true(now >= 123456789 + delay && now < 123456789 + delay + TICK);
        wheel_advance(&wheel, now);
        assert_ptr_equal(wheel_pop(&wheel), &timer);
        assert_null(wheel_pop(&wheel));
        assert_true(wheel_next(&wheel) == CDT_NEVER);
    }
}

static void endless_deadline_is_kept(void **state)
{
    struct cdt_timer timer = {0};

    (void)state;
    now = 1000;
    wheel_init(&wheel, now);
    wheel_set(&wheel, &timer, UINT64_MAX - 1, now);
    assert_non_null(timer.next);
    wheel_advance(&wheel, UINT64_C(1) << 62);
    assert_null(wheel_pop(&wheel));
    assert_non_null(timer.next);
}

/* So many timers in one slot that they reach lower levels only in several turns, some of them with
 * the same tick, and set meanwhile: the order remains. */
static void full_slot_is_opened_in_parts(void **state)
{
    enum { MANY = 50000 };
    struct cdt_timer *many = calloc(MANY + 1, sizeof *many), *timer, *last = NULL;
    uint64_t start = TICK << 18;
    unsigned parts = 0, popped = 0;

    (void)state;
    assert_non_null(many);
    now = TICK;
    wheel_init(&wheel, now);
    for (unsigned i = 0; i < MANY; i++)
        wheel_set(&wheel, &many[i], start + TICK * (i % 1000), now);
    now = start + 100;
    for (; wheel_is_due(&wheel, now); parts++) {
        wheel_advance(&wheel, now);
        if (parts == 0)
            wheel_set(&wheel, &many[MANY], start + TICK * 500, now);
    }
    assert_true(parts > 3);
    for (now = start + TICK * 1000; wheel_is_due(&wheel, now);)
        wheel_advance(&wheel, now);
    for (; (timer = wheel_pop(&wheel)); last = timer, popped++)
        assert_true(!last || timer->deadline > last->deadline ||
                    (timer->deadline == last->deadline && timer > last));
    assert_int_equal(popped, MANY + 1);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(lone_timer_needs_one_turn),
        cmocka_unit_test(endless_deadline_is_kept),
        cmocka_unit_test(full_slot_is_opened_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
