/* The sockets of c-ares, as watches of the reactor, and a look at what passes through them. */
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "resolve/channel_state.h"

enum {
    PACKETS_MAX = 64,  /* taken from one socket in a turn */
    DATAGRAM_MAX = 512 /* RFC 1035 section 4.2.1 */
};

/* ---- what passes through --------------------------------------------------------------------- */

/* Remembers why a server would not answer: of the header, the id and the flags. SERVFAIL counts
 * more. */
static void spy(struct channel *channel, const uint8_t header[4])
{
    uint16_t id = (uint16_t)(header[0] << 8 | header[1]);
    uint8_t code = header[3] & 15;
    struct channel_request *request = channel->by_id[id % CHANNEL_BY_ID];

    if (code != 2 && code != 4 && code != 5)
        return;
    for (; request; request = request->next)
        if (request->id == id && request->code != 2)
            request->code = code;
}

static void spy_stream(struct channel_socket *socket, const uint8_t *bytes, size_t length)
{
    for (; length; bytes++, length--) {
        size_t total = 2u + ((size_t)socket->head[0] << 8 | socket->head[1]), rest;

        if (socket->at < sizeof socket->head) {
            socket->head[socket->at++] = *bytes;
            total = 2u + ((size_t)socket->head[0] << 8 | socket->head[1]);
            if (socket->at == sizeof socket->head)
                spy(socket->channel, socket->head + 2);
        } else {
            rest = total - socket->at < length ? total - socket->at : length;
            socket->at += (uint32_t)rest;
            bytes += rest - 1;
            length -= rest - 1;
        }
        if (socket->at >= 2 && socket->at >= total)
            socket->at = 0;
    }
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* c-ares has at most two sockets for each server. NULL: none with this descriptor. */
static struct channel_socket *find_socket(struct channel *channel, int fd)
{
    for (unsigned i = 0; i < channel->socket_count; i++)
        if (channel->sockets[i].fd == fd)
            return &channel->sockets[i];
    return NULL;
}

static void on_event(struct cdt_watch *watch, unsigned events)
{
    struct channel_socket *socket = cdt_container_of(watch, struct channel_socket, watch);
    struct channel *channel = socket->channel;

    channel->packets = PACKETS_MAX;
    channel->reading = socket;
    ares_process_fd(socket->stream ? channel->tcp : channel->udp,
                    events & CDT_READ ? socket->fd : ARES_SOCKET_BAD,
                    events & CDT_WRITE ? socket->fd : ARES_SOCKET_BAD);
    channel->reading = NULL;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *user)
{
    struct channel *channel = user;
    struct channel_socket *place = find_socket(channel, -1);
    int fd, on = 1;

    if (!place) {
        errno = EMFILE;
        return ARES_SOCKET_BAD;
    }
    fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    channel->socket_error = fd < 0 ? errno : 0;
    if (fd < 0)
        return ARES_SOCKET_BAD;
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *place = (struct channel_socket){
        .watch.fn = on_event, .channel = channel, .fd = fd, .stream = type == SOCK_STREAM};
    return fd;
}

static int close_socket(ares_socket_t fd, void *user)
{
    struct channel_socket *socket = find_socket(user, fd);

    if (socket) {
        cdt_watch_remove(&socket->watch);
        socket->fd = -1;
    }
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t length,
                          void *user)
{
    struct channel_socket *socket = find_socket(user, fd);

    if (socket && length <= sizeof socket->server.v6) {
        memcpy(&socket->server.any, addr, length);
        socket->server.length = length;
    }
    return connect(fd, addr, length);
}

/* Whether a datagram can be an answer at all: c-ares does not look whether it is a question. */
static bool is_answer(const uint8_t *message, ares_ssize_t length)
{
    return length >= MESSAGE_HEADER && message[2] & 0x80;
}

/* c-ares reads datagrams until there are none, and takes an empty one for the end of the server:
 * neither is for others to decide. Of those that are longer than they may be it would take the
 * beginning only. */
static ares_ssize_t receive(ares_socket_t fd, void *memory, size_t length, int flags,
                            struct sockaddr *from, ares_socklen_t *from_length, void *user)
{
    struct channel *channel = user;
    struct channel_socket *socket = find_socket(channel, fd);
    uint8_t *bytes = memory;
    ares_ssize_t got;

    do {
        if (!socket || !channel->packets) {
            errno = EAGAIN;
            return -1;
        }
        channel->packets--;
        got = recvfrom(fd, memory, length, flags, from, from_length);
    } while (got >= 0 && !socket->stream && !is_answer(bytes, got));
    if (got > 0 && socket->stream)
        spy_stream(socket, bytes, (size_t)got);
    else if (got > 0)
        spy(channel, bytes);
    if (got > DATAGRAM_MAX && !socket->stream)
        bytes[2] |= CHANNEL_TRUNCATED;
    return got;
}

/* A datagram that finds no room is lost, as it could be on its way: c-ares would give up the
 * server. */
static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *vector, int count, void *user)
{
    struct channel_socket *socket = find_socket(user, fd);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vector,
                             .msg_iovlen = (size_t)count};
    ares_ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS) && socket && !socket->stream)
        for (sent = 0; count--; vector++)
            sent += (ares_ssize_t)vector->iov_len;
    return sent;
}

const struct ares_socket_functions channel_socket_functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = send_vector,
};

/* A socket that cannot be watched answers nothing: its queries run into their timeouts. */
void channel_on_socket_state(void *user, ares_socket_t fd, int readable, int writable)
{
    struct channel *channel = user;
    struct channel_socket *socket = find_socket(channel, fd);
    unsigned events = (readable ? CDT_READ : 0u) | (writable ? CDT_WRITE : 0u);

    if (!socket)
        return;
    if (!events)
        cdt_watch_remove(&socket->watch);
    else if (socket->watch.reactor)
        cdt_watch_modify(&socket->watch, events);
    else if (cdt_watch_add(channel->reactor, &socket->watch, fd, events))
        reactor_log(channel->reactor, CDT_LOG_ERROR, "a socket for DNS cannot be watched");
}
