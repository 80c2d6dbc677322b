/* A text for people in memory of a given size: pieces are added whole; where one does not fit any
 * more, the text ends with "...". */
#ifndef TLS_LINE_H
#define TLS_LINE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct line {
    char *text;
    size_t size;   /* at least 1 */
    size_t length; /* so far */
    size_t cut;    /* where the dots would go */
    bool full;
};

static inline void line_begin(struct line *line, char *text, size_t size)
{
    *line = (struct line){.text = text, .size = size};
    *text = 0;
}

static inline void line_add(struct line *line, const char *piece, size_t length)
{
    if (line->full || length >= line->size - line->length) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->length, piece, length);
    line->length += length;
    line->text[line->length] = 0;
    if (line->size - line->length > strlen("..."))
        line->cut = line->length;
}

static inline void line_end(struct line *line)
{
    if (line->full)
        snprintf(line->text + line->cut, line->size - line->cut, "...");
}

#endif
