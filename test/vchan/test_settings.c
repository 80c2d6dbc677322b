/* Options of vchan: defaults, the environment, what is refused and with which words; which backend
 * is in force; names and ports. */
#include <ctype.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "test/vchan/memory.h"

static void clear_environment(void)
{
    static const char *const variables[] = {"CONDUIT_VCHAN", "CONDUIT_VCHAN_DIR", "CONDUIT_DOMID",
                                            "XDG_RUNTIME_DIR"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static int set_up(void **state)
{
    (void)state;
    clear_environment();
    memset(&memory, 0, sizeof memory);
    return cdt_vchan_select(CDT_VCHAN_ANY);
}

static struct vchan_settings filled(const struct cdt_vchan_options *options)
{
    struct vchan_settings settings;
    const int status = vchan_settings_fill(&settings, options);
    if (status)
        fail_msg("%d: %s", status, settings.why);
    return settings;
}

/* ---- filling --------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    char host[256] = "";
    (void)state;
    const struct vchan_settings settings = filled(NULL);
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    for (char *at = host; *at; at++) /* xenstore takes no others */
        *at = isalnum((unsigned char)*at) || *at == '_' ? *at : '-';
    assert_int_equal(settings.backend, cdt_vchan_selected());
    assert_int_equal(settings.read_size, 1024);
    assert_int_equal(settings.write_size, 1024);
    assert_int_equal(settings.spin, 0);
    assert_int_equal(settings.domid, 0);
    assert_int_equal(settings.mode, 0700);
    assert_string_equal(settings.directory, "/run/conduit");
    assert_int_equal(strncmp(settings.name, host, strlen(host)), 0);
    assert_string_equal(settings.name + strlen(host),
                        settings.backend == CDT_VCHAN_LOCAL ? "-0" : "");
}

/* Domains of one host must not ask under one name. */
static void test_local_domains_have_names(void **state)
{
    struct cdt_vchan_options one = {.size = sizeof one, .backend = CDT_VCHAN_LOCAL, .domid = 8};
    (void)state;
    const struct vchan_settings seven = filled(&one);
    assert_string_equal(strrchr(seven.name, '-'), "-7");
    one.domid = 65536;
    assert_string_equal(strrchr(filled(&one).name, '-'), "-65535");
}

static void test_environment(void **state)
{
    const struct cdt_vchan_options own = {
        .size = sizeof own, .directory = "/own", .domid = 6, .name = "me"};
    (void)state;
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    assert_string_equal(filled(NULL).directory, "/run/conduit");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_string_equal(filled(NULL).directory, "/run/user/7/conduit");
    setenv("CONDUIT_VCHAN_DIR", "/elsewhere", 1);
    assert_string_equal(filled(NULL).directory, "/elsewhere");
    setenv("CONDUIT_DOMID", "65535", 1);
    assert_int_equal(filled(NULL).domid, 65535);
    setenv("CONDUIT_DOMID", "", 1);
    assert_int_equal(filled(NULL).domid, 0);
    setenv("CONDUIT_DOMID", "nonsense", 1);
    const struct vchan_settings settings = filled(&own); /* it is not looked at */
    assert_int_equal(settings.domid, 5);
    assert_string_equal(settings.directory, "/own");
    assert_string_equal(settings.name, "me");
    setenv("CONDUIT_DOMID", "0", 1);
    assert_int_equal(filled(&own).domid, 5);
}

#define OPTIONS .size = sizeof(struct cdt_vchan_options)

static char too_long[600];

static const struct {
    struct cdt_vchan_options options;
    const char *domid, *why;
} refused[] = {
    {{OPTIONS, .read_size = 1024 * 1024 + 1}, NULL, "a ring of vchan has at most 1 MiB"},
    {{OPTIONS, .write_size = SIZE_MAX}, NULL, "a ring of vchan has at most 1 MiB"},
    {{OPTIONS, .spin = CDT_MS + 1}, NULL, "vchan spins for at most 1 ms"},
    {{OPTIONS, .mode = 01700}, NULL, "the mode of vchan's directory is at most 0777"},
    {{OPTIONS, .domid = 65537}, NULL, "a domain id is at most 65535"},
    {{OPTIONS, .backend = (enum cdt_vchan_backend)4}, NULL, "no backend of vchan"},
    {{OPTIONS, .directory = too_long}, NULL, "the path of vchan's directory is too long"},
    {{OPTIONS, .name = ""},
     NULL,
     "a domain's name has 1 to 250 bytes, no slash or control character, and no dot at its beginning"},
    {{OPTIONS, .name = "a/b"},
     NULL,
     "a domain's name has 1 to 250 bytes, no slash or control character, and no dot at its beginning"},
    {{OPTIONS}, "65536", "CONDUIT_DOMID is no number from 0 to 65535"},
    {{OPTIONS}, "-1", "CONDUIT_DOMID is no number from 0 to 65535"},
    {{OPTIONS}, "7 ", "CONDUIT_DOMID is no number from 0 to 65535"},
    {{OPTIONS}, "99999999999999999999", "CONDUIT_DOMID is no number from 0 to 65535"},
    {{.size = 2}, NULL, "these options of vchan are of another version"},
};

static void test_refused(void **state)
{
    struct vchan_settings settings;
    (void)state;
    memset(too_long, 'd', sizeof too_long - 1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        clear_environment();
        if (refused[i].domid)
            setenv("CONDUIT_DOMID", refused[i].domid, 1);
        assert_int_equal(vchan_settings_fill(&settings, &refused[i].options), -EINVAL);
        assert_string_equal(settings.why, refused[i].why);
    }
}

static void test_largest(void **state)
{
    const struct cdt_vchan_options options = {OPTIONS,        .read_size = 1 << 20, .write_size = 1,
                                              .spin = CDT_MS, .mode = 0777,         .domid = 65536};
    (void)state;
    const struct vchan_settings settings = filled(&options);
    assert_int_equal(settings.read_size, 1 << 20);
    assert_int_equal(settings.write_size, 1);
    assert_int_equal(settings.domid, 65535);
    assert_int_equal(settings.mode, 0777);
}

/* ---- backends -------------------------------------------------------------------------------- */

static void test_names_of_backends(void **state)
{
    (void)state;
    assert_string_equal(cdt_vchan_backend_name(CDT_VCHAN_ANY), "any");
    assert_string_equal(cdt_vchan_backend_name(CDT_VCHAN_XEN), "xen");
    assert_string_equal(cdt_vchan_backend_name(CDT_VCHAN_LOCAL), "local");
    assert_string_equal(cdt_vchan_backend_name(CDT_VCHAN_NONE), "none");
    assert_string_equal(cdt_vchan_backend_name((enum cdt_vchan_backend)77), "any");
}

static void test_select(void **state)
{
    struct vchan_settings settings;
    (void)state;
    assert_int_equal(cdt_vchan_select((enum cdt_vchan_backend)4), -EINVAL);
    assert_int_equal(cdt_vchan_select((enum cdt_vchan_backend) - 1), -EINVAL);
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_XEN), 0);
    assert_int_equal(cdt_vchan_selected(), CDT_VCHAN_XEN);
    assert_int_equal(filled(NULL).backend, CDT_VCHAN_XEN);

    memory.no_xen = true;
    assert_false(cdt_vchan_available(CDT_VCHAN_XEN));
    assert_true(cdt_vchan_available(CDT_VCHAN_LOCAL));
    assert_true(cdt_vchan_available(CDT_VCHAN_NONE));
    assert_false(cdt_vchan_available(CDT_VCHAN_ANY));
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_XEN), -EPROTONOSUPPORT);
    assert_int_equal(vchan_settings_fill(&settings, NULL), -EPROTONOSUPPORT);
    assert_string_equal(settings.why, "vchan's backend xen is not built in");

    assert_int_equal(cdt_vchan_select(CDT_VCHAN_NONE), 0);
    assert_int_equal(cdt_vchan_selected(), CDT_VCHAN_NONE);
    assert_int_equal(vchan_settings_fill(&settings, NULL), -EPROTONOSUPPORT);
    assert_string_equal(settings.why, "vchan is switched off (its backend is none)");
    const struct cdt_vchan_options own = {OPTIONS, .backend = CDT_VCHAN_LOCAL};
    assert_int_equal(filled(&own).backend, CDT_VCHAN_LOCAL);
}

