/* A client: connects to an endpoint, sends a line, prints the answer.
 * Usage: client [ENDPOINT [LINE]], where ENDPOINT is tcp:127.0.0.1:7777, unix:/run/x.sock, ... */
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
    struct cdt_endp *endp;
    struct cdt_endp_error error;
    struct cdt_flow *flow;
    if (argc > 2)
        line = argv[2];
    if (cdt_endp_parse(argc > 1 ? argv[1] : "tcp:127.0.0.1:7777", &endp, &error) < 0) {
        fprintf(stderr, "client: %s\n", error.text);
        return 2;
    }
    if (cdt_reactor_new(NULL, &reactor) < 0 || cdt_context_new(reactor, NULL, &context) < 0)
        return 1;
    if (cdt_connect_endp(context, endp, NULL, &handler, &flow) == 0)
        cdt_reactor_run(reactor);
    cdt_endp_free(endp);
    cdt_reactor_free(reactor);
    cdt_context_free(context);
    return result;
}
