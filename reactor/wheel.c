/* The timer wheel: setting is O(1), advancing O(levels * slots + expired timers * levels), whatever
 * the number of ticks that have passed and of timers that are set. */
#include <stddef.h>

#include "reactor/wheel.h"

/* How many timers of a slot are looked at for the exact tick of the earliest. With more of them the
 * start of the slot serves: one more turn, in which the slot is distributed to lower levels. */
#define WHEEL_SCAN 12

/* How many timers are moved to lower levels at a time: half a millisecond. */
#define WHEEL_MOVES 8192

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
    wheel->opened = NULL;
    wheel->levels = 0;
    list_init(&wheel->past);
    list_init(&wheel->expired);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        wheel->used[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

struct place {
    struct cdt_timer *list;
    unsigned level;
};

/* Finds the slot that comes first. Timers of a level come before all those of higher levels. */
static inline struct place first_slot(struct wheel *wheel)
{
    for (; wheel->levels; wheel->levels &= wheel->levels - 1) {
        unsigned level = (unsigned)__builtin_ctz(wheel->levels);
        uint64_t used = wheel->used[level];

        for (; used; wheel->used[level] = used &= used - 1) {
            struct cdt_timer *list = &wheel->slots[level][__builtin_ctzll(used)];

            if (list->next != list)
                return (struct place){list, level};
        }
    }
    return (struct place){NULL, 0};
}

/* The first tick of a timer's slot. */
static inline uint64_t slot_start(uint64_t tick, unsigned level)
{
    unsigned shift = level * WHEEL_LEVEL_BITS;

    return tick >> shift << shift;
}

/* Moves the timers of the opened slot to lower levels, each to the front and the last of them first:
 * those that are set meanwhile come after them. False if there are more than `moves`. */
static bool distribute(struct wheel *wheel, struct cdt_timer *list, unsigned *moves)
{
    struct cdt_timer *timer = list->prev, *before;

    for (; timer != list && *moves; timer = before) {
        before = timer->prev;
        wheel_append(wheel_slot(wheel, wheel_tick_of(timer->deadline))->next, timer);
        --*moves;
    }
    list->prev = timer;
    timer->next = list;
    wheel->opened = timer == list ? NULL : list;
    return timer == list;
}

/* A lower bound for the earliest tick of a slot: exact unless that holds many timers. */
static inline uint64_t earliest_of(const struct cdt_timer *list, uint64_t start)
{
    const struct cdt_timer *timer = list->next;
    uint64_t earliest = timer->deadline;

    for (unsigned seen = 1; (timer = timer->next) != list; seen++) {
        if (seen == WHEEL_SCAN)
            return start;
        if (timer->deadline < earliest)
            earliest = timer->deadline;
    }
    return wheel_tick_of(earliest);
}

/* A slot that has begun holds timers that belong to lower levels, or have expired. One that is alone
 * in its slot need not go through all the levels. */
void wheel_advance(struct wheel *wheel, uint64_t now)
{
    uint64_t tick = now >> WHEEL_TICK_BITS, earliest = WHEEL_NO_TICK;
    unsigned moves = WHEEL_MOVES;
    struct place place;

    if (wheel->opened && !distribute(wheel, wheel->opened, &moves))
        return;
    while ((place = first_slot(wheel)).list) {
        struct cdt_timer *list = place.list, *first = list->next;
        uint64_t first_tick = wheel_tick_of(first->deadline);
        uint64_t start = slot_start(first_tick, place.level);

        if (start > tick) {
            earliest = first->next == list ? first_tick : earliest_of(list, start);
            break;
        }
        wheel->tick = wheel->earliest = start;
        if (first->next == list && first_tick <= tick) {
            list_init(list);
            wheel_append(&wheel->expired, first);
        } else if (place.level == 0) {
            list_splice(&wheel->expired, list);
        } else if (!distribute(wheel, list, &moves)) {
            return;
        }
    }
    wheel->tick = tick;
    wheel->earliest = earliest;
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
