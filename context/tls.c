/* TLS endpoints: the configurations that a context makes where it was given none, the layers that a
 * connection or an accepted flow gets, and the endpoints of flows that have them. */
#include <string.h>

#include "context/race.h"
#include "flows/server.h"
#include "resolve/mode.h"
#include "tls/config.h"
#include "tls/layer.h"

/* ---- the context's own configurations -------------------------------------------------------- */

static int make(const struct cdt_context *context, enum cdt_tls_role role,
                enum cdt_tls_backend backend, const struct cdt_own_key *key,
                struct cdt_tls_config **config, struct cdt_text_error *error)
{
    const bool has_key = key && key->cert_file;
    const struct cdt_tls_identity identity = {.cert_file = has_key ? key->cert_file : NULL,
                                              .key_file = has_key ? key->key_file : NULL};
    const struct cdt_tls_options options = {
        .size = sizeof options,
        .role = role,
        .backend = backend,
        .identities = has_key ? &identity : NULL,
        .identity_count = has_key,
        .password = context->password,
        .password_arg = context->password_arg,
    };
    return cdt_tls_config_new(context->reactor, &options, config, error);
}

/* The context's configuration for a role, made on first use; not a reference. */
static int own_config(struct cdt_context *context, enum cdt_tls_role role,
                      struct cdt_tls_config **config, struct cdt_text_error *error)
{
    struct cdt_tls_config **place = &context->tls[role];
    const int status =
        *place ? 0 : make(context, role, context->tls_backend, context->own_key, place, error);
    *config = *place;
    return status;
}

/* Whether a configuration can be used here. */
static int check(const struct cdt_context *context, const struct cdt_tls_config *config,
                 enum cdt_tls_role role, struct cdt_text_error *error)
{
    if (config->options.role != role)
        return tls_why(error, -EINVAL, "the TLS configuration is for %s",
                       role == CDT_TLS_CLIENT ? "servers" : "clients");
    if (config->reactor != context->reactor)
        return tls_why(error, -EINVAL, "the TLS configuration belongs to another reactor");
    return 0;
}

int context_tls_begin(struct cdt_context *context, const struct cdt_context_options *options)
{
    context->tls_backend = options->tls;
    context->password = options->password;
    context->password_arg = options->password_arg;
    if (options->own_key && options->own_key->cert_file) {
        const struct key_slices key = {slice_of(options->own_key->cert_file),
                                       slice_of(options->own_key->key_file),
                                       options->own_key->password};
        context->own_key = own_key_make(&key);
        if (!context->own_key)
            return -ENOMEM;
    }
    struct cdt_tls_config *given[] = {
        [CDT_TLS_CLIENT] = context->flow.tls, [CDT_TLS_SERVER] = options->tls_server};
    for (int role = CDT_TLS_CLIENT; role <= CDT_TLS_SERVER; role++) {
        if (!given[role])
            continue;
        if (check(context, given[role], (enum cdt_tls_role)role, NULL) != 0)
            return -EINVAL;
        context->tls[role] = tls_config_get(given[role]);
    }
    context->flow.tls = NULL; /* for servers it would be the wrong one */
    return 0;
}

