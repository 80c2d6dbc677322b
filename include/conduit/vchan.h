/* conduit: vchan, streams through memory that two domains share: two virtual machines on one Xen,
 * or (backend local) two processes of one host. The ring is that of xen/io/libxenvchan.h, and peers
 * that use libxenvchan can be talked to. A vchan is a carrier like any other: same flow, same
 * callbacks, same limits.
 *
 *   xen     grants and event channels as libxenvchan has them; names and places in xenstore
 *   local   sealed memory passed over a Unix socket; names and places in a directory
 *
 * A server and a client meet at a place: the server's domain, the client's domain, and the name of
 * a port, 1 to 63 of [a-zA-Z0-9_-]. A server says which domain may connect; any number of clients
 * of it may, in turn and at once: each gets a ring of its own. A client may come first: it waits
 * for its server, for the flow's connect timeout.
 *
 * Or they meet by a name that the server has registered: 1 to 250 bytes, no slash, no control
 * character, no dot at its beginning; on xen of [a-zA-Z0-9_@-], which is what xenstore takes.
 *
 * CLOSING. The ring has one mark for the end of a side. cdt_flow_close() and CDT_SHUT_WRITE put
 * what was written into the ring, then set it; what the peer writes until it sets its own is still
 * read, then comes on_eof. What a peer wrote just before it closed is read, too. To peers that use
 * libxenvchan the mark means that both directions are over: they cannot write any more. This
 * library goes on writing, so that between two of it CDT_SHUT_WRITE is a half-close: on local in
 * full; on xen, where a peer that reads on cannot be told from one that is gone, as far as there is
 * room in the ring (then -EPIPE). On local, a peer that crashes, and one that aborts, gives
 * -ECONNRESET after its data. On xen a crash of the peer's process looks like an orderly close; the
 * end of its domain gives -ECONNRESET where that is told, which is in domain 0; in a guest,
 * flows to another guest that has ended last until a timeout of theirs.
 *
 * WHAT THE PEER CAN DO. The memory stays writable by the peer: whatever it puts there, it can harm
 * only what is read from it: an impossible state of the ring ends the flow with -EPROTO.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_VCHAN_H
#define CONDUIT_VCHAN_H

#include <conduit/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- backends -------------------------------------------------------------------------------- */

/* ANY: what cdt_vchan_select() has set; else CONDUIT_VCHAN (xen, local or none, in any case;
 * another word is warned of once and ignored); else xen where this is a domain of Xen (/dev/xen)
 * and it is built in; else local. NONE: vchan endpoints are refused with -EPROTONOSUPPORT. */
enum cdt_vchan_backend { CDT_VCHAN_ANY, CDT_VCHAN_XEN, CDT_VCHAN_LOCAL, CDT_VCHAN_NONE };

/* Sets what ANY means in this process. -EINVAL, -EPROTONOSUPPORT (not built in). Any thread. */
CDT_API int cdt_vchan_select(enum cdt_vchan_backend backend);
/* What ANY means now. Any thread. */
CDT_API enum cdt_vchan_backend cdt_vchan_selected(void);
/* Whether it is built in. */
CDT_API bool cdt_vchan_available(enum cdt_vchan_backend backend);
/* "xen", "local", "none", "any"; static storage. */
CDT_API const char *cdt_vchan_backend_name(enum cdt_vchan_backend backend);

/* ---- options --------------------------------------------------------------------------------- */

struct cdt_vchan_options {
    size_t size;
    enum cdt_vchan_backend backend;

    /* The rings of a server, bytes, as it sees them: at least so much, rounded up to a power of
     * two; 0: 1024; at most 1 MiB (-EINVAL). The client takes what it finds. */
    size_t read_size, write_size;

    /* How long to look at the ring before sleeping, ns; at most 1 ms. 0: not at all after single
     * messages, and shortly while bulk is moving. It is time of this thread: for two processes that
     * have a core each. */
    uint64_t spin;

    /* Our own name, under which requests to named servers are made. NULL: the host's name; on
     * local with our domain id behind it, HOST-ID. */
    const char *name;

