/* The context room from inside: the context, and the rows of its table of carriers. */
#ifndef CONTEXT_INTERNAL_H
#define CONTEXT_INTERNAL_H

#include <conduit/context.h>

#include "reactor/internal.h"

struct cdt_context {
    struct cdt_reactor *reactor;
    struct cdt_limit *limit;
    struct cdt_flow_options flow;
    const char *error; /* static storage */
};

/* What one kind of endpoint does: the functions of its carrier, or the sentence why it cannot. */
struct context_row {
    int (*connect)(struct cdt_context *context, const struct cdt_endp *endp,
                   const struct cdt_flow_options *options, const struct cdt_handler *handler,
                   struct cdt_flow **flow);
    int (*listen)(struct cdt_context *context, const struct cdt_endp *endp,
                  const struct cdt_server_options *options, const struct cdt_handler *handler,
                  struct cdt_server **server);
    const char *no_connect, *no_listen;
};

extern const struct context_row context_rows[CDT_ENDP_KINDS];

/* A flow that never opens: on_close(status) follows. 0, -EINVAL, -ENOMEM. */
int context_failed_flow(struct cdt_reactor *reactor, int status, const char *text,
                        const struct cdt_handler *handler, struct cdt_flow **flow);

/* Remembers the sentence for a failure; returns `status`. */
int context_fail(struct cdt_context *context, int status, const char *text);

/* The number of an inherited socket by its name in LISTEN_FDNAMES; -ENOENT. Marks all that were
 * passed close-on-exec. */
int context_inherited(const char *name);

#endif
