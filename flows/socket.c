/* What TCP and Unix stream sockets have in common: reading, writing, closing. recv and send rather
 * than read and write (less work in the kernel); MSG_DONTWAIT, so that a foreign descriptor's
 * O_NONBLOCK need not be touched; MSG_NOSIGNAL, so that SIGPIPE never comes. */
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "flows/internal.h"

ssize_t socket_read(struct cdt_carrier *carrier, void *data, size_t length)
{
    ssize_t n = recv(carrier->fd, data, length, MSG_DONTWAIT);
    return n >= 0 ? n : -errno;
}

ssize_t socket_write(struct cdt_carrier *carrier, const void *data, size_t length)
{
    ssize_t n = send(carrier->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n >= 0 ? n : -errno;
}

ssize_t socket_writev(struct cdt_carrier *carrier, const struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (flow_of_carrier(carrier)->flags & FLOW_ENDING)
        flags |= MSG_MORE; /* what it holds back leaves with our end */
    ssize_t n = sendmsg(carrier->fd, &message, flags);
    return n >= 0 ? n : -errno;
}

/* If the connection is gone already, why. */
int socket_shutdown(struct cdt_carrier *carrier)
{
    if (shutdown(carrier->fd, SHUT_WR) == 0)
        return 0;
    int result = -errno, reason = result == -ENOTCONN ? socket_connected(carrier) : 0;
    return reason ? reason : result;
}

int socket_connected(struct cdt_carrier *carrier)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(carrier->fd, SOL_SOCKET, SO_ERROR, &error, &length))
        return -errno;
    return -error;
}

void socket_close(struct cdt_carrier *carrier, enum cdt_close_how how)
{
    if (how == CDT_CLOSE_KEEP || carrier->fd < 0)
        return;
    if (how == CDT_CLOSE_RESET) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(carrier->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    close(carrier->fd);
    carrier->fd = -1;
}

size_t socket_unacknowledged(const struct cdt_carrier *carrier)
{
    int bytes = 0;
    if (ioctl(carrier->fd, SIOCOUTQ, &bytes) || bytes < 0)
        return 0;
    return (size_t)bytes;
}

void socket_take_over(int fd)
{
    const struct linger off = {0};
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

void socket_unmap(struct cdt_addr *addr)
{
    if (addr->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr))
        return;
    const struct sockaddr_in6 v6 = addr->v6;
    addr->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = v6.sin6_port};
    memcpy(&addr->v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof addr->v4.sin_addr);
    addr->length = sizeof addr->v4;
}

int socket_address(const struct cdt_carrier *carrier, bool peer, struct cdt_addr *addr)
{
    if (carrier->fd < 0)
        return -ENOTCONN;
    addr->length = sizeof(struct sockaddr_un);
    int (*ask)(int, struct sockaddr *, socklen_t *) = peer ? getpeername : getsockname;
    if (ask(carrier->fd, &addr->any, &addr->length)) {
        addr->length = 0;
        return -errno;
    }
    if (addr->length > sizeof(struct sockaddr_un))
        addr->length = sizeof(struct sockaddr_un);
    socket_unmap(addr);
    return 0;
}
