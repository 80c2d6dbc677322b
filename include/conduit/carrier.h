/* conduit: carriers and layers, for those who bring their own.
 *
 * A carrier moves bytes to a peer: TCP, a Unix socket, shared memory. A layer lies between the
 * carrier (or another layer) and the user and changes bytes on their way: TLS, a tunnel's header.
 * Each is one `const struct` of functions, in static storage.
 *
 * All functions are called on the reactor's thread and must not block. */
#ifndef CONDUIT_CARRIER_H
#define CONDUIT_CARRIER_H

#include <conduit/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- carriers -------------------------------------------------------------------------------- */

/* The carrier's state in a flow. `fd` is -1 unless the flow shall register a descriptor that
 * behaves like a stream socket in epoll; larger state hangs from `context`. */
struct cdt_carrier {
    void *context;
    int fd;
};

enum cdt_close_how {
    CDT_CLOSE_ORDERLY, /* both sides have ended, or the linger timeout is over */
    CDT_CLOSE_RESET,   /* tell the peer that data may be missing, if there is a way */
    CDT_CLOSE_KEEP     /* the descriptor was given back: free everything but it */
};

enum {
    /* There is no half-close: shutdown ends both directions; what arrived before is still read. */
    CDT_CARRIER_NO_HALF_CLOSE = 1,
    /* A read that fills less than the buffer does not mean that nothing more is there. */
    CDT_CARRIER_SHORT_READS = 2,
    /* The descriptor only ever polls readable, or hung up, and any event of it may mean that
     * reading, or that writing, can go on. It is never registered for writing. What was there
     * before the flow is looked for once, when it opens. */
    CDT_CARRIER_ONE_EVENT = 4
};

struct cdt_carrier_ops {
    size_t size;
    const char *name; /* "tcp" */
    unsigned flags;

    /* Up to `length` bytes into `data`. Returns their number, 0 at the end of the stream, -EAGAIN
     * if there is nothing now (tell later by cdt_carrier_ready, or epoll tells), -EINTR to be
     * asked again in the next turn, or another negative code, which ends the flow. Required. */
    ssize_t (*read)(struct cdt_carrier *carrier, void *data, size_t length);

    /* Takes as many bytes as it can; returns their number (at least 1), -EAGAIN, -EINTR, or another
     * negative code. Required. `count` is 1 to 64, no part is empty. */
    ssize_t (*write)(struct cdt_carrier *carrier, const void *data, size_t length);
    ssize_t (*writev)(struct cdt_carrier *carrier, const struct iovec *parts, int count);

    /* Ends our direction (FIN); called once, after everything was written. 0 or a negative code;
     * -EAGAIN: too early, to be called again when there is news of the carrier. NULL: nothing to
     * do. */
    int (*shutdown)(struct cdt_carrier *carrier);

    /* Called when a connecting carrier became writable or ready: 0 connected, -EAGAIN not yet, or a
     * negative code. NULL: connected. */
    int (*connected)(struct cdt_carrier *carrier);

    /* Frees the state; closes the descriptor unless `how` is CDT_CLOSE_KEEP. Called once. Required.
     */
    void (*close)(struct cdt_carrier *carrier, enum cdt_close_how how);

    /* Bytes that the peer has not acknowledged. NULL: unknown. */
    size_t (*unacknowledged)(const struct cdt_carrier *carrier);

    /* Addresses of the peer (`peer` true) and of ourselves. NULL: none. */
    int (*address)(const struct cdt_carrier *carrier, bool peer, struct cdt_addr *addr);

    /* What has been tried so far, for the error of a flow whose connect timeout has passed; read at
     * once. NULL, or "": nothing to tell. */
    const char *(*tried)(const struct cdt_carrier *carrier);
};

/* Makes a flow over a carrier of yours. `connecting`: it is not connected yet. The flow owns the
 * carrier's state once this returned 0. -EINVAL, -ENOMEM, errors of epoll for a descriptor. */
CDT_API int cdt_carrier_flow(struct cdt_reactor *reactor, const struct cdt_carrier_ops *ops,
                             const struct cdt_carrier *carrier, bool connecting,
                             const struct cdt_flow_options *options,
                             const struct cdt_handler *handler, struct cdt_flow **flow);

