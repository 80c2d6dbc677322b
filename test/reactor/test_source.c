/* What the rooms above use: sources, the ready list, the room, the log, turns while being freed. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "reactor/internal.h"
#include "test/reactor/support.h"

struct named {
    struct cdt_source source;
    char name;
    int again;
};

static struct cdt_reactor *reactor;
static char order[32];

static void on_source(struct cdt_source *source, uint32_t events)
{
    struct named *named = cdt_container_of(source, struct named, source);

    (void)events;
    assert_false(reactor_is_ready(source));
    order[strlen(order)] = named->name;
    if (named->again-- > 0) {
        reactor_ready(reactor, source);
        assert_true(reactor_is_ready(source));
    }
}

static void begin(void **state)
{
    reactor = *state;
    memset(order, 0, sizeof order);
}

static void ready_list_is_taken_as_it_stands(void **state)
{
    struct named a = {{.on_event = on_source}, 'a', 2}, b = {{.on_event = on_source}, 'b', 0};

    begin(state);
    reactor_ready(reactor, &a.source);
    reactor_ready(reactor, &b.source);
    reactor_ready(reactor, &a.source);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 2);
    assert_string_equal(order, "ab");
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    assert_string_equal(order, "abaa");
}

static void on_free(struct cdt_source *source, uint32_t events)
{
    assert_int_equal(events, 0);
    order[strlen(order)] = 'f';
    free(cdt_container_of(source, struct named, source));
}

static void freed_from_the_ready_list(void **state)
{
    begin(state);
    for (int i = 0; i < 3; i++) {
        struct named *named = calloc(1, sizeof *named);

        assert_non_null(named);
        named->source.on_event = on_free;
        reactor_ready(reactor, &named->source);
    }
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 3);
    assert_string_equal(order, "fff");
}

static void edge_triggered_source(void **state)
{
    struct named a = {{.on_event = on_source}, 'a', 0};
    int fd = eventfd(1, EFD_CLOEXEC);

    begin(state);
    assert_int_equal(reactor_source_add(reactor, &a.source, fd, EPOLLIN | EPOLLET), 0);
    assert_int_equal(reactor_source_add(reactor, &a.source, fd, EPOLLIN), -EEXIST);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 0);
    reactor_source_remove(reactor, fd);
    close(fd);
    assert_string_equal(order, "a");
}

struct counting_room {
    struct reactor_room room;
    struct cdt_deferred deferred;
    int turns;
};

static void on_deferred(struct cdt_deferred *deferred)
{
    struct counting_room *room = cdt_container_of(deferred, struct counting_room, deferred);

    assert_int_equal(cdt_reactor_step(reactor, 0), -EBUSY);
    assert_int_equal(cdt_reactor_free(reactor), -EBUSY);
    if (++room->turns < 3)
        cdt_defer(reactor, deferred);
}

static void destroy(struct reactor_room *base)
{
    struct counting_room *room = cdt_container_of(base, struct counting_room, room);

    assert_ptr_equal(reactor_room(reactor, destroy), base);
    while (room->turns < 3)
        assert_true(reactor_turn(reactor, CDT_NEVER) >= 0);
    reactor_remove_room(reactor, base);
    assert_null(reactor_room(reactor, destroy));
}

static void room_may_turn_while_it_is_destroyed(void **state)
{
    struct counting_room room = {.room.destroy = destroy, .deferred.fn = on_deferred};

    (void)state;
    assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
    assert_null(reactor_room(reactor, destroy));
    reactor_add_room(reactor, &room.room);
    cdt_defer(reactor, &room.deferred);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(room.turns, 3);
}

/* Rooms that write down when they were destroyed; the first adds one more meanwhile. */
static struct reactor_room rooms[4];
static char destroyed[8];

static void destroyed_one(struct reactor_room *room)
{
    destroyed[strlen(destroyed)] = (char)('0' + (room - rooms));
    if (room == &rooms[0])
        reactor_add_room(reactor, &rooms[3]);
    reactor_remove_room(reactor, room);
}

static void destroyed_other(struct reactor_room *room)
{
    destroyed_one(room);
}

static void rooms_are_found_and_go_in_order(void **state)
{
    (void)state;
    destroyed[0] = 0;
    assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
    for (int i = 0; i < 4; i++)
        rooms[i].destroy = i == 2 ? destroyed_other : destroyed_one;
    for (int i = 0; i < 3; i++)
        reactor_add_room(reactor, &rooms[i]);
    assert_ptr_equal(reactor_room(reactor, destroyed_one), &rooms[0]);
    assert_ptr_equal(reactor_room(reactor, destroyed_other), &rooms[2]);
    reactor_remove_room(reactor, &rooms[1]);
    reactor_remove_room(reactor, &rooms[1]); /* is not there: nothing */
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_string_equal(destroyed, "023");
}

static char logged[600];
static enum cdt_log_level logged_level;

static void on_log(void *user, enum cdt_log_level level, const char *text)
{
    assert_ptr_equal(user, logged);
    logged_level = level;
    snprintf(logged, sizeof logged, "%s", text);
}

static void log_goes_to_the_hook(void **state)
{
    char long_text[1000];

    begin(state);
    reactor_log(reactor, CDT_LOG_ERROR, "nobody listens");
    assert_int_equal(cdt_reactor_set_log(reactor, on_log, logged), 0);
    errno = EPIPE;
    reactor_log(reactor, CDT_LOG_WARNING, "%d lines", 1);
    assert_int_equal(errno, EPIPE);
    assert_string_equal(logged, "1 lines");
    assert_int_equal(logged_level, CDT_LOG_WARNING);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    reactor_log(reactor, CDT_LOG_DEBUG, "%s", long_text);
    assert_int_equal(strlen(logged), 511);
    assert_int_equal(cdt_reactor_set_log(reactor, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(ready_list_is_taken_as_it_stands),
        WITH_REACTOR(freed_from_the_ready_list),
        WITH_REACTOR(edge_triggered_source),
        WITH_REACTOR(room_may_turn_while_it_is_destroyed),
        WITH_REACTOR(rooms_are_found_and_go_in_order),
        WITH_REACTOR(log_goes_to_the_hook),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
