/* One resolution: from the call, through services and rules, to the list that its callback sees.
 * All of it happens in deferred calls, so that whatever an answer brings, functions of the
 * user's run under nothing of ours and may free everything. */
#include <stdio.h>
#include <string.h>

#include "resolve/resolver.h"

void resolution_wake(struct cdt_resolution *resolution)
{
    cdt_defer(resolution->resolver->reactor, &resolution->deferred);
}

/* ---- the trace ------------------------------------------------------------------------------- */

static void trace_list(const struct cdt_resolution *r)
{
    char text[400];
    if (!r->resolver->trace)
        return;
    for (size_t i = 0; i < r->list_count; i++) {
        cdt_endp_format(r->list[i], CDT_ENDP_HUMAN, text, sizeof text);
        trace(r->resolver, "%s %zu of %zu: %s", r->status > 0 ? "so far" : "result", i + 1,
              r->list_count, text);
    }
}

/* ---- failing --------------------------------------------------------------------------------- */

int resolution_refuse(struct cdt_resolution *r, int status, const char *reason)
{
    r->reason = reason;
    return status;
}

static int failure_of(const struct cdt_resolution *r)
{
    int status = r->failure;
    if (status)
        return status;
    for (const struct lookup *lookup = r->lookups; lookup; lookup = lookup->next)
        status = lookup_worse(status, lookup->status);
    return status ? status : -CDT_ENODATA;
}

/* What the failure is about. */
static const char *subject_of(const struct cdt_resolution *r)
{
    if (r->failure == -CDT_ENOSERVICE)
        return r->uri && r->uri->scheme ? r->uri->scheme : "";
    if (r->lookups)
        return r->lookups->name;
    return r->uri ? r->view.host : "";
}

