/* The store of the local backend: a node is a folder, its value a file in it. A value is written
 * under another name and renamed, so that who reads sees the old one or the new one, and whoever
 * may write into the directory is taken for hostile: no symbolic link is followed, no file is
 * waited for, and no answer is larger than it may be. A node without a value has the value "", as
 * in xenstore. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vchan/local.h"

enum {
    VALUE_MAX = 4096,
    NAMES_MAX = 16384, /* of one node */
    DEPTH_MAX = 32,    /* of what is removed */
    VALUE_MODE = 0666,
    WRITINGS = 16, /* names of what others have left; folders that others remove meanwhile */
    REMOVALS = 4   /* of a folder that is filled meanwhile */
};

static struct files_root root_of(const struct vchan_store *store)
{
    return (struct files_root){store->directory, store->mode};
}

static int open_node(const struct vchan_store *store, const char *path, int access, bool make)
{
    const struct files_root root = root_of(store);
    return files_open(&root, path, access, make);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Up to `size` bytes: how many, or a negative errno. */
static ssize_t read_file(int fd, char *data, size_t size)
{
    struct stat found;
    size_t length = 0;
    ssize_t n = 1;
    if (fstat(fd, &found))
        return -errno;
    if (!S_ISREG(found.st_mode))
        return -EPROTO;
    while (n > 0 && length < size) {
        n = read(fd, data + length, size - length);
        if (n < 0)
            return -errno;
        length += (size_t)n;
    }
    return (ssize_t)length;
}

static int read_value(int folder, char *value, size_t size)
{
    const int fd = openat(folder, FILES_VALUE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *value = 0;
        return 0;
    }
    if (fd < 0)
        return errno == EACCES ? -ENOENT : -errno;
    const ssize_t length = read_file(fd, value, size);
    close(fd);
    if (length < 0)
        return (int)length;
    if ((size_t)length == size)
        return -E2BIG;
    value[length] = 0;
    return strlen(value) == (size_t)length ? (int)length : -EPROTO;
}

static int files_read(struct vchan_store *store, const char *path, char *value, size_t size)
{
    if (size == 0)
        return -E2BIG;
    const int folder = open_node(store, path, O_PATH, false);
    if (folder < 0)
        return folder == -EACCES ? -ENOENT : folder;
    const int length = read_value(folder, value, size);
    close(folder);
    return length;
}

/* A file of our own in the folder, with a name that nobody has. */
static int new_file(struct files_store *files, int folder, char name[64])
{
    int fd = -1;
    for (int i = 0; i < WRITINGS && fd < 0; i++) {
        snprintf(name, 64, FILES_UNDERWAY ".%d.%u", (int)getpid(), files->serial++);
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *value, size_t length)
{
    while (length) {
        const ssize_t n = write(fd, value, length);
        if (n < 0)
            return -errno;
        value += n;
        length -= (size_t)n;
    }
    return 0;
}

static int write_value(struct files_store *files, int folder, const char *value, size_t length)
{
    char name[64];
    const int fd = new_file(files, folder, name);
    if (fd < 0)
        return fd;
    int error = write_all(fd, value, length);
    if (!error &&
        (fchmod(fd, files->store.mode & VALUE_MODE) || renameat(folder, name, folder, FILES_VALUE)))
        error = -errno;
    if (error)
        unlinkat(folder, name, 0);
    close(fd);
    return error;
}

/* Who removes the node meanwhile has had his way; it is made again. */
static int files_write(struct vchan_store *store, const char *path, const char *value)
{
    const size_t length = strnlen(value, VALUE_MAX + 1);
    int error = -ENOENT;
    if (length > VALUE_MAX)
        return -E2BIG;
    for (int i = 0; i < WRITINGS && error == -ENOENT; i++) {
        const int folder = open_node(store, path, O_PATH, true);
        error = folder;
        if (folder < 0)
            continue;
        error = write_value(files_of(store), folder, value, length);
        close(folder);
    }
    return error;
}

/* ---- removing -------------------------------------------------------------------------------- */

static int remove_name(int parent, const char *name, int depth);

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes over `fd`. */
static int empty_folder(int fd, int depth)
{
    DIR *folder = fdopendir(fd);
    int error = 0;
    if (!folder) {
        error = -errno;
        close(fd);
        return error;
    }
    for (const struct dirent *entry; !error && (entry = readdir(folder));) {
        if (!is_dots(entry->d_name))
            error = remove_name(dirfd(folder), entry->d_name, depth + 1);
    }
    closedir(folder);
    return error;
}

static int remove_folder(int parent, const char *name, int depth)
{
    for (int i = 0; i < REMOVALS; i++) {
        const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return errno == ENOENT ? 0 : -errno;
        const int error = empty_folder(fd, depth);
        if (error)
            return error;
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
            return -errno;
    }
    return -ENOTEMPTY;
}

static int remove_name(int parent, const char *name, int depth)
{
    if (depth > DEPTH_MAX)
        return -ELOOP;
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    return remove_folder(parent, name, depth);
}

static int files_remove(struct vchan_store *store, const char *path)
{
    char above[VCHAN_PATH_MAX];
    if (strlen(path) >= sizeof above || *path != '/')
        return -EINVAL;
    snprintf(above, sizeof above, "%s", path);
    char *slash = strrchr(above, '/');
    if (slash[1] == '.' || slash[1] == 0)
        return -EINVAL;
    *slash = 0;
    const int folder = open_node(store, above, O_PATH, false);
    if (folder < 0)
        return folder == -ENOENT ? 0 : folder;
    const int error = remove_name(folder, slash + 1, 0);
    close(folder);
    return error;
}

/* ---- listing --------------------------------------------------------------------------------- */

/* A node is a folder; whatever begins with a dot is none. */
static bool is_node(int folder, const struct dirent *entry)
{
    struct stat found;
    if (*entry->d_name == '.')
        return false;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(folder, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(found.st_mode);
}

static int list_folder(DIR *folder, int (*each)(void *arg, const char *name), void *arg)
{
    int result = 0;
    unsigned count = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(folder));) {
        if (!is_node(dirfd(folder), entry))
            continue;
        result = count++ < NAMES_MAX ? each(arg, entry->d_name) : -E2BIG;
    }
    return result;
}

static int files_list(struct vchan_store *store, const char *path,
                      int (*each)(void *arg, const char *name), void *arg)
{
    const int fd = open_node(store, path, O_RDONLY, false);
    if (fd < 0)
        return fd == -EACCES ? -ENOENT : fd;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        const int error = -errno;
        close(fd);
        return error;
    }
    const int result = list_folder(folder, each, arg);
    closedir(folder);
    return result;
}

/* ---- the store ------------------------------------------------------------------------------- */

static int files_domid(struct vchan_store *store)
{
    return (int)store->own_domid;
}

static void files_free(struct vchan_store *store)
{
    files_watches_free(files_of(store));
    mem_free(files_of(store));
}

static const struct vchan_store_ops files_ops = {
    .read = files_read,
    .write = files_write,
    .remove = files_remove,
    .list = files_list,
    .watch = files_watch,
    .unwatch = files_unwatch,
    .domid = files_domid,
    .free = files_free,
};

int files_store(struct vchan_store **store)
{
    struct files_store *files = mem_zalloc(sizeof *files);
    if (!files)
        return -ENOMEM;
    files->store.ops = &files_ops;
    files_watches_init(files);
    *store = &files->store;
    return 0;
}

int files_store_open(struct vchan_store *store)
{
    const struct files_root root = root_of(store);
    return files_prepare(&root);
}
