/* The file of a Unix socket that listens: whether somebody answers there, its identity, owner and
 * mode, and removing it, if it is still ours. How one is put in place of one that was left behind,
 * whoever does so knows. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flows/internal.h"

int unix_file_probe(const struct cdt_addr *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int status = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, &at->any, at->length))
        status = -errno;
    close(fd);
    return status;
}

/* Changes the mode of the file that `fd` (O_PATH) stands for, and of no other. */
static int change_mode(const struct unix_file *file, int fd, mode_t mode)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (chmod(path, mode) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    return fchmodat(file->folder, file->name, mode, 0) ? -errno : 0; /* no /proc */
}

int unix_file_made(struct unix_file *file, const struct unix_owner *owner)
{
    int fd = openat(file->folder, file->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat made;
    int error = 0;

    if (fd < 0 || fstat(fd, &made)) { /* not to be known again, but it was made just now, by us */
        error = -errno;
        unlinkat(file->folder, file->name, 0);
        if (fd >= 0)
            close(fd);
        return error;
    }
    if (!S_ISSOCK(made.st_mode))
        error = -EADDRINUSE;
    file->device = made.st_dev;
    file->inode = made.st_ino;
    if (!error && owner->chown && fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH))
        error = -errno;
    if (!error && owner->mode)
        error = change_mode(file, fd, owner->mode);
    close(fd);
    return error;
}

void unix_file_remove(const struct unix_file *file)
{
    struct stat found;

    if (!fstatat(file->folder, file->name, &found, AT_SYMLINK_NOFOLLOW) &&
        found.st_dev == file->device && found.st_ino == file->inode)
        unlinkat(file->folder, file->name, 0);
}
