/* Segments of output: bytes, or a reference to the user's, with the callback for when they are
 * sent. Queues of them are circular lists known by their tail. Small segments are kept and used
 * again. */
#include <string.h>

#include "flows/internal.h"

enum { MAX_SPARES = 16 };

struct flow_segment *segment_new(struct flow_hub *hub, size_t capacity)
{
    struct flow_segment *segment = NULL;
    if (capacity > 0 && capacity < FLOW_CORK_SIZE)
        capacity = FLOW_CORK_SIZE;
    if (capacity > SIZE_MAX - sizeof *segment)
        return NULL;
    if (capacity == FLOW_CORK_SIZE && hub->spare) {
        segment = hub->spare;
        hub->spare = segment->next;
        hub->spares--;
    } else {
        segment = mem_alloc(sizeof *segment + capacity);
        if (!segment)
            return NULL;
    }
    *segment = (struct flow_segment){.at = segment->bytes, .room = capacity, .capacity = capacity};
    return segment;
}

void segment_free(struct flow_hub *hub, struct flow_segment *segment)
{
    if (segment->capacity == FLOW_CORK_SIZE && hub->spares < MAX_SPARES) {
        segment->next = hub->spare;
        hub->spare = segment;
        hub->spares++;
    } else {
        mem_free(segment);
    }
}

void segment_append(struct flow_segment **tail, struct flow_segment *segment)
{
    if (*tail) {
        segment->next = (*tail)->next;
        (*tail)->next = segment;
    } else {
        segment->next = segment;
    }
    *tail = segment;
}

struct flow_segment *segment_take(struct flow_segment **tail)
{
    if (!*tail)
        return NULL;
    struct flow_segment *head = (*tail)->next;
    if (head == *tail)
        *tail = NULL;
    else
        (*tail)->next = head->next;
    head->next = NULL;
    return head;
}

/* Where the next byte of a segment with room goes. */
static uint8_t *segment_end(struct flow_segment *segment)
{
    return segment->bytes + (segment->capacity - segment->room);
}

int segment_copy(struct flow_hub *hub, struct flow_segment **tail, const struct iovec *parts,
                 int count, size_t skip)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    total -= skip;
    /* The room left in the last segment is used only if all fits: nothing is appended in part. A
     * segment with a callback is complete. */
    struct flow_segment *segment = *tail;
    if (!segment || segment->written || segment->room < total) {
        segment = segment_new(hub, total);
        if (!segment)
            return -ENOMEM;
        segment_append(tail, segment);
    }
    for (int i = 0; i < count; i++) {
        if (skip >= parts[i].iov_len) {
            skip -= parts[i].iov_len;
            continue;
        }
        size_t length = parts[i].iov_len - skip;
        memcpy(segment_end(segment), (const uint8_t *)parts[i].iov_base + skip, length);
        segment->room -= length;
        segment->length += length;
        skip = 0;
    }
    return 0;
}
