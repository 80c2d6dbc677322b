/* Reading the short text of an endpoint: a prefix of the table, and what it demands behind it. Any
 * text that begins with none of the prefixes, nor as an s-expression, is left to others. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "resolve/internal.h"

enum { HOST_LENGTH = 1023 };

static const char port_expected[] = "expected a port from 0 to 65535";

int endp_wrong(struct cdt_text_error *error, int code, size_t offset, const char *format, ...)
{
    if (!error)
        return code;
    error->offset = offset;
    const int used = snprintf(error->text, sizeof error->text, "offset %zu: ", offset);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, arguments);
    va_end(arguments);
    return code;
}

bool slice_is(struct slice slice, const char *text)
{
    return strlen(text) == slice.length && memcmp(slice.at, text, slice.length) == 0;
}

bool slice_number(struct slice slice, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < slice.length; i++) {
        if (slice.at[i] < '0' || slice.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(slice.at[i] - '0');
        if (value > max)
            return false;
    }
    *number = (uint32_t)value;
    return slice.length > 0;
}

/* A text under way: all of it for the offsets, and where we are. */
struct reader {
    const char *text, *at;
    struct cdt_text_error *error;
};

static int wrong(const struct reader *reader, int code, const char *sentence)
{
    return endp_wrong(reader->error, code, (size_t)(reader->at - reader->text), "%s", sentence);
}

static int finish(const struct reader *reader, struct cdt_endp *made, struct cdt_endp **endp)
{
    if (!made)
        return wrong(reader, -ENOMEM, "not enough memory");
    *endp = made;
    return 0;
}

static const struct slice nothing = {"", 0};

/* ---- tcp: ------------------------------------------------------------------------------------ */

/* An IPv6 address in brackets, or an IPv4 one; -EPROTO if it is neither but may be a name. */
static int read_ip(struct reader *reader, struct slice host, bool brackets, struct cdt_addr *addr)
{
    char text[64];
    int status = -EINVAL;
    if (host.length < sizeof text) {
        memcpy(text, host.at, host.length);
        text[host.length] = 0;
        status = cdt_addr_ip(addr, text, 0);
    }
    if (status == -ENODEV)
        return wrong(reader, status, "expected the scope of an interface that exists");
    if (brackets && (status || addr->any.sa_family != AF_INET6))
        return wrong(reader, -EINVAL, "expected an IPv6 address");
    return status ? -EPROTO : 0;
}

/* Bytes that no host name has: control characters, the space, and "#%()/:;<>?@[\]^`{|}, each a bit. */
static bool is_bad_in_host(char c)
{
    static const uint64_t bad[4] = {UINT64_C(0xdc00832dffffffff), UINT64_C(0xb800000178000001)};
    const unsigned char byte = (unsigned char)c;
    return bad[byte / 64] >> byte % 64 & 1;
}

static bool is_made_of(struct slice slice, const char *bytes)
{
    size_t count = 0;
    while (count < slice.length && slice.at[count] && strchr(bytes, slice.at[count]))
        count++;
    return count == slice.length && count > 0;
}

/* Whether the last label is a number: no name's is, so it is a mistyped address, which others would
 * read in strange ways. */
static bool ends_in_number(struct slice host)
{
    size_t end = host.length - (host.at[host.length - 1] == '.'), begin = end;
    while (begin && host.at[begin - 1] != '.')
        begin--;
    const struct slice label = {host.at + begin, end - begin};
    const struct slice rest = {label.at + 2, label.length - 2};
    return is_made_of(label, "0123456789") ||
           (label.length > 2 && label.at[0] == '0' && (label.at[1] | 32) == 'x' &&
            is_made_of(rest, "0123456789abcdefABCDEF"));
}

const char *endp_host_wrong(struct slice host, size_t *at)
{
    *at = 0;
    if (host.length == 0)
        return "expected a host";
    if (host.length > HOST_LENGTH)
        return "expected a host name of at most 1023 bytes";
    for (; *at < host.length; ++*at) {
        if (is_bad_in_host(host.at[*at]))
            return "expected a host name";
    }
    *at = 0;
    return ends_in_number(host) ? "expected an IPv4 address of four decimal numbers" : NULL;
}

