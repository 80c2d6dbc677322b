/* Races of endpoints with and without TLS: the winner has the layers of its own endpoint and of no
 * other, what was written before goes through them, and nobody falls back to less. */
#include "test/context/race.h"
#include "test/context/tls.h"

static enum cdt_tls_backend backend; /* of the tests that run now */

enum place { REFUSED, SILENT, PLAIN, SECURE, PLACES };

struct world {
    struct cdt_reactor *reactor;
    struct cdt_tls_config *client, *server;
    struct cdt_context *context;
    struct serve serve[PLACES]; /* PLAIN, SECURE */
    struct hole hole;
    struct cdt_addr refused;
    int taken;
    struct probe probe;
};

static void listen_at(struct world *world, enum place place, const char *text)
{
    struct serve *serve = &world->serve[place];
    const struct cdt_server_options options = serve_options(serve);
    assert_int_equal(cdt_serve(world->context, text, &options, &serve_handler, &serve->server), 0);
    until(world->reactor, serve->listened);
    assert_int_equal(serve->listen_status, 0);
}

static void begin(struct world *world)
{
    *world = (struct world){.reactor = test_reactor()};
    world->client = make_config(world->reactor, CDT_TLS_CLIENT, backend, NULL);
    world->server = make_config(world->reactor, CDT_TLS_SERVER, backend, NULL);
    const struct cdt_flow_options flow = {.size = sizeof flow, .tls = world->client};
    const struct cdt_context_options options = {.size = sizeof options,
                                                .flow = &flow,
                                                .tls_server = world->server,
                                                .attempt_delay = 50 * CDT_MS};
    assert_int_equal(cdt_context_new(world->reactor, &options, &world->context), 0);
    listen_at(world, PLAIN, "tcp:127.0.0.1:0");
    listen_at(world, SECURE, "tls:127.0.0.1:0");
    hole_make(&world->hole);
    world->taken = refusing("127.0.0.1", &world->refused);
}

static void end(struct world *world)
{
    serve_stop(world->reactor, &world->serve[PLAIN]);
    serve_stop(world->reactor, &world->serve[SECURE]);
    hole_close(&world->hole);
    close(world->taken);
    probe_free(&world->probe);
    assert_int_equal(cdt_context_free(world->context), 0);
    cdt_tls_config_free(world->client);
    cdt_tls_config_free(world->server);
    assert_int_equal(cdt_reactor_free(world->reactor), 0);
}

/* So many layers of TLS over TCP to a place. */
struct target {
    unsigned layers;
    enum place place;
};

static struct cdt_endp *endp_at(const struct world *world, const struct target *target)
{
    const struct cdt_addr *const addrs[] = {&world->refused, &world->hole.addr,
                                            &world->serve[PLAIN].address,
                                            &world->serve[SECURE].address};
    struct cdt_endp *endp = endp_of(addrs[target->place]);
    for (unsigned i = 0; i < target->layers; i++)
        assert_int_equal(cdt_endp_tls("localhost", endp, &endp), 0);
    return endp;
}

/* Connects to the first that answers, and writes at once. */
static void race(struct world *world, const struct target targets[2],
                 const struct cdt_flow_options *options)
{
    struct cdt_endp *endps[2] = {endp_at(world, &targets[0]), endp_at(world, &targets[1])};
    struct cdt_flow *flow;
    assert_int_equal(cdt_connect_endps(world->context, (const struct cdt_endp *const *)endps, 2,
                                       options, &probe_handler, &flow),
                     0);
    probe_attach(flow, &world->probe);
    cdt_endp_free(endps[0]);
    cdt_endp_free(endps[1]);
    assert_true(cdt_flow_write(flow, "hello", 5) >= 0);
    until(world->reactor, world->probe.length == 5 || world->probe.closed);
}

