/* conduit resolve: what texts resolve to, one endpoint a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

/* How many bytes the UTF-8 character at `at` has; 0 if it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    const unsigned char c = at[0];
    const size_t length = c < 0x80   ? 1
                          : c < 0xc2 ? 0
                          : c < 0xe0 ? 2
                          : c < 0xf0 ? 3
                          : c < 0xf5 ? 4
                                     : 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) || (c == 0xf0 && at[1] < 0x90) ||
        (c == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

/* A JSON string (RFC 8259). A byte that is no UTF-8 becomes the character of its number. */
static void print_string(FILE *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', out);
    while (length) {
        size_t count = utf8_length(at, length);
        if (count == 0 || *at < ' ') {
            fprintf(out, "\\u%04x", *at);
            count = 1;
        } else {
            if (*at == '"' || *at == '\\')
                fputc('\\', out);
            fwrite(at, 1, count, out);
        }
        at += count;
        length -= count;
    }
    fputc('"', out);
}

static void print_name(FILE *out, const char *key, const char *text, size_t length)
{
    fprintf(out, ",\"%s\":", key);
    print_string(out, text, length);
}

static void print_json(FILE *out, const struct cdt_endp *endp);

static void print_tcp(FILE *out, const struct cdt_endp *endp)
{
    char text[CDT_ADDR_TEXT];
    cdt_addr_format(&endp->addr, text);
    char *colon = strrchr(text, ':'), *ip = text;
    *colon = 0;
    if (*ip == '[') {
        ip++;
        colon[-1] = 0;
    }
    print_name(out, "ip", ip, strlen(ip));
    fprintf(out, ",\"port\":%u", cdt_addr_port(&endp->addr));
}

/* The names of the fields; NULL where a kind has none. */
static const struct {
    const char *type, *number, *name, *port;
} fields[CDT_ENDP_KINDS] = {
    [CDT_ENDP_TCP] = {"TCP", NULL, NULL, NULL},
    [CDT_ENDP_UNIX] = {"Unix_domain_socket", NULL, "path", NULL},
    [CDT_ENDP_VCHAN_DIRECT] = {"Vchan_direct", "domid", NULL, "port"},
    [CDT_ENDP_VCHAN_DOMAIN_SOCKET] = {"Vchan_domain_socket", NULL, "name", "port"},
    [CDT_ENDP_TLS] = {"TLS", NULL, "host", NULL},
    [CDT_ENDP_UNKNOWN] = {"Unknown", NULL, "reason", NULL},
    [CDT_ENDP_HOST] = {"host", "port", "name", NULL},
    [CDT_ENDP_FD] = {"fd", "fd", NULL, NULL},
    [CDT_ENDP_SYSTEMD] = {"systemd", NULL, "name", NULL},
};

static void print_json(FILE *out, const struct cdt_endp *endp)
{
    size_t open = 0;
    for (; endp; endp = endp->inner, open++) {
        fprintf(out, "%s{\"type\":\"%s\"", open ? ",\"endpoint\":" : "", fields[endp->kind].type);
        if (endp->kind == CDT_ENDP_TCP)
            print_tcp(out, endp);
        if (fields[endp->kind].number)
            fprintf(out, ",\"%s\":%u", fields[endp->kind].number, endp->number);
        if (fields[endp->kind].name)
            print_name(out, fields[endp->kind].name, endp->name, endp->name_length);
        if (fields[endp->kind].port)
            print_name(out, fields[endp->kind].port, endp->port, endp->port_length);
    }
    while (open--)
        fputc('}', out);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int print_endp(const struct settings *settings, const char *from,
                      const struct cdt_endp *endp)
{
    char *text;
    const enum cdt_endp_kind kind = cdt_endp_base(endp)->kind;
    if (kind == CDT_ENDP_FD || kind == CDT_ENDP_SYSTEMD)
        return complain(from, "an inherited descriptor is only for listening");
    if (settings->json) {
        print_json(stdout, endp);
    } else {
        const int status = cdt_endp_text(endp, settings->sexp, &text);
        if (status)
            return complain("resolve", cdt_strerror(status));
        fputs(text, stdout);
        cdt_endp_text_free(text);
    }
    putchar('\n');
    return kind == CDT_ENDP_UNKNOWN ? EXIT_FAILED : EXIT_DONE;
}

int resolve_run(struct settings *settings)
{
    int status = EXIT_DONE;
    for (int i = 0; i < settings->count; i++) {
        struct targets targets;
        if (targets_read(settings, settings->texts[i], false, &targets) != 0) {
            status = EXIT_FAILED;
            continue;
        }
        for (size_t j = 0; j < targets.count; j++) {
            if (print_endp(settings, targets.text, targets.endps[j]) != 0)
                status = EXIT_FAILED;
        }
        targets_free(&targets);
        if (fflush(stdout) != 0)
            return complain("standard output", cdt_strerror(-errno));
    }
    return status;
}
