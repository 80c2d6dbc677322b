/* conduit version: what was compiled in, and what is selected. */
#include <stdio.h>

#include "tools/tool.h"

/* "wolfssl, openssl"; "none" without any. */
static const char *built_in(char text[64])
{
    static const enum cdt_tls_backend backends[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    size_t length = 0;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (cdt_tls_built_in(backends[i]))
            length += (size_t)snprintf(text + length, 64 - length, "%s%s", length ? ", " : "",
                                       cdt_tls_backend_name(backends[i]));
    }
    return length ? text : "none";
}

/* "xen, local" */
static const char *vchans_built_in(void)
{
    return cdt_vchan_available(CDT_VCHAN_XEN) ? "xen, local" : "local";
}

int version_run(struct settings *settings)
{
    char text[256], tls[64];
    (void)settings;
    snprintf(text, sizeof text,
             "conduit %s\ntls: %s (compiled in: %s)\nvchan: %s (compiled in: %s)\n", cdt_version(),
             cdt_tls_backend_name(cdt_tls_selected()), built_in(tls),
             cdt_vchan_backend_name(cdt_vchan_selected()), vchans_built_in());
    return say(text);
}
