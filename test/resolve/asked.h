/* For tests of DNS: questions that write down what they hear, and a dns object over given
 * servers. */
#ifndef TEST_RESOLVE_ASKED_H
#define TEST_RESOLVE_ASKED_H

#include "resolve/dns.h"
#include "test/support/name_server.h"

/* A question, and what its answer was. */
struct asked {
    struct dns_query query;
    int called, status;
    uint32_t ttl;
    unsigned count;
    struct in_addr a[DNS_RECORDS_MAX];
    struct in6_addr aaaa[DNS_RECORDS_MAX];
    struct dns_srv srv[DNS_RECORDS_MAX];
    uint64_t time; /* ns from asking to the answer */
    void (*then)(struct asked *asked);
    void *arg;
};

static void on_asked(struct dns_query *query, const struct dns_answer *answer)
{
    struct asked *asked = cdt_container_of(query, struct asked, query);

    asked->called++;
    asked->status = answer->status;
    asked->ttl = answer->ttl;
    asked->count = answer->count;
    asked->time = test_now() - asked->time;
    if (answer->count && answer->type == DNS_A)
        memcpy(asked->a, answer->a, answer->count * sizeof asked->a[0]);
    if (answer->count && answer->type == DNS_AAAA)
        memcpy(asked->aaaa, answer->aaaa, answer->count * sizeof asked->aaaa[0]);
    if (answer->count && answer->type == DNS_SRV)
        memcpy(asked->srv, answer->srv, answer->count * sizeof asked->srv[0]);
    if (asked->then)
        asked->then(asked);
}

static inline void ask_only(struct dns *dns, struct asked *asked, const char *name,
                            enum dns_type type)
{
    memset(asked, 0, offsetof(struct asked, then));
    asked->time = test_now();
    asked->query.fn = on_asked;
    assert_int_equal(dns_ask(dns, &asked->query, name, type), 0);
    assert_int_equal(asked->called, 0);
}

/* Asks, and turns until the answer is there. Its status. */
static inline int ask(struct cdt_reactor *reactor, struct dns *dns, struct asked *asked,
                      const char *name, enum dns_type type)
{
    ask_only(dns, asked, name, type);
    until(reactor, asked->called);
    assert_int_equal(asked->called, 1);
    return asked->status;
}

/* With these servers, and nothing of the system. */
static inline struct cdt_resolver_options asked_options(const char *servers)
{
    return (struct cdt_resolver_options){
        .size = sizeof(struct cdt_resolver_options), .servers = servers, .resolv_conf = ""};
}

static inline struct dns *asked_dns(struct cdt_reactor *reactor,
                                    const struct cdt_resolver_options *options)
{
    struct dns *dns = NULL;

    assert_int_equal(dns_new(reactor, options, &dns), 0);
    return dns;
}

#endif
