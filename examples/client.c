/* A client: connects, sends a line, prints the answer. Usage: client [ENDPOINT [LINE]]; ENDPOINT is
 * tcp:localhost:7777, unix:/run/x.sock, a URI, ... */
#include <conduit/conduit.h>

#include <stdio.h>
#include <string.h>

static const char *line = "hello";
static int result = 1;

static void on_open(struct cdt_flow *flow)
{
    cdt_flow_write(flow, line, strlen(line));
    cdt_flow_write(flow, "\n", 1);           /* both go out as one packet, when we return */
    cdt_flow_shutdown(flow, CDT_SHUT_WRITE); /* we have said all; the answer still comes */
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow;
    fwrite(data, 1, length, stdout);
}

static void on_close(struct cdt_flow *flow, int status)
{
    if (status)
        fprintf(stderr, "client: %s\n", cdt_flow_error(flow));
    result = status != 0;
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler handler = {
    .size = sizeof handler,
    .on_open = on_open,
    .on_read = on_read,
    .on_close = on_close,
};

int main(int argc, char **argv)
{
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct cdt_flow *flow;
    const char *to = argc > 1 ? argv[1] : "tcp:127.0.0.1:7777";
    if (argc > 2)
        line = argv[2];
    if (cdt_reactor_new(NULL, &reactor) < 0 || cdt_context_default(reactor, &context) < 0)
        return 1;
    if (cdt_connect(context, to, NULL, &handler, &flow) == 0)
        cdt_reactor_run(reactor);
    else
        fprintf(stderr, "client: %s\n", cdt_context_error(context));
    cdt_reactor_free(reactor); /* and its default context */
    return result;
}
