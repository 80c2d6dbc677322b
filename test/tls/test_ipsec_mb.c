/* AES-GCM of intel-ipsec-mb under wolfSSL: the same bytes as wolfSSL's own for every length, from and
 * into memory that ends where they do; wrong tags, after which nothing of the text is left; what is
 * given back; and several threads. test_ipsec_mb_records.c sends records through it. */
#include "test/tls/engines.h"

#include <assert.h>
#include <pthread.h>
#include <sys/mman.h>

#ifdef CDT_HAVE_IPSEC_MB
#include "tls/wolfssl.h"
#include "tls/wolfssl_ipsec_mb.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

enum { LEAST = WOLFSSL_IPSEC_MB_LEAST, MOST = 17000, NONCE = 12, TAG = 16, EXTRA = 300 };

/* ---- one record ------------------------------------------------------------------------------ */

static const word32 key_sizes[] = {16, 32};
#define for_keys(i) for (size_t(i) = 0; (i) < sizeof key_sizes / sizeof *key_sizes; (i)++)

struct record {
    Aes own, device; /* the same key, by wolfSSL itself, and by the device */
    uint8_t nonce[NONCE], extra[EXTRA], tag[TAG];
    word32 extra_size;
};

static uint8_t text[MOST];

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static void set_key(Aes *aes, int device, const uint8_t *key, word32 size)
{
    assert_int_equal(wc_AesInit(aes, NULL, device), 0);
    assert_int_equal(wc_AesGcmSetKey(aes, key, size), 0);
}

static void record_begin(struct record *record, word32 key_size, unsigned seed)
{
    uint8_t key[32];
    memset(record, 0, sizeof *record);
    fill(key, sizeof key, seed);
    fill(record->nonce, NONCE, seed + 1);
    fill(record->extra, EXTRA, seed + 2);
    record->extra_size = 13;
    set_key(&record->own, INVALID_DEVID, key, key_size);
    set_key(&record->device, WOLFSSL_IPSEC_MB, key, key_size);
}

static void record_end(struct record *record)
{
    wc_AesFree(&record->own);
    wc_AesFree(&record->device);
}

static wc_CryptoInfo question(struct record *record, bool encrypts, uint8_t *out, const uint8_t *in,
                              word32 size)
{
    wc_CryptoInfo info;
    memset(&info, 0, sizeof info);
    info.algo_type = WC_ALGO_TYPE_CIPHER;
    info.cipher.type = WC_CIPHER_AES_GCM;
    info.cipher.enc = encrypts;
    info.cipher.aesgcm_enc.aes = &record->device;
    info.cipher.aesgcm_enc.out = out;
    info.cipher.aesgcm_enc.in = in;
    info.cipher.aesgcm_enc.sz = size;
    info.cipher.aesgcm_enc.iv = record->nonce;
    info.cipher.aesgcm_enc.ivSz = NONCE;
    info.cipher.aesgcm_enc.authTag = record->tag; /* both forms have the same members */
    info.cipher.aesgcm_enc.authTagSz = TAG;
    info.cipher.aesgcm_enc.authIn = record->extra_size ? record->extra : NULL;
    info.cipher.aesgcm_enc.authInSz = record->extra_size;
    return info;
}

static int ask(wc_CryptoInfo info)
{
    return wolfssl_ipsec_mb_crypt(WOLFSSL_IPSEC_MB, &info, NULL);
}

static int crypt_by_device(struct record *record, bool encrypts, uint8_t *out, const uint8_t *in,
                           word32 size)
{
    return ask(question(record, encrypts, out, in, size));
}

static void encrypt_by_own(struct record *record, uint8_t *out, const uint8_t *in, word32 size,
                           uint8_t tag[TAG])
{
    assert_int_equal(wc_AesGcmEncrypt(&record->own, out, in, size, record->nonce, NONCE, tag, TAG,
                                      record->extra, record->extra_size),
                     0);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Memory with none behind it. Its end. */
static uint8_t *edge(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (MOST / page + 1) * page;
    uint8_t *memory =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mprotect(memory + size, page, PROT_NONE), 0);
    return memory + size;
}

static void needs_processor(void)
{
    if (wolfssl_ipsec_mb_fits())
        return;
    assert_int_equal(wolfssl_ipsec_mb(), INVALID_DEVID);
    print_message("this processor has no AVX-512 with instructions for AES\n");
    skip();
}

/* ---- the bytes ------------------------------------------------------------------------------- */

