/* DNS messages in wire form: the question that is asked, beside dns_message_read(). */
#ifndef RESOLVE_MESSAGE_H
#define RESOLVE_MESSAGE_H

#include "resolve/dns.h"

enum {
    MESSAGE_HEADER = 12,
    MESSAGE_NAME_MAX = 255,                      /* in wire form, RFC 1035 section 3.1 */
    MESSAGE_QUESTION_MAX = MESSAGE_NAME_MAX + 4, /* and the type and class */
    MESSAGE_TTL_MAX = 86400,                     /* seconds an answer is kept at most, */
    MESSAGE_NEGATIVE_TTL_MAX = 3600,             /* and one that says "not there" */
};

/* Writes a question of class IN, its name in small letters. Its length; 0: that is no name. A
 * name is made of labels of 1 to 63 visible ASCII characters other than the backslash, 253 in
 * all. */
size_t message_question(const char *name, enum dns_type type,
                        uint8_t question[MESSAGE_QUESTION_MAX]);

/* Whether a byte may stand in a label, where names are texts. */
static inline bool message_is_visible(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != '\\' && byte != '.';
}

static inline uint8_t message_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

#endif
