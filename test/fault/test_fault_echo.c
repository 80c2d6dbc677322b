/* Single faults in a server that accepts a client, echoes, is half-closed, closes; accepts another one,
 * which had to wait for the first to go, and which it leaves first; and stops. Over TCP, where it sheds
 * clients for whom there is no descriptor; over a Unix socket, which takes the place of a stale one and
 * passes a descriptor on; and with an inherited descriptor that blocks. The clients are plain sockets. */
#include "test/fault/fault.h"

enum { TOTAL = 150 * 1000, FIRST = 1000, CLIENTS = 2, STALE_MODE = 0111 };

enum kind { TCP, UNIX, INHERITED };

/* The server's side: written by callbacks, which make no calls of their own. */
static struct {
    struct cdt_server *server;
    struct cdt_addr address;
    int listened, status, opened, closed, stopped, errors, first_error;
    int fds[CDT_MAX_FDS], fd_count;
} serving;

static void went_wrong(int status)
{
    serving.errors++;
    if (!serving.first_error)
        serving.first_error = status;
}

/* The client's. */
static struct {
    int fd;   /* -1: none now */
    int next; /* the one that waits; -1: none */
    size_t sent, got;
    int fds; /* descriptors that came back */
    int started, complete;
} client;

static bool client_ends_first(void)
{
    return client.started == 1;
}

struct echoed {
    size_t bytes;
};

static void answer(struct cdt_flow *flow, const void *data, size_t length)
{
    struct echoed *echoed = cdt_flow_data(flow);
    int room = CDT_MAX_FDS - serving.fd_count;
    int *fds = serving.fds + serving.fd_count;
    int count = cdt_flow_take_fds(flow, fds, room), result;

    if (count > 0) {
        serving.fd_count += count;
        result = cdt_flow_write_fds(flow, data, length, fds, count);
    } else {
        result = cdt_flow_write(flow, data, length);
    }
    echoed->bytes += length;
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
    else if (echoed->bytes == TOTAL && !client_ends_first())
        cdt_flow_close(flow);
    else if (result > 0)
        cdt_flow_pause(flow);
}

static void on_open(struct cdt_flow *flow)
{
    struct cdt_addr addr;

    serving.opened++;
    cdt_flow_src(flow, &addr);
}

static void on_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

static void on_eof(struct cdt_flow *flow)
{
    size_t unacknowledged;

    cdt_flow_pending(flow, NULL, &unacknowledged);
    cdt_flow_close(flow);
}

static void on_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    serving.closed++;
    if (status)
        went_wrong(status);
}

static const struct cdt_handler echo = {
    .size = sizeof echo,
    .user_size = sizeof(struct echoed),
    .on_open = on_open,
    .on_read = answer,
    .on_writable = on_writable,
    .on_eof = on_eof,
    .on_close = on_close,
};

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)text;
    serving.listened++;
    serving.status = status;
    if (status == 0 && cdt_server_address(server, &serving.address))
        serving.status = -ENOTCONN;
}

static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)text, (void)peer;
    went_wrong(status);
}

static void on_stopped(struct cdt_server *server)
{
    struct cdt_server_counters counters;

    cdt_server_counters(server, &counters);
    if (counters.accepted != counters.closed + counters.aborted || counters.active)
        problem("the counters do not match");
    serving.stopped++;
}

/* Buffers that are soon full. */
static const struct cdt_flow_options small = {
    .size = sizeof small, .high_watermark = 16384, .send_buffer = 16384};
static const struct cdt_flow_options taking = {
    .size = sizeof taking, .high_watermark = 16384, .send_buffer = 16384, .receive_fds = true};

static struct cdt_server_options options_of(enum kind kind)
{
    return (struct cdt_server_options){
        .size = sizeof(struct cdt_server_options),
        .flow = kind == UNIX ? &taking : &small,
        .backlog = kind == INHERITED ? 0 : 16,
        .max_active = 1,
        .shed = kind == TCP,
        .unix_mode = kind == UNIX ? 0600 : 0,
        .unix_chown = kind == UNIX,
        .unix_uid = getuid(),
        .unix_gid = getgid(),
        .on_listen = on_listen,
        .on_error = on_error,
        .on_stopped = on_stopped,
    };
}

/* ---- the client ------------------------------------------------------------------------------------- */

static int client_connect_plain(void)
{
    int fd = socket(serving.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, &serving.address.any, serving.address.length))
        problem("a client cannot connect: %s", strerror(errno));
    return fd;
}

static void client_start(void)
{
    client.fd = client.started++ ? client.next : client_connect_plain();
    client.next = client.started < CLIENTS ? client_connect_plain() : -1;
    client.sent = client.got = 0;
    client.fds = 0;
}

