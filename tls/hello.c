/* The ClientHello, read before anything is made for it: first where it ends in the records, then its
 * fields, then the extensions of a table. What is wrong in the records is told as soon as it is seen,
 * what is wrong in the message when all of it is there; more bytes never change a verdict. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "tls/hello.h"

enum {
    RECORD_HEADER = 5,
    RECORD_MAX = 16384, /* of a plaintext fragment, RFC 8446 section 5.1 */
    RECORD_HANDSHAKE = 22,
    MESSAGE_HEADER = 4,
    CLIENT_HELLO = 1,
    SESSION_ID_MAX = 32,
    RANDOM = 32,
    HOST_NAME = 0, /* the one type of server_name */
    TLS_1_2 = 0x0303,
    TLS_1_3 = 0x0304
};

/* ---- a cursor: each take_ moves over what it gives, false where there is less ----------------- */

struct part {
    const uint8_t *at;
    size_t left;
};

static bool take(struct part *from, size_t length, struct part *taken)
{
    if (from->left < length)
        return false;
    *taken = (struct part){from->at, length};
    from->at += length;
    from->left -= length;
    return true;
}

static bool take8(struct part *from, unsigned *value)
{
    struct part taken;

    if (!take(from, 1, &taken))
        return false;
    *value = taken.at[0];
    return true;
}

static bool take16(struct part *from, unsigned *value)
{
    struct part taken;

    if (!take(from, 2, &taken))
        return false;
    *value = (unsigned)taken.at[0] << 8 | taken.at[1];
    return true;
}

/* Bytes behind their length, of one byte or two. */
static bool take_vector8(struct part *from, struct part *taken)
{
    unsigned length;

    return take8(from, &length) && take(from, length, taken);
}

static bool take_vector16(struct part *from, struct part *taken)
{
    unsigned length;

    return take16(from, &length) && take(from, length, taken);
}

/* ---- records --------------------------------------------------------------------------------- */

/* The length of the fragment behind a record's header, which may not be there as a whole. */
static int record_length(const uint8_t *header, size_t left)
{
    int length;

    if ((left > 0 && header[0] != RECORD_HANDSHAKE) || (left > 1 && header[1] != 3))
        return -EPROTO; /* the minor version is to be ignored, RFC 8446 section 5.1 */
    if (left < RECORD_HEADER)
        return -EAGAIN;
    length = header[3] << 8 | header[4];
    return length >= 1 && length <= RECORD_MAX ? length : -EPROTO;
}

/* What is known of the message while the records are walked. */
struct message {
    uint8_t header[MESSAGE_HEADER];
    size_t seen;   /* bytes of it, its header counts */
    size_t length; /* of all of it; 0: not known yet */
};

/* Takes a fragment, of which `here` bytes are there. */
static int message_add(struct message *message, const uint8_t *fragment, size_t size, size_t here)
{
    for (size_t i = 0; i < here && message->seen + i < MESSAGE_HEADER; i++)
        message->header[message->seen + i] = fragment[i];
    if (message->seen + here > 0 && message->header[0] != CLIENT_HELLO)
        return -EPROTO;
    if (!message->length && message->seen + here >= MESSAGE_HEADER)
        message->length = MESSAGE_HEADER + ((size_t)message->header[1] << 16 |
                                            (size_t)message->header[2] << 8 | message->header[3]);
    if (message->length > HELLO_MAX - RECORD_HEADER)
        return -E2BIG;
    /* It ends with a record: nothing may follow it in the same one (RFC 8446 section 5.1). */
    if (message->length && size > message->length - message->seen)
        return -EPROTO;
    if (here < size)
        return -EAGAIN;
    message->seen += size;
    return 0;
}

/* Where the hello ends in the records, and how long it is without their headers. */
static int measure(const uint8_t *bytes, size_t length, size_t *end, size_t *message_length)
{
    struct message message = {.seen = 0};
    size_t at = 0;

    while (!message.length || message.seen < message.length) {
        int size = record_length(bytes + at, length - at), status;

        if (size < 0)
            return size;
        at += RECORD_HEADER;
        if (at + (size_t)size > HELLO_MAX)
            return -E2BIG;
        status = message_add(&message, bytes + at, (size_t)size,
                             length - at < (size_t)size ? length - at : (size_t)size);
        if (status)
            return status;
        at += (size_t)size;
    }
    *end = at;
    *message_length = message.length;
    return 0;
}

/* The message as one piece: where it is, or put together in `scratch`. */
static const uint8_t *join(const uint8_t *bytes, size_t end, size_t message_length,
                           uint8_t *scratch)
{
    size_t to = 0;

    if (end == RECORD_HEADER + message_length)
        return bytes + RECORD_HEADER;
    for (size_t at = 0; at < end;) {
        size_t size = (size_t)bytes[at + 3] << 8 | bytes[at + 4];

        memcpy(scratch + to, bytes + at + RECORD_HEADER, size);
        to += size;
        at += RECORD_HEADER + size;
    }
    return scratch;
}

/* ---- extensions ------------------------------------------------------------------------------ */

