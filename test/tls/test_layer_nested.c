/* TLS in TLS comes to its end: who closes, half-closes, aborts or vanishes at which level; both
 * close_notify go out, nothing is cut off, nobody waits for what cannot come. Every pair of
 * backends, the same one or the other one inside, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

enum { BULK = 300000 };

/* Without a linger timeout: what should end by itself must. */
static const struct cdt_flow_options patient = {.size = sizeof patient,
                                                .linger_timeout = CDT_NEVER};

struct nest {
    struct ends ends; /* of the outer TLS */
    struct cdt_tls_config *inner[2];
};

static struct way way_inside(const struct way *way, bool other)
{
    struct way inside = *way;
    for (int i = 0; other && i < 2; i++) {
        const enum cdt_tls_backend backend =
            way->backend[i] == CDT_TLS_OPENSSL ? CDT_TLS_WOLFSSL : CDT_TLS_OPENSSL;
        if (cdt_tls_built_in(backend))
            inside.backend[i] = backend;
    }
    return inside;
}

static void nest_begin(struct nest *nest, const struct way *way, bool other)
{
    const struct way inside = way_inside(way, other);
    ends_begin(&nest->ends, way, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        const struct cdt_tls_options options = tls_options(&inside, i);
        nest->inner[i] = tls_config(nest->ends.reactor, &options);
    }
}

/* Both layers at once, then a word each way. */
static void nest_start(struct nest *nest)
{
    struct ends *ends = &nest->ends;
    ends_start(ends, NAME);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            cdt_tls_start(ends->probe[i].flow, nest->inner[i], i == CLIENT ? NAME : NULL), 0);
    ends_until_open(ends);
    ends_say(ends, CLIENT, "greeting");
    ends_say(ends, SERVER, "greeting");
    settle(ends->reactor);
}

static void nest_open(struct nest *nest, const struct way *way, char kind,
                      const struct cdt_flow_options *options)
{
    nest_begin(nest, way, true);
    ends_flows(&nest->ends, kind, options);
    nest_start(nest);
}

static void nest_free(struct nest *nest)
{
    cdt_tls_config_free(nest->inner[0]);
    cdt_tls_config_free(nest->inner[1]);
    ends_free(&nest->ends);
}

/* Both are over, in order. */
static void expect_end(struct nest *nest)
{
    struct probe *probe = nest->ends.probe;
    until(nest->ends.reactor, probe[0].closed && probe[1].closed);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(probe[i].error, "");
        assert_int_equal(probe[i].status, 0);
        assert_int_equal(probe[i].eofs, 1);
    }
}

/* ---- closing --------------------------------------------------------------------------------- */

/* One closes, perhaps with much still to be sent; the other hears all, answers as much, closes. */
static void close_one(struct nest *nest, int first, const uint8_t *data, size_t length)
{
    struct probe *mine = &nest->ends.probe[first], *other = &nest->ends.probe[1 - first];
    if (length)
        assert_in_range(cdt_flow_write(mine->flow, data, length), 0, 1);
    cdt_flow_close(mine->flow);
    until(nest->ends.reactor, other->eofs || other->closed);
    assert_int_equal(other->closed, 0);
    assert_int_equal(other->length, 8 + length);
    if (length) {
        assert_memory_equal(other->data + 8, data, length);
        assert_in_range(cdt_flow_write(other->flow, data, length), 0, 1);
    }
    cdt_flow_close(other->flow);
    expect_end(nest);
    assert_int_equal(mine->length, 8 + length);
    if (length)
        assert_memory_equal(mine->data + 8, data, length);
}

static void test_close(void **state)
{
    (void)state;
    static const char kinds[] = "tupw";
    static uint8_t data[BULK];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 32; cell++) {
            struct nest nest;
            nest_begin(&nest, &way, cell & 1);
            ends_flows(&nest.ends, kinds[cell >> 3], &patient);
            nest_start(&nest);
            close_one(&nest, cell >> 1 & 1, data, cell & 4 ? BULK : 0);
            nest_free(&nest);
        }
    }
}

