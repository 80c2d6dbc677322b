/* The small server over libev: one ev_io a connection, on the default loop. */
#include <ev.h>

#include "bench/peers/peer.h"

struct connection {
    ev_io io;
    struct rest rest;
};

static struct peer peer;
static char buffer[PEER_BUFFER];

static void leave(struct ev_loop *loop, struct connection *connection)
{
    ev_io_stop(loop, &connection->io);
    close(connection->io.fd);
    free(connection->rest.data);
    free(connection);
}

static void watch(struct ev_loop *loop, struct connection *connection, int events)
{
    ev_io_stop(loop, &connection->io);
    ev_io_modify(&connection->io, events);
    ev_io_start(loop, &connection->io);
}

static void on_readable(struct ev_loop *loop, struct connection *connection)
{
    const ssize_t got = recv(connection->io.fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            leave(loop, connection);
        return;
    }
    if (peer.discard)
        return;
    const int left = rest_begin(&connection->rest, connection->io.fd, buffer, (size_t)got);
    if (left > 0)
        watch(loop, connection, EV_WRITE);
    else if (left < 0 || peer.close_after_echo)
        leave(loop, connection);
}

static void on_writable(struct ev_loop *loop, struct connection *connection)
{
    const int left = rest_send(&connection->rest, connection->io.fd);
    if (left < 0 || (left == 0 && peer.close_after_echo))
        leave(loop, connection);
    else if (left == 0)
        watch(loop, connection, EV_READ);
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct connection *connection = (struct connection *)io;
    if (events & EV_WRITE)
        on_writable(loop, connection);
    else
        on_readable(loop, connection);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    for (int i = 0; i < PEER_ACCEPTS; i++) {
        const int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
            peer_die("calloc");
        ev_io_init(&connection->io, on_event, fd, EV_READ);
        ev_io_start(loop, &connection->io);
    }
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    ev_io listening;
    peer = peer_start(argc, argv);
    peer_refuse_tls(&peer);
    peer_refuse_source(&peer);
    if (!loop)
        return 1;
    ev_io_init(&listening, on_accept, peer.listener, EV_READ);
    ev_io_start(loop, &listening);
    ev_run(loop, 0);
    return 0;
}
