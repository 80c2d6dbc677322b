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

/* ---- the output ------------------------------------------------------------------------------ */

static int print_endp(const struct settings *settings, const struct cdt_endp *endp)
{
    char *text;
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
    return cdt_endp_base(endp)->kind == CDT_ENDP_UNKNOWN ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the command ----------------------------------------------------------------------------- */

enum { AT_ONCE = 100 };

/* One for each text, printed in their order. */
struct question {
    struct cdt_resolution *resolution; /* NULL: not asked yet, or over */
    bool malformed;
};

static struct job {
    const struct settings *settings;
    struct session session;
    struct question *questions;
    int asked, printed; /* so many from the beginning are */
    int status;
} job;

static void on_resolved(void *user, struct cdt_resolution *resolution)
{
    (void)user;
    if (cdt_resolution_status(resolution) <= 0)
        cdt_reactor_stop(job.session.reactor);
}

/* An endpoint, or a URI. */
static int ask(const char *text, struct cdt_resolution **resolution)
{
    struct cdt_resolver *resolver = job.session.resolver;
    struct cdt_text_error error;
    struct cdt_endp *endp;
    int status = cdt_endp_parse(text, &endp, &error);
    if (status == -EPROTONOSUPPORT) {
        status = cdt_resolve(resolver, text, NULL, on_resolved, NULL, resolution, &error);
        return status ? text_error(text, status, &error) : 0;
    }
    if (status)
        return text_error(text, status, &error);
    const enum cdt_endp_kind kind = cdt_endp_base(endp)->kind;
    if (kind == CDT_ENDP_FD || kind == CDT_ENDP_SYSTEMD) {
        status = complain(text, "an inherited descriptor is only for listening");
    } else {
        status = cdt_resolve_endp(resolver, endp, NULL, on_resolved, NULL, resolution);
        if (status)
            complain(text, cdt_strerror(status));
    }
    cdt_endp_free(endp);
    return status;
}

static void ask_more(void)
{
    for (; job.asked < job.settings->count && job.asked - job.printed < AT_ONCE; job.asked++) {
        struct question *question = &job.questions[job.asked];
        question->malformed = ask(job.settings->texts[job.asked], &question->resolution) != 0;
        if (question->malformed)
            job.status = EXIT_FAILED;
    }
}

static void print_answer(struct question *question)
{
    size_t count;
    const struct cdt_endp *const *endps = cdt_resolution_endps(question->resolution, &count);
    for (size_t i = 0; i < count; i++) {
        if (print_endp(job.settings, endps[i]) != 0)
            job.status = EXIT_FAILED;
    }
    cdt_resolution_free(question->resolution);
    question->resolution = NULL;
}

/* As far as the answers are there. */
static void print_more(void)
{
    for (; job.printed < job.asked; job.printed++) {
        struct question *question = &job.questions[job.printed];
        if (!question->malformed && cdt_resolution_status(question->resolution) > 0)
            break;
        if (!question->malformed)
            print_answer(question);
    }
}

static int run(void)
{
    for (;;) {
        ask_more();
        print_more();
        if (fflush(stdout) != 0)
            return complain("standard output", cdt_strerror(-errno));
        if (job.printed == job.settings->count)
            return job.status;
        const int status = job.printed == job.asked ? 0 : cdt_reactor_run(job.session.reactor);
        if (status)
            return complain("reactor", cdt_strerror(status));
    }
}

int resolve_run(struct settings *settings)
{
    job.settings = settings;
    job.questions = calloc((size_t)settings->count, sizeof *job.questions);
    if (!job.questions)
        return complain("resolve", cdt_strerror(-ENOMEM));
    int status = session_begin(settings, &job.session);
    if (status == 0) {
        status = run();
        for (int i = job.printed; i < job.asked; i++)
            cdt_resolution_free(job.questions[i].resolution);
        session_end(&job.session);
    }
    free(job.questions);
    return status;
}
