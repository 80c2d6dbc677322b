/* What our library meets inside the Xen machine: a plain program over libxenvchan, as others write
 * them, which knows nothing of us; and the hands of the test in another domain (agent, run).
 *
 *   peer server|client DOMID PATH SCENARIO [ARGUMENT]
 *
 *   bulk KIB     sends so much and receives as much at the same time; both are checked
 *   echo ROUNDS  the client sends 64 bytes and waits for them
 *   close, kill  writes 1000 bytes and closes, or kills itself
 *   survive      reads 1000 bytes, then the other one must be gone
 *   hold         writes 1000 bytes, then waits for ever
 *   spoil        makes the ring one that cannot be; the other one must leave
 *
 *   peer agent                         runs the commands that domain 0 has for this domain
 *   peer run DOMID SECONDS COMMAND...  has one run there; its exit status
 *
 * In the environment: RING, the size of a server's rings, bytes (4096); ODD, it has an order that
 * cannot be, and makes this file when it is there. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libxenvchan.h>
#include <xenstore.h>

#include "test/xen/pattern.h"

enum { PATIENCE = 15, /* seconds */ MESSAGE = 64, CHUNK = 64 * 1024, OUTPUT_MAX = 1024 };

static struct libxenvchan *vchan;
static bool server;

static _Noreturn void fail(const char *what)
{
    printf("peer: %s\n", what);
    exit(1);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wait_event(void)
{
    struct pollfd event = {.fd = libxenvchan_fd_for_select(vchan), .events = POLLIN};
    if (poll(&event, 1, PATIENCE * 1000) <= 0)
        fail("nothing happens");
    libxenvchan_wait(vchan);
}

static void open_server(int domid, const char *path)
{
    const char *ring = getenv("RING");
    const size_t size = ring ? strtoul(ring, NULL, 10) : 4096;
    vchan = libxenvchan_server_init(NULL, domid, path, size, size);
    if (!vchan)
        fail("libxenvchan_server_init");
    vchan->blocking = 0;
    const char *odd = getenv("ODD");
    if (odd) {
        vchan->ring->left_order = 99;
        close(open(odd, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    while (libxenvchan_is_open(vchan) == 2)
        wait_event();
}

/* As a program does that cannot watch xenstore. */
static void open_client(int domid, const char *path)
{
    for (int i = 0; i < PATIENCE * 20; i++) {
        vchan = libxenvchan_client_init(NULL, domid, path);
        if (vchan) {
            vchan->blocking = 0;
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    }
    fail("libxenvchan_client_init");
}

/* ---- scenarios ------------------------------------------------------------------------------- */

static void send_all(const char *data, size_t length)
{
    while (length) {
        const int n = libxenvchan_write(vchan, data, length);
        if (n < 0)
            fail("cannot write");
        if (n == 0)
            wait_event();
        data += n;
        length -= (size_t)n;
    }
}

/* How many came before the end. */
static size_t receive(char *data, size_t length)
{
    size_t got = 0;
    while (got < length) {
        const int n = libxenvchan_read(vchan, data + got, length - got);
        if (n < 0)
            break;
        if (n == 0)
            wait_event();
        got += (size_t)n;
    }
    return got;
}

static void await_end(void)
{
    char byte;
    if (receive(&byte, 1) != 0)
        fail("more than was sent");
}

/* A part of what is to be sent is kept until the ring takes it. */
static void bulk(size_t total)
{
    static char out[CHUNK], in[CHUNK];
    struct pattern ours = pattern_of(server), theirs = pattern_of(!server);
    size_t filled = 0, sent = 0, received = 0, at = 0, held = 0;

    while (sent < total || received < total) {
        if (held == 0 && filled < total) {
            held = total - filled < sizeof out ? total - filled : sizeof out;
            pattern_fill(&ours, out, held);
            filled += held;
            at = 0;
        }
        const int written = held ? libxenvchan_write(vchan, out + at, held) : 0;
        const int read = received < total ? libxenvchan_read(vchan, in, sizeof in) : 0;
        if (written < 0 || read < 0)
            fail("ended early");
        at += (size_t)written;
        held -= (size_t)written;
        sent += (size_t)written;
        received += (size_t)read;
        if (!pattern_check(&theirs, in, (size_t)read))
            fail("other bytes than were sent");
        if (written == 0 && read == 0)
            wait_event();
    }
    if (server)
        await_end();
}

static void echo(size_t rounds)
{
    char message[MESSAGE], answer[MESSAGE];
    struct pattern pattern = pattern_of(server);

    for (size_t i = 0; i < rounds; i++) {
        if (server) {
            if (receive(message, sizeof message) != sizeof message)
                fail("ended early");
            send_all(message, sizeof message);
            continue;
        }
        pattern_fill(&pattern, message, sizeof message);
        send_all(message, sizeof message);
        if (receive(answer, sizeof answer) != sizeof answer ||
            memcmp(answer, message, sizeof answer) != 0)
            fail("another answer");
    }
    if (server)
        await_end();
}

static void last_words(void)
{
    char words[LAST_WORDS];
    struct pattern pattern = pattern_of(server);
    pattern_fill(&pattern, words, sizeof words);
    send_all(words, sizeof words);
}

static void leave(size_t unused)
{
    (void)unused;
    last_words();
}

static void die(size_t unused)
{
    (void)unused;
    last_words();
    raise(SIGKILL);
}

static void hold(size_t unused)
{
    (void)unused;
    last_words();
    for (;;)
        pause();
}

static void spoil(size_t unused)
{
    (void)unused;
    vchan->ring->left.prod += 1u << 30;
    vchan->ring->right.prod += 1u << 30;
    xenevtchn_notify(vchan->event, vchan->event_port);
    while (libxenvchan_is_open(vchan))
        wait_event();
}

static void survive(size_t unused)
{
    char words[LAST_WORDS];
    struct pattern pattern = pattern_of(!server);
    (void)unused;
    if (receive(words, sizeof words) != sizeof words ||
        !pattern_check(&pattern, words, sizeof words))
        fail("the last words are not all there");
    await_end();
}

static const struct {
    const char *name;
    void (*run)(size_t argument);
    size_t unit;
} scenarios[] = {{"bulk", bulk, 1024},    {"echo", echo, 1}, {"close", leave, 0}, {"kill", die, 0},
                 {"survive", survive, 0}, {"hold", hold, 0}, {"spoil", spoil, 0}};

static int run_scenario(char **arguments, int count)
{
    const size_t number = count > 4 ? strtoul(arguments[4], NULL, 10) : 0;
    server = strcmp(arguments[0], "server") == 0;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(arguments[3], scenarios[i].name) != 0)
            continue;
        (server ? open_server : open_client)(atoi(arguments[1]), arguments[2]);
        scenarios[i].run(number * scenarios[i].unit);
        libxenvchan_close(vchan);
        return 0;
    }
    fail("no such scenario");
}

/* ---- commands in another domain -------------------------------------------------------------- */

/* A value, which the caller frees; "" if there is none. */
static char *value_of(struct xs_handle *xs, const char *path)
{
    char *value = xs_read(xs, XBT_NULL, path, NULL);
    return value ? value : strdup("");
}

static void put(struct xs_handle *xs, const char *path, const char *value)
{
    if (!xs_write(xs, XBT_NULL, path, value, (unsigned)strlen(value)))
        fail("cannot write to xenstore");
}

/* The path of the next event, which the caller frees. */
static char *await_watch(struct xs_handle *xs, int seconds)
{
    struct pollfd event = {.fd = xs_fileno(xs), .events = POLLIN};
    unsigned count;
    if (poll(&event, 1, seconds < 0 ? -1 : seconds * 1000) <= 0)
        fail("the other domain does not answer");
    char **words = xs_read_watch(xs, &count);
    char *path = words ? strdup(words[0]) : NULL;
    free(words);
    if (!path)
        fail("no event");
    return path;
}

/* In a child: xenstore's connection is the parent's. */
static _Noreturn void run_here(const char *number, const char *command)
{
    char path[64], text[OUTPUT_MAX + 1] = "", rest[256];
    FILE *output = popen(command, "r");
    signal(SIGCHLD, SIG_DFL);
    if (!output)
        _exit(1);
    text[fread(text, 1, OUTPUT_MAX, output)] = 0;
    while (fread(rest, 1, sizeof rest, output) > 0)
        ;
    const int code = pclose(output);
    struct xs_handle *xs = xs_open(0);
    if (!xs)
        _exit(1);
    snprintf(path, sizeof path, "data/output/%s", number);
    put(xs, path, text);
    snprintf(path, sizeof path, "data/status/%s", number);
    snprintf(rest, sizeof rest, "%d", WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code));
    put(xs, path, rest);
    _exit(0);
}

/* data/command/NUMBER is a command, data/output/NUMBER and data/status/NUMBER are what came of it.
 * Several may run at a time. */
static _Noreturn void agent(void)
{
    static const char commands[] = "data/command/";
    struct xs_handle *xs = xs_open(0);

    signal(SIGCHLD, SIG_IGN);
    if (!xs || !xs_watch(xs, "data/command", "c"))
        fail("no xenstore");
    put(xs, "data/ready", "1");
    for (;;) {
        char *path = await_watch(xs, -1), *command = value_of(xs, path);
        if (strncmp(path, commands, sizeof commands - 1) == 0 && *command && fork() == 0)
            run_here(path + sizeof commands - 1, command);
        free(command);
        free(path);
    }
}

static int run_there(char **arguments, int count)
{
    char node[64], path[80], command[512] = "exec 2>&1; ";
    size_t length = strlen(command);
    struct xs_handle *xs = xs_open(0);

    for (int i = 2; i < count && length < sizeof command; i++)
        length += (size_t)snprintf(command + length, sizeof command - length, "%s ", arguments[i]);
    snprintf(node, sizeof node, "/local/domain/%s/data", arguments[0]);
    snprintf(path, sizeof path, "%s/status/%d", node, getpid());
    if (!xs || !xs_watch(xs, path, "s") || length >= sizeof command)
        fail("no xenstore");
    free(await_watch(xs, PATIENCE)); /* the first one comes at once */
    snprintf(path, sizeof path, "%s/command/%d", node, getpid());
    put(xs, path, command);
    char *changed = await_watch(xs, atoi(arguments[1])), *status = value_of(xs, changed);
    snprintf(path, sizeof path, "%s/output/%d", node, getpid());
    char *output = value_of(xs, path);
    fputs(output, stdout);
    const int code = *status ? atoi(status) : 1;
    free(output);
    free(changed);
    free(status);
    return code;
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 1 && strcmp(arguments[1], "agent") == 0)
        agent();
    if (count > 4 && strcmp(arguments[1], "run") == 0)
        return run_there(arguments + 2, count - 2);
    if (count > 4)
        return run_scenario(arguments + 1, count - 1);
    return 2;
}
