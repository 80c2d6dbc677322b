/* The context: shared options and limit, and the way from an endpoint to its carrier's row. */
#include <errno.h>
#include <string.h>

#include "context/internal.h"

int cdt_context_new(struct cdt_reactor *reactor, const struct cdt_context_options *options,
                    struct cdt_context **context)
{
    struct cdt_context_options mine;
    if (!reactor || !context || !options_copy(&mine, sizeof mine, options))
        return -EINVAL;
    struct cdt_context *new = mem_zalloc(sizeof *new);
    if (!new)
        return -ENOMEM;
    new->reactor = reactor;
    new->flow = mine.flow;
    new->error = "";
    if (new->flow.size == 0)
        new->flow.size = sizeof new->flow;
    const int status = cdt_limit_new(reactor, mine.max_active, &new->limit);
    if (status) {
        mem_free(new);
        return status;
    }
    *context = new;
    return 0;
}

int cdt_context_free(struct cdt_context *context)
{
    if (!context)
        return 0;
    const int status = cdt_limit_free(context->limit);
    if (status == 0)
        mem_free(context);
    return status;
}

struct cdt_reactor *cdt_context_reactor(const struct cdt_context *context)
{
    return context ? context->reactor : NULL;
}

struct cdt_limit *cdt_context_limit(const struct cdt_context *context)
{
    return context ? context->limit : NULL;
}

int cdt_set_max_active(struct cdt_context *context, unsigned max)
{
    return context ? cdt_limit_set(context->limit, max) : -EINVAL;
}

const char *cdt_context_error(const struct cdt_context *context)
{
    return context ? context->error : "";
}

int context_fail(struct cdt_context *context, int status, const char *text)
{
    context->error = status ? text : "";
    return status;
}

static const struct context_row *row_of(const struct cdt_endp *endp)
{
    return endp && (unsigned)endp->kind < CDT_ENDP_KINDS ? &context_rows[endp->kind] : NULL;
}

int cdt_connect_endp(struct cdt_context *context, const struct cdt_endp *endp,
                     const struct cdt_flow_options *options, const struct cdt_handler *handler,
                     struct cdt_flow **flow)
{
    const struct context_row *row = row_of(endp);
    if (!context)
        return -EINVAL;
    if (!row || !handler || !flow)
        return context_fail(context, -EINVAL, cdt_strerror(-EINVAL));
    int status;
    if (row->connect)
        status = row->connect(context, endp, options ? options : &context->flow, handler, flow);
    else
        status =
            context_failed_flow(context->reactor, -EPROTONOSUPPORT, row->no_connect, handler, flow);
    return context_fail(context, status, cdt_strerror(status));
}

static bool is_zero(const void *memory, size_t length)
{
    const uint8_t *bytes = memory;
    while (length > 0 && bytes[length - 1] == 0)
        length--;
    return length == 0;
}

/* The options with the context's limit in the first free place. */
static int add_limit(struct cdt_context *context, struct cdt_server_options *options)
{
    int free_place = -1;
    for (int i = CDT_MAX_LIMITS - 1; i >= 0; i--) {
        if (options->limits[i] == context->limit)
            return 0;
        if (!options->limits[i])
            free_place = i;
    }
    if (free_place < 0)
        return -EINVAL;
    options->limits[free_place] = context->limit;
    return 0;
}

int cdt_serve_endp(struct cdt_context *context, const struct cdt_endp *endp,
                   const struct cdt_server_options *options, const struct cdt_handler *handler,
                   struct cdt_server **server)
{
    const struct context_row *row = row_of(endp);
    struct cdt_server_options mine;
    if (!context)
        return -EINVAL;
    if (!row || !handler || !server || !options_copy(&mine, sizeof mine, options))
        return context_fail(context, -EINVAL, cdt_strerror(-EINVAL));
    if (is_zero(&mine.flow, sizeof mine.flow))
        mine.flow = context->flow;
    if (add_limit(context, &mine) != 0)
        return context_fail(context, -EINVAL, "no place for the context's limit");
    if (!row->listen)
        return context_fail(context, -EPROTONOSUPPORT, row->no_listen);
    context->error = "";
    const int status = row->listen(context, endp, &mine, handler, server);
    if (status && !*context->error)
        context_fail(context, status, cdt_strerror(status));
    return status;
}
