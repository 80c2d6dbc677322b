/* The way to the name servers: c-ares on the reactor. It sends, tries again, goes on to the next
 * server, and takes TCP for what is truncated. Its sockets are ours: close-on-exec, without
 * SIGPIPE, so many packets a turn; and what passes through them tells why servers refused, which
 * c-ares keeps to itself. */
#ifndef RESOLVE_CHANNEL_H
#define RESOLVE_CHANNEL_H

#include "resolve/message.h"

struct channel;
struct channel_request;

/* With status 0 and an answer in wire form, lent for the call; with -CDT_ESERVFAIL,
 * -CDT_EDNSREFUSED, -CDT_EDNSTIMEOUT, -CDT_EDNSANSWER, -EMFILE, -ENOMEM; or -ECANCELED. */
typedef void channel_fn(struct channel_request *request, int status, const uint8_t *message,
                        size_t length);

struct channel_request {
    channel_fn *fn;
    /* private */
    struct channel *channel;
    struct channel_request *next,
        **link; /* of those whose id hashes alike, or of those held back */
    const uint8_t *question;
    size_t length;
    uint16_t id;
    uint8_t code; /* of a server that would not answer; 0: none */
};

/* -EINVAL, -ENOMEM, -EMFILE. */
int channel_new(struct cdt_reactor *reactor, const struct cdt_resolver_options *options,
                struct channel **channel);
/* Not from inside a channel_fn. Requests end with -ECANCELED. NULL is allowed. */
void channel_free(struct channel *channel);

/* Asks. `request->fn` is called once, perhaps from inside this call; then the request is the
 * caller's again, and so is the question. */
void channel_ask(struct channel *channel, struct channel_request *request, const uint8_t *question,
                 size_t length);
/* All requests end with -ECANCELED, now. Not from inside a channel_fn. */
void channel_cancel(struct channel *channel);

/* As dns_search(). */
unsigned channel_search(const struct channel *channel, unsigned *ndots,
                        const char *const **domains);

/* servers.c: the name servers of a text: "ADDRESS[:PORT],..." and [ADDRESS]:PORT. How many there
 * are, in an array that is also a list, to be freed; -EINVAL, -ENOMEM. */
struct ares_addr_port_node;
int servers_read(const char *text, struct ares_addr_port_node **servers);

#endif
