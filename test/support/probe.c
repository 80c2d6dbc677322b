/* Handlers that write down what they hear, and sockets to talk to. */
#include "test/support/probe.h"

#include <dirent.h>
#include <sys/un.h>

/* ---- probes ---------------------------------------------------------------------------------- */

void probe_attach(struct cdt_flow *flow, struct probe *probe)
{
    *(struct probe **)cdt_flow_data(flow) = probe;
    probe->flow = flow;
}

struct probe *probe_of(struct cdt_flow *flow)
{
    return *(struct probe **)cdt_flow_data(flow);
}

void probe_free(struct probe *probe)
{
    free(probe->data);
    memset(probe, 0, sizeof *probe);
}

int probe_has(const struct probe *probe, const void *data, size_t length)
{
    return probe->length == length && (length == 0 || memcmp(probe->data, data, length) == 0);
}

static void heard_open(struct cdt_flow *flow)
{
    struct probe *probe = probe_of(flow);
    if (!probe)
        return;
    probe->opened++;
    if (probe->on_open)
        probe->on_open(probe);
}

static void heard_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct probe *probe = probe_of(flow);
    if (!probe)
        return;
    assert_true(length > 0);
    assert_int_equal(probe->closed, 0);
    if (probe->length + length > probe->room) {
        probe->room = (probe->length + length) * 2;
        probe->data = realloc(probe->data, probe->room);
        assert_non_null(probe->data);
    }
    memcpy(probe->data + probe->length, data, length);
    probe->length += length;
    probe->reads++;
    if (probe->on_read)
        probe->on_read(probe, data, length);
}

static void heard_eof(struct cdt_flow *flow)
{
    struct probe *probe = probe_of(flow);
    if (!probe)
        return;
    assert_int_equal(probe->closed, 0);
    probe->eofs++;
    assert_int_equal(probe->eofs, 1);
    if (probe->on_eof)
        probe->on_eof(probe);
}

static void heard_writable(struct cdt_flow *flow)
{
    struct probe *probe = probe_of(flow);
    if (!probe)
        return;
    assert_int_equal(probe->closed, 0);
    probe->writables++;
    if (probe->on_writable)
        probe->on_writable(probe);
}

static void heard_close(struct cdt_flow *flow, int status)
{
    struct probe *probe = probe_of(flow);
    if (!probe)
        return;
    probe->closed++;
    assert_int_equal(probe->closed, 1);
    assert_int_equal(cdt_flow_state(flow), CDT_CLOSED);
    probe->status = status;
    snprintf(probe->error, sizeof probe->error, "%s", cdt_flow_error(flow));
    if (probe->on_close)
        probe->on_close(probe);
    probe->flow = NULL;
}

const struct cdt_handler probe_handler = {
    .size = sizeof probe_handler,
    .user_size = sizeof(struct probe *),
    .on_open = heard_open,
    .on_read = heard_read,
    .on_eof = heard_eof,
    .on_writable = heard_writable,
    .on_close = heard_close,
};

const struct cdt_handler probe_no_eof = {
    .size = sizeof probe_no_eof,
    .user_size = sizeof(struct probe *),
    .on_open = heard_open,
    .on_read = heard_read,
    .on_writable = heard_writable,
    .on_close = heard_close,
};

/* ---- running --------------------------------------------------------------------------------- */

bool test_slow(void)
{
    return getenv("CDT_TEST_SLOW") || test_emulated();
}

bool test_emulated(void)
{
    return getenv("CDT_TEST_EMULATED") != NULL;
}

uint64_t test_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CDT_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t test_deadline(void)
{
    return test_now() + (test_slow() ? 100 : 20) * CDT_SECOND;
}

void settle(struct cdt_reactor *reactor)
{
    int quiet = 0;
    while (quiet < 3)
        quiet = cdt_reactor_step(reactor, 0) > 0 ? 0 : quiet + 1;
}

static void log_line(void *user, enum cdt_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, "log %d: %s\n", (int)level, text);
}

struct cdt_reactor *test_reactor(void)
{
    struct cdt_reactor *reactor = NULL;
    const struct cdt_reactor_options options = {.size = sizeof options, .log = log_line};
    assert_int_equal(cdt_reactor_new(&options, &reactor), 0);
    return reactor;
}

/* ---- sockets --------------------------------------------------------------------------------- */

