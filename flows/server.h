/* Servers from inside: the server, its limits, the line it waits in, and what its files call of
 * each other. */
#ifndef FLOWS_SERVER_H
#define FLOWS_SERVER_H

#include "flows/internal.h"

/* ---- limits and lines: limit.c --------------------------------------------------------------- */

struct cdt_limit {
    struct list link;     /* in the hub's list */
    struct flow_hub *hub; /* NULL once its reactor is gone */
    unsigned max, active, peak;
    unsigned users;   /* servers that take slots of it */
    unsigned waiting; /* servers in the line */
    uint64_t throttled;
    struct list line; /* servers by `place`, first come first served */
    struct cdt_deferred wake;
};

void limit_init(struct cdt_limit *limit, struct flow_hub *hub, unsigned max);
/* Takes it out of the hub; nothing may use it. */
void limit_fini(struct cdt_limit *limit);
static inline void limit_take(struct cdt_limit *limit)
{
    if (++limit->active > limit->peak)
        limit->peak = limit->active;
}
/* Gives a slot back; the line is served later in this turn, or in the next. */
void limit_release(struct cdt_limit *limit);
/* Serves the line at once: from the reactor, outside of all callbacks. */
void limit_serve(struct cdt_limit *limit);
void limit_set_max(struct cdt_limit *limit, unsigned max);

static inline bool limit_has_room(const struct cdt_limit *limit)
{
    return limit->max == 0 || limit->active < limit->max;
}

/* Puts a server at the end of a line. */
void line_join(struct cdt_limit *line, struct cdt_server *server);
/* Takes it out of the line it stands in, if any. */
void line_leave(struct cdt_server *server);
/* The first in line, NULL if nobody waits. */
struct cdt_server *line_first(const struct cdt_limit *line);

/* ---- handshakes in progress: gate.c ---------------------------------------------------------- */

struct flow_gate {
    struct cdt_reactor *reactor;
    unsigned max, active;
    unsigned begun;      /* in this turn */
    unsigned waiting;    /* layers in line */
    int failed;          /* the share of handshakes that came to nothing, of GATE_FAILED */
    uint64_t waited;     /* handshakes that had to wait */
    struct list line;    /* layers by `place` */
    struct list holders; /* the one that began first comes first */
    struct cdt_deferred next_turn;
    struct cdt_timer patience;
};

void gate_init(struct flow_gate *gate, struct cdt_reactor *reactor, unsigned max);
void gate_fini(struct flow_gate *gate);

/* ---- the server ------------------------------------------------------------------------------ */

/* Layers that each accepted flow gets, before on_accept: `push` gives 0 or a negative code, which
 * refuses. `free` is called after on_stopped. */
struct server_stack {
    int (*push)(void *context, struct cdt_flow *flow);
    void (*free)(void *context);
    void *context;
};

enum {
    SERVER_LIMITS = CDT_MAX_LIMITS + 1, /* the shared ones and its own */
    SERVER_BUDGET = 64,
    SERVER_BACKLOG = 4096
};

/* What server_work() has to do. */
enum {
    WORK_OPEN = 1,   /* the listener's address was busy for a moment: try again */
    WORK_LISTEN = 2, /* on_listen */
    WORK_STOP = 4,   /* on_stop for each flow */
    WORK_ABORT = 8,  /* end each flow */
    WORK_ACCEPT = 16 /* a listener without descriptor has clients */
};

/* Reports to the application that come at most once a second. */
enum server_report { REPORT_NEXT, REPORT_PAUSE, REPORT_SHED, REPORTS };

struct cdt_server {
    struct list link; /* in the hub's list */
    struct flow_hub *hub;
    const struct cdt_handler *handler;
    struct flow_config *config; /* holds the options of the flows */
    struct cdt_server_options options;
    struct list flows;   /* those accepted, in this order */
    struct list refused; /* those that on_accept refused, until they have ended */
    unsigned refused_count;
    struct flow_traffic traffic;

    const struct cdt_listener_ops *ops;
    const struct cdt_carrier_ops *carrier; /* of the flows */
    struct cdt_listener listener;
    struct cdt_watch watch;
    bool listening; /* there is a listener to be closed */
    bool armed;     /* clients are waited for */
    bool told;      /* on_listen was called */
    bool started;   /* with status 0 */
    struct cdt_addr address;
    int backlog;

    /* Opens the listener; -EINPROGRESS: again a little later. NULL: it was given open. */
    int (*open)(struct cdt_server *server);
    unsigned attempts;             /* of opening, in vain */
    int status;                    /* why there is no listener */
    char text[CDT_ADDR_TEXT + 96]; /* the same for people; "": as of the status */

    struct cdt_limit own;
    struct cdt_limit *limits[SERVER_LIMITS];
    unsigned limit_count;
    struct cdt_limit *waits; /* in whose line it stands */
    struct list place;
    bool again; /* in line once more after an accept, perhaps without a client: not yet counted */

