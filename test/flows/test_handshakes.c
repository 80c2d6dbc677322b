/* Handshakes in progress: so many at once, first come first served; who says nothing takes no
 * place, and who stalls gives way. */
#include "test/support/serve.h"

/* A layer whose peer knocks ("k"), and is in when it then says "e". */
enum { KNOCK = 'k', ENTER = 'e' };

static int door_handshake(struct cdt_layer *layer)
{
    int *knocked = cdt_layer_context(layer);
    const uint8_t *bytes;
    ssize_t n;
    while ((n = cdt_layer_peek(layer, &bytes)) > 0) {
        assert_int_equal(bytes[0], *knocked ? ENTER : KNOCK);
        if (!*knocked) {
            const int status = cdt_layer_claim(layer);
            if (status)
                return status;
        }
        cdt_layer_consume(layer, 1);
        if ((*knocked)++)
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
    free(cdt_layer_context(layer));
}

static const struct cdt_layer_ops door = {.size = sizeof door,
                                          .name = "door",
                                          .start = door_start,
                                          .handshake = door_handshake,
                                          .read = door_read,
                                          .write = cdt_layer_write,
                                          .free = door_free};

static int push_door(struct serve *serve, struct cdt_flow *flow)
{
    int *knocked = calloc(1, sizeof *knocked);
    (void)serve;
    assert_non_null(knocked);
    assert_int_equal(cdt_flow_push(flow, &door, knocked), 0);
    return 0;
}

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
    const uint64_t before = test_now();
    say(&world, 1, KNOCK);
    say(&world, 1, ENTER);
    until(world.reactor, world.serve.opened == 1);
    assert_true(test_now() - before > CDT_SECOND);
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
    const uint64_t later = test_now() + 2500 * CDT_MS;
    while (test_now() < later)
        cdt_reactor_step(world.reactor, 50 * CDT_MS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_so_many_at_once),
        flow_test(test_silence_takes_no_place),
        flow_test(test_who_stalls_gives_way),
        flow_test(test_nobody_waits),
        flow_test(test_leaving),
        flow_test(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
