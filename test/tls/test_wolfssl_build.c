/* The wolfSSL that tls/wolfssl.switches configures: what we rely on is in it, what costs memory is
 * not, its names are ours alone, and it shakes hands: TLS 1.3 in memory, then a resumption
 * by ticket. A connection at rest stays within 5 KB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#ifdef CDT_WOLFSSL_BUILT
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

/* ---- what is compiled in ---------------------------------------------------------------------- */

#if !defined WOLFSSL_TLS13 || defined WOLFSSL_NO_TLS12
#error "TLS 1.2 and 1.3 are both needed"
#endif
#if !defined NO_OLD_TLS
#error "TLS 1.1 is there"
#endif
#if !defined HAVE_SNI || !defined HAVE_ALPN || !defined HAVE_SESSION_TICKET
#error "an extension is missing: SNI, ALPN or tickets"
#endif
#if !defined HAVE_AESGCM || !defined HAVE_CHACHA || !defined HAVE_POLY1305
#error "a cipher is missing"
#endif
#if !defined HAVE_ECC || !defined HAVE_ED25519 || !defined HAVE_CURVE25519 || defined NO_RSA
#error "a kind of key is missing"
#endif
#if !defined WOLFSSL_ENCRYPTED_KEYS || !defined HAVE_CRL || !defined HAVE_OCSP
#error "encrypted keys, CRL or OCSP are missing"
#endif
#if !defined WOLFSSL_IP_ALT_NAME || !defined WOLFSSL_SYS_CA_CERTS
#error "addresses in certificates or the system's anchors are missing"
#endif
#if !defined WOLF_CRYPTO_CB || !defined HAVE_SECRET_CALLBACK || !defined HAVE_EXT_CACHE || \
    !defined WOLFSSL_ALWAYS_VERIFY_CB || !defined WOLFSSL_ALT_CERT_CHAINS
#error "a callback or a way to verify is missing"
#endif
#if defined OPENSSL_EXTRA || defined KEEP_PEER_CERT || defined SESSION_CERTS || \
    defined HAVE_SECURE_RENEGOTIATION || defined HAVE_NULL_CIPHER || defined WOLFSSL_STATIC_RSA
#error "something is there that costs memory or safety"
#endif
#if !defined WOLFSSL_SP_ASM || (defined __x86_64__ && !defined USE_INTEL_SPEEDUP)
#error "the assembler is missing"
#endif

/* ---- its memory ------------------------------------------------------------------------------- */

static size_t held; /* bytes that wolfSSL has now */

static void *count_malloc(size_t size)
{
    size_t *block = malloc(sizeof(max_align_t) + size);
    if (block == NULL)
        return NULL;
    *block = size;
    held += size;
    return (char *)block + sizeof(max_align_t);
}

static void count_free(void *data)
{
    if (data == NULL)
        return;
    size_t *block = (void *)((char *)data - sizeof(max_align_t));
    held -= *block;
    free(block);
}

static void *count_realloc(void *data, size_t size)
{
    void *fresh = count_malloc(size);
    if (fresh == NULL || data == NULL)
        return fresh;
    const size_t old = *(size_t *)(void *)((char *)data - sizeof(max_align_t));
    memcpy(fresh, data, old < size ? old : size);
    count_free(data);
    return fresh;
}

/* ---- two ends, and the bytes between them ----------------------------------------------------- */

struct pipe {
    size_t length, taken;
    char bytes[32768];
};

struct end {
    struct pipe *in, *out;
    WOLFSSL *ssl;
};

