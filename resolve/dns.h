/* DNS: single questions to name servers by way of c-ares, on the reactor, and the cache of
 * answers.
 *
 * c-ares builds questions, sends, retries, and falls back to TCP for truncated answers; this
 * file knows nothing of search lists, hosts files or the order of addresses. */
#ifndef RESOLVE_DNS_H
#define RESOLVE_DNS_H

#include <netinet/in.h>

#include <conduit/resolver.h>

#include "resolve/internal.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28, DNS_SRV = 33 };

enum {
    DNS_NAME_MAX = 254,
    DNS_RECORDS_MAX = 64
}; /* a name with its 0; records beyond are left out */

struct dns_srv {
    uint16_t priority, weight, port;
    char target[DNS_NAME_MAX]; /* "" is the root: the service is decidedly not there */
};

/* The records of one type, at the end of the chain of aliases. */
struct dns_answer {
    int status;   /* 0; -CDT_ENXDOMAIN, -CDT_ENODATA, -CDT_ESERVFAIL, -CDT_EDNS..., -EMFILE... */
    uint32_t ttl; /* seconds it may be kept, negative answers too; 0: not at all */
    enum dns_type type;
    unsigned count;
    union { /* `count` of them, behind the struct */
        const struct in_addr *a;
        const struct in6_addr *aaaa;
        const struct dns_srv *srv;
    };
};

/* An answer with room for a few addresses. */
struct dns_small {
    struct dns_answer answer;
    uint8_t records[64];
};

/* Reads an answer to a question for `type`, into `small` where that has room; else, or without it, into
 * one allocation. Returns the answer; NULL without memory. An answer that makes no sense has the status
 * -CDT_EDNSANSWER. Hostile bytes welcome: message.c. */
struct dns_answer *dns_message_read(const uint8_t *message, size_t length, enum dns_type type,
                                    struct dns_small *small);

struct dns;
struct dns_query;
struct cache_entry;

/* Called from the reactor, never from inside dns_ask(). The answer is good for the call. The
 * query is over. */
typedef void dns_fn(struct dns_query *query, const struct dns_answer *answer);

/* A question, in memory of whoever asks: zeroed before it is used first, and not to be touched
 * while it is under way. */
struct dns_query {
    dns_fn *fn;
    /* private */
    struct dns *dns; /* NULL: it is not under way */
    struct dns_query *next, **link;
    struct cache_entry *entry;
    bool answered; /* and to be delivered */
};

static inline bool dns_is_under_way(const struct dns_query *query)
{
    return query->dns;
}

/* `options` as the user gave them; what is 0 has its default. -EINVAL, -ENOMEM, -EMFILE. */
int dns_new(struct cdt_reactor *reactor, const struct cdt_resolver_options *options,
            struct dns **dns);
/* No query may be left, except one that is being answered. */
void dns_free(struct dns *dns);

/* Asks for the records of a full name, without a trailing dot. 0; -EINVAL (not a name), -ENOMEM. */
int dns_ask(struct dns *dns, struct dns_query *query, const char *name, enum dns_type type);
/* The callback does not come. Nothing happens to one that is not under way. */
void dns_cancel(struct dns_query *query);

/* The search list of resolv.conf(5), which is read again if it has changed and nothing is being asked.
 * Good until the next call. */
unsigned dns_search(struct dns *dns, unsigned *ndots, const char *const **domains);

#endif
