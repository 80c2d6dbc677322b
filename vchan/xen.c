/* The backend xen: clients attach to what is published at the place; a port always has one ring
 * published, and the next as soon as a client has been accepted from that. */
#ifdef CDT_HAVE_XEN
#include <string.h>

#include "vchan/xen.h"

/* ---- clients --------------------------------------------------------------------------------- */

static int xen_attach(struct vchan_attempt *attempt)
{
    struct xen_keys keys;
    struct xen_vchan *vchan;
    int status = xen_keys_read(attempt->store, attempt->path, &keys, &attempt->why);
    if (status == 0)
        status = xen_take(attempt, &keys, &vchan);
    if (status)
        return status;
    xen_mind(vchan);
    attempt->vchan = &vchan->base;
    return 0;
}

static void xen_cancel(struct vchan_attempt *attempt)
{
    (void)attempt; /* an attempt is never in progress */
}

/* ---- servers --------------------------------------------------------------------------------- */

struct xen_port {
    struct vchan_port *port;
    struct xen_vchan *next; /* published; a client may have attached. NULL: see `again` */
    bool armed;
    bool told; /* that there is no ring, in the log */
    struct cdt_watch watch;
    struct cdt_deferred look;
    struct cdt_timer again; /* another attempt to publish a ring */
};

static const uint64_t again_after = 250 * CDT_MS;

static bool attached(const struct xen_port *xen)
{
    return xen->next && vchan_ring_peer(&xen->next->base.ring) != VCHAN_AWAITS;
}

/* The port may be gone when this returns. */
static void tell(struct xen_port *xen)
{
    if (xen->armed && attached(xen))
        xen->port->ready(xen->port);
}

static void on_event(struct cdt_watch *watch, unsigned events)
{
    struct xen_port *xen = cdt_container_of(watch, struct xen_port, watch);
    (void)events;
    xen_acknowledge(&xen->next->base);
    tell(xen);
}

static void on_look(struct cdt_deferred *deferred)
{
    tell(cdt_container_of(deferred, struct xen_port, look));
}

/* A client that came while nobody looked is told of too. */
static int watch_next(struct xen_port *xen)
{
    const int status = cdt_watch_add(xen->port->reactor, &xen->watch, xen->next->base.fd, CDT_READ);
    if (status == 0 && attached(xen))
        cdt_defer(xen->port->reactor, &xen->look);
    return status;
}

static int publish(struct xen_port *xen)
{
    struct vchan_port *port = xen->port;
    int status = xen_offer(port, &xen->next);
    if (status)
        return status;
    status = xen_keys_publish(port->store, port->path, port->domid, &xen->next->keys);
    if (status == 0 && xen->armed)
        status = watch_next(xen);
    if (status) {
        xen_keys_withdraw(port->store, port->path, &xen->next->keys);
        xen_free(xen->next);
        xen->next = NULL;
    }
    return status;
}

/* Those who are connected go on; clients wait until a ring is published again. */
static void publish_or_wait(struct xen_port *xen)
{
    struct vchan_port *port = xen->port;
    const int status = publish(xen);
    if (status == 0) {
        xen->told = false;
        return;
    }
    cdt_timer_set(port->reactor, &xen->again, again_after);
    if (!xen->told)
        reactor_log(port->reactor, CDT_LOG_WARNING, "vchan:%u/%s: no ring for the next client: %s",
                    port->domid, port->port,
                    status == -ENOSPC && port->why ? port->why : strerror(-status));
    xen->told = true;
}

static void on_again(struct cdt_timer *timer)
{
    publish_or_wait(cdt_container_of(timer, struct xen_port, again));
}

static int xen_open(struct vchan_port *port)
{
    struct xen_port *xen = mem_zalloc(sizeof *xen);
    if (!xen)
        return -ENOMEM;
    xen->port = port;
    xen->watch.fn = on_event;
    xen->look.fn = on_look;
    xen->again.fn = on_again;
    const int status = publish(xen);
    if (status) {
        mem_free(xen);
        return status;
    }
    port->state = xen;
    return 0;
}

static void unwatch(struct xen_port *xen)
{
    cdt_watch_remove(&xen->watch);
    cdt_defer_cancel(&xen->look);
}

static void xen_arm(struct vchan_port *port, bool on)
{
    struct xen_port *xen = port->state;
    if (xen->armed == on)
        return;
    xen->armed = on;
    if (!on)
        unwatch(xen);
    else if (xen->next)
        watch_next(xen);
}

/* Once a client has the ring, its keys are replaced at once: others would be refused there. */
static int xen_accept(struct vchan_port *port, struct vchan **result)
{
    struct xen_port *xen = port->state;
    if (!attached(xen))
        return -EAGAIN;
    struct xen_vchan *vchan = xen->next;
    unwatch(xen);
    xen->next = NULL;
    publish_or_wait(xen);
    if (!xen->next)
        xen_keys_withdraw(port->store, port->path, &vchan->keys);
    xen_mind(vchan);
    *result = &vchan->base;
    return 0;
}

static void xen_close(struct vchan_port *port)
{
    struct xen_port *xen = port->state;
    unwatch(xen);
    cdt_timer_cancel(&xen->again);
    if (xen->next)
        xen_keys_withdraw(port->store, port->path, &xen->next->keys);
    xen_free(xen->next);
    mem_free(xen);
    port->state = NULL;
}

const struct vchan_backend vchan_xen = {
    .backend = CDT_VCHAN_XEN,
    .store = xen_store,
    .store_open = xen_store_open,
    .attach = xen_attach,
    .cancel = xen_cancel,
    .open = xen_open,
    .arm = xen_arm,
    .accept = xen_accept,
    .close = xen_close,
};
#endif
