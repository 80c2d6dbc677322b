/* A layer of one's own: both sides first send a greeting, then every letter moves on by 13 places.
 * Here it lies over two flows that are joined in memory; it would do the same over TCP. */
#include <conduit/conduit.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the layer ------------------------------------------------------------------------------- */

static const char greeting[] = "ROT13\n";
enum { GREETING = sizeof greeting - 1 };

static uint8_t rot13(uint8_t c)
{
    const uint8_t a = c & 0x20 ? 'a' : 'A';
    if (c < a || c >= a + 26)
        return c;
    return (uint8_t)((c - a + 13) % 26 + a);
}

/* Our greeting goes out; the handshake goes on when the peer's comes. */
static int rot_start(struct cdt_layer *layer)
{
    const struct iovec part = {.iov_base = (void *)greeting, .iov_len = GREETING};
    const int result = cdt_layer_write(layer, &part, 1);
    return result < 0 ? result : -EAGAIN;
}

static int rot_handshake(struct cdt_layer *layer)
{
    unsigned *seen = cdt_layer_context(layer); /* bytes of the peer's greeting */
    const uint8_t *data;

    while (*seen < GREETING) {
        const ssize_t n = cdt_layer_peek(layer, &data);
        if (n == 0)
            return -ECONNRESET;
        if (n < 0) /* -EAGAIN: called again when there is more */
            return (int)n;
        if (*data != (uint8_t)greeting[*seen]) {
            cdt_layer_error(layer, "the peer does not speak ROT13");
            return -EPROTO;
        }
        cdt_layer_consume(layer, 1);
        ++*seen;
    }
    return 0;
}

static ssize_t rot_read(struct cdt_layer *layer, void *data, size_t length)
{
    const uint8_t *from;
    const ssize_t n = cdt_layer_peek(layer, &from);
    if (n <= 0) /* nothing now, the end, or an error: the same for those above */
        return n;
    if (length > (size_t)n)
        length = (size_t)n;
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)data)[i] = rot13(from[i]);
    cdt_layer_consume(layer, length);
    return (ssize_t)length;
}

/* What cdt_layer_write() is given it sends or copies: the buffer may be used again at once. */
static int rot_write(struct cdt_layer *layer, const struct iovec *parts, int count)
{
    uint8_t buffer[4096];
    int result = 0;

    for (int i = 0; i < count; i++) {
        const uint8_t *from = parts[i].iov_base;
        for (size_t left = parts[i].iov_len; left && result == 0;) {
            const size_t n = left < sizeof buffer ? left : sizeof buffer;
            const struct iovec part = {.iov_base = buffer, .iov_len = n};
            for (size_t j = 0; j < n; j++)
                buffer[j] = rot13(from[j]);
            result = cdt_layer_write(layer, &part, 1);
            from += n;
            left -= n;
        }
    }
    return result;
}

static void rot_free(struct cdt_layer *layer)
{
    *(unsigned *)cdt_layer_context(layer) = 0; /* memory of its own would be freed here */
}

static const struct cdt_layer_ops rot_ops = {
    .size = sizeof rot_ops,
    .name = "rot13",
    .start = rot_start,
    .handshake = rot_handshake,
    .read = rot_read,
    .write = rot_write,
    .free = rot_free,
};

/* ---- two flows that use it ------------------------------------------------------------------- */

static void on_open(struct cdt_flow *flow)
{
    static const char text[] = "Hello from below the surface";
    cdt_flow_write(flow, text, sizeof text - 1);
    cdt_flow_close(flow);
}

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    (void)flow;
    printf("read: %.*s\n", (int)length, (const char *)data);
}

static void on_close(struct cdt_flow *flow, int status)
{
    printf("closed: %s\n", status ? cdt_flow_error(flow) : "in order");
    cdt_reactor_stop(cdt_flow_reactor(flow));
}

static const struct cdt_handler talker = {.size = sizeof talker, .on_open = on_open};
static const struct cdt_handler listener = {
    .size = sizeof listener, .on_read = on_read, .on_close = on_close};

int main(void)
{
    unsigned seen[2] = {0, 0};
    struct cdt_reactor *reactor;
    struct cdt_flow *a, *b;

    if (cdt_reactor_new(NULL, &reactor) < 0 ||
        cdt_flow_pair(reactor, 0, NULL, &talker, &listener, &a, &b) < 0)
        return 1;
    if (cdt_flow_push(a, &rot_ops, &seen[0]) == 0 && cdt_flow_push(b, &rot_ops, &seen[1]) == 0)
        cdt_reactor_run(reactor);
    cdt_reactor_free(reactor);
    return 0;
}
