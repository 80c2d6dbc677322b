/* URIs resolved, without the network: one with an address, one with a name of the hosts file, and
 * one by DNS, from a name server in this thread. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "bench/budget/budget.h"

enum { ADDRESS, HOSTS, DNS };

static struct cdt_resolver *resolver;
static int name_server = -1;
static long resolved;

static void on_resolved(void *user, struct cdt_resolution *resolution)
{
    const int status = cdt_resolution_status(resolution);
    (void)user;
    must(status, cdt_resolution_error(resolution));
    if (status == 1)
        return;
    cdt_resolution_free(resolution);
    resolved++;
}

/* ---- the name server ------------------------------------------------------------------------- */

enum { HEADER = 12, ADDRESS_RECORD = 1 };

static void answer(void)
{
    static const uint8_t v4[] = "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1";
    static const uint8_t v6[] =
        "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
    struct sockaddr_in from;
    socklen_t from_length = sizeof from;
    uint8_t message[512];
    const ssize_t got =
        recvfrom(name_server, message, 256, 0, (struct sockaddr *)&from, &from_length);
    ssize_t end = HEADER;
    must(got > HEADER + 5 ? 0 : -1, "a question");
    while (end < got - 5 && message[end])
        end += message[end] + 1;
    end += 5; /* the root, type, class */
    const bool is_v4 = message[end - 3] == ADDRESS_RECORD;
    const size_t length = (is_v4 ? sizeof v4 : sizeof v6) - 1;
    memcpy(message + 2, "\x81\x80\0\1\0\1\0\0\0\0", 10); /* a question, an answer */
    memcpy(message + end, is_v4 ? v4 : v6, length);
    must((int)sendto(name_server, message, (size_t)end + length, 0, (struct sockaddr *)&from,
                     from_length),
         "an answer");
}

static const char *name_server_start(void)
{
    static char text[32];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    name_server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(bind(name_server, (struct sockaddr *)&at, length), "bind");
    must(getsockname(name_server, (struct sockaddr *)&at, &length), "getsockname");
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(at.sin_port));
    return text;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void begin(const struct scenario *scenario)
{
    struct cdt_resolver_options options = {.size = sizeof options,
                                           .hosts_file = "",
                                           .services_file = "",
                                           .resolv_conf = "",
                                           .search = CDT_OFF,
                                           .cache = CDT_OFF};
    if (scenario->variant == HOSTS) {
        options.hosts_file = world_path("hosts");
        FILE *file = fopen(options.hosts_file, "we");
        must(file ? 0 : -1, "the hosts file");
        for (int i = 0; i < 100; i++)
            fprintf(file, "10.0.0.%d host%d.example\n", i, i);
        fprintf(file, "127.0.0.1 budget.example\n");
        fclose(file);
    }
    if (scenario->variant == DNS)
        options.servers = name_server_start();
    must(cdt_resolver_new(loop, &options, &resolver), "resolver");
}

static void ask(void *arg)
{
    const struct scenario *scenario = arg;
    const char *uri =
        scenario->variant == ADDRESS ? "http://127.0.0.1:8080/" : "https://budget.example/";
    struct cdt_resolution *resolution;
    struct cdt_text_error error = {.text = ""};
    for (unsigned i = 0; i < scenario->batch; i++)
        must(cdt_resolve(resolver, uri, NULL, on_resolved, NULL, &resolution, &error), error.text);
}

static void resolve(const struct scenario *scenario)
{
    const long until = resolved + scenario->batch;
    call(ask, (void *)scenario);
    if (scenario->variant != DNS) {
        turns(&resolved, until);
        return;
    }
    while (resolved < until) {
        struct pollfd question = {.fd = name_server, .events = POLLIN};
        if (has_work(loop))
            one_turn();
        else if (poll(&question, 1, 0) == 1)
            answer();
    }
}

#define RESOLVE(n, what, count, times)                                                  \
    {                                                                                   \
        .name = (n), .begin = begin, .round = resolve, .warm_up = 5, .rounds = (times), \
        .batch = (count), .variant = (what)                                             \
    }

const struct scenario name_scenarios[] = {
    RESOLVE("URI with an address", ADDRESS, 16, 20),
    RESOLVE("URI with a name of the hosts file", HOSTS, 16, 20),
    RESOLVE("URI with a name of DNS", DNS, 1, 100),
    {.name = NULL},
};
