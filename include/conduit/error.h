/* conduit: error codes beyond errno, and their names.
 *
 * Functions return them negated, as they do errno values: -ECONNREFUSED, -CDT_ETOOSLOW. */
#ifndef CONDUIT_ERROR_H
#define CONDUIT_ERROR_H

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
    CDT_ELAST            /* one past the last */
};

/* The text of an error code, negative or positive, errno or CDT_E...: "connection refused". Never
 * NULL, static storage; unknown codes give "unknown error". Any thread. */
CDT_API const char *cdt_strerror(int code);

/* The symbol of an error code: "ECONNREFUSED", "CDT_ETOOSLOW"; "unknown" where there is none.
 * Static storage. Any thread. */
CDT_API const char *cdt_errname(int code);

#ifdef __cplusplus
}
#endif
#endif
