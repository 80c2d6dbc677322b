/* Flows over sockets: what connecting has in common for the carriers, and adopting a socket. */
#include <unistd.h>

#include "flows/internal.h"

int flow_connect(struct cdt_reactor *reactor, const struct flow_connect *connect,
                 const struct cdt_flow_options *options, const struct cdt_handler *handler,
                 struct cdt_flow **flow)
{
    struct flow_config *config;
    int result = flow ? flow_prepare(reactor, options, handler, &config) : -EINVAL;
    if (result)
        return result;

    struct cdt_carrier carrier = {.fd = connect->start(connect->to, &config->options)};
    int failure = carrier.fd < 0 ? carrier.fd : 0;
    if (failure)
        carrier.fd = -1;
    result = flow_new(config, handler, connect->ops, &carrier, true, connect->to, flow);
    if (result && result != -EINVAL && carrier.fd >= 0) { /* epoll has no room: heard by on_close */
        failure = result;
        close(carrier.fd);
        carrier.fd = -1;
        result = flow_new(config, handler, connect->ops, &carrier, true, connect->to, flow);
    }
    if (result) {
        if (carrier.fd >= 0)
            close(carrier.fd);
        flow_config_put(config);
        return result;
    }
    if (failure) {
        flow_end(*flow, failure, NULL);
        return 0;
    }
    flow_update_timer(*flow);
    return 0;
}

/* ---- adopting -------------------------------------------------------------------------------- */

static int socket_option(int fd, int name, int *value)
{
    socklen_t length = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, name, value, &length) ? -errno : 0;
}

/* The carrier for a connected stream socket: 0, or why it is none. */
static int adopted_ops(int fd, bool receive_fds, const struct cdt_carrier_ops **ops,
                       struct cdt_addr *peer)
{
    int type, domain;
    int result = socket_option(fd, SO_TYPE, &type);
    if (result == 0)
        result = socket_option(fd, SO_DOMAIN, &domain);
    if (result)
        return result;
    if (type != SOCK_STREAM)
        return -EPROTOTYPE;
    if (domain == AF_UNIX)
        *ops = receive_fds ? &unix_fds_ops : &unix_ops;
    else if (domain == AF_INET || domain == AF_INET6)
        *ops = &tcp_ops;
    else
        return -EPROTOTYPE;
    struct cdt_carrier carrier = {.fd = fd};
    return socket_address(&carrier, true, peer);
}

int cdt_flow_adopt(struct cdt_reactor *reactor, int fd, const struct cdt_flow_options *options,
                   const struct cdt_handler *handler, struct cdt_flow **flow)
{
    if (fd < 0 || !flow)
        return -EINVAL;
    const struct cdt_carrier_ops *ops = NULL;
    struct cdt_addr peer;
    struct flow_config *config;
    int result = flow_prepare(reactor, options, handler, &config);
    if (result)
        return result;
    result = adopted_ops(fd, config->options.receive_fds, &ops, &peer);
    if (result == 0 && ops == &tcp_ops)
        result = tcp_apply_options(fd, &config->options);
    struct cdt_carrier carrier = {.fd = fd};
    if (result == 0)
        result = flow_new(config, handler, ops, &carrier, false, &peer, flow);
    if (result) {
        flow_config_put(config);
        return result;
    }
    socket_take_over(fd);
    flow_schedule(*flow);
    return 0;
}
