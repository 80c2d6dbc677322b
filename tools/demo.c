/* conduit demo: every carrier available here in turn, on one reactor. 32 clients at a time share a
 * server that takes 8; each makes some round trips, checks every byte, and leaves its place to
 * another. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/demo.h"

enum {
    CLIENTS = 32,
    MAX_ACTIVE = 8,
    ROUND_TRIPS = 100,
    LONGEST_MESSAGE = 16 * 1024,
    TABLE = 256 * 1024,
    RING = 16 * 1024,
    MOST_ERRORS = 5 /* that are told of for each carrier */
};

static const uint64_t slice = 700 * CDT_MS, progress_interval = 100 * CDT_MS;

struct lane {
    const char *name;
    const char *address; /* what the carrier is told to listen on; NULL: a pair in memory */
    const char *missing; /* why there is none here */
    enum cdt_tls_backend backend; /* of TLS; ANY: none */
    struct cdt_tls_config *server, *client;
    uint64_t connections, round_trips, bytes, errors, throttled;
    unsigned peak;
    uint64_t started, elapsed;
};

static struct demo {
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct cdt_server *server;
    struct cdt_endp *target;
    struct lane *first, *lane, *end;
    unsigned clients; /* not yet closed */
    bool over;        /* the lane's time is up, or it failed */
    bool terminal, interrupted;
    bool finished; /* what the end of the reactor still tells is no news */
    uint64_t random;
    struct cdt_timer clock, progress;
    struct cdt_deferred next;
    struct cdt_signal term, interrupt, hangup, user;
    char folder[64], path[96], abstract[64], secret[104], vchan[80];
} demo;

/* Messages are pieces of this. */
static unsigned char table[TABLE];

/* xorshift64 (Marsaglia, 2003). */
static uint64_t random_number(void)
{
    demo.random ^= demo.random << 13;
    demo.random ^= demo.random >> 7;
    return demo.random ^= demo.random << 17;
}

static void count_error(const char *why)
{
    if (demo.lane->errors++ < MOST_ERRORS)
        complain(demo.lane->name, why);
}

/* ---- clients --------------------------------------------------------------------------------- */

struct client {
    unsigned left;                     /* round trips */
    uint32_t offset, length, received; /* of the message that is under way */
    bool done;
};

static void start_client(void);
static void lane_wind_up(void);

static void send_message(struct cdt_flow *flow, struct client *client)
{
    client->length = 1 + (uint32_t)(random_number() % (client->left % 8 ? 512 : LONGEST_MESSAGE));
    client->offset = (uint32_t)(random_number() % (TABLE - client->length));
    client->received = 0;
    if (cdt_flow_write(flow, table + client->offset, client->length) < 0)
        cdt_flow_abort(flow, -EPIPE, "a message was not taken");
}

static void client_open(struct cdt_flow *flow)
{
    struct client *client = cdt_flow_data(flow);
    client->left = ROUND_TRIPS;
    send_message(flow, client);
}

static void client_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct client *client = cdt_flow_data(flow);
    if (client->done || length > client->length - client->received ||
        memcmp(table + client->offset + client->received, data, length) != 0) {
        cdt_flow_abort(flow, -EBADMSG, "the answer is not what was sent");
        return;
    }
    client->received += (uint32_t)length;
    if (client->received < client->length)
        return;
    demo.lane->round_trips++;
    demo.lane->bytes += 2 * (uint64_t)client->length;
    client->left--;
    if (client->left && !demo.over) {
        send_message(flow, client);
        return;
    }
    client->done = true;
    cdt_flow_close(flow);
}

static void client_close(struct cdt_flow *flow, int status)
{
    const struct client *client = cdt_flow_data(flow);
    if (demo.finished)
        return;
    if (status)
        count_error(cdt_flow_error(flow));
    else if (!client->done)
        count_error("the connection ended early");
    else
        demo.lane->connections++;
    demo.clients--;
    if (demo.over || demo.lane->errors)
        lane_wind_up();
    else
        start_client();
}

static const struct cdt_handler client_handler = {
    .size = sizeof client_handler,
    .user_size = sizeof(struct client),
    .on_open = client_open,
    .on_read = client_read,
    .on_close = client_close,
};

/* ---- the server ------------------------------------------------------------------------------ */

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int status = cdt_flow_write(flow, data, length);
    if (status == 1)
        cdt_flow_pause(flow);
    else if (status < 0)
        cdt_flow_abort(flow, status, NULL);
}

