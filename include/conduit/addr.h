/* conduit: socket addresses as values, and their text. */
#ifndef CONDUIT_ADDR_H
#define CONDUIT_ADDR_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <conduit/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An IPv4, IPv6 or Unix address; `length` as in bind(2), 0: no address. */
struct cdt_addr {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
};

/* The longest text of cdt_addr_format(), with its final 0. */
#define CDT_ADDR_TEXT 440

/* Reads a numeric IP address: "127.0.0.1", "::1", "fe80::1%eth0" (scope by interface name or
 * number). IPv4 only in four decimal parts. -EINVAL if it is none, -ENODEV if the scope's interface
 * does not exist. */
CDT_API int cdt_addr_ip(struct cdt_addr *addr, const char *ip, uint16_t port);

/* The wildcard address of a family, AF_INET or AF_INET6. -EINVAL for others. */
CDT_API int cdt_addr_any(struct cdt_addr *addr, int family, uint16_t port);

/* A Unix socket's path, or "@name" for the abstract namespace. -EINVAL for an empty path or name,
 * -ENAMETOOLONG for more than sockaddr_un holds (107 bytes). */
CDT_API int cdt_addr_unix(struct cdt_addr *addr, const char *path);

/* The address as people read it: "127.0.0.1:80", "[fe80::1%2]:80", "/run/x.sock", "@name", "" for
 * an unnamed one. Bytes of a Unix name that are not printable are shown as \xHH. Returns `text`. */
CDT_API const char *cdt_addr_format(const struct cdt_addr *addr, char text[CDT_ADDR_TEXT]);

/* The port of an IP address, 0 for others. */
CDT_API uint16_t cdt_addr_port(const struct cdt_addr *addr);

/* 1 if both are the same address and port, else 0. */
CDT_API int cdt_addr_equal(const struct cdt_addr *a, const struct cdt_addr *b);

#ifdef __cplusplus
}
#endif
#endif
