/* Handshakes of a server: their timeout, their limit, who takes a place and who loses it; failures that
 * reach on_error with code and sentence; counters. Every backend, TLS 1.3 and 1.2. */
#include "test/tls/host.h"

/* A real ClientHello, to be sent by hand; at most `size` bytes. */
static size_t hello_of(const struct way *way, uint8_t *hello, size_t size)
{
    struct ends ends;
    ends_begin(&ends, way, NULL, NULL);
    ends.wire[CLIENT].keep = true;
    ends_flows(&ends, 'w', NULL);
    assert_int_equal(cdt_tls_start(ends.probe[CLIENT].flow, ends.config[CLIENT], NAME), 0);
    settle(ends.reactor);
    const size_t length = ends.wire[CLIENT].total;
    assert_in_range(length, 100, size);
    memcpy(hello, ends.wire[CLIENT].log, length);
    ends_free(&ends);
    return length;
}

/* ---- timeout --------------------------------------------------------------------------------- */

/* Nothing, a part of the hello, the hello and no more: each is ended by the handshake timeout, and
 * told with the peer's address. */
static void test_timeout(void **state)
{
    (void)state;
    uint8_t hello[2000];
    for (struct way way = {0}; way_next(&way);) {
        const size_t length = hello_of(&way, hello, sizeof hello), sizes[] = {0, 1, 100, length};
        for (size_t i = 0; i < 4; i++) {
            struct ends ends;
            struct serve serve;
            host_begin(&ends, &way, &serve, (struct host_limits){.timeout = 60 * CDT_MS});
            const uint64_t before = test_now();
            int fd = client_connect(&serve.address);
            until(ends.reactor, serve.accepted);
            if (sizes[i])
                test_send(fd, hello, sizes[i]);
            until(ends.reactor, serve.errors);
            assert_int_equal(serve.error_status, -CDT_EHANDSHAKE);
            assert_true(strlen(serve.error_text) > 5);
            assert_true(serve.error_has_peer);
            assert_true(test_now() - before >= 60 * CDT_MS);
            assert_int_equal(serve.opened + serve.closed, 0);
            assert_int_equal(serve_counters(&serve).handshakes, 0);
            close(fd);
            host_end(&ends, &serve);
        }
    }
}

static void test_client_times_out(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .handshake_timeout = 60 * CDT_MS};
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        ends_begin(&ends, &way, NULL, NULL);
        ends_flows(&ends, 'u', &options);
        assert_int_equal(cdt_tls_start(ends.probe[CLIENT].flow, ends.config[CLIENT], NAME), 0);
        until(ends.reactor, ends.probe[CLIENT].closed);
        assert_int_equal(ends.probe[CLIENT].status, -CDT_EHANDSHAKE);
        assert_int_equal(ends.probe[CLIENT].opened, 0);
        ends_free(&ends);
    }
}

/* ---- limit ----------------------------------------------------------------------------------- */

enum { MANY = 20 };

/* Twenty at once through two places: all open, never more than two at a time. */
static void test_limit(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct probe client[MANY] = {{0}};
        struct ends ends;
        struct serve serve;
        host_begin(&ends, &way, &serve, (struct host_limits){.max_handshakes = 2});
        for (int i = 0; i < MANY; i++)
            host_dial(&ends, &serve, &client[i]);
        const uint64_t deadline = test_deadline();
        for (int open = 0; open < MANY;) {
            open = 0;
            cdt_reactor_step(ends.reactor, 10 * CDT_MS);
            assert_in_range(serve_counters(&serve).handshakes, 0, 2);
            for (int i = 0; i < MANY; i++) {
                assert_string_equal(client[i].error, "");
                open += client[i].opened;
            }
            assert_true(test_now() < deadline);
        }
        until(ends.reactor, serve.opened == MANY);
        assert_true(serve_counters(&serve).handshakes_waited > 0);
        assert_int_equal(serve.errors, 0);
        for (int i = 0; i < MANY; i++)
            host_hang_up(&ends, &client[i]);
        host_end(&ends, &serve);
    }
}

