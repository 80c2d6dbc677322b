/* The directory in which local domains meet: a node of the store is a folder in it. Whoever may
 * write there may put anything there, so every step from folder to folder is one openat(2) that
 * follows no symbolic link. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vchan/local.h"

enum { FOLDER = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, OTHERS_WRITE = 022 };

/* Makes a folder with just this mode: the umask may have taken from it. */
static int make_folder(int parent, const char *name, mode_t mode)
{
    if (mkdirat(parent, name, mode))
        return errno == EEXIST ? 0 : -errno;
    const int fd = openat(parent, name, O_RDONLY | FOLDER);
    if (fd < 0)
        return -errno;
    const int error = fchmod(fd, mode) ? -errno : 0;
    close(fd);
    return error;
}

static int open_folder(int parent, const char *name, int access, const mode_t *make)
{
    int fd = openat(parent, name, access | FOLDER);
    if (fd >= 0 || errno != ENOENT || !make)
        return fd < 0 ? -errno : fd;
    const int error = make_folder(parent, name, *make);
    if (error)
        return error;
    fd = openat(parent, name, access | FOLDER);
    return fd < 0 ? -errno : fd;
}

/* ---- the top --------------------------------------------------------------------------------- */

static int open_top(const struct files_root *root, int access, bool make)
{
    const int fd = open_folder(AT_FDCWD, root->directory, access, make ? &root->mode : NULL);
    struct stat top;
    if (fd < 0)
        return fd;
    if (fstat(fd, &top) == 0 && (top.st_uid == geteuid() || top.st_uid == 0) &&
        !(top.st_mode & OTHERS_WRITE & ~root->mode))
        return fd;
    close(fd);
    return -EPERM;
}

int files_prepare(const struct files_root *root)
{
    const int fd = open_top(root, O_PATH, true);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* ---- below it -------------------------------------------------------------------------------- */

/* Takes the next part of a path, which is not at its end. */
static bool take_part(const char **path, char part[NAME_MAX + 1])
{
    const char *at = *path;
    if (*at++ != '/')
        return false;
    const size_t length = strcspn(at, "/");
    if (length == 0 || length > NAME_MAX || *at == '.')
        return false;
    memcpy(part, at, length);
    part[length] = 0;
    *path = at + length;
    return true;
}

static bool is_path(const char *path)
{
    char part[NAME_MAX + 1];
    const bool fits = strlen(path) < VCHAN_PATH_MAX;
    while (fits && *path) {
        if (!take_part(&path, part))
            return false;
    }
    return fits;
}

int files_open(const struct files_root *root, const char *path, int access, bool make)
{
    char part[NAME_MAX + 1];
    if (!is_path(path))
        return -EINVAL;
    int fd = open_top(root, *path ? O_PATH : access, make);
    while (fd >= 0 && *path && take_part(&path, part)) {
        const int parent = fd;
        fd = open_folder(parent, part, *path ? O_PATH : access, make ? &root->mode : NULL);
        close(parent);
    }
    return fd;
}

bool files_is_folder(const struct files_root *root, const char *path, int folder)
{
    struct stat ours, found;
    const int fd = files_open(root, path, O_PATH, false);
    if (fd < 0)
        return false;
    const bool same = fstat(folder, &ours) == 0 && fstat(fd, &found) == 0 &&
                      ours.st_dev == found.st_dev && ours.st_ino == found.st_ino;
    close(fd);
    return same;
}

void files_prune(const struct files_root *root, const char *path)
{
    char above[VCHAN_PATH_MAX];
    if (!*path || !is_path(path))
        return;
    snprintf(above, sizeof above, "%s", path);
    for (;;) {
        char *slash = strrchr(above, '/');
        *slash = 0;
        const int fd = files_open(root, above, O_PATH, false);
        if (fd < 0)
            return;
        const bool removed = unlinkat(fd, slash + 1, AT_REMOVEDIR) == 0;
        close(fd);
        if (!removed || !*above)
            return;
    }
}

/* ---- sockets --------------------------------------------------------------------------------- */

int files_address(const struct files_root *root, const char *path, int folder, const char *name,
                  struct cdt_addr *addr)
{
    char text[2 * VCHAN_PATH_MAX + NAME_MAX];
    snprintf(text, sizeof text, "%s%s%s/%s", *root->directory == '/' ? "" : "./", root->directory,
             path, name);
    if (cdt_addr_unix(addr, text) == 0)
        return 0;
    if (folder < 0 || access("/proc/self/fd", X_OK))
        return -ENAMETOOLONG;
    snprintf(text, sizeof text, "/proc/self/fd/%d/%s", folder, name);
    return cdt_addr_unix(addr, text);
}
