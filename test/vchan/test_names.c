/* vchan by name, in the tree of the original conduit: /conduit/NAME is the server's domain id, a
 * client writes /conduit/NAME/CLIENT/PORT. Both sides with each other, each with one that does it
 * by hand, and requests that nobody should make. */
#include "test/vchan/memory.h"

static struct serve serve, other;
static struct probe probe;
static struct cdt_vchan_options ours, theirs;

static int set_up(void **state)
{
    memory_set_up(state);
    memset(&serve, 0, sizeof serve);
    memset(&other, 0, sizeof other);
    memset(&probe, 0, sizeof probe);
    ours = domain(3, "server");
    theirs = domain(5, "client");
    return 0;
}

static int tear_down(void **state)
{
    test_end(reactor, &probe, 1);
    reactor = NULL;
    return memory_tear_down(state);
}

static void serve_name(struct serve *to, const char *name, const char *port)
{
    const struct cdt_server_options options = serve_options(to);
    assert_int_equal(
        cdt_vchan_listen_name(reactor, name, port, &ours, &options, &serve_handler, &to->server),
        0);
    until(reactor, to->listened);
}

static void serve_web(void)
{
    serve_name(&serve, "web", "http");
    assert_int_equal(serve.listen_status, 0);
}

static struct cdt_flow *connect_as(const struct cdt_vchan_options *as, struct probe *hears,
                                   const struct cdt_flow_options *options)
{
    struct cdt_flow *flow;
    assert_int_equal(
        cdt_vchan_connect_name(reactor, "web", "http", as, options, &probe_handler, &flow), 0);
    probe_attach(flow, hears);
    return flow;
}

static struct cdt_flow *connect_web(void)
{
    return connect_as(&theirs, &probe, NULL);
}

static void assert_echo(struct cdt_flow *flow)
{
    until(reactor, probe.opened || probe.closed);
    assert_int_equal(probe.status, 0);
    assert_int_equal(cdt_flow_write(flow, "hello", 5), 0);
    until(reactor, probe_has(&probe, "hello", 5));
}

#define assert_node(path, value)                      \
    do {                                              \
        assert_non_null(memory_get(path));            \
        assert_string_equal(memory_get(path), value); \
    } while (0)

static const struct cdt_flow_options soon = {.size = sizeof soon, .connect_timeout = 20 * CDT_MS};

static void assert_timeout(const char *why)
{
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ETIMEDOUT);
    assert_string_equal(strstr(probe.error, ": ") + 2, why);
}

/* ---- both sides are ours --------------------------------------------------------------------- */

static void test_server_is_there(void **state)
{
    struct cdt_vchan_info info;
    (void)state;
    serve_web();
    assert_node("/conduit/web", "3");
    assert_echo(connect_web());
    assert_null(memory_get("/conduit/web/client/http"));
    assert_int_equal(cdt_vchan_info(probe.flow, &info), 0);
    assert_int_equal(info.domid, 3);
    assert_int_equal(cdt_vchan_info(cdt_server_first(serve.server), &info), 0);
    assert_int_equal(info.domid, 5);
    cdt_server_stop(serve.server, 0);
    assert_null(memory_get("/conduit/web"));
    until(reactor, serve.stopped);
}

static void test_server_comes_late(void **state)
{
    (void)state;
    struct cdt_flow *flow = connect_web();
    settle(reactor);
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    assert_null(memory_get("/conduit/web/client/http"));
    serve_web();
    assert_echo(flow);
}

/* A port that was opened stays open: for clients in turn and at once, of several domains. */
static void test_many_clients(void **state)
{
    enum { DOMAINS = 3, EACH = 4, ALL = DOMAINS * EACH };
    static const char *const names[DOMAINS] = {"a", "b", "c"};
    struct probe probes[ALL] = {0};
    (void)state;
    serve_web();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ALL; i++) {
            const struct cdt_vchan_options as =
                domain(10 + (unsigned)i % DOMAINS, names[i % DOMAINS]);
            connect_as(&as, &probes[i], NULL);
        }
        for (int i = 0; i < ALL; i++)
            until(reactor, probes[i].opened);
        until(reactor, serve.active == ALL);
        for (int i = 0; i < ALL; i++) {
            cdt_flow_close(probes[i].flow);
            until(reactor, probes[i].closed);
            assert_int_equal(probes[i].status, 0);
            probe_free(&probes[i]);
            memset(&probes[i], 0, sizeof probes[i]);
        }
    }
    assert_int_equal(memory.opened, DOMAINS);
    assert_int_equal(memory.ports, DOMAINS);
}

