/* The options of all commands: one table, one reader. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tools/options.h"

/* ---- the table ------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct settings, member)

enum {
    LISTENS = SERVE | PROXY,
    STREAMS = SERVE | CONNECT | PROXY,
    DIALS = CONNECT | PROXY,
    NAMES = STREAMS | RESOLVE,
    ALL = STREAMS | RESOLVE | DEMO
};

enum { LONGEST = 1000000000, LARGEST_RING = 1024 * 1024 };

static const struct option options[] = {
    {"--echo", NULL, SERVE, read_answer, 0, ANSWER_ECHO, 0, "answer the input (default)"},
    {"--discard", NULL, SERVE, read_answer, 0, ANSWER_DISCARD, 0, "answer nothing"},
    {"--source", "BYTES", SERVE, read_source, 0, 0, 0, "answer BYTES bytes, then end of stream"},
    {"--max-active", "N", LISTENS, read_unsigned, AT(max_active), 0, UINT_MAX,
     "connections at once over all listeners; 0: unlimited (default)"},
    {"--backlog", "N", LISTENS, read_unsigned, AT(backlog), 1, INT_MAX,
     "clients that wait in the kernel; default 4096"},
    {"--connect-timeout", "S", DIALS, read_timeout, AT(flow.connect_timeout), 0, LONGEST,
     "seconds to connect; 0: no limit; default 30"},
    {"--handshake-timeout", "S", STREAMS, read_timeout, AT(flow.handshake_timeout), 0, LONGEST,
     "seconds for handshakes; 0: no limit; default 10"},
    {"--idle-timeout", "S", STREAMS, read_timeout, AT(flow.idle_timeout), 0, LONGEST,
     "seconds without payload; 0: no limit (default)"},
    {"--linger", "S", STREAMS, read_linger, AT(flow.linger_timeout), 0, LONGEST,
     "seconds from our end of stream to the peer's; default 5"},
    {"--timeout", "S", STREAMS, read_timeout, AT(flow.lifetime), 0, LONGEST,
     "seconds that a connection may live; 0: no limit (default)"},
    {"--drain", "S", LISTENS, read_seconds, AT(drain), 0, LONGEST,
     "seconds that SIGTERM or SIGINT wait for connections; default 10"},
    {"--bind", "ADDR|IFACE", STREAMS, read_bind, 0, 0, 0,
     "connect from, and listen on, this address or interface"},
    {"--keepalive", "AFTER,INTERVAL,PROBES", STREAMS, read_keepalive, 0, 0, 0,
     "TCP keepalive, seconds; default 60,15,4"},
    {"--reuseport", NULL, LISTENS, set_flag, AT(reuseport), 0, 0, "share a port between processes"},
    {"--unix-mode", "MODE", LISTENS, read_mode, AT(unix_mode), 0, 0,
     "mode of a Unix socket, octal"},
    {"--cert", "FILE", STREAMS, read_text, AT(tls.cert), 0, 0,
     "own certificate and those between it and the anchor, PEM"},
    {"--key", "FILE", STREAMS, read_text, AT(tls.key), 0, 0,
     "its key, PEM; default in the file of --cert"},
    {"--key-password-file", "FILE", STREAMS, read_text, AT(tls.password_file), 0, 0,
     "the first line is the password of the key"},
    {"--client-ca", "FILE", LISTENS, read_text, AT(tls.client_ca), 0, 0,
     "demand client certificates of these anchors, PEM"},
    {"--ca", "FILE", DIALS, read_text, AT(tls.ca), 0, 0,
     "anchors of servers besides the system's, PEM"},
    {"--crl", "FILE", STREAMS, read_text, AT(tls.crl), 0, 0,
     "revocation lists of all issuers of peers, PEM"},
    {"--pin", "SHA256", DIALS, read_pin, 0, 0, 0,
     "fingerprint of the server's certificate; repeatable"},
    {"--insecure", NULL, DIALS, set_flag, AT(tls.insecure), 0, 0, "do not verify servers"},
    {"--server-name", "NAME", DIALS, read_server_name, AT(tls.server_name), 0, 0,
     "the name to send, and to look for in the certificate"},
    {"--alpn", "LIST", STREAMS, read_alpn, AT(tls.alpn), 0, 0,
     "protocols, the best first: h2,http/1.1"},
    {"--min-tls", "1.2|1.3", STREAMS, read_min_tls, 0, 0, 0, "lowest version of TLS; default 1.2"},
    {"--ciphers", "LIST", STREAMS, read_text, AT(tls.ciphers), 0, 0,
     "cipher suites, the best first, names of IANA or OpenSSL"},
    {"--tls", "wolfssl|openssl|none", STREAMS, read_tls, 0, 0, 0,
     "who speaks TLS; default from CONDUIT_TLS"},
    {"--vchan", "xen|local|none", STREAMS, read_vchan, 0, 0, 0,
     "backend of vchan; default from CONDUIT_VCHAN, else xen where this is Xen, else local"},
    {"--read-size", "N", STREAMS, read_ring_size, AT(vchan.read_size), 1, LARGEST_RING,
     "vchan: at least so many bytes in the ring that is read; default 1024"},
    {"--write-size", "N", STREAMS, read_ring_size, AT(vchan.write_size), 1, LARGEST_RING,
     "the same of the ring that is written"},
    {"--dns", "SERVERS", NAMES, read_text, AT(dns), 0, 0,
     "name servers, ADDRESS[:PORT],...; default those of the system"},
    {"--rewrite", "SUFFIX=ENDPOINT", NAMES, read_rewrite, 0, 0, 0,
     "hosts of URIs below SUFFIX are ENDPOINT; repeatable"},
    {"--sexp", "human|machine", RESOLVE, read_sexp, 0, 0, 0, "form of the output"},
    {"--json", NULL, RESOLVE, set_flag, AT(json), 0, 0, "one JSON object a line"},
    {"-v", NULL, ALL, set_flag, AT(verbose), 0, 0, "more on standard error"},
    {"-q", NULL, ALL, set_flag, AT(quiet), 0, 0, "less on standard error"},
};

static const struct option *const options_end = options + sizeof options / sizeof *options;

void options_print(const struct command *command)
{
    if (*command->arguments != '[')
        return;
    printf("\noptions:\n");
    for (const struct option *option = options; option < options_end; option++) {
        char line[64];
        if (!(option->commands & command->bit))
            continue;
        snprintf(line, sizeof line, "%s %s", option->name, option->value ? option->value : "");
        printf("  %-33s %s\n", line, option->text);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The option of an argument's name, which may be followed by = and the value. */
