/* The small server as a bare epoll loop: the floor, below which no library can be. Level-triggered,
 * one recv and one send an event. */
#include <sys/epoll.h>

#include "bench/peers/peer.h"

enum { EVENTS = 256 };

struct connection {
    int fd;
    struct rest rest;
};

static struct peer peer;
static int set;
static char buffer[PEER_BUFFER];

static void watch(struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(set, how, connection->fd, &event))
        peer_die("epoll_ctl");
}

static void leave(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest.data);
    free(connection);
}

static void on_accept(void)
{
    for (int i = 0; i < PEER_ACCEPTS; i++) { // NOLINT(clang-analyzer-unix.Malloc): epoll has it
        const int fd = accept4(peer.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
            peer_die("calloc");
        connection->fd = fd;
        watch(connection, EPOLL_CTL_ADD, peer.source ? EPOLLOUT : EPOLLIN);
    }
}

static void on_readable(struct connection *connection)
{
    const ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            leave(connection);
        return;
    }
    if (peer.discard)
        return;
    const int left = rest_begin(&connection->rest, connection->fd, buffer, (size_t)got);
    if (left > 0)
        watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
    else if (left < 0 || peer.close_after_echo)
        leave(connection);
}

static void on_source_writable(struct connection *connection)
{
    if (send(connection->fd, buffer, sizeof buffer, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        leave(connection);
}

static void on_writable(struct connection *connection)
{
    const int left = rest_send(&connection->rest, connection->fd);
    if (left < 0 || (left == 0 && peer.close_after_echo))
        leave(connection);
    else if (left == 0)
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS], listening = {.events = EPOLLIN, .data.ptr = NULL};
    peer = peer_start(argc, argv);
    peer_refuse_tls(&peer);
    set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, peer.listener, &listening))
        peer_die("epoll");
    for (;;) {
        const int count = epoll_wait(set, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection)
                on_accept();
            else if (peer.source)
                on_source_writable(connection);
            else if (connection->rest.data)
                on_writable(connection);
            else
                on_readable(connection);
        }
    }
}
