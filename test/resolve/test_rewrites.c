/* Rules: which one is for a host, what they may answer and when, overlays of one call, fixed
 * answers. */
#include "test/resolve/resolving.h"

static struct resolving r;

static int set_up(void **state)
{
    (void)state;
    resolving_start(&r, NULL, "192.0.2.1 one\n192.0.2.2 two\n2001:db8::2 two\n", NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolving_stop(&r);
    return 0;
}

/* Answers with a Unix socket of the name that `user` is. */
static int name_it(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
                   const struct cdt_uri *uri)
{
    struct cdt_endp *endp;
    (void)service;
    (void)uri;
    assert_int_equal(cdt_endp_unix(user, &endp), 0);
    assert_int_equal(cdt_resolution_add(resolution, endp), 0);
    cdt_endp_free(endp);
    return 0;
}

static void rule(const char *suffix, const char *name)
{
    const struct cdt_rewrite rewrite = {suffix, name_it, (void *)(uintptr_t)name};
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
}

static void whole_labels(void **state)
{
    (void)state;
    rule("example.com", "example");
    rule("COM.", "com");
    rule("", "all");
    rule("deep.example.com", "deep");
    expect(&r, "http://example.com/", 0, "(Unix_domain_socket example)");
    expect(&r, "http://a.EXAMPLE.com./", 0, "(Unix_domain_socket example)");
    expect(&r, "http://example2.com/", 0, "(Unix_domain_socket com)");
    expect(&r, "http://notexample.com/", 0, "(Unix_domain_socket com)");
    expect(&r, "http://a.community/", 0, "(Unix_domain_socket all)");
    expect(&r, "http://com/", 0, "(Unix_domain_socket com)");
    expect(&r, "http://very.deep.example.com/", 0, "(Unix_domain_socket deep)");
    expect(&r, "http://verydeep.example.com/", 0, "(Unix_domain_socket example)");
    expect(&r, "http://com.org/", 0, "(Unix_domain_socket all)");
    expect(&r, "https://com/", 0, "(TLS(com(Unix_domain_socket com)))");
}

/* An address is one label. */
static void addresses(void **state)
{
    (void)state;
    rule("", "all");
    expect(&r, "http://192.0.2.1/", 0, "(Unix_domain_socket all)");
    expect(&r, "http://[::1]/", 0, "(Unix_domain_socket all)");
}

static void international(void **state)
{
    (void)state;
    rule("m\303\274nchen.example", "munich");
    expect(&r, "http://www.xn--mnchen-3ya.example/", 0, "(Unix_domain_socket munich)");
    expect(&r, "http://www.M%C3%9CNCHEN.example/", 0, "(Unix_domain_socket munich)");
}

static void second_replaces_first(void **state)
{
    (void)state;
    rule("example.com", "first");
    rule("Example.COM.", "second");
    expect(&r, "http://example.com/", 0, "(Unix_domain_socket second)");
    rule(".", "all");
    rule("", "all2");
    expect(&r, "http://example.org/", 0, "(Unix_domain_socket all2)");
}

static void many_rules(void **state)
{
    char suffix[40], names[200][16], uri[60], list[60];
    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "rule%d", i * 7 % 200);
        snprintf(suffix, sizeof suffix, "h%d.example", i * 7 % 200);
        rule(suffix, names[i]);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(uri, sizeof uri, "http://x.h%d.example/", i);
        snprintf(list, sizeof list, "(Unix_domain_socket rule%d)", i);
        expect(&r, uri, 0, list);
    }
}

static void wrong_suffixes(void **state)
{
    static const char *const wrong[] = {".example", "a..b", "1.2.3.4", "a b", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct cdt_rewrite rewrite = {wrong[i], name_it, NULL};
        const struct cdt_resolve_options options = {
            .size = sizeof options, .rewrites = &rewrite, .rewrite_count = 1};
        struct cdt_resolution *resolution;
        assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), -EINVAL);
        assert_int_equal(
            cdt_resolve(r.resolver, "http://a/", &options, on_resolved, NULL, &resolution, NULL),
            -EINVAL);
    }
    const struct cdt_rewrite nothing = {"a", NULL, NULL};
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &nothing), -EINVAL);
    assert_int_equal(cdt_resolver_add_rewrite(NULL, &nothing), -EINVAL);
}

