/* A listener of vchans, as its two files see it: listen.c, and requests.c for those with a name. */
#ifndef VCHAN_LISTEN_H
#define VCHAN_LISTEN_H

#include "vchan/internal.h"

enum { VCHAN_BATCH = 32 }; /* requests that are read before any is answered */

struct vchan_request {
    char client[VCHAN_NAME_MAX];
    char value[16];
};

struct vchan_listening {
    struct cdt_server *server;
    const struct vchan_listens_at *at; /* the server's */
    struct vchan_settings settings;
    int status; /* why it cannot be opened, known before */
    struct vchan_store *store;
    struct list ready, idle, opening; /* the ports */
    unsigned ports;                   /* how many */
    bool armed;

    /* By name. */
    struct vchan_name_port claim;
    struct vchan_watch watch;
    struct cdt_deferred more; /* requests were left over */
    struct cdt_timer again;   /* ports that wait to be opened */
    struct cdt_timer later;   /* requests could not be read */
    unsigned looked;          /* names that this look has come by */
    unsigned count;
    struct vchan_request *batch; /* VCHAN_BATCH of them */
    uint64_t next_report;
};

/* Opens a port for the clients of a domain: 0; -EINPROGRESS: vchan_open_again() in a moment; or
 * another code, with a sentence in `why` (NULL: the status' own). */
int vchan_open_port(struct vchan_listening *listening, unsigned domid, const char **why);
/* The same for the first of those that wait. */
int vchan_open_again(struct vchan_listening *listening, const char **why);
void vchan_close_port(struct vchan_listening *listening, struct vchan_port *port);
struct vchan_port *vchan_find_port(const struct vchan_listening *listening, unsigned domid);

/* Registers the name, and answers requests from now on. */
int vchan_requests_begin(struct vchan_listening *listening, const char **why);
void vchan_requests_end(struct vchan_listening *listening);

#endif