/* ---- CONDUIT_VCHAN, which is read once: each in a process of its own ------------------------- */

static unsigned logged;
static char line[200];

static void log_line(void *user, enum cdt_log_level level, const char *text)
{
    (void)user, (void)level;
    logged++;
    snprintf(line, sizeof line, "%s", text);
}

static enum cdt_vchan_backend without(void)
{
    return access("/dev/xen", F_OK) == 0 && !memory.no_xen ? CDT_VCHAN_XEN : CDT_VCHAN_LOCAL;
}

static const struct word {
    const char *word;
    bool no_xen, ignored;
    enum cdt_vchan_backend backend;
    const char *why;
} words[] = {
    {"xen", false, false, CDT_VCHAN_XEN, NULL},
    {"Local", false, false, CDT_VCHAN_LOCAL, NULL},
    {"NONE", false, false, CDT_VCHAN_NONE, NULL},
    {"", false, true, CDT_VCHAN_ANY, NULL},
    {"any", false, true, CDT_VCHAN_ANY,
     "CONDUIT_VCHAN is \"any\", which is no backend of vchan: ignored"},
    {"xen", true, true, CDT_VCHAN_ANY, "CONDUIT_VCHAN is \"xen\", which is not built in: ignored"},
};
static const struct word *word;

static int in_child(void)
{
    const struct cdt_reactor_options options = {.size = sizeof options, .log = log_line};
    memory.no_xen = word->no_xen;
    setenv("CONDUIT_VCHAN", word->word, 1);
    assert_int_equal(cdt_vchan_selected(), word->ignored ? without() : word->backend);
    assert_int_equal(cdt_reactor_new(&options, &reactor), 0);
    vchan_settings_warn(reactor);
    vchan_settings_warn(reactor);
    assert_int_equal(logged, word->why ? 1 : 0);
    if (word->why)
        assert_string_equal(line, word->why);
    assert_int_equal(cdt_vchan_select(CDT_VCHAN_LOCAL), 0); /* stronger than it */
    assert_int_equal(cdt_vchan_selected(), CDT_VCHAN_LOCAL);
    cdt_reactor_free(reactor);
    return 0;
}

