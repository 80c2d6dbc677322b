/* Asking, and keeping time for c-ares. */
#include <string.h>
#include <sys/random.h>

#include "resolve/channel_state.h"

/* ---- the order of the servers ---------------------------------------------------------------- */

static bool is_server(const struct ares_addr_port_node *node, const struct cdt_addr *addr)
{
    int port = node->udp_port ? node->udp_port : CHANNEL_SERVER_PORT;

    if (node->family != addr->any.sa_family || port != cdt_addr_port(addr))
        return false;
    return node->family == AF_INET
               ? !memcmp(&node->addr.addr4, &addr->v4.sin_addr, sizeof node->addr.addr4)
               : !memcmp(&node->addr.addr6, &addr->v6.sin6_addr, sizeof node->addr.addr6);
}

/* A server that answered where an earlier one was silent comes first from now on: only the queries
 * that are under way when a server dies wait for it. c-ares takes another order while nothing is asked,
 * so that new queries are held back until that is so, which takes no longer than they would have waited
 * for the dead one. */
static void prefer_answered(struct channel *channel)
{
    struct ares_addr_port_node *servers, *node, **link;

    if (ares_get_servers_ports(channel->udp, &servers) != ARES_SUCCESS)
        return;
    for (link = &servers; *link && !is_server(*link, &channel->answered);)
        link = &(*link)->next;
    node = *link;
    channel->answered.length = 0;
    if (node && node != servers) {
        *link = node->next;
        node->next = servers;
        servers = node;
        ares_set_servers_ports(channel->udp, servers);
        if (channel->tcp)
            ares_set_servers_ports(channel->tcp, servers);
    }
    ares_free_data(servers);
}

/* One that comes first already has only lost a packet. */
static bool is_first(const struct channel *channel, const struct cdt_addr *server)
{
    struct ares_addr_port_node *servers;
    bool first;

    if (ares_get_servers_ports(channel->udp, &servers) != ARES_SUCCESS)
        return true;
    first = servers && is_server(servers, server);
    ares_free_data(servers);
    return first;
}

static void hold_back(struct channel *channel, struct channel_request *request)
{
    request->next = NULL;
    *channel->held_end = request;
    channel->held_end = &request->next;
}

static struct channel_request *take_held(struct channel *channel)
{
    struct channel_request *held = channel->held;

    channel->held = NULL;
    channel->held_end = &channel->held;
    return held;
}

