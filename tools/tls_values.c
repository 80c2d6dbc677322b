/* The values of the options of TLS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/options.h"

/* Chosen at once: it holds for all that is made from now on. */
const char *read_tls(const struct option *option, const char *value, struct settings *settings,
                     void *target)
{
    enum cdt_tls_backend backend;
    (void)option, (void)settings, (void)target;
    if (cdt_tls_backend_parse(value, &backend) != 0)
        return "expected wolfssl, openssl or none";
    return cdt_tls_select(backend) == 0 ? NULL : "not built in";
}

/* A DNS name or an IP address. */
const char *read_server_name(const struct option *option, const char *value,
                             struct settings *settings, void *target)
{
    struct cdt_addr addr;
    struct cdt_endp *host;
    (void)option, (void)settings;
    if (cdt_addr_ip(&addr, value, 0) != 0) {
        if (*value == 0 || cdt_endp_host(value, 0, &host) != 0)
            return "expected a host name or an IP address";
        cdt_endp_free(host);
    }
    *(const char **)target = value;
    return NULL;
}

const char *read_alpn(const struct option *option, const char *value, struct settings *settings,
                      void *target)
{
    (void)option, (void)settings;
    for (const char *at = value;; at++) {
        const size_t length = strcspn(at, ",");
        if (length == 0 || length > 255)
            return "expected protocols of 1 to 255 bytes, separated by commas";
        at += length;
        if (*at == 0)
            break;
    }
    *(const char **)target = value;
    return NULL;
}

const char *read_min_tls(const struct option *option, const char *value, struct settings *settings,
                         void *target)
{
    (void)option, (void)target;
    if (strcmp(value, "1.2") == 0)
        settings->tls.min_version = CDT_TLS_1_2;
    else if (strcmp(value, "1.3") == 0)
        settings->tls.min_version = CDT_TLS_1_3;
    else
        return "expected 1.2 or 1.3";
    return NULL;
}

/* The value of a hexadecimal digit; -1: it is none. */
static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Two digits a byte, and perhaps colons between the bytes. */
static bool read_fingerprint(const char *value, uint8_t fingerprint[32])
{
    for (int i = 0; i < 32; i++) {
        if (i && *value == ':')
            value++;
        const int high = digit(*value), low = high < 0 ? -1 : digit(value[1]);
        if (low < 0)
            return false;
        fingerprint[i] = (uint8_t)(high << 4 | low);
        value += 2;
    }
    return *value == 0;
}

const char *read_pin(const struct option *option, const char *value, struct settings *settings,
                     void *target)
{
    struct tls_settings *tls = &settings->tls;
    uint8_t pin[32];
    (void)option, (void)target;
    if (!read_fingerprint(value, pin))
        return "expected a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons";
    uint8_t(*grown)[32] = realloc(tls->pins, (tls->pin_count + 1) * sizeof *grown);
    if (!grown)
        return cdt_strerror(-ENOMEM);
    tls->pins = grown;
    memcpy(grown[tls->pin_count++], pin, sizeof pin);
    return NULL;
}
