/* A removed watch never fires: not for an event that was fetched with the same batch, not if its
 * descriptor's number is reused in the same turn, and its memory may go at once. */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "test/reactor/support.h"

#define WATCHES 8

struct item {
    struct cdt_watch watch;
    int calls;
};

static struct cdt_reactor *reactor;
static struct item *items[WATCHES];
static int fds[WATCHES], calls;

static void never(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    fail();
}

static void on_remove_self(struct cdt_watch *watch, unsigned events)
{
    struct item *item = cdt_container_of(watch, struct item, watch);

    assert_int_equal(events, CDT_READ);
    calls++;
    assert_int_equal(cdt_watch_remove(watch), 0);
    free(item);
}

static void on_remove_all(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    calls++;
    for (int i = 0; i < WATCHES; i++) {
        assert_int_equal(cdt_watch_remove(&items[i]->watch), 0);
        free(items[i]);
    }
}

/* Closes every other descriptor; a new one with the same number, not readable, takes its place. */
static void on_replace_others(struct cdt_watch *watch, unsigned events)
{
    (void)events;
    calls++;
    for (int i = 0; i < WATCHES; i++) {
        int fd = fds[i];

        if (&items[i]->watch == watch)
            continue;
        assert_int_equal(cdt_watch_remove(&items[i]->watch), 0);
        close(fd);
        fds[i] = eventfd(0, EFD_CLOEXEC);
        assert_int_equal(fds[i], fd);
        memset(items[i], 0, sizeof *items[i]);
        items[i]->watch.fn = never;
        assert_int_equal(cdt_watch_add(reactor, &items[i]->watch, fds[i], CDT_READ), 0);
    }
}

static void begin(void **state, cdt_watch_fn *fn)
{
    reactor = *state;
    calls = 0;
    for (int i = 0; i < WATCHES; i++) {
        items[i] = calloc(1, sizeof *items[i]);
        assert_non_null(items[i]);
        items[i]->watch.fn = fn;
        fds[i] = eventfd(1, EFD_CLOEXEC);
        assert_int_equal(cdt_watch_add(reactor, &items[i]->watch, fds[i], CDT_READ), 0);
    }
}

static void end(void)
{
    for (int i = 0; i < WATCHES; i++)
        close(fds[i]);
}

static void remove_self(void **state)
{
    begin(state, on_remove_self);
    assert_int_equal(cdt_reactor_step(reactor, 0), WATCHES);
    assert_int_equal(calls, WATCHES);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    end();
}

static void remove_others_of_the_batch(void **state)
{
    begin(state, on_remove_all);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    assert_int_equal(calls, 1);
    assert_int_equal(support_counters(reactor).events, 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    end();
}

static void descriptor_reused_in_the_same_turn(void **state)
{
    begin(state, on_replace_others);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    assert_int_equal(calls, 1);
    for (int i = 0; i < WATCHES; i++) {
        cdt_watch_remove(&items[i]->watch);
        free(items[i]);
    }
    end();
}

static void on_disable_all(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    calls++;
    for (int i = 0; i < WATCHES; i++)
        assert_int_equal(cdt_watch_modify(&items[i]->watch, 0), 0);
}

static void disabled_watch_of_the_batch_is_silent(void **state)
{
    begin(state, on_disable_all);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_int_equal(calls, 1);
    for (int i = 0; i < WATCHES; i++)
        cdt_watch_modify(&items[i]->watch, CDT_READ);
    assert_int_equal(cdt_reactor_step(reactor, 0), 1);
    for (int i = 0; i < WATCHES; i++) {
        cdt_watch_remove(&items[i]->watch);
        free(items[i]);
    }
    end();
}

/* Closing the original leaves a description that lives in its duplicate: nothing may come of it. */
static void duplicate_keeps_no_registration(void **state)
{
    struct cdt_watch watch = {.fn = never};
    int pair[2], copy;

    reactor = *state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(cdt_watch_add(reactor, &watch, pair[0], CDT_READ), 0);
    copy = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
    assert_int_equal(cdt_watch_remove(&watch), 0);
    close(pair[0]);
    memset(&watch, 0xa5, sizeof watch);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    close(pair[1]);
    close(copy);
}

static void remove_twice_and_after_free(void **state)
{
    struct cdt_watch watch = {.fn = never};
    struct cdt_reactor *second;
    int fd = eventfd(0, EFD_CLOEXEC);

    assert_int_equal(cdt_watch_add(*state, &watch, fd, CDT_READ), 0);
    assert_int_equal(cdt_watch_remove(&watch), 0);
    assert_int_equal(cdt_watch_remove(&watch), 0);
    assert_int_equal(cdt_reactor_new(NULL, &second), 0);
    assert_int_equal(cdt_watch_add(second, &watch, fd, CDT_READ), 0);
    assert_int_equal(cdt_reactor_free(second), 0);
    assert_int_equal(cdt_watch_remove(&watch), 0);
    assert_int_equal(cdt_watch_modify(&watch, CDT_READ), -EINVAL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(remove_self),
        WITH_REACTOR(remove_others_of_the_batch),
        WITH_REACTOR(descriptor_reused_in_the_same_turn),
        WITH_REACTOR(disabled_watch_of_the_batch_is_silent),
        WITH_REACTOR(duplicate_keeps_no_registration),
        WITH_REACTOR(remove_twice_and_after_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
