/* The answers that are kept, and the questions that are being asked, in one hash table by
 * question: so that two who ask the same at the same time share one query. Answers are bounded
 * in number: the one that was not used for the longest time goes first. */
#ifndef RESOLVE_CACHE_H
#define RESOLVE_CACHE_H

#include "resolve/channel.h"

struct cache_entry {
    struct cache_entry *next;          /* in its bucket */
    struct cache_entry *newer, *older; /* of those with an answer that is kept */
    struct dns_answer *answer;         /* NULL: it is being asked for */
    uint64_t expiry;                   /* by the reactor's clock; 0: it is not kept */
    uint64_t hash;
    unsigned users; /* who holds a pointer to it; the table is one */
    bool listed;    /* in the table */

    /* While it is being asked for: dns.c. */
    struct dns *dns;
    struct dns_query *queries;
    struct channel_request request;
    struct dns_small small; /* where most answers are */

    size_t length;
    uint8_t question[]; /* in small letters */
};

struct cache {
    struct cache_entry **buckets;
    size_t mask;
    struct cache_entry *newest, *oldest;
    unsigned count, limit; /* of answers kept */
    uint64_t key[2];       /* of the hash, random: names are hostile */
};

/* Keeps at most `limit` answers; 0: none. -ENOMEM. */
int cache_init(struct cache *cache, unsigned limit);
/* Lets go of all entries. */
void cache_close(struct cache *cache);

uint64_t cache_hash(const struct cache *cache, const uint8_t *question, size_t length);

/* The entry of a question; one whose time is over is dropped. NULL: none. */
struct cache_entry *cache_find(struct cache *cache, uint64_t hash, const uint8_t *question,
                               size_t length, uint64_t now);
/* A new entry, in the table, with the caller as one more user. NULL: no memory. */
struct cache_entry *cache_add(struct cache *cache, uint64_t hash, const uint8_t *question,
                              size_t length);

/* Its answer has come: it is kept until `expiry`. */
void cache_keep(struct cache *cache, struct cache_entry *entry, uint64_t expiry);
/* Takes it out of the table, if it is there. */
void cache_drop(struct cache *cache, struct cache_entry *entry);
/* One user less; the last one frees it. */
void cache_release(struct cache_entry *entry);

#endif
