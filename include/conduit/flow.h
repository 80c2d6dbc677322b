/* conduit: the flow, a reliable byte stream over any carrier.
 *
 * A flow is one object from beginning to end, whatever carries it (TCP, a Unix socket, ...) and
 * whatever layers lie between (TLS, ...). You give it a handler and hear from it by callbacks.
 *
 *   connecting ─► handshaking ─► open ─┬─► half-closed (peer ended) ─┬─► closing ─► closed
 *                                      └─► half-closed (we ended) ───┘
 *
 * LIFETIME
 *   1. A flow lives until its on_close has returned. on_close comes exactly once and last.
 *   2. A flow that you made by connecting gets on_close even if it never opened. A flow that a
 *      server accepted and that failed before on_open is heard of by the server's on_error only.
 *   3. on_close is never called from inside a call of yours: after cdt_flow_abort() the flow is
 *      closed and takes nothing more, and on_close follows in the same turn or the next.
 *   4. Every function may be called in every callback, and in every state. In a state in which it
 *      can do nothing it does nothing and says -EPIPE (writes) or 0.
 *   5. Your area (user_size bytes of the handler) lives as long as the flow.
 *
 * CORK
 *   Inside a flow's callback, what you write is held until that callback returns, until you write
 *   to another flow, or until 16 KiB of copies are held (a first write of lent bytes is not
 *   copied); then it goes out in one system call, over TCP together with the end of the stream if
 *   you have ended it by then. Outside of flow callbacks, writes go out at once.
 *   cdt_flow_flush() and the _nodelay calls never wait.
 *
 * Conventions: <conduit/version.h>. */
#ifndef CONDUIT_FLOW_H
#define CONDUIT_FLOW_H

#include <sys/uio.h>

#include <conduit/addr.h>
#include <conduit/reactor.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cdt_flow;
struct cdt_server;
struct cdt_tls_config;

/* ---- what you hear --------------------------------------------------------------------------- */

/* Static storage: flows keep the pointer. Every function may be NULL. */
struct cdt_handler {
    size_t size;
    /* Bytes of zeroed memory that each flow carries for you: cdt_flow_data(). */
    size_t user_size;
    /* The flow can be used: connected, and all layers have shaken hands. Again after each later
     * handshake (cdt_flow_push). */
    void (*on_open)(struct cdt_flow *flow);
    /* At least one byte arrived; lent for the call. Without it, data is thrown away. */
    void (*on_read)(struct cdt_flow *flow, const void *data, size_t length);
    /* The peer ended its stream in order, all data has been delivered. You may still write; then
     * close. Without it, the flow is closed. */
    void (*on_eof)(struct cdt_flow *flow);
    /* A write returned 1, and now no more than the low watermark is queued. It also comes when the
     * flow can send no more (writes give -EPIPE): a paused one that waits for it is to resume. */
    void (*on_writable)(struct cdt_flow *flow);
    /* The end. `status` 0: both sides ended in order; else a negative code, cdt_flow_error() has
     * the sentence. Addresses and your area are still there; the flow is freed when it returns. */
    void (*on_close)(struct cdt_flow *flow, int status);
};

/* ---- options --------------------------------------------------------------------------------- */

/* Where a zero means "the default", CDT_NEVER (times) and CDT_OFF (switches) say "none". */
enum cdt_switch { CDT_DEFAULT, CDT_ON, CDT_OFF };

struct cdt_keepalive {
    unsigned after;    /* seconds of silence before the first probe */
    unsigned interval; /* seconds between probes */
    unsigned probes;   /* unanswered ones that end the flow with -ETIMEDOUT */
};

struct cdt_flow_options {
    size_t size;

    /* Timeouts, ns. 0: default; CDT_NEVER: off. */
    uint64_t connect_timeout;     /* 30 s; then -ETIMEDOUT */
    uint64_t handshake_timeout;   /* 10 s for all layers; -CDT_EHANDSHAKE */
    uint64_t write_stall_timeout; /* 60 s with bytes queued and none taken; -CDT_ESTALLED */
    uint64_t linger_timeout; /* 5 s from our end of stream, once sent, or from the close if that was
                              * later, to the peer's end. Then the flow ends with 0, or -ETIMEDOUT
                              * if the peer has not acknowledged all */
    uint64_t idle_timeout;   /* off; payload in either direction counts, the time rests while
                              * output is queued; -CDT_EIDLE */
    uint64_t lifetime;       /* off; from accept or connect; -CDT_ELIFETIME */

    /* Slow senders: fewer than min_rate bytes a second received over min_rate_window ns end the
     * flow with -CDT_ETOOSLOW. Off by default; the window is 10 s by default. Rests while paused.
     */
    uint64_t min_rate;
    uint64_t min_rate_window;