/* Whether DNS can be asked for a name. */
static int check_host(struct reader *reader, struct slice host)
{
    char ascii[HOST_ASCII];
    const char *sentence;
    size_t at = 0;
    const int status = host_to_ascii_at(host, ascii, &sentence, &at);
    if (status == 0)
        return 0;
    reader->at = host.at + at;
    return wrong(reader, status, sentence);
}

/* HOST:PORT, [IPv6]:PORT, or PORT alone unless `host_needed`. */
static int read_tcp(struct reader *reader, bool host_needed, struct cdt_endp **endp)
{
    const char *begin = reader->at, *after = begin + strcspn(begin, ":");
    const bool brackets = *begin == '[';
    struct slice host = nothing;
    struct cdt_addr addr = {0};
    uint32_t port;
    int status = -EPROTO; /* no address */
    if (brackets) {
        after = begin + strcspn(begin, "]");
        host = (struct slice){begin + 1, *after ? (size_t)(after - begin - 1) : 0};
        reader->at = begin + 1;
        status = *after ? read_ip(reader, host, true, &addr)
                        : wrong(reader, -EINVAL, "expected an address and ]");
        after += *after != 0;
        if (status)
            return status;
    } else if (*after || host_needed) {
        host = (struct slice){begin, (size_t)(after - begin)};
        status = read_ip(reader, host, false, &addr);
        const int wrong_name = status == -EPROTO ? check_host(reader, host) : 0;
        if (wrong_name)
            return wrong_name;
    }
    if (brackets || host.length) {
        reader->at = after;
        if (*after != ':')
            return wrong(reader, -EINVAL, "expected : and a port from 0 to 65535");
        reader->at++;
    }
    if (!brackets && strchr(reader->at, ':')) {
        reader->at = begin;
        return wrong(reader, -EINVAL, "expected [ before an IPv6 address, and ] behind it");
    }
    if (!slice_number(slice_of(reader->at), UINT16_MAX, &port))
        return wrong(reader, -EINVAL, port_expected);
    return finish(reader,
                  status ? endp_make(CDT_ENDP_HOST, port, host, nothing)
                         : endp_make_tcp(&addr, (uint16_t)port),
                  endp);
}

/* ---- the others ------------------------------------------------------------------------------ */

struct row;
static int read_text(struct reader *reader, unsigned depth, struct cdt_endp **endp);

static int read_plain_tcp(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    (void)depth;
    const bool slashes = strncmp(reader->at, "//", 2) == 0;
    reader->at += slashes ? 2 : 0;
    return read_tcp(reader, slashes, endp);
}

static int wrap_tls(const struct reader *reader, struct cdt_endp *inner, struct cdt_endp **endp)
{
    char memory[CDT_ADDR_TEXT];
    struct cdt_endp *made = endp_make(CDT_ENDP_TLS, 0, endp_tls_name(inner, memory), nothing);
    if (made)
        made->inner = inner;
    else
        cdt_endp_free(inner);
    return finish(reader, made, endp);
}

static int read_tls(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    (void)depth;
    struct cdt_endp *inner = NULL;
    const int status = read_tcp(reader, false, &inner);
    return status ? status : wrap_tls(reader, inner, endp);
}

static int read_tls_over(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    struct cdt_endp *inner = NULL;
    if (depth >= CDT_ENDP_DEPTH)
        return wrong(reader, -E2BIG, "expected at most 16 endpoints in one another");
    int status = read_text(reader, depth + 1, &inner);
    if (status)
        return status == -EPROTONOSUPPORT ? -EINVAL : status;
    if (endp_depth(inner) + depth > CDT_ENDP_DEPTH) {
        cdt_endp_free(inner);
        return wrong(reader, -E2BIG, "expected at most 16 endpoints in one another");
    }
    return wrap_tls(reader, inner, endp);
}

