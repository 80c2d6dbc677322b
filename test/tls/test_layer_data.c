/* TLS over flows: what was negotiated, data both ways with back-pressure, a byte at a time, split
 * anywhere, TLS in TLS, new keys. Every pair of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* ---- what was negotiated --------------------------------------------------------------------- */

static void check_pem(const struct cdt_flow *flow)
{
    char pem[4096], part[20], *want = pki_read(pki("p256.bare.pem"));
    const char *begin = strstr(want, "-----BEGIN");
    const int length = cdt_tls_peer_pem(flow, pem, sizeof pem);
    assert_int_equal(length, strlen(pem));
    assert_int_equal(strncmp(pem, begin, strlen(pem) - 1), 0);
    assert_int_equal(cdt_tls_peer_pem(flow, NULL, 0), length);
    assert_int_equal(cdt_tls_peer_pem(flow, part, sizeof part), length);
    assert_memory_equal(part, pem, sizeof part - 1);
    assert_int_equal(part[sizeof part - 1], 0);
    free(want);
}

static void test_info(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options options[2] = {tls_options(&way, CLIENT), tls_options(&way, SERVER)};
        struct cdt_tls_info info;
        struct ends ends;
        char pem[100];
        options[CLIENT].alpn = "x,b,a";
        options[SERVER].alpn = "a,b,c";
        ends_begin(&ends, &way, &options[CLIENT], &options[SERVER]);
        ends_flows(&ends, 'p', NULL);
        assert_int_equal(cdt_tls_info(ends.probe[0].flow, &info), -ENOENT);
        assert_int_equal(cdt_tls_update_key(ends.probe[0].flow), -ENOENT);
        ends_start(&ends, NAME);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(cdt_tls_info(ends.probe[i].flow, &info), -ENOTCONN);
            assert_int_equal(cdt_flow_state(ends.probe[i].flow), CDT_HANDSHAKING);
        }
        ends_until_open(&ends);
        for (int i = 0; i < 2; i++) {
            info = tls_info(ends.probe[i].flow);
            assert_int_equal(info.backend, way.backend[i]);
            assert_int_equal(info.role, i == CLIENT ? CDT_TLS_CLIENT : CDT_TLS_SERVER);
            assert_string_equal(info.version, way.old ? "TLSv1.2" : "TLSv1.3");
            assert_string_equal(info.alpn, "a");
            assert_string_equal(info.server_name, NAME);
            assert_false(info.resumed);
            assert_int_equal(info.has_certificate, i == CLIENT);
            assert_int_equal(tls_counters(ends.config[i]).handshakes, 1);
            assert_int_equal(tls_counters(ends.config[i]).failed, 0);
            assert_int_equal(ends.probe[i].opened, 1);
        }
        assert_int_equal(strncmp(info.cipher, way.old ? "TLS_ECDHE_ECDSA_WITH_" : "TLS_", 4), 0);
        assert_string_equal(info.cipher, tls_info(ends.probe[CLIENT].flow).cipher);
        check_pem(ends.probe[CLIENT].flow);
        assert_int_equal(cdt_tls_peer_pem(ends.probe[SERVER].flow, pem, sizeof pem), -ENODATA);
        assert_int_equal(cdt_tls_info(NULL, &info), -EINVAL);
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

static void test_no_alpn_and_no_name(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        struct ends ends;
        client.check_host = client.check_ip = CDT_OFF;
        client.alpn = "only-the-client-has-it";
        ends_begin(&ends, &way, &client, NULL);
        ends_flows(&ends, 't', NULL);
        ends_start(&ends, NULL);
        ends_until_open(&ends);
        for (int i = 0; i < 2; i++) {
            assert_string_equal(tls_info(ends.probe[i].flow).alpn, "");
            assert_string_equal(tls_info(ends.probe[i].flow).server_name, "");
        }
        ends_close(&ends, SERVER);
        ends_free(&ends);
    }
}