/* With one place, the clients of all domains get theirs: none is forgotten, none comes always
 * first. */
static void test_throttled(void **state)
{
    enum { DOMAINS = 4, EACH = 5, ALL = DOMAINS * EACH };
    static const char *const names[DOMAINS] = {"a", "b", "c", "d"};
    struct probe probes[ALL] = {0};
    struct cdt_server_options options = serve_options(&serve);
    int served[DOMAINS] = {0};
    (void)state;
    options.max_active = 1;
    assert_int_equal(cdt_vchan_listen_name(reactor, "web", "http", &ours, &options, &serve_handler,
                                           &serve.server),
                     0);
    until(reactor, serve.listened);
    for (int i = 0; i < ALL; i++) {
        const struct cdt_vchan_options as = domain(10 + (unsigned)i / EACH, names[i / EACH]);
        cdt_flow_write(connect_as(&as, &probes[i], NULL), "x", 1);
    }
    until(reactor, memory.ports == DOMAINS);
    for (int i = 0; i < ALL; i++)
        until(reactor, probes[i].opened);
    settle(reactor);
    for (int n = 0; n < ALL; n++) {
        int at = -1;
        for (int i = 0; i < ALL && at < 0; i++)
            at = probes[i].length == 1 && !probes[i].closed ? i : -1;
        if (at < 0) {
            cdt_reactor_step(reactor, 10 * CDT_MS);
            n--;
            continue;
        }
        assert_int_equal(serve.active, 1);
        served[at / EACH]++;
        cdt_flow_close(probes[at].flow);
        until(reactor, probes[at].closed);
        if (n == 2 * DOMAINS) /* the first one was alone */
            for (int i = 0; i < DOMAINS; i++)
                assert_true(served[i] >= 1);
    }
    until(reactor, serve.closed == ALL);
    assert_int_equal(serve.peak, 1);
    for (int i = 0; i < ALL; i++)
        probe_free(&probes[i]);
}

static void test_two_ports_of_a_name(void **state)
{
    struct serve again = {0};
    (void)state;
    serve_web();
    serve_name(&other, "web", "https");
    assert_int_equal(other.listen_status, 0);
    serve_name(&again, "web", "http");
    assert_int_equal(again.listen_status, -EADDRINUSE);
    assert_string_equal(again.listen_text, "this port of the name is served already");
    until(reactor, again.stopped);
    cdt_server_stop(serve.server, 0);
    assert_node("/conduit/web", "3"); /* the other one is there */
    cdt_server_stop(other.server, 0);
    assert_null(memory_get("/conduit/web"));
    until(reactor, serve.stopped && other.stopped);
}

/* A name that another process holds, and one that is free again. */
static void test_name_is_taken(void **state)
{
    struct cdt_reactor *mine = reactor;
    struct serve again = {0};
    (void)state;
    serve_web();
    reactor = test_reactor(); /* its stores are its own, as those of another process */
    serve_name(&other, "web", "https");
    assert_int_equal(other.listen_status, -EADDRINUSE);
    assert_string_equal(other.listen_text, "another server has registered this name");
    until(reactor, other.stopped);
    assert_node("/conduit/web", "3");
    cdt_server_stop(serve.server, 0);
    serve_name(&again, "web", "https");
    assert_int_equal(again.listen_status, 0);
    cdt_reactor_free(reactor);
    reactor = mine;
    until(reactor, serve.stopped);
    assert_null(memory_get("/conduit/web"));
}

/* ---- a server by hand, as the original one --------------------------------------------------- */

/* Opens the port as it is opened directly. */
static void open_directly(void)
{
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(
        cdt_vchan_listen(reactor, 5, "http", &ours, &options, &serve_handler, &serve.server), 0);
}

