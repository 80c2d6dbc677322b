/* conduit: the context. It picks the carrier for an endpoint, and holds what connections and
 * servers share: default options, and one limit over all servers.
 *
 * LIFETIME
 *   1. A context belongs to one reactor, and is freed before or after it.
 *   2. Flows do not need the context once they were made. Servers use its limit until their
 * on_stopped has returned.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_CONTEXT_H
#define CONDUIT_CONTEXT_H

#include <conduit/endp.h>
#include <conduit/server.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cdt_context;

struct cdt_context_options {
    size_t size;
    struct cdt_flow_options flow; /* for connections, and for servers without options */
    unsigned max_active;          /* of all servers together; 0: unlimited */
};

/* Makes a context. `options` may be NULL. -EINVAL, -ENOMEM. */
CDT_API int cdt_context_new(struct cdt_reactor *reactor, const struct cdt_context_options *options,
                            struct cdt_context **context);

/* Frees it. -EBUSY while a server or a connection uses its limit. NULL is allowed. */
CDT_API int cdt_context_free(struct cdt_context *context);

CDT_API struct cdt_reactor *cdt_context_reactor(const struct cdt_context *context);

/* The limit over all servers of the context, for servers that you make without it. */
CDT_API struct cdt_limit *cdt_context_limit(const struct cdt_context *context);

/* Changes the maximum of active connections of all servers together; 0: unlimited. As
 * cdt_limit_set(). */
CDT_API int cdt_set_max_active(struct cdt_context *context, unsigned max);

/* Connects to an endpoint. `options` NULL: the context's. The handler is kept; the result comes by
 * on_open or on_close, also that the endpoint cannot be connected to: -EPROTONOSUPPORT with a
 * sentence for a carrier that is not built in, for names, for descriptors and for Unknown;
 * -ENAMETOOLONG, -EINVAL for a Unix path. A wildcard address means this host. Errors: -EINVAL,
 * -ENOMEM. */
CDT_API int cdt_connect_endp(struct cdt_context *context, const struct cdt_endp *endp,
                             const struct cdt_flow_options *options,
                             const struct cdt_handler *handler, struct cdt_flow **flow);

/* Listens on an endpoint, under the context's limit besides those of the options. `options` NULL:
 * the context's flow options and the defaults. The result comes by on_listen. A host without a name
 * is every address, dual stack. FD and SYSTEMD are descriptors that this process inherited, and
 * belong to the server then; those of systemd are found as sd_listen_fds(3) does it. Errors, at
 * once, with their sentence in cdt_context_error(): -EINVAL (all of the options' limits are used,
 * or a Unix name that holds a 0), -ENOMEM, -ENAMETOOLONG (a Unix path), -EPROTONOSUPPORT (a carrier
 * that is not built in, a host name, Unknown), -ENOENT (no inherited descriptor of that name),
 * -EBADF, -ENOTSOCK, -EPROTOTYPE. */
CDT_API int cdt_serve_endp(struct cdt_context *context, const struct cdt_endp *endp,
                           const struct cdt_server_options *options,
                           const struct cdt_handler *handler, struct cdt_server **server);

/* Why the last call on this context failed, a sentence for people; "" if it did not. */
CDT_API const char *cdt_context_error(const struct cdt_context *context);

/* The endpoint of a flow: of the peer (`peer` true), or ours. A carrier without addresses gives
 * (Unknown NAME) with the carrier's name. Free it with cdt_endp_free(). -EINVAL, -ENOMEM,
 * -ENOTCONN. */
CDT_API int cdt_flow_endp(const struct cdt_flow *flow, bool peer, struct cdt_endp **endp);

/* The endpoint that a server is bound to. As above; -ENOTCONN before on_listen(0). */
CDT_API int cdt_server_endp(const struct cdt_server *server, struct cdt_endp **endp);

#ifdef __cplusplus
}
#endif
#endif
