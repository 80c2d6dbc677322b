/* What names cost: names resolved to A and AAAA, 100 at a time, through a local server.
 *
 *   dns conduit|cares|cares_unread|cares_sorted NAMES
 *
 *   conduit        cdt_resolve_endp(), which also orders the addresses and makes endpoints of them
 *   cares          bare c-ares on a plain epoll loop, with its readers of answers
 *   cares_unread   the same, the answers not read
 *   cares_sorted   its ares_getaddrinfo(), which orders the addresses as well
 *
 * The server has one address for every question. It is the parent of the process that is measured,
 * so that it is not counted. */
#include <ares.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <conduit/resolver.h>

#include "bench/own/own.h"

enum { AT_A_TIME = 100, NAME_SIZE = 40 };

static unsigned long name_count, started, finished;
static char (*names)[NAME_SIZE];
static char server[32];

/* ---- the server ------------------------------------------------------------------------------ */

static int open_server(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof addr;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, length) ||
        getsockname(fd, (struct sockaddr *)&addr, &length))
        own_die_errno("the name server's socket");
    snprintf(server, sizeof server, "127.0.0.1:%u", ntohs(addr.sin_port));
    return fd;
}

static _Noreturn void serve(int fd)
{
    for (;;) {
        uint8_t message[600];
        struct sockaddr_in client;
        socklen_t length = sizeof client;
        ssize_t n = recvfrom(fd, message, 512, 0, (struct sockaddr *)&client, &length);
        const bool v6 = n > 16 && message[n - 3] == 28;
        const uint8_t record[] = {0xc0, 12, 0, v6 ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, v6 ? 16 : 4};

        if (n <= 16)
            continue;
        message[2] |= 0x80;
        message[3] = 0x80;
        message[7] = 1;
        memcpy(message + n, record, sizeof record);
        memset(message + n + sizeof record, 127, 16);
        n += (ssize_t)sizeof record + (v6 ? 16 : 4);
        sendto(fd, message, (size_t)n, 0, (struct sockaddr *)&client, length);
    }
}

static void on_child_end(int number)
{
    int status = 0;
    (void)number;
    if (waitpid(-1, &status, WNOHANG) > 0)
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* Returns in the child; the parent serves until that has ended, and ends as it does. */
static void fork_from_server(void)
{
    const struct sigaction action = {.sa_handler = on_child_end};
    const int fd = open_server();
    if (sigaction(SIGCHLD, &action, NULL))
        own_die_errno("sigaction");
    const pid_t pid = fork();
    if (pid < 0)
        own_die_errno("fork");
    if (pid > 0)
        serve(fd);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(fd);
}

/* ---- bare c-ares ----------------------------------------------------------------------------- */

static ares_channel channel;
static int epoll_fd;
static void (*ask_cares)(const char *name, size_t number);
static bool reads;
static uint8_t *halves;

static void on_bare(void *user, int status, int timeouts, unsigned char *message, int length)
{
    const size_t number = (size_t)(uintptr_t)user;
    struct ares_addrttl v4[8];
    struct ares_addr6ttl v6[8];
    int count = 8;

    (void)timeouts;
    if (status != ARES_SUCCESS)
        own_die("c-ares", ares_strerror(status));
    if (reads && number & 1)
        status = ares_parse_aaaa_reply(message, length, NULL, v6, &count);
    else if (reads)
        status = ares_parse_a_reply(message, length, NULL, v4, &count);
    if (status != ARES_SUCCESS || (reads && count != 1))
        own_die("c-ares", "wrong answer");
    if (++halves[number / 2] == 2)
        finished++;
}

static void on_state(void *user, ares_socket_t fd, int readable, int writable)
{
    struct epoll_event event = {.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
                                .data.fd = fd};

    (void)user;
    if (!event.events)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void ask_bare(const char *name, size_t number)
{
    ares_query(channel, name, 1, 1, on_bare, (void *)(uintptr_t)(2 * number));
    ares_query(channel, name, 1, 28, on_bare, (void *)(uintptr_t)(2 * number + 1));
}

static void on_sorted(void *user, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)user, (void)timeouts;
    if (status != ARES_SUCCESS)
        own_die("c-ares", ares_strerror(status));
    if (!found->nodes || !found->nodes->ai_next || found->nodes->ai_next->ai_next)
        own_die("c-ares", "wrong answer");
    ares_freeaddrinfo(found);
    finished++;
}

static void ask_sorted(const char *name, size_t number)
{
    const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NUMERICSERV};
    (void)number;
    ares_getaddrinfo(channel, name, "80", &hints, on_sorted, NULL);
}

