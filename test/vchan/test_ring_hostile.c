/* Somebody who writes whatever he likes into the shared page while data moves: both flows keep to
 * their memory (which lies between pages that cannot be touched, and is watched by the sanitizers),
 * go on or end with an error, and always end in time. */
#include <pthread.h>

#include "test/support/probe.h"
#include "test/support/vchan_pair.h"

/* ---- the thread that flips ------------------------------------------------------------------- */

struct hostile {
    pthread_t thread;
    struct vchan_layout layout;
    size_t from, to; /* the bytes of the page that it flips */
    bool restores;   /* a moment later: data goes on moving */
    _Atomic bool stop;
    uint64_t random;
};

static uint64_t next_random(struct hostile *hostile)
{
    hostile->random ^= hostile->random << 13;
    hostile->random ^= hostile->random >> 7;
    hostile->random ^= hostile->random << 17;
    return hostile->random;
}

static void rest(unsigned length)
{
    for (volatile unsigned i = 0; i < length; i++)
        ;
}

/* It has no manners: what it does is no business of the thread sanitizer. */
static __attribute__((no_sanitize("thread"))) void *flip(void *arg)
{
    struct hostile *hostile = arg;
    volatile uint8_t *page = (volatile uint8_t *)hostile->layout.page;
    while (!hostile->stop) {
        for (size_t i = hostile->from; i < hostile->to && !hostile->stop; i++) {
            const uint8_t before = page[i];
            page[i] = (uint8_t)next_random(hostile);
            rest(next_random(hostile) % 16);
            if (hostile->restores)
                page[i] = before;
            rest(next_random(hostile) % 4096);
        }
    }
    return NULL;
}

/* ---- its victims ----------------------------------------------------------------------------- */

struct victim {
    struct cdt_flow *flow;
    int status;
    bool closed;
    size_t bytes;
};

static struct victim victims[2];

static struct victim *victim_of(const struct cdt_flow *flow)
{
    return &victims[victims[1].flow == flow];
}

/* Looks at each byte, and sends it back. */
static void victim_read(struct cdt_flow *flow, const void *data, size_t length)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
    victim_of(flow)->bytes += length;
    if (cdt_flow_write(flow, data, length) == 1)
        cdt_flow_pause(flow);
}

static void victim_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

static void victim_close(struct cdt_flow *flow, int status)
{
    victim_of(flow)->closed = true;
    victim_of(flow)->status = status;
}

static const struct cdt_handler victim_handler = {
    .size = sizeof victim_handler,
    .on_read = victim_read,
    .on_writable = victim_writable,
    .on_close = victim_close,
};

static bool is_expected(int status)
{
    return status == 0 || status == -EPROTO || status == -ECONNRESET || status == -ETIMEDOUT ||
           status == -CDT_ESTALLED;
}

/* Both flows send each other bytes, for `time` at most; then they are closed, which takes no longer
 * than their timeouts. */
static void suffer(struct hostile *hostile, uint64_t time, uint64_t spin)
{
    const struct cdt_flow_options options = {
        .size = sizeof options, .linger_timeout = 20 * CDT_MS, .write_stall_timeout = 20 * CDT_MS};
    static uint8_t data[20 * 1000];
    struct cdt_reactor *reactor = test_reactor();
    struct vchan *ends[2];
    int fd[2];
    vchan_page_init(hostile->layout.page, hostile->layout.left_order, hostile->layout.right_order);
    pair_sockets(fd);
    for (int i = 0; i < 2; i++) {
        ends[i] = pair_end(&hostile->layout, i == 0, fd[i]);
        assert_non_null(ends[i]);
        ends[i]->spin = spin;
    }
    memset(victims, 0, sizeof victims);
    for (int i = 0; i < 2; i++) {
        victims[i].flow = pair_flow(reactor, ends[i], &options, &victim_handler);
        assert_int_equal(cdt_flow_write(victims[i].flow, data, sizeof data), 0);
    }
    hostile->stop = false;
    assert_int_equal(pthread_create(&hostile->thread, NULL, flip, hostile), 0);
    const uint64_t end = test_now() + time;
    while (!victims[0].closed && !victims[1].closed && test_now() < end)
        cdt_reactor_step(reactor, CDT_MS);
    for (int i = 0; i < 2; i++) {
        if (!victims[i].closed)
            cdt_flow_close(victims[i].flow);
    }
    until(reactor, victims[0].closed && victims[1].closed);
    hostile->stop = true;
    pthread_join(hostile->thread, NULL);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    for (int i = 0; i < 2; i++) {
        if (!is_expected(victims[i].status))
            fail_msg("a flow ended with %d", victims[i].status);
    }
}

