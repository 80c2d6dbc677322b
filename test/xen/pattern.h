/* The bytes that both programs send and check: a stream that depends on who sends it, so that no
 * byte that is lost, doubled, or taken from the other direction goes unnoticed. */
#ifndef TEST_XEN_PATTERN_H
#define TEST_XEN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAST_WORDS = 1000 /* bytes that one who leaves has written just before */ };

struct pattern {
    uint64_t state, word;
    unsigned left; /* bytes of the word */
};

static inline struct pattern pattern_of(bool server)
{
    return (struct pattern){.state = server ? 0x9e3779b97f4a7c15u : 0xd1b54a32d192ed03u};
}

static inline uint8_t pattern_next(struct pattern *pattern)
{
    if (pattern->left == 0) { /* xorshift */
        pattern->state ^= pattern->state << 13;
        pattern->state ^= pattern->state >> 7;
        pattern->state ^= pattern->state << 17;
        pattern->word = pattern->state;
        pattern->left = 8;
    }
    const uint8_t byte = (uint8_t)pattern->word;
    pattern->word >>= 8;
    pattern->left--;
    return byte;
}

static inline void pattern_fill(struct pattern *pattern, void *data, size_t length)
{
    uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern_next(pattern);
}

static inline bool pattern_check(struct pattern *pattern, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    bool good = true;
    for (size_t i = 0; i < length; i++)
        good &= bytes[i] == pattern_next(pattern);
    return good;
}

#endif
