/* Posts: all arrive, in each thread's order, with one write a sleep at most. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "test/reactor/support.h"

#define THREADS 4
#define POSTS   5000

struct numbered {
    struct cdt_post post;
    unsigned thread, number;
};

static struct cdt_reactor *reactor;
static unsigned next_number[THREADS], arrived;

static void on_numbered(struct cdt_post *post)
{
    struct numbered *numbered = cdt_container_of(post, struct numbered, post);

    assert_int_equal(numbered->number, next_number[numbered->thread]);
    next_number[numbered->thread]++;
    free(numbered);
    if (++arrived == THREADS * POSTS)
        cdt_reactor_stop(reactor);
}

static void *post_many(void *argument)
{
    unsigned thread = *(unsigned *)argument;

    for (unsigned i = 0; i < POSTS; i++) {
        struct numbered *numbered = calloc(1, sizeof *numbered);

        if (!numbered)
            abort();
        *numbered = (struct numbered){.post.fn = on_numbered, .thread = thread, .number = i};
        if (cdt_reactor_post(reactor, &numbered->post))
            abort();
    }
    return NULL;
}

static void from_four_threads(void **state)
{
    pthread_t threads[THREADS];
    unsigned names[THREADS];
    struct cdt_reactor_counters counters;

    reactor = *state;
    arrived = 0;
    memset(next_number, 0, sizeof next_number);
    for (unsigned i = 0; i < THREADS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &names[i]), 0);
    }
    assert_int_equal(cdt_reactor_run(reactor), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    counters = support_counters(reactor);
    assert_int_equal(arrived, THREADS * POSTS);
    assert_int_equal(counters.posts, THREADS * POSTS);
    assert_true(counters.wakeups <= counters.waits);
}

/* One struct that goes back and forth: posted again as soon as its function runs. */
static atomic_uint rounds;

static void on_round(struct cdt_post *post)
{
    (void)post;
    if (atomic_fetch_add(&rounds, 1) + 1 == 2000)
        cdt_reactor_stop(reactor);
}

static void *post_again_and_again(void *argument)
{
    struct cdt_post *post = argument;

    while (atomic_load(&rounds) < 2000) {
        int error = cdt_reactor_post(reactor, post);

        if (error && error != -EALREADY)
            abort();
    }
    return NULL;
}

static void same_struct_again(void **state)
{
    struct cdt_post post = {.fn = on_round};
    pthread_t thread;

    reactor = *state;
    atomic_store(&rounds, 0);
    assert_int_equal(pthread_create(&thread, NULL, post_again_and_again, &post), 0);
    assert_int_equal(cdt_reactor_run(reactor), 0);
    pthread_join(thread, NULL);
    while (cdt_reactor_step(reactor, 0) > 0)
        continue; /* the last one, if it was posted after the stop */
}

static char order[16];

static void on_second(struct cdt_post *post)
{
    (void)post;
    order[strlen(order)] = '2';
}

static void on_first(struct cdt_post *post)
{
    order[strlen(order)] = '1';
    post->fn = on_second;
    assert_int_equal(cdt_reactor_post(reactor, post), 0);
}

/* Awake, posts need no write; asleep (which prepare announces), the first of them makes one. */
static void one_write_for_each_sleep(void **state)
{
    struct cdt_post first = {.fn = on_second}, second = {.fn = on_second},
                    third = {.fn = on_second};
    struct pollfd poll_fd;
    uint64_t timeout;

    reactor = *state;
    poll_fd = (struct pollfd){.fd = cdt_reactor_fd(reactor), .events = POLLIN};
    memset(order, 0, sizeof order);
    assert_int_equal(cdt_reactor_post(reactor, &first), 0);
    assert_int_equal(cdt_reactor_post(reactor, &first), -EALREADY);
    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout == 0);
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_int_equal(support_counters(reactor).wakeups, 0);

    assert_int_equal(cdt_reactor_prepare(reactor, &timeout), 0);
    assert_true(timeout == CDT_NEVER);
    assert_int_equal(cdt_reactor_post(reactor, &first), 0);
    assert_int_equal(cdt_reactor_post(reactor, &second), 0);
    assert_int_equal(cdt_reactor_post(reactor, &third), 0);
    assert_int_equal(poll(&poll_fd, 1, -1), 1);
    assert_int_equal(cdt_reactor_step(reactor, 0), 3);
    assert_int_equal(support_counters(reactor).wakeups, 1);
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    assert_string_equal(order, "2222");
}

static void posted_in_a_post_comes_in_the_next_turn(void **state)
{
    struct cdt_post first = {.fn = on_first}, second = {.fn = on_second};

    reactor = *state;
    memset(order, 0, sizeof order);
    cdt_reactor_post(reactor, &first);
    cdt_reactor_post(reactor, &second);
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 2);
    assert_string_equal(order, "12");
    assert_int_equal(cdt_reactor_step(reactor, CDT_NEVER), 1);
    assert_string_equal(order, "122");
}

static void waiting_posts_are_forgotten(void **state)
{
    struct cdt_post post = {.fn = on_second};

    (void)state;
    assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
    assert_int_equal(cdt_reactor_post(reactor, &post), 0);
    assert_int_equal(cdt_reactor_free(reactor), 0);
    assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
    assert_int_equal(cdt_reactor_post(reactor, &post), 0);
    assert_int_equal(cdt_reactor_free(reactor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(from_four_threads),
        WITH_REACTOR(same_struct_again),
        WITH_REACTOR(one_write_for_each_sleep),
        WITH_REACTOR(posted_in_a_post_comes_in_the_next_turn),
        WITH_REACTOR(waiting_posts_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
