/* Listening on a Unix socket: files left behind are replaced, live ones and other files are not,
 * mode and owner, unlinking, abstract names, two servers that race for one path. */
#include "test/support/serve.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    test_folder(folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static struct cdt_addr at_path(const char *name, char path[128])
{
    struct cdt_addr at;

    snprintf(path, 128, "%s/%s", folder, name);
    assert_int_equal(cdt_addr_unix(&at, path), 0);
    return at;
}

/* A socket file that nobody answers. */
static void leave_stale(const struct cdt_addr *at, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, &at->any, at->length), 0);
    close(fd);
}

/* Listens where it must not succeed. */
static void refused(struct cdt_reactor *reactor, const struct cdt_addr *at, int status,
                    const char *text)
{
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);

    assert_int_equal(cdt_unix_listen(reactor, at, &options, &serve_handler, &serve.server), 0);
    until(reactor, serve.stopped);
    assert_int_equal(serve.listen_status, status);
    assert_non_null(strstr(serve.listen_text, text));
}

static void echo_once(struct cdt_reactor *reactor, struct serve *serve, const struct cdt_addr *to)
{
    int before = serve->closed, fd = client_connect(to);

    client_send(fd);
    until(reactor, client_read(fd) == 1);
    close(fd);
    until(reactor, serve->closed == before + 1);
}

static void test_life(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct cdt_addr at = at_path("sock", path), src;
    struct stat found;

    (void)state;
    serve_at(reactor, &serve, &options, &at);
    assert_true(cdt_addr_equal(&serve.address, &at));
    int fd = client_connect(&at);
    until(reactor, serve.opened == 1);
    assert_int_equal(cdt_flow_src(cdt_server_first(serve.server), &src), 0);
    assert_true(cdt_addr_equal(&src, &at));
    close(fd);
    echo_once(reactor, &serve, &at);
    assert_int_equal(cdt_server_stop(serve.server, 0), 0);
    assert_int_equal(lstat(path, &found), -1); /* gone before stop returned */
    until(reactor, serve.stopped);
    cdt_reactor_free(reactor);
}

static void test_stale_is_replaced(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    char path[128];
    struct cdt_addr at = at_path("sock", path);

    (void)state;
    for (int type = 0; type < 2; type++) {
        struct serve serve = {0};
        struct cdt_server_options options = serve_options(&serve);
        leave_stale(&at, type ? SOCK_DGRAM : SOCK_STREAM);
        serve_at(reactor, &serve, &options, &at);
        echo_once(reactor, &serve, &at);
        serve_stop(reactor, &serve);
    }
    cdt_reactor_free(reactor);
}

