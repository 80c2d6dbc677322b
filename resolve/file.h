/* Small files of the system, read whole. */
#ifndef RESOLVE_FILE_H
#define RESOLVE_FILE_H

#include <sys/stat.h>

#include "resolve/internal.h"

/* Reads a regular file of at most `max` bytes, and one byte more: *text is to be freed with
 * mem_free(), and has room for a 0 behind its *length bytes. `info` is what fstat(2) says.
 * -ENOMEM, -EFBIG, -EINVAL (not a regular file) or what open(2) and read(2) say. */
int file_read(const char *path, size_t max, char **text, size_t *length, struct stat *info);

/* What a file was like when it was looked at last. */
struct file_look {
    const char *path;
    uint64_t time; /* of the look; 0: never */
    struct stat info;
};

/* Whether the file has changed, come or gone since the last look; looks at most once a second. `now` in
 * ns. The first look finds a change, if the file is there. */
bool file_has_changed(struct file_look *look, uint64_t now);

/* The next line of a text, without its end and its comment; false: there is none. `text` is what is
 * left. */
bool file_line(struct slice *text, struct slice *line);

/* The next word of a line, between blanks; false: there is none. */
bool file_word(struct slice *line, struct slice *word);

#endif
