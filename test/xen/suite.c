/* Our half of each test inside the Xen machine, over the public interface; the other half is this
 * program too, or test/xen/peer.c.
 *
 *   suite server|client DOMID PORT SCENARIO [ARGUMENT]
 *
 *   bulk KIB     sends so much and receives as much at the same time; both are checked
 *   echo ROUNDS  the client sends 64 bytes and waits for them
 *   close, kill  writes 1000 bytes and closes, or kills itself
 *   survive      reads 1000 bytes, then an orderly end
 *   lost         reads 1000 bytes, makes the file READY, then -ECONNRESET within 5 seconds
 *   hold         writes 1000 bytes, then waits for ever
 *   spoiled      -EPROTO
 *   nobody       connecting must time out
 *   grants       listens at ports until no memory can be granted, then at one again
 *
 * In the environment: RING, the size of a server's rings; CLIENTS, how many flows (1), all at once;
 * ACTIVE, how many of them a server takes at a time; NAME, the server's name in the place of DOMID.
 * Exit 0: all flows ended as they must, and nothing was left behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <conduit/conduit.h>
#include <conduit/vchan.h>

#include "test/xen/pattern.h"

enum {
    PATIENCE = 20, /* seconds, for all of it */
    CONNECTS = 15,
    MESSAGE = 64,
    CHUNK = 16 * 1024,
    RING_DEFAULT = 1024,
    PORTS_MAX = 2048
};

struct side {
    struct pattern ours, theirs;
    size_t sent, received;
};

static struct {
    bool server, failed;
    unsigned domid;
    const char *port;
    size_t ring, clients, argument, ended;
    int status; /* with which flows must end */
    struct cdt_server *listening;
    struct cdt_vchan_options vchan;
} run;

static __attribute__((format(printf, 1, 2))) void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("suite: ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    run.failed = true;
}

/* ---- every flow ------------------------------------------------------------------------------ */

/* What the library says of the flow. */
static void look_at(struct cdt_flow *flow)
{
    struct cdt_vchan_info info;
    if (cdt_vchan_info(flow, &info) != 0)
        wrong("no information");
    else if (info.backend != CDT_VCHAN_XEN || strcmp(info.port, run.port) != 0 ||
             (info.domid != run.domid && !getenv("NAME")))
        wrong("it is said to be %s, domain %u, port %s", cdt_vchan_backend_name(info.backend),
              info.domid, info.port);
    else if (run.server && (info.read_size < run.ring || info.write_size < run.ring))
        wrong("rings of %zu and %zu bytes", info.read_size, info.write_size);
}

static struct side *opened(struct cdt_flow *flow)
{
    struct side *side = cdt_flow_data(flow);
    look_at(flow);
    side->ours = pattern_of(run.server);
    side->theirs = pattern_of(!run.server);
    return side;
}

static void on_close(struct cdt_flow *flow, int status)
{
    if (status != run.status)
        wrong("ended with %d: %s", status, cdt_flow_error(flow));
    if (++run.ended < run.clients)
        return;
    if (run.listening)
        cdt_server_stop(run.listening, 0);
    else
        cdt_reactor_stop(cdt_flow_reactor(flow));
}

/* ---- bulk ------------------------------------------------------------------------------------ */

static void pump(struct cdt_flow *flow)
{
    static char chunk[CHUNK];
    struct side *side = cdt_flow_data(flow);
    const size_t total = run.argument * 1024;

    while (side->sent < total) {
        const size_t rest = total - side->sent, length = rest < CHUNK ? rest : CHUNK;
        pattern_fill(&side->ours, chunk, length);
        side->sent += length;
        if (cdt_flow_write(flow, chunk, length) != 0)
            return; /* on_writable comes, or the end */
    }
    if (side->received == total && !run.server)
        cdt_flow_close(flow);
}

static void bulk_open(struct cdt_flow *flow)
{
    opened(flow);
    pump(flow);
}

static void check_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct side *side = cdt_flow_data(flow);
    if (!pattern_check(&side->theirs, data, length))
        wrong("other bytes than were sent, up to %zu", side->received + length);
    side->received += length;
}

static void bulk_read(struct cdt_flow *flow, const void *data, size_t length)
{
    check_read(flow, data, length);
    pump(flow);
}

