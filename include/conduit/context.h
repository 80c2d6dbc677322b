/* conduit: the context. It picks the carrier for an endpoint, connects to the first of many that
 * answers, and holds what connections and servers share: default options, one limit over all
 * servers, a resolver.
 *
 * LIFETIME
 *   1. A context belongs to one reactor, and is freed before or after it. (cdt_reactor_free() frees
 *      the default context, and the resolver of its own that a context has made.)
 *   2. Flows that are connected do not need the context any more; those that are connecting end
 *      with -ECANCELED when it is freed. Servers use its limit until their on_stopped has returned.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_CONTEXT_H
#define CONDUIT_CONTEXT_H

#include <conduit/endp.h>
#include <conduit/resolver.h>
#include <conduit/server.h>
#include <conduit/tls.h>
#include <conduit/vchan.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cdt_context;

/* The source of connections, an address or an interface, is a flow option; a server on every
 * address of this host (a host without a name) listens on it as well. */
struct cdt_context_options {
    size_t size;

    /* For connections, and for servers without; copied. NULL: the defaults. */
    const struct cdt_flow_options *flow;

    /* Of all servers together; 0: unlimited. */
    unsigned max_active;

    /* Yours, to be freed after the context; NULL: one of its own, with default options, made when
     * the first name is resolved. */
    struct cdt_resolver *resolver;

    /* How long an attempt to connect runs before the next one starts beside it, ns; default 250 ms
     * (RFC 8305 section 5), at least 10 ms, at most 2 s. */
    uint64_t attempt_delay;

    /* TLS endpoints. Connections use the configuration of the flow options, servers `tls_server`,
     * unless their call's options have one. Where there is none the context makes its own when it
     * is needed: verification by the system's anchors, `own_key` (copied; NULL: none) as
     * certificate. `tls` is the backend of these. */
    struct cdt_tls_config *tls_server;
    const struct cdt_own_key *own_key;
    cdt_tls_password_fn *password; /* for its key, if own_key->password */
    void *password_arg;
    enum cdt_tls_backend tls;

    /* For vchan endpoints; copied. NULL: the defaults. */
    const struct cdt_vchan_options *vchan;
};

/* Makes a context. `options` may be NULL. -EINVAL, -ENOMEM. */
CDT_API int cdt_context_new(struct cdt_reactor *reactor, const struct cdt_context_options *options,
                            struct cdt_context **context);

/* Frees it. -EBUSY while a server or a connection uses its limit; -EINVAL for the default one. NULL
 * is allowed. */
CDT_API int cdt_context_free(struct cdt_context *context);

CDT_API struct cdt_reactor *cdt_context_reactor(const struct cdt_context *context);

/* The limit over all servers of the context, for servers that you make without it. */
CDT_API struct cdt_limit *cdt_context_limit(const struct cdt_context *context);

/* Changes the maximum of active connections of all servers together; 0: unlimited. As
 * cdt_limit_set(). */
CDT_API int cdt_set_max_active(struct cdt_context *context, unsigned max);

/* The context of a reactor that is there without being made, with default options: each call gives
 * the same one. -EINVAL, -ENOMEM. It cannot be freed (-EINVAL). */
CDT_API int cdt_context_default(struct cdt_reactor *reactor, struct cdt_context **context);

/* The resolver, for rules and services of yours; NULL without memory. */
CDT_API struct cdt_resolver *cdt_context_resolver(struct cdt_context *context);

/* CONNECTING
 *
 * All three give a flow in state CDT_CONNECTING; on_open says that it is connected, on_close that
 * it is not. `options` NULL: the context's. The handler is kept.
 *
 * Of many endpoints the first that answers wins (Happy Eyeballs, RFC 8305). They are tried in their
 * order, but families take turns: the first of the first family, the first of the other, and so on.
 * An attempt that has not succeeded after `attempt_delay` gets the next one beside it; one that
 * fails gets it at once. The attempts are bare sockets; those that lose are closed and leave no
 * trace. A name that is still being resolved gives its endpoints as they come.
 *
 * The connect timeout counts from the call until the winner is connected, resolving included; the
 * handshake timeout of TLS endpoints from there to on_open. With a source address, endpoints of the
 * other family are skipped.
 *
 * TLS endpoints: the name to be sent and verified is that of the endpoint, as of cdt_tls_start().
 * What was written before the flow is connected goes through all of its layers.
 *
 * When all have failed, on_close gets the status of the last one that was tried, and
 * cdt_flow_error() says what became of each: "[::1]:80: connection refused; 127.0.0.1:80:
 * connection timed out" (of a single endpoint that was asked for: "connection refused"). At most 64
 * are tried. Failures to resolve have their CDT_ENXDOMAIN and so on. Endpoints that cannot be
 * connected to: -EPROTONOSUPPORT with a sentence (a carrier that is not built in, descriptors,
 * Unknown); -ENAMETOOLONG, -EINVAL for a Unix path. A wildcard address means this host.
 *
 * Until then the flow has neither a descriptor nor addresses. Errors at once: -EINVAL, -ENOMEM,
 * those of cdt_resolver_new() for the context's own resolver; their sentence is in
 * cdt_context_error(). */

