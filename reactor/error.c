/* Texts and symbols of error codes: our own from a table, those of errno from the C library, in
 * lower case, since they stand inside longer sentences. */
#include <conduit/error.h>

#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#define ERRNO_COUNT 134 /* Linux: EHWPOISON is 133 */

static const struct {
    const char *name, *text;
} own[CDT_ELAST - CDT_EBASE] = {
    [CDT_ETOOSLOW - CDT_EBASE] = {"CDT_ETOOSLOW", "peer sends too slowly"},
    [CDT_ELIFETIME - CDT_EBASE] = {"CDT_ELIFETIME", "lifetime of the connection is over"},
    [CDT_EIDLE - CDT_EBASE] = {"CDT_EIDLE", "connection was idle for too long"},
    [CDT_ESTALLED - CDT_EBASE] = {"CDT_ESTALLED", "peer does not take what is sent"},
    [CDT_EHANDSHAKE - CDT_EBASE] = {"CDT_EHANDSHAKE", "handshake took too long"},
    [CDT_EDRAIN - CDT_EBASE] = {"CDT_EDRAIN", "server stopped and its drain deadline has passed"},
    [CDT_EFILTERED - CDT_EBASE] = {"CDT_EFILTERED", "peer refused by the accept filter"},
    [CDT_ESHED - CDT_EBASE] = {"CDT_ESHED", "connection shed, no descriptor was free"},
    [CDT_ENXDOMAIN - CDT_EBASE] = {"CDT_ENXDOMAIN", "name resolution failed: NXDOMAIN"},
    [CDT_ENODATA - CDT_EBASE] = {"CDT_ENODATA", "name resolution failed: no data"},
    [CDT_ESERVFAIL - CDT_EBASE] = {"CDT_ESERVFAIL", "name resolution failed: SERVFAIL"},
    [CDT_EDNSREFUSED - CDT_EBASE] = {"CDT_EDNSREFUSED", "name resolution failed: refused"},
    [CDT_EDNSTIMEOUT - CDT_EBASE] = {"CDT_EDNSTIMEOUT", "name resolution failed: timeout"},
    [CDT_EDNSANSWER - CDT_EBASE] = {"CDT_EDNSANSWER", "name resolution failed: malformed answer"},
    [CDT_ENOSERVICE - CDT_EBASE] = {"CDT_ENOSERVICE", "unknown scheme"},
    [CDT_ENORULE - CDT_EBASE] = {"CDT_ENORULE", "no rule for this host"},
    [CDT_ETLS - CDT_EBASE] = {"CDT_ETLS", "TLS failed"},
    [CDT_ETLSALERT - CDT_EBASE] = {"CDT_ETLSALERT", "peer ended TLS with an alert"},
    [CDT_ETLSTRUNC - CDT_EBASE] = {"CDT_ETLSTRUNC", "stream ended without TLS close_notify"},
    [CDT_ETLSCERT - CDT_EBASE] = {"CDT_ETLSCERT", "certificate not trusted"},
    [CDT_ETLSNAME - CDT_EBASE] = {"CDT_ETLSNAME", "certificate is for another name"},
    [CDT_ETLSNOCERT - CDT_EBASE] = {"CDT_ETLSNOCERT", "peer has shown no certificate"},
    [CDT_ETLSKEY - CDT_EBASE] = {"CDT_ETLSKEY", "certificate or key cannot be used"},
};

static char errno_texts[ERRNO_COUNT][56];
static pthread_once_t errno_once = PTHREAD_ONCE_INIT;

/* "Connection refused" gets a small letter, "RPC version wrong" does not. */
static void make_errno_texts(void)
{
    for (int code = 0; code < ERRNO_COUNT; code++) {
        const char *text = strerrordesc_np(code);
        char *copy = errno_texts[code];

        if (!text)
            continue;
        strncpy(copy, text, sizeof errno_texts[code] - 1);
        if (!isupper((unsigned char)copy[1]))
            copy[0] = (char)tolower((unsigned char)copy[0]);
    }
}

static int positive(int code)
{
    return code >= 0 ? code : code == INT_MIN ? INT_MAX : -code;
}

const char *cdt_strerror(int code)
{
    code = positive(code);
    if (code >= CDT_EBASE && code < CDT_ELAST)
        return own[code - CDT_EBASE].text;
    if (code >= ERRNO_COUNT)
        return "unknown error";
    pthread_once(&errno_once, make_errno_texts);
    return errno_texts[code][0] ? errno_texts[code] : "unknown error";
}

const char *cdt_errname(int code)
{
    const char *name;

    code = positive(code);
    if (code >= CDT_EBASE && code < CDT_ELAST)
        return own[code - CDT_EBASE].name;
    name = code ? strerrorname_np(code) : NULL;
    return name ? name : "unknown";
}
