/* Secrets for $SSLKEYLOGFILE: its lines, its file, and what is in its place. The environment is
 * read once, so each test is a child. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test/tls/child.h"
#include "tls/config.h"

static char folder[64], path[96];
static const uint8_t client[32] = {0x01, 0xab, [31] = 0xff};
static const uint8_t secret[65] = {0xde, 0xad, [47] = 0x0f};

#define CLIENT_HEX "01ab0000000000000000000000000000000000000000000000000000000000ff"
#define SECRET_HEX                                     \
    "dead00000000000000000000000000000000000000000000" \
    "00000000000000000000000000000000000000000000000f"

static int make_folder(void **state)
{
    (void)state;
    test_folder(folder);
    snprintf(path, sizeof path, "%s/keys", folder);
    setenv("SSLKEYLOGFILE", path, 1);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unsetenv("SSLKEYLOGFILE");
    test_folder_remove(folder);
    return 0;
}

/* Whether secrets are wanted; asked twice, and logged. */
static int ask(bool *wanted)
{
    const struct cdt_reactor_options options = {.size = sizeof options, .log = log_line};
    struct cdt_reactor *reactor;
    check(cdt_reactor_new(&options, &reactor) == 0);
    *wanted = tls_key_log_wanted(reactor);
    check(tls_key_log_wanted(reactor) == *wanted);
    check(cdt_reactor_free(reactor) == 0);
    return 0;
}

static int has(const char *expected)
{
    struct tls_blob blob;
    check(tls_load_file(path, &blob, NULL) == 0);
    check(strcmp(blob.text, expected) == 0);
    tls_blob_fini(&blob);
    return 0;
}

static int lines_are_appended(void)
{
    struct stat info;
    bool wanted;
    check(ask(&wanted) == 0 && wanted && lines == 0);
    check(stat(path, &info) == 0 && (info.st_mode & 07777) == 0600);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    tls_log_secret("SERVER_TRAFFIC_SECRET_0", client, secret, 1);
    tls_log_secret("TOO_LONG", client, secret, sizeof secret);
    return has("CLIENT_RANDOM " CLIENT_HEX " " SECRET_HEX "\n"
               "SERVER_TRAFFIC_SECRET_0 " CLIENT_HEX " de\n");
}

static int it_is_opened_once(void)
{
    bool wanted;
    check(ask(&wanted) == 0 && wanted);
    check(unlink(path) == 0);
    setenv("SSLKEYLOGFILE", "/nowhere/at/all", 1);
    check(ask(&wanted) == 0 && wanted && lines == 0);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    check(access(path, F_OK) != 0);
    return 0;
}

static int what_is_there_stays(void)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool wanted;
    check(fd >= 0 && write(fd, "before\n", 7) == 7);
    check(ask(&wanted) == 0 && wanted);
    tls_log_secret("L", client, secret, 1);
    return has("before\nL " CLIENT_HEX " de\n");
}

static int nobody_asks(void)
{
    bool wanted;
    check(setenv("SSLKEYLOGFILE", "", 1) == 0);
    check(ask(&wanted) == 0 && !wanted && lines == 0);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    return 0;
}

static int it_cannot_be_opened(void)
{
    bool wanted;
    check(mkdir(path, 0700) == 0);
    check(ask(&wanted) == 0 && !wanted && lines == 1);
    check(strncmp(logged, "SSLKEYLOGFILE cannot be opened: ", 32) == 0);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    return 0;
}

/* Nobody reads: to write there would be SIGPIPE. */
static int a_pipe_is_refused(void)
{
    bool wanted;
    check(mkfifo(path, 0600) == 0);
    const int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    check(reader >= 0);
    check(ask(&wanted) == 0 && !wanted && lines == 1);
    close(reader);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    return 0;
}

static int a_full_device_disturbs_nobody(void)
{
    bool wanted;
    check(symlink("/dev/full", path) == 0);
    check(ask(&wanted) == 0 && wanted);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    return 0;
}

static int limit_file(rlim_t size)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = size;
    check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return 0;
}

/* The file is full in the middle of a line, for some time. */
static int a_line_that_was_cut_stands_alone(void)
{
    enum { FIRST = 13 + 1 + 64 + 1 + 96 + 1, PART = 30 };
    bool wanted;
    signal(SIGXFSZ, SIG_IGN);
    check(ask(&wanted) == 0 && wanted);
    check(limit_file(FIRST + PART) == 0);
    tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    for (int i = 0; i < 3; i++) /* the first is cut, the others have no room at all */
        tls_log_secret("CLIENT_RANDOM", client, secret, 48);
    check(limit_file(FIRST + PART + 1 + 20) == 0);
    tls_log_secret("SERVER_TRAFFIC_SECRET_0", client, secret, 1);
    check(limit_file(10000) == 0);
    tls_log_secret("L", client, secret, 1);
    tls_log_secret("M", client, secret, 1);
    return has("CLIENT_RANDOM " CLIENT_HEX " " SECRET_HEX "\n"
               "CLIENT_RANDOM 01ab000000000000\n"
               "SERVER_TRAFFIC_SECRE\n"
               "L " CLIENT_HEX " de\n"
               "M " CLIENT_HEX " de\n");
}

#define child_test(body)                  \
    static void test_##body(void **state) \
    {                                     \
        (void)state;                      \
        test_in_child(body);              \
    }
child_test(lines_are_appended) child_test(it_is_opened_once) child_test(what_is_there_stays)
    child_test(nobody_asks) child_test(it_cannot_be_opened) child_test(a_pipe_is_refused)
        child_test(a_full_device_disturbs_nobody) child_test(a_line_that_was_cut_stands_alone)

#define folder_test(test) cmocka_unit_test_setup_teardown(test_##test, make_folder, remove_folder)

            int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(lines_are_appended),
        folder_test(it_is_opened_once),
        folder_test(what_is_there_stays),
        folder_test(nobody_asks),
        folder_test(it_cannot_be_opened),
        folder_test(a_pipe_is_refused),
        folder_test(a_full_device_disturbs_nobody),
        folder_test(a_line_that_was_cut_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
