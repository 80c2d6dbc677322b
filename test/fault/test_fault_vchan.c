/* Single faults while a client of the local backend waits for its server, attaches, echoes and
 * closes in order, and then another one that finds the server there. */
#include "test/fault/fault.h"

#include <conduit/conduit.h>

enum { TOTAL = 5000, ROUNDS = 2 }; /* more than the rings hold */

static char folder[64];

static struct {
    struct cdt_reactor *reactor;
    struct cdt_server *listener;
    int listened, listen_status, stopped;
    int rounds, good;
    int errors; /* that somebody was told of */
    size_t heard;
} world;

static void went_wrong(int status)
{
    world.errors += status != 0;
}

static struct cdt_vchan_options here(void)
{
    return (struct cdt_vchan_options){.size = sizeof(struct cdt_vchan_options),
                                      .backend = CDT_VCHAN_LOCAL,
                                      .directory = folder,
                                      .domid = 1};
}

/* ---- the server ------------------------------------------------------------------------------ */

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int result = cdt_flow_write(flow, data, length);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static const struct cdt_handler echo = {.size = sizeof echo, .on_read = echo_read};

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)server, (void)text;
    world.listened++;
    world.listen_status = status;
}

static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)text, (void)peer;
    went_wrong(status);
}

static void on_stopped(struct cdt_server *server)
{
    (void)server;
    world.listener = NULL;
    world.stopped++;
}

/* ---- the client ------------------------------------------------------------------------------ */

static void talk_open(struct cdt_flow *flow)
{
    static uint8_t data[TOTAL];
    test_pattern(data, TOTAL, 0);
    const int result = cdt_flow_write(flow, data, TOTAL);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static void talk_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (length > TOTAL - world.heard || !test_is_pattern(data, length, world.heard))
        problem("what came back is not what was sent");
    world.heard += length;
    if (world.heard == TOTAL)
        cdt_flow_close(flow);
}

static int dial(void);

static void talk_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    went_wrong(status);
    if (status == 0 && world.heard != TOTAL)
        problem("%zu of %d bytes came, and no error", world.heard, TOTAL);
    world.rounds++;
    world.good += status == 0;
    if ((world.rounds == ROUNDS || dial() != 0) && world.listener)
        cdt_server_stop(world.listener, CDT_SECOND);
}

static const struct cdt_handler talker = {
    .size = sizeof talker, .on_open = talk_open, .on_read = talk_read, .on_close = talk_close};

/* A flow that was made is heard of by talk_close(), whatever becomes of it. */
static int dial(void)
{
    const struct cdt_vchan_options vchan = here();
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .connect_timeout = 300 * CDT_MS};
    struct cdt_flow *flow;
    world.heard = 0;
    const int status = cdt_vchan_connect(world.reactor, 0, "p", &vchan, &options, &talker, &flow);
    went_wrong(status);
    return status;
}

/* ---- the scenario ---------------------------------------------------------------------------- */

static int start(void)
{
    const struct cdt_vchan_options vchan = here();
    const struct cdt_server_options options = {.size = sizeof options,
                                               .on_listen = on_listen,
                                               .on_error = on_error,
                                               .on_stopped = on_stopped};
    int status = LIB(dial());
    for (int i = 0; i < 3 && status == 0; i++)
        turn_with(world.reactor, world.rounds ? -1 : 1, POLLOUT); /* does not wait */
    if (status == 0)
        status =
            LIB(cdt_vchan_listen(world.reactor, 0, "p", &vchan, &options, &echo, &world.listener));
    if (status)
        world.listener = NULL;
    return status;
}

static int count_rings(void)
{
    static char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:vchan") != NULL;
    if (maps)
        fclose(maps);
    return count;
}

static void talk(void)
{
    while (!world.stopped && in_bounds()) /* a client without a server ends with the reactor */
        turn_with(world.reactor, -1, 0);
    if (world.listener && world.rounds == ROUNDS)
        problem("the server does not stop");
}

static struct outcome vchan_echo(void)
{
    struct outcome outcome = {0};
    const int rings = count_rings();
    memset(&world, 0, sizeof world);
    test_folder(folder);
    int result = LIB(cdt_reactor_new(NULL, &world.reactor));
    if (result == 0) {
        result = start();
        if (result == 0)
            talk();
        if (LIB(cdt_reactor_free(world.reactor)))
            problem("the reactor cannot be freed");
    }
    if (count_rings() != rings)
        problem("rings are left");
    test_folder_remove(folder);
    outcome.complete = world.good == ROUNDS && world.stopped == 1;
    outcome.told = result < 0 || world.listen_status < 0 || world.errors;
    return outcome;
}

static void test_echo(void **state)
{
    (void)state;
    fault.local = true;
    inject("vchan", vchan_echo, 500);
    assert_int_equal(world.good, ROUNDS); /* of the last run, without a fault */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_echo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
