/* What would differ from run to run, in place of the C library's: the time, which stands still, and
 * random numbers, which are the same each time. Not for programs that keep secrets. */
#include <dirent.h>
#include <errno.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#include "bench/budget/budget.h"

#pragma GCC visibility push(default) /* for the other libraries, too */

/* ---- the time -------------------------------------------------------------------------------- */

/* Every clock shows the same, a moment of 2027. For the kernel's monotonic clock that is far away:
 * no alarm goes off by itself. */
static uint64_t now = UINT64_C(1800000000) * CDT_SECOND;

bool world_hurries;

void world_pass(uint64_t time)
{
    now += time;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    *time = (struct timespec){.tv_sec = (time_t)(now / CDT_SECOND),
                              .tv_nsec = (long)(now % CDT_SECOND)};
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    (void)zone;
    *time = (struct timeval){.tv_sec = (time_t)(now / CDT_SECOND),
                             .tv_usec = (suseconds_t)(now % CDT_SECOND / 1000)};
    return 0;
}

time_t time(time_t *at)
{
    const time_t seconds = (time_t)(now / CDT_SECOND);
    if (at)
        *at = seconds;
    return seconds;
}

/* Waking up takes a microsecond, here always. */
int timerfd_settime(int fd, int flags, const struct itimerspec *alarm, struct itimerspec *old)
{
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    if (!world_hurries)
        return (int)syscall(SYS_timerfd_settime, fd, flags, alarm, old);
    now =
        (uint64_t)alarm->it_value.tv_sec * CDT_SECOND + (uint64_t)alarm->it_value.tv_nsec + CDT_US;
    return (int)syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &soon, old);
}

/* ---- random numbers -------------------------------------------------------------------------- */

static uint64_t state = UINT64_C(88172645463325252);

ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    uint8_t *to = bytes;
    (void)flags;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to[i] = (uint8_t)(state >> 32);
    }
    return (ssize_t)length;
}

int getentropy(void *bytes, size_t length)
{
    getrandom(bytes, length, 0);
    return 0;
}

#pragma GCC visibility pop

/* ---- files ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/conduit-budget-XXXXXX";

static void remove_in(const char *path)
{
    char below[512];
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below)
            continue;
        if (entry->d_type == DT_DIR)
            remove_in(below);
        else
            unlink(below);
    }
    if (directory)
        closedir(directory);
    rmdir(path);
}

static void remove_folder(void)
{
    remove_in(folder);
}

const char *world_path(const char *name)
{
    static char path[sizeof folder + 64];
    static bool made;
    if (!made) {
        must(mkdtemp(folder) ? 0 : -errno, "mkdtemp");
        made = true;
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}
