/* For tests of little memory: an allocator for cdt_set_allocator() whose n-th allocation fails. */
#ifndef TEST_TLS_STARVE_H
#define TEST_TLS_STARVE_H

#include <stdbool.h>
#include <stdlib.h>

#include <conduit/memory.h>

static struct {
    long until_failure; /* allocations that still succeed; below 0: all do */
    bool alone;         /* only one fails */
    long failures, blocks;
} starve = {.until_failure = -1};

/* From now on, and none has failed yet; n below 0: none will. */
static inline void starve_at(long n)
{
    starve.until_failure = n;
    starve.failures = 0;
}

static bool starve_fails(void)
{
    if (starve.until_failure < 0)
        return false;
    if (starve.until_failure > 0) {
        starve.until_failure--;
        return false;
    }
    if (starve.alone)
        starve.until_failure = -1;
    starve.failures++;
    return true;
}

static void *starve_allocate(size_t size)
{
    void *memory = starve_fails() ? NULL : malloc(size);
    starve.blocks += memory != NULL;
    return memory;
}

static void *starve_resize(void *memory, size_t size)
{
    void *moved = starve_fails() ? NULL : realloc(memory, size);
    starve.blocks += moved && !memory;
    return moved;
}

static void starve_release(void *memory)
{
    starve.blocks -= memory != NULL;
    free(memory);
}

/* To be called first of all: 0 or a negative code. */
static inline int starve_begin(void)
{
    return cdt_set_allocator(starve_allocate, starve_resize, starve_release);
}

#endif
