/* The order of addresses, RFC 6724 section 6. Each rule that needs nothing that the kernel hides
 * (rules 3, 4 and 7 do) says something about one destination and its source, so that all of them
 * make one number; rule 10 is the stable sort of whoever uses it. */
#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "resolve/address_order.h"

enum { LINK_LOCAL = 2, SITE_LOCAL = 5, GLOBAL = 14 };

/* Section 2.1; the longest prefixes first. */
static const struct policy {
    uint64_t high, low; /* the halves of the prefix */
    uint8_t length, precedence, label;
} policies[] = {
    {0, 1, 128, 50, 0},
    {0, UINT64_C(0x0000ffff00000000), 96, 35, 4},
    {0, 0, 96, 1, 3},
    {UINT64_C(0x2001000000000000), 0, 32, 5, 5},
    {UINT64_C(0x2002000000000000), 0, 16, 30, 2},
    {UINT64_C(0x3ffe000000000000), 0, 16, 1, 12},
    {UINT64_C(0xfec0000000000000), 0, 10, 1, 11},
    {UINT64_C(0xfc00000000000000), 0, 7, 3, 13},
    {0, 0, 0, 40, 1},
};

/* Half of an address as a number. */
static uint64_t half_of(const struct in6_addr *ip, unsigned which)
{
    uint64_t half;
    memcpy(&half, ip->s6_addr + 8 * which, sizeof half);
    return be64toh(half);
}

static unsigned common_prefix(const struct in6_addr *a, const struct in6_addr *b)
{
    const uint64_t high = half_of(a, 0) ^ half_of(b, 0), low = half_of(a, 1) ^ half_of(b, 1);
    if (high)
        return (unsigned)__builtin_clzll(high);
    return low ? 64 + (unsigned)__builtin_clzll(low) : 128;
}

static bool is_in(uint64_t high, uint64_t low, const struct policy *policy)
{
    if (policy->length > 64)
        return high == policy->high && (low ^ policy->low) >> (128 - policy->length) == 0;
    return policy->length == 0 || (high ^ policy->high) >> (64 - policy->length) == 0;
}

static const struct policy *policy_of(const struct in6_addr *ip)
{
    const uint64_t high = half_of(ip, 0), low = half_of(ip, 1);
    const struct policy *policy = policies;
    while (!is_in(high, low, policy))
        policy++;
    return policy;
}

/* As IPv6, IPv4 mapped (section 3.2). */
static struct in6_addr ip_of(const struct cdt_addr *addr)
{
    if (addr->any.sa_family == AF_INET6)
        return addr->v6.sin6_addr;
    struct in6_addr ip = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}};
    memcpy(ip.s6_addr + 12, &addr->v4.sin_addr, 4);
    return ip;
}

/* Sections 3.1 and 3.2: loopback has the scope of a link. */
static unsigned scope_of(const struct in6_addr *ip)
{
    const uint8_t *b = ip->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(ip))
        return b[12] == 127 || (b[12] == 169 && b[13] == 254) ? LINK_LOCAL : GLOBAL;
    if (IN6_IS_ADDR_MULTICAST(ip))
        return b[1] & 15;
    if (IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_LOOPBACK(ip))
        return LINK_LOCAL;
    return IN6_IS_ADDR_SITELOCAL(ip) ? SITE_LOCAL : GLOBAL;
}

uint64_t address_key(const struct cdt_addr *to, const struct cdt_addr *from)
{
    const struct in6_addr ip = ip_of(to);
    const struct policy *policy = policy_of(&ip);
    const unsigned scope = scope_of(&ip);
    uint64_t mismatch = 4, far = 128; /* rule 1: what cannot be reached is last */
    if (from) {
        const struct in6_addr source = ip_of(from);
        mismatch = (scope_of(&source) != scope) * 2u +           /* rule 2 */
                   (policy_of(&source)->label != policy->label); /* rule 5 */
        /* Rule 9, as far as the source has a prefix of its own (section 2.2). Not for IPv4,
         * where networks that are near have no common prefix: it would undo the name servers'
         * rotation. */
        unsigned common = IN6_IS_ADDR_V4MAPPED(&ip) ? 0 : common_prefix(&ip, &source);
        far = 64 - (common > 64 ? 64 : common);
    }
    /* Rule 6: the higher precedence; rule 8: the smaller scope. */
    return mismatch << 24 | (uint64_t)(255 - policy->precedence) << 16 | (uint64_t)scope << 8 | far;
}

/* A socket that is not connected; -1: none is left. */
static int unbound_socket(struct address_sources *sources, int family)
{
    static const struct sockaddr none = {.sa_family = AF_UNSPEC};
    const bool is_v6 = family == AF_INET6;
    if (sources->fd[is_v6] < 0)
        sources->fd[is_v6] = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    else if (sources->is_bound[is_v6])
        (void)connect(sources->fd[is_v6], &none, sizeof none);
    sources->is_bound[is_v6] = true;
    return sources->fd[is_v6];
}

bool address_source(struct address_sources *sources, const struct cdt_addr *to,
                    struct cdt_addr *from)
{
    const int fd = unbound_socket(sources, to->any.sa_family);
    struct cdt_addr target = *to;
    if (fd < 0)
        return false;
    if (cdt_addr_port(to) == 0)
        target.v4.sin_port = htons(9); /* discard; the port of IPv6 has the same place */
    from->length = sizeof from->v6;
    return connect(fd, &target.any, target.length) == 0 &&
           getsockname(fd, &from->any, &from->length) == 0;
}

void address_sources_close(struct address_sources *sources)
{
    for (unsigned i = 0; i < 2; i++) {
        if (sources->fd[i] >= 0)
            close(sources->fd[i]);
        sources->fd[i] = -1;
        sources->is_bound[i] = false;
    }
}
