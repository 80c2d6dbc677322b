/* The resolve room from inside: making endpoints of byte strings, readers of text. */
#ifndef RESOLVE_INTERNAL_H
#define RESOLVE_INTERNAL_H

#include <errno.h>

#include <conduit/endp.h>

#include "reactor/internal.h"

/* Bytes that belong to someone else, without a final 0. */
struct slice {
    const char *at;
    size_t length;
};

static inline struct slice slice_of(const char *text)
{
    struct slice slice = {text, 0};
    while (text[slice.length])
        slice.length++;
    return slice;
}

bool slice_is(struct slice slice, const char *text);

/* A decimal number of at most `max`, without a sign; anything else is false. */
bool slice_number(struct slice slice, uint32_t max, uint32_t *number);

/* An endpoint with copies of the texts; the caller fills in `addr` and `inner`. NULL: no memory. */
struct cdt_endp *endp_make(enum cdt_endp_kind kind, uint32_t number, struct slice name,
                           struct slice port);

/* What is wrong with the name of a host, and where; NULL: nothing. */
const char *endp_host_wrong(struct slice host, size_t *at);

/* How many endpoints lie in one another. */
unsigned endp_depth(const struct cdt_endp *endp);

/* Fills in the error and returns `code`. */
int endp_wrong(struct cdt_endp_error *error, int code, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The host that TLS over this endpoint is for, as its text says; empty if it has none. `memory` may
 * be used to hold it. */
struct slice endp_tls_name(const struct cdt_endp *inner, char memory[CDT_ADDR_TEXT]);

/* The IP address of a TCP endpoint without its port: "::1". Returns `memory`. */
const char *endp_ip(const struct cdt_addr *addr, char memory[CDT_ADDR_TEXT]);

/* ---- s-expressions --------------------------------------------------------------------------- */

enum sexp_token { SEXP_OPEN, SEXP_CLOSE, SEXP_ATOM, SEXP_END, SEXP_WRONG };

struct sexp_reader {
    const char *text;
    size_t at;         /* first byte not read */
    size_t start;      /* of the last token */
    struct slice atom; /* of the last token, escapes replaced */
    char *memory;      /* for atoms; as many bytes as the text has */
    size_t used;
    struct cdt_endp_error *error;
};

/* Reads the next token, past white space and comments. SEXP_WRONG: the error is filled in. */
enum sexp_token sexp_next(struct sexp_reader *reader);

/* Reads an endpoint in s-expression form, the whole text. */
int endp_read_sexp(const char *text, struct cdt_endp **endp, struct cdt_endp_error *error);

/* Whether an atom must be written in quotes. */
bool sexp_needs_quotes(struct slice atom);

#endif
