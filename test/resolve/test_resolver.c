/* The way of a URI and of an endpoint, where no name server is asked: schemes, ports, TLS, Unix
 * sockets, vchan, addresses, failures; and who may free what when. */
#include "test/resolve/resolving.h"
#include "test/support/serve.h"

static struct resolving r;

static int set_up(void **state)
{
    (void)state;
    resolving_start(&r, NULL, "192.0.2.1 one\n192.0.2.2 two two.example\n2001:db8::2 two\n",
                    "own 7777/tcp alias\n", "nameserver 127.0.0.1\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolving_stop(&r);
    return 0;
}

static void schemes(void **state)
{
    (void)state;
    expect(&r, "one/path", -CDT_ENOSERVICE, "(Unknown\"no scheme\")");
    expect(&r, "gopherx://one/", -CDT_ENOSERVICE, "(Unknown\"unknown scheme\")");
    expect(&r, "http://one/", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "HTTP://ONE./", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "own://one/", 0, "(TCP(192.0.2.1 7777))");
    expect(&r, "alias://one/", 0, "(TCP(192.0.2.1 7777))");
    expect(&r, "https://one/", 0, "(TLS(one(TCP(192.0.2.1 443))))");
    expect(&r, "http://one:81/", 0, "(TCP(192.0.2.1 81))");
    expect(&r, "https://one:0/", 0, "(TLS(one(TCP(192.0.2.1 0))))");
    expect(&r, "http://user:pw@one:81/", 0, "(TCP(192.0.2.1 81))");
}

static void sentences(void **state)
{
    (void)state;
    struct heard heard = resolve_with(&r, "gopherx://one/", NULL);
    assert_string_equal(heard.error, "gopherx: unknown scheme");
    heard = resolve_with(&r, "one", NULL);
    assert_string_equal(heard.error, "no scheme");
    heard = resolve_with(&r, "http+unix://one/", NULL);
    assert_string_equal(heard.error, "one: expected the path of a Unix socket");
    assert_int_equal(heard.status, -EINVAL);
    heard = resolve_with(&r, "http://%2Frun%2Fx/", NULL);
    assert_string_equal(heard.error, "/run/x: no rule for this host");
    assert_string_equal(last_list(&heard), "(Unknown /run/x)");
}

static void several_addresses(void **state)
{
    const struct cdt_resolve_options four = {.size = sizeof four, .family = AF_INET};
    const struct cdt_resolve_options six = {.size = sizeof six, .family = AF_INET6};
    (void)state;
    expect(&r, "https://two/", 0,
           "(TLS(two(TCP(2001:db8::2 443))))|(TLS(two(TCP(192.0.2.2 443))))");
    expect_with(&r, "http://two/", &four, 0, "(TCP(192.0.2.2 80))");
    expect_with(&r, "http://two/", &six, 0, "(TCP(2001:db8::2 80))");
}

static void literals(void **state)
{
    const struct cdt_resolve_options six = {.size = sizeof six, .family = AF_INET6};
    (void)state;
    expect(&r, "http://192.0.2.9:82/", 0, "(TCP(192.0.2.9 82))");
    expect(&r, "http://[::1]:82/", 0, "(TCP(::1 82))");
    expect(&r, "https://[2001:DB8::1]/", 0, "(TLS(2001:db8::1(TCP(2001:db8::1 443))))");
    expect_with(&r, "http://192.0.2.9/", &six, -EAFNOSUPPORT,
                "(Unknown\"address family not supported by protocol\")");
}

static void localhost(void **state)
{
    const struct cdt_resolve_options four = {.size = sizeof four, .family = AF_INET};
    (void)state;
    expect(&r, "http://localhost/", 0, "(TCP(::1 80))|(TCP(127.0.0.1 80))");
    expect(&r, "http://a.LocalHost/", 0, "(TCP(::1 80))|(TCP(127.0.0.1 80))");
    expect_with(&r, "http:///path", &four, 0, "(TCP(127.0.0.1 80))");
    expect_with(&r, "https:///path", &four, 0, "(TLS(localhost(TCP(127.0.0.1 443))))");
    write_text(r.hosts, "127.0.0.9 localhost more\n");
    r.resolver->hosts.file.time = 0;
    expect(&r, "http://localhost/", 0, "(TCP(127.0.0.9 80))");
}

static void unix_sockets(void **state)
{
    (void)state;
    expect(&r, "http+unix://%2Frun%2Fapp.sock/index", 0, "(Unix_domain_socket /run/app.sock)");
    expect(&r, "https+unix://%2Frun%2Fa%20b/", 0,
           "(TLS(localhost(Unix_domain_socket\"/run/a b\")))");
    expect(&r, "http+unix:///run/x", 0, "(Unix_domain_socket /run/x)");
    expect(&r, "unix:/run/a%20b", 0, "(Unix_domain_socket\"/run/a b\")");
    expect(&r, "unix:///run/a%41", 0, "(Unix_domain_socket /run/aA)");
    expect(&r, "unix:/run/%00", -EINVAL, "(Unknown\"expected the path of a Unix socket\")");
    expect(&r, "nope+unix://%2Frun/", -CDT_ENOSERVICE, "(Unknown\"unknown scheme\")");
}

static int knows_unix(void *user, const char *scheme, struct cdt_service *service)
{
    (void)user;
    if (strcmp(scheme, "unix") != 0)
        return 0;
    strcpy(service->name, "unix");
    service->port = 5;
    return 1;
}

static void unix_as_service(void **state)
{
    (void)state;
    assert_int_equal(cdt_resolver_add_service(r.resolver, knows_unix, NULL), 0);
    expect(&r, "unix://one/x", 0, "(TCP(192.0.2.1 5))");
}

static void vchan(void **state)
{
    (void)state;
    expect(&r, "http://vm1.xen/", 0, "(Vchan_domain_socket(vm1 http))");
    expect(&r, "https://a.VM1.Xen:99/", 0, "(TLS(a.vm1.xen(Vchan_domain_socket(a.vm1 https))))");
    expect(&r, "http://xen/", -CDT_ENORULE, "(Unknown xen)");
}

static void no_uri(void **state)
{
    struct cdt_resolution *resolution;
    struct cdt_text_error error;
    struct heard heard = {0};
    (void)state;
    assert_int_equal(cdt_resolve(r.resolver, "http://one:99999/", NULL, on_resolved, &heard,
                                 &resolution, &error),
                     -EINVAL);
    assert_non_null(strstr(error.text, "offset"));
    assert_int_equal(cdt_resolve(r.resolver, NULL, NULL, on_resolved, NULL, &resolution, NULL),
                     -EINVAL);
    const struct cdt_resolve_options odd = {.size = sizeof odd, .family = AF_UNIX};
    assert_int_equal(
        cdt_resolve(r.resolver, "http://one/", &odd, on_resolved, NULL, &resolution, NULL),
        -EINVAL);
    assert_int_equal(cdt_resolution_status(NULL), -EINVAL);
    cdt_resolution_free(NULL);
    cdt_resolver_free(NULL);
}

static void endpoints(void **state)
{
    (void)state;
    expect_endp(&r, "tcp:one:5", 0, "(TCP(192.0.2.1 5))");
    expect_endp(&r, "tls:two:5", 0, "(TLS(two(TCP(2001:db8::2 5))))|(TLS(two(TCP(192.0.2.2 5))))");
    expect_endp(&r, "(TLS (a (TLS (b tcp:ONE.:5))))", 0, "(TLS(a(TLS(b(TCP(192.0.2.1 5))))))");
    expect_endp(&r, "tcp:192.0.2.7:5", 0, "(TCP(192.0.2.7 5))");
    expect_endp(&r, "tls+unix:/x", 0, "(TLS(\"\"(Unix_domain_socket /x)))");
    expect_endp(&r, "(Unknown why)", 0, "(Unknown why)");
    expect_endp(&r, "tcp:9", 0, "(TCP(::1 9))|(TCP(127.0.0.1 9))");
}

/* ---- who frees what when --------------------------------------------------------------------- */

static void free_resolution(struct heard *heard)
{
    cdt_resolution_free(heard->resolution);
    heard->resolution = NULL;
}

static void free_resolver(struct heard *heard)
{
    cdt_resolver_free(r.resolver);
    r.resolver = NULL;
    free_resolution(heard);
}

static void free_inside(void **state)
{
    struct heard heard = {.then = free_resolution}, second = {.then = free_resolver};
    (void)state;
    begin(&r, "http://two/", NULL, &heard);
    begin(&r, "http://two/", NULL, &second);
    until(r.reactor, second.calls);
    assert_int_equal(heard.calls, 1);
    assert_null(heard.resolution);
}

static void free_before_it_began(void **state)
{
    struct heard heard = {0};
    (void)state;
    begin(&r, "http://two/", NULL, &heard);
    cdt_resolution_free(heard.resolution);
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
}

static void resolver_is_freed_first(void **state)
{
    struct heard heard = {0};
    (void)state;
    begin(&r, "http://two/", NULL, &heard);
    cdt_resolver_free(r.resolver);
    r.resolver = NULL;
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
    assert_int_equal(cdt_resolution_status(heard.resolution), -ECANCELED);
    cdt_resolution_free(heard.resolution);
}

static int service_frees(void *user, const char *scheme, struct cdt_service *service)
{
    struct heard *heard = user;
    (void)scheme;
    (void)service;
    if (heard->arg)
        free_resolution(heard);
    cdt_resolver_free(r.resolver);
    r.resolver = NULL;
    return 1;
}

static void freed_inside_a_service(void **state)
{
    struct heard heard = {.arg = *state};
    (void)state;
    assert_int_equal(cdt_resolver_set_service(r.resolver, service_frees, &heard), 0);
    begin(&r, "http://two/", NULL, &heard);
    until(r.reactor, !r.resolver);
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
    cdt_resolution_free(heard.resolution);
}

static int rule_frees(void *user, struct cdt_resolution *resolution,
                      const struct cdt_service *service, const struct cdt_uri *uri)
{
    struct heard *heard = user;
    assert_int_equal(cdt_rewrite_system(NULL, resolution, service, uri), 1);
    if (heard->arg)
        free_resolution(heard);
    cdt_resolver_free(r.resolver);
    r.resolver = NULL;
    return 0;
}

static void freed_inside_a_rule(void **state)
{
    struct heard heard = {.arg = *state};
    const struct cdt_rewrite rewrite = {"", rule_frees, &heard};
    assert_int_equal(cdt_resolver_add_rewrite(r.resolver, &rewrite), 0);
    begin(&r, "http://two/", NULL, &heard);
    until(r.reactor, !r.resolver);
    settle(r.reactor);
    assert_int_equal(heard.calls, 0);
    cdt_resolution_free(heard.resolution);
}

static int service_replaces(void *user, const char *scheme, struct cdt_service *service)
{
    (void)user;
    (void)scheme;
    (void)service;
    assert_int_equal(cdt_resolver_set_service(r.resolver, NULL, NULL), 0);
    assert_int_equal(cdt_resolver_add_service(r.resolver, knows_unix, NULL), 0);
    return 0;
}

static void service_that_replaces_itself(void **state)
{
    (void)state;
    assert_int_equal(cdt_resolver_add_service(r.resolver, service_replaces, NULL), 0);
    expect(&r, "http://one/", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "unix://one/", 0, "(TCP(192.0.2.1 5))");
}

/* ---- the trace ------------------------------------------------------------------------------- */

static char traced[2000];

static void write_down(void *user, enum cdt_log_level level, const char *text)
{
    (void)user;
    if (level == CDT_LOG_DEBUG)
        snprintf(traced + strlen(traced), sizeof traced - strlen(traced), "%s\n", text);
}

static void tracing(void **state)
{
    (void)state;
    cdt_reactor_set_log(r.reactor, write_down, NULL);
    *traced = 0;
    expect(&r, "https://one/", 0, "(TLS(one(TCP(192.0.2.1 443))))");
    assert_string_equal(traced, "");
    r.resolver->trace = true;
    expect(&r, "https://one/", 0, "(TLS(one(TCP(192.0.2.1 443))))");
    assert_string_equal(traced, "resolver: https://one/: service https, port 443, TLS\n"
                                "resolver: one: rule \"\"\n"
                                "resolver: one: in the hosts file\n"
                                "resolver: result 1 of 1: (TLS (one (TCP (192.0.2.1 443))))\n");
}

static void tracing_is_switched_on(void **state)
{
    struct cdt_resolver *resolver;
    (void)state;
    assert_int_equal(setenv("CONDUIT_DEBUG", "1", 1), 0);
    assert_int_equal(cdt_resolver_new(r.reactor, NULL, &resolver), 0);
    assert_true(resolver->trace);
    cdt_resolver_free(resolver);
    assert_int_equal(setenv("CONDUIT_DEBUG", "", 1), 0);
    assert_int_equal(cdt_resolver_new(r.reactor, NULL, &resolver), 0);
    assert_false(resolver->trace);
    cdt_resolver_free(resolver);
    unsetenv("CONDUIT_DEBUG");
}

/* Without descriptors nobody can know what resolv.conf says: that is no reason to ask 127.0.0.1. */
static void no_descriptor(void **state)
{
    const struct cdt_resolver_options options = {.size = sizeof options,
                                                 .resolv_conf = r.resolv_conf};
    struct cdt_resolver *resolver = NULL;
    (void)state;
    test_no_more_fds();
    const int status = cdt_resolver_new(r.reactor, &options, &resolver);
    test_more_fds();
    assert_int_equal(status, -EMFILE);
    assert_null(resolver);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int set_up_both(void **state)
{
    static int yes;
    set_up(state);
    *state = &yes;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(no_descriptor),
        test(schemes),
        test(sentences),
        test(several_addresses),
        test(literals),
        test(localhost),
        test(unix_sockets),
        test(unix_as_service),
        test(vchan),
        test(no_uri),
        test(endpoints),
        test(free_inside),
        test(free_before_it_began),
        test(resolver_is_freed_first),
        test(freed_inside_a_service),
        cmocka_unit_test_setup_teardown(freed_inside_a_service, set_up_both, tear_down),
        test(freed_inside_a_rule),
        cmocka_unit_test_setup_teardown(freed_inside_a_rule, set_up_both, tear_down),
        test(service_that_replaces_itself),
        test(tracing),
        test(tracing_is_switched_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
