/* DNS over TCP: what is truncated is asked for again over TCP, and a server whose connections end
 * costs those their answers who need TCP, and nobody else. The server is one of our own, on the same
 * reactor. */
#include <fcntl.h>

#include "test/resolve/asked.h"

enum { CONNECTIONS = 64 };

/* What becomes of a connection. */
enum manner { ANSWERS, DRIBBLES, CLOSES, RESETS, ENDS_HALFWAY, REFUSES };

static struct server {
    struct cdt_reactor *reactor;
    struct dns *dns;
    struct cdt_watch udp, listener, connections[CONNECTIONS];
    int udp_fd, listener_fd, fds[CONNECTIONS];
    unsigned count; /* of connections */
    enum manner manner;
    char address[32];
    size_t padding;    /* bytes of an additional record in answers over UDP */
    uint8_t held[512]; /* the first question for "held.test", to be answered when the test wants */
    size_t held_length;
    struct cdt_addr held_from;
} server;

/* The question as an answer with one A record, and perhaps one of TXT with so many bytes. */
static size_t make_answer(uint8_t *message, size_t length, size_t padding)
{
    static const uint8_t a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1};
    const uint8_t text[] = {0, 0, 16, 0, 1, 0, 0, 0, 0, (uint8_t)(padding >> 8), (uint8_t)padding};

    message[2] |= 0x80;
    message[7] = 1;
    memcpy(message + length, a, sizeof a);
    length += sizeof a;
    if (!padding)
        return length;
    message[11] = 1;
    memcpy(message + length, text, sizeof text);
    memset(message + length + sizeof text, 1, padding);
    return length + sizeof text + padding;
}

static void tell(const void *message, size_t length, const struct cdt_addr *to)
{
    (void)!sendto(server.udp_fd, message, length, MSG_NOSIGNAL, &to->any, to->length);
}

/* By the first letter of the name: "t" is truncated, "h" is held, "q" gets its question back
 * before the answer. */
static void on_datagram(struct cdt_watch *watch, unsigned events)
{
    uint8_t message[4096];
    struct cdt_addr from = {.length = sizeof from.local};
    ssize_t length = recvfrom(server.udp_fd, message, 512, MSG_DONTWAIT, &from.any, &from.length);

    (void)watch;
    (void)events;
    if (length < 17)
        return;
    switch (message[13]) {
    case 't':
        message[2] |= 0x82;
        tell(message, (size_t)length, &from);
        break;
    case 'h':
        memcpy(server.held, message, (size_t)length);
        server.held_length = (size_t)length;
        server.held_from = from;
        break;
    case 'q':
        tell(message, (size_t)length, &from);
        /* fall through */
    default:
        tell(message, make_answer(message, (size_t)length, server.padding), &from);
    }
}

static void end_connection(unsigned i)
{
    cdt_watch_remove(&server.connections[i]);
    if (server.fds[i] >= 0)
        close(server.fds[i]);
    server.fds[i] = -1;
}

static void answer_stream(int fd, const uint8_t *question, size_t length)
{
    uint8_t answer[1024];
    size_t total;

    memcpy(answer, question, length);
    total = 2 + make_answer(answer + 2, length - 2, 0);
    answer[0] = 0;
    answer[1] = (uint8_t)(total - 2);
    if (server.manner == ENDS_HALFWAY)
        total /= 2;
    for (size_t i = 0; server.manner == DRIBBLES && i < total; i++)
        assert_int_equal(send(fd, answer + i, 1, MSG_NOSIGNAL), 1);
    if (server.manner != DRIBBLES)
        assert_int_equal(send(fd, answer, total, MSG_NOSIGNAL), total);
}