    /* Output queue, bytes. A write that leaves more than `high_watermark` queued returns 1;
     * on_writable comes at `low_watermark`; a write that would exceed `hard_limit` returns
     * -ENOBUFS. */
    size_t high_watermark; /* 64 KiB */
    size_t low_watermark;  /* a quarter of the high one */
    size_t hard_limit;     /* 16 MiB; at most 1 GiB, at least the high watermark */

    /* TCP. Other carriers ignore these. */
    enum cdt_switch nodelay;              /* default on; off leaves an adopted socket as it is */
    enum cdt_switch keepalive;            /* default on; the same */
    struct cdt_keepalive keepalive_times; /* default {60, 15, 4}, each for itself; at most
                                           * {32767, 32767, 127} */
    uint64_t user_timeout;                /* TCP_USER_TIMEOUT, ns; 0: the kernel's */
    unsigned notsent_lowat;               /* TCP_NOTSENT_LOWAT, bytes; 0: the kernel's */
    enum cdt_switch fastopen; /* TCP Fast Open, both sides; default off. A client's flow opens at
                               * once, and is connected by its first write */
    unsigned send_buffer, receive_buffer; /* SO_SNDBUF, SO_RCVBUF; 0: the kernel's own tuning */
    struct cdt_addr source; /* connect from this address; other families are refused with
                             * -EAFNOSUPPORT; length 0: none */
    char interface[16];     /* connect through, or listen on, this interface; "": any */

    /* Unix sockets: receive descriptors (cdt_flow_take_fds). Costs a read more per event. */
    bool receive_fds;

    /* For TLS endpoints in cdt_connect() and cdt_serve(); NULL: the context's. Other calls do not
     * look at it: cdt_tls_start(). */
    struct cdt_tls_config *tls;
};

/* ---- making flows ---------------------------------------------------------------------------- */

/* Connects to a TCP address. `options` may be NULL and is copied; `handler` is kept. The result
 * comes by on_open or on_close. You may write and close at once; what is written waits for the
 * connection. Errors: -EINVAL, -ENOMEM. */
CDT_API int cdt_tcp_connect(struct cdt_reactor *reactor, const struct cdt_addr *to,
                            const struct cdt_flow_options *options,
                            const struct cdt_handler *handler, struct cdt_flow **flow);

/* The same to a Unix stream socket (cdt_addr_unix). A full backlog is waited for, within the
 * connect timeout. */
CDT_API int cdt_unix_connect(struct cdt_reactor *reactor, const struct cdt_addr *to,
                             const struct cdt_flow_options *options,
                             const struct cdt_handler *handler, struct cdt_flow **flow);

/* Makes a flow of a connected stream socket of yours (socketpair, inherited, accepted elsewhere).
 * The flow owns the descriptor once this returned 0. Its O_NONBLOCK flag is neither needed nor
 * changed; it becomes close-on-exec, and SO_LINGER is switched off: a close must not block.
 * Errors: -EINVAL, -ENOMEM, -ENOTSOCK, -EPROTOTYPE (not a stream), -ENOTCONN, -EEXIST. */
CDT_API int cdt_flow_adopt(struct cdt_reactor *reactor, int fd,
                           const struct cdt_flow_options *options,
                           const struct cdt_handler *handler, struct cdt_flow **flow);

/* Two flows joined in memory: what one writes, the other reads. `window` is how many bytes may be
 * under way in each direction; 0: 64 KiB. */
CDT_API int cdt_flow_pair(struct cdt_reactor *reactor, size_t window,
                          const struct cdt_flow_options *options,
                          const struct cdt_handler *handler_a, const struct cdt_handler *handler_b,
                          struct cdt_flow **a, struct cdt_flow **b);

/* ---- writing --------------------------------------------------------------------------------- */

/* All writes: the bytes are taken whole or not at all.
 *    0         taken
 *    1         taken, and more than the high watermark is queued: wait for on_writable
 *   -ENOBUFS   nothing taken: the hard limit
 *   -EPIPE     nothing taken: we ended our side, or the flow is closed
 *   -ENOMEM    nothing taken
 * Bytes that the peer never gets are not an error of the write: on_close tells the status. */
CDT_API int cdt_flow_write(struct cdt_flow *flow, const void *data, size_t length);
CDT_API int cdt_flow_writev(struct cdt_flow *flow, const struct iovec *parts, int count);

/* Called once when the bytes are no longer needed: status 0, all were handed to the carrier (the
 * kernel); else they, or some of them, were not. Never from inside the write. */
typedef void cdt_written_fn(void *arg, int status);

/* Without corking: sent before the call returns, as far as the carrier takes them. `written` may be
 * NULL; the bytes are copied. */
CDT_API int cdt_flow_write_nodelay(struct cdt_flow *flow, const void *data, size_t length,
                                   cdt_written_fn *written, void *arg);