static const struct option *find(const char *argument, size_t length)
{
    for (const struct option *option = options; option < options_end; option++) {
        if (strlen(option->name) == length && memcmp(option->name, argument, length) == 0)
            return option;
    }
    return NULL;
}

/* Reads one option; *next is the argument behind it, and moves if it is the value. */
static int read_option(char **arguments, int *next, struct settings *settings)
{
    char *argument = arguments[0],
         *equals = strncmp(argument, "--", 2) ? NULL : strchr(argument, '=');
    const size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    const struct option *option = find(argument, length);
    const char *value = NULL;
    if (!option)
        return misuse(argument, "unknown option");
    if (!(option->commands & settings->command->bit))
        return misuse(option->name, "not an option of %s", settings->command->name);
    if (!option->value && equals)
        return misuse(argument, "this option takes no value");
    if (option->value) {
        value = equals ? equals + 1 : arguments[1];
        if (!value)
            return misuse(option->name, "expected %s", option->value);
        *next += !equals;
    }
    const char *wrong = option->read(option, value, settings, (char *)settings + option->target);
    if (!wrong)
        return 0;
    char what[256];
    snprintf(what, sizeof what, "%s%s%.200s", option->name, value ? " " : "", value ? value : "");
    return misuse(what, "%s", wrong);
}

int options_read(int argc, char **argv, const struct command *command, struct settings *settings)
{
    bool only_texts = false;
    settings->command = command;
    settings->texts = argv;
    settings->flow.size = sizeof settings->flow;
    settings->vchan.size = sizeof settings->vchan;
    for (int i = 0; i < argc;) {
        char *argument = argv[i];
        int next = i + 1;
        if (only_texts || argument[0] != '-' || argument[1] == 0) {
            argv[settings->count++] = argument; /* never beyond i */
        } else if (strcmp(argument, "--") == 0) {
            only_texts = true;
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            settings->help = true;
            return 0;
        } else {
            const int status = read_option(argv + i, &next, settings);
            if (status)
                return status;
        }
        i = next;
    }
    if (settings->count < command->min_texts)
        return misuse(command->name, "expected %s", command->arguments);
    if (settings->count > command->max_texts)
        return misuse(argv[command->max_texts], "one argument too many: expected %s %s",
                      command->name, command->arguments);
    return tls_check(settings);
}
