/* The race as its own files see it. */
#ifndef CONTEXT_RACE_H
#define CONTEXT_RACE_H

#include "context/internal.h"

struct race {
    struct list link; /* in the context's list */
    struct cdt_context *context;
    struct cdt_flow *flow;
    struct cdt_tls_config *tls_wanted; /* a reference; NULL: the context's */
    struct cdt_tls_config *tls;        /* a reference; NULL: not needed so far */
    enum cdt_tls_backend tls_backend;
    struct cdt_text_error tls_error;
    struct cdt_resolution *resolution;       /* NULL: the endpoints are our own, or it is over */
    struct attempt *attempts, **attempt_end; /* all of them, in the order of starting */
    struct attempt *last;
    size_t attempt_count;
    struct cdt_timer timer; /* until the next one may start beside those that go on */
    uint64_t delay;
    bool due;     /* it may start */
    bool named;   /* there may be several endpoints: failures say whose they are */
    bool in_call; /* the call that connects has not returned */
    int status;   /* of the last attempt that failed */
    char *text;   /* what became of each */
    size_t count, slots;
    struct cdt_endp *own[];
};

/* What became of all attempts so far; NULL without memory. */
const char *race_describe(struct race *race);

/* Puts the TLS of an endpoint on the flow, the innermost first. */
int race_push_tls(struct race *race, const struct cdt_endp *endp, unsigned *depth);

/* Starts what is due, and ends the flow if all has failed. The race may be gone after it. */
void race_advance(struct race *race);

#endif
