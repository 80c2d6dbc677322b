/* A carrier of a user's own: a wire in memory that takes and gives what it likes, with and without
 * a descriptor, without half-close, and that connects when it likes. */
#include "test/support/probe.h"
#include "test/support/toy.h"

#include <conduit/carrier.h>

/* One end. What it writes lies in `bytes` until the other end reads it. */
struct wire {
    struct cdt_deferred again; /* tells the flow, after the call that fell short */
    struct wire *other;
    struct cdt_flow *flow;
    uint8_t bytes[4096];
    size_t length;
    size_t step;    /* bytes taken or given at a time */
    unsigned moody; /* one in so many calls gives -EAGAIN; 0: none */
    unsigned random;
    bool ended, connected, refuses;
    bool whole; /* its shutdown ends both directions */
    int shutdowns, closed, asked;
    enum cdt_close_how how;
};

static struct wire *wire_of(const struct cdt_carrier *carrier)
{
    return carrier->context;
}

static void tell(struct cdt_deferred *again)
{
    struct wire *wire = cdt_container_of(again, struct wire, again);
    if (wire->flow)
        cdt_carrier_ready(wire->flow, CDT_READ | CDT_WRITE);
}

static void tell_later(struct wire *wire)
{
    wire->again.fn = tell;
    assert_int_equal(cdt_defer(cdt_flow_reactor(wire->flow), &wire->again), 0);
}

static bool in_the_mood(struct wire *wire)
{
    wire->random = wire->random * 1103515245 + 12345;
    return !wire->moody || (wire->random >> 16) % wire->moody;
}

static ssize_t wire_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct wire *wire = wire_of(carrier), *from = wire->other;
    if (!in_the_mood(wire)) {
        tell_later(wire);
        return -EAGAIN;
    }
    if (from->length == 0)
        return from->ended || (wire->whole && wire->ended) ? 0 : -EAGAIN;
    if (length > wire->step)
        length = wire->step;
    if (length > from->length)
        length = from->length;
    memcpy(data, from->bytes, length);
    from->length -= length;
    memmove(from->bytes, from->bytes + length, from->length);
    if (from->flow)
        cdt_carrier_ready(from->flow, CDT_WRITE);
    return (ssize_t)length;
}

static ssize_t wire_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    struct wire *wire = wire_of(carrier);
    assert_true(wire->connected);
    assert_int_equal(wire->shutdowns, 0);
    assert_true(length > 0);
    if (wire->other->closed)
        return -EPIPE;
    size_t room = sizeof wire->bytes - wire->length;
    if (room == 0)
        return -EAGAIN;
    if (!in_the_mood(wire)) {
        tell_later(wire);
        return -EAGAIN;
    }
    if (length > wire->step)
        length = wire->step;
    if (length > room)
        length = room;
    memcpy(wire->bytes + wire->length, data, length);
    wire->length += length;
    if (wire->other->flow)
        cdt_carrier_ready(wire->other->flow, CDT_READ);
    tell_later(wire);
    return (ssize_t)length;
}

static ssize_t wire_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    assert_in_range(count, 1, 64);
    for (int i = 0; i < count; i++)
        assert_true(parts[i].iov_len > 0);
    return wire_write(carrier, parts[0].iov_base, parts[0].iov_len);
}

static int wire_shutdown(struct cdt_carrier *carrier)
{
    struct wire *wire = wire_of(carrier);
    if (!in_the_mood(wire)) {
        tell_later(wire);
        return -EAGAIN;
    }
    wire->shutdowns++;
    wire->ended = true;
    if (wire->other->flow)
        cdt_carrier_ready(wire->other->flow, CDT_READ);
    return 0;
}

static int wire_connected(struct cdt_carrier *carrier)
{
    struct wire *wire = wire_of(carrier);
    wire->asked++;
    if (wire->refuses)
        return -EHOSTDOWN;
    return wire->connected ? 0 : -EAGAIN;
}

