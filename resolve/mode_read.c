/* Reading modes. Those of clients and servers are (TAG PAYLOAD), one row of a table for each tag; a
 * payload is a list of (NAME VALUE) in fixed order, as OCaml's tuples of polymorphic variants are
 * read. */
#include <stdio.h>
#include <string.h>

#include "resolve/mode.h"

/* What was read; it is freed by sexp_read()'s caller. The slices are good while the reader is. */
struct draft {
    struct cdt_endp *endp;
    struct key_slices key;
    void *made;
};

struct row {
    const char *tag;
    int (*read)(struct sexp_reader *reader, const struct row *row, struct draft *draft);
    enum cdt_endp_kind kind;
    enum cdt_tls_backend tls;
    bool client; /* the tuple has names */
};

static const struct slice nothing = {"", 0};

static int keep(struct draft *draft, struct cdt_endp *endp)
{
    draft->endp = endp;
    return endp ? 0 : -ENOMEM;
}

/* ---- fields: (NAME VALUE) -------------------------------------------------------------------- */

static int open_field(struct sexp_reader *reader, const char *name)
{
    struct slice atom;
    char expected[48];
    snprintf(expected, sizeof expected, "(%s ...)", name);
    int status = sexp_take(reader, SEXP_OPEN, expected);
    if (status == 0)
        status = sexp_take_atom(reader, name, &atom);
    if (status)
        return status;
    return slice_is(atom, name) ? 0 : sexp_wrong(reader, name);
}

static int close_field(struct sexp_reader *reader)
{
    return sexp_take(reader, SEXP_CLOSE, ") after one value");
}

static int take_field(struct sexp_reader *reader, const char *name, struct slice *value)
{
    int status = open_field(reader, name);
    if (status == 0)
        status = sexp_take_atom(reader, "one atom", value);
    return status ? status : close_field(reader);
}

static int take_port_field(struct sexp_reader *reader, uint16_t *port)
{
    int status = open_field(reader, "Port");
    if (status == 0)
        status = sexp_take_port(reader, port);
    return status ? status : close_field(reader);
}

static int take_ip_field(struct sexp_reader *reader, struct cdt_addr *addr)
{
    int status = open_field(reader, "IP");
    if (status == 0)
        status = sexp_take_ip(reader, addr);
    return status ? status : close_field(reader);
}

/* A file's name, which is to be a text of C. */
static int take_file_field(struct sexp_reader *reader, const char *name, struct slice *value)
{
    int status = open_field(reader, name);
    if (status == 0)
        status = sexp_take_atom(reader, "a path", value);
    if (status)
        return status;
    if (memchr(value->at, 0, value->length))
        return sexp_wrong(reader, "a path without \\000");
    return close_field(reader);
}

/* ---- payloads -------------------------------------------------------------------------------- */

/* ((IP 1.2.3.4) (Port 80)), with (Hostname h) first for TLS */
static int read_client_tcp(struct sexp_reader *reader, const struct row *row, struct draft *draft)
{
    struct slice host = nothing;
    struct cdt_addr addr;
    uint16_t port = 0;
    int status = sexp_take(reader, SEXP_OPEN, "( and a tuple");
    if (status == 0 && row->kind == CDT_ENDP_TLS)
        status = take_field(reader, "Hostname", &host);
    if (status == 0)
        status = take_ip_field(reader, &addr);
    if (status == 0)
        status = take_port_field(reader, &port);
    if (status == 0)
        status = sexp_take(reader, SEXP_CLOSE, ") after the port");
    if (status == 0)
        status = keep(draft, endp_make_tcp(&addr, port));
    if (status || row->kind != CDT_ENDP_TLS)
        return status;
    struct cdt_endp *tls = endp_make(CDT_ENDP_TLS, 0, host, nothing);
    if (!tls)
        return -ENOMEM;
    tls->inner = draft->endp;
    return keep(draft, tls);
}

/* (File /x) */
static int read_file(struct sexp_reader *reader, const struct row *row, struct draft *draft)
{
    struct slice path;
    const int status = take_field(reader, "File", &path);
    return status ? status : keep(draft, endp_make(row->kind, 0, path, nothing));
}

/* web */
static int read_name(struct sexp_reader *reader, const struct row *row, struct draft *draft)
{
    struct slice name;
    const int status = sexp_take_atom(reader, "a name", &name);
    return status ? status : keep(draft, endp_make(row->kind, 0, name, nothing));
}

static int take_domid(struct sexp_reader *reader, uint32_t *domid)
{
    return sexp_take_number(reader, "a domain id from 0 to 65535", UINT16_MAX, domid);
}

/* ((Domid 1) (Port p)), ((Domain_name n) (Port p)) */
static int take_named_vchan(struct sexp_reader *reader, bool direct, uint32_t *domid,
                            struct slice *name, struct slice *port)
{
    int status = open_field(reader, direct ? "Domid" : "Domain_name");
    if (status == 0)
        status = direct ? take_domid(reader, domid) : sexp_take_atom(reader, "a name", name);
    if (status == 0)
        status = close_field(reader);
    return status ? status : take_field(reader, "Port", port);
}

