/* Single faults while a context connects to the second of two endpoints, the first of which refuses; says a
 * word, hears it back, and closes. Over TCP and Unix sockets. The server is a plain socket. */
#include "test/fault/fault.h"

#include <conduit/conduit.h>

enum { WORD_LENGTH = 5 };

static const char word[] = "hello";

static struct {
    int opened, closed, status;
    char error[1200];
    size_t heard;
} client;

static void on_open(struct cdt_flow *flow)
{
    struct cdt_endp *endp = NULL;

    client.opened++;
    if (cdt_flow_endp(flow, true, &endp) == 0)
        cdt_endp_free(endp);
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (length > WORD_LENGTH - client.heard || memcmp(data, word + client.heard, length) != 0)
        problem("what came back is not what was sent");
    client.heard += length;
    if (client.heard == WORD_LENGTH)
        cdt_flow_close(flow);
}

static void on_close(struct cdt_flow *flow, int status)
{
    client.closed++;
    client.status = status;
    snprintf(client.error, sizeof client.error, "%s", cdt_flow_error(flow));
}

static const struct cdt_handler handler = {
    .size = sizeof handler, .on_open = on_open, .on_read = on_read, .on_close = on_close};

/* ---- the server ------------------------------------------------------------------------------------- */

static struct {
    int listener, taken, peer;
    struct cdt_endp *endps[2]; /* who refuses, who answers */
} server;

static int bound_to(const struct cdt_addr *to, struct cdt_endp **endp)
{
    struct cdt_addr addr = *to;
    int fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (bind(fd, &addr.any, addr.length))
        problem("cannot bind: %s", strerror(errno));
    getsockname(fd, &addr.any, &addr.length);
    cdt_endp_of_addr(&addr, endp);
    return fd;
}

static void server_start(bool local)
{
    struct cdt_addr addr[2];
    char name[64];

    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "@conduit-fault-%d-%d", (int)getpid(), i);
        if (local)
            cdt_addr_unix(&addr[i], name);
        else
            cdt_addr_ip(&addr[i], "127.0.0.1", 0);
    }
    server.taken = bound_to(&addr[0], &server.endps[0]);
    server.listener = bound_to(&addr[1], &server.endps[1]);
    server.peer = -1;
    listen(server.listener, 8);
}

/* Echoes one word, and ends when the client does. */
static void server_work(void)
{
    char heard[16];
    ssize_t n;

    if (server.peer < 0)
        server.peer = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (server.peer < 0)
        return;
    n = recv(server.peer, heard, sizeof heard, 0);
    if (n > 0)
        send(server.peer, heard, (size_t)n, MSG_NOSIGNAL);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close(server.peer);
        server.peer = -1;
    }
}

static void server_stop(void)
{
    close(server.taken);
    close(server.listener);
    if (server.peer >= 0)
        close(server.peer);
    cdt_endp_free(server.endps[0]);
    cdt_endp_free(server.endps[1]);
}

/* ---- the scenarios ---------------------------------------------------------------------------------- */

static int start(struct cdt_context *context)
{
    struct cdt_flow *flow;
    const struct cdt_endp *const endps[] = {server.endps[0], server.endps[1]};
    int result = LIB(cdt_connect_endps(context, endps, 2, NULL, &handler, &flow));

    if (result)
        return result;
    result = LIB(cdt_flow_write(flow, word, WORD_LENGTH));
    if (result < 0)
        LIB(cdt_flow_abort(flow, result, NULL));
    return 0;
}

static void run_client(struct cdt_reactor *reactor)
{
    while (!client.closed && in_bounds()) {
        server_work();
        turn_with(reactor, server.peer < 0 ? server.listener : server.peer, POLLIN);
    }
}

static struct outcome connect_over(bool local)
{
    struct cdt_reactor *reactor = NULL;
    struct cdt_context *context = NULL;
    struct outcome outcome = {0};
    int result;

    memset(&client, 0, sizeof client);
    server_start(local);
    result = LIB(cdt_reactor_new(NULL, &reactor));
    if (result == 0)
        result = LIB(cdt_context_new(reactor, NULL, &context));
    if (result == 0)
        result = start(context);
    if (result == 0)
        run_client(reactor);
    if (LIB(cdt_context_free(context)))
        problem("the context cannot be freed");
    if (LIB(cdt_reactor_free(reactor)))
        problem("the reactor cannot be freed");
    server_stop();
    if (result == 0 && client.closed != 1)
        problem("%d on_close", client.closed);
    if (client.status < 0 && !*client.error)
        problem("no word about %s", cdt_errname(client.status));
    outcome.complete = client.heard == WORD_LENGTH && client.status == 0;
    outcome.told = result < 0 || client.status < 0;
    return outcome;
}

static struct outcome connect_tcp(void)
{
    return connect_over(false);
}

static struct outcome connect_unix(void)
{
    return connect_over(true);
}

static void over_tcp(void **state)
{
    (void)state;
    inject("connect over tcp", connect_tcp, 80);
}

static void over_unix(void **state)
{
    (void)state;
    inject("connect over unix sockets", connect_unix, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_tcp),
        cmocka_unit_test(over_unix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
