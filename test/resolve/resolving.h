/* For tests of the resolver: one with files of its own in a temporary folder, and resolutions
 * that write down what they hear. */
#ifndef TEST_RESOLVE_RESOLVING_H
#define TEST_RESOLVE_RESOLVING_H

#include <fcntl.h>
#include <sys/stat.h>

#include <conduit/resolver.h>

#include "resolve/resolver.h"
#include "test/support/probe.h"

struct resolving {
    struct cdt_reactor *reactor;
    struct cdt_resolver *resolver;
    char folder[32], hosts[64], services[64], resolv_conf[64];
};

/* What one resolution came to. */
struct heard {
    struct cdt_resolution *resolution; /* NULL once it was freed */
    unsigned calls;                    /* of the callback */
    char lists[8][600]; /* the list at each, endpoints in machine form with | between */
    uint64_t times[8];
    int status;
    char error[300];
    void (*then)(struct heard *heard); /* at the end of each call; NULL: nothing */
    struct cdt_reactor *reactor;
    void *arg;
};

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A source address for everything, without asking the machine: the address itself, but for those of
 * 2001:db8:bad::/48, which cannot be reached. */
static inline bool same_source(struct address_sources *sources, const struct cdt_addr *to,
                               struct cdt_addr *from)
{
    static const uint8_t bad[] = {0x20, 0x01, 0x0d, 0xb8, 0x0b, 0xad};
    (void)sources;
    *from = *to;
    return to->any.sa_family != AF_INET6 || memcmp(&to->v6.sin6_addr, bad, sizeof bad) != 0;
}

/* `options` NULL, or what is to differ; its files are those of the folder, with these texts. */
static inline void resolving_start(struct resolving *r, const struct cdt_resolver_options *options,
                                   const char *hosts, const char *services, const char *resolv_conf)
{
    struct cdt_resolver_options own = {.size = sizeof own};
    if (options)
        own = *options;
    memset(r, 0, sizeof *r);
    strcpy(r->folder, "/tmp/resolving.XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->hosts, sizeof r->hosts, "%s/hosts", r->folder);
    snprintf(r->services, sizeof r->services, "%s/services", r->folder);
    snprintf(r->resolv_conf, sizeof r->resolv_conf, "%s/resolv.conf", r->folder);
    write_text(r->hosts, hosts ? hosts : "");
    write_text(r->services, services ? services : "");
    write_text(r->resolv_conf, resolv_conf ? resolv_conf : "");
    own.hosts_file = r->hosts;
    own.services_file = r->services;
    own.resolv_conf = r->resolv_conf;
    assert_int_equal(cdt_reactor_new(NULL, &r->reactor), 0);
    assert_int_equal(cdt_resolver_new(r->reactor, &own, &r->resolver), 0);
    r->resolver->sources.find = same_source;
}

static inline void resolving_stop(struct resolving *r)
{
    cdt_resolver_free(r->resolver);
    assert_int_equal(cdt_reactor_free(r->reactor), 0);
    unlink(r->hosts);
    unlink(r->services);
    unlink(r->resolv_conf);
    assert_int_equal(rmdir(r->folder), 0);
}

static inline void write_list(const struct cdt_resolution *resolution, char *text, size_t size)
{
    size_t count, length = 0;
    const struct cdt_endp *const *endps = cdt_resolution_endps(resolution, &count);
    *text = 0;
    for (size_t i = 0; i < count; i++) {
        if (i)
            length += (size_t)snprintf(text + length, size - length, "|");
        length += (size_t)cdt_endp_format(endps[i], CDT_ENDP_MACHINE, text + length, size - length);
        assert_true(length < size);
    }
}

static inline void on_resolved(void *user, struct cdt_resolution *resolution)
{
    struct heard *heard = user;
    assert_ptr_equal(cdt_resolution_user(resolution), user);
    assert_true(heard->calls < 8);
    write_list(resolution, heard->lists[heard->calls], sizeof heard->lists[0]);
    heard->times[heard->calls] = cdt_reactor_now(heard->reactor);
    heard->calls++;
    heard->status = cdt_resolution_status(resolution);
    snprintf(heard->error, sizeof heard->error, "%s", cdt_resolution_error(resolution));
    if (heard->then)
        heard->then(heard);
}

static inline void begin(struct resolving *r, const char *uri,
                         const struct cdt_resolve_options *options, struct heard *heard)
{
    struct cdt_text_error error;
    heard->reactor = r->reactor;
    heard->status = 1;
    if (cdt_resolve(r->resolver, uri, options, on_resolved, heard, &heard->resolution, &error) != 0)
        fail_msg("%s: %s", uri, error.text);
    assert_int_equal(heard->calls, 0);
    assert_int_equal(cdt_resolution_status(heard->resolution), 1);
}

static inline void begin_endp(struct resolving *r, const char *text,
                              const struct cdt_resolve_options *options, struct heard *heard)
{
    struct cdt_endp *endp;
    struct cdt_text_error error;
    if (cdt_endp_parse(text, &endp, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    heard->reactor = r->reactor;
    heard->status = 1;
    assert_int_equal(
        cdt_resolve_endp(r->resolver, endp, options, on_resolved, heard, &heard->resolution), 0);
    cdt_endp_free(endp);
    assert_int_equal(heard->calls, 0);
}

/* Resolves to the end and frees it. */
static inline struct heard resolve_with(struct resolving *r, const char *uri,
                                        const struct cdt_resolve_options *options)
{
    struct heard heard = {0};
    begin(r, uri, options, &heard);
    until(r->reactor, heard.status <= 0);
    cdt_resolution_free(heard.resolution);
    return heard;
}

static inline const char *last_list(const struct heard *heard)
{
    return heard->lists[heard->calls - 1];
}

static inline void expect_with(struct resolving *r, const char *uri,
                               const struct cdt_resolve_options *options, int status,
                               const char *list)
{
    const struct heard heard = resolve_with(r, uri, options);
    if (strcmp(last_list(&heard), list) != 0 || heard.status != status)
        fail_msg("%s: %s (%d, %s)\nexpected %s (%d)", uri, last_list(&heard), heard.status,
                 heard.error, list, status);
    assert_int_equal(*heard.error != 0, status < 0);
}

static inline void expect(struct resolving *r, const char *uri, int status, const char *list)
{
    expect_with(r, uri, NULL, status, list);
}

static inline void expect_endp(struct resolving *r, const char *text, int status, const char *list)
{
    struct heard heard = {0};
    begin_endp(r, text, NULL, &heard);
    until(r->reactor, heard.status <= 0);
    cdt_resolution_free(heard.resolution);
    assert_string_equal(last_list(&heard), list);
    assert_int_equal(heard.status, status);
}

#endif
