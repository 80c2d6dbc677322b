/* The answer to a ticket of TLS 1.2, read before wolfSSL reads it. wolfSSL sends the ticket without
 * a session ID and takes every ServerHello for a yes; at the Certificate that says no it fails.
 * Only what follows ServerHello tells (RFC 5077 section 3.4), so the end of its record is held back
 * until that is here: a server says it without waiting for us (RFC 5246 section 7.3). When it is a
 * no the ticket is taken from wolfSSL, which then expects a full handshake. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>

#include "reactor/internal.h"
#include "tls/wolfssl.h"

enum {
    MESSAGE = 4,                   /* bytes before a handshake message */
    HELD = 1 + WOLFSSL_HEADER + 1, /* the last byte, and what tells */
    RECORD_HANDSHAKE = 22,         /* RFC 5246 section 6.2.1 */
    MESSAGE_SERVER_HELLO = 2,
    MESSAGE_NEW_TICKET = 4, /* RFC 5246 section 7.4, RFC 5077 */
};

struct wolfssl_ahead {
    uint8_t held[HELD]; /* read, and not yet given to wolfSSL */
    uint8_t from, length;
    uint8_t header[WOLFSSL_HEADER], header_length; /* of the record */
    uint8_t message_length;                        /* bytes seen of the message's header */
    uint16_t record_left;
    uint32_t message_left;
    bool ends; /* the record has ended with ServerHello */
    bool known;
};

int wolfssl_ahead_begin(struct tls_engine *engine)
{
    engine->ahead = mem_zalloc(sizeof *engine->ahead);
    return engine->ahead ? 0 : -ENOMEM;
}

enum answer { UNKNOWN, YES, NO };

/* ChangeCipherSpec is a yes; alerts and what breaks the rules are for wolfSSL to find. */
static enum answer read_header(struct wolfssl_ahead *ahead, uint8_t byte)
{
    ahead->header[ahead->header_length++] = byte;
    if (ahead->header_length < WOLFSSL_HEADER)
        return UNKNOWN;
    ahead->record_left = (uint16_t)(ahead->header[3] << 8 | ahead->header[4]);
    return ahead->header[0] == RECORD_HANDSHAKE && ahead->record_left ? UNKNOWN : YES;
}

static enum answer read_message(struct wolfssl_ahead *ahead, uint8_t byte)
{
    if (ahead->message_length == MESSAGE && !ahead->message_left)
        return byte == MESSAGE_NEW_TICKET ? YES : NO;
    if (ahead->message_length == MESSAGE)
        ahead->message_left--;
    else if (ahead->message_length++)
        ahead->message_left = ahead->message_left << 8 | byte;
    else if (byte != MESSAGE_SERVER_HELLO)
        return YES;
    return UNKNOWN;
}

static enum answer read_byte(struct wolfssl_ahead *ahead, uint8_t byte)
{
    if (ahead->header_length < WOLFSSL_HEADER)
        return read_header(ahead, byte);
    const enum answer answer = read_message(ahead, byte);
    if (--ahead->record_left == 0) {
        ahead->header_length = 0;
        ahead->ends = ahead->message_length == MESSAGE && !ahead->message_left;
    }
    return answer;
}

/* One byte more: false if there is none. */
static bool read_on(struct tls_engine *engine)
{
    struct wolfssl_ahead *ahead = engine->ahead;
    uint8_t byte;

    if (!tls_io_take(engine->io, &byte, 1))
        return false;
    if (ahead->from == ahead->length)
        ahead->from = ahead->length = 0;
    ahead->held[ahead->length++] = byte;
    const enum answer answer = read_byte(ahead, byte);
    if (answer == NO)
        wolfSSL_set_SessionTicket(engine->ssl, NULL, 0);
    ahead->known = answer != UNKNOWN;
    return true;
}

size_t wolfssl_ahead_take(struct tls_engine *engine, uint8_t *data, size_t length)
{
    struct wolfssl_ahead *ahead = engine->ahead;
    size_t count = 0;

    while (count < length) {
        const bool any = ahead->from < ahead->length;
        if (any && (ahead->known || !ahead->ends))
            data[count++] = ahead->held[ahead->from++];
        else if (ahead->known || !read_on(engine))
            break;
    }
    if (ahead->known && ahead->from == ahead->length) {
        mem_free(ahead);
        engine->ahead = NULL;
    }
    return count;
}

#endif