static void wire_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    struct wire *wire = wire_of(carrier);
    wire->closed++;
    wire->how = how;
    wire->ended = true;
    wire->flow = NULL;
    cdt_defer_cancel(&wire->again);
    if (wire->other->flow)
        cdt_carrier_ready(wire->other->flow, CDT_READ | CDT_WRITE);
    if (carrier->fd >= 0)
        close(carrier->fd);
}

static const struct cdt_carrier_ops wire_ops = {
    .size = sizeof wire_ops,
    .name = "wire",
    .flags = CDT_CARRIER_SHORT_READS,
    .read = wire_read,
    .write = wire_write,
    .writev = wire_writev,
    .shutdown = wire_shutdown,
    .connected = wire_connected,
    .close = wire_close,
};

static void make(struct cdt_reactor *reactor, const struct cdt_carrier_ops *ops,
                 struct wire wire[2], struct probe probe[2], bool connecting)
{
    for (int i = 0; i < 2; i++) {
        struct cdt_carrier carrier = {.context = &wire[i], .fd = -1};
        wire[i].other = &wire[!i];
        wire[i].random = (unsigned)i + 1;
        wire[i].connected = !connecting;
        assert_int_equal(cdt_carrier_flow(reactor, ops, &carrier, connecting, NULL, &probe_handler,
                                          &wire[i].flow),
                         0);
        probe_attach(wire[i].flow, &probe[i]);
        assert_string_equal(cdt_flow_carrier(wire[i].flow), "wire");
        assert_ptr_equal(cdt_carrier_of(wire[i].flow, ops)->context, &wire[i]);
        assert_int_equal(cdt_flow_fd(wire[i].flow), -1);
    }
}

static void test_exchange(void **state)
{
    (void)state;
    enum { SIZE = 20000 };
    static uint8_t data[SIZE];
    test_pattern(data, SIZE, 0);
    for (int way = 0; way < 16; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        struct wire wire[2] = {{.step = 1}, {.step = 1}};
        struct toy toy[2] = {{.client = true}, {0}};
        bool layered = way & 4, connecting = way & 8;
        for (int i = 0; i < 2; i++) {
            wire[i].step = way & 1 ? 1 : 1000;
            wire[i].moody = way & 2 ? 3 : 0;
        }
        make(reactor, &wire_ops, wire, probe, connecting);
        for (int i = 0; i < 2; i++) {
            if (layered)
                cdt_flow_push(wire[i].flow, i ? &toy_lazy : &toy_ops, &toy[i]);
            assert_true(cdt_flow_write(wire[i].flow, data, SIZE / 2) >= 0);
        }
        if (connecting) {
            settle(reactor);
            for (int i = 0; i < 2; i++) {
                cdt_carrier_ready(wire[i].flow, CDT_WRITE); /* told too early */
                settle(reactor);
                assert_int_equal(probe[i].opened, 0);
                cdt_flow_write(wire[i].flow, data + SIZE / 2, 10);
                wire[i].connected = true;
                cdt_carrier_ready(wire[i].flow, CDT_WRITE);
            }
        }
        until(reactor, probe[0].opened && probe[1].opened);
        size_t more = connecting ? 10 : 0;
        for (int i = 0; i < 2; i++) {
            cdt_flow_write(wire[i].flow, data + SIZE / 2 + more, SIZE / 2 - more);
            cdt_flow_close(wire[i].flow);
        }
        until(reactor, probe[0].closed && probe[1].closed);
        for (int i = 0; i < 2; i++) {
            assert_true(probe_has(&probe[i], data, SIZE));
            assert_int_equal(probe[i].status, 0);
            assert_int_equal(probe[i].eofs, 1);
            assert_int_equal(wire[i].closed, 1);
            assert_int_equal(wire[i].how, CDT_CLOSE_ORDERLY);
            assert_in_range(wire[i].shutdowns, 0, 1);
        }
        test_end(reactor, probe, 2);
    }
}

static void test_connect_fails(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}};
    struct wire wire[2] = {{.step = 1}, {.step = 1}};
    make(reactor, &wire_ops, wire, probe, true);
    settle(reactor);
    wire[0].refuses = true;
    cdt_carrier_ready(wire[0].flow, CDT_WRITE);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -EHOSTDOWN);
    assert_int_equal(wire[0].how, CDT_CLOSE_RESET);
    test_end(reactor, probe, 2);
    assert_int_equal(wire[1].closed, 1);
}

