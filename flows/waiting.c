/* What a carrier does that is not connected, and has no descriptor yet: nothing. Whoever connects
 * by way of other things than one socket gives its flow such a carrier until then. */
#include "flows/internal.h"

ssize_t waiting_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    return -EAGAIN;
}

ssize_t waiting_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    return -EAGAIN;
}

ssize_t waiting_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    (void)carrier, (void)parts, (void)count;
    return -EAGAIN;
}

int waiting_connected(struct cdt_carrier *carrier)
{
    (void)carrier;
    return -EAGAIN;
}

int waiting_address(const struct cdt_carrier *carrier, bool peer, struct cdt_addr *addr)
{
    (void)carrier, (void)peer, (void)addr;
    return -ENOTCONN;
}
