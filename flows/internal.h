/* The flows room from inside: the flow, its queue and layers, what each reactor keeps for its
 * flows, and what servers and carriers call. */
#ifndef FLOWS_INTERNAL_H
#define FLOWS_INTERNAL_H

#include <errno.h>
#include <sys/epoll.h>

#include <conduit/server.h>

#include "reactor/internal.h"

/* ---- lists ----------------------------------------------------------------------------------- */

/* A circular list with a head that is a node of itself. */
struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
    node->next = list;
    node->prev = list->prev;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    list_init(node);
}

/* ---- what each reactor keeps ----------------------------------------------------------------- */

enum {
    FLOW_READ_SIZE = 64 * 1024, /* one read buffer a depth, lent to all flows in turn */
    FLOW_CORK_SIZE = 16 * 1024,
    FLOW_READS = 16,     /* reads of one flow in one turn */
    FLOW_MAX_LAYERS = 4, /* TLS in TLS in a tunnel, and one more */
    FLOW_IOV = 64
};

/* Bytes that a depth has given and the depth above has not yet taken, while a flow is being read.
 */
struct flow_view {
    uint8_t *memory; /* FLOW_READ_SIZE bytes, made on first use */
    uint8_t *owned;  /* the stash that the bytes came from, if they did */
    const uint8_t *at;
    size_t length;
};

/* What is held back inside a callback: first a part of the lent read buffer, by reference, then
 * copies in `held`. */
struct flow_cork {
    struct cdt_flow *flow; /* whose writes are held; NULL: nothing is */
    const uint8_t *lent;   /* the buffer that on_read was given; in other callbacks empty */
    const uint8_t *reference;
    size_t reference_length; /* means something only if there is a flow */
    size_t held_length;      /* 0 if there is none */
    bool mixed; /* more than what the short path of cdt_flow_write() has put here; false if no flow
                 */
    const uint8_t *lent_end; /* behind it; NULL: not inside a callback */
    uint8_t held[FLOW_CORK_SIZE];
};

struct flow_hub {
    struct reactor_room room;
    struct cdt_reactor *reactor;
    unsigned fork_generation; /* the reactor's: flow_usable() */
    bool closing;             /* the reactor is being freed: no new flows */
    struct cdt_flow *looking; /* the flow whose event is being handled */
    struct flow_cork cork;
    struct flow_view view[FLOW_MAX_LAYERS + 1];
    bool consumed;     /* a layer has taken something from below */
    struct list flows; /* those that no server accepted */
    struct list servers;
    struct list limits;
    struct cdt_limit *starved;  /* the line of servers that wait for a descriptor */
    struct flow_config *config; /* the last one made for a flow without server, to be shared */
    struct flow_segment *spare; /* segments of FLOW_CORK_SIZE to be used again */
    unsigned spares;
    struct flow_segment *spare_pipe; /* segments with an empty pipe: flows/splice.c */
    unsigned spare_pipes;
    /* Flows to be used again, all with a user's area of the same size: those who come and go are
     * quicker served than by the allocator. */
    struct cdt_flow *spare_flow; /* linked by carrier.context */
    unsigned spare_flow_count;
    size_t spare_flow_size;
};

/* The hub of a reactor, made on first use; NULL if there is no memory. */
struct flow_hub *flow_hub(struct cdt_reactor *reactor);

/* ---- configuration --------------------------------------------------------------------------- */

struct flow_traffic {
    uint64_t in, out;
};

/* Options with the defaults filled in (times: CDT_NEVER is off), shared by all flows of a server
 * and by flows connected with the same options. */
struct flow_config {
    unsigned references;
    struct flow_hub *hub;
    struct cdt_server *server;
    struct flow_traffic *traffic; /* the server's, or `own` */
    struct flow_traffic own;
    bool deadlines; /* there is an idle timeout, a lifetime, or a minimum rate */
    struct cdt_flow_options options;
};

/* 0 and a reference in *config; -EINVAL, -ENOMEM. `options` may be NULL. */
int flow_config_get(struct flow_hub *hub, const struct cdt_flow_options *options,
                    struct cdt_server *server, struct flow_config **config);
