/* The load over TCP and Unix sockets, with nothing but epoll: no library is favoured. Connecting
 * blocks; all else does not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/load/load.h"

enum { EVENTS = 256, PATIENCE = 60 /* seconds without any event */ };

static union {
    struct sockaddr any;
    struct sockaddr_in tcp;
    struct sockaddr_un local;
} server;
static socklen_t server_length;
static int set;
static uint64_t due = UINT64_MAX;

static void read_tcp(const char *text)
{
    char host[INET_ADDRSTRLEN] = "";
    unsigned short port = 0;
    if (sscanf(text, "%15[0-9.]:%hu", host, &port) != 2 ||
        inet_pton(AF_INET, host, &server.tcp.sin_addr) != 1)
        load_die(text, "no IPv4 address and port");
    server.tcp.sin_family = AF_INET;
    server.tcp.sin_port = htons(port);
    server_length = sizeof server.tcp;
}

static void read_unix(const char *path)
{
    if (strlen(path) >= sizeof server.local.sun_path)
        load_die(path, "too long");
    server.local.sun_family = AF_UNIX;
    memcpy(server.local.sun_path, path, strlen(path));
    server_length = sizeof server.local;
}

static void sockets_prepare(const char *address)
{
    if (strchr(address, '/'))
        read_unix(address);
    else
        read_tcp(address);
    prctl(PR_SET_TIMERSLACK, 1);
    set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0)
        load_die_errno("epoll_create1");
}

static void watch(struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(set, how, connection->fd, &event))
        load_die_errno("epoll_ctl");
}

static void sockets_connect(struct connection *connection)
{
    const int one = 1, fd = socket(server.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        load_die_errno("socket");
    if (server.any.sa_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, &server.any, server_length))
        load_die_errno("connect");
    connection->fd = fd;
    connection->unsent = 0;
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    work_opened(connection);
}

static void send_more(struct connection *connection)
{
    while (connection->unsent) {
        const size_t length = connection->unsent < LOAD_BUFFER ? connection->unsent : LOAD_BUFFER;
        const ssize_t sent = send(connection->fd, load_buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0)
            load_die_errno("send");
        connection->unsent -= (size_t)sent;
    }
}

static void sockets_send(struct connection *connection, size_t length)
{
    const bool waits = connection->unsent > 0;
    connection->unsent += length;
    if (waits)
        return;
    send_more(connection);
    if (connection->unsent)
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void sockets_shutdown(struct connection *connection)
{
    shutdown(connection->fd, SHUT_WR);
}

static void sockets_close(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    work_closed(connection);
}

static void on_writable(struct connection *connection)
{
    send_more(connection);
    if (connection->unsent)
        return;
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    work_sent(connection);
}

static void on_readable(struct connection *connection)
{
    const ssize_t got = recv(connection->fd, load_received, LOAD_BUFFER, MSG_DONTWAIT);
    if (got > 0)
        work_received(connection, (size_t)got);
    else if (got == 0)
        work_ended(connection);
    else if (errno != EAGAIN)
        load_die_errno("recv");
}

static int wait_events(struct epoll_event *events)
{
    struct timespec timeout = {.tv_sec = PATIENCE};
    if (due != UINT64_MAX) {
        const uint64_t now = load_now(), rest = due > now ? due - now : 0;
        timeout.tv_sec = (time_t)(rest / 1000000000u);
        timeout.tv_nsec = (long)(rest % 1000000000u);
    }
    const int count = epoll_pwait2(set, events, EVENTS, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        load_die_errno("epoll_pwait2");
    if (count == 0 && due == UINT64_MAX)
        load_die("the server", "silent for a minute");
    return count;
}

static void sockets_run(void)
{
    struct epoll_event events[EVENTS];
    while (!work_over()) {
        const int count = wait_events(events);
        for (int i = 0; i < count && !work_over(); i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                on_writable(connection);
            if (events[i].events & ~(uint32_t)EPOLLOUT && connection->fd >= 0)
                on_readable(connection);
        }
        if (due != UINT64_MAX && due <= load_now()) {
            due = UINT64_MAX;
            work_due();
        }
    }
}

static void sockets_wake_at(uint64_t when)
{
    due = when;
}

struct transport sockets = {
    .prepare = sockets_prepare,
    .connect = sockets_connect,
    .send = sockets_send,
    .shutdown = sockets_shutdown,
    .close = sockets_close,
    .run = sockets_run,
    .wake_at = sockets_wake_at,
};
