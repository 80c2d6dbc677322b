/* Connecting: attempts for the endpoints of a list, one after the other or side by side, until one
 * is connected (Happy Eyeballs version 2, RFC 8305). */
#include "context/race.h"
#include "tls/config.h"

struct cdt_flow *race_flow(const struct race *race)
{
    return race->flow;
}

struct cdt_context *race_context(const struct race *race)
{
    return race->context;
}

struct cdt_resolution **race_resolution(struct race *race)
{
    return &race->resolution;
}

/* ---- making and ending ----------------------------------------------------------------------- */

static cdt_timer_fn on_delay;

struct race *race_new(size_t slots)
{
    struct race *race = mem_zalloc(sizeof *race + slots * sizeof(struct cdt_endp *));
    if (!race)
        return NULL;
    list_init(&race->link);
    race->attempt_end = &race->attempts;
    race->slots = slots;
    race->timer.fn = on_delay;
    return race;
}

void race_set_backend(struct race *race, enum cdt_tls_backend backend)
{
    race->tls_backend = backend;
}

/* This host over one family. */
static int loopback(const char *ip, uint32_t port, struct cdt_endp **endp)
{
    struct cdt_addr addr;
    cdt_addr_ip(&addr, ip, (uint16_t)port);
    return cdt_endp_tcp(&addr, endp);
}

int race_add(struct race *race, const struct cdt_endp *endp)
{
    const bool is_here = endp->kind == CDT_ENDP_HOST && endp->name_length == 0;
    struct cdt_endp **at = &race->own[race->count];
    const size_t count = is_here ? 2 : 1;
    if (race->count + count > race->slots)
        return 0; /* more are not tried */
    race->count += count;
    if (!is_here)
        return cdt_endp_copy(endp, at);
    const int status = loopback("::1", endp->number, &at[0]);
    return status ? status : loopback("127.0.0.1", endp->number, &at[1]);
}

/* Nothing more will happen; the attempts are kept. */
static void stop(struct race *race)
{
    cdt_timer_cancel(&race->timer);
    for (struct attempt *attempt = race->attempts; attempt; attempt = attempt->next)
        attempt_close(attempt);
    cdt_resolution_free(race->resolution);
    race->resolution = NULL;
    list_remove(&race->link);
}

void race_free(struct race *race)
{
    stop(race);
    while (race->attempts) {
        struct attempt *attempt = race->attempts;
        race->attempts = attempt->next;
        mem_free(attempt->own_why);
        mem_free(attempt);
    }
    for (size_t i = 0; i < race->count; i++)
        cdt_endp_free(race->own[i]);
    tls_config_put(race->tls_wanted);
    tls_config_put(race->tls);
    mem_free(race->text);
    mem_free(race);
}

/* The race is freed when the flow closes its carrier. */
static void end(struct race *race, int status, const char *text)
{
    flow_end(race->flow, status, text);
    stop(race);
}

void race_cancel_all(struct cdt_context *context)
{
    while (!list_empty(&context->races))
        end(cdt_container_of(context->races.next, struct race, link), -ECANCELED,
            "the context is freed");
}

/* ---- which one is next ----------------------------------------------------------------------- */

/* The endpoints so far. A resolution that failed has none: what it has is the reason. */
static const struct cdt_endp *const *endps(const struct race *race, size_t *count)
{
    *count = race->count;
    if (!race->resolution)
        return (const struct cdt_endp *const *)race->own;
    if (cdt_resolution_status(race->resolution) >= 0)
        return cdt_resolution_endps(race->resolution, count);
    *count = 0;
    return NULL;
}

static bool more_may_come(const struct race *race)
{
    return race->resolution && cdt_resolution_status(race->resolution) > 0;
}

/* Families take turns. What is no TCP has a family of its own. */
static int family(const struct cdt_endp *endp)
{
    const struct cdt_endp *base = cdt_endp_base(endp);
    return base->kind == CDT_ENDP_TCP ? base->addr.any.sa_family : AF_UNSPEC;
}

static bool was_tried(const struct race *race, const struct cdt_endp *endp)
{
    const struct attempt *attempt = race->attempts;
    while (attempt && attempt->endp != endp)
        attempt = attempt->next;
    return attempt;
}

static uint32_t group(const struct race *race, size_t index)
{
    return race->resolution ? resolution_group(race->resolution, index) : 0;
}

/* The first of another family than the last one; else the first; of the group that is first. NULL:
 * none now. The list may have grown, and its order changed, since the last call. */
