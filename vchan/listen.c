/* Servers of vchans: a listener without descriptor over the ports that it serves, one for each
 * domain whose clients may come. Directly there is one; by name there is one for each domain that
 * has asked, and requests.c opens them.
 *
 * WHO IS ASKED. A port that has told of a client stands in the line `ready` until it has none,
 * others in the line `idle`; ports take turns. While the server is throttled nobody tells: all
 * ports are ready then, and the server looks once when it is armed again, so no client is
 * forgotten. A port that cannot be opened for the moment stands in the line `opening`, and is
 * tried again. */
#include <stdio.h>
#include <string.h>

#include "flows/server.h"
#include "vchan/listen.h"

static const struct cdt_listener_ops listener_ops;

static struct vchan_port *first(const struct list *list)
{
    return list_empty(list) ? NULL : cdt_container_of(list->next, struct vchan_port, link);
}

/* To the end of one of the two lines. */
static void move(struct vchan_listening *listening, struct vchan_port *port, bool is_ready)
{
    port->is_ready = is_ready;
    list_remove(&port->link);
    list_append(is_ready ? &listening->ready : &listening->idle, &port->link);
}

static const struct vchan_backend *backend_of(const struct vchan_listening *listening)
{
    return vchan_backend(listening->settings.backend);
}

/* ---- ports ----------------------------------------------------------------------------------- */

static void on_ready(struct vchan_port *port)
{
    struct vchan_listening *listening = port->user;
    if (!port->is_ready) /* else it keeps its place in the line */
        move(listening, port, true);
    cdt_listener_ready(listening->server);
}

/* Opens one that is in no list: 0, and it is ready; -EINPROGRESS, and it stands in the line
 * `opening`; or another code, and it is freed. */
static int open_port(struct vchan_listening *listening, struct vchan_port *port, const char **why)
{
    const int status = backend_of(listening)->open(port);
    if (status == -EINPROGRESS) {
        list_append(&listening->opening, &port->link);
        return status;
    }
    if (status < 0) {
        *why = port->why;
        listening->ports--;
        mem_free(port);
        return status;
    }
    if (listening->armed)
        backend_of(listening)->arm(port, true);
    on_ready(port);
    return 0;
}

int vchan_open_port(struct vchan_listening *listening, unsigned domid, const char **why)
{
    struct vchan_store *store = listening->store;
    const int ours = store->ops->domid(store);
    if (ours < 0)
        return ours;
    struct vchan_port *port = mem_zalloc(sizeof *port);
    if (!port)
        return -ENOMEM;
    port->settings = listening->settings;
    port->store = store;
    port->reactor = store->reactor;
    port->domid = domid;
    snprintf(port->port, sizeof port->port, "%s", listening->at->port);
    port->ready = on_ready;
    port->user = listening;
    list_init(&port->link);
    const int status = vchan_place(port->path, (unsigned)ours, domid, port->port);
    if (status < 0) {
        mem_free(port);
        return status;
    }
    listening->ports++;
    return open_port(listening, port, why);
}

int vchan_open_again(struct vchan_listening *listening, const char **why)
{
    struct vchan_port *port = first(&listening->opening);
    list_remove(&port->link);
    return open_port(listening, port, why);
}

void vchan_close_port(struct vchan_listening *listening, struct vchan_port *port)
{
    list_remove(&port->link);
    listening->ports--;
    backend_of(listening)->close(port);
    mem_free(port);
}

static struct vchan_port *find_in(const struct list *list, unsigned domid)
{
    for (struct list *at = list->next; at != list; at = at->next) {
        struct vchan_port *port = cdt_container_of(at, struct vchan_port, link);
        if (port->domid == domid)
            return port;
    }
    return NULL;
}

struct vchan_port *vchan_find_port(const struct vchan_listening *listening, unsigned domid)
{
    struct vchan_port *port = find_in(&listening->ready, domid);
    if (!port)
        port = find_in(&listening->idle, domid);
    return port ? port : find_in(&listening->opening, domid);
}

static void arm_ports(struct vchan_listening *listening, struct list *list, bool on)
{
    for (struct list *at = list->next, *next; at != list; at = next) {
        next = at->next;
        backend_of(listening)->arm(cdt_container_of(at, struct vchan_port, link), on);
    }
}

static void arm_all(struct vchan_listening *listening, bool on)
{
    listening->armed = on;
    arm_ports(listening, &listening->ready, on);
    arm_ports(listening, &listening->idle, on);
}

/* ---- the listener's operations --------------------------------------------------------------- */

/* A client that has gone meanwhile is no reason to wait. A port that fails for good ends the server
 * if it is the only one; one of many ends alone. */
static int port_failed(struct vchan_listening *listening, struct vchan_port *port, int status)
{
    if (status == -EPIPE)
        return -ECONNABORTED;
    if (!listening->at->name || (status != -EBADF && status != -EINVAL && status != -ENOTSOCK))
        return status;
    reactor_log(port->reactor, CDT_LOG_ERROR, "vchan port %s of domain %u failed: %s", port->port,
                port->domid, cdt_strerror(status));
    vchan_close_port(listening, port);
    return -ECONNABORTED;
}

static int listening_accept(struct cdt_listener *listener, struct cdt_carrier *carrier,
                            struct cdt_addr *peer)
{
    struct vchan_listening *listening = listener->context;
    struct vchan_port *port;
    peer->length = 0;
    while ((port = first(&listening->ready))) {
        struct vchan *vchan = NULL;
        const int status = backend_of(listening)->accept(port, &vchan);
        move(listening, port, status != -EAGAIN);
        if (status == -EAGAIN)
            continue;
        if (status)
            return port_failed(listening, port, status);
        *carrier = (struct cdt_carrier){.context = vchan, .fd = vchan->fd};
        return 0;
    }
    return -EAGAIN;
}

