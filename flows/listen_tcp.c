/* Listening on TCP. What accepted sockets inherit (nodelay, keepalive, buffers, device) is set on
 * the listener, so that a connection costs no setsockopt(2). */
#include <netinet/tcp.h>
#include <unistd.h>

#include "flows/server.h"

enum { FASTOPEN_QUEUE = 256 };

static const struct cdt_listener_ops tcp_listener_ops = {
    .size = sizeof tcp_listener_ops,
    .accept = socket_accept,
    .close = socket_close_listener,
    .address = socket_listener_address,
    .set_backlog = socket_set_backlog,
};

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

static int apply_options(int fd, int family, const struct cdt_server *server)
{
    const struct cdt_flow_options *flow = &server->config->options;
    const struct cdt_server_options *options = &server->options;
    int error = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (!error && options->reuseport)
        error = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error && family == AF_INET6)
        error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
    if (!error)
        error = tcp_apply_options(fd, flow);
    if (!error && flow->fastopen == CDT_ON)
        error = set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, FASTOPEN_QUEUE);
    return error;
}

static int open_at(struct cdt_server *server, const struct cdt_addr *at)
{
    int family = at->any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    error = apply_options(fd, family, server);
    if (!error && bind(fd, &at->any, at->length))
        error = -errno;
    server->listener.fd = fd;
    if (!error)
        error = server_apply_backlog(server);
    if (error) {
        close(fd);
        server->listener.fd = -1;
    }
    return error;
}

static int tcp_open(struct cdt_server *server)
{
    struct cdt_addr at = server->address;
    int status = open_at(server, &at);

    if ((status == -EAFNOSUPPORT || status == -EADDRNOTAVAIL) && !server->options.ipv6_only &&
        at.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&at.v6.sin6_addr)) {
        cdt_addr_any(&at, AF_INET, cdt_addr_port(&server->address));
        status = open_at(server, &at);
    }
    return status;
}

int cdt_tcp_listen(struct cdt_reactor *reactor, const struct cdt_addr *at,
                   const struct cdt_server_options *options, const struct cdt_handler *handler,
                   struct cdt_server **result)
{
    struct cdt_server *server;
    int error;

    if (!tcp_is_ip(at) || !result)
        return -EINVAL;
    error = server_new(reactor, options, handler, &server);
    if (error)
        return error;
    server->ops = &tcp_listener_ops;
    socket_carrier(server, AF_INET);
    server->open = tcp_open;
    server->address = *at;
    server_start(server);
    *result = server;
    return 0;
}
