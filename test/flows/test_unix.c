/* Unix sockets: paths and abstract names, a full backlog, credentials, descriptors that travel. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "test/support/probe.h"

static int listen_abstract(struct cdt_addr *addr, int backlog)
{
    static int count;
    char name[64];
    snprintf(name, sizeof name, "@conduit-test-%d-%d", (int)getpid(), count++);
    assert_int_equal(cdt_addr_unix(addr, name), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr->any, addr->length), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void connect_to(struct cdt_reactor *reactor, const struct cdt_addr *addr,
                       const struct cdt_flow_options *options, struct probe *probe)
{
    struct cdt_flow *flow;
    assert_int_equal(cdt_unix_connect(reactor, addr, options, &probe_handler, &flow), 0);
    probe_attach(flow, probe);
}

static void test_connect(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_addr addr, dst;
    struct cdt_credentials who;
    int listener = listen_abstract(&addr, 1);
    connect_to(reactor, &addr, NULL, &probe);
    assert_int_equal(cdt_flow_write(probe.flow, "early", 5), 0);
    assert_int_equal(probe.opened, 0);
    until(reactor, probe.opened);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char text[6] = "";
    test_receive(peer, text, 5);
    assert_string_equal(text, "early");
    assert_string_equal(cdt_flow_carrier(probe.flow), "unix");
    assert_int_equal(cdt_flow_dst(probe.flow, &dst), 0);
    assert_true(cdt_addr_equal(&dst, &addr));
    assert_int_equal(cdt_flow_credentials(probe.flow, &who), 0);
    assert_int_equal(who.pid, getpid());
    assert_int_equal(who.uid, getuid());
    assert_int_equal(who.gid, getgid());
    close(peer);
    until(reactor, probe.eofs);
    assert_int_equal(cdt_flow_dst(probe.flow, &dst), 0); /* kept */
    assert_true(cdt_addr_equal(&dst, &addr));
    close(listener);
    test_end(reactor, &probe, 1);
}

static void test_fails(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char path[] = "/tmp/conduit-test-XXXXXX", name[100];
    assert_non_null(mkdtemp(path));
    snprintf(name, sizeof name, "%s/socket", path);
    assert_int_equal(cdt_addr_unix(&addr, name), 0);
    for (int way = 0; way < 4; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe = {0};
        int fd = -1, wanted = -ENOENT;
        if (way == 1) {
            fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
            wanted = -ECONNREFUSED;
        }
        if (way == 2) {
            fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            assert_int_equal(bind(fd, &addr.any, addr.length), 0);
            wanted = -ECONNREFUSED;
        }
        if (way == 3) {
            fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            assert_int_equal(bind(fd, &addr.any, addr.length), 0);
            wanted = -EPROTOTYPE;
        }
        connect_to(reactor, &addr, NULL, &probe);
        struct cdt_addr src;
        assert_true(cdt_flow_dst(probe.flow, &src) <= 0);
        assert_int_equal(probe.closed, 0);
        until(reactor, probe.closed);
        assert_int_equal(probe.status, wanted);
        assert_int_equal(probe.opened, 0);
        test_end(reactor, &probe, 1);
        if (fd >= 0)
            close(fd);
        unlink(name);
    }
    rmdir(path);
}

