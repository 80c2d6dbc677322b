/* For tests of configurations: certificates and keys in files of a folder, made by the openssl
 * command.
 *   NAME.crt, NAME.key   for a.test, b.test (and *.b.test), signed by themselves: P-256
 *   ca.crt, ca.key       an anchor; ca.crl: its list of revoked certificates, empty
 *   both.pem             certificate and key of a.test
 *   locked.key           the key of a.test, encrypted (PKCS#8, AES): the password is "secret"
 *   anchors/             ca.crt and b.crt
 *   junk.pem             a certificate of nonsense in PEM, and ca.crt behind it */
#ifndef TEST_TLS_KEYS_H
#define TEST_TLS_KEYS_H

#include <stdlib.h>
#include <sys/wait.h>

#include <conduit/tls.h>

#include "test/support/serve.h"

static char keys_folder[64];

static const char keys_script[] =
    "set -e; cd \"$0\"; exec >log 2>&1\n"
    "new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 "
    "-subj \"/CN=$1\" -addext \"$2\" -keyout \"$1.key\" -out \"$1.crt\"; }\n"
    "new a subjectAltName=DNS:a.test\n"
    "new b subjectAltName=DNS:b.test,DNS:*.b.test\n"
    "new ca keyUsage=keyCertSign,cRLSign\n"
    "cat a.crt a.key >both.pem\n"
    "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -passout pass:secret -in a.key "
    "-out locked.key\n"
    "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\ndefault_md=sha256\\n' >crl.cnf\n"
    "touch index; openssl ca -config crl.cnf -gencrl -crldays 9 -keyfile ca.key -cert ca.crt "
    "-out ca.crl\n"
    "mkdir anchors; cp ca.crt b.crt anchors/\n"
    "{ printf -- '-----BEGIN CERTIFICATE-----\\nMAMCAQA=\\n-----END CERTIFICATE-----\\n'; "
    "cat ca.crt; } >junk.pem\n";

/* False, and said so, if the command is not there. */
static inline bool keys_make(void)
{
    test_folder(keys_folder);
    const pid_t pid = fork();
    int status;
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("sh", "sh", "-c", keys_script, keys_folder, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status == 0)
        return true;
    print_message("SKIPPED: the openssl command cannot make certificates\n");
    return false;
}

static inline void keys_missing(void **state)
{
    (void)state;
    skip();
}

static inline int keys_run_count(const struct CMUnitTest *tests, size_t count)
{
    const struct CMUnitTest nothing[] = {cmocka_unit_test(keys_missing)};
    bool ready = cdt_tls_built_in(CDT_TLS_WOLFSSL) || cdt_tls_built_in(CDT_TLS_OPENSSL);
    if (!ready)
        print_message("SKIPPED: no TLS backend is built in\n");
    ready = ready && keys_make();
    const int failed = ready ? _cmocka_run_group_tests("tests", tests, count, NULL, NULL)
                             : cmocka_run_group_tests(nothing, NULL, NULL);
    if (*keys_folder)
        test_folder_remove(keys_folder);
    return failed;
}

/* Runs the tests of main(), with their files; all are skipped, and it is said why, where that
 * cannot be. */
#define keys_run(tests) keys_run_count(tests, sizeof(tests) / sizeof *(tests))

static inline const char *keys_path(const char *name)
{
    static char paths[8][96]; /* so many in one expression */
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", keys_folder, name);
    return path;
}

static inline char *keys_text(const char *name)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(keys_path(name), "re");
    assert_true(text && file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static inline void keys_copy(const char *from, const char *to)
{
    char *text = keys_text(from);
    FILE *file = fopen(keys_path(to), "we");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    free(text);
}

#endif
