/* Serving and connecting by name without memory: each allocation fails once, each is told of by a
 * callback or a code, and nothing is left behind. */
#include "test/vchan/memory.h"

static int left;   /* allocations that still succeed; below: one fails, and all after it succeed */
static int in_use; /* blocks */
static bool failed;

static bool may_allocate(void)
{
    const bool may = left-- != 0;
    failed = failed || !may;
    return may;
}

static void *allocate(size_t size)
{
    void *memory_block = may_allocate() ? malloc(size) : NULL;
    in_use += memory_block != NULL;
    return memory_block;
}

static void *resize(void *block, size_t size)
{
    void *moved = may_allocate() ? realloc(block, size) : NULL;
    in_use += moved && !block;
    return moved;
}

static void release(void *block)
{
    in_use -= block != NULL;
    free(block);
}

struct outcome {
    int listen_status, connect_status;
    bool listened, closed;
};

static struct outcome outcome;

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)server;
    outcome.listened = true;
    outcome.listen_status = status;
    assert_true(status == 0 || *text);
}

static void on_open(struct cdt_flow *flow)
{
    cdt_flow_close(flow);
}

static void on_close(struct cdt_flow *flow, int status)
{
    outcome.closed = true;
    outcome.connect_status = status;
    assert_true(status == 0 || *cdt_flow_error(flow));
}

static const struct cdt_handler client = {
    .size = sizeof client, .on_open = on_open, .on_close = on_close};
static const struct cdt_handler server_handler = {.size = sizeof server_handler};

/* A server, a client, their end: true if all went well. */
static bool talk(const char *name)
{
    const struct cdt_vchan_options ours = domain(3, "server"), theirs = domain(5, "client");
    const struct cdt_server_options options = {.size = sizeof options, .on_listen = on_listen};
    const struct cdt_flow_options soon = {.size = sizeof soon, .connect_timeout = 100 * CDT_MS};
    struct cdt_server *server;
    struct cdt_flow *flow;
    outcome = (struct outcome){0};
    const int status =
        name ? cdt_vchan_listen_name(reactor, name, "p", &ours, &options, &server_handler, &server)
             : cdt_vchan_listen(reactor, 5, "p", &ours, &options, &server_handler, &server);
    assert_true(status == 0 || status == -ENOMEM);
    if (status == 0)
        until(reactor, outcome.listened);
    assert_true(outcome.listen_status == 0 || outcome.listen_status == -ENOMEM);
    const bool serves = status == 0 && outcome.listen_status == 0;
    const int connected =
        name ? cdt_vchan_connect_name(reactor, name, "p", &theirs, &soon, &client, &flow)
             : cdt_vchan_connect(reactor, 3, "p", &theirs, &soon, &client, &flow);
    assert_true(connected == 0 || connected == -ENOMEM);
    if (connected == 0)
        until(reactor, outcome.closed);
    assert_true(outcome.connect_status == 0 || outcome.connect_status == -ENOMEM ||
                outcome.connect_status == -ETIMEDOUT || /* the server could not */
                outcome.connect_status == -ECONNRESET);
    return serves && connected == 0 && outcome.connect_status == 0;
}

static void try_each(const char *name)
{
    int rounds = 0;
    for (int allowed = 0;; allowed++) {
        const unsigned fds = test_open_fds();
        memset(&memory, 0, sizeof memory);
        left = -1;
        reactor = test_reactor();
        left = allowed;
        failed = false;
        const bool well = talk(name);
        left = -1;
        assert_int_equal(cdt_reactor_free(reactor), 0);
        reactor = NULL;
        assert_int_equal(in_use, 0);
        assert_int_equal(memory.stores, 0);
        assert_int_equal(memory.ports, 0);
        assert_int_equal(test_open_fds(), fds);
        assert_null(memory_get("/conduit/web"));
        assert_null(memory_get("/conduit/web/client/p"));
        if (!failed) {
            assert_true(well);
            break;
        }
        rounds++;
    }
    print_message("%d allocations failed\n", rounds);
    assert_true(rounds > 8);
}

static void test_by_name(void **state)
{
    (void)state;
    try_each("web");
}

static void test_directly(void **state)
{
    (void)state;
    try_each(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_directly),
    };
    if (cdt_set_allocator(allocate, resize, release) != 0)
        return 1;
    test_folder(memory_folder);
    const int status = cmocka_run_group_tests(tests, NULL, NULL);
    test_folder_remove(memory_folder);
    return status;
}
