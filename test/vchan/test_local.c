/* The local backend among those who keep to the rules: rings of all sizes, in one process and
 * between two, closing in each state, servers that come late or go away, sockets that were left
 * behind, limits. */
#include "test/vchan/meeting.h"

#include <sys/file.h>
#include <sys/resource.h>

/* ---- data ------------------------------------------------------------------------------------ */

static void test_sizes(void **state)
{
    static const size_t sizes[][2] = {{1, 1},       {1024, 1024},  {1024, 2048},      {2048, 1024},
                                      {2048, 2048}, {1025, 4096},  {4097, 1},         {65536, 100},
                                      {100, 65536}, {65536, 4096}, {1 << 20, 1 << 20}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cdt_reactor *reactor = test_reactor();
        struct serve serve = {0};
        struct probe probe = {0};
        struct cdt_vchan_info ours, theirs;
        const size_t read_size = sizes[i][0], write_size = sizes[i][1];
        const size_t length = 3 * (read_size > write_size ? read_size : write_size) + 77;

        serve_here(reactor, &serve, read_size, write_size);
        start_client(reactor, &probe);
        until(reactor, probe.opened && serve.opened);
        assert_int_equal(cdt_vchan_info(probe.flow, &ours), 0);
        assert_int_equal(cdt_vchan_info(cdt_server_first(serve.server), &theirs), 0);
        assert_true(theirs.read_size >= read_size && theirs.write_size >= write_size);
        assert_int_equal(ours.write_size, theirs.read_size);
        assert_int_equal(ours.read_size, theirs.write_size);
        assert_string_equal(ours.port, "p");
        assert_int_equal(ours.backend, CDT_VCHAN_LOCAL);
        echo_pattern(reactor, &probe, length);
        cdt_flow_close(probe.flow);
        until(reactor, probe.closed && serve.closed);
        assert_int_equal(probe.status, 0);
        assert_int_equal(serve_counters(&serve).closed, 1);
        serve_stop(reactor, &serve);
        test_end(reactor, &probe, 1);
        assert_int_equal(count_rings(), 0);
        assert_int_equal(count_files(folder), 0);
    }
}

static void test_too_large(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    const struct cdt_vchan_options vchan = here((1 << 20) + 1, 1);
    const struct cdt_server_options options = serve_options(&serve);

    (void)state;
    assert_int_equal(
        cdt_vchan_listen(reactor, 0, "p", &vchan, &options, &serve_handler, &serve.server),
        -EINVAL);
    test_end(reactor, NULL, 0);
}

/* More bells than a socket would hold if nobody took them. */
static void test_many_bells(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    struct cdt_vchan_info info;
    const unsigned rounds = test_slow() ? 1000 : 5000;

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    start_client(reactor, &probe);
    until(reactor, probe.opened);
    for (unsigned i = 0; i < rounds; i++) {
        assert_int_equal(cdt_flow_write(probe.flow, &i, sizeof i), 0);
        until(reactor, probe.length == (i + 1) * sizeof i);
    }
    for (unsigned i = 0; i < rounds; i++)
        assert_memory_equal(probe.data + i * sizeof i, &i, sizeof i);
    assert_int_equal(cdt_vchan_info(probe.flow, &info), 0);
    assert_true(info.bells_sent >= rounds / 2);
    cdt_flow_close(probe.flow);
    until(reactor, probe.closed && serve.closed);
    assert_int_equal(probe.status, 0);
    serve_stop(reactor, &serve);
    test_end(reactor, &probe, 1);
}

static size_t bulk_length(void)
{
    return test_slow() ? 4 << 20 : 64 << 20;
}

/* Echoes until its client has left. */
static void serve_bulk(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    serve_here(reactor, &serve, 65536, 65536);
    say(tell);
    until(reactor, serve.closed);
    if (serve_counters(&serve).closed != 1)
        _exit(1);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
    _exit(0);
}

/* What a client has sent and got back, checked on the way. */
struct bulk {
    struct cdt_flow *flow;
    size_t sent, got;
    int closed;
    bool wrong;
};

static struct bulk bulk;

static void send_bulk(struct cdt_flow *flow)
{
    static uint8_t piece[50021];
    int status = 0;
    while (status == 0 && bulk.sent < bulk_length()) {
        size_t length = bulk_length() - bulk.sent;
        length = length < sizeof piece ? length : sizeof piece;
        test_pattern(piece, length, bulk.sent);
        status = cdt_flow_write(flow, piece, length);
        bulk.sent += status >= 0 ? length : 0;
    }
}