static void listening_arm(struct cdt_listener *listener, struct cdt_server *server)
{
    struct vchan_listening *listening = listener->context;
    arm_all(listening, true);
    if (!list_empty(&listening->ready))
        cdt_listener_ready(server);
}

static void listening_disarm(struct cdt_listener *listener)
{
    struct vchan_listening *listening = listener->context;
    struct vchan_port *port;
    arm_all(listening, false);
    while ((port = first(&listening->idle)))
        move(listening, port, true);
}

static void listening_free(struct vchan_listening *listening)
{
    struct vchan_port *port;
    vchan_requests_end(listening);
    while ((port = first(&listening->ready)) || (port = first(&listening->idle)) ||
           (port = first(&listening->opening)))
        vchan_close_port(listening, port);
    vchan_store_put(listening->store);
    mem_free(listening);
}

static void listening_close(struct cdt_listener *listener)
{
    listening_free(listener->context);
    listener->context = NULL;
}

static const struct cdt_listener_ops listener_ops = {
    .size = sizeof listener_ops,
    .carrier = &vchan_ops,
    .accept = listening_accept,
    .arm = listening_arm,
    .disarm = listening_disarm,
    .close = listening_close,
};

/* ---- opening --------------------------------------------------------------------------------- */

/* "/conduit/web cannot be served: not a directory". */
static void explain(struct cdt_server *server, int status, const struct vchan_listening *listening)
{
    const struct vchan_listens_at *at = listening->at;
    struct vchan_store *store = listening->store;
    char path[VCHAN_PATH_MAX];
    const int ours = store->ops->domid(store);
    if (at->name ? vchan_name_path(path, at->name) == 0
                 : ours >= 0 && vchan_place(path, (unsigned)ours, at->domid, at->port) == 0)
        snprintf(server->text, sizeof server->text, "%s cannot be served: %s", path,
                 cdt_strerror(status));
}

static int open_all(struct cdt_server *server, struct vchan_listening *listening, const char **why)
{
    if (!list_empty(&listening->opening)) /* the only one */
        return vchan_open_again(listening, why);
    const int status =
        vchan_store_get(server->hub->reactor, &listening->settings, &listening->store);
    if (status) {
        vchan_store_tell(&listening->settings, status, server->text, sizeof server->text);
        return status;
    }
    return listening->at->name ? vchan_requests_begin(listening, why)
                               : vchan_open_port(listening, listening->at->domid, why);
}

static int open_listener(struct cdt_server *server)
{
    struct vchan_listening *listening = server->listener.context;
    const char *why = listening->settings.why;
    const int status = listening->status ? listening->status : open_all(server, listening, &why);
    if (status && why)
        snprintf(server->text, sizeof server->text, "%s", why);
    else if (status && status != -EINPROGRESS && listening->store)
        explain(server, status, listening);
    return status;
}

const struct vchan_listens_at *vchan_listens_at(const struct cdt_server *server)
{
    return server && server->ops == &listener_ops ? server->where : NULL;
}

/* Two strings behind one another. */
static struct vchan_listens_at *place_new(unsigned domid, const char *name, const char *port)
{
    struct vchan_listens_at *at = mem_zalloc(sizeof *at);
    if (!at)
        return NULL;
    const size_t length = (size_t)snprintf(at->text, sizeof at->text, "%s", port) + 1;
    at->domid = domid;
    at->port = at->text;
    if (name) {
        snprintf(at->text + length, sizeof at->text - length, "%s", name);
        at->name = at->text + length;
    }
    return at;
}

int vchan_listen(struct cdt_reactor *reactor, unsigned domid, const char *name, const char *port,
                 const struct cdt_vchan_options *vchan, const struct cdt_server_options *options,
                 const struct cdt_handler *handler, struct cdt_server **result, const char **why)
{
    struct vchan_settings settings;
    struct cdt_server *server;
    *why = vchan_wrong_place(domid, name, port);
    if (*why || !result)
        return -EINVAL;
    const int filled = vchan_settings_fill(&settings, vchan);
    *why = settings.why;
    if (filled && filled != -EPROTONOSUPPORT)
        return filled;
    const int status = server_new(reactor, options, handler, &server);
    if (status)
        return status;
    struct vchan_listening *listening = mem_zalloc(sizeof *listening);
    server->where = place_new(domid, name, port);
    if (!listening || !server->where) {
        mem_free(listening);
        server_discard(server);
        return -ENOMEM;
    }
    listening->server = server;
    listening->settings = settings;
    listening->status = filled;
    listening->at = server->where;
    list_init(&listening->ready);
    list_init(&listening->idle);
    list_init(&listening->opening);
    server->ops = &listener_ops;
    server->listener.context = listening;
    server->open = open_listener;
    server->listening = true; /* whatever becomes of it, it is to be closed */
    vchan_settings_warn(reactor);
    server_start(server);
    *result = server;
    return 0;
}

/* ---- public ---------------------------------------------------------------------------------- */

int cdt_vchan_listen(struct cdt_reactor *reactor, unsigned domid, const char *port,
                     const struct cdt_vchan_options *vchan,
                     const struct cdt_server_options *options, const struct cdt_handler *handler,
                     struct cdt_server **server)
{
    const char *why;
    return vchan_listen(reactor, domid, NULL, port, vchan, options, handler, server, &why);
}

int cdt_vchan_listen_name(struct cdt_reactor *reactor, const char *name, const char *port,
                          const struct cdt_vchan_options *vchan,
                          const struct cdt_server_options *options,
                          const struct cdt_handler *handler, struct cdt_server **server)
{
    const char *why;
    return name ? vchan_listen(reactor, 0, name, port, vchan, options, handler, server, &why)
                : -EINVAL;
}
