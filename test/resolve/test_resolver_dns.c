/* The resolver and name servers: a real one, and one of our own on the same reactor, which
 * answers what and when the test says: the resolution delay, the search list, failures, SRV. */
#include <signal.h>

#include "test/resolve/resolving.h"
#include "test/support/name_server.h"

/* ---- a name server of our own ---------------------------------------------------------------- */

enum { QUESTIONS = 64 };

struct question {
    uint8_t message[512];
    size_t length, name_end; /* behind the name */
    struct cdt_addr from;
    char name[256];
    int type;
    bool answered;
};

static struct fake {
    struct cdt_watch watch;
    int fd;
    char address[32];
    struct question questions[QUESTIONS];
    unsigned count;
    void (*on_question)(struct question *question); /* NULL: keep it */
} fake;

static struct resolving r;

/* The name in text form; its end. */
static size_t read_name(const uint8_t *message, size_t at, char *name)
{
    char *out = name;
    while (message[at]) {
        if (out != name)
            *out++ = '.';
        memcpy(out, message + at + 1, message[at]);
        out += message[at];
        at += message[at] + 1u;
    }
    *out = 0;
    return at + 1;
}

static void receive(struct cdt_watch *watch, unsigned events)
{
    struct question *q = &fake.questions[fake.count];
    (void)watch;
    (void)events;
    q->from.length = sizeof q->from.local;
    const ssize_t length = recvfrom(fake.fd, q->message, sizeof q->message, MSG_DONTWAIT,
                                    &q->from.any, &q->from.length);
    if (length < 17)
        return;
    assert_true(fake.count < QUESTIONS - 1);
    q->length = (size_t)length;
    q->name_end = read_name(q->message, 12, q->name);
    q->type = q->message[q->name_end] << 8 | q->message[q->name_end + 1];
    q->answered = false;
    fake.count++;
    if (fake.on_question)
        fake.on_question(q);
}

/* What is asked for, once it is asked. */
static struct question *asked(const char *name, int type)
{
    for (uint64_t end = test_deadline(); cdt_reactor_now(r.reactor) < end;) {
        for (unsigned i = 0; i < fake.count; i++) {
            struct question *q = &fake.questions[i];
            if (!q->answered && q->type == type && strcmp(q->name, name) == 0)
                return q;
        }
        cdt_reactor_step(r.reactor, 10 * CDT_MS);
    }
    fail_msg("%s was not asked for", name);
    return NULL;
}

static size_t put_number(uint8_t *to, unsigned number)
{
    to[0] = (uint8_t)(number >> 8);
    to[1] = (uint8_t)number;
    return 2;
}

/* Answers with an rcode, or with the addresses in `texts` (NULL at the end). */
static void answer(struct question *q, unsigned rcode, const char *const *texts)
{
    uint8_t reply[2048];
    unsigned count = 0;
    size_t at = q->name_end + 4;
    memcpy(reply, q->message, at);
    put_number(reply + 2, 0x8180 | rcode);
    memset(reply + 6, 0, 6);
    for (; texts && *texts; texts++, count++) {
        const size_t size = q->type == DNS_A ? 4 : 16;
        at += put_number(reply + at, 0xc00c);
        at += put_number(reply + at, (unsigned)q->type);
        at += put_number(reply + at, 1);
        at += put_number(reply + at, 0);
        at += put_number(reply + at, 60);
        at += put_number(reply + at, (unsigned)size);
        struct cdt_addr addr;
        assert_int_equal(cdt_addr_ip(&addr, *texts, 0), 0);
        memcpy(reply + at, size == 4 ? (void *)&addr.v4.sin_addr : (void *)&addr.v6.sin6_addr,
               size);
        at += size;
    }
    put_number(reply + 6, count);
    q->answered = true;
    assert_int_equal(sendto(fake.fd, reply, at, MSG_DONTWAIT, &q->from.any, q->from.length), at);
}

/* SRV records for "T1.test", "T2.test" and so on, each of a higher priority number than the one
 * before. */
