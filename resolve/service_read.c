/* Reading a service, a record: its fields come in any order, each once. */
#include <string.h>

#include <conduit/mode.h>

#include "resolve/internal.h"

static int read_name(struct sexp_reader *reader, struct cdt_service *service)
{
    static const char expected[] = "a name of at most 63 bytes";
    struct slice name;
    const int status = sexp_take_atom(reader, expected, &name);
    if (status)
        return status;
    if (name.length >= sizeof service->name || memchr(name.at, 0, name.length))
        return sexp_wrong(reader, expected);
    memcpy(service->name, name.at, name.length);
    return 0;
}

static int read_port(struct sexp_reader *reader, struct cdt_service *service)
{
    return sexp_take_port(reader, &service->port);
}

/* OCaml's reader takes True and False as well. */
static int read_tls(struct sexp_reader *reader, struct cdt_service *service)
{
    static const char expected[] = "true or false";
    struct slice value;
    const int status = sexp_take_atom(reader, expected, &value);
    if (status)
        return status;
    service->tls = slice_is(value, "true") || slice_is(value, "True");
    if (!service->tls && !slice_is(value, "false") && !slice_is(value, "False"))
        return sexp_wrong(reader, expected);
    return 0;
}

static const struct field {
    const char *name, *missing;
    int (*read)(struct sexp_reader *reader, struct cdt_service *service);
} fields[] = {
    {"name", "(name ...)", read_name},
    {"port", "(port ...)", read_port},
    {"tls", "(tls ...)", read_tls},
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* name VALUE), for a field that has not been seen */
static int read_field(struct sexp_reader *reader, struct cdt_service *service, bool seen[FIELDS])
{
    static const char expected[] = "name, port or tls";
    struct slice name;
    int status = sexp_take_atom(reader, expected, &name), i = 0;
    if (status)
        return status;
    while (i < FIELDS && !slice_is(name, fields[i].name))
        i++;
    if (i == FIELDS)
        return sexp_wrong(reader, expected);
    if (seen[i])
        return sexp_wrong(reader, "each field once");
    seen[i] = true;
    status = fields[i].read(reader, service);
    return status ? status : sexp_take(reader, SEXP_CLOSE, ") after one value");
}

static int read_record(struct sexp_reader *reader, void *made)
{
    bool seen[FIELDS] = {false};
    int status = sexp_take(reader, SEXP_OPEN, "( and the fields name, port and tls");
    while (status == 0) {
        const enum sexp_token token = sexp_next(reader);
        if (token == SEXP_CLOSE)
            break;
        if (token == SEXP_WRONG)
            return -EINVAL;
        status = token == SEXP_OPEN ? read_field(reader, made, seen)
                                    : sexp_wrong(reader, "( and a field, or )");
    }
    for (int i = 0; i < FIELDS && status == 0; i++) {
        if (!seen[i])
            status = sexp_wrong(reader, fields[i].missing);
    }
    return status;
}

int cdt_service_parse(const char *text, struct cdt_service *service, struct cdt_text_error *error)
{
    struct cdt_service made = {0};
    if (error)
        *error = (struct cdt_text_error){0};
    if (!text || !service)
        return -EINVAL;
    const int status = sexp_read(text, read_record, &made, error);
    if (status == 0)
        *service = made;
    return status;
}
