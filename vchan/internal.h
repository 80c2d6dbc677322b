/* The vchan room from inside: the carrier, its backends, the store in which domains meet. */
#ifndef VCHAN_INTERNAL_H
#define VCHAN_INTERNAL_H

#include <conduit/vchan.h>

#include "flows/internal.h"
#include "vchan/ring.h"

enum { VCHAN_PORT_MAX = 64, VCHAN_NAME_MAX = 251, VCHAN_PATH_MAX = 512, VCHAN_DOMID_MAX = 65535 };

/* ---- settings: settings.c -------------------------------------------------------------------- */

/* Options with the defaults filled in. */
struct vchan_settings {
    enum cdt_vchan_backend backend; /* XEN or LOCAL */
    size_t read_size, write_size;
    uint64_t spin;
    unsigned domid; /* our own, of backend local */
    mode_t mode;
    char directory[VCHAN_PATH_MAX];
    char name[VCHAN_NAME_MAX];
    const char *why; /* the sentence for a failure */
};

/* 0; -EINVAL; -EPROTONOSUPPORT: no such backend. `options` may be NULL. A failure has its sentence
 * in settings->why. */
int vchan_settings_fill(struct vchan_settings *settings, const struct cdt_vchan_options *options);

/* Says once, in the log, that CONDUIT_VCHAN cannot be followed. */
void vchan_settings_warn(struct cdt_reactor *reactor);

/* A domain id as a text has it: decimal, at most VCHAN_DOMID_MAX; -EINVAL. */
int vchan_domid_read(const char *text, unsigned *domid);

/* [a-zA-Z0-9_-]+, fewer than VCHAN_PORT_MAX. A name of a domain: one part of a path, fewer than
 * VCHAN_NAME_MAX, no control character, no dot at its beginning. */
bool vchan_port_valid(const char *port);
bool vchan_name_valid(const char *name);

/* What is wrong with a domain id, a name (NULL: none) and a port; NULL: nothing. */
const char *vchan_wrong_place(unsigned domid, const char *name, const char *port);

/* ---- one vchan: carrier.c -------------------------------------------------------------------- */

struct vchan;

/* How the pages of a ring came, and how its bell rings. Nothing here blocks. */
struct vchan_bell {
    enum cdt_vchan_backend backend;
    /* The descriptor hangs up when the peer is gone: one that is closed and still there reads
     * on. */
    bool hangs_up;
    /* Wakes the peer. */
    void (*ring)(struct vchan *vchan);
    /* We may sleep after the look at the ring that now comes: makes the descriptor able to have an
     * event, whether it had one or not. Called before each look that sets a wish. True: it took an
     * event away, which may have been meant for either direction. NULL: nothing to do. */
    bool (*acknowledge)(struct vchan *vchan);
    /* Gives back pages and descriptors and frees the vchan. With CDT_CLOSE_RESET our side was not
     * marked closed: who can, lets the peer see that. */
    void (*close)(struct vchan *vchan, enum cdt_close_how how);
};

/* One direction. While bulk is moving, or with `spin`, a side that finds nothing looks again in the
 * next turns, for a while, before it sets a wish: carrier.c, which alone uses this. */
struct vchan_linger {
    size_t moved;   /* bytes since the last sleep */
    uint64_t since; /* looked for nothing since then; 0: not yet, 1: once */
};

/* The first member of what a backend allocates for a vchan. */
struct vchan {
    struct vchan_ring ring;
    const struct vchan_bell *bell;
    int fd;        /* polls readable when the bell was rung; hangs up if the peer is gone */
    bool gone;     /* the backend knows that the peer is no more */
    bool ended;    /* our side is marked closed */
    bool over;     /* the peer's end was read: nothing more is, whatever its live byte says */
    uint64_t spin; /* ns */
    struct vchan_linger in, out;
    uint64_t bells_sent;
    struct cdt_flow *flow; /* NULL: not yet known */
    unsigned domid;        /* of the peer */
    char port[VCHAN_PORT_MAX];
};

/* Of flows over a vchan: `carrier->context` is the struct vchan, `carrier->fd` its descriptor. */
extern const struct cdt_carrier_ops vchan_ops;

/* The vchan of a flow; NULL if it is no vchan flow, or not connected. */
struct vchan *vchan_of(const struct cdt_flow *flow);

/* The peer is no more, as the backend has learned: the flow reads what is there, then ends with
 * -ECONNRESET. */
void vchan_gone(struct vchan *vchan);

