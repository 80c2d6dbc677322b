/* TLS as a layer: what comes from below is given to the engine, and what that makes of it to the
 * user; the end of the stream; beginning and freeing. */
#include <errno.h>

#include "tls/config.h"
#include "tls/layer.h"

/* ---- reading --------------------------------------------------------------------------------- */

/* The stream below is over without close_notify: nobody minds who has closed already. */
static int truncated(const struct cdt_layer *layer)
{
    if (cdt_flow_state(layer->flow) == CDT_CLOSING)
        return 0;
    return -CDT_ETLSTRUNC;
}

enum {
    A_LOOK = FLOW_READ_SIZE, /* bytes from below that one read takes: then others have their turn */
    USELESS = 256 * 1024 /* from below, all of them without data: no honest peer sends so many */
};

/* Fills `data` as far as what has arrived goes: how many bytes; `end` says why there are no more. */
static size_t pull(struct layer_io *io, uint8_t *data, size_t length, int *end)
{
    struct tls_layer *tls = io->tls;
    const struct tls_connection *connection = &tls->connection;
    size_t got = 0;
    *end = 1;
    while (got < length) {
        if (tls->hungry && io->taken >= A_LOOK) {
            *end = -EAGAIN;
            break;
        }
        if (tls->hungry && (*end = layer_io_feed(io)) <= 0)
            break;
        const ssize_t n =
            connection->backend->read(connection->engine, &io->io, data + got, length - got);
        layer_io_taken(io);
        if (n > 0) {
            got += (size_t)n;
            tls->hungry = got < length && io->io.in_length == 0;
            continue;
        }
        tls->hungry = true;
        if (n == -EAGAIN)
            continue;
        tls->peer_closed = n == 0;
        *end = (int)n;
        break;
    }
    return got;
}

/* A peer that sends no data but has us work (empty records, new keys), or answer without taking the
 * answers, is not put up with for long. */
static void check_peer(struct layer_io *io, size_t got)
{
    struct tls_layer *tls = io->tls;
    const struct cdt_flow *flow = io->layer->flow;
    const size_t hard = flow_options(flow)->hard_limit; /* of bytes that records make more */
    tls->useless = got ? 0 : tls->useless + (uint32_t)io->taken;
    if (tls->useless > USELESS)
        tls_fail(&tls->connection, -CDT_ETLS, "the peer sends nothing but records without data");
    else if (io->answered && flow->queued > hard + hard / 16 + FLOW_READ_SIZE)
        tls_fail(&tls->connection, -CDT_ETLS, "the peer asks for answers and does not take them");
}

static ssize_t layer_read(struct cdt_layer *layer, void *data, size_t length)
{
    struct tls_layer *tls = layer->context;
    struct layer_io io;
    int end;
    if (tls->connection.failed)
        return layer_failed(layer);
    if (tls->peer_closed)
        return 0;
    layer_io_begin(&io, layer);
    if (tls->hungry && (end = layer_io_feed(&io)) <= 0)
        return end ? end : truncated(layer);
    const size_t got = pull(&io, data, length, &end);
    const int status = layer_io_end(&io);
    check_peer(&io, got);
    layer->drained = end == -EAGAIN && status == 0 && io.taken < A_LOOK && !tls->connection.failed;
    if (got)
        return (ssize_t)got; /* what ends the stream is told the next time */
    if (tls->connection.failed)
        return layer_failed(layer);
    if (tls->peer_closed)
        return 0;
    if (status)
        return status;
    return end ? end : truncated(layer);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static int layer_shutdown(struct cdt_layer *layer)
{
    struct tls_layer *tls = layer->context;
    const struct tls_connection *connection = &tls->connection;
    struct layer_io io;
    if (connection->failed)
        return 0;
    layer_io_begin(&io, layer);
    const int status = connection->backend->shutdown(connection->engine, &io.io);
    const int sent = layer_io_end(&io);
    return status ? status : sent;
}

void tls_layer_free(struct tls_layer *tls)
{
    layer_io_drop(tls);
    tls_connection_fini(&tls->connection);
    mem_free(tls->kept.memory);
    mem_free(tls->alpn);
    mem_free(tls);
}

static void layer_free(struct cdt_layer *layer)
{
    struct tls_layer *tls = layer->context;
    tls->connection.config->counters.failed += !tls->open;
    tls_layer_free(tls);
}

const struct cdt_layer_ops tls_layer_ops = {
    .size = sizeof tls_layer_ops,
    .name = "tls",
    .start = layer_start,
    .handshake = layer_continue,
    .read = layer_read,
    .write = layer_write,
    .shutdown = layer_shutdown,
    .free = layer_free,
};

/* ---- beginning ------------------------------------------------------------------------------- */

int tls_layer_new(struct cdt_flow *flow, struct cdt_tls_config *config, const char *name,
                  struct tls_layer **result)
{
    if (!config || config->reactor != cdt_flow_reactor(flow) ||
        (name && config->options.role == CDT_TLS_SERVER))
        return -EINVAL;
    struct layer_hub *hub = layer_hub(cdt_flow_reactor(flow));
    struct tls_layer *tls = hub ? mem_zalloc(sizeof *tls) : NULL;
    if (!tls)
        return -ENOMEM;
    tls->hub = hub;
    tls->hungry = true;
    const int status = tls_connection_init(&tls->connection, config, name);
    if (status) {
        mem_free(tls);
        return status;
    }
    tls->connection.flow = flow;
    *result = tls;
    return 0;
}

int cdt_tls_start(struct cdt_flow *flow, struct cdt_tls_config *config, const char *name)
{
    struct tls_layer *tls;
    if (!flow_usable(flow))
        return -EINVAL;
    int status = tls_layer_new(flow, config, name, &tls);
    if (status)
        return status;
    status = cdt_flow_push(flow, &tls_layer_ops, tls);
    if (status)
        tls_layer_free(tls);
    return status;
}
