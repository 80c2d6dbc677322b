/* What listeners on TCP and Unix sockets have in common. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flows/server.h"

int socket_accept(struct cdt_listener *listener, struct cdt_carrier *carrier, struct cdt_addr *peer)
{
    peer->length = sizeof *peer - offsetof(struct cdt_addr, any);
    carrier->fd = accept4(listener->fd, &peer->any, &peer->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (carrier->fd < 0)
        return -errno;
    if (peer->length == sizeof peer->v6)
        socket_unmap(peer);
    return 0;
}

int socket_listener_address(const struct cdt_listener *listener, struct cdt_addr *addr)
{
    addr->length = sizeof *addr - offsetof(struct cdt_addr, any);
    return getsockname(listener->fd, &addr->any, &addr->length) ? -errno : 0;
}

/* What the kernel cuts a backlog to; a large number if it does not say. */
static int largest_backlog(void)
{
    char text[32];
    ssize_t n = -1;
    int fd = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        n = read(fd, text, sizeof text - 1);
        close(fd);
    }
    if (n <= 0)
        return INT32_MAX;
    text[n] = 0;
    long value = strtol(text, NULL, 10);
    return value > 0 && value < INT32_MAX ? (int)value : INT32_MAX;
}

int socket_set_backlog(struct cdt_listener *listener, int backlog)
{
    int largest = largest_backlog();

    if (listen(listener->fd, backlog))
        return -errno;
    return backlog < largest ? backlog : largest;
}

void socket_carrier(struct cdt_server *server, int domain)
{
    if (domain != AF_UNIX)
        server->carrier = &tcp_ops;
    else
        server->carrier = server->config->options.receive_fds ? &unix_fds_ops : &unix_ops;
}

void socket_close_listener(struct cdt_listener *listener)
{
    close(listener->fd);
    listener->fd = -1;
}
