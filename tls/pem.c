/* PEM (RFC 7468): the way from block to block of a text. Between blocks anything may stand. The
 * text may be hostile: every byte is looked at a bounded number of times. */
#include <string.h>

#include "tls/config.h"

static const char dashes[] = "-----";
enum { DASHES = sizeof dashes - 1, LABEL_MAX = 64 };

/* What stands between five dashes and five dashes: "BEGIN CERTIFICATE". */
struct mark {
    const char *from, *text, *to; /* the first dash, the first letter, behind the last dash */
    size_t length;
};

/* The next one at the beginning of a line. */
static bool next_mark(const char *begin, const char *at, const char *end, struct mark *mark)
{
    for (; (at = memmem(at, (size_t)(end - at), dashes, DASHES)); at += DASHES) {
        if (at > begin && at[-1] != '\n' && at[-1] != '\r')
            continue;
        const char *text = at + DASHES;
        const size_t left = (size_t)(end - text);
        const size_t most = LABEL_MAX + sizeof "BEGIN " + DASHES;
        const char *close = memmem(text, left < most ? left : most, dashes, DASHES);
        if (!close || memchr(text, '\n', (size_t)(close - text)))
            continue;
        *mark = (struct mark){at, text, close + DASHES, (size_t)(close - text)};
        return true;
    }
    return false;
}

/* Whether it begins with this word; what follows it is its label. */
static bool takes(const struct mark *mark, const char *word, const char **label, size_t *length)
{
    const size_t skip = strlen(word);
    if (mark->length < skip || memcmp(mark->text, word, skip) != 0)
        return false;
    *label = mark->text + skip;
    *length = mark->length - skip;
    return true;
}

static bool is_label(const char *wanted, const char *label, size_t length)
{
    return !wanted || (strlen(wanted) == length && memcmp(wanted, label, length) == 0);
}

bool tls_pem_next(const char **at, const char *end, const char *label, const char **block,
                  size_t *length)
{
    const char *const begin = *at, *opened, *closed;
    struct mark first, last;
    size_t opened_length, closed_length;
    while (next_mark(begin, *at, end, &first)) {
        *at = first.to;
        if (!takes(&first, "BEGIN ", &opened, &opened_length))
            continue;
        if (!next_mark(begin, *at, end, &last))
            return false;
        if (!takes(&last, "END ", &closed, &closed_length) || closed_length != opened_length ||
            memcmp(opened, closed, opened_length) != 0)
            continue; /* the next mark may be a beginning */
        *at = last.to;
        if (!is_label(label, opened, opened_length))
            continue;
        *block = first.from;
        *length = (size_t)(last.to - first.from);
        return true;
    }
    return false;
}
