/* The resolver from inside: what it is made of, a resolution, and the questions of the names of the
 * system. */
#ifndef RESOLVE_RESOLVER_H
#define RESOLVE_RESOLVER_H

#include <conduit/resolver.h>

#include "resolve/address_order.h"
#include "resolve/dns.h"
#include "resolve/hosts.h"
#include "resolve/services.h"

enum {
    RESULTS_MAX = 512,    /* endpoints that names may give */
    SRV_TARGETS_MAX = 16, /* hosts of a service that are looked for */
    RESULTS_INLINE = 4,   /* these need no allocation of their own */
    ENDPS_INLINE = 4,
    ENDPS_BLOCK = 16,
    SPARES_MAX = 16 * MEM_REUSE
};

/* A rule of the resolver's; resolutions under way hold it. */
struct rule {
    unsigned holds;
    cdt_rewrite_fn *fn;
    void *user;
    struct cdt_endp *endp; /* of a rule with a fixed answer, which is its `user` */
    char suffix[];         /* small letters, no trailing dot */
};

struct service_source {
    struct service_source *next;
    cdt_service_fn *fn;
    void *user;
};

struct cdt_resolver {
    struct cdt_reactor *reactor;
    struct dns *dns;
    uint64_t delay;
    bool trace;      /* CONDUIT_DEBUG */
    bool freed;      /* the memory is still held */
    unsigned holds;  /* functions of the user's under way that may free it */
    uint64_t random; /* state of the generator */
    struct service_source *services;
    struct service_source *retired; /* replaced while they may be under way */
    struct services_file services_file;
    bool services_read;
    char *services_path, *hosts_path;
    struct hosts hosts;
    struct rule **rules; /* sorted by suffix */
    size_t rule_count, rule_room;
    struct address_sources sources;
    struct cdt_deferred asked;    /* they are closed after a turn that has used them */
    struct cdt_resolution *first; /* those that are not freed */
    struct cdt_resolution *spare; /* memory to be used again, linked by `next` */
    unsigned spares;
};

/* One name, and the questions about it. */
struct lookup {
    struct lookup *next;
    struct cdt_resolution *resolution;
    struct dns_query query[2];    /* A (or SRV), AAAA */
    const struct cdt_endp *shell; /* each address takes the place of its innermost; NULL: bare */
    uint64_t asked;               /* when, for the trace */
    int status;                   /* the most telling failure so far */
    unsigned candidate;           /* the next name to ask for */
    uint32_t rank;                /* among the results */
    uint16_t port;
    bool found[2]; /* addresses of IPv4, IPv6 */
    bool done, srv;
    bool is_known_locally; /* or not: the files were asked */
    bool absolute;         /* not to be searched for */
    char name[DNS_NAME_MAX];
};

struct result {
    struct cdt_endp *endp;
    struct cdt_endp *owned; /* to be freed */
    uint32_t rank;          /* ordered by this, then by the key, then by arrival */
    bool is_address, is_keyed;
    uint64_t key;
};

struct endp_block {
    struct endp_block *next;
    struct cdt_endp endps[ENDPS_BLOCK];
};

struct cdt_resolution {
    struct cdt_resolver *resolver; /* NULL: nothing more will come */
    struct cdt_resolver *home;     /* where its memory goes; NULL: that was freed before */
    struct cdt_resolution *next, *prev;
    cdt_resolved_fn *fn;
    void *user;
    struct cdt_deferred deferred;
    struct cdt_timer timer; /* A waits for AAAA */
    int status;
    int failure;        /* what a rule said; 0: nothing */
    const char *reason; /* a text that takes the place of that of the code; NULL: none */
    int family;
    bool srv, tls;
    bool is_held;      /* a service or a rule runs */
    bool is_freed;     /* there: the memory is still held */
    bool in_rule;      /* a rule returned 1, or is running */
    bool is_fresh;     /* results that were not told yet */
    bool is_published; /* or the timer has run out */
    struct cdt_uri *uri;
    struct rule *rule;
    cdt_rewrite_fn *rule_fn;
    void *rule_user;
    struct cdt_endp *shell; /* a copy of the endpoint whose host is resolved */
    struct lookup *lookups; /* in the order of their ranks */
    struct lookup **lookups_end;
    uint32_t ranks;
    struct result *results;
    size_t result_count, result_room;
    struct cdt_endp **list; /* what the user sees */
    size_t list_count, list_room;
    struct endp_block *blocks;
    unsigned endps_used; /* of the latest block, or of those inside */
    bool lookup_used;    /* the one inside */
    char *error;
    /* What follows is not zeroed. */
    struct cdt_service service;
    struct cdt_uri view; /* the URI as rules see it */
    struct lookup lookup;
    struct cdt_endp unknown;
    struct result results_inline[RESULTS_INLINE];
    struct cdt_endp *list_inline[RESULTS_INLINE];
    struct cdt_endp endps[ENDPS_INLINE];
};