/* From memory into other memory, or in place. */
static void compare(struct record *record, word32 size, uint8_t *from_end, uint8_t *to_end)
{
    static uint8_t expected[MOST];
    uint8_t tag[TAG], *from = from_end - size, *to = size % 2 ? from : to_end - size;
    encrypt_by_own(record, expected, text, size, tag);
    memcpy(from, text, size);
    assert_int_equal(crypt_by_device(record, true, to, from, size), 0);
    assert_memory_equal(to, expected, size);
    assert_memory_equal(record->tag, tag, TAG);
    from = size % 2 ? to : from_end - size;
    assert_int_equal(crypt_by_device(record, false, from, to, size), 0);
    assert_memory_equal(from, text, size);
    assert_memory_equal(record->tag, tag, TAG);
}

static void every_length_is_wolfssls(void **state)
{
    (void)state;
    needs_processor();
    const word32 step = getenv("CDT_TEST_SLOW") ? 37 : 1;
    uint8_t *from_end = edge(), *to_end = edge();
    for_keys(i)
    {
        struct record record;
        record_begin(&record, key_sizes[i], 7);
        for (word32 size = LEAST; size <= MOST; size += step) {
            record.nonce[size % NONCE]++;
            record.extra_size = size % 4 ? size % EXTRA : 13;
            compare(&record, size, from_end, to_end);
        }
        record_end(&record);
    }
}

