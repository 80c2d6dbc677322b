/* Memory of wolfSSL: ours, where it is built for us. It does not always say that it was memory that
 * it lacked, and may even go on without; so each thread notes what it could not have. A packaged
 * wolfSSL may have other users in the process, and keeps its own. */
#ifdef CDT_HAVE_WOLFSSL
#include "reactor/internal.h"
#include "tls/wolfssl.h"

static _Thread_local bool lacked;

#ifdef CDT_WOLFSSL_BUILT
void *wolfssl_memory_take(size_t size)
{
    void *memory = mem_alloc(size);
    lacked |= !memory && size;
    return memory;
}

static void *resize(void *memory, size_t size)
{
    void *moved = mem_realloc(memory, size);
    lacked |= !moved && size;
    return moved;
}
#endif

int wolfssl_memory_init(void)
{
#ifdef CDT_WOLFSSL_BUILT
    wolfssl_records_init();
    return wolfSSL_SetAllocators(wolfssl_memory_take, mem_free, resize);
#else
    return 0;
#endif
}

void wolfssl_memory_begin(void)
{
    lacked = false;
}

bool wolfssl_memory_lacked(void)
{
    return lacked;
}

#endif
