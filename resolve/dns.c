/* Questions and who asks them: from the cache, from a query that is under way, or from the name
 * servers. What was answered waits for a deferred call, so that nobody hears from inside
 * dns_ask(), nor from inside c-ares. */
#include "resolve/cache.h"
#include "resolve/file.h"

enum { CACHE_DEFAULT = 1024, CACHE_MAX = 1 << 20 };

struct dns {
    struct cdt_reactor *reactor;
    struct channel *channel;
    struct cdt_resolver_options options; /* to make another channel of */
    char *servers;
    struct file_look resolv_conf;
    struct cache cache;
    unsigned waiting; /* queries with an entry that is being asked for */
    struct dns_query *answered, **answered_tail;
    struct cdt_deferred deferred;
    bool *freed; /* set by dns_free() from inside a callback */
};

/* ---- delivering ------------------------------------------------------------------------------ */

static void append_answered(struct dns *dns, struct dns_query *query)
{
    query->answered = true;
    query->next = NULL;
    query->link = dns->answered_tail;
    *dns->answered_tail = query;
    dns->answered_tail = &query->next;
    cdt_defer(dns->reactor, &dns->deferred);
}

static void unlink_query(struct dns *dns, struct dns_query *query)
{
    *query->link = query->next;
    if (query->next)
        query->next->link = query->link;
    if (dns->answered_tail == &query->next)
        dns->answered_tail = query->link;
}

/* What is left of the time that an answer may be kept. */
static void update_ttl(struct cache_entry *entry, uint64_t now)
{
    if (entry->expiry)
        entry->answer->ttl =
            now < entry->expiry ? (uint32_t)((entry->expiry - now) / CDT_SECOND) : 0;
}

/* The query is its owner's again before he hears. */
static void call(struct dns_query *query)
{
    struct cache_entry *entry = query->entry;

    query->dns = NULL;
    query->fn(query, entry->answer);
    cache_release(entry);
}

