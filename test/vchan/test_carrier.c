/* Flows over a ring, both ends in one reactor: what they carry, how they end, and when they
 * sleep. */
#include "test/support/probe.h"
#include "test/support/toy.h"
#include "test/support/vchan_pair.h"

static struct cdt_reactor *reactor;
static struct vchan_layout layout;
static struct vchan *end[2]; /* the server, the client */
static struct cdt_flow *flow[2];
static struct probe probe[2];

static void make(unsigned left_order, unsigned right_order, const struct cdt_flow_options *options,
                 uint64_t spin)
{
    int fd[2];
    memset(probe, 0, sizeof probe);
    reactor = test_reactor();
    layout = pair_layout(left_order, right_order);
    pair_sockets(fd);
    for (int i = 0; i < 2; i++) {
        end[i] = pair_end(&layout, i == 0, fd[i]);
        assert_non_null(end[i]);
        end[i]->spin = spin;
        flow[i] = pair_flow(reactor, end[i], options, &probe_handler);
        probe_attach(flow[i], &probe[i]);
    }
    until(reactor, probe[0].opened && probe[1].opened);
}

static void drop(void)
{
    test_end(reactor, probe, 2);
    pair_layout_free(&layout);
}

static void echo(struct probe *heard, const void *data, size_t length)
{
    assert_true(cdt_flow_write(heard->flow, data, length) >= 0);
}

static void close_flow(struct probe *heard)
{
    cdt_flow_close(heard->flow);
}

/* ---- carrying -------------------------------------------------------------------------------- */

static void there_and_back(void **state)
{
    (void)state;
    make(10, 11, NULL, 0);
    assert_string_equal(cdt_flow_carrier(flow[0]), "vchan");
    probe[0].on_read = echo;
    for (int i = 0; i < 1000; i++) {
        char text[16];
        int length = snprintf(text, sizeof text, "message %d", i);
        probe[1].length = 0;
        cdt_flow_write(flow[1], text, (size_t)length);
        until(reactor, probe[1].length >= (size_t)length);
        assert_true(probe_has(&probe[1], text, (size_t)length));
    }
    drop();
}

/* What a flow is asked to send, as far as its watermark allows. */
struct source {
    size_t length, sent;
};

static void pump(struct probe *from)
{
    struct source *source = from->arg;
    uint8_t piece[7001];
    int result = 0;
    while (result == 0 && source->sent < source->length) {
        size_t length = source->length - source->sent;
        if (length > sizeof piece)
            length = sizeof piece;
        test_pattern(piece, length, source->sent);
        result = cdt_flow_write(from->flow, piece, length);
        assert_true(result >= 0);
        source->sent += length;
    }
}

/* Both directions at once, more than the rings hold, through on_writable. */
static void bulk_both_ways(void **state)
{
    (void)state;
    static const unsigned orders[][2] = {{10, 11}, {11, 12}, {12, 20}, {16, 16}};
    for (size_t i = 0; i < 2 * sizeof orders / sizeof *orders; i++) {
        const size_t length = 1 << (orders[i / 2][0] == 10 ? 20 : 23);
        struct source source[2] = {{.length = length}, {.length = length}};
        make(orders[i / 2][0], orders[i / 2][1], NULL, i % 2 ? 20 * CDT_US : 0);
        for (int j = 0; j < 2; j++) {
            probe[j].arg = &source[j];
            probe[j].on_writable = pump;
            pump(&probe[j]);
        }
        until(reactor, probe[0].length == length && probe[1].length == length);
        for (int j = 0; j < 2; j++) {
            size_t queued = 1, unacknowledged = 1;
            assert_true(test_is_pattern(probe[j].data, length, 0));
            assert_true(probe[j].writables > 0);
            assert_int_equal(cdt_flow_pending(flow[j], &queued, &unacknowledged), 0);
            assert_int_equal(queued + unacknowledged, 0);
        }
        drop();
    }
}

