/* The relay of bulk between kernel sockets, through pipes: the bytes and their counts, half-closes,
 * a sink that stalls, either side failing, and when it must copy instead. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test/support/probe.h"

enum { BULK = 24 * 1024 * 1024, MOST_SPARE_FDS = 8 };

struct joint {
    int called;
    struct cdt_relay_result result;
};

static void joined_done(struct cdt_flow *a, struct cdt_flow *b,
                        const struct cdt_relay_result *result, void *arg)
{
    (void)a, (void)b;
    struct joint *joint = arg;
    joint->called++;
    joint->result = *result;
}

static const struct cdt_handler plain = {.size = sizeof plain};

/* Two flows over sockets of these kinds ('T': one that blocks), the peers' ends, and a relay. */
static void make(struct cdt_reactor *reactor, const char *kinds,
                 const struct cdt_flow_options *options, struct cdt_flow *flow[2], int peer[2],
                 struct joint *joint)
{
    for (int i = 0; i < 2; i++) {
        int fd[2];
        if (kinds[i] == 'u')
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        else
            test_tcp_sockets(fd);
        if (kinds[i] != 'T')
            fcntl(fd[0], F_SETFL, fcntl(fd[0], F_GETFL) | O_NONBLOCK);
        assert_int_equal(cdt_flow_adopt(reactor, fd[0], options, &plain, &flow[i]), 0);
        peer[i] = fd[1];
    }
    *joint = (struct joint){0};
    assert_int_equal(cdt_flow_relay(flow[0], flow[1], joined_done, joint), 0);
}

/* Descriptors of this process that are pipes, less those that it began with. */
static int begun_with;

static int count_pipes(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[300], target[16] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof target - 1) > 0 && !strncmp(target, "pipe:", 5))
            count++;
    }
    closedir(dir);
    return count - begun_with;
}

/* Sends what goes into the socket now, of a stream of `size` bytes. */
static void pour(int fd, size_t size, size_t *sent)
{
    static uint8_t data[512 * 1024];
    size_t length = size - *sent < sizeof data ? size - *sent : sizeof data;
    test_pattern(data, length, *sent);
    ssize_t n = length ? send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n > 0)
        *sent += (size_t)n;
}

/* Fills everything up to a sink that takes nothing; returns how much went in. */
static size_t stall(struct cdt_reactor *reactor, int fd)
{
    size_t sent = 0;
    for (int quiet = 0; quiet < 20; quiet++) {
        size_t before = sent;
        pour(fd, SIZE_MAX, &sent);
        settle(reactor);
        if (sent != before)
            quiet = 0;
    }
    return sent;
}

/* Sends the pattern through and checks it; returns the most pipes that were seen. */
static int pass(struct cdt_reactor *reactor, int from, int to, size_t size, size_t piece)
{
    size_t sent = 0, got = 0;
    int most = 0;
    for (int end = 1; end == 1 && got < size;) {
        pour(from, size, &sent);
        cdt_reactor_step(reactor, 0);
        cdt_reactor_step(reactor, 0);
        got += test_drink(reactor, to, sent - got < piece ? sent - got : piece, piece, got, &end);
        int pipes = count_pipes();
        if (pipes > most)
            most = pipes;
    }
    assert_int_equal(got, size);
    return most;
}