void flow_config_put(struct flow_config *config);

/* What every call that makes a flow without a server begins with: checks, and a reference to the
 * configuration. 0; -EINVAL, -ENOMEM. */
int flow_prepare(struct cdt_reactor *reactor, const struct cdt_flow_options *options,
                 const struct cdt_handler *handler, struct flow_config **config);

/* ---- the flow -------------------------------------------------------------------------------- */

/* What descriptors of flows are registered for. Writing is added when the carrier has first refused
 * to take all: a fresh socket is always writable, and to be told so would cost each connection an
 * event, and many a turn. */
enum { FLOW_EVENTS_READ = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET, FLOW_EVENTS_WRITE = EPOLLOUT };

/* Flags of a flow. */
enum {
    FLOW_READABLE = 1 << 0, /* the carrier may have something to read */
    FLOW_WRITABLE = 1 << 1, /* the carrier took all that it was given */
    FLOW_READ_END = 1 << 2, /* hang-up or error seen: a short read does not mean drained */
    FLOW_HUNG = 1 << 3,     /* the carrier is dead for writing */
    FLOW_PAUSED = 1 << 4,
    FLOW_CARRIER_EOF = 1 << 5, /* the carrier gave its end of stream */
    FLOW_EOF = 1 << 6,         /* the top of the stack gave its end of stream */
    FLOW_FIN_WANTED = 1 << 7,  /* our end of stream goes out after the queue */
    FLOW_FIN_SENT = 1 << 8,
    FLOW_SHUT_READ = 1 << 9,   /* what arrives is thrown away */
    FLOW_ABOVE = 1 << 10,      /* a write returned 1: on_writable is owed */
    FLOW_OPENED = 1 << 11,     /* on_open was called */
    FLOW_STASHED = 1 << 12,    /* a depth has a stash */
    FLOW_BROKEN = 1 << 13,     /* a write failed; `status` says how; what can be read comes first */
    FLOW_REGISTERED = 1 << 14, /* the descriptor is in the epoll set */
    FLOW_DETACHED = 1 << 15,   /* the descriptor was given back */
    FLOW_HAS_DEADLINES =
        1 << 16, /* `active` is worth keeping: an idle timeout or minimum rate is set */
    FLOW_CONNECTED = 1 << 17,    /* the carrier is connected; flow_begin() is to come */
    FLOW_CLOSE_WANTED = 1 << 18, /* closed before it was open: flush, then close */
    FLOW_RESET = 1 << 19,        /* aborted: the peer gets a reset */
    FLOW_SHORT_READS = 1 << 20,  /* CDT_CARRIER_SHORT_READS */
    /* What `state`, `top` and `tail` say, once more: for flow_is_plain() */
    FLOW_OPEN = 1 << 21,
    FLOW_LAYERED = 1 << 22,
    FLOW_QUEUED = 1 << 23,
    FLOW_NO_READER = 1 << 24, /* the handler has no on_read */
    FLOW_ARMED = 1 << 26,     /* the descriptor is registered for writing too */
    FLOW_SPLICED = 1 << 25,   /* what it reads goes through a pipe: flows/splice.c */
    FLOW_PARTING = 1 << 27,   /* a layer failed, and has said so to its peer: no reset */
    FLOW_ONE_EVENT = 1 << 28, /* CDT_CARRIER_ONE_EVENT */
    /* A carrier may set this, and FLOW_SHORT_READS, in its own write and read: it took less than it
     * was given, yet nobody will tell when it can take more: it is asked again in the next turn. */
    FLOW_SHORT_WRITES = 1 << 29,
    FLOW_ENDING = 1 << 30 /* nothing but our end of stream follows what is still to be sent */
};