static void test_close_at_once(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (const char *kind = "tupw"; *kind; kind++) {
            struct nest nest;
            nest_open(&nest, &way, *kind, &patient);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(cdt_flow_write(nest.ends.probe[i].flow, "bye", 3), 0);
                cdt_flow_close(nest.ends.probe[i].flow);
            }
            expect_end(&nest);
            assert_true(probe_has(&nest.ends.probe[CLIENT], "greetingbye", 11));
            assert_true(probe_has(&nest.ends.probe[SERVER], "greetingbye", 11));
            nest_free(&nest);
        }
    }
}

/* Bytes of the two close_notify: the inner one in a record of the outer TLS, and the outer one. TLS
 * 1.2 sends a nonce of 8 bytes, TLS 1.3 hides the kind in one byte. */
static size_t record(const struct way *way, size_t plain)
{
    return 5 + (way->old ? 8U : 1U) + plain + 16;
}

static size_t inner_notify(const struct way *way)
{
    return record(way, record(way, 2));
}

/* They leave in one write, once. */
static void test_one_write(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int first = 0; first < 2; first++) {
            struct nest nest;
            nest_open(&nest, &way, 'w', &patient);
            for (int i = 0; i < 2; i++) {
                const int side = i ? 1 - first : first;
                struct wire *wire = &nest.ends.wire[side];
                const size_t total = wire->total;
                const unsigned writes = wire->writes;
                for (int twice = 0; twice < 2; twice++)
                    cdt_flow_shutdown(nest.ends.probe[side].flow, CDT_SHUT_WRITE);
                settle(nest.ends.reactor);
                assert_int_equal(wire->total - total, inner_notify(&way) + record(&way, 2));
                assert_int_equal(wire->writes - writes, 1);
                assert_true(wire->ended);
            }
            expect_end(&nest);
            assert_false(nest.ends.wire[0].reset || nest.ends.wire[1].reset);
            nest_free(&nest);
        }
    }
}

static void test_half_close(void **state)
{
    (void)state;
    static uint8_t data[BULK];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 4; cell++) {
            struct nest nest;
            nest_open(&nest, &way, cell & 2 ? 'p' : 't', &patient);
            struct probe *mine = &nest.ends.probe[cell & 1];
            struct probe *other = &nest.ends.probe[1 - (cell & 1)];
            assert_int_equal(cdt_flow_shutdown(mine->flow, CDT_SHUT_WRITE), 0);
            until(nest.ends.reactor, other->eofs);
            for (size_t i = 1; i <= 5; i++) {
                assert_in_range(cdt_flow_write(other->flow, data, sizeof data), 0, 1);
                until(nest.ends.reactor, mine->length == 8 + i * sizeof data);
                assert_memory_equal(mine->data + 8 + (i - 1) * sizeof data, data, sizeof data);
            }
            assert_int_equal(mine->closed + other->closed, 0);
            assert_int_equal(cdt_flow_state(mine->flow), CDT_WE_ENDED);
            assert_int_equal(cdt_flow_state(other->flow), CDT_PEER_ENDED);
            cdt_flow_close(other->flow);
            expect_end(&nest);
            nest_free(&nest);
        }
    }
}

/* Paused when the peer has ended, and never resumed: there is nothing more to be read. */
static void test_half_close_while_paused(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct nest nest;
        nest_open(&nest, &way, 't', &patient);
        struct probe *client = &nest.ends.probe[CLIENT];
        cdt_flow_close(nest.ends.probe[SERVER].flow);
        until(nest.ends.reactor, client->eofs);
        assert_int_equal(cdt_flow_pause(client->flow), 0);
        assert_int_equal(cdt_flow_shutdown(client->flow, CDT_SHUT_WRITE), 0);
        expect_end(&nest);
        nest_free(&nest);
    }
}

/* A carrier that tells its end only by being closed. */
static void test_no_shutdown_below(void **state)
{
    (void)state;
    struct cdt_carrier_ops ops = wire_ops;
    ops.shutdown = NULL;
    for (struct way way = {0}; way_next(&way);) {
        for (int first = 0; first < 2; first++) {
            struct nest nest;
            nest_begin(&nest, &way, true);
            nest.ends.wire[0].ops = nest.ends.wire[1].ops = &ops;
            ends_flows(&nest.ends, 'w', &patient);
            nest_start(&nest);
            close_one(&nest, first, NULL, 0);
            nest_free(&nest);
        }
    }
}

