/* The local backend among those who do not keep to the rules: servers that send something else than
 * memory for rings, peers that flood or never empty the bell, clients that leave or talk nonsense,
 * others' users. */
#include "test/vchan/meeting.h"

#include <sys/ioctl.h>

/* ---- servers --------------------------------------------------------------------------------- */

/* A listening socket in the place, which no server of ours has made. */
static int listen_here(void)
{
    const struct files_root root = {folder, 0700};
    const struct cdt_addr at = socket_here();
    const int place = files_open(&root, PLACE, O_PATH, true);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(place >= 0 && fd >= 0);
    close(place);
    assert_int_equal(bind(fd, &at.any, at.length), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void send_message(int fd, const void *data, size_t length, const int *fds, size_t count)
{
    char control[CMSG_SPACE(8 * sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)data, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (count) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){CMSG_LEN(count * sizeof *fds), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    }
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), length);
}

enum { ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* Memory with a fresh page in it. */
static int some_memory(size_t size, int seals, bool pages)
{
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char page[VCHAN_PAGE] = {0};

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    if (pages)
        assert_int_equal(fallocate(fd, 0, 0, (off_t)size), 0);
    vchan_page_init((struct vchan_page *)(void *)page, 10, 11);
    assert_int_equal(pwrite(fd, page, size < sizeof page ? size : sizeof page, 0),
                     size < sizeof page ? size : sizeof page);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static struct local_hello hello_of(uint16_t left_order, uint16_t right_order)
{
    return (struct local_hello){{'c', 'd', 't', 'v', 'c', 'h', 'a', 'n'},
                                LOCAL_VERSION,
                                LOCAL_GRANTED,
                                left_order,
                                right_order};
}

/* A client connects, a server of the test answers as `answer` says: the client ends with this
 * status and says why. No descriptor and no memory is left. */
static void refused(void (*answer)(int fd), int status, const char *why)
{
    struct cdt_reactor *reactor = test_reactor();
    struct probe probe = {0};
    const int listener = listen_here();
    int client = -1;

    start_client(reactor, &probe);
    until(reactor, (client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
    answer(client);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, status);
    assert_int_equal(probe.opened, 0);
    if (!strstr(probe.error, why))
        fail_msg("\"%s\" does not say \"%s\"", probe.error, why);
    close(client);
    close(listener);
    test_end(reactor, &probe, 1);
    assert_int_equal(unlink(socket_here().local.sun_path), 0);
}

static void grant(int fd, const struct local_hello *hello, int memory)
{
    send_message(fd, hello, sizeof *hello, &memory, 1);
    close(memory);
}

static void hang_up(int fd)
{
    shutdown(fd, SHUT_RDWR);
}

static void garbage(int fd)
{
    send_message(fd, "GET / HTTP/1.0\r\n\r\n", 18, NULL, 0);
}

static void half_a_header(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    const int memory = some_memory(VCHAN_PAGE, ALL_SEALS, true);
    send_message(fd, &hello, sizeof hello - 1, &memory, 1);
    close(memory);
}

static void other_version(int fd)
{
    struct local_hello hello = hello_of(10, 11);
    hello.version++;
    grant(fd, &hello, some_memory(VCHAN_PAGE, ALL_SEALS, true));
}

static void other_answer(int fd)
{
    struct local_hello hello = hello_of(10, 11);
    hello.answer = 7;
    grant(fd, &hello, some_memory(VCHAN_PAGE, ALL_SEALS, true));
}

static void refusal(int fd)
{
    struct local_hello hello = hello_of(0, 0);
    hello.answer = LOCAL_REFUSED;
    send_message(fd, &hello, sizeof hello, NULL, 0);
}

static void refusal_with_memory(int fd)
{
    struct local_hello hello = hello_of(0, 0);
    hello.answer = LOCAL_REFUSED;
    grant(fd, &hello, some_memory(VCHAN_PAGE, ALL_SEALS, true));
}

static void no_memory(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    send_message(fd, &hello, sizeof hello, NULL, 0);
}

static void send_many(int fd, size_t count)
{
    const struct local_hello hello = hello_of(10, 11);
    int fds[8] = {0};
    for (size_t i = 0; i < count; i++)
        fds[i] = some_memory(VCHAN_PAGE, ALL_SEALS, true);
    send_message(fd, &hello, sizeof hello, fds, count);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void two_memories(int fd)
{
    send_many(fd, 2);
}

static void eight_memories(int fd)
{
    send_many(fd, 8);
}

static void a_pipe(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    grant(fd, &hello, ends[0]);
    close(ends[1]);
}

static void a_file(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    char path[128];
    snprintf(path, sizeof path, "%s/file", folder);
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, VCHAN_PAGE), 0);
    grant(fd, &hello, file);
}

static void a_seal_less(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    static const int most[] = {F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL,
                               F_SEAL_SHRINK | F_SEAL_SEAL, 0};
    static unsigned turn;
    grant(fd, &hello, some_memory(VCHAN_PAGE, most[turn++ % 4], true));
}

static void sealed_against_writing(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    grant(fd, &hello, some_memory(VCHAN_PAGE, ALL_SEALS | F_SEAL_WRITE, true));
}

static void too_small(int fd)
{
    const struct local_hello hello = hello_of(12, 13);
    grant(fd, &hello, some_memory(VCHAN_PAGE + 4096, ALL_SEALS, true));
}

static void too_large(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    grant(fd, &hello, some_memory(VCHAN_PAGE + 4096, ALL_SEALS, true));
}

static void empty_memory(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    grant(fd, &hello, some_memory(0, ALL_SEALS, false));
}

static void with_holes(int fd)
{
    const struct local_hello hello = hello_of(20, 20);
    grant(fd, &hello, some_memory(VCHAN_PAGE + (2 << 20), ALL_SEALS, false));
}

static void orders(int fd, uint16_t left_order, uint16_t right_order)
{
    const struct local_hello hello = hello_of(left_order, right_order);
    grant(fd, &hello, some_memory(VCHAN_PAGE, ALL_SEALS, true));
}

static void same_order(int fd)
{
    orders(fd, 10, 10);
}

static void small_order(int fd)
{
    orders(fd, 9, 11);
}

static void huge_order(int fd)
{
    orders(fd, 11, 65535);
}

static void broken_page(int fd)
{
    const struct local_hello hello = hello_of(10, 11);
    const int memory = some_memory(VCHAN_PAGE, ALL_SEALS, true);
    const uint32_t index = 5000; /* more than there is room for */
    assert_int_equal(pwrite(memory, &index, sizeof index, offsetof(struct vchan_page, right.prod)),
                     sizeof index);
    grant(fd, &hello, memory);
}

static void test_servers(void **state)
{
    static const struct {
        void (*answer)(int fd);
        int status;
        const char *why;
    } cases[] = {
        {hang_up, -ECONNRESET, "before it gave a ring"},
        {garbage, -EPROTO, "no server of vchan"},
        {half_a_header, -EPROTO, "no server of vchan"},
        {other_version, -EPROTO, "another version"},
        {other_answer, -EPROTO, "impossible answer"},
        {refusal, -EACCES, "its own user and root only"},
        {refusal_with_memory, -EPROTO, "impossible answer"},
        {no_memory, -EPROTO, "no memory"},
        {two_memories, -EPROTO, "more than one"},
        {eight_memories, -EPROTO, "more than one"},
        {a_pipe, -EPROTO, "no sealed memory"},
        {a_file, -EPROTO, "no sealed memory"},
        {a_seal_less, -EPROTO, "not sealed"},
        {a_seal_less, -EPROTO, "not sealed"},
        {a_seal_less, -EPROTO, "not sealed"},
        {a_seal_less, -EPROTO, "not sealed"},
        {sealed_against_writing, -EPERM, "cannot be mapped"},
        {too_small, -EPROTO, "wrong size"},
        {too_large, -EPROTO, "wrong size"},
        {empty_memory, -EPROTO, "wrong size"},
        {with_holes, -EPROTO, "holes"},
        {same_order, -EPROTO, "impossible sizes"},
        {small_order, -EPROTO, "impossible sizes"},
        {huge_order, -EPROTO, "impossible sizes"},
        {broken_page, -EPROTO, "impossible state"},
    };

    (void)state;
    if (test_emulated()) {
        print_message("the emulator leaks descriptors of messages whose control data is cut\n");
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].answer, cases[i].status, cases[i].why);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* A client that has its memory, and does as it likes with it. */
struct villain {
    int fd;
    struct vchan_page *page;
};

static struct villain villain_connect(struct cdt_reactor *reactor, struct serve *serve)
{
    const int before = serve->opened;
    char control[CMSG_SPACE(sizeof(int))];
    struct local_hello hello;
    struct iovec part = {&hello, sizeof hello};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    const struct cdt_addr at = socket_here();
    struct villain villain = {.fd = client_connect(&at)};
    int memory = -1;

    until(reactor, serve->opened == before + 1);
    assert_int_equal(recvmsg(villain.fd, &message, MSG_CMSG_CLOEXEC), sizeof hello);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header)
        fail_msg("no memory came");
    else
        memcpy(&memory, CMSG_DATA(header), sizeof memory);
    villain.page = mmap(NULL, VCHAN_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    assert_true(villain.page != MAP_FAILED);
    close(memory);
    villain.page->cli_live = VCHAN_CONNECTED;
    return villain;
}

static void villain_free(struct villain *villain)
{
    munmap(villain->page, VCHAN_PAGE);
    if (villain->fd >= 0)
        close(villain->fd);
}

/* A good client that is served whatever others do. */
static void served(struct cdt_reactor *reactor, struct probe *probe)
{
    if (!probe->flow)
        start_client(reactor, probe);
    until(reactor, probe->opened);
    echo_pattern(reactor, probe, 3000);
}

static void test_leaves_at_once(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    const struct cdt_addr at = socket_here();

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    for (int i = 0; i < 20; i++)
        close(client_connect(&at));
    served(reactor, &probe);
    until(reactor, serve.active == 1);
    cdt_flow_abort(probe.flow, 0, NULL);
    until(reactor, serve_counters(&serve).active == 0);
    serve_stop(reactor, &serve);
    test_end(reactor, &probe, 1);
}

/* Bytes in the socket are bells, whatever they are, and descriptors in it are nobody's. */
static void test_talks_nonsense(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    (void)state;
    serve_here(reactor, &serve, 0, 0);
    struct villain villain = villain_connect(reactor, &serve);
    for (int i = 0; i < 10; i++) {
        const int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
        send_message(villain.fd, "GET / HTTP/1.0\r\n\r\n", 18, &extra, 1);
        close(extra);
        settle(reactor);
    }
    served(reactor, &probe);
    assert_int_equal(serve.active, 2);
    villain_free(&villain);
    until(reactor, serve.active == 1);
    assert_int_equal(serve.error_status, -ECONNRESET);
    cdt_flow_abort(probe.flow, 0, NULL);
    until(reactor, serve.active == 0);
    serve_stop(reactor, &serve);
    test_end(reactor, &probe, 1);
}

/* As many bells as the socket takes, and always more: the others are served, and no call blocks. */
static void test_floods(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct probe probe = {0};
    uint8_t bells[4096] = {0};
    const int rounds = test_slow() ? 100 : 1000;

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    struct villain villain = villain_connect(reactor, &serve);
    for (int i = 0; i < rounds; i++) {
        for (int j = 0; j < 10; j++) {
            if (send(villain.fd, bells, sizeof bells, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                assert_int_equal(errno, EAGAIN);
        }
        (void)send(villain.fd, bells, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
        served(reactor, &probe);
        assert_true(cdt_reactor_step(reactor, 0) < 10);
    }
    villain_free(&villain);
    cdt_flow_abort(probe.flow, 0, NULL);
    until(reactor, serve.active == 0);
    serve_stop(reactor, &serve);
    test_end(reactor, &probe, 1);
}

/* It wants a bell for each byte and never takes one: its socket is full, we do not wait for it. */
static void test_deaf(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_vchan_info info;
    int unread = 0;

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    struct villain villain = villain_connect(reactor, &serve);
    struct cdt_flow *flow = cdt_server_first(serve.server);
    for (int i = 0; i < 5000; i++) {
        villain.page->right.cons = villain.page->right.prod;
        villain.page->srv_notify = VCHAN_TELL_WRITTEN | VCHAN_TELL_CONSUMED;
        assert_int_equal(cdt_flow_write_nodelay(flow, "x", 1, NULL, NULL), 0);
    }
    assert_int_equal(cdt_vchan_info(flow, &info), 0);
    assert_true(info.bells_sent >= 5000);
    assert_int_equal(ioctl(villain.fd, FIONREAD, &unread), 0);
    assert_in_range(unread, 100, 4999);
    assert_int_equal(serve.active, 1);
    villain_free(&villain);
    until(reactor, serve.active == 0);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

/* A hole in the memory is zeroes: an impossible ring, or an empty one, but no signal. */
static void test_punches_holes(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};

    (void)state;
    if (test_emulated()) {
        cdt_reactor_free(reactor);
        print_message("the emulator does not pass MADV_REMOVE on\n");
        skip();
    }
    serve_here(reactor, &serve, 0, 0);
    struct villain villain = villain_connect(reactor, &serve);
    villain.page->left.prod = 100; /* which it has not written */
    assert_int_equal(madvise(villain.page, VCHAN_PAGE, MADV_REMOVE), 0);
    assert_int_equal(send(villain.fd, "", 1, 0), 1);
    until(reactor, serve.active == 0); /* a live byte of 0 is an end */
    villain_free(&villain);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

/* Each impossible state ends the flow with one error. */
static void test_impossible_ring(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};

    (void)state;
    serve_here(reactor, &serve, 0, 0);
    for (int i = 0; i < 3; i++) {
        struct villain villain = villain_connect(reactor, &serve);
        if (i == 0)
            villain.page->left.prod = UINT32_MAX;
        if (i == 1)
            villain.page->cli_live = 77;
        if (i == 2) {
            villain.page->right.cons = 12345;
            cdt_flow_write_nodelay(cdt_server_first(serve.server), "x", 1, NULL, NULL);
        }
        assert_int_equal(send(villain.fd, "", 1, 0), 1);
        until(reactor, serve.closed == i + 1);
        assert_int_equal(serve.error_status, -EPROTO);
        villain_free(&villain);
    }
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

/* ---- users ----------------------------------------------------------------------------------- */

enum { STRANGER = 54321, OTHER = 54322 };

static void let_in(const char *path, mode_t mode)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s", folder, path);
    assert_int_equal(chmod(text, mode), 0);
}

/* The folders from the top to the place. */
static void let_all_in(mode_t mode)
{
    static const char *const parts[] = {"",
                                        "/local",
                                        "/local/domain",
                                        "/local/domain/0",
                                        "/local/domain/0/data",
                                        "/local/domain/0/data/vchan",
                                        "/local/domain/0/data/vchan/0",
                                        PLACE};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        let_in(parts[i], mode);
}

static mode_t stranger_mode;

static int connect_as_stranger(void)
{
    struct cdt_vchan_options vchan = here(0, 0);
    struct cdt_reactor *reactor;
    struct probe probe = {0};
    vchan.mode = stranger_mode;
    if (setgid(STRANGER) || setuid(STRANGER))
        return 2;
    reactor = test_reactor();
    if (cdt_vchan_connect(reactor, 0, "p", &vchan, NULL, &probe_handler, &probe.flow))
        return 3;
    probe_attach(probe.flow, &probe);
    until(reactor, probe.closed || probe.opened);
    if (probe.opened)
        _exit(100);
    fprintf(stderr, "%s\n", probe.error);
    _exit(probe.status == -EACCES ? 101 : 102);
}

/* Runs it in a child while the server turns: what it ended with. */
static int as_stranger(struct cdt_reactor *reactor, mode_t mode)
{
    int status = 0;
    stranger_mode = mode;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(connect_as_stranger());
    until(reactor, waitpid(pid, &status, WNOHANG) == pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_strangers(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};

    (void)state;
    if (geteuid() != 0) {
        print_message("needs root, to be another user\n");
        skip();
    }
    serve_here(reactor, &serve, 0, 0);
    assert_int_equal(as_stranger(reactor, 0), 101); /* not even the folder */
    let_all_in(0755);
    let_in(PLACE "/" FILES_SOCKET, 0666);
    assert_int_equal(as_stranger(reactor, 0), 101); /* refused by the server */
    assert_int_equal(serve.opened, 0);
    assert_int_equal(serve.error_status, -EPERM);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

static void test_mode_lets_in(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct stat made;

    (void)state;
    if (geteuid() != 0) {
        print_message("needs root, to be another user\n");
        skip();
    }
    const mode_t mask = umask(077); /* must not matter */
    vchan.mode = 0777;
    let_in("", 0777);
    assert_int_equal(try_to_serve(reactor, &serve, &vchan, &options), 0);
    umask(mask);
    snprintf(path, sizeof path, "%s" PLACE, folder);
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0777);
    assert_int_equal(stat(socket_here().local.sun_path, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0666);
    assert_int_equal(as_stranger(reactor, 0777), 100);
    serve_stop(reactor, &serve);
    test_end(reactor, NULL, 0);
}

static void serve_as_other(int tell)
{
    struct cdt_vchan_options vchan = here(0, 0);
    struct serve serve = {0};
    const struct cdt_server_options options = serve_options(&serve);
    vchan.mode = 0777;
    if (setgid(OTHER) || setuid(OTHER))
        _exit(2);
    struct cdt_reactor *reactor = test_reactor();
    if (try_to_serve(reactor, &serve, &vchan, &options))
        _exit(3);
    say(tell);
    cdt_reactor_run(reactor);
}

/* A client does not talk to a server of just anybody, and nobody uses a directory of another
 * user. */
static void test_strange_server(void **state)
{
    struct cdt_reactor *reactor;
    struct probe probe[2] = {{0}, {0}};

    (void)state;
    if (geteuid() != 0) {
        print_message("needs root, to be another user\n");
        skip();
    }
    let_in("", 0777);
    const struct child child = start_child(serve_as_other);
    hear_child(&child);
    let_in("", 0755);
    reactor = test_reactor();
    start_client(reactor, &probe[0]);
    until(reactor, probe[0].closed);
    assert_int_equal(probe[0].status, -EACCES);
    assert_non_null(strstr(probe[0].error, "our own user"));
    assert_int_equal(chown(folder, OTHER, OTHER), 0);
    test_end(reactor, probe, 1);

    reactor = test_reactor();
    start_client(reactor, &probe[1]);
    until(reactor, probe[1].closed);
    assert_int_equal(probe[1].status, -EPERM);
    test_end(reactor, probe + 1, 1);
    kill_child(child.pid);
    close(child.says);
}

static void test_open_directory(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    const struct cdt_vchan_options vchan = here(0, 0);
    const struct cdt_server_options options = serve_options(&serve);

    (void)state;
    let_in("", 0777); /* and nobody has said that it may be */
    assert_int_equal(try_to_serve(reactor, &serve, &vchan, &options), -EPERM);
    until(reactor, serve.stopped);
    test_end(reactor, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        meeting_test(test_servers),
        meeting_test(test_leaves_at_once),
        meeting_test(test_talks_nonsense),
        meeting_test(test_floods),
        meeting_test(test_deaf),
        meeting_test(test_punches_holes),
        meeting_test(test_impossible_ring),
        meeting_test(test_strangers),
        meeting_test(test_mode_lets_in),
        meeting_test(test_strange_server),
        meeting_test(test_open_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
