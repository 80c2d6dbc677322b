/* The tokens of s-expressions. The text may come from anyone: no recursion, one pass, and no more
 * memory than the text has bytes. Written by hand because the packaged reader (libsexp) knows
 * neither the block and expression comments nor the decimal escapes of the dialect that is asked
 * for. */
#include <string.h>

#include "resolve/internal.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_bare(char c)
{
    return c && !is_blank(c) && !strchr("();\"", c);
}

static int digit(char c, unsigned base)
{
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : 99;
    return value < (int)base ? value : -1;
}

/* A number of exactly `count` digits, or -1. */
static int digits(const char *at, int count, unsigned base)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        const int d = digit(at[i], base);
        if (d < 0)
            return -1;
        value = value * (int)base + d;
    }
    return value;
}

static enum sexp_token wrong(struct sexp_reader *reader, size_t offset, const char *expected)
{
    endp_wrong(reader->error, -EINVAL, offset, "expected %s", expected);
    return SEXP_WRONG;
}

static void put(struct sexp_reader *reader, char byte)
{
    reader->memory[reader->used++] = byte;
}

/* A line that ends in a backslash goes on at the next one's first byte that is no blank. */
static bool skip_continuation(struct sexp_reader *reader)
{
    const char *at = reader->text + reader->at;
    if (*at == '\r' && at[1] == '\n')
        at++;
    if (*at != '\n')
        return false;
    do
        at++;
    while (*at == ' ' || *at == '\t');
    reader->at = (size_t)(at - reader->text);
    return true;
}

/* What follows a backslash in a string. Unknown escapes stand for themselves, backslash included.
 */
static bool read_escape(struct sexp_reader *reader)
{
    static const char names[] = "ntbr\\\"' ", bytes[] = "\n\t\b\r\\\"' ";
    const char *at = reader->text + reader->at;
    if (skip_continuation(reader))
        return true;
    const char *known = *at ? strchr(names, *at) : NULL;
    int value;
    if (known) {
        put(reader, bytes[known - names]);
        reader->at++;
    } else if ((value = digits(at, 3, 10)) >= 0) {
        if (value > 255) {
            wrong(reader, reader->at, "a decimal escape up to \\255");
            return false;
        }
        put(reader, (char)value);
        reader->at += 3;
    } else if (*at == 'x' && (value = digits(at + 1, 2, 16)) >= 0) {
        put(reader, (char)value);
        reader->at += 3;
    } else {
        put(reader, '\\');
    }
    return true;
}

/* A quoted atom; the first quote is read. */
static enum sexp_token read_string(struct sexp_reader *reader)
{
    const size_t begin = reader->used;
    for (;;) {
        const char c = reader->text[reader->at];
        if (c == 0)
            return wrong(reader, reader->at, "a closing quote");
        reader->at++;
        if (c == '"')
            break;
        if (c != '\\')
            put(reader, c);
        else if (!read_escape(reader))
            return SEXP_WRONG;
    }
    reader->atom = (struct slice){reader->memory + begin, reader->used - begin};
    return SEXP_ATOM;
}

static enum sexp_token read_bare(struct sexp_reader *reader)
{
    const char *begin = reader->text + reader->at, *at = begin;
    for (; is_bare(*at); at++) {
        if ((at[0] == '#' && at[1] == '|') || (at[0] == '|' && at[1] == '#'))
            return wrong(reader, (size_t)(at - reader->text), "no comment inside an atom");
    }
    reader->at = (size_t)(at - reader->text);
    reader->atom = (struct slice){begin, (size_t)(at - begin)};
    return SEXP_ATOM;
}

/* A block comment, which may hold others, and strings; its first two bytes are read. */
static bool skip_block(struct sexp_reader *reader)
{
    for (unsigned open = 1; open;) {
        const char *at = reader->text + reader->at;
        if (*at == 0) {
            wrong(reader, reader->at, "the end of a comment, |#");
            return false;
        }
        reader->at++;
        if (*at == '"') {
            const size_t used = reader->used;
            if (read_string(reader) == SEXP_WRONG)
                return false;
            reader->used = used;
        } else if (at[0] == '#' && at[1] == '|') {
            reader->at++;
            open++;
        } else if (at[0] == '|' && at[1] == '#') {
            reader->at++;
            open--;
        }
    }
    return true;
}

/* White space, line comments and block comments. */
static bool skip_blank(struct sexp_reader *reader)
{
    for (;;) {
        const char *at = reader->text + reader->at;
        if (is_blank(*at)) {
            reader->at++;
        } else if (*at == ';') {
            reader->at += strcspn(at, "\r\n");
        } else if (at[0] == '#' && at[1] == '|') {
            reader->at += 2;
            if (!skip_block(reader))
                return false;
        } else {
            return true;
        }
    }
}

/* The next token, where #; is not yet understood: *discard tells that it was one. */
static enum sexp_token next_raw(struct sexp_reader *reader, bool *discard)
{
    *discard = false;
    if (!skip_blank(reader))
        return SEXP_WRONG;
    const char *at = reader->text + reader->at;
    reader->start = reader->at;
    if (*at == 0)
        return SEXP_END;
    if (at[0] == '#' && at[1] == ';') {
        reader->at += 2;
        *discard = true;
        return SEXP_ATOM;
    }
    if (is_bare(*at))
        return read_bare(reader);
    reader->at++;
    if (*at == '"')
        return read_string(reader);
    return *at == '(' ? SEXP_OPEN : SEXP_CLOSE;
}

/* Skips the expression after #;, and one more for each #; before it. */
static bool skip_expressions(struct sexp_reader *reader)
{
    size_t depth = 0, count = 1;
    const size_t used = reader->used;
    while (count) {
        bool discard;
        const enum sexp_token token = next_raw(reader, &discard);
        if (token == SEXP_WRONG)
            return false;
        if (token == SEXP_END || (token == SEXP_CLOSE && depth == 0)) {
            wrong(reader, reader->start, "an expression after #;");
            return false;
        }
        if (discard) {
            count += depth == 0;
            continue;
        }
        depth += token == SEXP_OPEN;
        depth -= token == SEXP_CLOSE;
        count -= depth == 0;
        reader->used = used;
    }
    return true;
}

enum sexp_token sexp_next(struct sexp_reader *reader)
{
    for (;;) {
        bool discard;
        const enum sexp_token token = next_raw(reader, &discard);
        if (!discard)
            return token;
        if (!skip_expressions(reader))
            return SEXP_WRONG;
    }
}
