/* A hierarchical timer wheel: a data structure that knows neither clocks nor system calls.
 *
 * A tick is 1.024 us. Level 0 holds 64 slots of one tick, level n 64 slots of 64^n ticks; a
 * timer sits in the level of the highest bit in which its tick differs from the wheel's. Each
 * level has a bitmap of the slots in use. A bit may be stale, since cancelling does not know the
 * wheel: whoever looks for the next slot clears it. */
#ifndef REACTOR_WHEEL_H
#define REACTOR_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include <conduit/reactor.h>

#define WHEEL_TICK_BITS  10
#define WHEEL_LEVEL_BITS 6
#define WHEEL_SLOTS      (1u << WHEEL_LEVEL_BITS)
#define WHEEL_LEVELS     9
#define WHEEL_LAST       ((uint64_t)INT64_MAX) /* later deadlines are kept as this one */
#define WHEEL_NO_TICK    UINT64_MAX

struct wheel {
    uint64_t tick;         /* all earlier ticks, and this one, have expired */
    uint64_t earliest;     /* no timer is set for an earlier tick; WHEEL_NO_TICK if none is set */
    struct cdt_timer past; /* set with a deadline that was over already */
    struct cdt_timer expired; /* to be run in this turn */
    struct cdt_timer *opened; /* a slot whose timers are on their way to lower levels; or NULL */
    unsigned levels;          /* bitmap of those with a bit in `used` */
    uint64_t used[WHEEL_LEVELS];
    struct cdt_timer slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, uint64_t now);

/* Appends all timers that are due at `now` to `expired`, in order. Where very many have to be moved
 * before, it does a part, and wheel_is_due() remains true. */
void wheel_advance(struct wheel *wheel, uint64_t now);

/* Appends the list `past` to `expired`. */
void wheel_take_past(struct wheel *wheel);

/* Takes the first of `expired`; NULL if there is none. */
struct cdt_timer *wheel_pop(struct wheel *wheel);

/* Marks every timer as not set. */
void wheel_forget_all(struct wheel *wheel);

static inline bool wheel_is_due(const struct wheel *wheel, uint64_t now)
{
    return now >> WHEEL_TICK_BITS >= wheel->earliest;
}

/* When to look at the wheel again, in ns; CDT_NEVER if no timer is set. */
static inline uint64_t wheel_next(const struct wheel *wheel)
{
    return wheel->earliest == WHEEL_NO_TICK ? CDT_NEVER : wheel->earliest << WHEEL_TICK_BITS;
}

static inline void wheel_unlink(struct cdt_timer *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = NULL;
}

static inline void wheel_append(struct cdt_timer *list, struct cdt_timer *timer)
{
    timer->next = list;
    timer->prev = list->prev;
    list->prev->next = timer;
    list->prev = timer;
}

/* The first tick that does not begin before the deadline: a timer is never early. */
static inline uint64_t wheel_tick_of(uint64_t deadline)
{
    return (deadline + (1u << WHEEL_TICK_BITS) - 1) >> WHEEL_TICK_BITS;
}

/* The list to which a timer with this tick belongs. */
static inline struct cdt_timer *wheel_slot(struct wheel *wheel, uint64_t tick)
{
    /* The lowest bit stands for "level 0" where the two do not differ. */
    unsigned bit = 63u - (unsigned)__builtin_clzll((tick ^ wheel->tick) | 1);
    unsigned level = bit / WHEEL_LEVEL_BITS;
    unsigned slot = (unsigned)(tick >> (level * WHEEL_LEVEL_BITS)) % WHEEL_SLOTS;

    wheel->levels |= 1u << level;
    wheel->used[level] |= UINT64_C(1) << slot;
    return &wheel->slots[level][slot];
}

/* Sets or sets again. False: the deadline is not after `now`, the timer is on the list `past`. */
static inline bool wheel_set(struct wheel *wheel, struct cdt_timer *timer, uint64_t deadline,
                             uint64_t now)
{
    uint64_t tick;

    if (timer->next)
        wheel_unlink(timer);
    if (deadline > WHEEL_LAST)
        deadline = WHEEL_LAST;
    timer->deadline = deadline;
    if (deadline <= now) {
        wheel_append(&wheel->past, timer);
        return false;
    }
    tick = wheel_tick_of(deadline);
    if (tick < wheel->earliest)
        wheel->earliest = tick;
    wheel_append(wheel_slot(wheel, tick), timer);
    return true;
}

#endif
