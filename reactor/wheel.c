/* The timer wheel: setting is O(1), advancing O(levels * slots + expired timers * levels), whatever
 * the number of ticks that have passed and of timers that are set. */
#include <stddef.h>

#include "reactor/wheel.h"

/* How many timers of a slot are looked at for the exact tick of the earliest. With more of them the
 * start of the slot serves: one more turn, in which the slot is distributed to lower levels. */
#define WHEEL_SCAN 4

static void list_init(struct cdt_timer *list)
{
    list->next = list->prev = list;
}

/* Moves all of `from`, which keeps its order, to the end of `list`. */
static void list_splice(struct cdt_timer *list, struct cdt_timer *from)
{
    if (from->next == from)
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    list_init(from);
}

void wheel_init(struct wheel *wheel, uint64_t now)
{
    wheel->tick = now >> WHEEL_TICK_BITS;
    wheel->earliest = WHEEL_NO_TICK;
    list_init(&wheel->past);
    list_init(&wheel->expired);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        wheel->used[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

struct place {
    unsigned level, slot;
    uint64_t start; /* tick */
    struct cdt_timer *list;
};

static uint64_t slot_start(const struct wheel *wheel, unsigned level, unsigned slot)
{
    unsigned shift = level * WHEEL_LEVEL_BITS;
    uint64_t above = wheel->tick >> shift >> WHEEL_LEVEL_BITS;

    return (above << WHEEL_LEVEL_BITS | slot) << shift;
}

/* Finds the slot that comes first. Timers of a level come before all those of higher levels. */
static inline bool first_slot(struct wheel *wheel, struct place *place)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        while (wheel->used[level]) {
            unsigned slot = (unsigned)__builtin_ctzll(wheel->used[level]);
            struct cdt_timer *list = &wheel->slots[level][slot];

            if (list->next != list) {
                *place = (struct place){level, slot, slot_start(wheel, level, slot), list};
                return true;
            }
            wheel->used[level] &= ~(UINT64_C(1) << slot);
        }
    }
    return false;
}

static void distribute(struct wheel *wheel, struct cdt_timer *list)
{
    struct cdt_timer *timer = list->next, *next;

    list->prev->next = NULL;
    list_init(list);
    for (; timer; timer = next) {
        next = timer->next;
        wheel_insert(wheel, timer, wheel_tick_of(timer->deadline));
    }
}

/* Timers of a slot that has begun at `tick` or before: they belong to lower levels, or have
 * expired. One that is alone in its slot need not go through all the levels. */
static inline void open_slot(struct wheel *wheel, const struct place *place, uint64_t tick)
{
    struct cdt_timer *list = place->list, *first = list->next;

    wheel->used[place->level] &= ~(UINT64_C(1) << place->slot);
    if (first->next == list && wheel_tick_of(first->deadline) <= tick) {
        list_init(list);
        wheel_append(&wheel->expired, first);
    } else if (place->level == 0) {
        list_splice(&wheel->expired, list);
    } else {
        distribute(wheel, list);
    }
}

/* A lower bound for the earliest tick, from the slot that comes first: exact unless that holds many
 * timers. */
static inline uint64_t earliest_of(const struct place *place)
{
    const struct cdt_timer *timer = place->list->next;
    uint64_t earliest = timer->deadline;

    if (place->level == 0)
        return place->start;
    for (unsigned seen = 1; (timer = timer->next) != place->list; seen++) {
        if (seen == WHEEL_SCAN)
            return place->start;
        if (timer->deadline < earliest)
            earliest = timer->deadline;
    }
    return wheel_tick_of(earliest);
}

void wheel_advance(struct wheel *wheel, uint64_t now)
{
    uint64_t tick = now >> WHEEL_TICK_BITS;
    struct place place;

    wheel->earliest = WHEEL_NO_TICK;
    while (first_slot(wheel, &place)) {
        if (place.start > tick) {
            wheel->earliest = earliest_of(&place);
            break;
        }
        wheel->tick = place.start;
        open_slot(wheel, &place, tick);
    }
    wheel->tick = tick;
}

void wheel_take_past(struct wheel *wheel)
{
    list_splice(&wheel->expired, &wheel->past);
}

struct cdt_timer *wheel_pop(struct wheel *wheel)
{
    struct cdt_timer *timer = wheel->expired.next;

    if (timer == &wheel->expired)
        return NULL;
    wheel_unlink(timer);
    return timer;
}

static void forget_list(struct cdt_timer *list)
{
    struct cdt_timer *timer, *next;

    for (timer = list->next; timer != list; timer = next) {
        next = timer->next;
        timer->next = NULL;
    }
    list_init(list);
}

void wheel_forget_all(struct wheel *wheel)
{
    forget_list(&wheel->past);
    forget_list(&wheel->expired);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            forget_list(&wheel->slots[level][slot]);
}
