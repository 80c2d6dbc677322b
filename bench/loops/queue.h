/* Functions for the loop, from other threads, where the library can only be woken: a list of
 * structs that belong to the caller, behind a mutex. Who finds it empty wakes the loop, and nobody
 * else. */
#ifndef BENCH_LOOPS_QUEUE_H
#define BENCH_LOOPS_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct post {
    void (*fn)(struct post *post);
    struct post *next;
};

static inline void on_post(void); /* of loop.h */

static inline void post_fn(struct post *post)
{
    (void)post;
    on_post();
}

static void post_init(struct post *post)
{
    post->fn = post_fn;
}

static struct {
    pthread_mutex_t mutex;
    struct post *first, **end;
} queue = {PTHREAD_MUTEX_INITIALIZER, NULL, &queue.first};

/* Whether the loop has to be woken. */
static inline bool queue_add(struct post *post)
{
    post->next = NULL;
    pthread_mutex_lock(&queue.mutex);
    const bool was_empty = !queue.first;
    *queue.end = post;
    queue.end = &post->next;
    pthread_mutex_unlock(&queue.mutex);
    return was_empty;
}

/* A struct is its owner's again as soon as its function runs. */
static inline void queue_run(void)
{
    struct post *post, *next;
    pthread_mutex_lock(&queue.mutex);
    post = queue.first;
    queue.first = NULL;
    queue.end = &queue.first;
    pthread_mutex_unlock(&queue.mutex);
    for (; post; post = next) {
        next = post->next;
        post->fn(post);
    }
}

#endif
