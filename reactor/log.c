/* The log hook: one line, formatted on the stack. */
#include <errno.h>
#include <stdio.h>

#include "reactor/state.h"

int cdt_reactor_set_log(struct cdt_reactor *reactor, cdt_log_fn *log, void *user)
{
    if (!is_usable(reactor))
        return -EINVAL;
    reactor->log = log;
    reactor->log_user = user;
    return 0;
}

void reactor_log(struct cdt_reactor *reactor, enum cdt_log_level level, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int saved = errno;

    if (!reactor->log)
        return;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the line above does that */
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    reactor->log(reactor->log_user, level, line);
    errno = saved;
}
