/* The program: finds the command, reads its options, runs it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

const struct command commands[] = {
    {"serve", SERVE, serve_run, 1, 1000, "[options] ENDPOINT...",
     "answer connections on every ENDPOINT (default answer: echo)"},
    {"connect", CONNECT, connect_run, 1, 1, "[options] ENDPOINT",
     "standard input to the peer, the peer to standard output"},
    {"proxy", PROXY, proxy_run, 2, 2, "[options] LISTEN TARGET",
     "relay each connection of LISTEN to TARGET"},
    {"resolve", RESOLVE, resolve_run, 1, 100000, "[options] TEXT...",
     "what each endpoint text resolves to, one endpoint a line"},
    {"demo", DEMO, demo_run, 0, 0, "[options]",
     "one reactor, every transport available here, live figures, then a summary table"},
    {"version", VERSION, version_run, 0, 0, "",
     "version, TLS and vchan backends compiled in and selected"},
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

/* A standard descriptor that is closed would be given to the first socket. What stands in its place
 * can be neither read nor written, so that its use is still an error. */
static void occupy_standard_descriptors(void)
{
    static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", flags[fd]);
    }
}

static void print_usage(const struct command *command)
{
    if (command) {
        printf("usage: conduit %s %s\n\n%s\n", command->name, command->arguments, command->summary);
        options_print(command);
        return;
    }
    printf("usage: conduit COMMAND [options] ...\n\n");
    for (command = commands; command->name; command++) {
        char line[80];
        snprintf(line, sizeof line, "conduit %s %s", command->name, command->arguments);
        printf("  %-38s %s\n", line, command->summary);
    }
    printf("\nconduit COMMAND --help tells the options of a command.\n");
}

static int print_help(const struct command *command)
{
    print_usage(command);
    if (fflush(stdout) != 0)
        return complain("standard output", cdt_strerror(-errno));
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    static const char known[] = "expected serve, connect, proxy, resolve, demo or version";
    struct settings settings = {.drain = 10 * CDT_SECOND};
    occupy_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* until there is something to count */
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is an error of its write */
    if (argc < 2)
        return misuse("no command", "%s", known);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(NULL);
    const struct command *command = command_find(argv[1]);
    if (!command)
        return misuse(argv[1], "%s", known);
    int status = options_read(argc - 2, argv + 2, command, &settings);
    if (status == 0)
        status = settings.help ? print_help(command) : command->run(&settings);
    settings_free(&settings);
    return status;
}
