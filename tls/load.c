/* Texts for configurations: regular files, read whole and bounded, and texts that were given. They
 * may hold keys: whatever is freed is wiped before. Errors name the file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/config.h"

enum { FILE_MAX = 4 << 20, SIZE_LEAST = 4096 };

/* ---- blobs ----------------------------------------------------------------------------------- */

static void wipe_free(void *memory, size_t length)
{
    if (memory)
        explicit_bzero(memory, length);
    mem_free(memory);
}

void tls_blob_fini(struct tls_blob *blob)
{
    wipe_free(blob->text, blob->length);
    mem_free((char *)(uintptr_t)blob->source); /* const for readers, and ours */
    *blob = (struct tls_blob){0};
}

void tls_blobs_free(struct tls_blob *blobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tls_blob_fini(&blobs[i]);
    mem_free(blobs);
}

int tls_blob_append(struct tls_blob *blob, struct tls_blob **blobs, size_t *count)
{
    struct tls_blob *more = mem_realloc(*blobs, (*count + 1) * sizeof *more);
    if (!more) {
        tls_blob_fini(blob);
        return -ENOMEM;
    }
    more[(*count)++] = *blob;
    *blobs = more;
    *blob = (struct tls_blob){0};
    return 0;
}

int tls_load_text(const char *text, const char *source, struct tls_blob *blob)
{
    *blob = (struct tls_blob){.text = mem_strdup(text), .source = mem_strdup(source)};
    blob->length = blob->text ? strlen(text) : 0;
    if (blob->text && blob->source)
        return 0;
    tls_blob_fini(blob);
    return -ENOMEM;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A larger place for what was read so far, which leaves no copy behind. */
static int grow(struct tls_blob *blob, size_t *size, size_t wanted)
{
    char *text = mem_alloc(wanted + 1);
    if (!text)
        return -ENOMEM;
    if (blob->length)
        memcpy(text, blob->text, blob->length);
    wipe_free(blob->text, blob->length);
    blob->text = text;
    *size = wanted;
    return 0;
}

/* To the end, which need not be where fstat(2) said. */
static int read_all(int fd, size_t expected, struct tls_blob *blob)
{
    size_t size;
    int status = grow(blob, &size, expected + 1);
    while (status == 0) {
        const ssize_t count = read(fd, blob->text + blob->length, size - blob->length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        blob->length += (size_t)count;
        if (blob->length > FILE_MAX)
            return -EFBIG;
        if (count == 0)
            break;
        if (blob->length == size)
            status = grow(blob, &size, size + size / 2 + SIZE_LEAST);
    }
    if (status == 0)
        blob->text[blob->length] = 0;
    return status;
}

static int read_regular(int fd, struct tls_blob *blob)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return -errno;
    if (S_ISDIR(info.st_mode))
        return -EISDIR;
    if (!S_ISREG(info.st_mode))
        return -EINVAL;
    if (info.st_size > FILE_MAX)
        return -EFBIG;
    return read_all(fd, (size_t)info.st_size, blob);
}

static int read_path(const char *path, struct tls_blob *blob)
{
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    const int status = read_regular(fd, blob);
    close(fd);
    return status;
}

int tls_load_file(const char *path, struct tls_blob *blob, struct cdt_text_error *error)
{
    *blob = (struct tls_blob){.source = mem_strdup(path)};
    const int status = blob->source ? read_path(path, blob) : -ENOMEM;
    if (status == 0)
        return 0;
    tls_blob_fini(blob);
    if (status == -EINVAL)
        return tls_why(error, status, "%s: not a regular file", path);
    if (status == -EFBIG)
        return tls_why(error, status, "%s: larger than 4 MiB", path);
    return tls_why(error, status, "%s: %s", path, cdt_strerror(status));
}
