/* For tests of servers: a server that writes down what it hears, and clients to connect to it. */
#ifndef TEST_SUPPORT_SERVE_H
#define TEST_SUPPORT_SERVE_H

#include "test/support/probe.h"

/* What a server's callbacks heard. serve_options() sets them all. */
struct serve {
    struct cdt_server *server; /* NULL after on_stopped */
    struct cdt_addr address;   /* once it listens */
    int listened, listen_status;
    char listen_text[256];
    int filtered, accepted, opened, closed, told_to_stop, stopped;
    int active, peak; /* between on_open and on_close */
    int errors, error_status;
    char error_text[256];
    struct cdt_addr error_peer; /* length 0: none */
    bool error_has_peer;
    struct cdt_server_counters last; /* in on_stopped */
    /* Called inside the callback of that name, after it was written down; NULL: nothing. */
    void (*on_listen)(struct serve *serve);
    int (*filter)(struct serve *serve, const struct cdt_addr *peer);
    int (*on_accept)(struct serve *serve, struct cdt_flow *flow);
    void (*on_open)(struct serve *serve, struct cdt_flow *flow);
    void (*on_read)(struct serve *serve, struct cdt_flow *flow);
    void (*on_close)(struct serve *serve, struct cdt_flow *flow, int status);
    void (*on_error)(struct serve *serve);
    void (*on_stop)(struct serve *serve, struct cdt_flow *flow);
    void (*on_stopped)(struct serve *serve);
    void *arg;
};

/* Echoes what it reads; counts in the struct serve of its server. */
extern const struct cdt_handler serve_handler;

struct serve *serve_of(const struct cdt_flow *flow);
struct cdt_server_options serve_options(struct serve *serve);

/* Listens on a free port of 127.0.0.1 and runs until on_listen(0). `options` as of
 * serve_options(). */
void serve_tcp(struct cdt_reactor *reactor, struct serve *serve,
               const struct cdt_server_options *options);
/* The same on an address. */
void serve_at(struct cdt_reactor *reactor, struct serve *serve,
              const struct cdt_server_options *options, const struct cdt_addr *at);
struct cdt_server_counters serve_counters(const struct serve *serve);
/* Stops at once, and runs until on_stopped. */
void serve_stop(struct cdt_reactor *reactor, struct serve *serve);

/* A nonblocking socket that connects, close-on-exec. */
int client_connect(const struct cdt_addr *to);
/* What a client sees: 1 a byte came (it is taken), 0 nothing yet, -1 end of stream, -errno < -1. */
int client_read(int fd);
void client_send(int fd);
/* Ends with a reset. */
void client_reset(int fd);

/* The seed of a random test: of the environment (SEED), or a new one; it is printed. */
unsigned test_seed(void);

/* A new folder under /tmp, removed with all that is in it by test_folder_remove(). */
void test_folder(char path[64]);
void test_folder_remove(const char *path);

/* Runs `body` in a forked child, which may change limits, identity, or namespaces: 0 if it returned
 * 0, 77 if it cannot be done here, else the test fails. */
int test_in_child(int (*body)(void));

/* No descriptor beyond those open now; and as many as before again. */
void test_no_more_fds(void);
void test_more_fds(void);

#endif