/* Those that say nothing, or not all of their hello, take no place. */
static void test_silent_take_no_place(void **state)
{
    (void)state;
    uint8_t hello[2000];
    for (struct way way = {0}; way_next(&way);) {
        const size_t length = hello_of(&way, hello, sizeof hello);
        struct probe client = {0};
        struct ends ends;
        struct serve serve;
        int fds[MANY];
        host_begin(&ends, &way, &serve, (struct host_limits){.max_handshakes = 2});
        for (int i = 0; i < MANY; i++)
            fds[i] = client_connect(&serve.address);
        until(ends.reactor, serve.accepted == MANY);
        for (int i = MANY / 2; i < MANY; i++)
            test_send(fds[i], hello, length - 1);
        settle(ends.reactor);
        assert_int_equal(serve_counters(&serve).handshakes, 0);
        const uint64_t before = test_now();
        host_dial(&ends, &serve, &client);
        until(ends.reactor, client.opened || client.closed);
        assert_string_equal(client.error, "");
        assert_true(test_now() - before < 2 * CDT_SECOND ||
                    test_slow()); /* nobody had to give way */
        for (int i = 0; i < MANY; i++)
            close(fds[i]);
        host_hang_up(&ends, &client);
        host_end(&ends, &serve);
    }
}

/* Those that stall after their hello lose their places after two seconds, since others wait. */
static void test_stalled_give_way(void **state)
{
    (void)state;
    uint8_t hello[2000];
    for (struct way way = {0}; way_next(&way);) {
        if (way.backend[CLIENT] != way.backend[SERVER])
            continue; /* it takes two seconds; the client's backend does not matter */
        const size_t length = hello_of(&way, hello, sizeof hello);
        struct probe client = {0};
        struct ends ends;
        struct serve serve;
        int fds[2];
        host_begin(&ends, &way, &serve,
                   (struct host_limits){.max_handshakes = 2, .timeout = 60 * CDT_SECOND});
        for (int i = 0; i < 2; i++) {
            fds[i] = client_connect(&serve.address);
            until(ends.reactor, serve.accepted == i + 1);
            test_send(fds[i], hello, length);
        }
        until(ends.reactor, serve_counters(&serve).handshakes == 2);
        const uint64_t before = test_now();
        host_dial(&ends, &serve, &client);
        until(ends.reactor, client.opened || client.closed);
        assert_string_equal(client.error, "");
        assert_true(test_now() - before >= 1 * CDT_SECOND);
        assert_in_range(serve.errors, 1, 2);
        assert_int_equal(serve.error_status, -CDT_EHANDSHAKE);
        close(fds[0]);
        close(fds[1]);
        host_hang_up(&ends, &client);
        host_end(&ends, &serve);
    }
}

/* Alone they may take their time. */
static void test_stalled_alone(void **state)
{
    (void)state;
    uint8_t hello[2000], answer[1];
    struct way way = {0};
    assert_true(way_next(&way));
    const size_t length = hello_of(&way, hello, sizeof hello);
    struct ends ends;
    struct serve serve;
    host_begin(&ends, &way, &serve,
               (struct host_limits){.max_handshakes = 2, .timeout = 60 * CDT_SECOND});
    int fd = client_connect(&serve.address);
    until(ends.reactor, serve.accepted);
    test_send(fd, hello, length);
    until(ends.reactor, recv(fd, answer, 1, MSG_DONTWAIT) == 1);
    const uint64_t end_of_wait = test_now() + 2500 * CDT_MS;
    until(ends.reactor, test_now() > end_of_wait);
    assert_int_equal(serve.errors, 0);
    assert_int_equal(serve_counters(&serve).handshakes, 1);
    close(fd);
    until(ends.reactor, serve.errors == 1);
    host_end(&ends, &serve);
}