/* ---- data ------------------------------------------------------------------------------------ */

static void test_echo(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (const char *kind = "tupw"; *kind; kind++) {
            struct ends ends;
            ends_open(&ends, &way, *kind, NULL);
            for (int i = 0; i < 50; i++) {
                char text[20];
                snprintf(text, sizeof text, "line %d", i);
                ends_say(&ends, i & 1, text);
                ends_say(&ends, !(i & 1), text);
            }
            ends_close(&ends, *kind & 1);
            ends_free(&ends);
        }
    }
}

enum { BIG = 3 << 20 };

struct source {
    size_t sent;
    uint32_t random;
    unsigned pauses, full;
};

static void pour(struct probe *probe)
{
    static uint8_t data[50000];
    struct source *source = probe->arg;
    while (source->sent < BIG) {
        size_t length = (source->random = source->random * 1103515245 + 12345) >> 16;
        length = 1 + length % sizeof data;
        if (length > BIG - source->sent)
            length = BIG - source->sent;
        test_pattern(data, length, source->sent);
        const int result = cdt_flow_write(probe->flow, data, length);
        assert_in_range(result, 0, 1);
        source->sent += length;
        if (result == 1) {
            source->full++;
            return;
        }
    }
}

static void pause_now_and_then(struct probe *probe, const void *data, size_t length)
{
    struct source *source = probe->arg;
    (void)data, (void)length;
    if (probe->reads % 16 == 5) {
        source->pauses++;
        cdt_flow_pause(probe->flow);
    }
}

/* Both ways at once; each side pauses in the middle of many records. */
static void test_big(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (const char *kind = "tpw"; *kind; kind++) {
            struct source source[2] = {{.random = 1}, {.random = 2}};
            struct ends ends;
            ends_open(&ends, &way, *kind, NULL);
            ends.wire[0].limit = ends.wire[1].limit = 100000;
            for (int i = 0; i < 2; i++) {
                ends.probe[i].arg = &source[i];
                ends.probe[i].on_writable = pour;
                ends.probe[i].on_read = pause_now_and_then;
                pour(&ends.probe[i]);
            }
            const uint64_t end = test_deadline();
            while (ends.probe[0].length < BIG || ends.probe[1].length < BIG) {
                cdt_reactor_step(ends.reactor, CDT_MS);
                for (int i = 0; i < 2; i++)
                    cdt_flow_resume(ends.probe[i].flow);
                assert_true(test_now() < end);
                assert_int_equal(ends.probe[0].closed + ends.probe[1].closed, 0);
            }
            for (int i = 0; i < 2; i++) {
                assert_int_equal(ends.probe[i].length, BIG);
                assert_true(test_is_pattern(ends.probe[i].data, BIG, 0));
                assert_true(source[i].pauses > 0);
                assert_true(source[i].full > 0 || *kind == 't'); /* kernels take much */
                ends.probe[i].on_read = NULL;
            }
            ends_close(&ends, SERVER);
            ends_free(&ends);
        }
    }
}

/* Paused before the data comes: nothing is read, memory stays bounded, nothing is lost. */
static void test_paused_reader(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        uint8_t data[30000];
        size_t sent = 0, queued;
        ends_open(&ends, &way, 't', NULL);
        cdt_flow_pause(ends.probe[CLIENT].flow);
        test_pattern(data, sizeof data, 0);
        for (int full = 0; !full && sent < 100 << 20; sent += sizeof data) {
            full = cdt_flow_write(ends.probe[SERVER].flow, data, sizeof data);
            settle(ends.reactor);
            assert_in_range(full, 0, 1);
        }
        assert_true(sent < 100 << 20); /* the watermark was reached */
        assert_int_equal(ends.probe[CLIENT].length, 0);
        assert_int_equal(cdt_flow_pending(ends.probe[SERVER].flow, &queued, NULL), 0);
        assert_in_range(queued, 1, 200000);
        cdt_flow_resume(ends.probe[CLIENT].flow);
        until(ends.reactor, ends.probe[CLIENT].length == sent);
        until(ends.reactor, ends.probe[SERVER].writables == 1);
        for (size_t at = 0; at < sent; at += sizeof data)
            assert_memory_equal(ends.probe[CLIENT].data + at, data, sizeof data);
        ends_close(&ends, CLIENT);
        ends_free(&ends);
    }
}

