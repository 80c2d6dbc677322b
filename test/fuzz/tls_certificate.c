/* Fuzzes what is said of certificates: the bytes are a certificate. Texts are for people and fit,
 * PEM says the same bytes, dates are those of some day, and a peer that shows it is judged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/certificate.h"
#include "tls/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIRST_YEAR = 0, LAST_YEAR = 9999, YEAR = 366 * 86400, PEM_MAX = 4096 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- texts ---- */

/* No controls, and UTF-8 as far as its form is concerned. */
static void check_text(const char *text, bool cut)
{
    const unsigned char *at = (const unsigned char *)text;
    check(*at || cut);
    while (*at) {
        const size_t more = *at < 0x80 ? 0 : *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        check(*at >= ' ' && *at != 0x7f && *at < 0xf8 && !(*at >= 0x80 && *at < 0xc2));
        for (size_t i = 1; i <= more; i++)
            check((at[i] & 0xc0) == 0x80);
        at += 1 + more;
    }
}

typedef void describe_fn(const uint8_t *der, size_t length, char *text, size_t size);

static void check_name(describe_fn *describe, const uint8_t *der, size_t size)
{
    const size_t room = 1 + size % 200;
    char *text = calloc(1, room), whole[4096];
    check(text);
    memset(text, 'x', room);
    describe(der, size, text, room);
    check(strnlen(text, room) < room);
    check_text(text, room < 4);
    describe(der, size, whole, sizeof whole);
    check_text(whole, false);
    if (strlen(whole) < room) {
        check(strcmp(whole, text) == 0);
    } else {
        const size_t length = strlen(text), dots = length < 3 ? length : 3;
        check(memcmp(text + length - dots, "...", dots) == 0);
        check(memcmp(text, whole, length - dots) == 0);
    }
    free(text);
}

/* ---- dates ---- */

static void check_dates(const uint8_t *der, size_t size)
{
    int64_t from, to;
    const int status = tls_certificate_validity(der, size, &from, &to);
    check(status == 0 || status == -EBADMSG);
    if (status)
        return;
    const int64_t least = (int64_t)(FIRST_YEAR - 1970) * YEAR;
    const int64_t most = (int64_t)(LAST_YEAR - 1970) * YEAR;
    check(from >= least && from <= most && to >= least && to <= most);
}

/* ---- PEM ---- */

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    check(at && c);
    return (int)(at - digits);
}

static void check_pem(const uint8_t *der, size_t size)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n",
                      end[] = "-----END CERTIFICATE-----\n";
    if (size > PEM_MAX)
        return;
    const int length = tls_certificate_pem(der, size, NULL, 0);
    check(length > 0);
    char *text = calloc(1, (size_t)length + 1);
    check(text);
    check(tls_certificate_pem(der, size, text, (size_t)length + 1) == length);
    check(strlen(text) == (size_t)length && strncmp(text, begin, strlen(begin)) == 0);
    const char *at = text + strlen(begin);
    size_t read = 0;
    for (unsigned bits = 0, count = 0; strcmp(at, end) != 0; at++) {
        if (*at == '\n' || *at == '=')
            continue;
        bits = (bits << 6 | (unsigned)digit(*at)) & 0xffff;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        check(read < size && der[read++] == (uint8_t)(bits >> count));
    }
    check(read == size);
    free(text);
}

/* ---- judging ---- */

static int no_digest(const struct iovec *parts, int count, uint8_t digest[32])
{
    check(count == 1 && (parts->iov_base || !parts->iov_len));
    memset(digest, 0, 32);
    return 0;
}

static void check_peer(const uint8_t *der, size_t size)
{
    static const struct tls_backend backend = {.sha256 = no_digest};
    static const uint8_t pins[1][32] = {{1}};
    const struct tls_verdict verdict = {
        size % 3 ? (enum tls_chain)(size % TLS_CHAIN_VERDICTS) : TLS_CHAIN_GOOD, der, size, NULL};
    struct cdt_tls_config config = {.backend = &backend};
    struct tls_connection connection = {
        .backend = &backend, .config = &config, .name = (char *)"www.example.org"};
    config.options.verify = CDT_TLS_VERIFY_REQUIRE;
    if (size % 5 == 0) {
        config.options.pins = pins;
        config.options.pin_count = 1;
    }
    const int status = tls_verify(&connection, der, size, &verdict);
    check(status <= 0 && status == connection.failed && (status != 0) == (connection.why != NULL));
    if (connection.why)
        check_text(connection.why, false);
    check(connection.peer && connection.peer->length == size);
    tls_certificate_put(connection.peer);
    mem_free(connection.why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size); /* of this size exactly, so that a byte too much is noticed */
    check(copy || size == 0);
    if (size)
        memcpy(copy, data, size);
    check_name(tls_certificate_subject, copy, size);
    check_name(tls_certificate_issuer, copy, size);
    check_dates(copy, size);
    check_pem(copy, size);
    check_peer(copy, size);
    free(copy);
    return 0;
}
