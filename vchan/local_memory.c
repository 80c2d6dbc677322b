/* The memory of two rings: a memfd whose size is sealed, so that nobody can cut it under our feet
 * (an access behind the end would be a SIGBUS), made by the server, checked and mapped by the
 * client.
 *
 * All pages are there before anybody writes to them: the client looks at st_blocks. What a hostile
 * peer can still do is to punch holes: he writes zeroes, then, and the next access makes the page
 * anew. That can fail only where the kernel has no page for anybody: where memory is overcommitted
 * that ends somebody by the OOM killer, as any access to memory may; with vm.overcommit_memory=2
 * and nothing left to commit it is a SIGBUS. A seal against it (F_SEAL_FUTURE_WRITE) would keep the
 * client from mapping the memory in the first place. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vchan/local.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, BLOCK = 512 };

/* Of a ring that does not lie in the page. */
static size_t own_bytes(unsigned order)
{
    return order > VCHAN_ORDER_HALF ? (size_t)1 << order : 0;
}

static size_t size_of(unsigned left_order, unsigned right_order)
{
    return VCHAN_PAGE + own_bytes(left_order) + own_bytes(right_order);
}

/* The page tables are filled at once: else each page would cost a fault when it is first used. */
static int map(struct local_memory *memory, int fd, unsigned left_order, unsigned right_order)
{
    const size_t size = size_of(left_order, right_order), left = own_bytes(left_order);
    uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    memory->at = at;
    memory->size = size;
    memory->layout = (struct vchan_layout){
        .page = (struct vchan_page *)(void *)at,
        .left = left ? at + VCHAN_PAGE : NULL,
        .right = own_bytes(right_order) ? at + VCHAN_PAGE + left : NULL,
        .left_order = left_order,
        .right_order = right_order,
    };
    return 0;
}

void local_memory_free(struct local_memory *memory)
{
    if (memory->at)
        munmap(memory->at, memory->size);
    memory->at = NULL;
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Kernels that know of it want to be told that nothing in there is to be executed. */
static int make_fd(void)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("vchan", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("vchan", flags);
    return fd < 0 ? -errno : fd;
}

/* Memory is a file to the kernel: one that is larger than files may be would end us by SIGXFSZ. */
static bool is_allowed(size_t size)
{
    struct rlimit most;
    return getrlimit(RLIMIT_FSIZE, &most) || most.rlim_cur >= size;
}

static int make_pages(int fd, size_t size)
{
    if (!is_allowed(size))
        return -EFBIG;
    if (ftruncate(fd, (off_t)size))
        return -errno;
    while (fallocate(fd, 0, 0, (off_t)size)) {
        if (errno != EINTR)
            return -errno;
    }
    return fcntl(fd, F_ADD_SEALS, SEALS) ? -errno : 0;
}

int local_memory_make(struct local_memory *memory, unsigned left_order, unsigned right_order)
{
    const int fd = make_fd();
    if (fd < 0)
        return fd;
    int error = make_pages(fd, size_of(left_order, right_order));
    if (!error)
        error = map(memory, fd, left_order, right_order);
    if (error) {
        close(fd);
        return error;
    }
    vchan_page_init(memory->layout.page, left_order, right_order);
    return fd;
}

/* ---- the client ------------------------------------------------------------------------------ */

/* What is wrong with it; NULL: nothing. */
static const char *fault_of(int fd, size_t size)
{
    struct stat found;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return "the server sent a descriptor that is no sealed memory";
    if ((seals & SEALS) != SEALS)
        return "the server sent memory whose size is not sealed";
    if (fstat(fd, &found) || !S_ISREG(found.st_mode) || found.st_size != (off_t)size)
        return "the server sent memory of the wrong size";
    if ((uint64_t)found.st_blocks * BLOCK < size)
        return "the server sent memory with holes in it";
    return NULL;
}

int local_memory_take(struct local_memory *memory, int fd, unsigned left_order,
                      unsigned right_order, const char **why)
{
    if (!vchan_orders_valid(left_order, right_order)) {
        *why = "the server sent rings of impossible sizes";
        return -EPROTO;
    }
    *why = fault_of(fd, size_of(left_order, right_order));
    if (*why)
        return -EPROTO;
    const int error = map(memory, fd, left_order, right_order);
    if (error)
        *why = "the memory of the rings cannot be mapped";
    return error;
}
