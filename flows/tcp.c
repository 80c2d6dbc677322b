/* TCP: options of sockets, and connecting. */
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "flows/internal.h"

/* The SYN is on its way, with the first bytes, and not answered. */
static bool is_unanswered(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
           info.tcpi_state == TCP_SYN_SENT && info.tcpi_unacked;
}

/* A client's Fast Open is open before anybody has answered: shutdown(2) would tear it down. */
static int tcp_shutdown(struct cdt_carrier *carrier)
{
    const struct flow_config *config = flow_of_carrier(carrier)->config;
    const bool fast = config->options.fastopen == CDT_ON && !config->server;
    return fast && is_unanswered(carrier->fd) ? -EAGAIN : socket_shutdown(carrier);
}

const struct cdt_carrier_ops tcp_ops = {
    .size = sizeof tcp_ops,
    .name = "tcp",
    .read = socket_read,
    .write = socket_write,
    .writev = socket_writev,
    .shutdown = tcp_shutdown,
    .connected = socket_connected,
    .close = socket_close,
    .unacknowledged = socket_unacknowledged,
    .address = socket_address,
};

/* One row an option of a socket; those whose value is 0 are left as the kernel has them. */
struct option {
    int level, name;
    unsigned value;
};

static int apply(int fd, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int value = (int)options[i].value;
        if (value == 0)
            continue;
        if (setsockopt(fd, options[i].level, options[i].name, &value, sizeof value))
            return -errno;
    }
    return 0;
}

int tcp_apply_options(int fd, const struct cdt_flow_options *o)
{
    bool alive = o->keepalive == CDT_ON;
    uint64_t user_timeout = o->user_timeout / CDT_MS + (o->user_timeout % CDT_MS != 0);
    if (user_timeout > INT32_MAX)
        user_timeout = INT32_MAX;
    const struct option options[] = {
        {IPPROTO_TCP, TCP_NODELAY, o->nodelay == CDT_ON},
        {SOL_SOCKET, SO_KEEPALIVE, alive},
        {IPPROTO_TCP, TCP_KEEPIDLE, alive ? o->keepalive_times.after : 0},
        {IPPROTO_TCP, TCP_KEEPINTVL, alive ? o->keepalive_times.interval : 0},
        {IPPROTO_TCP, TCP_KEEPCNT, alive ? o->keepalive_times.probes : 0},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, (unsigned)user_timeout},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, o->notsent_lowat},
        {SOL_SOCKET, SO_SNDBUF, o->send_buffer},
        {SOL_SOCKET, SO_RCVBUF, o->receive_buffer},
    };
    int result = apply(fd, options, sizeof options / sizeof *options);
    if (result == 0 && o->interface[0] &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface, (socklen_t)strlen(o->interface)))
        result = -errno;
    return result;
}

/* Binds to the source, without taking a port before the peer is known. */
static int bind_source(int fd, const struct cdt_addr *source, int family)
{
    if (source->length == 0)
        return 0;
    if (source->any.sa_family != family)
        return -EAFNOSUPPORT;
    int on = 1;
    if (cdt_addr_port(source) == 0)
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, &source->any, source->length) ? -errno : 0;
}

int tcp_start(const struct cdt_addr *to, const struct cdt_flow_options *options)
{
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    int on = 1, result = tcp_apply_options(fd, options);
    if (result == 0 && options->fastopen == CDT_ON &&
        setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on))
        result = -errno;
    if (result == 0)
        result = bind_source(fd, &options->source, to->any.sa_family);
    if (result == 0 && connect(fd, &to->any, to->length) && errno != EINPROGRESS)
        result = -errno;
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

bool tcp_is_ip(const struct cdt_addr *addr)
{
    return addr && ((addr->length == sizeof addr->v4 && addr->any.sa_family == AF_INET) ||
                    (addr->length == sizeof addr->v6 && addr->any.sa_family == AF_INET6));
}

int cdt_tcp_connect(struct cdt_reactor *reactor, const struct cdt_addr *to,
                    const struct cdt_flow_options *options, const struct cdt_handler *handler,
                    struct cdt_flow **flow)
{
    if (!tcp_is_ip(to))
        return -EINVAL;
    struct flow_connect connect = {.ops = &tcp_ops, .start = tcp_start, .to = to};
    return flow_connect(reactor, &connect, options, handler, flow);
}