/* A full backlog is waited for: written to meanwhile, and opened when there is room. */
static void test_full_backlog(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[4] = {{0}};
        struct cdt_addr addr;
        int peer[4], listener = listen_abstract(&addr, 0);
        const struct cdt_flow_options options = {.size = sizeof options,
                                                 .connect_timeout = 50 * CDT_MS};
        for (int i = 0; i < 4; i++)
            connect_to(reactor, &addr, way ? &options : NULL, &probe[i]);
        until(reactor, probe[0].opened);
        for (int i = 0; i < 3; i++)
            cdt_reactor_step(reactor, 2 * CDT_MS);
        assert_int_equal(probe[3].opened, 0);
        assert_int_equal(cdt_flow_state(probe[3].flow), CDT_CONNECTING);
        assert_int_equal(cdt_flow_write(probe[3].flow, "first", 5), 0);
        settle(reactor);
        assert_int_equal(probe[3].closed, 0);
        if (way) {
            until(reactor, probe[3].closed);
            assert_int_equal(probe[3].status, -ETIMEDOUT);
        } else {
            fcntl(listener, F_SETFL, O_NONBLOCK);
            for (int i = 0; i < 4; i++)
                until(reactor, (peer[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
            until(reactor, probe[3].opened);
            assert_int_equal(cdt_flow_write(probe[3].flow, "second", 6), 0);
            char text[12] = "";
            bool found = false;
            for (int i = 0; i < 4; i++) {
                ssize_t n = recv(peer[i], text, 11, MSG_DONTWAIT);
                if (n <= 0)
                    continue;
                assert_int_equal(n, 11);
                assert_string_equal(text, "firstsecond");
                found = true;
                assert_int_equal(send(peer[i], "answer", 6, 0), 6);
            }
            assert_true(found);
            until(reactor, probe[3].length == 6);
            for (int i = 0; i < 4; i++)
                close(peer[i]);
        }
        close(listener);
        test_end(reactor, probe, 4);
    }
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static const struct cdt_flow_options taking = {.size = sizeof taking, .receive_fds = true};

static ino_t inode(int fd)
{
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    return info.st_ino;
}

struct taken {
    int fds[200];
    int count;
    int most;       /* takes so many at a time; 0: none */
    size_t at[200]; /* bytes read before, in each on_read that found some */
};

static void take(struct probe *probe, const void *data, size_t length)
{
    (void)data;
    struct taken *taken = probe->arg;
    if (!taken->most)
        return;
    int n;
    do {
        n = cdt_flow_take_fds(probe->flow, taken->fds + taken->count, taken->most);
        assert_in_range(n, 0, taken->most);
        for (int i = 0; i < n; i++) {
            assert_true(fcntl(taken->fds[taken->count + i], F_GETFD) & FD_CLOEXEC);
            taken->at[taken->count + i] = probe->length - length;
        }
        taken->count += n;
    } while (n > 0);
}

/* Between writes of all sizes, with the queue full and not; each with the byte it was sent with. */
static void test_passing(void **state)
{
    (void)state;
    enum { ROUNDS = 30 };
    static uint8_t data[100000];
    for (int way = 0; way < 4; way++) {
        bool large = way & 1, slow = way & 2;
        struct cdt_reactor *reactor = test_reactor();
        struct taken taken = {.most = 3};
        struct probe probe[2] = {{0}, {.on_read = take, .arg = &taken}};
        test_flows(reactor, 'u', &taking, probe);
        if (slow)
            cdt_flow_pause(probe[1].flow);
        ino_t sent[200];
        size_t at[200], position = 0;
        int count = 0;
        for (int i = 0; i < ROUNDS; i++) {
            size_t length = large ? 60000 : (size_t)i % 3;
            test_pattern(data, sizeof data, position);
            assert_true(cdt_flow_write(probe[0].flow, data, length) >= 0);
            position += length;
            int fds[8];
            for (int j = 0; j < 1 + i % 5; j++) {
                int pipe_fds[2];
                assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
                close(pipe_fds[1]);
                fds[j] = pipe_fds[0];
                at[count] = position;
                sent[count++] = inode(fds[j]);
            }
            length = 1 + (large ? 20000 : (size_t)i % 2);
            test_pattern(data, sizeof data, position);
            assert_true(cdt_flow_write_fds(probe[0].flow, data, length, fds, 1 + i % 5) >= 0);
            position += length;
            for (int j = 0; j < 1 + i % 5; j++)
                close(fds[j]);
        }
        settle(reactor);
        size_t queued;
        cdt_flow_pending(probe[0].flow, &queued, NULL);
        if (slow && large)
            assert_true(queued > 0);
        if (slow)
            cdt_flow_resume(probe[1].flow);
        until(reactor, probe[1].length == position);
        assert_true(test_is_pattern(probe[1].data, position, 0));
        assert_int_equal(taken.count, count);
        for (int i = 0; i < count; i++) {
            assert_int_equal(inode(taken.fds[i]), sent[i]);
            assert_true(taken.at[i] <= at[i]);
            close(taken.fds[i]);
        }
        test_end(reactor, probe, 2);
    }
}

/* All at once, as far as the socket takes it, also what was written before the flow was open. */
static void test_passing_early(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    struct cdt_addr addr;
    int listener = listen_abstract(&addr, 4), zero = 0;
    connect_to(reactor, &addr, NULL, &probe);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cdt_flow_write(probe.flow, "a", 1), 0);
        assert_int_equal(cdt_flow_write_fds(probe.flow, "b", 1, &zero, 1), 0);
    }
    until(reactor, probe.opened);
    settle(reactor);
    size_t queued;
    cdt_flow_pending(probe.flow, &queued, NULL);
    assert_int_equal(queued, 0);
    int bytes, peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(ioctl(peer, FIONREAD, &bytes), 0);
    assert_int_equal(bytes, 10);
    close(peer);
    close(listener);
    test_end(reactor, &probe, 1);
}

/* Not taken: closed. Taken after on_read, but before the next: still there. */
static void test_not_taken(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct taken taken = {.most = 0};
    struct probe probe[2] = {{0}, {.on_read = take, .arg = &taken}};
    test_flows(reactor, 'u', &taking, probe);
    unsigned before = test_open_fds();
    int fds[CDT_MAX_FDS] = {0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cdt_flow_write_fds(probe[0].flow, "x", 1, fds, CDT_MAX_FDS), 0);
        until(reactor, probe[1].length == (size_t)i + 1);
        settle(reactor);
    }
    assert_int_equal(test_open_fds(), before + CDT_MAX_FDS);
    assert_int_equal(cdt_flow_take_fds(probe[1].flow, fds, 2), 2);
    close(fds[0]);
    close(fds[1]);
    cdt_flow_write(probe[0].flow, "y", 1);
    until(reactor, probe[1].length == 6);
    settle(reactor);
    assert_int_equal(test_open_fds(), before);
    assert_int_equal(cdt_flow_take_fds(probe[1].flow, fds, 2), 0);
    test_end(reactor, probe, 2);
}

