/* Single faults while a client of the local backend waits for its server, attaches, echoes and
 * closes in order, and then another one that finds the server there. */
enum { TOTAL = 5000, ROUNDS = 2 }; /* more than the rings hold */

#include "test/fault/talk.h"

static char folder[64];

static struct cdt_vchan_options here(void)
{
    return (struct cdt_vchan_options){.size = sizeof(struct cdt_vchan_options),
                                      .backend = CDT_VCHAN_LOCAL,
                                      .directory = folder,
                                      .domid = 1};
}

static const struct cdt_handler talker = {
    .size = sizeof talker, .on_open = talk_open, .on_read = talk_read, .on_close = talk_close};

static int dial(void)
{
    const struct cdt_vchan_options vchan = here();
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .connect_timeout = 300 * CDT_MS};
    struct cdt_flow *flow;
    talk.heard = 0;
    const int status = cdt_vchan_connect(talk.reactor, 0, "p", &vchan, &options, &talker, &flow);
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
        turn_with(talk.reactor, talk.rounds ? -1 : 1, POLLOUT); /* does not wait */
    if (status == 0)
        status =
            LIB(cdt_vchan_listen(talk.reactor, 0, "p", &vchan, &options, &echo, &talk.listener));
    if (status)
        talk.listener = NULL;
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

static void take_turns(void)
{
    while (!talk.stopped && in_bounds()) /* a client without a server ends with the reactor */
        turn_with(talk.reactor, -1, 0);
    if (talk.listener && talk.rounds == ROUNDS)
        problem("the server does not stop");
}

static struct outcome vchan_echo(void)
{
    struct outcome outcome = {0};
    const int rings = count_rings();
    memset(&talk, 0, sizeof talk);
    test_folder(folder);
    int result = LIB(cdt_reactor_new(NULL, &talk.reactor));
    if (result == 0) {
        result = start();
        if (result == 0)
            take_turns();
        if (LIB(cdt_reactor_free(talk.reactor)))
            problem("the reactor cannot be freed");
    }
    if (count_rings() != rings)
        problem("rings are left");
    test_folder_remove(folder);
    outcome.complete = talk.good == ROUNDS && talk.stopped == 1;
    outcome.told = result < 0 || talk.listen_status < 0 || talk.errors;
    return outcome;
}

static void test_echo(void **state)
{
    (void)state;
    fault.local = true;
    inject("vchan", vchan_echo, 500);
    assert_int_equal(talk.good, ROUNDS); /* of the last run, without a fault */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_echo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
