/* Anchors of a folder, and those of the system. A folder is read in the order of its names, what is
 * there twice (as links by hash are) counts once, and other files are passed over. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/config.h"

enum { ENTRIES_MAX = 16384, PATH_SIZE = 4096 };
enum { FOLDER_MAX = 16 << 20 }; /* bytes of all its files */

/* ---- a folder -------------------------------------------------------------------------------- */

/* A reading of a folder: how much of it may still come. */
struct reading {
    const char *path;
    struct tls_blob *blobs;
    size_t count, entries, bytes;
    bool lenient;
    struct cdt_text_error *error;
};

static bool holds_certificate(const struct tls_blob *blob)
{
    const char *at = blob->text, *block;
    size_t length;
    return tls_pem_next(&at, blob->text + blob->length, "CERTIFICATE", &block, &length);
}

/* What is no file for us: a link that leads nowhere, a folder, a FIFO; for the system's, also what
 * we may not read. */
static bool is_passed_over(const struct reading *reading, int status)
{
    return status == -ENOENT || status == -ELOOP || status == -EISDIR || status == -EINVAL ||
           status == -ENXIO || (reading->lenient && status != -ENOMEM);
}

static int add_file(struct reading *reading, const char *name)
{
    char path[PATH_SIZE];
    struct tls_blob blob;
    struct cdt_text_error error = {0};
    if (snprintf(path, sizeof path, "%s/%s", reading->path, name) >= (int)sizeof path)
        return tls_why(reading->error, -ENAMETOOLONG, "%s: %s", reading->path,
                       cdt_strerror(-ENAMETOOLONG));
    const int status = tls_load_file(path, &blob, &error);
    if (status && is_passed_over(reading, status))
        return 0;
    if (status)
        return tls_why(reading->error, status, "%s", error.text);
    if (!holds_certificate(&blob)) {
        tls_blob_fini(&blob);
        return 0;
    }
    blob.lenient = reading->lenient;
    reading->bytes += blob.length;
    return tls_blob_append(&blob, &reading->blobs, &reading->count);
}

static int read_entries(DIR *folder, struct reading *reading)
{
    int status = 0;
    while (status == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry)
            return errno ? tls_why(reading->error, -errno, "%s: %s", reading->path,
                                   cdt_strerror(-errno))
                         : 0;
        if (++reading->entries > ENTRIES_MAX || reading->bytes > FOLDER_MAX)
            return tls_why(reading->error, -EFBIG, "%s: larger than 16 MiB or %d files",
                           reading->path, ENTRIES_MAX);
        if (entry->d_name[0] != '.')
            status = add_file(reading, entry->d_name);
    }
    return status;
}

static int by_source(const void *a, const void *b)
{
    return strcmp(((const struct tls_blob *)a)->source, ((const struct tls_blob *)b)->source);
}

static int by_text(const void *a, const void *b)
{
    const struct tls_blob *one = a, *other = b;
    if (one->length != other->length)
        return one->length < other->length ? -1 : 1;
    const int order = memcmp(one->text, other->text, one->length);
    return order ? order : by_source(a, b);
}

/* Of those with the same text the first by name stays. */
static void drop_repeated(struct reading *reading)
{
    struct tls_blob *const blobs = reading->blobs;
    size_t kept = 0;
    if (!reading->count)
        return;
    qsort(blobs, reading->count, sizeof *blobs, by_text);
    for (size_t i = 0; i < reading->count; i++) {
        if (kept && blobs[kept - 1].length == blobs[i].length &&
            memcmp(blobs[kept - 1].text, blobs[i].text, blobs[i].length) == 0)
            tls_blob_fini(&blobs[i]);
        else
            blobs[kept++] = blobs[i];
    }
    reading->count = kept;
    qsort(blobs, kept, sizeof *blobs, by_source);
}

/* Moves what was read behind the caller's list. */
static int hand_over(struct reading *reading, struct tls_blob **blobs, size_t *count)
{
    struct tls_blob *all = mem_realloc(*blobs, (*count + reading->count) * sizeof *all);
    if (!all)
        return -ENOMEM;
    memcpy(all + *count, reading->blobs, reading->count * sizeof *all);
    *blobs = all;
    *count += reading->count;
    reading->count = 0;
    return 0;
}

