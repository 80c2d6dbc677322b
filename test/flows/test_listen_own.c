/* Listeners of one's own: without a descriptor, over the same operations as any other; limits arm
 * and disarm it; its errors follow the table. */
#include "test/support/serve.h"

/* Clients are socket pairs that wait in a queue. */
struct own {
    int queue[64], head, tail;
    int script[8], step; /* errors that accept gives before it looks at the queue */
    int always;          /* one that it gives always */
    struct cdt_server *armed;
    int arms, disarms, accepts, closes;
    int backlog;
};

static ssize_t carrier_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    ssize_t n = recv(carrier->fd, data, length, MSG_DONTWAIT);

    return n < 0 ? -errno : n;
}

static ssize_t carrier_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    ssize_t n = send(carrier->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n < 0 ? -errno : n;
}

static ssize_t carrier_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    (void)count;
    return carrier_write(carrier, parts->iov_base, parts->iov_len);
}

static void carrier_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    if (how != CDT_CLOSE_KEEP)
        close(carrier->fd);
}

static const struct cdt_carrier_ops carrier_ops = {
    .size = sizeof carrier_ops,
    .name = "own",
    .read = carrier_read,
    .write = carrier_write,
    .writev = carrier_writev,
    .close = carrier_close,
};

static int own_accept(struct cdt_listener *listener, struct cdt_carrier *carrier,
                      struct cdt_addr *peer)
{
    struct own *own = listener->context;

    own->accepts++;
    assert_int_equal(peer->length, 0);
    if (own->always)
        return own->always;
    if (own->step < 8 && own->script[own->step])
        return own->script[own->step++];
    if (own->head == own->tail)
        return -EAGAIN;
    carrier->fd = own->queue[own->head++];
    return 0;
}

static void own_arm(struct cdt_listener *listener, struct cdt_server *server)
{
    struct own *own = listener->context;

    assert_null(own->armed);
    own->arms++;
    own->armed = server;
}

static void own_disarm(struct cdt_listener *listener)
{
    struct own *own = listener->context;

    assert_non_null(own->armed);
    own->disarms++;
    own->armed = NULL;
}

static void own_close(struct cdt_listener *listener)
{
    struct own *own = listener->context;

    own->closes++;
    while (own->head < own->tail)
        close(own->queue[own->head++]);
}

static int own_backlog(struct cdt_listener *listener, int backlog)
{
    struct own *own = listener->context;

    own->backlog = backlog;
    return backlog > 10 ? 10 : backlog;
}

static const struct cdt_listener_ops own_ops = {
    .size = sizeof own_ops,
    .carrier = &carrier_ops,
    .accept = own_accept,
    .arm = own_arm,
    .disarm = own_disarm,
    .close = own_close,
    .set_backlog = own_backlog,
};

static void listen_own(struct cdt_reactor *reactor, struct serve *serve, struct own *own,
                       const struct cdt_server_options *options)
{
    const struct cdt_listener listener = {.context = own, .fd = -1};

    assert_int_equal(
        cdt_listen(reactor, &own_ops, &listener, options, &serve_handler, &serve->server), 0);
    until(reactor, serve->listened);
    assert_int_equal(serve->listen_status, 0);
}

/* A client comes; the listener says so if it is armed. */
static int come(struct own *own)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    own->queue[own->tail++] = pair[0];
    if (own->armed)
        assert_int_equal(cdt_listener_ready(own->armed), 0);
    return pair[1];
}

static void test_clients_come(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct own own = {0};
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_addr addr = {.length = 1};
    int early = come(&own); /* before anything listened */

    (void)state;
    listen_own(reactor, &serve, &own, &options);
    assert_int_equal(own.arms, 1);
    assert_int_equal(cdt_server_address(serve.server, &addr), 0);
    assert_int_equal(addr.length, 0);
    assert_int_equal(cdt_server_fd(serve.server), -1);
    until(reactor, serve.opened == 1);
    int fd = come(&own);
    assert_int_equal(serve.opened, 1); /* never from inside the call */
    client_send(fd);
    until(reactor, client_read(fd) == 1);
    close(fd);
    close(early);
    until(reactor, serve.closed == 2);
    serve_stop(reactor, &serve);
    assert_int_equal(own.closes, 1);
    assert_int_equal(own.disarms, 1);
    cdt_reactor_free(reactor);
}