/* A paused reader fills the ring, and nothing more; then all comes. */
static void pause_and_resume(void **state)
{
    (void)state;
    struct source source = {.length = 1 << 20};
    size_t queued, unacknowledged;
    make(12, 12, NULL, 0);
    cdt_flow_pause(flow[0]);
    probe[1].arg = &source;
    probe[1].on_writable = pump;
    pump(&probe[1]);
    settle(reactor);
    assert_int_equal(probe[0].length, 0);
    assert_int_equal(cdt_flow_pending(flow[1], &queued, &unacknowledged), 0);
    assert_int_equal(unacknowledged, 4096);
    assert_true(queued > 0);
    cdt_flow_resume(flow[0]);
    until(reactor, probe[0].length == source.length);
    assert_true(test_is_pattern(probe[0].data, source.length, 0));
    drop();
}

/* What is there before the flow is: no event will tell. */
static void bytes_that_were_there_before(void **state)
{
    (void)state;
    int fd[2];
    char byte;
    memset(probe, 0, sizeof probe);
    reactor = test_reactor();
    layout = pair_layout(10, 11);
    pair_sockets(fd);
    end[1] = pair_end(&layout, false, fd[1]);
    assert_int_equal(vchan_ring_write(&end[1]->ring, "early", 5, false), 5);
    pair_ring(end[1]);
    assert_int_equal(recv(fd[0], &byte, 1, 0), 1);
    end[0] = pair_end(&layout, true, fd[0]);
    for (int i = 0; i < 2; i++) {
        flow[i] = pair_flow(reactor, end[i], NULL, &probe_handler);
        probe_attach(flow[i], &probe[i]);
    }
    until(reactor, probe[0].length == 5);
    drop();
}

static void through_layers(void **state)
{
    (void)state;
    struct toy toy[2] = {{.key = 0x5a}, {.key = 0x5a, .client = true}};
    const size_t length = 1 << 20;
    struct source source[2] = {{.length = length}, {.length = length}};
    int fd[2];
    memset(probe, 0, sizeof probe);
    reactor = test_reactor();
    layout = pair_layout(13, 12);
    pair_sockets(fd);
    for (int i = 0; i < 2; i++) {
        end[i] = pair_end(&layout, i == 0, fd[i]);
        flow[i] = pair_flow(reactor, end[i], NULL, &probe_handler);
        probe_attach(flow[i], &probe[i]);
        assert_int_equal(cdt_flow_push(flow[i], &toy_ops, &toy[i]), 0);
        probe[i].arg = &source[i];
        probe[i].on_open = probe[i].on_writable = pump;
    }
    until(reactor, probe[0].length == length && probe[1].length == length);
    for (int i = 0; i < 2; i++)
        assert_true(test_is_pattern(probe[i].data, length, 0));
    cdt_flow_close(flow[0]);
    until(reactor, probe[1].eofs);
    cdt_flow_close(flow[1]);
    until(reactor, probe[0].closed && probe[1].closed);
    assert_int_equal(probe[0].status, 0);
    assert_int_equal(probe[1].status, 0);
    drop();
}

static struct cdt_relay_result relayed;

static void relay_done(struct cdt_flow *a, struct cdt_flow *b,
                       const struct cdt_relay_result *result, void *arg)
{
    (void)a, (void)b, (void)arg;
    relayed = *result;
}