static ssize_t client_send_some(enum kind kind)
{
    static uint8_t data[16384];
    size_t length = client.sent < FIRST ? FIRST - client.sent : TOTAL - client.sent;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {.iov_base = data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    part.iov_len = length < sizeof data ? length : sizeof data;
    test_pattern(data, part.iov_len, client.sent);
    if (kind == UNIX && client.sent == 0) {
        memcpy(CMSG_DATA(&control.header), &(int){STDERR_FILENO}, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof control.space;
    }
    return sendmsg(client.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t client_receive_some(void)
{
    static uint8_t data[16384];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * 4)];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(client.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (n > 0 && !test_is_pattern(data, (size_t)n, client.got))
        problem("what came back is not what was sent");
    for (; header; header = CMSG_NXTHDR(&message, header)) {
        int fd;
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
        close(fd);
        client.fds++;
    }
    return n;
}

static bool client_may_send(void)
{
    return client.sent < FIRST || (client.got >= FIRST && client.sent < TOTAL);
}

static void client_over(enum kind kind, bool in_order)
{
    client.complete += in_order && client.got == TOTAL && client.fds == (kind == UNIX);
    close(client.fd);
    client.fd = -1;
}

/* Sends and receives what it can; the first one ends its side after the last byte; leaves at the server's
 * end. */
static void client_work(enum kind kind)
{
    ssize_t n;

    while (client_may_send() && (n = client_send_some(kind)) > 0) {
        client.sent += (size_t)n;
        if (client.sent == TOTAL && client_ends_first())
            shutdown(client.fd, SHUT_WR);
    }
    while ((n = client_receive_some()) > 0)
        client.got += (size_t)n;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        client_over(kind, n == 0);
}

/* ---- the scenarios ---------------------------------------------------------------------------------- */

static char folder[64], path[96];

/* A socket that nobody answers. */
static void leave_stale(struct cdt_addr *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(path);
    cdt_addr_unix(addr, path);
    if (bind(fd, &addr->any, addr->length) || chmod(path, STALE_MODE))
        problem("there is no stale socket: %s", strerror(errno));
    close(fd);
}

/* What a server has made it also removes, unless that is what failed. */
static void check_path(void)
{
    struct stat found;

    if (stat(path, &found) == 0 && (found.st_mode & 0777) != STALE_MODE &&
        fault.function != AT_unlinkat && fault.function != AT_fstatat)
        problem("a socket file is left");
}

static int start(struct cdt_reactor *reactor, enum kind kind)
{
    struct cdt_server_options options = options_of(kind);
    struct cdt_addr at;
    int fd, result;

    switch (kind) {
    case UNIX:
        leave_stale(&at);
        return LIB(cdt_unix_listen(reactor, &at, &options, &echo, &serving.server));
    case TCP:
        cdt_addr_ip(&at, "127.0.0.1", 0);
        return LIB(cdt_tcp_listen(reactor, &at, &options, &echo, &serving.server));
    case INHERITED:
        break;
    }
    fd = test_tcp_listener(16, &at);
    result = LIB(cdt_listen_fd(reactor, fd, &options, &echo, &serving.server));
    if (result)
        close(fd);
    return result;
}

static void serve(struct cdt_reactor *reactor, enum kind kind)
{
    bool stopping = false;

    while (!serving.stopped && in_bounds()) {
        if (client.fd >= 0)
            client_work(kind);
        if (client.fd < 0 && serving.listened && serving.status == 0 && !stopping) {
            if (client.started < CLIENTS) {
                client_start();
            } else {
                stopping = true;
                LIB(cdt_server_stop(serving.server, CDT_NEVER));
            }
        }
        turn_with(reactor, client.fd, (short)(client_may_send() ? POLLIN | POLLOUT : POLLIN));
    }
}

static struct outcome echo_over(enum kind kind)
{
    struct cdt_reactor *reactor = NULL;
    struct outcome outcome = {0};
    int result;

    memset(&serving, 0, sizeof serving);
    memset(&client, 0, sizeof client);
    client.fd = client.next = -1;
    result = LIB(cdt_reactor_new(NULL, &reactor));
    if (result == 0) {
        result = start(reactor, kind);
        if (result == 0)
            serve(reactor, kind);
        if (LIB(cdt_reactor_free(reactor)))
            problem("the reactor cannot be freed");
    }
    for (int i = 0; i < serving.fd_count; i++)
        close(serving.fds[i]);
    if (client.fd >= 0)
        close(client.fd);
    if (client.next >= 0)
        close(client.next);
    if (kind == UNIX)
        check_path();
    if (serving.opened != serving.closed)
        problem("%d flows opened, %d closed", serving.opened, serving.closed);
    if (result == 0 && (serving.listened != 1 || serving.stopped != 1))
        problem("%d on_listen, %d on_stopped", serving.listened, serving.stopped);
    if (serving.first_error == -CDT_ESTALLED)
        problem("stalled");
    outcome.complete = client.complete == CLIENTS && serving.stopped == 1;
    outcome.told = result < 0 || serving.status < 0 || serving.errors;
    return outcome;
}

static struct outcome echo_tcp(void)
{
    return echo_over(TCP);
}

static struct outcome echo_unix(void)
{
    return echo_over(UNIX);
}

static struct outcome echo_inherited(void)
{
    return echo_over(INHERITED);
}

static void over_tcp(void **state)
{
    (void)state;
    inject("echo over tcp", echo_tcp, 200);
}

static void over_unix(void **state)
{
    (void)state;
    test_folder(folder);
    snprintf(path, sizeof path, "%s/socket", folder);
    inject("echo over a unix socket", echo_unix, 200);
    test_folder_remove(folder);
}

static void inherited(void **state)
{
    (void)state;
    inject("echo with an inherited descriptor", echo_inherited, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_tcp),
        cmocka_unit_test(over_unix),
        cmocka_unit_test(inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