static void rounds(size_t from, size_t to, unsigned left_order, unsigned right_order)
{
    const int count = test_slow() ? 20 : 100;
    struct hostile hostile = {.from = from, .to = to, .random = 88172645463325252u};
    size_t moved = 0;
    int broken = 0;
    hostile.layout = pair_layout(left_order, right_order);
    for (int i = 0; i < count; i++) {
        hostile.restores = i % 2;
        suffer(&hostile, 20 * CDT_MS, i % 4 < 2 ? 0 : 50 * CDT_US);
        moved += victims[0].bytes + victims[1].bytes;
        broken += victims[0].status == -EPROTO || victims[1].status == -EPROTO;
    }
    fprintf(stderr, "%zu bytes moved; in %d of %d rounds a flow ended with -EPROTO\n", moved,
            broken, count);
    assert_true(moved > 0);
    if (from == 0)
        assert_true(broken > 0);
    pair_layout_free(&hostile.layout);
}

static void every_byte(void **state)
{
    (void)state;
    rounds(0, VCHAN_PAGE, 10, 11);
    rounds(0, VCHAN_PAGE, 12, 13);
}

static void the_head(void **state)
{
    (void)state;
    rounds(0, sizeof(struct vchan_page), 11, 10);
    rounds(0, sizeof(struct vchan_page), 12, 12);
}

static void live_and_notify_bytes(void **state)
{
    (void)state;
    rounds(offsetof(struct vchan_page, cli_live), sizeof(struct vchan_page), 10, 11);
}

static void the_bytes_in_the_page(void **state)
{
    (void)state;
    rounds(sizeof(struct vchan_page), VCHAN_PAGE, 10, 11);
}

/* Lies told one at a time, with nobody racing: each ends in an error, or in nothing. */
static void single_bytes(void **state)
{
    (void)state;
    struct hostile hostile = {.random = 1};
    hostile.layout = pair_layout(10, 11);
    volatile uint8_t *page = (volatile uint8_t *)hostile.layout.page;
    for (size_t at = 0; at < sizeof(struct vchan_page); at++) {
        struct cdt_reactor *reactor = test_reactor();
        int fd[2];
        pair_sockets(fd);
        vchan_page_init(hostile.layout.page, 10, 11);
        struct vchan *vchan = pair_end(&hostile.layout, true, fd[0]);
        memset(victims, 0, sizeof victims);
        victims[0].flow = pair_flow(reactor, vchan, NULL, &victim_handler);
        settle(reactor);
        page[at] ^= 0x80;
        assert_int_equal(send(fd[1], "", 1, 0), 1);
        settle(reactor);
        if (!victims[0].closed)
            cdt_flow_write(victims[0].flow, "x", 1);
        settle(reactor);
        /* left.prod, whose first byte is a length that is possible; right.cons; cli_live, of which
         * only that it is not one of three counts */
        const bool lie = (at >= 5 && at < 8) || (at >= 8 && at < 12) || at == 20;
        assert_int_equal(victims[0].closed, lie);
        if (lie)
            assert_int_equal(victims[0].status, -EPROTO);
        if (!victims[0].closed)
            cdt_flow_abort(victims[0].flow, 0, NULL);
        settle(reactor);
        close(fd[1]);
        assert_int_equal(cdt_reactor_free(reactor), 0);
    }
    pair_layout_free(&hostile.layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(single_bytes),
        flow_test(every_byte),
        flow_test(the_head),
        flow_test(live_and_notify_bytes),
        flow_test(the_bytes_in_the_page),
    };
    return cmocka_run_group_tests_name("vchan: a hostile ring", tests, NULL, NULL);
}
