/* From the texts of the command line to endpoints and connections: usage errors are found before
 * anything begins. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "tools/tool.h"

/* ---- checks ---------------------------------------------------------------------------------- */

/* A path that no socket can have; NULL: it can. A first 0 byte is the abstract namespace. */
static const char *wrong_path(const struct cdt_endp *endp)
{
    struct cdt_addr addr;
    const size_t skip = endp->name_length && *endp->name == 0;
    if (endp->name_length > sizeof addr.local.sun_path)
        return "a Unix socket's path has at most 107 bytes";
    if (endp->name_length == skip || strlen(endp->name + skip) != endp->name_length - skip)
        return "a Unix socket's path is not empty and holds no 0 byte";
    if (!skip && cdt_addr_unix(&addr, endp->name) != 0)
        return "a Unix socket's path has at most 107 bytes";
    return NULL;
}

/* An inherited descriptor is open, and none of ours. */
static int check_descriptor(const char *text, int fd)
{
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0)
        return complain(text, cdt_strerror(-errno));
    return flags & FD_CLOEXEC ? complain(text, "this descriptor was not inherited") : 0;
}

static bool is_other_family(const struct settings *settings, const struct cdt_endp *endp)
{
    endp = cdt_endp_base(endp);
    return endp->kind == CDT_ENDP_TCP && settings->bind.length &&
           settings->bind.any.sa_family != endp->addr.any.sa_family;
}

/* What no command can use: 0, or an exit status after one line of error. */
static int check(const char *text, const struct cdt_endp *endp)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    const char *wrong = endp->kind == CDT_ENDP_TLS ? tls_missing() : NULL;
    if (!wrong && base->kind == CDT_ENDP_UNIX)
        wrong = wrong_path(base);
    if (base->kind == CDT_ENDP_VCHAN_DIRECT || base->kind == CDT_ENDP_VCHAN_DOMAIN_SOCKET)
        wrong = wrong ? wrong : vchan_missing();
    return wrong ? misuse(text, "%s", wrong) : 0;
}

int text_error(const char *text, int status, const struct cdt_text_error *error)
{
    if (status == -ENOMEM)
        return complain(text, cdt_strerror(status));
    return misuse(text, "%s", error->text);
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* A text that is no endpoint: a URI with a scheme and an authority, or a mistake. */
static int check_uri(const struct settings *settings, const char *text,
                     const struct cdt_text_error *not_endp)
{
    struct cdt_text_error error;
    struct cdt_uri *uri;
    if (!strstr(text, "://"))
        return misuse(text, "%s", not_endp->text);
    const int status = cdt_uri_parse(text, &uri, &error);
    if (status)
        return text_error(text, status, &error);
    cdt_uri_free(uri);
    if (settings->tls.server_name)
        return misuse(text, "--server-name is not for URIs: write tls:HOST:PORT");
    return 0;
}

static int check_target(const struct settings *settings, const char *text,
                        const struct cdt_endp *endp)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    if (base->kind == CDT_ENDP_FD || base->kind == CDT_ENDP_SYSTEMD)
        return misuse(text, "an inherited descriptor is only for listening");
    if (is_other_family(settings, endp))
        return misuse(text, "the address of --bind is of another family");
    return check(text, endp);
}

int target_read(const struct settings *settings, const char *text, struct target *target)
{
    struct cdt_text_error error;
    *target = (struct target){.text = text};
    int status = cdt_endp_parse(text, &target->endp, &error);
    if (status == -EPROTONOSUPPORT) {
        target->endp = NULL;
        return check_uri(settings, text, &error);
    }
    if (status)
        return text_error(text, status, &error);
    status = check_target(settings, text, target->endp);
    if (status == 0)
        status = tls_name(settings, text, &target->endp);
    if (status)
        target_free(target);
    return status;
}

void target_free(struct target *target)
{
    cdt_endp_free(target->endp);
    target->endp = NULL;
}

int target_connect(const struct session *session, const struct target *target,
                   const struct cdt_handler *handler, struct cdt_flow **flow)
{
    struct cdt_context *context = session->context;
    struct cdt_flow_options options = session->settings->flow;
    options.tls = session->tls_client;
    const int status = target->endp
                           ? cdt_connect_endp(context, target->endp, &options, handler, flow)
                           : cdt_connect(context, target->text, &options, handler, flow);
    return status ? complain(target->text, cdt_context_error(context)) : 0;
}

/* ---- listening ------------------------------------------------------------------------------- */

static void on_resolved(void *user, struct cdt_resolution *resolution)
{
    (void)user, (void)resolution;
}

/* The first address of a host, in its place. Nothing else is under way yet. */
static int resolve(const struct session *session, const char *text, struct cdt_endp **endp)
{
    struct cdt_resolution *resolution;
    size_t count;
    int status = cdt_resolve_endp(session->resolver, *endp, NULL, on_resolved, NULL, &resolution);
    if (status)
        return complain(text, cdt_strerror(status));
    while ((status = cdt_resolution_status(resolution)) > 0) {
        if (cdt_reactor_step(session->reactor, CDT_NEVER) < 0)
            break;
    }
    if (status) {
        status = complain(text, cdt_resolution_error(resolution));
    } else {
        const struct cdt_endp *const *found = cdt_resolution_endps(resolution, &count);
        cdt_endp_free(*endp);
        status = cdt_endp_copy(found[0], endp);
        if (status) {
            *endp = NULL;
            status = complain(text, cdt_strerror(status));
        }
    }
    cdt_resolution_free(resolution);
    return status;
}

static int check_listen(const struct settings *settings, const char *text,
                        const struct cdt_endp *endp)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    if (base->kind == CDT_ENDP_UNKNOWN)
        return misuse(text, "an unknown endpoint");
    const int status = check(text, endp);
    if (status)
        return status;
    if (endp->kind == CDT_ENDP_TLS && !settings->tls.cert)
        return misuse(text, "listening needs --cert and --key");
    return base->kind == CDT_ENDP_FD ? check_descriptor(text, (int)base->number) : 0;
}

int listen_read(const struct session *session, const char *text, struct cdt_endp **endp)
{
    struct cdt_text_error error;
    *endp = NULL;
    int status = cdt_endp_parse(text, endp, &error);
    if (status) {
        *endp = NULL;
        return text_error(text, status, &error);
    }
    status = check_listen(session->settings, text, *endp);
    const struct cdt_endp *base = cdt_endp_base(*endp);
    if (status == 0 && base->kind == CDT_ENDP_HOST && base->name_length)
        status = resolve(session, text, endp);
    if (status) {
        cdt_endp_free(*endp);
        *endp = NULL;
    }
    return status;
}