static void turn_bare(void)
{
    struct timeval time, *left = ares_timeout(channel, NULL, &time);
    struct epoll_event events[64];
    const int n = epoll_wait(epoll_fd, events, 64,
                             left ? (int)(left->tv_sec * 1000 + left->tv_usec / 1000 + 1) : -1);

    if (n <= 0)
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (int i = 0; i < n; i++)
        ares_process_fd(
            channel, events[i].events & ~(uint32_t)EPOLLOUT ? events[i].data.fd : ARES_SOCKET_BAD,
            events[i].events & EPOLLOUT ? events[i].data.fd : ARES_SOCKET_BAD);
}

static void run_bare(void)
{
    char dns_alone[] = "b";
    struct ares_options options = {
        .timeout = 400, .tries = 4, .lookups = dns_alone, .sock_state_cb = on_state};
    const int given =
        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0 || ares_init_options(&channel, &options, given) ||
        ares_set_servers_ports_csv(channel, server))
        own_die("c-ares", "cannot be set up");
    while (finished < name_count) {
        for (; started < name_count && started - finished < AT_A_TIME; started++)
            ask_cares(names[started], started);
        turn_bare();
    }
    ares_destroy(channel);
    close(epoll_fd);
}

static void prepare_unread(void)
{
    ask_cares = ask_bare;
    halves = own_zalloc(name_count, sizeof *halves);
}

static void prepare_cares(void)
{
    prepare_unread();
    reads = true;
}

static void prepare_sorted(void)
{
    ask_cares = ask_sorted;
}

/* ---- conduit --------------------------------------------------------------------------------- */

static struct cdt_reactor *reactor;
static struct cdt_resolver *resolver;
static struct cdt_endp **hosts;

static void ask_conduit(void);

static void on_resolved(void *user, struct cdt_resolution *resolution)
{
    const int status = cdt_resolution_status(resolution);
    size_t count;

    (void)user;
    if (status > 0)
        return;
    cdt_resolution_endps(resolution, &count);
    if (status || count != 2)
        own_die("cdt_resolve_endp", status ? cdt_strerror(status) : "wrong answer");
    cdt_resolution_free(resolution);
    finished++;
    if (finished == name_count)
        cdt_reactor_stop(reactor);
    else
        ask_conduit();
}

static void ask_conduit(void)
{
    struct cdt_resolution *resolution;

    for (; started < name_count && started - finished < AT_A_TIME; started++) {
        const int status =
            cdt_resolve_endp(resolver, hosts[started], NULL, on_resolved, NULL, &resolution);
        if (status)
            own_die("cdt_resolve_endp", cdt_strerror(status));
    }
}

static void run_conduit(void)
{
    const struct cdt_resolver_options options = {
        .size = sizeof options, .servers = server, .resolv_conf = "", .hosts_file = ""};

    if (cdt_reactor_new(NULL, &reactor) || cdt_resolver_new(reactor, &options, &resolver))
        own_die("cdt_resolver_new", "failed");
    ask_conduit();
    cdt_reactor_run(reactor);
    cdt_resolver_free(resolver);
    cdt_reactor_free(reactor);
}

static void prepare_conduit(void)
{
    hosts = own_zalloc(name_count, sizeof(void *));
    for (size_t i = 0; i < name_count; i++) {
        if (cdt_endp_host(names[i], 80, &hosts[i]))
            own_die("cdt_endp_host", names[i]);
    }
}

/* ---- one run --------------------------------------------------------------------------------- */

static const struct contender {
    const char *name;
    void (*prepare)(void); /* not counted */
    void (*run)(void);
} contenders[] = {
    {"conduit", prepare_conduit, run_conduit},
    {"cares", prepare_cares, run_bare},
    {"cares_unread", prepare_unread, run_bare},
    {"cares_sorted", prepare_sorted, run_bare},
};

static int open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void measure(const struct contender *contender)
{
    names = own_zalloc(name_count, sizeof *names);
    for (size_t i = 0; i < name_count; i++)
        snprintf(names[i], NAME_SIZE, "host%zu.example.test", i);
    contender->prepare();
    measure_open_self();
    const int fds = open_fds();
    measure_begin();
    contender->run();
    const struct costs costs = measure_end();
    own_print_begin(name_count, &costs);
    printf(", \"descriptors_left\": %d", open_fds() - fds);
    own_print_end();
}

static const struct contender *find(const char *name)
{
    for (size_t i = 0; i < sizeof contenders / sizeof *contenders; i++) {
        if (strcmp(contenders[i].name, name) == 0)
            return &contenders[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct contender *contender = argc == 3 ? find(argv[1]) : NULL;
    if (!contender || !own_number(argv[2], 1, &name_count)) {
        fprintf(stderr, "usage: dns conduit|cares|cares_unread|cares_sorted NAMES\n");
        return 2;
    }
    fork_from_server();
    measure(contender);
    return 0;
}
