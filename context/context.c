/* The context: its making and freeing, the default one of each reactor, and what it shares. */
#include <stdio.h>
#include <string.h>

#include "context/internal.h"

enum { DELAY_DEFAULT = 250, DELAY_MIN = 10, DELAY_MAX = 2000 }; /* ms; RFC 8305 section 8 */

static uint64_t attempt_delay(uint64_t wanted)
{
    if (wanted == 0)
        return DELAY_DEFAULT * CDT_MS;
    if (wanted < DELAY_MIN * CDT_MS)
        return DELAY_MIN * CDT_MS;
    return wanted > DELAY_MAX * CDT_MS ? DELAY_MAX * CDT_MS : wanted;
}

static void free_resolver(struct cdt_context *context)
{
    if (context->resolver_is_own)
        cdt_resolver_free(context->resolver);
    context->resolver = NULL;
    context->resolver_is_own = false;
}

/* The reactor is freed, and its flows have ended: what is left waits for cdt_context_free(). */
static void forget_reactor(struct reactor_room *room)
{
    struct cdt_context *context = cdt_container_of(room, struct cdt_context, room);
    free_resolver(context);
    context_tls_end(context);
    reactor_remove_room(context->reactor, room);
    context->reactor = NULL;
}

static void destroy_default(struct reactor_room *room)
{
    struct cdt_context *context = cdt_container_of(room, struct cdt_context, room);
    forget_reactor(room);
    context_vchan_end(context);
    cdt_limit_free(context->limit);
    mem_free(context);
}

int cdt_context_new(struct cdt_reactor *reactor, const struct cdt_context_options *options,
                    struct cdt_context **context)
{
    struct cdt_context_options mine;
    struct cdt_flow_options flow;
    if (!reactor_usable(reactor) || !context || !options_copy(&mine, sizeof mine, options) ||
        !options_copy(&flow, sizeof flow, mine.flow))
        return -EINVAL;
    struct cdt_context *new = mem_zalloc(sizeof *new);
    if (!new)
        return -ENOMEM;
    new->flow = flow;
    new->reactor = reactor;
    new->attempt_delay = attempt_delay(mine.attempt_delay);
    new->resolver = mine.resolver;
    list_init(&new->races);
    int status = context_tls_begin(new, &mine);
    if (status == 0)
        status = context_vchan_begin(new, mine.vchan);
    if (status == 0)
        status = cdt_limit_new(reactor, mine.max_active, &new->limit);
    if (status) {
        context_tls_end(new);
        context_vchan_end(new);
        mem_free(new);
        return status;
    }
    new->room.destroy = forget_reactor;
    reactor_add_room(reactor, &new->room); /* behind that of the flows, which the limit has made */
    *context = new;
    return 0;
}

int cdt_context_default(struct cdt_reactor *reactor, struct cdt_context **context)
{
    if (!reactor_usable(reactor) || !context)
        return -EINVAL;
    struct reactor_room *room = reactor_room(reactor, destroy_default);
    if (room) {
        *context = cdt_container_of(room, struct cdt_context, room);
        return 0;
    }
    const int status = cdt_context_new(reactor, NULL, context);
    if (status == 0)
        (*context)->room.destroy = destroy_default;
    return status;
}

int cdt_context_free(struct cdt_context *context)
{
    if (!context)
        return 0;
    if (context->room.destroy == destroy_default)
        return -EINVAL;
    const int status = cdt_limit_free(context->limit);
    if (status)
        return status;
    race_cancel_all(context);
    free_resolver(context);
    context_tls_end(context);
    context_vchan_end(context);
    if (context->reactor)
        reactor_remove_room(context->reactor, &context->room);
    mem_free(context);
    return 0;
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

int context_resolver(struct cdt_context *context, struct cdt_resolver **resolver)
{
    int status = 0;
    if (!context->resolver) {
        status = cdt_resolver_new(context->reactor, NULL, &context->resolver);
        context->resolver_is_own = status == 0;
    }
    *resolver = context->resolver;
    return status;
}

struct cdt_resolver *cdt_context_resolver(struct cdt_context *context)
{
    struct cdt_resolver *resolver = NULL;
    if (context && reactor_usable(context->reactor))
        context_resolver(context, &resolver);
    return resolver;
}

const char *cdt_context_error(const struct cdt_context *context)
{
    return context ? context->error : "";
}

int context_fail(struct cdt_context *context, int status, const char *text)
{
    if (!text || !*text)
        text = cdt_strerror(status);
    snprintf(context->error, sizeof context->error, "%s", status ? text : "");
    return status;
}
