/* Keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): one for each period of time, old ones
 * forgotten. From a secret that processes share, or random. Bound to what the server demands of
 * its clients: a ticket of another configuration does not open; nor does one of another backend. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_backend;
struct tls_tickets;

struct tls_ticket_key {
    uint8_t name[16]; /* stands in the ticket, tells which key */
    uint8_t aes[32];  /* for AES-256 */
    uint8_t mac[32];  /* for HMAC-SHA256, where the cipher has no tag */
};

enum { TLS_TICKET_SECRET = 32 };

/* `secret` NULL: random ones. `binding`: a digest of what tickets are bound to. `rotation` in ns.
 * 0, -ENOMEM, or the code of getrandom(2) or of the backend. */
int tls_tickets_new(const struct tls_backend *backend, const uint8_t *secret,
                    const uint8_t binding[32], uint64_t rotation, struct tls_tickets **tickets);
void tls_tickets_free(struct tls_tickets *tickets); /* NULL is allowed; forgets the keys */

/* The key for new tickets. 0 or a negative code: then no ticket is given. */
int tls_tickets_current(struct tls_tickets *tickets, struct tls_ticket_key *key);
/* The key of this name, if it is the current one or the one before: 1 current (with a secret also
 * the next one, of a process whose clock is ahead), 2 the one before (give a new ticket),
 * 0 unknown. Old keys are forgotten by these calls, not between them. */
int tls_tickets_find(struct tls_tickets *tickets, const uint8_t name[16],
                     struct tls_ticket_key *key);
/* The same at a given time, ns since 1970; for tests. */
int tls_tickets_current_at(struct tls_tickets *tickets, uint64_t now, struct tls_ticket_key *key);
int tls_tickets_find_at(struct tls_tickets *tickets, uint64_t now, const uint8_t name[16],
                        struct tls_ticket_key *key);

#endif
