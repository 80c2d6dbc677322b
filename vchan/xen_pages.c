/* Rings of backend xen: the page and the bytes are granted by the server and mapped by the client,
 * the bell is an event channel. When one side unmaps the page, and be it by dying, the kernel
 * clears that side's live byte and rings.
 *
 * WHO ATTACHES. An event channel can be bound by one client only: who has it may touch the page,
 * after a look through a mapping of its own: to unmap the one that has a live byte clears that,
 * which would end the connection of another client, where keys were left by a server that is no
 * more and their numbers have been used again. */
#ifdef CDT_HAVE_XEN
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <xentoollog.h>

#include "vchan/xen.h"

enum { GRANTS_MAX = (1 << VCHAN_ORDER_MAX) / VCHAN_PAGE };

static const char no_grants[] = "no more memory can be granted (the limit is in "
                                "/sys/module/xen_gntalloc/parameters/limit)";
static const char stale[] = "what is published there is of a server that is gone or busy";

/* The libraries are not to write to standard error: what they say is in errno too. */
static __attribute__((format(printf, 5, 0))) void be_silent(struct xentoollog_logger *logger,
                                                            xentoollog_level level, int error,
                                                            const char *context, const char *format,
                                                            va_list arguments)
{
    (void)logger, (void)level, (void)error, (void)context, (void)format, (void)arguments;
}

static struct xentoollog_logger silent = {.vmessage = be_silent};

static unsigned pages_of(unsigned order)
{
    return order > VCHAN_ORDER_HALF ? (1u << order) / VCHAN_PAGE : 0;
}

/* ---- the bell -------------------------------------------------------------------------------- */

static struct xen_vchan *xen_of(struct vchan *vchan)
{
    return cdt_container_of(vchan, struct xen_vchan, base);
}

static void xen_ring(struct vchan *vchan)
{
    struct xen_vchan *xen = xen_of(vchan);
    xenevtchn_notify(xen->event, xen->channel);
}

/* The port is masked by each event; reading gives it, writing unmasks it. */
bool xen_acknowledge(struct vchan *vchan)
{
    struct xen_vchan *xen = xen_of(vchan);
    const xenevtchn_port_or_error_t port = xenevtchn_pending(xen->event);
    if (port < 0)
        return false;
    xenevtchn_unmask(xen->event, (evtchn_port_t)port);
    return true;
}

static void xen_close(struct vchan *vchan, enum cdt_close_how how)
{
    (void)how; /* the kernel clears the live byte anyway */
    xen_free(xen_of(vchan));
}

static const struct vchan_bell bell = {
    .backend = CDT_VCHAN_XEN,
    .ring = xen_ring,
    .acknowledge = xen_acknowledge,
    .close = xen_close,
};

/* ---- what servers and clients share ---------------------------------------------------------- */

/* A device that is not there must not look like a server that is not there. */
static int no_device(const char **why, const char *sentence)
{
    const int error = errno;
    if (error != ENOENT && error != ENODEV && error != ENXIO)
        return error ? -error : -EIO;
    *why = sentence;
    return -ENODEV;
}

/* Without O_NONBLOCK a look for an event that is not there would wait for it. */
static int open_event(struct xen_vchan *vchan, const char **why)
{
    vchan->event = xenevtchn_open(&silent, 0);
    if (!vchan->event)
        return no_device(why, "there is no /dev/xen/evtchn (module xen-evtchn)");
    const int fd = xenevtchn_fd(vchan->event);
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    vchan->base.fd = fd;
    return 0;
}

static struct xen_vchan *new_vchan(struct vchan_store *store, unsigned domid, const char *port,
                                   uint64_t spin)
{
    struct xen_vchan *vchan = mem_zalloc(sizeof *vchan);
    if (!vchan)
        return NULL;
    vchan->base.bell = &bell;
    vchan->base.fd = -1;
    vchan->base.domid = domid;
    vchan->base.spin = spin;
    snprintf(vchan->base.port, sizeof vchan->base.port, "%s", port);
    list_init(&vchan->link);
    vchan->store = store;
    store->references++;
    return vchan;
}

