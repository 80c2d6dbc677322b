/* Listening sockets that systemd passed: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, as
 * sd_listen_fds_with_names(3) reads them. The first of a name is taken. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context/internal.h"

enum { FIRST_FD = 3 };

/* A variable that is a decimal number; -1 if it is not there or is none. */
static long number_of(const char *variable)
{
    const char *text = getenv(variable);
    if (!text || *text < '0' || *text > '9')
        return -1;
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    return *end || errno || number > INT32_MAX - FIRST_FD ? -1 : number;
}

int context_inherited(const char *name)
{
    const long count = number_of("LISTEN_FDS");
    if (number_of("LISTEN_PID") != (long)getpid() || count <= 0)
        return -ENOENT;
    const char *names = getenv("LISTEN_FDNAMES");
    int found = -ENOENT;
    for (int fd = FIRST_FD; fd < FIRST_FD + count; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        if (flags < 0)
            break;
        fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
        const char *at = names ? names : "unknown";
        const size_t length = strcspn(at, ":");
        if (found < 0 && strlen(name) == length && memcmp(at, name, length) == 0)
            found = fd;
        if (names)
            names = at[length] ? at + length + 1 : "";
    }
    return found;
}
