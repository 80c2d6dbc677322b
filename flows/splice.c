/* splice(2) for relays: bytes that one kernel socket received go through a pipe to the other one
 * without being copied. The pipe is a segment of the sender's queue, so that back-pressure, counts,
 * timeouts and the end of the stream are those of all output. One is held only while it has bytes;
 * splice_in() never reads into one that has some, so that EAGAIN can only mean an empty socket. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "flows/internal.h"

enum {
    PIPE_SIZE = 2 * FLOW_READ_SIZE,
    PIPE_LEAST = FLOW_READ_SIZE, /* the kernel may grant less than was asked for */
    MAX_SPARE_PIPES = 4          /* those that do not stall share one */
};

/* ---- whether it can be done ------------------------------------------------------------------ */

/* The pipe's flag does not stop the kernel from waiting for the socket: its own must be set, which
 * those that were adopted need not have. */
static bool is_spliceable(const struct cdt_flow *flow)
{
    if ((flow->ops != &tcp_ops && flow->ops != &unix_ops) || flow->top || flow->carrier.context)
        return false;
    int flags = fcntl(flow->carrier.fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK);
}

static bool is_sigpipe_ignored(void)
{
    struct sigaction action;
    return sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool splice_begin(struct cdt_flow *flow, const struct cdt_flow *other)
{
    if (!is_spliceable(flow) || !is_spliceable(other) || !is_sigpipe_ignored())
        return false;
    flow->extra->burst = 0;
    flow->flags |= FLOW_SPLICED;
    return true;
}

/* How much may be queued: a stalled flow holds at most its watermark and 64 KiB. 0: copy. */
static size_t room(const struct cdt_flow *flow, const struct cdt_flow *other)
{
    if ((flow->flags & FLOW_SHUT_READ) || !flow_may_write(other) || other->state < CDT_OPEN ||
        other->top || other->carrier.context)
        return 0;
    const struct cdt_flow_options *options = &other->config->options;
    size_t unsent = flow_unsent(other), most = options->high_watermark + FLOW_READ_SIZE;
    if (most > options->hard_limit)
        most = options->hard_limit;
    if (most < unsent + FLOW_CORK_SIZE)
        return 0;
    return most - unsent < PIPE_SIZE ? most - unsent : PIPE_SIZE;
}

/* ---- pipes ----------------------------------------------------------------------------------- */

static void pipe_close(struct flow_segment *segment)
{
    close(segment->pipe[0]);
    close(segment->pipe[1]);
    mem_free(segment);
}

static struct flow_segment *pipe_new(struct flow_hub *hub)
{
    struct flow_segment *segment = segment_new(hub, 0);
    if (!segment)
        return NULL;
    if (pipe2(segment->pipe, O_NONBLOCK | O_CLOEXEC)) {
        segment_free(hub, segment);
        return NULL;
    }
    segment->piped = true;
    int size = fcntl(segment->pipe[0], F_SETPIPE_SZ, PIPE_SIZE);
    if (size < 0)
        size = fcntl(segment->pipe[0], F_GETPIPE_SZ);
    if (size >= PIPE_LEAST)
        return segment;
    pipe_close(segment);
    return NULL;
}

static struct flow_segment *pipe_get(struct flow_hub *hub)
{
    struct flow_segment *segment = hub->spare_pipe;
    if (!segment)
        return pipe_new(hub);
    hub->spare_pipe = segment->next;
    hub->spare_pipes--;
    return segment;
}

void splice_put_pipe(struct flow_hub *hub, struct flow_segment *segment)
{
    if (segment->length || hub->spare_pipes == MAX_SPARE_PIPES) {
        pipe_close(segment);
        server_descriptor_freed(hub);
        return;
    }
    segment->next = hub->spare_pipe;
    hub->spare_pipe = segment;
    hub->spare_pipes++;
}

void splice_free_pipes(struct flow_hub *hub)
{
    while (hub->spare_pipe)
        pipe_close(pipe_get(hub));
}

/* ---- moving ---------------------------------------------------------------------------------- */

static ssize_t move(int from, int to, size_t length)
{
    ssize_t n = splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    return n >= 0 ? n : -errno;
}

/* Back to copying, until reads fill the buffer again. */
static ssize_t stop(struct cdt_flow *flow)
{
    flow->flags &= ~(uint32_t)FLOW_SPLICED;
    return 0;
}

ssize_t splice_in(struct cdt_flow *flow)
{
    struct cdt_flow *other = relay_other(flow);
    if (other && other->extra->pipe) { /* until it is empty */
        cdt_flow_pause(flow);
        return -EBUSY;
    }
    size_t length = other ? room(flow, other) : 0;
    struct flow_hub *hub = flow->config->hub;
    struct flow_segment *segment = length ? pipe_get(hub) : NULL;
    if (!segment)
        return stop(flow);
    ssize_t n = move(flow->carrier.fd, segment->pipe[1], length);
    if (n <= 0) {
        splice_put_pipe(hub, segment);
        bool trickles = flow->extra->burst < FLOW_READ_SIZE;
        flow->extra->burst = 0;
        if (n == -EINVAL || trickles)
            stop(flow);
        /* An urgent mark stops a splice as well, and only a read gets past it. */
        bool is_empty = n == -EAGAIN && !(flow->flags & FLOW_SHORT_READS);
        return is_empty || (n != -EAGAIN && n != -EINVAL) ? n : 0;
    }
    size_t burst = flow->extra->burst + (size_t)n;
    flow->extra->burst = burst < FLOW_READ_SIZE ? (uint32_t)burst : FLOW_READ_SIZE;
    relay_passed(flow, (size_t)n);
    segment->length = (size_t)n;
    other->extra->pipe = segment;
    flow_enqueue_pipe(other, segment);
    if (other->extra->pipe)
        cdt_flow_pause(flow);
    return n;
}

ssize_t splice_out(struct cdt_flow *flow, const struct flow_segment *segment)
{
    return move(segment->pipe[0], flow->carrier.fd, segment->length);
}

void splice_done(struct cdt_flow *flow, struct flow_segment *segment)
{
    struct flow_hub *hub = flow->config->hub;
    flow->extra->pipe = NULL;
    splice_put_pipe(hub, segment);
    struct cdt_flow *source = relay_other(flow);
    if (!source || hub->looking == source) /* which goes on by itself */
        return;
    cdt_flow_resume(source);
    if (flow_has_input(source)) /* one that closes is never paused */
        flow_schedule(source);
}
