/* The hosts file: what it may hold, how it is found, and that changes are seen. */
#include "test/resolve/resolving.h"
#include "test/support/serve.h"

static struct resolving r;

static int set_up(void **state)
{
    (void)state;
    resolving_start(&r, NULL,
                    "# comment\n"
                    "192.0.2.1\tone One.Example. alias # not-this\n"
                    "  192.0.2.2 two\r\n"
                    "192.0.2.3 two\n"
                    "2001:db8::2 TWO\n"
                    "192.0.2.2 two\n"
                    "fe80::1%1 scoped\n"
                    "fe80::1%nosuchinterface0 unscoped\n"
                    "192.0.2 short\n"
                    "192.0.2.1.1 long\n"
                    "name 192.0.2.1\n"
                    "192.0.2.4\n"
                    "\n"
                    "::ffff:192.0.2.5 mapped\n"
                    "192.0.2.9 last",
                    NULL, "nameserver 127.0.0.1\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolving_stop(&r);
    return 0;
}

static void found(void **state)
{
    (void)state;
    expect(&r, "http://one/", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "http://ONE.example/", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "http://alias/", 0, "(TCP(192.0.2.1 80))");
    expect(&r, "http://two./", 0, "(TCP(2001:db8::2 80))|(TCP(192.0.2.2 80))|(TCP(192.0.2.3 80))");
    expect(&r, "http://scoped/", 0, "(TCP(fe80::1%1 80))");
    expect(&r, "http://mapped/", 0, "(TCP(::ffff:192.0.2.5 80))");
    expect(&r, "http://last/", 0, "(TCP(192.0.2.9 80))");
    expect_endp(&r, "tcp:LAST:4", 0, "(TCP(192.0.2.9 4))");
}

static uint32_t find(const char *name)
{
    hosts_refresh(&r.resolver->hosts, cdt_reactor_now(r.reactor));
    return hosts_find(&r.resolver->hosts, name, 0);
}

static void not_found(void **state)
{
    static const char *const names[] = {"not-this", "comment",   "unscoped", "short",        "long",
                                        "name",     "192.0.2.1", "",         "one.example.", "Two"};
    (void)state;
    assert_int_not_equal(find("two"), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(find(names[i]), 0);
}

/* The clock of the file: as if a second had passed. */
static void second_later(void)
{
    r.resolver->hosts.file.time -= CDT_SECOND;
}

static void changes(void **state)
{
    (void)state;
    assert_int_not_equal(find("one"), 0);
    write_text(r.hosts, "192.0.2.7 seven\n");
    assert_int_not_equal(find("one"), 0); /* not looked at within the second */
    second_later();
    assert_int_equal(find("one"), 0);
    expect(&r, "http://seven/", 0, "(TCP(192.0.2.7 80))");
    assert_int_equal(unlink(r.hosts), 0);
    second_later();
    assert_int_equal(find("seven"), 0);
    write_text(r.hosts, "192.0.2.8 eight\n");
    second_later();
    assert_int_not_equal(find("eight"), 0);
}

/* Of the same size, with the old time: the inode tells. */
static void renamed_into_place(void **state)
{
    char other[80];
    struct stat info;
    (void)state;
    write_text(r.hosts, "192.0.2.7 a\n");
    assert_int_not_equal(find("a"), 0);
    assert_int_equal(stat(r.hosts, &info), 0);
    snprintf(other, sizeof other, "%s.new", r.hosts);
    write_text(other, "192.0.2.7 b\n");
    const struct timespec times[2] = {info.st_atim, info.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, other, times, 0), 0);
    assert_int_equal(rename(other, r.hosts), 0);
    second_later();
    assert_int_equal(find("a"), 0);
    assert_int_not_equal(find("b"), 0);
}

static void unchanged(void **state)
{
    (void)state;
    find("one");
    const char *text = r.resolver->hosts.text;
    second_later();
    find("one");
    assert_ptr_equal(text, r.resolver->hosts.text);
}

/* A FIFO, a folder, a file that is too large: none is read. */
static void no_files(void **state)
{
    (void)state;
    assert_int_equal(unlink(r.hosts), 0);
    assert_int_equal(mkfifo(r.hosts, 0600), 0);
    assert_int_equal(find("one"), 0);
    assert_int_equal(unlink(r.hosts), 0);
    write_text(r.hosts, "192.0.2.1 one\n");
    assert_int_equal(truncate(r.hosts, (16 << 20) + 1), 0);
    second_later();
    assert_int_equal(find("one"), 0);
    assert_int_equal(truncate(r.hosts, 14), 0);
    second_later();
    assert_int_not_equal(find("one"), 0);
}

/* Without descriptors what is known is better than nothing; later it is read. */
static void no_descriptor(void **state)
{
    (void)state;
    assert_int_not_equal(find("one"), 0);
    write_text(r.hosts, "192.0.2.1 changed\n");
    second_later();
    test_no_more_fds();
    const uint32_t one = find("one"), changed = find("changed");
    test_more_fds();
    assert_int_not_equal(one, 0);
    assert_int_equal(changed, 0);
    second_later();
    assert_int_equal(find("one"), 0);
    assert_int_not_equal(find("changed"), 0);
}

static int read_text(const char *text, size_t length, struct hosts *hosts)
{
    char *copy = mem_alloc(length + 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    *hosts = (struct hosts){0};
    return hosts_read(copy, length, hosts);
}

static void hostile(void **state)
{
    static const char zeros[] = "192.0.2.1 a\0b c\n192.0.2.\0 d\n192.0.2.2 e\0";
    struct hosts hosts;
    char label[300];
    (void)state;
    assert_int_equal(read_text(zeros, sizeof zeros - 1, &hosts), 0);
    assert_int_equal(hosts_find(&hosts, "a", 0), 0);
    assert_int_not_equal(hosts_find(&hosts, "c", 0), 0);
    assert_int_equal(hosts_find(&hosts, "d", 0), 0);
    assert_int_equal(hosts.entry_count, 1);
    hosts_clear(&hosts);

    memset(label, 'x', sizeof label);
    memcpy(label, "::1 ", 4);
    assert_int_equal(read_text(label, 4 + 253, &hosts), 0);
    assert_int_equal(hosts.entry_count, 1);
    hosts_clear(&hosts);
    assert_int_equal(read_text(label, 4 + 254, &hosts), 0);
    assert_int_equal(hosts.entry_count, 0);
    hosts_clear(&hosts);
    assert_int_equal(read_text("", 0, &hosts), 0);
    assert_int_equal(hosts_find(&hosts, "", 0), 0);
    hosts_clear(&hosts);
}

static void only_count(void *user, struct cdt_resolution *resolution)
{
    struct heard *heard = user;
    (void)resolution;
    heard->calls++;
}

/* A name with more addresses than a resolution takes: bounded, and the same one is taken once. */
static void very_many(void **state)
{
    const struct cdt_resolve_options four = {.size = sizeof four, .family = AF_INET};
    const size_t size = 2000 * 40;
    char *text = malloc(size), *at = text;
    struct cdt_resolution *resolution;
    struct cdt_endp *endp;
    struct heard heard = {0};
    size_t count;
    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        at += sprintf(at, "192.0.%u.%u many\n192.0.2.1 n%u\n", i / 250, i % 250, i);
    write_text(r.hosts, text);
    free(text);
    assert_int_equal(cdt_endp_host("many", 1, &endp), 0);
    assert_int_equal(cdt_resolve_endp(r.resolver, endp, &four, only_count, &heard, &resolution), 0);
    cdt_endp_free(endp);
    until(r.reactor, heard.calls);
    cdt_resolution_endps(resolution, &count);
    assert_int_equal(count, RESULTS_MAX);
    cdt_resolution_free(resolution);
    expect(&r, "http://n1999/", 0, "(TCP(192.0.2.1 80))");
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(found),
        test(not_found),
        test(no_descriptor),
        test(changes),
        test(renamed_into_place),
        test(unchanged),
        test(no_files),
        test(hostile),
        test(very_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