/* (1 p), (n p) */
static int take_bare_vchan(struct sexp_reader *reader, bool direct, uint32_t *domid,
                           struct slice *name, struct slice *port)
{
    const int status = direct ? take_domid(reader, domid) : sexp_take_atom(reader, "a name", name);
    return status ? status : sexp_take_atom(reader, "the name of a port", port);
}

static int read_vchan(struct sexp_reader *reader, const struct row *row, struct draft *draft)
{
    struct slice name = nothing, port = nothing;
    uint32_t domid = 0;
    int status = sexp_take(reader, SEXP_OPEN, "( and a tuple");
    if (status == 0)
        status = (row->client ? take_named_vchan : take_bare_vchan)(
            reader, row->kind == CDT_ENDP_VCHAN_DIRECT, &domid, &name, &port);
    if (status == 0)
        status = sexp_take(reader, SEXP_CLOSE, ") after the port");
    return status ? status : keep(draft, endp_make(row->kind, domid, name, port));
}

/* (Port 80); a socket is opaque */
static int read_server_tcp(struct sexp_reader *reader, const struct row *row, struct draft *draft)
{
    (void)row;
    struct slice name;
    uint16_t port = 0;
    int status = sexp_take(reader, SEXP_OPEN, "(Port ...)");
    if (status == 0)
        status = sexp_take_atom(reader, "Port", &name);
    if (status)
        return status;
    if (!slice_is(name, "Port"))
        return sexp_wrong(reader, slice_is(name, "Socket")
                                      ? "Port, as a socket cannot be read from text"
                                      : "Port");
    status = sexp_take_port(reader, &port);
    if (status == 0)
        status = close_field(reader);
    return status ? status : keep(draft, endp_make(CDT_ENDP_HOST, port, nothing, nothing));
}

/* (Crt_file_path c) (Key_file_path k) No_password */
static int take_key(struct sexp_reader *reader, struct key_slices *key)
{
    static const char expected[] = "No_password (a callback cannot be read from text)";
    struct slice atom;
    int status = take_file_field(reader, "Crt_file_path", &key->cert);
    if (status == 0)
        status = take_file_field(reader, "Key_file_path", &key->key);
    if (status == 0)
        status = sexp_take_atom(reader, expected, &atom);
    if (status)
        return status;
    return slice_is(atom, "No_password") ? 0 : sexp_wrong(reader, expected);
}

static int read_server_tls(struct sexp_reader *reader, const struct row *row, struct draft *draft)
{
    (void)row;
    uint16_t port = 0;
    int status = sexp_take(reader, SEXP_OPEN, "( and a tuple");
    if (status == 0)
        status = take_key(reader, &draft->key);
    if (status == 0)
        status = take_port_field(reader, &port);
    if (status == 0)
        status = sexp_take(reader, SEXP_CLOSE, ") after the port");
    if (status == 0)
        status = keep(draft, endp_make(CDT_ENDP_HOST, port, nothing, nothing));
    if (status)
        return status;
    struct cdt_endp *tls = endp_make(CDT_ENDP_TLS, 0, nothing, nothing);
    if (!tls)
        return -ENOMEM;
    tls->inner = draft->endp;
    return keep(draft, tls);
}

/* ---- modes ----------------------------------------------------------------------------------- */

static const struct row client_rows[] = {
    {"TCP", read_client_tcp, CDT_ENDP_TCP, CDT_TLS_ANY, true},
    {"TLS", read_client_tcp, CDT_ENDP_TLS, CDT_TLS_ANY, true},
    {"TLS_native", read_client_tcp, CDT_ENDP_TLS, CDT_TLS_WOLFSSL, true},
    {"OpenSSL", read_client_tcp, CDT_ENDP_TLS, CDT_TLS_OPENSSL, true},
    {"Unix_domain_socket", read_file, CDT_ENDP_UNIX, CDT_TLS_ANY, true},
    {"Vchan_direct", read_vchan, CDT_ENDP_VCHAN_DIRECT, CDT_TLS_ANY, true},
    {"Vchan_domain_socket", read_vchan, CDT_ENDP_VCHAN_DOMAIN_SOCKET, CDT_TLS_ANY, true},
    {0},
};

