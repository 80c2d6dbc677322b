/* Races of random endpoints, given as a list or by a rule that adds them when it likes, some of
 * which are aborted, closed, or lose their context at a random time: each flow ends once, opens
 * only over one that answers, and leaves nothing. */
#include <fcntl.h>

#include "test/context/race.h"

enum { RACES = 12, ROUNDS = 40, ENDPS = 6 };

enum what { REFUSES, ANSWERS, SWALLOWS, NO_FILE, CANNOT, VCHAN_ANSWERS, VCHAN_NOBODY, WHATS };

static struct place {
    struct cdt_endp *endp[WHATS];
    struct cdt_addr good;
    struct hole hole;
    int taken, listener;
    struct cdt_vchan_options vchan;
    char folder[64];
} place;

struct racer {
    struct probe probe;
    struct cdt_resolution *asked; /* by a rule; NULL: not, or no more */
    unsigned to_add;
    bool can_win;
};

static struct cdt_reactor *reactor;
static struct cdt_context *context;
static struct cdt_resolver *resolver;
static struct racer racers[RACES];

static void place_make(void)
{
    struct cdt_addr refused;
    place.taken = refusing("127.0.0.1", &refused);
    place.listener = test_tcp_listener(1000, &place.good);
    hole_make(&place.hole);
    place.endp[REFUSES] = endp_of(&refused);
    place.endp[ANSWERS] = endp_of(&place.good);
    place.endp[SWALLOWS] = endp_of(&place.hole.addr);
    place.endp[NO_FILE] = endp_read("unix:/nonexistent/x");
    place.endp[CANNOT] = endp_read("fd:3");
    place.endp[VCHAN_ANSWERS] = endp_read("vchan:0/x");
    place.endp[VCHAN_NOBODY] = endp_read("vchan:nobody/x");
    test_folder(place.folder);
    place.vchan = (struct cdt_vchan_options){.size = sizeof place.vchan,
                                             .backend = CDT_VCHAN_LOCAL,
                                             .directory = place.folder,
                                             .domid = 1};
}

static void serve_vchan(void)
{
    static const struct cdt_handler handler = {.size = sizeof handler};
    struct cdt_server *server;
    assert_int_equal(cdt_vchan_listen(reactor, 0, "x", &place.vchan, NULL, &handler, &server), 0);
}

static void place_free(void)
{
    for (int i = 0; i < WHATS; i++)
        cdt_endp_free(place.endp[i]);
    hole_close(&place.hole);
    close(place.taken);
    close(place.listener);
    test_folder_remove(place.folder);
}

static const struct cdt_endp *any_endp(struct racer *racer)
{
    const int what = rand() % WHATS;
    racer->can_win = racer->can_win || what == ANSWERS || what == VCHAN_ANSWERS;
    return place.endp[what];
}

/* ---- the rule ------------------------------------------------------------------------------------- */

static struct racer *racer_of(const char *host)
{
    return &racers[atoi(host + 1) % RACES]; /* r3.test */
}

static int later(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
                 const struct cdt_uri *uri)
{
    struct racer *racer = racer_of(uri->host);
    (void)user, (void)service;
    racer->asked = resolution;
    racer->to_add = 1 + (unsigned)rand() % ENDPS;
    return 1;
}

static void rule_goes_on(struct racer *racer)
{
    if (!racer->asked || racer->probe.closed || racer->probe.opened ||
        cdt_flow_state(racer->probe.flow) != CDT_CONNECTING)
        return;
    if (racer->to_add) {
        racer->to_add--;
        assert_int_equal(cdt_resolution_add(racer->asked, any_endp(racer)), 0);
    } else {
        struct cdt_resolution *asked = racer->asked;
        racer->asked = NULL;
        cdt_resolution_done(asked, 0);
    }
}

/* ---- one round ------------------------------------------------------------------------------------ */

static void on_open(struct probe *probe)
{
    struct cdt_vchan_info info;
    struct cdt_addr peer;
    assert_int_equal(cdt_flow_dst(probe->flow, &peer), 0);
    assert_true(cdt_vchan_info(probe->flow, &info) == 0 || cdt_addr_equal(&peer, &place.good));
    cdt_flow_abort(probe->flow, 0, NULL);
}

static void start(struct racer *racer)
{
    const struct cdt_flow_options brief = {.size = sizeof brief, .connect_timeout = 80 * CDT_MS};
    const struct cdt_endp *endps[ENDPS];
    const size_t count = 1 + (size_t)rand() % ENDPS;
    struct cdt_flow *flow;
    char text[40];
    *racer = (struct racer){.probe.on_open = on_open};
    if (rand() % 2) {
        snprintf(text, sizeof text, "http://r%d.test/", (int)(racer - racers));
        assert_int_equal(cdt_connect(context, text, &brief, &probe_handler, &flow), 0);
    } else {
        for (size_t i = 0; i < count; i++)
            endps[i] = any_endp(racer);
        assert_int_equal(cdt_connect_endps(context, endps, count, &brief, &probe_handler, &flow),
                         0);
    }
    probe_attach(flow, &racer->probe);
}

static void make_context(void)
{
    const struct cdt_context_options options = {
        .size = sizeof options,
        .resolver = resolver,
        .attempt_delay = 10 * CDT_MS,
        .vchan = &place.vchan,
    };
    assert_int_equal(cdt_context_new(reactor, &options, &context), 0);
}

static void disturb(struct racer *racer)
{
    if (racer->probe.closed)
        return;
    switch (rand() % 60) {
    case 0:
        cdt_flow_abort(racer->probe.flow, -EINTR, NULL);
        break;
    case 1:
        cdt_flow_close(racer->probe.flow);
        break;
    case 2:
        if (rand() % 8)
            break;
        assert_int_equal(cdt_context_free(context), 0);
        make_context();
        break;
    default:
        rule_goes_on(racer);
        break;
    }
}

static unsigned all_closed(void)
{
    unsigned count = 0;
    for (int i = 0; i < RACES; i++)
        count += racers[i].probe.closed == 1;
    return count;
}

static void one_round(void)
{
    const uint64_t end = test_deadline();
    for (int i = 0; i < RACES; i++)
        start(&racers[i]);
    while (all_closed() < RACES) {
        assert_true(cdt_reactor_now(reactor) < end);
        cdt_reactor_step(reactor, CDT_MS);
        for (int i = 0; i < RACES; i++)
            disturb(&racers[i]);
    }
    for (int i = 0; i < RACES; i++) {
        const struct racer *racer = &racers[i];
        assert_true(racer->can_win || !racer->probe.opened);
        assert_true(racer->probe.opened || racer->probe.status <= 0);
        assert_true(racer->probe.status == 0 || *racer->probe.error);
        probe_free(&racers[i].probe);
    }
    for (int fd; (fd = accept4(place.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
        close(fd);
}

static void random_races(void **state)
{
    const struct cdt_resolver_options names = {
        .size = sizeof names, .hosts_file = "", .resolv_conf = ""};
    (void)state;
    srand(test_seed());
    reactor = test_reactor();
    place_make();
    assert_int_equal(fcntl(place.listener, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(cdt_resolver_new(reactor, &names, &resolver), 0);
    assert_int_equal(
        cdt_resolver_add_rewrite(resolver, &(struct cdt_rewrite){.suffix = "test", .fn = later}),
        0);
    make_context();
    serve_vchan();
    for (int round = 0; round < ROUNDS / (test_slow() ? 4 : 1); round++)
        one_round();
    assert_int_equal(cdt_context_free(context), 0);
    cdt_resolver_free(resolver);
    test_end(reactor, NULL, 0);
    place_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {flow_test(random_races)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