static void answer_srv(struct question *q, unsigned targets)
{
    uint8_t reply[4096];
    size_t at = q->name_end + 4;
    memcpy(reply, q->message, at);
    put_number(reply + 2, 0x8180);
    memset(reply + 6, 0, 6);
    put_number(reply + 6, targets);
    for (unsigned i = 1; i <= targets; i++) {
        char label[8];
        const int length = snprintf(label, sizeof label, "T%u", i);
        const unsigned fields[] = {0xc00c, DNS_SRV, 1, 0, 60, 6 + 1u + (unsigned)length + 6,
                                   i,      0,       80};
        for (unsigned k = 0; k < sizeof fields / sizeof *fields; k++)
            at += put_number(reply + at, fields[k]);
        reply[at++] = (uint8_t)length;
        memcpy(reply + at, label, (size_t)length);
        at += (size_t)length;
        memcpy(reply + at, "\4test", 6);
        at += 6;
    }
    q->answered = true;
    assert_int_equal(sendto(fake.fd, reply, at, MSG_DONTWAIT, &q->from.any, q->from.length), at);
}

static void answer_with(const char *name, int type, const char *first, const char *second)
{
    const char *const texts[] = {first, second, NULL};
    answer(asked(name, type), 0, first ? texts : NULL);
}

static void fail_with(const char *name, int type, unsigned rcode)
{
    answer(asked(name, type), rcode, NULL);
}

enum { NO_ERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };

static void start_fake(const struct cdt_resolver_options *options, const char *search)
{
    struct cdt_resolver_options own = {.size = sizeof own};
    if (options)
        own = *options;
    memset(&fake, 0, sizeof fake);
    fake.fd = name_server_socket(fake.address);
    own.servers = fake.address;
    if (!own.timeout)
        own.timeout = 20 * CDT_SECOND;
    resolving_start(&r, &own, NULL, NULL, search);
    fake.watch.fn = receive;
    assert_int_equal(cdt_watch_add(r.reactor, &fake.watch, fake.fd, CDT_READ), 0);
}

static void stop_fake(void)
{
    cdt_watch_remove(&fake.watch);
    close(fake.fd);
    resolving_stop(&r);
}

static void finish(struct heard *heard)
{
    until(r.reactor, heard->status <= 0);
    cdt_resolution_free(heard->resolution);
}

/* ---- the resolution delay -------------------------------------------------------------------- */

static const struct cdt_resolver_options patient = {
    .size = sizeof patient, .delay = 20 * CDT_SECOND, .cache = CDT_OFF};

static void a_waits_for_aaaa(void **state)
{
    struct heard heard = {0};
    (void)state;
    start_fake(&patient, NULL);
    begin(&r, "https://x.test/", NULL, &heard);
    answer_with("x.test", DNS_A, "192.0.2.1", "192.0.2.2");
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
    answer_with("x.test", DNS_AAAA, "2001:db8::1", NULL);
    finish(&heard);
    assert_int_equal(heard.calls, 1);
    assert_string_equal(heard.lists[0],
                        "(TLS(x.test(TCP(2001:db8::1 443))))|(TLS(x.test(TCP(192.0.2."
                        "1 443))))|(TLS(x.test(TCP(192.0.2.2 443))))");
    stop_fake();
}

static void a_goes_alone_after_the_delay(void **state)
{
    const struct cdt_resolver_options quick = {
        .size = sizeof quick, .delay = 30 * CDT_MS, .cache = CDT_OFF};
    struct heard heard = {0};
    (void)state;
    start_fake(&quick, NULL);
    begin(&r, "http://x.test/", NULL, &heard);
    struct question *aaaa = asked("x.test", DNS_AAAA);
    answer_with("x.test", DNS_A, "192.0.2.1", NULL);
    const uint64_t sent = cdt_reactor_now(r.reactor);
    until(r.reactor, heard.calls == 1);
    assert_true(heard.times[0] - sent >= 30 * CDT_MS);
    assert_int_equal(heard.status, 1);
    assert_string_equal(heard.lists[0], "(TCP(192.0.2.1 80))");
    const struct cdt_endp *a = *cdt_resolution_endps(heard.resolution, NULL);
    answer(aaaa, 0, (const char *const[]){"2001:db8::1", NULL});
    until(r.reactor, heard.calls == 2);
    assert_int_equal(heard.status, 0);
    assert_string_equal(heard.lists[1], "(TCP(2001:db8::1 80))|(TCP(192.0.2.1 80))");
    assert_ptr_equal(a, cdt_resolution_endps(heard.resolution, NULL)[1]);
    cdt_resolution_free(heard.resolution);
    stop_fake();
}

