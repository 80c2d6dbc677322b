/* The table of carriers: what each kind of endpoint does to connect and to listen. */
#include <errno.h>
#include <string.h>

#include "context/internal.h"

static int tcp_listen(struct cdt_context *context, const struct cdt_endp *endp,
                      const struct cdt_server_options *options, const struct cdt_handler *handler,
                      struct cdt_server **server)
{
    return cdt_tcp_listen(context->reactor, &endp->addr, options, handler, server);
}

/* A host without a name: the address of the context's source, or every one. */
static int host_listen(struct cdt_context *context, const struct cdt_endp *endp,
                       const struct cdt_server_options *options, const struct cdt_handler *handler,
                       struct cdt_server **server)
{
    if (endp->name_length)
        return context_fail(context, -EPROTONOSUPPORT,
                            "listening needs an address, names are for connecting");
    struct cdt_addr addr = context->flow.source;
    const uint16_t port = (uint16_t)endp->number;
    if (!tcp_is_ip(&addr))
        cdt_addr_any(&addr, AF_INET6, port);
    else if (addr.any.sa_family == AF_INET)
        addr.v4.sin_port = htons(port);
    else
        addr.v6.sin6_port = htons(port);
    return cdt_tcp_listen(context->reactor, &addr, options, handler, server);
}

/* The address of a Unix endpoint. A first 0 byte means the abstract namespace, as in the kernel. */
int context_unix_addr(const struct cdt_endp *endp, struct cdt_addr *addr, const char **why)
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
    if (status == 0)
        *why = NULL;
    return status;
}

static int unix_listen(struct cdt_context *context, const struct cdt_endp *endp,
                       const struct cdt_server_options *options, const struct cdt_handler *handler,
                       struct cdt_server **server)
{
    struct cdt_addr addr;
    const char *why;
    const int status = context_unix_addr(endp, &addr, &why);
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

static const char only_listening[] = "only for listening";
static const char no_name[] = "names in a list are not resolved";

const struct context_row context_rows[CDT_ENDP_KINDS] = {
    [CDT_ENDP_TCP] = {attempt_tcp, tcp_listen, NULL, NULL},
    [CDT_ENDP_UNIX] = {attempt_unix, unix_listen, NULL, NULL},
    [CDT_ENDP_VCHAN_DIRECT] = {attempt_vchan, context_vchan_listen, NULL, NULL},
    [CDT_ENDP_VCHAN_DOMAIN_SOCKET] = {attempt_vchan, context_vchan_listen, NULL, NULL},
    [CDT_ENDP_TLS] = {attempt_tls, tls_listen, NULL, NULL},
    [CDT_ENDP_UNKNOWN] = {attempt_unknown, NULL, NULL, "unknown endpoint"},
    [CDT_ENDP_HOST] = {NULL, host_listen, no_name, NULL},
    [CDT_ENDP_FD] = {NULL, fd_listen, only_listening, NULL},
    [CDT_ENDP_SYSTEMD] = {NULL, systemd_listen, only_listening, NULL},
};
