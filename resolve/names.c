/* The names of the system: addresses, localhost, the hosts file, then DNS with its search list.
 * Each name is a lookup; what it finds goes to the results of its resolution. */
#include <string.h>

#include "resolve/resolver.h"

enum { A, AAAA }; /* index of the queries and of `found` */

/* ---- making ---------------------------------------------------------------------------------- */

struct lookup *lookup_add(struct cdt_resolution *resolution, const char *name, uint16_t port)
{
    struct lookup *lookup =
        resolution->lookup_used ? mem_alloc(sizeof *lookup) : &resolution->lookup;
    const size_t length = strlen(name);
    if (!lookup || length >= sizeof lookup->name)
        return NULL;
    memset(lookup, 0, offsetof(struct lookup, name));
    memcpy(lookup->name, name, length + 1);
    lookup->resolution = resolution;
    lookup->rank = resolution->ranks++;
    lookup->port = port;
    *resolution->lookups_end = lookup;
    resolution->lookups_end = &lookup->next;
    resolution->lookup_used = true;
    resolution->in_rule = false;
    return lookup;
}

/* A numeric address: -EINVAL if it is none. */
static int read_ip(struct slice name, uint16_t port, struct cdt_addr *addr)
{
    char text[CDT_ADDR_TEXT];
    if (name.length >= sizeof text || memchr(name.at, 0, name.length))
        return -EINVAL;
    memcpy(text, name.at, name.length);
    text[name.length] = 0;
    return cdt_addr_ip(addr, text, port);
}

static int add_ip(struct cdt_resolution *resolution, const struct cdt_addr *addr,
                  const struct cdt_endp *shell)
{
    if (resolution->family && resolution->family != addr->any.sa_family)
        return -EAFNOSUPPORT;
    struct lookup *lookup = lookup_add(resolution, "", 0);
    if (!lookup)
        return -ENOMEM;
    lookup->shell = shell;
    lookup->done = true;
    return resolution_add_address(resolution, lookup, addr);
}

int lookup_text(struct cdt_resolution *resolution, struct slice name, uint16_t port,
                const struct cdt_endp *shell)
{
    static const struct slice localhost = {"localhost", 9};
    char ascii[HOST_ASCII];
    const char *why;
    struct cdt_addr addr;
    if (shell && endp_depth(shell) + resolution->tls > CDT_ENDP_DEPTH)
        return -E2BIG;
    if (!name.length)
        name = localhost;
    const int status = host_to_ascii(name, ascii, &why);
    if (status == -EINVAL) { /* not a name, but perhaps an address */
        const int numeric = read_ip(name, port, &addr);
        return numeric ? numeric : add_ip(resolution, &addr, shell);
    }
    if (status)
        return status;
    struct lookup *lookup = lookup_add(resolution, ascii, port);
    if (!lookup)
        return -ENOMEM;
    lookup->shell = shell;
    lookup->absolute = name.at[name.length - 1] == '.';
    return 1;
}

void lookup_cancel(struct lookup *lookup)
{
    dns_cancel(&lookup->query[A]);
    dns_cancel(&lookup->query[AAAA]);
}

/* ---- what fails ------------------------------------------------------------------------------ */

/* How much a failure says: that a name may exist more than that it does not. */
static unsigned weight_of(int status)
{
    static const int telling[] = {0,
                                  -EINVAL,
                                  -CDT_ENXDOMAIN,
                                  -CDT_ENODATA,
                                  -CDT_EDNSANSWER,
                                  -CDT_EDNSREFUSED,
                                  -CDT_ESERVFAIL,
                                  -CDT_EDNSTIMEOUT};
    unsigned weight = 0;
    while (weight < sizeof telling / sizeof *telling && telling[weight] != status)
        weight++;
    return weight; /* what is not listed, -ENOMEM and so on, is above all */
}

int lookup_worse(int a, int b)
{
    return weight_of(b) > weight_of(a) ? b : a;
}

/* After these the search goes on; the others would be the same for the next name, and cost as
 * much time. */
static bool goes_on(int status)
{
    return status == 0 || status == -EINVAL || status == -CDT_ENXDOMAIN || status == -CDT_ENODATA ||
           status == -CDT_ESERVFAIL;
}

/* ---- files and localhost --------------------------------------------------------------------- */