static void test_original_server(void **state)
{
    (void)state;
    memory_set("/conduit/web", "3");
    struct cdt_flow *flow = connect_web();
    until(reactor, memory_get("/conduit/web/client/http"));
    assert_node("/conduit/web/client/http", "5");
    settle(reactor);
    assert_int_equal(memory.attempts, 0); /* nothing is taken for open before it was answered */
    memory_remove("/conduit/web/client");
    until(reactor, memory.attempts > 0);
    settle(reactor);
    open_directly();
    assert_echo(flow);
    memory_remove("/conduit/web");
}

/* A request that a server has removed unread is made again. */
static void test_request_is_lost(void **state)
{
    (void)state;
    memory_set("/conduit/web", "3");
    struct cdt_flow *flow = connect_web();
    for (int i = 0; i < 2; i++) {
        until(reactor, memory_get("/conduit/web/client/http"));
        memory_remove("/conduit/web/client");
    }
    until(reactor, memory_get("/conduit/web/client/http"));
    memory_remove("/conduit/web/client/http");
    open_directly();
    assert_echo(flow);
    assert_null(memory_get("/conduit/web/client/http"));
}

/* The server goes, another one of another domain comes. */
static void test_name_moves(void **state)
{
    (void)state;
    memory_set("/conduit/web", "9");
    struct cdt_flow *flow = connect_web();
    until(reactor, memory_get("/conduit/web/client/http"));
    memory_remove("/conduit/web");
    settle(reactor);
    assert_null(memory_get("/conduit/web/client/http"));
    serve_web();
    assert_echo(flow);
}

static void test_no_name(void **state)
{
    (void)state;
    connect_as(&theirs, &probe, &soon);
    assert_timeout("no server has registered the name web");
}

static void test_request_is_not_taken(void **state)
{
    (void)state;
    memory_set("/conduit/web", "9");
    connect_as(&theirs, &probe, &soon);
    assert_timeout("domain 9 has not taken the request /conduit/web/client/http");
    assert_null(memory_get("/conduit/web/client/http")); /* it is taken back */
    assert_node("/conduit/web", "9");
}

static void test_port_is_not_opened(void **state)
{
    (void)state;
    memory_set("/conduit/web", "9");
    struct cdt_flow *flow = connect_as(&theirs, &probe, NULL);
    until(reactor, memory_get("/conduit/web/client/http"));
    memory_remove("/conduit/web/client/http");
    settle(reactor);
    cdt_flow_set_timeout(flow, CDT_TIMEOUT_CONNECT, 1);
    assert_timeout("no server has appeared at /local/domain/9/data/vchan/5/http");
}

static void test_name_is_nonsense(void **state)
{
    static const char *const values[] = {"x", "-1", "65536", "3 ", "99999999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        memory_set("/conduit/web", values[i]);
        memset(&probe, 0, sizeof probe);
        connect_web();
        until(reactor, probe.closed);
        assert_int_equal(probe.status, -EPROTO);
        assert_string_equal(probe.error, "/conduit/web is no domain id: protocol error");
    }
}

static void test_request_cannot_be_written(void **state)
{
    (void)state;
    memory_set("/conduit/web", "3");
    memory.write_status = -EACCES;
    connect_web();
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EACCES);
    assert_string_equal(probe.error,
                        "/conduit/web/client/http cannot be written: permission denied");
}

static void test_given_up(void **state)
{
    (void)state;
    memory_set("/conduit/web", "9");
    memory_set("/conduit/web/client/https", "5"); /* of another process of the domain */
    struct cdt_flow *flow = connect_web();
    until(reactor, memory_get("/conduit/web/client/http"));
    cdt_flow_abort(flow, 0, NULL);
    until(reactor, probe.closed);
    assert_null(memory_get("/conduit/web/client/http"));
    assert_node("/conduit/web/client/https", "5");
}

/* Two of one domain wait behind one request: the one that gives up does not stop the other. */
static void test_one_of_two_gives_up(void **state)
{
    struct probe second = {0};
    (void)state;
    memory_set("/conduit/web", "9");
    struct cdt_flow *flow = connect_web();
    connect_as(&theirs, &second, NULL);
    until(reactor, memory_get("/conduit/web/client/http"));
    settle(reactor);
    cdt_flow_abort(second.flow, 0, NULL);
    until(reactor, second.closed);
    memory_remove("/conduit/web");
    serve_web();
    assert_echo(flow);
}

/* ---- clients by hand ------------------------------------------------------------------------- */

