/* The reactor as the other rooms see it: sources of events, the ready list, memory, the log. */
#ifndef REACTOR_INTERNAL_H
#define REACTOR_INTERNAL_H

#include <stdarg.h>
#include <stdint.h>

#include <conduit/reactor.h>

/* Incremented in every forked child; a reactor remembers the value of its birth. */
extern unsigned reactor_fork_generation __attribute__((visibility("hidden")));

/* What the rooms above keep for each reactor, destroyed by cdt_reactor_free() in the order in which it was
 * added: what the flows keep comes first, and with it the last callbacks of everybody. `destroy` may run
 * callbacks and turns of the reactor, and removes the room at its end. */
struct reactor_room {
    void (*destroy)(struct reactor_room *room);
    struct reactor_room *next;
};
/* The first one with this `destroy`; NULL: none. */
struct reactor_room *reactor_room(const struct cdt_reactor *reactor,
                                  void (*destroy)(struct reactor_room *room));
void reactor_add_room(struct cdt_reactor *reactor, struct reactor_room *room);
void reactor_remove_room(struct cdt_reactor *reactor, struct reactor_room *room);

/* True unless `reactor` is NULL or belongs to the parent of this process. */
bool reactor_usable(const struct cdt_reactor *reactor);

/* One turn, as cdt_reactor_step(), that may also be made from `destroy` of a room. Returns how
 * much was handled, 0 also for a turn in which only the reactor's own descriptors had something
 * to say. */
int reactor_turn(struct cdt_reactor *reactor, uint64_t timeout);

/* Registers a source in the epoll set, once, with the epoll mask `events` (EPOLLET included if
 * wanted). `source->on_event` is called with the epoll mask that was reported, or with 0 from
 * the ready list. A source must stay allocated until the end of the turn in which it was
 * removed: free it only from the ready list, where no fetched event is outstanding. */
int reactor_source_add(struct cdt_reactor *reactor, struct cdt_source *source, int fd,
                       uint32_t events);
void reactor_source_remove(struct cdt_reactor *reactor, int fd);
/* Another epoll mask. With EPOLLET what is ready already is reported once more. */
int reactor_source_modify(struct cdt_reactor *reactor, struct cdt_source *source, int fd,
                          uint32_t events);

/* Puts a source on the ready list: its on_event(source, 0) is called in step 7 of this turn, or
 * of the next one if step 7 is running. Does nothing if it is on the list already. There is no
 * way back: a source on the list must stay allocated until it was called. */
void reactor_ready(struct cdt_reactor *reactor, struct cdt_source *source);
bool reactor_is_ready(const struct cdt_source *source);

/* One line to the log hook. */
void reactor_log(struct cdt_reactor *reactor, enum cdt_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies a struct of options, `size` bytes of which are known here, and sets its size. One of a caller
 * built against an older header is smaller: the rest is 0, as is all if `from` is NULL. In a larger one
 * what is not known here must be 0: else false. */
bool options_copy(void *to, size_t size, const void *from);

/* 1: freed objects may be kept to be used again. With address sanitizer each is allocated anew, so that it
 * sees what uses one that is gone. */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { MEM_REUSE = 0 };
#else
enum { MEM_REUSE = 1 };
#endif

/* Memory through the allocator hook; mem_zalloc zeroes. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *memory, size_t size);
void mem_free(void *memory);
char *mem_strdup(const char *text);

#endif
