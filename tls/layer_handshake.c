/* The handshake of the layer. A server first looks at the ClientHello, and makes nothing before all
 * of it has come and there is a place for one handshake more. */
#include <errno.h>
#include <string.h>

#include "tls/config.h"
#include "tls/hello.h"
#include "tls/layer.h"

int layer_failed(struct cdt_layer *layer)
{
    const struct tls_connection *connection =
        &((struct tls_layer *)cdt_layer_context(layer))->connection;
    if (connection->why)
        cdt_layer_error(layer, connection->why);
    return connection->failed;
}

static int closed_early(struct cdt_layer *layer)
{
    cdt_layer_error(layer, "the peer closed during the handshake");
    return -ECONNRESET;
}

/* ---- the hello ------------------------------------------------------------------------------- */

/* It came in pieces: what there is is taken, and kept together. */
static int keep(struct cdt_layer *layer, const uint8_t *bytes, size_t length)
{
    struct tls_layer *tls = layer->context;
    uint8_t *memory = mem_realloc(tls->kept.memory, tls->kept.length + length);
    if (!memory)
        return -ENOMEM;
    memcpy(memory + tls->kept.length, bytes, length);
    tls->kept.memory = memory;
    tls->kept.length += length;
    cdt_layer_consume(layer, length);
    return 0;
}

/* What is no hello gets an alert if it looked like TLS: decode_error (RFC 8446 section 6.2). */
static int refuse(struct cdt_layer *layer, int status, uint8_t first)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 50};
    struct tls_connection *connection = &((struct tls_layer *)layer->context)->connection;
    const bool is_tls = first == 22;
    const struct iovec part = {.iov_base = (void *)alert, .iov_len = sizeof alert};
    if (is_tls)
        cdt_layer_write(layer, &part, 1);
    tls_fail(connection, -CDT_ETLS, "%s",
             status == -E2BIG ? "the peer's ClientHello is too long"
             : is_tls         ? "the peer's ClientHello is malformed"
                              : "the peer does not speak TLS");
    return layer_failed(layer);
}

/* Reads it from what has arrived: 0; -EAGAIN, and what there is is kept, or another code. What comes
 * behind it, while it waits for a place, stays below. */
static int read_hello(struct cdt_layer *layer, uint8_t scratch[HELLO_MAX], struct hello *hello)
{
    struct tls_layer *tls = layer->context;
    const uint8_t *bytes = NULL;
    ssize_t n = cdt_layer_peek(layer, &bytes);
    int status = n == 0 ? closed_early(layer) : n < 0 ? (int)n : 0;
    if (status && (status != -EAGAIN || !tls->kept.memory))
        return status;
    if (n > 0 && tls->kept.memory && !tls->kept.complete)
        status = keep(layer, bytes, (size_t)n);
    if (status && status != -EAGAIN)
        return status;
    if (tls->kept.memory) {
        bytes = tls->kept.memory;
        n = (ssize_t)tls->kept.length;
    }
    status = hello_read(bytes, (size_t)n, scratch, hello);
    tls->kept.complete = status == 0;
    if (status == -EAGAIN && !tls->kept.memory && keep(layer, bytes, (size_t)n) != 0)
        return -ENOMEM;
    return status && status != -EAGAIN ? refuse(layer, status, bytes[0]) : status;
}

static int accept_hello(struct cdt_layer *layer)
{
    struct tls_layer *tls = layer->context;
    uint8_t scratch[HELLO_MAX];
    struct hello hello;
    int status = read_hello(layer, scratch, &hello);
    if (status == 0)
        status = cdt_layer_claim(layer);
    if (status == 0 && tls_connection_accept(&tls->connection, &hello) != 0)
        status = layer_failed(layer);
    return status;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int succeeded(struct tls_layer *tls)
{
    struct tls_connection *connection = &tls->connection;
    struct tls_facts facts;
    connection->backend->facts(connection->engine, &facts);
    if (facts.alpn) {
        tls->alpn = mem_zalloc(facts.alpn_length + 1);
        if (!tls->alpn)
            return -ENOMEM;
        memcpy(tls->alpn, facts.alpn, facts.alpn_length);
    }
    tls->open = true;
    connection->config->counters.handshakes++;
    connection->config->counters.resumed += facts.resumed;
    return 0;
}

/* Runs the engine as far as it goes with what has arrived. The last that it says goes out together
 * with what the user says first: the peer's last message often comes with its first question. */
static int shake(struct cdt_layer *layer)
{
    struct tls_layer *tls = layer->context;
    struct tls_connection *connection = &tls->connection;
    struct layer_io io;
    int more = 0, status;
    layer_io_begin(&io, layer);
    do {
        status = connection->backend->handshake(connection->engine, &io.io);
        layer_io_taken(&io);
    } while (status == -EAGAIN && (more = layer_io_feed(&io)) > 0);
    const int sent = status ? layer_io_end(&io) : layer_io_hold(&io);
    if (status && status != -EAGAIN) {
        tls_fail(connection, status, NULL);
        return layer_failed(layer);
    }
    if (sent)
        return sent;
    if (status == 0)
        return succeeded(tls);
    return more ? more : closed_early(layer);
}

int layer_start(struct cdt_layer *layer)
{
    struct tls_layer *tls = layer->context;
    if (tls->connection.role == CDT_TLS_SERVER)
        return -EAGAIN; /* nothing before the hello */
    return tls_connection_connect(&tls->connection) ? layer_failed(layer) : shake(layer);
}

int layer_continue(struct cdt_layer *layer)
{
    const struct tls_layer *tls = layer->context;
    const int status = tls->connection.engine ? 0 : accept_hello(layer);
    return status ? status : shake(layer);
}