static int load_folder(struct reading *reading, struct tls_blob **blobs, size_t *count)
{
    DIR *folder = opendir(reading->path);
    int status;
    if (!folder)
        return tls_why(reading->error, -errno, "%s: %s", reading->path, cdt_strerror(-errno));
    status = read_entries(folder, reading);
    closedir(folder);
    if (status == 0) {
        drop_repeated(reading);
        status = reading->count ? hand_over(reading, blobs, count)
                                : tls_why(reading->error, -CDT_ETLSKEY,
                                          "%s: no certificate (PEM) in its files", reading->path);
    }
    tls_blobs_free(reading->blobs, reading->count);
    return status;
}

int tls_load_folder(const char *path, struct tls_blob **blobs, size_t *count,
                    struct cdt_text_error *error)
{
    return load_folder(&(struct reading){.path = path, .error = error}, blobs, count);
}

/* ---- the system's ---------------------------------------------------------------------------- */

static int load_system_file(const char *path, struct tls_blob **blobs, size_t *count,
                            struct cdt_text_error *error)
{
    struct tls_blob blob;
    const int status = tls_load_file(path, &blob, error);
    if (status)
        return status;
    if (!holds_certificate(&blob)) {
        tls_blob_fini(&blob);
        return tls_why(error, -CDT_ETLSKEY, "%s: no certificate (PEM) in it", path);
    }
    blob.lenient = true;
    return tls_blob_append(&blob, blobs, count);
}

static int load_system_folder(const char *path, struct tls_blob **blobs, size_t *count,
                              struct cdt_text_error *error)
{
    return load_folder(&(struct reading){.path = path, .lenient = true, .error = error}, blobs,
                       count);
}

/* A list of folders, as OpenSSL reads it: those that are not there are passed over, but not all. */
static int load_system_folders(const char *list, struct tls_blob **blobs, size_t *count,
                               struct cdt_text_error *error)
{
    const size_t before = *count;
    char path[PATH_SIZE];
    int status = 0, last = 0;
    for (; *list; list += *list == ':') {
        const size_t length = strcspn(list, ":");
        if (length > 0 && length < sizeof path) {
            memcpy(path, list, length);
            path[length] = 0;
            status = load_system_folder(path, blobs, count, error);
        }
        if (status == -ENOMEM)
            return status;
        last = status ? status : last;
        list += length;
    }
    return *count > before ? 0 : last ? last : -CDT_ETLSKEY;
}

static const struct {
    const char *path;
    int (*load)(const char *path, struct tls_blob **blobs, size_t *count,
                struct cdt_text_error *error);
} places[] = {
    {"/etc/ssl/certs/ca-certificates.crt", load_system_file}, /* Debian, Alpine, Arch */
    {"/etc/pki/tls/certs/ca-bundle.crt", load_system_file},   /* Fedora */
    {"/etc/ssl/ca-bundle.pem", load_system_file},             /* openSUSE */
    {"/etc/ssl/cert.pem", load_system_file},                  /* OpenBSD, Alpine */
    {"/etc/ssl/certs", load_system_folder},
};

static int load_usual(struct tls_blob **blobs, size_t *count, struct cdt_text_error *error)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const int status = places[i].load(places[i].path, blobs, count, NULL);
        if (status == 0 || status == -ENOMEM)
            return status;
    }
    return tls_why(error, -CDT_ETLSKEY, "the system has no trust anchors (ca-certificates)");
}

static const char *variable(const char *name)
{
    const char *text = secure_getenv(name);
    return text && *text ? text : NULL;
}

int tls_load_system(struct tls_blob **blobs, size_t *count, struct cdt_text_error *error)
{
    const char *file = variable("SSL_CERT_FILE"), *folders = variable("SSL_CERT_DIR");
    int status = 0;
    if (!file && !folders)
        return load_usual(blobs, count, error);
    if (file)
        status = load_system_file(file, blobs, count, error);
    if (status == 0 && folders)
        status = load_system_folders(folders, blobs, count, error);
    return status;
}
