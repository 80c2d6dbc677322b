/* Unix stream sockets: connecting, credentials, and descriptors that travel with the bytes. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flows/internal.h"

/* ---- carrier state --------------------------------------------------------------------------- */

/* Descriptors to be sent with the byte at `position` of the stream. */
struct departure {
    struct departure *next;
    uint64_t position;
    int count;
    int fds[CDT_MAX_FDS];
};

/* What a flow has that passes descriptors, or waits for a full backlog. */
struct unix_state {
    uint64_t written; /* bytes of the stream given to the kernel since the state was made */
    struct departure *first, **last;
    int *arrived; /* received and not yet taken */
    int arrived_count, arrived_room;
    int stale; /* of those, the ones that came before the present on_read */
    struct cdt_timer retry;
    struct cdt_flow *flow;
    struct cdt_addr *to;
    uint64_t retry_delay;
};

static struct unix_state *unix_state(struct cdt_carrier *carrier)
{
    if (!carrier->context) {
        struct unix_state *state = mem_zalloc(sizeof *state);
        if (!state)
            return NULL;
        state->last = &state->first;
        carrier->context = state;
    }
    return carrier->context;
}

static void close_fds(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static void unix_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    struct unix_state *state = carrier->context;
    carrier->context = NULL;
    socket_close(carrier, how);
    if (!state)
        return;
    cdt_timer_cancel(&state->retry);
    while (state->first) {
        struct departure *departure = state->first;
        state->first = departure->next;
        close_fds(departure->fds, departure->count);
        mem_free(departure);
    }
    close_fds(state->arrived, state->arrived_count);
    mem_free(state->arrived);
    mem_free(state->to);
    mem_free(state);
}

/* ---- sending descriptors --------------------------------------------------------------------- */

/* As socket_writev(), with descriptors attached. */
static ssize_t send_with_fds(int fd, const struct iovec *parts, int count,
                             const struct departure *departure)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * CDT_MAX_FDS)];
    } control = {0};
    size_t size = sizeof(int) * (size_t)departure->count;
    struct msghdr message = {.msg_iov = (struct iovec *)parts,
                             .msg_iovlen = (size_t)count,
                             .msg_control = control.space,
                             .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), departure->fds, size);
    for (;;) {
        ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

/* Cuts parts to `length` bytes; returns how many parts are left. */
static int cut_parts(struct iovec *to, const struct iovec *parts, int count, uint64_t length)
{
    int used = 0;
    for (; used < count && length > 0; used++) {
        to[used] = parts[used];
        if (to[used].iov_len > length)
            to[used].iov_len = (size_t)length;
        length -= to[used].iov_len;
    }
    return used;
}

static void departed(struct unix_state *state)
{
    struct departure *departure = state->first;
    state->first = departure->next;
    if (!state->first)
        state->last = &state->first;
    close_fds(departure->fds, departure->count);
    mem_free(departure);
}

/* Takes `length` bytes off the parts; returns how many parts are left. */
static int skip_parts(struct iovec *parts, int count, size_t length)
{
    int done = 0;
    while (done < count && parts[done].iov_len <= length)
        length -= parts[done++].iov_len;
    memmove(parts, parts + done, sizeof *parts * (size_t)(count - done));
    if (done == count)
        return 0;
    parts->iov_base = (uint8_t *)parts->iov_base + length;
    parts->iov_len -= length;
    return count - done;
}

/* One send: up to the byte that the next descriptors travel with, or from that byte on with them.
 */
static ssize_t send_piece(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    struct unix_state *state = carrier->context;
    const struct departure *next = state->first;
    struct iovec piece[FLOW_IOV];
    ssize_t n;
    if (!next) {
        n = socket_writev(carrier, parts, count);
    } else if (next->position > state->written) { /* up to the byte that they travel with */
        count = cut_parts(piece, parts, count, next->position - state->written);
        n = socket_writev(carrier, piece, count);
    } else {
        uint64_t length = next->next ? next->next->position - state->written : UINT64_MAX;
        count = cut_parts(piece, parts, count, length);
        n = send_with_fds(carrier->fd, piece, count, next);
        if (n > 0)
            departed(state);
    }
    if (n > 0)
        state->written += (uint64_t)n;
    return n;
}

/* All of the pieces: what is left of one must mean that the socket is full. */
static ssize_t unix_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    struct unix_state *state = carrier->context;
    if (!state)
        return socket_writev(carrier, parts, count);
    struct iovec rest[FLOW_IOV];
    ssize_t n = 0, total = 0;
    memcpy(rest, parts, sizeof *rest * (size_t)count);
    while (count && (n = send_piece(carrier, rest, count)) > 0) {
        total += n;
        count = skip_parts(rest, count, (size_t)n);
    }
    return total ? total : n;
}