CDT_API int cdt_flow_writev_nodelay(struct cdt_flow *flow, const struct iovec *parts, int count,
                                    cdt_written_fn *written, void *arg);

/* Without copying: `data` stays yours but must not change until `release` is called. If the call
 * fails, release is not called. For large buffers; small ones are quicker copied. */
CDT_API int cdt_flow_write_owned(struct cdt_flow *flow, const void *data, size_t length,
                                 cdt_written_fn *release, void *arg);

/* Sends what the cork holds. 0, also when there is nothing to send. */
CDT_API int cdt_flow_flush(struct cdt_flow *flow);

/* ---- reading --------------------------------------------------------------------------------- */

/* No on_read and no on_eof until cdt_flow_resume(). A flow that fails while paused is parked:
 * writes give -EPIPE at once, and on resume the data comes first, then on_close. Timeouts other
 * than the idle one and the minimum rate go on. */
CDT_API int cdt_flow_pause(struct cdt_flow *flow);
CDT_API int cdt_flow_resume(struct cdt_flow *flow);

/* Hands bytes back: they are the first that the next on_read, or the next layer, gets. Call it from
 * on_read, before changing the handler or pushing a layer. They need not be the bytes read. The
 * same on_read gets them again in a later turn. -ENOMEM, -EPIPE. */
CDT_API int cdt_flow_unread(struct cdt_flow *flow, const void *data, size_t length);

/* ---- ending ---------------------------------------------------------------------------------- */

/* Ends our side in order: what was written is sent, then the remote is told. on_read and on_eof go
 * on, a pause is lifted, and on_close comes when the peer has ended its side too, or the linger
 * timeout is over. A flow closed before it was open still sends what was written, but hears only
 * on_close. Idempotent. 0. */
CDT_API int cdt_flow_close(struct cdt_flow *flow);

/* Ends the flow now: what is queued is thrown away, the peer gets a reset where the carrier has
 * one. `status` (0, or a negative code) and `text` (copied; NULL: the status' own) reach on_close
 * and the server's on_error. An -EPIPE, as writes give it, is replaced by the carrier's reason if
 * there is one: -ECONNRESET. */
CDT_API int cdt_flow_abort(struct cdt_flow *flow, int status, const char *text);

enum cdt_how { CDT_SHUT_READ = 1, CDT_SHUT_WRITE = 2, CDT_SHUT_BOTH = 3 };

/* Half-closes. WRITE: as close, but the flow stays yours and paused flows stay paused. READ: data
 * that arrives from now on is thrown away, neither on_read nor on_eof comes. When both sides have
 * ended the flow closes by itself. Carriers without half-close (vchan) end both directions at
 * CDT_SHUT_WRITE. */
CDT_API int cdt_flow_shutdown(struct cdt_flow *flow, enum cdt_how how);

/* Gives the descriptor back, as it is, and ends the flow: on_close(flow, 0) follows. For flows over
 * a socket, without layers, open, with nothing queued and nothing unread: else -EBUSY, -ENOTSUP.
 * Returns the descriptor. */
CDT_API int cdt_flow_detach(struct cdt_flow *flow);

/* ---- settings of one flow -------------------------------------------------------------------- */

/* Another protocol takes over. Its user_size must not be larger than the first one's (-EINVAL).
 * Outside of that nothing changes; on_open is not called again. */
CDT_API int cdt_flow_set_handler(struct cdt_flow *flow, const struct cdt_handler *handler);

enum cdt_timeout {
    CDT_TIMEOUT_CONNECT,
    CDT_TIMEOUT_HANDSHAKE,
    CDT_TIMEOUT_WRITE_STALL,
    CDT_TIMEOUT_LINGER,
    CDT_TIMEOUT_IDLE,
    CDT_TIMEOUT_LIFETIME
};

/* Changes one timeout, ns as in the options (0: default, CDT_NEVER: off). A lifetime that is set on
 * an accepted flow that had no timeouts before counts from this call. -ENOMEM. */
CDT_API int cdt_flow_set_timeout(struct cdt_flow *flow, enum cdt_timeout which, uint64_t timeout);

/* Changes the watermarks; 0: default. -EINVAL unless low <= high <= hard; -ENOMEM. */
CDT_API int cdt_flow_set_watermarks(struct cdt_flow *flow, size_t low, size_t high, size_t hard);

/* Changes the minimum rate; 0: off (rate), default (window). -ENOMEM. */
CDT_API int cdt_flow_set_min_rate(struct cdt_flow *flow, uint64_t bytes_per_second,
                                  uint64_t window);

/* ---- looking --------------------------------------------------------------------------------- */