static int read_name(struct reader *reader, enum cdt_endp_kind kind, const char *expected,
                     struct cdt_endp **endp)
{
    if (!*reader->at)
        return wrong(reader, -EINVAL, expected);
    return finish(reader, endp_make(kind, 0, slice_of(reader->at), nothing), endp);
}

static int read_unix(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    (void)depth;
    if (strcmp(reader->at, "@") == 0) {
        reader->at++;
        return wrong(reader, -EINVAL, "expected a name");
    }
    return read_name(reader, CDT_ENDP_UNIX, "expected a path, or @ and a name", endp);
}

static int read_systemd(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    (void)depth;
    return read_name(reader, CDT_ENDP_SYSTEMD, "expected a name of LISTEN_FDNAMES", endp);
}

static int read_fd(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    (void)depth;
    uint32_t fd;
    if (!slice_number(slice_of(reader->at), INT32_MAX, &fd))
        return wrong(reader, -EINVAL, "expected the number of a descriptor");
    return finish(reader, endp_make(CDT_ENDP_FD, fd, nothing, nothing), endp);
}

static int read_vchan(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    (void)depth;
    const char *slash = strrchr(reader->at, '/');
    if (!slash || slash == reader->at)
        return wrong(reader, -EINVAL, "expected a domain id or name, / and a port");
    const struct slice domain = {reader->at, (size_t)(slash - reader->at)};
    const struct slice port = slice_of(slash + 1);
    uint32_t domid = 0;
    const bool direct = strspn(domain.at, "0123456789") == domain.length;
    if (direct && !slice_number(domain, UINT16_MAX, &domid))
        return wrong(reader, -EINVAL, "expected a domain id from 0 to 65535");
    reader->at = slash + 1;
    if (port.length == 0)
        return wrong(reader, -EINVAL, "expected the name of a port");
    return finish(reader,
                  endp_make(direct ? CDT_ENDP_VCHAN_DIRECT : CDT_ENDP_VCHAN_DOMAIN_SOCKET, domid,
                            direct ? nothing : domain, port),
                  endp);
}

static const struct row {
    const char *prefix;
    int (*read)(struct reader *reader, unsigned depth, struct cdt_endp **endp);
} rows[] = {
    {"tcp:", read_plain_tcp}, {"unix:", read_unix}, {"tls:", read_tls},
    {"tls+", read_tls_over},  {"fd:", read_fd},     {"systemd:", read_systemd},
    {"vchan:", read_vchan},
};

static int read_text(struct reader *reader, unsigned depth, struct cdt_endp **endp)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t length = strlen(rows[i].prefix);
        if (strncmp(reader->at, rows[i].prefix, length) == 0) {
            reader->at += length;
            return rows[i].read(reader, depth, endp);
        }
    }
    if (reader->at[strspn(reader->at, " \t\r\n\f")] == '(' || *reader->at == ';' ||
        strncmp(reader->at, "#|", 2) == 0 || strncmp(reader->at, "#;", 2) == 0) {
        const int status = endp_read_sexp(reader->at, endp, reader->error);
        const size_t before = (size_t)(reader->at - reader->text);
        if (status && before && reader->error) { /* behind tls+ */
            const struct cdt_text_error inside = *reader->error;
            endp_wrong(reader->error, status, before + inside.offset, "%s",
                       strchr(inside.text, ':') + 2);
        }
        return status;
    }
    return wrong(reader, -EPROTONOSUPPORT,
                 "expected tcp:, unix:, tls:, tls+, vchan:, fd:, systemd: or (");
}

int cdt_endp_parse(const char *text, struct cdt_endp **endp, struct cdt_text_error *error)
{
    struct reader reader = {text, text, error};
    if (error)
        *error = (struct cdt_text_error){0};
    if (!text || !endp)
        return -EINVAL;
    return read_text(&reader, 1, endp);
}
