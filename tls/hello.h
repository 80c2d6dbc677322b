/* A look at a ClientHello before anything is made for it: the name and the protocols that the
 * client asks for (RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301). No state, no
 * allocation, hostile bytes. */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HELLO_MAX = 16384 + 2048, /* bytes of records that are looked at; a longer hello is refused */
    HELLO_NAME = 256          /* a host name with its 0 */
};

struct hello {
    char name[HELLO_NAME]; /* server_name: small letters, no trailing dot; "" if there is none */
    uint16_t version;      /* the highest that is offered: 0x0303, 0x0304; 0: neither */
    const uint8_t *alpn;   /* the list of protocols, in wire form, inside `bytes`; NULL: none */
    size_t alpn_length;
};

/* Reads the records at the beginning of a stream; the hello may be in many. Where it is in one
 * (nearly always) `alpn` points into `bytes`, else into `scratch`, of HELLO_MAX bytes, which
 * must live as long. Returns 0; -EAGAIN: more bytes are needed; -EPROTO: this is no TLS, no
 * ClientHello, or malformed; -E2BIG: longer than HELLO_MAX. */
int hello_read(const uint8_t *bytes, size_t length, uint8_t scratch[HELLO_MAX],
               struct hello *hello);

/* The protocol to be spoken: the first of ours, "h2,http/1.1" in wire form, that the client
 * offers too (the server's order, RFC 7301 section 3.2). NULL: none is common. */
const uint8_t *hello_choose_alpn(const struct hello *hello, const uint8_t *ours, size_t ours_length,
                                 size_t *length);

/* Reads "h2,http/1.1" into wire form. Its length; -EINVAL: an empty one or one of more than 255
 * bytes; -ENOSPC. */
int hello_alpn_text(const char *text, uint8_t *wire, size_t size);

#endif