/* ---- no answer ------------------------------------------------------------------------------- */

enum answer {
    NOTHING,    /* the server does not even read */
    INNER_ONLY, /* its inner close_notify comes, and nothing behind it */
    INNER_CUT,  /* and the carrier ends there */
    ANSWERS
};

static void test_peer_does_not_answer(void **state)
{
    (void)state;
    const struct cdt_flow_options hasty = {.size = sizeof hasty, .linger_timeout = 50 * CDT_MS};
    for (struct way way = {0}; way_next(&way);) {
        for (int answer = 0; answer < ANSWERS; answer++) {
            struct nest nest;
            nest_open(&nest, &way, 'w', answer == INNER_CUT ? &patient : &hasty);
            struct probe *client = &nest.ends.probe[CLIENT], *server = &nest.ends.probe[SERVER];
            struct wire *wire = &nest.ends.wire[SERVER];
            const uint64_t begin = test_now();
            if (answer == NOTHING)
                cdt_flow_pause(server->flow);
            else
                wire->stop = wire->total + inner_notify(&way);
            cdt_flow_close(client->flow);
            if (answer != NOTHING) {
                until(nest.ends.reactor, server->eofs);
                cdt_flow_close(server->flow);
                until(nest.ends.reactor, client->eofs);
            }
            if (answer == INNER_CUT)
                wire_vanish(wire);
            until(nest.ends.reactor, client->closed);
            assert_string_equal(client->error, "");
            assert_int_equal(client->status, 0);
            assert_int_equal(client->eofs, answer != NOTHING);
            if (answer != INNER_CUT)
                assert_in_range(test_now() - begin, 50 * CDT_MS, 10 * CDT_SECOND);
            nest_free(&nest);
        }
    }
}

/* ---- a peer in a hurry ----------------------------------------------------------------------- */

/* TCP that sends no FIN, and is closed with a reset. */
static ssize_t rude_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    const ssize_t n = recv(carrier->fd, data, length, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static ssize_t rude_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    const ssize_t n = send(carrier->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static ssize_t rude_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    (void)count;
    return rude_write(carrier, parts->iov_base, parts->iov_len);
}

static void rude_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)how;
    client_reset(carrier->fd);
}

static const struct cdt_carrier_ops rude_ops = {
    .size = sizeof rude_ops,
    .name = "rude",
    .read = rude_read,
    .write = rude_write,
    .writev = rude_writev,
    .close = rude_close,
};

/* It has all of our stream, and resets the connection rather than end its own: nothing was lost. */
static void test_reset_behind_the_end(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct nest nest;
        struct cdt_flow *flow[2];
        int fd[2];
        nest_begin(&nest, &way, true);
        struct ends *ends = &nest.ends;
        test_tcp_sockets(fd);
        const struct cdt_carrier carrier = {.fd = fd[SERVER]};
        assert_int_equal(
            cdt_flow_adopt(ends->reactor, fd[CLIENT], &patient, &probe_handler, &flow[CLIENT]), 0);
        assert_int_equal(cdt_carrier_flow(ends->reactor, &rude_ops, &carrier, false, &patient,
                                          &probe_handler, &flow[SERVER]),
                         0);
        for (int i = 0; i < 2; i++)
            probe_attach(flow[i], &ends->probe[i]);
        until(ends->reactor, ends->probe[0].opened && ends->probe[1].opened);
        ends->probe[0].opened = ends->probe[1].opened = 0;
        nest_start(&nest);
        cdt_flow_shutdown(flow[SERVER], CDT_SHUT_WRITE);
        until(ends->reactor, ends->probe[CLIENT].eofs);
        cdt_flow_pause(flow[SERVER]);
        cdt_flow_close(flow[CLIENT]);
        settle(ends->reactor);
        assert_int_equal(ends->probe[CLIENT].closed, 0); /* there could be more to come */
        cdt_flow_resume(flow[SERVER]);
        expect_end(&nest); /* the server's is the reset */
        nest_free(&nest);
    }
}

/* ---- cut off --------------------------------------------------------------------------------- */