/* From a socket to a ring, copied; closed in order at the far end of the ring. */
static void relay(void **state)
{
    (void)state;
    static uint8_t data[1 << 20];
    struct probe left = {0};
    memset(&relayed, 0xff, sizeof relayed);
    make(16, 12, NULL, 0);
    int fd = test_flow(reactor, 'u', NULL, &left);
    assert_int_equal(cdt_flow_relay(left.flow, flow[1], relay_done, NULL), 0);
    test_pattern(data, sizeof data, 0);
    for (size_t sent = 0; sent < sizeof data; cdt_reactor_step(reactor, 0)) {
        ssize_t n = send(fd, data + sent, sizeof data - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
    }
    until(reactor, probe[0].length == sizeof data);
    assert_true(test_is_pattern(probe[0].data, sizeof data, 0));
    test_pattern(data, 100 * 1000, 9);
    cdt_flow_write(flow[0], data, 100 * 1000);
    cdt_flow_close(flow[0]);
    assert_int_equal(test_drink(reactor, fd, 100 * 1000, 5000, 9, NULL), 100 * 1000);
    assert_int_equal(probe[0].closed, 0); /* the other half is still open */
    close(fd);
    until(reactor, probe[0].closed);
    until(reactor, relayed.bytes_a_to_b != UINT64_MAX);
    assert_int_equal(relayed.bytes_a_to_b, sizeof data);
    assert_int_equal(relayed.bytes_b_to_a, 100 * 1000);
    assert_int_equal(relayed.status_b, 0);
    assert_int_equal(probe[0].status, 0);
    probe[1].flow = NULL; /* freed by the relay, its handler was not ours */
    probe_free(&left);
    drop();
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void close_in_order(void **state)
{
    (void)state;
    static uint8_t data[300 * 1000];
    for (int closer = 0; closer < 2; closer++) {
        const int other = !closer;
        make(12, 12, NULL, 0);
        test_pattern(data, sizeof data, 0);
        cdt_flow_write(flow[closer], data, sizeof data);
        cdt_flow_close(flow[closer]);
        until(reactor, probe[other].eofs);
        assert_int_equal(probe[other].length, sizeof data);
        assert_true(test_is_pattern(probe[other].data, sizeof data, 0));
        assert_int_equal(probe[closer].closed, 0); /* it waits for the other end */
        cdt_flow_close(flow[other]);
        until(reactor, probe[0].closed && probe[1].closed);
        assert_int_equal(probe[0].status, 0);
        assert_int_equal(probe[1].status, 0);
        drop();
    }
}

/* One bell for the bytes and for the end, or none that is seen: both are read. */
static void written_just_before_the_close(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        make(i == 2 ? 20 : 12, 12, NULL, 0);
        struct vchan_ring *ring = &end[1]->ring;
        static uint8_t data[100 * 1000];
        const size_t length = i == 2 ? sizeof data : 4;
        assert_int_equal(vchan_ring_write(ring, data, length, false), length);
        if (i == 1)
            settle(reactor); /* nobody has rung */
        vchan_ring_close(ring);
        end[1]->ended = true;
        pair_ring(end[1]);
        until(reactor, probe[0].eofs);
        assert_int_equal(probe[0].length, length);
        drop();
    }
}

/* Who comes back after his end (the next client of a ring on Xen) is not heard. */
static void the_end_is_the_end(void **state)
{
    (void)state;
    make(12, 12, NULL, 0);
    vchan_ring_close(&end[1]->ring);
    pair_ring(end[1]);
    until(reactor, probe[0].eofs);
    layout.page->cli_live = VCHAN_CONNECTED;
    assert_int_equal(vchan_ring_write(&end[1]->ring, "more", 4, false), 4);
    pair_ring(end[1]);
    settle(reactor);
    assert_int_equal(probe[0].length, 0);
    assert_int_equal(probe[0].eofs, 1);
    drop();
}

/* One side ends, the other goes on, with more than the ring holds. */
static void half_close(void **state)
{
    (void)state;
    struct source source = {.length = 1 << 20};
    for (int ends = 0; ends < 2; ends++) {
        const int writes = !ends;
        make(12, 12, NULL, 0);
        cdt_flow_write(flow[ends], "request", 7);
        cdt_flow_shutdown(flow[ends], CDT_SHUT_WRITE);
        until(reactor, probe[writes].eofs);
        assert_int_equal(probe[writes].length, 7);
        source.sent = 0;
        probe[writes].arg = &source;
        probe[writes].on_writable = pump;
        pump(&probe[writes]);
        until(reactor, source.sent == source.length);
        assert_int_equal(probe[ends].eofs, 0);
        cdt_flow_close(flow[writes]);
        until(reactor, probe[ends].eofs);
        assert_int_equal(probe[ends].length, source.length);
        assert_true(test_is_pattern(probe[ends].data, source.length, 0));
        cdt_flow_close(flow[ends]);
        until(reactor, probe[0].closed && probe[1].closed);
        assert_int_equal(probe[0].status, 0);
        assert_int_equal(probe[1].status, 0);
        drop();
    }
}

/* A peer without on_eof ends with us. */
static void close_of_both(void **state)
{
    (void)state;
    make(12, 12, NULL, 0);
    probe[1].on_eof = close_flow;
    cdt_flow_close(flow[0]);
    until(reactor, probe[0].closed && probe[1].closed);
    assert_int_equal(probe[0].status, 0);
    assert_int_equal(probe[1].status, 0);
    drop();
}

/* The bytes come first, then that it was no orderly end. */
static void abort_is_a_reset(void **state)
{
    (void)state;
    make(12, 12, NULL, 0);
    cdt_flow_write(flow[1], "part", 4);
    cdt_flow_abort(flow[1], -ECANCELED, NULL);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].length, 4);
    assert_int_equal(probe[0].eofs, 0);
    assert_int_equal(probe[0].status, -ECONNRESET);
    assert_int_equal(layout.page->cli_live, VCHAN_CONNECTED);
    drop();
}

