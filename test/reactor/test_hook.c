/* Hooks: once a turn at their point, in the order of adding, changed from inside. */
#include <string.h>

#include "test/reactor/support.h"

struct named {
    struct cdt_hook hook;
    struct named *other;
    char name;
};

static struct cdt_reactor *reactor;
static char order[32];

static void on_hook(struct cdt_hook *hook)
{
    order[strlen(order)] = cdt_container_of(hook, struct named, hook)->name;
}

static void on_remove_both(struct cdt_hook *hook)
{
    struct named *named = cdt_container_of(hook, struct named, hook);

    on_hook(hook);
    assert_int_equal(cdt_hook_remove(hook), 0);
    assert_int_equal(cdt_hook_remove(&named->other->hook), 0);
}

static void on_add(struct cdt_hook *hook)
{
    struct named *named = cdt_container_of(hook, struct named, hook);

    on_hook(hook);
    cdt_hook_add(reactor, &named->other->hook, CDT_BEFORE_WAIT);
}

static void begin(void **state)
{
    reactor = *state;
    memset(order, 0, sizeof order);
}

static void at_their_points(void **state)
{
    struct named a = {{.fn = on_hook}, NULL, 'a'}, b = {{.fn = on_hook}, NULL, 'b'};
    struct named c = {{.fn = on_hook}, NULL, 'c'};

    begin(state);
    assert_int_equal(cdt_hook_add(reactor, &a.hook, CDT_AFTER_WAIT), 0);
    assert_int_equal(cdt_hook_add(reactor, &b.hook, CDT_BEFORE_WAIT), 0);
    assert_int_equal(cdt_hook_add(reactor, &c.hook, CDT_BEFORE_WAIT), 0);
    assert_int_equal(cdt_hook_add(reactor, &c.hook, CDT_BEFORE_WAIT), -EBUSY);
    cdt_reactor_step(reactor, 0);
    cdt_reactor_step(reactor, 0);
    assert_string_equal(order, "bcabca");
    cdt_hook_remove(&a.hook);
    cdt_hook_remove(&b.hook);
    cdt_hook_remove(&c.hook);
    assert_int_equal(cdt_hook_remove(&c.hook), 0);
    cdt_reactor_step(reactor, 0);
    assert_string_equal(order, "bcabca");
}

static void removed_from_inside(void **state)
{
    struct named b = {{.fn = on_hook}, NULL, 'b'}, c = {{.fn = on_hook}, NULL, 'c'};
    struct named a = {{.fn = on_remove_both}, &b, 'a'};

    begin(state);
    cdt_hook_add(reactor, &a.hook, CDT_BEFORE_WAIT);
    cdt_hook_add(reactor, &b.hook, CDT_BEFORE_WAIT);
    cdt_hook_add(reactor, &c.hook, CDT_BEFORE_WAIT);
    cdt_reactor_step(reactor, 0);
    cdt_reactor_step(reactor, 0);
    assert_string_equal(order, "acc");
    cdt_hook_remove(&c.hook);
}

static void added_from_inside(void **state)
{
    struct named b = {{.fn = on_hook}, NULL, 'b'}, c = {{.fn = on_hook}, NULL, 'c'};
    struct named a = {{.fn = on_add}, &b, 'a'};

    begin(state);
    cdt_hook_add(reactor, &a.hook, CDT_BEFORE_WAIT);
    cdt_hook_add(reactor, &c.hook, CDT_BEFORE_WAIT);
    cdt_reactor_step(reactor, 0);
    cdt_reactor_step(reactor, 0);
    assert_string_equal(order, "acacb");
    cdt_hook_remove(&a.hook);
    cdt_hook_remove(&b.hook);
    cdt_hook_remove(&c.hook);
}

/* In a foreign loop prepare runs them, and the step that follows does not again. */
static void once_with_prepare(void **state)
{
    struct named a = {{.fn = on_hook}, NULL, 'a'}, b = {{.fn = on_hook}, NULL, 'b'};
    uint64_t timeout;

    begin(state);
    cdt_hook_add(reactor, &a.hook, CDT_BEFORE_WAIT);
    cdt_hook_add(reactor, &b.hook, CDT_AFTER_WAIT);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_string_equal(order, "a");
    cdt_reactor_step(reactor, 0);
    assert_string_equal(order, "ab");
    cdt_reactor_step(reactor, 0);
    assert_string_equal(order, "abab");
    cdt_hook_remove(&a.hook);
    cdt_hook_remove(&b.hook);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(at_their_points),
        WITH_REACTOR(removed_from_inside),
        WITH_REACTOR(added_from_inside),
        WITH_REACTOR(once_with_prepare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
