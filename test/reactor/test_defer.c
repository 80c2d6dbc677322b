/* Deferred calls: in order, once, those that were there when their step began; and cancelled
 * ones. */
#include <string.h>

#include "test/reactor/support.h"

struct named {
    struct cdt_deferred deferred;
    struct named *other;
    char name;
};

static struct cdt_reactor *reactor;
static char order[32];

static void on_call(struct cdt_deferred *deferred)
{
    order[strlen(order)] = cdt_container_of(deferred, struct named, deferred)->name;
}

static void on_again(struct cdt_deferred *deferred)
{
    on_call(deferred);
    assert_int_equal(cdt_defer(reactor, deferred), 0);
}

static void on_cancel(struct cdt_deferred *deferred)
{
    on_call(deferred);
    cdt_defer_cancel(&cdt_container_of(deferred, struct named, deferred)->other->deferred);
}

static void begin(void **state)
{
    reactor = *state;
    memset(order, 0, sizeof order);
}

static void in_order_and_once(void **state)
{
    struct named a = {{.fn = on_call}, NULL, 'a'}, b = a;

    begin(state);
    b.name = 'b';
    assert_int_equal(cdt_defer(reactor, &a.deferred), 0);
    assert_int_equal(cdt_defer(reactor, &b.deferred), 0);
    assert_int_equal(cdt_defer(reactor, &a.deferred), 0);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 2);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_string_equal(order, "ab");
}

static void deferred_meanwhile_comes_in_the_next_turn(void **state)
{
    struct named a = {{.fn = on_again}, NULL, 'a'}, b = {{.fn = on_call}, NULL, 'b'};

    begin(state);
    cdt_defer(reactor, &a.deferred);
    cdt_defer(reactor, &b.deferred);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 2);
    assert_string_equal(order, "ab");
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_string_equal(order, "aba");
    assert_int_equal(cdt_defer_cancel(&a.deferred), 0);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
}

/* a cancels b of the same step, which could be the last of the list; c cancels one for later. */
static void cancelled_while_running(void **state)
{
    struct named b = {{.fn = on_call}, NULL, 'b'}, d = {{.fn = on_again}, NULL, 'd'};
    struct named a = {{.fn = on_cancel}, &b, 'a'}, c = {{.fn = on_cancel}, &d, 'c'};

    begin(state);
    cdt_defer(reactor, &a.deferred);
    cdt_defer(reactor, &d.deferred);
    cdt_defer(reactor, &c.deferred);
    cdt_defer(reactor, &b.deferred);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 3);
    assert_string_equal(order, "adc");
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(cdt_defer_cancel(&b.deferred), 0);
}

static void forgotten_with_the_reactor(void **state)
{
    struct named a = {{.fn = on_call}, NULL, 'a'};
    struct cdt_reactor *second;

    begin(state);
    assert_int_equal(cdt_reactor_new(NULL, &second), 0);
    cdt_defer(second, &a.deferred);
    assert_int_equal(cdt_reactor_free(second), 0);
    assert_int_equal(cdt_defer(reactor, &a.deferred), 0);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_string_equal(order, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(in_order_and_once),
        WITH_REACTOR(deferred_meanwhile_comes_in_the_next_turn),
        WITH_REACTOR(cancelled_while_running),
        WITH_REACTOR(forgotten_with_the_reactor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