    unsigned eager;    /* how often reading at once has found something, of late */
    unsigned expected; /* clients of the last batches: how many to accept before waiting again */
    unsigned full_batches; /* in a row that were as large as expected */
    unsigned failures;     /* of accept, in a row */
    int reserve;           /* the descriptor that is given up to shed a client; -1: none */
    uint64_t shed_window;  /* when shedding was last allowed anew */
    unsigned shed_left;
    uint64_t next_report[REPORTS];

    struct flow_gate gate;
    struct server_stack stack;
    void *where; /* what a listener without an address says of where it listens; mem_free()d */

    unsigned work;
    struct cdt_deferred deferred;
    struct cdt_timer timer; /* the next attempt to open; the end of the drain */
    bool stopping, finished;
    uint64_t deadline;
    int abort_status;
    struct cdt_server_counters counters;
};

/* ---- server.c -------------------------------------------------------------------------------- */

/* Makes a server without a listener; the arguments are checked. 0, -EINVAL, -ENOMEM. */
int server_new(struct cdt_reactor *reactor, const struct cdt_server_options *options,
               const struct cdt_handler *handler, struct cdt_server **server);
/* Frees one that was not started. */
void server_discard(struct cdt_server *server);
/* Opens the listener with `server->open`, or takes the one that is there; on_listen follows. */
void server_start(struct cdt_server *server);
/* Listens, with the backlog of the options; says so if the kernel cuts it. 0 or a negative
 * errno. */
int server_apply_backlog(struct cdt_server *server);
/* Does `work` from the reactor. */
void server_defer(struct cdt_server *server, unsigned work);
/* Whether a public call may touch it. */
static inline bool server_usable(const struct cdt_server *server)
{
    return server && reactor_usable(server->hub->reactor);
}

/* ---- drain.c --------------------------------------------------------------------------------- */

/* Closes the listener and leaves all lines; the flows stay. */
void server_shut(struct cdt_server *server);
/* Tells each flow that the server stops. */
void server_tell_flows(struct cdt_server *server);
/* Ends all flows. */
void server_abort_flows(struct cdt_server *server);
void server_on_deadline(struct cdt_timer *timer);

/* ---- accept.c -------------------------------------------------------------------------------- */

enum accept_result {
    ACCEPT_DONE,                  /* a connection was taken, or refused by the user */
    ACCEPT_FAILED,                /* this one went wrong, the next may do */
    ACCEPT_GO_ON = ACCEPT_FAILED, /* up to here the next one may be accepted at once */
    ACCEPT_EMPTY,                 /* no client waits */
    ACCEPT_LIMITED,               /* the server stands in a limit's line */
    ACCEPT_STARVED,               /* it stands in the line for descriptors */
    ACCEPT_STOPPED                /* it accepts no more */
};

/* Accepts one connection. `turn` is the line whose turn it is and that the server need not join
 * again; NULL: none. */
enum accept_result server_accept(struct cdt_server *server, struct cdt_limit *turn);
/* As many as are expected, for the watch and for cdt_listener_ready(). */
void server_accept_batch(struct cdt_server *server);
void server_on_watch(struct cdt_watch *watch, unsigned events);
void server_arm(struct cdt_server *server);
void server_disarm(struct cdt_server *server);
/* A report by on_error without a peer, at most once a second of each kind. */
void server_report(struct cdt_server *server, enum server_report kind, int status,
                   const struct cdt_addr *peer);

/* ---- starve.c: the line of those who wait for a descriptor ----------------------------------- */

struct starved {
    struct cdt_limit line; /* hub->starved points to it; only its line is used */
    struct cdt_timer timer;
    uint64_t delay;
    uint64_t next_log;
};

/* Made with the first server of a reactor: 0 or -ENOMEM. */
int starved_prepare(struct flow_hub *hub);
void starved_join(struct cdt_server *server, int status);
/* The server left: without a line there is no timer. */
void starved_left(struct flow_hub *hub);
/* No descriptor is free (`error`): accepts one client with the reserve and resets it. 0, `error` if
 * it may not, or what accept said. */
int server_shed(struct cdt_server *server, int error);
void server_open_reserve(struct cdt_server *server);

/* ---- listen_socket.c ------------------------------------------------------------------------- */

/* Of listeners that are sockets: accept4(2) without blocking, getsockname(2), listen(2),
 * close(2). */
int socket_accept(struct cdt_listener *listener, struct cdt_carrier *carrier,
                  struct cdt_addr *peer);
int socket_listener_address(const struct cdt_listener *listener, struct cdt_addr *addr);
int socket_set_backlog(struct cdt_listener *listener, int backlog);
void socket_close_listener(struct cdt_listener *listener);
/* The carrier of the flows: by domain, and whether they shall receive descriptors. */
void socket_carrier(struct cdt_server *server, int domain);

#endif
