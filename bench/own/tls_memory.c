/* Memory of idle TLS connections of a server, after each has said a byte: heap (mallinfo2) and what
 * is resident. The clients live in another process.
 *
 *   tls_memory BACKEND one|many CERT KEY CONNECTIONS
 *
 *   one    they connect one after the other
 *   many   they connect all at once
 *
 * The costs of each connection are those of both processes, from connect() until all are idle. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <conduit/conduit.h>

#include "bench/own/own.h"

static struct cdt_tls_config *config;
static struct cdt_reactor *reactor;
static unsigned open_flows, failed;

static void must(int result, const char *what)
{
    if (result < 0)
        own_die(what, cdt_strerror(result));
}

static void on_open(struct cdt_flow *flow)
{
    (void)flow;
    open_flows++;
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    cdt_flow_write(flow, data, length);
}

static void on_close(struct cdt_flow *flow, int status)
{
    if (open_flows)
        open_flows--;
    if (status && status != -ECONNRESET && status != -CDT_ETLSTRUNC) {
        failed++;
        fprintf(stderr, "tls_memory: %s\n", cdt_flow_error(flow));
    }
}

static const struct cdt_handler handler = {
    .size = sizeof handler, .on_open = on_open, .on_read = on_read, .on_close = on_close};

/* ---- clients --------------------------------------------------------------------------------- */

static unsigned echoed;

static void client_open(struct cdt_flow *flow)
{
    open_flows++;
    cdt_flow_write(flow, "x", 1);
}

static void client_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow, (void)data;
    echoed += (unsigned)length;
}

static const struct cdt_handler client_handler = {.size = sizeof client_handler,
                                                  .on_open = client_open,
                                                  .on_read = client_read,
                                                  .on_close = on_close};

/* Connects one, waits for a byte, connects the others, each after the other's echo or all at once;
 * tells by a byte; stays. */
static void clients(enum cdt_tls_backend backend, const struct cdt_addr *to, unsigned count,
                    bool at_once, int wait, int tell)
{
    const struct cdt_tls_options options = {.size = sizeof options,
                                            .role = CDT_TLS_CLIENT,
                                            .backend = backend,
                                            .min_version = CDT_TLS_1_3,
                                            .ciphers = "TLS_AES_128_GCM_SHA256",
                                            .system_anchors = CDT_OFF,
                                            .verify = CDT_TLS_VERIFY_NONE,
                                            .resumption = CDT_OFF};
    const struct cdt_flow_options flow_options = {.size = sizeof flow_options,
                                                  .handshake_timeout = CDT_NEVER};
    struct cdt_flow *flow;
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(cdt_reactor_new(NULL, &reactor), "reactor");
    must(cdt_tls_config_new(reactor, &options, &config, NULL), "client's configuration");
    for (unsigned i = 1; i <= count; i++) {
        must(cdt_tcp_connect(reactor, to, &flow_options, &client_handler, &flow), "connect");
        must(cdt_tls_start(flow, config, "example.test"), "start");
        while ((!at_once || i == 1) && echoed < i)
            cdt_reactor_step(reactor, CDT_SECOND);
        if (i == 1)
            must((int)read(wait, &byte, 1), "read");
    }
    while (echoed < count)
        cdt_reactor_step(reactor, CDT_SECOND);
    must((int)write(tell, "x", 1), "write");
    for (;;)
        cdt_reactor_step(reactor, CDT_SECOND);
}

/* ---- the server ------------------------------------------------------------------------------ */

static int accept_tls(struct cdt_server *server, struct cdt_flow *flow)
{
    (void)server;
    return cdt_tls_start(flow, config, NULL);
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    if (status)
        own_die("listen", text);
    *(bool *)cdt_server_user(server) = true;
}

static double heap(void)
{
    const struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd);
}

static void make_config(enum cdt_tls_backend backend, const char *cert, const char *key)
{
    const struct cdt_tls_identity identity = {.cert_file = cert, .key_file = key};
    const struct cdt_tls_options options = {.size = sizeof options,
                                            .role = CDT_TLS_SERVER,
                                            .backend = backend,
                                            .identities = &identity,
                                            .identity_count = 1};
    struct cdt_text_error error;
    if (cdt_tls_config_new(reactor, &options, &config, &error))
        own_die("server's configuration", error.text);
}

static void listen_at(struct cdt_addr *at)
{
    bool listens = false;
    const struct cdt_flow_options flow_options = {.size = sizeof flow_options,
                                                  .handshake_timeout = CDT_NEVER};
    const struct cdt_server_options server_options = {.size = sizeof server_options,
                                                      .flow = &flow_options,
                                                      .on_accept = accept_tls,
                                                      .on_listen = on_listen,
                                                      .user = &listens};
    struct cdt_server *server = NULL;
    must(cdt_addr_ip(at, "127.0.0.1", 0), "address");
    must(cdt_tcp_listen(reactor, at, &server_options, &handler, &server), "listen");
    while (!listens)
        cdt_reactor_step(reactor, CDT_SECOND);
    must(cdt_server_address(server, at), "address");
}

/* Until so many have come and nothing more happens; the first one costs what is made once. */
static void serve_until(unsigned count, pid_t other)
{
    while (open_flows < count) {
        cdt_reactor_step(reactor, CDT_SECOND);
        if (failed || waitpid(other, NULL, WNOHANG))
            own_die("clients", "have failed");
    }
    while (cdt_reactor_step(reactor, 500 * CDT_MS) > 0)
        ;
}

static void measure(enum cdt_tls_backend backend, const struct cdt_addr *at, unsigned count,
                    bool at_once)
{
    int done[2], go[2];
    char byte;
    must(pipe2(done, O_CLOEXEC), "pipe");
    must(pipe2(go, O_CLOEXEC), "pipe");
    measure_open_self();
    const pid_t other = fork();
    must(other, "fork");
    if (other == 0)
        clients(backend, at, count + 1, at_once, go[0], done[1]);
    close(done[1]);
    serve_until(1, other);
    const double heap_before = heap(), resident_before = measure_resident();
    measure_begin();
    must((int)write(go[1], "x", 1), "write");
    serve_until(count + 1, other);
    must((int)read(done[0], &byte, 1) - 1, "clients");
    const struct costs costs = measure_end();
    const double heap_more = heap() - heap_before;
    const double resident_more = measure_resident() - resident_before;
    own_print_begin(count, &costs);
    printf(", \"heap_bytes\": %.1f, \"resident_bytes\": %.1f", heap_more / count,
           resident_more / count);
    own_print_end();
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

/* Two thousand connections are more than the common limit. */
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
    enum cdt_tls_backend backend;
    struct cdt_addr at;
    unsigned long count;
    const bool at_once = argc == 6 && strcmp(argv[2], "many") == 0;
    if (argc != 6 || !(at_once || strcmp(argv[2], "one") == 0) || !own_number(argv[5], 1, &count)) {
        fprintf(stderr, "usage: tls_memory BACKEND one|many CERT KEY CONNECTIONS\n");
        return 2;
    }
    must(cdt_tls_backend_parse(argv[1], &backend), argv[1]);
    if (!cdt_tls_built_in(backend))
        own_die(argv[1], "not built in");
    raise_descriptor_limit();
    must(cdt_reactor_new(NULL, &reactor), "reactor");
    make_config(backend, argv[3], argv[4]);
    listen_at(&at);
    measure(backend, &at, (unsigned)count, at_once);
    return 0;
}
