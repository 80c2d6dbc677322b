/* Many flows over TCP, Unix sockets and in memory, random operations, each byte checked against
 * where it must be in its stream. The seed is printed; SEED in the environment repeats a run. With
 * memory that runs out at random nothing breaks, hangs or is lost track of. */
#include "test/support/serve.h"
#include "test/support/toy.h"

#include <conduit/conduit.h>

enum { PAIRS = 12 };

static unsigned random_state;
static unsigned scarcity; /* one in so many requests for memory fails; 0: none */
static unsigned memory_random;
static long blocks; /* of memory in use */

static unsigned any(unsigned below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

struct end {
    struct cdt_flow *flow; /* NULL after on_close */
    struct end *other;
    size_t written, read;   /* positions in the streams */
    bool shut, eof, harmed; /* aborted, or something failed */
    int opened, closed, status;
    struct toy toy;
    struct cdt_timer timer; /* resumes */
    uint8_t *owned;
};

static int released, taken;

static void release(void *arg, int status)
{
    (void)status;
    free(arg);
    released++;
}

static struct end *end_of(struct cdt_flow *flow)
{
    return *(struct end **)cdt_flow_data(flow);
}

static void on_open(struct cdt_flow *flow)
{
    end_of(flow)->opened++;
}

static void resume(struct cdt_timer *timer)
{
    struct end *end = cdt_container_of(timer, struct end, timer);
    if (end->flow)
        cdt_flow_resume(end->flow);
}

static void act(struct end *end);

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    struct end *end = end_of(flow);
    assert_true(test_is_pattern(data, length, end->read));
    size_t mine = any(4) ? length : any((unsigned)length + 1);
    if (mine < length && cdt_flow_unread(flow, (const uint8_t *)data + mine, length - mine)) {
        end->harmed = true;
        cdt_flow_abort(flow, -ENOMEM, NULL);
    }
    end->read += mine;
    if (any(3) == 0)
        act(end);
    if (any(20) == 0)
        act(end->other);
    if (end->flow && any(5) == 0) {
        cdt_flow_pause(flow);
        end->timer.fn = resume;
        cdt_timer_set(cdt_flow_reactor(flow), &end->timer, any(2000) * CDT_US);
    }
}

static void on_eof(struct cdt_flow *flow)
{
    struct end *end = end_of(flow);
    end->eof = true;
    if (any(2))
        act(end);
}

static void on_writable(struct cdt_flow *flow)
{
    act(end_of(flow));
}

static void on_close(struct cdt_flow *flow, int status)
{
    struct end *end = end_of(flow);
    end->closed++;
    end->status = status;
    if (status)
        end->harmed = true;
    cdt_timer_cancel(&end->timer);
    assert_int_equal(end->closed, 1);
    end->flow = NULL;
}

static const struct cdt_handler handler = {.size = sizeof handler,
                                           .user_size = sizeof(struct end *),
                                           .on_open = on_open,
                                           .on_read = on_read,
                                           .on_eof = on_eof,
                                           .on_writable = on_writable,
                                           .on_close = on_close};

static void write_some(struct end *end)
{
    static uint8_t data[100000];
    size_t length = any(3) ? any(100) : any(sizeof data);
    int result;
    test_pattern(data, length, end->written);
    switch (any(4)) {
    case 0:
        result = cdt_flow_write(end->flow, data, length);
        break;
    case 1: {
        struct iovec parts[3] = {
            {data, length / 3}, {data + length / 3, 0}, {data + length / 3, length - length / 3}};
        result = cdt_flow_writev(end->flow, parts, 3);
        break;
    }
    case 2:
        result = cdt_flow_write_nodelay(end->flow, data, length, NULL, NULL);
        break;
    default: {
        uint8_t *owned = malloc(length + 1);
        assert_non_null(owned);
        memcpy(owned, data, length);
        result = cdt_flow_write_owned(end->flow, owned, length, release, owned);
        if (result < 0)
            free(owned);
        else
            taken++;
    }
    }
    if (result >= 0)
        end->written += length;
}

static void act(struct end *end)
{
    if (!end->flow)
        return;
    unsigned what = any(100);
    if (what < 80) {
        write_some(end);
    } else if (what < 84) {
        cdt_flow_shutdown(end->flow, CDT_SHUT_WRITE);
        end->shut = true;
    } else if (what < 86) {
        cdt_flow_close(end->flow);
        end->shut = true;
    } else if (what < 87) {
        end->harmed = true;
        cdt_flow_abort(end->flow, any(2) ? -EIO : 0, "stress");
    } else if (what < 90) {
        cdt_flow_flush(end->flow);
        cdt_carrier_ready(end->flow, CDT_READ | CDT_WRITE);
    } else if (what < 93) {
        size_t low = any(1000);
        cdt_flow_set_watermarks(end->flow, low, low + any(100000), 10000000);
    } else if (what < 95) {
        cdt_flow_set_timeout(end->flow, CDT_TIMEOUT_IDLE, any(2) ? 0 : 100 * CDT_SECOND);
    } else {
        cdt_flow_resume(end->flow);
    }
}

