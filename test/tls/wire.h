/* For tests of TLS: a carrier in memory whose bytes a test can count, hold back, cut, and change.
 * Each end keeps what it has written until the other end reads it. */
#ifndef TEST_TLS_WIRE_H
#define TEST_TLS_WIRE_H

#include <conduit/carrier.h>

#include "test/support/probe.h"

struct wire {
    struct cdt_deferred again; /* tells the reader later */
    struct wire *other;
    struct cdt_flow *flow; /* NULL after its close */
    uint8_t *bytes;        /* written, not yet read by the other */
    size_t length, room;
    /* What a test may set. */
    const struct cdt_carrier_ops *ops; /* instead of wire_ops, before wire_flows() */
    size_t step;                       /* bytes given at one read of these; 0: all */
    size_t pause; /* after so many bytes in all the reader waits a turn, once; 0: never */
    size_t limit; /* how many may lie there; 0: any number */
    size_t stop;  /* the other gets so many in all; 0: any number */
    bool held;    /* the other gets nothing */
    bool cut;     /* the other finds the end of the stream where it is */
    bool keep;    /* everything written is kept in `log` too */
    void (*mangle)(struct wire *wire, uint8_t *bytes, size_t length); /* at `total` of the stream */
    void *arg;
    /* What happened. */
    size_t total, given; /* bytes written, and read by the other */
    unsigned writes;
    uint8_t *log;
    bool ended, reset;
    int closed;
};

static inline void wire_again(struct cdt_deferred *again)
{
    struct wire *wire = cdt_container_of(again, struct wire, again);
    if (wire->flow)
        cdt_carrier_ready(wire->flow, CDT_READ | CDT_WRITE);
}

/* The reader of this end's bytes is to look again. */
static inline void wire_tell(struct wire *wire)
{
    if (wire->other->flow) {
        wire->other->again.fn = wire_again;
        cdt_defer(cdt_flow_reactor(wire->other->flow), &wire->other->again);
    }
}

static inline ssize_t wire_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct wire *to = carrier->context, *wire = to->other;
    if (wire->reset)
        return -ECONNRESET;
    if (wire->held)
        return -EAGAIN;
    if (wire->cut)
        return 0;
    if (wire->stop && wire->given >= wire->stop)
        return -EAGAIN;
    if (wire->length == 0)
        return wire->ended ? 0 : -EAGAIN;
    if (wire->pause && wire->given == wire->pause) {
        wire->pause = 0;
        wire_tell(wire);
        return -EAGAIN;
    }
    if (length > wire->length)
        length = wire->length;
    if (wire->step && length > wire->step)
        length = wire->step;
    if (wire->stop && length > wire->stop - wire->given)
        length = wire->stop - wire->given;
    if (wire->given < wire->pause && length > wire->pause - wire->given)
        length = wire->pause - wire->given;
    memcpy(data, wire->bytes, length);
    wire->length -= length;
    wire->given += length;
    memmove(wire->bytes, wire->bytes + length, wire->length);
    if (wire->limit && wire->flow)
        cdt_carrier_ready(wire->flow, CDT_WRITE);
    return (ssize_t)length;
}

static inline ssize_t wire_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    struct wire *wire = carrier->context;
    size_t taken = 0;
    wire->writes++;
    if (wire->reset || wire->other->reset)
        return -ECONNRESET;
    for (int i = 0; i < count; i++) {
        size_t length = parts[i].iov_len;
        if (wire->limit && wire->length + length > wire->limit)
            length = wire->limit - wire->length;
        if (length == 0)
            break;
        if (wire->length + length > wire->room) {
            wire->room = 2 * (wire->length + length);
            wire->bytes = realloc(wire->bytes, wire->room);
            assert_non_null(wire->bytes);
        }
        uint8_t *to = wire->bytes + wire->length;
        memcpy(to, parts[i].iov_base, length);
        if (wire->keep) {
            wire->log = realloc(wire->log, wire->total + length);
            assert_non_null(wire->log);
            memcpy(wire->log + wire->total, to, length);
        }
        if (wire->mangle)
            wire->mangle(wire, to, length);
        wire->length += length;
        wire->total += length;
        taken += length;
    }
    if (taken == 0)
        return -EAGAIN;
    wire_tell(wire);
    return (ssize_t)taken;
}

static inline ssize_t wire_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    const struct iovec part = {(void *)(uintptr_t)data, length};
    return wire_writev(carrier, &part, 1);
}

static inline int wire_shutdown(struct cdt_carrier *carrier)
{
    struct wire *wire = carrier->context;
    wire->ended = true;
    wire_tell(wire);
    return 0;
}

static inline void wire_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    struct wire *wire = carrier->context;
    wire->closed++;
    wire->ended = true;
    if (how == CDT_CLOSE_RESET)
        wire->reset = true;
    cdt_defer_cancel(&wire->again);
    wire->flow = NULL;
    wire_tell(wire);
}

static const struct cdt_carrier_ops wire_ops = {
    .size = sizeof wire_ops,
    .name = "wire",
    .flags = CDT_CARRIER_SHORT_READS,
    .read = wire_read,
    .write = wire_write,
    .writev = wire_writev,
    .shutdown = wire_shutdown,
    .close = wire_close,
};

/* Two flows over a pair of wires, which may be set up before. */
static inline void wire_flows(struct cdt_reactor *reactor, struct wire wire[2],
                              const struct cdt_flow_options *options, struct probe probe[2])
{
    for (int i = 0; i < 2; i++) {
        const struct cdt_carrier carrier = {.context = &wire[i], .fd = -1};
        wire[i].other = &wire[1 - i];
        const struct cdt_carrier_ops *ops = wire[i].ops ? wire[i].ops : &wire_ops;
        assert_int_equal(
            cdt_carrier_flow(reactor, ops, &carrier, false, options, &probe_handler, &wire[i].flow),
            0);
        probe_attach(wire[i].flow, &probe[i]);
    }
    until(reactor, probe[0].opened && probe[1].opened);
}

/* Lets go of what was held back. */
static inline void wire_go(struct wire *wire)
{
    wire->held = false;
    wire_tell(wire);
}

/* The process of this end is gone: the other finds the end of the stream behind what it has. */
static inline void wire_vanish(struct wire *wire)
{
    wire->held = false;
    wire->cut = true;
    wire_tell(wire);
}

static inline void wire_free(struct wire wire[2])
{
    for (int i = 0; i < 2; i++) {
        assert_null(wire[i].flow);
        free(wire[i].bytes);
        free(wire[i].log);
    }
}

#endif