static void aaaa_goes_at_once(void **state)
{
    struct heard heard = {0};
    (void)state;
    start_fake(&patient, NULL);
    begin(&r, "http://x.test/", NULL, &heard);
    answer_with("x.test", DNS_AAAA, "2001:db8:bad::1", NULL);
    until(r.reactor, heard.calls == 1);
    assert_string_equal(heard.lists[0], "(TCP(2001:db8:bad::1 80))");
    assert_int_equal(heard.status, 1);
    answer_with("x.test", DNS_A, "192.0.2.1", NULL);
    finish(&heard);
    assert_int_equal(heard.calls, 2);
    assert_string_equal(heard.lists[1], "(TCP(192.0.2.1 80))|(TCP(2001:db8:bad::1 80))");
    stop_fake();
}

static void no_delay_wanted(void **state)
{
    const struct cdt_resolver_options none = {
        .size = sizeof none, .delay = CDT_NEVER, .cache = CDT_OFF};
    struct heard heard = {0};
    (void)state;
    start_fake(&none, NULL);
    begin(&r, "http://x.test/", NULL, &heard);
    answer_with("x.test", DNS_A, "192.0.2.1", NULL);
    until(r.reactor, heard.calls == 1);
    fail_with("x.test", DNS_AAAA, SERVFAIL);
    finish(&heard);
    assert_int_equal(heard.calls, 2);
    assert_int_equal(heard.status, 0);
    assert_string_equal(heard.lists[1], "(TCP(192.0.2.1 80))");
    stop_fake();
}

/* One family fails, in whatever way, and the other has addresses: that is success. */
static void one_is_enough(void **state)
{
    static const unsigned rcodes[] = {NO_ERROR, SERVFAIL, NXDOMAIN, REFUSED};
    (void)state;
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        struct heard heard = {0}, second = {0};
        start_fake(&patient, NULL);
        begin(&r, "http://x.test/", NULL, &heard);
        begin(&r, "http://y.test/", NULL, &second);
        answer_with("x.test", DNS_A, "192.0.2.1", NULL);
        fail_with("x.test", DNS_AAAA, rcodes[i]);
        fail_with("y.test", DNS_A, rcodes[i]);
        answer_with("y.test", DNS_AAAA, "2001:db8::1", NULL);
        finish(&heard);
        finish(&second);
        assert_string_equal(last_list(&heard), "(TCP(192.0.2.1 80))");
        assert_string_equal(last_list(&second), "(TCP(2001:db8::1 80))");
        assert_int_equal(heard.status | second.status, 0);
        stop_fake();
    }
}

static void one_family(void **state)
{
    const struct cdt_resolve_options four = {.size = sizeof four, .family = AF_INET};
    const struct cdt_resolve_options six = {.size = sizeof six, .family = AF_INET6};
    struct heard heard = {0}, second = {0};
    (void)state;
    start_fake(&patient, NULL);
    begin(&r, "http://x.test/", &four, &heard);
    begin(&r, "http://y.test/", &six, &second);
    answer_with("x.test", DNS_A, "192.0.2.1", NULL);
    answer_with("y.test", DNS_AAAA, "2001:db8::1", NULL);
    finish(&heard);
    finish(&second);
    assert_int_equal(fake.count, 2);
    stop_fake();
}

/* ---- the search list ------------------------------------------------------------------------- */

static void search_list(void **state)
{
    struct heard heard = {0};
    (void)state;
    start_fake(&patient, "search a.example b.example\noptions ndots:2\n");
    begin(&r, "http://x.y/", NULL, &heard);
    fail_with("x.y.a.example", DNS_A, NXDOMAIN);
    fail_with("x.y.a.example", DNS_AAAA, SERVFAIL);
    fail_with("x.y.b.example", DNS_A, NO_ERROR);
    fail_with("x.y.b.example", DNS_AAAA, NO_ERROR);
    answer_with("x.y", DNS_A, "192.0.2.1", NULL);
    fail_with("x.y", DNS_AAAA, NXDOMAIN);
    finish(&heard);
    assert_string_equal(last_list(&heard), "(TCP(192.0.2.1 80))");
    assert_int_equal(fake.count, 6);
    stop_fake();
}

/* Of the failures the most telling one is told: the name may exist. */
static void most_telling_failure(void **state)
{
    struct heard heard = {0};
    (void)state;
    start_fake(&patient, "search a.example\n");
    begin(&r, "http://x/", NULL, &heard);
    fail_with("x.a.example", DNS_AAAA, NXDOMAIN);
    fail_with("x.a.example", DNS_A, SERVFAIL);
    fail_with("x", DNS_A, NXDOMAIN);
    fail_with("x", DNS_AAAA, NXDOMAIN);
    finish(&heard);
    assert_int_equal(heard.status, -CDT_ESERVFAIL);
    assert_string_equal(heard.error, "x: name resolution failed: SERVFAIL");
    assert_string_equal(last_list(&heard), "(Unknown\"name resolution failed: SERVFAIL\")");
    stop_fake();
}

