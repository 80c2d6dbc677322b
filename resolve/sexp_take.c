/* Taking the tokens that must come next in an s-expression, and reading a whole text. */
#include <string.h>

#include "resolve/internal.h"

int sexp_wrong(struct sexp_reader *reader, const char *expected)
{
    return endp_wrong(reader->error, -EINVAL, reader->start, "expected %s", expected);
}

int sexp_take(struct sexp_reader *reader, enum sexp_token kind, const char *expected)
{
    const enum sexp_token token = sexp_next(reader);
    if (token == SEXP_WRONG)
        return -EINVAL; /* the error is filled in */
    return token == kind ? 0 : sexp_wrong(reader, expected);
}

int sexp_take_atom(struct sexp_reader *reader, const char *expected, struct slice *atom)
{
    const int status = sexp_take(reader, SEXP_ATOM, expected);
    *atom = reader->atom;
    return status;
}

int sexp_take_number(struct sexp_reader *reader, const char *expected, uint32_t max,
                     uint32_t *number)
{
    struct slice atom;
    const int status = sexp_take_atom(reader, expected, &atom);
    if (status)
        return status;
    return slice_number(atom, max, number) ? 0 : sexp_wrong(reader, expected);
}

int sexp_take_port(struct sexp_reader *reader, uint16_t *port)
{
    uint32_t number = 0;
    const int status = sexp_take_number(reader, "a port from 0 to 65535", UINT16_MAX, &number);
    *port = (uint16_t)number;
    return status;
}

int sexp_take_ip(struct sexp_reader *reader, struct cdt_addr *addr)
{
    static const char expected[] = "an IP address";
    struct slice ip;
    char text[64];
    int status = sexp_take_atom(reader, expected, &ip);
    if (status)
        return status;
    if (ip.length >= sizeof text || memchr(ip.at, 0, ip.length))
        return sexp_wrong(reader, expected);
    memcpy(text, ip.at, ip.length);
    text[ip.length] = 0;
    status = cdt_addr_ip(addr, text, 0);
    if (status == -ENODEV)
        return endp_wrong(reader->error, status, reader->start,
                          "expected the scope of an interface that exists");
    return status ? sexp_wrong(reader, expected) : 0;
}

int sexp_read(const char *text, sexp_fn *fn, void *made, struct cdt_text_error *error)
{
    struct sexp_reader reader = {.text = text, .error = error};
    int status = -ENOMEM;
    reader.memory = mem_alloc(strlen(text) + 1);
    if (reader.memory)
        status = fn(&reader, made);
    if (status == 0)
        status = sexp_take(&reader, SEXP_END, "the end of the text");
    mem_free(reader.memory);
    return status == -ENOMEM ? endp_wrong(error, status, 0, "not enough memory") : status;
}