static void bulk_eof(struct cdt_flow *flow)
{
    const struct side *side = cdt_flow_data(flow);
    if (side->received != run.argument * 1024)
        wrong("the end came after %zu bytes", side->received);
    cdt_flow_close(flow);
}

/* ---- echo ------------------------------------------------------------------------------------ */

static void send_message(struct cdt_flow *flow, struct side *side)
{
    char message[MESSAGE];
    pattern_fill(&side->ours, message, sizeof message);
    cdt_flow_write(flow, message, sizeof message);
}

static void echo_open(struct cdt_flow *flow)
{
    struct side *side = opened(flow);
    if (run.server)
        return;
    side->theirs = side->ours; /* it comes back */
    send_message(flow, side);
}

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct side *side = cdt_flow_data(flow);
    if (run.server) {
        cdt_flow_write(flow, data, length);
        return;
    }
    check_read(flow, data, length);
    if (side->received % MESSAGE)
        return;
    if (side->received == MESSAGE * run.argument)
        cdt_flow_close(flow);
    else
        send_message(flow, side);
}

/* ---- one leaves, the other sees it ----------------------------------------------------------- */

static void last_words(struct cdt_flow *flow)
{
    char words[LAST_WORDS];
    struct side *side = opened(flow);
    pattern_fill(&side->ours, words, sizeof words);
    cdt_flow_write_nodelay(flow, words, sizeof words, NULL, NULL);
}

static void close_open(struct cdt_flow *flow)
{
    last_words(flow);
    cdt_flow_close(flow);
}

static void kill_open(struct cdt_flow *flow)
{
    last_words(flow);
    raise(SIGKILL);
}

static void survive_open(struct cdt_flow *flow)
{
    opened(flow);
}

static void survive_close(struct cdt_flow *flow, int status)
{
    const struct side *side = cdt_flow_data(flow);
    if (side->received != LAST_WORDS)
        wrong("%zu bytes before the end", side->received);
    on_close(flow, status);
}

static void lost_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const struct side *side = cdt_flow_data(flow);
    const char *ready = getenv("READY");
    check_read(flow, data, length);
    if (side->received == LAST_WORDS && ready)
        close(open(ready, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* ---- grants ---------------------------------------------------------------------------------- */

static struct cdt_server *ports[PORTS_MAX];
static size_t port_count;

static void again_listen(struct cdt_server *server, int status, const char *text)
{
    if (status != 0)
        wrong("not even one after all were given back: %s", text);
    cdt_reactor_stop(cdt_server_reactor(server));
}

static void listen_at_one(struct cdt_reactor *reactor,
                          void (*on_listen)(struct cdt_server *, int, const char *))
{
    static const struct cdt_handler nothing = {.size = sizeof nothing};
    const struct cdt_server_options options = {.size = sizeof options, .on_listen = on_listen};
    char port[32];

    snprintf(port, sizeof port, "%s-%zu", run.port, port_count);
    const int status = cdt_vchan_listen(reactor, run.domid, port, &run.vchan, &options, &nothing,
                                        &ports[port_count]);
    if (status == 0)
        port_count++;
    else
        wrong("listen: %s", cdt_strerror(status));
}

/* One after the other, until one is refused. */
static void grants_listen(struct cdt_server *server, int status, const char *text)
{
    struct cdt_reactor *reactor = cdt_server_reactor(server);

    if (status == 0 && port_count < PORTS_MAX - 1) {
        listen_at_one(reactor, grants_listen);
        return;
    }
    if (status != -ENOSPC || !strstr(text, "/sys/module/xen_gntalloc/parameters/limit"))
        wrong("after %zu ports: %d: %s", port_count, status, text);
    for (size_t i = 0; i < port_count; i++)
        cdt_server_stop(ports[i], 0);
    listen_at_one(reactor, again_listen);
}

/* ---- the program ----------------------------------------------------------------------------- */

#define HANDLER .size = sizeof(struct cdt_handler), .user_size = sizeof(struct side)

static const struct scenario {
    const char *name;
    int status;
    struct cdt_handler handler;
} scenarios[] = {
    {"bulk", 0, {HANDLER, bulk_open, bulk_read, bulk_eof, pump, on_close}},
    {"echo", 0, {HANDLER, echo_open, echo_read, NULL, NULL, on_close}},
    {"close", 0, {HANDLER, close_open, NULL, NULL, NULL, on_close}},
    {"kill", 0, {HANDLER, kill_open, NULL, NULL, NULL, on_close}},
    {"survive", 0, {HANDLER, survive_open, check_read, NULL, NULL, survive_close}},
    {"lost", -ECONNRESET, {HANDLER, survive_open, lost_read, NULL, NULL, survive_close}},
    {"hold", 0, {HANDLER, last_words, NULL, NULL, NULL, on_close}},
    {"spoiled", -EPROTO, {HANDLER, survive_open, NULL, NULL, NULL, on_close}},
    {"nobody", -ETIMEDOUT, {HANDLER, survive_open, NULL, NULL, NULL, on_close}},
    {"grants", 0, {HANDLER, NULL, NULL, NULL, NULL, NULL}},
};

static size_t number_of(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    if (status == 0)
        return;
    wrong("listen: %s", text);
    cdt_reactor_stop(cdt_server_reactor(server));
}

/* A flow that never opened counts as well. */
static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)peer;
    if (status != run.status)
        wrong("error %d: %s", status, text);
}

