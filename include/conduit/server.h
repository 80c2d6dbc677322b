/* conduit: servers. A server listens on one address, accepts under its limits, and makes a flow of
 * every connection.
 *
 * LIFETIME
 *   1. A server lives until its on_stopped has returned; on_stopped comes exactly once and last,
 *      after the on_close of each of its flows.
 *   2. on_listen comes once, from the reactor: 0 with the bound address readable, or the error.
 *      After an error the server stops by itself; on_stopped follows. A server that is stopped
 *      before it could listen gets -ECANCELED.
 *   3. cdt_server_stop() may be called at any time, more than once; the earlier deadline counts.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_SERVER_H
#define CONDUIT_SERVER_H

#include <conduit/carrier.h>
#include <conduit/limit.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CDT_MAX_LIMITS = 4 };

/* Every function may be NULL. */
struct cdt_server_options {
    size_t size;

    const struct cdt_flow_options *flow; /* of each accepted flow; NULL: the defaults. Copied */

    int backlog; /* 0: 4096. More than somaxconn is cut by the kernel: a warning is logged */
    unsigned max_active;                      /* the server's own limit; 0: unlimited */
    struct cdt_limit *limits[CDT_MAX_LIMITS]; /* shared ones; unused entries NULL */
    unsigned accept_budget;                   /* connections accepted in one turn; default 64 */
    bool reuseport;                           /* SO_REUSEPORT: share the port between processes */
    bool ipv6_only;                           /* an IPv6 wildcard takes no IPv4 */
    unsigned max_handshakes; /* of layers, at once; default 64. The others wait in line; while any
                              * do, one that is not over in 2 s gives way with -CDT_EHANDSHAKE:
                              * sooner, if those before it failed as well (cdt_layer_claim) */
    bool shed; /* without a free descriptor: accept and reset instead of letting clients wait */
    mode_t unix_mode; /* mode of a Unix socket's file; 0: as the umask has it */
    uid_t unix_uid;   /* its owner, if unix_chown */
    gid_t unix_gid;
    bool unix_chown;

    /* Bound and listening (0), or not (a negative code, `text` for people). If it is NULL, an error
     * comes by on_error. */
    void (*on_listen)(struct cdt_server *server, int status, const char *text);
    /* Before anything is made of a connection: 0 takes it, anything else resets it. */
    int (*filter)(struct cdt_server *server, const struct cdt_addr *peer);
    /* Before a flow opens: push layers, change the handler, fill the user's area. A negative code
     * refuses: reset, and on_error. */
    int (*on_accept)(struct cdt_server *server, struct cdt_flow *flow);
    /* A connection failed, opened or not, or accepting did (`peer` NULL: -EMFILE and its like; or
     * -CDT_ESHED with the peer): these at most once a second. */
    void (*on_error)(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer);
    /* The server stops: finish this flow's work and close it. For each flow that is not closing,
     * those that are still handshaking among them. */
    void (*on_stop)(struct cdt_flow *flow);
    /* The last call. */
    void (*on_stopped)(struct cdt_server *server);
    void *user; /* cdt_server_user() */
};

/* Listens on a TCP address. An IPv6 wildcard takes IPv4 too, unless ipv6_only; where the machine
 * has no IPv6, the wildcard becomes the IPv4 one. Port 0 picks one: cdt_server_address(). `options`
 * may be NULL; `handler` is kept. Errors: -EINVAL, -ENOMEM; all others come by on_listen. */
CDT_API int cdt_tcp_listen(struct cdt_reactor *reactor, const struct cdt_addr *at,
                           const struct cdt_server_options *options,
                           const struct cdt_handler *handler, struct cdt_server **server);

/* Listens on a Unix socket. A socket file whose owner is gone is replaced; one that is answered
 * gives -EADDRINUSE, another kind of file too. The file is removed on stop, if it is still ours. */
CDT_API int cdt_unix_listen(struct cdt_reactor *reactor, const struct cdt_addr *at,
                            const struct cdt_server_options *options,
                            const struct cdt_handler *handler, struct cdt_server **server);

/* Serves an inherited stream socket that listens or is bound. The descriptor belongs to the server
 * once this returned 0 and is closed on stop (the file of a Unix socket is left alone). Its
 * O_NONBLOCK flag is not changed; a blocking one costs some system calls more for each connection.
 * The TCP options of `options` are set on it, it becomes close-on-exec, and SO_LINGER is off.
 * Errors, at once: -EINVAL, -ENOMEM, -EBADF, -ENOTSOCK, -EPROTOTYPE. */
