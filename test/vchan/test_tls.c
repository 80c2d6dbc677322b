/* TLS over a vchan of the local backend: every pair of backends, TLS 1.2 and 1.3, through small
 * rings; more bytes than they hold both ways at once; and all the ways to end. */
#include "test/vchan/meeting.h"

#include "test/tls/tls.h"

enum { BULK = 300 * 1000 };

static struct ends ends;
static struct serve serve;

/* TLS begins before anything is read: as a server for tls+vchan does it. */
static int start_server(struct serve *server, struct cdt_flow *flow)
{
    (void)server;
    probe_attach(flow, &ends.probe[SERVER]);
    return cdt_tls_start(flow, ends.config[SERVER], NULL);
}

/* Two flows with TLS, open. The client begins with TLS before (`early`) or after it has
 * connected. */
static void open_ends(const struct way *way, bool early)
{
    struct probe *client = &ends.probe[CLIENT];
    ends_begin(&ends, way, NULL, NULL);
    serve = (struct serve){.on_accept = start_server};
    served_by = &probe_handler;
    serve_here(ends.reactor, &serve, 0, 0);
    start_client(ends.reactor, client);
    if (!early) {
        until(ends.reactor, client->opened);
        client->opened = 0;
    }
    assert_int_equal(cdt_tls_start(client->flow, ends.config[CLIENT], NAME), 0);
    ends_until_open(&ends);
}

static void end_all(void)
{
    serve_stop(ends.reactor, &serve);
    ends_free(&ends);
    assert_int_equal(count_rings(), 0);
}

/* More than the rings hold, both ways at once. */
static void exchange(void)
{
    static uint8_t bytes[BULK];
    test_pattern(bytes, sizeof bytes, 0);
    for (int i = 0; i < 2; i++)
        assert_true(cdt_flow_write(ends.probe[i].flow, bytes, sizeof bytes) >= 0);
    until(ends.reactor, (ends.probe[0].length == BULK && ends.probe[1].length == BULK) ||
                            ends.probe[0].closed || ends.probe[1].closed);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ends.probe[i].closed, 0);
        assert_true(test_is_pattern(ends.probe[i].data, BULK, 0));
    }
}

static void test_bulk(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int first = 0; first < 2; first++) {
            open_ends(&way, first == 0);
            ends_say(&ends, first, "greeting");
            ends.probe[1 - first].length = 0;
            exchange();
            ends_close(&ends, first);
            end_all();
        }
    }
}

/* All that was written before the close arrives, then the end, in order. */
static void test_write_and_close(void **state)
{
    static uint8_t bytes[BULK];
    (void)state;
    test_pattern(bytes, sizeof bytes, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int first = 0; first < 2; first++) {
            struct probe *other = &ends.probe[1 - first];
            open_ends(&way, true);
            assert_true(cdt_flow_write(ends.probe[first].flow, bytes, sizeof bytes) >= 0);
            ends_close(&ends, first);
            assert_int_equal(other->length, BULK);
            assert_true(test_is_pattern(other->data, BULK, 0));
            end_all();
        }
    }
}

/* One side ends; the other one answers at length. */
static void test_half_close(void **state)
{
    static uint8_t bytes[BULK];
    (void)state;
    test_pattern(bytes, sizeof bytes, 0);
    for (struct way way = {0}; way_next(&way);) {
        for (int first = 0; first < 2; first++) {
            struct probe *mine = &ends.probe[first], *other = &ends.probe[1 - first];
            open_ends(&way, false);
            assert_int_equal(cdt_flow_shutdown(mine->flow, CDT_SHUT_WRITE), 0);
            until(ends.reactor, other->eofs || other->closed);
            assert_int_equal(other->closed, 0);
            assert_true(cdt_flow_write(other->flow, bytes, sizeof bytes) >= 0);
            cdt_flow_close(other->flow);
            until(ends.reactor, mine->closed && other->closed);
            assert_int_equal(mine->status, 0);
            assert_int_equal(other->status, 0);
            assert_int_equal(mine->eofs, 1);
            assert_int_equal(mine->length, BULK);
            assert_true(test_is_pattern(mine->data, BULK, 0));
            end_all();
        }
    }
}

/* An end that is not one of TLS is an error, also behind data. */
static void test_abort(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        for (int first = 0; first < 2; first++) {
            struct probe *other = &ends.probe[1 - first];
            open_ends(&way, true);
            assert_int_equal(cdt_flow_write(ends.probe[first].flow, "greeting", 8), 0);
            cdt_flow_abort(ends.probe[first].flow, -ECANCELED, NULL);
            until(ends.reactor, other->closed);
            assert_true(probe_has(other, "greeting", 8));
            assert_int_equal(other->eofs, 0);
            assert_int_equal(other->status, -ECONNRESET);
            end_all();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        meeting_test(test_bulk),
        meeting_test(test_write_and_close),
        meeting_test(test_half_close),
        meeting_test(test_abort),
    };
    return tls_main(tests);
}
