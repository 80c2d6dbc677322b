/* An echo server on port 7777: whatever a client sends comes back. */
#include <stdio.h>

#include <conduit/conduit.h>

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int result = cdt_flow_write(flow, data, length);
    if (result > 0) /* the client does not take it: we read no more until it does */
        cdt_flow_pause(flow);
    else if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static void on_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

static void on_listen(struct cdt_server *server, int status, const char *why)
{
    printf("port 7777: %s\n", status < 0 ? why : "ready");
    if (status < 0)
        cdt_reactor_stop(cdt_server_reactor(server));
}

static const struct cdt_handler echo = {
    .size = sizeof echo, .on_read = on_read, .on_writable = on_writable};

int main(void)
{
    const struct cdt_server_options options = {.size = sizeof options, .on_listen = on_listen};
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct cdt_server *server;

    if (cdt_reactor_new(NULL, &reactor) < 0 || cdt_context_default(reactor, &context) < 0 ||
        cdt_serve(context, "tcp:7777", &options, &echo, &server) < 0)
        return 1;
    return cdt_reactor_run(reactor) < 0;
}
