/* conduit: the resolver. It turns URIs and host names into endpoints, on the reactor: no thread,
 * and nothing that blocks. (The files /etc/hosts, /etc/services and /etc/resolv.conf are read when
 * they are first needed, and /etc/hosts and /etc/resolv.conf again when they have changed.)
 *
 * THE WAY OF A URI
 *   1. Its scheme gives a service: a name, a port, and whether TLS is spoken. Services are asked in
 *      order; the first that knows the scheme wins. SCHEME+unix and srv+SCHEME are SCHEME over a
 *      Unix socket, and by way of SRV records (RFC 2782).
 *   2. Its host picks the rule with the longest suffix of whole labels, whatever their case and
 *      with or without a trailing dot; "" is the rule for all. No host means localhost.
 *   3. The rule gives endpoints. If the service speaks TLS, each is wrapped: TLS (HOST, ENDPOINT).
 *   4. If that fails the only endpoint is Unknown, with the reason.
 * Addresses, and host names in endpoints, go to the names of the system without rules or services.
 *
 * THE NAMES OF THE SYSTEM
 *   /etc/hosts first, then localhost and the names below it (RFC 6761), then DNS with the search list
 *   of resolv.conf(5): names with fewer than ndots dots are looked for in it first, others last. A
 *   and AAAA are asked for at the same time. The addresses are ordered by RFC 6724. An answer with A
 *   alone is kept back for `delay`, so that AAAA can come (RFC 8305 section 3); what comes later
 *   makes the list grow. Answers are cached for their TTL, a day at most, negative ones as their SOA
 *   says, an hour at most (RFC 2308). Of an answer 64 records are taken, of a service 16 targets. A
 *   port in the URI means that SRV is not asked.
 *
 * LIFETIME
 *   1. A resolver belongs to one reactor. Free it before the reactor.
 *   2. A resolution belongs to who asked, from the answer 0 of the call until
 *      cdt_resolution_free(), which cancels it if it is not done; also from inside its callback.
 *      Its endpoints live as long.
 *   3. Callbacks come from the reactor, never from inside a call of yours.
 *
 * Conventions: <conduit/version.h>. Only the reactor's thread calls. */
#ifndef CONDUIT_RESOLVER_H
#define CONDUIT_RESOLVER_H

#include <conduit/flow.h> /* enum cdt_switch */
#include <conduit/mode.h>
#include <conduit/reactor.h>
#include <conduit/uri.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cdt_resolver;
struct cdt_resolution;

struct cdt_resolver_options {
    size_t size;

    /* DNS: name servers, "ADDRESS[:PORT],..." with [ADDRESS]:PORT for IPv6, at most 16, without
     * scopes; NULL: those of resolv.conf. */
    const char *servers;
    /* Of the first try of each server, ns, doubled with each round; default 400 ms, at most 60 s. */
    uint64_t timeout;
    unsigned tries; /* rounds over all servers; default 4, at most 16 */
    uint64_t delay; /* how long A alone waits for AAAA, ns; default 50 ms; CDT_NEVER: not at all */
    enum cdt_switch search; /* the search list; default on */
    enum cdt_switch cache;  /* default on */
    unsigned cache_size;    /* answers kept; default 1024 */

    /* Files; NULL: the system's, "": none. */
    const char *hosts_file, *services_file, *resolv_conf;
};

/* Makes a resolver with the services of the built-in table, then of /etc/services, and with two
 * rules: "" for the names of the system, and "xen" for vchan by name: NAME.xen gives
 * (Vchan_domain_socket (NAME SERVICE)). `options` may be NULL. -EINVAL (also for name servers that
 * are no addresses), -ENOMEM, -EMFILE, -ENFILE. */
CDT_API int cdt_resolver_new(struct cdt_reactor *reactor,
                             const struct cdt_resolver_options *options,
                             struct cdt_resolver **resolver);

/* Frees it. Resolutions that are not done never call back; they are still to be freed, before or
 * after. NULL is allowed. */
CDT_API void cdt_resolver_free(struct cdt_resolver *resolver);

/* ---- services -------------------------------------------------------------------------------- */

/* Knows what a scheme (in small letters) stands for: 1 and fills in the service; or 0. */
typedef int cdt_service_fn(void *user, const char *scheme, struct cdt_service *service);

/* Asks `fn` before all services there are. -EINVAL, -ENOMEM. */
CDT_API int cdt_resolver_add_service(struct cdt_resolver *resolver, cdt_service_fn *fn, void *user);

/* Asks `fn` and nobody else; NULL: those of cdt_resolver_new() again. */
CDT_API int cdt_resolver_set_service(struct cdt_resolver *resolver, cdt_service_fn *fn, void *user);

/* The service of a scheme: 0; -CDT_ENOSERVICE, -EINVAL. */
CDT_API int cdt_resolver_service(struct cdt_resolver *resolver, const char *scheme,
                                 struct cdt_service *service);

