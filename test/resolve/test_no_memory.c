/* Texts without memory: each allocation of each reader fails once; the answer is -ENOMEM with a
 * sentence, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <conduit/memory.h>
#include <conduit/mode.h>
#include <conduit/uri.h>

static int left;     /* allocations that still succeed */
static int in_use;   /* blocks */
static int attempts; /* that failed */

static void *allocate(size_t size)
{
    void *memory = left-- > 0 ? malloc(size) : NULL;
    in_use += memory != NULL;
    return memory;
}

static void *resize(void *memory, size_t size)
{
    void *moved = left-- > 0 ? realloc(memory, size) : NULL;
    in_use += moved && !memory;
    return moved;
}

static void release(void *memory)
{
    in_use -= memory != NULL;
    free(memory);
}

enum what { ENDP, URI, SERVICE, CLIENT, SERVER, KEY };

static int read_text(enum what what, const char *text, struct cdt_text_error *error)
{
    struct cdt_endp *endp = NULL;
    struct cdt_uri *uri = NULL;
    struct cdt_client_mode *client = NULL;
    struct cdt_server_mode *server = NULL;
    struct cdt_own_key *key = NULL;
    struct cdt_service service;
    const int status = what == ENDP      ? cdt_endp_parse(text, &endp, error)
                       : what == URI     ? cdt_uri_parse(text, &uri, error)
                       : what == SERVICE ? cdt_service_parse(text, &service, error)
                       : what == CLIENT  ? cdt_client_mode_parse(text, &client, error)
                       : what == SERVER  ? cdt_server_mode_parse(text, &server, error)
                                         : cdt_own_key_parse(text, &key, error);
    cdt_endp_free(endp);
    cdt_uri_free(uri);
    cdt_client_mode_free(client);
    cdt_server_mode_free(server);
    cdt_own_key_free(key);
    return status;
}

static const struct row {
    enum what what;
    const char *text;
} rows[] = {
    {ENDP, "(TLS (h (TLS (h (TCP (1.2.3.4 80))))))"},
    {ENDP, "tls+tls+unix:/x"},
    {ENDP, "(TLS (h tcp:a:1))"},
    {ENDP, "(Launchd x)"},
    {URI, "http://a/b"},
    {URI, "http://b\303\274cher/"},
    {URI, "http://[fe80::1%lo]/"},
    {SERVICE, "((name http) (port 80) (tls false))"},
    {CLIENT, "(TLS ((Hostname h) (IP 1.2.3.4) (Port 443)))"},
    {CLIENT, "(Vchan_direct ((Domid 1) (Port p)))"},
    {SERVER, "(TLS ((Crt_file_path c) (Key_file_path k) No_password (Port 443)))"},
    {SERVER, "(Launchd n)"},
    {KEY, "None"},
    {KEY, "(TLS ((Crt_file_path c) (Key_file_path k) No_password))"},
};

static void test_readers(void **state)
{
    (void)state;
    assert_int_equal(cdt_set_allocator(allocate, resize, release), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int allowed = 0;; allowed++) {
            struct cdt_text_error error;
            left = allowed;
            const int status = read_text(rows[i].what, rows[i].text, &error);
            assert_int_equal(in_use, 0);
            if (status == 0)
                break;
            if (status != -ENOMEM || !strstr(error.text, "not enough memory"))
                fail_msg("%s: %d, %s", rows[i].text, status, error.text);
            attempts++;
        }
    }
    assert_true(attempts >= (int)(sizeof rows / sizeof *rows));
    print_message("%d allocations failed\n", attempts);
}

static void test_conversions(void **state)
{
    (void)state;
    const struct cdt_own_key key = {"c", "k", false};
    struct cdt_client_mode *client = NULL;
    struct cdt_server_mode *server = NULL;
    struct cdt_endp *endp;
    struct cdt_text_error error;
    left = 100;
    assert_int_equal(cdt_endp_parse("tls:1.2.3.4:5", &endp, NULL), 0);
    const int before = in_use;
    for (int allowed = 0; allowed < 3; allowed++) {
        left = allowed;
        assert_int_equal(cdt_endp_to_client(endp, &client, &error), -ENOMEM);
        left = allowed;
        assert_int_equal(cdt_endp_to_server(endp, &key, &server, &error), -ENOMEM);
        assert_int_equal(in_use, before);
    }
    left = 3;
    assert_int_equal(cdt_endp_to_client(endp, &client, &error), 0);
    left = 3;
    assert_int_equal(cdt_endp_to_server(endp, &key, &server, &error), 0);
    cdt_client_mode_free(client);
    cdt_server_mode_free(server);
    cdt_endp_free(endp);
    assert_int_equal(in_use, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_conversions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
