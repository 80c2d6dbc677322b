/* Structs of options that the caller fills, which begin with their size: copied by one rule. */
#include <stdint.h>
#include <string.h>

#include "reactor/internal.h"

bool options_copy(void *to, size_t size, const void *from)
{
    size_t given = 0;

    memset(to, 0, size);
    if (from)
        memcpy(&given, from, sizeof given);
    if (from && given < sizeof given)
        return false;
    for (size_t i = size; i < given; i++)
        if (((const uint8_t *)from)[i])
            return false;
    if (from)
        memcpy(to, from, given < size ? given : size);
    memcpy(to, &size, sizeof size);
    return true;
}