static void test_live_is_not(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct cdt_addr at = at_path("sock", path);

    (void)state;
    options.backlog = 1;
    options.max_active = 1;
    serve_at(reactor, &serve, &options, &at);
    refused(reactor, &at, -EADDRINUSE, "another server answers");
    /* With a full backlog too; the answer was a client more. */
    int fds[8], count = 0;
    for (;;) {
        struct cdt_addr to = at;
        fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int full = connect(fds[count++], &to.any, to.length);
        if (full)
            break;
        assert_true(count < 8);
        settle(reactor);
    }
    assert_int_equal(errno, EAGAIN);
    refused(reactor, &at, -EADDRINUSE, "another server answers");
    while (count)
        close(fds[--count]);
    settle(reactor);
    echo_once(reactor, &serve, &at);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

static void test_other_files_are_not(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    char path[128], target[128];
    struct cdt_addr at = at_path("file", path);
    struct stat found;

    (void)state;
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    refused(reactor, &at, -EADDRINUSE, "not a socket");
    assert_int_equal(lstat(path, &found), 0);
    assert_true(S_ISREG(found.st_mode));

    at = at_path("stale", target);
    leave_stale(&at, SOCK_STREAM);
    at = at_path("link", path);
    assert_int_equal(symlink(target, path), 0);
    refused(reactor, &at, -EADDRINUSE, "not a socket");
    assert_int_equal(lstat(target, &found), 0);

    at = at_path("no/such/folder", path);
    refused(reactor, &at, -ENOENT, cdt_strerror(ENOENT));
    at = at_path("file/sock", path);
    refused(reactor, &at, -ENOTDIR, cdt_strerror(ENOTDIR));
    at = at_path("", path);
    refused(reactor, &at, -EISDIR, cdt_strerror(EISDIR));
    cdt_reactor_free(reactor);
}

static void test_mode_and_owner(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct cdt_addr at = at_path("sock", path);
    struct stat found;
    mode_t mask = umask(027);

    (void)state;
    serve_at(reactor, &serve, &options, &at);
    assert_int_equal(lstat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0750);
    serve_stop(reactor, &serve);

    serve = (struct serve){0};
    options.unix_mode = 0622;
    if (geteuid() == 0) {
        options.unix_chown = true;
        options.unix_uid = 12;
        options.unix_gid = 34;
    }
    serve_at(reactor, &serve, &options, &at);
    assert_int_equal(lstat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0622);
    if (options.unix_chown) {
        assert_int_equal(found.st_uid, 12);
        assert_int_equal(found.st_gid, 34);
    }
    assert_int_equal(umask(mask), 027);
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

/* What somebody else has put in the place of our file stays. */
static void test_unlinks_only_its_own(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct cdt_addr at = at_path("sock", path);
    struct stat found;

    (void)state;
    serve_at(reactor, &serve, &options, &at);
    assert_int_equal(unlink(path), 0);
    leave_stale(&at, SOCK_STREAM);
    serve_stop(reactor, &serve);
    assert_int_equal(lstat(path, &found), 0);
    cdt_reactor_free(reactor);
}

/* A relative path is the same file after chdir(2). */
static void test_relative_path(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct cdt_addr at, full = at_path("sock", path);
    struct stat found;
    int before = open(".", O_PATH | O_CLOEXEC);

    (void)state;
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(cdt_addr_unix(&at, "sock"), 0);
    serve_at(reactor, &serve, &options, &at);
    assert_int_equal(fchdir(before), 0);
    close(before);
    echo_once(reactor, &serve, &full);
    serve_stop(reactor, &serve);
    assert_int_equal(lstat(path, &found), -1);
    cdt_reactor_free(reactor);
}

static void test_longest_path(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128], name[128];
    struct cdt_addr at;
    struct stat found;

    (void)state;
    snprintf(name, sizeof name, "%0*d", (int)(107 - strlen(folder) - 1), 7);
    at = at_path(name, path);
    assert_int_equal(strlen(path), 107);
    serve_at(reactor, &serve, &options, &at);
    echo_once(reactor, &serve, &at);
    serve_stop(reactor, &serve);
    assert_int_equal(lstat(path, &found), -1);
    cdt_reactor_free(reactor);
}

static void test_abstract(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char name[128], text[CDT_ADDR_TEXT];
    struct cdt_addr at;

    (void)state;
    snprintf(name, sizeof name, "@cdt-test-%d", (int)getpid());
    assert_int_equal(cdt_addr_unix(&at, name), 0);
    serve_at(reactor, &serve, &options, &at);
    assert_string_equal(cdt_addr_format(&serve.address, text), name);
    echo_once(reactor, &serve, &at);
    refused(reactor, &at, -EADDRINUSE, cdt_strerror(EADDRINUSE));
    serve_stop(reactor, &serve);
    cdt_reactor_free(reactor);
}

/* While somebody else opens a socket in the folder, opening waits, and the reactor does not. */
static void test_waits_for_the_lock(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char path[128];
    struct cdt_addr at = at_path("sock", path);
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(cdt_unix_listen(reactor, &at, &options, &serve_handler, &serve.server), 0);
    for (int i = 0; i < 5; i++)
        cdt_reactor_step(reactor, 5 * CDT_MS);
    assert_int_equal(serve.listened, 0);
    assert_int_equal(cdt_server_set_backlog(serve.server, 9), 0);
    flock(lock, LOCK_UN);
    until(reactor, serve.listened);
    assert_int_equal(serve.listen_status, 0);
    assert_int_equal(serve_counters(&serve).backlog, 9);
    serve_stop(reactor, &serve);

    /* One who never lets go cannot keep us from listening; stop works meanwhile. */
    assert_int_equal(flock(lock, LOCK_EX), 0);
    serve = (struct serve){0};
    assert_int_equal(cdt_unix_listen(reactor, &at, &options, &serve_handler, &serve.server), 0);
    cdt_reactor_step(reactor, 5 * CDT_MS);
    serve_stop(reactor, &serve);
    assert_int_equal(serve.listen_status, -ECANCELED);
    serve = (struct serve){0};
    serve_at(reactor, &serve, &options, &at);
    serve_stop(reactor, &serve);
    close(lock);
    cdt_reactor_free(reactor);
}

/* Children race for one path with a stale file; exactly one of them gets it. They say so with a
 * byte, and wait until all have. */
static int race(int start, int report, const struct cdt_addr *at)
{
    struct cdt_reactor *reactor = test_reactor();
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    char byte;

    if (read(start, &byte, 1) != 0) /* all begin when the parent closes its end */
        return 1;
    if (cdt_unix_listen(reactor, at, &options, &serve_handler, &serve.server))
        return 1;
    until(reactor, serve.listened);
    byte = serve.listen_status == 0 ? 'y' : serve.listen_status == -EADDRINUSE ? 'n' : '?';
    if (write(report, &byte, 1) != 1)
        return 1;
    if (byte == 'y')
        for (int i = 0; i < 20; i++)
            cdt_reactor_step(reactor, 10 * CDT_MS); /* answers those who probe */
    _exit(0);
}

static void test_race_for_a_stale_path(void **state)
{
    enum { RACERS = 6 };
    char path[128];
    struct cdt_addr at = at_path("sock", path);

    (void)state;
    for (int round = 0; round < (test_slow() ? 3 : 10); round++) {
        int start[2], report[2], winners = 0;
        char says[RACERS];
        unlink(path);
        leave_stale(&at, SOCK_STREAM);
        assert_int_equal(pipe2(start, O_CLOEXEC), 0);
        assert_int_equal(pipe2(report, O_CLOEXEC), 0);
        for (int i = 0; i < RACERS; i++) {
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0) {
                close(start[1]);
                _exit(race(start[0], report[1], &at));
            }
        }
        close(start[0]);
        close(start[1]);
        close(report[1]);
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(read(report[0], &says[i], 1), 1);
            assert_true(says[i] == 'y' || says[i] == 'n');
            winners += says[i] == 'y';
        }
        assert_int_equal(winners, 1);
        close(report[0]);
        for (int i = 0; i < RACERS; i++)
            assert_true(wait(NULL) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_files_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode_and_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unlinks_only_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relative_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest_path, setup, teardown),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test_setup_teardown(test_waits_for_the_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_race_for_a_stale_path, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
