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

/* A name with its final 0, as DNS has it at most. */
enum { HOST_ASCII = 254 };

/* A host name in the form in which DNS is asked: small letters, internationalised labels (in UTF-8)
 * as A-labels, no trailing dot. 0; -EINVAL with a sentence in *why ("expected ..."); -ENOMEM. Names
 * whose last label is a number are refused: an address, or an attempt to look like one. */
int host_to_ascii(struct slice host, char out[HOST_ASCII], const char **why);
/* The same, and where in `host` it is wrong. */
int host_to_ascii_at(struct slice host, char out[HOST_ASCII], const char **why, size_t *at);

/* Whether a vchan port can be used under this name: [a-zA-Z0-9_-]+ . */
bool vchan_port_is_valid(struct slice port);

/* How many endpoints lie in one another. */
unsigned endp_depth(const struct cdt_endp *endp);

/* Fills in the error and returns `code`. */
int endp_wrong(struct cdt_text_error *error, int code, size_t offset, const char *format, ...)
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
    struct cdt_text_error *error;
};

/* Reads the next token, past white space and comments. SEXP_WRONG: the error is filled in. */
enum sexp_token sexp_next(struct sexp_reader *reader);

/* "expected ...", at the last token. Returns -EINVAL. */
int sexp_wrong(struct sexp_reader *reader, const char *expected);

/* Each takes the next tokens, which must be what is expected: -EINVAL, and -ENODEV for a scope. */
int sexp_take(struct sexp_reader *reader, enum sexp_token kind, const char *expected);
int sexp_take_atom(struct sexp_reader *reader, const char *expected, struct slice *atom);
int sexp_take_number(struct sexp_reader *reader, const char *expected, uint32_t max,
                     uint32_t *number);
int sexp_take_ip(struct sexp_reader *reader, struct cdt_addr *addr); /* its port is 0 */
int sexp_take_port(struct sexp_reader *reader, uint16_t *port);

/* Reads a whole text by `fn`, which fills in `made`; after an error its caller frees what was made.
 * The atoms are good until this returns. */
typedef int sexp_fn(struct sexp_reader *reader, void *made);
int sexp_read(const char *text, sexp_fn *fn, void *made, struct cdt_text_error *error);

/* An endpoint with an IP address. NULL: no memory. */
struct cdt_endp *endp_make_tcp(const struct cdt_addr *addr, uint16_t port);

/* Reads an endpoint in s-expression form, the whole text. */
int endp_read_sexp(const char *text, struct cdt_endp **endp, struct cdt_text_error *error);

/* Whether an atom must be written in quotes. */
bool sexp_needs_quotes(struct slice atom);

/* ---- resolutions ----------------------------------------------------------------------------- */

/* Those of a smaller group are to be tried before any of a larger one: the targets of SRV records, by
 * priority and weight (RFC 2782). The index is that of cdt_resolution_endps(). */
struct cdt_resolution;
uint32_t resolution_group(const struct cdt_resolution *resolution, size_t index);

#endif