/* Clients that wait for a place and go away leave the line; a stop ends those that wait. */
static void test_leave_the_line(void **state)
{
    (void)state;
    uint8_t hello[2000];
    for (struct way way = {0}; way_next(&way);) {
        const size_t length = hello_of(&way, hello, sizeof hello);
        struct probe client = {0};
        struct ends ends;
        struct serve serve;
        int fds[6];
        host_begin(&ends, &way, &serve, (struct host_limits){.max_handshakes = 1});
        for (int i = 0; i < 6; i++) {
            fds[i] = client_connect(&serve.address);
            until(ends.reactor, serve.accepted == i + 1);
            test_send(fds[i], hello, length);
            settle(ends.reactor);
        }
        assert_int_equal(serve_counters(&serve).handshakes, 1);
        for (int i = 1; i < 4; i++)
            client_reset(fds[i]);
        client_reset(fds[0]); /* the place is free: for the fifth, then the sixth */
        until(ends.reactor, serve.errors >= 1);
        client_reset(fds[4]);
        client_reset(fds[5]);
        until(ends.reactor, serve.errors == 6);
        assert_int_equal(serve_counters(&serve).handshakes, 0);
        host_dial(&ends, &serve, &client);
        until(ends.reactor, client.opened || client.closed);
        assert_string_equal(client.error, "");
        int last = client_connect(&serve.address);
        until(ends.reactor, serve.accepted == 8);
        test_send(last, hello, length);
        settle(ends.reactor);
        host_hang_up(&ends, &client);
        host_end(&ends, &serve); /* with one in the middle of its handshake */
        close(last);
    }
}

/* What comes behind a hello that waits for a place stays where it is, also if that came in pieces. */
static void test_waits_without_reading(void **state)
{
    (void)state;
    static const uint8_t more[64 * 1024];
    uint8_t hello[2000];
    for (struct way way = {0}; way_next(&way);) {
        const size_t length = hello_of(&way, hello, sizeof hello);
        struct ends ends;
        struct serve serve;
        int fds[2];
        host_begin(&ends, &way, &serve,
                   (struct host_limits){.max_handshakes = 1, .timeout = 60 * CDT_SECOND});
        for (int i = 0; i < 2; i++) {
            fds[i] = client_connect(&serve.address);
            until(ends.reactor, serve.accepted == i + 1);
            test_send(fds[i], hello, 100);
            settle(ends.reactor);
            test_send(fds[i], hello + 100, length - 100);
            settle(ends.reactor);
        }
        assert_int_equal(serve_counters(&serve).handshakes_waited, 1);
        for (int i = 0; i < 1000; i++) {
            const ssize_t n = send(fds[1], more, sizeof more, MSG_DONTWAIT | MSG_NOSIGNAL);
            assert_true(n > 0 || errno == EAGAIN);
            cdt_reactor_step(ends.reactor, 0);
        }
        assert_in_range(serve_counters(&serve).bytes_in, 2 * length, 3 * sizeof more);
        close(fds[0]);
        close(fds[1]);
        host_end(&ends, &serve);
    }
}

/* ---- failures -------------------------------------------------------------------------------- */

static const struct {
    const char *bytes;
    size_t length;
    bool goes; /* and ends its stream */
    int code;
} garbage[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, false, -CDT_ETLS},
    {"SSH-2.0-OpenSSH_9.2\r\n", 21, false, -CDT_ETLS},
    {"\x16\x03\x01\xff\xff", 5, false, -CDT_ETLS},
    {"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, false, -CDT_ETLS},
    {"\x15\x03\x01\x00\x02\x02\x28", 7, false, -CDT_ETLS},
    {"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03", 11, true, -ECONNRESET},
    {"", 0, true, -ECONNRESET},
};

