/* Secrets for people who look at their own traffic: lines in NSS's format, appended to the file
 * that the environment's SSLKEYLOGFILE names. It is opened once. Each line is one write, so that
 * threads and processes may share the file; what cannot be written is left out, and behind a line
 * that was cut, where the file could not grow, the next begins a new one. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/config.h"

enum { RANDOM = 32, SECRET_MAX = 64, LABEL_MAX = 64 };

static struct {
    pthread_once_t once;
    int fd;      /* -1: none */
    int failed;  /* why it could not be opened */
    bool warned; /* atomic */
    bool cut;    /* atomic: the last line is not whole */
} file = {.once = PTHREAD_ONCE_INIT, .fd = -1};

/* A link is followed: people point to files elsewhere. A pipe would raise SIGPIPE one day. */
static int open_path(const char *path)
{
    struct stat info;
    const int fd =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISCHR(info.st_mode)))
        return fd;
    close(fd);
    return -EINVAL;
}

static void open_file(void)
{
    const char *path = secure_getenv("SSLKEYLOGFILE");
    const int fd = path && *path ? open_path(path) : -ENOENT;
    file.fd = fd < 0 ? -1 : fd;
    file.failed = fd < 0 && path && *path ? fd : 0;
}

bool tls_key_log_wanted(struct cdt_reactor *reactor)
{
    pthread_once(&file.once, open_file);
    if (file.failed && !__atomic_exchange_n(&file.warned, true, __ATOMIC_RELAXED))
        reactor_log(reactor, CDT_LOG_WARNING, "SSLKEYLOGFILE cannot be opened: %s",
                    cdt_strerror(file.failed));
    return file.fd >= 0;
}

static char *put_hex(char *to, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

void tls_log_secret(const char *label, const uint8_t random[32], const uint8_t *secret,
                    size_t length)
{
    char line[1 + LABEL_MAX + 1 + 2 * RANDOM + 1 + 2 * SECRET_MAX + 1], *end = line;
    pthread_once(&file.once, open_file);
    if (file.fd < 0 || length > SECRET_MAX || strlen(label) > LABEL_MAX)
        return;
    const bool cut = __atomic_exchange_n(&file.cut, false, __ATOMIC_RELAXED);
    if (cut)
        *end++ = '\n';
    end = stpcpy(end, label);
    *end++ = ' ';
    end = put_hex(end, random, RANDOM);
    *end++ = ' ';
    end = put_hex(end, secret, length);
    *end++ = '\n';
    const ssize_t written = write(file.fd, line, (size_t)(end - line));
    if (written > 0 ? written < end - line : cut)
        __atomic_store_n(&file.cut, true, __ATOMIC_RELAXED);
    explicit_bzero(line, sizeof line);
}
