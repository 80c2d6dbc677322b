/* For tests of names: real name servers, of the packages unpacked under build/daemons, on a free
 * port of loopback. They need no rights and touch nothing but a folder of their own. */
#ifndef TEST_SUPPORT_NAME_SERVER_H
#define TEST_SUPPORT_NAME_SERVER_H

#include <netinet/in.h>
#include <sys/types.h>

#include "test/support/serve.h"

enum name_server_kind {
    NAME_SERVER_KNOT, /* the text is the zone "test." ($ORIGIN is set); "broken." gives SERVFAIL; */
    NAME_SERVER_NSD,  /* all other names REFUSED. The same, without "broken." */
    NAME_SERVER_DNSMASQ /* the text is lines of its configuration: "address=/a.test/192.0.2.1" */
};

struct name_server {
    char address[32]; /* "127.0.0.1:PORT", as the resolver's options want it */
    uint16_t port;    /* UDP and TCP, of 127.0.0.1; and of ::1, if `ipv6` */
    bool ipv6;
    pid_t pid;
    char folder[64]; /* test_folder() */
};

/* A zone begins with this, made by name_server_start(); negative answers may be kept for 5 s:
 *   $ORIGIN test.
 *   $TTL 60
 *   @ SOA ns.test. root.test. 1 3600 600 86400 5
 *   @ NS ns.test.
 *   ns A 127.0.0.1 */

/* Starts a server and waits until it answers. Where the daemon is not there, the test is
 * skipped, and says so. Standard error is the test's. */
struct name_server *name_server_start(enum name_server_kind kind, const char *text);

/* Kills it and removes its folder. NULL is allowed. */
void name_server_stop(struct name_server *server);

/* SIGSTOP: it listens, and does not answer; SIGCONT. */
void name_server_signal(struct name_server *server, int number);

/* A port of 127.0.0.1, for UDP and TCP, where nobody listens (just now). */
uint16_t name_server_free_port(void);

/* A UDP socket on a free port of 127.0.0.1, nonblocking, close-on-exec, that nobody answers
 * from: a black hole, or the beginning of a server of your own. */
int name_server_socket(char address[32]);

#endif
