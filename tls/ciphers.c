/* The cipher suites that are spoken, all with AEAD and forward secrecy, and their names. A list
 * may use any of the names; it is split into what the backends want: suites of TLS 1.3 and of TLS
 * 1.2, each in the backend's own names. The order is the default one. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "tls/config.h"

static const struct suite {
    uint16_t number;
    const char *iana, *openssl, *wolfssl;
} suites[] = {
    {0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256"},
    {0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384"},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
     "TLS13-CHACHA20-POLY1305-SHA256"},
    {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
     "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
     "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
     "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
     "ECDHE-RSA-CHACHA20-POLY1305"},
};

enum { SUITES = sizeof suites / sizeof *suites, NAME_MAX_LENGTH = 48, LIST_SIZE = 512 };

_Static_assert(SUITES *NAME_MAX_LENGTH < LIST_SIZE, "all names and their separators");

const char *tls_cipher_name(uint16_t number)
{
    for (size_t i = 0; i < SUITES; i++) {
        if (suites[i].number == number)
            return suites[i].iana;
    }
    return NULL;
}

static bool is_name(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && strncasecmp(name, text, length) == 0;
}

static const struct suite *find(const char *text, size_t length)
{
    for (size_t i = 0; i < SUITES; i++) {
        if (is_name(suites[i].iana, text, length) || is_name(suites[i].openssl, text, length) ||
            is_name(suites[i].wolfssl, text, length))
            return &suites[i];
    }
    return NULL;
}

/* The suites of a list, each once, as indexes. */
struct chosen {
    uint8_t index[SUITES];
    size_t count;
};

static void choose(struct chosen *chosen, const struct suite *suite)
{
    const uint8_t index = (uint8_t)(suite - suites);
    if (!memchr(chosen->index, index, chosen->count))
        chosen->index[chosen->count++] = index;
}

static int read_list(const char *list, struct chosen *chosen, struct cdt_text_error *error)
{
    for (;; list++) {
        const size_t length = strcspn(list, ":,");
        const struct suite *suite = find(list, length);
        if (!suite)
            return tls_why(error, -CDT_ETLSKEY, "ciphers: no such suite: \"%.*s\"",
                           (int)(length < NAME_MAX_LENGTH ? length : NAME_MAX_LENGTH), list);
        choose(chosen, suite);
        list += length;
        if (!*list)
            return 0;
    }
}

static bool is_13(const struct suite *suite)
{
    return suite->number >> 8 == 0x13;
}

/* Those of one version, as the backend wants them; NULL without memory. */
static char *write_list(const struct chosen *chosen, enum cdt_tls_backend backend, bool of_13)
{
    char text[LIST_SIZE] = "", *end = text;
    for (size_t i = 0; i < chosen->count; i++) {
        const struct suite *suite = &suites[chosen->index[i]];
        if (is_13(suite) != of_13)
            continue;
        if (end > text)
            *end++ = ':';
        end = stpcpy(end, backend == CDT_TLS_OPENSSL ? suite->openssl : suite->wolfssl);
    }
    return mem_strdup(text);
}

int tls_ciphers(const char *list, enum cdt_tls_backend backend, char **ciphers13, char **ciphers12,
                struct cdt_text_error *error)
{
    struct chosen chosen = {.count = 0};
    *ciphers13 = *ciphers12 = NULL;
    for (size_t i = 0; !list && i < SUITES; i++)
        choose(&chosen, &suites[i]);
    const int status = list ? read_list(list, &chosen, error) : 0;
    if (status)
        return status;
    *ciphers13 = write_list(&chosen, backend, true);
    *ciphers12 = write_list(&chosen, backend, false);
    if (*ciphers13 && *ciphers12)
        return 0;
    mem_free(*ciphers13);
    mem_free(*ciphers12);
    *ciphers13 = *ciphers12 = NULL;
    return -ENOMEM;
}