static ssize_t unix_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    if (!carrier->context)
        return socket_write(carrier, data, length);
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    return unix_writev(carrier, &part, 1);
}

/* ---- receiving descriptors ------------------------------------------------------------------- */

/* Keeps received descriptors: 0, or -ENOMEM, and they are closed. */
static int arrived(struct unix_state *state, const int *fds, int count)
{
    if (state->arrived_count + count > state->arrived_room) {
        int room = state->arrived_count + count + CDT_MAX_FDS;
        int *larger = mem_realloc(state->arrived, sizeof(int) * (size_t)room);
        if (!larger) {
            close_fds(fds, count);
            return -ENOMEM;
        }
        state->arrived = larger;
        state->arrived_room = room;
    }
    memcpy(state->arrived + state->arrived_count, fds, sizeof(int) * (size_t)count);
    state->arrived_count += count;
    return 0;
}

static void take_arrived(struct unix_state *state, int *fds, int count)
{
    if (count == 0)
        return; /* there may be no array yet */
    if (fds)
        memcpy(fds, state->arrived, sizeof(int) * (size_t)count);
    state->arrived_count -= count;
    state->stale = state->stale > count ? state->stale - count : 0;
    memmove(state->arrived, state->arrived + count, sizeof(int) * (size_t)state->arrived_count);
}

/* Descriptors that were not asked for are closed by the kernel, and end the read: more may be
 * there. */
static ssize_t unix_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct iovec part = {.iov_base = data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(carrier->fd, &message, MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    if (message.msg_flags & MSG_CTRUNC)
        cdt_carrier_ready(flow_of_carrier(carrier), CDT_READ | CDT_HANGUP);
    return n;
}

static ssize_t unix_read_fds(struct cdt_carrier *carrier, void *data, size_t length)
{
    struct unix_state *state = unix_state(carrier);
    if (!state)
        return -ENOMEM;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * 253)]; /* SCM_MAX_FD */
    } control;
    struct iovec part = {.iov_base = data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    ssize_t n;
    do {
        n = recvmsg(carrier->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (state->stale) { /* nobody took them before the on_read that comes now */
        close_fds(state->arrived, state->stale);
        take_arrived(state, NULL, state->stale);
    }
    /* Bytes whose descriptors are lost must not pass for bytes without: the flow ends. The kernel
     * drops descriptors if we may have no more of them. */
    int result = message.msg_flags & MSG_CTRUNC ? -EMFILE : 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        int fds[253];
        size_t size = h->cmsg_len - CMSG_LEN(0);
        memcpy(fds, CMSG_DATA(h), size);
        int error = arrived(state, fds, (int)(size / sizeof(int)));
        if (error)
            result = error;
    }
    state->stale = state->arrived_count;
    return result ? result : n;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static int start(const struct cdt_addr *to, const struct cdt_flow_options *options)
{
    (void)options;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &to->any, to->length) == 0 || errno == EAGAIN)
        return fd;
    int result = -errno;
    close(fd);
    return result;
}

static void on_retry(struct cdt_timer *timer)
{
    struct unix_state *state = cdt_container_of(timer, struct unix_state, retry);
    cdt_carrier_ready(state->flow, CDT_WRITE);
}

/* A Unix socket connects at once or not at all. EAGAIN is a full backlog, of which nothing tells
 * when it is no longer full: try again, less and less often. */
static int unix_connected(struct cdt_carrier *carrier)
{
    struct cdt_flow *flow = flow_of_carrier(carrier);
    struct cdt_addr peer;
    if (socket_address(carrier, true, &peer) == 0)
        return 0;
    struct unix_state *state = carrier->context;
    if (!state)
        return -ENOTCONN;
    if (cdt_timer_is_set(&state->retry))
        return -EAGAIN;
    if (connect(carrier->fd, &state->to->any, state->to->length) == 0)
        return 0;
    if (errno != EAGAIN)
        return -errno;
    if (state->retry_delay < 64 * CDT_MS)
        state->retry_delay *= 2;
    cdt_timer_set(flow->config->hub->reactor, &state->retry, state->retry_delay);
    return -EAGAIN;
}

