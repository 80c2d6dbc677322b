/* Handshakes and talk without memory: the n-th allocation of both sides fails, for every n. Whoever
 * lacked it ends with -ENOMEM, and is not taken for one whose peer is to blame; nothing is left
 * behind, and what was delivered is right. */
#include "test/tls/starve.h"
#include "test/tls/tls.h"

/* What the other side may hear when one has failed; an alert may come in the clear where that is not
 * allowed any more. */
static bool is_consequence(int status)
{
    return status == 0 || status == -ECONNRESET || status == -CDT_ETLSALERT ||
           status == -CDT_ETLSTRUNC || status == -CDT_ETLS;
}

static void check_side(const struct ends *ends, int side, long n)
{
    const struct probe *probe = &ends->probe[side], *other = &ends->probe[1 - side];
    if (!probe_has(probe, "greeting", probe->length < 8 ? probe->length : 8))
        fail_msg("allocation %ld: %zu bytes, not those that were sent", n, probe->length);
    if (!probe->closed || probe->status == -ENOMEM)
        return;
    if (!is_consequence(probe->status))
        fail_msg("allocation %ld: %s: %s", n, cdt_errname(probe->status), probe->error);
    if (probe->status && other->closed && other->status != -ENOMEM)
        fail_msg("allocation %ld: %s and %s, and nobody says that it was memory", n,
                 cdt_errname(probe->status), cdt_errname(other->status));
}

/* Handshake, a word each way, a close. Whether it had all of its memory. */
static bool talk_without(const struct way *way, long n)
{
    struct ends ends;
    const long blocks = starve.blocks;
    ends_begin(&ends, way, NULL, NULL);
    ends_flows(&ends, 'w', NULL);
    starve_at(n);
    int status[2];
    for (int i = 0; i < 2; i++) {
        status[i] = cdt_tls_start(ends.probe[i].flow, ends.config[i], i == CLIENT ? NAME : NULL);
        assert_true(status[i] == 0 || status[i] == -ENOMEM);
        if (status[i] == 0)
            status[i] = cdt_flow_write(ends.probe[i].flow, "greeting", 8);
        if (status[i])
            cdt_flow_abort(ends.probe[i].flow, status[i], NULL);
    }
    settle(ends.reactor);
    starve.until_failure = -1;
    const bool whole = starve.failures == 0;
    for (int i = 0; i < 2; i++) {
        assert_true(ends.probe[i].length == 8 || !whole);
        if (ends.probe[i].flow)
            cdt_flow_close(ends.probe[i].flow);
    }
    until(ends.reactor, ends.probe[0].closed && ends.probe[1].closed);
    for (int i = 0; i < 2; i++) {
        check_side(&ends, i, n);
        assert_true(ends.probe[i].status == 0 || !whole);
    }
    ends_free(&ends);
    if (starve.blocks != blocks)
        fail_msg("allocation %ld: %ld blocks are left", n, starve.blocks - blocks);
    return whole;
}

static void test_each_allocation(void **state)
{
    (void)state;
    const long step = test_slow() ? 5 : 1;
    for (struct way way = {0}; way_next(&way);) {
        talk_without(&way, -1); /* what is made once in a process */
        for (int i = 0; i < 2; i++) {
            long n = 0;
            starve.alone = i == 1;
            while (!talk_without(&way, n))
                n += step;
            assert_true(n > 10); /* the hook is asked */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {flow_test(test_each_allocation)};
    if (starve_begin())
        return 1;
    return tls_main(tests);
}