static void free_shares(struct xen_vchan *vchan)
{
    const struct vchan_layout *layout = &vchan->layout;

    if (pages_of(layout->left_order) && layout->left)
        xengntshr_unshare(vchan->shares, layout->left, pages_of(layout->left_order));
    if (pages_of(layout->right_order) && layout->right)
        xengntshr_unshare(vchan->shares, layout->right, pages_of(layout->right_order));
    if (layout->page)
        xengntshr_unshare(vchan->shares, layout->page, 1);
    xengntshr_close(vchan->shares);
}

static void free_maps(struct xen_vchan *vchan)
{
    const struct vchan_layout *layout = &vchan->layout;

    if (pages_of(layout->left_order) && layout->left)
        xengnttab_unmap(vchan->maps, layout->left, pages_of(layout->left_order));
    if (pages_of(layout->right_order) && layout->right)
        xengnttab_unmap(vchan->maps, layout->right, pages_of(layout->right_order));
    if (layout->page)
        xengnttab_unmap(vchan->maps, layout->page, 1);
    xengnttab_close(vchan->maps);
}

void xen_free(struct xen_vchan *vchan)
{
    if (!vchan)
        return;
    list_remove(&vchan->link);
    if (vchan->shares)
        free_shares(vchan);
    if (vchan->maps)
        free_maps(vchan);
    if (vchan->event)
        xenevtchn_close(vchan->event);
    vchan_store_put(vchan->store);
    mem_free(vchan);
}

/* ---- a server's ring ------------------------------------------------------------------------- */

static int cannot_share(const char **why)
{
    if (errno == ENOSPC)
        *why = no_grants;
    return errno ? -errno : -EIO;
}

/* The bytes of one direction, NULL if they lie in the page; what was granted goes to `grants`. */
static int share_bytes(struct xen_vchan *vchan, unsigned order, uint32_t *grants, uint8_t **bytes,
                       const char **why)
{
    uint32_t granted[GRANTS_MAX];
    const unsigned pages = pages_of(order);

    if (pages == 0)
        return 0;
    *bytes = xengntshr_share_pages(vchan->shares, vchan->base.domid, (int)pages, granted, 1);
    if (!*bytes)
        return cannot_share(why);
    memcpy(grants, granted, pages * sizeof *grants);
    return 0;
}

static int share(struct xen_vchan *vchan, const char **why)
{
    struct vchan_layout *layout = &vchan->layout;
    const unsigned domid = vchan->base.domid;
    int status;

    vchan->shares = xengntshr_open(&silent, 0);
    if (!vchan->shares)
        return no_device(why, "there is no /dev/xen/gntalloc (module xen-gntalloc)");
    layout->page =
        xengntshr_share_page_notify(vchan->shares, domid, &vchan->keys.ref, 1,
                                    offsetof(struct vchan_page, srv_live), vchan->channel);
    if (!layout->page)
        return cannot_share(why);
    vchan_page_init(layout->page, layout->left_order, layout->right_order);
    uint32_t *grants = layout->page->grants;
    status = share_bytes(vchan, layout->left_order, grants, &layout->left, why);
    if (status == 0)
        status = share_bytes(vchan, layout->right_order, grants + pages_of(layout->left_order),
                             &layout->right, why);
    return status ? status : vchan_ring_init(&vchan->base.ring, layout, true);
}

static int offer(struct xen_vchan *vchan, const struct vchan_settings *settings, const char **why)
{
    struct vchan_layout *layout = &vchan->layout;
    int status = vchan_orders(settings->read_size, settings->write_size, &layout->left_order,
                              &layout->right_order);
    if (status == 0)
        status = open_event(vchan, why);
    if (status)
        return status;
    const xenevtchn_port_or_error_t port =
        xenevtchn_bind_unbound_port(vchan->event, vchan->base.domid);
    if (port < 0)
        return -errno;
    vchan->channel = vchan->keys.channel = (evtchn_port_t)port;
    return share(vchan, why);
}

int xen_offer(struct vchan_port *port, struct xen_vchan **result)
{
    struct xen_vchan *vchan = new_vchan(port->store, port->domid, port->port, port->settings.spin);
    if (!vchan)
        return -ENOMEM;
    const int status = offer(vchan, &port->settings, &port->why);
    if (status)
        xen_free(vchan);
    else
        *result = vchan;
    return status;
}

/* ---- a client's ring ------------------------------------------------------------------------- */

