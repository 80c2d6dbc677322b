/* The small server over libevent's plain events: a persistent one for reading, and one for writing
 * only while something is left to send. */
#include <event2/event.h>
#include <event2/listener.h>

#include "bench/peers/peer.h"

struct connection {
    struct event *reading, *writing;
    struct rest rest;
};

static struct peer peer;
static char buffer[PEER_BUFFER];

static void leave(struct connection *connection)
{
    const int fd = event_get_fd(connection->reading);
    event_free(connection->reading);
    if (connection->writing)
        event_free(connection->writing);
    close(fd);
    free(connection->rest.data);
    free(connection);
}

static void on_writable(evutil_socket_t fd, short events, void *arg)
{
    struct connection *connection = arg;
    const int left = rest_send(&connection->rest, fd);
    (void)events;
    if (left < 0 || (left == 0 && peer.close_after_echo)) {
        leave(connection);
    } else if (left == 0) {
        event_del(connection->writing);
        event_add(connection->reading, NULL);
    }
}

static void wait_writable(struct connection *connection, evutil_socket_t fd)
{
    if (!connection->writing)
        connection->writing = event_new(event_get_base(connection->reading), fd,
                                        EV_WRITE | EV_PERSIST, on_writable, connection);
    event_del(connection->reading);
    if (!connection->writing || event_add(connection->writing, NULL))
        peer_die("event_add");
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
    struct connection *connection = arg;
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    (void)events;
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            leave(connection);
        return;
    }
    if (peer.discard)
        return;
    const int left = rest_begin(&connection->rest, fd, buffer, (size_t)got);
    if (left > 0)
        wait_writable(connection, fd);
    else if (left < 0 || peer.close_after_echo)
        leave(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int length, void *arg)
{
    struct connection *connection = calloc(1, sizeof *connection);
    (void)from, (void)length, (void)arg;
    if (!connection)
        peer_die("calloc");
    connection->reading = event_new(evconnlistener_get_base(listener), fd, EV_READ | EV_PERSIST,
                                    on_readable, connection);
    if (!connection->reading || event_add(connection->reading, NULL))
        peer_die("event_add");
}

/* No descriptor is free: libevent would write a line each time. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener, (void)arg;
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct evconnlistener *listener;
    peer = peer_start(argc, argv);
    peer_refuse_tls(&peer);
    peer_refuse_source(&peer);
    if (!base)
        return 1;
    listener = evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, peer.listener);
    if (!listener)
        return 1;
    evconnlistener_set_error_cb(listener, on_accept_error);
    return event_base_dispatch(base) < 0;
}