/* Tells the flow that its carrier may be read or written again (CDT_READ, CDT_WRITE), connected
 * included. The flow looks in this turn or the next; telling too often does no harm. Not from
 * inside the carrier's own read or write: what they return counts. */
CDT_API int cdt_carrier_ready(struct cdt_flow *flow, unsigned events);

/* The carrier of a flow, if it is of these operations; else NULL. */
CDT_API struct cdt_carrier *cdt_carrier_of(struct cdt_flow *flow,
                                           const struct cdt_carrier_ops *ops);

/* ---- layers ---------------------------------------------------------------------------------- */

struct cdt_layer;

struct cdt_layer_ops {
    size_t size;
    const char *name; /* "tls" */

    /* The layer was pushed and what lies below is open: begin. Returns 0 if the handshake is over,
     * -EAGAIN if it goes on when bytes arrive, or a negative code. NULL: over at once. */
    int (*start)(struct cdt_layer *layer);

    /* Bytes arrived below during the handshake: returns as start. Required unless start always
     * gives 0 or an error. */
    int (*handshake)(struct cdt_layer *layer);

    /* Up to `length` bytes for the one above, made of what cdt_layer_peek() shows. Returns their
     * number, 0 at the stream's end in this layer, -EAGAIN if more is needed from below, or a
     * negative code. Required. */
    ssize_t (*read)(struct cdt_layer *layer, void *data, size_t length);

    /* Sends all of the bytes with cdt_layer_write(). 0 or a negative code, which ends the flow.
     * Required. */
    int (*write)(struct cdt_layer *layer, const struct iovec *parts, int count);

    /* Writes the end of our stream (close_notify). NULL: nothing. */
    int (*shutdown)(struct cdt_layer *layer);

    /* Frees the context. The flow is ending, nothing below may be used. Required. */
    void (*free)(struct cdt_layer *layer);
};

/* Puts a layer on top of what the flow has, at once or, while it is connecting or handshaking, as
 * soon as what lies below is open. The flow is handshaking until the layer says otherwise; then
 * on_open comes. What the user writes meanwhile waits, and goes through all layers that are there
 * by then. At most 4 layers. Errors: -EINVAL, -ENOMEM, -EPIPE, -EALREADY (the flow belongs to a
 * relay). If it fails, the context stays yours. */
CDT_API int cdt_flow_push(struct cdt_flow *flow, const struct cdt_layer_ops *ops, void *context);

CDT_API void *cdt_layer_context(const struct cdt_layer *layer);
CDT_API struct cdt_flow *cdt_layer_flow(const struct cdt_layer *layer);

/* Asks for a place among the handshakes in progress of the flow's server, before anything large is
 * made for one: 0, it is ours until the handshake is over; -EAGAIN: return it, and handshake is
 * called again when a place is free. First come, first served, and a few in one turn. Where others
 * wait, one that has had its place for two seconds fails with -CDT_EHANDSHAKE. If the handshakes
 * before it have failed as well, the time becomes so short that those in line wait for about a
 * second: 0.2 s with 64 places and 300 silent peers a second. For layers whose peer has said enough
 * to be worth it; flows without a server get 0. */
CDT_API int cdt_layer_claim(struct cdt_layer *layer);

/* Shows the bytes that have arrived below, without taking them; reads from below if there are none.
 * Returns their number, 0 at the end of the stream below, -EAGAIN, or a negative code. Only from
 * inside handshake and read. Valid until the next call of a cdt_layer function on this layer. New
 * bytes are read only when all that was shown has been taken: a layer that needs more than it is
 * shown takes what there is and keeps it. */
CDT_API ssize_t cdt_layer_peek(struct cdt_layer *layer, const uint8_t **data);

/* Takes `length` of the bytes that peek showed. What is not taken is kept. */
CDT_API void cdt_layer_consume(struct cdt_layer *layer, size_t length);

/* Sends bytes through what lies below; all are taken (queued if need be). 0, or a negative code. */
CDT_API int cdt_layer_write(struct cdt_layer *layer, const struct iovec *parts, int count);

/* The sentence for the failure that the layer is about to return; copied. A flow that ends because
 * its layer failed is not reset below: what the layer has sent to say so should arrive. */
CDT_API void cdt_layer_error(struct cdt_layer *layer, const char *text);

#ifdef __cplusplus
}
#endif
#endif