static void test_garbage(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct serve serve;
        host_begin(&ends, &way, &serve, (struct host_limits){0});
        for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
            int fd = client_connect(&serve.address);
            until(ends.reactor, serve.accepted == (int)i + 1);
            if (garbage[i].length)
                test_send(fd, garbage[i].bytes, garbage[i].length);
            if (garbage[i].goes)
                shutdown(fd, SHUT_WR);
            until(ends.reactor, serve.errors == (int)i + 1);
            if (serve.error_status != garbage[i].code)
                fail_msg("case %zu: %s: %s", i, cdt_errname(serve.error_status), serve.error_text);
            assert_true(strlen(serve.error_text) > 5);
            assert_true(serve.error_has_peer);
            close(fd);
        }
        assert_int_equal(serve.opened + serve.closed, 0);
        assert_int_equal(tls_counters(ends.config[SERVER]).handshakes, 0);
        host_end(&ends, &serve);
    }
}

/* Clients that do not like our certificate say so. */
static void test_alerts_are_told(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct cdt_tls_options client = tls_options(&way, CLIENT);
        struct ends ends;
        struct serve serve;
        struct probe probe = {0};
        host_begin(&ends, &way, &serve, (struct host_limits){0});
        client.ca_file = pki("other-ca.pem");
        cdt_tls_config_free(ends.config[CLIENT]);
        ends.config[CLIENT] = tls_config(ends.reactor, &client);
        host_dial(&ends, &serve, &probe);
        until(ends.reactor, probe.closed && serve.errors);
        assert_int_equal(serve.error_status, -CDT_ETLSALERT);
        assert_non_null(strstr(serve.error_text, "unknown ca"));
        assert_int_equal(probe.status, -CDT_ETLSCERT);
        assert_int_equal(tls_counters(ends.config[SERVER]).failed, 1);
        assert_int_equal(serve_counters(&serve).aborted, 1);
        probe_free(&probe);
        host_end(&ends, &serve);
    }
}

/* Opened, then truncated: on_close and on_error both tell. */
static void test_truncation_is_told(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct serve serve;
        struct probe probe = {0};
        host_begin(&ends, &way, &serve, (struct host_limits){0});
        host_dial(&ends, &serve, &probe);
        until(ends.reactor, probe.opened && serve.opened);
        shutdown(cdt_flow_fd(probe.flow), SHUT_WR);
        until(ends.reactor, serve.errors);
        assert_int_equal(serve.error_status, -CDT_ETLSTRUNC);
        assert_int_equal(serve.closed, 1);
        host_hang_up(&ends, &probe);
        host_end(&ends, &serve);
    }
}

/* Draining: flows that shake hands are told and ended by the deadline. */
static void test_drain(void **state)
{
    (void)state;
    for (struct way way = {0}; way_next(&way);) {
        struct ends ends;
        struct serve serve;
        struct probe probe = {0};
        host_begin(&ends, &way, &serve, (struct host_limits){0});
        host_dial(&ends, &serve, &probe);
        until(ends.reactor, probe.opened && serve.opened);
        int fd = client_connect(&serve.address);
        until(ends.reactor, serve.accepted == 2);
        assert_int_equal(cdt_server_stop(serve.server, 50 * CDT_MS), 0);
        until(ends.reactor, serve.stopped);
        assert_int_equal(serve.told_to_stop, 2);
        assert_int_equal(serve.last.aborted, 2);
        close(fd);
        host_hang_up(&ends, &probe);
        ends_free(&ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_timeout),
        flow_test(test_client_times_out),
        flow_test(test_limit),
        flow_test(test_silent_take_no_place),
        flow_test(test_stalled_give_way),
        flow_test(test_stalled_alone),
        flow_test(test_leave_the_line),
        flow_test(test_waits_without_reading),
        flow_test(test_garbage),
        flow_test(test_alerts_are_told),
        flow_test(test_truncation_is_told),
        flow_test(test_drain),
    };
    return tls_main(tests);
}