/* What a client gets where the keys are old, or the server does odd things: it waits for others. */
static int cannot_attach(const char **why, int error)
{
    switch (error) {
    case 0:
    case EINVAL:
    case ESRCH:
    case ENOENT:
    case EAGAIN:
    case EIO:
        *why = stale;
        return -ENOENT;
    default:
        return -error;
    }
}

static uint16_t read_once(const uint16_t *at)
{
    return *(const volatile uint16_t *)at;
}

static bool orders_of(const struct vchan_page *page, struct vchan_layout *layout)
{
    layout->left_order = read_once(&page->left_order);
    layout->right_order = read_once(&page->right_order);
    return vchan_orders_valid(layout->left_order, layout->right_order);
}

/* Looks whether the page is one where a client is awaited; see above. */
static int look(struct xen_vchan *vchan, uint32_t ref, const char **why)
{
    struct vchan_layout layout;
    struct vchan_page *page =
        xengnttab_map_grant_ref(vchan->maps, vchan->base.domid, ref, PROT_READ);
    if (!page)
        return cannot_attach(why, errno);
    const bool awaited = atomic_load(&page->srv_live) == VCHAN_CONNECTED &&
                         atomic_load(&page->cli_live) == VCHAN_AWAITS && orders_of(page, &layout);
    xengnttab_unmap(vchan->maps, page, 1);
    return awaited ? 0 : cannot_attach(why, EINVAL);
}

static int map_bytes(struct xen_vchan *vchan, unsigned order, const uint32_t *grants, int access,
                     uint8_t **bytes, const char **why)
{
    uint32_t granted[GRANTS_MAX];
    const unsigned pages = pages_of(order);

    if (pages == 0)
        return 0;
    memcpy(granted, grants, pages * sizeof *grants);
    *bytes =
        xengnttab_map_domain_grant_refs(vchan->maps, pages, vchan->base.domid, granted, access);
    return *bytes ? 0 : cannot_attach(why, errno);
}

static int map(struct xen_vchan *vchan, uint32_t ref, const char **why)
{
    struct vchan_layout layout = {0};
    int status;

    layout.page =
        xengnttab_map_grant_ref_notify(vchan->maps, vchan->base.domid, ref, PROT_READ | PROT_WRITE,
                                       offsetof(struct vchan_page, cli_live), vchan->channel);
    if (!layout.page)
        return cannot_attach(why, errno);
    vchan->layout.page = layout.page;
    if (!orders_of(layout.page, &layout))
        return cannot_attach(why, EINVAL);
    vchan->layout = layout;
    const uint32_t *grants = layout.page->grants;
    status = map_bytes(vchan, layout.left_order, grants, PROT_READ | PROT_WRITE,
                       &vchan->layout.left, why);
    if (status == 0)
        status = map_bytes(vchan, layout.right_order, grants + pages_of(layout.left_order),
                           PROT_READ, &vchan->layout.right, why);
    if (status == 0 && vchan_ring_init(&vchan->base.ring, &vchan->layout, false) != 0)
        status = cannot_attach(why, EINVAL);
    return status;
}

static int take(struct xen_vchan *vchan, const struct xen_keys *keys, const char **why)
{
    int status = open_event(vchan, why);
    if (status)
        return status;
    const xenevtchn_port_or_error_t port =
        xenevtchn_bind_interdomain(vchan->event, vchan->base.domid, keys->channel);
    if (port < 0)
        return cannot_attach(why, errno);
    vchan->channel = (evtchn_port_t)port;
    vchan->maps = xengnttab_open(&silent, 0);
    if (!vchan->maps)
        return no_device(why, "there is no /dev/xen/gntdev (module xen-gntdev)");
    status = look(vchan, keys->ref, why);
    return status ? status : map(vchan, keys->ref, why);
}

int xen_take(struct vchan_attempt *attempt, const struct xen_keys *keys, struct xen_vchan **result)
{
    struct xen_vchan *vchan =
        new_vchan(attempt->store, attempt->domid, attempt->port, attempt->settings.spin);
    if (!vchan)
        return -ENOMEM;
    const int status = take(vchan, keys, &attempt->why);
    if (status) {
        xen_free(vchan);
        return status;
    }
    xen_ring(&vchan->base); /* the server may accept */
    *result = vchan;
    return 0;
}
#endif
