/* A vchan on the local backend, or a Unix socket: two processes on two cores, and one flow between
 * them.
 *
 *   vchan_local vchan|unix ping|bulk SIZE SPIN_NS OPERATIONS
 *
 *   ping   a message of SIZE bytes there and back, and the next one: an operation is two hops
 *   bulk   blocks of SIZE bytes one way, rings of 1 MiB
 *
 * SPIN_NS: how long a vchan looks for more before it sleeps. Prints the time of an operation, what
 * both processes together spend on it, and of vchans the bells and sleeps of both sides. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <conduit/vchan.h>

#include "bench/own/own.h"

/* What is measured. */
static bool over_vchan, bulk;
static unsigned long operations, size, spin;

/* What a server says when its client has left. */
struct account {
    uint64_t bells, sleeps;
};

static struct account *server_account; /* in shared memory */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* To the first or the second of the CPUs that we may use. */
static void pin(int number)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        own_die_errno("sched_getaffinity");
    number %= CPU_COUNT(&allowed);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && number >= 0; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && number-- == 0)
            CPU_SET(cpu, &one);
    }
    if (sched_setaffinity(0, sizeof one, &one))
        own_die_errno("sched_setaffinity");
}

static void add_flow(struct account *account, const struct cdt_flow *flow)
{
    struct cdt_vchan_info info;
    if (cdt_vchan_info(flow, &info) == 0) {
        account->bells += info.bells_sent;
        account->sleeps += info.sleeps;
    }
}

/* ---- the server ------------------------------------------------------------------------------ */

static uint64_t received;

static void serve_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (!bulk) {
        cdt_flow_write(flow, data, length);
        return;
    }
    received += length;
    if (received == (uint64_t)operations * size)
        cdt_flow_write(flow, "", 1);
}

static void serve_eof(struct cdt_flow *flow)
{
    add_flow(server_account, flow);
    cdt_flow_close(flow);
}

static void serve_close(struct cdt_flow *flow, int status)
{
    (void)status;
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler serving = {
    .size = sizeof serving, .on_read = serve_read, .on_eof = serve_eof, .on_close = serve_close};

/* ---- the client ------------------------------------------------------------------------------ */

static struct {
    uint8_t *block;
    unsigned long sent, done;
    size_t missing; /* of the message that comes back */
    double start, seconds;
    struct costs costs; /* of both processes */
    struct account account;
} client;

static void send_blocks(struct cdt_flow *flow)
{
    while (client.sent < operations) {
        client.sent++;
        if (cdt_flow_write(flow, client.block, size) != 0)
            return;
    }
}

static void client_open(struct cdt_flow *flow)
{
    measure_begin();
    client.start = now();
    client.missing = size;
    if (!bulk)
        cdt_flow_write(flow, client.block, size);
    else
        send_blocks(flow);
}

static void client_done(struct cdt_flow *flow)
{
    client.seconds = now() - client.start;
    client.costs = measure_end();
    add_flow(&client.account, flow);
    cdt_flow_close(flow);
}

static void client_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)data;
    if (bulk) {
        client_done(flow);
        return;
    }
    client.missing -= length;
    if (client.missing)
        return;
    if (++client.done == operations) {
        client_done(flow);
        return;
    }
    client.missing = size;
    cdt_flow_write(flow, client.block, size);
}

static void client_writable(struct cdt_flow *flow)
{
    if (bulk)
        send_blocks(flow);
}

static void client_close(struct cdt_flow *flow, int status)
{
    if (status) {
        own_die("flow", cdt_flow_error(flow));
    }
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler asking = {.size = sizeof asking,
                                          .on_open = client_open,
                                          .on_read = client_read,
                                          .on_writable = client_writable,
                                          .on_close = client_close};

/* ---- both ends ------------------------------------------------------------------------------- */

static char folder[64], path[80];
static int ready;

static struct cdt_vchan_options options(void)
{
    const size_t ring = bulk ? 1 << 20 : 0;
    return (struct cdt_vchan_options){
        .size = sizeof(struct cdt_vchan_options),
        .backend = CDT_VCHAN_LOCAL,
        .read_size = ring,
        .write_size = ring,
        .spin = spin,
        .directory = folder,
        .domid = 1,
    };
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)server;
    if (status)
        own_die("listen", text);
    if (write(ready, "", 1) != 1)
        own_die_errno("write");
}