void channel_cancel_held(struct channel *channel)
{
    for (struct channel_request *request = take_held(channel), *next; request; request = next) {
        next = request->next;
        request->fn(request, -ECANCELED, NULL, 0);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Unless the timer fires sooner. */
static void set_timer(struct channel *channel, uint64_t delay)
{
    uint64_t due = cdt_reactor_now(channel->reactor) + delay;

    if (cdt_timer_is_set(&channel->timer) && channel->due <= due)
        return;
    channel->due = due;
    cdt_timer_set(channel->reactor, &channel->timer, delay);
}

static void give_time(struct channel *channel, ares_channel ares)
{
    struct timeval next;

    if (!ares)
        return;
    ares_process_fd(ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (channel->asked && ares_timeout(ares, NULL, &next))
        set_timer(channel, (uint64_t)next.tv_sec * CDT_SECOND + (uint64_t)next.tv_usec * CDT_US +
                               CDT_MS / 10);
}

/* To find when c-ares needs time next takes a walk over all that is asked. It is done here only:
 * a new try is never due before its first timeout, and answers leave the timer as it is, at
 * worst too early. */
void channel_on_timer(struct cdt_timer *timer)
{
    struct channel *channel = cdt_container_of(timer, struct channel, timer);

    give_time(channel, channel->udp);
    give_time(channel, channel->tcp);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static uint16_t new_id(struct channel *channel)
{
    if (!channel->ids_left) {
        if (getrandom(channel->ids, sizeof channel->ids, GRND_NONBLOCK) != sizeof channel->ids)
            for (unsigned i = 0; i < CHANNEL_IDS; i++) /* early in the boot */
                channel->ids[i] = (uint16_t)(cdt_reactor_now(channel->reactor) >> i % 16);
        channel->ids_left = CHANNEL_IDS;
    }
    return channel->ids[--channel->ids_left];
}

static void link_request(struct channel *channel, struct channel_request *request)
{
    struct channel_request **list = &channel->by_id[request->id % CHANNEL_BY_ID];

    request->next = *list;
    request->link = list;
    if (*list)
        (*list)->link = &request->next;
    *list = request;
}

static void unlink_request(struct channel_request *request)
{
    *request->link = request->next;
    if (request->next)
        request->next->link = request->link;
}

/* c-ares tells that a server would not answer as if it were not there; the packets have told
 * more. */
static int status_of(const struct channel_request *request, int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return -ECANCELED;
    default:
        return request->code == 2               ? -CDT_ESERVFAIL
               : request->code == 5             ? -CDT_EDNSREFUSED
               : request->code                  ? -CDT_EDNSANSWER
               : request->channel->socket_error ? -request->channel->socket_error
                                                : -CDT_EDNSTIMEOUT;
    }
}

static void end_request(struct channel_request *request, int status, const uint8_t *message,
                        size_t length)
{
    struct channel *channel = request->channel;

    unlink_request(request);
    if (!--channel->asked)
        cdt_timer_cancel(&channel->timer);
    if (!channel->asked && channel->held)
        cdt_defer(channel->reactor, &channel->release);
    request->fn(request, status, message, length);
}

static void send_request(struct channel_request *request, ares_channel ares,
                         ares_callback on_answer)
{
    static const uint8_t header[MESSAGE_HEADER] = {[2] = 1 /* RD */, [5] = 1 /* question */};
    uint8_t message[MESSAGE_HEADER + MESSAGE_QUESTION_MAX];

    memcpy(message, header, sizeof header);
    message[0] = (uint8_t)(request->id >> 8);
    message[1] = (uint8_t)request->id;
    memcpy(message + MESSAGE_HEADER, request->question, request->length);
    set_timer(request->channel, request->channel->timeout);
    ares_send(ares, message, (int)(MESSAGE_HEADER + request->length), on_answer, request);
}

static void on_tcp_answer(void *user, int status, int timeouts, unsigned char *message, int length)
{
    (void)timeouts;
    end_request(user, status_of(user, status), message, length > 0 ? (size_t)length : 0);
}

static void on_udp_answer(void *user, int status, int timeouts, unsigned char *message, int length)
{
    struct channel_request *request = user;
    struct channel *channel = request->channel;
    bool is_truncated = status == ARES_SUCCESS && length > 2 && message[2] & CHANNEL_TRUNCATED;
    int error = 0;

    if (status == ARES_SUCCESS && timeouts && channel->reading &&
        !is_first(channel, &channel->reading->server))
        channel->answered = channel->reading->server;
    if (is_truncated)
        error = channel_open_tcp(channel);
    if (error)
        end_request(request, error, NULL, 0);
    else if (is_truncated)
        send_request(request, channel->tcp, on_tcp_answer);
    else
        end_request(request, status_of(request, status), message, length > 0 ? (size_t)length : 0);
}

static void begin(struct channel_request *request)
{
    struct channel *channel = request->channel;

    request->id = new_id(channel);
    link_request(channel, request);
    channel->asked++;
    send_request(request, channel->udp, on_udp_answer);
}

void channel_on_release(struct cdt_deferred *deferred)
{
    struct channel *channel = cdt_container_of(deferred, struct channel, release);

    if (!channel->asked && channel->answered.length)
        prefer_answered(channel);
    for (struct channel_request *request = take_held(channel), *next; request; request = next) {
        next = request->next;
        begin(request);
    }
}

void channel_ask(struct channel *channel, struct channel_request *request, const uint8_t *question,
                 size_t length)
{
    request->channel = channel;
    request->question = question;
    request->length = length;
    request->code = 0;
    if (channel->answered.length && channel->asked) {
        hold_back(channel, request);
        return;
    }
    if (channel->answered.length)
        prefer_answered(channel);
    begin(request);
}

void channel_cancel(struct channel *channel)
{
    ares_cancel(channel->udp);
    if (channel->tcp)
        ares_cancel(channel->tcp);
    channel_cancel_held(channel);
}
