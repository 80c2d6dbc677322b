/* Handshakes in progress: so many at once, first come first served; who says nothing takes no
 * place, who stalls gives way, and a flood of those starves nobody. */
#include <sys/syscall.h>

#include "test/support/serve.h"

/* ---- the clock ------------------------------------------------------------------------------- */

static uint64_t frozen, ahead; /* it stands there (0: it goes), and so much further */

int clock_gettime(clockid_t id, struct timespec *time)
{
    if (syscall(SYS_clock_gettime, id, time) != 0)
        return -1;
    uint64_t now = (uint64_t)time->tv_sec * CDT_SECOND + (uint64_t)time->tv_nsec;
    now = (frozen ? frozen : now) + ahead;
    time->tv_sec = (time_t)(now / CDT_SECOND);
    time->tv_nsec = (long)(now % CDT_SECOND);
    return 0;
}

static int clock_goes(void **state)
{
    frozen = ahead = 0;
    return test_fds_same(state);
}
#define clock_test(test) cmocka_unit_test_setup_teardown(test, test_fds_remember, clock_goes)

/* ---- a layer --------------------------------------------------------------------------------- */

/* Its peer knocks ("k"), and is in when it then says "e". */
enum { KNOCK = 'k', ENTER = 'e' };

/* Of each flow, in the order in which they came. */
static struct door {
    bool knocked, entered, gone;
    uint64_t since; /* when the knock was heard */
} doors[400];
static unsigned door_count;

static int door_handshake(struct cdt_layer *layer)
{
    struct door *door = cdt_layer_context(layer);
    const uint8_t *bytes;
    ssize_t n;
    while ((n = cdt_layer_peek(layer, &bytes)) > 0) {
        assert_int_equal(bytes[0], door->knocked ? ENTER : KNOCK);
        if (!door->knocked) {
            const int status = cdt_layer_claim(layer);
            if (status)
                return status;
            door->since = test_now();
        }
        cdt_layer_consume(layer, 1);
        door->entered = door->knocked;
        door->knocked = true;
        if (door->entered)
            return 0;
    }
    return n == 0 ? -ECONNRESET : (int)n;
}

static int door_start(struct cdt_layer *layer)
{
    (void)layer;
    return -EAGAIN;
}

static ssize_t door_read(struct cdt_layer *layer, void *data, size_t length)
{
    const uint8_t *bytes;
    ssize_t n = cdt_layer_peek(layer, &bytes);
    if (n <= 0)
        return n;
    if ((size_t)n > length)
        n = (ssize_t)length;
    memcpy(data, bytes, (size_t)n);
    cdt_layer_consume(layer, (size_t)n);
    return n;
}

static void door_free(struct cdt_layer *layer)
{
    ((struct door *)cdt_layer_context(layer))->gone = true;
}

static const struct cdt_layer_ops door_ops = {.size = sizeof door_ops,
                                              .name = "door",
                                              .start = door_start,
                                              .handshake = door_handshake,
                                              .read = door_read,
                                              .write = cdt_layer_write,
                                              .free = door_free};

static int push_door(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    assert_true(door_count < sizeof doors / sizeof *doors);
    struct door *door = &doors[door_count++];
    *door = (struct door){0};
    assert_int_equal(cdt_flow_push(flow, &door_ops, door), 0);
    return 0;
}

/* ---- clients --------------------------------------------------------------------------------- */

enum { CLIENTS = 20 };

struct world {
    struct cdt_reactor *reactor;
    struct serve serve;
    int fds[CLIENTS];
};

static void begin(struct world *world, unsigned max, int clients)
{
    *world = (struct world){.reactor = test_reactor(), .serve = {.on_accept = push_door}};
    struct cdt_server_options options = serve_options(&world->serve);
    options.max_handshakes = max;
    door_count = 0;
    serve_tcp(world->reactor, &world->serve, &options);
    for (int i = 0; i < clients; i++)
        world->fds[i] = client_connect(&world->serve.address);
    until(world->reactor, world->serve.accepted == clients);
}

static void end(struct world *world, int clients)
{
    for (int i = 0; i < clients; i++)
        close(world->fds[i]);
    serve_stop(world->reactor, &world->serve);
    assert_int_equal(cdt_reactor_free(world->reactor), 0);
}

static void say(const struct world *world, int client, char what)
{
    assert_int_equal(send(world->fds[client], &what, 1, MSG_NOSIGNAL), 1);
}