/* One allocation: the flow, and the user's area behind it. */
struct cdt_flow {
    struct cdt_carrier carrier; /* first: the operations get a pointer to it */
    struct cdt_source source;
    const struct cdt_handler *handler;
    const struct cdt_carrier_ops *ops;
    struct cdt_layer *top;
    struct flow_config *config;
    uint32_t flags;
    int status;
    struct flow_segment *tail; /* output queue, circular: tail->next is the head */
    uint32_t queued;           /* bytes in it */
    uint16_t peer_port;
    uint8_t peer_family; /* AF_INET, AF_INET6, or 0: ask the carrier */
    uint8_t state;       /* enum cdt_state, changed by flow_change() only */
    uint64_t active;     /* what the timeout of the present state counts from: flows/timeouts.c */
    struct cdt_timer timer;
    struct list link; /* in the server's or the hub's list */
    uint64_t born;
    struct flow_extra *extra; /* what few flows need, made when needed */
    uint8_t peer_ip[16];
    max_align_t user[];
};

struct flow_stash {
    uint8_t *memory;
    const uint8_t *at;
    size_t length;
};

struct flow_extra {
    char *error;                /* the sentence of cdt_flow_error() */
    struct flow_stash stash;    /* of the carrier's depth */
    struct flow_segment *early; /* written before the layers were open; circular as the queue */
    uint32_t early_bytes;
    struct flow_segment *done; /* written, their callbacks not yet called; circular */
    struct flow_relay *relay;
    struct flow_segment *pipe; /* the one in the queue; NULL: none */
    uint32_t burst; /* bytes spliced since nothing was left to read, counted to FLOW_READ_SIZE */
    uint32_t peer_scope;             /* of a link-local address */
    uint64_t rate_start, rate_bytes; /* the running window of the minimum rate */
    size_t user_size;
};

struct cdt_layer {
    const struct cdt_layer_ops *ops;
    void *context;
    struct cdt_flow *flow;
    struct cdt_layer *below;
    unsigned depth; /* 1: right above the carrier */
    bool started, open;
    bool drained;  /* its last read found nothing more below: it need not be asked again */
    uint8_t claim; /* CLAIM_...: its place among the server's handshakes */
    struct flow_stash stash; /* what it gave and nobody has taken */
    struct list place;       /* in the gate's line, or among the holders */
    uint64_t since;          /* when it got its place */
};

enum { CLAIM_NONE, CLAIM_WAITS, CLAIM_HELD };

/* What a user handed over can be used. */
bool flow_handler_valid(const struct cdt_handler *handler);
bool flow_ops_valid(const struct cdt_carrier_ops *ops);

/* Makes a flow in state CDT_CONNECTING, of a valid handler and operations; takes over a reference
 * of `config`, and `carrier`, if it gives 0. A descriptor is registered. `peer` may be NULL (asked
 * of the carrier when wanted). The flow does nothing before flow_begin() or, if `connecting`,
 * before the carrier is connected. */
int flow_new(struct flow_config *config, const struct cdt_handler *handler,
             const struct cdt_carrier_ops *ops, const struct cdt_carrier *carrier, bool connecting,
             const struct cdt_addr *peer, struct cdt_flow **flow);

/* The carrier is connected: starts the layers, or opens the flow. Calls on_open if there are no
 * layers: only from the reactor, outside of callbacks. */
void flow_begin(struct cdt_flow *flow);

/* All layers are open: on_open. */
void flow_opened(struct cdt_flow *flow);

/* Ends the flow: nothing more happens but on_close, which the ready list calls. `text` may be NULL.
 */
void flow_end(struct cdt_flow *flow, int status, const char *text);

/* Bytes of the user's area. */
size_t flow_user_size(const struct cdt_flow *flow);

/* From now on this handler is called. */
void flow_use_handler(struct cdt_flow *flow, const struct cdt_handler *handler);

/* Takes it out of its list and frees it. */
void flow_release(struct cdt_flow *flow);

/* The extra part, made on first use; NULL if there is no memory. */
struct flow_extra *flow_extra(struct cdt_flow *flow);

/* Looks at the flow again, in this turn or the next. */
static inline void flow_schedule(struct cdt_flow *flow)
{
    reactor_ready(flow->config->hub->reactor, &flow->source);
}