static const struct cdt_endp *next_endp(const struct race *race)
{
    const struct cdt_endp *first = NULL;
    uint32_t of_first = 0;
    size_t count;
    const struct cdt_endp *const *list = endps(race, &count);
    if (race->attempt_count == RACE_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (was_tried(race, list[i]))
            continue;
        if (first && group(race, i) != of_first)
            break;
        if (!race->last || family(list[i]) != family(race->last->endp))
            return list[i];
        if (!first) {
            first = list[i];
            of_first = group(race, i);
        }
    }
    return first;
}

/* ---- running --------------------------------------------------------------------------------- */

static struct attempt *attempt_new(struct race *race, const struct cdt_endp *endp)
{
    struct attempt *attempt = mem_zalloc(sizeof *attempt);
    if (!attempt)
        return NULL;
    attempt->race = race;
    attempt->endp = endp;
    attempt->base = cdt_endp_base(endp);
    attempt->carrier.fd = -1;
    *race->attempt_end = race->last = attempt;
    race->attempt_end = &attempt->next;
    race->attempt_count++;
    return attempt;
}

static int start(struct attempt *attempt)
{
    const struct context_row *row = context_row(attempt->endp);
    if (row->connect)
        return row->connect(attempt);
    attempt->why = row->no_connect;
    return -EPROTONOSUPPORT;
}

/* The flow goes on with the carrier of this attempt, and gets the layers that the endpoint asks for;
 * the race is over: 0, or why the carrier cannot be used. */
static int win(struct attempt *attempt)
{
    struct race *race = attempt->race;
    cdt_watch_remove(&attempt->watch);
    const int status =
        flow_set_carrier(race->flow, attempt->ops, &attempt->carrier, false, &attempt->addr);
    if (status)
        return status;
    attempt->ops = NULL;
    unsigned depth = 0;
    const int pushed = race_push_tls(race, attempt->endp, &depth);
    if (pushed)
        flow_end(race->flow, pushed, NULL);
    race_free(race);
    return 0;
}

/* What an attempt has come to. True: it has won, and the race is gone. */
static bool settle(struct attempt *attempt, int status)
{
    struct race *race = attempt->race;
    if (status == -EAGAIN)
        return false;
    if (status == 0)
        status = win(attempt);
    if (status == 0)
        return true;
    attempt_close(attempt);
    attempt->status = status;
    if (!attempt->skipped || !race->status)
        race->status = status;
    race->due = true;
    return false;
}

static bool any_goes_on(const struct race *race)
{
    const struct attempt *attempt = race->attempts;
    while (attempt && !attempt->ops)
        attempt = attempt->next;
    return attempt;
}

/* Nothing is left to try. */
static void fail(struct race *race)
{
    const char *text = race_describe(race);
    int status = race->status;
    if (!race->attempts && race->resolution) {
        status = cdt_resolution_status(race->resolution);
        text = cdt_resolution_error(race->resolution);
    }
    if (status == 0) {
        status = -CDT_ENODATA;
        text = "the name has no endpoints";
    }
    end(race, status, text && *text ? text : NULL);
}

void race_advance(struct race *race)
{
    const struct cdt_endp *endp;
    while (race->due && (endp = next_endp(race))) {
        struct attempt *attempt = attempt_new(race, endp);
        if (!attempt) {
            end(race, -ENOMEM, NULL);
            return;
        }
        if (settle(attempt, start(attempt)))
            return;
        if (!attempt->ops) /* it failed */
            continue;
        race->due = false;
        cdt_timer_set(cdt_flow_reactor(race->flow), &race->timer, race->delay);
    }
    const bool in_call = race->in_call;
    race->in_call = false;
    if (any_goes_on(race) || more_may_come(race))
        return;
    if (in_call) /* who has just called gets a flow that is connecting */
        cdt_timer_set(cdt_flow_reactor(race->flow), &race->timer, 0);
    else
        fail(race);
}

/* Also called when the flow has ended, and its carrier is not closed yet. */
static bool goes_on(struct race *race)
{
    if (cdt_flow_state(race->flow) == CDT_CONNECTING)
        return true;
    stop(race);
    return false;
}

void race_answer(struct attempt *attempt, int status)
{
    struct race *race = attempt->race;
    if (goes_on(race) && !settle(attempt, status))
        race_advance(race);
}

static void on_delay(struct cdt_timer *timer)
{
    struct race *race = cdt_container_of(timer, struct race, timer);
    race->due = true;
    if (goes_on(race))
        race_advance(race);
}

void race_resolved(void *user, struct cdt_resolution *resolution)
{
    struct race *race = user;
    (void)resolution;
    if (goes_on(race))
        race_advance(race);
}
