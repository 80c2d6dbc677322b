/* The resolver: what it is made of, and its services. Memory is held back while functions of the
 * user's are under way in it, so that they may free it. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "resolve/resolver.h"

enum { DELAY_MS = 50, SCHEME_LENGTH = 255 };

/* NULL: the system's. */
static char *path_or(const char *path, const char *system)
{
    return mem_strdup(path ? path : system);
}

static void free_services(struct service_source **list)
{
    while (*list) {
        struct service_source *next = (*list)->next;
        mem_free(*list);
        *list = next;
    }
}

static void free_memory(struct cdt_resolver *resolver)
{
    free_services(&resolver->services);
    free_services(&resolver->retired);
    services_free(&resolver->services_file);
    hosts_clear(&resolver->hosts);
    mem_free(resolver->services_path);
    mem_free(resolver->hosts_path);
    resolutions_free_spare(resolver);
    mem_free(resolver);
}

static void seed(struct cdt_resolver *resolver)
{
    if (getrandom(&resolver->random, sizeof resolver->random, GRND_NONBLOCK) < 0)
        resolver->random = cdt_reactor_now(resolver->reactor) ^ (uintptr_t)resolver;
}

uint64_t resolver_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void close_sources(struct cdt_deferred *asked)
{
    address_sources_close(&cdt_container_of(asked, struct cdt_resolver, asked)->sources);
}

static int fill(struct cdt_resolver *resolver, const struct cdt_resolver_options *options)
{
    static const struct cdt_rewrite rules[] = {{"", cdt_rewrite_system, NULL},
                                               {"xen", rule_xen, NULL}};
    const char *debug = getenv("CONDUIT_DEBUG");
    int status;
    resolver->delay = options->delay ? options->delay : DELAY_MS * CDT_MS;
    resolver->trace = debug && *debug;
    resolver->sources = (struct address_sources){.find = address_source, .fd = {-1, -1}};
    resolver->asked.fn = close_sources;
    resolver->services_path = path_or(options->services_file, "/etc/services");
    resolver->hosts_path = path_or(options->hosts_file, "/etc/hosts");
    if (!resolver->services_path || !resolver->hosts_path)
        return -ENOMEM;
    resolver->hosts.file.path = resolver->hosts_path;
    seed(resolver);
    status = cdt_resolver_set_service(resolver, NULL, NULL);
    for (size_t i = 0; !status && i < sizeof rules / sizeof *rules; i++)
        status = cdt_resolver_add_rewrite(resolver, &rules[i]);
    return status ? status : dns_new(resolver->reactor, options, &resolver->dns);
}

int cdt_resolver_new(struct cdt_reactor *reactor, const struct cdt_resolver_options *options,
                     struct cdt_resolver **resolver)
{
    struct cdt_resolver_options own;
    if (!reactor_usable(reactor) || !resolver || !options_copy(&own, sizeof own, options) ||
        own.search > CDT_OFF || own.cache > CDT_OFF)
        return -EINVAL;
    struct cdt_resolver *new = mem_zalloc(sizeof *new);
    if (!new)
        return -ENOMEM;
    new->reactor = reactor;
    const int status = fill(new, &own);
    if (status) {
        cdt_resolver_free(new);
        return status;
    }
    *resolver = new;
    return 0;
}

bool resolver_usable(const struct cdt_resolver *resolver)
{
    return resolver && reactor_usable(resolver->reactor) && !resolver->freed;
}

void cdt_resolver_free(struct cdt_resolver *resolver)
{
    if (!resolver_usable(resolver))
        return;
    resolver->freed = true;
    cdt_defer_cancel(&resolver->asked);
    address_sources_close(&resolver->sources);
    resolutions_orphan(resolver);
    if (resolver->dns)
        dns_free(resolver->dns);
    resolver->dns = NULL;
    rules_free(resolver);
    if (!resolver->holds)
        free_memory(resolver);
}

static void release(struct cdt_resolver *resolver)
{
    if (--resolver->holds)
        return;
    if (resolver->freed)
        free_memory(resolver);
    else
        free_services(&resolver->retired);
}

/* ---- services -------------------------------------------------------------------------------- */

static struct service_source *make_service(cdt_service_fn *fn, void *user)
{
    struct service_source *source = mem_alloc(sizeof *source);
    if (source)
        *source = (struct service_source){NULL, fn, user};
    return source;
}

int cdt_resolver_add_service(struct cdt_resolver *resolver, cdt_service_fn *fn, void *user)
{
    if (!resolver_usable(resolver) || !fn)
        return -EINVAL;
    struct service_source *source = make_service(fn, user);
    if (!source)
        return -ENOMEM;
    source->next = resolver->services;
    resolver->services = source;
    return 0;
}

/* What is replaced goes behind what was replaced before: a round of asking that is under way
 * goes on in it. */
int cdt_resolver_set_service(struct cdt_resolver *resolver, cdt_service_fn *fn, void *user)
{
    if (!resolver_usable(resolver))
        return -EINVAL;
    struct service_source *source =
        fn ? make_service(fn, user) : make_service(cdt_service_builtin, resolver);
    if (!source)
        return -ENOMEM;
    struct service_source **end = &resolver->retired;
    while (*end)
        end = &(*end)->next;
    *end = resolver->services;
    resolver->services = source;
    if (!resolver->holds)
        free_services(&resolver->retired);
    return 0;
}

int cdt_service_builtin(void *user, const char *scheme, struct cdt_service *service)
{
    struct cdt_resolver *resolver = user;
    struct services_file system;
    if (!scheme || !service)
        return 0;
    if (services_find_builtin(scheme, service))
        return 1;
    if (!resolver) {
        services_load("/etc/services", &system);
        const bool found = services_find(&system, scheme, service);
        services_free(&system);
        return found;
    }
    if (!resolver->services_read)
        resolver->services_read = !*resolver->services_path ||
                                  services_load(resolver->services_path, &resolver->services_file);
    return services_find(&resolver->services_file, scheme, service);
}

int resolver_find_service(struct cdt_resolver *resolver, const char *scheme,
                          struct cdt_service *service)
{
    int found = 0;
    resolver->holds++;
    for (struct service_source *s = resolver->services; s && !found && !resolver->freed;
         s = s->next) {
        *service = (struct cdt_service){0};
        found = s->fn(s->user, scheme, service) == 1;
    }
    service->name[sizeof service->name - 1] = 0;
    release(resolver);
    return found ? 0 : -CDT_ENOSERVICE;
}

int cdt_resolver_service(struct cdt_resolver *resolver, const char *scheme,
                         struct cdt_service *service)
{
    char small[SCHEME_LENGTH + 1];
    size_t length = 0;
    if (!resolver_usable(resolver) || !scheme || !service)
        return -EINVAL;
    for (; scheme[length]; length++) {
        if (length == SCHEME_LENGTH)
            return -CDT_ENOSERVICE;
        const char c = scheme[length];
        small[length] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    small[length] = 0;
    struct cdt_service found;
    const int status = resolver_find_service(resolver, small, &found);
    if (status == 0)
        *service = found;
    return status;
}