static void test_environment_chooses(void **state)
{
    (void)state;
    for (word = words; word < words + sizeof words / sizeof *words; word++)
        assert_int_equal(test_in_child(in_child), 0);
}

/* ---- names, ports, places -------------------------------------------------------------------- */

static void test_ports(void **state)
{
    char port[80];
    (void)state;
    assert_true(vchan_port_valid("a"));
    assert_true(vchan_port_valid("Web-2_x"));
    memset(port, 'p', sizeof port);
    port[63] = 0;
    assert_true(vchan_port_valid(port));
    port[63] = 'p';
    port[64] = 0;
    assert_false(vchan_port_valid(port));
    static const char *const wrong[] = {"", "a b", "a/b", ".", "p\xc3\xa4", "a\n", "a:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(vchan_port_valid(wrong[i]));
}

static void test_names(void **state)
{
    char name[300];
    (void)state;
    static const char *const right[] = {"vm1", "a b", "x..", "w\xc3\xa4rmer", "a:b"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(vchan_name_valid(right[i]));
    static const char *const wrong[] = {"",    ".", "..",  ".x",   "..x",
                                        "a/b", "/", "a\n", "\x7f", "a\tb"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(vchan_name_valid(wrong[i]));
    memset(name, 'n', sizeof name);
    name[250] = 0;
    assert_true(vchan_name_valid(name));
    name[250] = 'n';
    name[251] = 0;
    assert_false(vchan_name_valid(name));
}

static void test_places(void **state)
{
    char path[VCHAN_PATH_MAX], name[VCHAN_NAME_MAX];
    (void)state;
    assert_int_equal(vchan_place(path, 3, 65535, "foo"), 0);
    assert_string_equal(path, "/local/domain/3/data/vchan/65535/foo");
    assert_int_equal(vchan_request_path(path, "web", "me", "http"), 0);
    assert_string_equal(path, "/conduit/web/me/http");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(vchan_name_path(path, name), 0);
    assert_int_equal(vchan_request_path(path, name, name, "http"), -ENAMETOOLONG);
}

static void test_domids(void **state)
{
    static const char *const wrong[] = {"",   "-1",    "+1",  " 1",         "1 ",
                                        "1x", "65536", "0x1", "4294967296", "18446744073709551617"};
    unsigned domid = 7;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(vchan_domid_read(wrong[i], &domid), -EINVAL);
    assert_int_equal(domid, 7);
    assert_int_equal(vchan_domid_read("65535", &domid), 0);
    assert_int_equal(domid, 65535);
    assert_int_equal(vchan_domid_read("0007", &domid), 0);
    assert_int_equal(domid, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_environment_chooses, set_up), /* before anybody asks */
        cmocka_unit_test_setup(test_defaults, set_up),
        cmocka_unit_test_setup(test_local_domains_have_names, set_up),
        cmocka_unit_test_setup(test_environment, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
        cmocka_unit_test_setup(test_largest, set_up),
        cmocka_unit_test_setup(test_names_of_backends, set_up),
        cmocka_unit_test_setup(test_select, set_up),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_domids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