static void test_original_client(void **state)
{
    (void)state;
    serve_web();
    memory_set("/conduit/vm7", "7");
    memory_set("/conduit/web/vm7/https", "https");
    memory_set("/conduit/web/vm7/http", "http");
    until(reactor, !memory_get("/conduit/web/vm7/http"));
    assert_node("/conduit/web/vm7/https", "https"); /* not ours */
    assert_node("/local/domain/3/data/vchan/7/http", "ring");
    const struct cdt_vchan_options as = domain(7, "vm7");
    struct cdt_flow *flow;
    assert_int_equal(cdt_vchan_connect(reactor, 3, "http", &as, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    assert_echo(flow);
}

/* Ports and domain ids look alike: the original writes the port, and is known by its name. */
static void test_port_is_a_number(void **state)
{
    const struct cdt_vchan_options as = domain(80, "client");
    struct cdt_flow *flow;
    (void)state;
    serve_name(&serve, "web", "80");
    memory_set("/conduit/vm7", "7");
    memory_set("/conduit/web/vm7/80", "80");
    until(reactor, memory_get("/local/domain/3/data/vchan/7/80"));
    assert_int_equal(cdt_vchan_connect_name(reactor, "web", "80", &as, NULL, &probe_handler, &flow),
                     0);
    probe_attach(flow, &probe);
    assert_echo(flow);
    assert_int_equal(memory.ports, 2);
}

/* On Xen the original server looks for the client's name. */
static void test_client_has_a_name(void **state)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {NULL, "5"},       /* it is registered */
        {"5", "5"},        /* it was */
        {"nonsense", "5"}, /* by whom? */
        {"4", "4"},        /* another domain has it: it is not taken away */
    };
    (void)state;
    theirs.backend = CDT_VCHAN_XEN;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memory_remove("/conduit");
        memory_set("/conduit/web", "3");
        if (rows[i].before)
            memory_set("/conduit/client", rows[i].before);
        connect_web();
        until(reactor, memory_get("/conduit/web/client/http"));
        assert_node("/conduit/client", rows[i].after);
        cdt_flow_abort(probe.flow, 0, NULL);
        until(reactor, probe.closed);
        memset(&probe, 0, sizeof probe);
    }
}

/* Requests that were there before the server. */
static void test_requests_wait(void **state)
{
    (void)state;
    memory_set("/conduit/web", "3");
    memory_set("/conduit/web/vm7/http", "7");
    memory_set("/conduit/web/vm8/http", "8");
    serve_web();
    until(reactor, memory.ports == 2);
    settle(reactor);
    assert_null(memory_get("/conduit/web/vm7/http"));
    assert_null(memory_get("/conduit/web/vm8/http"));
}

static void test_requests_are_nonsense(void **state)
{
    static const char *const values[] = {"x",   "-1",  "65536",
                                         "1\n", "0x1", "99999999999999999999999999"};
    char path[64], longest[400];
    (void)state;
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    serve_web();
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(path, sizeof path, "/conduit/web/vm%u/http", i);
        memory_set(path, values[i]);
    }
    memory_set("/conduit/web/a\nb/http", "1");
    memory_set("/conduit/web//http", "1");
    memory_set(longest, "1");
    memory_set("/conduit/web/alone", "1");
    settle(reactor);
    assert_int_equal(memory.ports, 0);
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(path, sizeof path, "/conduit/web/vm%u/http", i);
        assert_null(memory_get(path));
    }
    assert_int_equal(serve.errors, 1); /* at most one a second */
    assert_string_equal(serve.error_text, "a request of vm0 for port http: "
                                          "whose domain it is for is not known");
    assert_echo(connect_web());
}

/* Nobody is taken for the owner of the name, and what could not be read is read later, without a
 * change that tells. */
static void test_requests_cannot_be_read(void **state)
{
    (void)state;
    serve_web();
    memory.read_status = -EMFILE;
    memory_set("/conduit/web/vm7/http", "7");
    until(reactor, serve.errors);
    assert_int_equal(serve.error_status, -EMFILE);
    assert_string_equal(serve.error_text,
                        "the requests to web cannot be read: too many open files");
    assert_node("/conduit/web/vm7/http", "7");
    memory.read_status = 0;
    until(reactor, memory.ports);
    assert_null(memory_get("/conduit/web/vm7/http"));
    assert_echo(connect_web());
}

