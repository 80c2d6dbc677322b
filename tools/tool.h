/* The program from inside: its settings, its commands, and what they share. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <conduit/conduit.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- settings -------------------------------------------------------------------------------- */

/* Commands, as bits in the table of options. */
enum { SERVE = 1, CONNECT = 2, PROXY = 4, RESOLVE = 8, DEMO = 16, VERSION = 32 };

enum answer { ANSWER_ECHO, ANSWER_DISCARD, ANSWER_SOURCE };

/* A rule: hosts below `suffix` are `endp`. */
struct rewrite {
    char *suffix;
    struct cdt_endp *endp;
};

/* TLS: what the options say; NULL, 0: nothing. Files are read when they are needed. */
struct tls_settings {
    const char *cert, *key, *password_file, *ca, *client_ca, *crl;
    const char *server_name, *alpn, *ciphers;
    enum cdt_tls_version min_version;
    uint8_t (*pins)[32];
    size_t pin_count;
    bool insecure;
};

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
    const char *dns;              /* --dns; NULL: the system's */
    struct rewrite *rewrites;     /* --rewrite, in their order */
    size_t rewrite_count;
    struct tls_settings tls;
    struct cdt_vchan_options vchan; /* sizes of rings */
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

/* Frees what the options have allocated. */
void settings_free(struct settings *settings);

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

/* ---- what a command works with --------------------------------------------------------------- */

struct session {
    const struct settings *settings;
    struct cdt_reactor *reactor;
    struct cdt_resolver *resolver;
    struct cdt_context *context;
    struct cdt_tls_config *tls_client, *tls_server; /* NULL: none is needed */
    unsigned tls_sides; /* that may speak TLS: SERVE, CONNECT; complete once both are known */
};

/* Makes the reactor, the resolver and the context, as the settings have it; or complains and returns
 * an exit status. */
int session_begin(const struct settings *settings, struct session *session);
void session_end(struct session *session);

/* ---- endpoints of texts ---------------------------------------------------------------------- */

/* What to connect to. */
struct target {
    const char *text;
    struct cdt_endp *endp; /* NULL: the text is a URI */
};

/* Reads a text to connect to, and checks that it can be. 0, or an exit status after one line of
 * error. */
int target_read(const struct settings *settings, const char *text, struct target *target);
void target_free(struct target *target);

/* Connects to it; failures come by on_close. 0, or EXIT_FAILED after one line of error. */
int target_connect(const struct session *session, const struct target *target,
                   const struct cdt_handler *handler, struct cdt_flow **flow);

/* Reads a text to listen at; of a name the first address. 0, or an exit status after one line of
 * error. */
int listen_read(const struct session *session, const char *text, struct cdt_endp **endp);

/* What was wrong with a text. Returns the exit status. */
int text_error(const char *text, int status, const struct cdt_text_error *error);

/* ---- TLS ------------------------------------------------------------------------------------- */

/* Options that contradict each other: 0, or EXIT_USAGE after one line of error. */
int tls_check(const struct settings *settings);

/* Why there is no TLS; NULL: there is. */
const char *tls_missing(void);

/* The name of every TLS of an endpoint becomes that of --server-name, if it was given; without any
 * name it must be clear whom we reach. 0, or an exit status after one line of error. */
int tls_name(const struct settings *settings, const char *text, struct cdt_endp **endp);

/* Makes the configuration of connections if `endp` is TLS, or NULL: a URI, which may become TLS;
 * that of listeners if one of them is. Options that none of them uses are wrong usage. First those of
 * connections, then, where there are any, those of listeners. 0, or an exit status after one line of
 * error. */
int tls_for_connecting(struct session *session, const struct cdt_endp *endp);
int tls_for_listening(struct session *session, bool any_is_tls);

/* Reads all files again. What cannot be used is told, and the old ones stay. */
void tls_reload(const struct session *session);

/* With -v: what was negotiated, and with whom. Nothing for a flow without TLS. */
void tls_tell(const struct settings *settings, const char *what, const struct cdt_flow *flow);

/* ---- vchan ----------------------------------------------------------------------------------- */

/* Why there is no vchan; NULL: there is. */
const char *vchan_missing(void);

/* With -v: backend and rings. Nothing for a flow that is no vchan. */
void vchan_tell(const struct settings *settings, const char *what, const struct cdt_flow *flow);

/* The peer for people, its address or, of a vchan, domain and port: "3/foo"; "": unnamed. */
const char *peer_name(const struct cdt_flow *flow, char text[CDT_ADDR_TEXT]);

/* ---- listeners: what serve and proxy share --------------------------------------------------- */

struct listeners_job {
    const struct settings *settings;
    struct session *session;
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
