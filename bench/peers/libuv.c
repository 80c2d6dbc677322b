/* The small server over libuv, with uv_try_write: a write request only for what that leaves. */
#include "bench/peers/libuv.h"

struct rest_request {
    uv_write_t request;
    char data[];
};

static void on_written(uv_write_t *request, int status)
{
    uv_stream_t *stream = request->handle;
    free(request->data);
    if (status < 0 || peer.close_after_echo)
        leave(stream);
    else
        uv_read_start(stream, on_alloc, on_read);
}

static void write_rest(uv_stream_t *stream, const char *data, size_t length)
{
    struct rest_request *rest = malloc(sizeof *rest + length);
    if (!rest)
        peer_die("malloc");
    memcpy(rest->data, data, length);
    rest->request.data = rest;
    const uv_buf_t buf = uv_buf_init(rest->data, (unsigned)length);
    uv_read_stop(stream);
    if (uv_write(&rest->request, stream, &buf, 1, on_written) < 0) {
        free(rest);
        leave(stream);
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    if (got < 0)
        leave(stream);
    if (got <= 0 || peer.discard)
        return;
    const uv_buf_t echo = uv_buf_init(buf->base, (unsigned)got);
    int sent = uv_try_write(stream, &echo, 1);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent >= 0 && sent < got)
        write_rest(stream, buf->base + sent, (size_t)(got - sent));
    else if (sent < 0 || peer.close_after_echo)
        leave(stream);
}

int main(int argc, char **argv)
{
    return serve(argc, argv);
}
