/* conduit: URIs (RFC 3986), read into their parts.
 *
 * Conventions: <conduit/version.h>. Everything here may be called from any thread. */
#ifndef CONDUIT_URI_H
#define CONDUIT_URI_H

#include <stddef.h>
#include <stdint.h>

#include <conduit/addr.h>
#include <conduit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cdt_uri_host {
    CDT_URI_NO_HOST, /* no authority, or an empty host: `host` is "" */
    CDT_URI_NAME,    /* a name for DNS */
    CDT_URI_ADDRESS, /* an address literal, 127.0.0.1 or [::1] or [fe80::1%25eth0] */
    CDT_URI_PATH /* a percent-encoded path, http+unix://%2Frun%2Fapp.sock/: it begins with / or @ */
};

/* Never changes once it was made. */
struct cdt_uri {
    const char *text;     /* the whole, as it was given */
    const char *scheme;   /* in small letters; NULL: none. A relative reference has none */
    const char *userinfo; /* as it was given; NULL: none */
    /* Percent-decoded. A name is in small letters, without a trailing dot, and internationalised
     * labels are A-labels (IDNA 2008, RFC 5890, with the mapping of UTS 46); an address is without
     * brackets, in its usual form, with its scope. */
    const char *host;
    enum cdt_uri_host kind;
    struct cdt_addr addr; /* of an address literal; its port is 0 */
    int32_t port;         /* -1: none; "http://host:/" has none (RFC 3986 section 3.2.3) */
    const char *path;     /* as it was given; "" if there is none */
    const char *query;    /* as it was given; NULL: none */
    const char *fragment; /* the same */
};

/* Reads a URI. Returns 0; -EINVAL, with the offset and what was expected in `error` (which may be
 * NULL): not a URI, more than 65535 bytes, a port over 65535, wrong percent-encoding or %00 in the
 * host, a label of more than 63 bytes, a name of more than 253, an empty label, a name that IDNA
 * does not allow, a name that ends in a number (it would look like an address); -ENODEV for a scope
 * that is no interface; -ENOMEM. UTF-8 may stand as it is (RFC 3987), and a scope behind % as well
 * as behind %25 (RFC 6874). */
CDT_API int cdt_uri_parse(const char *text, struct cdt_uri **uri, struct cdt_text_error *error);

/* NULL is allowed. */
CDT_API void cdt_uri_free(struct cdt_uri *uri);

#ifdef __cplusplus
}
#endif
#endif
