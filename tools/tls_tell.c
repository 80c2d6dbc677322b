/* What TLS has negotiated, for -v. */
#include <stdio.h>

#include "tools/tool.h"

static const char *or_none(const char *text)
{
    return *text ? text : "none";
}

static void tell_certificate(const struct settings *settings, const char *what,
                             const struct cdt_flow *flow, const struct cdt_tls_info *info)
{
    char fingerprint[2 * sizeof info->sha256 + 1], names[256];
    for (size_t i = 0; i < sizeof info->sha256; i++)
        snprintf(fingerprint + 2 * i, 3, "%02x", info->sha256[i]);
    if (cdt_tls_peer_names(flow, names, sizeof names) != 0)
        *names = 0;
    tell(settings, "%s: certificate of the peer: SHA-256 %s, names %s", what, fingerprint,
         or_none(names));
}

void tls_tell(const struct settings *settings, const char *what, const struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    if (!settings->verbose || cdt_tls_info(flow, &info) != 0)
        return;
    tell(settings, "%s: %s, %s, ALPN %s, server name %s, %s", what, info.version, info.cipher,
         or_none(info.alpn), or_none(info.server_name),
         info.resumed ? "resumed" : "full handshake");
    if (info.has_certificate)
        tell_certificate(settings, what, flow, &info);
}
