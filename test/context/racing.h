/* For tests of races: a context whose attempts start 50 ms after one another, and a probe that hears. */
#ifndef TEST_CONTEXT_RACING_H
#define TEST_CONTEXT_RACING_H

#include "test/context/race.h"

static struct cdt_reactor *reactor;
static struct cdt_context *context;
static struct probe probe;

static inline int set_up(void **state)
{
    const struct cdt_context_options options = {.size = sizeof options,
                                                .attempt_delay = 50 * CDT_MS};
    test_fds_remember(state);
    memset(&probe, 0, sizeof probe);
    reactor = test_reactor();
    assert_int_equal(cdt_context_new(reactor, &options, &context), 0);
    return 0;
}

static inline int tear_down(void **state)
{
    assert_int_equal(cdt_context_free(context), 0);
    test_end(reactor, &probe, 1);
    return test_fds_same(state);
}

/* Connects to the first of these that answers; the endpoints are freed at once, since they are
 * copied. */
static inline struct cdt_flow *race_to(struct cdt_endp **endps, size_t count,
                                       const struct cdt_flow_options *options, struct probe *hears)
{
    struct cdt_flow *flow = NULL;
    assert_int_equal(cdt_connect_endps(context, (const struct cdt_endp *const *)endps, count,
                                       options, &probe_handler, &flow),
                     0);
    assert_string_equal(cdt_context_error(context), "");
    assert_int_equal(cdt_flow_state(flow), CDT_CONNECTING);
    probe_attach(flow, hears);
    for (size_t i = 0; i < count; i++)
        cdt_endp_free(endps[i]);
    return flow;
}

static inline struct cdt_flow *race_two(const struct cdt_addr *a, const struct cdt_addr *b,
                                        const struct cdt_flow_options *options)
{
    struct cdt_endp *endps[] = {endp_of(a), endp_of(b)};
    return race_to(endps, 2, options, &probe);
}

static inline void assert_peer(const struct cdt_addr *wanted)
{
    struct cdt_addr peer;
    char a[CDT_ADDR_TEXT], b[CDT_ADDR_TEXT];
    assert_non_null(probe.flow);
    assert_int_equal(cdt_flow_dst(probe.flow, &peer), 0);
    assert_string_equal(cdt_addr_format(&peer, a), cdt_addr_format(wanted, b));
}

#define race_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
