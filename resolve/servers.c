/* Reading a list of name servers as people write it. */
#include <string.h>

#include "resolve/channel_state.h"

enum { SERVERS_MAX = 16 };

/* The next server of the list, up to a comma, which is taken too. */
static struct slice next_server(const char **text)
{
    struct slice server = {*text, strcspn(*text, ",")};

    *text += server.length + (server.at[server.length] == ',');
    return server;
}

/* Splits "ADDRESS", "ADDRESS:PORT", "[ADDRESS]", "[ADDRESS]:PORT"; only an IPv6 address has two
 * colons. */
static bool split(struct slice server, struct slice *address, uint32_t *port)
{
    const char *colon = memchr(server.at, ':', server.length), *end = server.at + server.length;
    struct slice rest = {end, 0};

    *address = server;
    if (server.length && server.at[0] == '[') {
        const char *close = memchr(server.at, ']', server.length);

        if (!close)
            return false;
        *address = (struct slice){server.at + 1, (size_t)(close - server.at) - 1};
        if (!memchr(address->at, ':', address->length))
            return false;
        rest = (struct slice){close + 1, (size_t)(end - close) - 1};
    } else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon) - 1)) {
        address->length = (size_t)(colon - server.at);
        rest = (struct slice){colon, (size_t)(end - colon)};
    }
    *port = CHANNEL_SERVER_PORT;
    if (!rest.length)
        return true;
    if (rest.at[0] != ':')
        return false;
    rest = (struct slice){rest.at + 1, rest.length - 1};
    return slice_number(rest, UINT16_MAX, port) && *port;
}

static bool read_server(struct slice server, struct ares_addr_port_node *node)
{
    char text[INET6_ADDRSTRLEN];
    struct slice address;
    struct cdt_addr addr;
    uint32_t port;

    if (!split(server, &address, &port) || address.length >= sizeof text)
        return false;
    memcpy(text, address.at, address.length);
    text[address.length] = 0;
    if (cdt_addr_ip(&addr, text, (uint16_t)port))
        return false;
    node->family = addr.any.sa_family;
    node->udp_port = node->tcp_port = (int)port;
    if (node->family == AF_INET)
        memcpy(&node->addr.addr4, &addr.v4.sin_addr, sizeof addr.v4.sin_addr);
    else
        memcpy(&node->addr.addr6, &addr.v6.sin6_addr, sizeof addr.v6.sin6_addr);
    return node->family == AF_INET || !addr.v6.sin6_scope_id; /* c-ares knows no scopes */
}

int servers_read(const char *text, struct ares_addr_port_node **servers)
{
    struct ares_addr_port_node *nodes = mem_zalloc(SERVERS_MAX * sizeof *nodes);
    int count = 0;
    bool more = true;

    if (!nodes)
        return -ENOMEM;
    while (more) {
        struct slice server = next_server(&text);

        more = server.at[server.length];
        if (count == SERVERS_MAX || !read_server(server, &nodes[count])) {
            mem_free(nodes);
            return -EINVAL;
        }
        if (count)
            nodes[count - 1].next = &nodes[count];
        count++;
    }
    *servers = nodes;
    return count;
}
