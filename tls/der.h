/* Reading DER, element by element, inside given bytes (X.690 section 8.1): tags of one byte,
 * definite lengths. Lengths need not be in the shortest form. Hostile bytes; no recursion: who
 * reads knows the nesting. */
#ifndef TLS_DER_H
#define TLS_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_SEQUENCE = 0x30,
    DER_CONTEXT = 0x80, /* [0], primitive */
    DER_CONSTRUCTED = 0x20
};

/* What is left to read. */
struct der {
    const uint8_t *at, *end;
};

/* Takes the next element: its tag and its contents. False, and nothing taken: there is none, or it
 * is malformed. */
bool der_next(struct der *from, uint8_t *tag, struct der *contents);
/* The same if it is of this tag. `contents` may be NULL. */
bool der_take(struct der *from, uint8_t tag, struct der *contents);
/* The only element of `from`: goes into it. */
bool der_enter(struct der *from, uint8_t tag);

static inline size_t der_left(const struct der *der)
{
    return (size_t)(der->end - der->at);
}

#endif
