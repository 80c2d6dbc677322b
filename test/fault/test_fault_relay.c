/* Single faults in a chain of flows: a client connects to a server that relays to another server, which
 * echoes. The relaying server is stopped in the middle and drains; or its deadline comes first. All of
 * it lives in one reactor, so that the faults meet all three. And in pairs of flows that were made of
 * memory or of sockets of our own. */
#include "test/fault/fault.h"

enum { PIECE = 70 * 1000, ALL = 800 * 1000, DEADLINE_MS = 2 };

/* Written by callbacks, which make no calls of their own. */
static struct {
    struct cdt_server *front, *back;
    struct cdt_addr front_at, back_at;
    int listened, stopped;
    int failures; /* that somebody was told of */
    int errors;   /* the same, of servers: perhaps only that a client had to wait */
    bool drains;  /* the client ends in order while the front drains */
    bool local;   /* the client reaches the front by a Unix socket */

    struct cdt_flow *client;
    uint8_t data[2 * PIECE];
    size_t got, wanted;
    int opened, closed;  /* the client */
    int joined, relayed; /* relays begun and ended */
    int made, over;      /* flows to the back that never were relayed */
    int echoing, echoed; /* flows of the back */
} chain;

static void check(int result)
{
    if (result < 0)
        chain.failures++;
}

static void check_flow(struct cdt_flow *flow, int result)
{
    check(result);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

/* ---- servers ---------------------------------------------------------------------------------------- */

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    struct cdt_addr *at = server == chain.front ? &chain.front_at : &chain.back_at;

    (void)text;
    chain.listened++;
    check(status);
    if (status == 0)
        check(cdt_server_address(server, at));
}

static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)status, (void)text, (void)peer;
    chain.errors++;
}

static void on_stopped(struct cdt_server *server)
{
    struct cdt_server_counters counters;

    cdt_server_counters(server, &counters);
    if (counters.accepted != counters.closed + counters.aborted || counters.active)
        problem("the counters do not match");
    if (server == chain.front)
        chain.front = NULL;
    else
        chain.back = NULL;
    chain.stopped++;
}

/* ---- the back: echoes ------------------------------------------------------------------------------- */

static void echo_open(struct cdt_flow *flow)
{
    (void)flow;
    chain.echoing++;
}

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    check_flow(flow, cdt_flow_write(flow, data, length));
}

static void echo_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    chain.echoed++;
    check(status);
}

static const struct cdt_handler echo = {
    .size = sizeof echo, .on_open = echo_open, .on_read = echo_read, .on_close = echo_close};

/* ---- the front: relays ------------------------------------------------------------------------------ */

static void lonely_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    chain.over++;
    check(status);
}

static const struct cdt_handler lonely = {.size = sizeof lonely, .on_close = lonely_close};

static void relay_done(struct cdt_flow *a, struct cdt_flow *b,
                       const struct cdt_relay_result *result, void *arg)
{
    (void)a, (void)b, (void)arg;
    chain.relayed++;
    check(result->status_a);
    check(result->status_b);
}

static void front_open(struct cdt_flow *flow)
{
    struct cdt_flow *out = NULL;
    int result = cdt_tcp_connect(cdt_flow_reactor(flow), &chain.back_at, NULL, &lonely, &out);

    if (result == 0) {
        result = cdt_flow_relay(flow, out, relay_done, NULL);
        if (result < 0) {
            chain.made++;
            check_flow(out, result);
        } else {
            chain.joined++;
        }
    }
    check_flow(flow, result);
}

static const struct cdt_handler front = {.size = sizeof front, .on_open = front_open};

/* ---- the client ------------------------------------------------------------------------------------- */

static void client_write(struct cdt_flow *flow, size_t position)
{
    static uint8_t data[PIECE];

    test_pattern(data, PIECE, position);
    check_flow(flow, cdt_flow_write(flow, data, PIECE));
}

static void client_open(struct cdt_flow *flow)
{
    chain.opened++;
    client_write(flow, 0);
}

static void client_hear(struct cdt_flow *flow, const void *data, size_t length)
{
    bool first = chain.got < PIECE;

    if (length > sizeof chain.data - chain.got) {
        problem("more came back than was sent");
        return;
    }
    memcpy(chain.data + chain.got, data, length);
    chain.got += length;
    if (!first || chain.got < PIECE)
        return;
    check(cdt_server_stop(chain.front, chain.drains ? CDT_NEVER : DEADLINE_MS * CDT_MS));
    if (chain.drains) {
        client_write(flow, PIECE);
        cdt_flow_close(flow);
    }
}

