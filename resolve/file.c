/* Small files of the system: reading them whole, and taking them apart into lines and words. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <conduit/reactor.h>

#include "resolve/file.h"

static int read_all(int fd, char *text, size_t size, size_t *length)
{
    *length = 0;
    while (*length < size) {
        const ssize_t count = read(fd, text + *length, size - *length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        *length += (size_t)count;
    }
    return 0;
}

static int read_fd(int fd, size_t max, char **text, size_t *length, struct stat *info)
{
    if (fstat(fd, info) != 0)
        return -errno;
    if (!S_ISREG(info->st_mode))
        return -EINVAL;
    if (info->st_size < 0 || (uint64_t)info->st_size > max)
        return -EFBIG;
    const size_t size = (size_t)info->st_size;
    char *memory = mem_alloc(size + 1);
    if (!memory)
        return -ENOMEM;
    const int status = read_all(fd, memory, size, length);
    if (status) {
        mem_free(memory);
        return status;
    }
    memory[*length] = 0;
    *text = memory;
    return 0;
}

int file_read(const char *path, size_t max, char **text, size_t *length, struct stat *info)
{
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    const int status = read_fd(fd, max, text, length, info);
    close(fd);
    return status;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool file_has_changed(struct file_look *look, uint64_t now)
{
    struct stat info;
    if (!*look->path || (look->time && now - look->time < CDT_SECOND))
        return false;
    look->time = now ? now : 1;
    if (stat(look->path, &info) != 0)
        info = (struct stat){0};
    if (is_same(&info, &look->info))
        return false;
    look->info = info;
    return true;
}

bool file_line(struct slice *text, struct slice *line)
{
    if (text->length == 0)
        return false;
    const char *end = memchr(text->at, '\n', text->length);
    const size_t length = end ? (size_t)(end - text->at) : text->length;
    *line = (struct slice){text->at, length};
    text->at += length + (end != NULL);
    text->length -= length + (end != NULL);
    const char *comment = memchr(line->at, '#', line->length);
    if (comment)
        line->length = (size_t)(comment - line->at);
    return true;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

bool file_word(struct slice *line, struct slice *word)
{
    size_t begin = 0;
    while (begin < line->length && is_blank(line->at[begin]))
        begin++;
    size_t end = begin;
    while (end < line->length && !is_blank(line->at[end]))
        end++;
    *word = (struct slice){line->at + begin, end - begin};
    line->at += end;
    line->length -= end;
    return word->length > 0;
}