static void peer_gone(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        static uint8_t data[50 * 1000];
        make(12, 12, NULL, 0);
        cdt_flow_pause(flow[1]); /* it lives, and does nothing more */
        if (full)
            cdt_flow_write(flow[0], data, sizeof data);
        settle(reactor);
        vchan_ring_write(&end[1]->ring, "tail", 4, false);
        vchan_gone(end[0]);
        until(reactor, probe[0].closed);
        assert_int_equal(probe[0].length, 4);
        assert_int_equal(probe[0].status, -ECONNRESET);
        drop();
    }
}

/* Also if it was known before the flow's first look; what was written before that is read. */
static void gone_from_the_beginning(void **state)
{
    (void)state;
    for (int written = 0; written < 2; written++) {
        int fd[2];
        memset(probe, 0, sizeof probe);
        reactor = test_reactor();
        layout = pair_layout(10, 11);
        pair_sockets(fd);
        end[0] = pair_end(&layout, true, fd[0]);
        end[1] = pair_end(&layout, false, fd[1]);
        if (written)
            vchan_ring_write(&end[1]->ring, "last", 4, false);
        vchan_gone(end[0]);
        flow[0] = pair_flow(reactor, end[0], NULL, &probe_handler);
        probe_attach(flow[0], &probe[0]);
        until(reactor, probe[0].closed);
        assert_int_equal(probe[0].status, -ECONNRESET);
        assert_true(probe_has(&probe[0], "last", written ? 4 : 0));
        pair_close(end[1], CDT_CLOSE_ORDERLY);
        test_end(reactor, probe, 1);
        pair_layout_free(&layout);
    }
}

static void hang_up_with_output_waiting(void **state)
{
    (void)state;
    static uint8_t data[50 * 1000];
    make(12, 12, NULL, 0);
    cdt_flow_pause(flow[1]);
    cdt_flow_write(flow[0], data, sizeof data);
    settle(reactor);
    cdt_flow_abort(flow[1], 0, NULL);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -ECONNRESET);
    drop();
}

/* Where nothing tells that a peer is gone, the ring is all that one who is closed can be given. */
static void write_to_a_closed_peer(void **state)
{
    (void)state;
    static uint8_t data[5000];
    struct vchan_bell silent = pair_bell;
    silent.hangs_up = false;
    make(12, 12, NULL, 0);
    end[0]->bell = &silent;
    vchan_ring_write(&end[1]->ring, "rest", 4, false);
    vchan_ring_close(&end[1]->ring);
    end[1]->ended = true;
    cdt_flow_pause(flow[1]);
    assert_int_equal(cdt_flow_write(flow[0], "x", 1), 0);
    assert_int_equal(cdt_flow_write(flow[0], data, sizeof data), 0);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].length, 4);
    assert_int_equal(probe[0].status, -EPIPE);
    drop();
}

/* Who had ended, and goes without having read all, has not got it: that is no end in order. */
static void unread_by_one_that_is_gone(void **state)
{
    (void)state;
    for (int unread = 0; unread < 2; unread++) {
        char bytes[16];
        make(12, 12, NULL, 0);
        cdt_flow_pause(flow[1]);
        vchan_ring_close(&end[1]->ring);
        end[1]->ended = true;
        pair_ring(end[1]);
        until(reactor, probe[0].eofs);
        assert_int_equal(cdt_flow_write(flow[0], "last", 4), 0);
        if (!unread)
            assert_int_equal(vchan_ring_read(&end[1]->ring, bytes, sizeof bytes, false), 4);
        shutdown(end[1]->fd, SHUT_RDWR);
        settle(reactor);
        assert_int_equal(probe[0].closed, 0);
        cdt_flow_close(flow[0]);
        until(reactor, probe[0].closed);
        assert_int_equal(probe[0].status, unread ? -ECONNRESET : 0);
        drop();
    }
}

/* Closing waits for the peer's end for the linger timeout; then it counts whether it has taken
 * all. */
