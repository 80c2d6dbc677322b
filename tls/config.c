/* Configurations: made, reloaded, shared, freed. What is to replace something is made completely
 * first, so that an error leaves all as it was. Connections that go on keep the configuration, and
 * the contexts that they began with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flows/internal.h"
#include "tls/hello.h"
#include "tls/config_parts.h"

int tls_why(struct cdt_text_error *error, int code, const char *format, ...)
{
    va_list arguments;
    if (!error)
        return code;
    error->offset = 0;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

/* ---- lifetime -------------------------------------------------------------------------------- */

/* The reactor is freed, and its flows have ended: what is left waits for cdt_tls_config_free(). */
static void forget_reactor(struct reactor_room *room)
{
    struct cdt_tls_config *config = cdt_container_of(room, struct cdt_tls_config, room);
    reactor_remove_room(config->reactor, room);
    config->reactor = NULL;
}

struct cdt_tls_config *tls_config_get(struct cdt_tls_config *config)
{
    config->references++;
    return config;
}

void tls_config_put(struct cdt_tls_config *config)
{
    if (!config || --config->references)
        return;
    for (size_t i = 0; i < CDT_TLS_NONE; i++)
        tls_config_put(config->others[i]);
    if (config->reactor)
        reactor_remove_room(config->reactor, &config->room);
    tls_sessions_clear(&config->sessions);
    tls_set_free(config->backend, &config->set);
    tls_tickets_free(config->tickets);
    mem_free(config->alpn);
    tls_options_free(&config->options);
    mem_free(config);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int set_alpn(struct cdt_tls_config *config, struct cdt_text_error *error)
{
    enum { LONGEST = 8192 }; /* with it a ClientHello still fits into one record */
    const char *text = config->options.alpn;
    if (!text)
        return 0;
    const size_t size = strlen(text) + 2;
    if (size > LONGEST)
        return tls_why(error, -CDT_ETLSKEY, "alpn: longer than %d bytes", LONGEST - 2);
    config->alpn = mem_alloc(size);
    if (!config->alpn)
        return -ENOMEM;
    const int length = hello_alpn_text(text, config->alpn, size);
    if (length < 0)
        return tls_why(error, -CDT_ETLSKEY, "alpn: protocols have 1 to 255 bytes each: \"%s\"",
                       text);
    config->alpn_length = (size_t)length;
    return 0;
}

/* Tickets stand for what a full handshake would have shown, so there are none where clients are
 * asked for certificates. Hence nothing that they are bound to comes from files, and they stay
 * when these are read again; contexts of the old ones use them too. */
static int set_tickets(struct cdt_tls_config *config, const struct tls_material *material)
{
    const struct cdt_tls_options *options = &config->options;
    uint8_t binding[32];
    if (options->role != CDT_TLS_SERVER || options->native || options->resumption != CDT_ON ||
        options->verify != CDT_TLS_VERIFY_NONE)
        return 0;
    const int status = tls_set_binding(config, material, binding);
    return status ? status
                  : tls_tickets_new(config->backend, options->ticket_key, binding,
                                    options->ticket_rotation, &config->tickets);
}

static int build(struct cdt_tls_config *config, struct cdt_text_error *error)
{
    struct tls_material material;
    int status = set_alpn(config, error);
    if (status)
        return status;
    status = tls_material_read(&config->options, &material, error);
    if (status == 0)
        status = set_tickets(config, &material);
    if (status == 0)
        status = tls_set_make(config, &material, &config->set, error);
    config->pins_only =
        config->options.pin_count && !config->options.native && !material.anchor_count;
    tls_material_free(&material);
    return status;
}

/* The options are checked, and point to what is not ours yet. */
static int make(struct cdt_reactor *reactor, const struct cdt_tls_options *options,
                const struct tls_backend *backend, struct cdt_tls_config **result,
                struct cdt_text_error *error)
{
    struct cdt_tls_config *config = flow_hub(reactor) ? mem_zalloc(sizeof *config) : NULL;
    if (!config)
        return -ENOMEM;
    *config = (struct cdt_tls_config){
        .references = 1,
        .reactor = reactor,
        .backend = backend,
        .backend_id = options->backend,
        .options = *options,
        .room.destroy = forget_reactor,
    };
    tls_sessions_init(&config->sessions, backend);
    reactor_add_room(reactor, &config->room); /* behind that of the flows */
    tls_options_decide(&config->options);
    int status = tls_options_copy(&config->options);
    if (status == 0)
        status = build(config, error);
    if (status)
        tls_config_put(config);
    else
        *result = config;
    return status;
}

static int check_and_make(struct cdt_reactor *reactor, struct cdt_tls_options *options,
                          struct cdt_tls_config **result, struct cdt_text_error *error)
{
    if ((unsigned)options->backend > CDT_TLS_NONE)
        return tls_why(error, -EINVAL, "no such TLS backend");
    const char *fault = tls_options_fault(options);
    if (fault)
        return tls_why(error, -EINVAL, "%s", fault);
    if (options->backend == CDT_TLS_ANY)
        options->backend = cdt_tls_selected();
    if (options->backend == CDT_TLS_NONE)
        return tls_why(error, -EPROTONOSUPPORT, "the TLS backend is \"none\"");
    if (!cdt_tls_built_in(options->backend))
        return tls_why(error, -EPROTONOSUPPORT, "the TLS backend \"%s\" is not built in",
                       cdt_tls_backend_name(options->backend));
    const struct tls_backend *backend = tls_backend(options->backend);
    if (!backend)
        return tls_why(error, -EPROTONOSUPPORT, "the TLS backend \"%s\" cannot be initialised",
                       cdt_tls_backend_name(options->backend));
    return make(reactor, options, backend, result, error);
}

/* Whatever has failed leaves a sentence. */
static int explain(int status, const struct cdt_text_error *why, struct cdt_text_error *error)
{
    if (status)
        tls_why(error, status, "%s", *why->text ? why->text : cdt_strerror(status));
    return status;
}

int cdt_tls_config_new(struct cdt_reactor *reactor, const struct cdt_tls_options *options,
                       struct cdt_tls_config **config, struct cdt_text_error *error)
{
    struct cdt_tls_options mine;
    struct cdt_text_error why = {0};
    if (!reactor_usable(reactor) || !config || !options_copy(&mine, sizeof mine, options))
        return explain(-EINVAL, &why, error);
    tls_backend_warn(reactor);
    return explain(check_and_make(reactor, &mine, config, &why), &why, error);
}

int tls_config_with(struct cdt_tls_config *config, enum cdt_tls_backend backend,
                    struct cdt_tls_config **result, struct cdt_text_error *error)
{
    struct cdt_tls_options options = config->options;
    struct cdt_text_error why = {0};
    if (backend == CDT_TLS_ANY || backend == config->backend_id) {
        *result = tls_config_get(config);
        return 0;
    }
    if (!reactor_usable(config->reactor) || (unsigned)backend > CDT_TLS_NONE)
        return explain(-EINVAL, &why, error);
    if (config->options.native)
        return tls_why(error, -EINVAL, "a native context cannot change its backend");
    options.backend = backend;
    if (backend == CDT_TLS_NONE || !config->others[backend]) {
        struct cdt_tls_config *made = NULL;
        tls_config_get(config); /* as in cdt_tls_config_reload() */
        const int status = check_and_make(config->reactor, &options, &made, &why);
        if (made) {
            tls_config_put(config->others[backend]);
            config->others[backend] = made;
            *result = tls_config_get(made);
        }
        tls_config_put(config);
        return explain(status, &why, error);
    }
    *result = tls_config_get(config->others[backend]);
    return 0;
}

/* ---- reloading ------------------------------------------------------------------------------- */

static int read_again(struct cdt_tls_config *config, struct tls_set *set,
                      struct cdt_text_error *error)
{
    struct tls_material material;
    int status = tls_material_read(&config->options, &material, error);
    if (status == 0)
        status = tls_set_make(config, &material, set, error);
    tls_material_free(&material);
    return status;
}

static void replace(struct cdt_tls_config *config, struct tls_set *set)
{
    tls_set_free(config->backend, &config->set);
    config->set = *set;
    tls_sessions_clear(&config->sessions);
    config->generation++;
}

/* This one and those with other backends: all or none. */
static int reload(struct cdt_tls_config *config, struct cdt_text_error *error)
{
    struct tls_set sets[CDT_TLS_NONE] = {{0}};
    struct cdt_tls_config *configs[CDT_TLS_NONE];
    int status = 0;
    memcpy(configs, config->others, sizeof configs);
    configs[CDT_TLS_ANY] = config; /* none of the others stands there */
    for (size_t i = 0; i < CDT_TLS_NONE && status == 0; i++) {
        if (configs[i])
            status = read_again(configs[i], &sets[i], error);
    }
    for (size_t i = 0; i < CDT_TLS_NONE; i++) {
        if (configs[i] && status)
            tls_set_free(configs[i]->backend, &sets[i]);
        else if (configs[i])
            replace(configs[i], &sets[i]);
    }
    return status;
}

int cdt_tls_config_reload(struct cdt_tls_config *config, struct cdt_text_error *error)
{
    struct cdt_text_error why = {0};
    if (!config || !reactor_usable(config->reactor))
        return explain(-EINVAL, &why, error);
    tls_config_get(config); /* a callback that is asked for a password may free it */
    const int status = reload(config, &why);
    if (status == 0)
        config->counters.reloads++;
    tls_config_put(config);
    return explain(status, &why, error);
}

/* ---- the rest of what is public -------------------------------------------------------------- */

int cdt_tls_config_free(struct cdt_tls_config *config)
{
    if (config && config->reactor && !reactor_usable(config->reactor))
        return -EINVAL;
    tls_config_put(config);
    return 0;
}

enum cdt_tls_backend cdt_tls_config_backend(const struct cdt_tls_config *config)
{
    return config ? config->backend_id : CDT_TLS_NONE;
}

int cdt_tls_counters(const struct cdt_tls_config *config, struct cdt_tls_counters *counters)
{
    if (!config || !counters)
        return -EINVAL;
    *counters = config->counters;
    for (size_t i = 0; i < CDT_TLS_NONE; i++) {
        if (!config->others[i])
            continue;
        counters->handshakes += config->others[i]->counters.handshakes;
        counters->resumed += config->others[i]->counters.resumed;
        counters->failed += config->others[i]->counters.failed;
    }
    return 0;
}