static void on_bulk(struct cdt_flow *flow, const void *data, size_t length)
{
    bulk.wrong |= !test_is_pattern(data, length, bulk.got);
    bulk.got += length;
    if (bulk.got == bulk_length())
        cdt_flow_close(flow);
}

static void on_bulk_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    bulk.closed++;
    bulk.wrong |= status != 0;
}

static const struct cdt_handler bulk_handler = {.size = sizeof bulk_handler,
                                                .on_open = send_bulk,
                                                .on_read = on_bulk,
                                                .on_writable = send_bulk,
                                                .on_close = on_bulk_close};

static void test_two_processes(void **state)
{
    const struct child child = start_child(serve_bulk);
    struct cdt_reactor *reactor = test_reactor();
    const struct cdt_vchan_options vchan = here(0, 0);
    int status;

    (void)state;
    bulk = (struct bulk){0};
    assert_int_equal(cdt_vchan_connect(reactor, 0, "p", &vchan, NULL, &bulk_handler, &bulk.flow),
                     0);
    hear_child(&child);
    until(reactor, bulk.closed);
    assert_false(bulk.wrong);
    assert_int_equal(bulk.got, bulk_length());
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_int_equal(status, 0);
    close(child.says);
    test_end(reactor, NULL, 0);
}

/* ---- closing --------------------------------------------------------------------------------- */

static size_t sunk;

/* Hears, and says nothing: who writes to a peer that has closed gets a reset. */
static void heard_open(struct cdt_flow *flow)
{
    serve_of(flow)->opened++;
}

static void heard_close(struct cdt_flow *flow, int status)
{
    serve_of(flow)->closed++;
    serve_of(flow)->error_status = status;
}

static void heard_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow, (void)data;
    sunk += length;
}

static const struct cdt_handler sink_handler = {.size = sizeof sink_handler,
                                                .on_open = heard_open,
                                                .on_read = heard_read,
                                                .on_close = heard_close};

/* What was written just before the end is read, and the end is in order. */
static void test_write_and_close(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    (void)state;
    sunk = 0;
    served_by = &sink_handler;
    serve_here(reactor, &serve, 0, 0);
    for (int i = 0; i < 50; i++) {
        struct probe probe = {0};
        start_client(reactor, &probe);
        if (i & 1)
            until(reactor, probe.opened);
        assert_int_equal(cdt_flow_write(probe.flow, "last words", 10), 0);
        cdt_flow_close(probe.flow);
        until(reactor, probe.closed && serve.closed == i + 1);
        assert_int_equal(probe.status, 0);
        assert_int_equal(sunk, (size_t)(i + 1) * 10);
        assert_int_equal(serve.error_status, 0);
        probe_free(&probe);
    }
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

static int close_at_once(struct serve *serve, struct cdt_flow *flow)
{
    (void)serve;
    assert_int_equal(cdt_flow_write(flow, "bye", 3), 0);
    cdt_flow_close(flow);
    return 0;
}

static void close_when_open(struct serve *serve, struct cdt_flow *flow)
{
    close_at_once(serve, flow);
}

static void test_server_closes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct cdt_reactor *reactor = test_reactor();
        struct serve serve = {0};
        struct probe probe = {0};
        if (i == 0)
            serve.on_accept = close_at_once;
        else
            serve.on_open = close_when_open;
        serve_here(reactor, &serve, 0, 0);
        start_client(reactor, &probe);
        until(reactor, probe.eofs);
        assert_true(probe_has(&probe, "bye", 3));
        cdt_flow_close(probe.flow);
        until(reactor, probe.closed && serve_counters(&serve).active == 0);
        assert_int_equal(probe.status, 0);
        assert_int_equal(serve_counters(&serve).aborted, 0);
        serve_stop(reactor, &serve);
        test_end(reactor, &probe, 1);
    }
}

/* An abort of one side is a reset for the other, whose data comes first. */
static void test_abort(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe[2] = {{0}, {0}};

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    start_client(reactor, &probe[0]);
    until(reactor, probe[0].opened && serve.opened == 1);
    cdt_flow_abort(probe[0].flow, -EIO, NULL);
    until(reactor, probe[0].closed && serve.closed == 1);
    assert_int_equal(serve.error_status, -ECONNRESET);

    start_client(reactor, &probe[1]);
    until(reactor, probe[1].opened && serve.opened == 2);
    struct cdt_flow *theirs = cdt_server_first(serve.server);
    assert_int_equal(cdt_flow_write_nodelay(theirs, "data", 4, NULL, NULL), 0);
    cdt_flow_abort(theirs, -EIO, NULL);
    until(reactor, probe[1].closed);
    assert_true(probe_has(&probe[1], "data", 4));
    assert_int_equal(probe[1].status, -ECONNRESET);
    serve_stop(reactor, &serve);
    test_end(reactor, probe, 2);
}

