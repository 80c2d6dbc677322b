/* conduit: endpoints, the values that say where to connect or to listen, and their text.
 *
 *   kind                          means                        fields        text
 *   CDT_ENDP_TCP                  an IP address and a port     addr          (TCP (::1 80))
 *   CDT_ENDP_UNIX                 a Unix stream socket         name          (Unix_domain_socket /)
 *   CDT_ENDP_VCHAN_DIRECT         vchan of a domain by its id  number, port  (Vchan_direct (3 p))
 *   CDT_ENDP_VCHAN_DOMAIN_SOCKET  vchan of a domain by name    name, port
 *   CDT_ENDP_TLS                  TLS with a host, over one    name, inner   (TLS (h (TCP ...)))
 *   CDT_ENDP_UNKNOWN              nowhere, and why             name          (Unknown "no scheme")
 *   CDT_ENDP_SYSTEMD              a descriptor that listens,   name          (Launchd web)
 *                                 passed by systemd, by name                 systemd:web
 *
 * Two more have a short text only; they become one of those above before they are used:
 *   CDT_ENDP_HOST                 TCP to a host by name; none  name, number  tcp:example.org:80
 *                                 is every address to listen
 *                                 on, localhost to connect to
 *   CDT_ENDP_FD                   an inherited descriptor      number        fd:3
 *                                 that listens
 *
 * Names are byte strings: they may hold any byte, and have a 0 behind the last. An endpoint never
 * changes once it was made. Whether a name can be used (a path short enough, a valid port name) is
 * found when it is used.
 *
 * Conventions: <conduit/version.h>. Everything here may be called from any thread. */
#ifndef CONDUIT_ENDP_H
#define CONDUIT_ENDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conduit/addr.h>
#include <conduit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cdt_endp_kind {
    CDT_ENDP_TCP,
    CDT_ENDP_UNIX,
    CDT_ENDP_VCHAN_DIRECT,
    CDT_ENDP_VCHAN_DOMAIN_SOCKET,
    CDT_ENDP_TLS,
    CDT_ENDP_UNKNOWN,
    CDT_ENDP_HOST,
    CDT_ENDP_FD,
    CDT_ENDP_SYSTEMD,
    CDT_ENDP_KINDS /* how many there are */
};

/* How deep TLS may nest: the innermost endpoint is at most the 16th. */
enum { CDT_ENDP_DEPTH = 16 };

/* Fields that the kind does not use are 0 or NULL. */
struct cdt_endp {
    enum cdt_endp_kind kind;
    uint32_t number;      /* VCHAN_DIRECT: domain id; HOST: port; FD: descriptor */
    struct cdt_addr addr; /* TCP */
    const char *name; /* UNIX: path, "@name" or a 0 byte and the name for the abstract namespace;
                * VCHAN_DOMAIN_SOCKET, HOST, SYSTEMD: name; TLS: host name; UNKNOWN: reason */
    size_t name_length;
    const char *port; /* VCHAN_*: name of the port */
    size_t port_length;
    struct cdt_endp *inner; /* TLS */
};

/* ---- making ---------------------------------------------------------------------------------- */

/* Each makes a new endpoint, to be freed with cdt_endp_free(). Texts are copied. -EINVAL, -ENOMEM.
 */

/* `addr` is IPv4 or IPv6. */
CDT_API int cdt_endp_tcp(const struct cdt_addr *addr, struct cdt_endp **endp);
CDT_API int cdt_endp_unix(const char *path, struct cdt_endp **endp);
CDT_API int cdt_endp_vchan_direct(uint32_t domid, const char *port, struct cdt_endp **endp);
CDT_API int cdt_endp_vchan_domain_socket(const char *name, const char *port,
                                         struct cdt_endp **endp);