/* ---- the store ------------------------------------------------------------------------------- */

/* The tree in which domains meet: xenstore, or files. Paths are absolute, of parts without slash; a
 * value is a text. All calls are short: xenstore's daemon answers at once, or the call fails. One
 * store a reactor, backend and directory, shared. Watches of one path are told separately. */
struct vchan_store;

struct vchan_watch {
    struct list link;
    struct vchan_store *store; /* NULL: not watching */
    /* Something at or below the path has changed, or may have: once soon after the start too. From
     * the reactor. The watch may be ended, or the store put, from inside. */
    void (*fn)(struct vchan_watch *watch);
    char path[VCHAN_PATH_MAX];
    void *state; /* of the store */
};

struct vchan_store_ops {
    /* The length of the value; -ENOENT (also where reading is not allowed), -E2BIG, others. */
    int (*read)(struct vchan_store *store, const char *path, char *value, size_t size);
    /* Makes what is missing of the path. */
    int (*write)(struct vchan_store *store, const char *path, const char *value);
    /* With all below. 0 also if it is not there. */
    int (*remove)(struct vchan_store *store, const char *path);
    /* Calls `each` with the names right below, until it gives a nonzero value, which is returned.
     * -ENOENT. `each` must not change the store. */
    int (*list)(struct vchan_store *store, const char *path,
                int (*each)(void *arg, const char *name), void *arg);
    int (*watch)(struct vchan_store *store, struct vchan_watch *watch);
    void (*unwatch)(struct vchan_store *store, struct vchan_watch *watch);
    /* Our own domain id, or a negative code. */
    int (*domid)(struct vchan_store *store);
    void (*free)(struct vchan_store *store);
};

struct vchan_store {
    const struct vchan_store_ops *ops;
    struct cdt_reactor *reactor;
    unsigned references;
    struct list link;         /* of all stores of the reactor: store.c */
    struct list watches;      /* for the store's own use */
    struct list names;        /* that are registered through it: name.c */
    struct cdt_deferred idle; /* nobody refers to it any more */
    enum cdt_vchan_backend backend;
    unsigned own_domid;
    mode_t mode;
    char directory[VCHAN_PATH_MAX];
};

/* The store for these settings, made on first use: 0 and a reference. */
int vchan_store_get(struct cdt_reactor *reactor, const struct vchan_settings *settings,
                    struct vchan_store **store);
void vchan_store_put(struct vchan_store *store);
/* The sentence for a store that cannot be had: "/run/conduit cannot be used: permission denied". */
void vchan_store_tell(const struct vchan_settings *settings, int status, char *text, size_t size);
/* Fills watch->path and begins: 0, or a negative code; ending one that does not watch does
 * nothing. */
int vchan_watch_begin(struct vchan_store *store, struct vchan_watch *watch, const char *path,
                      void (*fn)(struct vchan_watch *watch));
void vchan_watch_end(struct vchan_watch *watch);

/* /local/domain/SERVER/data/vchan/CLIENT/PORT; /conduit/NAME; /conduit/NAME/CLIENT/PORT.
 * -ENAMETOOLONG. */
int vchan_place(char path[VCHAN_PATH_MAX], unsigned server, unsigned client, const char *port);
int vchan_name_path(char path[VCHAN_PATH_MAX], const char *name);
int vchan_request_path(char path[VCHAN_PATH_MAX], const char *name, const char *client,
                       const char *port);

/* ---- backends -------------------------------------------------------------------------------- */

/* An attempt to attach to a server's ring. */
struct vchan_attempt {
    struct vchan_settings settings;
    struct vchan_store *store;
    struct cdt_reactor *reactor;
    unsigned domid; /* of the server */
    char port[VCHAN_PORT_MAX];
    char path[VCHAN_PATH_MAX]; /* the place */
    void *state;               /* of the backend, while it goes on */
    struct vchan *vchan;       /* what it came to */
    const char *why;           /* the sentence for a failure; NULL: the status' own */
};

/* A port that is served to one client domain. */
struct vchan_port {
    struct list link;
    struct vchan_settings settings;
    struct vchan_store *store;
    struct cdt_reactor *reactor;
    unsigned domid; /* of the clients */
    char port[VCHAN_PORT_MAX];
    char path[VCHAN_PATH_MAX];
    void *state; /* of the backend */
    /* A client may wait: called from the reactor, while the port is armed. */
    void (*ready)(struct vchan_port *port);
    void *user;
    bool is_ready; /* it stands in the line of those that are: listen.c */
    const char *why;
};

