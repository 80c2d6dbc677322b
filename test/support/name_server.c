/* Name servers for tests: a configuration, a free port, a child process that is killed in the
 * end. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test/support/name_server.h"

static const char zone_head[] = "$ORIGIN test.\n"
                                "$TTL 60\n"
                                "@ SOA ns.test. root.test. 1 3600 600 86400 5\n"
                                "@ NS ns.test.\n"
                                "ns A 127.0.0.1\n";

/* ---- ports ----------------------------------------------------------------------------------- */

static int bound_socket(int type, uint16_t port, struct sockaddr_in *addr)
{
    socklen_t length = sizeof *addr;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    *addr = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)addr, length)) {
        close(fd);
        return -1;
    }
    getsockname(fd, (struct sockaddr *)addr, &length);
    return fd;
}

uint16_t name_server_free_port(void)
{
    for (int round = 0; round < 100; round++) {
        struct sockaddr_in addr;
        int udp = bound_socket(SOCK_DGRAM, 0, &addr), tcp;

        assert_true(udp >= 0);
        tcp = bound_socket(SOCK_STREAM, ntohs(addr.sin_port), &addr);
        close(udp);
        if (tcp < 0)
            continue;
        close(tcp);
        return ntohs(addr.sin_port);
    }
    fail_msg("no port is free for both UDP and TCP");
    return 0;
}

int name_server_socket(char address[32])
{
    struct sockaddr_in addr;
    int fd = bound_socket(SOCK_DGRAM, 0, &addr);

    assert_true(fd >= 0);
    snprintf(address, 32, "127.0.0.1:%u", ntohs(addr.sin_port));
    return fd;
}

/* ---- configurations -------------------------------------------------------------------------- */

static FILE *create(const struct name_server *server, const char *name)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", server->folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    return file;
}

static void write_zone(const struct name_server *server, const char *text)
{
    FILE *file = create(server, "zone");

    fprintf(file, "%s%s\n", zone_head, text);
    assert_int_equal(fclose(file), 0);
}

static void configure_knot(const struct name_server *server, FILE *file, const char *text)
{
    write_zone(server, text);
    fprintf(file,
            "server:\n"
            "    listen: [ 127.0.0.1@%u%s",
            server->port, server->ipv6 ? ", ::1@" : "");
    if (server->ipv6)
        fprintf(file, "%u", server->port);
    fprintf(file,
            " ]\n"
            "    rundir: %s\n"
            "    udp-workers: 1\n"
            "    tcp-workers: 1\n"
            "    background-workers: 1\n"
            "database:\n"
            "    storage: %s\n"
            "log:\n"
            "  - target: stderr\n"
            "    any: critical\n"
            "zone:\n"
            "  - domain: test.\n"
            "    file: %s/zone\n"
            "    journal-content: none\n"
            "  - domain: broken.\n"
            "    file: %s/missing\n"
            "    journal-content: none\n",
            server->folder, server->folder, server->folder, server->folder);
}

static void configure_nsd(const struct name_server *server, FILE *file, const char *text)
{
    write_zone(server, text);
    fprintf(file, "server:\n    ip-address: 127.0.0.1@%u\n", server->port);
    if (server->ipv6)
        fprintf(file, "    ip-address: ::1@%u\n", server->port);
    fprintf(file,
            "    username: \"\"\n"
            "    database: \"\"\n"
            "    server-count: 1\n"
            "    zonesdir: \"%s\"\n"
            "    pidfile: \"%s/pid\"\n"
            "    xfrdfile: \"%s/xfrd\"\n"
            "    xfrdir: \"%s\"\n"
            "    zonelistfile: \"%s/zonelist\"\n"
            "    logfile: \"%s/log\"\n"
            "    rrl-ratelimit: 0\n"
            "remote-control:\n    control-enable: no\n"
            "zone:\n    name: test.\n    zonefile: zone\n",
            server->folder, server->folder, server->folder, server->folder, server->folder,
            server->folder);
}

static void configure_dnsmasq(const struct name_server *server, FILE *file, const char *text)
{
    fprintf(file, "port=%u\nlisten-address=127.0.0.1\n", server->port);
    if (server->ipv6)
        fputs("listen-address=::1\n", file);
    fprintf(file,
            "bind-interfaces\nno-resolv\nno-hosts\nno-poll\n"
            "pid-file=%s/pid\nlog-facility=-\n%s\n",
            server->folder, text);
}

static const struct kind {
    const char *program;
    const char *arguments[4]; /* before the name of the configuration */
    void (*configure)(const struct name_server *server, FILE *file, const char *text);
    bool has_zone;
} kinds[] = {
    [NAME_SERVER_KNOT] = {"knotd", {"-c"}, configure_knot, true},
    [NAME_SERVER_NSD] = {"nsd", {"-d", "-c"}, configure_nsd, true},
    [NAME_SERVER_DNSMASQ] = {"dnsmasq", {"-d", "-C"}, configure_dnsmasq, false},
};

