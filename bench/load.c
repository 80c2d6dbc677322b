/* A load for servers, without any library: closed-loop echo over many connections, connections that
 * echo a byte and leave, and connections that stay idle. Prints what it did; the server is measured
 * from outside (perf stat, strace).
 *
 *   load echo HOST PORT CONNECTIONS ROUNDTRIPS [SIZE]    each connection sends, waits, sends again
 *   load accept HOST PORT AT_ONCE CONNECTIONS            connect, one byte, its echo, close
 *   load idle HOST PORT CONNECTIONS PID...               resident memory of PID at 500 and at all
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server;
static int set;
static char buffer[1 << 20];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(void)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&server, sizeof server))
        die("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
    return fd;
}

static void put(int fd, size_t length)
{
    if (send(fd, buffer, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send");
}

/* What each descriptor still waits for. */
static uint32_t missing[65536];

static uint64_t echo(long connections, long roundtrips, size_t size)
{
    struct epoll_event events[256];
    uint64_t done = 0, started = 0;
    for (; started < (uint64_t)connections; started++) {
        int fd = dial();
        put(fd, size);
        missing[fd] = (uint32_t)size;
    }
    while (done < (uint64_t)roundtrips) {
        int n = epoll_wait(set, events, 256, 10000);
        if (n <= 0)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t got = recv(fd, buffer, missing[fd], 0);
            if (got <= 0)
                die("recv");
            missing[fd] -= (uint32_t)got;
            if (missing[fd])
                continue;
            done++;
            if (started < (uint64_t)roundtrips) {
                put(fd, size);
                missing[fd] = (uint32_t)size;
                started++;
            }
        }
    }
    return done;
}

static uint64_t come_and_go(long at_once, long connections)
{
    struct epoll_event events[256];
    long started = 0, done = 0;
    while (started < at_once) {
        put(dial(), 1);
        started++;
    }
    while (done < connections) {
        int n = epoll_wait(set, events, 256, 10000);
        if (n <= 0)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (recv(events[i].data.fd, buffer, 1, 0) != 1)
                die("recv");
            close(events[i].data.fd);
            done++;
            if (started < connections) {
                put(dial(), 1);
                started++;
            }
        }
    }
    return (uint64_t)done;
}

static long resident(const char *pid)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        die(path);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Rss: %ld", &kib) == 1)
            break;
    }
    fclose(file);
    return kib * 1024;
}

static uint64_t idle(long connections, const char *pid)
{
    long at_500 = 0;
    for (long i = 0; i < connections; i++) {
        int fd = dial();
        put(fd, 1);
        if (recv(fd, buffer, 1, 0) != 1)
            die("recv");
        if (i + 1 == 500)
            at_500 = resident(pid);
    }
    long at_all = resident(pid);
    printf("resident %ld at 500, %ld at %ld: %.1f bytes a connection\n", at_500, at_all,
           connections, (double)(at_all - at_500) / (double)(connections - 500));
    return (uint64_t)connections;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(
            stderr,
            "usage: load echo|accept|idle HOST PORT CONNECTIONS ROUNDTRIPS|CONNECTIONS|PID [SIZE]\n");
        return 2;
    }
    long connections = atol(argv[4]);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
        return 2;
    set = epoll_create1(EPOLL_CLOEXEC);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    uint64_t done;
    if (strcmp(argv[1], "echo") == 0)
        done = echo(connections, atol(argv[5]), argc > 6 ? (size_t)atol(argv[6]) : 64);
    else if (strcmp(argv[1], "accept") == 0)
        done = come_and_go(connections, atol(argv[5]));
    else
        done = idle(connections, argv[5]);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("%llu done in %.2f s, %.0f a second\n", (unsigned long long)done, seconds,
           (double)done / seconds);
    return 0;
}