/* Letters, digits, '-' and '_' in labels that are not empty; small letters. */
static bool copy_name(struct part from, char name[HELLO_NAME])
{
    for (size_t i = 0; i < from.left; i++) {
        uint8_t c = from.at[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool dot = c == '.' && i > 0 && from.at[i - 1] != '.';

        if (!letter && !dot && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
        name[i] = (char)(letter ? c | 0x20 : c);
    }
    if (name[from.left - 1] == '.')
        name[from.left - 1] = 0; /* not allowed, and sent all the same */
    return true;
}

/* IPv6 is written in other characters than names are. */
static bool is_ipv6(struct part from)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;

    if (from.left >= sizeof text || memchr(from.at, 0, from.left))
        return false;
    memcpy(text, from.at, from.left);
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* RFC 6066 section 3: one name of each type, and there is one type. It forbids addresses; clients that
 * send one nevertheless are served as if they sent none. */
static bool read_server_name(struct part data, struct hello *hello)
{
    struct part list, name;
    struct in_addr address;
    unsigned type;

    if (!take_vector16(&data, &list) || data.left)
        return false;
    if (!take8(&list, &type) || type != HOST_NAME || !take_vector16(&list, &name) || list.left)
        return false;
    if (!name.left || name.left >= HELLO_NAME)
        return false;
    if (is_ipv6(name))
        return true;
    if (!copy_name(name, hello->name))
        return false;
    if (inet_pton(AF_INET, hello->name, &address) == 1)
        memset(hello->name, 0, sizeof hello->name);
    return true;
}

/* RFC 7301 section 3.1. */
static bool read_alpn(struct part data, struct hello *hello)
{
    struct part list, protocol;

    if (!take_vector16(&data, &list) || data.left || !list.left)
        return false;
    hello->alpn = list.at;
    hello->alpn_length = list.left;
    while (list.left)
        if (!take_vector8(&list, &protocol) || !protocol.left)
            return false;
    return true;
}

/* RFC 8446 section 4.2.1: it overrides the version of the hello. Versions that nobody knows, GREASE (RFC
 * 8701) among them, are passed over. */
static bool read_versions(struct part data, struct hello *hello)
{
    struct part list;
    unsigned version;

    if (!take_vector8(&data, &list) || data.left || !list.left || list.left % 2)
        return false;
    hello->version = 0;
    while (take16(&list, &version))
        if ((version == TLS_1_2 || version == TLS_1_3) && version > hello->version)
            hello->version = (uint16_t)version;
    return true;
}

static const struct {
    unsigned type;
    bool (*read)(struct part data, struct hello *hello);
} extensions[] = {
    {0, read_server_name},
    {16, read_alpn},
    {43, read_versions},
};

static bool read_extension(unsigned type, struct part data, struct hello *hello)
{
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (extensions[i].type == type)
            return extensions[i].read(data, hello);
    return true;
}

/* None may be there twice (RFC 8446 section 4.2): a bit for each type, as there may be thousands. */
static bool read_extensions(struct part list, struct hello *hello)
{
    uint8_t seen[65536 / 8] = {0};
    struct part data;
    unsigned type;

    while (list.left) {
        if (!take16(&list, &type) || !take_vector16(&list, &data))
            return false;
        if (seen[type / 8] & 1u << type % 8)
            return false;
        seen[type / 8] = (uint8_t)(seen[type / 8] | 1u << type % 8);
        if (!read_extension(type, data, hello))
            return false;
    }
    return true;
}

/* ---- the hello ------------------------------------------------------------------------------- */

static bool read_body(struct part body, struct hello *hello)
{
    struct part random, session, ciphers, compressions, list;
    unsigned version;

    if (!take16(&body, &version) || version >> 8 != 3 || !take(&body, RANDOM, &random))
        return false;
    if (!take_vector8(&body, &session) || session.left > SESSION_ID_MAX)
        return false;
    if (!take_vector16(&body, &ciphers) || !ciphers.left || ciphers.left % 2)
        return false;
    if (!take_vector8(&body, &compressions) || !compressions.left)
        return false;
    /* 1.3 is offered by the extension only (RFC 8446 section 4.2.1). */
    hello->version = version >= TLS_1_2 ? TLS_1_2 : 0;
    if (!body.left)
        return true; /* TLS 1.2 may have no extensions (RFC 5246 section 7.4.1.2) */
    return take_vector16(&body, &list) && !body.left && read_extensions(list, hello);
}

int hello_read(const uint8_t *bytes, size_t length, uint8_t scratch[HELLO_MAX], struct hello *hello)
{
    size_t end, message_length;
    const uint8_t *message;
    int status;

    memset(hello, 0, sizeof *hello);
    status = length ? measure(bytes, length, &end, &message_length) : -EAGAIN;
    if (status)
        return status;
    message = join(bytes, end, message_length, scratch);
    if (read_body((struct part){message + MESSAGE_HEADER, message_length - MESSAGE_HEADER}, hello))
        return 0;
    memset(hello, 0, sizeof *hello); /* half of it is nobody's */
    return -EPROTO;
}

/* ---- protocols ------------------------------------------------------------------------------- */

static bool offers(struct part list, struct part protocol)
{
    struct part offered;

    while (take_vector8(&list, &offered))
        if (offered.left == protocol.left && !memcmp(offered.at, protocol.at, protocol.left))
            return true;
    return false;
}

const uint8_t *hello_choose_alpn(const struct hello *hello, const uint8_t *ours, size_t ours_length,
                                 size_t *length)
{
    struct part theirs = {hello->alpn, hello->alpn_length}, list = {ours, ours_length}, protocol;

    while (take_vector8(&list, &protocol)) {
        if (!offers(theirs, protocol))
            continue;
        *length = protocol.left;
        return protocol.at;
    }
    return NULL;
}

int hello_alpn_text(const char *text, uint8_t *wire, size_t size)
{
    size_t at = 0, length;

    for (;; text++) {
        length = strcspn(text, ",");
        if (length < 1 || length > 255)
            return -EINVAL;
        if (length >= size - at || at + 1 + length > UINT16_MAX) /* as long as a list can be */
            return -ENOSPC;
        wire[at] = (uint8_t)length;
        memcpy(wire + at + 1, text, length);
        at += 1 + length;
        text += length;
        if (!*text)
            return (int)at;
    }
}