static void linger(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options, .linger_timeout = 30 * CDT_MS};
    for (int taken = 0; taken < 2; taken++) {
        size_t unacknowledged = 0;
        char got[8];
        make(12, 12, &options, 0);
        cdt_flow_pause(flow[1]);
        cdt_flow_write(flow[0], "all", 3);
        cdt_flow_close(flow[0]);
        assert_int_equal(cdt_flow_pending(flow[0], NULL, &unacknowledged), 0);
        assert_int_equal(unacknowledged, 3);
        if (taken)
            assert_int_equal(vchan_ring_read(&end[1]->ring, got, sizeof got, false), 3);
        until(reactor, probe[0].closed);
        assert_int_equal(probe[0].status, taken ? 0 : -ETIMEDOUT);
        drop();
    }
}

static void write_more(struct probe *heard, const void *data, size_t length)
{
    (void)data, (void)length;
    cdt_flow_write(heard->arg, "more", 4);
}

static void impossible_ring(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        make(10, 11, NULL, i % 2 ? 10 * CDT_US : 0);
        if (i < 2)
            layout.page->left.prod = 5000;
        else
            layout.page->cli_live = 77;
        pair_ring(end[1]);
        until(reactor, probe[0].closed);
        assert_int_equal(probe[0].status, -EPROTO);
        drop();
    }
    make(10, 11, NULL, 0);
    layout.page->right.cons = 4000;
    cdt_flow_write(flow[0], "x", 1);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -EPROTO);
    drop();

    make(10, 11, NULL, 0); /* also if the other direction never rests */
    probe[0].arg = flow[1];
    probe[0].on_read = write_more;
    cdt_flow_write(flow[1], "more", 4);
    until(reactor, probe[0].reads > 10);
    layout.page->right.cons = 4000;
    cdt_flow_write(flow[0], "x", 1);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -EPROTO);
    drop();
}

/* ---- bells and sleeping ---------------------------------------------------------------------- */

/* Small messages: one bell, one wish, for each, and the descriptor is never read but now and
 * then. */
static void small_messages(void **state)
{
    (void)state;
    struct cdt_vchan_info before[2], after;
    make(12, 12, NULL, 0);
    probe[0].on_read = echo;
    settle(reactor);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cdt_vchan_info(flow[i], &before[i]), 0);
    for (size_t i = 1; i <= 1000; i++) {
        cdt_flow_write(flow[1], "0123456789", 10);
        until(reactor, probe[1].length == 10 * i);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cdt_vchan_info(flow[i], &after), 0);
        assert_int_equal(after.bells_sent - before[i].bells_sent, 1000);
        assert_int_equal(after.sleeps - before[i].sleeps, 1000);
    }
    drop();
}

/* With time to spin they need none of both. */
static void small_messages_spinning(void **state)
{
    (void)state;
    struct cdt_vchan_info before, after;
    make(12, 12, NULL, CDT_SECOND);
    probe[0].on_read = echo;
    cdt_flow_write(flow[1], "0123456789", 10);
    until(reactor, probe[1].length == 10);
    assert_int_equal(cdt_vchan_info(flow[1], &before), 0);
    for (size_t i = 2; i <= 1000; i++) {
        cdt_flow_write(flow[1], "0123456789", 10);
        until(reactor, probe[1].length == 10 * i);
    }
    assert_int_equal(cdt_vchan_info(flow[1], &after), 0);
    assert_true(after.bells_sent - before.bells_sent <= 1); /* the server's first sleep */
    assert_int_equal(after.sleeps, before.sleeps);
    drop();
}

/* After the time is over it sleeps, and is woken. */
static void spinning_ends(void **state)
{
    (void)state;
    make(12, 12, NULL, 100 * CDT_US);
    for (int i = 1; i <= 5; i++) {
        const uint64_t sleeps = end[0]->ring.sleeps, from = test_now();
        cdt_flow_write(flow[1], "x", 1);
        until(reactor, probe[0].length == (size_t)i);
        settle(reactor);
        assert_int_equal(end[0]->ring.sleeps, sleeps + 1);
        assert_true(test_now() - from >= 100 * CDT_US);
        assert_int_equal(layout.page->cli_notify & VCHAN_TELL_WRITTEN, VCHAN_TELL_WRITTEN);
    }
    drop();
}