static void test_budget(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct own own = {0};
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[20];

    (void)state;
    options.accept_budget = 3;
    listen_own(reactor, &serve, &own, &options);
    settle(reactor);
    for (int i = 0; i < 20; i++)
        fds[i] = come(&own);
    for (int last = 0; serve.opened < 20; last = serve.opened) {
        assert_true(cdt_reactor_step(reactor, CDT_SECOND) > 0);
        assert_true(serve.opened - last <= 3);
    }
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_limit_disarms(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct own own = {0};
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    int fds[3];

    (void)state;
    options.max_active = 1;
    listen_own(reactor, &serve, &own, &options);
    for (int i = 0; i < 3; i++)
        fds[i] = come(&own);
    until(reactor, serve.opened == 1);
    settle(reactor);
    assert_null(own.armed);
    assert_int_equal(own.accepts, 1); /* nobody is taken who would have to wait */
    assert_int_equal(cdt_listener_ready(serve.server), 0); /* does nothing now */
    settle(reactor);
    assert_int_equal(own.accepts, 1);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
        until(reactor, serve.closed == i + 1);
    }
    settle(reactor);
    assert_non_null(own.armed);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_error_policies(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct own own = {.script = {-ECONNABORTED, -EINTR, -EPERM, -ENOMEM, -ENFILE}};
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    struct cdt_server_counters counters;
    int fd = come(&own);

    (void)state;
    listen_own(reactor, &serve, &own, &options);
    until(reactor, serve.opened == 1);
    counters = serve_counters(&serve);
    assert_int_equal(counters.failed, 3);
    assert_int_equal(counters.starved, 1);
    assert_int_equal(own.accepts, 7);  /* five errors, the client, nobody */
    assert_int_equal(serve.errors, 2); /* of each kind once a second */
    assert_int_equal(serve.error_status, -ENOMEM);
    assert_false(serve.error_has_peer);
    close(fd);
    serve_stop(reactor, &serve);

    /* An error for ever is asked for only now and then. */
    own = (struct own){.always = -EPROTO};
    serve = (struct serve){0};
    listen_own(reactor, &serve, &own, &options);
    cdt_reactor_update_time(reactor);
    for (uint64_t end = cdt_reactor_now(reactor) + 300 * CDT_MS; cdt_reactor_now(reactor) < end;)
        cdt_reactor_step(reactor, 20 * CDT_MS);
    assert_in_range(own.accepts, 64, 64 * 4);
    assert_int_equal(serve.errors, 2);
    serve_stop(reactor, &serve);

    /* One that cannot be used any more ends the server. */
    own = (struct own){.script = {-EINVAL}};
    serve = (struct serve){0};
    listen_own(reactor, &serve, &own, &options);
    until(reactor, serve.stopped);
    assert_int_equal(serve.errors, 1);
    assert_int_equal(serve.error_status, -EINVAL);
    assert_int_equal(own.closes, 1);
    cdt_reactor_free(reactor);
}

static void test_backlog(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct own own = {0};
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);

    (void)state;
    options.backlog = 7;
    listen_own(reactor, &serve, &own, &options);
    assert_int_equal(own.backlog, 7);
    assert_int_equal(serve_counters(&serve).backlog, 7);
    assert_int_equal(cdt_server_set_backlog(serve.server, 20), 0);
    assert_int_equal(serve_counters(&serve).backlog, 10);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_arguments(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_server *server = NULL;
    const struct cdt_listener listener = {.fd = -1};
    struct cdt_listener_ops ops = own_ops;
    struct cdt_carrier_ops carrier = carrier_ops;

    (void)state;
    assert_int_equal(cdt_listen(reactor, &ops, NULL, NULL, &serve_handler, &server), -EINVAL);
    assert_int_equal(cdt_listen(reactor, &ops, &listener, NULL, &serve_handler, NULL), -EINVAL);
    ops.size = 8;
    assert_int_equal(cdt_listen(reactor, &ops, &listener, NULL, &serve_handler, &server), -EINVAL);
    ops = own_ops;
    ops.accept = NULL;
    assert_int_equal(cdt_listen(reactor, &ops, &listener, NULL, &serve_handler, &server), -EINVAL);
    ops = own_ops;
    ops.close = NULL;
    assert_int_equal(cdt_listen(reactor, &ops, &listener, NULL, &serve_handler, &server), -EINVAL);
    ops = own_ops;
    ops.carrier = &carrier;
    carrier.read = NULL;
    assert_int_equal(cdt_listen(reactor, &ops, &listener, NULL, &serve_handler, &server), -EINVAL);
    ops.carrier = NULL;
    assert_int_equal(cdt_listen(reactor, &ops, &listener, NULL, &serve_handler, &server), -EINVAL);
    assert_null(server);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_come),  cmocka_unit_test(test_budget),
        cmocka_unit_test(test_limit_disarms), cmocka_unit_test(test_error_policies),
        cmocka_unit_test(test_backlog),       cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
