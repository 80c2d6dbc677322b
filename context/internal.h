/* The context room from inside: the context, the race that connects, its attempts, and the rows of
 * the table of carriers. */
#ifndef CONTEXT_INTERNAL_H
#define CONTEXT_INTERNAL_H

#include <conduit/carrier.h>
#include <conduit/context.h>

#include "flows/internal.h"
#include "reactor/internal.h"
#include "resolve/internal.h"

struct cdt_context {
    struct reactor_room room;
    struct cdt_reactor *reactor; /* NULL once it was freed */
    struct cdt_limit *limit;
    struct cdt_flow_options flow;
    uint64_t attempt_delay;
    struct cdt_resolver *resolver; /* NULL: not needed yet */
    bool resolver_is_own;
    struct cdt_tls_config *tls[2]; /* by role; NULL: not needed yet */
    enum cdt_tls_backend tls_backend;
    struct cdt_own_key *own_key; /* NULL: none */
    cdt_tls_password_fn *password;
    void *password_arg;
    struct cdt_vchan_options vchan; /* a copy, with its texts */
    struct list races;              /* those that go on */
    char error[256];
};

/* Remembers the sentence for a failure (NULL: the status' own), or that there was none; returns
 * `status`. */
int context_fail(struct cdt_context *context, int status, const char *text);

/* The resolver, made on first use: 0, or why it cannot be. */
int context_resolver(struct cdt_context *context, struct cdt_resolver **resolver);

/* The number of an inherited socket by its name in LISTEN_FDNAMES; -ENOENT. Marks all that were
 * passed close-on-exec. */
int context_inherited(const char *name);

/* ---- attempts: attempt.c --------------------------------------------------------------------- */

/* One attempt to connect: a carrier that belongs to no flow yet. It stays in the race's list when
 * it has failed, for the sentence about it. */
struct attempt {
    struct race *race;
    struct attempt *next;
    const struct cdt_endp *endp, *base; /* `base`: below all TLS */
    struct cdt_addr addr;               /* of sockets; length 0: none */
    const struct cdt_carrier_ops *ops;  /* of the carrier; NULL: there is none, now or any more */
    struct cdt_carrier carrier;
    int status;      /* why it failed */
    const char *why; /* the sentence for it; NULL: the status' own */
    char *own_why;   /* the same, if it is to be freed */
    bool skipped;    /* it was not tried at all */
    struct cdt_watch watch;
    struct cdt_timer retry;
    uint64_t retry_delay;
};

/* What starts an attempt: 0 it is connected, -EAGAIN it goes on, or a negative code, perhaps with a
 * sentence in `why`. Once `ops` is set the carrier is closed by it. One that goes on calls
 * race_answer() later. */
typedef int attempt_fn(struct attempt *attempt);
attempt_fn attempt_tcp, attempt_unix, attempt_vchan, attempt_unknown, attempt_tls;

/* Closes its carrier, if there is one, without a trace. */
void attempt_close(struct attempt *attempt);

/* ---- the race: race*.c ----------------------------------------------------------------------- */

/* So many endpoints of a list are tried. */
enum { RACE_MAX = 64 };

/* A race with room for `slots` endpoints of its own; NULL without memory. */
struct race *race_new(size_t slots);

/* Copies an endpoint into a free slot. A host without a name takes two: IPv6 and IPv4. */
int race_add(struct race *race, const struct cdt_endp *endp);

/* The endpoints are those of this resolution, whose callback race_resolved() and user the race
 * is. */
struct cdt_resolution **race_resolution(struct race *race);
cdt_resolved_fn race_resolved;

/* Makes the flow, and begins. The race is freed if that fails. `options` NULL: the context's. */
int race_run(struct race *race, struct cdt_context *context, const struct cdt_flow_options *options,
             const struct cdt_handler *handler, struct cdt_flow **flow);

/* The backend of the race's TLS; ANY: the context's. */
void race_set_backend(struct race *race, enum cdt_tls_backend backend);

/* What became of an attempt that went on, as of attempt_fn. */
void race_answer(struct attempt *attempt, int status);

/* The flow that an attempt is for, and the context that it belongs to. */
struct cdt_flow *race_flow(const struct race *race);
struct cdt_context *race_context(const struct race *race);

/* Frees one that does not run. */
void race_free(struct race *race);

/* The flows that are connecting end with -ECANCELED. */
void race_cancel_all(struct cdt_context *context);

/* ---- the table of carriers: rows.c ----------------------------------------------------------- */

/* What one kind of endpoint does: the functions of its carrier, or the sentence why it cannot. */
struct context_row {
    attempt_fn *connect;
    int (*listen)(struct cdt_context *context, const struct cdt_endp *endp,
                  const struct cdt_server_options *options, const struct cdt_handler *handler,
                  struct cdt_server **server);
    const char *no_connect, *no_listen;
};

extern const struct context_row context_rows[CDT_ENDP_KINDS];

/* NULL for what is no endpoint. */
static inline const struct context_row *context_row(const struct cdt_endp *endp)
{
    return endp && (unsigned)endp->kind < CDT_ENDP_KINDS ? &context_rows[endp->kind] : NULL;
}

/* ---- tls.c ----------------------------------------------------------------------------------- */

/* What the context's options say of TLS: 0, -EINVAL, -ENOMEM. */
int context_tls_begin(struct cdt_context *context, const struct cdt_context_options *options);
void context_tls_end(struct cdt_context *context);

int tls_listen(struct cdt_context *context, const struct cdt_endp *endp,
               const struct cdt_server_options *options, const struct cdt_handler *handler,
               struct cdt_server **server);

/* The endpoint with the TLS of a flow, from this layer down, or of a server, around it. It is freed
 * if that fails. */
int context_wrap_flow(const struct cdt_layer *layer, struct cdt_endp **endp);
int context_wrap_server(const struct cdt_server *server, struct cdt_endp **endp);

/* ---- vchan.c --------------------------------------------------------------------------------- */

/* The context's options for vchan, NULL allowed: 0, -EINVAL, -ENOMEM. */
int context_vchan_begin(struct cdt_context *context, const struct cdt_vchan_options *options);
void context_vchan_end(struct cdt_context *context);

int context_vchan_listen(struct cdt_context *context, const struct cdt_endp *endp,
                         const struct cdt_server_options *options,
                         const struct cdt_handler *handler, struct cdt_server **server);

/* What an attempt that goes on waits for; NULL: it is none of vchan. */
const char *attempt_vchan_tells(const struct attempt *attempt);

/* The endpoint of a flow's peer, of a server: 0; -ENOTSUP, -EINVAL: not of vchan; -ENOMEM. */
int context_vchan_flow(const struct cdt_flow *flow, struct cdt_endp **endp);
int context_vchan_server(const struct cdt_server *server, struct cdt_endp **endp);

/* ---- rows.c ---------------------------------------------------------------------------------- */

/* The address of a Unix endpoint: 0, or -EINVAL or -ENAMETOOLONG with a sentence. */
int context_unix_addr(const struct cdt_endp *endp, struct cdt_addr *addr, const char **why);

#endif