static const struct {
    struct target targets[2];
    enum place winner;
} races[] = {
    {{{0, REFUSED}, {1, SECURE}}, SECURE}, {{{1, REFUSED}, {0, PLAIN}}, PLAIN},
    {{{0, SILENT}, {1, SECURE}}, SECURE},  {{{1, SILENT}, {0, PLAIN}}, PLAIN},
    {{{2, SILENT}, {1, SECURE}}, SECURE},  {{{2, REFUSED}, {0, PLAIN}}, PLAIN},
    {{{1, SECURE}, {0, PLAIN}}, SECURE},   {{{0, PLAIN}, {1, SECURE}}, PLAIN},
};

static void test_layers_of_the_winner(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof races / sizeof *races; i++) {
        struct world world;
        struct cdt_tls_info info;
        struct cdt_endp *endp, *wanted;
        begin(&world);
        race(&world, races[i].targets, NULL);
        const struct probe *probe = &world.probe;
        if (probe->closed)
            fail_msg("race %zu: %s", i, probe->error);
        assert_true(probe_has(probe, "hello", 5));
        assert_int_equal(probe->opened, 1);
        assert_int_equal(cdt_tls_info(probe->flow, &info), races[i].winner == SECURE ? 0 : -ENOENT);
        assert_int_equal(cdt_flow_endp(probe->flow, true, &endp), 0);
        const bool first = races[i].targets[0].place == races[i].winner;
        wanted = endp_at(&world, &races[i].targets[first ? 0 : 1]);
        assert_true(cdt_endp_equal(endp, wanted));
        cdt_endp_free(endp);
        cdt_endp_free(wanted);
        cdt_flow_close(probe->flow);
        until(world.reactor, probe->closed && world.serve[races[i].winner].closed == 1);
        assert_int_equal(probe->status, 0);
        end(&world);
    }
}

/* Who has connected has won: if its handshake fails, the endpoint without TLS is not tried. */
static void test_no_way_down(void **state)
{
    static const struct target targets[] = {{1, PLAIN}, {0, PLAIN}};
    struct world world;
    (void)state;
    begin(&world);
    race(&world, targets, NULL);
    assert_int_equal(world.probe.closed, 1); /* an echo is no ServerHello */
    assert_int_equal(world.probe.opened, 0);
    assert_int_equal(world.probe.status, -CDT_ETLS);
    until(world.reactor, world.serve[PLAIN].closed == 1);
    assert_int_equal(world.serve[PLAIN].accepted, 1);
    end(&world);
}

/* A configuration that cannot be used is a failure of the endpoints with TLS only; where there are
 * no others, that is what is said. */
static void test_no_configuration(void **state)
{
    static const struct target mixed[] = {{1, SECURE}, {0, PLAIN}},
                               none[] = {{1, SECURE}, {2, SECURE}};
    (void)state;
    for (int any = 0; any < 2; any++) {
        struct world world;
        begin(&world);
        const struct cdt_flow_options options = {.size = sizeof options, .tls = world.server};
        race(&world, any ? mixed : none, &options);
        assert_int_equal(world.probe.opened, any);
        if (any) {
            assert_true(probe_has(&world.probe, "hello", 5));
            cdt_flow_close(world.probe.flow);
            until(world.reactor, world.probe.closed);
        } else {
            assert_int_equal(world.probe.status, -EINVAL);
            assert_non_null(strstr(world.probe.error, "the TLS configuration is for servers"));
        }
        assert_int_equal(world.serve[SECURE].accepted, 0);
        end(&world);
    }
}

static void test_missing(void **state)
{
    (void)state;
    print_message("%s is not built in\n", cdt_tls_backend_name(backend));
    skip();
}

int main(void)
{
    static const enum cdt_tls_backend backends[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    const struct CMUnitTest tests[] = {
        flow_test(test_layers_of_the_winner),
        flow_test(test_no_way_down),
        flow_test(test_no_configuration),
    };
    const struct CMUnitTest missing[] = {cmocka_unit_test(test_missing)};
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        backend = backends[i];
        failed += cdt_tls_built_in(backend) ? cmocka_run_group_tests(tests, NULL, NULL)
                                            : cmocka_run_group_tests(missing, NULL, NULL);
    }
    return failed;
}