/* 0, or -ENOMEM with nothing made. */
static int make(struct cdt_reactor *reactor, struct end end[2])
{
    struct cdt_flow *flow[2];
    int fd[2], result;
    memset(end, 0, 2 * sizeof *end);
    unsigned kind = any(3);
    if (kind == 0) {
        result = cdt_flow_pair(reactor, any(5000), NULL, &handler, &handler, &flow[0], &flow[1]);
        if (result)
            return result;
    } else {
        if (kind == 1)
            test_tcp_sockets(fd);
        else
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        result = cdt_flow_adopt(reactor, fd[0], NULL, &handler, &flow[0]);
        if (result) {
            close(fd[0]);
            close(fd[1]);
            return result;
        }
        result = cdt_flow_adopt(reactor, fd[1], NULL, &handler, &flow[1]);
        if (result) {
            static struct end lost;
            memset(&lost, 0, sizeof lost);
            *(struct end **)cdt_flow_data(flow[0]) = &lost;
            cdt_flow_abort(flow[0], 0, NULL);
            close(fd[1]);
            cdt_reactor_step(reactor, 0);
            cdt_reactor_step(reactor, 0);
            assert_int_equal(lost.closed, 1);
            return result;
        }
    }
    for (int i = 0; i < 2; i++) {
        *(struct end **)cdt_flow_data(flow[i]) = &end[i];
        end[i].flow = flow[i];
        end[i].other = &end[!i];
    }
    if (any(2)) {
        for (int i = 0; i < 2; i++) {
            end[i].toy = (struct toy){
                .client = i == 0, .key = (uint8_t)any(256), .record = any(3) ? 0 : 1 + any(500)};
            end[i].toy.key = end[0].toy.key;
            const struct cdt_layer_ops *ops[] = {&toy_ops, &toy_lazy, &toy_greedy};
            if (cdt_flow_push(flow[i], ops[any(3)], &end[i].toy))
                cdt_flow_abort(flow[i], -ENOMEM, NULL);
        }
    }
    return 0;
}

static void check_pair(const struct end end[2])
{
    bool harmed = end[0].harmed || end[1].harmed;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(end[i].closed, 1);
        bool layered = end[0].toy.freed || end[1].toy.freed;
        if (harmed && layered)
            continue; /* a part of what failed may have gone out */
        assert_true(end[i].read <= end[!i].written);
        if (harmed || !end[i].opened) /* closed before it was open: hears nothing */
            continue;
        assert_int_equal(end[i].read, end[!i].written);
    }
}

static void run(unsigned rounds)
{
    static struct end ends[PAIRS][2];
    struct cdt_reactor *reactor = NULL;
    uint64_t deadline = test_deadline();
    while (cdt_reactor_new(NULL, &reactor))
        ;
    memset(ends, 0, sizeof ends);
    released = taken = 0;
    for (unsigned round = 0; round < rounds; round++) {
        struct end *pair = ends[any(PAIRS)];
        if (!pair[0].flow && !pair[1].flow) {
            if (pair[0].other)
                check_pair(pair);
            memset(pair, 0, 2 * sizeof *pair);
            (void)make(reactor, pair);
        }
        act(&pair[any(2)]);
        cdt_reactor_step(reactor, any(10) ? 0 : 100 * CDT_US);
        assert_true(test_now() < deadline);
    }
    for (int i = 0; i < PAIRS; i++) {
        for (int j = 0; j < 2; j++) {
            if (ends[i][j].flow)
                cdt_flow_close(ends[i][j].flow);
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        while (ends[i][0].flow || ends[i][1].flow) {
            cdt_reactor_step(reactor, CDT_MS);
            assert_true(test_now() < deadline);
        }
        if (ends[i][0].other)
            check_pair(ends[i]);
    }
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(released, taken);
    assert_int_equal(blocks, 0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool out_of_memory(void)
{
    memory_random = memory_random * 1664525 + 1013904223;
    return scarcity && (memory_random >> 8) % scarcity == 0;
}

static void *allocate(size_t size)
{
    void *memory = out_of_memory() ? NULL : malloc(size);
    if (memory)
        blocks++;
    return memory;
}

static void *resize(void *memory, size_t size)
{
    if (out_of_memory())
        return NULL;
    if (!memory)
        blocks++;
    return realloc(memory, size);
}

static void let_go(void *memory)
{
    if (memory)
        blocks--;
    free(memory);
}

static void test_plenty(void **state)
{
    (void)state;
    scarcity = 0;
    run(test_slow() ? 5000 : 20000);
}

static void test_scarce(void **state)
{
    (void)state;
    static const unsigned rates[] = {1000, 200, 50, 10, 3};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        scarcity = rates[i];
        run(test_slow() ? 1000 : 4000);
    }
}

/* The reactor is freed in the middle of it all. */
static void test_freed(void **state)
{
    (void)state;
    scarcity = 0;
    for (int round = 0; round < 20; round++) {
        static struct end ends[PAIRS][2];
        struct cdt_reactor *reactor;
        released = taken = 0;
        assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
        for (int i = 0; i < PAIRS; i++)
            assert_int_equal(make(reactor, ends[i]), 0);
        for (int i = 0; i < 200; i++) {
            act(&ends[any(PAIRS)][any(2)]);
            if (any(3) == 0)
                cdt_reactor_step(reactor, 0);
        }
        assert_int_equal(cdt_reactor_free(reactor), 0);
        for (int i = 0; i < PAIRS; i++)
            assert_int_equal(ends[i][0].closed + ends[i][1].closed, 2);
        assert_int_equal(released, taken);
        assert_int_equal(blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_plenty),
        flow_test(test_scarce),
        flow_test(test_freed),
    };
    random_state = memory_random = test_seed();
    if (cdt_set_allocator(allocate, resize, let_go))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
