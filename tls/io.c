/* The bytes that are lent to an engine for one call: backends hang these two functions, in the
 * clothes that their library wants, where it would read from and write to a socket. */
#include <string.h>

#include "tls/engine.h"

size_t tls_io_take(struct tls_io *io, void *data, size_t length)
{
    if (length > io->in_length)
        length = io->in_length;
    if (!length)
        return 0; /* `in` may be NULL then */
    memcpy(data, io->in, length);
    io->in += length;
    io->in_length -= length;
    return length;
}

int tls_io_put(struct tls_io *io, const void *data, size_t length)
{
    const uint8_t *from = data;

    while (length) {
        size_t room = io->out_size - io->out_length;
        size_t count = length < room ? length : room;

        if (!room) {
            int status = io->flush(io);

            if (status)
                return status;
            continue;
        }
        memcpy(io->out + io->out_length, from, count);
        io->out_length += count;
        from += count;
        length -= count;
    }
    return 0;
}
