/* Keys of session tickets. Time is cut into epochs; the keys of one are derived from a secret, the
 * epoch's number, the binding and the backend (each seals in another way), so that processes with
 * the same secret agree without a word. Without one each epoch has a random secret, and what its
 * keys have sealed cannot be opened by anybody once they are wiped: after the next epoch. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "reactor/internal.h"
#include "tls/engine.h"
#include "tls/tickets.h"

enum { BEFORE, NOW, AFTER, SLOTS }; /* AFTER: of a process whose clock is ahead of ours */

struct slot {
    struct tls_ticket_key key;
    uint64_t epoch;
    bool used;
};

struct tls_tickets {
    const struct tls_backend *backend;
    uint64_t rotation;
    bool shared; /* there is a secret */
    uint8_t secret[TLS_TICKET_SECRET];
    uint8_t binding[32];
    struct slot slots[SLOTS];
};

/* ---- making keys ----------------------------------------------------------------------------- */

static int derive_part(const struct tls_tickets *tickets, const uint8_t secret[TLS_TICKET_SECRET],
                       uint64_t epoch, const char *label, uint8_t *part, size_t length)
{
    uint8_t number[8], digest[32];
    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (uint8_t)(epoch >> (56 - 8 * i));
    const struct iovec parts[] = {
        {(void *)label, strlen(label) + 1},
        {number, sizeof number},
        {(void *)tickets->binding, sizeof tickets->binding},
        {(void *)tickets->backend->name, strlen(tickets->backend->name)},
    };
    const int status = tickets->backend->hmac_sha256(secret, TLS_TICKET_SECRET, parts,
                                                     sizeof parts / sizeof *parts, digest);
    if (status == 0)
        memcpy(part, digest, length);
    explicit_bzero(digest, sizeof digest);
    return status;
}

static int derive(const struct tls_tickets *tickets, const uint8_t secret[TLS_TICKET_SECRET],
                  uint64_t epoch, struct slot *slot)
{
    struct tls_ticket_key *key = &slot->key;
    *slot = (struct slot){.epoch = epoch};
    int status =
        derive_part(tickets, secret, epoch, "conduit ticket name", key->name, sizeof key->name);
    if (status == 0)
        status =
            derive_part(tickets, secret, epoch, "conduit ticket aes", key->aes, sizeof key->aes);
    if (status == 0)
        status =
            derive_part(tickets, secret, epoch, "conduit ticket mac", key->mac, sizeof key->mac);
    if (status)
        explicit_bzero(slot, sizeof *slot);
    slot->used = status == 0;
    return status;
}

static int derive_random(const struct tls_tickets *tickets, uint64_t epoch, struct slot *slot)
{
    uint8_t secret[TLS_TICKET_SECRET];
    ssize_t length;
    do
        length = getrandom(secret, sizeof secret, 0);
    while (length < 0 && errno == EINTR);
    if (length != sizeof secret)
        return length < 0 ? -errno : -EIO;
    const int status = derive(tickets, secret, epoch, slot);
    explicit_bzero(secret, sizeof secret);
    return status;
}

/* ---- turning them ---------------------------------------------------------------------------- */

/* Those around the epoch, of which some may be there already. */
static int turn_shared(struct tls_tickets *tickets, uint64_t epoch)
{
    struct slot slots[SLOTS];
    int status = 0;
    for (size_t i = 0; i < SLOTS && status == 0; i++)
        status = derive(tickets, tickets->secret, epoch + i - NOW, &slots[i]);
    if (status == 0)
        memcpy(tickets->slots, slots, sizeof slots);
    explicit_bzero(slots, sizeof slots);
    return status;
}

/* The key of now becomes the one before, unless it is older than that. So it does if the clock was
 * set back, as nobody knows how long it would go on otherwise; by an epoch only, that is a wobble,
 * and it stays. Old keys are wiped even if there are no new ones. */
static int turn_random(struct tls_tickets *tickets, uint64_t epoch)
{
    struct slot *before = &tickets->slots[BEFORE], *now = &tickets->slots[NOW];
    if (now->used && epoch < now->epoch && now->epoch - epoch == 1)
        return 0;
    if (now->used && (epoch < now->epoch || epoch - now->epoch == 1))
        *before = *now;
    else if (now->used || epoch - before->epoch != 1)
        explicit_bzero(before, sizeof *before);
    explicit_bzero(now, sizeof *now);
    return derive_random(tickets, epoch, now);
}

static int turn(struct tls_tickets *tickets, uint64_t time)
{
    const uint64_t epoch = time / tickets->rotation;
    if (tickets->slots[NOW].used && tickets->slots[NOW].epoch == epoch)
        return 0;
    return tickets->shared ? turn_shared(tickets, epoch) : turn_random(tickets, epoch);
}

/* ---- what engines call ----------------------------------------------------------------------- */

static uint64_t wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CDT_SECOND + (uint64_t)now.tv_nsec;
}

int tls_tickets_new(const struct tls_backend *backend, const uint8_t *secret,
                    const uint8_t binding[32], uint64_t rotation, struct tls_tickets **tickets)
{
    struct tls_tickets *made = mem_zalloc(sizeof *made);
    if (!made)
        return -ENOMEM;
    made->backend = backend;
    made->rotation = rotation ? rotation : 3600 * CDT_SECOND;
    made->shared = secret != NULL;
    if (secret)
        memcpy(made->secret, secret, sizeof made->secret);
    memcpy(made->binding, binding, sizeof made->binding);
    const int status = turn(made, wall_clock()); /* what does not work is told here */
    if (status) {
        tls_tickets_free(made);
        return status;
    }
    *tickets = made;
    return 0;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
    if (!tickets)
        return;
    explicit_bzero(tickets, sizeof *tickets);
    mem_free(tickets);
}

int tls_tickets_current_at(struct tls_tickets *tickets, uint64_t now, struct tls_ticket_key *key)
{
    const int status = turn(tickets, now);
    if (status == 0)
        *key = tickets->slots[NOW].key;
    return status;
}

int tls_tickets_find_at(struct tls_tickets *tickets, uint64_t now, const uint8_t name[16],
                        struct tls_ticket_key *key)
{
    static const int answers[SLOTS] = {[BEFORE] = 2, [NOW] = 1, [AFTER] = 1};
    if (turn(tickets, now) != 0)
        return 0;
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *slot = &tickets->slots[i];
        if (!slot->used || memcmp(slot->key.name, name, sizeof slot->key.name) != 0)
            continue;
        *key = slot->key;
        return answers[i];
    }
    return 0;
}

int tls_tickets_current(struct tls_tickets *tickets, struct tls_ticket_key *key)
{
    return tls_tickets_current_at(tickets, wall_clock(), key);
}

int tls_tickets_find(struct tls_tickets *tickets, const uint8_t name[16],
                     struct tls_ticket_key *key)
{
    return tls_tickets_find_at(tickets, wall_clock(), name, key);
}