/* Its shutdown ends both directions: what came before is still read, then the end. */
static void test_no_half_close(void **state)
{
    (void)state;
    struct cdt_carrier_ops ops = wire_ops;
    ops.flags |= CDT_CARRIER_NO_HALF_CLOSE;
    for (int closing = 0; closing < 2; closing++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        struct wire wire[2] = {{.step = 100, .whole = true}, {.step = 100}};
        make(reactor, &ops, wire, probe, false);
        until(reactor, probe[0].opened && probe[1].opened);
        cdt_flow_pause(wire[0].flow);
        char data[1000] = "";
        cdt_flow_write(wire[1].flow, data, sizeof data);
        settle(reactor);
        if (closing)
            cdt_flow_close(wire[0].flow);
        else
            cdt_flow_shutdown(wire[0].flow, CDT_SHUT_WRITE);
        cdt_flow_resume(probe[0].flow);
        until(reactor, probe[0].closed);
        assert_int_equal(probe[0].length, sizeof data);
        assert_int_equal(probe[0].eofs, 1);
        assert_int_equal(probe[0].status, 0);
        test_end(reactor, probe, 2);
    }
}

/* With a descriptor: a socket behind functions of ours that look at one byte at a time. */
static ssize_t byte_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    ssize_t n = recv(carrier->fd, data, length > 7 ? 7 : length, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static ssize_t byte_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    ssize_t n = send(carrier->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static ssize_t byte_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    ssize_t n = writev(carrier->fd, parts, count);
    return n < 0 ? -errno : n;
}

static void byte_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    if (how != CDT_CLOSE_KEEP)
        close(carrier->fd);
}

static void test_descriptor(void **state)
{
    (void)state;
    const struct cdt_carrier_ops ops = {.size = sizeof ops,
                                        .name = "byte",
                                        .flags = CDT_CARRIER_SHORT_READS,
                                        .read = byte_read,
                                        .write = byte_write,
                                        .writev = byte_writev,
                                        .close = byte_close};
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_flow *flow;
    struct cdt_addr addr;
    int fd[2], end;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
    struct cdt_carrier carrier = {.fd = fd[0]};
    assert_int_equal(cdt_carrier_flow(reactor, &ops, &carrier, true, NULL, &probe_handler, &flow),
                     0);
    probe_attach(flow, &probe);
    static uint8_t data[1 << 20];
    test_pattern(data, sizeof data, 0);
    assert_int_equal(cdt_flow_write(flow, data, sizeof data), 1);
    assert_int_equal(cdt_flow_dst(flow, &addr), 0);
    assert_int_equal(addr.length, 0);
    size_t unacknowledged = 7;
    assert_int_equal(cdt_flow_pending(flow, NULL, &unacknowledged), 0);
    assert_int_equal(unacknowledged, 0);
    assert_int_equal(send(fd[1], "hello, whatever you are", 23, 0), 23);
    assert_int_equal(test_drink(reactor, fd[1], sizeof data, 10000, 0, &end), sizeof data);
    until(reactor, probe.length == 23);
    close(fd[1]);
    until(reactor, probe.eofs);
    cdt_flow_close(flow);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    test_end(reactor, &probe, 1);
}

/* A descriptor that only says that something has happened: `room` and `length` say what. */
struct box {
    size_t room, taken; /* what can be written, what was */
    size_t length;      /* what can be read */
    unsigned busy;      /* so many calls are to be tried again in the next turn */
    unsigned reads, writes;
    bool ended;
};

static bool is_busy(struct box *box)
{
    box->busy -= box->busy > 0;
    return box->busy > 0;
}

static ssize_t box_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct box *box = carrier->context;
    box->reads++;
    if (is_busy(box))
        return -EINTR;
    if (box->length == 0)
        return box->ended ? 0 : -EAGAIN;
    length = box->length < length ? box->length : length;
    memset(data, 'x', length);
    box->length -= length;
    return (ssize_t)length;
}