int test_tcp_listener(int backlog, struct cdt_addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(cdt_addr_ip(addr, "127.0.0.1", 0), 0);
    assert_int_equal(bind(fd, &addr->any, addr->length), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, &addr->any, &addr->length), 0);
    return fd;
}

void test_tcp_sockets(int fd[2])
{
    struct cdt_addr addr;
    int listener = test_tcp_listener(1, &addr);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd[0], &addr.any, addr.length), 0);
    fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd[1] >= 0);
    close(listener);
}

int test_flow(struct cdt_reactor *reactor, char kind, const struct cdt_flow_options *options,
              struct probe *probe)
{
    int fd[2];
    struct cdt_flow *flow = NULL;
    if (kind == 't')
        test_tcp_sockets(fd);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(cdt_flow_adopt(reactor, fd[0], options, &probe_handler, &flow), 0);
    probe_attach(flow, probe);
    until(reactor, probe->opened || probe->closed);
    return fd[1];
}

void test_flows(struct cdt_reactor *reactor, char kind, const struct cdt_flow_options *options,
                struct probe probe[2])
{
    struct cdt_flow *flow[2] = {NULL, NULL};
    int fd[2];
    if (kind == 'p') {
        assert_int_equal(
            cdt_flow_pair(reactor, 0, options, &probe_handler, &probe_handler, &flow[0], &flow[1]),
            0);
    } else {
        if (kind == 't')
            test_tcp_sockets(fd);
        else
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(cdt_flow_adopt(reactor, fd[i], options, &probe_handler, &flow[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        probe_attach(flow[i], &probe[i]);
    for (int i = 0; i < 2; i++)
        until(reactor, probe[i].opened || probe[i].closed);
}

void test_end(struct cdt_reactor *reactor, struct probe *probes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!probes[i].flow)
            continue;
        probes[i].on_close = NULL;
        cdt_flow_abort(probes[i].flow, 0, NULL);
        until(reactor, probes[i].closed);
    }
    assert_int_equal(cdt_reactor_free(reactor), 0);
    for (size_t i = 0; i < count; i++)
        probe_free(&probes[i]);
}

static unsigned fds_before;

int test_fds_remember(void **state)
{
    (void)state;
    fds_before = test_open_fds();
    return 0;
}

int test_fds_same(void **state)
{
    (void)state;
    unsigned now = test_open_fds();
    if (now == fds_before)
        return 0;
    fprintf(stderr, "%u descriptors are open, %u were before the test\n", now, fds_before);
    return -1;
}

/* Of period 251 * 256: no buffer's size divides it. */
static uint8_t pattern_at(size_t position)
{
    return (uint8_t)(position % 251 + position / 251);
}

void test_pattern(void *data, size_t length, size_t position)
{
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)data)[i] = pattern_at(position + i);
}

bool test_is_pattern(const void *data, size_t length, size_t position)
{
    for (size_t i = 0; i < length; i++) {
        if (((const uint8_t *)data)[i] != pattern_at(position + i))
            return false;
    }
    return true;
}

size_t test_drink(struct cdt_reactor *reactor, int fd, size_t length, size_t piece, size_t position,
                  int *end)
{
    static uint8_t buffer[256 * 1024];
    uint64_t deadline = test_deadline();
    size_t got = 0;
    int ended = 1;
    if (piece > sizeof buffer)
        piece = sizeof buffer;
    while (got < length && ended == 1) {
        ssize_t n = recv(fd, buffer, length - got < piece ? length - got : piece, MSG_DONTWAIT);
        if (n > 0) {
            assert_true(test_is_pattern(buffer, (size_t)n, position + got));
            got += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            ended = n ? -errno : 0;
        }
        cdt_reactor_step(reactor, n > 0 ? 0 : CDT_MS);
        assert_true(test_now() < deadline);
    }
    if (end)
        *end = ended;
    return got;
}

unsigned test_open_fds(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

void test_send(int fd, const void *data, size_t length)
{
    const uint8_t *at = data;
    while (length) {
        ssize_t n = send(fd, at, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        assert_true(n > 0);
        at += n;
        length -= (size_t)n;
    }
}

void test_receive(int fd, void *data, size_t length)
{
    uint8_t *at = data;
    while (length) {
        ssize_t n = recv(fd, at, length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        assert_true(n > 0);
        at += n;
        length -= (size_t)n;
    }
}

bool test_has_ipv6(void)
{
    const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}
