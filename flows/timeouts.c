/* Timeouts of a flow. One timer serves them all: it is set to the earliest deadline, and moved only
 * when it fires too early, so that activity costs no more than storing the time.
 *
 * What `flow->active` holds depends on the state, and with it on which timeout counts:
 *   connecting, handshaking   when that began
 *   bytes queued              when the carrier last took some
 *   end of stream sent        when it was sent
 *   else                      when payload last moved */
#include <stdio.h>

#include "flows/internal.h"

struct cause {
    int status;
    const char *text;
};

enum { CONNECT, HANDSHAKE, STALL, LINGER, IDLE, LIFETIME, RATE, CAUSES };

static const struct cause causes[CAUSES] = {
    [CONNECT] = {-ETIMEDOUT, "no connection within the connect timeout"},
    [HANDSHAKE] = {-CDT_EHANDSHAKE, "no handshake within the handshake timeout"},
    [STALL] = {-CDT_ESTALLED, "the peer took nothing for the write-stall timeout"},
    [LINGER] = {0, NULL},
    [IDLE] = {-CDT_EIDLE, "nothing sent or received for the idle timeout"},
    [LIFETIME] = {-CDT_ELIFETIME, "the flow's lifetime is over"},
    [RATE] = {-CDT_ETOOSLOW, "the peer sends less than the minimum rate"},
};

static uint64_t after(uint64_t time, uint64_t timeout)
{
    return timeout > CDT_NEVER - time ? CDT_NEVER : time + timeout;
}

/* The two flows of a relay are idle together, and not while the other one has output queued. */
static uint64_t idle_deadline(const struct cdt_flow *flow)
{
    uint64_t since = flow->active;
    const struct cdt_flow *other = relay_other(flow);
    if (other) {
        if (other->tail)
            since = cdt_reactor_now(flow->config->hub->reactor); /* ask again later */
        if (other->active > since)
            since = other->active;
    }
    return after(since, flow->config->options.idle_timeout);
}

/* The timeout of the state: one of CONNECT to IDLE. */
static int state_cause(const struct cdt_flow *flow, uint64_t *deadline)
{
    const struct cdt_flow_options *options = &flow->config->options;
    if (flow->state == CDT_CONNECTING) {
        bool connected = flow->flags & FLOW_CONNECTED; /* waits for its turn only */
        *deadline = connected ? CDT_NEVER : after(flow->active, options->connect_timeout);
        return CONNECT;
    }
    if (flow->state == CDT_HANDSHAKING) {
        *deadline = after(flow->active, options->handshake_timeout);
        return HANDSHAKE;
    }
    if (flow->tail) {
        *deadline = after(flow->active, options->write_stall_timeout);
        return STALL;
    }
    if (flow->state == CDT_CLOSING) {
        *deadline = after(flow->active, options->linger_timeout);
        return LINGER;
    }
    *deadline = flow->flags & FLOW_PAUSED ? CDT_NEVER : idle_deadline(flow);
    return IDLE;
}

static bool rate_applies(const struct cdt_flow *flow)
{
    return flow->config->options.min_rate && flow->extra && !(flow->flags & FLOW_PAUSED) &&
           (flow->state == CDT_OPEN || flow->state == CDT_WE_ENDED);
}

/* The earliest deadline and what it means. */
static int next_cause(const struct cdt_flow *flow, uint64_t *deadline)
{
    const struct cdt_flow_options *options = &flow->config->options;
    int cause = state_cause(flow, deadline);
    uint64_t lifetime = after(flow->born, options->lifetime);
    if (lifetime < *deadline) {
        *deadline = lifetime;
        cause = LIFETIME;
    }
    if (rate_applies(flow)) {
        uint64_t window = after(flow->extra->rate_start, options->min_rate_window);
        if (window < *deadline) {
            *deadline = window;
            cause = RATE;
        }
    }
    return cause;
}

void flow_restart_rate(struct cdt_flow *flow)
{
    const struct cdt_flow_options *options = &flow->config->options;
    if (options->min_rate && flow_extra(flow)) {
        flow->extra->rate_start = cdt_reactor_now(flow->config->hub->reactor);
        flow->extra->rate_bytes = 0;
    }
    flow_update_timer(flow);
}

void flow_update_timer(struct cdt_flow *flow)
{
    const struct cdt_flow_options *options = &flow->config->options;
    if (flow->state == CDT_CLOSED)
        return;
    if (flow->state == CDT_OPEN && !flow->tail && !flow->config->deadlines)
        return;
    if (options->idle_timeout != CDT_NEVER || options->min_rate)
        flow->flags |= FLOW_HAS_DEADLINES;
    else
        flow->flags &= ~(uint32_t)FLOW_HAS_DEADLINES;
    uint64_t deadline;
    next_cause(flow, &deadline);
    if (deadline == CDT_NEVER)
        return;
    if (!cdt_timer_is_set(&flow->timer) || deadline < flow->timer.deadline)
        cdt_timer_set_at(flow->config->hub->reactor, &flow->timer, deadline);
}

void flow_begin_linger(struct cdt_flow *flow)
{
    flow->active = cdt_reactor_now(flow->config->hub->reactor);
    flow_update_timer(flow);
}

/* The connect timeout has passed; the carrier may know what was tried. */
static void end_connecting(struct cdt_flow *flow)
{
    const struct cause *cause = &causes[CONNECT];
    const char *tried = flow->ops->tried ? flow->ops->tried(&flow->carrier) : NULL;
    char text[1280];
    if (tried && *tried)
        snprintf(text, sizeof text, "%s: %s", cause->text, tried);
    else
        snprintf(text, sizeof text, "%s", cause->text);
    flow_end(flow, cause->status, text);
}

/* The running window is over: fast enough? */
static bool rate_reached(struct cdt_flow *flow)
{
    const struct cdt_flow_options *options = &flow->config->options;
    unsigned __int128 wanted = (unsigned __int128)options->min_rate * options->min_rate_window;
    bool reached = (unsigned __int128)flow->extra->rate_bytes * CDT_SECOND >= wanted;
    if (reached)
        flow_restart_rate(flow);
    return reached;
}

void flow_on_timer(struct cdt_timer *timer)
{
    struct cdt_flow *flow = cdt_container_of(timer, struct cdt_flow, timer);
    uint64_t deadline;
    int cause = next_cause(flow, &deadline);
    if (deadline > cdt_reactor_now(flow->config->hub->reactor)) {
        flow_update_timer(flow);
        return;
    }
    if (cause == RATE && rate_reached(flow))
        return;
    if (cause == LINGER) {
        size_t unacknowledged = 0;
        cdt_flow_pending(flow, NULL, &unacknowledged);
        if (unacknowledged || !(flow->flags & FLOW_FIN_SENT))
            flow_end(flow, -ETIMEDOUT,
                     "the peer did not acknowledge all within the linger timeout");
        else
            flow_end(flow, flow->status, NULL);
        return;
    }
    if (cause == CONNECT)
        end_connecting(flow);
    else
        flow_end(flow, causes[cause].status, causes[cause].text);
}
