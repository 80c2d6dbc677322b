/* The ring: bytes into and out of memory that a peer can change at any time, and who has to be
 * told.
 *
 * MEMORY ORDER. Each index, live byte and notify byte has an order of its own only towards what it
 * guards:
 *
 *   data   Bytes are copied before the index that hands them over is stored, which is a release;
 *          the index is loaded, an acquire, before they are touched. So who sees prod sees the
 *          bytes, and who sees cons may overwrite them.
 *   end    Our bytes are handed over before our live byte is cleared (release). A peer that sees it
 *          cleared (acquire), and then looks at the ring once more, has seen all that will come.
 *   bell   One side stores an index, then loads the notify byte; the other sets its bit in the
 *          notify byte, then loads the index. All four are sequentially consistent, so there is one
 *          order of them: if the second load misses the new index it comes before that store, the
 *          bit was set before that, and the first load finds it. Not both can miss what the other
 *          has done.
 *
 * A bit is looked at before it is taken away: only who sets it can have changed it meanwhile, to
 * the same. Peers that use full barriers instead (libxenvchan) give the same order.
 *
 * LATE BELLS. Who waits for room waits for a full ring. It is told when half of it is free, not at
 * the first byte: the consumer looks at its bit only then. That can leave nobody asleep for ever,
 * because a ring that is not half free has bytes, and who reads them looks at the bit again. */
#include <errno.h>
#include <string.h>

#include "vchan/ring.h"

/* ---- layout ---------------------------------------------------------------------------------- */

static unsigned page_order(size_t size)
{
    unsigned order = VCHAN_ORDER_HALF + 1;
    while ((size_t)1 << order < size)
        order++;
    return order;
}

/* As libxenvchan chooses: with one ring in pages of its own the other one has the second half of
 * the page, so that the list of grants has the first. */
int vchan_orders(size_t left_size, size_t right_size, unsigned *left_order, unsigned *right_order)
{
    const size_t small = 1 << VCHAN_ORDER_MIN, large = 1 << VCHAN_ORDER_HALF,
                 most = 1 << VCHAN_ORDER_MAX;
    if (left_size > most || right_size > most)
        return -EINVAL;
    *left_order = page_order(left_size);
    *right_order = page_order(right_size);
    if (left_size <= small && right_size <= large) {
        *left_order = VCHAN_ORDER_MIN;
        *right_order = VCHAN_ORDER_HALF;
    } else if (left_size <= large && right_size <= small) {
        *left_order = VCHAN_ORDER_HALF;
        *right_order = VCHAN_ORDER_MIN;
    } else if (left_size <= large) {
        *left_order = VCHAN_ORDER_HALF;
    } else if (right_size <= large) {
        *right_order = VCHAN_ORDER_HALF;
    }
    return 0;
}

static bool in_page(unsigned order)
{
    return order <= VCHAN_ORDER_HALF;
}

static size_t grants_of(unsigned order)
{
    return in_page(order) ? 0 : ((size_t)1 << order) / VCHAN_PAGE;
}

bool vchan_orders_valid(unsigned left_order, unsigned right_order)
{
    if (left_order < VCHAN_ORDER_MIN || left_order > VCHAN_ORDER_MAX ||
        right_order < VCHAN_ORDER_MIN || right_order > VCHAN_ORDER_MAX)
        return false;
    if (in_page(left_order) && left_order == right_order)
        return false;
    /* The grants end before a ring that lies in the page: one of 1 KiB leaves no room for 256. */
    size_t end = sizeof(struct vchan_page) +
                 sizeof(uint32_t) * (grants_of(left_order) + grants_of(right_order));
    unsigned least = left_order < right_order ? left_order : right_order;
    return !in_page(least) || end <= (size_t)1 << least;
}

void vchan_page_init(struct vchan_page *page, unsigned left_order, unsigned right_order)
{
    memset((void *)page, 0, VCHAN_PAGE);
    page->left_order = (uint16_t)left_order;
    page->right_order = (uint16_t)right_order;
    atomic_init(&page->srv_live, VCHAN_CONNECTED);
    atomic_init(&page->cli_live, VCHAN_AWAITS);
    atomic_init(&page->cli_notify, VCHAN_TELL_WRITTEN);
    atomic_init(&page->srv_notify, VCHAN_TELL_WRITTEN);
}

static struct vchan_half half(struct vchan_page *page, struct vchan_indexes *shared, uint8_t *bytes,
                              unsigned order)
{
    const uint32_t size = (uint32_t)1 << order;
    if (in_page(order))
        bytes = (uint8_t *)page + size; /* at the offset of its size */
    return (struct vchan_half){.shared = shared, .bytes = bytes, .size = size};
}

