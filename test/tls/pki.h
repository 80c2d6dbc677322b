/* For tests: the certificates of test/tls/pki.py, made once into a folder of the test program's own.
 * pki_make and pki_remove are the group's setup and teardown. */
#ifndef TEST_TLS_PKI_H
#define TEST_TLS_PKI_H

#include <sys/wait.h>

#include "test/support/serve.h"

static char pki_folder[64];

static inline int pki_make(void **state)
{
    (void)state;
    int status;
    test_folder(pki_folder);
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("python3", "python3", "-B", "test/tls/pki.py", pki_folder, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
        fprintf(stderr, "python3 test/tls/pki.py (in %s) has failed\n", getenv("PWD"));
        return -1;
    }
    return 0;
}

static inline int pki_remove(void **state)
{
    (void)state;
    test_folder_remove(pki_folder);
    return 0;
}

/* The path of one of its files, good until the program ends. */
static inline const char *pki(const char *name)
{
    static char paths[200][160];
    static size_t count;
    char path[160];
    snprintf(path, sizeof path, "%s/%s", pki_folder, name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    }
    assert_true(count < sizeof paths / sizeof *paths);
    memcpy(paths[count], path, sizeof path);
    return paths[count++];
}

/* "p256" -> its p256.pem. */
static inline const char *pki_cert(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    return pki(file);
}

static inline const char *pki_key(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.key", name);
    return pki(file);
}

/* What a file holds, to be freed. */
static inline char *pki_read(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_in_range(fread(text, 1, 65535, file), 1, 65534);
    fclose(file);
    return text;
}

/* Puts a file in the place of another, in one step. */
static inline void pki_copy(const char *from, const char *to)
{
    char *text = pki_read(from), fresh[170];
    snprintf(fresh, sizeof fresh, "%s.new", to);
    FILE *file = fopen(fresh, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, to), 0);
    free(text);
}

#endif