static void test_written_before_open(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int closing = 0; closing < 2; closing++) {
            struct ends ends;
            ends_begin(&ends, &way, NULL, NULL);
            ends_flows(&ends, 't', NULL);
            ends_start(&ends, NAME);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(cdt_flow_write(ends.probe[i].flow, "early", 5), 0);
                if (closing)
                    cdt_flow_close(ends.probe[i].flow);
            }
            if (closing) {
                until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
                assert_int_equal(ends.probe[0].status | ends.probe[1].status, 0);
                assert_int_equal(ends.probe[0].opened + ends.probe[1].opened, 0);
            } else {
                until(ends.reactor, ends.probe[0].length == 5 && ends.probe[1].length == 5);
                ends_close(&ends, CLIENT);
            }
            ends_free(&ends);
        }
    }
}

/* ---- how bytes arrive ------------------------------------------------------------------------ */

static void test_byte_at_a_time(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 5, 7, 100, 1000};
    uint8_t data[20000];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            struct ends ends;
            ends_begin(&ends, &way, NULL, NULL);
            ends.wire[0].step = ends.wire[1].step = steps[i];
            ends_flows(&ends, 'w', NULL);
            ends_start(&ends, NAME);
            ends_until_open(&ends);
            for (int side = 0; side < 2; side++) {
                assert_int_equal(cdt_flow_write(ends.probe[side].flow, data, sizeof data), 0);
                until(ends.reactor, ends.probe[1 - side].length == sizeof data);
                assert_memory_equal(ends.probe[1 - side].data, data, sizeof data);
            }
            ends_close(&ends, CLIENT);
            ends_free(&ends);
        }
    }
}

/* One side's stream comes in two parts, at every offset: 1 if there was such an offset. */
static int split(const struct way *way, int side, size_t offset)
{
    struct ends ends;
    int there;
    ends_begin(&ends, way, NULL, NULL);
    ends.wire[side].pause = offset;
    ends_flows(&ends, 'w', NULL);
    ends_start(&ends, NAME);
    ends_until_open(&ends);
    ends_say(&ends, side, "a line of text that is long enough to be cut anywhere");
    ends_close(&ends, side);
    there = ends.wire[side].pause == 0;
    ends_free(&ends);
    return there;
}

static void test_split_anywhere(void **state)
{
    (void)state;
    const size_t stride = test_slow() ? 37 : 5;
    for (struct way way = {0}; way_next(&way);) {
        for (int side = 0; side < 2; side++) {
            size_t offset = 1 + way.next % stride, sum = 0;
            while (split(&way, side, offset)) {
                offset += stride;
                sum++;
            }
            assert_true(sum > 250 / stride);
        }
    }
}

/* ---- layers ---------------------------------------------------------------------------------- */