/* Names with a dot at the end are taken as they are; those with enough dots are first. */
static void no_search(void **state)
{
    struct heard heard = {0}, second = {0};
    (void)state;
    start_fake(&patient, "search a.example\n");
    begin(&r, "http://user:a@x.:80/", NULL, &heard);
    begin_endp(&r, "tcp:y.:80", NULL, &second);
    fail_with("x", DNS_A, NXDOMAIN);
    fail_with("x", DNS_AAAA, NXDOMAIN);
    answer_with("y", DNS_A, "192.0.2.1", NULL);
    fail_with("y", DNS_AAAA, NO_ERROR);
    finish(&heard);
    finish(&second);
    struct heard third = {0};
    begin(&r, "http://x.y/", NULL, &third);
    fail_with("x.y", DNS_A, NXDOMAIN);
    fail_with("x.y", DNS_AAAA, NXDOMAIN);
    fail_with("x.y.a.example", DNS_A, NXDOMAIN);
    fail_with("x.y.a.example", DNS_AAAA, NXDOMAIN);
    finish(&third);
    assert_int_equal(third.status, -CDT_ENXDOMAIN);
    assert_string_equal(third.error, "x.y: name resolution failed: NXDOMAIN");
    assert_int_equal(fake.count, 8);
    stop_fake();
}

static void search_switched_off(void **state)
{
    struct cdt_resolver_options options = patient;
    struct heard heard = {0};
    (void)state;
    options.search = CDT_OFF;
    start_fake(&options, "search a.example\noptions ndots:5\n");
    begin(&r, "http://x/", NULL, &heard);
    answer_with("x", DNS_A, "192.0.2.1", NULL);
    fail_with("x", DNS_AAAA, NO_ERROR);
    finish(&heard);
    assert_int_equal(heard.status, 0);
    assert_int_equal(fake.count, 2);
    stop_fake();
}

static void silence(void **state)
{
    const struct cdt_resolver_options hasty = {
        .size = sizeof hasty, .timeout = 30 * CDT_MS, .tries = 1, .cache = CDT_OFF};
    struct heard heard = {0};
    (void)state;
    start_fake(&hasty, "search a.example b.example\n");
    begin(&r, "https://x/", NULL, &heard);
    finish(&heard);
    assert_int_equal(heard.status, -CDT_EDNSTIMEOUT);
    assert_string_equal(last_list(&heard), "(Unknown\"name resolution failed: timeout\")");
    for (unsigned i = 0; i < fake.count; i++) /* nobody else was asked for */
        assert_string_equal(fake.questions[i].name, "x.a.example");
    stop_fake();
}

/* ---- giving up ------------------------------------------------------------------------------- */

static void cancelled_under_way(void **state)
{
    struct heard heard = {0}, second = {0};
    (void)state;
    start_fake(&patient, NULL);
    begin(&r, "http://x.test/", NULL, &heard);
    begin(&r, "http://y.test/", NULL, &second);
    answer_with("x.test", DNS_A, "192.0.2.1", NULL);
    settle(r.reactor);
    struct question *aaaa = asked("x.test", DNS_AAAA);
    cdt_resolution_free(heard.resolution);
    answer(aaaa, 0, NULL);
    asked("y.test", DNS_A);
    cdt_resolver_free(r.resolver);
    r.resolver = NULL;
    settle(r.reactor);
    assert_int_equal(heard.calls + second.calls, 0);
    cdt_resolution_free(second.resolution);
    stop_fake();
}

static void free_everything(struct heard *heard)
{
    cdt_resolver_free(r.resolver);
    r.resolver = NULL;
    cdt_resolution_free(heard->resolution);
    heard->resolution = NULL;
}

static void freed_in_the_first_of_two_calls(void **state)
{
    struct heard heard = {.then = free_everything};
    (void)state;
    start_fake(&patient, NULL);
    begin(&r, "http://x.test/", NULL, &heard);
    answer_with("x.test", DNS_AAAA, "2001:db8::1", NULL);
    until(r.reactor, heard.calls);
    settle(r.reactor);
    stop_fake();
}