static const struct row server_rows[] = {
    {"TCP", read_server_tcp, CDT_ENDP_HOST, CDT_TLS_ANY, false},
    {"TLS", read_server_tls, CDT_ENDP_TLS, CDT_TLS_ANY, false},
    {"TLS_native", read_server_tls, CDT_ENDP_TLS, CDT_TLS_WOLFSSL, false},
    {"OpenSSL", read_server_tls, CDT_ENDP_TLS, CDT_TLS_OPENSSL, false},
    {"Unix_domain_socket", read_file, CDT_ENDP_UNIX, CDT_TLS_ANY, false},
    {"Vchan_direct", read_vchan, CDT_ENDP_VCHAN_DIRECT, CDT_TLS_ANY, false},
    {"Vchan_domain_socket", read_vchan, CDT_ENDP_VCHAN_DOMAIN_SOCKET, CDT_TLS_ANY, false},
    {"Launchd", read_name, CDT_ENDP_SYSTEMD, CDT_TLS_ANY, false},
    {0},
};

static int read_mode(struct sexp_reader *reader, const struct row *row, const char *tags,
                     struct draft *draft, enum cdt_tls_backend *tls)
{
    struct slice tag;
    int status = sexp_take(reader, SEXP_OPEN, "( and a mode");
    if (status == 0)
        status = sexp_take_atom(reader, tags, &tag);
    if (status)
        return status;
    while (row->tag && !slice_is(tag, row->tag))
        row++;
    if (!row->tag)
        return sexp_wrong(reader, tags);
    *tls = row->tls;
    status = row->read(reader, row, draft);
    return status ? status : sexp_take(reader, SEXP_CLOSE, ") after the mode");
}

static int read_client(struct sexp_reader *reader, void *into)
{
    static const char tags[] = "TCP, TLS, TLS_native, OpenSSL, Unix_domain_socket, Vchan_direct or "
                               "Vchan_domain_socket";
    struct draft *draft = into;
    enum cdt_tls_backend tls = CDT_TLS_ANY;
    const int status = read_mode(reader, client_rows, tags, draft, &tls);
    if (status)
        return status;
    draft->made = client_mode_make(tls, draft->endp);
    return draft->made ? 0 : -ENOMEM;
}

static int read_server(struct sexp_reader *reader, void *into)
{
    static const char tags[] = "TCP, TLS, TLS_native, OpenSSL, Unix_domain_socket, Vchan_direct, "
                               "Vchan_domain_socket or Launchd";
    struct draft *draft = into;
    enum cdt_tls_backend tls = CDT_TLS_ANY;
    const int status = read_mode(reader, server_rows, tags, draft, &tls);
    if (status)
        return status;
    draft->made = server_mode_make(tls, &draft->key, draft->endp);
    return draft->made ? 0 : -ENOMEM;
}

/* None, or (TLS ((Crt_file_path c) (Key_file_path k) No_password)) */
static int read_own_key(struct sexp_reader *reader, void *into)
{
    struct draft *draft = into;
    struct slice tag;
    int status = 0;
    const enum sexp_token token = sexp_next(reader);
    if (token == SEXP_OPEN) {
        status = sexp_take_atom(reader, "TLS", &tag);
        if (status == 0 && !slice_is(tag, "TLS"))
            status = sexp_wrong(reader, "TLS");
        if (status == 0)
            status = sexp_take(reader, SEXP_OPEN, "( and a tuple");
        if (status == 0)
            status = take_key(reader, &draft->key);
        if (status == 0)
            status = sexp_take(reader, SEXP_CLOSE, ") after the password");
        if (status == 0)
            status = sexp_take(reader, SEXP_CLOSE, ") after the key");
    } else if (token == SEXP_WRONG) {
        status = -EINVAL;
    } else if (token != SEXP_ATOM || !slice_is(reader->atom, "None")) {
        status = sexp_wrong(reader, "None or (TLS ...)");
    }
    if (status)
        return status;
    draft->made = own_key_make(&draft->key);
    return draft->made ? 0 : -ENOMEM;
}

/* Reads a mode into `draft`; after an error nothing is left of it. */
static int read_draft(const char *text, sexp_fn *fn, struct draft *draft,
                      struct cdt_text_error *error)
{
    if (error)
        *error = (struct cdt_text_error){0};
    if (!text)
        return -EINVAL;
    const int status = sexp_read(text, fn, draft, error);
    if (status) {
        cdt_endp_free(draft->endp);
        mem_free(draft->made);
    }
    return status;
}

int cdt_client_mode_parse(const char *text, struct cdt_client_mode **mode,
                          struct cdt_text_error *error)
{
    struct draft draft = {0};
    const int status = mode ? read_draft(text, read_client, &draft, error) : -EINVAL;
    if (status == 0)
        *mode = draft.made;
    return status;
}

int cdt_server_mode_parse(const char *text, struct cdt_server_mode **mode,
                          struct cdt_text_error *error)
{
    struct draft draft = {0};
    const int status = mode ? read_draft(text, read_server, &draft, error) : -EINVAL;
    if (status == 0)
        *mode = draft.made;
    return status;
}

int cdt_own_key_parse(const char *text, struct cdt_own_key **key, struct cdt_text_error *error)
{
    struct draft draft = {0};
    const int status = key ? read_draft(text, read_own_key, &draft, error) : -EINVAL;
    if (status == 0)
        *key = draft.made;
    return status;
}
