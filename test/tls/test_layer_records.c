/* Records on the wire: small writes gathered into one record and one system call, small records at
 * the beginning of much data, flipped bits. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* Sizes of the records of application data in what an end has written since `from`. */
static size_t records(const struct wire *wire, size_t from, size_t *sizes, size_t most)
{
    size_t count = 0;
    for (size_t at = from; at < wire->total;) {
        assert_true(wire->total - at >= 5);
        const size_t length = (size_t)wire->log[at + 3] << 8 | wire->log[at + 4];
        assert_int_equal(wire->log[at + 1], 3);
        assert_int_equal(wire->log[at + 2], 3);
        assert_true(wire->log[at] == 23 || wire->log[at] == 22 || wire->log[at] == 21);
        assert_in_range(length, 1, 16384 + 256);
        if (wire->log[at] == 23 && count < most)
            sizes[count++] = length;
        at += 5 + length;
        assert_true(at <= wire->total);
    }
    return count;
}

/* What a record has besides its data, without its header: the tag, and a nonce or a type. */
static size_t overhead(const struct way *way)
{
    return 16 + (way->old ? 8 : 1);
}

static void open_wired(struct ends *ends, const struct way *way)
{
    ends_begin(ends, way, NULL, NULL);
    ends->wire[0].keep = ends->wire[1].keep = true;
    ends_flows(ends, 'w', NULL);
    ends_start(ends, NAME);
    ends_until_open(ends);
    ends_say(ends, CLIENT, "x"); /* tickets have come, too */
    ends_say(ends, SERVER, "x");
    settle(ends->reactor);
}

/* ---- gathering ------------------------------------------------------------------------------- */

static void answer_in_pieces(struct probe *probe, const void *data, size_t length)
{
    (void)data, (void)length;
    for (int i = 0; i < 100; i++) {
        char piece[11];
        snprintf(piece, sizeof piece, "%09d,", i);
        const struct iovec parts[] = {{piece, 3}, {piece + 3, 7}};
        assert_int_equal(i & 1 ? cdt_flow_write(probe->flow, piece, 10)
                               : cdt_flow_writev(probe->flow, parts, 2),
                         0);
    }
}

static void test_gathered(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        size_t size[4] = {0};
        open_wired(&ends, &way);
        ends.probe[SERVER].on_read = answer_in_pieces;
        const unsigned writes = ends.wire[SERVER].writes;
        const size_t from = ends.wire[SERVER].total;
        ends_say(&ends, CLIENT, "go");
        until(ends.reactor, ends.probe[CLIENT].length == 1001);
        assert_int_equal(ends.wire[SERVER].writes, writes + 1);
        assert_int_equal(records(&ends.wire[SERVER], from, size, 4), 1);
        assert_int_equal(size[0], 1000 + overhead(&way));
        ends.probe[SERVER].on_read = NULL;
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

/* Outside of callbacks, and with nodelay inside of them, each goes out at once. */
static void answer_at_once(struct probe *probe, const void *data, size_t length)
{
    (void)data, (void)length;
    for (int i = 0; i < 10; i++)
        assert_int_equal(cdt_flow_write_nodelay(probe->flow, "piece", 5, NULL, NULL), 0);
}

static void test_at_once(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        size_t sizes[32] = {0};
        open_wired(&ends, &way);
        const unsigned writes = ends.wire[SERVER].writes;
        const size_t from = ends.wire[SERVER].total;
        for (int i = 0; i < 10; i++)
            assert_int_equal(cdt_flow_write(ends.probe[SERVER].flow, "piece", 5), 0);
        assert_int_equal(ends.wire[SERVER].writes, writes + 10);
        ends.probe[SERVER].on_read = answer_at_once;
        ends_say(&ends, CLIENT, "go");
        until(ends.reactor, ends.probe[CLIENT].length == 1 + 100);
        assert_int_equal(ends.wire[SERVER].writes, writes + 20);
        assert_int_equal(records(&ends.wire[SERVER], from, sizes, 32), 20);
        for (int i = 0; i < 20; i++)
            assert_int_equal(sizes[i], 5 + overhead(&way));
        ends_free(&ends);
    }
}

/* A message that is echoed costs one write each way. */
static void echo(struct probe *probe, const void *data, size_t length)
{
    assert_int_equal(cdt_flow_write(probe->flow, data, length), 0);
}

static void test_echo_is_one_write(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        open_wired(&ends, &way);
        ends.probe[SERVER].on_read = echo;
        const unsigned writes[2] = {ends.wire[0].writes, ends.wire[1].writes};
        for (unsigned i = 1; i <= 20; i++) {
            ends_say(&ends, CLIENT, "sixty-four bytes, more or less, that the server gives back");
            until(ends.reactor, ends.probe[CLIENT].length == 1 + i * 58);
        }
        assert_int_equal(ends.wire[CLIENT].writes, writes[CLIENT] + 20);
        assert_int_equal(ends.wire[SERVER].writes, writes[SERVER] + 20);
        ends_free(&ends);
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* The first records of a large answer fit into a packet each, then they are full; after a pause of
 * a second and more, small ones again. */
static void test_sizes(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20, PACKET = 1460 };
    static uint8_t data[SIZE];
    static size_t sizes[2000];
    test_pattern(data, SIZE, 0);
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        open_wired(&ends, &way);
        for (int round = 0; round < 2; round++) {
            size_t from = ends.wire[SERVER].total, small = 0, full = 0;
            ends.probe[CLIENT].length = 0;
            for (size_t at = 0; at < SIZE; at += SIZE / 16)
                assert_in_range(cdt_flow_write(ends.probe[SERVER].flow, data + at, SIZE / 16), 0,
                                1);
            until(ends.reactor, ends.probe[CLIENT].length == SIZE);
            assert_true(test_is_pattern(ends.probe[CLIENT].data, SIZE, 0));
            const size_t count = records(&ends.wire[SERVER], from, sizes, 2000);
            assert_true(sizes[0] + 5 <= PACKET);
            for (size_t i = 0; i < count; i++) {
                small += sizes[i] + 5 <= PACKET;
                full += sizes[i] == 16384 + overhead(&way);
            }
            assert_in_range(small, 10, 200);
            assert_true(full >= SIZE / 16384 / 2);
            if (way.next > 1)
                break; /* waiting takes long: once is enough */
            const uint64_t end = cdt_reactor_now(ends.reactor) + 1100 * CDT_MS;
            until(ends.reactor, cdt_reactor_now(ends.reactor) > end);
        }
        ends_free(&ends);
    }
}

