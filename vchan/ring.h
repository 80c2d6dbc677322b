/* The ring of a vchan: a page that two domains share, with two rings of bytes, as
 * xen/io/libxenvchan.h lays it out. left is client to server, right is server to client.
 *
 * HOSTILE MEMORY. The peer can write all of it at any time. So: an index of our own is kept here and
 * only ever stored to the page; each index, live byte and notify bit of the peer is loaded once, into a
 * local, and checked before it is used; orders are taken when the ring is made. Whatever the peer does,
 * we read and write only inside our two buffers.
 *
 * WHO WAKES WHOM. A side that finds nothing to read (or no room) sets its bit in the notify byte, and
 * looks once more; only then may it sleep. A side that has written (or consumed) takes the peer's bit
 * away and, if it was set, rings the bell. Between storing one and looking at the other there is a full
 * barrier on both sides: one of them sees what the other did (Dekker). test/model has the proof. */
#ifndef VCHAN_RING_H
#define VCHAN_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    VCHAN_PAGE = 4096,
    VCHAN_ORDER_MIN = 10,  /* 1 KiB at offset 1024 of the page */
    VCHAN_ORDER_HALF = 11, /* 2 KiB at offset 2048 of the page */
    VCHAN_ORDER_MAX = 20   /* from 12 on: pages of their own */
};

/* What a live byte says, and the bits of a notify byte. */
enum { VCHAN_CLOSED, VCHAN_CONNECTED, VCHAN_AWAITS };
enum { VCHAN_TELL_WRITTEN = 1, VCHAN_TELL_CONSUMED = 2 };

struct vchan_indexes {
    _Atomic uint32_t cons, prod;
};

/* The page on the wire. */
struct vchan_page {
    struct vchan_indexes left, right;
    uint16_t left_order, right_order;
    _Atomic uint8_t cli_live, srv_live;
    _Atomic uint8_t cli_notify, srv_notify; /* what the client, the server shall tell */
    uint32_t grants[];
};

/* One direction as we see it. */
struct vchan_half {
    struct vchan_indexes *shared;
    uint8_t *bytes;
    uint32_t size; /* a power of two */
    uint32_t mine; /* our own index: what we have consumed, or produced */
};

struct vchan_ring {
    struct vchan_half in, out;
    _Atomic uint8_t *my_live, *peer_live;
    _Atomic uint8_t *my_wishes;   /* what the peer shall tell us: we set bits */
    _Atomic uint8_t *peer_wishes; /* what we shall tell: we take bits away */
    uint64_t sleeps;              /* times that a wish was set */
    bool bell; /* the peer is to be told: whoever called rings, and clears this */
};

/* What lies where. `left`, `right`: the bytes, or NULL for an order that lies in the page. The orders
 * are the caller's, checked: not read from the page. */
struct vchan_layout {
    struct vchan_page *page;
    uint8_t *left, *right;
    unsigned left_order, right_order;
};

/* The smallest orders for rings of at least so many bytes, that fit together; -EINVAL above 1 MiB. At
 * most one ring of each in-page order has room in the page. */
int vchan_orders(size_t left_size, size_t right_size, unsigned *left_order, unsigned *right_order);

/* Whether a pair of orders, from outside, can be: each in its range, and not both in the same place. */
bool vchan_orders_valid(unsigned left_order, unsigned right_order);

/* Writes a fresh page, as the server: indices 0, the server live, a client awaited, each side wants to
 * be told of writing. */
void vchan_page_init(struct vchan_page *page, unsigned left_order, unsigned right_order);

/* Our view of a page that is there. A client that attaches marks itself live. -EPROTO: it is not a page
 * that can be used (indices, live bytes). */
int vchan_ring_init(struct vchan_ring *ring, const struct vchan_layout *layout, bool server);

/* Moves bytes: how many; 0: nothing now, and the wish to be told is set (looked at again after that);
 * -EPROTO: the indices cannot be. A count below `length` means as much: the wish is set. `ring->bell`
 * becomes true if the peer waits for what was done.
 * `sleep` false: never sets a wish, for those who will look again by themselves. */
ssize_t vchan_ring_read(struct vchan_ring *ring, void *data, size_t length, bool sleep);
ssize_t vchan_ring_write(struct vchan_ring *ring, const void *data, size_t length, bool sleep);

/* Bytes that the peer has not consumed; those of a ring that cannot be count as none. */
size_t vchan_ring_unread(const struct vchan_ring *ring);

/* The peer's live byte, read once. */
static inline unsigned vchan_ring_peer(const struct vchan_ring *ring)
{
    return atomic_load_explicit(ring->peer_live, memory_order_acquire);
}

/* Marks our side closed: the peer is to be told by the bell, whatever it wished. */
void vchan_ring_close(struct vchan_ring *ring);

#endif
