/* A server that writes down what it hears, and clients to connect to it. */
#include "test/support/serve.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- callbacks ------------------------------------------------------------------------------- */

struct serve *serve_of(const struct cdt_flow *flow)
{
    return cdt_server_user(cdt_flow_server(flow));
}

static void heard_open(struct cdt_flow *flow)
{
    struct serve *serve = serve_of(flow);

    serve->opened++;
    if (++serve->active > serve->peak)
        serve->peak = serve->active;
    if (serve->on_open)
        serve->on_open(serve, flow);
}

static void heard_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct serve *serve = serve_of(flow);

    cdt_flow_write(flow, data, length);
    if (serve->on_read)
        serve->on_read(serve, flow);
}

static void heard_close(struct cdt_flow *flow, int status)
{
    struct serve *serve = serve_of(flow);

    serve->closed++;
    serve->active--;
    if (serve->on_close)
        serve->on_close(serve, flow, status);
}

const struct cdt_handler serve_handler = {
    .size = sizeof serve_handler,
    .user_size = 16,
    .on_open = heard_open,
    .on_read = heard_read,
    .on_close = heard_close,
};

static void heard_listen(struct cdt_server *server, int status, const char *text)
{
    struct serve *serve = cdt_server_user(server);

    assert_int_equal(serve->listened, 0);
    serve->listened++;
    serve->listen_status = status;
    snprintf(serve->listen_text, sizeof serve->listen_text, "%s", text);
    if (status == 0)
        assert_int_equal(cdt_server_address(server, &serve->address), 0);
    if (serve->on_listen)
        serve->on_listen(serve);
}

static int heard_filter(struct cdt_server *server, const struct cdt_addr *peer)
{
    struct serve *serve = cdt_server_user(server);

    serve->filtered++;
    return serve->filter ? serve->filter(serve, peer) : 0;
}

static int heard_accept(struct cdt_server *server, struct cdt_flow *flow)
{
    struct serve *serve = cdt_server_user(server);

    assert_ptr_equal(cdt_flow_server(flow), server);
    serve->accepted++;
    return serve->on_accept ? serve->on_accept(serve, flow) : 0;
}

static void heard_error(struct cdt_server *server, int status, const char *text,
                        const struct cdt_addr *peer)
{
    struct serve *serve = cdt_server_user(server);

    serve->errors++;
    serve->error_status = status;
    serve->error_has_peer = peer;
    serve->error_peer.length = 0;
    if (peer)
        serve->error_peer = *peer;
    snprintf(serve->error_text, sizeof serve->error_text, "%s", text);
    if (serve->on_error)
        serve->on_error(serve);
}

static void heard_stop(struct cdt_flow *flow)
{
    struct serve *serve = serve_of(flow);

    serve->told_to_stop++;
    if (serve->on_stop)
        serve->on_stop(serve, flow);
}

static void heard_stopped(struct cdt_server *server)
{
    struct serve *serve = cdt_server_user(server);

    assert_int_equal(serve->stopped, 0);
    assert_int_equal(serve->listened, 1);
    assert_int_equal(serve->active, 0);
    assert_null(cdt_server_first(server));
    assert_int_equal(cdt_server_fd(server), -1);
    assert_int_equal(cdt_server_counters(server, &serve->last), 0);
    assert_int_equal(serve->last.accepted, serve->last.closed + serve->last.aborted);
    serve->stopped++;
    if (serve->on_stopped)
        serve->on_stopped(serve);
    serve->server = NULL;
}

struct cdt_server_options serve_options(struct serve *serve)
{
    const struct cdt_server_options options = {
        .size = sizeof options,
        .on_listen = heard_listen,
        .filter = heard_filter,
        .on_accept = heard_accept,
        .on_error = heard_error,
        .on_stop = heard_stop,
        .on_stopped = heard_stopped,
        .user = serve,
    };

    return options;
}

void serve_at(struct cdt_reactor *reactor, struct serve *serve,
              const struct cdt_server_options *options, const struct cdt_addr *at)
{
    bool local = at->any.sa_family == AF_UNIX;

    assert_int_equal((local ? cdt_unix_listen : cdt_tcp_listen)(reactor, at, options,
                                                                &serve_handler, &serve->server),
                     0);
    until(reactor, serve->listened);
    if (serve->listen_status)
        fail_msg("on_listen: %s", serve->listen_text);
}

void serve_tcp(struct cdt_reactor *reactor, struct serve *serve,
               const struct cdt_server_options *options)
{
    struct cdt_addr at;

    assert_int_equal(cdt_addr_ip(&at, "127.0.0.1", 0), 0);
    serve_at(reactor, serve, options, &at);
    assert_true(cdt_addr_port(&serve->address) != 0);
}

struct cdt_server_counters serve_counters(const struct serve *serve)
{
    struct cdt_server_counters counters;

    assert_int_equal(cdt_server_counters(serve->server, &counters), 0);
    assert_int_equal(counters.accepted, counters.closed + counters.aborted + counters.active);
    return counters;
}

void serve_stop(struct cdt_reactor *reactor, struct serve *serve)
{
    assert_int_equal(cdt_server_stop(serve->server, 0), 0);
    until(reactor, serve->stopped);
}

/* ---- clients --------------------------------------------------------------------------------- */

int client_connect(const struct cdt_addr *to)
{
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, &to->any, to->length))
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

int client_read(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    if (n == 1)
        return 1;
    if (n == 0)
        return -1;
    return errno == EAGAIN || errno == ENOTCONN ? 0 : -errno;
}

void client_send(int fd)
{
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
}

void client_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

/* ---- the surroundings ------------------------------------------------------------------------ */

unsigned test_seed(void)
{
    const char *given = getenv("SEED");
    struct timespec now;
    unsigned seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)(now.tv_nsec ^ now.tv_sec);
    print_message("SEED=%u\n", seed);
    return seed;
}

void test_folder(char path[64])
{
    snprintf(path, 64, "/tmp/cdt-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *at)
{
    (void)found;
    (void)type;
    (void)at;
    return remove(path);
}

void test_folder_remove(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int test_in_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    status = WEXITSTATUS(status);
    if (status != 0 && status != 77)
        fail_msg("the child ended with %d", status);
    return status;
}

static struct rlimit fds_before;

void test_no_more_fds(void)
{
    struct rlimit limit;
    int lowest = fcntl(0, F_DUPFD, 0);

    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &fds_before), 0);
    limit = fds_before;
    limit.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void test_more_fds(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &fds_before), 0);
}