/* Inner ones towards a server of another name. */
static void test_tls_in_tls(void **state)
{
    (void)state;
    static uint8_t data[300000];
    test_pattern(data, sizeof data, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int depth = 2; depth <= 3; depth++) {
            struct cdt_tls_options server = tls_options(&way, SERVER);
            struct ends ends;
            server.identities = tls_identity("one");
            ends_begin(&ends, &way, NULL, NULL);
            struct cdt_tls_config *inner = tls_config(ends.reactor, &server);
            ends_flows(&ends, depth == 2 ? 't' : 'p', NULL);
            ends_start(&ends, NAME);
            for (int i = 1; i < depth; i++) {
                assert_int_equal(cdt_tls_start(ends.probe[SERVER].flow, inner, NULL), 0);
                assert_int_equal(
                    cdt_tls_start(ends.probe[CLIENT].flow, ends.config[CLIENT], "one.test"), 0);
            }
            ends_until_open(&ends);
            for (int i = 0; i < 2; i++) {
                assert_string_equal(tls_info(ends.probe[i].flow).server_name, "one.test");
                assert_int_equal(ends.probe[i].opened, 1);
                assert_in_range(cdt_flow_write(ends.probe[i].flow, data, sizeof data), 0, 1);
            }
            for (int i = 0; i < 2; i++) {
                until(ends.reactor, ends.probe[i].length == sizeof data);
                assert_memory_equal(ends.probe[i].data, data, sizeof data);
            }
            ends_close(&ends, depth & 1);
            cdt_tls_config_free(inner);
            ends_free(&ends);
        }
    }
}

static void test_inner_name_is_wrong(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_open(&ends, &way, 't', NULL);
        assert_int_equal(cdt_tls_start(ends.probe[SERVER].flow, ends.config[SERVER], NULL), 0);
        assert_int_equal(cdt_tls_start(ends.probe[CLIENT].flow, ends.config[CLIENT], "one.test"),
                         0);
        until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
        assert_int_equal(ends.probe[CLIENT].status, -CDT_ETLSNAME);
        assert_int_equal(ends.probe[SERVER].status, -CDT_ETLSALERT);
        assert_non_null(strstr(ends.probe[CLIENT].error, NAME));
        ends_free(&ends);
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void test_update_key(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_open(&ends, &way, 't', NULL);
        for (int i = 0; i < 20; i++) {
            const int side = i % 3 % 2, result = cdt_tls_update_key(ends.probe[side].flow);
            assert_int_equal(result, way.old ? -ENOTSUP : 0);
            if (i == 10) /* both at once */
                assert_int_equal(cdt_tls_update_key(ends.probe[1 - side].flow), result);
            ends_say(&ends, i & 1, "with new keys");
            ends_say(&ends, !(i & 1), "both ways");
        }
        cdt_flow_shutdown(ends.probe[SERVER].flow, CDT_SHUT_WRITE);
        until(ends.reactor, ends.probe[CLIENT].eofs);
        assert_int_equal(cdt_tls_update_key(ends.probe[SERVER].flow), -EPIPE);
        cdt_flow_close(ends.probe[CLIENT].flow);
        until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
        assert_int_equal(ends.probe[0].status | ends.probe[1].status, 0);
        ends_free(&ends);
    }
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    static const char *const bad[] = {"a b", "exa mple.test", "..", "a..b", "x\ny"};
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        char name[300];
        memset(name, 'a', sizeof name - 1);
        name[sizeof name - 1] = 0;
        ends_begin(&ends, &way, NULL, NULL);
        ends_flows(&ends, 'p', NULL);
        struct cdt_flow *flow = ends.probe[CLIENT].flow;
        assert_int_equal(cdt_tls_start(NULL, ends.config[CLIENT], NAME), -EINVAL);
        assert_int_equal(cdt_tls_start(flow, NULL, NAME), -EINVAL);
        assert_int_equal(cdt_tls_start(flow, ends.config[CLIENT], name), -EINVAL);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            assert_int_equal(cdt_tls_start(flow, ends.config[CLIENT], bad[i]), -EINVAL);
        ends_start(&ends, NAME); /* the flow is as it was */
        ends_until_open(&ends);
        ends_say(&ends, CLIENT, "good");
        ends_free(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_info),           flow_test(test_no_alpn_and_no_name),
        flow_test(test_echo),           flow_test(test_big),
        flow_test(test_paused_reader),  flow_test(test_written_before_open),
        flow_test(test_byte_at_a_time), flow_test(test_split_anywhere),
        flow_test(test_tls_in_tls),     flow_test(test_inner_name_is_wrong),
        flow_test(test_update_key),     flow_test(test_wrong_arguments),
    };
    return tls_main(tests);
}
