/* Connecting to many endpoints: who wins, when the next one starts, what is said of those that
 * failed, and that nothing is left of them. */
#include "test/context/racing.h"
#include "test/support/toy.h"

/* ---- who wins --------------------------------------------------------------------------------- */

static void first_refuses_second_wins(void **state)
{
    (void)state;
    struct cdt_addr refused, good, addr;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    struct cdt_flow *flow = race_two(&refused, &good, NULL);
    assert_int_equal(cdt_flow_fd(flow), -1);
    assert_int_equal(cdt_flow_dst(flow, &addr), -ENOTCONN);
    until(reactor, probe.opened);
    assert_ptr_equal(probe.flow, flow);
    assert_peer(&good);
    assert_string_equal(cdt_flow_carrier(flow), "tcp");
    assert_true(cdt_flow_fd(flow) >= 0);
    assert_string_equal(cdt_flow_error(flow), "");
    struct cdt_endp *endp, *wanted = endp_of(&good);
    assert_int_equal(cdt_flow_endp(flow, true, &endp), 0);
    assert_true(cdt_endp_equal(endp, wanted));
    cdt_endp_free(endp);
    cdt_endp_free(wanted);
    close(taken);
    close(listener);
}

static void second_wins_after_the_delay(void **state)
{
    (void)state;
    struct hole hole;
    struct cdt_addr good;
    hole_make(&hole);
    const int listener = test_tcp_listener(4, &good);
    const uint64_t before = test_now();
    race_two(&hole.addr, &good, NULL);
    until(reactor, probe.opened);
    assert_true(test_now() - before >= 50 * CDT_MS);
    assert_peer(&good);
    hole_close(&hole);
    close(listener);
}

static void delay_is_at_least_10_ms(void **state)
{
    (void)state;
    const struct cdt_context_options options = {.size = sizeof options, .attempt_delay = 1};
    struct hole hole;
    struct cdt_addr good;
    assert_int_equal(cdt_context_free(context), 0);
    assert_int_equal(cdt_context_new(reactor, &options, &context), 0);
    hole_make(&hole);
    const int listener = test_tcp_listener(4, &good);
    const uint64_t before = test_now();
    race_two(&hole.addr, &good, NULL);
    until(reactor, probe.opened);
    assert_true(test_now() - before >= 10 * CDT_MS);
    hole_close(&hole);
    close(listener);
}

/* The first is not given up when the second starts. */
static void first_wins_late(void **state)
{
    (void)state;
    struct hole first, second;
    hole_make(&first);
    hole_make(&second);
    race_two(&first.addr, &second.addr, NULL);
    const uint64_t both = test_now() + 100 * CDT_MS;
    until(reactor, test_now() > both);
    assert_int_equal(probe.opened, 0);
    hole_open(&first);
    until(reactor, probe.opened);
    assert_peer(&first.addr);
    hole_close(&first);
    hole_close(&second);
}

