/* The small server over libuv, with a write request, which holds a copy, for everything that is sent;
 * reading stops while too much waits to be sent. */
#include "bench/peers/libuv.h"

struct echo {
    uv_write_t request;
    char data[];
};

static void on_written(uv_write_t *request, int status)
{
    uv_stream_t *stream = request->handle;
    free(request->data);
    if (status < 0 || peer.close_after_echo)
        leave(stream);
    else if (!uv_is_active((uv_handle_t *)stream) && uv_stream_get_write_queue_size(stream) == 0)
        uv_read_start(stream, on_alloc, on_read);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    if (got < 0)
        leave(stream);
    if (got <= 0 || peer.discard)
        return;
    struct echo *echo = malloc(sizeof *echo + (size_t)got);
    if (!echo)
        peer_die("malloc");
    memcpy(echo->data, buf->base, (size_t)got);
    echo->request.data = echo;
    const uv_buf_t data = uv_buf_init(echo->data, (unsigned)got);
    if (uv_write(&echo->request, stream, &data, 1, on_written) < 0) {
        free(echo);
        leave(stream);
    } else if (uv_stream_get_write_queue_size(stream) > PEER_HIGH_WATER) {
        uv_read_stop(stream);
    }
}

int main(int argc, char **argv)
{
    return serve(argc, argv);
}
