/* Making a channel: name servers and search list of the options, or of resolv.conf(5). */
#include <string.h>

#include "resolve/channel_state.h"
#include "resolve/file.h"

enum {
    TIMEOUT_DEFAULT = 400, /* ms */
    TIMEOUT_MAX = 60000,
    TRIES_DEFAULT = 4,
    TRIES_MAX = 16,
    RESOLV_CONF_MAX = 65536
};

static const char nothing[] = "/dev/null";

static int code_of(int status)
{
    return status == ARES_SUCCESS  ? 0
           : status == ARES_ENOMEM ? -ENOMEM
           : status == ARES_EFILE  ? -EMFILE
                                   : -EINVAL;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

/* `servers`, unless NULL, replace those in resolv.conf. */
static int open_ares(struct channel *channel, int flags, const char *resolv_conf,
                     struct ares_addr_port_node *servers, ares_channel *result)
{
    char lookups[] = "b"; /* DNS alone; it also keeps c-ares from reading more files */
    struct ares_options ares = {
        .flags = channel->flags | flags,
        .timeout = (int)(channel->timeout / CDT_MS),
        .tries = channel->tries,
        .lookups = lookups,
        .sock_state_cb = channel_on_socket_state,
        .sock_state_cb_data = channel,
        .resolvconf_path = (char *)(uintptr_t)resolv_conf,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    int status = ares_init_options(result, &ares, mask);

    if (status != ARES_SUCCESS) {
        *result = NULL;
        return code_of(status);
    }
    ares_set_socket_functions(*result, &channel_socket_functions, channel);
    return servers ? code_of(ares_set_servers_ports(*result, servers)) : 0;
}

static void close_ares(ares_channel *ares)
{
    if (*ares)
        ares_destroy(*ares);
    *ares = NULL;
}

int channel_open_tcp(struct channel *channel)
{
    struct ares_addr_port_node *servers;
    int error;

    if (channel->tcp)
        return 0;
    error = code_of(ares_get_servers_ports(channel->udp, &servers));
    if (error)
        return error;
    error = open_ares(channel, ARES_FLAG_USEVC, nothing, servers, &channel->tcp);
    ares_free_data(servers);
    if (error)
        close_ares(&channel->tcp);
    return error;
}

/* c-ares is not safe from lines that begin with a byte 0, nor from files that have no end: a
 * resolv.conf that is not a text of a sane size is as good as none. -EMFILE, -ENFILE, -ENOMEM:
 * nobody knows what it says. */
static int check_resolv_conf(const char *path, const char **checked)
{
    struct stat info;
    size_t length;
    char *text;
    int error;

    *checked = nothing;
    if (!path)
        path = "/etc/resolv.conf";
    if (!*path)
        return 0;
    error = file_read(path, RESOLV_CONF_MAX, &text, &length, &info);
    if (error)
        return error == -EMFILE || error == -ENFILE || error == -ENOMEM ? error : 0;
    if (!memchr(text, 0, length))
        *checked = path;
    mem_free(text);
    return 0;
}

static int count_servers(struct channel *channel, unsigned *count)
{
    struct ares_addr_port_node *servers, *node;
    int status = ares_get_servers_ports(channel->udp, &servers);

    if (status != ARES_SUCCESS)
        return code_of(status);
    for (*count = 0, node = servers; node; node = node->next)
        ++*count;
    ares_free_data(servers);
    return 0;
}

/* Where there is one server only, c-ares would ask it again at once, and each time, when it says
 * that it will not answer. */
static int open_for_servers(struct channel *channel, const char *resolv_conf,
                            struct ares_addr_port_node *servers)
{
    unsigned count = 0;
    int error = open_ares(channel, ARES_FLAG_IGNTC, resolv_conf, servers, &channel->udp);

    if (!error)
        error = count_servers(channel, &count);
    if (!error && count == 1) {
        close_ares(&channel->udp);
        channel->flags = ARES_FLAG_NOCHECKRESP;
        error = open_ares(channel, ARES_FLAG_IGNTC, resolv_conf, servers, &channel->udp);
    }
    if (error)
        return error;
    channel->sockets = mem_zalloc(2 * (size_t)count * sizeof *channel->sockets);
    if (!channel->sockets)
        return -ENOMEM;
    channel->socket_count = 2 * count;
    for (unsigned i = 0; i < channel->socket_count; i++)
        channel->sockets[i].fd = -1;
    return 0;
}

/* Domains that are no names are left out. */
static int save_search_list(struct channel *channel)
{
    struct ares_options *saved = &channel->saved;
    uint8_t question[MESSAGE_QUESTION_MAX];
    int mask = 0, status = ares_save_options(channel->udp, saved, &mask);

    if (status != ARES_SUCCESS)
        return code_of(status);
    channel->ndots = saved->ndots > 0 ? (unsigned)at_most((unsigned)saved->ndots, 15) : 0;
    for (int i = 0; i < saved->ndomains && channel->domain_count < CHANNEL_DOMAINS; i++) {
        size_t length = strlen(saved->domains[i]);

        if (length && saved->domains[i][length - 1] == '.')
            saved->domains[i][length - 1] = 0;
        if (message_question(saved->domains[i], DNS_A, question))
            channel->domains[channel->domain_count++] = saved->domains[i];
    }
    return 0;
}

static int open_channel(struct channel *channel, const struct cdt_resolver_options *options,
                        struct ares_addr_port_node *servers)
{
    uint64_t timeout = options->timeout ? options->timeout / CDT_MS : TIMEOUT_DEFAULT;
    unsigned tries = options->tries ? options->tries : TRIES_DEFAULT;
    const char *resolv_conf;
    int error = check_resolv_conf(options->resolv_conf, &resolv_conf);

    channel->timeout = at_most(timeout ? timeout : 1, TIMEOUT_MAX) * CDT_MS;
    channel->tries = (int)at_most(tries, TRIES_MAX);
    if (!error)
        error = open_for_servers(channel, resolv_conf, servers);
    return error || options->search == CDT_OFF ? error : save_search_list(channel);
}

int channel_new(struct cdt_reactor *reactor, const struct cdt_resolver_options *options,
                struct channel **result)
{
    struct ares_addr_port_node *servers = NULL;
    struct channel *channel;
    int error = options->servers ? servers_read(options->servers, &servers) : 0;

    if (error < 0)
        return error;
    channel = mem_zalloc(sizeof *channel);
    error = -ENOMEM;
    if (channel) {
        channel->reactor = reactor;
        channel->timer.fn = channel_on_timer;
        channel->release.fn = channel_on_release;
        channel->held_end = &channel->held;
        error = open_channel(channel, options, servers);
    }
    mem_free(servers);
    if (error)
        channel_free(channel);
    else
        *result = channel;
    return error;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    close_ares(&channel->udp);
    close_ares(&channel->tcp);
    channel_cancel_held(channel);
    cdt_timer_cancel(&channel->timer);
    cdt_defer_cancel(&channel->release);
    ares_destroy_options(&channel->saved);
    mem_free(channel->sockets);
    mem_free(channel);
}

unsigned channel_search(const struct channel *channel, unsigned *ndots, const char *const **domains)
{
    *ndots = channel->ndots;
    *domains = channel->domains;
    return channel->domain_count;
}
