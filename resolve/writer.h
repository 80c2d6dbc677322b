/* Writing text that may not fit: what does not is only counted. */
#ifndef RESOLVE_WRITER_H
#define RESOLVE_WRITER_H

#include <conduit/mode.h>

#include "resolve/internal.h"

struct writer {
    char *text;
    size_t size, length;
    enum { FIRST, BARE, OTHER } last; /* what was written last: nothing or (, a bare atom, ... */
    bool spaces;                      /* the human form: one before everything but the first */
};

void put(struct writer *writer, char byte);
void put_slice(struct writer *writer, struct slice slice);
void put_text(struct writer *writer, const char *text);
void put_format(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Begins an s-expression. False: it has no such form, or there is no memory for it. */
static inline bool writer_begin(struct writer *writer, enum cdt_endp_form form, char *text,
                                size_t size)
{
    *writer = (struct writer){.text = text, .size = size, .spaces = form == CDT_ENDP_HUMAN};
    return (form == CDT_ENDP_HUMAN || form == CDT_ENDP_MACHINE) && (text || !size);
}

/* Ends the text. Returns its length, as snprintf(3) does; -EINVAL for one over INT_MAX. */
int writer_end(struct writer *writer);

/* S-expressions: an atom, in quotes where it must be, and lists. */
void put_atom(struct writer *writer, struct slice atom);
void put_number_atom(struct writer *writer, uint32_t number);
void put_open(struct writer *writer);
void put_close(struct writer *writer);

/* ( and a tag; (TAG VALUE). */
void put_tag(struct writer *writer, const char *tag);
void put_field(struct writer *writer, const char *tag, struct slice value);
void put_number_field(struct writer *writer, const char *tag, uint32_t number);

/* An endpoint as s-expression. */
void put_sexp(struct writer *writer, const struct cdt_endp *endp);

/* An endpoint's short text; false if there is none that reads back as this endpoint. */
bool put_short(struct writer *writer, const struct cdt_endp *endp);

/* The key of a server, or None. */
void put_own_key(struct writer *writer, const struct cdt_own_key *key);

static inline struct slice name_of(const struct cdt_endp *endp)
{
    return (struct slice){endp->name, endp->name_length};
}

#endif