struct vchan_backend {
    enum cdt_vchan_backend backend;
    int (*store)(
        struct vchan_store **store); /* allocates one of its kind; fields filled by store.c */
    /* Opens what the store needs; after the fields are filled. */
    int (*store_open)(struct vchan_store *store);

    /* Attaches once: 0, and attempt->vchan is there; -ENOENT: nobody serves there (yet): the caller
     * watches the place and tries again; -EINPROGRESS: `done` will be called from the reactor; or
     * another code, for good. */
    int (*attach)(struct vchan_attempt *attempt);
    /* Ends one that is in progress. */
    void (*cancel)(struct vchan_attempt *attempt);

    /* 0; -EINPROGRESS: not now, to be called again in a moment, or closed; or another code, and
     * there is nothing to be closed. */
    int (*open)(struct vchan_port *port);
    void (*arm)(struct vchan_port *port, bool on);
    /* 0 and the vchan of the next client; -EAGAIN. As accept of a listener. */
    int (*accept)(struct vchan_port *port, struct vchan **vchan);
    void (*close)(struct vchan_port *port);
};

/* The attempt in progress has come to this: as of attach. */
void vchan_attempt_done(struct vchan_attempt *attempt, int status);

/* NULL: not built in. */
const struct vchan_backend *vchan_backend(enum cdt_vchan_backend backend);
extern const struct vchan_backend vchan_local;
extern const struct vchan_backend vchan_xen; /* ifdef CDT_HAVE_XEN */

/* ---- names: name.c --------------------------------------------------------------------------- */

/* A name that this process has registered: /conduit/NAME is our domain id. Listeners that share a
 * store share it, one for each port. */
struct vchan_name {
    struct list link; /* of the store's */
    struct list ports;
    struct vchan_store *store;
    int lock; /* of backend local: held as long as we live; -1: none */
    char path[VCHAN_PATH_MAX];
    char lock_path[VCHAN_PATH_MAX];
    char name[VCHAN_NAME_MAX];
};

/* A port that is served under a name. */
struct vchan_name_port {
    struct list link;
    struct vchan_name *name; /* NULL: none */
    const char *port;
};

/* Registers: 0, -EADDRINUSE, or what the store says; `why` is the sentence. */
int vchan_name_claim(struct vchan_store *store, const char *name, struct vchan_name_port *port,
                     const char **why);
/* The last one of a name unregisters it, with all requests. */
void vchan_name_release(struct vchan_name_port *port);

/* ---- listening: listen.c --------------------------------------------------------------------- */

/* Where a server listens, as long as it lives. NULL: it is no vchan server. `name` NULL: clients of
 * `domid`. */
struct vchan_listens_at {
    unsigned domid;
    const char *name;
    const char *port;
    char text[VCHAN_NAME_MAX + VCHAN_PORT_MAX];
};
const struct vchan_listens_at *vchan_listens_at(const struct cdt_server *server);

/* As cdt_vchan_listen() and cdt_vchan_listen_name() (`name` not NULL), with the sentence for a
 * failure at once. */
int vchan_listen(struct cdt_reactor *reactor, unsigned domid, const char *name, const char *port,
                 const struct cdt_vchan_options *vchan, const struct cdt_server_options *options,
                 const struct cdt_handler *handler, struct cdt_server **server, const char **why);

/* ---- connecting: connecting.c ---------------------------------------------------------------- */

/* From a domain or a name to a vchan: looks up the name, writes the request, attaches, waits for
 * the store in between. Used by cdt_vchan_connect*() and by the context's race. */
struct vchan_connecting;

/* Starts one: 0, `done` will be called, once, from the reactor, with 0 and the vchan (the callee's
 * from then on) or a negative code and a sentence (NULL: the status' own). Or -EINVAL, -ENOMEM at
 * once, with the sentence in `why`. `name` NULL: by `domid`. */
int vchan_connecting_start(struct cdt_reactor *reactor, const struct vchan_settings *settings,
                           unsigned domid, const char *name, const char *port,
                           void (*done)(void *arg, int status, struct vchan *vchan,
                                        const char *why),
                           void *arg, struct vchan_connecting **connecting, const char **why);
/* Ends it without a call; frees it. After `done` it is freed by itself. */
void vchan_connecting_cancel(struct vchan_connecting *connecting);
/* What it waits for, for the error of a connect timeout: "no server has appeared at /local/...". */
const char *vchan_connecting_tells(struct vchan_connecting *connecting);

#endif
