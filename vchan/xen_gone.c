/* Domains that end. Their memory stays as it was for as long as we have it mapped, and no event
 * comes: only xenstore tells, by @releaseDomain, and not which domain it was, so that each is asked
 * for. A domain that powers off is told of twice, and is there until the second time.
 *
 * Only domain 0 may ask. A guest does not learn that another guest has ended: its flows last until
 * a timeout of theirs. */
#ifdef CDT_HAVE_XEN
#include "vchan/xen.h"

/* Whether there is such a domain; a negative code: that cannot be known. */
static int is_there(struct xen_store *store, unsigned domid)
{
    errno = 0;
    if (xs_is_domain_introduced(store->xs, domid))
        return 1;
    return -errno;
}

static void on_deaths(struct vchan_watch *watch)
{
    struct xen_store *store = cdt_container_of(watch, struct xen_store, deaths);

    for (struct list *at = store->vchans.next; at != &store->vchans; at = at->next) {
        struct xen_vchan *vchan = cdt_container_of(at, struct xen_vchan, link);
        if (!vchan->base.gone && is_there(store, vchan->base.domid) == 0)
            vchan_gone(&vchan->base); /* which frees nothing: the flow is looked at later */
    }
}

/* The domain may have ended before it was minded. */
void xen_mind(struct xen_vchan *vchan)
{
    struct xen_store *store = xen_store_of(vchan->store);
    const int there = is_there(store, vchan->base.domid);

    if (there < 0)
        return;
    list_append(&store->vchans, &vchan->link);
    if (!store->deaths.store)
        vchan_watch_begin(vchan->store, &store->deaths, "@releaseDomain", on_deaths);
    if (!there)
        vchan_gone(&vchan->base);
}
#endif