static void on_stopped(struct cdt_server *server)
{
    cdt_reactor_stop(cdt_server_reactor(server));
}

static int serve(struct cdt_reactor *reactor, const struct cdt_handler *handler)
{
    const struct cdt_server_options options = {
        .size = sizeof options,
        .max_active = (unsigned)number_of("ACTIVE", 0),
        .on_listen = on_listen,
        .on_error = on_error,
        .on_stopped = on_stopped,
    };
    const char *name = getenv("NAME");
    if (name)
        return cdt_vchan_listen_name(reactor, name, run.port, &run.vchan, &options, handler,
                                     &run.listening);
    return cdt_vchan_listen(reactor, run.domid, run.port, &run.vchan, &options, handler,
                            &run.listening);
}

static int connect_all(struct cdt_reactor *reactor, const struct cdt_handler *handler)
{
    const struct cdt_flow_options options = {
        .size = sizeof options,
        .connect_timeout = run.status == -ETIMEDOUT ? 500 * CDT_MS : CONNECTS * CDT_SECOND,
    };
    const char *name = getenv("NAME");
    int status = 0;
    for (size_t i = 0; i < run.clients && status == 0; i++) {
        struct cdt_flow *flow;
        status = name ? cdt_vchan_connect_name(reactor, name, run.port, &run.vchan, &options,
                                               handler, &flow)
                      : cdt_vchan_connect(reactor, run.domid, run.port, &run.vchan, &options,
                                          handler, &flow);
    }
    return status;
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void run_scenario(const struct scenario *scenario)
{
    const size_t before = open_descriptors();
    struct cdt_reactor *reactor;
    int status = cdt_reactor_new(NULL, &reactor);

    run.status = scenario->status;
    if (status < 0) {
        wrong("%s", cdt_strerror(status));
        return;
    }
    if (strcmp(scenario->name, "grants") == 0)
        listen_at_one(reactor, grants_listen);
    else
        status = run.server ? serve(reactor, &scenario->handler)
                            : connect_all(reactor, &scenario->handler);
    if (status < 0)
        wrong("%s", cdt_strerror(status));
    else
        cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    if (open_descriptors() != before)
        wrong("%zu descriptors before, %zu after", before, open_descriptors());
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count < 5)
        return 2;
    alarm(PATIENCE);
    run.server = strcmp(arguments[1], "server") == 0;
    run.domid = (unsigned)strtoul(arguments[2], NULL, 10);
    run.port = arguments[3];
    run.argument = count > 5 ? strtoul(arguments[5], NULL, 10) : 0;
    run.clients = number_of("CLIENTS", 1);
    run.ring = number_of("RING", RING_DEFAULT);
    run.vchan = (struct cdt_vchan_options){
        .size = sizeof run.vchan, .read_size = run.ring, .write_size = run.ring};
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(arguments[4], scenarios[i].name) != 0)
            continue;
        run_scenario(&scenarios[i]);
        return run.failed;
    }
    return 2;
}