static void add(struct lookup *lookup, const struct cdt_addr *addr)
{
    const int status = resolution_add_address(lookup->resolution, lookup, addr);
    if (status)
        lookup->status = lookup_worse(lookup->status, status);
    else
        lookup->found[addr->any.sa_family == AF_INET6] = true;
}

static bool is_wanted(const struct lookup *lookup, int family)
{
    const int wanted = lookup->resolution->family;
    return wanted == 0 || wanted == family;
}

static bool look_in_hosts(struct lookup *lookup)
{
    struct cdt_resolver *resolver = lookup->resolution->resolver;
    struct hosts *hosts = &resolver->hosts;
    struct cdt_addr addr;
    bool found = false;
    hosts_refresh(hosts, cdt_reactor_now(resolver->reactor));
    for (uint32_t at = 0; (at = hosts_find(hosts, lookup->name, at));) {
        hosts_address(hosts, at, lookup->port, &addr);
        if (!is_wanted(lookup, addr.any.sa_family))
            continue;
        add(lookup, &addr);
        found = true;
    }
    if (found)
        trace(resolver, "%s: in the hosts file", lookup->name);
    return found;
}

static bool is_localhost(const char *name)
{
    static const char tail[] = ".localhost";
    const size_t length = strlen(name), tail_length = sizeof tail - 1;
    return strcmp(name, tail + 1) == 0 ||
           (length > tail_length && strcmp(name + length - tail_length, tail) == 0);
}

static void add_loopback(struct lookup *lookup)
{
    static const char *const loopback[] = {"::1", "127.0.0.1"};
    struct cdt_addr addr;
    for (unsigned i = 0; i < 2; i++) {
        cdt_addr_ip(&addr, loopback[i], lookup->port);
        if (is_wanted(lookup, addr.any.sa_family))
            add(lookup, &addr);
    }
    trace(lookup->resolution->resolver, "%s: loopback (RFC 6761)", lookup->name);
}

/* Whether no name server is to be asked. */
static bool look_here(struct lookup *lookup)
{
    const bool is_local = is_localhost(lookup->name);
    if (is_local)
        lookup->srv = false;
    if (lookup->srv)
        return false;
    if (look_in_hosts(lookup))
        return true;
    if (is_local)
        add_loopback(lookup);
    return is_local;
}

/* ---- DNS ------------------------------------------------------------------------------------- */

static void trace_answer(const struct lookup *lookup, const struct dns_answer *answer)
{
    struct cdt_resolver *resolver = lookup->resolution->resolver;
    const char *type = answer->type == DNS_A ? "A" : answer->type == DNS_AAAA ? "AAAA" : "SRV";
    if (!resolver->trace)
        return;
    const uint64_t us = (cdt_reactor_now(resolver->reactor) - lookup->asked) / CDT_US;
    if (answer->status)
        trace(resolver, "%s %s: %s (after %llu us)", type, lookup->name,
              cdt_strerror(answer->status), (unsigned long long)us);
    else
        trace(resolver, "%s %s: %u records for %u s (after %llu us)", type, lookup->name,
              answer->count, answer->ttl, (unsigned long long)us);
}

static void take_addresses(struct lookup *lookup, const struct dns_answer *answer)
{
    struct cdt_addr addr;
    memset(&addr, 0, sizeof addr);
    addr.any.sa_family = answer->type == DNS_A ? AF_INET : AF_INET6;
    addr.v4.sin_port = htons(lookup->port); /* that of IPv6 has the same place */
    addr.length = answer->type == DNS_A ? sizeof addr.v4 : sizeof addr.v6;
    for (unsigned i = 0; i < answer->count; i++) {
        if (answer->type == DNS_A)
            addr.v4.sin_addr = answer->a[i];
        else
            addr.v6.sin6_addr = answer->aaaa[i];
        add(lookup, &addr);
    }
}

static void answered(struct lookup *lookup, const struct dns_answer *answer)
{
    trace_answer(lookup, answer);
    if (answer->status)
        lookup->status = lookup_worse(lookup->status, answer->status);
    else if (answer->type == DNS_SRV)
        srv_follow(lookup, answer);
    else
        take_addresses(lookup, answer);
    resolution_wake(lookup->resolution);
}

static void answered_first(struct dns_query *query, const struct dns_answer *answer)
{
    answered(cdt_container_of(query, struct lookup, query[A]), answer);
}

