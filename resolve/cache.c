#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "resolve/cache.h"

enum { BUCKETS_MIN = 256, BUCKETS_MAX = 65536 };

/* ---- the hash: SipHash-1-3 ------------------------------------------------------------------- */

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t cache_hash(const struct cache *cache, const uint8_t *bytes, size_t length)
{
    const uint64_t *key = cache->key;
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word = 0;
    size_t i;

    for (i = 0; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        sip_word(v, word);
    }
    word = (uint64_t)length << 56;
    for (unsigned shift = 0; i < length; i++, shift += 8)
        word |= (uint64_t)bytes[i] << shift;
    sip_word(v, word);
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Early in the boot the kernel may have no random numbers yet: the clock is better than nothing. */
static void make_key(uint64_t key[2])
{
    struct timespec now;

    if (getrandom(key, 2 * sizeof key[0], GRND_NONBLOCK) == 2 * sizeof key[0])
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    key[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)(uintptr_t)key;
    key[1] = (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&now;
}

/* ---- answers that are kept, by age ----------------------------------------------------------- */

static void link_newest(struct cache *cache, struct cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void unlink_aged(struct cache *cache, struct cache_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

void cache_keep(struct cache *cache, struct cache_entry *entry, uint64_t expiry)
{
    entry->expiry = expiry;
    link_newest(cache, entry);
    if (++cache->count > cache->limit)
        cache_drop(cache, cache->oldest);
}

/* ---- the table ------------------------------------------------------------------------------- */

int cache_init(struct cache *cache, unsigned limit)
{
    size_t size = BUCKETS_MIN;

    while (size < 2 * (size_t)limit && size < BUCKETS_MAX)
        size *= 2;
    *cache = (struct cache){.mask = size - 1, .limit = limit};
    make_key(cache->key);
    cache->buckets = mem_zalloc(size * sizeof(struct cache_entry *));
    return cache->buckets ? 0 : -ENOMEM;
}

void cache_close(struct cache *cache)
{
    for (size_t i = 0; cache->buckets && i <= cache->mask; i++)
        while (cache->buckets[i])
            cache_drop(cache, cache->buckets[i]);
    mem_free(cache->buckets);
}

static bool is_for(const struct cache_entry *entry, uint64_t hash, const uint8_t *question,
                   size_t length)
{
    return entry->hash == hash && entry->length == length &&
           !memcmp(entry->question, question, length);
}

struct cache_entry *cache_find(struct cache *cache, uint64_t hash, const uint8_t *question,
                               size_t length, uint64_t now)
{
    struct cache_entry *entry = cache->buckets[hash & cache->mask];

    while (entry && !is_for(entry, hash, question, length))
        entry = entry->next;
    if (!entry || !entry->expiry)
        return entry;
    if (now >= entry->expiry) {
        cache_drop(cache, entry);
        return NULL;
    }
    unlink_aged(cache, entry);
    link_newest(cache, entry);
    return entry;
}

struct cache_entry *cache_add(struct cache *cache, uint64_t hash, const uint8_t *question,
                              size_t length)
{
    struct cache_entry *entry = mem_alloc(sizeof *entry + length), **bucket;

    if (!entry)
        return NULL;
    memset(entry, 0, offsetof(struct cache_entry, small));
    memcpy(entry->question, question, length);
    entry->length = length;
    entry->hash = hash;
    entry->users = 2;
    entry->listed = true;
    bucket = &cache->buckets[hash & cache->mask];
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

void cache_drop(struct cache *cache, struct cache_entry *entry)
{
    struct cache_entry **link = &cache->buckets[entry->hash & cache->mask];

    if (!entry->listed)
        return;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    entry->listed = false;
    if (entry->expiry) {
        unlink_aged(cache, entry);
        cache->count--;
    }
    cache_release(entry);
}

void cache_release(struct cache_entry *entry)
{
    if (--entry->users)
        return;
    if (entry->answer != &entry->small.answer)
        mem_free(entry->answer);
    mem_free(entry);
}
