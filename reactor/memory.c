/* Memory, through the allocator hook. */
#include <conduit/memory.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/internal.h"

static void *(*hook_allocate)(size_t size);
static void *(*hook_resize)(void *memory, size_t size);
static void (*hook_release)(void *memory);
static bool used; /* atomic: reactors may be made in several threads */

int cdt_set_allocator(void *(*allocate)(size_t size), void *(*resize)(void *memory, size_t size),
                      void (*release)(void *memory))
{
    if (!allocate != !resize || !allocate != !release)
        return -EINVAL;
    if (__atomic_load_n(&used, __ATOMIC_RELAXED))
        return -EBUSY;
    hook_allocate = allocate;
    hook_resize = resize;
    hook_release = release;
    return 0;
}

static inline void mark_used(void)
{
    if (!__atomic_load_n(&used, __ATOMIC_RELAXED))
        __atomic_store_n(&used, true, __ATOMIC_RELAXED);
}

void *mem_alloc(size_t size)
{
    mark_used();
    return hook_allocate ? hook_allocate(size) : malloc(size);
}

void *mem_zalloc(size_t size)
{
    void *memory;

    mark_used();
    if (!hook_allocate)
        return calloc(1, size);
    memory = hook_allocate(size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

void *mem_realloc(void *memory, size_t size)
{
    mark_used();
    return hook_resize ? hook_resize(memory, size) : realloc(memory, size);
}

void mem_free(void *memory)
{
    if (hook_release)
        hook_release(memory);
    else
        free(memory);
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}
