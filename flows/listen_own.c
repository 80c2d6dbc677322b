/* Serving a listener of the user's, by the operations that he gives. */
#include "flows/server.h"

static bool ops_valid(const struct cdt_listener_ops *ops)
{
    return ops && ops->size >= sizeof *ops && ops->accept && ops->close &&
           flow_ops_valid(ops->carrier);
}

int cdt_listen(struct cdt_reactor *reactor, const struct cdt_listener_ops *ops,
               const struct cdt_listener *listener, const struct cdt_server_options *options,
               const struct cdt_handler *handler, struct cdt_server **result)
{
    struct cdt_server *server;
    int error;

    if (!ops_valid(ops) || !listener || !result)
        return -EINVAL;
    error = server_new(reactor, options, handler, &server);
    if (error)
        return error;
    server->ops = ops;
    server->listener = *listener;
    server->open = server->options.backlog && ops->set_backlog ? server_apply_backlog : NULL;
    server->listening = true;
    server_start(server);
    *result = server;
    return 0;
}