    /* Backend local only. */
    const char *directory; /* where the places are; NULL: CONDUIT_VCHAN_DIR, else conduit in
                            * XDG_RUNTIME_DIR, else /run/conduit. Made if it is missing; ours or
                            * root's, no symbolic link, and others write there only if `mode` says
                            * so: else -EPERM or -ENOTDIR */
    mode_t mode;    /* of the directory, when it is made, and of what is put into it: 0: 0700.
                            * With others' bits, peers that these let in are accepted; else only our
                            * own user and root are */
    unsigned domid; /* our own domain id + 1; 0: CONDUIT_DOMID, else domain 0 */
};

/* ---- connecting and listening ---------------------------------------------------------------- */

/* Connects to a port of a domain (at most 65535). `vchan` and `options` may be NULL and are copied.
 * The result comes by on_open or on_close: -EPROTONOSUPPORT, -EPERM, -ENOTDIR, -EACCES, -EPROTO (no
 * server of vchan, or a name that is no domain id), -ETIMEDOUT: no server has come. Errors, at
 * once: -EINVAL, -ENOMEM. */
CDT_API int cdt_vchan_connect(struct cdt_reactor *reactor, unsigned domid, const char *port,
                              const struct cdt_vchan_options *vchan,
                              const struct cdt_flow_options *options,
                              const struct cdt_handler *handler, struct cdt_flow **flow);

/* The same to a domain by the name that its server has registered: the request is written to
 * /conduit/NAME/OURS/PORT, and taken back if it comes to nothing. On xen OURS is registered as
 * well, unless another domain has that name: servers of the original conduit want it. */
CDT_API int cdt_vchan_connect_name(struct cdt_reactor *reactor, const char *name, const char *port,
                                   const struct cdt_vchan_options *vchan,
                                   const struct cdt_flow_options *options,
                                   const struct cdt_handler *handler, struct cdt_flow **flow);

/* Serves clients of one domain at a port. Errors, at once: -EINVAL, -ENOMEM; all others come by
 * on_listen: -EPROTONOSUPPORT, -EADDRINUSE (local: somebody serves there; xen cannot tell), -ENOSPC
 * (xen: no more memory can be granted, see /sys/module/xen_gntalloc/parameters/limit), -EACCES,
 * -EPERM and -ENOTDIR (local: not such a directory), -ENODEV (this is no Xen), ... */
CDT_API int cdt_vchan_listen(struct cdt_reactor *reactor, unsigned domid, const char *port,
                             const struct cdt_vchan_options *vchan,
                             const struct cdt_server_options *options,
                             const struct cdt_handler *handler, struct cdt_server **server);

/* Registers the name (/conduit/NAME), and serves the port to each domain that asks for it, to 256
 * at a time: one more takes the place of the one that had its last client the longest ago. A name
 * that another process has registered is refused with -EADDRINUSE on local, as long as that lives,
 * and so is a port of the name that this one serves already; on xen a name is taken over, as
 * xenstore's permissions allow. Requests that cannot be answered are told by on_error, without a
 * peer, at most one a second. Unregistered on stop. */
CDT_API int cdt_vchan_listen_name(struct cdt_reactor *reactor, const char *name, const char *port,
                                  const struct cdt_vchan_options *vchan,
                                  const struct cdt_server_options *options,
                                  const struct cdt_handler *handler, struct cdt_server **server);

/* ---- looking --------------------------------------------------------------------------------- */

struct cdt_vchan_info {
    enum cdt_vchan_backend backend;
    unsigned domid;               /* of the peer */
    char port[64];                /* the name of the port */
    size_t read_size, write_size; /* of our rings, bytes */
    uint64_t bells_sent;          /* notifications to the peer */
    uint64_t sleeps;              /* times that we asked for one */
};

/* -ENOTSUP if it is no vchan flow. */
CDT_API int cdt_vchan_info(const struct cdt_flow *flow, struct cdt_vchan_info *info);

#ifdef __cplusplus
}
#endif
#endif
