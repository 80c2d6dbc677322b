/* What a command works with: a reactor that logs, a resolver, a context. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/tool.h"

/* CONDUIT_DEBUG asks the library for a trace: it is shown however quiet the command is. */
static void log_line(void *user, enum cdt_log_level level, const char *text)
{
    const struct settings *settings = user;
    const enum cdt_log_level most = settings->verbose ? CDT_LOG_INFO
                                    : settings->quiet ? CDT_LOG_ERROR
                                                      : CDT_LOG_WARNING;
    const char *debug = getenv("CONDUIT_DEBUG");
    if (level <= most || (level == CDT_LOG_DEBUG && debug && *debug))
        complain(NULL, text);
}

/* What only the library can tell of an option's value. */
static int misuse_value(const char *option, const char *value, const char *expected)
{
    char what[256];
    snprintf(what, sizeof what, "%s %.200s", option, value);
    return misuse(what, "%s", expected);
}

static int make_resolver(const struct settings *settings, struct session *session)
{
    const struct cdt_resolver_options options = {.size = sizeof options, .servers = settings->dns};
    int status = cdt_resolver_new(session->reactor, &options, &session->resolver);
    if (status == -EINVAL && settings->dns)
        return misuse_value("--dns", settings->dns, "expected ADDRESS[:PORT],...");
    if (status)
        return complain("resolver", cdt_strerror(status));
    for (size_t i = 0; i < settings->rewrite_count && status == 0; i++) {
        const struct rewrite *rewrite = &settings->rewrites[i];
        status = cdt_resolver_add_static(session->resolver, rewrite->suffix, rewrite->endp);
        if (status == -EINVAL)
            return misuse_value("--rewrite", rewrite->suffix,
                                "expected SUFFIX=ENDPOINT, SUFFIX a host name or nothing");
    }
    return status ? complain("--rewrite", cdt_strerror(status)) : 0;
}

static int make_context(const struct settings *settings, struct session *session)
{
    const struct cdt_context_options options = {
        .size = sizeof options,
        .flow = &settings->flow,
        .max_active = settings->max_active,
        .resolver = session->resolver,
        .vchan = &settings->vchan,
    };
    const int status = cdt_context_new(session->reactor, &options, &session->context);
    return status ? complain("context", cdt_strerror(status)) : 0;
}

int session_begin(const struct settings *settings, struct session *session)
{
    const struct cdt_reactor_options options = {
        .size = sizeof options,
        .log = log_line,
        .log_user = (void *)(uintptr_t)settings,
    };
    *session = (struct session){.settings = settings};
    int status = cdt_reactor_new(&options, &session->reactor);
    if (status)
        return complain("reactor", cdt_strerror(status));
    status = make_resolver(settings, session);
    if (status == 0)
        status = make_context(settings, session);
    if (status)
        session_end(session);
    return status;
}

void session_end(struct session *session)
{
    cdt_context_free(session->context);
    cdt_tls_config_free(session->tls_client);
    cdt_tls_config_free(session->tls_server);
    cdt_resolver_free(session->resolver);
    cdt_reactor_free(session->reactor);
}