static void test_bulk(void **state)
{
    (void)state;
    static const char *const kinds[] = {"tt", "tu", "ut", "uu"};
    const struct cdt_flow_options options[] = {
        {.size = sizeof *options},
        {.size = sizeof *options, .low_watermark = 1, .high_watermark = 1000, .hard_limit = 70000},
        {.size = sizeof *options, .high_watermark = 1000000, .hard_limit = 1000000},
    };
    for (size_t i = 0; i < 12; i++) {
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2];
        struct joint joint;
        int peer[2], end;
        make(reactor, kinds[i % 4], &options[i / 4], flow, peer, &joint);
        assert_in_range(pass(reactor, peer[0], peer[1], BULK, 700000), 2, MOST_SPARE_FDS);
        assert_in_range(pass(reactor, peer[1], peer[0], BULK / 2, 50000), 2, MOST_SPARE_FDS);
        shutdown(peer[0], SHUT_WR); /* the end, and an answer to it */
        assert_int_equal(test_drink(reactor, peer[1], 1, 1, 0, &end), 0);
        assert_int_equal(end, 0);
        pass(reactor, peer[1], peer[0], BULK / 4, 100000);
        close(peer[1]);
        assert_int_equal(test_drink(reactor, peer[0], 1, 1, 0, &end), 0);
        assert_int_equal(end, 0);
        until(reactor, joint.called);
        close(peer[0]);
        assert_int_equal(joint.result.bytes_a_to_b, BULK);
        assert_int_equal(joint.result.bytes_b_to_a, BULK / 2 + BULK / 4);
        assert_int_equal(joint.result.status_a | joint.result.status_b, 0);
        assert_int_equal(cdt_reactor_free(reactor), 0);
        assert_int_equal(count_pipes(), 0);
    }
}

