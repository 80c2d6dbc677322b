/* A load for servers: over TCP and Unix sockets by epoll alone, over TLS and vchan by the library.
 * Prints one line of JSON; with -p also what the server's processes cost for each operation, counted
 * after a tenth more operations than asked, which only warm up.
 *
 *   load echo ADDRESS    messages and their echo. Closed loop: each connection keeps DEPTH messages
 *                        under way. Open loop (-r): messages at fixed times, whatever the server
 *                        does; latency counts from the time at which one was to be sent
 *   load visit ADDRESS   connect, one byte, its echo, close (-e: after the server has closed); as many
 *                        at once as there are connections
 *   load shake ADDRESS   TLS: connect, shake hands, close; likewise
 *   load send ADDRESS    messages one way, to a server that throws them away and then closes
 *   load take ADDRESS    messages one way, from a server that sends without end
 *   load idle ADDRESS    connections that have said a byte: memory of each beyond the first 16th
 *
 *   ADDRESS   tcp:HOST:PORT  unix:PATH  tls:HOST:PORT  vchan:DOMID/PORT
 *   -c connections (1)   -n operations (10000)   -s bytes of a message (64)   -d depth (1)
 *   -r messages a second, of all connections together    -e, see visit    -R resume TLS sessions
 *   -p PID of the server, up to 8 times */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/load/load.h"

struct options options = {.connections = 1, .operations = 10000, .depth = 1, .size = 64};
uint8_t load_buffer[LOAD_BUFFER], load_received[LOAD_BUFFER];

void load_die(const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(1);
}

void load_die_errno(const char *what)
{
    load_die(what, strerror(errno));
}

static _Noreturn void usage(void)
{
    fprintf(stderr,
            "usage: load echo|visit|shake|send|take|idle ADDRESS [-c N] [-n N] [-s N] [-d N] "
            "[-r RATE] [-eR] [-p PID]...\n");
    exit(2);
}

static uint64_t number(uint64_t max)
{
    char *end;
    errno = 0;
    const uint64_t value = strtoull(optarg, &end, 10);
    if (errno || *end || end == optarg || *optarg == '-' || value == 0 || value > max)
        usage();
    return value;
}

static void read_options(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:n:s:d:r:eRp:")) != -1) {
        if (option == 'c')
            options.connections = number(1000000);
        else if (option == 'n')
            options.operations = number(UINT64_MAX / 2);
        else if (option == 's')
            options.size = number(1 << 24);
        else if (option == 'd')
            options.depth = number(LOAD_MAX_DEPTH);
        else if (option == 'r')
            options.rate = (double)number(1000000000);
        else if (option == 'e')
            options.wait_end = true;
        else if (option == 'R')
            options.resumption = true;
        else if (option == 'p' && options.pid_count < LOAD_MAX_PIDS)
            options.pids[options.pid_count++] = (pid_t)number(INT32_MAX);
        else
            usage();
    }
    if (argc - optind != 2)
        usage();
    options.work = argv[optind];
    options.address = argv[optind + 1];
}

static struct transport *find_transport(void)
{
    static const struct {
        const char *scheme;
        struct transport *transport;
    } known[] = {{"tcp:", &sockets}, {"unix:", &sockets}, {"tls:", &flows}, {"vchan:", &flows}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const size_t length = strlen(known[i].scheme);
        if (strncmp(options.address, known[i].scheme, length) == 0) {
            known[i].transport->prepare(options.address + length);
            return known[i].transport;
        }
    }
    usage();
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    raise_descriptor_limit();
    work_run(find_transport());
    return 0;
}