/* ---- SRV ------------------------------------------------------------------------------------- */

/* The second host is there first: it is told after the delay, and behind the first one once that is
 * there. */
static void useful_prefix(void **state)
{
    const struct cdt_resolver_options quick = {
        .size = sizeof quick, .delay = 200 * CDT_MS, .cache = CDT_OFF};
    struct heard heard = {0};
    (void)state;
    start_fake(&quick, NULL);
    begin(&r, "srv+http://web.test/", NULL, &heard);
    answer_srv(asked("_http._tcp.web.test", DNS_SRV), 3);
    struct question *first_a = asked("t1.test", DNS_A), *first_aaaa = asked("t1.test", DNS_AAAA);
    fail_with("t3.test", DNS_A, NXDOMAIN);
    fail_with("t3.test", DNS_AAAA, NXDOMAIN);
    struct question *second_a = asked("t2.test", DNS_A), *second_aaaa = asked("t2.test", DNS_AAAA);
    answer(second_a, 0, (const char *const[]){"192.0.2.2", NULL});
    answer(second_aaaa, 0, (const char *const[]){"2001:db8::2", NULL});
    until(r.reactor, heard.calls == 1);
    assert_string_equal(heard.lists[0], "(TCP(2001:db8::2 80))|(TCP(192.0.2.2 80))");
    answer(first_aaaa, NXDOMAIN, NULL);
    answer(first_a, 0, (const char *const[]){"192.0.2.1", NULL});
    finish(&heard);
    assert_string_equal(last_list(&heard),
                        "(TCP(192.0.2.1 80))|(TCP(2001:db8::2 80))|(TCP(192.0.2.2 80))");
    stop_fake();
}

/* The names of targets come as the server writes them. */
static void target_in_the_hosts_file(void **state)
{
    struct heard heard = {0};
    (void)state;
    start_fake(&patient, NULL);
    write_text(r.hosts, "192.0.2.7 t1.test\n");
    begin(&r, "srv+http://web.test/", NULL, &heard);
    answer_srv(asked("_http._tcp.web.test", DNS_SRV), 1);
    finish(&heard);
    assert_string_equal(last_list(&heard), "(TCP(192.0.2.7 80))");
    assert_int_equal(fake.count, 1);
    stop_fake();
}

static void refuse(struct question *q)
{
    if (q->type != DNS_SRV)
        answer(q, NXDOMAIN, NULL);
}

/* Of many targets the first ones are looked for. */
static void many_targets(void **state)
{
    struct heard heard = {0};
    (void)state;
    start_fake(&patient, NULL);
    begin(&r, "srv+http://web.test/", NULL, &heard);
    struct question *srv = asked("_http._tcp.web.test", DNS_SRV);
    fake.on_question = refuse;
    answer_srv(srv, SRV_TARGETS_MAX + 1); /* all that 512 bytes hold */
    finish(&heard);
    assert_int_equal(heard.status, -CDT_ENXDOMAIN);
    assert_int_equal(fake.count, 1 + 2 * SRV_TARGETS_MAX);
    stop_fake();
}

/* ---- a real server, and SRV ------------------------------------------------------------------ */

static const char zone[] = "four A 192.0.2.1\nfour A 192.0.2.2\nsix AAAA 2001:db8::6\n"
                           "both A 192.0.2.3\nboth AAAA 2001:db8::3\n"
                           "alias CNAME alias2\nalias2 CNAME both\ndangling CNAME nowhere\n"
                           "text TXT x\n"
                           "xn--mnchen-3ya A 192.0.2.4\n"
                           "_http._tcp.web SRV 20 0 8003 six\n"
                           "_http._tcp.web SRV 10 0 8001 both\n"
                           "_http._tcp.web SRV 15 0 8002 nowhere\n"
                           "web A 192.0.2.99\n"
                           "_https._tcp.web SRV 1 1 8443 four\n"
                           "_http._tcp.closed SRV 0 0 0 .\nclosed A 192.0.2.5\n"
                           "_http._tcp.dead SRV 1 1 80 nowhere\ndead A 192.0.2.5\n";

static struct name_server *server;

static void start_real(void)
{
    server = name_server_start(NAME_SERVER_KNOT, zone);
    const struct cdt_resolver_options options = {.size = sizeof options,
                                                 .servers = server->address,
                                                 .timeout = 2 * CDT_SECOND,
                                                 .delay = 5 * CDT_SECOND};
    resolving_start(&r, &options, NULL, NULL, "search test\n");
}

