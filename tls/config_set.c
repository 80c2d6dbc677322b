/* The contexts of a configuration: one for each identity, all from the same settings. And what the
 * settings demand of clients, as the digest that tickets are bound to. */
#include <errno.h>
#include <string.h>

#include "tls/config_parts.h"

enum { TICKET_DAYS = 7 }; /* RFC 8446 section 4.6.1 */

/* ---- the binding of tickets ------------------------------------------------------------------ */

/* The digest of what was before and the next text. */
static int bind_blob(const struct tls_backend *backend, const struct tls_blob *blob,
                     uint8_t digest[32])
{
    uint8_t before[32];
    const struct iovec parts[] = {{before, sizeof before}, {blob->text, blob->length}};
    memcpy(before, digest, sizeof before);
    return backend->sha256(parts, 2, digest);
}

int tls_set_binding(const struct cdt_tls_config *config, const struct tls_material *material,
                    uint8_t digest[32])
{
    char label[] = "conduit tickets 1";
    uint32_t demands[] = {(uint32_t)config->options.verify, (uint32_t)config->options.min_version,
                          (uint32_t)material->anchor_count, (uint32_t)material->crl_count};
    const struct iovec parts[] = {{label, sizeof label}, {demands, sizeof demands}};
    int status = config->backend->sha256(parts, 2, digest);
    for (size_t i = 0; i < material->anchor_count && status == 0; i++)
        status = bind_blob(config->backend, &material->anchors[i], digest);
    for (size_t i = 0; i < material->crl_count && status == 0; i++)
        status = bind_blob(config->backend, &material->crls[i], digest);
    return status;
}

/* ---- settings -------------------------------------------------------------------------------- */

static unsigned ticket_lifetime(uint64_t rotation)
{
    const uint64_t most = TICKET_DAYS * UINT64_C(86400);
    const uint64_t seconds = rotation / CDT_SECOND;
    if (seconds > most / 2)
        return (unsigned)most;
    return seconds ? (unsigned)(2 * rotation / CDT_SECOND) : 1;
}

/* A version without suites is switched off. */
static int choose_versions(struct tls_spec *spec, uint16_t min_version,
                           struct cdt_text_error *error)
{
    if (min_version == CDT_TLS_1_3)
        spec->ciphers12 = "";
    if (!*spec->ciphers13 && !*spec->ciphers12)
        return tls_why(error, -CDT_ETLSKEY,
                       "ciphers: none of TLS 1.3, which is the lowest version allowed");
    spec->min_version = *spec->ciphers12 ? CDT_TLS_1_2 : CDT_TLS_1_3;
    spec->max_version = *spec->ciphers13 ? CDT_TLS_1_3 : CDT_TLS_1_2;
    return 0;
}

static struct tls_spec make_spec(const struct cdt_tls_config *config,
                                 const struct tls_material *material)
{
    const struct cdt_tls_options *options = &config->options;
    return (struct tls_spec){
        .role = options->role,
        .ciphers13 = "",
        .ciphers12 = "",
        .verify = options->verify,
        .anchors = material->anchors,
        .anchor_count = material->anchor_count,
        .crls = material->crls,
        .crl_count = material->crl_count,
        .sessions = options->role == CDT_TLS_CLIENT && options->resumption == CDT_ON,
        .tickets = config->tickets,
        .ticket_lifetime = config->tickets ? ticket_lifetime(options->ticket_rotation) : 0,
        .key_log = tls_key_log_wanted(config->reactor),
        .password = options->password,
        .password_arg = options->password_arg,
        .native = options->native,
    };
}

/* ---- the set --------------------------------------------------------------------------------- */

static int make_identity(const struct tls_backend *backend, const struct tls_spec *spec,
                         const struct tls_own *own, struct tls_identity *identity,
                         struct cdt_text_error *error)
{
    const int status = backend->context_new(spec, own, &identity->context, error);
    if (status || !own)
        return status;
    if (backend->certificate(own->cert.text, own->cert.length, &identity->der,
                             &identity->der_length) == -ENOMEM)
        return -ENOMEM;
    return identity->der ? 0
                         : tls_why(error, -CDT_ETLSKEY, "%s: the certificate cannot be read",
                                   own->cert.source);
}

static int make_identities(const struct tls_backend *backend, const struct tls_spec *spec,
                           const struct tls_material *material, struct tls_set *set,
                           struct cdt_text_error *error)
{
    const size_t count = material->own_count ? material->own_count : 1;
    int status = 0;
    *set = (struct tls_set){.identities = mem_zalloc(count * sizeof *set->identities)};
    if (!set->identities)
        return -ENOMEM;
    while (status == 0 && set->count < count) {
        const size_t i = set->count++;
        status = make_identity(backend, spec, material->own_count ? &material->owns[i] : NULL,
                               &set->identities[i], error);
    }
    if (status)
        tls_set_free(backend, set);
    return status;
}

int tls_set_make(const struct cdt_tls_config *config, const struct tls_material *material,
                 struct tls_set *set, struct cdt_text_error *error)
{
    struct tls_spec spec = make_spec(config, material);
    char *ciphers13 = NULL, *ciphers12 = NULL;
    int status = 0;
    if (!spec.native) {
        status =
            tls_ciphers(config->options.ciphers, config->backend_id, &ciphers13, &ciphers12, error);
        if (status)
            return status;
        spec.ciphers13 = ciphers13;
        spec.ciphers12 = ciphers12;
        status = choose_versions(&spec, (uint16_t)config->options.min_version, error);
    }
    if (status == 0)
        status = make_identities(config->backend, &spec, material, set, error);
    mem_free(ciphers13);
    mem_free(ciphers12);
    return status;
}

void tls_set_free(const struct tls_backend *backend, struct tls_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->identities[i].context)
            backend->context_put(set->identities[i].context);
        mem_free(set->identities[i].der);
    }
    mem_free(set->identities);
    *set = (struct tls_set){0};
}
