/* Throttling against a model: several servers with overlapping limits; clients come and go, limits
 * change, servers stop and others begin, from outside and from inside of callbacks, all at random.
 *
 * At every accept: no limit that the server takes slots of is exceeded. Whenever all is quiet: a
 * server with waiting clients has a limit that is full, so no wake-up was lost; the limits count
 * exactly the flows that live; each server has taken its clients in the order in which they
 * came. */
#include "test/support/serve.h"

enum { SERVERS = 5, LIMITS = 3, CLIENTS = 80, ROUNDS = 4000 };

struct client {
    int fd; /* -1: gone, or none */
    int server;
    uint16_t port;
    uint64_t number; /* in the order of connecting */
    bool waiting;    /* not yet accepted, perhaps gone already */
};

struct place {
    struct serve serve;
    unsigned limits; /* bits: which of the shared ones */
    uint64_t last;   /* number of the client accepted last */
    bool stopping;
};

static struct cdt_reactor *reactor;
static struct cdt_limit *limits[LIMITS];
static struct place places[SERVERS];
static struct client clients[CLIENTS];
static uint64_t connected;
static unsigned random_state;
static bool quiet; /* callbacks do nothing of their own */

static unsigned pick(unsigned below)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 8) % below;
}

static struct place *place_of(struct serve *serve)
{
    return cdt_container_of(serve, struct place, serve);
}

static void stop(struct place *place, uint64_t drain)
{
    place->stopping = true;
    assert_int_equal(cdt_server_stop(place->serve.server, drain), 0);
}

/* What a callback may do behind the back of the code that called it. */
static void meddle(void)
{
    if (quiet || pick(12))
        return;
    struct place *place = &places[pick(SERVERS)];
    switch (pick(6)) {
    case 0:
        cdt_limit_set(limits[pick(LIMITS)], pick(5));
        break;
    case 1:
        if (place->serve.server)
            cdt_server_set_max_active(place->serve.server, pick(4));
        break;
    case 2:
        if (place->serve.server)
            stop(place, pick(2) ? 0 : CDT_MS);
        break;
    case 3:
        if (place->serve.server && cdt_server_first(place->serve.server))
            cdt_flow_abort(cdt_server_first(place->serve.server), 0, NULL);
        break;
    default: {
        struct client *client = &clients[pick(CLIENTS)];
        if (client->fd >= 0)
            close(client->fd);
        client->fd = -1;
        break;
    }
    }
}

static void check_limits(const struct place *place)
{
    struct cdt_limit_counters counters;

    for (int i = 0; i < LIMITS; i++) {
        assert_int_equal(cdt_limit_counters(limits[i], &counters), 0);
        if ((place->limits & 1u << i) && counters.max)
            assert_true(counters.active <= counters.max);
    }
    struct cdt_server_counters own = serve_counters(&place->serve);
    assert_true(own.max_active == 0 || own.active <= own.max_active);
}

static int on_accept(struct serve *serve, struct cdt_flow *flow)
{
    struct place *place = place_of(serve);
    struct cdt_addr peer;

    check_limits(place);
    assert_int_equal(cdt_flow_dst(flow, &peer), 0);
    for (struct client *client = clients; client < clients + CLIENTS; client++) {
        if (!client->waiting || client->port != cdt_addr_port(&peer) ||
            &places[client->server] != place)
            continue;
        client->waiting = false;
        assert_true(client->number > place->last); /* first come, first served */
        place->last = client->number;
        meddle();
        return pick(8) ? 0 : -EACCES;
    }
    fail_msg("a client that is not known, or was accepted twice");
    return 0;
}

static void on_open(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    if (!quiet && pick(16) == 0)
        cdt_flow_close(flow);
    meddle();
}

static void on_close(struct serve *serve, struct cdt_flow *flow, int status)
{
    (void)flow;
    (void)status;
    (void)serve;
    meddle();
}

static void on_stopped(struct serve *serve)
{
    struct place *place = place_of(serve);

    for (struct client *client = clients; client < clients + CLIENTS; client++)
        if (&places[client->server] == place)
            client->waiting = false;
    meddle();
}

static void begin(struct place *place)
{
    memset(place, 0, sizeof *place);
    place->serve = (struct serve){
        .on_accept = on_accept, .on_open = on_open, .on_close = on_close, .on_stopped = on_stopped};
    struct cdt_server_options options = serve_options(&place->serve);
    options.accept_budget = 1 + pick(4);
    options.max_active = pick(5);
    place->limits = pick(1u << LIMITS);
    for (int i = 0; i < LIMITS; i++)
        if (place->limits & 1u << i)
            options.limits[i] = limits[i];
    quiet = true;
    serve_tcp(reactor, &place->serve, &options);
    quiet = false;
}

static void come(int server)
{
    struct place *place = &places[server];
    struct client *client = &clients[pick(CLIENTS)];

    if (client->fd >= 0 || client->waiting || place->stopping || !place->serve.server)
        return;
    struct cdt_addr addr = {.length = sizeof addr.v4};
    client->fd = client_connect(&place->serve.address);
    assert_int_equal(getsockname(client->fd, &addr.any, &addr.length), 0);
    client->port = cdt_addr_port(&addr);
    client->server = server;
    client->number = ++connected;
    client->waiting = true;
}

static void leave(void)
{
    struct client *client = &clients[pick(CLIENTS)];

    if (client->fd < 0)
        return;
    if (pick(3))
        close(client->fd);
    else
        client_reset(client->fd);
    client->fd = -1;
}