static void echo_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

static const struct cdt_handler echo_handler = {
    .size = sizeof echo_handler,
    .on_read = echo_read,
    .on_writable = echo_writable,
};

static void lane_begin(void);

static void lane_fail(const char *why)
{
    count_error(why);
    lane_wind_up();
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    if (demo.finished)
        return;
    if (status == -EADDRNOTAVAIL || status == -EAFNOSUPPORT)
        demo.lane->missing = cdt_strerror(status);
    else if (status)
        count_error(text);
    else if (cdt_server_endp(server, &demo.target) == 0)
        lane_begin();
    else
        lane_fail("the server's endpoint cannot be read");
}

static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)status, (void)peer;
    if (!demo.finished)
        count_error(text);
}

static void on_stopped(struct cdt_server *server)
{
    struct cdt_server_counters counters;
    demo.server = NULL;
    if (demo.finished || cdt_server_counters(server, &counters) != 0)
        return;
    demo.lane->peak = counters.peak;
    demo.lane->throttled = counters.throttled;
    if (counters.peak > MAX_ACTIVE)
        count_error("more connections were active than allowed");
    if (!demo.lane->missing && counters.closed != demo.lane->connections)
        count_error("the server counts other connections than its clients");
    lane_wind_up();
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static void start_client(void)
{
    const struct cdt_flow_options options = {
        .size = sizeof options,
        .connect_timeout = 5 * CDT_SECOND, /* clients of vchan wait for a server that has gone */
        .lifetime = 20 * CDT_SECOND,
        .tls = demo.lane->client,
    };
    struct cdt_flow *flow, *other;
    int status;
    if (demo.lane->address)
        status = cdt_connect_endp(demo.context, demo.target, &options, &client_handler, &flow);
    else
        status =
            cdt_flow_pair(demo.reactor, 0, &options, &client_handler, &echo_handler, &flow, &other);
    if (status)
        count_error(cdt_strerror(status));
    else
        demo.clients++;
}

static void lane_begin(void)
{
    demo.over = false;
    demo.lane->started = cdt_reactor_now(demo.reactor);
    cdt_timer_set(demo.reactor, &demo.clock, slice);
    for (int i = 0; i < CLIENTS; i++)
        start_client();
    if (!demo.lane->address)
        demo.lane->peak = demo.clients;
}

static void on_clock(struct cdt_timer *timer)
{
    (void)timer;
    lane_wind_up();
}

/* No more clients. The server stops behind the last; at once if anything failed, as some may wait
 * for what others hold. */
static void lane_wind_up(void)
{
    struct lane *lane = demo.lane;
    demo.over = true;
    cdt_timer_cancel(&demo.clock);
    if (demo.clients && !lane->errors)
        return;
    if (lane->elapsed == 0)
        lane->elapsed = cdt_reactor_now(demo.reactor) - lane->started;
    if (demo.server) {
        cdt_server_stop(demo.server, CDT_SECOND);
    } else if (demo.clients == 0) {
        cdt_endp_free(demo.target);
        demo.target = NULL;
        cdt_defer(demo.reactor, &demo.next);
    }
}

/* The certificates of a lane with TLS. */
static int lane_prepare(struct lane *lane)
{
    struct cdt_text_error error = {0};
    if (lane->backend == CDT_TLS_ANY)
        return 0;
    const int status = demo_tls(demo.reactor, lane->backend, &lane->server, &lane->client, &error);
    if (status)
        count_error(*error.text ? error.text : cdt_strerror(status));
    return status;
}

static int lane_serve(struct lane *lane)
{
    const struct cdt_flow_options flow = {.size = sizeof flow, .tls = lane->server};
    const struct cdt_server_options options = {
        .size = sizeof options,
        .flow = &flow,
        .max_active = MAX_ACTIVE,
        .on_listen = on_listen,
        .on_error = on_error,
        .on_stopped = on_stopped,
    };
    struct cdt_endp *endp;
    int status = cdt_endp_parse(lane->address, &endp, NULL);
    if (status == 0) {
        status = cdt_serve_endp(demo.context, endp, &options, &echo_handler, &demo.server);
        cdt_endp_free(endp);
    }
    if (status)
        count_error(cdt_strerror(status));
    return status;
}

static void lane_listen(struct lane *lane)
{
    lane->started = cdt_reactor_now(demo.reactor);
    if (lane_prepare(lane) != 0 || lane_serve(lane) != 0)
        cdt_defer(demo.reactor, &demo.next);
}

static void next_lane(struct cdt_deferred *deferred)
{
    (void)deferred;
    demo.lane = demo.lane ? demo.lane + 1 : demo.first;
    if (demo.lane == demo.end || demo.interrupted)
        cdt_reactor_stop(demo.reactor);
    else if (demo.lane->address)
        lane_listen(demo.lane);
    else
        lane_begin();
}

/* ---- what is seen ---------------------------------------------------------------------------- */

static void on_progress(struct cdt_timer *timer)
{
    const struct lane *lane = demo.lane;
    struct cdt_server_counters counters = {0};
    if (demo.server)
        cdt_server_counters(demo.server, &counters);
    printf("\r\033[K%-14s %7" PRIu64 " connections, %2u active, %6" PRIu64 " throttled, %8" PRIu64
           " round trips",
           lane->name, lane->connections, counters.active, counters.throttled, lane->round_trips);
    fflush(stdout);
    cdt_timer_set(demo.reactor, timer, progress_interval);
}

static void print_lane(const struct lane *lane)
{
    char throttled[24] = "-";
    if (lane->missing) {
        printf("%-14s not available: %s\n", lane->name, lane->missing);
        return;
    }
    if (demo.interrupted && lane->elapsed == 0) {
        printf("%-14s not finished\n", lane->name);
        return;
    }
    if (lane->address)
        snprintf(throttled, sizeof throttled, "%" PRIu64, lane->throttled);
    const double seconds = (double)lane->elapsed / (double)CDT_SECOND;
    printf("%-14s %11" PRIu64 " %11u %9s %13" PRIu64 " %13.0f %6" PRIu64 "\n", lane->name,
           lane->connections, lane->peak, throttled, lane->bytes,
           seconds > 0 ? (double)lane->round_trips / seconds : 0, lane->errors);
}

/* The table; the exit status. */
static int print_table(const struct lane *lanes)
{
    int status = demo.interrupted ? EXIT_FAILED : EXIT_DONE;
    if (demo.terminal)
        printf("\r\033[K");
    printf("%-14s %11s %11s %9s %13s %13s %6s\n", "carrier", "connections", "peak active",
           "throttled", "bytes", "round trips/s", "errors");
    for (const struct lane *lane = lanes; lane < demo.end; lane++) {
        print_lane(lane);
        if (lane->errors || (lane->round_trips == 0 && !lane->missing))
            status = EXIT_FAILED;
    }
    if (fflush(stdout) != 0)
        return complain("standard output", cdt_strerror(-errno));
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void interrupt(void)
{
    demo.interrupted = true;
    cdt_reactor_stop(demo.reactor);
}

static void on_term(struct cdt_signal *signal, int number)
{
    (void)signal, (void)number;
    interrupt();
}

static void on_user(struct cdt_signal *signal, int number)
{
    const struct lane *lane = demo.lane;
    (void)signal, (void)number;
    if (lane && lane < demo.end)
        note("counters: %s: connections %" PRIu64 ", round trips %" PRIu64 ", bytes %" PRIu64
             ", errors %" PRIu64,
             lane->name, lane->connections, lane->round_trips, lane->bytes, lane->errors);
}

static int make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || !*parent || strlen(parent) > 40)
        parent = "/tmp";
    snprintf(demo.folder, sizeof demo.folder, "%s/conduit-XXXXXX", parent);
    if (!mkdtemp(demo.folder))
        return complain(parent, cdt_strerror(-errno));
    snprintf(demo.path, sizeof demo.path, "unix:%s/demo.sock", demo.folder);
    snprintf(demo.secret, sizeof demo.secret, "tls+%s", demo.path);
    snprintf(demo.abstract, sizeof demo.abstract, "unix:@conduit-demo-%d", (int)getpid());
    snprintf(demo.vchan, sizeof demo.vchan, "%s/vchan", demo.folder);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    remove(path);
    return 0;
}