/* More requests than are read at once, and more than are looked at. */
static void test_many_requests(void **state)
{
    char path[64], value[16];
    (void)state;
    serve_web();
    for (unsigned i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/conduit/web/vm%u/http", i);
        snprintf(value, sizeof value, "%u", i % 100);
        memory_set(path, value);
    }
    until(reactor, memory.ports == 100);
    settle(reactor);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/conduit/web/vm%u/http", i);
        assert_null(memory_get(path));
    }
    for (unsigned i = 0; i < 5000; i++) { /* for another port */
        snprintf(path, sizeof path, "/conduit/web/vm%u/x", i);
        memory_nodes[memory_count++] = (struct memory_node){strdup(path), strdup("1")};
    }
    memory_set("/conduit/web/late/http", "777");
    settle(reactor);
    assert_int_equal(memory.ports, 100);
    memory_remove("/conduit/web/vm0");
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/conduit/web/vm%u", i);
        memory_remove(path);
    }
    until(reactor, memory.ports == 101);
}

/* One domain more than there is room for closes the port that has been idle for longest. */
static void test_many_domains(void **state)
{
    enum { MOST = 256 };
    char path[64], value[16];
    (void)state;
    serve_web();
    for (unsigned i = 0; i < MOST + 10; i++) {
        snprintf(path, sizeof path, "/conduit/web/vm%u/http", i);
        snprintf(value, sizeof value, "%u", 1000 + i);
        memory_set(path, value);
        until(reactor, memory.opened == i + 1);
        settle(reactor);
    }
    assert_int_equal(memory.ports, MOST);
    assert_null(memory_get("/local/domain/3/data/vchan/1009/http"));
    assert_node("/local/domain/3/data/vchan/1010/http", "ring");
    const struct cdt_vchan_options as = domain(1000, "vm0"); /* it has only to ask again */
    assert_echo(connect_as(&as, &probe, NULL));
    assert_null(memory_get("/local/domain/3/data/vchan/1010/http"));
}

static void test_port_cannot_be_opened(void **state)
{
    (void)state;
    serve_web();
    memory.open_status = -ENOSPC;
    memory_set("/conduit/web/vm7/http", "7");
    until(reactor, serve.errors);
    assert_int_equal(serve.error_status, -ENOSPC);
    assert_string_equal(serve.error_text,
                        "a request of vm7 for port http: no more memory can be granted");
    assert_null(memory_get("/conduit/web/vm7/http"));
    memory.open_status = 0;
    memory_set("/conduit/web/vm7/http", "7");
    until(reactor, memory.ports == 1);
}

static void test_port_opens_in_a_moment(void **state)
{
    (void)state;
    serve_web();
    memory.open_later = 5;
    struct cdt_flow *flow = connect_web();
    assert_echo(flow);
    assert_int_equal(memory.opened, 1);
    memory.open_later = 100000;
    memory_set("/conduit/web/vm7/http", "7");
    memory_set("/conduit/web/vm8/http", "8");
    settle(reactor);
    cdt_server_stop(serve.server, 0); /* with two that wait */
    until(reactor, serve.stopped);
}

static void stop_serving(struct serve *one)
{
    cdt_server_stop(one->server, 0);
}

static void test_stop_from_on_error(void **state)
{
    (void)state;
    serve_web();
    serve.on_error = stop_serving;
    memory_set("/conduit/web/vm1/http", "x");
    memory_set("/conduit/web/vm2/http", "2");
    until(reactor, serve.stopped);
    assert_int_equal(memory.opened, 0);
}

