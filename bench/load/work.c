/* What is done with connections, whatever carries them: six kinds of work, each a row of functions
 * that hear from the transport, and the counting that they share. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/histogram.h"
#include "bench/load/load.h"
#include "bench/measure.h"

enum { CONNECTING_AT_ONCE = 64, SENDS_AT_ONCE = 256, IDLE_BASE = 16 };

struct work {
    const char *name;
    bool passing; /* connections come and go: `connections` is how many at once */
    void (*opened)(struct connection *connection);
    void (*received)(struct connection *connection, size_t length);
    void (*sent)(struct connection *connection);
    void (*ended)(struct connection *connection);
};

static struct {
    const struct work *work;
    struct transport *transport;
    struct connection *connections, *unused; /* all; a list */
    uint64_t to_connect, connected, opened;
    uint64_t warm, total, started, done; /* operations; the first `warm` are not measured */
    bool over;                           /* all is measured */

    uint64_t open_loop_from, measured_from;
    double seconds;
    struct costs costs;
    double private_bytes, resident_bytes; /* of an idle connection */
    struct histogram latency, late;
} run;

/* Echoes that are under way are waited for: the server has then done as much in each run, to the
 * message, which its system calls are counted by. */
bool work_over(void)
{
    return run.over && run.done >= run.started;
}

/* ---- counting -------------------------------------------------------------------------------- */

static void begin(void)
{
    measure_begin();
    run.measured_from = load_now();
}

static void finish(void)
{
    run.seconds = (double)(load_now() - run.measured_from) / 1e9;
    run.costs = measure_end();
    run.over = true;
}