static ssize_t box_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    struct box *box = carrier->context;
    (void)data;
    box->writes++;
    if (is_busy(box))
        return -EINTR;
    length = box->room < length ? box->room : length;
    box->room -= length;
    box->taken += length;
    return length ? (ssize_t)length : -EAGAIN;
}

static ssize_t box_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    (void)count;
    return box_write(carrier, parts->iov_base, parts->iov_len);
}

static const struct cdt_carrier_ops box_ops = {.size = sizeof box_ops,
                                               .name = "box",
                                               .flags = CDT_CARRIER_ONE_EVENT,
                                               .read = box_read,
                                               .write = box_write,
                                               .writev = box_writev,
                                               .close = byte_close};

/* Its socket can always be written: if it were registered for that, a turn would find it so. */
static void test_one_event(void **state)
{
    (void)state;
    for (int connecting = 0; connecting < 2; connecting++) {
        struct cdt_reactor *reactor = test_reactor();
        struct box box = {.length = 3};
        struct probe probe = {0};
        struct cdt_flow *flow;
        static char data[1000];
        int fd[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        struct cdt_carrier carrier = {.context = &box, .fd = fd[0]};
        assert_int_equal(
            cdt_carrier_flow(reactor, &box_ops, &carrier, connecting, NULL, &probe_handler, &flow),
            0);
        probe_attach(flow, &probe);
        until(reactor, probe.length == 3); /* what was there before, without an event */

        cdt_flow_write(flow, data, sizeof data);
        settle(reactor);
        assert_int_equal(box.writes, 1);
        box.room = 400; /* nobody tells */
        settle(reactor);
        assert_int_equal(box.writes, 1);
        test_send(fd[1], "!", 1);
        until(reactor, box.taken == 400);
        settle(reactor);
        const unsigned writes = box.writes;
        box.room = 10000;
        box.length = 5;
        box.busy = 7; /* then it is asked until it is not, for both */
        test_send(fd[1], "!", 1);
        until(reactor, box.taken == sizeof data && probe.length == 8);
        assert_int_equal(box.busy, 0);
        assert_true(box.writes > writes);

        assert_int_equal(cdt_flow_detach(flow), -ENOTSUP);
        box.ended = true;
        close(fd[1]); /* hangs up */
        until(reactor, probe.eofs);
        cdt_flow_close(flow);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, 0);
        test_end(reactor, &probe, 1);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_carrier carrier = {.fd = -1};
    struct cdt_flow *flow;
    struct cdt_carrier_ops bad = wire_ops;
    assert_int_equal(
        cdt_carrier_flow(NULL, &wire_ops, &carrier, false, NULL, &probe_handler, &flow), -EINVAL);
    assert_int_equal(cdt_carrier_flow(reactor, NULL, &carrier, false, NULL, &probe_handler, &flow),
                     -EINVAL);
    assert_int_equal(cdt_carrier_flow(reactor, &wire_ops, NULL, false, NULL, &probe_handler, &flow),
                     -EINVAL);
    assert_int_equal(cdt_carrier_flow(reactor, &wire_ops, &carrier, false, NULL, NULL, &flow),
                     -EINVAL);
    assert_int_equal(
        cdt_carrier_flow(reactor, &wire_ops, &carrier, false, NULL, &probe_handler, NULL), -EINVAL);
    bad.size = 4;
    assert_int_equal(cdt_carrier_flow(reactor, &bad, &carrier, false, NULL, &probe_handler, &flow),
                     -EINVAL);
    bad = wire_ops;
    bad.close = NULL;
    assert_int_equal(cdt_carrier_flow(reactor, &bad, &carrier, false, NULL, &probe_handler, &flow),
                     -EINVAL);
    assert_int_equal(cdt_carrier_ready(NULL, CDT_READ), -EINVAL);
    assert_null(cdt_carrier_of(NULL, &wire_ops));
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_exchange),   flow_test(test_connect_fails), flow_test(test_no_half_close),
        flow_test(test_descriptor), flow_test(test_one_event),     flow_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
