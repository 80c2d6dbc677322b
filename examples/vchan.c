/* vchan between two domains, here in one process: a client waits for a server by name, and gets its
 * greeting through memory that both share. On Xen leave `backend`, `directory` and `domid` out. */
#include <stdio.h>
#include <string.h>

#include <conduit/conduit.h>

static struct cdt_reactor *reactor;

/* ---- the server, domain 1 -------------------------------------------------------------------- */

static void greet(struct cdt_flow *flow)
{
    struct cdt_vchan_info info;
    char text[100];
    if (cdt_vchan_info(flow, &info) == 0) {
        snprintf(text, sizeof text, "hello, domain %u", info.domid);
        cdt_flow_write(flow, text, strlen(text));
    }
    cdt_flow_close(flow);
}

static const struct cdt_handler server_handler = {.size = sizeof server_handler, .on_open = greet};

static int serve(const char *folder)
{
    const struct cdt_vchan_options vchan = {
        .size = sizeof vchan,
        .backend = CDT_VCHAN_LOCAL,
        .directory = folder,
        .domid = 1 + 1, /* one more than the id: 0 is the default */
    };
    struct cdt_server *server;
    return cdt_vchan_listen_name(reactor, "greeter", "hello", &vchan, NULL, &server_handler,
                                 &server);
}

/* ---- the client, domain 2 -------------------------------------------------------------------- */

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct cdt_endp *peer;
    char text[100];
    if (cdt_flow_endp(flow, true, &peer) != 0)
        return;
    cdt_endp_format(peer, CDT_ENDP_HUMAN, text, sizeof text);
    cdt_endp_free(peer);
    printf("%s: %.*s\n", text, (int)length, (const char *)data);
}

static void on_close(struct cdt_flow *flow, int status)
{
    printf("closed: %s\n", status ? cdt_flow_error(flow) : "in order");
    cdt_reactor_stop(reactor);
}

static const struct cdt_handler client_handler = {
    .size = sizeof client_handler, .on_read = on_read, .on_close = on_close};

static int connect_to_it(struct cdt_context *context)
{
    struct cdt_flow *flow;
    return cdt_connect(context, "vchan:greeter/hello", NULL, &client_handler, &flow);
}

/* ---- both ------------------------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/tmp/conduit-example-vchan";
    const struct cdt_vchan_options vchan = {
        .size = sizeof vchan, .backend = CDT_VCHAN_LOCAL, .directory = folder, .domid = 2 + 1};
    const struct cdt_context_options options = {.size = sizeof options, .vchan = &vchan};
    struct cdt_context *context;
    if (cdt_reactor_new(NULL, &reactor) != 0 || cdt_context_new(reactor, &options, &context) != 0 ||
        connect_to_it(context) != 0 || serve(folder) != 0)
        return 1;
    cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    cdt_context_free(context);
    return 0;
}