/* Left behind in the queue, in the socket, and in the flow: test_fds_same() says whether all were
 * closed. */
static void test_left_behind(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        test_flows(reactor, 'u', &taking, probe);
        if (way < 2)
            cdt_flow_pause(probe[1].flow);
        static char data[200000];
        int zero = 0;
        for (int i = 0; i < 10; i++)
            assert_true(
                cdt_flow_write_fds(probe[0].flow, data, way == 1 ? 1 : sizeof data, &zero, 1) >= 0);
        settle(reactor);
        test_end(reactor, probe, 2);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[2] = {{0}}, tcp[2] = {{0}};
    struct cdt_credentials who;
    test_flows(reactor, 'u', NULL, probe);
    int fds[CDT_MAX_FDS + 1] = {0}, bad[2] = {0, 999999};
    struct cdt_flow *flow = probe[0].flow;
    assert_int_equal(cdt_flow_write_fds(NULL, "x", 1, fds, 1), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, NULL, 1, fds, 1), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 0, fds, 1), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, NULL, 1), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, fds, 0), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, fds, -1), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, fds, CDT_MAX_FDS + 1), -EINVAL);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, bad, 2), -EBADF);
    assert_int_equal(cdt_flow_take_fds(flow, fds, 1), -ENOTSUP);
    assert_int_equal(cdt_flow_take_fds(NULL, fds, 1), -EINVAL);
    assert_int_equal(cdt_flow_credentials(flow, NULL), -EINVAL);
    test_flows(reactor, 't', NULL, tcp);
    assert_int_equal(cdt_flow_credentials(tcp[0].flow, &who), -ENOTSUP);
    assert_int_equal(cdt_flow_write_fds(tcp[0].flow, "x", 1, fds, 1), -ENOTSUP);
    assert_int_equal(cdt_flow_take_fds(tcp[0].flow, fds, 1), -ENOTSUP);
    for (int i = 0; i < 2; i++) {
        cdt_flow_abort(tcp[i].flow, 0, NULL);
        until(reactor, tcp[i].closed);
    }
    cdt_flow_shutdown(flow, CDT_SHUT_WRITE);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, fds, 1), -EPIPE);
    test_end(reactor, probe, 2);
}

/* Descriptors that nobody asked for: they are closed by the kernel, and do not stop the bytes. */
static void test_unasked(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct cdt_reactor *reactor = test_reactor();
        struct probe probe[2] = {{0}};
        test_flows(reactor, 'u', NULL, probe);
        if (way)
            cdt_flow_pause(probe[1].flow);
        int zero = 0;
        for (int i = 0; i < 20; i++)
            assert_int_equal(cdt_flow_write_fds(probe[0].flow, "ab", 2, &zero, 1), 0);
        cdt_flow_write(probe[0].flow, "end", 3);
        if (way)
            settle(reactor);
        cdt_flow_resume(probe[1].flow);
        until(reactor, probe[1].length == 43);
        test_end(reactor, probe, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_connect),     flow_test(test_fails),         flow_test(test_full_backlog),
        flow_test(test_passing),     flow_test(test_passing_early), flow_test(test_not_taken),
        flow_test(test_left_behind), flow_test(test_wrong),         flow_test(test_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