int cdt_unix_connect(struct cdt_reactor *reactor, const struct cdt_addr *to,
                     const struct cdt_flow_options *options, const struct cdt_handler *handler,
                     struct cdt_flow **result)
{
    if (!to || to->length <= sizeof(sa_family_t) || to->length > sizeof to->local ||
        to->any.sa_family != AF_UNIX || !result)
        return -EINVAL;
    struct cdt_flow_options given;
    if (!options_copy(&given, sizeof given, options))
        return -EINVAL;
    struct flow_connect connect = {
        .ops = given.receive_fds ? &unix_fds_ops : &unix_ops, .start = start, .to = to};
    int error = flow_connect(reactor, &connect, options, handler, result);
    struct cdt_flow *flow = error ? NULL : *result;
    if (!flow || flow->state == CDT_CLOSED)
        return error;

    struct cdt_addr peer;
    if (socket_address(&flow->carrier, true, &peer)) {
        struct unix_state *state = unix_state(&flow->carrier);
        struct cdt_addr *copy = state ? mem_alloc(sizeof *copy) : NULL;
        if (!copy) {
            flow_end(flow, -ENOMEM, NULL);
            return 0;
        }
        *copy = *to;
        state->to = copy;
        state->flow = flow;
        state->retry.fn = on_retry;
        state->retry_delay = CDT_MS;
    }
    flow_schedule(flow);
    return 0;
}

/* ---- operations ------------------------------------------------------------------------------ */

const struct cdt_carrier_ops unix_ops = {
    .size = sizeof unix_ops,
    .name = "unix",
    .read = unix_read,
    .write = unix_write,
    .writev = unix_writev,
    .shutdown = socket_shutdown,
    .connected = unix_connected,
    .close = unix_close,
    .unacknowledged = socket_unacknowledged,
    .address = socket_address,
};

const struct cdt_carrier_ops unix_fds_ops = {
    .size = sizeof unix_fds_ops,
    .name = "unix",
    .flags = CDT_CARRIER_SHORT_READS, /* the kernel stops a read where descriptors begin */
    .read = unix_read_fds,
    .write = unix_write,
    .writev = unix_writev,
    .shutdown = socket_shutdown,
    .connected = unix_connected,
    .close = unix_close,
    .unacknowledged = socket_unacknowledged,
    .address = socket_address,
};

/* ---- public ---------------------------------------------------------------------------------- */

static bool is_unix(const struct cdt_flow *flow)
{
    return flow->ops == &unix_ops || flow->ops == &unix_fds_ops;
}

int cdt_flow_credentials(const struct cdt_flow *flow, struct cdt_credentials *credentials)
{
    if (!flow_usable(flow) || !credentials)
        return -EINVAL;
    if (!is_unix(flow))
        return -ENOTSUP;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(flow->carrier.fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
        return -errno;
    *credentials = (struct cdt_credentials){peer.pid, peer.uid, peer.gid};
    return 0;
}

static struct departure *departure_new(const int *fds, int count, int *error)
{
    struct departure *departure = mem_zalloc(sizeof *departure);
    *error = -ENOMEM;
    if (!departure)
        return NULL;
    for (; departure->count < count; departure->count++) {
        int fd = fcntl(fds[departure->count], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            *error = -errno;
            close_fds(departure->fds, departure->count);
            mem_free(departure);
            return NULL;
        }
        departure->fds[departure->count] = fd;
    }
    return departure;
}

int cdt_flow_write_fds(struct cdt_flow *flow, const void *data, size_t length, const int *fds,
                       int count)
{
    if (!flow_usable(flow) || !data || length == 0 || !fds || count < 1 || count > CDT_MAX_FDS)
        return -EINVAL;
    if (!is_unix(flow) || flow->top)
        return -ENOTSUP;
    if (!flow_may_write(flow))
        return -EPIPE;
    struct unix_state *state = unix_state(&flow->carrier);
    if (!state)
        return -ENOMEM;
    cdt_flow_flush(flow);
    int error;
    struct departure *departure = departure_new(fds, count, &error);
    if (!departure)
        return error;
    departure->position = state->written + flow->queued;
    struct departure **before = state->last;
    *before = departure;
    state->last = &departure->next;
    int result = cdt_flow_write_nodelay(flow, data, length, NULL, NULL);
    if (result < 0) { /* nothing was taken: neither are the descriptors */
        *before = NULL;
        state->last = before;
        close_fds(departure->fds, departure->count);
        mem_free(departure);
    }
    return result;
}

int cdt_flow_take_fds(struct cdt_flow *flow, int *fds, int count)
{
    if (!flow_usable(flow) || !fds || count < 0)
        return -EINVAL;
    if (flow->ops != &unix_fds_ops)
        return -ENOTSUP;
    struct unix_state *state = flow->carrier.context;
    if (!state)
        return 0;
    if (count > state->arrived_count)
        count = state->arrived_count;
    take_arrived(state, fds, count);
    return count;
}
