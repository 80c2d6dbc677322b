/* Configurations of TLS for tests of the context: both sides know the one certificate of the tests. */
#ifndef TEST_CONTEXT_TLS_H
#define TEST_CONTEXT_TLS_H

#include <conduit/tls.h>

#include "test/support/identity.h"

static inline struct cdt_tls_config *make_config(struct cdt_reactor *reactor,
                                                 enum cdt_tls_role role,
                                                 enum cdt_tls_backend backend, const char *alpn)
{
    static const struct cdt_tls_identity identity = {.cert = test_certificate, .key = test_key};
    struct cdt_tls_options options = {
        .size = sizeof options, .role = role, .backend = backend, .alpn = alpn};
    struct cdt_text_error error = {.text = ""};
    struct cdt_tls_config *config;
    if (role == CDT_TLS_SERVER) {
        options.identities = &identity;
        options.identity_count = 1;
    } else {
        options.system_anchors = CDT_OFF;
        options.ca = test_certificate;
    }
    if (cdt_tls_config_new(reactor, &options, &config, &error) != 0)
        fail_msg("%s", error.text);
    return config;
}

#endif
