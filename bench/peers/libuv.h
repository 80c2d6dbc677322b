/* What the two servers over libuv share: streams are made, accepted and closed, and the loop runs. */
#ifndef BENCH_LIBUV_H
#define BENCH_LIBUV_H

#include <uv.h>

#include "bench/peers/peer.h"

static struct peer peer;

/* Of the including file: what a stream does with its bytes. */
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

static inline void must(int status, const char *what)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
    exit(1);
}

/* One buffer for all: on_read is done with it when it returns. */
static inline void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char buffer[PEER_BUFFER];
    (void)handle, (void)suggested;
    *buf = uv_buf_init(buffer, sizeof buffer);
}

static inline void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static inline void leave(uv_stream_t *stream)
{
    if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_closed);
}

static inline uv_stream_t *make_stream(uv_loop_t *loop)
{
    uv_handle_t *stream = malloc(peer.is_unix ? sizeof(uv_pipe_t) : sizeof(uv_tcp_t));
    if (!stream)
        peer_die("malloc");
    must(peer.is_unix ? uv_pipe_init(loop, (uv_pipe_t *)stream, 0)
                      : uv_tcp_init(loop, (uv_tcp_t *)stream),
         "uv_init");
    return (uv_stream_t *)stream;
}

static inline void on_connection(uv_stream_t *listener, int status)
{
    if (status < 0)
        return;
    uv_stream_t *stream = make_stream(listener->loop);
    must(uv_accept(listener, stream), "uv_accept");
    must(uv_read_start(stream, on_alloc, on_read), "uv_read_start");
}

static inline int serve(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    peer = peer_start(argc, argv);
    peer_refuse_tls(&peer);
    peer_refuse_source(&peer);
    uv_stream_t *listener = make_stream(loop);
    must(peer.is_unix ? uv_pipe_open((uv_pipe_t *)listener, peer.listener)
                      : uv_tcp_open((uv_tcp_t *)listener, peer.listener),
         "uv_open");
    must(uv_listen(listener, PEER_BACKLOG, on_connection), "uv_listen");
    return uv_run(loop, UV_RUN_DEFAULT);
}

#endif