static void stop_real(void)
{
    resolving_stop(&r);
    name_server_stop(server);
    server = NULL;
}

#define FAILED(why) "(Unknown\"name resolution failed: " why "\")"

static void real_answers(void **state)
{
    (void)state;
    start_real();
    for (unsigned i = 0; i < 2; i++) { /* then from the cache */
        struct heard heard = resolve_with(&r, "http://four.test/", NULL);
        assert_non_null(strstr(last_list(&heard), "(TCP(192.0.2.1 80))"));
        assert_non_null(strstr(last_list(&heard), "(TCP(192.0.2.2 80))"));
        expect(&r, "https://six.test/", 0, "(TLS(six.test(TCP(2001:db8::6 443))))");
        expect(&r, "http://BOTH/", 0, "(TCP(2001:db8::3 80))|(TCP(192.0.2.3 80))");
        expect(&r, "http://alias.test./", 0, "(TCP(2001:db8::3 80))|(TCP(192.0.2.3 80))");
        expect(&r, "https://m%C3%BCnchen.test/", 0,
               "(TLS(xn--mnchen-3ya.test(TCP(192.0.2.4 443))))");
        expect(&r, "https://nowhere.test/", -CDT_ENXDOMAIN, FAILED("NXDOMAIN"));
        expect(&r, "https://dangling.test/", -CDT_ENXDOMAIN, FAILED("NXDOMAIN"));
        expect(&r, "https://text.test/", -CDT_ENODATA, FAILED("no data"));
        expect(&r, "https://a.broken/", -CDT_ESERVFAIL, FAILED("SERVFAIL"));
        expect(&r, "https://example.org/", -CDT_EDNSREFUSED, FAILED("refused"));
    }
    stop_real();
}

static void services_in_dns(void **state)
{
    const struct cdt_resolve_options srv = {.size = sizeof srv, .srv = true};
    static const char web[] =
        "(TCP(2001:db8::3 8001))|(TCP(192.0.2.3 8001))|(TCP(2001:db8::6 8003))";
    (void)state;
    start_real();
    expect(&r, "srv+http://web.test/", 0, web);
    expect_with(&r, "http://web.test/", &srv, 0, web);
    expect(&r, "srv+http://web/", 0, web);
    expect(&r, "http://web.test/", 0, "(TCP(192.0.2.99 80))");
    expect(&r, "srv+http://web.test:81/", 0, "(TCP(192.0.2.99 81))");
    struct heard heard = resolve_with(&r, "srv+https://web.test/", NULL);
    assert_non_null(strstr(last_list(&heard), "(TLS(web.test(TCP(192.0.2.1 8443))))"));
    expect(&r, "srv+http://both.test/", 0, "(TCP(2001:db8::3 80))|(TCP(192.0.2.3 80))");
    expect(&r, "srv+http://localhost/", 0, "(TCP(::1 80))|(TCP(127.0.0.1 80))");
    expect(&r, "srv+http://192.0.2.1/", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "srv+http://closed.test/", -CDT_ENODATA, FAILED("no data"));
    expect(&r, "srv+http://dead.test/", -CDT_ENXDOMAIN, FAILED("NXDOMAIN"));
    expect(&r, "srv+http://nowhere.test/", -CDT_ENXDOMAIN, FAILED("NXDOMAIN"));
    expect(&r, "srv+http://a.broken/", -CDT_ESERVFAIL, FAILED("SERVFAIL"));
    stop_real();
}

static void stop_after_failure(void)
{
    if (server)
        name_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waits_for_aaaa),    cmocka_unit_test(a_goes_alone_after_the_delay),
        cmocka_unit_test(aaaa_goes_at_once),   cmocka_unit_test(no_delay_wanted),
        cmocka_unit_test(one_is_enough),       cmocka_unit_test(one_family),
        cmocka_unit_test(search_list),         cmocka_unit_test(most_telling_failure),
        cmocka_unit_test(no_search),           cmocka_unit_test(silence),
        cmocka_unit_test(cancelled_under_way), cmocka_unit_test(freed_in_the_first_of_two_calls),
        cmocka_unit_test(useful_prefix),       cmocka_unit_test(many_targets),
        cmocka_unit_test(real_answers),        cmocka_unit_test(services_in_dns),
        cmocka_unit_test(search_switched_off), cmocka_unit_test(target_in_the_hosts_file),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stop_after_failure();
    return failed;
}
