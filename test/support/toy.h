/* A layer of a user's own, for tests: records of a type, a length and bytes xored with a key; a
 * handshake of three messages; a record that ends the stream. */
#ifndef TEST_SUPPORT_TOY_H
#define TEST_SUPPORT_TOY_H

#include <conduit/carrier.h>

struct toy {
    bool client; /* it speaks first */
    uint8_t key;
    int fail;      /* the code with which the handshake ends at the first message; 0: it succeeds */
    size_t record; /* payload of a record at most; 0: 60000 */
    /* what happened */
    int starts, handshakes, reads, writes, shutdowns, freed;
    /* private */
    int messages;
    uint8_t header[3];
    unsigned header_length;
    size_t left; /* payload of the present record not yet read */
    bool ended;
    uint8_t *kept; /* toy_greedy: decoded and not yet given */
    size_t kept_length, kept_at;
};

/* The proper one; one that gives up after each look below, although there may be more; one that
 * takes all that is there at once and gives it in small pieces. */
extern const struct cdt_layer_ops toy_ops, toy_lazy, toy_greedy;

/* The record of `length` bytes, as the layer with this key sends it; at most 60003 bytes. Returns
 * its size. */
size_t toy_record(uint8_t *record, uint8_t type, uint8_t key, const void *data, size_t length);

#endif