CDT_API int cdt_listen_fd(struct cdt_reactor *reactor, int fd,
                          const struct cdt_server_options *options,
                          const struct cdt_handler *handler, struct cdt_server **server);

/* Stops: no more is accepted and the listener is closed before this returns; on_stop is told for
 * each flow, from the reactor; flows that are still there after `drain` ns are aborted with
 * -CDT_EDRAIN; then on_stopped. 0: abort at once; CDT_NEVER: wait without end. */
CDT_API int cdt_server_stop(struct cdt_server *server, uint64_t drain);

CDT_API void *cdt_server_user(const struct cdt_server *server);
CDT_API struct cdt_reactor *cdt_server_reactor(const struct cdt_server *server);

/* The bound address; length 0 where the listener has none. It stays readable after stop. -ENOTCONN
 * before on_listen(0). */
CDT_API int cdt_server_address(const struct cdt_server *server, struct cdt_addr *addr);

/* The listening descriptor, for looking and setsockopt only; -1 where there is none. */
CDT_API int cdt_server_fd(const struct cdt_server *server);

/* Change while running. Backlog: -EINVAL unless positive, -ENOTSUP where it is fixed; more than
 * somaxconn is cut: a warning is logged, the counters tell. max_active 0: unlimited. */
CDT_API int cdt_server_set_backlog(struct cdt_server *server, int backlog);
CDT_API int cdt_server_set_max_active(struct cdt_server *server, unsigned max);

/* The server's flows, in the order of their acceptance: the first (NULL: none), and the one after.
 * Flows that are still handshaking are among them. Flows do not go away while you walk, unless
 * turns are run. */
CDT_API struct cdt_flow *cdt_server_first(const struct cdt_server *server);
CDT_API struct cdt_flow *cdt_server_next(const struct cdt_server *server,
                                         const struct cdt_flow *flow);

struct cdt_server_counters {
    uint64_t accepted;            /* flows made; equals closed + aborted + active */
    uint64_t closed;              /* ended with status 0 */
    uint64_t aborted;             /* ended with another status */
    uint64_t refused;             /* by the filter or on_accept; not among the accepted */
    uint64_t shed;                /* reset for want of a descriptor; not among the accepted */
    uint64_t throttled;           /* times that accepting waited for a limit */
    uint64_t starved;             /* times that accepting waited for a descriptor or memory */
    uint64_t failed;              /* times that accepting failed otherwise */
    uint64_t bytes_in, bytes_out; /* carried for all flows, on the wire */
    uint64_t handshakes_waited;   /* handshakes that waited for a place */
    unsigned active, peak;
    unsigned handshakes; /* of layers, in progress: cdt_layer_claim() */
    unsigned max_active;
    int backlog; /* in force, after the kernel's cut */
};
CDT_API int cdt_server_counters(const struct cdt_server *server,
                                struct cdt_server_counters *counters);

/* ---- listeners of your own ------------------------------------------------------------------- */

struct cdt_listener {
    void *context;
    int fd; /* -1, or a descriptor that polls readable when a client waits; the server watches it */
};

struct cdt_listener_ops {
    size_t size;
    const struct cdt_carrier_ops *carrier; /* of the flows it gives */

    /* Takes the next client: fills `carrier` and `peer` (length 0: unknown). 0, -EAGAIN if none
     * waits, or a negative errno. Required. */
    int (*accept)(struct cdt_listener *listener, struct cdt_carrier *carrier,
                  struct cdt_addr *peer);
    /* For listeners without a descriptor: start, or stop, to call cdt_listener_ready(). */
    void (*arm)(struct cdt_listener *listener, struct cdt_server *server);
    void (*disarm)(struct cdt_listener *listener);
    /* Stops listening and frees the context. Called once. Required. */
    void (*close)(struct cdt_listener *listener);
    /* The bound address. NULL: none. */
    int (*address)(const struct cdt_listener *listener, struct cdt_addr *addr);
    /* NULL: fixed. Returns the backlog in force, or a negative code. */
    int (*set_backlog)(struct cdt_listener *listener, int backlog);
};

/* Serves a listener of yours; it is the server's once this returned 0. */
CDT_API int cdt_listen(struct cdt_reactor *reactor, const struct cdt_listener_ops *ops,
                       const struct cdt_listener *listener,
                       const struct cdt_server_options *options, const struct cdt_handler *handler,
                       struct cdt_server **server);

/* A client waits (for listeners without a descriptor). */
CDT_API int cdt_listener_ready(struct cdt_server *server);

#ifdef __cplusplus
}
#endif
#endif