static inline struct cdt_flow *flow_of_carrier(struct cdt_carrier *carrier)
{
    return cdt_container_of(carrier, struct cdt_flow, carrier);
}

/* Whether a public call may touch it: not NULL, not the parent's. */
static inline bool flow_usable(const struct cdt_flow *flow)
{
    return flow && flow->config->hub->fork_generation == reactor_fork_generation;
}

/* THE SHORT PATH. Nearly all that a busy server does is this: an open flow without layers has bytes
 * to read, fewer than the buffer holds, and answers with bytes that the socket takes at once. The
 * general code does that too; the short path does it in a third of the instructions. It applies to
 * flows that are open and have none of these flags. */
enum {
    FLOW_NOT_PLAIN = FLOW_READ_END | FLOW_HUNG | FLOW_PAUSED | FLOW_EOF | FLOW_FIN_WANTED |
                     FLOW_SHUT_READ | FLOW_STASHED | FLOW_BROKEN | FLOW_HAS_DEADLINES |
                     FLOW_CLOSE_WANTED | FLOW_SHORT_READS | FLOW_LAYERED | FLOW_QUEUED |
                     FLOW_NO_READER | FLOW_SPLICED
};

/* `more`: flags that must be set as well. */
static inline bool flow_is_plain(const struct cdt_flow *flow, uint32_t more)
{
    return (flow->flags & (FLOW_NOT_PLAIN | FLOW_OPEN | more)) == (FLOW_OPEN | more);
}

#define likely(condition) __builtin_expect(!!(condition), 1)

/* Sets the sentence of cdt_flow_error(), unless there is one already. */
void flow_set_error(struct cdt_flow *flow, const char *text);

/* ---- state.c --------------------------------------------------------------------------------- */

enum flow_event {
    FLOW_EV_CONNECTED, /* the carrier is connected */
    FLOW_EV_OPEN,      /* all layers are open */
    FLOW_EV_PUSH,      /* a layer was pushed */
    FLOW_EV_PEER_END,  /* the peer ended its stream */
    FLOW_EV_OUR_END,   /* we end ours */
    FLOW_EV_CLOSE,
    FLOW_EV_END, /* over */
    FLOW_EVENTS
};

/* Rows: the state; columns: the event. FLOW_NO_CHANGE: the event means nothing in this state. */
enum { FLOW_NO_CHANGE = -1 };
extern const int8_t flow_next_state[CDT_CLOSED + 1][FLOW_EVENTS];

/* The new state by the table; false, and no change, if the event means nothing in this state. */
static inline bool flow_change(struct cdt_flow *flow, enum flow_event event)
{
    int next = flow_next_state[flow->state][event];
    if (next == FLOW_NO_CHANGE)
        return false;
    flow->state = (uint8_t)next;
    flow->flags = (flow->flags & ~(uint32_t)FLOW_OPEN) | (next == CDT_OPEN ? FLOW_OPEN : 0);
    return true;
}
bool flow_may_write(const struct cdt_flow *flow);

/* ---- queue.c: segments of output ------------------------------------------------------------- */

struct flow_segment {
    struct flow_segment *next;
    const uint8_t *at; /* first byte not yet sent */
    size_t length;     /* bytes not yet sent */
    size_t room;       /* bytes free behind them, in `bytes` */
    size_t capacity;   /* of `bytes`; FLOW_CORK_SIZE: goes back to the hub's spares */
    cdt_written_fn *written;
    void *arg;
    int status;
    bool piped; /* the bytes are in the pipe */
    int pipe[2];
    uint8_t bytes[];
};

/* A segment with `capacity` bytes of its own (rounded up to FLOW_CORK_SIZE unless 0). */
struct flow_segment *segment_new(struct flow_hub *hub, size_t capacity);
void segment_free(struct flow_hub *hub, struct flow_segment *segment);
/* Appends to a circular queue. */
void segment_append(struct flow_segment **tail, struct flow_segment *segment);
struct flow_segment *segment_take(struct flow_segment **tail);
/* Copies parts, less their first `skip` bytes, to the end of a queue. 0 or -ENOMEM, nothing
 * appended. */
