/* The hash of an endpoint: FNV-1a over what cdt_endp_equal() compares. */
#include "resolve/internal.h"

static uint64_t add(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3;
    return hash;
}

static uint64_t add_number(uint64_t hash, uint64_t number)
{
    return add(hash, &number, sizeof number);
}

static uint64_t add_addr(uint64_t hash, const struct cdt_addr *addr)
{
    if (!addr->length)
        return hash;
    hash = add_number(hash, cdt_addr_port(addr));
    if (addr->any.sa_family == AF_INET)
        return add(hash, &addr->v4.sin_addr, sizeof addr->v4.sin_addr);
    hash = add(hash, &addr->v6.sin6_addr, sizeof addr->v6.sin6_addr);
    return add_number(hash, addr->v6.sin6_scope_id);
}

uint64_t cdt_endp_hash(const struct cdt_endp *endp)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; endp; endp = endp->inner) {
        hash = add_number(hash, endp->kind);
        hash = add_number(hash, endp->number);
        hash = add_number(hash, endp->name_length);
        hash = add(hash, endp->name, endp->name_length);
        hash = add_number(hash, endp->port_length);
        hash = add(hash, endp->port, endp->port_length);
        hash = add_addr(hash, &endp->addr);
    }
    return hash ^ hash >> 32; /* for those who take the low bits */
}