static unsigned count_flows(const struct place *place)
{
    unsigned count = 0;
    struct cdt_flow *flow = cdt_server_first(place->serve.server);

    for (; flow; flow = cdt_server_next(place->serve.server, flow))
        count++;
    return count;
}

static void check_quiet(void)
{
    struct cdt_limit_counters counters[LIMITS];
    unsigned active[LIMITS] = {0};

    quiet = true;
    for (int i = 0; i < SERVERS; i++)
        if (places[i].stopping)
            until(reactor, places[i].serve.stopped);
    settle(reactor);
    quiet = false;
    for (int i = 0; i < LIMITS; i++)
        assert_int_equal(cdt_limit_counters(limits[i], &counters[i]), 0);
    for (int s = 0; s < SERVERS; s++) {
        struct place *place = &places[s];
        if (!place->serve.server)
            continue;
        struct cdt_server_counters own = serve_counters(&place->serve);
        assert_int_equal(own.active, count_flows(place));
        bool full = own.max_active && own.active >= own.max_active, waits = false;
        for (int i = 0; i < LIMITS; i++) {
            if (!(place->limits & 1u << i))
                continue;
            active[i] += own.active;
            full = full || (counters[i].max && counters[i].active >= counters[i].max);
        }
        for (int i = 0; i < CLIENTS; i++)
            waits = waits || (clients[i].waiting && clients[i].server == s);
        if (waits && !full)
            fail_msg("server %d has waiting clients and room: a wake-up was lost", s);
    }
    for (int i = 0; i < LIMITS; i++)
        assert_int_equal(counters[i].active, active[i]);
}

static void one_step(void)
{
    int server = (int)pick(SERVERS);

    switch (pick(20)) {
    case 0:
        cdt_limit_set(limits[pick(LIMITS)], pick(5));
        break;
    case 1:
        if (places[server].serve.server)
            cdt_server_set_max_active(places[server].serve.server, pick(5));
        break;
    case 2:
        if (places[server].serve.server && pick(3) == 0)
            stop(&places[server], pick(3) ? pick(3) * CDT_MS : 0);
        break;
    case 3:
    case 4:
    case 5:
        cdt_reactor_step(reactor, 0);
        break;
    case 6:
        check_quiet();
        break;
    case 7:
        if (!places[server].serve.server)
            begin(&places[server]);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        leave();
        break;
    default:
        come(server);
    }
}

static void run_model(unsigned seed)
{
    random_state = seed;
    connected = 0;
    quiet = false;
    reactor = test_reactor();
    for (int i = 0; i < LIMITS; i++)
        assert_int_equal(cdt_limit_new(reactor, pick(5), &limits[i]), 0);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = (struct client){.fd = -1};
    for (int i = 0; i < SERVERS; i++)
        begin(&places[i]);
    for (int i = 0; i < ROUNDS; i++)
        one_step();
    check_quiet();
    quiet = true;
    for (int i = 0; i < SERVERS; i++)
        if (places[i].serve.server)
            serve_stop(reactor, &places[i].serve);
    for (int i = 0; i < LIMITS; i++) {
        struct cdt_limit_counters counters;
        assert_int_equal(cdt_limit_counters(limits[i], &counters), 0);
        assert_int_equal(counters.active, 0);
        assert_int_equal(counters.waiting, 0);
        assert_int_equal(cdt_limit_free(limits[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].fd >= 0)
            close(clients[i].fd);
    cdt_reactor_free(reactor);
}

static void test_model(void **state)
{
    unsigned seed = test_seed(), runs = test_slow() ? 2 : 12;

    (void)state;
    for (unsigned i = 0; i < runs; i++)
        run_model(seed + i);
}

/* Four servers with clients in line share one slot: strictly in turn. */
static int order[64], ordered;

static int note_order(struct serve *serve, struct cdt_flow *flow)
{
    (void)flow;
    order[ordered++] = *(int *)serve->arg;
    return 0;
}

static void test_strictly_in_turn(void **state)
{
    struct serve serve[4];
    struct cdt_limit *limit;
    int names[4] = {0, 1, 2, 3}, fds[4][8];

    (void)state;
    ordered = 0;
    reactor = test_reactor();
    assert_int_equal(cdt_limit_new(reactor, 1, &limit), 0);
    for (int s = 0; s < 4; s++) {
        serve[s] = (struct serve){.on_accept = note_order, .arg = &names[s]};
        struct cdt_server_options options = serve_options(&serve[s]);
        options.limits[2] = limit;
        serve_tcp(reactor, &serve[s], &options);
    }
    for (int s = 0; s < 4; s++)
        for (int i = 0; i < 8; i++)
            fds[s][i] = client_connect(&serve[s].address);
    until(reactor, ordered == 1);
    settle(reactor);
    for (int i = 0; i < 32; i++) {
        int s = order[ordered - 1];
        if (i >= 4)
            assert_int_equal(order[i], order[i - 4]);
        close(fds[s][serve[s].closed]);
        until(reactor,
              serve[s].closed * 4 + 4 > i &&
                  serve[0].closed + serve[1].closed + serve[2].closed + serve[3].closed == i + 1);
        if (i < 31)
            until(reactor, ordered == i + 2);
    }
    for (int s = 0; s < 4; s++)
        serve_stop(reactor, &serve[s]);
    cdt_limit_free(limit);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_strictly_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
