/* The allocator hook: all or none, before anything else, and its failures are reported. */
#include <string.h>

#include "reactor/internal.h"
#include "test/reactor/support.h"

static size_t allocated, released;
static bool failing;

static void *allocate(size_t size)
{
    void *memory = failing ? NULL : malloc(size);

    if (memory) {
        memset(memory, 0xa5, size);
        allocated++;
    }
    return memory;
}

static void *resize(void *memory, size_t size)
{
    if (!failing && !memory)
        allocated++;
    return failing ? NULL : realloc(memory, size);
}

static void release(void *memory)
{
    if (memory)
        released++;
    free(memory);
}

/* First of all: the hook is only taken before the first allocation. */
static void in_use_from_the_beginning(void **state)
{
    struct cdt_reactor *reactor;
    char *text;

    (void)state;
    assert_int_equal(cdt_set_allocator(allocate, NULL, release), -EINVAL);
    assert_int_equal(cdt_set_allocator(NULL, resize, NULL), -EINVAL);
    assert_int_equal(cdt_set_allocator(NULL, NULL, NULL), 0);
    assert_int_equal(cdt_set_allocator(allocate, resize, release), 0);
    assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
    assert_int_equal(allocated, 1);
    assert_int_equal(cdt_set_allocator(NULL, NULL, NULL), -EBUSY);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    text = mem_strdup("text");
    assert_string_equal(text, "text");
    text = mem_realloc(text, 100);
    assert_string_equal(text, "text");
    mem_free(text);
    mem_free(mem_realloc(NULL, 10));
    mem_free(NULL);
    assert_int_equal(allocated, released);
}

static void failures_are_reported(void **state)
{
    struct cdt_reactor *reactor = NULL;

    (void)state;
    failing = true;
    assert_int_equal(cdt_reactor_new(NULL, &reactor), -ENOMEM);
    assert_null(reactor);
    assert_null(mem_strdup("text"));
    assert_null(mem_zalloc(1));
    failing = false;
    assert_int_equal(allocated, released);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_use_from_the_beginning),
        cmocka_unit_test(failures_are_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