/* Before there is a server, and while it has not answered. */
static void test_end_while_connecting(void **state)
{
    struct cdt_reactor *reactor = test_reactor(), *other = test_reactor();
    struct serve serve = {0};
    struct probe probe[4] = {{0}, {0}, {0}, {0}};

    (void)state;
    start_client(reactor, &probe[0]);
    start_client(reactor, &probe[1]);
    settle(reactor);
    cdt_flow_abort(probe[0].flow, -EIO, NULL);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -EIO);

    serve_here(other, &serve, 0, 0); /* and accepts nobody: its reactor stands still */
    start_client(reactor, &probe[2]);
    start_client(reactor, &probe[3]);
    settle(reactor);
    cdt_flow_abort(probe[1].flow, -EIO, NULL);
    cdt_flow_abort(probe[2].flow, -EIO, NULL);
    until(reactor, probe[1].closed && probe[2].closed);
    assert_int_equal(probe[3].closed + probe[3].opened, 0);
    test_end(reactor, probe, 4); /* with one that still waits */
    until(other, serve.errors || serve_counters(&serve).accepted);
    serve_stop(other, &serve);
    test_end(other, NULL, 0);
    assert_int_equal(count_rings(), 0);
}

static void test_connect_timeout(void **state)
{
    struct cdt_reactor *reactor = test_reactor(), *other = test_reactor();
    struct serve serve = {0};
    struct probe probe[2] = {{0}, {0}};
    const struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_flow_options options = {.size = sizeof options,
                                             .connect_timeout = 50 * CDT_MS};
    (void)state;
    assert_int_equal(
        cdt_vchan_connect(reactor, 0, "p", &vchan, &options, &probe_handler, &probe[0].flow), 0);
    probe_attach(probe[0].flow, &probe[0]);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -ETIMEDOUT);
    assert_non_null(strstr(probe[0].error, "no server"));

    serve_here(other, &serve, 0, 0);
    assert_int_equal(
        cdt_vchan_connect(reactor, 0, "p", &vchan, &options, &probe_handler, &probe[1].flow), 0);
    probe_attach(probe[1].flow, &probe[1]);
    until(reactor, probe[1].closed);
    assert_int_equal(probe[1].status, -ETIMEDOUT);
    assert_non_null(strstr(probe[1].error, "no answer"));
    serve_stop(other, &serve);
    test_end(other, NULL, 0);
    test_end(reactor, probe, 2);
}

/* ---- servers that come and go ---------------------------------------------------------------- */

static void test_late_server(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe[3] = {{0}, {0}, {0}};

    (void)state;
    for (int i = 0; i < 3; i++)
        start_client(reactor, &probe[i]);
    settle(reactor);
    assert_int_equal(probe[0].opened, 0);
    serve_here(reactor, &serve, 0, 0);
    until(reactor, probe[0].opened && probe[1].opened && probe[2].opened);
    echo_pattern(reactor, &probe[1], 5000);
    serve_stop(reactor, &serve);
    until(reactor, probe[0].closed && probe[1].closed && probe[2].closed);
    test_end(reactor, probe, 3);
}

/* Those who were in the line of a server that has stopped wait for the next one. */
static void test_server_leaves(void **state)
{
    struct cdt_reactor *reactor = test_reactor(), *other = test_reactor();
    struct serve first = {0}, second = {0};
    struct probe probe[2] = {{0}, {0}};

    (void)state;
    serve_here(other, &first, 0, 0);
    for (int i = 0; i < 2; i++)
        start_client(reactor, &probe[i]);
    settle(reactor);
    cdt_server_stop(first.server, 0); /* closes the listener at once */
    settle(reactor);
    assert_int_equal(probe[0].closed + probe[1].closed + probe[0].opened + probe[1].opened, 0);
    until(other, first.stopped);
    serve_here(reactor, &second, 0, 0);
    until(reactor, probe[0].opened && probe[1].opened);
    serve_stop(reactor, &second);
    until(reactor, probe[0].closed && probe[1].closed);
    test_end(reactor, probe, 2);
    test_end(other, NULL, 0);
}