int segment_copy(struct flow_hub *hub, struct flow_segment **tail, const struct iovec *parts,
                 int count, size_t skip);

/* ---- write.c --------------------------------------------------------------------------------- */

/* Sends what the cork holds, and empties it. */
void cork_flush(struct flow_hub *hub);
/* Forgets what the cork holds for this flow. */
void cork_drop(struct cdt_flow *flow);
/* The layers are open: what was written before goes through them. */
void flow_send_early(struct cdt_flow *flow);
/* Bytes that the user has been told are taken could not be sent: the flow ends. */
void flow_send_failed(struct cdt_flow *flow, int status);

/* ---- output.c -------------------------------------------------------------------------------- */

/* Bytes accepted and not yet handed to the carrier: queue, early writes and cork. */
static inline size_t flow_unsent(const struct cdt_flow *flow)
{
    const struct flow_cork *cork = &flow->config->hub->cork;
    size_t unsent = flow->queued;
    if (cork->flow == flow)
        unsent += cork->reference_length + cork->held_length;
    if (flow->extra)
        unsent += flow->extra->early_bytes;
    return unsent;
}
/* Whether on_writable is owed and due. */
bool flow_writable_due(const struct cdt_flow *flow);
size_t flow_parts_length(const struct iovec *parts, int count);
/* To the carrier, the rest to the queue. 0 or a negative code that ends the flow. */
int flow_output(struct cdt_flow *flow, const struct iovec *parts, int count);
/* What comes after a write of the carrier that gave `result`, not all: as flow_output(). */
int flow_output_rest(struct cdt_flow *flow, const struct iovec *parts, int count, ssize_t result);
/* So many bytes were put into the queue. */
void flow_queue_grew(struct cdt_flow *flow, size_t length);
/* Puts a segment with a pipe behind what is queued, and sends. Outside of callbacks only. */
void flow_enqueue_pipe(struct cdt_flow *flow, struct flow_segment *segment);
/* Sends the queue as far as the carrier takes it, then our end of stream if it is wanted. */
void flow_drain(struct cdt_flow *flow);
/* A segment was sent, or never will be: its callback is called from the ready list. */
void flow_segment_done(struct cdt_flow *flow, struct flow_segment *segment, int status);
/* Calls the callbacks of what was written. */
void flow_call_written(struct cdt_flow *flow);
/* A write failed: no more writing, reading comes first, then the end. */
void flow_write_failed(struct cdt_flow *flow, int status);
/* Throws all output away; the callbacks get `status`. */
void flow_drop_output(struct cdt_flow *flow, int status);
/* Our end of stream: through the layers, and to the carrier after the queue. Ends the flow if the
 * peer has ended its stream too. */
void flow_end_stream(struct cdt_flow *flow);
/* The carrier's part of it, if it is wanted and the queue is empty. */
void flow_try_fin(struct cdt_flow *flow);

/* Around each callback of the user; they are never nested. */
static inline void flow_enter_callback(struct flow_hub *hub)
{
    hub->cork.lent = hub->cork.lent_end = hub->cork.held;
}

static inline void flow_leave_callback(struct flow_hub *hub)
{
    hub->cork.lent_end = NULL;
    if (hub->cork.flow)
        cork_flush(hub);
}

/* ---- read.c ---------------------------------------------------------------------------------- */

void flow_read(struct cdt_flow *flow);
/* What epoll, or the ready list, calls: the short path, or flow_look(). */
void flow_on_event(struct cdt_source *source, uint32_t events);
/* flow.c: looks at the flow, because of these epoll events, or from the ready list (0). */
void flow_look(struct cdt_flow *flow, uint32_t events);
/* Something to read, and allowed to. */
static inline bool flow_has_input(const struct cdt_flow *flow)
{
    if (!(flow->flags & (FLOW_READABLE | FLOW_STASHED)))
        return false;
    if (flow->state == CDT_HANDSHAKING)
        return true;
    return !(flow->flags & FLOW_PAUSED) && flow->state > CDT_HANDSHAKING &&
           flow->state < CDT_CLOSED;
}