static _Noreturn void serve(const struct cdt_addr *at)
{
    const struct cdt_vchan_options vchan = options();
    const struct cdt_server_options server_options = {.size = sizeof server_options,
                                                      .on_listen = on_listen};
    struct cdt_reactor *reactor;
    struct cdt_server *server;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
    if (cdt_reactor_new(NULL, &reactor))
        own_die("cdt_reactor_new", "failed");
    if (over_vchan)
        cdt_vchan_listen(reactor, 0, "bench", &vchan, &server_options, &serving, &server);
    else
        cdt_unix_listen(reactor, at, &server_options, &serving, &server);
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    exit(0);
}

static void ask(const struct cdt_addr *at)
{
    const struct cdt_vchan_options vchan = options();
    struct cdt_reactor *reactor;
    struct cdt_flow *flow;
    pin(1);
    if (cdt_reactor_new(NULL, &reactor))
        own_die("cdt_reactor_new", "failed");
    if (over_vchan)
        cdt_vchan_connect(reactor, 0, "bench", &vchan, NULL, &asking, &flow);
    else
        cdt_unix_connect(reactor, at, NULL, &asking, &flow);
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
}

/* Starts the server, which is counted as well, and waits until it listens. */
static pid_t start_server(const struct cdt_addr *at)
{
    int pipes[2];
    char byte;
    if (pipe2(pipes, O_CLOEXEC))
        own_die_errno("pipe2");
    const pid_t pid = fork();
    if (pid < 0)
        own_die_errno("fork");
    if (pid == 0) {
        ready = pipes[1];
        serve(at);
    }
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 1)
        own_die("the server", "does not listen");
    close(pipes[0]);
    return pid;
}

static void run(void)
{
    struct cdt_addr at;
    int status;
    cdt_addr_unix(&at, path);
    measure_open_self();
    const pid_t server = start_server(&at);
    ask(&at);
    if (waitpid(server, &status, 0) != server || status)
        own_die("the server", "has failed");
}

static void report(void)
{
    const double n = (double)operations;
    own_print_begin(operations, &client.costs);
    printf(", \"us\": %.4f", client.seconds * 1e6 / n);
    if (over_vchan)
        printf(", \"bells\": %.6f, \"sleeps\": %.6f",
               (double)(client.account.bells + server_account->bells) / n,
               (double)(client.account.sleeps + server_account->sleeps) / n);
    own_print_end();
}

/* Whether a word is the one or the other; false: neither. */
static bool either(const char *text, const char *yes, const char *no, bool *which)
{
    *which = strcmp(text, yes) == 0;
    return *which || strcmp(text, no) == 0;
}

static pid_t owner;

/* Whatever happened. */
static void remove_folder(void)
{
    if (getpid() != owner)
        return;
    unlink(path);
    rmdir(folder);
}

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vchan-bench-XXXXXX",
             tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    if (!mkdtemp(folder))
        own_die_errno(folder);
    snprintf(path, sizeof path, "%s/socket", folder);
    owner = getpid();
    atexit(remove_folder);
}

int main(int argc, char **argv)
{
    if (argc != 6 || !either(argv[1], "vchan", "unix", &over_vchan) ||
        !either(argv[2], "bulk", "ping", &bulk) || !own_number(argv[3], 1, &size) ||
        !own_number(argv[4], 0, &spin) || !own_number(argv[5], 1, &operations)) {
        fprintf(stderr, "usage: vchan_local vchan|unix ping|bulk SIZE SPIN_NS OPERATIONS\n");
        return 2;
    }
    client.block = own_zalloc(1, size);
    server_account = mmap(NULL, sizeof *server_account, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (server_account == MAP_FAILED)
        own_die_errno("mmap");
    make_folder();
    run();
    report();
    return 0;
}