/* Both are connected before the reactor looks: one wins, the other is reset. */
static void loser_is_reset(void **state)
{
    (void)state;
    struct hole first, second;
    hole_make(&first);
    hole_make(&second);
    race_two(&first.addr, &second.addr, NULL);
    const uint64_t both = test_now() + 100 * CDT_MS;
    until(reactor, test_now() > both);
    hole_open(&first);
    hole_open(&second);
    wait_for_client(first.listener);
    wait_for_client(second.listener);
    until(reactor, probe.opened);
    struct cdt_addr peer;
    assert_int_equal(cdt_flow_dst(probe.flow, &peer), 0);
    const bool first_won = cdt_addr_equal(&peer, &first.addr);
    const int lost = accept(first_won ? second.listener : first.listener, NULL, NULL);
    char byte;
    assert_int_equal(recv(lost, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(lost);
    hole_close(&first);
    hole_close(&second);
}

static void written_before_open_reaches_the_winner(void **state)
{
    (void)state;
    struct cdt_addr refused, good;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    struct cdt_flow *flow = race_two(&refused, &good, NULL);
    assert_int_equal(cdt_flow_write(flow, "hello ", 6), 0);
    assert_int_equal(cdt_flow_write_nodelay(flow, "there", 5, NULL, NULL), 0);
    assert_int_equal(cdt_flow_close(flow), 0); /* once that is sent */
    until(reactor, cdt_flow_state(flow) != CDT_CONNECTING);
    const int peer = accept(listener, NULL, NULL);
    char got[11], end;
    test_receive(peer, got, sizeof got);
    assert_memory_equal(got, "hello there", sizeof got);
    assert_int_equal(recv(peer, &end, 1, 0), 0);
    close(peer);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, 0);
    assert_int_equal(probe.opened, 0);
    close(taken);
    close(listener);
}

static void what_the_winner_says_first_is_read(void **state)
{
    (void)state;
    struct cdt_addr refused, good;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    race_two(&refused, &good, NULL);
    until(reactor, poll(&(struct pollfd){listener, POLLIN, 0}, 1, 0) == 1);
    const int peer = accept(listener, NULL, NULL);
    test_send(peer, "220 ready", 9);
    until(reactor, probe.length == 9);
    assert_true(probe_has(&probe, "220 ready", 9));
    close(peer);
    close(taken);
    close(listener);
}

/* A layer that is pushed while nobody has won shakes hands over the winner. */
static void layer_over_the_winner(void **state)
{
    (void)state;
    struct cdt_addr refused, good;
    struct probe accepted = {0};
    struct toy toys[2] = {{.client = true, .key = 7}, {.key = 7}};
    struct cdt_flow *other;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    struct cdt_flow *flow = race_two(&refused, &good, NULL);
    assert_int_equal(cdt_flow_push(flow, &toy_ops, &toys[0]), 0);
    assert_int_equal(cdt_flow_write(flow, "through it", 10), 0);
    until(reactor, cdt_flow_state(flow) == CDT_HANDSHAKING);
    const int fd = accept(listener, NULL, NULL);
    assert_int_equal(cdt_flow_adopt(reactor, fd, NULL, &probe_handler, &other), 0);
    probe_attach(other, &accepted);
    assert_int_equal(cdt_flow_push(other, &toy_ops, &toys[1]), 0);
    until(reactor, probe.opened && accepted.length == 10);
    assert_true(probe_has(&accepted, "through it", 10));
    cdt_flow_abort(other, 0, NULL);
    cdt_flow_abort(flow, 0, NULL);
    until(reactor, accepted.closed && probe.closed); /* the toys are on the stack */
    probe_free(&accepted);
    close(taken);
    close(listener);
}

static struct cdt_relay_result relayed;
static int relays_over;

static void relay_over(struct cdt_flow *a, struct cdt_flow *b,
                       const struct cdt_relay_result *result, void *arg)
{
    (void)a, (void)b, (void)arg;
    relayed = *result;
    relays_over++;
}

static void relay_to_the_winner(void **state)
{
    (void)state;
    struct cdt_addr refused, good;
    char got[5];
    relays_over = 0;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    const int client = test_flow(reactor, 't', NULL, &probe);
    struct probe unused = {0};
    struct cdt_endp *endps[] = {endp_of(&refused), endp_of(&good)};
    struct cdt_flow *upstream = race_to(endps, 2, NULL, &unused);
    assert_int_equal(cdt_flow_relay(probe.flow, upstream, relay_over, NULL), 0);
    probe.flow = NULL;
    test_send(client, "hello", 5);
    until(reactor, poll(&(struct pollfd){listener, POLLIN, 0}, 1, 0) == 1);
    const int peer = accept(listener, NULL, NULL);
    until(reactor, poll(&(struct pollfd){peer, POLLIN, 0}, 1, 0) == 1);
    test_receive(peer, got, 5);
    assert_memory_equal(got, "hello", 5);
    close(peer);
    close(client);
    until(reactor, relays_over);
    assert_int_equal(relayed.bytes_a_to_b, 5);
    probe_free(&unused);
    close(taken);
    close(listener);
}

static void fast_open(void **state)
{
    (void)state;
    const struct cdt_flow_options fast = {.size = sizeof fast, .fastopen = CDT_ON};
    struct serve serve = {0};
    struct cdt_server_options options = serve_options(&serve);
    options.flow = &fast;
    serve_tcp(reactor, &serve, &options);
    for (int i = 0; i < 3; i++) { /* the first gets the cookie */
        struct probe one = {0};
        struct cdt_flow *flow;
        struct cdt_endp *endp = endp_of(&serve.address);
        assert_int_equal(cdt_connect_endp(context, endp, &fast, &probe_handler, &flow), 0);
        probe_attach(flow, &one);
        assert_int_equal(cdt_flow_write(flow, "x", 1), 0);
        until(reactor, one.length == 1);
        cdt_flow_abort(flow, 0, NULL);
        until(reactor, one.closed);
        probe_free(&one);
        cdt_endp_free(endp);
    }
    serve_stop(reactor, &serve);
}

/* ---- order ------------------------------------------------------------------------------------ */

static void families_take_turns(void **state)
{
    (void)state;
    static const char *const ips[] = {"::1", "::1", "::1", "127.0.0.1", "127.0.0.1"};
    static const int order[] = {0, 3, 1, 4, 2};
    struct cdt_endp *endps[5];
    struct cdt_addr addr[5];
    char wanted[512] = "", name[CDT_ADDR_TEXT];
    int taken[5];
    if (!test_has_ipv6()) {
        print_message("this machine has no IPv6\n");
        skip();
    }
    for (int i = 0; i < 5; i++) {
        taken[i] = refusing(ips[i], &addr[i]);
        endps[i] = endp_of(&addr[i]);
    }
    for (int i = 0; i < 5; i++)
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted),
                 "%s%s: connection refused", i ? "; " : "", cdt_addr_format(&addr[order[i]], name));
    race_to(endps, 5, NULL, &probe);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED);
    assert_string_equal(probe.error, wanted);
    for (int i = 0; i < 5; i++)
        close(taken[i]);
}

