/* Reading DER: the header of one element, and what is inside. Every length is compared with what is
 * left before it is used. */
#include "tls/der.h"

enum { TAG_LONG = 0x1f, LENGTH_LONG = 0x80, LENGTH_RESERVED = 0xff };

static bool take_length(struct der *from, size_t *length)
{
    if (from->at == from->end)
        return false;
    const uint8_t first = *from->at++;
    *length = first;
    if (first < LENGTH_LONG)
        return true;
    if (first == LENGTH_LONG || first == LENGTH_RESERVED) /* indefinite; X.690 section 8.1.3.5 c */
        return false;
    const size_t count = first & ~(size_t)LENGTH_LONG;
    if (count > der_left(from))
        return false;
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        if (*length > SIZE_MAX >> 8)
            return false;
        *length = *length << 8 | *from->at++;
    }
    return true;
}

bool der_next(struct der *from, uint8_t *tag, struct der *contents)
{
    struct der rest = *from;
    size_t length;
    if (rest.at == rest.end)
        return false;
    *tag = *rest.at++;
    if ((*tag & TAG_LONG) == TAG_LONG || !take_length(&rest, &length) || length > der_left(&rest))
        return false;
    *contents = (struct der){rest.at, rest.at + length};
    from->at = contents->end;
    return true;
}

bool der_take(struct der *from, uint8_t tag, struct der *contents)
{
    struct der rest = *from, inside;
    uint8_t found;
    if (!der_next(&rest, &found, &inside) || found != tag)
        return false;
    *from = rest;
    if (contents)
        *contents = inside;
    return true;
}

bool der_enter(struct der *from, uint8_t tag)
{
    struct der inside;
    if (!der_take(from, tag, &inside) || der_left(from) > 0)
        return false;
    *from = inside;
    return true;
}
