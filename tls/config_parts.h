/* The pieces that make a configuration: its options, checked and copied; the texts that they name;
 * the contexts made of these. */
#ifndef TLS_CONFIG_PARTS_H
#define TLS_CONFIG_PARTS_H

#include "tls/config.h"

/* config_check.c: what is wrong with options, as a sentence; NULL: nothing. */
const char *tls_options_fault(const struct cdt_tls_options *options);
/* Decides what was left to us. */
void tls_options_decide(struct cdt_tls_options *options);

/* config_options.c: makes copies of all that options point to, in place; what is left is to be
 * freed in any case. 0 or -ENOMEM. */
int tls_options_copy(struct cdt_tls_options *options);
void tls_options_free(struct cdt_tls_options *options);

/* All that is to be read before contexts can be made. */
struct tls_material {
    struct tls_own *owns;
    size_t own_count;
    struct tls_blob *anchors, *crls;
    size_t anchor_count, crl_count;
};

/* config_read.c: reads it. 0, or a negative code with a sentence; freed in any case. */
int tls_material_read(const struct cdt_tls_options *options, struct tls_material *material,
                      struct cdt_text_error *error);
void tls_material_free(struct tls_material *material);

/* config_set.c: what tickets are bound to. 0 or the backend's code. */
int tls_set_binding(const struct cdt_tls_config *config, const struct tls_material *material,
                    uint8_t digest[32]);
/* Makes the contexts of a configuration, which is not changed. */
int tls_set_make(const struct cdt_tls_config *config, const struct tls_material *material,
                 struct tls_set *set, struct cdt_text_error *error);
void tls_set_free(const struct tls_backend *backend, struct tls_set *set);

#endif
