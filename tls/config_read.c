/* Reading what a configuration names: identities, anchors, revocation lists. Everything is read,
 * and looked at as far as one can without a backend, before anything is made of it. */
#include <errno.h>
#include <string.h>

#include "tls/config_parts.h"

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Whether there is a block whose label ends in this. */
static bool has_block(const struct tls_blob *blob, const char *label)
{
    const char *at = blob->text, *const end = blob->text + blob->length, *block;
    size_t length;
    while (tls_pem_next(&at, end, NULL, &block, &length)) {
        const char *line = memchr(block, '\n', length);
        if (line && memmem(block, (size_t)(line - block), label, strlen(label)))
            return true;
    }
    return false;
}

static int demand(const struct tls_blob *blob, const char *label, const char *what,
                  struct cdt_text_error *error)
{
    if (has_block(blob, label))
        return 0;
    return tls_why(error, -CDT_ETLSKEY, "%s: no %s (PEM) in it", blob->source, what);
}

/* A file, or a text; at least one such block must be in it. */
static int load(const char *path, const char *text, const char *source, const char *label,
                const char *what, struct tls_blob *blob, struct cdt_text_error *error)
{
    int status = path ? tls_load_file(path, blob, error) : tls_load_text(text, source, blob);
    if (status == 0)
        status = demand(blob, label, what, error);
    return status;
}

/* ---- identities ------------------------------------------------------------------------------ */

static int read_identity(const struct cdt_tls_identity *identity, struct tls_own *own,
                         struct cdt_text_error *error)
{
    const bool apart = identity->key_file || identity->key;
    const int status = load(identity->cert_file, identity->cert, "the certificate's text",
                            "CERTIFICATE-----", "certificate", &own->cert, error);
    if (status)
        return status;
    own->key_file = apart ? identity->key_file : identity->cert_file;
    if (apart)
        return load(identity->key_file, identity->key, "the key's text", "PRIVATE KEY-----",
                    "private key", &own->key, error);
    own->key = own->cert;
    return demand(&own->key, "PRIVATE KEY-----", "private key", error);
}

static int read_identities(const struct cdt_tls_options *options, struct tls_material *material,
                           struct cdt_text_error *error)
{
    size_t count = options->identity_count;
    int status = 0;
    if (options->role == CDT_TLS_CLIENT && count > 1)
        count = 1;
    if (!count)
        return 0;
    material->owns = mem_zalloc(count * sizeof *material->owns);
    if (!material->owns)
        return -ENOMEM;
    while (status == 0 && material->own_count < count) {
        const size_t i = material->own_count++;
        status = read_identity(&options->identities[i], &material->owns[i], error);
    }
    return status;
}

/* ---- anchors and lists ----------------------------------------------------------------------- */

struct list {
    struct tls_blob **blobs;
    size_t *count;
    const char *source, *label, *what;
};

static int read_one(const struct list *list, const char *path, const char *text,
                    struct cdt_text_error *error)
{
    struct tls_blob blob = {0};
    const int status = load(path, text, list->source, list->label, list->what, &blob, error);
    if (status) {
        tls_blob_fini(&blob);
        return status;
    }
    return tls_blob_append(&blob, list->blobs, list->count);
}

static int read_list(const struct list *list, const char *path, const char *text,
                     struct cdt_text_error *error)
{
    int status = path ? read_one(list, path, NULL, error) : 0;
    if (status == 0 && text)
        status = read_one(list, NULL, text, error);
    return status;
}

static int read_anchors(const struct cdt_tls_options *options, struct tls_material *material,
                        struct cdt_text_error *error)
{
    const struct list list = {&material->anchors, &material->anchor_count, "the text of anchors",
                              "CERTIFICATE-----", "certificate"};
    int status = read_list(&list, options->ca_file, options->ca, error);
    if (status == 0 && options->ca_dir)
        status = tls_load_folder(options->ca_dir, list.blobs, list.count, error);
    if (status || options->system_anchors == CDT_OFF)
        return status;
    status = tls_load_system(list.blobs, list.count, error);
    return status == -CDT_ETLSKEY && options->system_anchors == CDT_DEFAULT ? 0 : status;
}

static int read_crls(const struct cdt_tls_options *options, struct tls_material *material,
                     struct cdt_text_error *error)
{
    const struct list list = {&material->crls, &material->crl_count, "the text of revocation lists",
                              "X509 CRL-----", "revocation list"};
    return read_list(&list, options->crl_file, options->crl, error);
}

/* ---- all of it ------------------------------------------------------------------------------- */

int tls_material_read(const struct cdt_tls_options *options, struct tls_material *material,
                      struct cdt_text_error *error)
{
    *material = (struct tls_material){0};
    if (options->native)
        return 0;
    int status = read_identities(options, material, error);
    if (status == 0)
        status = read_anchors(options, material, error);
    if (status == 0)
        status = read_crls(options, material, error);
    return status;
}

void tls_material_free(struct tls_material *material)
{
    for (size_t i = 0; i < material->own_count; i++) {
        struct tls_own *own = &material->owns[i];
        if (own->key.text != own->cert.text)
            tls_blob_fini(&own->key);
        tls_blob_fini(&own->cert);
    }
    mem_free(material->owns);
    tls_blobs_free(material->anchors, material->anchor_count);
    tls_blobs_free(material->crls, material->crl_count);
    *material = (struct tls_material){0};
}
