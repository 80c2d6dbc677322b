/* Races that end in the middle: aborted, closed, freed with their context or reactor, and what callbacks
 * may do. */
#include "test/context/racing.h"

/* ---- ends in the middle ------------------------------------------------------------------------ */

static void start_in_holes(struct hole hole[2])
{
    hole_make(&hole[0]);
    hole_make(&hole[1]);
    race_two(&hole[0].addr, &hole[1].addr, NULL);
    const uint64_t both = test_now() + 100 * CDT_MS;
    until(reactor, test_now() > both);
    assert_int_equal(probe.opened + probe.closed, 0);
}

static void end_of_holes(struct hole hole[2])
{
    hole_close(&hole[0]);
    hole_close(&hole[1]);
    assert_int_equal(probe.opened, 0);
    assert_int_equal(probe.closed, 1);
}

static void aborted(void **state)
{
    (void)state;
    struct hole hole[2];
    start_in_holes(hole);
    assert_int_equal(cdt_flow_abort(probe.flow, -EINTR, "not wanted"), 0);
    assert_int_equal(probe.closed, 0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EINTR);
    assert_string_equal(probe.error, "not wanted");
    end_of_holes(hole);
}

static void closed(void **state)
{
    (void)state;
    struct hole hole[2];
    start_in_holes(hole);
    assert_int_equal(cdt_flow_close(probe.flow), 0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    end_of_holes(hole);
}

static void context_is_freed(void **state)
{
    (void)state;
    struct hole hole[2];
    start_in_holes(hole);
    assert_int_equal(cdt_context_free(context), 0);
    context = NULL;
    assert_int_equal(probe.closed, 0);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECANCELED);
    assert_string_equal(probe.error, "the context is freed");
    end_of_holes(hole);
}

static void reactor_is_freed(void **state)
{
    (void)state;
    struct hole hole[2];
    start_in_holes(hole);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(probe.status, -ECANCELED);
    end_of_holes(hole);
    assert_null(cdt_context_reactor(context));
    assert_null(cdt_context_resolver(context));
    struct cdt_flow *flow;
    assert_int_equal(cdt_connect(context, "tcp:127.0.0.1:1", NULL, &probe_handler, &flow), -EINVAL);
    assert_int_equal(cdt_context_free(context), 0); /* also afterwards */
    context = NULL;
    reactor = test_reactor();
}

/* The reactor has not yet closed the carrier of a flow that was aborted, and an attempt
 * succeeds. */
static void aborted_when_it_was_connected(void **state)
{
    (void)state;
    struct cdt_addr good, refused;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    struct cdt_endp *endps[] = {endp_of(&good), endp_of(&refused)};
    race_to(endps, 2, NULL, &probe);
    wait_for_client(listener);
    cdt_flow_abort(probe.flow, -EINTR, NULL);
    until(reactor, probe.closed);
    assert_int_equal(probe.opened, 0);
    assert_int_equal(probe.status, -EINTR);
    close(taken);
    close(listener);
}

/* ---- in callbacks ------------------------------------------------------------------------------ */

static void abort_it(struct probe *opened)
{
    cdt_flow_abort(opened->flow, -EINTR, NULL);
}

static void free_the_context(struct probe *ended)
{
    (void)ended;
    assert_int_equal(cdt_context_free(context), 0);
    context = NULL;
}

static void aborted_in_on_open(void **state)
{
    (void)state;
    struct cdt_addr good, refused;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    probe.on_open = abort_it;
    race_two(&refused, &good, NULL);
    until(reactor, probe.closed);
    assert_int_equal(probe.opened, 1);
    assert_int_equal(probe.status, -EINTR);
    close(taken);
    close(listener);
}

static void context_is_freed_in_callbacks(void **state)
{
    (void)state;
    struct probe other = {.on_close = free_the_context};
    struct cdt_addr refused;
    struct hole hole;
    hole_make(&hole);
    const int taken = refusing("127.0.0.1", &refused);
    struct cdt_endp *holes[] = {endp_of(&hole.addr)};
    struct cdt_endp *endps[] = {endp_of(&refused), endp_of(&refused)};
    race_to(holes, 1, NULL, &probe);
    race_to(endps, 2, NULL, &other);
    until(reactor, probe.closed && other.closed);
    assert_int_equal(other.status, -ECONNREFUSED);
    assert_int_equal(probe.status, -ECANCELED);
    probe_free(&other);
    hole_close(&hole);
    close(taken);
}

static void context_is_freed_in_on_open(void **state)
{
    (void)state;
    struct cdt_addr good, refused;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    probe.on_open = free_the_context;
    race_two(&refused, &good, NULL);
    until(reactor, probe.opened);
    settle(reactor);
    assert_int_equal(probe.closed, 0); /* it does not need the context any more */
    close(taken);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        race_test(aborted),
        race_test(closed),
        race_test(context_is_freed),
        race_test(reactor_is_freed),
        race_test(aborted_when_it_was_connected),
        race_test(aborted_in_on_open),
        race_test(context_is_freed_in_callbacks),
        race_test(context_is_freed_in_on_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
