/* The resolver without memory: each allocation of a scenario fails once. Whoever asked hears of
 * it, from the call or by the callback, and all memory is given back. */
#include "test/resolve/resolving.h"

static struct {
    unsigned countdown; /* to the one that fails; 0: none does */
    unsigned live;
    bool failed;
} memory;

static bool fails(void)
{
    if (memory.countdown == 0 || --memory.countdown)
        return false;
    memory.failed = true;
    return true;
}

static void *allocate(size_t size)
{
    if (fails())
        return NULL;
    memory.live++;
    return malloc(size);
}

static void *resize(void *old, size_t size)
{
    if (fails())
        return NULL;
    memory.live += !old;
    return realloc(old, size);
}

static void release(void *old)
{
    memory.live -= old != NULL;
    free(old);
}

static struct cdt_reactor *reactor;
static char hosts[] = "/tmp/resolver_memory.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    const int fd = mkstemp(hosts);
    assert_true(fd >= 0);
    close(fd);
    char text[2000] = "", *at = text;
    for (unsigned i = 1; i < 30; i++) /* more than fit without an allocation */
        at += sprintf(at, "192.0.2.%u many\n2001:db8::%u many\n", i, i);
    write_text(hosts, text);
    assert_int_equal(cdt_reactor_new(NULL, &reactor), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(hosts);
    return cdt_reactor_free(reactor);
}

static int add_fixed(struct cdt_resolver *resolver)
{
    struct cdt_endp *host, *tls;
    int status = cdt_endp_host("many", 0, &host);
    if (status)
        return status;
    status = cdt_endp_tls("inner", host, &tls);
    if (status) {
        cdt_endp_free(host);
        return status;
    }
    status = cdt_resolver_add_static(resolver, "fixed.example", tls);
    cdt_endp_free(tls);
    return status;
}

static void on_done(void *user, struct cdt_resolution *resolution)
{
    (void)resolution;
    ++*(unsigned *)user;
}

/* What came of one URI: the status; 0 only if everything is there. */
static int resolve_one(struct cdt_resolver *resolver, const char *uri, size_t count)
{
    unsigned calls = 0;
    size_t got;
    struct cdt_resolution *resolution;
    struct cdt_text_error error;
    int status = cdt_resolve(resolver, uri, NULL, on_done, &calls, &resolution, &error);
    if (status)
        return status;
    until(reactor, cdt_resolution_status(resolution) <= 0);
    assert_int_equal(calls, 1);
    status = cdt_resolution_status(resolution);
    const struct cdt_endp *const *endps = cdt_resolution_endps(resolution, &got);
    if (status) {
        assert_int_equal(got, 1);
        assert_int_equal(endps[0]->kind, CDT_ENDP_UNKNOWN);
        assert_true(*cdt_resolution_error(resolution));
    } else if (memory.failed) {
        assert_true(got >= 1 && got <= count); /* some addresses are better than none */
    } else {
        assert_int_equal(got, count);
    }
    cdt_resolution_free(resolution);
    return status;
}

static int run(void)
{
    static const struct {
        const char *uri;
        size_t count;
    } uris[] = {{"http://many/", 58},      {"https://www.fixed.example/", 58},
                {"https://vm.xen/", 1},    {"https+unix:///run/x", 1},
                {"https://192.0.2.1/", 1}, {"http://localhost/", 2}};
    const struct cdt_resolver_options options = {
        .size = sizeof options, .hosts_file = hosts, .services_file = "", .resolv_conf = ""};
    struct cdt_resolver *resolver;
    int status = cdt_resolver_new(reactor, &options, &resolver);
    if (status)
        return status;
    resolver->sources.find = same_source;
    status = add_fixed(resolver);
    for (size_t i = 0; i < sizeof uris / sizeof *uris && !status; i++)
        status = resolve_one(resolver, uris[i].uri, uris[i].count);
    cdt_resolver_free(resolver);
    return status;
}

static void each_allocation_fails_once(void **state)
{
    unsigned runs = 0, told = 0;
    (void)state;
    assert_int_equal(run(), 0); /* what a reactor keeps is there from now on */
    const unsigned live = memory.live;
    do {
        memory.failed = false;
        memory.countdown = ++runs;
        const int status = run();
        memory.countdown = 0;
        /* Without the hosts file "many" is asked for elsewhere, where nobody answers. */
        if (status && status != -ENOMEM && status >= -CDT_EBASE)
            fail_msg("allocation %u: %s", runs, cdt_strerror(status));
        if (!memory.failed)
            assert_int_equal(status, 0);
        told += status == -ENOMEM;
        assert_int_equal(memory.live, live);
    } while (memory.failed);
    assert_true(runs > 50);
    print_message("%u allocations, %u failures told\n", runs, told);
    assert_true(told > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails_once)};
    if (cdt_set_allocator(allocate, resize, release) != 0)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