static int take(WOLFSSL *ssl, char *data, int size, void *context)
{
    struct pipe *pipe = ((struct end *)context)->in;
    const size_t left = pipe->length - pipe->taken;
    const size_t n = left < (size_t)size ? left : (size_t)size;

    (void)ssl;
    if (n == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(data, pipe->bytes + pipe->taken, n);
    pipe->taken += n;
    if (pipe->taken == pipe->length)
        pipe->taken = pipe->length = 0;
    return (int)n;
}

static int give(WOLFSSL *ssl, char *data, int size, void *context)
{
    struct pipe *pipe = ((struct end *)context)->out;

    (void)ssl;
    assert_true((size_t)size <= sizeof pipe->bytes - pipe->length);
    memcpy(pipe->bytes + pipe->length, data, (size_t)size);
    pipe->length += (size_t)size;
    return size;
}

/* Self-signed, P-256, CN and DNS name conduit.test, good until 2126; the key in plain and behind "open". */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnzCCAUSgAwIBAgIUJE/sR8c+zia5Q042nAIabEsLmzIwCgYIKoZIzj0EAwIw\n"
    "FzEVMBMGA1UEAwwMY29uZHVpdC50ZXN0MCAXDTI2MTEyMjAyMDgxOFoYDzIxMjYx\n"
    "MDI5MDIwODE4WjAXMRUwEwYDVQQDDAxjb25kdWl0LnRlc3QwWTATBgcqhkjOPQIB\n"
    "BggqhkjOPQMBBwNCAASX7wdeUtc6qnSHYw881w/dJE8Cd3/cZqk69B76hMb1A7rZ\n"
    "g4GQrDwQoNu5qyV6pxw7tNeElKFNskzVA2/FJvMfo2wwajAdBgNVHQ4EFgQUu20d\n"
    "AR8QVPKlHjAnOBjyk7sV4EQwHwYDVR0jBBgwFoAUu20dAR8QVPKlHjAnOBjyk7sV\n"
    "4EQwFwYDVR0RBBAwDoIMY29uZHVpdC50ZXN0MA8GA1UdEwEB/wQFMAMBAf8wCgYI\n"
    "KoZIzj0EAwIDSQAwRgIhAO8xJ6VlxpnTsjjEyG060MpOSZWjwfUZgdph3r4yHNcd\n"
    "AiEAgtqRzf8JqpJOmvzBINYnRHs2ojUkbhwDz255KaofVUU=\n"
    "-----END CERTIFICATE-----\n";
static const char key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                          "MHcCAQEEIIV6GZQLzemTH2Qnd8At+SeZApFX7LZ2My6uK5Rt0rc7oAoGCCqGSM49\n"
                          "AwEHoUQDQgAEl+8HXlLXOqp0h2MPPNcP3SRPAnd/3GapOvQe+oTG9QO62YOBkKw8\n"
                          "EKDbuasleqccO7TXhJShTbJM1QNvxSbzHw==\n"
                          "-----END EC PRIVATE KEY-----\n";
static const char locked_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgjRYAY1Yz1BAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKWHZar49uND3MhZE+jbg8AEgZC3\n"
    "DLoQ/elKhYhKtGfq3V0YQpb2rGt1QUQ66knIoA/aQTO7P5vm8bLR/H5rNko6xJBu\n"
    "NznU7doetF8xQoCrvgJhCwgfsQVqwY6j+OrHr4bfGy//nQBo32gRTM93+rOFabfI\n"
    "kDquVEMkLYzwssNYSZNwVv4p41f1A0cPNpCgBUTE/z9IwhdjaGXm+l094LzZmkQ=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static int password(char *text, int size, int writing, void *context)
{
    (void)writing;
    assert_true(size > 4);
    memcpy(text, context, 5);
    return 4;
}

static int use_key(WOLFSSL_CTX *context, const char *pem)
{
    return wolfSSL_CTX_use_PrivateKey_buffer(context, (const unsigned char *)pem, (long)strlen(pem),
                                             WOLFSSL_FILETYPE_PEM);
}

struct world {
    WOLFSSL_CTX *client_context, *server_context;
    struct pipe up, down;
    struct end client, server;
};

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    assert_int_equal(wolfSSL_SetAllocators(count_malloc, count_free, count_realloc), 0);
    assert_int_equal(wolfSSL_Init(), WOLFSSL_SUCCESS);
    world->client_context = wolfSSL_CTX_new(wolfTLS_client_method());
    world->server_context = wolfSSL_CTX_new(wolfTLS_server_method());
    assert_non_null(world->client_context);
    assert_non_null(world->server_context);
    assert_int_equal(wolfSSL_CTX_use_certificate_buffer(
                         world->server_context, (const unsigned char *)certificate,
                         sizeof certificate - 1, WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    assert_int_equal(use_key(world->server_context, key), WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_CTX_load_verify_buffer(world->client_context,
                                                    (const unsigned char *)certificate,
                                                    sizeof certificate - 1, WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    WOLFSSL_CTX *both[] = {world->client_context, world->server_context};
    for (int i = 0; i < 2; i++) {
        wolfSSL_CTX_SetIORecv(both[i], take);
        wolfSSL_CTX_SetIOSend(both[i], give);
    }
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;

    wolfSSL_CTX_free(world->client_context);
    wolfSSL_CTX_free(world->server_context);
    wolfSSL_Cleanup();
    free(world);
    assert_int_equal(held, 0);
    return 0;
}

static void connect_ends(struct world *world, WOLFSSL_SESSION *session)
{
    world->up = world->down = (struct pipe){0};
    world->client = (struct end){&world->down, &world->up, wolfSSL_new(world->client_context)};
    world->server = (struct end){&world->up, &world->down, wolfSSL_new(world->server_context)};
    struct end *both[] = {&world->client, &world->server};
    for (int i = 0; i < 2; i++) {
        assert_non_null(both[i]->ssl);
        wolfSSL_SetIOReadCtx(both[i]->ssl, both[i]);
        wolfSSL_SetIOWriteCtx(both[i]->ssl, both[i]);
    }
    assert_int_equal(wolfSSL_UseSNI(world->client.ssl, WOLFSSL_SNI_HOST_NAME, "conduit.test", 12),
                     WOLFSSL_SUCCESS);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            wolfSSL_UseALPN(both[i]->ssl, (char[]){"echo"}, 4, WOLFSSL_ALPN_FAILED_ON_MISMATCH),
            WOLFSSL_SUCCESS);
    if (session != NULL)
        assert_int_equal(wolfSSL_set_session(world->client.ssl, session), WOLFSSL_SUCCESS);
    int connected = 0, accepted = 0;
    for (int turn = 0; turn < 10 && !(connected && accepted); turn++) {
        connected = connected || wolfSSL_connect(world->client.ssl) == WOLFSSL_SUCCESS;
        accepted = accepted || wolfSSL_accept(world->server.ssl) == WOLFSSL_SUCCESS;
    }
    assert_true(connected && accepted);
}

static void echo(const struct world *world)
{
    char text[6] = "";

    assert_int_equal(wolfSSL_write(world->client.ssl, "hello", 6), 6);
    assert_int_equal(wolfSSL_read(world->server.ssl, text, sizeof text), 6);
    assert_int_equal(wolfSSL_write(world->server.ssl, text, 6), 6);
    assert_int_equal(wolfSSL_read(world->client.ssl, text, sizeof text), 6);
    assert_string_equal(text, "hello");
}

static void disconnect_ends(const struct world *world)
{
    wolfSSL_free(world->client.ssl);
    wolfSSL_free(world->server.ssl);
}

static void test_handshake(void **state)
{
    struct world *world = *state;
    char *protocol = NULL;
    unsigned short length = 0;

    connect_ends(world, NULL);
    assert_string_equal(wolfSSL_get_version(world->server.ssl), "TLSv1.3");
    assert_non_null(strstr(wolfSSL_get_cipher_name(world->server.ssl), "AES"));
    assert_int_equal(wolfSSL_ALPN_GetProtocol(world->server.ssl, &protocol, &length),
                     WOLFSSL_SUCCESS);
    assert_int_equal(length, 4);
    assert_memory_equal(protocol, "echo", 4);
    echo(world);
    disconnect_ends(world);
}

static void test_resumption(void **state)
{
    struct world *world = *state;

    connect_ends(world, NULL);
    echo(world); /* the ticket comes before the answer */
    WOLFSSL_SESSION *session = wolfSSL_get1_session(world->client.ssl);
    assert_non_null(session);
    disconnect_ends(world);
    connect_ends(world, session);
    assert_true(wolfSSL_session_reused(world->server.ssl));
    echo(world);
    disconnect_ends(world);
    wolfSSL_SESSION_free(session);
}

static void test_memory(void **state)
{
    struct world *world = *state;

    connect_ends(world, NULL);
    echo(world);
    const size_t before = held;
    wolfSSL_free(world->server.ssl);
    print_message("a connection of a server at rest holds %zu bytes\n", before - held);
    assert_true(before - held <= (size_t)5 * 1024);
    wolfSSL_free(world->client.ssl);
}

static void test_locked_key(void **state)
{
    struct world *world = *state;

    assert_int_not_equal(use_key(world->server_context, locked_key), WOLFSSL_SUCCESS);
    wolfSSL_CTX_set_default_passwd_cb(world->server_context, password);
    wolfSSL_CTX_set_default_passwd_cb_userdata(world->server_context, (char[]){"shut"});
    assert_int_not_equal(use_key(world->server_context, locked_key), WOLFSSL_SUCCESS);
    wolfSSL_CTX_set_default_passwd_cb_userdata(world->server_context, (char[]){"open"});
    assert_int_equal(use_key(world->server_context, locked_key), WOLFSSL_SUCCESS);
}

/* Another wolfSSL in the same program is none of our business, nor is ours of its. */
extern int another_new(void) __asm__("wolfSSL_new");
int another_new(void)
{
    return 7;
}

static void test_names(void **state)
{
    struct world *world = *state;
    WOLFSSL *ssl = wolfSSL_new(world->server_context);

    assert_non_null(ssl);
    wolfSSL_free(ssl);
    assert_int_equal(another_new(), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handshake, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_resumption, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_memory, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_locked_key, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_names, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_handshake(void **state)
{
    (void)state;
    print_message("this is built with another wolfSSL, or none\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_handshake)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