static void overlays(void **state)
{
    static char all[] = "over-all", com[] = "over-com", second[] = "over-second";
    const struct cdt_rewrite rewrites[] = {{"", name_it, all},
                                           {"com", name_it, com},
                                           {"Org.", name_it, com},
                                           {"org", name_it, second}};
    const struct cdt_resolve_options over = {
        .size = sizeof over, .rewrites = rewrites, .rewrite_count = 4};
    (void)state;
    rule("com", "com");
    rule("example.com", "example");
    expect_with(&r, "http://x.com/", &over, 0, "(Unix_domain_socket over-com)");
    expect_with(&r, "http://example.com/", &over, 0, "(Unix_domain_socket example)");
    expect_with(&r, "http://x.net/", &over, 0, "(Unix_domain_socket over-all)");
    expect_with(&r, "http://x.org/", &over, 0, "(Unix_domain_socket over-second)");
    expect(&r, "http://x.com/", 0, "(Unix_domain_socket com)");
}

/* ---- what rules answer ----------------------------------------------------------------------- */

static int answer;

static int say(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
               const struct cdt_uri *uri)
{
    if (user)
        name_it(user, resolution, service, uri);
    assert_string_equal(service->name, "http");
    return answer;
}

static void failing(void **state)
{
    static char given[] = "given-up";
    const struct cdt_rewrite bare = {"bare", say, NULL}, full = {"full", say, given};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &bare), 0);
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &full), 0);
    answer = -CDT_ENORULE;
    expect(&r, "http://a.bare/", -CDT_ENORULE, "(Unknown a.bare)");
    expect(&r, "http://a.full/", -CDT_ENORULE, "(Unknown a.full)");
    answer = -EACCES;
    expect(&r, "http://a.full/", -EACCES, "(Unknown\"permission denied\")");
    answer = 0;
    expect(&r, "http://a.bare/", -CDT_ENODATA, "(Unknown\"name resolution failed: no data\")");
}

static int into_localhost(void *user, struct cdt_resolution *resolution,
                          const struct cdt_service *service, const struct cdt_uri *uri)
{
    (void)user;
    (void)service;
    assert_string_equal(uri->host, "localhost");
    return cdt_resolution_name(resolution, "one", 1);
}

static void no_host_is_localhost(void **state)
{
    const struct cdt_rewrite rewrite = {"localhost", into_localhost, NULL};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    expect(&r, "http:///x", 0, "(TCP(192.0.2.1 1))");
}

static int two_names(void *user, struct cdt_resolution *resolution,
                     const struct cdt_service *service, const struct cdt_uri *uri)
{
    static char between[] = "between";
    (void)user;
    assert_int_equal(cdt_resolution_name(resolution, "One.", 5), 1);
    name_it(between, resolution, service, uri);
    assert_int_equal(cdt_resolution_name(resolution, "a b", 5), -EINVAL);
    assert_int_equal(cdt_resolution_name(resolution, "192.0.2.9", 6), 1);
    return cdt_resolution_name(resolution, "two", service->port);
}

static void order_of_adding(void **state)
{
    const struct cdt_rewrite rewrite = {"names", two_names, NULL};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    expect(&r, "http://names/", 0,
           "(TCP(192.0.2.1 5))|(Unix_domain_socket between)|(TCP(192.0.2.9 6))|(TCP(2001:db8::2 "
           "80))|(TCP(192.0.2.2 80))");
}

static struct cdt_resolution *kept;
static const struct cdt_service *kept_service;
static const struct cdt_uri *kept_uri;

static int later(void *user, struct cdt_resolution *resolution, const struct cdt_service *service,
                 const struct cdt_uri *uri)
{
    (void)user;
    kept = resolution;
    kept_service = service;
    kept_uri = uri;
    return 1;
}

