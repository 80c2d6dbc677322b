/* Reading an endpoint's s-expression: (TAG PAYLOAD), one row of the table for each tag. */
#include <string.h>

#include "resolve/internal.h"

static int finish(struct cdt_endp *made, struct cdt_endp **endp)
{
    *endp = made;
    return made ? 0 : -ENOMEM;
}

static const struct slice nothing = {"", 0};

struct row;
static int read_endp(struct sexp_reader *reader, unsigned depth, struct cdt_endp **endp);

/* (127.0.0.1 80) */
static int read_tcp(struct sexp_reader *reader, const struct row *row, unsigned depth,
                    struct cdt_endp **endp)
{
    (void)row, (void)depth;
    struct cdt_addr addr;
    uint16_t port = 0;
    int status = sexp_take(reader, SEXP_OPEN, "( and an IP address");
    if (status == 0)
        status = sexp_take_ip(reader, &addr);
    if (status == 0)
        status = sexp_take_port(reader, &port);
    if (status == 0)
        status = sexp_take(reader, SEXP_CLOSE, ") after the port");
    return status ? status : finish(endp_make_tcp(&addr, port), endp);
}

struct row {
    const char *tag;
    int (*read)(struct sexp_reader *reader, const struct row *row, unsigned depth,
                struct cdt_endp **endp);
    enum cdt_endp_kind kind;
    const char *expected;
};

/* /run/x.sock */
static int read_name(struct sexp_reader *reader, const struct row *row, unsigned depth,
                     struct cdt_endp **endp)
{
    (void)depth;
    struct slice name;
    const int status = sexp_take_atom(reader, row->expected, &name);
    return status ? status : finish(endp_make(row->kind, 0, name, nothing), endp);
}

/* (3 foo) or (vm1 foo) */
static int read_vchan(struct sexp_reader *reader, const struct row *row, unsigned depth,
                      struct cdt_endp **endp)
{
    (void)depth;
    struct slice name = nothing, port = nothing;
    uint32_t domid = 0;
    int status = sexp_take(reader, SEXP_OPEN, row->expected);
    if (status == 0 && row->kind == CDT_ENDP_VCHAN_DIRECT)
        status = sexp_take_number(reader, "a domain id from 0 to 65535", UINT16_MAX, &domid);
    else if (status == 0)
        status = sexp_take_atom(reader, "the name of a domain", &name);
    if (status == 0)
        status = sexp_take_atom(reader, "the name of a port", &port);
    if (status == 0)
        status = sexp_take(reader, SEXP_CLOSE, ") after the name of the port");
    return status ? status : finish(endp_make(row->kind, domid, name, port), endp);
}

/* (example.org (TCP (127.0.0.1 80))) */
static int read_tls(struct sexp_reader *reader, const struct row *row, unsigned depth,
                    struct cdt_endp **endp)
{
    struct slice host;
    struct cdt_endp *inner = NULL;
    int status = sexp_take(reader, SEXP_OPEN, row->expected);
    if (status == 0)
        status = sexp_take_atom(reader, "a host name", &host);
    if (status == 0)
        status = read_endp(reader, depth + 1, &inner);
    if (status)
        return status;
    status = sexp_take(reader, SEXP_CLOSE, ") after the endpoint inside");
    struct cdt_endp *made = status ? NULL : endp_make(CDT_ENDP_TLS, 0, host, nothing);
    if (!made) {
        cdt_endp_free(inner);
        return status ? status : -ENOMEM;
    }
    made->inner = inner;
    return finish(made, endp);
}

static const struct row rows[] = {
    {"TCP", read_tcp, CDT_ENDP_TCP, NULL},
    {"TLS", read_tls, CDT_ENDP_TLS, "( and a host name"},
    {"Unix_domain_socket", read_name, CDT_ENDP_UNIX, "a path"},
    {"Vchan_direct", read_vchan, CDT_ENDP_VCHAN_DIRECT, "( and a domain id"},
    {"Vchan_domain_socket", read_vchan, CDT_ENDP_VCHAN_DOMAIN_SOCKET, "( and the name of a domain"},
    {"Unknown", read_name, CDT_ENDP_UNKNOWN, "a reason"},
    {"Launchd", read_name, CDT_ENDP_SYSTEMD, "a name of LISTEN_FDNAMES"},
};

/* The short text of a kind that has no s-expression, as an atom. */
static int read_short(struct sexp_reader *reader, struct cdt_endp **endp)
{
    static const char expected[] = "( and an endpoint, or tcp: or fd: and a name";
    struct cdt_text_error inside;
    char text[1100];
    const struct slice atom = reader->atom;
    if (atom.length >= sizeof text || memchr(atom.at, 0, atom.length))
        return sexp_wrong(reader, expected);
    memcpy(text, atom.at, atom.length);
    text[atom.length] = 0;
    struct cdt_endp *made = NULL;
    const bool possible = strncmp(text, "tcp:", 4) == 0 || strncmp(text, "fd:", 3) == 0;
    const int status = possible ? cdt_endp_parse(text, &made, &inside) : -EINVAL;
    if (status == -ENOMEM)
        return status;
    if (status)
        return sexp_wrong(reader, expected);
    if (made->kind < CDT_ENDP_HOST) {
        cdt_endp_free(made);
        return sexp_wrong(reader, expected);
    }
    *endp = made;
    return 0;
}

static const char tag_expected[] =
    "TCP, TLS, Unix_domain_socket, Vchan_direct, Vchan_domain_socket, Launchd or Unknown";

static int read_endp(struct sexp_reader *reader, unsigned depth, struct cdt_endp **endp)
{
    const enum sexp_token token = sexp_next(reader);
    if (token == SEXP_ATOM && depth > 1 && depth <= CDT_ENDP_DEPTH)
        return read_short(reader, endp);
    if (token != SEXP_OPEN)
        return token == SEXP_WRONG ? -EINVAL : sexp_wrong(reader, "( and an endpoint");
    int status;
    if (depth > CDT_ENDP_DEPTH)
        return endp_wrong(reader->error, -E2BIG, reader->start,
                          "expected at most %d endpoints in one another", CDT_ENDP_DEPTH);
    struct slice tag;
    status = sexp_take_atom(reader, tag_expected, &tag);
    if (status)
        return status;
    const struct row *row = rows, *end = rows + sizeof rows / sizeof *rows;
    while (row < end && !slice_is(tag, row->tag))
        row++;
    if (row == end)
        return sexp_wrong(reader, tag_expected);
    status = row->read(reader, row, depth, endp);
    if (status)
        return status;
    status = sexp_take(reader, SEXP_CLOSE, ") after the endpoint");
    if (status) {
        cdt_endp_free(*endp);
        *endp = NULL;
    }
    return status;
}

static int read_first(struct sexp_reader *reader, void *made)
{
    return read_endp(reader, 1, made);
}

int endp_read_sexp(const char *text, struct cdt_endp **endp, struct cdt_text_error *error)
{
    struct cdt_endp *made = NULL;
    const int status = sexp_read(text, read_first, &made, error);
    if (status)
        cdt_endp_free(made);
    else
        *endp = made;
    return status;
}