static void test_abort(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int cell = 0; cell < 8; cell++) {
            struct nest nest;
            nest_open(&nest, &way, "tupw"[cell >> 1], &patient);
            struct probe *mine = &nest.ends.probe[cell & 1];
            struct probe *other = &nest.ends.probe[1 - (cell & 1)];
            cdt_flow_abort(mine->flow, -ECANCELED, "enough");
            until(nest.ends.reactor, mine->closed && other->closed);
            assert_int_equal(mine->status, -ECANCELED);
            assert_int_equal(other->status, cell >> 1 == 1 ? -CDT_ETLSTRUNC : -ECONNRESET);
            assert_true(strlen(other->error) > 5);
            assert_int_equal(mine->eofs + other->eofs, 0);
            nest_free(&nest);
        }
    }
}

static void test_carrier_is_cut(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            struct nest nest;
            nest_open(&nest, &way, 'w', &patient);
            struct probe *other = &nest.ends.probe[1 - side];
            ends_say(&nest.ends, side, "a part");
            wire_vanish(&nest.ends.wire[side]);
            until(nest.ends.reactor, other->closed);
            assert_int_equal(other->status, -CDT_ETLSTRUNC);
            assert_int_equal(other->eofs, 0);
            nest_free(&nest);
        }
    }
}

static void relayed(struct cdt_flow *a, struct cdt_flow *b, const struct cdt_relay_result *result,
                    void *arg)
{
    (void)a, (void)b, (void)result;
    *(bool *)arg = true;
}

/* client == outer TLS == tunnel -- server: the inner TLS goes through the tunnel. The server is cut
 * off, and the tunnel ends the outer TLS in order: that must not be taken for an end of the inner
 * one. Then the same with an end in order. */
static void test_tunnel_ends(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int whole = 0; whole < 2; whole++) {
            struct nest nest;
            struct wire far[2] = {{.flow = NULL}};
            struct probe probe[2] = {{0}};
            bool over = false;
            nest_begin(&nest, &way, true);
            struct probe *client = &nest.ends.probe[CLIENT];
            ends_flows(&nest.ends, 'w', &patient);
            wire_flows(nest.ends.reactor, far, &patient, probe);
            ends_start(&nest.ends, NAME);
            ends_until_open(&nest.ends);
            assert_int_equal(
                cdt_flow_relay(nest.ends.probe[SERVER].flow, probe[0].flow, relayed, &over), 0);
            nest.ends.probe[SERVER].flow = probe[0].flow = NULL;
            probe[1].opened = client->opened = 0;
            assert_int_equal(cdt_tls_start(probe[1].flow, nest.inner[SERVER], NULL), 0);
            assert_int_equal(cdt_tls_start(client->flow, nest.inner[CLIENT], NAME), 0);
            until(nest.ends.reactor, (client->opened && probe[1].opened) || client->closed);
            assert_int_equal(cdt_flow_write(probe[1].flow, "a part", 6), 0);
            until(nest.ends.reactor, client->length == 6 || client->closed);
            assert_true(probe_has(client, "a part", 6));
            if (whole)
                cdt_flow_close(probe[1].flow);
            else
                wire_vanish(&far[1]);
            until(nest.ends.reactor, client->eofs || client->closed);
            if (whole)
                cdt_flow_close(client->flow);
            until(nest.ends.reactor, client->closed && over);
            assert_int_equal(client->status, whole ? 0 : -CDT_ETLSTRUNC);
            assert_int_equal(client->eofs, whole);
            if (probe[1].flow)
                cdt_flow_abort(probe[1].flow, 0, NULL);
            until(nest.ends.reactor, probe[1].closed);
            nest_free(&nest);
            wire_free(far);
            probe_free(&probe[1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_close),
        flow_test(test_close_at_once),
        flow_test(test_one_write),
        flow_test(test_half_close),
        flow_test(test_half_close_while_paused),
        flow_test(test_no_shutdown_below),
        flow_test(test_peer_does_not_answer),
        flow_test(test_reset_behind_the_end),
        flow_test(test_abort),
        flow_test(test_carrier_is_cut),
        flow_test(test_tunnel_ends),
    };
    return tls_main(tests);
}