/* A rule that has thought about it leaves it to the names of the system. */
static void system_later(void **state)
{
    const struct cdt_rewrite rewrite = {"two", later, NULL};
    struct heard heard = {0};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    kept = NULL;
    begin(&r, "http://two/", NULL, &heard);
    until(r.reactor, kept);
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
    assert_int_equal(cdt_rewrite_system(NULL, kept, kept_service, kept_uri), 1);
    until(r.reactor, heard.calls);
    assert_int_equal(heard.status, 0);
    assert_string_equal(heard.lists[0], "(TCP(2001:db8::2 80))|(TCP(192.0.2.2 80))");
    cdt_resolution_free(heard.resolution);
}

/* What the user has been given stays as it is until the next callback. */
static void list_stays_until_the_next_call(void **state)
{
    const struct cdt_rewrite rewrite = {"later", later, NULL};
    const struct cdt_endp *const *list;
    struct heard heard = {0};
    struct cdt_endp *endp;
    size_t count;
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    assert_int_equal(cdt_endp_parse("tcp:192.0.2.1:80", &endp, NULL), 0);
    kept = NULL;
    begin(&r, "http://later/", NULL, &heard);
    until(r.reactor, kept);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cdt_resolution_add(kept, endp), 0);
    until(r.reactor, heard.calls == 1);
    list = cdt_resolution_endps(heard.resolution, &count);
    assert_int_equal(count, 5);
    for (int i = 0; i < 7; i++)
        assert_int_equal(cdt_resolution_add(kept, endp), 0);
    assert_ptr_equal(cdt_resolution_endps(heard.resolution, &count), list);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(cdt_endp_equal(list[i], endp), 1);
    assert_int_equal(cdt_resolution_done(kept, 0), 0);
    until(r.reactor, heard.calls == 2);
    cdt_resolution_endps(heard.resolution, &count);
    assert_int_equal(count, 12);
    cdt_resolution_free(heard.resolution);
    cdt_endp_free(endp);
}

static void asynchronous(void **state)
{
    static char first[] = "first", second[] = "second";
    const struct cdt_rewrite rewrite = {"later", later, NULL};
    struct heard heard = {0};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    kept = NULL;
    begin(&r, "http://later/", NULL, &heard);
    assert_int_equal(cdt_resolution_done(heard.resolution, 0), -EINVAL);
    until(r.reactor, kept);
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
    name_it(first, kept, NULL, NULL);
    until(r.reactor, heard.calls == 1);
    const struct cdt_endp *endp = *cdt_resolution_endps(kept, NULL);
    assert_int_equal(heard.status, 1);
    name_it(second, kept, NULL, NULL);
    until(r.reactor, heard.calls == 2);
    assert_int_equal(cdt_resolution_done(kept, -EACCES), 0);
    until(r.reactor, heard.calls == 3);
    assert_int_equal(heard.status, 0);
    assert_string_equal(heard.lists[0], "(Unix_domain_socket first)");
    assert_string_equal(heard.lists[2], "(Unix_domain_socket first)|(Unix_domain_socket second)");
    assert_ptr_equal(endp, *cdt_resolution_endps(kept, NULL));
    assert_int_equal(cdt_resolution_done(kept, 0), -EINVAL);
    assert_int_equal(cdt_resolution_add(kept, endp), -EINVAL);
    cdt_resolution_free(heard.resolution);
}

static void asynchronous_failure(void **state)
{
    const struct cdt_rewrite rewrite = {"later", later, NULL};
    struct heard heard = {0};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    kept = NULL;
    begin(&r, "http://later/", NULL, &heard);
    until(r.reactor, kept);
    assert_int_equal(cdt_resolution_done(kept, 1), -EINVAL);
    assert_int_equal(cdt_resolution_done(kept, -EACCES), 0);
    until(r.reactor, heard.calls == 1);
    assert_int_equal(heard.status, -EACCES);
    assert_string_equal(heard.error, "later: permission denied");
    cdt_resolution_free(heard.resolution);
}