static unsigned in_progress(const struct world *world)
{
    return serve_counters(&world->serve).handshakes;
}

static uint64_t waited(const struct world *world)
{
    return serve_counters(&world->serve).handshakes_waited;
}

/* ---- the limit ------------------------------------------------------------------------------- */

static void test_so_many_at_once(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 2, 5);
    for (int i = 0; i < 5; i++) {
        say(&world, i, KNOCK);
        until(world.reactor, in_progress(&world) + waited(&world) == (unsigned)i + 1);
    }
    assert_int_equal(in_progress(&world), 2);
    assert_int_equal(waited(&world), 3);
    say(&world, 4, ENTER); /* it is not its turn */
    settle(world.reactor);
    assert_int_equal(world.serve.opened, 0);
    for (int i = 0; i < 3; i++) { /* the third frees the place of the last */
        say(&world, i, ENTER);
        until(world.reactor, world.serve.opened >= i + 1);
    }
    until(world.reactor, world.serve.opened == 4);
    assert_int_equal(in_progress(&world), 1);
    say(&world, 3, ENTER);
    until(world.reactor, world.serve.opened == 5);
    assert_int_equal(in_progress(&world), 0);
    assert_int_equal(waited(&world), 3);
    end(&world, 5);
}

static void test_silence_takes_no_place(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1, 5);
    say(&world, 4, KNOCK);
    say(&world, 4, ENTER);
    until(world.reactor, world.serve.opened == 1);
    assert_int_equal(waited(&world), 0);
    end(&world, 5);
}

static void test_who_stalls_gives_way(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1, 2);
    say(&world, 0, KNOCK);
    until(world.reactor, in_progress(&world) == 1);
    ahead += 1900 * CDT_MS; /* so long one may take, alone or not */
    say(&world, 1, KNOCK);
    say(&world, 1, ENTER);
    until(world.reactor, waited(&world) == 1);
    settle(world.reactor);
    assert_true(world.serve.opened == 0 || test_slow());
    ahead += 200 * CDT_MS;
    until(world.reactor, world.serve.opened == 1);
    assert_int_equal(world.serve.errors, 1);
    assert_int_equal(world.serve.error_status, -CDT_EHANDSHAKE);
    assert_non_null(strstr(world.serve.error_text, "waited for its place"));
    assert_int_equal(client_read(world.fds[0]), -ECONNRESET);
    end(&world, 2);
}

/* Alone, one may take its time. */
static void test_nobody_waits(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1, 1);
    say(&world, 0, KNOCK);
    until(world.reactor, in_progress(&world) == 1);
    ahead += 9 * CDT_SECOND;
    settle(world.reactor);
    assert_int_equal(world.serve.errors, 0);
    say(&world, 0, ENTER);
    until(world.reactor, world.serve.opened == 1);
    end(&world, 1);
}

static void test_leaving(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1, 4);
    for (int i = 0; i < 4; i++) {
        say(&world, i, KNOCK);
        until(world.reactor, in_progress(&world) + waited(&world) == (unsigned)i + 1);
    }
    client_reset(world.fds[1]); /* in line */
    client_reset(world.fds[0]); /* with a place, which goes to the third */
    until(world.reactor, world.serve.errors == 2);
    say(&world, 2, ENTER);
    until(world.reactor, world.serve.opened == 1);
    say(&world, 3, ENTER);
    until(world.reactor, world.serve.opened == 2);
    world.fds[0] = world.fds[2];
    world.fds[1] = world.fds[3];
    end(&world, 2);
}

/* More than are begun in one turn; and a stop while some wait. */
static void test_all_at_once(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 0, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        say(&world, i, KNOCK);
        say(&world, i, ENTER);
    }
    until(world.reactor, world.serve.opened == CLIENTS);
    assert_int_equal(in_progress(&world), 0);
    end(&world, CLIENTS);

    begin(&world, 3, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        say(&world, i, KNOCK);
    until(world.reactor, in_progress(&world) == 3 && waited(&world) >= CLIENTS - 3);
    end(&world, CLIENTS);
}

/* ---- a flood --------------------------------------------------------------------------------- */

/* Clients that come one after the other; the honest ones answer so long after the server has. */
struct client {
    int fd;
    bool honest, answered;
    uint64_t came, was_open;
    const struct door *door;
};

struct flood {
    struct world world;
    struct client clients[sizeof doors / sizeof *doors];
    unsigned count;
    uint64_t delay;
};

