/* The library's memory from an allocator of one's own, and its log lines in one's own log. */
#include <conduit/conduit.h>

#include <stdio.h>
#include <stdlib.h>

static unsigned long blocks; /* allocated and not yet freed */

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    blocks += memory != NULL;
    return memory;
}

static void *resize(void *memory, size_t size)
{
    void *moved = realloc(memory, size);
    blocks += !memory && moved;
    return moved;
}

static void release(void *memory)
{
    blocks -= memory != NULL;
    free(memory);
}

static void on_log(void *user, enum cdt_log_level level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    printf("%s: %s: %s\n", (const char *)user, names[level], text);
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    struct cdt_server_counters counters;
    cdt_server_counters(server, &counters);
    printf("listening: %s\n", status ? text : "yes");
    printf("a backlog of 2000000000 was cut: %s\n", counters.backlog < 2000000000 ? "yes" : "no");
    cdt_server_stop(server, 0);
}

static void on_stopped(struct cdt_server *server)
{
    cdt_reactor_stop(cdt_server_reactor(server));
}

int main(void)
{
    const struct cdt_reactor_options options = {
        .size = sizeof options, .log = on_log, .log_user = "hooks"};
    const struct cdt_server_options server_options = {.size = sizeof server_options,
                                                      .backlog = 2000000000,
                                                      .on_listen = on_listen,
                                                      .on_stopped = on_stopped};
    static const struct cdt_handler handler = {.size = sizeof handler};
    struct cdt_reactor *reactor;
    struct cdt_server *server;
    struct cdt_addr local;

    /* Before anything else of the library: later it gives -EBUSY. */
    if (cdt_set_allocator(allocate, resize, release) < 0 || cdt_reactor_new(&options, &reactor) < 0)
        return 1;
    cdt_addr_ip(&local, "127.0.0.1", 0);
    if (cdt_tcp_listen(reactor, &local, &server_options, &handler, &server) < 0)
        return 1;
    cdt_reactor_run(reactor);
    printf("%s blocks in use\n", blocks ? "some" : "no");
    cdt_reactor_free(reactor);
    printf("%lu blocks at the end\n", blocks);
    return blocks != 0;
}
