/* Servers with TLS whose other limits bite: no descriptor is left, or no slot for one connection
 * more. Nobody is lost, nothing is stuck. */
#include "test/tls/host.h"

static void no_log(void *user, enum cdt_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
}

static void begin(struct ends *ends, const struct way *way, struct serve *serve,
                  struct host_limits limits)
{
    host_begin(ends, way, serve, limits);
    cdt_reactor_set_log(ends->reactor, no_log, NULL);
}

/* A client that says something as soon as it can. */
static void dial(struct ends *ends, const struct serve *serve, struct probe *probe)
{
    host_dial(ends, serve, probe);
    assert_int_equal(cdt_flow_write(probe->flow, "hello", 5), 0);
}

static int answered(const struct probe *probes, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += probe_has(&probes[i], "hello", 5);
    return n;
}

/* A packaged wolfSSL opens /dev/urandom for each connection. */
static bool needs_descriptors(const struct way *way)
{
#ifdef CDT_WOLFSSL_BUILT
    (void)way;
    return false;
#else
    return way->backend[CLIENT] == CDT_TLS_WOLFSSL || way->backend[SERVER] == CDT_TLS_WOLFSSL;
#endif
}

/* Four clients hold the last descriptors; four more wait in the kernel. Whoever leaves makes room
 * for another, handshake and all; when there are descriptors again the others come in. */
static void test_no_descriptors(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        if (needs_descriptors(&way))
            continue;
        struct probe client[8] = {{0}};
        struct ends ends;
        struct serve serve;
        begin(&ends, &way, &serve, (struct host_limits){0});
        for (int i = 0; i < 4; i++)
            dial(&ends, &serve, &client[i]);
        until(ends.reactor, answered(client, 4) == 4);
        for (int i = 4; i < 8; i++)
            dial(&ends, &serve, &client[i]);
        test_no_more_fds();
        until(ends.reactor, serve.errors == 1);
        assert_int_equal(serve.error_status, -EMFILE);
        assert_int_equal(serve.opened, 4);
        cdt_flow_abort(cdt_server_first(serve.server), 0, NULL);
        until(ends.reactor, answered(client, 8) == 6); /* both of its ends were ours */
        settle(ends.reactor);
        assert_int_equal(serve.opened, 6);
        test_more_fds();
        until(ends.reactor, answered(client, 8) == 8);
        assert_int_equal(serve.error_status, -EMFILE); /* and nothing else */
        assert_int_equal(serve_counters(&serve).handshakes, 0);
        for (int i = 0; i < 8; i++)
            host_hang_up(&ends, &client[i]);
        host_end(&ends, &serve);
    }
}

/* Slots are taken by accepting, before there is a handshake, and given back by one that fails. */
static void test_slots(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct probe client = {0};
        struct ends ends;
        struct serve serve;
        int fds[4];
        begin(&ends, &way, &serve, (struct host_limits){.max_active = 2, .max_handshakes = 1});
        for (int i = 0; i < 4; i++)
            fds[i] = client_connect(&serve.address);
        until(ends.reactor, serve.accepted == 2);
        dial(&ends, &serve, &client); /* behind the four */
        settle(ends.reactor);
        assert_int_equal(serve_counters(&serve).active, 2);
        for (int i = 0; i < 4; i++) { /* each fails in another way, and the next takes its slot */
            if (i == 0)
                test_send(fds[i], "GET / HTTP/1.0\r\n\r\n", 18);
            else if (i == 1)
                client_reset(fds[i]);
            else
                shutdown(fds[i], SHUT_WR);
            until(ends.reactor, serve.errors == i + 1);
            assert_in_range(serve_counters(&serve).active, 0, 2);
            assert_in_range(serve.accepted, i + 2, i + 3);
            if (i != 1)
                close(fds[i]);
        }
        until(ends.reactor, probe_has(&client, "hello", 5));
        assert_int_equal(serve_counters(&serve).active, 1);
        assert_int_equal(serve_counters(&serve).aborted, 4);
        host_hang_up(&ends, &client);
        until(ends.reactor, serve_counters(&serve).active == 0);
        host_end(&ends, &serve);
    }
}

enum { MANY = 30 };

/* Three slots, two places, and a crowd in which every third one goes away at once: all others are
 * served in the end. */
static void test_crowd(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct probe client[MANY] = {{0}};
        struct ends ends;
        struct serve serve;
        begin(&ends, &way, &serve, (struct host_limits){.max_active = 3, .max_handshakes = 2});
        for (int i = 0; i < MANY; i++)
            dial(&ends, &serve, &client[i]);
        for (int i = 0; i < MANY; i += 3)
            host_hang_up(&ends, &client[i]);
        int done = 0;
        for (const uint64_t deadline = test_deadline(); done < MANY - MANY / 3;) {
            cdt_reactor_step(ends.reactor, 10 * CDT_MS);
            assert_in_range(serve_counters(&serve).active, 0, 3);
            assert_in_range(serve_counters(&serve).handshakes, 0, 2);
            assert_true(test_now() < deadline);
            for (int i = 0; i < MANY; i++) {
                assert_string_equal(client[i].error, "");
                if (!client[i].flow || !probe_has(&client[i], "hello", 5))
                    continue;
                host_hang_up(&ends, &client[i]);
                done++;
            }
        }
        until(ends.reactor, serve_counters(&serve).active == 0);
        assert_int_equal(serve_counters(&serve).handshakes, 0);
        assert_in_range(serve.opened, done, MANY);
        host_end(&ends, &serve);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_no_descriptors),
        flow_test(test_slots),
        flow_test(test_crowd),
    };
    return tls_main(tests);
}
