/* conduit: the allocator hook. */
#ifndef CONDUIT_MEMORY_H
#define CONDUIT_MEMORY_H

#include <stddef.h>

#include <conduit/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Replaces malloc, realloc and free for all of conduit in this process. Call it before any other
 * function of the library, from one thread; later calls give -EBUSY once anything was allocated.
 * All three or none may be NULL (NULL: back to the C library's). `resize` follows realloc(3),
 * `release` takes NULL. The functions may return NULL: the library reports -ENOMEM. */
CDT_API int cdt_set_allocator(void *(*allocate)(size_t size),
                              void *(*resize)(void *memory, size_t size),
                              void (*release)(void *memory));

#ifdef __cplusplus
}
#endif
#endif