static void client_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    chain.client = NULL;
    chain.closed++;
    check(status);
}

static const struct cdt_handler client = {.size = sizeof client,
                                          .on_open = client_open,
                                          .on_read = client_hear,
                                          .on_close = client_close};

/* ---- the scenarios ---------------------------------------------------------------------------------- */

static int start(struct cdt_reactor *reactor)
{
    const struct cdt_server_options options = {
        .size = sizeof options,
        .flow = &(struct cdt_flow_options){.size = sizeof *options.flow,
                                           .high_watermark = 8192,
                                           .send_buffer = 8192},
        .on_listen = on_listen,
        .on_error = on_error,
        .on_stopped = on_stopped};
    struct cdt_addr at;
    char name[64];
    int result;

    cdt_addr_ip(&at, "127.0.0.1", 0);
    result = LIB(cdt_tcp_listen(reactor, &at, &options, &echo, &chain.back));
    if (result < 0)
        return result;
    if (!chain.local)
        return LIB(cdt_tcp_listen(reactor, &at, &options, &front, &chain.front));
    snprintf(name, sizeof name, "@conduit-fault-%d", (int)getpid());
    cdt_addr_unix(&at, name);
    return LIB(cdt_unix_listen(reactor, &at, &options, &front, &chain.front));
}

/* Turns until both servers listen or one does not, then until the client is over, then until both have
 * stopped. */
static void work(struct cdt_reactor *reactor)
{
    int result;

    while (chain.listened < 2 && chain.failures == 0 && in_bounds())
        turn(reactor);
    if (chain.listened == 2 && chain.failures == 0) {
        result = chain.local
                     ? LIB(cdt_unix_connect(reactor, &chain.front_at, NULL, &client, &chain.client))
                     : LIB(cdt_tcp_connect(reactor, &chain.front_at, NULL, &client, &chain.client));
        check(result);
        while (result == 0 && !chain.closed && in_bounds())
            turn(reactor);
    }
    if (chain.front)
        LIB(cdt_server_stop(chain.front, CDT_NEVER));
    while (chain.front && in_bounds())
        turn(reactor);
    if (chain.back)
        LIB(cdt_server_stop(chain.back, CDT_NEVER));
    while (chain.back && in_bounds())
        turn(reactor);
    if (chain.client)
        problem("the client has not closed");
}

static struct outcome relay(bool local, bool drains)
{
    struct cdt_reactor *reactor = NULL;
    int result;

    memset(&chain, 0, sizeof chain);
    chain.local = local;
    chain.drains = drains;
    chain.wanted = drains ? 2 * PIECE : PIECE;
    result = LIB(cdt_reactor_new(NULL, &reactor));
    check(result);
    if (result == 0) {
        result = start(reactor);
        check(result);
        if (result == 0)
            work(reactor);
        if (LIB(cdt_reactor_free(reactor)))
            problem("the reactor cannot be freed");
    }
    if (chain.joined != chain.relayed || chain.made != chain.over ||
        chain.echoing != chain.echoed || chain.opened > chain.closed)
        problem("flows that began and flows that ended are not the same");
    if (!test_is_pattern(chain.data, chain.got, 0))
        problem("what came back is not what was sent");
    return (struct outcome){.complete = chain.got == chain.wanted && chain.stopped == 2 &&
                                        (chain.failures == 0 || !drains),
                            .told = chain.failures || chain.errors};
}

static struct outcome relay_drains(void)
{
    return relay(false, true);
}

static struct outcome relay_unix(void)
{
    return relay(true, true);
}

static struct outcome relay_deadline(void)
{
    return relay(false, false);
}

/* ---- flows of our own ------------------------------------------------------------------------------- */

static struct {
    size_t got;
    int opened, closed, failures, written;
} pair;

static void pair_open(struct cdt_flow *flow)
{
    (void)flow;
    pair.opened++;
}

static void pair_echo(struct cdt_flow *flow, const void *data, size_t length)
{
    int result = cdt_flow_write(flow, data, length);

    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static void pair_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (!test_is_pattern(data, length, pair.got))
        problem("what came back is not what was sent");
    pair.got += length;
    if (pair.got == ALL)
        cdt_flow_close(flow);
}

static void pair_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    pair.closed++;
    if (status)
        pair.failures++;
}

