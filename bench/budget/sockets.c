/* The sockets of the clients: they block, and wait until what they have sent is where it must be.
 * Over loopback that is so at once, unless the kernel has handed its work to a thread. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bench/budget/budget.h"

char sockets_bytes[1 << 18];

static void no_delay(int fd)
{
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* not for a Unix socket */
}

int sockets_connect(const struct cdt_addr *to)
{
    const int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd, "socket");
    must(connect(fd, &to->any, to->length), "connect");
    no_delay(fd);
    return fd;
}

/* All that a client sends before the library is called must fit. */
static void large_buffers(int fd)
{
    const int wanted = 1 << 19;
    int granted = 0;
    socklen_t length = sizeof granted;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
    must(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length), "SO_RCVBUF");
    must(granted < 400000 ? -ENOBUFS : 0, "net.core.rmem_max");
}

void sockets_pair(int fd[2])
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct cdt_addr at;
    must(cdt_addr_ip(&at, "127.0.0.1", 0), "address");
    must(bind(listener, &at.any, at.length), "bind");
    large_buffers(listener);
    must(listen(listener, 1), "listen");
    must(getsockname(listener, &at.any, &at.length), "getsockname");
    fd[0] = sockets_connect(&at);
    fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    must(fd[1], "accept");
    large_buffers(fd[0]);
    close(listener);
}

void sockets_send(int fd, size_t length)
{
    must(send(fd, sockets_bytes, length, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1, "send");
}

void sockets_receive(int fd, size_t length)
{
    while (length) {
        const ssize_t got = recv(fd, sockets_bytes, length, 0);
        must(got > 0 ? 0 : got == 0 ? -ECONNRESET : -1, "receive");
        length -= (size_t)got;
    }
}

size_t sockets_arrived(int fd)
{
    int bytes = 0;
    must(ioctl(fd, FIONREAD, &bytes), "FIONREAD");
    return (size_t)bytes;
}

/* The first bytes of a connection are acknowledged at once. */
void sockets_settle(int fd)
{
    int bytes = 0;
    while (ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0)
        sched_yield();
}

unsigned sockets_backlog(int listener)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    must(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length), "TCP_INFO");
    return info.tcpi_unacked;
}