/* What AES-GCM adds to the text may be of any length, or nothing. */
static void extra_data_is_wolfssls(void **state)
{
    (void)state;
    needs_processor();
    uint8_t *from_end = edge(), *to_end = edge();
    for_keys(i)
    {
        struct record record;
        record_begin(&record, key_sizes[i], 8);
        for (record.extra_size = 0; record.extra_size <= EXTRA; record.extra_size++) {
            compare(&record, 4096, from_end, to_end);
            compare(&record, 4097, from_end, to_end);
        }
        record_end(&record);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* Decrypts what a bit was turned in; the record is whole again afterwards. */
static void refuse(struct record *record, uint8_t *sealed, word32 size, uint8_t *bytes, size_t bit)
{
    static uint8_t out[MOST];
    memset(out, 0xaa, sizeof out);
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(crypt_by_device(record, false, out, sealed, size), AES_GCM_AUTH_E);
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_true(all_zero(out, size));
    assert_int_equal(out[size], 0xaa);
}

static void damage_leaves_nothing(void **state)
{
    (void)state;
    needs_processor();
    static uint8_t sealed[MOST];
    const word32 sizes[] = {LEAST, LEAST + 1, 4095, 16384, 16385};
    for_keys(i)
    {
        struct record record;
        record_begin(&record, key_sizes[i], 9);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const word32 size = sizes[s];
            assert_int_equal(crypt_by_device(&record, true, sealed, text, size), 0);
            for (size_t bit = 0; bit < 8 * (size_t)TAG; bit++)
                refuse(&record, sealed, size, record.tag, bit);
            for (size_t bit = 0; bit < 8 * (size_t)size; bit += 997)
                refuse(&record, sealed, size, sealed, bit);
            refuse(&record, sealed, size, sealed, 8 * (size_t)size - 1);
            refuse(&record, sealed, size, record.extra, 8 * (size_t)record.extra_size - 1);
            refuse(&record, sealed, size, record.nonce, 0);
            /* in place: neither the text nor what it was made from */
            record.tag[TAG - 1] ^= 1;
            assert_int_equal(crypt_by_device(&record, false, sealed, sealed, size), AES_GCM_AUTH_E);
            assert_true(all_zero(sealed, size));
        }
        record_end(&record);
    }
}

/* ---- what is not taken ----------------------------------------------------------------------- */

static void refused(wc_CryptoInfo info)
{
    assert_int_equal(ask(info), CRYPTOCB_UNAVAILABLE);
}

/* Each member that makes a record one for wolfSSL itself. */
#define refused_with(member, value)                                             \
    do {                                                                        \
        for (int encrypts = 0; encrypts < 2; encrypts++) {                      \
            wc_CryptoInfo info = question(&record, encrypts, out, text, LEAST); \
            info.cipher.aesgcm_enc.member = (value);                            \
            refused(info);                                                      \
        }                                                                       \
    } while (0)

static void the_rest_is_given_back(void **state)
{
    (void)state;
    needs_processor();
    static uint8_t out[MOST];
    struct record record;
    record_begin(&record, 16, 10);
    refused_with(sz, 0);
    refused_with(sz, 1);
    refused_with(sz, LEAST - 1);
    refused_with(ivSz, 0);
    refused_with(ivSz, 8);
    refused_with(ivSz, 16);
    refused_with(authTagSz, 0);
    refused_with(authTagSz, 12);
    refused_with(authTagSz, 17);
    refused_with(aes, NULL);
    refused_with(in, NULL);
    refused_with(out, NULL);
    refused_with(iv, NULL);
    refused_with(authTag, NULL);
    refused_with(authIn, NULL); /* of 13 bytes */
    record.device.keylen = 24;
    refused_with(sz, LEAST);
    record.device.keylen = 16;
    for (int type = WC_ALGO_TYPE_NONE; type <= WC_ALGO_TYPE_MAX + 1; type++) {
        wc_CryptoInfo info = question(&record, true, out, text, LEAST);
        info.algo_type = type;
        if (type != WC_ALGO_TYPE_CIPHER)
            refused(info);
    }
    for (int cipher = WC_CIPHER_NONE; cipher <= WC_CIPHER_MAX + 1; cipher++) {
        wc_CryptoInfo info = question(&record, true, out, text, LEAST);
        info.cipher.type = cipher;
        if (cipher != WC_CIPHER_AES_GCM)
            refused(info);
    }
    assert_true(all_zero(out, sizeof out) && all_zero(record.tag, TAG));
    record_end(&record);
}

/* wolfSSL asks the device: it alone looks at the copy of the key. */
static void wolfssl_asks_the_device(void **state)
{
    (void)state;
    needs_processor();
    assert_int_equal(wolfssl_ipsec_mb(), WOLFSSL_IPSEC_MB);
    static uint8_t one[MOST], other[MOST];
    uint8_t tag[TAG];
    for_keys(i)
    {
        struct record record;
        record_begin(&record, key_sizes[i], 11);
        record.device.devKey[0] ^= 1;
        for (word32 size = LEAST - 1; size <= LEAST; size++) {
            encrypt_by_own(&record, one, text, size, tag);
            assert_int_equal(wc_AesGcmEncrypt(&record.device, other, text, size, record.nonce,
                                              NONCE, record.tag, TAG, record.extra,
                                              record.extra_size),
                             0);
            assert_int_equal(memcmp(one, other, size) == 0, size < LEAST);
            /* the other way round it is a wrong tag, from the device alone */
            assert_int_equal(wc_AesGcmDecrypt(&record.device, other, one, size, record.nonce, NONCE,
                                              tag, TAG, record.extra, record.extra_size),
                             size < LEAST ? 0 : AES_GCM_AUTH_E);
        }
        record_end(&record);
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    struct record record;
    uint8_t expected[4096], tag[TAG], out[4096];
    unsigned wrong;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    pthread_barrier_wait(worker->start);
    for (int i = 0; i < 50000; i++)
        worker->wrong +=
            crypt_by_device(&worker->record, true, worker->out, text, sizeof worker->out) != 0 ||
            memcmp(worker->out, worker->expected, sizeof worker->out) != 0 ||
            memcmp(worker->record.tag, worker->tag, TAG) != 0;
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    needs_processor();
    static struct worker workers[4];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, 4), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct worker *worker = &workers[i];
        worker->start = &start;
        record_begin(&worker->record, key_sizes[i % 2], 100 + i);
        encrypt_by_own(&worker->record, worker->expected, text, sizeof worker->out, worker->tag);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
        record_end(&workers[i].record);
    }
    pthread_barrier_destroy(&start);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void connections_have_the_device(void **state)
{
    (void)state;
    needs_processor();
    struct cdt_reactor *reactor = test_reactor();
    struct cdt_tls_config *config =
        make_config(reactor, CDT_TLS_WOLFSSL, (struct cdt_tls_options){.role = CDT_TLS_CLIENT});
    struct tls_connection connection;
    assert_int_equal(tls_connection_init(&connection, config, "example.test"), 0);
    assert_int_equal(tls_connection_connect(&connection), 0);
    assert_int_equal(wolfSSL_CTX_GetDevId(NULL, connection.engine->ssl), WOLFSSL_IPSEC_MB);
    tls_connection_fini(&connection);
    cdt_tls_config_free(config);
    cdt_reactor_free(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_wolfssls),    cmocka_unit_test(extra_data_is_wolfssls),
        cmocka_unit_test(damage_leaves_nothing),       cmocka_unit_test(the_rest_is_given_back),
        cmocka_unit_test(wolfssl_asks_the_device),     cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(connections_have_the_device),
    };
    assert(tls_backend(CDT_TLS_WOLFSSL));
    fill(text, sizeof text, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void not_built_in(void **state)
{
    (void)state;
    print_message("intel-ipsec-mb is not built in (IPSEC_MB=none)\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_built_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
