/* Signals: one handler for all, which finds the reactors that want a signal in a registry of
 * fixed size, marks the signal there and writes to the reactor's eventfd.
 *
 * The registry is the process's; a mutex guards changes, the handler uses atomics only. A slot
 * counts the handlers inside it, so that no handler on another thread writes to a descriptor
 * that was closed and is now something else. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "reactor/state.h"

#define SLOTS   64
#define NUMBERS 65 /* of the signals, 1 to 64 */

static struct slot {
    _Atomic(uint64_t) wanted, pending; /* bit number - 1 */
    atomic_int wake_fd;                /* valid while `wanted` is not 0 */
    atomic_int handlers;
    bool used;
} slots[SLOTS];

static struct {
    unsigned users;
    struct sigaction before;
} numbers[NUMBERS];

static atomic_int owner; /* the process: one made by vfork shares this memory, not our signals */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

static void mark(struct slot *slot, uint64_t bit)
{
    static const uint64_t one = 1;

    atomic_fetch_add(&slot->handlers, 1);
    if (atomic_load(&slot->wanted) & bit && !(atomic_fetch_or(&slot->pending, bit) & bit)) {
        /* Cannot fail: the counter of the eventfd has room for 2^64 - 2 of them. */
        if (write(atomic_load(&slot->wake_fd), &one, sizeof one) < 0)
            atomic_fetch_and(&slot->pending, ~bit);
    }
    atomic_fetch_sub(&slot->handlers, 1);
}

static void on_signal(int number)
{
    int saved = errno;

    if (atomic_load(&owner) == getpid()) {
        for (int i = 0; i < SLOTS; i++)
            if (atomic_load(&slots[i].wanted) & bit_of(number))
                mark(&slots[i], bit_of(number));
    }
    errno = saved;
}

static int install(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, &numbers[number].before) ? -errno : 0;
}

/* Puts back what was there before, unless somebody else has changed it since. */
static void release(int number)
{
    struct sigaction now;

    if (!sigaction(number, NULL, &now) && now.sa_handler == on_signal)
        (void)sigaction(number, &numbers[number].before, NULL);
}

static int take_slot(struct cdt_reactor *reactor)
{
    if (reactor->signal_slot >= 0)
        return 0;
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].used)
            continue;
        slots[i].used = true;
        atomic_store(&slots[i].pending, 0);
        atomic_store(&slots[i].wake_fd, reactor->wake_fd);
        reactor->signal_slot = i;
        return 0;
    }
    return -ENOSPC;
}

static void give_slot_back(struct cdt_reactor *reactor)
{
    struct slot *slot = &slots[reactor->signal_slot];

    atomic_store(&slot->wanted, 0);
    while (atomic_load(&slot->handlers))
        sched_yield();
    slot->used = false;
    reactor->signal_slot = -1;
}

static bool in_use(const struct cdt_reactor *reactor, int number)
{
    const struct cdt_signal *list = &reactor->signals;

    for (const struct cdt_signal *signal = list->next; signal != list; signal = signal->next)
        if (signal->number == number)
            return true;
    return false;
}

/* Inserts before `next`; before the head of the list means at its end. */
static void insert(struct cdt_signal *next, struct cdt_signal *signal)
{
    signal->next = next;
    signal->prev = next->prev;
    next->prev->next = signal;
    next->prev = signal;
}

static void unlink_signal(struct cdt_signal *signal)
{
    signal->prev->next = signal->next;
    signal->next->prev = signal->prev;
    signal->next = NULL;
}

static void stop_wanting(struct cdt_reactor *reactor, int number)
{
    if (!in_use(reactor, number))
        atomic_fetch_and(&slots[reactor->signal_slot].wanted, ~bit_of(number));
    if (reactor->signals.next == &reactor->signals)
        give_slot_back(reactor);
}

/* The slot wants the signal before the handler is there: none is lost. */
static int add(struct cdt_reactor *reactor, struct cdt_signal *signal)
{
    int number = signal->number;
    int error = take_slot(reactor);

    if (error)
        return error;
    atomic_store(&owner, getpid());
    atomic_fetch_or(&slots[reactor->signal_slot].wanted, bit_of(number));
    if (numbers[number].users == 0)
        error = install(number);
    if (error) {
        stop_wanting(reactor, number);
        return error;
    }
    numbers[number].users++;
    insert(&reactor->signals, signal);
    return 0;
}

int cdt_signal_add(struct cdt_reactor *reactor, struct cdt_signal *signal, int number)
{
    int error;

    if (!is_usable(reactor) || !signal || !signal->fn || number < 1 || number >= NUMBERS)
        return -EINVAL;
    if (signal->reactor)
        return -EBUSY;
    signal->number = number;
    pthread_mutex_lock(&mutex);
    error = add(reactor, signal);
    pthread_mutex_unlock(&mutex);
    if (!error)
        signal->reactor = reactor;
    return error;
}

static void remove_signal(struct cdt_signal *signal)
{
    pthread_mutex_lock(&mutex);
    if (--numbers[signal->number].users == 0)
        release(signal->number);
    unlink_signal(signal);
    stop_wanting(signal->reactor, signal->number);
    pthread_mutex_unlock(&mutex);
    signal->reactor = NULL;
}

int cdt_signal_remove(struct cdt_signal *signal)
{
    if (!signal)
        return -EINVAL;
    if (!signal->reactor)
        return 0;
    if (!is_usable(signal->reactor))
        return -EINVAL;
    remove_signal(signal);
    return 0;
}

/* Calls those that are on the list now; two nodes of our own mark where to go on and where to
 * end, as the calls may remove and add any. */
static void call(struct cdt_reactor *reactor, uint64_t pending)
{
    struct cdt_signal *list = &reactor->signals, *signal;
    struct cdt_signal *cursor = &reactor->signal_cursor, *end = &reactor->signal_end;

    insert(list, end);
    for (signal = list->next; signal != end; signal = cursor->next) {
        if (cursor->next)
            unlink_signal(cursor);
        insert(signal->next, cursor);
        if (pending & bit_of(signal->number)) {
            reactor->handled++;
            signal->fn(signal, signal->number);
        }
    }
    if (cursor->next)
        unlink_signal(cursor);
    unlink_signal(end);
    if (list->next == list && reactor->signal_slot >= 0) {
        pthread_mutex_lock(&mutex);
        give_slot_back(reactor);
        pthread_mutex_unlock(&mutex);
    }
}

void signal_run(struct cdt_reactor *reactor)
{
    uint64_t pending;

    if (reactor->signal_slot < 0)
        return;
    pending = atomic_exchange(&slots[reactor->signal_slot].pending, 0);
    if (pending)
        call(reactor, pending);
}

void signal_forget_all(struct cdt_reactor *reactor)
{
    struct cdt_signal *list = &reactor->signals, *signal, *next;

    for (signal = list->next; signal != list; signal = next) {
        next = signal->next;
        remove_signal(signal);
    }
}

void signal_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void signal_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}

/* The child begins with an empty registry and the dispositions from before, so that it dies of what
 * was meant for it and the parent does not hear of it. */
void signal_in_child(void)
{
    for (int number = 1; number < NUMBERS; number++)
        if (numbers[number].users)
            release(number);
    memset(numbers, 0, sizeof numbers);
    memset(slots, 0, sizeof slots);
    pthread_mutex_unlock(&mutex);
}