/* ---- layer.c --------------------------------------------------------------------------------- */

/* Fills view[depth], unless it has bytes: from the stash, the layer, or the carrier. As a carrier's
 * read. */
ssize_t layer_fill(struct cdt_flow *flow, unsigned depth);
/* Keeps what is left in the views; at the end of whatever pulled. */
void layer_stash(struct cdt_flow *flow);
bool layer_stashed(const struct cdt_flow *flow, unsigned depth);
/* Puts bytes before what `depth` gives next. 0 or -ENOMEM. */
int layer_put_back(struct cdt_flow *flow, unsigned depth, const void *data, size_t length);
/* Puts a layer into a flow that is connecting, at this depth: those that are there move up. What was
 * written so far goes through all layers. -EINVAL, -ENOMEM. */
int layer_insert(struct cdt_flow *flow, const struct cdt_layer_ops *ops, void *context,
                 unsigned depth);
/* Starts or continues the handshakes; true: the flow was opened just now. */
bool layer_handshake(struct cdt_flow *flow);
void layer_free_all(struct cdt_flow *flow);

static inline unsigned flow_depth(const struct cdt_flow *flow)
{
    return flow->top ? flow->top->depth : 0;
}

/* gate.c: the layer's handshake is over, or the layer. */
void gate_leave(struct cdt_layer *layer);

/* ---- timeouts.c ------------------------------------------------------------------------------ */

/* Begins a new window of the minimum rate. */
void flow_restart_rate(struct cdt_flow *flow);
/* Sets the timer to the earliest deadline; after each change of state, queue, or options. */
void flow_update_timer(struct cdt_flow *flow);
/* Our end was sent, or the user closes after that: the linger time counts from now. */
void flow_begin_linger(struct cdt_flow *flow);
void flow_on_timer(struct cdt_timer *timer);

/* ---- carriers -------------------------------------------------------------------------------- */

extern const struct cdt_carrier_ops tcp_ops, unix_ops, unix_fds_ops, pair_ops;

/* A flow that is connecting goes on with another carrier, which is connected or, if `connecting`,
 * will be. The one it had has no descriptor, and is not closed: whoever calls has done so, or does.
 * 0, or why the descriptor could not be registered: nothing has changed then. */
int flow_set_carrier(struct cdt_flow *flow, const struct cdt_carrier_ops *ops,
                     const struct cdt_carrier *carrier, bool connecting,
                     const struct cdt_addr *peer);

/* The options of a flow, with the defaults filled in. */
static inline const struct cdt_flow_options *flow_options(const struct cdt_flow *flow)
{
    return &flow->config->options;
}

/* tcp.c: a socket that is connecting and belongs to no flow yet; or a negative errno. */
int tcp_start(const struct cdt_addr *to, const struct cdt_flow_options *options);

/* How a carrier of sockets connects: `start` gives a descriptor or a negative errno. */
struct flow_connect {
    const struct cdt_carrier_ops *ops;
    int (*start)(const struct cdt_addr *to, const struct cdt_flow_options *options);
    const struct cdt_addr *to;
};
int flow_connect(struct cdt_reactor *reactor, const struct flow_connect *connect,
                 const struct cdt_flow_options *options, const struct cdt_handler *handler,
                 struct cdt_flow **flow);

/* Shared by TCP and Unix sockets: socket.c. */
ssize_t socket_read(struct cdt_carrier *carrier, void *data, size_t length);
ssize_t socket_write(struct cdt_carrier *carrier, const void *data, size_t length);
ssize_t socket_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count);
int socket_shutdown(struct cdt_carrier *carrier);
int socket_connected(struct cdt_carrier *carrier);
void socket_close(struct cdt_carrier *carrier, enum cdt_close_how how);
size_t socket_unacknowledged(const struct cdt_carrier *carrier);
/* A socket from elsewhere: exec shall not inherit it, and closing it, or what it accepts, shall
 * neither block nor reset, as SO_LINGER would have it. */