/* A splice stops at TCP's urgent mark, as if nothing lay behind it. */
static void test_urgent(void **state)
{
    (void)state;
    static uint8_t data[400 * 1000];
    enum { BEFORE = 300 * 1000 };
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct joint joint;
    int peer[2], end = 1;
    make(reactor, "tt", NULL, flow, peer, &joint);
    pass(reactor, peer[0], peer[1], BULK, 700000);
    test_pattern(data, sizeof data, 0);
    test_send(peer[0], data, BEFORE);
    assert_int_equal(send(peer[0], "!", 1, MSG_OOB), 1);
    test_send(peer[0], data + BEFORE, sizeof data - BEFORE);
    assert_int_equal(test_drink(reactor, peer[1], sizeof data, sizeof data, 0, &end), sizeof data);
    close(peer[0]);
    close(peer[1]);
    until(reactor, joint.called);
    assert_int_equal(joint.result.bytes_a_to_b, BULK + sizeof data);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

/* What is in the pipe counts as queued, is bounded, keeps the relay at rest, and comes before the end
 * of the stream. */
static void test_stalled(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2];
        struct joint joint;
        int peer[2], end;
        size_t queued;
        make(reactor, way & 1 ? "tu" : "tt", NULL, flow, peer, &joint);
        pass(reactor, peer[0], peer[1], 4000000, 700000);
        size_t sent = stall(reactor, peer[0]);
        assert_int_equal(count_pipes(), 2);
        assert_int_equal(cdt_flow_pending(flow[1], &queued, NULL), 0);
        assert_in_range(queued, 1, 128 * 1024);
        struct cdt_reactor_counters before, after;
        cdt_reactor_counters(reactor, &before);
        for (int i = 0; i < 10; i++)
            cdt_reactor_step(reactor, 5 * CDT_MS);
        cdt_reactor_counters(reactor, &after);
        assert_true(after.turns - before.turns < 40);
        if (way & 2) /* the source goes altogether: what was relayed is delivered */
            cdt_flow_abort(flow[0], -EOWNERDEAD, "gone");
        else
            shutdown(peer[0], SHUT_WR);
        size_t got = test_drink(reactor, peer[1], sent + 1, 50000, 0, &end);
        assert_int_equal(end, way == 2 ? -ECONNRESET : 0);
        if (way & 2)
            assert_in_range(got, queued, sent);
        else
            assert_int_equal(got, sent);
        close(peer[1]);
        until(reactor, joint.called);
        assert_int_equal(joint.result.bytes_a_to_b, 4000000 + got);
        assert_int_equal(joint.result.status_a, way & 2 ? -EOWNERDEAD : 0);
        assert_int_equal(joint.result.status_b, way & 2 ? -EOWNERDEAD : 0);
        close(peer[0]);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

/* The sink goes while the pipe is full; a signal must not come. */
static void test_sink_gone(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2];
        struct joint joint;
        int peer[2];
        make(reactor, way & 1 ? "tu" : "tt", NULL, flow, peer, &joint);
        pass(reactor, peer[0], peer[1], 4000000, 700000);
        stall(reactor, peer[0]);
        assert_int_equal(count_pipes(), 2);
        if (way & 2)
            cdt_flow_abort(flow[1], -EOWNERDEAD, "gone");
        else
            close(peer[1]);
        shutdown(peer[0], SHUT_WR);
        until(reactor, joint.called);
        if (way & 2)
            assert_int_equal(joint.result.status_b, -EOWNERDEAD);
        else
            assert_true(joint.result.status_b < 0);
        assert_in_range(count_pipes(), 0, MOST_SPARE_FDS);
        close(peer[0]);
        if (way & 2)
            close(peer[1]);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

static void test_timeouts(void **state)
{
    (void)state;
    const struct cdt_flow_options options = {
        .size = sizeof options, .idle_timeout = 60 * CDT_MS, .write_stall_timeout = 200 * CDT_MS};
    for (int way = 0; way < 2; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2];
        struct joint joint;
        int peer[2];
        make(reactor, "tt", &options, flow, peer, &joint);
        pass(reactor, peer[0], peer[1], 4000000, 700000);
        if (way == 0)
            stall(reactor, peer[0]);
        shutdown(peer[0], way == 0 ? SHUT_WR : SHUT_RD);
        until(reactor, joint.called);
        if (way == 0)
            assert_int_equal(joint.result.status_b, -CDT_ESTALLED);
        else
            assert_true(joint.result.status_a == -CDT_EIDLE || joint.result.status_b == -CDT_EIDLE);
        close(peer[0]);
        close(peer[1]);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

/* Many that stall have a pipe each; when they have nothing to send, only a few are kept. */
static void test_given_back(void **state)
{
    (void)state;
    enum { RELAYS = 12 };
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_flow *flow[2];
    struct joint joint[RELAYS];
    int peer[RELAYS][2];
    size_t sent[RELAYS];
    for (int i = 0; i < RELAYS; i++) {
        make(reactor, "tu", NULL, flow, peer[i], &joint[i]);
        pass(reactor, peer[i][0], peer[i][1], 4000000, 700000);
        sent[i] = stall(reactor, peer[i][0]);
    }
    assert_int_equal(count_pipes(), 2 * RELAYS);
    for (int i = 0; i < RELAYS; i++)
        assert_int_equal(test_drink(reactor, peer[i][1], sent[i], 50000, 0, NULL), sent[i]);
    settle(reactor);
    assert_in_range(count_pipes(), 2, MOST_SPARE_FDS);
    for (int i = 0; i < RELAYS; i++) {
        close(peer[i][0]);
        close(peer[i][1]);
        until(reactor, joint[i].called);
    }
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(count_pipes(), 0);
}

/* Where SIGPIPE would kill, where the socket blocks, where no descriptor is left, and where a read
 * does not fill the buffer. */
static void test_copied(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct cdt_flow *flow[2];
        struct joint joint;
        int peer[2];
        make(reactor, way == 1 ? "tT" : "tt", NULL, flow, peer, &joint);
        struct rlimit limit, none;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = limit;
        none.rlim_cur = 4;
        if (way == 0)
            signal(SIGPIPE, SIG_DFL);
        if (way == 2)
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        size_t sent = way < 3 ? stall(reactor, peer[0]) : 0;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(count_pipes(), 0);
        assert_int_equal(test_drink(reactor, peer[1], sent, 50000, 0, NULL), sent);
        signal(SIGPIPE, SIG_IGN);
        for (int i = 0; way == 3 && i < 100; i++) {
            static uint8_t data[30000];
            test_pattern(data, sizeof data, 0);
            test_send(peer[0], data, sizeof data);
            assert_int_equal(test_drink(reactor, peer[1], sizeof data, 30000, 0, NULL), 30000);
            assert_int_equal(count_pipes(), 0);
        }
        close(peer[0]);
        close(peer[1]);
        until(reactor, joint.called);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    begun_with = count_pipes();
    const struct CMUnitTest tests[] = {
        flow_test(test_bulk),      flow_test(test_urgent),   flow_test(test_stalled),
        flow_test(test_sink_gone), flow_test(test_timeouts), flow_test(test_given_back),
        flow_test(test_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
