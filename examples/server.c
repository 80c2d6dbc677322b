/* A server set up as a long-running one is: limits, timeouts, a log, all errors in one place, and
 * an orderly end. It counts what each client sends, and answers at the end of the client's stream.
 * Usage: server [ENDPOINT], where ENDPOINT is tcp:7777, tcp:127.0.0.1:0, unix:/run/x.sock, ... */
#include <conduit/conduit.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

struct session { /* the flow carries one: cdt_flow_data() */
    uint64_t bytes;
};

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct session *session = cdt_flow_data(flow);
    (void)data;
    session->bytes += length;
}

/* The client has said all; it still listens. */
static void on_eof(struct cdt_flow *flow)
{
    const struct session *session = cdt_flow_data(flow);
    char text[40];
    const int length = snprintf(text, sizeof text, "%" PRIu64 " bytes\n", session->bytes);
    cdt_flow_write(flow, text, (size_t)length);
    cdt_flow_close(flow); /* sends what is queued, then our end of stream */
}

static const struct cdt_handler handler = {
    .size = sizeof handler,
    .user_size = sizeof(struct session),
    .on_read = on_read,
    .on_eof = on_eof,
};

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    struct cdt_addr addr;
    char name[CDT_ADDR_TEXT];
    if (status == 0 && cdt_server_address(server, &addr) == 0)
        printf("listening on %s\n", cdt_addr_format(&addr, name));
    else
        fprintf(stderr, "server: %s\n", text);
    fflush(stdout);
}

static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    char name[CDT_ADDR_TEXT] = "";
    (void)server;
    if (peer)
        cdt_addr_format(peer, name);
    fprintf(stderr, "%s: %s (%s)\n", *name ? name : "a client", text, cdt_errname(status));
}

/* The server stops. Who has begun may finish before the deadline; the others are sent away. */
static void on_stop(struct cdt_flow *flow)
{
    const struct session *session = cdt_flow_data(flow);
    if (session->bytes == 0)
        cdt_flow_close(flow);
}

static void on_stopped(struct cdt_server *server)
{
    struct cdt_server_counters counters;
    cdt_server_counters(server, &counters);
    printf("%" PRIu64 " accepted, %" PRIu64 " closed, %" PRIu64 " aborted\n", counters.accepted,
           counters.closed, counters.aborted);
    cdt_reactor_stop(cdt_server_reactor(server));
}

static void on_log(void *user, enum cdt_log_level level, const char *text)
{
    (void)user;
    if (level <= CDT_LOG_WARNING)
        fprintf(stderr, "server: %s\n", text);
}

struct stopper {
    struct cdt_signal terminate, interrupt;
    struct cdt_server *server;
    bool again;
};

static void stop(struct stopper *stopper)
{
    cdt_server_stop(stopper->server, stopper->again ? 0 : 10 * CDT_SECOND);
    stopper->again = true;
}

static void on_terminate(struct cdt_signal *signal, int number)
{
    (void)number;
    stop(cdt_container_of(signal, struct stopper, terminate));
}

static void on_interrupt(struct cdt_signal *signal, int number)
{
    (void)number;
    stop(cdt_container_of(signal, struct stopper, interrupt));
}

static int serve(struct cdt_context *context, const struct cdt_endp *endp,
                 struct cdt_server **server)
{
    const struct cdt_flow_options flow = {
        .size = sizeof flow,
        .idle_timeout = 60 * CDT_SECOND,
        .lifetime = 600 * CDT_SECOND,
        .min_rate = 100, /* bytes a second */
    };
    const struct cdt_server_options options = {
        .size = sizeof options,
        .flow = &flow,
        .max_active = 1000,
        .backlog = 512,
        .on_listen = on_listen,
        .on_error = on_error,
        .on_stop = on_stop,
        .on_stopped = on_stopped,
    };
    return cdt_serve_endp(context, endp, &options, &handler, server);
}

int main(int argc, char **argv)
{
    const struct cdt_reactor_options options = {.size = sizeof options, .log = on_log};
    struct stopper stopper = {.terminate.fn = on_terminate, .interrupt.fn = on_interrupt};
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct cdt_endp *endp;
    struct cdt_text_error error;

    if (cdt_endp_parse(argc > 1 ? argv[1] : "tcp:7777", &endp, &error) < 0) {
        fprintf(stderr, "server: %s\n", error.text);
        return 2;
    }
    if (cdt_reactor_new(&options, &reactor) < 0 || cdt_context_new(reactor, NULL, &context) < 0)
        return 1;
    if (serve(context, endp, &stopper.server) < 0) {
        fprintf(stderr, "server: %s\n", cdt_context_error(context));
        return 1;
    }
    cdt_endp_free(endp);
    cdt_signal_add(reactor, &stopper.terminate, SIGTERM);
    cdt_signal_add(reactor, &stopper.interrupt, SIGINT);
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    cdt_context_free(context);
    return 0;
}