void socket_take_over(int fd);
int socket_address(const struct cdt_carrier *carrier, bool peer, struct cdt_addr *addr);
/* An IPv4 address in IPv6 clothes, as dual-stack sockets have them, becomes an IPv4 address. */
void socket_unmap(struct cdt_addr *addr);

/* Of a carrier that is not connected yet: waiting.c. */
ssize_t waiting_read(struct cdt_carrier *carrier, void *data, size_t length);
ssize_t waiting_write(struct cdt_carrier *carrier, const void *data, size_t length);
ssize_t waiting_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count);
int waiting_connected(struct cdt_carrier *carrier);
int waiting_address(const struct cdt_carrier *carrier, bool peer, struct cdt_addr *addr);

/* Applies the TCP options to a socket before connect or listen (accepted sockets inherit them). 0
 * or a negative errno. */
int tcp_apply_options(int fd, const struct cdt_flow_options *options);
/* Whether it is a whole IPv4 or IPv6 address. */
bool tcp_is_ip(const struct cdt_addr *addr);

/* ---- unix_file.c ----------------------------------------------------------------------------- */

/* The file of a socket that listens. */
struct unix_file {
    int folder; /* a descriptor */
    dev_t device;
    ino_t inode;
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; /* within the folder */
};

struct unix_owner {
    mode_t mode; /* 0: as it was made */
    bool chown;
    uid_t uid;
    gid_t gid;
};

/* Whether somebody answers at the address: 0, or what connect(2) says. */
int unix_file_probe(const struct cdt_addr *at);
/* Remembers the identity of a file that was made just now, gives it its owner and its mode. */
int unix_file_made(struct unix_file *file, const struct unix_owner *owner);
/* If it is still the same. */
void unix_file_remove(const struct unix_file *file);

/* ---- relay.c --------------------------------------------------------------------------------- */

/* The other flow of its relay, while both are there; NULL: none. */
struct cdt_flow *relay_other(const struct cdt_flow *flow);
/* The flow is over. True: it belongs to a relay, which frees it with the other one. */
bool relay_finished(struct cdt_flow *flow);
/* Bytes that the flow received were handed to the other one, not by on_read. */
void relay_passed(struct cdt_flow *flow, size_t length);

/* ---- splice.c -------------------------------------------------------------------------------- */

/* From now on what `flow` receives goes to `other`, the other one of its relay, through a pipe.
 * False: it cannot, and is copied. */
bool splice_begin(struct cdt_flow *flow, const struct cdt_flow *other);
/* Moves what there is to the other one's queue, and sends it: how many bytes; -EBUSY: not before
 * the last ones are sent, which will look at the flow again; 0: read it, which tells why; or a
 * negative errno of the socket. */
ssize_t splice_in(struct cdt_flow *flow);
/* As a carrier's write, of the segment's bytes: -EAGAIN means that the socket is full. */
ssize_t splice_out(struct cdt_flow *flow, const struct flow_segment *segment);
/* The segment left the queue, sent or not: frees it, and goes on reading the other flow. */
void splice_done(struct cdt_flow *flow, struct flow_segment *segment);
void splice_put_pipe(struct flow_hub *hub, struct flow_segment *segment);
void splice_free_pipes(struct flow_hub *hub);

/* ---- servers: called by flows ---------------------------------------------------------------- */

/* A flow of the server has ended, with a status: for the counters and on_error. Before on_close. */
void server_flow_failed(struct cdt_server *server, struct cdt_flow *flow, int status,
                        const char *text);
/* Its on_close has returned and it is out of the list: frees the slots. */
void server_flow_ended(struct cdt_server *server, int status);
/* A descriptor was closed: the first server that waits for one may go on. */
void server_descriptor_freed(struct flow_hub *hub);
/* The list of a server's flows. */
struct list *server_flows(struct cdt_server *server);
/* Ends all servers at once, callbacks included as far as turns are run: for cdt_reactor_free(). */
void server_stop_all(struct flow_hub *hub);

#endif