/* A large write out of memory that stays ours costs no more records than it must. */
static void released(void *arg, int status)
{
    assert_int_equal(status, 0);
    ++*(int *)arg;
}

static void test_owned(void **state)
{
    (void)state;
    static uint8_t data[300000];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        int sum = 0;
        open_wired(&ends, &way);
        ends.wire[SERVER].limit = 20000;
        ends.probe[CLIENT].length = 0;
        assert_in_range(
            cdt_flow_write_owned(ends.probe[SERVER].flow, data, sizeof data, released, &sum), 0, 1);
        until(ends.reactor, ends.probe[CLIENT].length == sizeof data && sum == 1);
        assert_memory_equal(ends.probe[CLIENT].data, data, sizeof data);
        ends_free(&ends);
    }
}

/* ---- flips ----------------------------------------------------------------------------------- */

struct flip {
    size_t at;
    unsigned bit;
    bool done;
};

static void flip(struct wire *wire, uint8_t *bytes, size_t length)
{
    struct flip *flip = wire->arg;
    if (flip->done || flip->at < wire->total || flip->at >= wire->total + length)
        return;
    bytes[flip->at - wire->total] ^= (uint8_t)(1 << flip->bit);
    flip->done = true;
}

/* In the version of a plain record: nobody looks at that (RFC 8446 section 5.1). */
static bool in_plain_version(const struct wire *wire, const struct flip *flip)
{
    for (size_t at = 0; at + 5 <= wire->total;) {
        const size_t length = (size_t)wire->log[at + 3] << 8 | wire->log[at + 4];
        if (flip->at == at + 1 || flip->at == at + 2)
            return wire->log[at] != 23;
        at += 5 + length;
    }
    return false;
}

/* One connection with a flipped bit: 1 if somebody has noticed. */
static int flipped(const struct way *way, struct cdt_reactor *reactor,
                   struct cdt_tls_config *const config[2], int side, struct flip *how)
{
    static uint8_t data[3000];
    struct probe probe[2] = {{0}};
    struct wire wire[2] = {{.step = 0}};
    int noticed = 0;
    test_pattern(data, sizeof data, 0);
    wire[side].mangle = flip;
    wire[side].arg = how;
    wire[side].keep = true;
    wire_flows(reactor, wire, NULL, probe);
    assert_int_equal(cdt_tls_start(probe[SERVER].flow, config[SERVER], NULL), 0);
    assert_int_equal(cdt_tls_start(probe[CLIENT].flow, config[CLIENT], NAME), 0);
    for (int i = 0; i < 2; i++) {
        cdt_flow_write(probe[i].flow, data, sizeof data);
        cdt_flow_shutdown(probe[i].flow, CDT_SHUT_WRITE);
    }
    settle(reactor);
    for (int i = 0; i < 2; i++) {
        noticed |= probe[i].closed && probe[i].status < 0;
        assert_true(probe[i].length <= sizeof data);
        assert_memory_equal(probe[i].data ? probe[i].data : data, data, probe[i].length);
        /* a flip in a length may leave a side waiting for more: its timeout would end it */
        noticed |= !probe[i].closed;
        if (probe[i].closed && probe[i].status == 0)
            assert_int_equal(probe[i].length, sizeof data);
    }
    if (how->done && !noticed && !in_plain_version(&wire[side], how))
        fail_msg("%s at byte %zu, bit %u of the %s: nobody has noticed", way->old ? "1.2" : "1.3",
                 how->at, how->bit, side == CLIENT ? "client" : "server");
    for (int i = 0; i < 2; i++) {
        if (probe[i].flow)
            cdt_flow_abort(probe[i].flow, 0, NULL);
        until(reactor, probe[i].closed);
        probe_free(&probe[i]);
    }
    wire_free(wire);
    return noticed;
}

static void test_flips(void **state)
{
    (void)state;
    const unsigned rounds = test_slow() ? 100 : 1300; /* 10,400 with two backends */
    unsigned random = test_seed();
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        unsigned noticed = 0, done = 0;
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        client.resumption = CDT_OFF;
        ends_begin(&ends, &way, &client, NULL);
        for (unsigned i = 0; i < rounds; i++) {
            random = random * 1103515245 + 12345;
            struct flip how = {.at = (random >> 8) % (i % 2 ? 5600 : 3600), .bit = random >> 29};
            noticed += (unsigned)flipped(&way, ends.reactor, ends.config, (int)(i & 1), &how);
            done += how.done;
        }
        print_message("           %u of %u flips were noticed\n", noticed, done);
        assert_true(done > rounds / 2);
        ends_free(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_gathered), flow_test(test_at_once), flow_test(test_echo_is_one_write),
        flow_test(test_sizes),    flow_test(test_owned),   flow_test(test_flips),
    };
    return tls_main(tests);
}
