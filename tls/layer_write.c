/* Writing: bytes become records. What is written at once goes out at once, in as few records as
 * possible; but at the beginning of a large answer records are small enough for a packet each, so
 * that the peer can use the first bytes before many more have come. */
#include <errno.h>
#include <string.h>

#include "tls/layer.h"

enum {
    SMALL_RECORD = 1400,    /* with its 22 bytes more, a packet even over IPv6 */
    BURST = 40 * 1024,      /* sent in small records, then full ones */
    RECORDS_A_KEY = 1 << 23 /* AES-GCM is good for 2^24.5 (RFC 8446 section 5.5) */
};

/* Plain bytes of a record. Small writes need not ask for the time. */
static size_t record_size(struct cdt_layer *layer, size_t length)
{
    struct tls_layer *tls = layer->context;
    if (length <= SMALL_RECORD)
        return TLS_RECORD;
    const uint64_t now = cdt_reactor_now(layer->flow->config->hub->reactor);
    if (now - tls->last_write > CDT_SECOND)
        tls->burst = 0;
    tls->last_write = now;
    if (tls->burst >= BURST)
        return TLS_RECORD;
    tls->burst += (uint32_t)(length < BURST ? length : BURST);
    return SMALL_RECORD;
}

static int write_record(struct tls_layer *tls, struct layer_io *io, const uint8_t *data,
                        size_t length)
{
    const struct tls_connection *connection = &tls->connection;
    if (++tls->records == RECORDS_A_KEY) {
        tls->records = 0;
        const int status = connection->backend->update_key(connection->engine, &io->io);
        if (status && status != -ENOTSUP)
            return status;
    }
    return connection->backend->write(connection->engine, &io->io, data, length);
}

static int write_one(struct tls_layer *tls, struct layer_io *io, const struct iovec *part,
                     size_t record)
{
    const uint8_t *data = part->iov_base;
    size_t left = part->iov_len;
    int status = 0;
    while (left && status == 0) {
        const size_t length = left < record ? left : record;
        status = write_record(tls, io, data, length);
        data += length;
        left -= length;
    }
    return status;
}

/* Many parts: copied together into records. */
static int write_many(struct tls_layer *tls, struct layer_io *io, const struct iovec *parts,
                      int count, size_t record)
{
    uint8_t *buffer = layer_gather_take(io);
    size_t used = 0;
    int status = buffer ? 0 : -ENOMEM;
    for (int i = 0; i < count && status == 0; i++) {
        const uint8_t *data = parts[i].iov_base;
        size_t left = parts[i].iov_len;
        while (left && status == 0) {
            const size_t room = record - used, length = left < room ? left : room;
            memcpy(buffer + used, data, length);
            used += length;
            data += length;
            left -= length;
            if (used == record) {
                status = write_record(tls, io, buffer, used);
                used = 0;
            }
        }
    }
    if (used && status == 0)
        status = write_record(tls, io, buffer, used);
    if (buffer)
        layer_gather_put(io, buffer);
    return status;
}

int layer_write(struct cdt_layer *layer, const struct iovec *parts, int count)
{
    struct tls_layer *tls = layer->context;
    struct layer_io io;
    if (tls->connection.failed)
        return tls->connection.failed;
    layer_io_begin(&io, layer);
    const size_t record = record_size(layer, flow_parts_length(parts, count));
    const int status = count == 1 ? write_one(tls, &io, parts, record)
                                  : write_many(tls, &io, parts, count, record);
    const int sent = layer_io_end(&io);
    return status ? status : sent;
}
