/* A channel as its own files see it: channel.c asks and keeps time, channel_sockets.c has the
 * sockets, channel_open.c makes it all. */
#ifndef RESOLVE_CHANNEL_STATE_H
#define RESOLVE_CHANNEL_STATE_H

#include <ares.h>

#include "resolve/channel.h"

enum {
    CHANNEL_IDS = 64,     /* random numbers fetched at once */
    CHANNEL_BY_ID = 256,  /* lists of requests */
    CHANNEL_DOMAINS = 16, /* of the search list; more are left out */
    CHANNEL_SERVER_PORT = 53,
    CHANNEL_TRUNCATED = 2 /* the bit TC, in the third byte of a message */
};

/* A socket of c-ares. Of TCP, which carries messages behind their length in 16 bits, the first
 * bytes of each are kept, since they may come one by one. */
struct channel_socket {
    struct cdt_watch watch;
    struct channel *channel;
    int fd; /* -1: this place is free */
    bool stream;
    uint8_t head[6]; /* length, id, flags */
    uint32_t at;     /* in the present message, with its length */
    struct cdt_addr server;
};

/* Truncated answers are asked for again over TCP by a channel of c-ares of its own: when a
 * connection ends, c-ares sends all that it has asked this server once more, and counts that as a
 * try of each. A server that closes its connections must not spoil what is asked over UDP. */
struct channel {
    struct cdt_reactor *reactor;
    ares_channel udp, tcp;  /* tcp NULL: not needed yet */
    int flags, tries;       /* of both */
    struct cdt_timer timer; /* set while anything is asked, never for later than c-ares needs */
    uint64_t timeout;       /* of a first try */
    uint64_t due;           /* when the timer fires, if it is set */
    unsigned asked;
    unsigned packets; /* that may still be taken in this turn */
    unsigned ids_left;
    uint16_t ids[CHANNEL_IDS];
    struct channel_request *by_id[CHANNEL_BY_ID];
    struct ares_options saved; /* the search list */
    const char *domains[CHANNEL_DOMAINS];
    unsigned domain_count, ndots;
    struct cdt_addr
        answered; /* the server that answered when an earlier one did not; length 0: none */
    struct channel_request *held, **held_end; /* until the order of the servers can be changed */
    struct cdt_deferred release;
    const struct channel_socket *reading;
    int socket_error; /* why the last socket could not be made; 0: it could */
    unsigned socket_count;
    struct channel_socket *sockets;
};

/* channel.c */
void channel_on_timer(struct cdt_timer *timer);
void channel_on_release(struct cdt_deferred *deferred);
void channel_cancel_held(struct channel *channel);

/* channel_open.c: makes `tcp`, if it is not there yet. 0; -ENOMEM, -EMFILE. */
int channel_open_tcp(struct channel *channel);

/* channel_sockets.c */
extern const struct ares_socket_functions channel_socket_functions
    __attribute__((visibility("hidden")));
void channel_on_socket_state(void *user, ares_socket_t fd, int readable, int writable);

#endif
