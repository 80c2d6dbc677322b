/* Buffers of records. The wolfSSL that is built for us takes one for each record that it reads or
 * writes, and gives it back as soon as the record is done with (tls/wolfssl.patch): so one small block
 * and one for a full record, kept by whoever lends an engine its bytes, serve all connections without
 * the allocator. wolfSSL has wiped what it gives back. */
#if defined CDT_HAVE_WOLFSSL && defined CDT_WOLFSSL_BUILT
#include "reactor/internal.h"
#include "tls/wolfssl.h"

/* Before each buffer: how much room it has. */
struct block {
    size_t size;
    max_align_t bytes[];
};

/* Classes of size; what fits into none is not kept. */
enum { SMALL = 512 - sizeof(struct block), FULL = TLS_RECORD + 1024 - sizeof(struct block) };

static size_t rounded(size_t size)
{
    if (size <= SMALL)
        return SMALL;
    return size > FULL / 4 && size <= FULL ? FULL : size;
}

/* Where blocks of this class are kept; NULL: nowhere. (An engine is what wolfSSL's reading callback
 * gets.) */
static inline void **place(const struct tls_engine *engine, size_t rounded_size)
{
    struct tls_spare *spare = engine && engine->io ? engine->io->spare : NULL;

    if (!spare)
        return NULL;
    return rounded_size == SMALL ? &spare->small : rounded_size == FULL ? &spare->full : NULL;
}

static void *take(void *engine, size_t size)
{
    const size_t room = rounded(size);
    void **kept = place(engine, room);
    struct block *block = kept ? *kept : NULL;

    if (block) {
        *kept = NULL;
        return block->bytes;
    }
    block = wolfssl_memory_take(sizeof *block + room);
    if (!block)
        return NULL;
    block->size = room;
    return block->bytes;
}

static void give(void *engine, void *memory)
{
    struct block *block = cdt_container_of(memory, struct block, bytes);
    void **kept = place(engine, block->size);

    if (kept && !*kept)
        *kept = block;
    else
        mem_free(block);
}

void wolfssl_records_init(void)
{
    wolfSSL_SetRecordMemory(take, give);
}

#endif
