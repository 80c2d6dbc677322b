/* A vchan between two processes of one host: memory that both have mapped, and the socket over
 * which it came. The socket is the bell: a byte wakes the peer, whose flow is told once of each
 * (edge-triggered) and leaves the bytes there, so that a sleep costs no system call more; they are
 * taken away before the socket is full. A send to it never blocks, whatever the peer does. When the
 * peer is gone, in whatever way, the kernel closes its end, and the flow is told at once. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vchan/local.h"

/* A byte in a socket costs its sender 768 or 960 bytes of SO_SNDBUF; some room is left. */
enum { SLEEPS = 128, BELL_COST = 1536, RING_AGAIN = 1000 /* ms */ };

struct local_vchan {
    struct vchan vchan; /* first */
    struct local_memory memory;
    struct cdt_reactor *reactor;
    struct cdt_timer again;
    uint64_t delay;   /* of it */
    uint64_t drained; /* sleeps when the socket was last emptied */
    unsigned patience;
};

static struct local_vchan *local_of(struct vchan *vchan)
{
    return cdt_container_of(vchan, struct local_vchan, vchan);
}

/* ---- the bell -------------------------------------------------------------------------------- */

/* A peer that is gone needs no bell. A full socket has bells that the peer was told of and has not
 * taken; one that keeps to the rules takes them in time, so what can fail is a want of memory. All
 * of it is tried again, less and less often. */
static void bell_ring(struct vchan *vchan)
{
    struct local_vchan *local = local_of(vchan);
    if (send(vchan->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) {
        local->delay = 0;
        return;
    }
    if (errno == EPIPE || errno == ECONNRESET || cdt_timer_is_set(&local->again))
        return;
    local->delay = local->delay ? local->delay * 2 : CDT_MS;
    if (local->delay > RING_AGAIN * CDT_MS)
        local->delay = RING_AGAIN * CDT_MS;
    cdt_timer_set(local->reactor, &local->again, local->delay);
}

static void on_again(struct cdt_timer *timer)
{
    bell_ring(&cdt_container_of(timer, struct local_vchan, again)->vchan);
}

/* No more bells than wishes: the wishes are counted. One call takes more than a peer sends that
 * keeps to the rules; one that does not fills its own socket only. */
static bool bell_acknowledge(struct vchan *vchan)
{
    struct local_vchan *local = local_of(vchan);
    char bells[1024];
    if (vchan->ring.sleeps - local->drained < local->patience)
        return false;
    local->drained = vchan->ring.sleeps;
    return recv(vchan->fd, bells, sizeof bells, MSG_DONTWAIT) > 0;
}

/* A socket that is closed with bytes in it looks to the peer like one that was reset. After
 * shutdown(2) no more come, and those that are there are no more than its buffer holds. */
static void empty_socket(int fd)
{
    char bells[1024];
    shutdown(fd, SHUT_RDWR);
    for (int i = 0; i < SLEEPS && recv(fd, bells, sizeof bells, MSG_DONTWAIT) > 0; i++) {}
}

static void bell_close(struct vchan *vchan, enum cdt_close_how how)
{
    struct local_vchan *local = local_of(vchan);
    cdt_timer_cancel(&local->again);
    if (how == CDT_CLOSE_ORDERLY)
        empty_socket(vchan->fd);
    if (how != CDT_CLOSE_KEEP)
        close(vchan->fd);
    local_memory_free(&local->memory);
    mem_free(local);
}

static const struct vchan_bell bell = {
    .backend = CDT_VCHAN_LOCAL,
    .hangs_up = true,
    .ring = bell_ring,
    .acknowledge = bell_acknowledge,
    .close = bell_close,
};

/* ---- making ---------------------------------------------------------------------------------- */

/* How many bells the peer has room for in its socket, whose buffer is as large as ours. */
static unsigned patience_of(int fd)
{
    int buffer = 0;
    socklen_t length = sizeof buffer;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, &length) || buffer < BELL_COST)
        return 1;
    const unsigned room = (unsigned)buffer / BELL_COST;
    return room < SLEEPS ? room : SLEEPS;
}

int local_vchan_new(const struct local_side *side, int fd, const struct local_memory *memory,
                    struct vchan **result)
{
    struct local_vchan *local = mem_zalloc(sizeof *local);
    if (!local)
        return -ENOMEM;
    const int error = vchan_ring_init(&local->vchan.ring, &memory->layout, side->server);
    if (error) {
        mem_free(local);
        return error;
    }
    local->memory = *memory;
    local->reactor = side->reactor;
    local->again.fn = on_again;
    local->patience = patience_of(fd);
    local->vchan.bell = &bell;
    local->vchan.fd = fd;
    local->vchan.spin = side->settings->spin;
    local->vchan.domid = side->domid;
    memcpy(local->vchan.port, side->port, sizeof local->vchan.port);
    *result = &local->vchan;
    return 0;
}

/* ---- what both roles do ---------------------------------------------------------------------- */

/* Where the mode lets others in, the kernel has looked whom: at the folders and at the socket. */
bool local_trusts(const struct vchan_settings *settings, int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (settings->mode & 077)
        return true;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

void local_close_fd(struct cdt_reactor *reactor, int *fd)
{
    if (*fd < 0)
        return;
    close(*fd);
    *fd = -1;
    struct flow_hub *hub = flow_hub(reactor);
    if (hub)
        server_descriptor_freed(hub);
}

const struct vchan_backend vchan_local = {
    .backend = CDT_VCHAN_LOCAL,
    .store = files_store,
    .store_open = files_store_open,
    .attach = local_attach,
    .cancel = local_cancel,
    .open = local_open,
    .arm = local_arm,
    .accept = local_accept,
    .close = local_close,
};
