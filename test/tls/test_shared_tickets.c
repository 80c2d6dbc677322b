/* Servers that share a ticket_key: whose tickets they take of each other, and whose not. Every pair
 * of backends, TLS 1.2 and 1.3. */
#include "test/tls/tls.h"

/* Connects with the client's configuration to this server: whether that was a resumption. */
static bool resumes_at(struct ends *ends, struct cdt_tls_config *server)
{
    struct probe probe[2] = {{0}};
    test_flows(ends->reactor, 'p', NULL, probe);
    assert_int_equal(cdt_tls_start(probe[SERVER].flow, server, NULL), 0);
    assert_int_equal(cdt_tls_start(probe[CLIENT].flow, ends->config[CLIENT], NAME), 0);
    cdt_flow_write(probe[SERVER].flow, "welcome", 7); /* behind the tickets */
    until(ends->reactor, probe[CLIENT].length == 7 || probe[CLIENT].closed);
    assert_string_equal(probe[CLIENT].error, "");
    const bool resumed = tls_info(probe[CLIENT].flow).resumed;
    cdt_flow_close(probe[CLIENT].flow);
    until(ends->reactor, probe[SERVER].eofs);
    cdt_flow_close(probe[SERVER].flow);
    until(ends->reactor, probe[0].closed && probe[1].closed);
    probe_free(&probe[0]);
    probe_free(&probe[1]);
    return resumed;
}

/* A client of the packaged wolfSSL offers no ticket of TLS 1.2. */
static bool offers(const struct way *way)
{
#ifdef CDT_WOLFSSL_BUILT
    (void)way;
    return true;
#else
    return !way->old || way->backend[CLIENT] != CDT_TLS_WOLFSSL;
#endif
}

/* What the second server has otherwise. */
static void another_identity(struct cdt_tls_options *options)
{
    options->identities = tls_identity("two"); /* which is not for the client's name */
}
static void another_protocol(struct cdt_tls_options *options)
{
    options->alpn = "h2";
}
static void another_rotation(struct cdt_tls_options *options)
{
    options->ticket_rotation = 1800 * CDT_SECOND;
}
static void another_version(struct cdt_tls_options *options)
{
    options->min_version = options->min_version == CDT_TLS_1_3 ? CDT_TLS_1_2 : CDT_TLS_1_3;
    options->ciphers = NULL;
}

static const struct {
    const char *name;
    void (*change)(struct cdt_tls_options *options);
    bool resumes;
} others[] = {
    {"identity", another_identity, true},
    {"alpn", another_protocol, true},
    {"rotation", another_rotation, false},
    {"min_version", another_version, false},
};

static void test_others(void **state)
{
    (void)state;
    static const uint8_t key[32] = {7};
    for (struct way way = {0}; way_next(&way);) {
        if (!offers(&way))
            continue;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            struct cdt_tls_options options = tls_options(&way, SERVER);
            struct ends ends;
            if (way.old && others[i].change == another_version)
                continue; /* it would leave no version */
            options.ticket_key = key;
            ends_begin(&ends, &way, NULL, &options);
            others[i].change(&options);
            struct cdt_tls_config *other = tls_config(ends.reactor, &options);
            assert_false(resumes_at(&ends, ends.config[SERVER]));
            const bool resumed = resumes_at(&ends, other);
            if (resumed != others[i].resumes)
                fail_msg("another %s: %s", others[i].name, resumed ? "resumed" : "not resumed");
            cdt_tls_config_free(other);
            ends_free(&ends);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flow_test(test_others),
    };
    return tls_main(tests);
}
