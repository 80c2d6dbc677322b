/* Rules: which one is for a host, and those that are built in (the names of the system, vchan
 * names, fixed answers). The resolver's are sorted by suffix, and looked for once for each label
 * of the host. */
#include <string.h>

#include "resolve/resolver.h"

int rule_suffix(const char *text, char suffix[HOST_ASCII])
{
    const char *why;
    if (!text)
        return -EINVAL;
    if (!*text || strcmp(text, ".") == 0) {
        *suffix = 0;
        return 0;
    }
    return host_to_ascii(slice_of(text), suffix, &why);
}

/* The index of a suffix, or, with *found false, where it belongs. */
static size_t find(const struct cdt_resolver *resolver, const char *suffix, bool *found)
{
    size_t low = 0, high = resolver->rule_count;
    *found = false;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(suffix, resolver->rules[middle]->suffix);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- adding ---------------------------------------------------------------------------------- */

void rule_release(struct rule *rule)
{
    if (!rule || --rule->holds)
        return;
    cdt_endp_free(rule->endp);
    mem_free(rule);
}

void rules_free(struct cdt_resolver *resolver)
{
    for (size_t i = 0; i < resolver->rule_count; i++)
        rule_release(resolver->rules[i]);
    mem_free(resolver->rules);
    resolver->rules = NULL;
    resolver->rule_count = resolver->rule_room = 0;
}

static int make_room(struct cdt_resolver *resolver)
{
    if (resolver->rule_count < resolver->rule_room)
        return 0;
    const size_t room = resolver->rule_room ? resolver->rule_room * 2 : 4;
    struct rule **rules = mem_realloc(resolver->rules, room * sizeof(struct rule *));
    if (!rules)
        return -ENOMEM;
    resolver->rules = rules;
    resolver->rule_room = room;
    return 0;
}

static int add(struct cdt_resolver *resolver, const struct cdt_rewrite *rewrite,
               struct cdt_endp *endp)
{
    char suffix[HOST_ASCII];
    bool found;
    int status = rule_suffix(rewrite->suffix, suffix);
    if (!status)
        status = make_room(resolver);
    if (status)
        return status;
    const size_t size = strlen(suffix) + 1;
    struct rule *rule = mem_alloc(sizeof *rule + size);
    if (!rule)
        return -ENOMEM;
    *rule = (struct rule){1, rewrite->fn, endp ? endp : rewrite->user, endp};
    memcpy(rule->suffix, suffix, size);
    const size_t at = find(resolver, suffix, &found);
    struct rule **place = resolver->rules + at;
    if (found) {
        rule_release(*place);
    } else {
        memmove(place + 1, place, (resolver->rule_count - at) * sizeof(struct rule *));
        resolver->rule_count++;
    }
    *place = rule;
    return 0;
}

int cdt_resolver_add_rewrite(struct cdt_resolver *resolver, const struct cdt_rewrite *rewrite)
{
    if (!resolver_usable(resolver) || !rewrite || !rewrite->fn)
        return -EINVAL;
    return add(resolver, rewrite, NULL);
}

/* ---- picking --------------------------------------------------------------------------------- */

/* Where the next label begins; NULL: there is none. "" follows the last one. An address has one
 * label. */
static const char *shorter(const char *host, bool is_name)
{
    if (!*host)
        return NULL;
    const char *dot = is_name ? strchr(host, '.') : NULL;
    return dot ? dot + 1 : host + strlen(host);
}

static bool ends_with(const char *host, const char *suffix, bool is_name)
{
    for (; host; host = shorter(host, is_name)) {
        if (strcmp(host, suffix) == 0)
            return true;
    }
    return false;
}

static void pick_own(struct cdt_resolution *resolution, const char *host, bool is_name)
{
    const struct cdt_resolver *resolver = resolution->resolver;
    bool found = false;
    size_t at = 0;
    for (; host && !found; host = shorter(host, is_name))
        at = find(resolver, host, &found);
    if (!found)
        return;
    resolution->rule = resolver->rules[at];
    resolution->rule->holds++;
    resolution->rule_fn = resolution->rule->fn;
    resolution->rule_user = resolution->rule->user;
}

/* Over the resolver's rule, unless that has the longer suffix. */
static int pick_given(struct cdt_resolution *resolution, const char *host, bool is_name,
                      const struct cdt_resolve_options *options)
{
    size_t best = resolution->rule ? strlen(resolution->rule->suffix) : 0;
    bool is_given = false;
    for (unsigned i = 0; i < options->rewrite_count; i++) {
        const struct cdt_rewrite *rewrite = &options->rewrites[i];
        char suffix[HOST_ASCII];
        const int status = rewrite->fn ? rule_suffix(rewrite->suffix, suffix) : -EINVAL;
        if (status)
            return status;
        const size_t length = strlen(suffix);
        /* Of equal ones the last replaces those before it, as in cdt_resolver_add_rewrite(). */
        if (length < best || !ends_with(host, suffix, is_name))
            continue;
        best = length;
        is_given = true;
        resolution->rule_fn = rewrite->fn;
        resolution->rule_user = rewrite->user;
    }
    if (is_given) {
        rule_release(resolution->rule);
        resolution->rule = NULL;
    }
    return 0;
}

int rules_pick(struct cdt_resolution *resolution, const struct cdt_resolve_options *options)
{
    const struct cdt_uri *uri = &resolution->view;
    const bool is_name = uri->kind == CDT_URI_NAME;
    pick_own(resolution, uri->host, is_name);
    return options->rewrite_count ? pick_given(resolution, uri->host, is_name, options) : 0;
}

/* ---- built in -------------------------------------------------------------------------------- */

static uint16_t port_of(const struct cdt_service *service, const struct cdt_uri *uri)
{
    return uri->port >= 0 ? (uint16_t)uri->port : service->port;
}

static int add_literal(struct cdt_resolution *resolution, struct cdt_addr addr, uint16_t port)
{
    struct cdt_endp *endp;
    if (resolution->family && resolution->family != addr.any.sa_family)
        return -EAFNOSUPPORT;
    addr.v4.sin_port = htons(port); /* that of IPv6 has the same place */
    const int status = cdt_endp_tcp(&addr, &endp);
    return status ? status : resolution_add_owned(resolution, endp);
}

/* Whether the host has a trailing dot, which `host` has lost. */
static bool is_absolute(const struct cdt_uri *uri)
{
    const char *at = strstr(uri->text, "//");
    if (!at)
        return false;
    at += 2;
    struct slice host = {at, strcspn(at, "/?#")};
    const char *user = memrchr(host.at, '@', host.length);
    if (user)
        host = (struct slice){user + 1, host.length - (size_t)(user + 1 - host.at)};
    host.length = strcspn(host.at, ":/?#");
    return host.length && host.at[host.length - 1] == '.';
}

int cdt_rewrite_system(void *user, struct cdt_resolution *resolution,
                       const struct cdt_service *service, const struct cdt_uri *uri)
{
    (void)user;
    if (!resolution || !resolver_usable(resolution->resolver) || !service || !uri)
        return -EINVAL;
    if (uri->kind == CDT_URI_PATH)
        return -CDT_ENORULE;
    const uint16_t port = port_of(service, uri);
    if (uri->kind == CDT_URI_ADDRESS)
        return add_literal(resolution, uri->addr, port);
    struct lookup *lookup = lookup_add(resolution, uri->host, port);
    if (!lookup)
        return -ENOMEM;
    lookup->srv = resolution->srv && uri->port < 0;
    lookup->absolute = is_absolute(uri);
    if (!resolution->is_held) /* a rule that has returned goes on with this one */
        resolution_wake(resolution);
    return 1;
}

int rule_xen(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
             const struct cdt_uri *uri)
{
    static const size_t tail = sizeof ".xen" - 1;
    const struct slice host = slice_of(uri->host);
    (void)user;
    if (host.length <= tail)
        return -CDT_ENORULE;
    struct cdt_endp *endp =
        endp_make(CDT_ENDP_VCHAN_DOMAIN_SOCKET, 0, (struct slice){host.at, host.length - tail},
                  slice_of(service->name));
    return endp ? resolution_add_owned(resolution, endp) : -ENOMEM;
}

/* A HOST is resolved, whatever lies over it. */
static int give(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
                const struct cdt_uri *uri)
{
    const uint16_t port = port_of(service, uri);
    struct cdt_endp *copy;
    const int status = cdt_endp_copy(user, &copy);
    if (status)
        return status;
    struct cdt_endp *base = copy;
    while (base->inner)
        base = base->inner;
    if (base->kind == CDT_ENDP_HOST) {
        resolution->shell = copy;
        return lookup_text(resolution, (struct slice){base->name, base->name_length},
                           base->number ? (uint16_t)base->number : port, copy);
    }
    if (base->kind == CDT_ENDP_TCP && cdt_addr_port(&base->addr) == 0)
        base->addr.v4.sin_port = htons(port);
    return resolution_add_owned(resolution, copy);
}

int cdt_resolver_add_static(struct cdt_resolver *resolver, const char *suffix,
                            const struct cdt_endp *endp)
{
    const struct cdt_rewrite rewrite = {suffix, give, NULL};
    struct cdt_endp *copy;
    if (!resolver_usable(resolver) || !endp)
        return -EINVAL;
    int status = cdt_endp_copy(endp, &copy);
    if (status)
        return status;
    status = add(resolver, &rewrite, copy);
    if (status)
        cdt_endp_free(copy);
    return status;
}
