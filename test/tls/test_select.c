/* Which backend is in force: by choice, by the environment, by what is built in. The environment is
 * read once in a process, so each test of it is a child. */
#include <pthread.h>

#include "test/tls/child.h"
#include "tls/config.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static enum cdt_tls_backend preset(void)
{
    return cdt_tls_built_in(CDT_TLS_WOLFSSL)   ? CDT_TLS_WOLFSSL
           : cdt_tls_built_in(CDT_TLS_OPENSSL) ? CDT_TLS_OPENSSL
                                               : CDT_TLS_NONE;
}

static const struct {
    const char *text;
    enum cdt_tls_backend backend;
} names[] = {
    {"wolfssl", CDT_TLS_WOLFSSL},  {"native", CDT_TLS_WOLFSSL},  {"openssl", CDT_TLS_OPENSSL},
    {"libressl", CDT_TLS_OPENSSL}, {"none", CDT_TLS_NONE},       {"notls", CDT_TLS_NONE},
    {"WolfSSL", CDT_TLS_WOLFSSL},  {"OPENSSL", CDT_TLS_OPENSSL}, {"NoTLS", CDT_TLS_NONE},
};

static void names_are_read(void **state)
{
    static const char *const bad[] = {"", "any", "gnutls", "wolfssl ", "open ssl", "wolfss"};
    enum cdt_tls_backend backend;
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        backend = CDT_TLS_ANY;
        assert_int_equal(cdt_tls_backend_parse(names[i].text, &backend), 0);
        assert_int_equal(backend, names[i].backend);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(cdt_tls_backend_parse(bad[i], &backend), -EINVAL);
    assert_int_equal(cdt_tls_backend_parse(NULL, &backend), -EINVAL);
    assert_int_equal(cdt_tls_backend_parse("none", NULL), -EINVAL);
}

static void names_are_given(void **state)
{
    (void)state;
    assert_string_equal(cdt_tls_backend_name(CDT_TLS_ANY), "any");
    assert_string_equal(cdt_tls_backend_name(CDT_TLS_WOLFSSL), "wolfssl");
    assert_string_equal(cdt_tls_backend_name(CDT_TLS_OPENSSL), "openssl");
    assert_string_equal(cdt_tls_backend_name(CDT_TLS_NONE), "none");
}

static void what_is_built_in(void **state)
{
    (void)state;
#ifdef CDT_HAVE_WOLFSSL
    assert_int_equal(cdt_tls_built_in(CDT_TLS_WOLFSSL), 1);
#else
    assert_int_equal(cdt_tls_built_in(CDT_TLS_WOLFSSL), 0);
#endif
#ifdef CDT_HAVE_OPENSSL
    assert_int_equal(cdt_tls_built_in(CDT_TLS_OPENSSL), 1);
#else
    assert_int_equal(cdt_tls_built_in(CDT_TLS_OPENSSL), 0);
#endif
    assert_int_equal(cdt_tls_built_in(CDT_TLS_NONE), 1);
    assert_int_equal(cdt_tls_built_in(CDT_TLS_ANY), 0);
    assert_int_equal(cdt_tls_built_in((enum cdt_tls_backend)77), 0);
}

/* ---- the one in force, in children ----------------------------------------------------------- */

static const char *setting;

static int selects(void)
{
    unsetenv("CONDUIT_TLS");
    check(cdt_tls_selected() == preset());
    check(cdt_tls_select((enum cdt_tls_backend)77) == -EINVAL);
    check(cdt_tls_select((enum cdt_tls_backend) - 1) == -EINVAL);
    check(cdt_tls_selected() == preset());
    for (enum cdt_tls_backend i = CDT_TLS_WOLFSSL; i <= CDT_TLS_NONE; i++) {
        check(cdt_tls_select(CDT_TLS_ANY) == 0);
        check(cdt_tls_select(i) == (cdt_tls_built_in(i) ? 0 : -EPROTONOSUPPORT));
        check(cdt_tls_selected() == (cdt_tls_built_in(i) ? i : preset()));
        check((tls_backend(CDT_TLS_ANY) != NULL) == (cdt_tls_selected() != CDT_TLS_NONE));
    }
    check(cdt_tls_select(CDT_TLS_ANY) == 0);
    check(cdt_tls_selected() == preset());
    return 0;
}

static int environment_selects(void)
{
    enum cdt_tls_backend wanted = CDT_TLS_ANY;
    setenv("CONDUIT_TLS", setting, 1);
    check(cdt_tls_backend_parse(setting, &wanted) == 0);
    if (!cdt_tls_built_in(wanted))
        wanted = preset();
    check(cdt_tls_selected() == wanted);
    setenv("CONDUIT_TLS", "none", 1); /* it is read once */
    check(cdt_tls_selected() == wanted);
    check(cdt_tls_select(CDT_TLS_NONE) == 0);
    check(cdt_tls_selected() == CDT_TLS_NONE);
    check(cdt_tls_select(CDT_TLS_ANY) == 0);
    check(cdt_tls_selected() == wanted);
    return 0;
}

/* A configuration that cannot be made; the warning comes all the same, once. */
static int warns(void)
{
    const struct cdt_reactor_options options = {.size = sizeof options, .log = log_line};
    const struct cdt_tls_options none = {.size = sizeof none, .role = CDT_TLS_SERVER};
    struct cdt_reactor *reactor;
    struct cdt_tls_config *config;
    if (setting)
        setenv("CONDUIT_TLS", setting, 1);
    else
        unsetenv("CONDUIT_TLS");
    check(cdt_tls_selected() == preset());
    check(cdt_reactor_new(&options, &reactor) == 0);
    for (int i = 0; i < 3; i++)
        check(cdt_tls_config_new(reactor, &none, &config, NULL) == -EINVAL);
    check(cdt_reactor_free(reactor) == 0);
    return 0;
}

static int warns_of_nonsense(void)
{
    check(warns() == 0);
    check(lines == 1);
    check(strcmp(logged, "CONDUIT_TLS is \"gnutls\", which is no TLS backend: ignored") == 0);
    return 0;
}

static int warns_of_nothing(void)
{
    check(warns() == 0);
    check(lines == 0);
    return 0;
}

static void *ask(void *backends)
{
    *(const struct tls_backend **)backends = tls_backend(CDT_TLS_ANY);
    return NULL;
}

static int is_initialised_once(void)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    const struct tls_backend *backends[THREADS];
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, ask, &backends[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        check(backends[i] == tls_backend(preset()));
    check((backends[0] != NULL) == (preset() != CDT_TLS_NONE));
    return 0;
}

static void one_is_selected(void **state)
{
    (void)state;
    test_in_child(selects);
}

static void the_environment_selects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        setting = names[i].text;
        test_in_child(environment_selects);
    }
}

static void nonsense_is_warned_of_once(void **state)
{
    (void)state;
    setting = "gnutls";
    test_in_child(warns_of_nonsense);
    setting = "";
    test_in_child(warns_of_nothing);
    setting = NULL;
    test_in_child(warns_of_nothing);
}

static void threads_may_begin_together(void **state)
{
    (void)state;
    test_in_child(is_initialised_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(names_are_given),
        cmocka_unit_test(what_is_built_in),
        cmocka_unit_test(one_is_selected),
        cmocka_unit_test(the_environment_selects),
        cmocka_unit_test(nonsense_is_warned_of_once),
        cmocka_unit_test(threads_may_begin_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
