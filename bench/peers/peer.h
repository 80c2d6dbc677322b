/* What the small servers of this folder have in common: their arguments, the listening socket, and
 * what is left of a send that was cut short.
 *
 *   NAME echo|close|discard|source ADDRESS [CERT KEY]
 *
 * echo sends everything back; close too, and then closes at once; discard only reads; source only
 * sends, as much as is taken. ADDRESS is HOST:PORT (IPv4, port 0: any) or the path of a Unix socket.
 * CERT and KEY, PEM files, are for those that speak TLS. The address is printed when the server
 * listens. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEER_BACKLOG = 4096, PEER_ACCEPTS = 64, PEER_BUFFER = 65536, PEER_HIGH_WATER = 65536 };

struct peer {
    bool close_after_echo, discard, source, is_unix, is_vchan;
    int listener; /* nonblocking; accepted sockets inherit its TCP_NODELAY */
    const char *cert, *key;
};

static inline void peer_die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline void peer_usage(const char *name)
{
    fprintf(stderr, "usage: %s echo|close|discard|source HOST:PORT|PATH [CERT KEY]\n", name);
    exit(2);
}

static inline int peer_listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        peer_die(path);
    memcpy(address.sun_path, path, strlen(path));
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, PEER_BACKLOG))
        peer_die(path);
    printf("%s\n", path);
    return fd;
}

static inline int peer_listen_tcp(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    char host[INET_ADDRSTRLEN] = "";
    unsigned short port = 0;
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || sscanf(text, "%15[0-9.]:%hu", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        peer_die(text);
    address.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, PEER_BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        peer_die(text);
    printf("%s:%u\n", host, ntohs(address.sin_port));
    return fd;
}

static inline struct peer peer_start(int argc, char **argv)
{
    struct peer peer = {.listener = -1};
    if (argc != 3 && argc != 5)
        peer_usage(argv[0]);
    peer.close_after_echo = strcmp(argv[1], "close") == 0;
    peer.discard = strcmp(argv[1], "discard") == 0;
    peer.source = strcmp(argv[1], "source") == 0;
    if (!peer.close_after_echo && !peer.discard && !peer.source && strcmp(argv[1], "echo") != 0)
        peer_usage(argv[0]);
    if (argc == 5) {
        peer.cert = argv[3];
        peer.key = argv[4];
    }
    signal(SIGPIPE, SIG_IGN);
    peer.is_unix = strchr(argv[2], '/') != NULL;
    peer.is_vchan = strcmp(argv[2], "vchan") == 0;
    if (!peer.is_vchan)
        peer.listener = peer.is_unix ? peer_listen_unix(argv[2]) : peer_listen_tcp(argv[2]);
    fflush(stdout);
    return peer;
}

/* For those that have no TLS, or are no sources. */
static inline void peer_refuse(bool asked, const char *what)
{
    if (asked) {
        fprintf(stderr, "this server is no %s\n", what);
        exit(2);
    }
}

static inline void peer_refuse_tls(const struct peer *peer)
{
    peer_refuse(peer->cert, "server of TLS");
}

static inline void peer_refuse_source(const struct peer *peer)
{
    peer_refuse(peer->source, "source");
}

/* ---- sockets: what was not sent -------------------------------------------------------------- */

struct rest {
    char *data;
    size_t at, length; /* data[at] is the next byte of `length` in all */
};

/* Sends the rest: 0, nothing is left; 1, the socket takes no more now; -1, it failed. */
static inline int rest_send(struct rest *rest, int fd)
{
    const ssize_t sent = send(fd, rest->data + rest->at, rest->length - rest->at, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -1;
    rest->at += (size_t)sent;
    if (rest->at < rest->length)
        return 1;
    free(rest->data);
    *rest = (struct rest){0};
    return 0;
}

/* Sends data while there is no rest, and keeps what the socket does not take. Results as above. */
static inline int rest_begin(struct rest *rest, int fd, const char *data, size_t length)
{
    ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent == (ssize_t)length)
        return 0;
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return -1;
    if (sent < 0)
        sent = 0;
    rest->at = 0;
    rest->length = length - (size_t)sent;
    rest->data = malloc(rest->length);
    if (!rest->data)
        return -1;
    memcpy(rest->data, data + sent, rest->length);
    return 1;
}

#endif
