/* TLS as a layer of a flow. */
#ifndef TLS_LAYER_H
#define TLS_LAYER_H

#include "flows/internal.h"
#include "tls/connection.h"

struct tls_layer {
    struct tls_connection connection;
    struct layer_hub *hub; /* what the reactor keeps for all */
    struct {
        uint8_t *memory; /* of a hello that came in pieces; NULL: nothing is kept */
        size_t at, length;
        bool complete; /* nothing is to be added */
    } kept;
    char *alpn;          /* the protocol that was agreed on; NULL: none */
    uint64_t last_write; /* when the last large write was */
    uint32_t burst;      /* bytes of large writes since the last pause, about; see layer_write.c */
    uint32_t records;    /* sent with the present key */
    uint32_t useless;    /* bytes from below since the last that were data */
    bool open;           /* the handshake is over */
    bool hungry;         /* the engine has nothing to give until more arrives */
    bool peer_closed;    /* close_notify has come */
    bool holds;          /* something, see layer_io_hold() */
};

extern const struct cdt_layer_ops tls_layer_ops;

/* The TLS of a layer; NULL: it is another kind of layer. */
static inline struct tls_layer *tls_layer_of(const struct cdt_layer *layer)
{
    return layer->ops == &tls_layer_ops ? layer->context : NULL;
}

/* The context of a layer that begins TLS, for cdt_flow_push() or layer_insert(); as
 * cdt_tls_start(). */
int tls_layer_new(struct cdt_flow *flow, struct cdt_tls_config *config, const char *name,
                  struct tls_layer **layer);
void tls_layer_free(struct tls_layer *layer);

/* ---- layer_io.c: an engine's bytes ----------------------------------------------------------- */

/* What an engine works with during one call of the layer. */
struct layer_io {
    struct tls_io io;
    struct cdt_layer *layer;
    struct tls_layer *tls;
    const uint8_t *shown; /* where `in` began */
    size_t taken;         /* bytes from below, in all */
    bool from_kept;
    bool answered; /* something was sent */
};

/* What the reactor keeps for all of its TLS; NULL without memory. */
struct layer_hub *layer_hub(struct cdt_reactor *reactor);
/* With nothing shown, and a buffer for output that is borrowed when it is needed. */
void layer_io_begin(struct layer_io *io, struct cdt_layer *layer);
/* Shows the engine what has arrived, if it was shown nothing or has taken all: 1; 0 at the end of
 * the stream below; -EAGAIN; or a negative code. */
int layer_io_feed(struct layer_io *io);
/* What the engine took is taken. */
void layer_io_taken(struct layer_io *io);
/* Sends what is left and gives the buffer back: 0 or a negative code. */
int layer_io_end(struct layer_io *io);
/* The same, but what is left goes out with what this layer sends next: before another one begins to
 * work, and before the turn is over. */
int layer_io_hold(struct layer_io *io);
/* What the layer holds is not sent any more. */
void layer_io_drop(struct tls_layer *tls);
/* A buffer of TLS_RECORD bytes for gathering, to be given back; NULL without memory. */
uint8_t *layer_gather_take(struct layer_io *io);
void layer_gather_put(struct layer_io *io, uint8_t *buffer);

/* ---- layer_write.c --------------------------------------------------------------------------- */

int layer_write(struct cdt_layer *layer, const struct iovec *parts, int count);

/* ---- layer_handshake.c ----------------------------------------------------------------------- */

int layer_start(struct cdt_layer *layer);
int layer_continue(struct cdt_layer *layer);
/* The failure of the connection, told to the flow. Returns its code. */
int layer_failed(struct cdt_layer *layer);

#endif
