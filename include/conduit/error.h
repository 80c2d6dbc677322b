/* conduit: error codes beyond errno, and their names.
 *
 * Functions return them negated, as they do errno values: -ECONNREFUSED, -CDT_ETOOSLOW. */
#ifndef CONDUIT_ERROR_H
#define CONDUIT_ERROR_H

#include <stddef.h>

#include <conduit/version.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cdt_error {
    CDT_EBASE = 5000,    /* no errno value is this large */
    CDT_ETOOSLOW = 5000, /* the peer sent less than the minimum rate */
    CDT_ELIFETIME,       /* the total lifetime of the flow is over */
    CDT_EIDLE,           /* nothing was sent or received for the idle timeout */
    CDT_ESTALLED,        /* queued bytes could not be sent for the write-stall timeout */
    CDT_EHANDSHAKE,      /* a layer's handshake did not end within the handshake timeout */
    CDT_EDRAIN,          /* the server stopped and its deadline has passed */
    CDT_EFILTERED,       /* on_accept refused the connection without saying why */
    CDT_ESHED,           /* accepted and reset, because no descriptor was free */
    CDT_ENXDOMAIN,       /* the name does not exist (NXDOMAIN, RFC 1035 section 4.1.1) */
    CDT_ENODATA,         /* the name has no records of the types asked for */
    CDT_ESERVFAIL,       /* the name server failed (SERVFAIL) */
    CDT_EDNSREFUSED,     /* the name server refused to answer (REFUSED) */
    CDT_EDNSTIMEOUT,     /* no name server answered in time */
    CDT_EDNSANSWER,      /* the name server's answer makes no sense */
    CDT_ENOSERVICE,      /* the scheme of a URI is no service that is known, or there is none */
    CDT_ENORULE,         /* no rule of the resolver is for this host */
    CDT_ETLS,            /* the peer does not speak TLS, or breaks its rules */
    CDT_ETLSALERT,       /* the peer ended TLS with an alert: it did not like something of ours */
    CDT_ETLSTRUNC,       /* the stream ended without close_notify: data may be missing */
    CDT_ETLSCERT,        /* the peer's certificate is not to be trusted */
    CDT_ETLSNAME,        /* the peer's certificate is for other names */
    CDT_ETLSNOCERT,      /* the peer has shown no certificate */
    CDT_ETLSKEY,         /* a certificate or key of ours, or a list of anchors, cannot be used */
    CDT_ELAST            /* one past the last */
};

/* The text of an error code, negative or positive, errno or CDT_E...: "connection refused". Never
 * NULL, static storage; unknown codes give "unknown error". Any thread. */
CDT_API const char *cdt_strerror(int code);

/* The symbol of an error code: "ECONNREFUSED", "CDT_ETOOSLOW"; "unknown" where there is none.
 * Static storage. Any thread. */
CDT_API const char *cdt_errname(int code);

/* Where a text is wrong, and a sentence: "offset 14: expected a port from 0 to 65535". Functions
 * that read text fill it in. */
struct cdt_text_error {
    size_t offset; /* bytes from the beginning of the text */
    char text[160];
};

#ifdef __cplusplus
}
#endif
#endif