/* The built-in table and the services file, for functions of yours that know only some. `user` is
 * the resolver whose file it is; NULL: the system's file, which is read again each time. */
CDT_API int cdt_service_builtin(void *user, const char *scheme, struct cdt_service *service);

/* ---- rules ----------------------------------------------------------------------------------- */

/* A rule is asked for the endpoints of a URI. It may
 *   - add endpoints with cdt_resolution_add() and return 0: done;
 *   - let a name be resolved with cdt_resolution_name() and return what that returned;
 *   - return 1, and later add endpoints and call cdt_resolution_done();
 *   - return a negative code: the resolution fails with it.
 * `uri->host` is "localhost" if the URI has no host. The service and the URI live as long as the
 * resolution. */
typedef int cdt_rewrite_fn(void *user, struct cdt_resolution *resolution,
                           const struct cdt_service *service, const struct cdt_uri *uri);

/* A rule for hosts whose last labels are `suffix`. */
struct cdt_rewrite {
    const char *suffix;
    cdt_rewrite_fn *fn;
    void *user;
};

/* Adds a rule, or replaces the one for this suffix. The suffix is copied. -EINVAL (not a name),
 * -ENOMEM. */
CDT_API int cdt_resolver_add_rewrite(struct cdt_resolver *resolver,
                                     const struct cdt_rewrite *rewrite);

/* Adds a rule with a fixed answer; the endpoint is copied. A port 0 in a TCP endpoint or HOST means
 * that of the URI or service. HOST is resolved: "db.internal" may become (another) name. */
CDT_API int cdt_resolver_add_static(struct cdt_resolver *resolver, const char *suffix,
                                    const struct cdt_endp *endp);

/* The rule for the names of the system. */
CDT_API int cdt_rewrite_system(void *user, struct cdt_resolution *resolution,
                               const struct cdt_service *service, const struct cdt_uri *uri);

/* For rules: adds an endpoint, which is copied; the list keeps the order of adding. -EINVAL,
 * -ENOMEM, -E2BIG (TLS nests too deep). */
CDT_API int cdt_resolution_add(struct cdt_resolution *resolution, const struct cdt_endp *endp);

/* For rules: resolves a name by the names of the system, and adds TCP endpoints with this port.
 * Then the resolution is done. Returns 1, or a negative code. */
CDT_API int cdt_resolution_name(struct cdt_resolution *resolution, const char *name, uint16_t port);

/* For rules that returned 1: no more is coming; a negative status: the resolution fails, if no
 * endpoint was added. */
CDT_API int cdt_resolution_done(struct cdt_resolution *resolution, int status);

/* ---- resolving ------------------------------------------------------------------------------- */

/* The list has grown, or the resolution is done. It may be freed here. */
typedef void cdt_resolved_fn(void *user, struct cdt_resolution *resolution);

struct cdt_resolve_options {
    size_t size;
    const struct cdt_rewrite *rewrites; /* over those of the resolver, for this call */
    unsigned rewrite_count;
    int family; /* AF_INET or AF_INET6: only these addresses; 0: both */
    bool srv;   /* as with srv+SCHEME */
};

/* Resolves a URI. `options` may be NULL. A text that is no URI gives -EINVAL with the error filled
 * in; -ENODEV, -ENOMEM. What cannot be resolved comes by the callback. */
CDT_API int cdt_resolve(struct cdt_resolver *resolver, const char *uri,
                        const struct cdt_resolve_options *options, cdt_resolved_fn *fn, void *user,
                        struct cdt_resolution **resolution, struct cdt_text_error *error);

/* Resolves the host name in an endpoint (HOST, or TLS over it); any other endpoint is its own
 * answer. -EINVAL, -ENOMEM. */
CDT_API int cdt_resolve_endp(struct cdt_resolver *resolver, const struct cdt_endp *endp,
                             const struct cdt_resolve_options *options, cdt_resolved_fn *fn,
                             void *user, struct cdt_resolution **resolution);

/* The endpoints so far, in the order in which to try them. The array is good until the next
 * callback, the endpoints until the resolution is freed; an endpoint keeps its address. One that
 * failed has one endpoint, Unknown. */
CDT_API const struct cdt_endp *const *cdt_resolution_endps(const struct cdt_resolution *resolution,
                                                           size_t *count);

/* 1: more may come; 0: done; negative: failed. */
CDT_API int cdt_resolution_status(const struct cdt_resolution *resolution);

/* Why it failed, a sentence; "" if it has not. */
CDT_API const char *cdt_resolution_error(const struct cdt_resolution *resolution);

CDT_API void *cdt_resolution_user(const struct cdt_resolution *resolution);

/* Cancels and frees it. NULL is allowed. */
CDT_API void cdt_resolution_free(struct cdt_resolution *resolution);

#ifdef __cplusplus
}
#endif
#endif