/* Takes over our own index, and looks at the other one. */
static bool begin(struct vchan_half *at, bool reads)
{
    const uint32_t cons = atomic_load(&at->shared->cons), prod = atomic_load(&at->shared->prod);
    at->mine = reads ? cons : prod;
    return at->bytes && prod - cons <= at->size;
}

int vchan_ring_init(struct vchan_ring *ring, const struct vchan_layout *layout, bool server)
{
    struct vchan_page *page = layout->page;
    if (!vchan_orders_valid(layout->left_order, layout->right_order))
        return -EPROTO;
    const struct vchan_half left = half(page, &page->left, layout->left, layout->left_order),
                            right = half(page, &page->right, layout->right, layout->right_order);
    *ring = (struct vchan_ring){
        .in = server ? left : right,
        .out = server ? right : left,
        .my_live = server ? &page->srv_live : &page->cli_live,
        .peer_live = server ? &page->cli_live : &page->srv_live,
        .my_wishes = server ? &page->cli_notify : &page->srv_notify,
        .peer_wishes = server ? &page->srv_notify : &page->cli_notify,
    };
    const unsigned live = vchan_ring_peer(ring);
    if (!begin(&ring->in, true) || !begin(&ring->out, false) ||
        live > (server ? VCHAN_AWAITS : VCHAN_CONNECTED))
        return -EPROTO;
    if (!server) {
        atomic_fetch_or(ring->my_wishes, VCHAN_TELL_WRITTEN);
        atomic_store(ring->my_live, VCHAN_CONNECTED);
    }
    return 0;
}

/* ---- who is told ----------------------------------------------------------------------------- */

/* We want to be told; whoever calls looks once more. */
static inline void wish(struct vchan_ring *ring, uint8_t bit)
{
    atomic_fetch_or(ring->my_wishes, bit);
    ring->sleeps++;
}

/* An index was stored: whether the peer waits for it. */
static inline void tell(struct vchan_ring *ring, uint8_t bit)
{
    if (!(atomic_load(ring->peer_wishes) & bit))
        return;
    atomic_fetch_and(ring->peer_wishes, (uint8_t)~bit);
    ring->bell = true;
}

void vchan_ring_close(struct vchan_ring *ring)
{
    atomic_store(ring->my_live, VCHAN_CLOSED);
    ring->bell = true;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static inline uint32_t readable(const struct vchan_half *in)
{
    return atomic_load(&in->shared->prod) - in->mine;
}

/* What the peer has not yet consumed. */
static inline uint32_t occupied(const struct vchan_half *out)
{
    return out->mine - atomic_load(&out->shared->cons);
}

size_t vchan_ring_unread(const struct vchan_ring *ring)
{
    const uint32_t bytes = occupied(&ring->out);
    return bytes > ring->out.size ? 0 : bytes;
}

/* Where the next byte of this half is, and how many of `length` lie there before its end. */
static inline uint8_t *first_part(const struct vchan_half *at, size_t length, size_t *first)
{
    const uint32_t offset = at->mine & (at->size - 1);
    *first = at->size - offset;
    if (*first > length)
        *first = length;
    return at->bytes + offset;
}

ssize_t vchan_ring_read(struct vchan_ring *ring, void *data, size_t length, bool sleep)
{
    struct vchan_half *in = &ring->in;
    uint32_t bytes = readable(in);
    if (bytes < length && sleep) {
        wish(ring, VCHAN_TELL_WRITTEN);
        bytes = readable(in);
    }
    if (bytes > in->size)
        return -EPROTO;
    if (length > bytes)
        length = bytes;
    if (length == 0)
        return 0;

    size_t first;
    const uint8_t *from = first_part(in, length, &first);
    memcpy(data, from, first);
    if (length > first)
        memcpy((uint8_t *)data + first, in->bytes, length - first);
    in->mine += (uint32_t)length;
    atomic_store(&in->shared->cons, in->mine);
    if (bytes - length <= in->size / 2)
        tell(ring, VCHAN_TELL_CONSUMED);
    return (ssize_t)length;
}

ssize_t vchan_ring_write(struct vchan_ring *ring, const void *data, size_t length, bool sleep)
{
    struct vchan_half *out = &ring->out;
    uint32_t bytes = occupied(out);
    if (bytes > out->size)
        return -EPROTO;
    if (out->size - bytes < length && sleep) {
        wish(ring, VCHAN_TELL_CONSUMED);
        bytes = occupied(out);
        if (bytes > out->size)
            return -EPROTO;
    }
    if (length > out->size - bytes)
        length = out->size - bytes;
    if (length == 0)
        return 0;

    size_t first;
    uint8_t *to = first_part(out, length, &first);
    memcpy(to, data, first);
    if (length > first)
        memcpy(out->bytes, (const uint8_t *)data + first, length - first);
    out->mine += (uint32_t)length;
    atomic_store(&out->shared->prod, out->mine);
    tell(ring, VCHAN_TELL_WRITTEN);
    return (ssize_t)length;
}
