/* The backend xen from inside. It speaks libxenvchan's protocol over the three libraries below that
 * one, whose interfaces are stable: libxenvchan_server_init() frees pointers that it never set when
 * it fails (as it does where no more memory can be granted), the library cuts paths at 49
 * characters, and its client reads the two keys of a server one after the other, which mixes two
 * rings where a server publishes one after another. */
#ifndef VCHAN_XEN_H
#define VCHAN_XEN_H

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "vchan/internal.h"

/* What a server publishes at a place: ring-ref, event-channel. */
struct xen_keys {
    uint32_t ref, channel;
};

struct xen_vchan {
    struct vchan base;
    struct vchan_store *store; /* a reference */
    struct list link;          /* of the store's, once connected */
    xenevtchn_handle *event;
    evtchn_port_t channel;    /* ours */
    xengntshr_handle *shares; /* of a server; NULL: none */
    xengnttab_handle *maps;   /* of a client; NULL: none */
    struct xen_keys keys;     /* of a server: what is published of it */
    struct vchan_layout layout;
};

struct xen_store {
    struct vchan_store base;
    struct xs_handle *xs;
    struct cdt_watch readable;
    struct cdt_deferred more; /* watches that fired, beyond those handled in one turn */
    unsigned long tokens;     /* given so far */
    int domid;                /* our own; -1: not yet asked for */
    struct list vchans;       /* that are connected: xen_gone.c */
    struct vchan_watch deaths;
};

static inline struct xen_store *xen_store_of(struct vchan_store *store)
{
    return cdt_container_of(store, struct xen_store, base);
}

/* ---- store_xen.c ----------------------------------------------------------------------------- */

int xen_store(struct vchan_store **store);
int xen_store_open(struct vchan_store *store);
/* What xenstore's errno is for those who read: a guest is refused where there is nothing. */
int xen_unreadable(int error);

/* ---- xen_keys.c: both keys of a place, always together --------------------------------------- */

/* -ENOENT: none; `why` says so if there is something else. */
int xen_keys_read(struct vchan_store *store, const char *path, struct xen_keys *keys,
                  const char **why);
/* For the eyes of the domain `reader`. */
int xen_keys_publish(struct vchan_store *store, const char *path, unsigned reader,
                     const struct xen_keys *keys);
/* Removes the place, if these are still there: others may serve it by now. */
void xen_keys_withdraw(struct vchan_store *store, const char *path, const struct xen_keys *keys);

/* ---- xen_pages.c ----------------------------------------------------------------------------- */

/* A ring for the next client of a port: not published, its peer is awaited. `why`: the sentence. */
int xen_offer(struct vchan_port *port, struct xen_vchan **vchan);
/* The ring behind keys. -ENOENT: there is none, or it is another one's. */
int xen_take(struct vchan_attempt *attempt, const struct xen_keys *keys, struct xen_vchan **vchan);
/* Consumes an event, so that there may be another; true: there was one. */
bool xen_acknowledge(struct vchan *vchan);
/* Gives everything back, to the peer's notice. NULL: nothing. */
void xen_free(struct xen_vchan *vchan);

/* ---- xen_gone.c ------------------------------------------------------------------------------ */

/* From now on, till it is freed, the vchan is told (vchan_gone()) when its peer's domain ends. */
void xen_mind(struct xen_vchan *vchan);

#endif
