/* Single faults while a client and a server of the library shake hands over TLS, echo, and close in
 * order; then once more, by the ticket of the first time. With each backend (a shared libcrypto's own
 * memory does not fail), and with TLS in TLS. */
enum { TOTAL = 40 * 1000, ROUNDS = 2 };

#include "test/fault/talk.h"
#include "test/support/identity.h"

static enum cdt_tls_backend backend;
static bool nested;

static struct {
    struct cdt_tls_config *client, *server;
    int resumed;
} world;

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

static void open_and_talk(struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    if (cdt_tls_info(flow, &info) == 0)
        world.resumed += info.resumed;
    talk_open(flow);
}

static const struct cdt_handler talker = {
    .size = sizeof talker, .on_open = open_and_talk, .on_read = talk_read, .on_close = talk_close};

static int dial(void)
{
    struct cdt_flow *flow;
    talk.heard = 0;
    int status = cdt_tcp_connect(talk.reactor, &talk.address, NULL, &talker, &flow);
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
    return LIB(cdt_tls_config_new(talk.reactor, &options, config, NULL));
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
        status = LIB(cdt_tcp_listen(talk.reactor, &at, &options, &echo, &talk.listener));
    return status;
}

static void take_turns(void)
{
    bool dialled = false;
    while (!talk.stopped && in_bounds()) {
        if (talk.listened && talk.listen_status == 0 && !dialled) {
            dialled = true;
            if (LIB(dial()) != 0)
                LIB(cdt_server_stop(talk.listener, 0));
        }
        turn_with(talk.reactor, -1, 0);
    }
}

static struct outcome tls_echo(void)
{
    struct outcome outcome = {0};
    memset(&talk, 0, sizeof talk);
    memset(&world, 0, sizeof world);
    int result = LIB(cdt_reactor_new(NULL, &talk.reactor));
    if (result == 0) {
        result = start();
        if (result == 0)
            take_turns();
        LIB(cdt_tls_config_free(world.client));
        LIB(cdt_tls_config_free(world.server));
        if (LIB(cdt_reactor_free(talk.reactor)))
            problem("the reactor cannot be freed");
    }
    outcome.complete = talk.good == ROUNDS && talk.stopped == 1;
    outcome.told = result < 0 || talk.listen_status < 0 || talk.errors;
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
    assert_int_equal(talk.good, ROUNDS); /* of the last run, without a fault */
    if (!nested)                         /* else the outer one takes the ticket */
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
