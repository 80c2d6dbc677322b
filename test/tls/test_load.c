/* Texts of files and folders, and their PEM blocks: what is read, what is passed over, what is an
 * error, and that nothing in the place of a file can stop us. */
#include <fcntl.h>
#include <sys/stat.h>

#include "test/support/serve.h"
#include "tls/config.h"

#define COUNT(a)       (sizeof(a) / sizeof *(a))
#define CERTIFICATE(x) "-----BEGIN CERTIFICATE-----\n" x "\n-----END CERTIFICATE-----\n"
#define REVOCATION     "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
#define FILE_LIMIT     ((size_t)4 << 20)

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    test_folder(folder);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    return test_fds_remember(state);
}

static int remove_folder(void **state)
{
    test_folder_remove(folder);
    return test_fds_same(state);
}

static const char *in_folder(const char *name)
{
    static char paths[4][160]; /* so many in one expression */
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const void *bytes, size_t length)
{
    const int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void put_text(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

/* ---- files ----------------------------------------------------------------------------------- */

static void a_file_is_read_whole(void **state)
{
    static const char bytes[] = "one\0two";
    struct tls_blob blob;
    (void)state;
    put_file("some", bytes, sizeof bytes - 1);
    assert_int_equal(tls_load_file(in_folder("some"), &blob, NULL), 0);
    assert_int_equal(blob.length, sizeof bytes - 1);
    assert_memory_equal(blob.text, bytes, sizeof bytes); /* with a 0 behind it */
    assert_string_equal(blob.source, in_folder("some"));
    assert_false(blob.lenient);
    tls_blob_fini(&blob);
    put_text("empty", "");
    assert_int_equal(tls_load_file(in_folder("empty"), &blob, NULL), 0);
    assert_int_equal(blob.length, 0);
    assert_string_equal(blob.text, "");
    tls_blob_fini(&blob);
    tls_blob_fini(&blob); /* nothing is left to be freed */
}

/* Files of /proc say that they are empty. */
static void a_file_may_be_longer_than_it_says(void **state)
{
    struct tls_blob blob;
    (void)state;
    assert_int_equal(tls_load_file("/proc/self/status", &blob, NULL), 0);
    assert_true(blob.length > 100);
    assert_int_equal(blob.text[blob.length], 0);
    assert_int_equal(strlen(blob.text), blob.length);
    tls_blob_fini(&blob);
}

static void the_limit_is_4_mib(void **state)
{
    struct cdt_text_error error = {0};
    struct tls_blob blob;
    char sentence[200];
    (void)state;
    put_text("large", "");
    assert_int_equal(truncate(in_folder("large"), FILE_LIMIT), 0);
    assert_int_equal(tls_load_file(in_folder("large"), &blob, &error), 0);
    assert_int_equal(blob.length, FILE_LIMIT);
    tls_blob_fini(&blob);
    assert_int_equal(truncate(in_folder("large"), FILE_LIMIT + 1), 0);
    assert_int_equal(tls_load_file(in_folder("large"), &blob, &error), -EFBIG);
    assert_null(blob.text);
    snprintf(sentence, sizeof sentence, "%s: larger than 4 MiB", in_folder("large"));
    assert_string_equal(error.text, sentence);
}

static void what_is_no_file_is_an_error(void **state)
{
    static const struct {
        const char *name;
        int status;
        const char *why;
    } rows[] = {
        {"missing", -ENOENT, "no such file or directory"},
        {"pipe", -EINVAL, "not a regular file"},
        {"link", -ENOENT, "no such file or directory"},
        {"loop", -ELOOP, NULL},
        {".", -EISDIR, NULL},
        {"text/below", -ENOTDIR, NULL},
    };
    (void)state;
    put_text("text", "x");
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(symlink("nowhere", in_folder("link")), 0);
    assert_int_equal(symlink("loop", in_folder("loop")), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cdt_text_error error = {0};
        struct tls_blob blob;
        char sentence[200];
        assert_int_equal(tls_load_file(in_folder(rows[i].name), &blob, &error), rows[i].status);
        snprintf(sentence, sizeof sentence, "%s: %s", in_folder(rows[i].name),
                 rows[i].why ? rows[i].why : cdt_strerror(rows[i].status));
        assert_string_equal(error.text, sentence);
    }
    struct tls_blob blob;
    assert_int_equal(tls_load_file("/dev/null", &blob, NULL), -EINVAL);
}

/* As somebody who may not. */
static int reads_nothing(void)
{
    struct cdt_text_error error = {0};
    struct tls_blob blob;
    if (geteuid() == 0 && setuid(65534) != 0)
        return 77;
    if (tls_load_file(in_folder("secret"), &blob, &error) != -EACCES)
        return 1;
    return strstr(error.text, "secret: permission denied") == NULL;
}

static void a_file_that_may_not_be_read(void **state)
{
    (void)state;
    put_text("secret", "x");
    assert_int_equal(chmod(in_folder("secret"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    if (test_in_child(reads_nothing) == 77) {
        print_message("SKIPPED: root reads everything, and cannot become another user here\n");
        skip();
    }
}

/* ---- folders --------------------------------------------------------------------------------- */

static void a_folder_gives_its_certificates(void **state)
{
    struct tls_blob *blobs = NULL, given;
    size_t count = 0;
    (void)state;
    put_text("b.pem", "text before\n" CERTIFICATE("BBBB"));
    put_text("c.pem", CERTIFICATE("CCCC") CERTIFICATE("DDDD"));
    put_text("a.crt", CERTIFICATE("AAAA"));
    put_text("copy.pem", CERTIFICATE("AAAA"));
    put_text(".hidden", CERTIFICATE("HHHH"));
    put_text("README", "no certificate at all");
    put_text("crl.pem", REVOCATION);
    put_text("empty", "");
    assert_int_equal(symlink("b.pem", in_folder("0123abcd.0")), 0);
    assert_int_equal(symlink("gone.pem", in_folder("4567abcd.0")), 0);
    assert_int_equal(mkdir(in_folder("more"), 0700), 0);
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(tls_load_text("mine", "before", &given), 0);
    assert_int_equal(tls_blob_append(&given, &blobs, &count), 0);

    assert_int_equal(tls_load_folder(folder, &blobs, &count, NULL), 0);
    assert_int_equal(count, 4);
    assert_string_equal(blobs[0].text, "mine");
    assert_string_equal(blobs[1].source, in_folder("0123abcd.0"));
    assert_string_equal(blobs[1].text, "text before\n" CERTIFICATE("BBBB"));
    assert_string_equal(blobs[2].source, in_folder("a.crt"));
    assert_string_equal(blobs[3].source, in_folder("c.pem"));
    for (size_t i = 0; i < count; i++)
        assert_false(blobs[i].lenient);
    tls_blobs_free(blobs, count);
}

static void expect_no_folder(const char *path, int status, const char *why)
{
    struct cdt_text_error error = {0};
    struct tls_blob *blobs = NULL;
    char sentence[200];
    size_t count = 0;
    assert_int_equal(tls_load_folder(path, &blobs, &count, &error), status);
    assert_null(blobs);
    assert_int_equal(count, 0);
    snprintf(sentence, sizeof sentence, "%s: %s", path, why);
    assert_string_equal(error.text, sentence);
}

static void a_folder_without_certificates_is_an_error(void **state)
{
    (void)state;
    expect_no_folder(folder, -CDT_ETLSKEY, "no certificate (PEM) in its files");
    put_text("crl.pem", REVOCATION);
    expect_no_folder(folder, -CDT_ETLSKEY, "no certificate (PEM) in its files");
    expect_no_folder(in_folder("missing"), -ENOENT, "no such file or directory");
    expect_no_folder(in_folder("crl.pem"), -ENOTDIR, cdt_strerror(ENOTDIR));
}

static void a_folder_is_bounded(void **state)
{
    struct cdt_text_error error = {0};
    struct tls_blob *blobs = NULL;
    size_t count = 0;
    (void)state;
    for (int i = 0; i < 6; i++) { /* 24 MiB, nearly all of it holes; none like another */
        char name[16];
        snprintf(name, sizeof name, "%d.pem", i);
        put_text(name, CERTIFICATE("AAAA"));
        assert_int_equal(truncate(in_folder(name), (off_t)FILE_LIMIT - i), 0);
    }
    assert_int_equal(tls_load_folder(folder, &blobs, &count, &error), -EFBIG);
    assert_null(blobs);
    put_text("5.pem", CERTIFICATE("AAAA"));
    assert_int_equal(truncate(in_folder("5.pem"), FILE_LIMIT + 1), 0);
    for (int i = 0; i < 5; i++)
        unlink(in_folder((char[]){(char)('0' + i), '.', 'p', 'e', 'm', 0}));
    assert_int_equal(tls_load_folder(folder, &blobs, &count, &error), -EFBIG);
    assert_non_null(strstr(error.text, "5.pem: larger than 4 MiB"));
}

/* ---- the system's anchors -------------------------------------------------------------------- */

static void expect_system(int status, size_t expected, const char *text)
{
    struct cdt_text_error error = {0};
    struct tls_blob *blobs = NULL;
    size_t count = 0;
    assert_int_equal(tls_load_system(&blobs, &count, &error), status);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++)
        assert_true(blobs[i].lenient);
    if (text)
        assert_non_null(strstr(status ? error.text : blobs[count - 1].text, text));
    tls_blobs_free(blobs, count);
}

static void the_environment_names_the_systems_anchors(void **state)
{
    char list[400];
    (void)state;
    assert_int_equal(mkdir(in_folder("one"), 0700), 0);
    assert_int_equal(mkdir(in_folder("two"), 0700), 0);
    put_text("one/a.pem", CERTIFICATE("AAAA"));
    put_text("one/large.pem", "x");
    assert_int_equal(truncate(in_folder("one/large.pem"), FILE_LIMIT + 1), 0); /* passed over */
    put_text("two/b.pem", CERTIFICATE("BBBB"));
    put_text("bundle.pem", CERTIFICATE("CCCC"));

    setenv("SSL_CERT_DIR", in_folder("one"), 1);
    expect_system(0, 1, "AAAA");
    snprintf(list, sizeof list, "%s:%s:%s", in_folder("one"), in_folder("missing"),
             in_folder("two"));
    setenv("SSL_CERT_DIR", list, 1);
    expect_system(0, 2, "BBBB");
    setenv("SSL_CERT_FILE", in_folder("bundle.pem"), 1);
    expect_system(0, 3, "BBBB");
    setenv("SSL_CERT_DIR", "", 1); /* as if it were not there */
    expect_system(0, 1, "CCCC");
}

static void anchors_that_are_named_must_be_there(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", in_folder("missing"), 1);
    expect_system(-ENOENT, 0, "missing: no such file or directory");
    put_text("crl.pem", REVOCATION);
    setenv("SSL_CERT_FILE", in_folder("crl.pem"), 1);
    expect_system(-CDT_ETLSKEY, 0, "crl.pem: no certificate (PEM) in it");
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", in_folder("missing"), 1);
    expect_system(-ENOENT, 0, "missing: no such file or directory");
    setenv("SSL_CERT_DIR", ":", 1);
    expect_system(-CDT_ETLSKEY, 0, NULL);
}

static void the_system_has_anchors(void **state)
{
    struct tls_blob *blobs = NULL;
    size_t count = 0;
    (void)state;
    if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0) {
        print_message("SKIPPED: there is no /etc/ssl/certs/ca-certificates.crt\n");
        skip();
    }
    assert_int_equal(tls_load_system(&blobs, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(blobs[0].source, "/etc/ssl/certs/ca-certificates.crt");
    assert_true(blobs[0].lenient);
    tls_blobs_free(blobs, count);
}

/* ---- PEM ------------------------------------------------------------------------------------- */

static void blocks_are_found(void **state)
{
    static const char a[] = "-----BEGIN A-----\nx\n-----END A-----";
    static const char b[] = "-----BEGIN B B-----\r\ny\r\n-----END B B-----";
    static const struct {
        const char *text, *label;
        const char *blocks[3];
    } rows[] = {
        {"", NULL, {NULL}},
        {"-----BEGIN A-----\nx\n-----END A-----", NULL, {a}},
        {"-----BEGIN A-----\nx\n-----END A-----\n-----BEGIN B B-----\r\ny\r\n-----END B B-----\r\n",
         NULL,
         {a, b}},
        {"-----BEGIN A-----\nx\n-----END A-----\n-----BEGIN B B-----\r\ny\r\n-----END B B-----\r\n",
         "B B",
         {b}},
        {"-----BEGIN A-----\nx\n-----END A-----", "B", {NULL}},
        {"-----BEGIN A-----\nx\n-----END A-----", "A ", {NULL}},
        {"text\n-----BEGIN A-----\nx\n-----END A-----text", NULL, {a}},
        {"text-----BEGIN A-----\nx\n-----END A-----", NULL, {NULL}},
        {"-----BEGIN A-----\nx\n-----END B-----\n", NULL, {NULL}},
        {"-----BEGIN A-----\nx\n", NULL, {NULL}},
        {"-----BEGIN A-----\nx\n-----END A----", NULL, {NULL}},
        {"-----BEGIN A\n-----\nx\n-----END A-----", NULL, {NULL}},
        {"-----BEGIN B-----\n-----BEGIN A-----\nx\n-----END A-----", NULL, {a}},
        {"-----END A-----\n-----BEGIN A-----\nx\n-----END A-----\n-----END A-----", NULL, {a}},
        {"------BEGIN A-----\nx\n-----END A-----", NULL, {NULL}},
        {"----------\n-----BEGIN A-----\nx\n-----END A-----", NULL, {a}},
        {"-----BEGIN A-----\nx\n-----END A-----\n-----BEGIN A-----\nx\n-----END A-----\n",
         "A",
         {a, a}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const size_t size = strlen(rows[i].text);
        char *text = malloc(size + !size); /* no 0 behind it */
        const char *at = text, *block;
        size_t length, found = 0;
        assert_non_null(text);
        memcpy(text, rows[i].text, size);
        while (tls_pem_next(&at, text + size, rows[i].label, &block, &length)) {
            const char *expected = found < 3 ? rows[i].blocks[found] : NULL;
            if (!expected) {
                fail_msg("row %zu: more than %zu blocks were found", i, found);
                break;
            }
            assert_int_equal(length, strlen(expected));
            assert_memory_equal(block, expected, length);
            assert_ptr_equal(at, block + length);
            found++;
        }
        if (found < 3 && rows[i].blocks[found])
            fail_msg("row %zu: block %zu was not found", i, found);
        free(text);
    }
}

/* 4 MiB of what never becomes a block: this ends, and soon. */
static void a_hostile_text_costs_no_more_than_its_length(void **state)
{
    static const char *const pieces[] = {
        "-----BEGIN A-----\n", "-----",           "\n-----",
        "-----BEGIN ",         "\n-----BEGIN \n", "-----END A-----\n",
    };
    char *text = malloc(FILE_LIMIT);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        const size_t piece = strlen(pieces[i]);
        const char *at = text, *block;
        size_t length;
        for (size_t j = 0; j < FILE_LIMIT; j++)
            text[j] = pieces[i][j % piece];
        const uint64_t begin = test_now();
        assert_false(tls_pem_next(&at, text + FILE_LIMIT, NULL, &block, &length));
        assert_true(test_now() - begin < 20 * CDT_SECOND);
    }
    free(text);
}

#define folder_test(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(a_file_is_read_whole),
        folder_test(a_file_may_be_longer_than_it_says),
        folder_test(the_limit_is_4_mib),
        folder_test(what_is_no_file_is_an_error),
        folder_test(a_file_that_may_not_be_read),
        folder_test(a_folder_gives_its_certificates),
        folder_test(a_folder_without_certificates_is_an_error),
        folder_test(a_folder_is_bounded),
        folder_test(the_environment_names_the_systems_anchors),
        folder_test(anchors_that_are_named_must_be_there),
        folder_test(the_system_has_anchors),
        cmocka_unit_test(blocks_are_found),
        cmocka_unit_test(a_hostile_text_costs_no_more_than_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
