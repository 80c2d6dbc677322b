/* The load program, shared by its files: what is asked (options), the connections, and the two
 * sides that meet here. A transport moves bytes; the work decides which, and counts. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

enum { LOAD_MAX_PIDS = 8, LOAD_MAX_DEPTH = 4096 };

struct cdt_flow;

struct options {
    const char *work, *address;
    uint64_t connections, operations, depth;
    double rate; /* a second, of all connections together; 0: closed loop */
    size_t size;
    bool wait_end;             /* visits: until the server has closed */
    bool resumption;           /* TLS: with tickets */
    pid_t pids[LOAD_MAX_PIDS]; /* of the server */
    int pid_count;
};

extern struct options options;

struct connection {
    int fd;                  /* sockets.c */
    struct cdt_flow *flow;   /* flows.c */
    bool ended, closing;     /* the same: shutdown(), close() were called */
    struct connection *next; /* unused, as this one */
    size_t unsent;           /* bytes that the transport has still to send */

    uint64_t started, done; /* messages */
    size_t received;        /* bytes of the next one */
    uint64_t *times;        /* closed loop: when each of the `depth` under way was sent */
};

/* ---- a transport ----------------------------------------------------------------------------- */

struct transport {
    /* Reads the address, without its scheme; ends the program if it is none. */
    void (*prepare)(const char *address);
    /* Connects; work_opened() follows, perhaps at once. */
    void (*connect)(struct connection *connection);
    /* Sends so many bytes, now or later; work_sent() comes when a part had to wait and none does any
     * more. */
    void (*send)(struct connection *connection, size_t length);
    void (*shutdown)(struct connection *connection);
    /* Closes; work_closed() may follow later. */
    void (*close)(struct connection *connection);
    /* Runs until work_over(). work_due() is called at the time that wake_at() has said last. */
    void (*run)(void);
    void (*wake_at)(uint64_t when);
    uint64_t resumed; /* connections that used a ticket */
};

extern struct transport sockets, flows;

/* Zeros to send, and a place for what comes. */
enum { LOAD_BUFFER = 1 << 18 };
extern uint8_t load_buffer[LOAD_BUFFER], load_received[LOAD_BUFFER];

_Noreturn void load_die(const char *what, const char *why);
_Noreturn void load_die_errno(const char *what);

static inline uint64_t load_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- the work -------------------------------------------------------------------------------- */

/* Does what the options say and prints what was counted, as one line of JSON. */
void work_run(struct transport *transport);
bool work_over(void);

/* Told by the transport: it can be used; bytes came; none waits to be sent any more; the server has
 * ended its side; the connection may be used again; the time of wake_at() has come. */
void work_opened(struct connection *connection);
void work_received(struct connection *connection, size_t length);
void work_sent(struct connection *connection);
void work_ended(struct connection *connection);
void work_closed(struct connection *connection);
void work_due(void);

#endif
