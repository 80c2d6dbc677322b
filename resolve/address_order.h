/* The order in which to try the addresses of a host (RFC 6724 section 6), and the source
 * addresses that it needs. */
#ifndef RESOLVE_ADDRESS_ORDER_H
#define RESOLVE_ADDRESS_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <conduit/addr.h>

/* Finds the addresses from which this host would talk to others. */
struct address_sources {
    /* The source address for `to`; false: there is no way. Tests have their own. */
    bool (*find)(struct address_sources *sources, const struct cdt_addr *to, struct cdt_addr *from);
    int fd[2];        /* a socket for IPv4 and one for IPv6; -1: not open */
    bool is_bound[2]; /* to the source of the address that was asked for before */
};

/* Asks the kernel: connect(2) of a datagram socket sends nothing. */
bool address_source(struct address_sources *sources, const struct cdt_addr *to,
                    struct cdt_addr *from);
/* Ends a round of asking. */
void address_sources_close(struct address_sources *sources);

/* What the address is worth as destination: the smaller key is tried first, equal ones keep
 * their order. `from` NULL: it cannot be reached. */
uint64_t address_key(const struct cdt_addr *to, const struct cdt_addr *from);

#endif
