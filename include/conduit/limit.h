/* conduit: limits, counters that throttle accepting.
 *
 * A limit counts active connections. Any number of servers of one reactor may share it, and a
 * server may have several. A server takes a slot from each of its limits before it accepts; if one
 * refuses, the server waits in that limit's line, first in first out, without polling, while its
 * clients wait in the kernel's backlog. A connection counts from accept until its on_close has
 * returned; handshaking and lingering ones count, outgoing ones never do. */
#ifndef CONDUIT_LIMIT_H
#define CONDUIT_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include <conduit/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cdt_limit;
struct cdt_reactor;

/* Makes a limit of at most `max` active connections; 0: unlimited. -EINVAL, -ENOMEM. */
CDT_API int cdt_limit_new(struct cdt_reactor *reactor, unsigned max, struct cdt_limit **limit);

/* Frees it. -EBUSY while a server (or one of its connections) uses it; it may then be freed later,
 * from the server's on_stopped on. A limit outlives its reactor: then freeing is all that can be
 * done with it. NULL is allowed. */
CDT_API int cdt_limit_free(struct cdt_limit *limit);

/* Changes the maximum; 0: unlimited. A lower one ends nothing: no more are accepted until fewer are
 * active. A higher one wakes those who wait. */
CDT_API int cdt_limit_set(struct cdt_limit *limit, unsigned max);

struct cdt_limit_counters {
    unsigned max, active;
    unsigned peak;      /* the most that were ever active at once */
    unsigned waiting;   /* servers in line now */
    uint64_t throttled; /* how often a server had to wait */
};
CDT_API int cdt_limit_counters(const struct cdt_limit *limit, struct cdt_limit_counters *counters);

#ifdef __cplusplus
}
#endif
#endif
