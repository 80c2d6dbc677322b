/* Options of flows: defaults filled in, checked once, shared by all flows that have the same. */
#include <string.h>

#include "flows/internal.h"

enum { MAX_WATERMARK = 1 << 30 };

static void default_time(uint64_t *time, uint64_t value)
{
    if (*time == 0)
        *time = value;
}

static bool switch_valid(enum cdt_switch value)
{
    return (unsigned)value <= CDT_OFF;
}

static bool options_valid(const struct cdt_flow_options *o)
{
    return switch_valid(o->nodelay) && switch_valid(o->keepalive) && switch_valid(o->fastopen) &&
           o->low_watermark <= o->high_watermark && o->high_watermark <= o->hard_limit &&
           o->hard_limit <= MAX_WATERMARK && o->source.length <= sizeof(struct sockaddr_un) &&
           memchr(o->interface, 0, sizeof o->interface) && o->keepalive_times.after <= 32767 &&
           o->keepalive_times.interval <= 32767 && o->keepalive_times.probes <= 127;
}

static void fill_defaults(struct cdt_flow_options *o)
{
    default_time(&o->connect_timeout, 30 * CDT_SECOND);
    default_time(&o->handshake_timeout, 10 * CDT_SECOND);
    default_time(&o->write_stall_timeout, 60 * CDT_SECOND);
    default_time(&o->linger_timeout, 5 * CDT_SECOND);
    default_time(&o->idle_timeout, CDT_NEVER);
    default_time(&o->lifetime, CDT_NEVER);
    default_time(&o->min_rate_window, 10 * CDT_SECOND);
    if (!o->hard_limit)
        o->hard_limit = 16 * 1024 * 1024;
    if (!o->high_watermark)
        o->high_watermark = 64 * 1024;
    if (!o->low_watermark)
        o->low_watermark = o->high_watermark / 4;
    if (!o->nodelay)
        o->nodelay = CDT_ON;
    if (!o->keepalive)
        o->keepalive = CDT_ON;
    if (!o->fastopen)
        o->fastopen = CDT_OFF;
    struct cdt_keepalive *k = &o->keepalive_times;
    if (!k->after)
        k->after = 60;
    if (!k->interval)
        k->interval = 15;
    if (!k->probes)
        k->probes = 4;
}

static bool has_deadlines(const struct cdt_flow_options *o)
{
    return o->idle_timeout != CDT_NEVER || o->lifetime != CDT_NEVER || o->min_rate;
}

int flow_config_get(struct flow_hub *hub, const struct cdt_flow_options *options,
                    struct cdt_server *server, struct flow_config **config)
{
    struct cdt_flow_options filled;
    if (!options_copy(&filled, sizeof filled, options))
        return -EINVAL;
    fill_defaults(&filled);
    if (!options_valid(&filled))
        return -EINVAL;

    struct flow_config *last = hub->config;
    if (!server && last && memcmp(&last->options, &filled, sizeof filled) == 0) {
        last->references++;
        *config = last;
        return 0;
    }
    struct flow_config *new = mem_zalloc(sizeof *new);
    if (!new)
        return -ENOMEM;
    new->references = 1;
    new->hub = hub;
    new->server = server;
    new->traffic = &new->own;
    memcpy(&new->options, &filled, sizeof filled);
    new->deadlines = has_deadlines(&filled);
    if (!server) {
        if (last)
            flow_config_put(last);
        hub->config = new;
        new->references++;
    }
    *config = new;
    return 0;
}

int flow_prepare(struct cdt_reactor *reactor, const struct cdt_flow_options *options,
                 const struct cdt_handler *handler, struct flow_config **config)
{
    if (!reactor_usable(reactor) || !flow_handler_valid(handler))
        return -EINVAL;
    struct flow_hub *hub = flow_hub(reactor);
    return hub ? flow_config_get(hub, options, NULL, config) : -ENOMEM;
}

void flow_config_put(struct flow_config *config)
{
    if (--config->references == 0)
        mem_free(config);
}

/* The flow's own copy of its configuration, before changing it; NULL without memory. */
static struct cdt_flow_options *own_options(struct cdt_flow *flow)
{
    struct flow_config *shared = flow->config;
    if (shared->references > 1) {
        struct flow_config *copy = mem_alloc(sizeof *copy);
        if (!copy)
            return NULL;
        *copy = *shared;
        copy->references = 1;
        if (shared->traffic == &shared->own)
            copy->traffic = &copy->own;
        flow_config_put(shared);
        flow->config = copy;
    }
    return &flow->config->options;
}

/* The member of the options that holds a timeout. */
static const size_t timeout_member[] = {
    [CDT_TIMEOUT_CONNECT] = offsetof(struct cdt_flow_options, connect_timeout),
    [CDT_TIMEOUT_HANDSHAKE] = offsetof(struct cdt_flow_options, handshake_timeout),
    [CDT_TIMEOUT_WRITE_STALL] = offsetof(struct cdt_flow_options, write_stall_timeout),
    [CDT_TIMEOUT_LINGER] = offsetof(struct cdt_flow_options, linger_timeout),
    [CDT_TIMEOUT_IDLE] = offsetof(struct cdt_flow_options, idle_timeout),
    [CDT_TIMEOUT_LIFETIME] = offsetof(struct cdt_flow_options, lifetime),
};

int cdt_flow_set_timeout(struct cdt_flow *flow, enum cdt_timeout which, uint64_t timeout)
{
    if (!flow_usable(flow) || (unsigned)which > CDT_TIMEOUT_LIFETIME)
        return -EINVAL;
    struct cdt_flow_options *options = own_options(flow);
    if (!options)
        return -ENOMEM;
    if (!flow->born)
        flow->born = cdt_reactor_now(flow->config->hub->reactor);
    uint64_t *member = (uint64_t *)(void *)((char *)options + timeout_member[which]);
    if (which == CDT_TIMEOUT_IDLE && *member == CDT_NEVER && !flow->tail &&
        flow->state >= CDT_OPEN && flow->state < CDT_CLOSING) /* nobody has kept it */
        flow->active = cdt_reactor_now(flow->config->hub->reactor);
    *member = timeout;
    fill_defaults(options);
    flow->config->deadlines = has_deadlines(options);
    flow_update_timer(flow);
    return 0;
}

int cdt_flow_set_watermarks(struct cdt_flow *flow, size_t low, size_t high, size_t hard)
{
    if (!flow_usable(flow))
        return -EINVAL;
    struct cdt_flow_options wanted = flow->config->options;
    wanted.low_watermark = low;
    wanted.high_watermark = high;
    wanted.hard_limit = hard;
    fill_defaults(&wanted);
    if (!options_valid(&wanted))
        return -EINVAL;
    struct cdt_flow_options *options = own_options(flow);
    if (!options)
        return -ENOMEM;
    *options = wanted;
    if (flow->state != CDT_CLOSED && flow_writable_due(flow))
        flow_schedule(flow);
    return 0;
}

int cdt_flow_set_min_rate(struct cdt_flow *flow, uint64_t bytes_per_second, uint64_t window)
{
    if (!flow_usable(flow))
        return -EINVAL;
    if (bytes_per_second && !flow_extra(flow))
        return -ENOMEM;
    struct cdt_flow_options *options = own_options(flow);
    if (!options)
        return -ENOMEM;
    options->min_rate = bytes_per_second;
    options->min_rate_window = window;
    fill_defaults(options);
    flow->config->deadlines = has_deadlines(options);
    flow_restart_rate(flow);
    return 0;
}