static void flood_begin(struct flood *flood, unsigned max, uint64_t delay)
{
    begin(&flood->world, max, 0);
    flood->count = 0;
    flood->delay = delay;
    frozen = test_now();
}

static void flood_come(struct flood *flood, bool honest)
{
    struct client *client = &flood->clients[flood->count];
    *client = (struct client){.honest = honest,
                              .came = test_now(),
                              .door = &doors[flood->count],
                              .fd = client_connect(&flood->world.serve.address)};
    flood->count++;
    until(flood->world.reactor, door_count == flood->count);
    assert_int_equal(send(client->fd, "k", 1, MSG_NOSIGNAL), 1);
}

/* Some time passes; what the clients do meanwhile. */
static void flood_pass(struct flood *flood, uint64_t time)
{
    ahead += time;
    settle(flood->world.reactor);
    for (unsigned i = 0; i < flood->count; i++) {
        struct client *client = &flood->clients[i];
        if (client->fd < 0)
            continue;
        if (client->honest && client->door->knocked && !client->answered &&
            test_now() >= client->door->since + flood->delay) {
            assert_int_equal(send(client->fd, "e", 1, MSG_NOSIGNAL), 1);
            client->answered = true;
        }
        if (client->door->entered)
            client->was_open = test_now();
        if (client->door->entered || client->door->gone) {
            close(client->fd);
            client->fd = -1;
        }
    }
    settle(flood->world.reactor);
}

/* The longest that an honest client of those that came between these times had to wait. */
static uint64_t flood_longest(const struct flood *flood, uint64_t from, uint64_t to)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < flood->count; i++) {
        const struct client *client = &flood->clients[i];
        if (!client->honest || client->came < frozen + from || client->came >= frozen + to)
            continue;
        if (!client->was_open)
            fail_msg("client %u of %u has not come in", i, flood->count);
        if (client->was_open - client->came > longest)
            longest = client->was_open - client->came;
    }
    print_message("           the longest wait: %u ms\n", (unsigned)(longest / CDT_MS));
    return longest;
}

static void flood_end(struct flood *flood)
{
    for (unsigned i = 0; i < flood->count; i++) {
        if (flood->clients[i].fd >= 0)
            close(flood->clients[i].fd);
    }
    end(&flood->world, 0);
    frozen = ahead = 0;
}

/* Of 40 clients a second all but every eighth stall, where there are 8 places: as 300 where there
 * are 64. And a quarter of that, with honest ones that are farther away. */
static void test_flood(void **state)
{
    static struct flood flood;
    static const struct {
        uint64_t every, delay;
    } floods[] = {{25 * CDT_MS, 100 * CDT_MS}, {100 * CDT_MS, 300 * CDT_MS}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        flood_begin(&flood, 8, floods[i].delay);
        const uint64_t steps = 8 * CDT_SECOND / floods[i].every;
        for (uint64_t step = 0; step < steps; step++) {
            flood_come(&flood, step % 8 == 7);
            flood_pass(&flood, floods[i].every);
        }
        assert_true(flood.world.serve.errors > (i ? 30 : 100));
        assert_true(flood.world.serve.errors > flood.world.serve.opened);
        const uint64_t at_first = 2300 * CDT_MS, later = 1500 * CDT_MS;
        assert_true(flood_longest(&flood, 0, 3 * CDT_SECOND) < at_first);
        assert_true(flood_longest(&flood, 3 * CDT_SECOND, 6 * CDT_SECOND) < later);
        flood_end(&flood);
    }
}

/* A crowd of clients that are far away: none stalls, and none has to give way. */
static void test_crowd(void **state)
{
    static struct flood flood;
    (void)state;
    flood_begin(&flood, 8, 300 * CDT_MS);
    for (int i = 0; i < 200; i++)
        flood_come(&flood, true);
    for (int i = 0; i < 200 && flood.world.serve.opened < 200; i++)
        flood_pass(&flood, 50 * CDT_MS);
    assert_int_equal(flood.world.serve.opened, 200);
    assert_int_equal(flood.world.serve.errors, 0);
    flood_end(&flood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        clock_test(test_so_many_at_once),
        clock_test(test_silence_takes_no_place),
        clock_test(test_who_stalls_gives_way),
        clock_test(test_nobody_waits),
        clock_test(test_leaving),
        clock_test(test_all_at_once),
        clock_test(test_flood),
        clock_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
