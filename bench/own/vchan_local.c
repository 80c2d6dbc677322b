/* A vchan on the local backend against a Unix socket: the same program, two processes on two cores,
 * the two kinds in turn, so that a noisy machine is equally unkind to both.
 *
 * vchan_local ping [ROUNDS [SIZE [SPIN [RUNS]]]]      a message there and back; SPIN in ns
 * vchan_local bulk [BLOCKS [SIZE [SPIN [RUNS]]]]      blocks one way, rings of 1 MiB vchan_local
 * KIND ping|bulk ...                      one kind (vchan or unix) only, for strace(1)
 *
 * Prints the median of each kind, their ratio, user instructions of both processes (where they can
 * be counted) and bells for each operation. An operation is a round trip, or a block. */
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <conduit/vchan.h>

enum { PING, BULK };
enum { UNIX, VCHAN, KINDS };
enum { MAX_RUNS = 99 };

/* What is measured. */
static int what;
static long operations;
static size_t size;
static uint64_t spin;
static int runs = 9;

/* What a server says when its client has left. */
struct account {
    uint64_t bells, sleeps, instructions;
};

static struct account *server_account; /* in shared memory */

struct result {
    double seconds;
    struct account both;
};

static void die(const char *text)
{
    perror(text);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        die("sched_setaffinity");
}

/* ---- counting -------------------------------------------------------------------------------- */

static int counter = -1;

static void count_instructions(void)
{
    struct perf_event_attr event = {.type = PERF_TYPE_HARDWARE,
                                    .size = sizeof event,
                                    .config = PERF_COUNT_HW_INSTRUCTIONS,
                                    .exclude_kernel = 1,
                                    .exclude_hv = 1};
    counter = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
}

static uint64_t instructions(void)
{
    uint64_t value = 0;
    if (counter < 0 || read(counter, &value, sizeof value) != (ssize_t)sizeof value)
        return 0;
    return value;
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

static uint64_t received, counted_from;

static void serve_open(struct cdt_flow *flow)
{
    (void)flow;
    counted_from = instructions();
}

static void serve_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (what == PING) {
        cdt_flow_write(flow, data, length);
        return;
    }
    received += length;
    if (received == (uint64_t)operations * size)
        cdt_flow_write(flow, "", 1);
}

static void serve_eof(struct cdt_flow *flow)
{
    server_account->instructions = instructions() - counted_from;
    add_flow(server_account, flow);
    cdt_flow_close(flow);
}

static void serve_close(struct cdt_flow *flow, int status)
{
    (void)status;
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler serving = {.size = sizeof serving,
                                           .on_open = serve_open,
                                           .on_read = serve_read,
                                           .on_eof = serve_eof,
                                           .on_close = serve_close};

/* ---- the client ------------------------------------------------------------------------------ */

static struct {
    uint8_t *block;
    long sent, done;
    size_t missing; /* of the message that comes back */
    double start;
    uint64_t counted_from;
    struct result result;
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
    client.counted_from = instructions();
    client.start = now();
    client.missing = size;
    if (what == PING)
        cdt_flow_write(flow, client.block, size);
    else
        send_blocks(flow);
}

static void client_done(struct cdt_flow *flow)
{
    client.result.seconds = now() - client.start;
    client.result.both.instructions = instructions() - client.counted_from;
    add_flow(&client.result.both, flow);
    cdt_flow_close(flow);
}

static void client_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)data;
    if (what == BULK) {
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
    if (what == BULK)
        send_blocks(flow);
}

static void client_close(struct cdt_flow *flow, int status)
{
    if (status) {
        fprintf(stderr, "%s\n", cdt_flow_error(flow));
        exit(1);
    }
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler asking = {.size = sizeof asking,
                                          .on_open = client_open,
                                          .on_read = client_read,
                                          .on_writable = client_writable,
                                          .on_close = client_close};

/* ---- one run --------------------------------------------------------------------------------- */

static char folder[64];

static struct cdt_vchan_options options(void)
{
    const size_t ring = what == BULK ? 1 << 20 : 0;
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

static struct cdt_addr address(void)
{
    struct cdt_addr addr;
    char path[128];
    snprintf(path, sizeof path, "%s/socket", folder);
    cdt_addr_unix(&addr, path);
    return addr;
}

static int ready;

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)server;
    if (status)
        fprintf(stderr, "%s\n", text);
    if (status || write(ready, "", 1) != 1)
        exit(1);
}