static void on_stream(struct cdt_watch *watch, unsigned events)
{
    static const struct linger reset = {1, 0};
    unsigned i = (unsigned)(watch - server.connections);
    uint8_t bytes[4096];
    ssize_t length = recv(server.fds[i], bytes, sizeof bytes, MSG_DONTWAIT);
    bool ends = server.manner != ANSWERS && server.manner != DRIBBLES;

    (void)events;
    if (length < 0 && errno == EAGAIN)
        return;
    for (ssize_t at = 0; at + 2 < length; at += 2 + bytes[at + 1])
        if (server.manner != CLOSES && server.manner != RESETS)
            answer_stream(server.fds[i], bytes + at, 2u + bytes[at + 1]);
    if (server.manner == RESETS)
        setsockopt(server.fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (length <= 0 || ends)
        end_connection(i);
}

static void on_connection(struct cdt_watch *watch, unsigned events)
{
    int fd = accept4(server.listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)watch;
    (void)events;
    if (fd < 0)
        return;
    assert_true(server.count < CONNECTIONS);
    server.fds[server.count] = fd;
    server.connections[server.count].fn = on_stream;
    assert_int_equal(cdt_watch_add(server.reactor, &server.connections[server.count], fd, CDT_READ),
                     0);
    server.count++;
}

static void start_server(enum manner manner)
{
    struct cdt_resolver_options options;
    struct cdt_addr addr;

    memset(&server, 0, sizeof server);
    server.manner = manner;
    server.listener_fd = test_tcp_listener(64, &addr);
    fcntl(server.listener_fd, F_SETFL, O_NONBLOCK);
    server.udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server.udp_fd, &addr.any, addr.length), 0);
    snprintf(server.address, sizeof server.address, "127.0.0.1:%u", cdt_addr_port(&addr));
    options = asked_options(server.address);
    options.timeout = 10 * CDT_SECOND;
    options.cache = CDT_OFF;
    server.reactor = test_reactor();
    server.dns = asked_dns(server.reactor, &options);
    server.udp.fn = on_datagram;
    server.listener.fn = on_connection;
    assert_int_equal(cdt_watch_add(server.reactor, &server.udp, server.udp_fd, CDT_READ), 0);
    assert_int_equal(cdt_watch_add(server.reactor, &server.listener, server.listener_fd, CDT_READ),
                     0);
    if (manner == REFUSES) {
        cdt_watch_remove(&server.listener);
        close(server.listener_fd);
        server.listener_fd = -1;
    }
}

static void stop_server(void)
{
    for (unsigned i = 0; i < server.count; i++)
        end_connection(i);
    cdt_watch_remove(&server.udp);
    cdt_watch_remove(&server.listener);
    close(server.udp_fd);
    if (server.listener_fd >= 0)
        close(server.listener_fd);
    dns_free(server.dns);
    assert_int_equal(cdt_reactor_free(server.reactor), 0);
}

static void test_truncated(void **state)
{
    static const enum manner manners[] = {ANSWERS, DRIBBLES};

    (void)state;
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        struct asked asked[3] = {0};

        start_server(manners[i]);
        ask_only(server.dns, &asked[0], "t1.test", DNS_A);
        ask_only(server.dns, &asked[1], "t2.test", DNS_A);
        ask_only(server.dns, &asked[2], "x.test", DNS_A);
        until(server.reactor, asked[0].called && asked[1].called && asked[2].called);
        assert_int_equal(asked[0].status | asked[1].status | asked[2].status, 0);
        assert_int_equal(server.count, 1);
        stop_server();
    }
}

/* c-ares would count each end of a connection as a try of all that is asked. */
static void test_ends_of_connections_cost_others_nothing(void **state)
{
    static const enum manner manners[] = {CLOSES, RESETS, ENDS_HALFWAY, REFUSES};

    (void)state;
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        struct asked asked = {0}, held = {0};

        start_server(manners[i]);
        ask_only(server.dns, &held, "held.test", DNS_A);
        until(server.reactor, server.held_length);
        for (int k = 0; k < 10; k++)
            assert_int_equal(ask(server.reactor, server.dns, &asked, "t.test", DNS_A),
                             -CDT_EDNSTIMEOUT);
        assert_int_equal(held.called, 0);
        tell(server.held, make_answer(server.held, server.held_length, 0), &server.held_from);
        until(server.reactor, held.called);
        assert_int_equal(held.status, 0);
        stop_server();
    }
}

/* Datagrams are 512 bytes at most (RFC 1035 section 4.2.1): longer ones are not cut, and read. */
static void test_datagram_that_is_too_long(void **state)
{
    struct asked asked = {0};

    (void)state;
    start_server(ANSWERS);
    server.padding = 2000;
    assert_int_equal(ask(server.reactor, server.dns, &asked, "x.test", DNS_A), 0);
    assert_int_equal(asked.count, 1);
    assert_int_equal(server.count, 1);
    stop_server();
}

static void test_question_that_comes_back(void **state)
{
    struct asked asked = {0};

    (void)state;
    start_server(ANSWERS);
    assert_int_equal(ask(server.reactor, server.dns, &asked, "q.test", DNS_A), 0);
    stop_server();
}

/* Cancelled while it is under way over TCP: no socket stays. */
static void test_cancel(void **state)
{
    struct asked asked = {0};
    unsigned fds;
    int fd;

    (void)state;
    start_server(ANSWERS);
    cdt_watch_remove(&server.listener);
    ask_only(server.dns, &asked, "t.test", DNS_A);
    until(server.reactor, (fd = accept4(server.listener_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
    fds = test_open_fds();
    dns_cancel(&asked.query);
    assert_int_equal(test_open_fds(), fds - 1);
    settle(server.reactor);
    assert_int_equal(asked.called, 0);
    close(fd);
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_truncated),
        flow_test(test_ends_of_connections_cost_others_nothing),
        flow_test(test_datagram_that_is_too_long),
        flow_test(test_question_that_comes_back),
        flow_test(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
