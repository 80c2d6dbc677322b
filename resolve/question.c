/* A question in wire form, made of a name that must be one. */
#include "resolve/message.h"

/* The name in wire form; 0: it is none. */
static size_t write_name(const char *name, uint8_t wire[MESSAGE_NAME_MAX])
{
    size_t label = 0, at = 1; /* where the length of the label goes, and the next byte */

    for (;; name++) {
        uint8_t byte = (uint8_t)*name;

        if (at == MESSAGE_NAME_MAX)
            return 0;
        if (message_is_visible(byte)) {
            wire[at++] = message_lower(byte);
            continue;
        }
        if ((byte && byte != '.') || at - label - 1 < 1 || at - label - 1 > 63)
            return 0;
        wire[label] = (uint8_t)(at - label - 1);
        label = at++;
        if (!byte)
            break;
    }
    wire[label] = 0;
    return label + 1;
}

size_t message_question(const char *name, enum dns_type type,
                        uint8_t question[MESSAGE_QUESTION_MAX])
{
    size_t length = write_name(name, question);

    if (!length)
        return 0;
    question[length] = (uint8_t)(type >> 8);
    question[length + 1] = (uint8_t)type;
    question[length + 2] = 0;
    question[length + 3] = 1;
    return length + 4;
}
