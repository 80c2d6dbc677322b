/* The program from inside: its settings, its commands, and what they share. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <conduit/conduit.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- settings -------------------------------------------------------------------------------- */

/* Commands, as bits in the table of options. */
enum { SERVE = 1, CONNECT = 2, PROXY = 4, RESOLVE = 8, DEMO = 16, VERSION = 32 };

enum answer { ANSWER_ECHO, ANSWER_DISCARD, ANSWER_SOURCE };

struct settings {
    const struct command *command;
    char **texts; /* the arguments that are no options */
    int count;

    enum answer answer;
    uint64_t source_bytes;
    unsigned max_active;
    unsigned backlog;
    uint64_t drain;
    bool reuseport;
    unsigned unix_mode;
    struct cdt_flow_options flow; /* timeouts, keepalive, source, interface */
    struct cdt_addr bind;         /* --bind ADDR: source, and default listen address */
    enum cdt_endp_form sexp;
    bool json;
    bool verbose, quiet;
    bool help;
};

struct command {
    const char *name;
    unsigned bit;
    int (*run)(struct settings *settings);
    int min_texts, max_texts;
    const char *arguments; /* "[options] ENDPOINT..." */
    const char *summary;
};

extern const struct command commands[];
const struct command *command_find(const char *name);

/* Reads the options and texts of a command. 0, or EXIT_USAGE after one line of error. */
int options_read(int argc, char **argv, const struct command *command, struct settings *settings);

/* The options of a command, for its usage on standard output. */
void options_print(const struct command *command);

/* ---- errors and the log ---------------------------------------------------------------------- */

/* One line on standard error: "conduit: WHAT: WHY". Bytes that are no text are shown as \xHH.
 * Returns EXIT_FAILED. */
int complain(const char *what, const char *why);

/* The same for wrong usage. Returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int misuse(const char *what, const char *why, ...);

/* One line on standard error with this beginning, if -v was given. */
__attribute__((format(printf, 2, 3))) void tell(const struct settings *settings, const char *format,
                                                ...);

/* One line on standard error as it is: counters, the end of a drain. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

/* A line to standard output, at once. 0, or EXIT_FAILED after an error line. */
int say(const char *line);

/* ---- the reactor and the context of a command ------------------------------------------------ */

/* Makes both, as the settings have it; complains and returns EXIT_FAILED if it cannot. */
int setup(const struct settings *settings, struct cdt_reactor **reactor,
          struct cdt_context **context);
void teardown(struct cdt_reactor *reactor, struct cdt_context *context);

/* ---- endpoints of texts ---------------------------------------------------------------------- */

/* What a text means, in the order to be tried; names are resolved. */
struct targets {
    const char *text;
    size_t count;
    struct cdt_endp *endps[64]; /* more addresses than any name should have are left out */
};

/* Reads, checks that the command can use it (`resolve` takes any), and resolves. 0, or an exit
 * status after one line of error. */
int targets_read(const struct settings *settings, const char *text, bool listening,
                 struct targets *targets);
void targets_free(struct targets *targets);

/* ---- listeners: what serve and proxy share --------------------------------------------------- */

struct listeners_job {
    const struct settings *settings;
    struct cdt_context *context;
    struct cdt_reactor *reactor;
    const struct cdt_handler *handler;
    int (*on_accept)(struct cdt_server *server, struct cdt_flow *flow); /* may be NULL */
    char **texts;                                                       /* where to listen */
    int count;
};

/* Listens on all texts or on none, runs until the drain is over. Returns the exit status. */
int listeners_run(const struct listeners_job *job);

/* ---- standard input and output as a flow ----------------------------------------------------- */

/* Makes a flow that reads standard input and writes standard output. Its input ends when its output
 * has ended. `on_failed` is called once when either fails. 0 or a negative code. */
int stdio_flow(struct cdt_reactor *reactor, const struct cdt_handler *handler,
               void (*on_failed)(int status), struct cdt_flow **flow);

/* Bytes read and written. */
void stdio_counters(uint64_t *bytes_in, uint64_t *bytes_out);

/* What failed, "standard input" or "standard output"; NULL: nothing. */
const char *stdio_failed(void);

/* ---- commands -------------------------------------------------------------------------------- */

int serve_run(struct settings *settings);
int connect_run(struct settings *settings);
int proxy_run(struct settings *settings);
int resolve_run(struct settings *settings);
int demo_run(struct settings *settings);
int version_run(struct settings *settings);

#endif
