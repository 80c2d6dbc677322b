/* Posts from other threads: a lock-free stack, newest first, that the reactor takes whole.
 *
 * A reactor says that it falls asleep, and then looks at the stack; who posts pushes, and then looks
 * whether it sleeps. One of the two sees the other. Who takes the word back wakes the reactor: one
 * write for each sleep. The eventfd is edge-triggered and never read: each write is a new event, and
 * 2^64 - 2 of them fit. */
#include <errno.h>
#include <unistd.h>

#include "reactor/state.h"

static void push(struct cdt_reactor *reactor, struct cdt_post *post)
{
    post->next = __atomic_load_n(&reactor->posts, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&reactor->posts, &post->next, post, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {}
}

int cdt_reactor_post(struct cdt_reactor *reactor, struct cdt_post *post)
{
    static const uint64_t one = 1;

    if (!is_usable(reactor) || !post || !post->fn)
        return -EINVAL;
    if (__atomic_exchange_n(&post->posted, 1, __ATOMIC_ACQ_REL))
        return -EALREADY;
    push(reactor, post);
    if (__atomic_load_n(&reactor->asleep, __ATOMIC_SEQ_CST) &&
        __atomic_exchange_n(&reactor->asleep, false, __ATOMIC_RELAXED) &&
        write(reactor->wake_fd, &one, sizeof one) < 0)
        return -errno;
    return 0;
}

/* Takes the stack and turns it round: oldest first. */
static struct cdt_post *take(struct cdt_reactor *reactor)
{
    struct cdt_post *post = __atomic_exchange_n(&reactor->posts, NULL, __ATOMIC_ACQUIRE);
    struct cdt_post *oldest = NULL, *next;

    for (; post; post = next) {
        next = post->next;
        post->next = oldest;
        oldest = post;
    }
    return oldest;
}

/* A post may be posted again, and its memory freed, as soon as it is no longer marked. */
void post_run(struct cdt_reactor *reactor)
{
    struct cdt_post *post, *next;

    for (post = take(reactor); post; post = next) {
        next = post->next;
        __atomic_store_n(&post->posted, 0, __ATOMIC_RELEASE);
        reactor->counters.posts++;
        reactor->handled++;
        post->fn(post);
    }
}

void post_forget_all(struct cdt_reactor *reactor)
{
    struct cdt_post *post, *next;

    for (post = take(reactor); post; post = next) {
        next = post->next;
        __atomic_store_n(&post->posted, 0, __ATOMIC_RELEASE);
    }
}
