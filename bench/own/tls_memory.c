/* Memory of idle TLS connections of a server: heap (mallinfo2) and resident (smaps), each, after as
 * many connected one by one and after as many at once. The clients live in another process.
 *
 *   tls_memory CERT KEY [CONNECTIONS [BACKEND]]
 *
 * test/tls/bar_memory.py makes the certificate and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <conduit/conduit.h>

static struct cdt_tls_config *config;
static struct cdt_reactor *reactor;
static unsigned open_flows, failed;

static void must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "tls_memory: %s: %s\n", what, cdt_strerror(result));
        exit(1);
    }
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
    if (status) {
        fprintf(stderr, "tls_memory: %s\n", text);
        exit(1);
    }
    *(bool *)cdt_server_user(server) = true;
}

/* Private memory of this process, bytes. */
static size_t resident(void)
{
    char line[256];
    size_t sum = 0, kilobytes;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Private_Dirty: %zu kB", &kilobytes) == 1)
            sum = kilobytes * 1024;
    }
    if (file)
        fclose(file);
    return sum;
}

static size_t heap(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void measure(enum cdt_tls_backend backend, const char *cert, const char *key, unsigned count,
                    bool at_once)
{
    const struct cdt_tls_identity identity = {.cert_file = cert, .key_file = key};
    const struct cdt_tls_options options = {.size = sizeof options,
                                            .role = CDT_TLS_SERVER,
                                            .backend = backend,
                                            .identities = &identity,
                                            .identity_count = 1};
    bool listens = false;
    const struct cdt_flow_options flow_options = {.size = sizeof flow_options,
                                                  .handshake_timeout = CDT_NEVER};
    const struct cdt_server_options server_options = {.size = sizeof server_options,
                                                      .flow = &flow_options,
                                                      .on_accept = accept_tls,
                                                      .on_listen = on_listen,
                                                      .user = &listens};
    struct cdt_server *server = NULL;
    struct cdt_addr at;
    struct cdt_text_error error;
    int done[2] = {-1, -1}, go[2] = {-1, -1};
    char byte;
    must(cdt_reactor_new(NULL, &reactor), "reactor");
    const int status = cdt_tls_config_new(reactor, &options, &config, &error);
    if (status)
        fprintf(stderr, "tls_memory: %s\n", error.text);
    must(status, "server's configuration");
    must(cdt_addr_ip(&at, "127.0.0.1", 0), "address");
    must(cdt_tcp_listen(reactor, &at, &server_options, &handler, &server), "listen");
    while (!listens)
        cdt_reactor_step(reactor, CDT_SECOND);
    must(cdt_server_address(server, &at), "address");
    must(pipe2(done, O_CLOEXEC), "pipe");
    must(pipe2(go, O_CLOEXEC), "pipe");
    const pid_t other = fork();
    must(other, "fork");
    if (other == 0)
        clients(backend, &at, count + 1, at_once, go[0], done[1]);
    while (open_flows < 1) /* the first costs what is made once */
        cdt_reactor_step(reactor, CDT_SECOND);
    while (cdt_reactor_step(reactor, 500 * CDT_MS) > 0)
        ;
    const size_t heap_before = heap(), resident_before = resident();
    must((int)write(go[1], "x", 1), "write");
    while (open_flows < count + 1 && !failed)
        cdt_reactor_step(reactor, CDT_SECOND);
    while (cdt_reactor_step(reactor, 500 * CDT_MS) > 0) /* the echoes; then all is idle */
        ;
    must((int)read(done[0], &byte, 1), "read");
    printf("%s, %s: %u connections: heap %zu, resident %zu bytes each\n",
           cdt_tls_backend_name(backend), at_once ? "at once" : "one by one", count,
           (heap() - heap_before) / count, (resident() - resident_before) / count);
    fflush(stdout);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

int main(int argc, char **argv)
{
    static const enum cdt_tls_backend both[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    enum cdt_tls_backend only = CDT_TLS_ANY;
    if (argc < 3) {
        fprintf(stderr, "usage: tls_memory CERT KEY [CONNECTIONS [BACKEND]]\n");
        return 2;
    }
    const unsigned count = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 2000;
    if (argc > 4)
        must(cdt_tls_backend_parse(argv[4], &only), argv[4]);
    for (int i = 0; i < 4; i++) {
        const enum cdt_tls_backend backend = both[i / 2];
        if (!cdt_tls_built_in(backend) || (only != CDT_TLS_ANY && only != backend))
            continue;
        const pid_t child = fork(); /* each with a heap of its own */
        int status;
        if (child == 0) {
            measure(backend, argv[1], argv[2], count, i & 1);
            _exit(failed ? 1 : 0);
        }
        if (waitpid(child, &status, 0) != child || status)
            return 1;
    }
    return 0;
}