static void remove_folder(void)
{
    if (*demo.folder)
        nftw(demo.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A context whose local domains meet in the folder: this process is domain 0, and its own peer. */
static int make_context(void)
{
    const struct cdt_vchan_options vchan = {
        .size = sizeof vchan,
        .backend = CDT_VCHAN_LOCAL,
        .directory = demo.vchan,
        .domid = 1,
        .read_size = RING,
        .write_size = RING,
    };
    const struct cdt_context_options options = {.size = sizeof options, .vchan = &vchan};
    const int status = cdt_context_new(demo.reactor, &options, &demo.context);
    return status ? complain("context", cdt_strerror(status)) : 0;
}

static void prepare(void)
{
    demo.random = cdt_reactor_now(demo.reactor) | 1;
    for (size_t i = 0; i < TABLE; i++)
        table[i] = (unsigned char)(random_number() >> 32);
    demo.clock.fn = on_clock;
    demo.progress.fn = on_progress;
    demo.next.fn = next_lane;
    demo.term.fn = demo.interrupt.fn = demo.hangup.fn = on_term;
    demo.user.fn = on_user;
    demo.terminal = isatty(STDOUT_FILENO);
}

/* Before there is anything to be left behind. */
static int catch_signals(void)
{
    int status = cdt_signal_add(demo.reactor, &demo.term, SIGTERM);
    if (status == 0)
        status = cdt_signal_add(demo.reactor, &demo.interrupt, SIGINT);
    if (status == 0)
        status = cdt_signal_add(demo.reactor, &demo.hangup, SIGHUP);
    if (status == 0)
        status = cdt_signal_add(demo.reactor, &demo.user, SIGUSR1);
    return status ? complain("signals", cdt_strerror(status)) : 0;
}

static int run(void)
{
    int status = cdt_defer(demo.reactor, &demo.next);
    if (status == 0 && demo.terminal)
        status = cdt_timer_set(demo.reactor, &demo.progress, progress_interval);
    if (status == 0)
        status = cdt_reactor_run(demo.reactor);
    return status ? complain("reactor", cdt_strerror(status)) : EXIT_DONE;
}

/* All that could be here; those of TLS that are not built in are left out. */
static const struct lane all_lanes[] = {
    {.name = "TCP, IPv4", .address = "tcp:127.0.0.1:0"},
    {.name = "TCP, IPv6", .address = "tcp:[::1]:0"},
    {.name = "Unix, path", .address = demo.path},
    {.name = "Unix, abstract", .address = demo.abstract},
    {.name = "memory pair"},
    {.name = "vchan, local", .address = "vchan:0/demo"},
    {.name = "wolfSSL, TCP", .address = "tls:127.0.0.1:0", .backend = CDT_TLS_WOLFSSL},
    {.name = "wolfSSL, Unix", .address = demo.secret, .backend = CDT_TLS_WOLFSSL},
    {.name = "wolfSSL, vchan", .address = "tls+vchan:0/demo", .backend = CDT_TLS_WOLFSSL},
    {.name = "OpenSSL, TCP", .address = "tls:127.0.0.1:0", .backend = CDT_TLS_OPENSSL},
    {.name = "OpenSSL, Unix", .address = demo.secret, .backend = CDT_TLS_OPENSSL},
    {.name = "OpenSSL, vchan", .address = "tls+vchan:0/demo", .backend = CDT_TLS_OPENSSL},
};
enum { LANES = sizeof all_lanes / sizeof *all_lanes };

static void find_lanes(struct lane lanes[LANES])
{
    demo.first = demo.end = lanes;
    for (int i = 0; i < LANES; i++) {
        const enum cdt_tls_backend backend = all_lanes[i].backend;
        if (backend == CDT_TLS_ANY || cdt_tls_built_in(backend))
            *demo.end++ = all_lanes[i];
    }
}

int demo_run(struct settings *settings)
{
    struct lane lanes[LANES];
    find_lanes(lanes);
    struct session session;
    int status = session_begin(settings, &session);
    if (status)
        return status;
    demo.reactor = session.reactor;
    prepare();
    status = catch_signals();
    if (status == 0)
        status = make_folder();
    if (status == 0)
        status = make_context();
    if (status == 0) {
        status = run();
        const int verdict = print_table(lanes);
        status = status ? status : verdict;
    }
    demo.finished = true;
    cdt_signal_remove(&demo.term);
    cdt_signal_remove(&demo.interrupt);
    cdt_signal_remove(&demo.hangup);
    cdt_signal_remove(&demo.user);
    session_end(&session);
    cdt_context_free(demo.context);
    for (struct lane *lane = demo.first; lane < demo.end; lane++) {
        cdt_tls_config_free(lane->server);
        cdt_tls_config_free(lane->client);
    }
    cdt_endp_free(demo.target);
    remove_folder();
    return status;
}
