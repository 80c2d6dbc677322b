/* A flow over a carrier that never connects, so that every failure to connect comes by on_close. */
#include <errno.h>

#include <conduit/carrier.h>

#include "context/internal.h"

static ssize_t never_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    return -EAGAIN;
}

static ssize_t never_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    (void)carrier, (void)data, (void)length;
    return -EAGAIN;
}

static ssize_t never_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    (void)carrier, (void)parts, (void)count;
    return -EAGAIN;
}

static int never_connected(struct cdt_carrier *carrier)
{
    (void)carrier;
    return -EAGAIN;
}

static void nothing_to_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)carrier, (void)how;
}

static const struct cdt_carrier_ops none_ops = {
    .size = sizeof none_ops,
    .name = "none",
    .read = never_read,
    .write = never_write,
    .writev = never_writev,
    .connected = never_connected,
    .close = nothing_to_close,
};

int context_failed_flow(struct cdt_reactor *reactor, int status, const char *text,
                        const struct cdt_handler *handler, struct cdt_flow **flow)
{
    const struct cdt_carrier carrier = {.fd = -1};
    const int failed = cdt_carrier_flow(reactor, &none_ops, &carrier, true, NULL, handler, flow);
    if (failed)
        return failed;
    return cdt_flow_abort(*flow, status, text);
}
