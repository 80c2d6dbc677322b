/* What anchors may do: they are trusted for what they are, not for more. Path lengths, dates and
 * revocation lists where a chain could pass for good that is not (RFC 5280 section 6.1). */
#include "test/tls/scene.h"

#ifdef CDT_TEST_LIBCRYPTO

#define EXAMPLE "DNS:example.test"

static struct {
    const struct issued *root;
} made;

static const struct issued *authority_of(struct request request)
{
    request.ca = true;
    return authority_issue(&request);
}

static const struct issued *leaf_of(const struct issued *issuer)
{
    return authority_issue(&(struct request){.name = "leaf", .san = EXAMPLE, .issuer = issuer});
}

static void begin(struct scene *scene, void **state, const struct issued *anchor,
                  const struct issued *leaf)
{
    scene_begin(scene, state, anchor, leaf);
}

static void accepted(struct scene *scene)
{
    scene_open(scene);
    scene_end(scene);
}

static void refused(struct scene *scene, const char *what)
{
    const struct end *client = &scene->talk.client;
    scene_start(scene);
    talk_run(&scene->talk);
    if (client->failed != -CDT_ETLSCERT || client->open)
        fail_msg("%s: %d, %s", what, client->failed, end_why(client));
    print_message("%s: %s\n", what, end_why(client));
    scene_end(scene);
}

/* ---- anchors --------------------------------------------------------------------------------- */

/* Who trusts the certificate of one server does not trust what its key has signed. */
static void anchors_that_are_no_authorities_issue_nothing(void **state)
{
    static const struct {
        struct request request;
        const char *what;
    } cases[] = {
        {{.name = "self",
          .san = EXAMPLE,
          .basic = "critical,CA:FALSE",
          .key_usage = "critical,digitalSignature,keyCertSign"},
         "no authority"},
        {{.name = "usage", .key_usage = "critical,digitalSignature"}, "not for certificates"},
        {{.name = "purpose", .usage = "clientAuth"}, "an authority of clients"},
        {{.name = "weak", .kind = "RSA-1024"}, "a weak key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct issued *anchor = authority_of(cases[i].request);
        struct scene scene;
        begin(&scene, state, anchor, leaf_of(anchor));
        refused(&scene, cases[i].what);
        if (i > 0)
            continue;
        begin(&scene, state, anchor, anchor);
        accepted(&scene);
    }
}

/* One of the two is enough. */
static void another_anchor_of_the_name_may_issue(void **state)
{
    const struct issued *old = authority_of((struct request){.name = "twin", .from = -9, .to = -2});
    const struct issued *twin = authority_of((struct request){.name = "twin"});
    char *both;
    struct scene scene;
    assert_true(asprintf(&both, "%s%s", old->cert_pem, twin->cert_pem) > 0);
    begin(&scene, state, twin, leaf_of(twin));
    scene.client.ca = both;
    accepted(&scene);
    free(both);
}

/* ---- path lengths ---------------------------------------------------------------------------- */

static void path_lengths_are_kept(void **state)
{
    static const char none[] = "critical,CA:TRUE,pathlen:0", one[] = "critical,CA:TRUE,pathlen:1";
    static const struct {
        const char *root, *middle; /* basic constraints */
        bool good;
    } cases[] = {{none, NULL, false}, {one, NULL, true}, {NULL, none, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct issued *root =
            authority_of((struct request){.name = "root", .basic = cases[i].root});
        const struct issued *middle = authority_of(
            (struct request){.name = "middle", .basic = cases[i].middle, .issuer = root});
        const struct issued *lower =
            authority_of((struct request){.name = "lower", .issuer = middle});
        struct scene scene;
        begin(&scene, state, root, leaf_of(middle));
        if (cases[i].good)
            accepted(&scene);
        else
            refused(&scene, "one authority too many");
        begin(&scene, state, root, leaf_of(lower));
        refused(&scene, "two authorities");
    }
}

/* ---- signatures ------------------------------------------------------------------------------ */

/* The digest of RSASSA-PSS stands in the parameters of the algorithm; SHA-1 if it does not. A server
 * of OpenSSL does not even show such a certificate. */
static void weak_digests_are_refused_whatever_the_padding(void **state)
{
    const struct issued *root = authority_of((struct request){.name = "root", .kind = "RSA-2048"});
    for (int pss = 0; pss < 2; pss++) {
        for (int sha1 = 0; sha1 < 2; sha1++) {
            const struct pair *pair = *state;
            struct scene scene;
            if (sha1 && pair->server == CDT_TLS_OPENSSL)
                continue;
            begin(&scene, state, root,
                  authority_issue(&(struct request){
                      .name = "leaf", .san = EXAMPLE, .sha1 = sha1, .pss = pss, .issuer = root}));
            if (sha1)
                refused(&scene, "SHA-1");
            else
                accepted(&scene);
        }
    }
}

/* ---- dates ----------------------------------------------------------------------------------- */

static void impossible_dates_are_refused(void **state)
{
    static const char *const dates[] = {"301301000000Z", "300230000000Z", "300101240000Z"};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct scene scene;
        begin(&scene, state, made.root,
              authority_issue(&(struct request){
                  .name = "leaf", .san = EXAMPLE, .until = dates[i], .issuer = made.root}));
        refused(&scene, dates[i]);
    }
}

/* ---- revocation ------------------------------------------------------------------------------ */

/* Two authorities of one name have a list each. The one whose signature cannot be verified may name
 * the certificate. */
static void lists_that_cannot_be_verified_are_not_passed_over(void **state)
{
    const struct issued *first = authority_of((struct request){.name = "same"});
    const struct issued *second = authority_of((struct request){.name = "same"});
    const struct issued *of_first = leaf_of(first), *of_second = leaf_of(second);
    char *anchors, *lists;
    struct scene scene;
    assert_true(asprintf(&anchors, "%s%s", first->cert_pem, second->cert_pem) > 0);
    assert_true(asprintf(&lists, "%s%s", authority_crl(first, of_first, 7),
                         authority_crl(second, of_second, 7)) > 0);
    const struct issued *const revoked[] = {of_first, of_second};
    for (size_t i = 0; i < 2; i++) {
        begin(&scene, state, first, revoked[i]);
        scene.client.ca = anchors;
        scene.client.crl = lists;
        refused(&scene, "revoked on one of two lists");
    }
    free(anchors);
    free(lists);
}

static const struct pair_test tests[] = {
    {"anchors_that_are_no_authorities_issue_nothing",
     anchors_that_are_no_authorities_issue_nothing},
    {"another_anchor_of_the_name_may_issue", another_anchor_of_the_name_may_issue},
    {"path_lengths_are_kept", path_lengths_are_kept},
    {"weak_digests_are_refused_whatever_the_padding",
     weak_digests_are_refused_whatever_the_padding},
    {"impossible_dates_are_refused", impossible_dates_are_refused},
    {"lists_that_cannot_be_verified_are_not_passed_over",
     lists_that_cannot_be_verified_are_not_passed_over},
};

int main(void)
{
    made.root = authority_of((struct request){.name = "root"});
    const int failed = run_for_pairs("anchors", tests, sizeof tests / sizeof *tests);
    authority_free_all();
    return failed;
}

#else
int main(void)
{
    return run_nothing();
}
#endif