static void no_host_is_this_host(void **state)
{
    (void)state;
    struct cdt_addr addr;
    char text[64];
    const int listener = test_tcp_listener(4, &addr);
    snprintf(text, sizeof text, "tcp:%u", cdt_addr_port(&addr));
    struct cdt_flow *flow;
    assert_int_equal(cdt_connect(context, text, NULL, &probe_handler, &flow), 0);
    probe_attach(flow, &probe);
    until(reactor, probe.opened);
    assert_peer(&addr);
    close(listener);
}

static void wildcard_is_this_host(void **state)
{
    (void)state;
    static const char *const ips[][2] = {{"0.0.0.0", "127.0.0.1"}, {"::", "::1"}};
    for (int i = 0; i < (test_has_ipv6() ? 2 : 1); i++) {
        struct cdt_addr addr, wildcard;
        struct probe one = {0};
        const int listener = refusing(ips[i][1], &addr);
        assert_int_equal(listen(listener, 4), 0);
        assert_int_equal(cdt_addr_ip(&wildcard, ips[i][0], cdt_addr_port(&addr)), 0);
        struct cdt_endp *endps[] = {endp_of(&wildcard)};
        race_to(endps, 1, NULL, &one);
        until(reactor, one.opened);
        assert_int_equal(cdt_flow_dst(one.flow, &wildcard), 0);
        assert_true(cdt_addr_equal(&wildcard, &addr));
        cdt_flow_abort(one.flow, 0, NULL);
        until(reactor, one.closed);
        probe_free(&one);
        close(listener);
    }
}

/* ---- failure ---------------------------------------------------------------------------------- */

