/* The core workloads, whose instructions and system calls have budgets. Server and clients are one
 * thread that goes in lockstep: nothing is left to the scheduler, the clock or chance, so that two
 * runs are the same to the instruction. What the files of this folder share. */
#ifndef BENCH_BUDGET_H
#define BENCH_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <conduit/conduit.h>

/* ---- scenarios: core.c ----------------------------------------------------------------------- */

struct scenario {
    const char *name;
    const char *(*missing)(const struct scenario *scenario); /* why not here; NULL: it can be run */
    void (*begin)(const struct scenario *scenario);
    void (*round)(const struct scenario *scenario);
    unsigned warm_up, rounds; /* rounds that are not counted, and that are */
    unsigned batch;           /* operations of a round */
    unsigned connections;     /* or what else there are many of */
    unsigned at_once;         /* of them */
    size_t size;              /* bytes of a message */
    int variant;
};

/* Each ends with one that has no name. */
extern const struct scenario loop_scenarios[], echo_scenarios[], visit_scenarios[],
    connect_scenarios[], relay_scenarios[], name_scenarios[], vchan_scenarios[], tls_scenarios[];

/* What is measured. */
extern struct cdt_reactor *loop;

/* Ends the program if the status is negative, or errno's of a call that gave -1. */
void must(int status, const char *what);

/* Work of the library: counted, once the rounds are those that count. */
void call(void (*work)(void *arg), void *arg);

/* Turns until the counter stands there; there must be something for each. */
void turns(const long *counter, long until);
/* One turn that does not sleep. */
void one_turn(void);
/* Whether one has something to do; a mask that is to be changed is. */
bool has_work(const struct cdt_reactor *of);

/* ---- the world: world.c ---------------------------------------------------------------------- */

/* The clock stands still, but for this. */
void world_pass(uint64_t time);
/* From now on an alarm goes off as soon as it is set, and the clock shows its time. */
extern bool world_hurries;

/* A folder for sockets and files, removed at exit: a path below it. Static storage. */
const char *world_path(const char *name);

/* ---- sockets of the clients: sockets.c ------------------------------------------------------- */

enum { SOCKETS_MAX = 256 };

extern char sockets_bytes[1 << 18];

/* A blocking socket that is connected. */
int sockets_connect(const struct cdt_addr *to);
/* Two that are connected by TCP, with large buffers. */
void sockets_pair(int fd[2]);
void sockets_send(int fd, size_t length);
void sockets_receive(int fd, size_t length);
/* How much has arrived. */
size_t sockets_arrived(int fd);
/* Until the peer's kernel has all that was sent; only of those that have just connected. */
void sockets_settle(int fd);
/* How many wait to be accepted by TCP. */
unsigned sockets_backlog(int listener);

/* ---- a server: server.c ---------------------------------------------------------------------- */

extern struct cdt_server *server;
extern struct cdt_addr server_address;

/* Listens on TCP, or on a Unix socket. */
void server_begin(bool local, const struct cdt_server_options *options,
                  const struct cdt_handler *handler);
/* Until so many wait to be accepted. */
void server_settle_backlog(unsigned count);
/* Until each flow has so many bytes to read, or its peer's end. */
void server_settle_bytes(size_t length);
void server_settle_ends(void);

#endif
