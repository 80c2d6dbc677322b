/* A load for TLS servers, over the library itself: closed-loop echo over many connections, handshakes,
 * bulk, and connections that stay idle. Prints what it did; the server is measured from outside. Its
 * own backend is that of CONDUIT_TLS.
 *
 *   tls_load echo HOST PORT CONNECTIONS ROUNDTRIPS [SIZE]   each connection sends, waits, sends again
 *   tls_load full HOST PORT AT_ONCE COUNT                   full handshakes, then a close
 *   tls_load resumed HOST PORT AT_ONCE COUNT                one full handshake each, then tickets
 *   tls_load drink HOST PORT CONNECTIONS                    reads to the end, counts
 *   tls_load idle HOST PORT COUNT PID AT_ONCE               resident memory of PID before and with all
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <conduit/conduit.h>

static struct cdt_reactor *reactor;
static struct cdt_tls_config *config;
static struct cdt_addr server;
static const struct cdt_handler *handler;
static uint64_t to_start, to_end, done, resumed, bytes;
static size_t size = 64;
static uint8_t payload[1 << 20];

struct connection {
    size_t received;
};

static void die(const char *what, int status)
{
    fprintf(stderr, "tls_load: %s: %s\n", what, cdt_strerror(status));
    exit(1);
}

static void dial(void)
{
    struct cdt_flow *flow;
    int status;
    if (to_start == 0)
        return;
    to_start--;
    status = cdt_tcp_connect(reactor, &server, NULL, handler, &flow);
    if (status == 0)
        status = cdt_tls_start(flow, config, "conduit.test");
    if (status)
        die("connecting", status);
}

static void on_close(struct cdt_flow *flow, int status)
{
    if (status)
        die(cdt_flow_error(flow), status);
    dial();
    if (--to_end == 0)
        cdt_reactor_stop(reactor);
}

/* ---- echo ------------------------------------------------------------------------------------ */

static void echo_send(struct cdt_flow *flow)
{
    cdt_flow_write(flow, payload, size);
}

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct connection *connection = cdt_flow_data(flow);
    (void)data;
    connection->received += length;
    if (connection->received < size)
        return;
    connection->received = 0;
    if (++done < to_end)
        echo_send(flow);
    else
        cdt_reactor_stop(reactor);
}

static const struct cdt_handler echo = {.size = sizeof echo,
                                        .user_size = sizeof(struct connection),
                                        .on_open = echo_send,
                                        .on_read = echo_read};

/* ---- handshakes ------------------------------------------------------------------------------ */

static void shake_open(struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    if (cdt_tls_info(flow, &info) == 0)
        resumed += info.resumed;
    done++;
    cdt_flow_close(flow);
}

static const struct cdt_handler shake = {
    .size = sizeof shake, .on_open = shake_open, .on_close = on_close};

/* ---- bulk ------------------------------------------------------------------------------------ */

static void drink_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow, (void)data;
    bytes += length;
}

static const struct cdt_handler drink = {
    .size = sizeof drink, .on_read = drink_read, .on_close = on_close};

/* ---- idle ------------------------------------------------------------------------------------ */

static void idle_open(struct cdt_flow *flow)
{
    (void)flow;
    dial();
    if (++done == to_end)
        cdt_reactor_stop(reactor);
}

static const struct cdt_handler idle = {.size = sizeof idle, .on_open = idle_open};

/* Resident bytes of a process that belong to it alone. */
static long resident(const char *pid)
{
    char path[64], line[256];
    long kib = 0, value;
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        die(path, -2);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Private_Dirty: %ld", &value) == 1)
            kib += value;
    }
    fclose(file);
    return kib * 1024;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void prepare(const char *host, const char *port, bool resumption)
{
    const struct cdt_tls_options options = {.size = sizeof options,
                                            .verify = CDT_TLS_VERIFY_NONE,
                                            .resumption = resumption ? CDT_ON : CDT_OFF};
    struct cdt_text_error error = {.text = ""};
    int status = cdt_reactor_new(NULL, &reactor);
    if (status)
        die("reactor", status);
    status = cdt_addr_ip(&server, host, (uint16_t)atoi(port));
    if (status)
        die(host, status);
    status = cdt_tls_config_new(reactor, &options, &config, &error);
    if (status)
        die(error.text, status);
}

static double run(uint64_t at_once)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint64_t i = 0; i < at_once; i++)
        dial();
    cdt_reactor_run(reactor);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: see the head of bench/tls_load.c\n");
        return 2;
    }
    const char *mode = argv[1];
    const uint64_t a = strtoull(argv[4], NULL, 10), b = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
    prepare(argv[2], argv[3], strcmp(mode, "resumed") == 0);
    if (strcmp(mode, "echo") == 0) {
        if (argc > 6)
            size = strtoull(argv[6], NULL, 10);
        handler = &echo;
        to_start = a;
        to_end = b;
        const double seconds = run(a);
        printf("%llu round trips of %zu bytes in %.2f s\n", (unsigned long long)done, size,
               seconds);
    } else if (strcmp(mode, "full") == 0 || strcmp(mode, "resumed") == 0) {
        handler = &shake;
        to_start = to_end = b;
        const double seconds = run(a);
        printf("%llu handshakes, %llu resumed, in %.2f s\n", (unsigned long long)done,
               (unsigned long long)resumed, seconds);
    } else if (strcmp(mode, "drink") == 0) {
        handler = &drink;
        to_start = to_end = a;
        const double seconds = run(a);
        printf("%llu bytes in %.2f s\n", (unsigned long long)bytes, seconds);
    } else if (strcmp(mode, "idle") == 0 && argc > 6) {
        const char *pid = argv[5];
        handler = &idle;
        const long before = resident(pid);
        to_start = to_end = a;
        run(strtoull(argv[6], NULL, 10));
        usleep(300000);
        printf("%ld bytes each\n", (resident(pid) - before) / (long)a);
    }
    return 0;
}
