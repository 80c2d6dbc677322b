/* Single faults while a client and a server of the library shake hands over TLS, echo, and close in
 * order; then once more, by the ticket of the first time. With each backend (a shared libcrypto's own
 * memory does not fail), and with TLS in TLS. */
#include "test/fault/fault.h"

#include <conduit/conduit.h>

#include "test/support/identity.h"

enum { TOTAL = 40 * 1000, ROUNDS = 2 };

static enum cdt_tls_backend backend;
static bool nested;

static struct {
    struct cdt_reactor *reactor;
    struct cdt_tls_config *client, *server;
    struct cdt_server *listener;
    struct cdt_addr address;
    int listened, listen_status, stopped;
    int rounds, good, resumed;
    int errors; /* that somebody was told of */
    size_t heard;
} world;

static void went_wrong(int status)
{
    world.errors += status != 0;
}

/* ---- the server ------------------------------------------------------------------------------------- */

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int result = cdt_flow_write(flow, data, length);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static const struct cdt_handler echo = {.size = sizeof echo, .on_read = echo_read};

/* TLS, and another one inside of it. */
static int begin_tls(struct cdt_flow *flow, struct cdt_tls_config *config, const char *name)
{
    int status = cdt_tls_start(flow, config, name);
    if (status == 0 && nested)
        status = cdt_tls_start(flow, config, name);
    return status;
}

static int on_accept(struct cdt_server *server, struct cdt_flow *flow)
{
    (void)server;
    return begin_tls(flow, world.server, NULL);
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)text;
    world.listened++;
    world.listen_status = status;
    if (status == 0)
        cdt_server_address(server, &world.address);
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
    world.stopped++;
}

/* ---- the client ------------------------------------------------------------------------------------- */

static void talk_open(struct cdt_flow *flow)
{
    static uint8_t data[TOTAL];
    struct cdt_tls_info info;
    if (cdt_tls_info(flow, &info) == 0)
        world.resumed += info.resumed;
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
    if (world.rounds == ROUNDS || dial() != 0)
        cdt_server_stop(world.listener, CDT_SECOND);
}

static const struct cdt_handler talker = {
    .size = sizeof talker, .on_open = talk_open, .on_read = talk_read, .on_close = talk_close};

/* A flow that was made is heard of by talk_close(), whatever becomes of it. */
static int dial(void)
{
    struct cdt_flow *flow;
    world.heard = 0;
    int status = cdt_tcp_connect(world.reactor, &world.address, NULL, &talker, &flow);
    went_wrong(status);
    if (status)
        return status;
    status = begin_tls(flow, world.client, "conduit.test");
    went_wrong(status);
    if (status)
        cdt_flow_abort(flow, status, NULL);
    return 0;
}

/* ---- the scenario ----------------------------------------------------------------------------------- */

static int make_config(enum cdt_tls_role role, struct cdt_tls_config **config)
{
    static const struct cdt_tls_identity identity = {.cert = test_certificate, .key = test_key};
    const struct cdt_tls_options options = {
        .size = sizeof options,
        .role = role,
        .backend = backend,
        .identities = role == CDT_TLS_SERVER ? &identity : NULL,
        .identity_count = role == CDT_TLS_SERVER,
        .system_anchors = role == CDT_TLS_CLIENT ? CDT_OFF : CDT_DEFAULT,
        .ca = role == CDT_TLS_CLIENT ? test_certificate : NULL,
    };
    return LIB(cdt_tls_config_new(world.reactor, &options, config, NULL));
}

static int start(void)
{
    const struct cdt_server_options options = {.size = sizeof options,
                                               .on_listen = on_listen,
                                               .on_accept = on_accept,
                                               .on_error = on_error,
                                               .on_stopped = on_stopped};
    struct cdt_addr at;
    int status = make_config(CDT_TLS_CLIENT, &world.client);
    if (status == 0)
        status = make_config(CDT_TLS_SERVER, &world.server);
    cdt_addr_ip(&at, "127.0.0.1", 0);
    if (status == 0)
        status = LIB(cdt_tcp_listen(world.reactor, &at, &options, &echo, &world.listener));
    return status;
}

static void talk(void)
{
    bool dialled = false;
    while (!world.stopped && in_bounds()) {
        if (world.listened && world.listen_status == 0 && !dialled) {
            dialled = true;
            if (LIB(dial()) != 0)
                LIB(cdt_server_stop(world.listener, 0));
        }
        turn_with(world.reactor, -1, 0);
    }
}

static struct outcome tls_echo(void)
{
    struct outcome outcome = {0};
    memset(&world, 0, sizeof world);
    int result = LIB(cdt_reactor_new(NULL, &world.reactor));
    if (result == 0) {
        result = start();
        if (result == 0)
            talk();
        LIB(cdt_tls_config_free(world.client));
        LIB(cdt_tls_config_free(world.server));
        if (LIB(cdt_reactor_free(world.reactor)))
            problem("the reactor cannot be freed");
    }
    outcome.complete = world.good == ROUNDS && world.stopped == 1;
    outcome.told = result < 0 || world.listen_status < 0 || world.errors;
    return outcome;
}

static void run_backend(enum cdt_tls_backend which, unsigned least)
{
    backend = which;
    if (!cdt_tls_built_in(backend)) {
        print_message("%s is not built in\n", cdt_tls_backend_name(backend));
        skip();
    }
    inject(nested ? "TLS in TLS" : cdt_tls_backend_name(backend), tls_echo, least);
    assert_int_equal(world.good, ROUNDS); /* of the last run, without a fault */
    if (!nested)                          /* else the outer one takes the ticket */
        assert_int_equal(world.resumed, ROUNDS - 1);
}

static void over_wolfssl(void **state)
{
    (void)state;
    run_backend(CDT_TLS_WOLFSSL, 500);
}

static void over_openssl(void **state)
{
    (void)state;
    run_backend(CDT_TLS_OPENSSL, 200);
}

/* Of one backend: what is new is the layers' doing. */
static void over_tls(void **state)
{
    (void)state;
    nested = true;
    run_backend(cdt_tls_built_in(CDT_TLS_WOLFSSL) ? CDT_TLS_WOLFSSL : CDT_TLS_OPENSSL, 300);
    nested = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_wolfssl),
        cmocka_unit_test(over_openssl),
        cmocka_unit_test(over_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
