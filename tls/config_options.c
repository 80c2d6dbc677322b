/* The copy of a configuration's options: all texts, keys and lists that they point to. Secrets are
 * wiped when they are freed. */
#include <errno.h>
#include <string.h>

#include "tls/config_parts.h"

/* ---- texts ----------------------------------------------------------------------------------- */

static int copy_text(const char **text)
{
    if (*text)
        *text = mem_strdup(*text);
    return *text ? 0 : -ENOMEM;
}

static void free_bytes(const void *bytes, size_t length)
{
    void *mine = (void *)(uintptr_t)bytes; /* const for who reads the options */
    if (mine)
        explicit_bzero(mine, length);
    mem_free(mine);
}

static void free_text(const char *text)
{
    free_bytes(text, text ? strlen(text) : 0);
}

/* A copy of `count` elements; NULL without memory. */
static void *copy_bytes(const void *from, size_t count, size_t size)
{
    void *to = mem_alloc(count * size);
    return to ? memcpy(to, from, count * size) : NULL;
}

/* ---- lists of them --------------------------------------------------------------------------- */

enum { TEXTS = 7, IDENTITY_TEXTS = 4 };

static void option_texts(struct cdt_tls_options *options, const char **texts[TEXTS])
{
    const char **const all[TEXTS] = {&options->ciphers, &options->alpn, &options->ca_file,
                                     &options->ca_dir,  &options->ca,   &options->crl_file,
                                     &options->crl};
    memcpy(texts, all, sizeof all);
}

static void identity_texts(struct cdt_tls_identity *identity, const char **texts[IDENTITY_TEXTS])
{
    const char **const all[IDENTITY_TEXTS] = {&identity->cert_file, &identity->key_file,
                                              &identity->cert, &identity->key};
    memcpy(texts, all, sizeof all);
}

/* Copies each that is there. Where memory ends the rest is taken off, so that none is freed that is
 * not ours. */
static int copy_texts(const char **texts[], size_t count)
{
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        if (status)
            *texts[i] = NULL;
        else if (*texts[i])
            status = copy_text(texts[i]);
    }
    return status;
}

/* The list is ours when all of its texts are. */
static int copy_identities(struct cdt_tls_options *options)
{
    const struct cdt_tls_identity *theirs = options->identities;
    const size_t count = options->identity_count;
    const char **texts[IDENTITY_TEXTS];
    int status = 0;
    options->identities = NULL;
    options->identity_count = 0;
    if (!count)
        return 0;
    struct cdt_tls_identity *mine = mem_zalloc(count * sizeof *mine);
    if (!mine)
        return -ENOMEM;
    for (size_t i = 0; i < count && status == 0; i++) {
        mine[i] = theirs[i];
        identity_texts(&mine[i], texts);
        status = copy_texts(texts, IDENTITY_TEXTS);
    }
    options->identities = mine;
    options->identity_count = count;
    return status;
}

static int copy_pins(struct cdt_tls_options *options)
{
    if (!options->pin_count)
        options->pins = NULL;
    if (!options->pins)
        return 0;
    options->pins = copy_bytes(options->pins, options->pin_count, sizeof *options->pins);
    return options->pins ? 0 : -ENOMEM;
}

static int copy_ticket_key(struct cdt_tls_options *options)
{
    if (!options->ticket_key)
        return 0;
    options->ticket_key = copy_bytes(options->ticket_key, TLS_TICKET_SECRET, 1);
    return options->ticket_key ? 0 : -ENOMEM;
}

int tls_options_copy(struct cdt_tls_options *options)
{
    const char **texts[TEXTS];
    option_texts(options, texts);
    /* Each of them leaves what is ours, or nothing: all have to be called. */
    const int status[] = {copy_texts(texts, TEXTS), copy_identities(options), copy_pins(options),
                          copy_ticket_key(options)};
    for (size_t i = 0; i < sizeof status / sizeof *status; i++) {
        if (status[i])
            return status[i];
    }
    return 0;
}

void tls_options_free(struct cdt_tls_options *options)
{
    const char **texts[TEXTS];
    option_texts(options, texts);
    for (size_t i = 0; i < TEXTS; i++)
        free_text(*texts[i]);
    for (size_t i = 0; i < options->identity_count; i++) {
        struct cdt_tls_identity identity = options->identities[i];
        identity_texts(&identity, texts);
        for (size_t j = 0; j < IDENTITY_TEXTS; j++)
            free_text(*texts[j]);
    }
    free_bytes(options->identities, 0);
    free_bytes(options->pins, 0);
    free_bytes(options->ticket_key, TLS_TICKET_SECRET);
    *options = (struct cdt_tls_options){.size = 0};
}