static void all_refuse(void **state)
{
    (void)state;
    struct cdt_addr a, b;
    char wanted[256], name[2][CDT_ADDR_TEXT];
    const int taken[] = {refusing("127.0.0.1", &a), refusing("127.0.0.1", &b)};
    race_two(&a, &b, NULL);
    until(reactor, probe.closed);
    assert_int_equal(probe.opened, 0);
    assert_int_equal(probe.status, -ECONNREFUSED);
    snprintf(wanted, sizeof wanted, "%s: connection refused; %s: connection refused",
             cdt_addr_format(&a, name[0]), cdt_addr_format(&b, name[1]));
    assert_string_equal(probe.error, wanted);
    close(taken[0]);
    close(taken[1]);
}

/* Whoever asked for one endpoint knows its name. */
static void one_refuses(void **state)
{
    (void)state;
    struct cdt_addr addr;
    const int taken = refusing("127.0.0.1", &addr);
    struct cdt_endp *endps[] = {endp_of(&addr)};
    race_to(endps, 1, NULL, &probe);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED);
    assert_string_equal(probe.error, "connection refused");
    close(taken);
}

static void timeout_over_the_whole(void **state)
{
    (void)state;
    const struct cdt_flow_options brief = {.size = sizeof brief, .connect_timeout = 200 * CDT_MS};
    struct hole first, second;
    struct cdt_addr refused;
    char wanted[512], name[3][CDT_ADDR_TEXT];
    hole_make(&first);
    hole_make(&second);
    const int taken = refusing("127.0.0.1", &refused);
    struct cdt_endp *endps[] = {endp_of(&first.addr), endp_of(&refused), endp_of(&second.addr)};
    const uint64_t before = test_now();
    race_to(endps, 3, &brief, &probe);
    until(reactor, probe.closed);
    assert_true(test_now() - before >= 200 * CDT_MS);
    assert_int_equal(probe.status, -ETIMEDOUT);
    snprintf(wanted, sizeof wanted,
             "no connection within the connect timeout: %s: no answer; %s: connection refused; "
             "%s: no answer",
             cdt_addr_format(&first.addr, name[0]), cdt_addr_format(&refused, name[1]),
             cdt_addr_format(&second.addr, name[2]));
    assert_string_equal(probe.error, wanted);
    hole_close(&first);
    hole_close(&second);
    close(taken);
}

static void check_long_error(struct probe *ended)
{
    const char *text = cdt_flow_error(ended->flow);
    const size_t length = strlen(text);
    assert_in_range(length, 900, 1100);
    assert_string_equal(text + length - 5, "; ...");
}

static void many_are_tried_and_the_text_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct cdt_endp *endps[COUNT];
    struct cdt_addr refused, good;
    const int taken = refusing("127.0.0.1", &refused), listener = test_tcp_listener(4, &good);
    for (int i = 0; i < COUNT; i++)
        endps[i] = endp_of(i == COUNT - 1 ? &good : &refused);
    probe.on_close = check_long_error;
    race_to(endps, COUNT, NULL, &probe);
    until(reactor, probe.closed);
    assert_int_equal(probe.opened, 0); /* the last one is beyond those that are tried */
    assert_int_equal(probe.status, -ECONNREFUSED);
    close(taken);
    close(listener);
}

static void names_in_a_list_are_not_resolved(void **state)
{
    (void)state;
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_NONE), 0);
    struct cdt_endp *endps[] = {endp_read("tcp:example.org:80"), endp_read("fd:0"),
                                endp_read("tls+fd:1"), endp_read("vchan:3/foo"),
                                endp_read("(Unknown because)")};
    race_to(endps, 5, NULL, &probe);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EPROTONOSUPPORT);
    assert_string_equal(probe.error, "tcp:example.org:80: names in a list are not resolved; "
                                     "fd:0: only for listening; tls+fd:1: only for listening; "
                                     "vchan:3/foo: vchan is switched off (its backend is none); "
                                     "because");
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_ANY), 0);
}