static void serve(int kind)
{
    const struct cdt_vchan_options vchan = options();
    const struct cdt_addr at = address();
    const struct cdt_server_options server_options = {.size = sizeof server_options,
                                                      .on_listen = on_listen};
    struct cdt_reactor *reactor;
    struct cdt_server *server;
    pin(0);
    count_instructions();
    if (cdt_reactor_new(NULL, &reactor))
        exit(1);
    if (kind == VCHAN)
        cdt_vchan_listen(reactor, 0, "bench", &vchan, &server_options, &serving, &server);
    else
        cdt_unix_listen(reactor, &at, &server_options, &serving, &server);
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    exit(0);
}

static void ask(int kind)
{
    const struct cdt_vchan_options vchan = options();
    const struct cdt_addr at = address();
    struct cdt_reactor *reactor;
    struct cdt_flow *flow;
    if (cdt_reactor_new(NULL, &reactor))
        exit(1);
    if (kind == VCHAN)
        cdt_vchan_connect(reactor, 0, "bench", &vchan, NULL, &asking, &flow);
    else
        cdt_unix_connect(reactor, &at, NULL, &asking, &flow);
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
}

static struct result run(int kind)
{
    int pipes[2], status;
    char byte;
    if (pipe(pipes))
        die("pipe");
    *server_account = (struct account){0};
    const pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        ready = pipes[1];
        serve(kind);
    }
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 1)
        die("the server");
    close(pipes[0]);
    client.sent = client.done = 0;
    client.result = (struct result){0};
    ask(kind);
    if (waitpid(pid, &status, 0) != pid || status)
        die("the server's end");
    struct result result = client.result;
    result.both.bells += server_account->bells;
    result.both.sleeps += server_account->sleeps;
    result.both.instructions += server_account->instructions;
    return result;
}

/* ---- all runs -------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static void print(int kind, double seconds, const struct account *last)
{
    const double n = (double)operations;
    printf("%-6s %9.3f us an operation", kind == VCHAN ? "vchan" : "unix", seconds * 1e6 / n);
    if (what == BULK)
        printf(" %8.0f MB/s", n * (double)size / seconds / 1e6);
    if (counter >= 0)
        printf(" %8.1f user instructions", (double)last->instructions / n);
    if (kind == VCHAN)
        printf(" %8.5f bells %8.5f sleeps", (double)last->bells / n, (double)last->sleeps / n);
    printf("\n");
}

static void compare(bool only[KINDS])
{
    double seconds[KINDS][MAX_RUNS], ratios[MAX_RUNS], middle[KINDS] = {0};
    struct result last[KINDS] = {0};
    for (int i = 0; i < runs; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            if (!only[kind])
                continue;
            last[kind] = run(kind);
            seconds[kind][i] = last[kind].seconds;
        }
        if (only[UNIX] && only[VCHAN])
            ratios[i] = seconds[UNIX][i] / seconds[VCHAN][i];
    }
    for (int kind = 0; kind < KINDS; kind++) {
        if (!only[kind])
            continue;
        middle[kind] = median(seconds[kind], runs);
        print(kind, middle[kind], &last[kind].both);
    }
    if (only[UNIX] && only[VCHAN])
        printf("vchan is %.2f times as fast (ratio of medians), %.2f (median of pairs)\n",
               middle[UNIX] / middle[VCHAN], median(ratios, runs));
}

int main(int argc, char **argv)
{
    bool only[KINDS] = {true, true};
    argv++, argc--;
    if (argc > 0 && (strcmp(*argv, "vchan") == 0 || strcmp(*argv, "unix") == 0)) {
        only[strcmp(*argv, "vchan") == 0 ? UNIX : VCHAN] = false;
        argv++, argc--;
    }
    if (argc < 1 || (strcmp(*argv, "ping") != 0 && strcmp(*argv, "bulk") != 0)) {
        fprintf(stderr,
                "usage: vchan_local [vchan|unix] ping|bulk [OPERATIONS [SIZE [SPIN [RUNS]]]]\n");
        return 2;
    }
    what = strcmp(*argv, "ping") == 0 ? PING : BULK;
    operations = argc > 1 ? atol(argv[1]) : what == PING ? 100000 : 32768;
    size = argc > 2 ? (size_t)atol(argv[2]) : what == PING ? 64 : 65536;
    spin = argc > 3 ? (uint64_t)atol(argv[3]) : 0;
    runs = argc > 4 ? atoi(argv[4]) : runs;
    if (operations < 1 || size < 1 || runs < 1 || runs > MAX_RUNS)
        return 2;
    client.block = calloc(1, size);
    server_account = mmap(NULL, sizeof *server_account, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(folder, sizeof folder, "/tmp/vchan-bench-XXXXXX");
    if (!client.block || server_account == MAP_FAILED || !mkdtemp(folder))
        die("preparing");
    pin(1);
    count_instructions();
    compare(only);
    rmdir(folder);
    return 0;
}