static const struct cdt_handler pair_echoes = {
    .size = sizeof pair_echoes, .on_open = pair_open, .on_read = pair_echo, .on_close = pair_close};
static const struct cdt_handler pair_asks = {
    .size = sizeof pair_asks, .on_open = pair_open, .on_read = pair_read, .on_close = pair_close};

static void pair_written(void *arg, int status)
{
    (void)arg;
    pair.written++;
    if (status)
        pair.failures++;
}

/* Two flows over a pair of sockets; 0 if both are there. */
static int adopt_both(struct cdt_reactor *reactor, struct cdt_flow *flow[2])
{
    const struct cdt_handler *handlers[2] = {&pair_asks, &pair_echoes};
    int fds[2], result = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        problem("no socketpair: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        int error =
            result ? result : LIB(cdt_flow_adopt(reactor, fds[i], NULL, handlers[i], &flow[i]));
        if (error) { /* its descriptor is still ours */
            close(fds[i]);
            result = error;
        }
    }
    return result;
}

static int pair_made(struct cdt_reactor *reactor, bool in_memory, struct cdt_flow *flow[2])
{
    return in_memory ? LIB(cdt_flow_pair(reactor, 50000, NULL, &pair_asks, &pair_echoes, &flow[0],
                                         &flow[1]))
                     : adopt_both(reactor, flow);
}

/* Outside of callbacks, to a peer that does not take all at once. Half of the bytes are copied, half are
 * lent. -ENOMEM means that nothing was taken, so it may be tried again. */
static int ask(struct cdt_flow *flow)
{
    static uint8_t data[ALL];
    const size_t copied = ALL / 2;
    int result;

    test_pattern(data, ALL, 0);
    result = LIB(cdt_flow_write(flow, data, copied));
    if (result == -ENOMEM)
        result = LIB(cdt_flow_write(flow, data, copied));
    if (result < 0)
        return result;
    result = LIB(cdt_flow_write_owned(flow, data + copied, ALL - copied, pair_written, NULL));
    if (result == -ENOMEM)
        result = LIB(cdt_flow_write_owned(flow, data + copied, ALL - copied, pair_written, NULL));
    return result;
}

static void ask_and_wait(struct cdt_reactor *reactor, struct cdt_flow *flow[2])
{
    int result;

    while (pair.opened < 2 && !pair.closed && in_bounds())
        turn(reactor);
    if (pair.opened == 2 && !pair.closed) {
        result = ask(flow[0]);
        if (result < 0)
            LIB(cdt_flow_abort(flow[0], result, NULL));
    }
}

static struct outcome pair_over(bool in_memory)
{
    struct cdt_reactor *reactor = NULL;
    struct cdt_flow *flow[2] = {NULL, NULL};
    int result, flows = 0;

    memset(&pair, 0, sizeof pair);
    result = LIB(cdt_reactor_new(NULL, &reactor));
    if (result == 0) {
        result = pair_made(reactor, in_memory, flow);
        if (result == 0)
            ask_and_wait(reactor, flow);
        flows = !!flow[0] + !!flow[1];
        while (result >= 0 && pair.closed < flows && in_bounds())
            turn(reactor);
        if (LIB(cdt_reactor_free(reactor)))
            problem("the reactor cannot be freed");
    }
    if (pair.closed != flows)
        problem("%d flows, of which %d closed", flows, pair.closed);
    return (struct outcome){.complete = pair.got == ALL && pair.written == 1 && !pair.failures,
                            .told = result < 0 || pair.failures};
}

static struct outcome pair_in_memory(void)
{
    return pair_over(true);
}

static struct outcome pair_adopted(void)
{
    return pair_over(false);
}

/* ----------------------------------------------------------------------------------------------------- */

static void relay_and_drain(void **state)
{
    (void)state;
    inject("a relay that drains", relay_drains, 400);
}

static void relay_from_unix(void **state)
{
    (void)state;
    inject("a relay from unix to tcp that drains", relay_unix, 400);
}

static void relay_and_deadline(void **state)
{
    (void)state;
    inject("a relay that is stopped", relay_deadline, 300);
}

static void in_memory(void **state)
{
    (void)state;
    inject("a pair in memory", pair_in_memory, 40);
}

static void adopted(void **state)
{
    (void)state;
    inject("a pair of sockets", pair_adopted, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_and_drain),
        cmocka_unit_test(relay_from_unix),
        cmocka_unit_test(relay_and_deadline),
        cmocka_unit_test(in_memory),
        cmocka_unit_test(adopted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
