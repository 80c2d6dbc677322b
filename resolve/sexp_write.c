/* Writing an endpoint as s-expression: quotes only where they are needed, spaces as the form has
 * them. */
#include <stdio.h>
#include <string.h>

#include "resolve/writer.h"

bool sexp_needs_quotes(struct slice atom)
{
    for (size_t i = 0; i < atom.length; i++) {
        const unsigned char c = (unsigned char)atom.at[i];
        const char next = i + 1 < atom.length ? atom.at[i + 1] : 0;
        if (c <= ' ' || c >= 127 || strchr("();\"\\", c) || (c == '|' && next == '#') ||
            (c == '#' && next == '|'))
            return true;
    }
    return atom.length == 0;
}

static void put_escaped(struct writer *writer, struct slice atom)
{
    static const char bytes[] = "\n\t\r\b\"\\", names[] = "ntrb\"\\";
    for (size_t i = 0; i < atom.length; i++) {
        const unsigned char c = (unsigned char)atom.at[i];
        const char *known = c ? strchr(bytes, c) : NULL;
        if (known)
            put_format(writer, "\\%c", names[known - bytes]);
        else if (c < ' ' || c >= 127)
            put_format(writer, "\\%03u", c);
        else
            put(writer, (char)c);
    }
}

/* An atom of three parts, the first and last of which need no quotes. */
static void put_atom_between(struct writer *writer, const char *prefix, struct slice atom,
                             const char *suffix)
{
    const bool quotes = !(*prefix && atom.length == 0) && sexp_needs_quotes(atom);
    if (writer->spaces ? writer->last != FIRST : writer->last == BARE && !quotes)
        put(writer, ' ');
    if (quotes)
        put(writer, '"');
    put_text(writer, prefix);
    if (quotes)
        put_escaped(writer, atom);
    else
        put_slice(writer, atom);
    put_text(writer, suffix);
    if (quotes)
        put(writer, '"');
    writer->last = quotes ? OTHER : BARE;
}

void put_atom(struct writer *writer, struct slice atom)
{
    put_atom_between(writer, "", atom, "");
}

void put_open(struct writer *writer)
{
    if (writer->spaces && writer->last != FIRST)
        put(writer, ' ');
    put(writer, '(');
    writer->last = FIRST;
}

void put_close(struct writer *writer)
{
    put(writer, ')');
    writer->last = OTHER;
}

void put_number_atom(struct writer *writer, uint32_t number)
{
    char digits[10], *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put_atom(writer, (struct slice){first, (size_t)(digits + sizeof digits - first)});
}

void put_tag(struct writer *writer, const char *tag)
{
    put_open(writer);
    put_atom(writer, slice_of(tag));
}

void put_field(struct writer *writer, const char *tag, struct slice value)
{
    put_tag(writer, tag);
    put_atom(writer, value);
    put_close(writer);
}

void put_number_field(struct writer *writer, const char *tag, uint32_t number)
{
    put_tag(writer, tag);
    put_number_atom(writer, number);
    put_close(writer);
}

static bool is_one_atom(const struct cdt_endp *endp)
{
    return endp->kind == CDT_ENDP_UNIX || endp->kind == CDT_ENDP_UNKNOWN ||
           endp->kind == CDT_ENDP_SYSTEMD;
}

/* The payload: one atom, or a list of two. */
static void put_payload(struct writer *writer, const struct cdt_endp *endp)
{
    char memory[CDT_ADDR_TEXT];
    if (is_one_atom(endp)) {
        put_atom(writer, name_of(endp));
        return;
    }
    put_open(writer);
    if (endp->kind == CDT_ENDP_TCP)
        put_atom(writer, slice_of(endp_ip(&endp->addr, memory)));
    else if (endp->kind == CDT_ENDP_VCHAN_DIRECT)
        put_number_atom(writer, endp->number);
    else
        put_atom(writer, name_of(endp));
    if (endp->kind == CDT_ENDP_TCP)
        put_number_atom(writer, cdt_addr_port(&endp->addr));
    else if (endp->kind != CDT_ENDP_TLS)
        put_atom(writer, (struct slice){endp->port, endp->port_length});
}

/* The kinds that have no s-expression of their own stand as an atom: their short text. */
static bool put_short_atom(struct writer *writer, const struct cdt_endp *endp)
{
    char text[24];
    switch (endp->kind) {
    case CDT_ENDP_HOST:
        snprintf(text, sizeof text, endp->name_length ? ":%u" : "%u", endp->number);
        put_atom_between(writer, "tcp:", name_of(endp), text);
        return true;
    case CDT_ENDP_FD:
        snprintf(text, sizeof text, "fd:%u", endp->number);
        put_atom(writer, slice_of(text));
        return true;
    default:
        return false;
    }
}

void put_sexp(struct writer *writer, const struct cdt_endp *endp)
{
    static const char *const tags[CDT_ENDP_KINDS] = {
        [CDT_ENDP_TCP] = "TCP",
        [CDT_ENDP_UNIX] = "Unix_domain_socket",
        [CDT_ENDP_VCHAN_DIRECT] = "Vchan_direct",
        [CDT_ENDP_VCHAN_DOMAIN_SOCKET] = "Vchan_domain_socket",
        [CDT_ENDP_TLS] = "TLS",
        [CDT_ENDP_UNKNOWN] = "Unknown",
        [CDT_ENDP_SYSTEMD] = "Launchd",
    };
    size_t open = 0;
    for (; endp && !put_short_atom(writer, endp); endp = endp->inner) {
        put_open(writer);
        put_atom(writer, slice_of(tags[endp->kind]));
        put_payload(writer, endp);
        open += is_one_atom(endp) ? 1 : 2;
    }
    while (open--)
        put_close(writer);
}
