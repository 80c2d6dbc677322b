/* Attempts to connect, one function a carrier: sockets that belong to no flow until one has won. */
#include <string.h>
#include <unistd.h>

#include "context/internal.h"

void attempt_close(struct attempt *attempt)
{
    cdt_watch_remove(&attempt->watch);
    cdt_timer_cancel(&attempt->retry);
    if (!attempt->ops)
        return;
    attempt->ops->close(&attempt->carrier, CDT_CLOSE_RESET);
    attempt->ops = NULL;
    server_descriptor_freed(race_flow(attempt->race)->config->hub);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static void on_writable(struct cdt_watch *watch, unsigned events)
{
    struct attempt *attempt = cdt_container_of(watch, struct attempt, watch);
    (void)events;
    race_answer(attempt, socket_connected(&attempt->carrier));
}

/* A wildcard address means this host. The kernel knows that too, but the flow's peer would be no
 * address. */
static void resolve_wildcard(struct cdt_addr *addr)
{
    static const struct in6_addr any = IN6ADDR_ANY_INIT;
    if (addr->any.sa_family == AF_INET && addr->v4.sin_addr.s_addr == htonl(INADDR_ANY))
        cdt_addr_ip(addr, "127.0.0.1", cdt_addr_port(addr));
    else if (addr->any.sa_family == AF_INET6 && memcmp(&addr->v6.sin6_addr, &any, sizeof any) == 0)
        cdt_addr_ip(addr, "::1", cdt_addr_port(addr));
}

int attempt_tcp(struct attempt *attempt)
{
    struct cdt_flow *flow = race_flow(attempt->race);
    const struct cdt_flow_options *options = flow_options(flow);
    const struct cdt_addr *to = &attempt->base->addr;
    if (!tcp_is_ip(to))
        return -EINVAL;
    attempt->addr = *to;
    resolve_wildcard(&attempt->addr);
    if (options->source.length && options->source.any.sa_family != to->any.sa_family) {
        attempt->skipped = true;
        attempt->why = "not of the source's family";
        return -EAFNOSUPPORT;
    }
    const int fd = tcp_start(&attempt->addr, options);
    if (fd < 0)
        return fd;
    attempt->ops = &tcp_ops;
    attempt->carrier.fd = fd;
    attempt->watch.fn = on_writable;
    const int status = cdt_watch_add(cdt_flow_reactor(flow), &attempt->watch, fd, CDT_WRITE);
    return status ? status : -EAGAIN;
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

enum { RETRY_MAX = 64 }; /* ms */

/* A Unix socket connects at once or not at all. EAGAIN is a full backlog, of which nothing tells
 * when it is no longer full: try again, less and less often. */
static int knock(struct attempt *attempt)
{
    if (connect(attempt->carrier.fd, &attempt->addr.any, attempt->addr.length) == 0)
        return 0;
    if (errno != EAGAIN)
        return -errno;
    attempt->retry_delay = attempt->retry_delay ? attempt->retry_delay * 2 : CDT_MS;
    if (attempt->retry_delay > RETRY_MAX * CDT_MS)
        attempt->retry_delay = RETRY_MAX * CDT_MS;
    cdt_timer_set(cdt_flow_reactor(race_flow(attempt->race)), &attempt->retry,
                  attempt->retry_delay);
    return -EAGAIN;
}

static void on_retry(struct cdt_timer *timer)
{
    struct attempt *attempt = cdt_container_of(timer, struct attempt, retry);
    race_answer(attempt, knock(attempt));
}

int attempt_unix(struct attempt *attempt)
{
    const bool takes_fds = flow_options(race_flow(attempt->race))->receive_fds;
    const int status = context_unix_addr(attempt->base, &attempt->addr, &attempt->why);
    if (status)
        return status;
    attempt->carrier.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->carrier.fd < 0)
        return -errno;
    attempt->ops = takes_fds ? &unix_fds_ops : &unix_ops;
    attempt->retry.fn = on_retry;
    return knock(attempt);
}

/* ---- what never connects --------------------------------------------------------------------- */

/* The reason is the error. */
int attempt_unknown(struct attempt *attempt)
{
    attempt->why = attempt->endp->name_length ? attempt->endp->name : "unknown endpoint";
    return -EPROTONOSUPPORT;
}