/* `inner` belongs to the new endpoint once this returned 0. -E2BIG if it nests too deep. */
CDT_API int cdt_endp_tls(const char *host, struct cdt_endp *inner, struct cdt_endp **endp);
CDT_API int cdt_endp_unknown(const char *reason, struct cdt_endp **endp);
/* A name that DNS can be asked for, "" for none; not an address. */
CDT_API int cdt_endp_host(const char *name, uint16_t port, struct cdt_endp **endp);
CDT_API int cdt_endp_fd(int fd, struct cdt_endp **endp);
CDT_API int cdt_endp_systemd(const char *name, struct cdt_endp **endp);

/* The endpoint of a socket address: TCP, or Unix ("@name" for an abstract one, "" for an unnamed
 * one). -EINVAL for an address of length 0. */
CDT_API int cdt_endp_of_addr(const struct cdt_addr *addr, struct cdt_endp **endp);

CDT_API int cdt_endp_copy(const struct cdt_endp *endp, struct cdt_endp **copy);

/* Frees an endpoint and those inside it. NULL is allowed. */
CDT_API void cdt_endp_free(struct cdt_endp *endp);

/* 1 if both have the same kind, the same fields, and equal inner endpoints; else 0. */
CDT_API int cdt_endp_equal(const struct cdt_endp *a, const struct cdt_endp *b);

/* Equal endpoints have equal hashes. Not for tables whose keys an enemy chooses. */
CDT_API uint64_t cdt_endp_hash(const struct cdt_endp *endp);

/* The innermost endpoint: itself, or what lies below all TLS. */
CDT_API const struct cdt_endp *cdt_endp_base(const struct cdt_endp *endp);

/* ---- reading --------------------------------------------------------------------------------- */

/* Reads the text of an endpoint.
 *
 *   tcp:PORT  tcp:HOST:PORT  tcp://HOST:PORT  tcp:[::1]:80  tcp:[fe80::1%eth0]:80
 *   unix:PATH  unix:@NAME
 *   tls:HOST:PORT and the other forms of tcp:
 *   tls+ENDPOINT              TLS whose host is that of the endpoint inside, "" if it has none
 *   vchan:DOMID/PORT  vchan:NAME/PORT
 *   fd:NUMBER  systemd:NAME
 *   (TCP (127.0.0.1 80)) ...  the s-expression form, with all that s-expressions allow: white
 *                             space, ; and #| |# and #; comments, continued lines, quoted atoms
 *                             with the escapes \n \t \b \r \" \\ \' \DDD \xHH
 *
 * A numeric host gives CDT_ENDP_TCP, a name CDT_ENDP_HOST. Returns 0; -EPROTONOSUPPORT if the text
 * is none of these (a URI, perhaps); -EINVAL if it begins as one of these and goes wrong; -E2BIG if
 * it nests too deep; -ENODEV for a scope that is no interface; -ENOMEM. `error` may be NULL and is
 * filled in for all of these. */
CDT_API int cdt_endp_parse(const char *text, struct cdt_endp **endp, struct cdt_text_error *error);

/* ---- writing --------------------------------------------------------------------------------- */

enum cdt_endp_form {
    CDT_ENDP_HUMAN,   /* (TCP (127.0.0.1 80)) */
    CDT_ENDP_MACHINE, /* (TCP(127.0.0.1 80)): a space only between two bare atoms */
    CDT_ENDP_SHORT    /* tcp:127.0.0.1:80; the human form where there is no short text */
};

/* Writes an endpoint as snprintf(3) does: at most `size` bytes with the final 0 into `text`, which
 * may be NULL if `size` is 0. Returns how many bytes the whole has, without the final 0. HOST and
 * FD have only their short text, which stands as an atom inside TLS. cdt_endp_parse() reads all
 * forms back. -EINVAL. */
CDT_API int cdt_endp_format(const struct cdt_endp *endp, enum cdt_endp_form form, char *text,
                            size_t size);

/* The same in memory of its own: `*text` is to be freed with cdt_endp_text_free(). -EINVAL,
 * -ENOMEM. */
CDT_API int cdt_endp_text(const struct cdt_endp *endp, enum cdt_endp_form form, char **text);
CDT_API void cdt_endp_text_free(char *text);

#ifdef __cplusplus
}
#endif
#endif
