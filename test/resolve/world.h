/* For tests of DNS: a reactor, a name server and a dns object; and liars, servers that answer as a test
 * wants it. */
#ifndef TEST_RESOLVE_WORLD_H
#define TEST_RESOLVE_WORLD_H

#include <arpa/inet.h>

#include "test/resolve/asked.h"

struct world {
    struct cdt_reactor *reactor;
    struct name_server *server;
    struct dns *dns;
};

static inline void begin(struct world *world, const char *servers)
{
    struct cdt_resolver_options options = asked_options(servers);

    world->reactor = test_reactor();
    world->dns = asked_dns(world->reactor, &options);
}

static inline void end(struct world *world)
{
    dns_free(world->dns);
    cdt_reactor_free(world->reactor);
    name_server_stop(world->server);
}

static inline void expect_a(const struct asked *asked, unsigned index, const char *text)
{
    char found[INET_ADDRSTRLEN];

    assert_true(index < asked->count);
    assert_string_equal(inet_ntop(AF_INET, &asked->a[index], found, sizeof found), text);
}

/* ---- liars ----------------------------------------------------------------------------------- */

/* A server of our own, on the same reactor. */
struct liar {
    struct cdt_watch watch;
    int fd;
    char address[32];
    int heard;
    void (*answer)(struct liar *liar, uint8_t *message, size_t length);
    struct sockaddr_in client;
};

static inline void on_question(struct cdt_watch *watch, unsigned events)
{
    struct liar *liar = cdt_container_of(watch, struct liar, watch);
    socklen_t length = sizeof liar->client;
    uint8_t message[512];
    ssize_t n =
        recvfrom(liar->fd, message, sizeof message, 0, (struct sockaddr *)&liar->client, &length);

    (void)events;
    if (n <= 0)
        return;
    liar->heard++;
    liar->answer(liar, message, (size_t)n);
}

static inline void tell(struct liar *liar, const void *message, size_t length)
{
    sendto(liar->fd, message, length, 0, (struct sockaddr *)&liar->client, sizeof liar->client);
}

static inline void begin_liar(struct world *world, struct liar *liar,
                              void (*answer)(struct liar *, uint8_t *, size_t))
{
    struct cdt_resolver_options options;

    *liar = (struct liar){.watch.fn = on_question, .answer = answer};
    liar->fd = name_server_socket(liar->address);
    options = asked_options(liar->address);
    options.timeout = 50 * CDT_MS;
    options.tries = 2;
    world->reactor = test_reactor();
    world->dns = asked_dns(world->reactor, &options);
    assert_int_equal(cdt_watch_add(world->reactor, &liar->watch, liar->fd, CDT_READ), 0);
}

static inline void end_liar(struct world *world, struct liar *liar)
{
    cdt_watch_remove(&liar->watch);
    close(liar->fd);
    end(world);
}

/* The question as an answer with one A record of the owner given, "\300\014" for the same name. */
static inline size_t make_answer(uint8_t *message, size_t length, const char *owner,
                                 size_t owner_length, uint8_t last)
{
    static const uint8_t fixed[] = {0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2};

    message[2] |= 0x80;
    message[7] = 1;
    memcpy(message + length, owner, owner_length);
    length += owner_length;
    memcpy(message + length, fixed, sizeof fixed);
    length += sizeof fixed;
    message[length++] = last;
    return length;
}

static inline void answer_truth(struct liar *liar, uint8_t *message, size_t length)
{
    tell(liar, message, make_answer(message, length, "\300\014", 2, 1));
}

#endif