static void test_two_servers(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve first = {0}, second = {0};
    const struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_server_options options = serve_options(&second);
    struct probe probe = {0};

    (void)state;
    serve_here(reactor, &first, 0, 0);
    assert_int_equal(try_to_serve(reactor, &second, &vchan, &options), -EADDRINUSE);
    assert_non_null(strstr(second.listen_text, "another server"));
    until(reactor, second.stopped);
    start_client(reactor, &probe);
    until(reactor, probe.opened);
    echo_pattern(reactor, &probe, 100);
    serve_stop(reactor, &first);

    struct serve third = {0};
    serve_here(reactor, &third, 0, 0);
    serve_stop(reactor, &third);
    until(reactor, probe.closed);
    test_end(reactor, &probe, 1);
}

static void serve_for_ever(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    serve_here(reactor, &serve, 0, 0);
    say(tell);
    cdt_reactor_run(reactor);
}

static void test_stale_socket(void **state)
{
    const struct child child = start_child(serve_for_ever);
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    const struct cdt_addr at = socket_here();

    (void)state;
    hear_child(&child);
    kill_child(child.pid);
    close(child.says);
    assert_int_equal(access(at.local.sun_path, F_OK), 0); /* left behind */
    start_client(reactor, &probe);
    settle(reactor);
    assert_int_equal(probe.closed + probe.opened, 0);
    serve_here(reactor, &serve, 0, 0);
    until(reactor, probe.opened);
    serve_stop(reactor, &serve);
    until(reactor, probe.closed);
    test_end(reactor, &probe, 1);
    assert_int_equal(count_files(folder), 0);
}

static void serve_and_count(struct cdt_reactor *reactor, int folder_fd, int turns, bool release)
{
    struct serve serve = {0};
    const struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(
        cdt_vchan_listen(reactor, 0, "p", &vchan, &options, &serve_handler, &serve.server), 0);
    for (int i = 0; i < turns; i++)
        cdt_reactor_step(reactor, CDT_MS);
    assert_int_equal(serve.listened, 0);
    if (release)
        flock(folder_fd, LOCK_UN);
    until(reactor, serve.listened);
    assert_int_equal(serve.listen_status, 0);
    serve_stop(reactor, &serve);
}

/* Who opens a port waits for another who is about to, but not for ever. */
static void test_lock(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    const struct files_root root = {folder, 0700};

    (void)state;
    for (int release = 0; release < 2; release++) {
        const int fd = files_open(&root, PLACE, O_RDONLY, true);
        assert_true(fd >= 0);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        serve_and_count(reactor, fd, 20, release);
        close(fd);
    }
    int fd = files_open(&root, PLACE, O_RDONLY, true);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    struct serve serve = {0};
    const struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_server_options options = serve_options(&serve);
    assert_int_equal(
        cdt_vchan_listen(reactor, 0, "p", &vchan, &options, &serve_handler, &serve.server), 0);
    settle(reactor);
    assert_int_equal(cdt_server_stop(serve.server, 0), 0); /* while it waits */
    until(reactor, serve.stopped);
    close(fd);
    test_end(reactor, NULL, 0);
}