void context_tls_end(struct cdt_context *context)
{
    for (int role = CDT_TLS_CLIENT; role <= CDT_TLS_SERVER; role++) {
        tls_config_put(context->tls[role]);
        context->tls[role] = NULL;
    }
    mem_free(context->own_key);
    context->own_key = NULL;
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* The configuration of a race, when the first endpoint that needs it is tried. */
static int race_config(struct race *race)
{
    struct cdt_tls_config *config = race->tls_wanted;
    struct cdt_text_error *error = &race->tls_error;
    if (race->tls)
        return 0;
    const int status = config ? check(race->context, config, CDT_TLS_CLIENT, error)
                              : own_config(race->context, CDT_TLS_CLIENT, &config, error);
    return status ? status : tls_config_with(config, race->tls_backend, &race->tls, error);
}

int attempt_tls(struct attempt *attempt)
{
    struct race *race = attempt->race;
    const struct context_row *row = context_row(attempt->base);
    if (!row->connect) {
        attempt->why = row->no_connect;
        return -EPROTONOSUPPORT;
    }
    const int status = race_config(race);
    if (status) {
        attempt->why = race->tls_error.text[0] ? race->tls_error.text : NULL;
        return status;
    }
    return row->connect(attempt);
}

int race_push_tls(struct race *race, const struct cdt_endp *endp, unsigned *depth)
{
    struct tls_layer *tls;
    if (endp->kind != CDT_ENDP_TLS)
        return 0;
    int status = race_push_tls(race, endp->inner, depth);
    if (status == 0 && strlen(endp->name) != endp->name_length)
        status = -EINVAL;
    if (status == 0)
        status = tls_layer_new(race->flow, race->tls, endp->name, &tls);
    if (status)
        return status;
    status = layer_insert(race->flow, &tls_layer_ops, tls, ++*depth);
    if (status)
        tls_layer_free(tls);
    return status;
}

/* ---- serving --------------------------------------------------------------------------------- */

/* What the flows of a server get. */
struct stack {
    struct cdt_tls_config *config;
    struct cdt_endp *endp; /* that was asked for */
};

static int push_stack(void *context, struct cdt_flow *flow)
{
    const struct stack *stack = context;
    int status = 0;
    for (const struct cdt_endp *endp = stack->endp; endp->kind == CDT_ENDP_TLS && status == 0;
         endp = endp->inner)
        status = cdt_tls_start(flow, stack->config, NULL);
    return status;
}

static void free_stack(void *context)
{
    struct stack *stack = context;
    tls_config_put(stack->config);
    cdt_endp_free(stack->endp);
    mem_free(stack);
}

static int make_stack(struct cdt_tls_config *config, const struct cdt_endp *endp,
                      struct stack **result)
{
    struct stack *stack = mem_zalloc(sizeof *stack);
    const int status = stack ? cdt_endp_copy(endp, &stack->endp) : -ENOMEM;
    if (status) {
        mem_free(stack);
        return status;
    }
    stack->config = tls_config_get(config);
    *result = stack;
    return 0;
}

int tls_listen(struct cdt_context *context, const struct cdt_endp *endp,
               const struct cdt_server_options *options, const struct cdt_handler *handler,
               struct cdt_server **server)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    const struct context_row *row = context_row(base);
    struct cdt_tls_config *config = options->flow->tls;
    struct cdt_text_error error = {.text = ""};
    struct stack *stack = NULL;
    if (!row->listen)
        return context_fail(context, -EPROTONOSUPPORT, row->no_listen);
    int status = config ? check(context, config, CDT_TLS_SERVER, &error)
                        : own_config(context, CDT_TLS_SERVER, &config, &error);
    if (status)
        return context_fail(context, status, error.text);
    status = make_stack(config, endp, &stack);
    if (status == 0)
        status = row->listen(context, base, options, handler, server);
    if (status == 0)
        (*server)->stack = (struct server_stack){push_stack, free_stack, stack};
    else if (stack)
        free_stack(stack);
    return status;
}

int cdt_serve_mode(struct cdt_context *context, const struct cdt_server_mode *mode,
                   const struct cdt_server_options *options, const struct cdt_handler *handler,
                   struct cdt_server **server)
{
    struct cdt_text_error error = {.text = ""};
    struct cdt_server_options mine;
    struct cdt_flow_options flow;
    if (!context)
        return -EINVAL;
    if (!mode || !mode->endp || !options_copy(&mine, sizeof mine, options) ||
        !options_copy(&flow, sizeof flow, mine.flow ? mine.flow : &context->flow))
        return context_fail(context, -EINVAL, NULL);
    if (mode->endp->kind != CDT_ENDP_TLS)
        return cdt_serve_endp(context, mode->endp, options, handler, server);
    int status = make(context, CDT_TLS_SERVER, mode->tls ? mode->tls : context->tls_backend,
                      &mode->key, &flow.tls, &error);
    if (status)
        return context_fail(context, status, error.text);
    mine.flow = &flow;
    status = cdt_serve_endp(context, mode->endp, &mine, handler, server);
    cdt_tls_config_free(flow.tls);
    return status;
}

/* ---- endpoints ------------------------------------------------------------------------------- */

/* Wraps an endpoint, which is taken over, also if this fails. */
static int wrap(const char *host, struct cdt_endp **endp)
{
    struct cdt_endp *inner = *endp;
    const int status = cdt_endp_tls(host ? host : "", inner, endp);
    if (status)
        cdt_endp_free(inner);
    return status;
}

int context_wrap_flow(const struct cdt_layer *layer, struct cdt_endp **endp)
{
    if (!layer)
        return 0;
    const struct tls_layer *tls = tls_layer_of(layer);
    const int status = context_wrap_flow(layer->below, endp);
    return status || !tls ? status : wrap(tls->connection.name, endp);
}

static int wrap_like(const struct cdt_endp *shape, struct cdt_endp **endp)
{
    if (shape->kind != CDT_ENDP_TLS)
        return 0;
    const int status = wrap_like(shape->inner, endp);
    return status ? status : wrap(shape->name, endp);
}

int context_wrap_server(const struct cdt_server *server, struct cdt_endp **endp)
{
    if (server->stack.free != free_stack)
        return 0;
    return wrap_like(((const struct stack *)server->stack.context)->endp, endp);
}