/* Anybody writes and removes anything, below the name and at it, while clients come and go. */
static void test_random_tree(void **state)
{
    static const char *const paths[] = {"/conduit/web",
                                        "/conduit/web/a",
                                        "/conduit/web/a/http",
                                        "/conduit/web/client",
                                        "/conduit/web/b/http",
                                        "/conduit/web/client/http",
                                        "/conduit/web/b/http/x",
                                        "/conduit/client",
                                        "/conduit/web/..",
                                        "/conduit/web/../http",
                                        "/conduit",
                                        "/conduit/a",
                                        "/conduit/web/a/http/http"};
    static const char *const values[] = {"3", "5",     "7",  "",  "http",
                                         "x", "65536", "-1", " ", "10000000000000000000000000"};
    struct probe probes[4] = {0};
    (void)state;
    srand(test_seed());
    serve_web();
    for (int i = 0; i < (test_slow() ? 500 : 5000); i++) {
        const char *path = paths[(size_t)rand() % (sizeof paths / sizeof *paths)];
        struct probe *one = &probes[rand() % 4];
        if (rand() % 3)
            memory_set(path, values[(size_t)rand() % (sizeof values / sizeof *values)]);
        else
            memory_remove(path);
        if (one->flow && rand() % 4 == 0) {
            cdt_flow_abort(one->flow, 0, NULL);
        } else if (!one->flow) {
            probe_free(one);
            *one = (struct probe){0};
            connect_as(&theirs, one, NULL);
        }
        for (int turns = rand() % 4; turns > 0; turns--)
            cdt_reactor_step(reactor, 0);
    }
    for (int i = 0; i < 4; i++) {
        if (probes[i].flow)
            cdt_flow_abort(probes[i].flow, 0, NULL);
        until(reactor, !probes[i].flow);
        probe_free(&probes[i]);
    }
    memory_remove("/conduit");
    until(reactor, memory_get("/conduit/web"));
    assert_echo(connect_web());
}

/* ---- the name itself ------------------------------------------------------------------------- */

static void test_name_is_removed(void **state)
{
    (void)state;
    serve_web();
    memory_remove("/conduit");
    until(reactor, memory_get("/conduit/web"));
    assert_node("/conduit/web", "3");
    assert_echo(connect_web());
}

/* On Xen anybody with the right to write can: we stop to answer, and leave it alone. */
static void test_name_is_taken_over(void **state)
{
    (void)state;
    serve_web();
    memory_set("/conduit/web", "9");
    memory_set("/conduit/web/vm7/http", "7");
    settle(reactor);
    assert_node("/conduit/web/vm7/http", "7");
    cdt_server_stop(serve.server, 0);
    assert_node("/conduit/web", "9");
    until(reactor, serve.stopped);
}

static void test_arguments(void **state)
{
    struct cdt_flow *flow;
    struct cdt_server *server;
    char name[252];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[251] = 0;
    const char *const wrong[] = {NULL, "", ".", "..", ".web", "a/b", "a\nb", name};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            cdt_vchan_connect_name(reactor, wrong[i], "http", &theirs, NULL, &probe_handler, &flow),
            -EINVAL);
        assert_int_equal(
            cdt_vchan_listen_name(reactor, wrong[i], "http", &ours, NULL, &serve_handler, &server),
            -EINVAL);
    }
    assert_int_equal(
        cdt_vchan_connect_name(reactor, "web", "a/b", &theirs, NULL, &probe_handler, &flow),
        -EINVAL);
    name[250] = 0; /* the longest; but not twice in a path */
    const struct cdt_vchan_options as = domain(5, name);
    assert_int_equal(
        cdt_vchan_connect_name(reactor, name, "http", &as, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EINVAL);
    assert_string_equal(probe.error, "the path of the request is too long");
}

#define names_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        names_test(test_server_is_there),
        names_test(test_server_comes_late),
        names_test(test_many_clients),
        names_test(test_throttled),
        names_test(test_two_ports_of_a_name),
        names_test(test_name_is_taken),
        names_test(test_original_server),
        names_test(test_request_is_lost),
        names_test(test_name_moves),
        names_test(test_no_name),
        names_test(test_request_is_not_taken),
        names_test(test_port_is_not_opened),
        names_test(test_name_is_nonsense),
        names_test(test_request_cannot_be_written),
        names_test(test_given_up),
        names_test(test_one_of_two_gives_up),
        names_test(test_original_client),
        names_test(test_port_is_a_number),
        names_test(test_client_has_a_name),
        names_test(test_requests_wait),
        names_test(test_requests_are_nonsense),
        names_test(test_requests_cannot_be_read),
        names_test(test_many_requests),
        names_test(test_many_domains),
        names_test(test_port_cannot_be_opened),
        names_test(test_port_opens_in_a_moment),
        names_test(test_stop_from_on_error),
        names_test(test_random_tree),
        names_test(test_name_is_removed),
        names_test(test_name_is_taken_over),
        names_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