static void count(uint64_t latency)
{
    run.done++;
    if (run.over)
        return;
    if (run.done == run.warm) {
        begin();
    } else if (run.done > run.warm) {
        histogram_add(&run.latency, latency);
        if (run.done == run.total)
            finish();
    }
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* Not from within itself: a transport may tell of the connection before connect() returns. */
static void connect_more(void)
{
    static bool inside;
    if (inside)
        return;
    inside = true;
    while (!run.over && run.connected < run.to_connect && run.unused &&
           (run.work->passing || run.connected - run.opened < CONNECTING_AT_ONCE)) {
        struct connection *connection = run.unused;
        run.unused = connection->next;
        run.connected++;
        connection->times[0] = load_now();
        run.transport->connect(connection);
    }
    inside = false;
}

void work_opened(struct connection *connection)
{
    run.opened++;
    run.work->opened(connection);
    connect_more();
}

void work_closed(struct connection *connection)
{
    connection->next = run.unused;
    run.unused = connection;
    connect_more();
}

void work_received(struct connection *connection, size_t length)
{
    run.work->received(connection, length);
}

void work_sent(struct connection *connection)
{
    if (run.work->sent)
        run.work->sent(connection);
}

static void unexpected_end(struct connection *connection)
{
    (void)connection;
    load_die("the server", "has closed the connection");
}

void work_ended(struct connection *connection)
{
    run.work->ended(connection);
}

/* ---- echo ------------------------------------------------------------------------------------ */

static void start_messages(struct connection *connection, uint64_t wanted, uint64_t now)
{
    if (wanted == 0)
        return;
    for (uint64_t i = 0; i < wanted; i++)
        connection->times[connection->started++ % options.depth] = now;
    run.started += wanted;
    run.transport->send(connection, wanted * options.size);
}

/* Messages are dealt out in turn, each at its time: which follows from its number. */
static uint64_t intended(uint64_t message)
{
    return run.open_loop_from + (uint64_t)((double)message * 1e9 / options.rate);
}

void work_due(void)
{
    for (int i = 0; i < SENDS_AT_ONCE && run.started < run.total; i++) {
        const uint64_t at = intended(run.started), now = load_now();
        if (at > now)
            break;
        struct connection *connection = &run.connections[run.started % options.connections];
        if (run.started >= run.warm)
            histogram_add(&run.late, now - at);
        run.started++;
        connection->started++;
        run.transport->send(connection, options.size);
    }
    if (run.started < run.total)
        run.transport->wake_at(intended(run.started));
}

static void echo_opened(struct connection *connection)
{
    (void)connection;
    if (run.opened < options.connections)
        return;
    if (options.rate > 0) {
        run.open_loop_from = load_now();
        run.transport->wake_at(run.open_loop_from);
        return;
    }
    for (uint64_t i = 0; i < options.connections; i++)
        start_messages(&run.connections[i], options.depth, load_now());
}

static uint64_t time_of_next(const struct connection *connection)
{
    const uint64_t index = (uint64_t)(connection - run.connections);
    return options.rate > 0 ? intended(connection->done * options.connections + index)
                            : connection->times[connection->done % options.depth];
}

static void echo_received(struct connection *connection, size_t length)
{
    const uint64_t now = load_now();
    uint64_t messages = 0;
    connection->received += length;
    for (; connection->received >= options.size; connection->received -= options.size) {
        if (connection->done == connection->started)
            load_die("the server", "has sent more than it got");
        count(now - time_of_next(connection));
        connection->done++;
        messages++;
    }
    if (options.rate == 0 && !run.over)
        start_messages(connection, messages, now);
}

/* ---- visits and handshakes ------------------------------------------------------------------- */

static void visit_opened(struct connection *connection)
{
    connection->received = 0;
    run.transport->send(connection, 1);
}

static void leave(struct connection *connection)
{
    count(load_now() - connection->times[0]);
    run.transport->close(connection);
}

static void visit_received(struct connection *connection, size_t length)
{
    connection->received += length;
    if (!options.wait_end)
        leave(connection);
}

static void visit_ended(struct connection *connection)
{
    if (connection->received == 0)
        unexpected_end(connection);
    if (options.wait_end)
        leave(connection);
}

static void nothing_received(struct connection *connection, size_t length)
{
    (void)connection, (void)length;
}

static void nothing_ended(struct connection *connection)
{
    (void)connection;
}

/* ---- one way --------------------------------------------------------------------------------- */

static void send_on(struct connection *connection)
{
    const uint64_t share = run.total / options.connections;
    while (connection->started < share && connection->unsent == 0) {
        connection->started++;
        run.transport->send(connection, options.size);
    }
    if (connection->started == share && connection->unsent == 0)
        run.transport->shutdown(connection);
}

static void send_opened(struct connection *connection)
{
    (void)connection;
    if (run.opened < options.connections)
        return;
    begin();
    for (uint64_t i = 0; i < options.connections; i++)
        send_on(&run.connections[i]);
}

static void send_ended(struct connection *connection)
{
    if (connection->started < run.total / options.connections || connection->unsent)
        unexpected_end(connection);
    run.done += connection->started;
    if (run.done == run.total)
        finish();
    else
        run.transport->close(connection);
}

static void take_opened(struct connection *connection)
{
    (void)connection;
}

/* Messages are not marked: a time of their own they have not. */
static void take_received(struct connection *connection, size_t length)
{
    connection->received += length;
    for (; connection->received >= options.size; connection->received -= options.size)
        count(0);
}

/* ---- idle ------------------------------------------------------------------------------------ */

static void idle_opened(struct connection *connection)
{
    run.transport->send(connection, 1);
}

static void measure_memory(double sign)
{
    const double share = (double)(run.total - run.warm);
    run.private_bytes += sign * measure_private() / share;
    run.resident_bytes += sign * measure_resident() / share;
}

/* First a part of them, then the others: what a server needs to begin with is not theirs. */
static void idle_received(struct connection *connection, size_t length)
{
    (void)length;
    count(load_now() - connection->times[0]);
    if (run.over)
        measure_memory(1);
    if (run.done != run.warm)
        return;
    measure_memory(-1);
    run.to_connect = run.total;
    connect_more();
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct work works[] = {
    {"echo", false, echo_opened, echo_received, NULL, unexpected_end},
    {"visit", true, visit_opened, visit_received, NULL, visit_ended},
    {"shake", true, leave, nothing_received, NULL, nothing_ended},
    {"send", false, send_opened, nothing_received, send_on, send_ended},
    {"take", false, take_opened, take_received, NULL, unexpected_end},
    {"idle", false, idle_opened, idle_received, NULL, unexpected_end},
};

static const struct work *find_work(void)
{
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (strcmp(works[i].name, options.work) == 0)
            return &works[i];
    }
    load_die(options.work, "no such work");
}

static void prepare(void)
{
    const uint64_t connections = options.connections;
    uint64_t *times = calloc(connections * options.depth, sizeof *times);
    run.connections = calloc(connections, sizeof *run.connections);
    if (!times || !run.connections)
        load_die("memory", "none left");
    for (uint64_t i = connections; i-- > 0;) {
        struct connection *connection = &run.connections[i];
        connection->fd = -1;
        connection->times = times + i * options.depth;
        connection->next = run.unused;
        run.unused = connection;
    }
}

/* How many operations and connections there are, and how many operations only warm up. */
static void plan(void)
{
    run.warm = options.operations / 10 + 1;
    run.total = run.warm + options.operations;
    run.to_connect = run.work->passing ? run.total : options.connections;
    if (run.work->opened == send_opened) {
        run.warm = 0;
        run.total = options.operations / options.connections * options.connections;
    } else if (run.work->opened == idle_opened) {
        run.warm = run.to_connect = options.connections / IDLE_BASE;
        run.total = options.connections;
    }
    if (run.total == 0 || run.to_connect == 0)
        load_die(options.work, "more operations (send) or connections (idle) are needed");
}

static void print(void)
{
    printf("{\"operations\": %" PRIu64 ", \"seconds\": %.4f", run.total - run.warm, run.seconds);
    histogram_print_us("latency_us", &run.latency);
    histogram_print_us("late_us", &run.late);
    measure_print(&run.costs, (double)(run.total - run.warm));
    if (run.private_bytes > 0)
        printf(", \"private_bytes\": %.1f", run.private_bytes);
    if (run.resident_bytes > 0)
        printf(", \"resident_bytes\": %.1f", run.resident_bytes);
    if (run.transport->resumed)
        printf(", \"resumed\": %" PRIu64, run.transport->resumed);
    printf("}\n");
}

void work_run(struct transport *transport)
{
    run.transport = transport;
    run.work = find_work();
    prepare();
    measure_open(options.pids, options.pid_count);
    plan();
    connect_more();
    if (!run.over)
        transport->run();
    if (options.resumption && transport->resumed + options.connections < run.total)
        load_die("the server", "has not resumed all sessions");
    print();
}
