/* A carrier of one's own: a regular file, which epoll cannot watch, read as a flow. Each client of
 * the server gets the file through a relay, which reads no faster than the client takes it. Usage:
 * file PATH ENDPOINT */
#include <conduit/conduit.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the carrier ----------------------------------------------------------------------------- */

/* The descriptor is in `context`: in `fd` it would be given to epoll, which refuses files. */
static int fd_of(const struct cdt_carrier *carrier)
{
    return (int)(intptr_t)carrier->context;
}

static ssize_t file_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    const ssize_t n = read(fd_of(carrier), data, length);
    return n < 0 ? -errno : n; /* never -EAGAIN: there is always something, or the end */
}

/* What the client sends is thrown away. */
static ssize_t file_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    (void)carrier, (void)data;
    return (ssize_t)length;
}

static ssize_t file_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    ssize_t length = 0;
    (void)carrier;
    for (int i = 0; i < count; i++)
        length += (ssize_t)parts[i].iov_len;
    return length;
}

static void file_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    (void)how; /* nobody to tell */
    close(fd_of(carrier));
}

static const struct cdt_carrier_ops file_ops = {
    .size = sizeof file_ops,
    .name = "file",
    .flags = CDT_CARRIER_SHORT_READS, /* a short read is not the end: ask again */
    .read = file_read,
    .write = file_write,
    .writev = file_writev,
    .close = file_close,
};

static int file_flow(struct cdt_reactor *reactor, const char *path,
                     const struct cdt_handler *handler, struct cdt_flow **flow)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct cdt_carrier carrier = {.context = (void *)(intptr_t)fd, .fd = -1};
    if (fd < 0)
        return -errno;
    const int status = cdt_carrier_flow(reactor, &file_ops, &carrier, false, NULL, handler, flow);
    if (status < 0)
        close(fd); /* it is the flow's only after success */
    return status;
}

/* ---- the server ------------------------------------------------------------------------------ */

static const char *path;

static void on_relayed(struct cdt_flow *file, struct cdt_flow *client,
                       const struct cdt_relay_result *result, void *arg)
{
    (void)file, (void)client, (void)arg;
    fprintf(stderr, "file: %llu bytes, %s\n", (unsigned long long)result->bytes_a_to_b,
            result->status_b ? cdt_strerror(result->status_b) : "complete");
}

static void on_open(struct cdt_flow *client)
{
    static const struct cdt_handler none = {.size = sizeof none};
    struct cdt_flow *file = NULL;
    int status = file_flow(cdt_flow_reactor(client), path, &none, &file);
    if (status == 0) {
        status = cdt_flow_relay(file, client, on_relayed, NULL);
        if (status < 0)
            cdt_flow_abort(file, status, NULL);
    }
    if (status < 0)
        cdt_flow_abort(client, status, NULL);
}

static const struct cdt_handler handler = {.size = sizeof handler, .on_open = on_open};

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    struct cdt_addr addr;
    char name[CDT_ADDR_TEXT];
    if (status == 0 && cdt_server_address(server, &addr) == 0) {
        printf("listening on %s\n", cdt_addr_format(&addr, name));
        fflush(stdout);
    } else {
        fprintf(stderr, "file: %s\n", text);
        cdt_reactor_stop(cdt_server_reactor(server));
    }
}

int main(int argc, char **argv)
{
    const struct cdt_flow_options flow = {.size = sizeof flow, .idle_timeout = 60 * CDT_SECOND};
    const struct cdt_server_options options = {
        .size = sizeof options,
        .flow = &flow,
        .on_listen = on_listen,
    };
    struct cdt_reactor *reactor;
    struct cdt_context *context;
    struct cdt_server *server;
    struct cdt_endp *endp;
    struct cdt_text_error error;

    if (argc != 3) {
        fprintf(stderr, "usage: file PATH ENDPOINT\n");
        return 2;
    }
    path = argv[1];
    if (cdt_endp_parse(argv[2], &endp, &error) < 0) {
        fprintf(stderr, "file: %s\n", error.text);
        return 2;
    }
    if (cdt_reactor_new(NULL, &reactor) < 0 || cdt_context_new(reactor, NULL, &context) < 0)
        return 1;
    if (cdt_serve_endp(context, endp, &options, &handler, &server) == 0)
        cdt_reactor_run(reactor);
    else
        fprintf(stderr, "file: %s\n", cdt_context_error(context));
    cdt_endp_free(endp);
    cdt_reactor_free(reactor);
    cdt_context_free(context);
    return 1; /* it ends only where it cannot serve */
}
