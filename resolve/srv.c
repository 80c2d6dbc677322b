/* SRV records (RFC 2782): the order of their targets, and looking for those. */
#include "resolve/message.h"
#include "resolve/resolver.h"

/* Lower priorities first; within one those without weight, for the choice by weight (page 4). */
static bool is_before(const struct dns_srv *a, const struct dns_srv *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->weight == 0 && b->weight != 0;
}

static void sort(const struct dns_srv *records, unsigned count, uint8_t *order)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && is_before(&records[i], &records[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

/* One of those that are left of a priority, as likely as its weight is large. */
static unsigned choose(const struct dns_srv *records, const uint8_t *order, unsigned count,
                       uint64_t *random)
{
    uint64_t sum = 0, at = 0;
    for (unsigned i = 0; i < count; i++)
        sum += records[order[i]].weight;
    const uint64_t wanted = resolver_random(random) % (sum + 1);
    for (unsigned i = 0; i < count; i++) {
        at += records[order[i]].weight;
        if (at >= wanted)
            return i;
    }
    return 0;
}

static void shuffle(const struct dns_srv *records, uint8_t *order, unsigned count, uint64_t *random)
{
    for (; count > 1; order++, count--) {
        const unsigned chosen = choose(records, order, count, random);
        const uint8_t first = order[chosen];
        for (unsigned i = chosen; i > 0; i--) /* the others stay as they are */
            order[i] = order[i - 1];
        order[0] = first;
    }
}

void srv_order(const struct dns_srv *records, unsigned count, uint64_t *random,
               uint8_t order[DNS_RECORDS_MAX])
{
    sort(records, count, order);
    for (unsigned i = 0, end; i < count; i = end) {
        for (end = i; end < count; end++) {
            if (records[order[end]].priority != records[order[i]].priority)
                break;
        }
        shuffle(records, order + i, end - i, random);
    }
}

static struct lookup *look_for(struct cdt_resolution *resolution, const struct dns_srv *record)
{
    char name[DNS_NAME_MAX];
    size_t length = 0;
    for (; record->target[length]; length++)
        name[length] = (char)message_lower((uint8_t)record->target[length]);
    name[length] = 0;
    struct lookup *target = lookup_add(resolution, name, record->port);
    if (target)
        target->absolute = true;
    return target;
}

void srv_follow(struct lookup *lookup, const struct dns_answer *answer)
{
    struct cdt_resolution *resolution = lookup->resolution;
    const unsigned count = answer->count < DNS_RECORDS_MAX ? answer->count : DNS_RECORDS_MAX;
    uint8_t order[DNS_RECORDS_MAX];
    unsigned targets = 0;
    srv_order(answer->srv, count, &resolution->resolver->random, order);
    lookup->done = true;
    for (unsigned i = 0; i < count && targets < SRV_TARGETS_MAX; i++) {
        const struct dns_srv *record = &answer->srv[order[i]];
        if (!*record->target)
            continue;
        if (!look_for(resolution, record)) {
            lookup->status = -ENOMEM;
            break;
        }
        targets++;
    }
    if (!targets && !lookup->status)
        lookup->status = -CDT_ENODATA;
}
