/* Which certificate a client is shown, by the name that it asks for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/tls/certificate.h"
#include "tls/config.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Identities, in their order; the last one is malformed, and one has no certificate. */
static const struct general_name names[][4] = {
    {{SAN_DNS, "first.example", 0}},
    {{SAN_DNS, "*.example.org", 0}, {SAN_DNS, "exact.example.com", 0}},
    {{SAN_DNS, "www.example.org", 0}, {SAN_DNS, "*.example.com", 0}},
    {{SAN_DNS, "*.example.org", 0}, {SAN_DNS, "www.example.org", 0}},
    {{SAN_IP, "\x7f\x00\x00\x01", 4}, {SAN_MAIL, "mail.example.net", 0}},
    {{SAN_DNS, "broken.example", 0}},
    {{0, NULL, 0}},
};
enum { IDENTITIES = COUNT(names), BROKEN = 5, BARE = 6 };

static struct der_text certificates[IDENTITIES];

static void prepare(struct tls_identity identities[IDENTITIES])
{
    for (size_t i = 0; i < IDENTITIES; i++) {
        make_certificate(&certificates[i], names[i], 0);
        identities[i] = (struct tls_identity){.der = certificates[i].bytes,
                                              .der_length = certificates[i].length};
    }
    identities[BROKEN].der_length -= 20;
    identities[BARE] = (struct tls_identity){0};
}

static void names_choose(void **state)
{
    static const struct {
        const char *name;
        size_t identity;
    } rows[] = {
        {"", 0},
        {"nobody.example", 0},
        {"first.example", 0},
        {"other.example.org", 1},  /* the first wildcard */
        {"www.example.org", 2},    /* exact before wildcard, the first of two */
        {"WWW.Example.ORG", 2},    /* case does not matter */
        {"www.example.org.", 2},   /* nor the root's dot */
        {"other.example.org.", 1}, /* */
        {"exact.example.com", 1},  /* before the wildcard of the next */
        {"other.example.com", 2},  /* */
        {"a.b.example.org", 0},    /* a wildcard is one label */
        {"example.org", 0},        /* and never none */
        {"mail.example.net", 0},   /* no DNS name */
        {"127.0.0.1", 0},          /* an address is no name to ask for */
        {"broken.example", 0},     /* */
        {"*.example.org", 0},      /* no host's name */
        {"www.example.org..", 0},  /* */
    };
    struct tls_identity identities[IDENTITIES];
    const struct cdt_tls_config config = {.set = {IDENTITIES, identities}};
    (void)state;
    prepare(identities);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct tls_identity *chosen = tls_config_choose(&config, rows[i].name);
        if (chosen != &identities[rows[i].identity])
            fail_msg("%s: identity %td, not %zu", rows[i].name, chosen - identities,
                     rows[i].identity);
    }
    assert_ptr_equal(tls_config_choose(&config, NULL), &identities[0]);
}

static void the_only_one_is_chosen(void **state)
{
    struct tls_identity identities[IDENTITIES];
    (void)state;
    prepare(identities);
    for (size_t i = 0; i < IDENTITIES; i++) {
        const struct cdt_tls_config config = {.set = {1, &identities[i]}};
        assert_ptr_equal(tls_config_choose(&config, "www.example.org"), &identities[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_choose),
        cmocka_unit_test(the_only_one_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