/* ---- those that run -------------------------------------------------------------------------- */

enum { RUNNING_MAX = 16 };
static struct name_server *running[RUNNING_MAX];

static void replace(const struct name_server *old, struct name_server *new)
{
    for (int i = 0; i < RUNNING_MAX; i++)
        if (running[i] == old) {
            running[i] = new;
            return;
        }
}

/* Those that a failed test has left. */
static void stop_all(void)
{
    for (int i = 0; i < RUNNING_MAX; i++)
        name_server_stop(running[i]);
}

/* ---- starting -------------------------------------------------------------------------------- */

static const char *daemons(void)
{
    const char *folder = getenv("DAEMONS");

    return folder ? folder : "build/daemons/root";
}

static void run(const struct kind *kind, const char *program, const char *configuration)
{
    char libraries[512];
    const char *argv[8];
    size_t n = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(libraries, sizeof libraries, "%s/usr/lib/x86_64-linux-gnu", daemons());
    setenv("LD_LIBRARY_PATH", libraries, 1);
    argv[n++] = program;
    for (size_t i = 0; kind->arguments[i]; i++)
        argv[n++] = kind->arguments[i];
    argv[n++] = configuration;
    argv[n] = NULL;
    execv(program, (char *const *)argv);
    perror(program);
    _exit(127);
}

/* Asks for the SOA of "test." until it comes, or anything if there is no zone. False: the daemon
 * has ended. */
static bool wait_until_it_answers(struct name_server *server, bool has_zone)
{
    static const uint8_t question[] = {0x12, 0x34, 1,   0,   0,   1,   0, 0, 0, 0, 0,
                                       0,    4,    't', 'e', 's', 't', 0, 0, 6, 0, 1};
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(server->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd wait = {.events = POLLIN};
    uint64_t end = test_deadline();
    bool answered = false;
    uint8_t answer[512];

    wait.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(wait.fd, (struct sockaddr *)&addr, sizeof addr), 0);
    while (!answered && test_now() < end && waitpid(server->pid, NULL, WNOHANG) == 0) {
        (void)!send(wait.fd, question, sizeof question, MSG_NOSIGNAL);
        answered = poll(&wait, 1, 20) == 1 && recv(wait.fd, answer, sizeof answer, 0) > 3 &&
                   !(has_zone && answer[3] & 15);
        if (!answered)
            poll(NULL, 0, 5);
    }
    close(wait.fd);
    if (test_now() >= end) {
        name_server_stop(server);
        fail_msg("a name server does not answer: is something wrong with its zone?");
        abort(); /* not reached: for the analyser */
    }
    return answered;
}

/* False: it did not start, perhaps because somebody has taken the port. */
static bool try_to_start(struct name_server *server, const struct kind *kind, const char *program,
                         const char *text)
{
    char configuration[96];
    FILE *file;

    server->port = name_server_free_port();
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u", server->port);
    test_folder(server->folder);
    snprintf(configuration, sizeof configuration, "%s/conf", server->folder);
    file = create(server, "conf");
    kind->configure(server, file, text);
    assert_int_equal(fclose(file), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        run(kind, program, configuration);
    if (wait_until_it_answers(server, kind->has_zone))
        return true;
    test_folder_remove(server->folder);
    return false;
}

struct name_server *name_server_start(enum name_server_kind kind, const char *text)
{
    struct name_server *server = calloc(1, sizeof *server);
    static bool registered;
    char program[512];

    assert_non_null(server);
    snprintf(program, sizeof program, "%s/usr/sbin/%s", daemons(), kinds[kind].program);
    if (access(program, X_OK)) {
        free(server);
        print_message("%s is not there: make deps DEPS=daemons\n", program);
        skip();
        return NULL;
    }
    if (!registered)
        registered = !atexit(stop_all);
    server->ipv6 = test_has_ipv6();
    for (int round = 0; round < 3; round++)
        if (try_to_start(server, &kinds[kind], program, text)) {
            replace(NULL, server);
            return server;
        }
    free(server);
    fail_msg("%s does not start", program);
    return NULL;
}

void name_server_signal(struct name_server *server, int number)
{
    int status;

    assert_int_equal(kill(server->pid, number), 0);
    if (number == SIGSTOP)
        assert_int_equal(waitpid(server->pid, &status, WUNTRACED), server->pid);
}

void name_server_stop(struct name_server *server)
{
    if (!server)
        return;
    replace(server, NULL);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    test_folder_remove(server->folder);
    free(server);
}
