/* The table of carriers: what each kind of endpoint does to connect and to listen. */
#include <errno.h>
#include <string.h>

#include "context/internal.h"

static int tcp_connect(struct cdt_context *context, const struct cdt_endp *endp,
                       const struct cdt_flow_options *options, const struct cdt_handler *handler,
                       struct cdt_flow **flow)
{
    return cdt_tcp_connect(context->reactor, &endp->addr, options, handler, flow);
}

static int tcp_listen(struct cdt_context *context, const struct cdt_endp *endp,
                      const struct cdt_server_options *options, const struct cdt_handler *handler,
                      struct cdt_server **server)
{
    return cdt_tcp_listen(context->reactor, &endp->addr, options, handler, server);
}

/* A host without a name: every address, or this host. */
static int host_connect(struct cdt_context *context, const struct cdt_endp *endp,
                        const struct cdt_flow_options *options, const struct cdt_handler *handler,
                        struct cdt_flow **flow)
{
    if (endp->name_length)
        return context_failed_flow(context->reactor, -EPROTONOSUPPORT,
                                   "names are not resolved in this build", handler, flow);
    struct cdt_addr addr;
    cdt_addr_any(&addr, AF_INET, (uint16_t)endp->number);
    return cdt_tcp_connect(context->reactor, &addr, options, handler, flow);
}

static int host_listen(struct cdt_context *context, const struct cdt_endp *endp,
                       const struct cdt_server_options *options, const struct cdt_handler *handler,
                       struct cdt_server **server)
{
    if (endp->name_length)
        return context_fail(context, -EPROTONOSUPPORT, "names are not resolved in this build");
    struct cdt_addr addr;
    cdt_addr_any(&addr, AF_INET6, (uint16_t)endp->number);
    return cdt_tcp_listen(context->reactor, &addr, options, handler, server);
}

/* The address of a Unix endpoint. A first 0 byte means the abstract namespace, as in the kernel. */
static int unix_addr(const struct cdt_endp *endp, struct cdt_addr *addr, const char **why)
{
    char path[sizeof addr->local.sun_path + 2];
    *why = "a Unix socket's path has at most 107 bytes";
    if (endp->name_length >= sizeof path)
        return -ENAMETOOLONG;
    memcpy(path, endp->name, endp->name_length + 1);
    if (endp->name_length && path[0] == 0)
        path[0] = '@';
    *why = "a Unix socket's path is not empty and holds no 0 byte";
    if (strlen(path) != endp->name_length)
        return -EINVAL;
    const int status = cdt_addr_unix(addr, path);
    if (status == -ENAMETOOLONG)
        *why = "a Unix socket's path has at most 107 bytes";
    return status;
}

static int unix_connect(struct cdt_context *context, const struct cdt_endp *endp,
                        const struct cdt_flow_options *options, const struct cdt_handler *handler,
                        struct cdt_flow **flow)
{
    struct cdt_addr addr;
    const char *why;
    const int status = unix_addr(endp, &addr, &why);
    if (status)
        return context_failed_flow(context->reactor, status, why, handler, flow);
    return cdt_unix_connect(context->reactor, &addr, options, handler, flow);
}

static int unix_listen(struct cdt_context *context, const struct cdt_endp *endp,
                       const struct cdt_server_options *options, const struct cdt_handler *handler,
                       struct cdt_server **server)
{
    struct cdt_addr addr;
    const char *why;
    const int status = unix_addr(endp, &addr, &why);
    if (status)
        return context_fail(context, status, why);
    return cdt_unix_listen(context->reactor, &addr, options, handler, server);
}

static int fd_listen(struct cdt_context *context, const struct cdt_endp *endp,
                     const struct cdt_server_options *options, const struct cdt_handler *handler,
                     struct cdt_server **server)
{
    return cdt_listen_fd(context->reactor, (int)endp->number, options, handler, server);
}

static int systemd_listen(struct cdt_context *context, const struct cdt_endp *endp,
                          const struct cdt_server_options *options,
                          const struct cdt_handler *handler, struct cdt_server **server)
{
    const int fd = context_inherited(endp->name);
    if (fd < 0)
        return context_fail(context, fd, "no socket of this name was passed (LISTEN_FDNAMES)");
    return cdt_listen_fd(context->reactor, fd, options, handler, server);
}

/* The reason is the error. */
static int unknown_connect(struct cdt_context *context, const struct cdt_endp *endp,
                           const struct cdt_flow_options *options,
                           const struct cdt_handler *handler, struct cdt_flow **flow)
{
    (void)options;
    return context_failed_flow(context->reactor, -EPROTONOSUPPORT,
                               endp->name_length ? endp->name : "unknown endpoint", handler, flow);
}

static const char no_tls[] = "TLS is not built in";
static const char no_vchan[] = "vchan is not built in";
static const char only_listening[] = "only for listening";

const struct context_row context_rows[CDT_ENDP_KINDS] = {
    [CDT_ENDP_TCP] = {tcp_connect, tcp_listen, NULL, NULL},
    [CDT_ENDP_UNIX] = {unix_connect, unix_listen, NULL, NULL},
    [CDT_ENDP_VCHAN_DIRECT] = {NULL, NULL, no_vchan, no_vchan},
    [CDT_ENDP_VCHAN_DOMAIN_SOCKET] = {NULL, NULL, no_vchan, no_vchan},
    [CDT_ENDP_TLS] = {NULL, NULL, no_tls, no_tls},
    [CDT_ENDP_UNKNOWN] = {unknown_connect, NULL, NULL, "unknown endpoint"},
    [CDT_ENDP_HOST] = {host_connect, host_listen, NULL, NULL},
    [CDT_ENDP_FD] = {NULL, fd_listen, only_listening, NULL},
    [CDT_ENDP_SYSTEMD] = {NULL, systemd_listen, only_listening, NULL},
};
