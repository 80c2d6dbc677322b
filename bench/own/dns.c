/* What names cost: user instructions to resolve 10,000 names to A and AAAA, 100 at a time,
 * through a local server: by bare c-ares on a plain epoll loop, with and without its readers of
 * answers; and by cdt_resolve_endp(), which also orders the addresses and makes endpoints of
 * them. Then the descriptors that are left.
 *
 * The server is a child process that has one address for every question. */
#include <ares.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <conduit/resolver.h>

enum { NAMES = 10000, AT_A_TIME = 100, ROUNDS = 3 };

static char names[NAMES][32], server[32];
static struct cdt_endp *hosts[NAMES];
static int counter_fd = -1;
static size_t started, finished;

/* ---- the server ------------------------------------------------------------------------------ */

static void serve(int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        uint8_t message[600];
        struct sockaddr_in client;
        socklen_t length = sizeof client;
        ssize_t n = recvfrom(fd, message, 512, 0, (struct sockaddr *)&client, &length);
        bool v6 = n > 16 && message[n - 3] == 28;
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

static pid_t start_server(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof addr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, length) ||
        getsockname(fd, (struct sockaddr *)&addr, &length))
        abort();
    snprintf(server, sizeof server, "127.0.0.1:%u", ntohs(addr.sin_port));
    pid = fork();
    if (pid == 0)
        serve(fd);
    close(fd);
    return pid;
}

/* ---- bare c-ares ----------------------------------------------------------------------------- */

static ares_channel channel;
static int epoll_fd;
static bool reads;
static uint8_t halves[NAMES];

static void on_bare(void *user, int status, int timeouts, unsigned char *message, int length)
{
    size_t number = (size_t)(uintptr_t)user;
    struct ares_addrttl v4[8];
    struct ares_addr6ttl v6[8];
    int count = 8;

    (void)timeouts;
    if (status != ARES_SUCCESS)
        abort();
    if (reads && number & 1)
        status = ares_parse_aaaa_reply(message, length, NULL, v6, &count);
    else if (reads)
        status = ares_parse_a_reply(message, length, NULL, v4, &count);
    if (status != ARES_SUCCESS || (reads && count != 1))
        abort();
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

static void ask_bare(void)
{
    for (; started < NAMES && started - finished < AT_A_TIME; started++) {
        ares_query(channel, names[started], 1, 1, on_bare, (void *)(uintptr_t)(2 * started));
        ares_query(channel, names[started], 1, 28, on_bare, (void *)(uintptr_t)(2 * started + 1));
    }
}

static void turn_bare(void)
{
    struct timeval time, *left = ares_timeout(channel, NULL, &time);
    struct epoll_event events[64];
    int n = epoll_wait(epoll_fd, events, 64,
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
    struct ares_options options = {.timeout = 400, .tries = 4, .sock_state_cb = on_state};

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0 ||
        ares_init_options(&channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) ||
        ares_set_servers_ports_csv(channel, server))
        abort();
    memset(halves, 0, sizeof halves);
    while (finished < NAMES) {
        ask_bare();
        turn_bare();
    }
    ares_destroy(channel);
    close(epoll_fd);
}

/* ---- conduit --------------------------------------------------------------------------------- */

static struct cdt_reactor *reactor;
static struct cdt_resolver *resolver;

static void ask_conduit(void);

static void on_resolved(void *user, struct cdt_resolution *resolution)
{
    size_t count;

    (void)user;
    if (cdt_resolution_status(resolution) > 0)
        return;
    cdt_resolution_endps(resolution, &count);
    if (cdt_resolution_status(resolution) || count != 2)
        abort();
    cdt_resolution_free(resolution);
    finished++;
    if (finished == NAMES)
        cdt_reactor_stop(reactor);
    else
        ask_conduit();
}

static void ask_conduit(void)
{
    struct cdt_resolution *resolution;

    for (; started < NAMES && started - finished < AT_A_TIME; started++)
        if (cdt_resolve_endp(resolver, hosts[started], NULL, on_resolved, NULL, &resolution))
            abort();
}

static void run_conduit(void)
{
    struct cdt_resolver_options options = {
        .size = sizeof options, .servers = server, .resolv_conf = "", .hosts_file = ""};

    if (cdt_reactor_new(NULL, &reactor) || cdt_resolver_new(reactor, &options, &resolver))
        abort();
    ask_conduit();
    cdt_reactor_run(reactor);
    cdt_resolver_free(resolver);
    cdt_reactor_free(reactor);
}

/* ---- measuring ------------------------------------------------------------------------------- */

static unsigned open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void measure(const char *what, void (*run)(void))
{
    unsigned fds = open_fds();
    uint64_t count = 0;

    started = finished = 0;
    ioctl(counter_fd, PERF_EVENT_IOC_RESET, 0);
    ioctl(counter_fd, PERF_EVENT_IOC_ENABLE, 0);
    run();
    ioctl(counter_fd, PERF_EVENT_IOC_DISABLE, 0);
    if (read(counter_fd, &count, sizeof count) != sizeof count)
        count = 0;
    printf("%-34s %8.0f user instructions a name, %d descriptors left\n", what,
           (double)count / NAMES, (int)open_fds() - (int)fds);
}

int main(void)
{
    struct perf_event_attr attributes = {.type = PERF_TYPE_HARDWARE,
                                         .size = sizeof attributes,
                                         .config = PERF_COUNT_HW_INSTRUCTIONS,
                                         .disabled = 1,
                                         .exclude_kernel = 1,
                                         .exclude_hv = 1};
    pid_t child = start_server();

    counter_fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (counter_fd < 0)
        printf("instructions cannot be counted here\n");
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "host%zu.example.test", i);
        if (cdt_endp_host(names[i], 80, &hosts[i]))
            abort();
    }
    for (int round = 0; round < ROUNDS; round++) {
        reads = false;
        measure("bare c-ares, answers not read", run_bare);
        reads = true;
        measure("bare c-ares", run_bare);
        measure("cdt_resolve_endp()", run_conduit);
    }
    for (size_t i = 0; i < NAMES; i++)
        cdt_endp_free(hosts[i]);
    if (counter_fd >= 0)
        close(counter_fd);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
