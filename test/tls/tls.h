/* For tests of TLS: every combination of backends and versions; configurations; two flows with TLS
 * between them. */
#ifndef TEST_TLS_TLS_H
#define TEST_TLS_TLS_H

#include <conduit/conduit.h>

#include "test/tls/pki.h"
#include "test/tls/wire.h"

enum { CLIENT, SERVER };

#define NAME "example.test"
/* A list that leaves only TLS 1.2. */
#define OLD_CIPHERS "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

/* ---- combinations ---------------------------------------------------------------------------- */

struct way {
    unsigned next;
    enum cdt_tls_backend backend[2]; /* of the client, of the server */
    bool old;                        /* TLS 1.2 */
};

/* for (struct way way = {0}; way_next(&way);): every pair of backends built in, TLS 1.3 and 1.2. */
static inline bool way_next(struct way *way)
{
    static const enum cdt_tls_backend both[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    for (unsigned i = way->next; i < 8; i++) {
        way->backend[CLIENT] = both[i & 1];
        way->backend[SERVER] = both[i >> 1 & 1];
        way->old = i & 4;
        if (!cdt_tls_built_in(way->backend[0]) || !cdt_tls_built_in(way->backend[1]))
            continue;
        way->next = i + 1;
        print_message("           %s to %s, TLS 1.%c\n", cdt_tls_backend_name(way->backend[CLIENT]),
                      cdt_tls_backend_name(way->backend[SERVER]), way->old ? '2' : '3');
        return true;
    }
    return false;
}

/* ---- configurations -------------------------------------------------------------------------- */

/* A certificate by its name, good until the program ends. */
static inline const struct cdt_tls_identity *tls_identity(const char *name)
{
    static struct cdt_tls_identity slots[64];
    static size_t count;
    const char *cert = pki_cert(name);
    for (size_t i = 0; i < count; i++) {
        if (slots[i].cert_file == cert)
            return &slots[i];
    }
    assert_true(count < sizeof slots / sizeof *slots);
    slots[count] = (struct cdt_tls_identity){.cert_file = cert, .key_file = pki_key(name)};
    return &slots[count++];
}

/* What most tests want: the client trusts our authority, the server shows p256. */
static inline struct cdt_tls_options tls_options(const struct way *way, int side)
{
    struct cdt_tls_options options = {
        .size = sizeof options,
        .role = side == CLIENT ? CDT_TLS_CLIENT : CDT_TLS_SERVER,
        .backend = way->backend[side],
        .system_anchors = CDT_OFF,
    };
    if (way->old)
        options.ciphers = OLD_CIPHERS;
    else
        options.min_version = CDT_TLS_1_3;
    if (side == CLIENT) {
        options.ca_file = pki("ca.pem");
    } else {
        options.identities = tls_identity("p256");
        options.identity_count = 1;
    }
    return options;
}

static inline struct cdt_tls_config *tls_config(struct cdt_reactor *reactor,
                                                const struct cdt_tls_options *options)
{
    struct cdt_tls_config *config = NULL;
    struct cdt_text_error error = {0};
    const int status = cdt_tls_config_new(reactor, options, &config, &error);
    if (status)
        fail_msg("cdt_tls_config_new: %s: %s", cdt_errname(status), error.text);
    return config;
}

/* ---- two ends -------------------------------------------------------------------------------- */

struct ends {
    struct cdt_reactor *reactor;
    struct cdt_tls_config *config[2];
    struct probe probe[2];
    struct wire wire[2];
    bool wired;
};

/* A reactor and configurations; options that are NULL are those of tls_options(). */
static inline void ends_begin(struct ends *ends, const struct way *way,
                              const struct cdt_tls_options *client,
                              const struct cdt_tls_options *server)
{
    const struct cdt_tls_options usual[2] = {tls_options(way, CLIENT), tls_options(way, SERVER)};
    memset(ends, 0, sizeof *ends);
    ends->reactor = test_reactor();
    ends->config[CLIENT] = tls_config(ends->reactor, client ? client : &usual[CLIENT]);
    ends->config[SERVER] = tls_config(ends->reactor, server ? server : &usual[SERVER]);
}

/* Two flows without TLS yet, open: 't', 'u', 'p' as test_flows(), or 'w': over ends->wire. Their
 * probes have opened 0 times. */
static inline void ends_flows(struct ends *ends, char kind, const struct cdt_flow_options *options)
{
    ends->wired = kind == 'w';
    if (ends->wired)
        wire_flows(ends->reactor, ends->wire, options, ends->probe);
    else
        test_flows(ends->reactor, kind, options, ends->probe);
    ends->probe[0].opened = ends->probe[1].opened = 0;
}

/* TLS on both. */
static inline void ends_start(struct ends *ends, const char *name)
{
    assert_int_equal(cdt_tls_start(ends->probe[SERVER].flow, ends->config[SERVER], NULL), 0);
    assert_int_equal(cdt_tls_start(ends->probe[CLIENT].flow, ends->config[CLIENT], name), 0);
}

static inline void ends_until_open(struct ends *ends)
{
    struct probe *probe = ends->probe;
    until(ends->reactor,
          (probe[0].opened && probe[1].opened) || probe[0].closed || probe[1].closed);
    for (int i = 0; i < 2; i++) {
        if (probe[i].closed)
            fail_msg("the %s: %s", i == CLIENT ? "client" : "server", probe[i].error);
    }
}

/* All of it: two flows with TLS, open. */
static inline void ends_open(struct ends *ends, const struct way *way, char kind,
                             const struct cdt_flow_options *options)
{
    ends_begin(ends, way, NULL, NULL);
    ends_flows(ends, kind, options);
    ends_start(ends, NAME);
    ends_until_open(ends);
}

/* What one side writes the other gets: `text`, behind what it has. */
static inline void ends_say(struct ends *ends, int side, const char *text)
{
    struct probe *to = &ends->probe[1 - side];
    const size_t before = to->length, length = strlen(text);
    assert_int_equal(cdt_flow_write(ends->probe[side].flow, text, length), 0);
    until(ends->reactor, to->length >= before + length || to->closed);
    assert_int_equal(to->length, before + length);
    assert_memory_equal(to->data + before, text, length);
}

/* Closes in order, if both are open: close_notify each way, status 0. */
static inline void ends_close(struct ends *ends, int first)
{
    struct probe *probe = ends->probe;
    cdt_flow_close(probe[first].flow);
    until(ends->reactor, probe[1 - first].eofs || probe[1 - first].closed);
    assert_int_equal(probe[1 - first].closed, 0);
    cdt_flow_close(probe[1 - first].flow);
    until(ends->reactor, probe[0].closed && probe[1].closed);
    assert_string_equal(probe[0].error, "");
    assert_string_equal(probe[1].error, "");
    assert_int_equal(probe[0].status, 0);
    assert_int_equal(probe[1].status, 0);
}

static inline void ends_free(struct ends *ends)
{
    cdt_tls_config_free(ends->config[CLIENT]);
    cdt_tls_config_free(ends->config[SERVER]);
    test_end(ends->reactor, ends->probe, 2);
    if (ends->wired)
        wire_free(ends->wire);
}

static inline struct cdt_tls_info tls_info(const struct cdt_flow *flow)
{
    struct cdt_tls_info info;
    assert_int_equal(cdt_tls_info(flow, &info), 0);
    return info;
}

static inline struct cdt_tls_counters tls_counters(const struct cdt_tls_config *config)
{
    struct cdt_tls_counters counters;
    assert_int_equal(cdt_tls_counters(config, &counters), 0);
    return counters;
}

/* Runs the tests of a program, or says why it cannot. */
#define tls_main(tests)                                                     \
    (cdt_tls_built_in(CDT_TLS_WOLFSSL) || cdt_tls_built_in(CDT_TLS_OPENSSL) \
         ? cmocka_run_group_tests(tests, pki_make, pki_remove)              \
         : (printf("no TLS backend is built in\n"), 77))

#endif
