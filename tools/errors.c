/* What the program says: one line an error, lines to standard output, and the library's log. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

enum { LINE = 4096 };

/* A line in one write, so that lines of several processes stay whole. */
static int write_line(int fd, const char *line, size_t length)
{
    while (length) {
        const ssize_t written = write(fd, line, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        line += written;
        length -= (size_t)written;
    }
    return 0;
}

/* To standard error, which may be a pipe that nobody reads: a line that does not fit waits a moment
 * and is lost then, those behind it at once until there is room again, unless they are wanted.
 * (Room is at least PIPE_BUF.) */
static void write_error(const char *line, size_t length, bool wanted)
{
    static bool stalled;
    struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    const int patience = wanted ? 1000 : stalled ? 0 : 100; /* ms */
    stalled = poll(&poll_fd, 1, patience) == 0;
    if (!stalled)
        (void)!write_line(STDERR_FILENO, line, length);
}

/* Appends text, as far as `most`; bytes that would break the line, or the terminal, as \xHH. */
static size_t append(char line[LINE], size_t length, size_t most, const char *text)
{
    for (; *text && length < most; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte >= ' ' && byte != 127)
            line[length++] = (char)byte;
        else
            length += (size_t)snprintf(line + length, 5, "\\x%02x", byte);
    }
    if (*text)
        length += (size_t)snprintf(line + length, 4, "...");
    return length;
}

static void print_error(const char *what, const char *why)
{
    char line[LINE];
    size_t length = append(line, 0, LINE, "conduit: ");
    if (what) {
        length = append(line, length, LINE / 2, what); /* and room for why */
        length = append(line, length, LINE, ": ");
    }
    length = append(line, length, LINE - 8, why);
    line[length++] = '\n';
    write_error(line, length, false);
}

int complain(const char *what, const char *why)
{
    print_error(what, why);
    return EXIT_FAILED;
}

int misuse(const char *what, const char *why, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, why);
    vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    print_error(what, text);
    return EXIT_USAGE;
}

void tell(const struct settings *settings, const char *format, ...)
{
    char text[LINE];
    if (!settings->verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_error(NULL, text);
}

void note(const char *format, ...)
{
    char text[LINE], line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const size_t length = append(line, 0, LINE - 8, text);
    line[length] = '\n';
    write_error(line, length + 1, true);
}

int say(const char *line)
{
    const int status = write_line(STDOUT_FILENO, line, strlen(line));
    return status ? complain("standard output", cdt_strerror(status)) : 0;
}
