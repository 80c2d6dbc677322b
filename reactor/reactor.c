/* Making and freeing a reactor, and reading it. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "reactor/state.h"

unsigned reactor_fork_generation;

static void in_child(void)
{
    reactor_fork_generation++;
    signal_in_child();
}

/* Once in a process; 0 or a negative errno. */
static int watch_forks(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static bool watched;
    int error = 0;

    pthread_mutex_lock(&mutex);
    if (!watched)
        error = pthread_atfork(signal_before_fork, signal_after_fork, in_child);
    watched = !error;
    pthread_mutex_unlock(&mutex);
    return -error;
}

static int copy_options(struct cdt_reactor_options *copy, const struct cdt_reactor_options *given)
{
    if (!options_copy(copy, sizeof *copy, given))
        return -EINVAL;
    if (copy->max_events > REACTOR_EVENTS_MAX)
        return -EINVAL;
    if (copy->max_events == 0)
        copy->max_events = REACTOR_EVENTS_DEFAULT;
    return 0;
}

static void init(struct cdt_reactor *reactor, const struct cdt_reactor_options *options)
{
    reactor->fork_generation = reactor_fork_generation;
    reactor->events = (struct epoll_event *)(reactor + 1);
    reactor->event_next = reactor->event_end = reactor->events;
    reactor->max_events = (int)options->max_events;
    reactor->ready = &source_end;
    reactor->ready_tail = &reactor->ready;
    reactor->deferred.next = reactor->deferred.prev = &reactor->deferred;
    for (int i = 0; i < 2; i++)
        reactor->hooks[i].next = reactor->hooks[i].prev = &reactor->hooks[i];
    reactor->signals.next = reactor->signals.prev = &reactor->signals;
    reactor->watches.next = reactor->watches.prev = &reactor->watches;
    reactor->signal_slot = -1;
    reactor->epoll_fd = reactor->wake_fd = -1;
    wait_init(reactor);
    reactor->count_time = options->count_time;
    reactor->busy_poll = options->busy_poll;
    reactor->attention = options->count_time || options->busy_poll ? ATTEND_WAIT : 0;
    reactor->log = options->log;
    reactor->log_user = options->log_user;
    wheel_init(&reactor->wheel, clock_now());
}

static void on_wake(struct cdt_source *source, uint32_t events)
{
    struct cdt_reactor *reactor = cdt_container_of(source, struct cdt_reactor, wake);

    (void)events;
    source_not_counted(reactor);
    reactor->counters.wakeups++;
    signal_run(reactor);
}

static int open_descriptors(struct cdt_reactor *reactor)
{
    reactor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (reactor->epoll_fd < 0)
        return -errno;
    reactor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reactor->wake_fd < 0)
        return -errno;
    reactor->wake.on_event = on_wake;
    return reactor_source_add(reactor, &reactor->wake, reactor->wake_fd, EPOLLIN | EPOLLET);
}

static void release(struct cdt_reactor *reactor)
{
    wait_close(reactor);
    if (reactor->wake_fd >= 0)
        close(reactor->wake_fd);
    if (reactor->epoll_fd >= 0)
        close(reactor->epoll_fd);
    mem_free(reactor);
}

int cdt_reactor_new(const struct cdt_reactor_options *options, struct cdt_reactor **result)
{
    struct cdt_reactor_options copy;
    struct cdt_reactor *reactor;
    int error;

    if (!result || copy_options(&copy, options))
        return -EINVAL;
    error = watch_forks();
    if (error)
        return error;
    reactor = mem_zalloc(sizeof *reactor + copy.max_events * sizeof *reactor->events);
    if (!reactor)
        return -ENOMEM;
    init(reactor, &copy);
    error = open_descriptors(reactor);
    if (error) {
        release(reactor);
        return error;
    }
    *result = reactor;
    return 0;
}

int cdt_reactor_free(struct cdt_reactor *reactor)
{
    if (!reactor)
        return 0;
    if (!is_usable(reactor))
        return -EINVAL;
    if (reactor->busy)
        return -EBUSY;
    reactor->busy = true;
    while (reactor->rooms)
        reactor->rooms->destroy(reactor->rooms);
    signal_forget_all(reactor);
    watch_forget_all(reactor);
    wheel_forget_all(&reactor->wheel);
    defer_forget_all(reactor);
    hook_forget_all(&reactor->hooks[CDT_BEFORE_WAIT]);
    hook_forget_all(&reactor->hooks[CDT_AFTER_WAIT]);
    post_forget_all(reactor);
    release(reactor);
    return 0;
}

bool reactor_usable(const struct cdt_reactor *reactor)
{
    return is_usable(reactor);
}

struct reactor_room *reactor_room(const struct cdt_reactor *reactor,
                                  void (*destroy)(struct reactor_room *room))
{
    struct reactor_room *room = reactor->rooms;
    while (room && room->destroy != destroy)
        room = room->next;
    return room;
}

void reactor_add_room(struct cdt_reactor *reactor, struct reactor_room *room)
{
    struct reactor_room **at = &reactor->rooms;
    while (*at)
        at = &(*at)->next;
    room->next = NULL;
    *at = room;
}

void reactor_remove_room(struct cdt_reactor *reactor, struct reactor_room *room)
{
    struct reactor_room **at = &reactor->rooms;
    while (*at && *at != room)
        at = &(*at)->next;
    if (*at)
        *at = room->next;
}

int cdt_reactor_fd(const struct cdt_reactor *reactor)
{
    return is_usable(reactor) ? reactor->epoll_fd : -EINVAL;
}

uint64_t cdt_reactor_now(const struct cdt_reactor *reactor)
{
    return is_usable(reactor) ? clock_turn(reactor) : 0;
}

int cdt_reactor_update_time(struct cdt_reactor *reactor)
{
    if (!is_usable(reactor))
        return -EINVAL;
    clock_read(reactor);
    return 0;
}

int cdt_reactor_counters(const struct cdt_reactor *reactor, struct cdt_reactor_counters *counters)
{
    if (!is_usable(reactor) || !counters)
        return -EINVAL;
    *counters = reactor->counters;
    return 0;
}
