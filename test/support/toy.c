/* A layer of a user's own, for tests. */
#include "test/support/toy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 3, PAYLOAD = 60000, GREEDY_PIECE = 10 };

static struct toy *toy_of(struct cdt_layer *layer)
{
    return cdt_layer_context(layer);
}

size_t toy_record(uint8_t *record, uint8_t type, uint8_t key, const void *data, size_t length)
{
    record[0] = type;
    record[1] = (uint8_t)(length >> 8);
    record[2] = (uint8_t)length;
    for (size_t i = 0; i < length; i++)
        record[HEADER + i] = ((const uint8_t *)data)[i] ^ key;
    return HEADER + length;
}

static int send_record(struct cdt_layer *layer, uint8_t type, const void *data, size_t length)
{
    uint8_t *record = malloc(HEADER + length);
    if (!record)
        return -ENOMEM;
    struct iovec part = {.iov_base = record,
                         .iov_len = toy_record(record, type, toy_of(layer)->key, data, length)};
    int result = cdt_layer_write(layer, &part, 1);
    free(record);
    return result;
}

/* Takes bytes of the record's header until it is complete: 1, or as cdt_layer_peek(). */
static ssize_t read_header(struct cdt_layer *layer, bool lazy)
{
    struct toy *toy = toy_of(layer);
    while (toy->header_length < HEADER) {
        const uint8_t *data;
        ssize_t n = cdt_layer_peek(layer, &data);
        if (n <= 0)
            return n;
        size_t want = HEADER - toy->header_length;
        if (want > (size_t)n)
            want = (size_t)n;
        memcpy(toy->header + toy->header_length, data, want);
        cdt_layer_consume(layer, want);
        toy->header_length += (unsigned)want;
        if (lazy && toy->header_length < HEADER)
            return -EAGAIN;
    }
    toy->left = (size_t)toy->header[1] << 8 | toy->header[2];
    return 1;
}

/* A piece of a record of `type`: its length, 0 at the end, or a negative code. */
static ssize_t read_piece(struct cdt_layer *layer, uint8_t type, uint8_t *out, size_t room,
                          bool lazy)
{
    struct toy *toy = toy_of(layer);
    const uint8_t *data;
    if (toy->ended)
        return 0;
    while (toy->left == 0) {
        toy->header_length = toy->header_length == HEADER ? 0 : toy->header_length;
        ssize_t n = read_header(layer, lazy);
        if (n == 0) {
            cdt_layer_error(layer, "the stream was cut off");
            return -EPROTO;
        }
        if (n < 0)
            return n;
        if (toy->header[0] == 'e') {
            toy->ended = true;
            return 0;
        }
        if (toy->header[0] != type)
            return -EPROTO;
        if (lazy)
            return -EAGAIN;
    }
    ssize_t n = cdt_layer_peek(layer, &data);
    if (n <= 0)
        return n ? n : -EPROTO;
    size_t length = (size_t)n < toy->left ? (size_t)n : toy->left;
    if (length > room)
        length = room;
    for (size_t i = 0; i < length; i++)
        out[i] = data[i] ^ toy->key;
    cdt_layer_consume(layer, length);
    toy->left -= length;
    return (ssize_t)length;
}

/* Messages '1' (client), '2' (server), '3' (client). */
static int shake(struct cdt_layer *layer, bool lazy)
{
    struct toy *toy = toy_of(layer);
    toy->handshakes++;
    for (;;) {
        uint8_t message, expected = toy->client ? '2' : toy->messages ? '3' : '1';
        ssize_t n = read_piece(layer, 'h', &message, 1, lazy);
        if (n == 0)
            return -EPROTO;
        if (n < 0)
            return (int)n;
        if (message != expected)
            return -EPROTO;
        if (toy->fail) {
            cdt_layer_error(layer, "the toy refuses");
            return toy->fail;
        }
        toy->messages++;
        if (expected == '3')
            return 0;
        int result = send_record(layer, 'h', toy->client ? "3" : "2", 1);
        if (result || toy->client)
            return result;
    }
}

static int toy_handshake(struct cdt_layer *layer)
{
    return shake(layer, false);
}

static int lazy_handshake(struct cdt_layer *layer)
{
    return shake(layer, true);
}

static int toy_start(struct cdt_layer *layer)
{
    struct toy *toy = toy_of(layer);
    toy->starts++;
    int result = toy->client ? send_record(layer, 'h', "1", 1) : 0;
    return result ? result : -EAGAIN;
}

static ssize_t toy_read(struct cdt_layer *layer, void *data, size_t length)
{
    toy_of(layer)->reads++;
    return read_piece(layer, 'd', data, length, false);
}

static ssize_t lazy_read(struct cdt_layer *layer, void *data, size_t length)
{
    toy_of(layer)->reads++;
    return read_piece(layer, 'd', data, length, true);
}

static ssize_t greedy_read(struct cdt_layer *layer, void *data, size_t length)
{
    struct toy *toy = toy_of(layer);
    uint8_t piece[4096];
    ssize_t n = -EAGAIN;
    toy->reads++;
    if (toy->kept_at == toy->kept_length) {
        toy->kept_at = toy->kept_length = 0;
        while ((n = read_piece(layer, 'd', piece, sizeof piece, false)) > 0) {
            uint8_t *larger = realloc(toy->kept, toy->kept_length + (size_t)n);
            if (!larger)
                return -ENOMEM;
            memcpy(larger + toy->kept_length, piece, (size_t)n);
            toy->kept = larger;
            toy->kept_length += (size_t)n;
        }
    }
    size_t left = toy->kept_length - toy->kept_at;
    if (left == 0)
        return n;
    if (length > GREEDY_PIECE)
        length = GREEDY_PIECE;
    if (length > left)
        length = left;
    memcpy(data, toy->kept + toy->kept_at, length);
    toy->kept_at += length;
    return (ssize_t)length;
}

static int toy_write(struct cdt_layer *layer, const struct iovec *parts, int count)
{
    struct toy *toy = toy_of(layer);
    size_t most = toy->record ? toy->record : PAYLOAD;
    toy->writes++;
    for (int i = 0; i < count; i++) {
        const uint8_t *at = parts[i].iov_base;
        for (size_t left = parts[i].iov_len; left;) {
            size_t length = left < most ? left : most;
            int result = send_record(layer, 'd', at, length);
            if (result)
                return result;
            at += length;
            left -= length;
        }
    }
    return 0;
}

static int toy_shutdown(struct cdt_layer *layer)
{
    toy_of(layer)->shutdowns++;
    return send_record(layer, 'e', "", 0);
}

static void toy_free(struct cdt_layer *layer)
{
    struct toy *toy = toy_of(layer);
    free(toy->kept);
    toy->kept = NULL;
    toy->freed++;
}

const struct cdt_layer_ops toy_ops = {
    .size = sizeof toy_ops,
    .name = "toy",
    .start = toy_start,
    .handshake = toy_handshake,
    .read = toy_read,
    .write = toy_write,
    .shutdown = toy_shutdown,
    .free = toy_free,
};

const struct cdt_layer_ops toy_lazy = {
    .size = sizeof toy_lazy,
    .name = "lazy",
    .start = toy_start,
    .handshake = lazy_handshake,
    .read = lazy_read,
    .write = toy_write,
    .shutdown = toy_shutdown,
    .free = toy_free,
};

const struct cdt_layer_ops toy_greedy = {
    .size = sizeof toy_greedy,
    .name = "greedy",
    .start = toy_start,
    .handshake = toy_handshake,
    .read = greedy_read,
    .write = toy_write,
    .shutdown = toy_shutdown,
    .free = toy_free,
};