/* Places of another length than a socket's path may have. */
static void test_long_directory(void **state)
{
    char path[400];
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_server_options options = serve_options(&serve);

    (void)state;
    snprintf(path, sizeof path, "%s/%0200d", folder, 0);
    vchan.directory = path;
    assert_int_equal(cdt_vchan_connect(reactor, 0, "p", &vchan, NULL, &probe_handler, &probe.flow),
                     0);
    probe_attach(probe.flow, &probe);
    settle(reactor);
    assert_int_equal(try_to_serve(reactor, &serve, &vchan, &options), 0);
    until(reactor, probe.opened);
    echo_pattern(reactor, &probe, 3000);

    struct serve second = {0};
    const struct cdt_server_options again = serve_options(&second);
    assert_int_equal(try_to_serve(reactor, &second, &vchan, &again), -EADDRINUSE);
    until(reactor, second.stopped);
    serve_stop(reactor, &serve);
    until(reactor, probe.closed);
    test_end(reactor, &probe, 1);
    assert_int_equal(count_files(path), 0);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void test_max_active(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe[3] = {{0}, {0}, {0}};
    const struct cdt_vchan_options vchan = here(0, 0);
    struct cdt_server_options options = serve_options(&serve);

    (void)state;
    options.max_active = 1;
    assert_int_equal(try_to_serve(reactor, &serve, &vchan, &options), 0);
    for (int i = 0; i < 3; i++)
        start_client(reactor, &probe[i]);
    for (int i = 0; i < 3; i++) {
        until(reactor, probe[0].opened + probe[1].opened + probe[2].opened == i + 1);
        settle(reactor);
        assert_int_equal(serve.active, 1);
        for (int j = 0; j < 3; j++) {
            if (probe[j].opened && !probe[j].closed)
                cdt_flow_close(probe[j].flow);
        }
    }
    until(reactor, probe[0].closed && probe[1].closed && probe[2].closed);
    assert_int_equal(serve.peak, 1);
    assert_true(serve_counters(&serve).throttled > 0);
    serve_stop(reactor, &serve);
    test_end(reactor, probe, 3);
}

static void connect_and_stay(int tell)
{
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    start_client(reactor, &probe);
    settle(reactor);
    say(tell);
    until(reactor, probe.opened);
    say(tell);
    cdt_reactor_run(reactor);
}

/* No descriptor for the client, or none for the memory: the server waits, and the client too. */
static void test_no_descriptors(void **state)
{
    (void)state;
    for (int spare = 0; spare < 2; spare++) {
        struct cdt_reactor *reactor = test_reactor();
        struct serve serve = {0};
        int held = -1;

        serve_here(reactor, &serve, 0, 0);
        const struct child child = start_child(connect_and_stay);
        hear_child(&child);
        if (spare)
            held = dup(0);
        test_no_more_fds();
        if (spare)
            close(held);
        until(reactor, serve.errors);
        assert_int_equal(serve.error_status, -EMFILE);
        assert_int_equal(serve.opened, 0);
        assert_int_equal(serve_counters(&serve).starved > 0, 1);
        test_more_fds();
        until(reactor, serve.opened == 1);
        hear_child(&child);
        kill_child(child.pid);
        close(child.says);
        until(reactor, serve.closed);
        serve_stop(reactor, &serve);
        test_end(reactor, NULL, 0);
    }
}

/* No descriptor for the memory that the server sends: the client says so. */
static void test_no_descriptor_for_the_client(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    const struct child child = start_child(serve_bulk);

    (void)state;
    hear_child(&child);
    kill(child.pid, SIGSTOP);
    start_client(reactor, &probe);
    settle(reactor);
    test_no_more_fds();
    kill(child.pid, SIGCONT);
    until(reactor, probe.closed);
    test_more_fds();
    assert_int_equal(probe.status, -EMFILE);
    kill_child(child.pid);
    close(child.says);
    test_end(reactor, &probe, 1);
}

static int serve_small_files(void)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    const struct rlimit small = {1000, 1000};
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    serve_here(reactor, &serve, 0, 0);
    assert_int_equal(dup2(nowhere, 2), 2); /* the log may be a file */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    start_client(reactor, &probe);
    until(reactor, serve.errors);
    _exit(serve.error_status == -EFBIG && !probe.closed ? 0 : 1);
}

/* Where files may not be as large as the memory of the rings, that is an error, and no signal. */
static void test_file_limit(void **state)
{
    (void)state;
    assert_int_equal(test_in_child(serve_small_files), 0);
}

/* A full line of clients is waited for. */
static void test_backlog(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe[3] = {{0}, {0}, {0}};
    const struct files_root root = {folder, 0700};
    const struct cdt_addr at = socket_here();
    const int place = files_open(&root, PLACE, O_PATH, true);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)state;
    assert_true(place >= 0);
    assert_int_equal(bind(fd, &at.any, at.length), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 3; i++)
        start_client(reactor, &probe[i]);
    settle(reactor);
    for (int i = 0; i < 3;
         i++) { /* each is refused when it has come so far; the others try again */
        int client = -1;
        until(reactor, (client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
        close(client);
        until(reactor, probe[0].closed + probe[1].closed + probe[2].closed == i + 1);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(probe[i].status, -ECONNRESET);
    close(fd);
    close(place);
    test_end(reactor, probe, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        meeting_test(test_sizes),           meeting_test(test_too_large),
        meeting_test(test_many_bells),      meeting_test(test_two_processes),
        meeting_test(test_write_and_close), meeting_test(test_server_closes),
        meeting_test(test_abort),           meeting_test(test_end_while_connecting),
        meeting_test(test_connect_timeout), meeting_test(test_late_server),
        meeting_test(test_server_leaves),   meeting_test(test_two_servers),
        meeting_test(test_stale_socket),    meeting_test(test_lock),
        meeting_test(test_long_directory),  meeting_test(test_max_active),
        meeting_test(test_no_descriptors),  meeting_test(test_no_descriptor_for_the_client),
        meeting_test(test_file_limit),      meeting_test(test_backlog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