/* To a URI, or to the text of an endpoint as cdt_endp_parse() reads it. -EINVAL for a text that is
 * neither; -E2BIG and -ENODEV as cdt_endp_parse() and cdt_resolve() give them. */
CDT_API int cdt_connect(struct cdt_context *context, const char *text,
                        const struct cdt_flow_options *options, const struct cdt_handler *handler,
                        struct cdt_flow **flow);

/* To an endpoint; a host name is resolved. */
CDT_API int cdt_connect_endp(struct cdt_context *context, const struct cdt_endp *endp,
                             const struct cdt_flow_options *options,
                             const struct cdt_handler *handler, struct cdt_flow **flow);

/* To the first of these (copied) that answers. -EINVAL for none; host names in them are not
 * resolved. */
CDT_API int cdt_connect_endps(struct cdt_context *context, const struct cdt_endp *const *endps,
                              size_t count, const struct cdt_flow_options *options,
                              const struct cdt_handler *handler, struct cdt_flow **flow);

/* As a mode says: its tag chooses the library of TLS. */
CDT_API int cdt_connect_mode(struct cdt_context *context, const struct cdt_client_mode *mode,
                             const struct cdt_flow_options *options,
                             const struct cdt_handler *handler, struct cdt_flow **flow);

/* Listens on the text of an endpoint, as cdt_serve_endp(). -EINVAL for a text that is none. */
CDT_API int cdt_serve(struct cdt_context *context, const char *text,
                      const struct cdt_server_options *options, const struct cdt_handler *handler,
                      struct cdt_server **server);

/* Listens on an endpoint, under the context's limit besides those of the options. `options` NULL:
 * the context's flow options and the defaults. The result comes by on_listen. A host without a name
 * is the context's source address or, without one, every address, dual stack. FD and SYSTEMD are
 * descriptors that this process inherited, and belong to the server then; those of systemd are
 * found as sd_listen_fds(3) does it. The flows of a TLS endpoint get their layers before on_accept
 * is called; its name is for the eye only. Errors, at once, with their sentence in cdt_context_error():
 * -EINVAL (all of the options' limits are used, or a Unix name that holds a 0), -ENOMEM,
 * -ENAMETOOLONG (a Unix path), -EPROTONOSUPPORT (a carrier that is not built in, a host name,
 * Unknown), those of cdt_tls_config_new() for the context's own configuration, -ENOENT (no
 * inherited descriptor of that name), -EBADF, -ENOTSOCK, -EPROTOTYPE. */
CDT_API int cdt_serve_endp(struct cdt_context *context, const struct cdt_endp *endp,
                           const struct cdt_server_options *options,
                           const struct cdt_handler *handler, struct cdt_server **server);

/* As a mode says: the key of a TLS mode and its library, whatever the options' flow.tls says. The
 * password of the key is asked of the context's callback. Errors also as cdt_tls_config_new(). */
CDT_API int cdt_serve_mode(struct cdt_context *context, const struct cdt_server_mode *mode,
                           const struct cdt_server_options *options,
                           const struct cdt_handler *handler, struct cdt_server **server);

/* Why the last call on this context failed, a sentence for people; "" if it did not. It is good
 * until the next call. */
CDT_API const char *cdt_context_error(const struct cdt_context *context);

/* The endpoint of a flow: of the peer (`peer` true), or ours; with the TLS that it has, whose names
 * are those that we were to reach, or that the client asked for (SNI). A carrier without addresses
 * gives (Unknown NAME) with the carrier's name. The peer of a vchan is (Vchan_direct (DOMID PORT)),
 * also if it was reached by name; our side of one is (Unknown vchan). Free it with cdt_endp_free().
 * -EINVAL, -ENOMEM, -ENOTCONN. */
CDT_API int cdt_flow_endp(const struct cdt_flow *flow, bool peer, struct cdt_endp **endp);

/* Writes a flow as s-expression, with the peer's address:
 *
 *   (TCP ((fd <opaque>) (ip 1.2.3.4) (port 80)))
 *   (Domain_socket ((fd <opaque>) (path /x)))
 *   (Vchan ((domid 3) (port foo)))
 *
 * TLS is left out. It does not read back. As cdt_endp_format(), CDT_ENDP_SHORT excepted; errors
 * also as cdt_flow_endp(). */
CDT_API int cdt_flow_format(const struct cdt_flow *flow, enum cdt_endp_form form, char *text,
                            size_t size);

/* Writes a context as s-expression, its source address and its own key: (() None),
 * (("ADDR_INET(10.0.0.1,0)") None). As above. */
CDT_API int cdt_context_format(const struct cdt_context *context, enum cdt_endp_form form,
                               char *text, size_t size);

/* The endpoint that a server is bound to; of vchan the one that was asked for. As above; -ENOTCONN
 * before on_listen(0). */
CDT_API int cdt_server_endp(const struct cdt_server *server, struct cdt_endp **endp);

#ifdef __cplusplus
}
#endif
#endif