static void set_failure(struct cdt_resolution *r, int status)
{
    const char *subject = subject_of(r), *text = r->reason ? r->reason : cdt_strerror(status);
    const size_t size = strlen(subject) + strlen(text) + 3;
    r->status = status;
    r->error = mem_alloc(size);
    if (r->error)
        snprintf(r->error, size, "%s%s%s", subject, *subject ? ": " : "", text);
    const char *reason = status == -CDT_ENORULE && *subject ? subject : text;
    r->unknown = (struct cdt_endp){
        .kind = CDT_ENDP_UNKNOWN, .name = reason, .name_length = strlen(reason), .port = ""};
    r->list[0] = &r->unknown;
    r->list_count = 1;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void detach(struct cdt_resolution *r)
{
    cdt_defer_cancel(&r->deferred);
    cdt_timer_cancel(&r->timer);
    for (struct lookup *lookup = r->lookups; lookup; lookup = lookup->next)
        lookup_cancel(lookup);
    r->resolver = NULL;
}

static void cancel(struct cdt_resolution *r)
{
    if (r->list_count)
        r->status = 0;
    else
        set_failure(r, -ECANCELED);
    detach(r);
}

void resolutions_orphan(struct cdt_resolver *resolver)
{
    for (struct cdt_resolution *r = resolver->first, *next; r; r = next) {
        next = r->next;
        if (r->resolver)
            cancel(r);
        r->home = NULL;
    }
    resolver->first = NULL;
}

static void finish(struct cdt_resolution *r)
{
    if (r->result_count) {
        r->status = 0;
        results_order(r);
    } else {
        set_failure(r, failure_of(r));
        trace(r->resolver, "failed: %s", cdt_resolution_error(r));
    }
    trace_list(r);
    detach(r);
    r->fn(r->user, r);
}

static bool is_over(const struct cdt_resolution *r)
{
    for (const struct lookup *lookup = r->lookups; lookup; lookup = lookup->next) {
        if (!lookup->done)
            return false;
    }
    return !r->in_rule;
}

/* Whether the first host that can have addresses has all, or has IPv6: RFC 8305 section 3. */
static bool is_useful(const struct cdt_resolution *r)
{
    for (const struct lookup *lookup = r->lookups; lookup; lookup = lookup->next) {
        if (lookup->found[1] || (lookup->done && lookup->found[0]))
            return true;
        if (!lookup->done)
            return false;
    }
    return true;
}

static void tell(struct cdt_resolution *r)
{
    if (is_over(r)) {
        finish(r);
        return;
    }
    if (!r->is_fresh)
        return;
    if (!r->is_published && r->resolver->delay != CDT_NEVER && !is_useful(r)) {
        if (!cdt_timer_is_set(&r->timer))
            cdt_timer_set(r->resolver->reactor, &r->timer, r->resolver->delay);
        return;
    }
    cdt_timer_cancel(&r->timer);
    r->is_published = true;
    r->is_fresh = false;
    results_order(r);
    trace_list(r);
    r->fn(r->user, r);
}

static void waited(struct cdt_timer *timer)
{
    struct cdt_resolution *r = cdt_container_of(timer, struct cdt_resolution, timer);
    r->is_published = true;
    tell(r);
}

static void go_on(struct cdt_deferred *deferred)
{
    struct cdt_resolution *r = cdt_container_of(deferred, struct cdt_resolution, deferred);
    for (struct lookup *lookup = r->lookups; lookup; lookup = lookup->next)
        lookup_step(lookup);
    tell(r);
}

/* A rule failed: what it has begun is given up. */
static void fail(struct cdt_resolution *r, int status)
{
    for (struct lookup *lookup = r->lookups; lookup; lookup = lookup->next) {
        lookup_cancel(lookup);
        lookup->done = true;
    }
    results_drop(r);
    r->failure = status;
    r->in_rule = false;
    finish(r);
}

/* The memory of one that is over goes to the next one. */
static void put_back(struct cdt_resolution *r)
{
    struct cdt_resolver *home = r->home;
    if (home) {
        if (r->next)
            r->next->prev = r->prev;
        *(r->prev ? &r->prev->next : &home->first) = r->next;
    }
    if (!home || home->spares == SPARES_MAX) {
        mem_free(r);
        return;
    }
    r->next = home->spare;
    home->spare = r;
    home->spares++;
}

static struct cdt_resolution *take_out(struct cdt_resolver *home)
{
    struct cdt_resolution *r = home->spare;
    if (!r)
        return mem_alloc(sizeof *r);
    home->spare = r->next;
    home->spares--;
    return r;
}

void resolutions_free_spare(struct cdt_resolver *resolver)
{
    while (resolver->spares)
        mem_free(take_out(resolver));
}

static void free_memory(struct cdt_resolution *r)
{
    results_drop(r);
    for (struct lookup *lookup = r->lookups, *next; lookup; lookup = next) {
        next = lookup->next;
        if (lookup != &r->lookup)
            mem_free(lookup);
    }
    for (struct endp_block *block = r->blocks, *next; block; block = next) {
        next = block->next;
        mem_free(block);
    }
    if (r->results != r->results_inline)
        mem_free(r->results);
    if (r->list != r->list_inline)
        mem_free(r->list);
    rule_release(r->rule);
    cdt_endp_free(r->shell);
    cdt_uri_free(r->uri);
    mem_free(r->error);
    put_back(r);
}

static void start(struct cdt_deferred *deferred)
{
    struct cdt_resolution *r = cdt_container_of(deferred, struct cdt_resolution, deferred);
    deferred->fn = go_on;
    r->is_held = true;
    const int status = r->uri ? way_go(r) : 0;
    r->is_held = false;
    if (r->is_freed)
        free_memory(r);
    else if (r->resolver && status < 0)
        fail(r, status);
    else if (r->resolver)
        go_on(deferred);
}

/* ---- for rules ------------------------------------------------------------------------------- */

static bool is_open(const struct cdt_resolution *r)
{
    return r && resolver_usable(r->resolver) && r->deferred.fn == go_on;
}

int cdt_resolution_add(struct cdt_resolution *r, const struct cdt_endp *endp)
{
    struct cdt_endp *copy;
    if (!is_open(r) || !endp)
        return -EINVAL;
    int status = cdt_endp_copy(endp, &copy);
    if (!status)
        status = resolution_add_owned(r, copy);
    if (!status)
        resolution_wake(r);
    return status;
}

int cdt_resolution_name(struct cdt_resolution *r, const char *name, uint16_t port)
{
    if (!is_open(r) || !name)
        return -EINVAL;
    const int status = lookup_text(r, slice_of(name), port, NULL);
    if (status < 0)
        return status;
    resolution_wake(r);
    return 1;
}

int cdt_resolution_done(struct cdt_resolution *r, int status)
{
    if (!is_open(r) || !r->in_rule || status > 0)
        return -EINVAL;
    r->in_rule = false;
    if (!r->result_count)
        r->failure = status;
    resolution_wake(r);
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static struct cdt_resolution *make(struct cdt_resolver *resolver,
                                   const struct cdt_resolve_options *options, cdt_resolved_fn *fn,
                                   void *user)
{
    struct cdt_resolution *r = take_out(resolver);
    if (!r)
        return NULL;
    memset(r, 0, offsetof(struct cdt_resolution, service));
    r->view.kind = CDT_URI_NO_HOST;
    r->resolver = r->home = resolver;
    r->fn = fn;
    r->user = user;
    r->deferred.fn = start;
    r->timer.fn = waited;
    r->status = 1;
    r->family = options->family;
    r->srv = options->srv;
    r->lookups_end = &r->lookups;
    r->results = r->results_inline;
    r->list = r->list_inline;
    r->result_room = r->list_room = RESULTS_INLINE;
    r->next = resolver->first;
    if (r->next)
        r->next->prev = r;
    resolver->first = r;
    return r;
}

static bool read_options(const struct cdt_resolve_options *options, struct cdt_resolve_options *own)
{
    if (!options_copy(own, sizeof *own, options))
        return false;
    if (own->rewrite_count && !own->rewrites)
        return false;
    return own->family == 0 || own->family == AF_INET || own->family == AF_INET6;
}

/* Gives it to the user, or takes it back. */
static int begin(struct cdt_resolution *r, int status, struct cdt_resolution **resolution)
{
    if (status) {
        cdt_resolution_free(r);
        return status;
    }
    resolution_wake(r);
    *resolution = r;
    return 0;
}

int cdt_resolve(struct cdt_resolver *resolver, const char *uri,
                const struct cdt_resolve_options *options, cdt_resolved_fn *fn, void *user,
                struct cdt_resolution **resolution, struct cdt_text_error *error)
{
    struct cdt_resolve_options own;
    struct cdt_uri *parsed = NULL;
    if (error)
        *error = (struct cdt_text_error){0};
    if (!resolver_usable(resolver) || !uri || !fn || !resolution || !read_options(options, &own))
        return -EINVAL;
    const int status = cdt_uri_parse(uri, &parsed, error);
    if (status)
        return status;
    struct cdt_resolution *r = make(resolver, &own, fn, user);
    if (!r) {
        cdt_uri_free(parsed);
        return -ENOMEM;
    }
    r->uri = parsed;
    r->view = *parsed;
    if (parsed->kind == CDT_URI_NO_HOST) {
        r->view.kind = CDT_URI_NAME;
        r->view.host = "localhost";
    }
    return begin(r, rules_pick(r, &own), resolution);
}

/* What there is to resolve in an endpoint. */
static int take_up(struct cdt_resolution *r, const struct cdt_endp *endp)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    const bool is_host = base->kind == CDT_ENDP_HOST;
    struct cdt_endp *copy = NULL;
    int status = 0;
    if (!is_host || base != endp)
        status = cdt_endp_copy(endp, &copy);
    if (status)
        return status;
    if (!is_host)
        return resolution_add_owned(r, copy);
    r->shell = copy;
    return lookup_text(r, (struct slice){base->name, base->name_length}, (uint16_t)base->number,
                       copy);
}

int cdt_resolve_endp(struct cdt_resolver *resolver, const struct cdt_endp *endp,
                     const struct cdt_resolve_options *options, cdt_resolved_fn *fn, void *user,
                     struct cdt_resolution **resolution)
{
    struct cdt_resolve_options own;
    if (!resolver_usable(resolver) || !endp || !fn || !resolution || !read_options(options, &own))
        return -EINVAL;
    struct cdt_resolution *r = make(resolver, &own, fn, user);
    if (!r)
        return -ENOMEM;
    const int status = take_up(r, endp);
    return begin(r, status < 0 ? status : 0, resolution);
}

/* ---- looking at it --------------------------------------------------------------------------- */

const struct cdt_endp *const *cdt_resolution_endps(const struct cdt_resolution *r, size_t *count)
{
    if (count)
        *count = r ? r->list_count : 0;
    return r ? (const struct cdt_endp *const *)r->list : NULL;
}

int cdt_resolution_status(const struct cdt_resolution *r)
{
    return r ? r->status : -EINVAL;
}

const char *cdt_resolution_error(const struct cdt_resolution *r)
{
    if (!r || r->status >= 0)
        return "";
    return r->error ? r->error : cdt_strerror(r->status);
}

void *cdt_resolution_user(const struct cdt_resolution *r)
{
    return r ? r->user : NULL;
}

void cdt_resolution_free(struct cdt_resolution *r)
{
    if (!r || (r->resolver && !reactor_usable(r->resolver->reactor)))
        return;
    if (r->resolver)
        detach(r);
    r->is_freed = true;
    if (!r->is_held)
        free_memory(r);
}