/* Bulk rings no bell as long as it moves: neither for bytes nor for room. */
static void bulk_is_quiet(void **state)
{
    (void)state;
    struct source source = {.length = 64 << 20};
    make(20, 12, NULL, 0);
    probe[1].arg = &source;
    probe[1].on_writable = pump;
    pump(&probe[1]);
    until(reactor, probe[0].length == source.length);
    assert_true(end[0]->bells_sent + end[1]->bells_sent < source.length / (64 * 1024) / 100);
    settle(reactor); /* and then it sleeps */
    assert_int_equal(layout.page->cli_notify & VCHAN_TELL_WRITTEN, VCHAN_TELL_WRITTEN);
    drop();
}

/* A bell between the wait and a write that is about to sleep: the write takes the event away, and
 * the bytes are read all the same. */
static void ring_in_between(struct cdt_deferred *deferred)
{
    struct pair_vchan *pair = cdt_container_of(end[0], struct pair_vchan, vchan);
    (void)deferred;
    assert_int_equal(vchan_ring_write(&end[1]->ring, "x", 1, false), 1);
    assert_true(end[1]->ring.bell);
    end[1]->ring.bell = false;
    pair_ring(end[1]);
    pair->looks = 1000; /* the next look empties the socket */
}

static void event_for_the_other_direction(void **state)
{
    (void)state;
    static uint8_t data[50 * 1000];
    struct cdt_deferred deferred = {.fn = ring_in_between};
    make(12, 12, NULL, 0);
    cdt_flow_pause(flow[1]);
    cdt_flow_write(flow[0], data, sizeof data);
    settle(reactor); /* both directions sleep */
    assert_int_equal(layout.page->cli_notify, VCHAN_TELL_WRITTEN | VCHAN_TELL_CONSUMED);
    assert_int_equal(cdt_defer(reactor, &deferred), 0);
    cdt_carrier_ready(flow[0], CDT_WRITE);
    settle(reactor);
    assert_int_equal(probe[0].length, 1);
    drop();
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void asking(void **state)
{
    (void)state;
    struct cdt_vchan_info info;
    struct probe other = {0};
    make(10, 14, NULL, 0);
    assert_ptr_equal(vchan_of(flow[0]), end[0]);
    assert_int_equal(cdt_vchan_info(flow[0], &info), 0);
    assert_int_equal(info.backend, CDT_VCHAN_LOCAL);
    assert_int_equal(info.domid, 7);
    assert_string_equal(info.port, "port");
    assert_int_equal(info.read_size, 1024);
    assert_int_equal(info.write_size, 16384);
    assert_int_equal(cdt_vchan_info(flow[1], &info), 0);
    assert_int_equal(info.read_size, 16384);
    assert_int_equal(cdt_vchan_info(flow[1], NULL), -EINVAL);
    assert_int_equal(cdt_vchan_info(NULL, &info), -EINVAL);
    assert_int_equal(cdt_flow_detach(flow[0]), -ENOTSUP);
    int fd = test_flow(reactor, 'u', NULL, &other);
    assert_null(vchan_of(other.flow));
    assert_int_equal(cdt_vchan_info(other.flow, &info), -ENOTSUP);
    cdt_flow_close(other.flow);
    close(fd);
    until(reactor, other.closed);
    probe_free(&other);
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(there_and_back),
        flow_test(bulk_both_ways),
        flow_test(pause_and_resume),
        flow_test(bytes_that_were_there_before),
        flow_test(through_layers),
        flow_test(relay),
        flow_test(close_in_order),
        flow_test(written_just_before_the_close),
        flow_test(the_end_is_the_end),
        flow_test(half_close),
        flow_test(close_of_both),
        flow_test(abort_is_a_reset),
        flow_test(peer_gone),
        flow_test(gone_from_the_beginning),
        flow_test(hang_up_with_output_waiting),
        flow_test(write_to_a_closed_peer),
        flow_test(unread_by_one_that_is_gone),
        flow_test(linger),
        flow_test(impossible_ring),
        flow_test(small_messages),
        flow_test(small_messages_spinning),
        flow_test(spinning_ends),
        flow_test(bulk_is_quiet),
        flow_test(event_for_the_other_direction),
        flow_test(asking),
    };
    return cmocka_run_group_tests_name("vchan: flows over a ring", tests, NULL, NULL);
}
