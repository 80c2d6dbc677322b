/* A ring between two threads, each of which sleeps when it finds nothing: all bytes come, in order,
 * and nobody sleeps for ever. For the thread sanitizer too. */
#include <pthread.h>
#include <semaphore.h>

#include "test/support/probe.h"
#include "test/support/vchan_pair.h"

struct side {
    pthread_t thread;
    struct vchan_ring ring;
    sem_t bell, *peer; /* ours, and that of the other side */
    uint64_t random;
    size_t length; /* of the stream that it writes, and of the one that it reads */
    size_t written, consumed;
    bool writes, reads;
    const char *failed;
};

static uint64_t next_random(struct side *side)
{
    side->random ^= side->random << 13;
    side->random ^= side->random >> 7;
    side->random ^= side->random << 17;
    return side->random;
}

static size_t random_length(struct side *side, size_t most)
{
    const size_t limit = next_random(side) % 4 ? 100 : most;
    return 1 + next_random(side) % (limit < most ? limit : most);
}

static void ring_if_asked(struct side *side)
{
    if (side->ring.bell)
        sem_post(side->peer);
    side->ring.bell = false;
}

static bool write_some(struct side *side)
{
    uint8_t data[3000];
    const size_t left = side->length - side->written;
    size_t length = random_length(side, sizeof data);
    if (!side->writes || left == 0)
        return false;
    length = length < left ? length : left;
    test_pattern(data, length, side->written);
    const ssize_t n = vchan_ring_write(&side->ring, data, length, true);
    ring_if_asked(side);
    if (n < 0)
        side->failed = "write";
    side->written += n > 0 ? (size_t)n : 0;
    if (side->written == side->length && !side->failed) {
        vchan_ring_close(&side->ring);
        ring_if_asked(side);
    }
    return n == (ssize_t)length;
}

/* False: nothing more is there now. */
static bool read_some(struct side *side, bool *over)
{
    uint8_t data[3000];
    const size_t length = random_length(side, sizeof data);
    const bool closed = vchan_ring_peer(&side->ring) == VCHAN_CLOSED;
    const ssize_t n = vchan_ring_read(&side->ring, data, length, true);
    ring_if_asked(side);
    if (n < 0 || (n > 0 && !test_is_pattern(data, (size_t)n, side->consumed)))
        side->failed = "read";
    side->consumed += n > 0 ? (size_t)n : 0;
    *over = n == 0 && closed; /* closed before we looked: there will be nothing more */
    return n == (ssize_t)length;
}

static void *run(void *arg)
{
    struct side *side = arg;
    bool over = !side->reads;
    while (!side->failed && (!over || (side->writes && side->written < side->length))) {
        const bool wrote = write_some(side);
        const bool got = !over && read_some(side, &over);
        if (wrote || got || over || vchan_ring_peer(&side->ring) == VCHAN_CLOSED)
            continue;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 30;
        if (sem_timedwait(&side->bell, &until) && errno != EINTR)
            side->failed = "nobody rings";
    }
    if (!side->failed && side->reads && side->consumed != side->length)
        side->failed = "the end came early";
    return NULL;
}

static void stream(unsigned left_order, unsigned right_order, bool both, size_t length)
{
    struct vchan_layout layout = pair_layout(left_order, right_order);
    struct side side[2] = {{.random = 88172645463325252u, .writes = both, .reads = true},
                           {.random = 1234567, .writes = true, .reads = both}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vchan_ring_init(&side[i].ring, &layout, i == 0), 0);
        side[i].length = length;
        sem_init(&side[i].bell, 0, 0);
        side[i].peer = &side[!i].bell;
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&side[i].thread, NULL, run, &side[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(side[i].thread, NULL);
    for (int i = 0; i < 2; i++) {
        if (side[i].failed)
            fail_msg("side %d: %s, %zu written, %zu read", i, side[i].failed, side[i].written,
                     side[i].consumed);
        sem_destroy(&side[i].bell);
    }
    pair_layout_free(&layout);
}

static void one_way(void **state)
{
    (void)state;
    const size_t length = (size_t)(test_slow() ? 2 : 20) << 20;
    stream(10, 11, false, length);
    stream(12, 12, false, length);
}

static void both_ways(void **state)
{
    (void)state;
    const size_t length = (size_t)(test_slow() ? 2 : 20) << 20;
    stream(11, 10, true, length);
    stream(13, 12, true, length);
}

/* The race of the last bytes with the end, many times. */
static void short_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < (test_slow() ? 200 : 2000); i++)
        stream(10, 11, i % 2, 1 + i * 7 % 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_way),
        cmocka_unit_test(both_ways),
        cmocka_unit_test(short_streams),
    };
    return cmocka_run_group_tests_name("vchan: a ring between threads", tests, NULL, NULL);
}
