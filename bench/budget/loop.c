/* The reactor alone: turns, timers, posts. */
#include <errno.h>
#include <sys/eventfd.h>

#include "bench/budget/budget.h"

static long done;

/* ---- turns ----------------------------------------------------------------------------------- */

static struct cdt_watch watches[1000];

static void on_event(struct cdt_watch *watch, unsigned events)
{
    (void)watch, (void)events;
    done++;
}

/* The first one always has an event, or none has. */
static void begin_turns(const struct scenario *scenario)
{
    for (unsigned i = 0; i < scenario->connections; i++) {
        const int fd = eventfd(scenario->variant && i == 0, EFD_CLOEXEC);
        must(fd, "eventfd");
        watches[i].fn = on_event;
        must(cdt_watch_add(loop, &watches[i], fd, CDT_READ), "watch");
    }
}

static void turn_with_event(const struct scenario *scenario)
{
    turns(&done, done + scenario->batch);
}

static void turn_without(const struct scenario *scenario)
{
    for (unsigned i = 0; i < scenario->batch; i++)
        one_turn();
}

/* ---- timers ---------------------------------------------------------------------------------- */

enum { REARMS = 1000 };

static struct cdt_timer *timers;
static unsigned timer_count;

struct choice {
    struct cdt_timer *timer;
    uint64_t delay;
};

static struct choice *choices;

static uint64_t random_below(uint64_t limit)
{
    static uint64_t state = UINT64_C(88172645463325252);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static void on_timer(struct cdt_timer *timer)
{
    (void)timer;
    done++;
}

static void choose(struct choice *choice, struct cdt_timer *timer, uint64_t from, uint64_t below)
{
    choice->timer = timer;
    choice->delay = from + random_below(below);
}

static void set_chosen(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        cdt_timer_set(loop, choices[i].timer, choices[i].delay);
}

static void begin_timers(const struct scenario *scenario)
{
    timer_count = scenario->connections;
    timers = calloc(timer_count, sizeof *timers);
    choices = calloc(timer_count, sizeof *choices);
    if (!timers || !choices)
        must(-ENOMEM, "timers");
    for (unsigned i = 0; i < timer_count; i++)
        timers[i].fn = on_timer;
}

static void begin_rearm(const struct scenario *scenario)
{
    begin_timers(scenario);
    for (unsigned i = 0; i < timer_count; i++)
        choose(&choices[i], &timers[i], CDT_SECOND, 3600 * CDT_SECOND);
    set_chosen(timer_count);
}

static void rearm_chosen(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < REARMS; i++) {
        cdt_timer_cancel(choices[i].timer);
        cdt_timer_set(loop, choices[i].timer, choices[i].delay);
    }
}

static void rearm(const struct scenario *scenario)
{
    (void)scenario;
    for (unsigned i = 0; i < REARMS; i++)
        choose(&choices[i], &timers[random_below(timer_count)], CDT_SECOND, 3600 * CDT_SECOND);
    call(rearm_chosen, NULL);
}

static void set_all(void *arg)
{
    (void)arg;
    set_chosen(timer_count);
}

/* Deadlines within 100 ms: of a thousand, each has a turn and a sleep of its own. */
static void expire(const struct scenario *scenario)
{
    (void)scenario;
    for (unsigned i = 0; i < timer_count; i++)
        choose(&choices[i], &timers[i], 0, 100 * CDT_MS);
    world_hurries = true;
    call(set_all, NULL);
    turns(&done, done + timer_count);
}

/* ---- posts ----------------------------------------------------------------------------------- */

static struct cdt_post posts[64];

static void on_post(struct cdt_post *post)
{
    (void)post;
    done++;
}

static void begin_posts(const struct scenario *scenario)
{
    for (unsigned i = 0; i < scenario->batch; i++)
        posts[i].fn = on_post;
    begin_turns(scenario);
}

/* As a foreign loop has it: the reactor has said that it falls asleep, so that the first post wakes
 * it. */
static void post_all(void *arg)
{
    const unsigned *count = arg;
    uint64_t timeout;
    cdt_reactor_prepare(loop, &timeout);
    for (unsigned i = 0; i < *count; i++)
        must(cdt_reactor_post(loop, &posts[i]), "post");
    must(cdt_reactor_step(loop, 0), "step");
}

static void post(const struct scenario *scenario)
{
    unsigned count = scenario->batch;
    call(post_all, &count);
}

const struct scenario loop_scenarios[] = {
    {.name = "turn, 1 event",
     .begin = begin_turns,
     .round = turn_with_event,
     .warm_up = 1,
     .rounds = 1,
     .batch = 1000,
     .connections = 1,
     .variant = 1},
    {.name = "turn, 1000 idle watches",
     .begin = begin_turns,
     .round = turn_without,
     .warm_up = 1,
     .rounds = 1,
     .batch = 1000,
     .connections = 1000},
    {.name = "timer set again, 1000 pending",
     .begin = begin_rearm,
     .round = rearm,
     .warm_up = 1,
     .rounds = 20,
     .batch = REARMS,
     .connections = 1000},
    {.name = "timer set again, 100000 pending",
     .begin = begin_rearm,
     .round = rearm,
     .warm_up = 1,
     .rounds = 20,
     .batch = REARMS,
     .connections = 100000},
    {.name = "timer set and expired, 1000",
     .begin = begin_timers,
     .round = expire,
     .warm_up = 1,
     .rounds = 5,
     .batch = 1000,
     .connections = 1000},
    {.name = "timer set and expired, 100000",
     .begin = begin_timers,
     .round = expire,
     .rounds = 1,
     .batch = 100000,
     .connections = 100000},
    {.name = "post, one at a time, 1000 watches",
     .begin = begin_posts,
     .round = post,
     .warm_up = 10,
     .rounds = 1000,
     .batch = 1,
     .connections = 1000},
    {.name = "post, 64 at a time",
     .begin = begin_posts,
     .round = post,
     .warm_up = 10,
     .rounds = 50,
     .batch = 64,
     .connections = 1},
    {.name = NULL},
};