/* ---- resolver.c ------------------------------------------------------------------------------ */

int resolver_find_service(struct cdt_resolver *resolver, const char *scheme,
                          struct cdt_service *service);
/* The next of a sequence that the state begins: SplitMix64. */
uint64_t resolver_random(uint64_t *state);
/* Whether it can be used: not in a forked child, not once it was freed. */
bool resolver_usable(const struct cdt_resolver *resolver);

/* A line of the trace. */
#define trace(resolver, ...)                                                           \
    do {                                                                               \
        if ((resolver)->trace)                                                         \
            reactor_log((resolver)->reactor, CDT_LOG_DEBUG, "resolver: " __VA_ARGS__); \
    } while (0)

/* ---- rules.c --------------------------------------------------------------------------------- */

/* A suffix in the form in which it is compared. 0, -EINVAL, -ENOMEM. */
int rule_suffix(const char *text, char suffix[HOST_ASCII]);

/* Picks the rule for a host: 0, or what rule_suffix() says of a rule in the options. The
 * resolution's rule_fn is NULL if there is none. */
int rules_pick(struct cdt_resolution *resolution, const struct cdt_resolve_options *options);
void rule_release(struct rule *rule);
void rules_free(struct cdt_resolver *resolver);

int rule_xen(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
             const struct cdt_uri *uri);

/* ---- resolution.c ---------------------------------------------------------------------------- */

/* Goes on with it in this turn or the next. */
void resolution_wake(struct cdt_resolution *resolution);

/* The resolver is going: no more callbacks, no more questions; those that are not done fail with
 * -ECANCELED. */
void resolutions_orphan(struct cdt_resolver *resolver);
void resolutions_free_spare(struct cdt_resolver *resolver);

/* The resolution fails for a reason that no code says. Returns `status`. */
int resolution_refuse(struct cdt_resolution *resolution, int status, const char *reason);

/* ---- results.c ------------------------------------------------------------------------------- */

/* Adds an address, in the shell if there is one, and in TLS if the service wants it. 0; -ENOMEM,
 * -E2BIG. */
int resolution_add_address(struct cdt_resolution *resolution, const struct lookup *lookup,
                           const struct cdt_addr *addr);

/* The same with an endpoint, which is taken over, even if this fails. */
int resolution_add_owned(struct cdt_resolution *resolution, struct cdt_endp *endp);

/* Makes the list of what there is. */
void results_order(struct cdt_resolution *resolution);
void results_drop(struct cdt_resolution *resolution);

/* ---- way.c ----------------------------------------------------------------------------------- */

/* Goes the way of a URI up to its rule's answer. 0, or why the resolution fails. Meaningless if
 * the resolution has no resolver any more. */
int way_go(struct cdt_resolution *resolution);

/* ---- names.c --------------------------------------------------------------------------------- */

/* A new question for a name, in small letters, without a trailing dot; it is asked by
 * lookup_step(). NULL: no memory. */
struct lookup *lookup_add(struct cdt_resolution *resolution, const char *name, uint16_t port);
/* Asks what there is to ask. */
void lookup_step(struct lookup *lookup);
void lookup_cancel(struct lookup *lookup);
/* The more telling one of two failures. */
int lookup_worse(int a, int b);
/* A name to look for, or an address. `name` "" is localhost. 0; -EINVAL, -ENODEV, -ENOMEM. */
int lookup_text(struct cdt_resolution *resolution, struct slice name, uint16_t port,
                const struct cdt_endp *shell);

/* ---- srv.c ----------------------------------------------------------------------------------- */

/* The order in which to try the targets of records, as indexes (RFC 2782 pages 3 and 4); at most
 * DNS_RECORDS_MAX. `random` is the state of resolver_random(). */
void srv_order(const struct dns_srv *records, unsigned count, uint64_t *random,
               uint8_t order[DNS_RECORDS_MAX]);
/* Looks for the targets. */
void srv_follow(struct lookup *lookup, const struct dns_answer *answer);

#endif