static void wrong_arguments(void **state)
{
    (void)state;
    struct cdt_flow *flow = NULL;
    struct cdt_endp *endp = endp_read("tcp:127.0.0.1:1");
    const struct cdt_endp *const one[] = {endp}, *const none[] = {NULL};
    const struct cdt_handler *handler = &probe_handler;
    const struct cdt_flow_options odd = {
        .size = sizeof odd, .low_watermark = 2, .high_watermark = 1};
    const struct cdt_endp strange = {.kind = CDT_ENDP_KINDS};
    assert_int_equal(cdt_connect_endps(NULL, one, 1, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endps(context, NULL, 1, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endps(context, one, 0, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endps(context, none, 1, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endps(context, one, 1, NULL, NULL, &flow), -EINVAL);
    assert_int_equal(cdt_connect_endps(context, one, 1, NULL, handler, NULL), -EINVAL);
    assert_int_equal(cdt_connect_endps(context, one, 1, &odd, handler, &flow), -EINVAL);
    assert_string_equal(cdt_context_error(context), cdt_strerror(-EINVAL));
    assert_int_equal(cdt_connect_endp(context, &strange, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect(context, NULL, NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect(NULL, "tcp:1", NULL, handler, &flow), -EINVAL);
    assert_int_equal(cdt_connect(context, "tcp:127.0.0.1:99999", NULL, handler, &flow), -EINVAL);
    assert_non_null(strstr(cdt_context_error(context), "offset"));
    assert_null(flow);
    cdt_endp_free(endp);
}

/* ---- source ----------------------------------------------------------------------------------- */

static void source_skips_the_other_family(void **state)
{
    (void)state;
    struct cdt_flow_options from = {.size = sizeof from};
    struct cdt_addr good, other, local;
    const int listener = test_tcp_listener(4, &good);
    assert_int_equal(cdt_addr_ip(&other, "::1", 80), 0);
    assert_int_equal(cdt_addr_ip(&from.source, "127.0.0.2", 0), 0);
    race_two(&other, &good, &from);
    until(reactor, probe.opened);
    assert_peer(&good);
    assert_int_equal(cdt_flow_src(probe.flow, &local), 0);
    cdt_addr_ip(&other, "127.0.0.2", cdt_addr_port(&local));
    assert_true(cdt_addr_equal(&local, &other));
    close(listener);
}

static void source_family_in_the_error(void **state)
{
    (void)state;
    struct cdt_flow_options from = {.size = sizeof from};
    struct cdt_addr refused, other;
    char wanted[256], name[CDT_ADDR_TEXT];
    const int taken = refusing("127.0.0.1", &refused);
    assert_int_equal(cdt_addr_ip(&other, "::1", 80), 0);
    assert_int_equal(cdt_addr_ip(&from.source, "127.0.0.1", 0), 0);
    race_two(&refused, &other, &from);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -ECONNREFUSED); /* the last that was tried */
    snprintf(wanted, sizeof wanted, "%s: connection refused; [::1]:80: not of the source's family",
             cdt_addr_format(&refused, name));
    assert_string_equal(probe.error, wanted);
    close(taken);
}

static void no_endpoint_of_the_source_family(void **state)
{
    (void)state;
    struct cdt_flow_options from = {.size = sizeof from};
    struct cdt_endp *endps[] = {endp_read("tcp:[::1]:80")};
    assert_int_equal(cdt_addr_ip(&from.source, "127.0.0.1", 0), 0);
    race_to(endps, 1, &from, &probe);
    until(reactor, probe.closed);
    assert_int_equal(probe.status, -EAFNOSUPPORT);
    assert_string_equal(probe.error, "not of the source's family");
}

/* ---- Unix sockets ------------------------------------------------------------------------------ */

static int unix_listener(char text[80], int backlog)
{
    struct cdt_addr addr;
    snprintf(text, 80, "unix:@conduit-race-%d", (int)getpid());
    assert_int_equal(cdt_addr_unix(&addr, text + 5), 0);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr.any, addr.length), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static int unix_client(const char *text)
{
    struct cdt_addr addr;
    assert_int_equal(cdt_addr_unix(&addr, text + 5), 0);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &addr.any, addr.length), 0);
    return fd;
}

static void unix_after_tcp(void **state)
{
    (void)state;
    struct cdt_addr refused;
    char text[80];
    const int taken = refusing("127.0.0.1", &refused), listener = unix_listener(text, 4);
    struct cdt_endp *endps[] = {endp_of(&refused), endp_read(text)};
    race_to(endps, 2, NULL, &probe);
    until(reactor, probe.opened);
    assert_string_equal(cdt_flow_carrier(probe.flow), "unix");
    struct cdt_credentials peer;
    assert_int_equal(cdt_flow_credentials(probe.flow, &peer), 0);
    assert_int_equal(peer.pid, getpid());
    close(taken);
    close(listener);
}

static void tcp_after_unix(void **state)
{
    (void)state;
    struct cdt_addr good;
    const int listener = test_tcp_listener(4, &good);
    struct cdt_endp *endps[] = {endp_read("unix:/nonexistent/x"), endp_of(&good)};
    race_to(endps, 2, NULL, &probe);
    until(reactor, probe.opened);
    assert_peer(&good);
    close(listener);
}

static void full_unix_backlog_is_waited_for(void **state)
{
    (void)state;
    char text[80];
    const int listener = unix_listener(text, 0), filler = unix_client(text);
    struct cdt_endp *endps[] = {endp_read(text)};
    race_to(endps, 1, NULL, &probe);
    const uint64_t later = test_now() + 100 * CDT_MS;
    until(reactor, test_now() > later);
    assert_int_equal(probe.opened, 0);
    close(accept(listener, NULL, NULL));
    until(reactor, probe.opened);
    close(filler);
    close(listener);
}

static void full_unix_backlog_loses(void **state)
{
    (void)state;
    char text[80];
    struct cdt_addr good;
    const int listener = unix_listener(text, 0), filler = unix_client(text);
    const int tcp = test_tcp_listener(4, &good);
    struct cdt_endp *endps[] = {endp_read(text), endp_of(&good)};
    race_to(endps, 2, NULL, &probe);
    until(reactor, probe.opened);
    assert_peer(&good);
    close(filler);
    close(listener);
    close(tcp);
}

/* A Unix socket connects at once: descriptors can be written before on_open. */
static void descriptors_before_open(void **state)
{
    (void)state;
    char text[80];
    const int listener = unix_listener(text, 4);
    struct cdt_endp *endps[] = {endp_read(text)};
    struct cdt_flow *flow = race_to(endps, 1, NULL, &probe);
    assert_int_equal(cdt_flow_write_fds(flow, "x", 1, &(int){STDERR_FILENO}, 1), 0);
    until(reactor, probe.opened);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        race_test(first_refuses_second_wins),
        race_test(second_wins_after_the_delay),
        race_test(delay_is_at_least_10_ms),
        race_test(first_wins_late),
        race_test(loser_is_reset),
        race_test(written_before_open_reaches_the_winner),
        race_test(what_the_winner_says_first_is_read),
        race_test(layer_over_the_winner),
        race_test(relay_to_the_winner),
        race_test(fast_open),
        race_test(families_take_turns),
        race_test(no_host_is_this_host),
        race_test(wildcard_is_this_host),
        race_test(all_refuse),
        race_test(one_refuses),
        race_test(timeout_over_the_whole),
        race_test(many_are_tried_and_the_text_is_bounded),
        race_test(names_in_a_list_are_not_resolved),
        race_test(wrong_arguments),
        race_test(source_skips_the_other_family),
        race_test(source_family_in_the_error),
        race_test(no_endpoint_of_the_source_family),
        race_test(unix_after_tcp),
        race_test(tcp_after_unix),
        race_test(full_unix_backlog_is_waited_for),
        race_test(full_unix_backlog_loses),
        race_test(descriptors_before_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