enum cdt_state {
    CDT_CONNECTING,
    CDT_HANDSHAKING,
    CDT_OPEN,
    CDT_PEER_ENDED, /* half-closed: the peer sends no more, we may */
    CDT_WE_ENDED,   /* half-closed: we send no more, the peer may */
    CDT_CLOSING,    /* close was called, or both sides have ended; flushing or lingering */
    CDT_CLOSED      /* on_close is on its way, or running */
};

CDT_API enum cdt_state cdt_flow_state(const struct cdt_flow *flow);

/* "open", "closing" ... Static storage. */
CDT_API const char *cdt_state_name(enum cdt_state state);

/* Your area, user_size bytes, aligned for anything. */
CDT_API void *cdt_flow_data(struct cdt_flow *flow);

CDT_API struct cdt_reactor *cdt_flow_reactor(const struct cdt_flow *flow);

/* The server that accepted it; NULL for others. */
CDT_API struct cdt_server *cdt_flow_server(const struct cdt_flow *flow);

/* Why the flow failed, a sentence for people; "" while nothing failed. Lives as long as the flow.
 */
CDT_API const char *cdt_flow_error(const struct cdt_flow *flow);

/* Addresses of the peer and of ourselves; length 0 where the carrier has none. Kept until on_close
 * has returned. -EINVAL, -ENOTCONN (still connecting, and the carrier does not know yet). */
CDT_API int cdt_flow_dst(const struct cdt_flow *flow, struct cdt_addr *addr);
CDT_API int cdt_flow_src(const struct cdt_flow *flow, struct cdt_addr *addr);

/* The carrier's name, "tcp", "unix", "pair", ... Static storage. */
CDT_API const char *cdt_flow_carrier(const struct cdt_flow *flow);

/* The descriptor, for looking and setsockopt only; -1 where there is none. */
CDT_API int cdt_flow_fd(const struct cdt_flow *flow);

/* Bytes not yet handed to the carrier, and bytes that the carrier has but the peer has not
 * acknowledged (SIOCOUTQ; one system call). Either pointer may be NULL; *unacknowledged is 0 where
 * the carrier does not know. */
CDT_API int cdt_flow_pending(const struct cdt_flow *flow, size_t *queued, size_t *unacknowledged);

/* ---- Unix sockets only ----------------------------------------------------------------------- */

struct cdt_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* Who the peer was when it connected (SO_PEERCRED). -ENOTSUP for other carriers. */
CDT_API int cdt_flow_credentials(const struct cdt_flow *flow, struct cdt_credentials *credentials);

enum { CDT_MAX_FDS = 32 };

/* Sends descriptors with the first byte of `data` (at least one byte, 1 to CDT_MAX_FDS
 * descriptors). They are duplicated at once: yours may be closed when this returns. Results as of a
 * write, and -ENOTSUP, -EBADF, -EMFILE. */
CDT_API int cdt_flow_write_fds(struct cdt_flow *flow, const void *data, size_t length,
                               const int *fds, int count);

/* Takes descriptors that arrived up to the present on_read, first come first; close-on-exec; they
 * are yours. What is not taken before the next on_read is closed. Returns how many. */
CDT_API int cdt_flow_take_fds(struct cdt_flow *flow, int *fds, int count);

/* ---- relay ----------------------------------------------------------------------------------- */

struct cdt_relay_result {
    uint64_t bytes_a_to_b, bytes_b_to_a; /* payload handed to the receiving flow */
    int status_a, status_b;              /* as of on_close */
};

/* Both flows have ended. They are freed when it returns; their data areas are still there, on_close
 * of their handlers is not called. */
typedef void cdt_relay_fn(struct cdt_flow *a, struct cdt_flow *b,
                          const struct cdt_relay_result *result, void *arg);

/* Joins two flows of one reactor: what one receives the other sends, with back-pressure at the
 * watermarks; an end of stream is carried across as a half-close; a failure of one side lets the
 * other deliver what it has, for the linger timeout at most, and then aborts it with the same
 * status: its peer must not take a part for the whole. Bytes read before must be handed back
 * (cdt_flow_unread) first. Either may still be connecting. Idle time is counted for both together.
 * From here on the flows belong to the relay; cdt_flow_abort and cdt_flow_close on either may still
 * be called.
 *
 * Bulk between TCP and Unix sockets without layers goes through pipes, uncopied
 * (splice(2)), if SIGPIPE is ignored in this process when the bulk begins (it must stay so until
 * the relay is over) and the sockets are O_NONBLOCK; else it is copied. A direction holds a pipe
 * (two descriptors) only while bytes wait in it; the reactor keeps up to four for the next ones.
 * Errors: -EINVAL, -ENOMEM, -EPIPE (either is closing or closed), -EALREADY. */
CDT_API int cdt_flow_relay(struct cdt_flow *a, struct cdt_flow *b, cdt_relay_fn *done, void *arg);

#ifdef __cplusplus
}
#endif
#endif