/* Those that are there now; what callbacks ask for comes in the next call. */
static void deliver(struct cdt_deferred *deferred)
{
    struct dns *dns = cdt_container_of(deferred, struct dns, deferred);
    uint64_t now = cdt_reactor_now(dns->reactor);
    struct dns_query *query, last = {0};
    bool freed = false;

    dns->freed = &freed;
    append_answered(dns, &last);
    while ((query = dns->answered) != &last) {
        unlink_query(dns, query);
        update_ttl(query->entry, now);
        call(query);
        if (freed)
            return;
    }
    unlink_query(dns, &last);
    dns->freed = NULL;
    if (!dns->answered)
        cdt_defer_cancel(&dns->deferred);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void set_answer(struct cache_entry *entry, int status, const uint8_t *message, size_t length,
                       enum dns_type type)
{
    if (!status)
        entry->answer = dns_message_read(message, length, type, &entry->small);
    if (entry->answer)
        return;
    entry->small.answer = (struct dns_answer){.status = status ? status : -ENOMEM, .type = type};
    entry->answer = &entry->small.answer;
}

static void on_answer(struct channel_request *request, int status, const uint8_t *message,
                      size_t length)
{
    struct cache_entry *entry = cdt_container_of(request, struct cache_entry, request);
    const uint8_t *type = entry->question + entry->length - 4;
    struct dns *dns = entry->dns;
    struct dns_query *query;

    set_answer(entry, status, message, length, (enum dns_type)(type[0] << 8 | type[1]));
    if (entry->answer->ttl && dns->cache.limit)
        cache_keep(&dns->cache, entry,
                   cdt_reactor_now(dns->reactor) + entry->answer->ttl * CDT_SECOND);
    else
        cache_drop(&dns->cache, entry);
    while ((query = entry->queries)) {
        unlink_query(dns, query);
        dns->waiting--;
        append_answered(dns, query);
    }
    cache_release(entry);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void link_waiting(struct dns_query *query)
{
    struct dns_query **list = &query->entry->queries;

    query->answered = false;
    query->next = *list;
    query->link = list;
    if (*list)
        (*list)->link = &query->next;
    *list = query;
    query->dns->waiting++;
}

/* The entry is new: the servers are to be asked. */
static void ask_servers(struct dns *dns, struct cache_entry *entry)
{
    entry->dns = dns;
    entry->request.fn = on_answer;
    channel_ask(dns->channel, &entry->request, entry->question, entry->length);
}

int dns_ask(struct dns *dns, struct dns_query *query, const char *name, enum dns_type type)
{
    uint8_t question[MESSAGE_QUESTION_MAX];
    size_t length = message_question(name, type, question);
    struct cache_entry *entry;
    uint64_t hash;
    bool is_new;

    if (!length || query->dns || !reactor_usable(dns->reactor))
        return -EINVAL;
    hash = cache_hash(&dns->cache, question, length);
    entry = cache_find(&dns->cache, hash, question, length, cdt_reactor_now(dns->reactor));
    is_new = !entry;
    if (is_new)
        entry = cache_add(&dns->cache, hash, question, length);
    if (!entry)
        return -ENOMEM;
    entry->users++;
    query->dns = dns;
    query->entry = entry;
    if (entry->answer)
        append_answered(dns, query);
    else
        link_waiting(query);
    if (is_new)
        ask_servers(dns, entry);
    return 0;
}

/* When nobody waits any more, nothing is left under way: neither socket nor timer. */
void dns_cancel(struct dns_query *query)
{
    struct dns *dns = query->dns;

    if (!dns)
        return;
    query->dns = NULL;
    unlink_query(dns, query);
    cache_release(query->entry);
    if (!query->answered && !--dns->waiting)
        channel_cancel(dns->channel);
    if (!dns->answered)
        cdt_defer_cancel(&dns->deferred);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int keep_options(struct dns *dns, const struct cdt_resolver_options *options)
{
    const char *path = options->resolv_conf ? options->resolv_conf : "/etc/resolv.conf";

    dns->options = *options;
    dns->servers = options->servers ? mem_strdup(options->servers) : NULL;
    dns->resolv_conf.path = mem_strdup(path);
    if (!dns->resolv_conf.path || (options->servers && !dns->servers))
        return -ENOMEM;
    dns->options.servers = dns->servers;
    dns->options.resolv_conf = dns->resolv_conf.path;
    (void)file_has_changed(&dns->resolv_conf, cdt_reactor_now(dns->reactor));
    return 0;
}

int dns_new(struct cdt_reactor *reactor, const struct cdt_resolver_options *options,
            struct dns **result)
{
    unsigned limit = options->cache_size ? options->cache_size : CACHE_DEFAULT;
    struct dns *dns = mem_zalloc(sizeof *dns);
    int error;

    if (!dns)
        return -ENOMEM;
    dns->reactor = reactor;
    dns->deferred.fn = deliver;
    dns->answered_tail = &dns->answered;
    if (options->cache == CDT_OFF)
        limit = 0;
    error = cache_init(&dns->cache, limit < CACHE_MAX ? limit : CACHE_MAX);
    if (!error)
        error = keep_options(dns, options);
    if (!error)
        error = channel_new(reactor, &dns->options, &dns->channel);
    if (error)
        dns_free(dns);
    else
        *result = dns;
    return error;
}

void dns_free(struct dns *dns)
{
    if (!dns)
        return;
    channel_free(dns->channel);
    mem_free(dns->servers);
    mem_free((char *)(uintptr_t)dns->resolv_conf.path);
    cache_close(&dns->cache);
    cdt_defer_cancel(&dns->deferred);
    if (dns->freed)
        *dns->freed = true;
    mem_free(dns);
}

/* A resolv.conf that has changed makes another channel, when nothing is asked of this one. What is cached
 * stays: the names are the same. */
static void reload(struct dns *dns)
{
    struct channel *channel;

    if (dns->waiting || !file_has_changed(&dns->resolv_conf, cdt_reactor_now(dns->reactor)))
        return;
    if (channel_new(dns->reactor, &dns->options, &channel)) {
        dns->resolv_conf.info = (struct stat){0}; /* try again */
        return;
    }
    channel_free(dns->channel);
    dns->channel = channel;
}

unsigned dns_search(struct dns *dns, unsigned *ndots, const char *const **domains)
{
    reload(dns);
    return channel_search(dns->channel, ndots, domains);
}