static void answered_aaaa(struct dns_query *query, const struct dns_answer *answer)
{
    answered(cdt_container_of(query, struct lookup, query[AAAA]), answer);
}

static void ask(struct lookup *lookup, const char *name, enum dns_type type)
{
    struct cdt_resolver *resolver = lookup->resolution->resolver;
    struct dns_query *query = &lookup->query[type == DNS_AAAA];
    query->fn = type == DNS_AAAA ? answered_aaaa : answered_first;
    const int status = dns_ask(resolver->dns, query, name, type);
    if (status)
        lookup->status = lookup_worse(lookup->status, status);
}

static bool is_asking(const struct lookup *lookup)
{
    return dns_is_under_way(&lookup->query[A]) || dns_is_under_way(&lookup->query[AAAA]);
}

/* AAAA first, RFC 8305 section 3. */
static void ask_all(struct lookup *lookup, const char *name)
{
    struct cdt_resolver *resolver = lookup->resolution->resolver;
    if (resolver->trace)
        lookup->asked = cdt_reactor_now(resolver->reactor);
    trace(resolver, "asking for %s%s", name, lookup->srv ? ", SRV" : "");
    if (lookup->srv) {
        ask(lookup, name, DNS_SRV);
        return;
    }
    if (is_wanted(lookup, AF_INET6))
        ask(lookup, name, DNS_AAAA);
    if (is_wanted(lookup, AF_INET))
        ask(lookup, name, DNS_A);
}

static bool put(char to[DNS_NAME_MAX], size_t *at, const char *text)
{
    const size_t length = strlen(text);
    if (length >= DNS_NAME_MAX - *at)
        return false;
    memcpy(to + *at, text, length + 1);
    *at += length;
    return true;
}

/* _SERVICE._tcp.NAME.DOMAIN; without a domain if that is NULL. */
static const char *full_name(const struct lookup *lookup, const char *domain,
                             char memory[DNS_NAME_MAX])
{
    size_t at = 0;
    if (!lookup->srv && !domain)
        return lookup->name;
    if (lookup->srv &&
        !(put(memory, &at, "_") && put(memory, &at, lookup->resolution->service.name) &&
          put(memory, &at, "._tcp.")))
        return NULL;
    if (!put(memory, &at, lookup->name))
        return NULL;
    if (domain && !(put(memory, &at, ".") && put(memory, &at, domain)))
        return NULL;
    return memory;
}

static unsigned dots_of(const char *name)
{
    unsigned dots = 0;
    for (; *name; name++)
        dots += *name == '.';
    return dots;
}

/* Asks for the next name. A name with few dots is looked for in the search list first, others last:
 * resolv.conf(5). False: there is none. */
static bool ask_next(struct lookup *lookup)
{
    const char *const *domains;
    unsigned ndots, count = dns_search(lookup->resolution->resolver->dns, &ndots, &domains);
    char memory[DNS_NAME_MAX];
    if (lookup->absolute)
        count = 0;
    const unsigned own = count && dots_of(lookup->name) >= ndots ? 0 : count;
    while (lookup->candidate <= count && goes_on(lookup->status)) {
        const unsigned i = lookup->candidate++;
        const char *domain = i == own ? NULL : domains[i - (i > own)];
        const char *name = full_name(lookup, domain, memory);
        if (name)
            ask_all(lookup, name);
        else
            lookup->status = lookup_worse(lookup->status, -EINVAL);
        if (is_asking(lookup))
            return true;
    }
    return false;
}

/* No service is in DNS: then it is where the host is (RFC 2782 page 7). */
static bool falls_back(struct lookup *lookup)
{
    if (!lookup->srv || (lookup->status != -CDT_ENXDOMAIN && lookup->status != -CDT_ENODATA))
        return false;
    lookup->srv = false;
    lookup->is_known_locally = false;
    lookup->candidate = 0;
    lookup->status = 0;
    trace(lookup->resolution->resolver, "%s: no SRV records", lookup->name);
    return true;
}

void lookup_step(struct lookup *lookup)
{
    if (lookup->done || is_asking(lookup))
        return;
    do {
        if (!lookup->is_known_locally) {
            lookup->is_known_locally = true;
            lookup->done = look_here(lookup);
        }
        lookup->done = lookup->done || lookup->found[A] || lookup->found[AAAA];
        if (lookup->done || ask_next(lookup))
            return;
    } while (falls_back(lookup));
    lookup->done = true;
}
