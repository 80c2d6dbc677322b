/* Which of our certificates a client is shown: by the names in them (RFC 9525) and the one it asks
 * for (RFC 6066 section 3). */
#include <string.h>

#include "tls/config.h"
#include "tls/names.h"

enum fit { FIT_NONE, FIT_WILDCARD, FIT_EXACT };

/* A certificate that is malformed somewhere fits as far as it could be read. */
static enum fit fit_of(const struct tls_identity *identity, const char *name)
{
    struct tls_sans sans;
    struct tls_san san;
    enum fit best = FIT_NONE;
    if (!identity->der || tls_sans_find(identity->der, identity->der_length, &sans) != 0)
        return FIT_NONE;
    while (best < FIT_EXACT && tls_sans_next(&sans, &san) == 1) {
        if (san.kind == TLS_SAN_DNS && tls_names_match(san.bytes, san.length, name))
            best = san.bytes[0] == '*' ? FIT_WILDCARD : FIT_EXACT;
    }
    return best;
}

const struct tls_identity *tls_config_choose(const struct cdt_tls_config *config, const char *name)
{
    const struct tls_set *set = &config->set;
    const struct tls_identity *wildcard = NULL;
    if (set->count == 1 || !name || !*name)
        return &set->identities[0];
    for (size_t i = 0; i < set->count; i++) {
        const enum fit fit = fit_of(&set->identities[i], name);
        if (fit == FIT_EXACT)
            return &set->identities[i];
        if (fit == FIT_WILDCARD && !wildcard)
            wildcard = &set->identities[i];
    }
    return wildcard ? wildcard : &set->identities[0];
}
