/* The values of options: each function reads one type into the settings, and returns NULL, or the
 * words for what it expected. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/options.h"

/* Expectations that hold numbers are made here. */
static char expected[200];

/* Decimal digits up to `end`; false if there are none or too many. */
static bool read_digits(const char **text, uint64_t max, uint64_t *number)
{
    const char *at = *text;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        const unsigned digit = (unsigned)(*at - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (at == *text)
        return false;
    *text = at;
    *number = value;
    return true;
}

static const char *expect_range(const char *what, const struct option *option)
{
    snprintf(expected, sizeof expected, "expected %s from %llu to %llu", what,
             (unsigned long long)option->min, (unsigned long long)option->max);
    return expected;
}

const char *set_flag(const struct option *option, const char *value, struct settings *settings,
                     void *target)
{
    (void)option, (void)value, (void)settings;
    *(bool *)target = true;
    return NULL;
}

const char *read_unsigned(const struct option *option, const char *value, struct settings *settings,
                          void *target)
{
    (void)settings;
    uint64_t number;
    if (!read_digits(&value, option->max, &number) || *value || number < option->min)
        return expect_range("a number", option);
    *(unsigned *)target = (unsigned)number;
    return NULL;
}

/* Bytes, with K, M or G for powers of 1024. */
static bool read_size(const char *value, uint64_t *bytes)
{
    static const char units[] = "KMG";
    if (!read_digits(&value, INT64_MAX, bytes))
        return false;
    const char upper = (char)(*value & ~32), *unit = upper ? strchr(units, upper) : NULL;
    if (unit) {
        const unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (*bytes > (uint64_t)INT64_MAX >> shift)
            return false;
        *bytes <<= shift;
        value++;
    }
    return *value == 0;
}

const char *read_ring_size(const struct option *option, const char *value,
                           struct settings *settings, void *target)
{
    (void)settings;
    uint64_t bytes;
    if (!read_size(value, &bytes) || bytes < option->min || bytes > option->max)
        return expect_range("bytes", option);
    *(size_t *)target = (size_t)bytes;
    return NULL;
}

/* Seconds with up to nine decimals. */
const char *read_seconds(const struct option *option, const char *value, struct settings *settings,
                         void *target)
{
    (void)settings;
    uint64_t seconds = 0, fraction = 0;
    bool good = *value == '.' || read_digits(&value, option->max, &seconds);
    if (good && *value == '.') {
        uint64_t scale = CDT_SECOND;
        const char *first = ++value;
        for (; *value >= '0' && *value <= '9'; value++) {
            scale /= 10;
            fraction += scale * (uint64_t)(*value - '0');
        }
        good = value != first;
    }
    if (!good || *value)
        return expect_range("seconds", option);
    *(uint64_t *)target = seconds * CDT_SECOND + fraction;
    return NULL;
}

/* The same; 0 means never. */
const char *read_timeout(const struct option *option, const char *value, struct settings *settings,
                         void *target)
{
    const char *wrong = read_seconds(option, value, settings, target);
    if (!wrong && *(uint64_t *)target == 0)
        *(uint64_t *)target = CDT_NEVER;
    return wrong;
}

/* The same; 0 means that nothing is waited for. */
const char *read_linger(const struct option *option, const char *value, struct settings *settings,
                        void *target)
{
    const char *wrong = read_seconds(option, value, settings, target);
    if (!wrong && *(uint64_t *)target == 0)
        *(uint64_t *)target = 1;
    return wrong;
}

const char *read_answer(const struct option *option, const char *value, struct settings *settings,
                        void *target)
{
    (void)value, (void)target;
    settings->answer = (enum answer)option->min;
    return NULL;
}

const char *read_source(const struct option *option, const char *value, struct settings *settings,
                        void *target)
{
    (void)option, (void)target;
    settings->answer = ANSWER_SOURCE;
    return read_size(value, &settings->source_bytes)
               ? NULL
               : "expected a number of bytes (K, M, G for powers of 1024)";
}

const char *read_mode(const struct option *option, const char *value, struct settings *settings,
                      void *target)
{
    (void)option, (void)settings;
    unsigned mode = 0;
    const char *at = value;
    while (*at >= '0' && *at <= '7' && mode <= 0777)
        mode = mode * 8 + (unsigned)(*at++ - '0');
    if (*at || mode == 0 || mode > 0777)
        return "expected an octal mode from 1 to 777";
    *(unsigned *)target = mode;
    return NULL;
}

/* AFTER,INTERVAL,PROBES, within what the kernel takes. */
const char *read_keepalive(const struct option *option, const char *value,
                           struct settings *settings, void *target)
{
    static const uint64_t most[] = {32767, 32767, 127};
    uint64_t number[3];
    (void)option, (void)target;
    for (int i = 0; i < 3; i++) {
        if (!read_digits(&value, most[i], &number[i]) || number[i] == 0 ||
            *value++ != (i < 2 ? ',' : 0))
            return "expected AFTER,INTERVAL,PROBES: seconds, seconds (1 to 32767), count (1 to 127)";
    }
    settings->flow.keepalive = CDT_ON;
    settings->flow.keepalive_times =
        (struct cdt_keepalive){(unsigned)number[0], (unsigned)number[1], (unsigned)number[2]};
    return NULL;
}

const char *read_bind(const struct option *option, const char *value, struct settings *settings,
                      void *target)
{
    (void)option, (void)target;
    if (cdt_addr_ip(&settings->bind, value, 0) == 0) {
        settings->flow.source = settings->bind;
        return NULL;
    }
    if (strlen(value) >= sizeof settings->flow.interface || if_nametoindex(value) == 0)
        return "expected an IP address or the name of an interface";
    memcpy(settings->flow.interface, value, strlen(value) + 1);
    return NULL;
}

const char *read_text(const struct option *option, const char *value, struct settings *settings,
                      void *target)
{
    (void)option, (void)settings;
    *(const char **)target = value;
    return NULL;
}

void settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->rewrite_count; i++) {
        free(settings->rewrites[i].suffix);
        cdt_endp_free(settings->rewrites[i].endp);
    }
    free(settings->rewrites);
    free(settings->tls.pins);
}

/* SUFFIX=ENDPOINT */
const char *read_rewrite(const struct option *option, const char *value, struct settings *settings,
                         void *target)
{
    (void)option, (void)target;
    struct cdt_text_error error;
    const char *equals = strchr(value, '=');
    if (!equals)
        return "expected SUFFIX=ENDPOINT";
    struct rewrite rewrite = {strndup(value, (size_t)(equals - value)), NULL};
    struct rewrite *grown =
        realloc(settings->rewrites, (settings->rewrite_count + 1) * sizeof *grown);
    if (grown)
        settings->rewrites = grown;
    const int status =
        rewrite.suffix && grown ? cdt_endp_parse(equals + 1, &rewrite.endp, &error) : -ENOMEM;
    if (status == 0) {
        grown[settings->rewrite_count++] = rewrite;
        return NULL;
    }
    free(rewrite.suffix);
    snprintf(expected, sizeof expected, "%s",
             status == -ENOMEM ? cdt_strerror(status) : error.text);
    return expected;
}

const char *read_sexp(const struct option *option, const char *value, struct settings *settings,
                      void *target)
{
    (void)option, (void)target;
    if (strcmp(value, "human") == 0)
        settings->sexp = CDT_ENDP_HUMAN;
    else if (strcmp(value, "machine") == 0)
        settings->sexp = CDT_ENDP_MACHINE;
    else
        return "expected human or machine";
    return NULL;
}