/* A rule may add rules, also in its own place. */
static int replaces_itself(void *user, struct cdt_resolution *resolution,
                           const struct cdt_service *service, const struct cdt_uri *uri)
{
    static char old[] = "old";
    (void)user;
    rule("self", "new");
    for (int i = 0; i < 50; i++) {
        char suffix[16];
        snprintf(suffix, sizeof suffix, "s%d", i);
        rule(suffix, "x");
    }
    return name_it(old, resolution, service, uri);
}

static void adding_inside(void **state)
{
    const struct cdt_rewrite rewrite = {"self", replaces_itself, NULL};
    (void)state;
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    expect(&r, "http://self/", 0, "(Unix_domain_socket old)");
    expect(&r, "http://self/", 0, "(Unix_domain_socket new)");
}

/* ---- fixed answers --------------------------------------------------------------------------- */

static void fixed(const char *suffix, const char *text)
{
    struct cdt_endp *endp;
    assert_int_equal(cdt_endp_parse(text, &endp, NULL), 0);
    assert_int_equal(cdt_resolver_add_static(r.resolver, suffix, endp), 0);
    cdt_endp_free(endp);
}

static void fixed_answers(void **state)
{
    (void)state;
    fixed("a", "tcp:192.0.2.5:0");
    fixed("b", "tcp:192.0.2.5:77");
    fixed("c", "unix:/c");
    fixed("d", "tcp:two:0");
    fixed("e", "tls:one:5");
    fixed("f", "tcp:localhost:0");
    fixed("a", "tcp:192.0.2.6:0");
    expect(&r, "http://x.a/", 0, "(TCP(192.0.2.6 80))");
    expect(&r, "http://x.a:81/", 0, "(TCP(192.0.2.6 81))");
    expect(&r, "https://x.b:81/", 0, "(TLS(x.b(TCP(192.0.2.5 77))))");
    expect(&r, "https://c/", 0, "(TLS(c(Unix_domain_socket /c)))");
    expect(&r, "https://d/", 0, "(TLS(d(TCP(2001:db8::2 443))))|(TLS(d(TCP(192.0.2.2 443))))");
    expect(&r, "https://e/", 0, "(TLS(e(TLS(one(TCP(192.0.2.1 5))))))");
    expect(&r, "http://f:9/", 0, "(TCP(::1 9))|(TCP(127.0.0.1 9))");
    assert_int_equal(cdt_resolver_add_static(r.resolver, "a", NULL), -EINVAL);
}

/* The rule is replaced while a resolution holds it. */
static void fixed_and_replaced(void **state)
{
    struct heard heard = {0};
    (void)state;
    fixed("a", "tcp:two:0");
    begin(&r, "http://a/", NULL, &heard);
    fixed("a", "tcp:192.0.2.5:0");
    until(r.reactor, heard.status <= 0);
    assert_string_equal(last_list(&heard), "(TCP(2001:db8::2 80))|(TCP(192.0.2.2 80))");
    cdt_resolution_free(heard.resolution);
}

static void too_deep(void **state)
{
    struct cdt_endp *endp;
    (void)state;
    assert_int_equal(cdt_endp_host("one", 1, &endp), 0);
    for (unsigned i = 1; i < CDT_ENDP_DEPTH; i++)
        assert_int_equal(cdt_endp_tls("t", endp, &endp), 0);
    assert_int_equal(cdt_resolver_add_static(r.resolver, "deep", endp), 0);
    cdt_endp_free(endp);
    expect(&r, "https://deep/", -E2BIG, "(Unknown\"argument list too long\")");
    struct heard heard = resolve_with(&r, "http://deep/", NULL);
    assert_int_equal(heard.status, 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(whole_labels),
        test(addresses),
        test(international),
        test(second_replaces_first),
        test(many_rules),
        test(wrong_suffixes),
        test(overlays),
        test(failing),
        test(no_host_is_localhost),
        test(order_of_adding),
        test(list_stays_until_the_next_call),
        test(asynchronous),
        test(asynchronous_failure),
        test(system_later),
        test(adding_inside),
        test(fixed_answers),
        test(fixed_and_replaced),
        test(too_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
