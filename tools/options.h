/* One option of the table, and the functions that read values. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "tools/tool.h"

struct option;
/* Reads the value into `target`. NULL, or what was expected. */
typedef const char *option_fn(const struct option *option, const char *value,
                              struct settings *settings, void *target);

struct option {
    const char *name, *value; /* "--drain", "S"; no value: a flag */
    unsigned commands;
    option_fn *read;
    size_t target; /* offset in the settings */
    uint64_t min, max;
    const char *text; /* for the usage */
};

/* A flag (bool); a number from `min` to `max` (unsigned); an octal mode (unsigned); a text. */
option_fn set_flag, read_unsigned, read_mode, read_text;
/* Seconds with up to nine decimals, at most `max` (uint64_t, ns); a timeout, where 0 is CDT_NEVER;
 * a linger time, where 0 is the shortest. */
option_fn read_seconds, read_timeout, read_linger;
/* Those of one option each; read_answer takes the answer from `min`. */
option_fn read_answer, read_source, read_keepalive, read_bind, read_sexp, read_rewrite;
/* Those of TLS. */
option_fn read_tls, read_server_name, read_alpn, read_min_tls, read_pin;
/* Those of vchan; the size of a ring, bytes (size_t), at most `max`. */
option_fn read_vchan, read_ring_size;

#endif
