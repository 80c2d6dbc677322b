/* Whether options make sense together: what would be ignored, or could never work, is refused with
 * a sentence. And what stands in them once all that was left to us is decided. */
#include <errno.h>

#include "tls/config_parts.h"

static const uint64_t rotation_default = 3600 * CDT_SECOND;

static bool is_switch(enum cdt_switch value)
{
    return value == CDT_DEFAULT || value == CDT_ON || value == CDT_OFF;
}

static const char *general_fault(const struct cdt_tls_options *o)
{
    if (o->role != CDT_TLS_CLIENT && o->role != CDT_TLS_SERVER)
        return "no such role";
    if (o->min_version && o->min_version != CDT_TLS_1_2 && o->min_version != CDT_TLS_1_3)
        return "no such version: min_version is TLS 1.2 or 1.3";
    if ((unsigned)o->verify > CDT_TLS_VERIFY_REQUIRE)
        return "no such way to verify";
    if (!is_switch(o->system_anchors) || !is_switch(o->check_host) || !is_switch(o->check_ip) ||
        !is_switch(o->resumption))
        return "a switch is neither on nor off";
    if ((o->pin_count && !o->pins) || (o->identity_count && !o->identities))
        return "a list has a count, and is NULL";
    return NULL;
}

static const char *identity_fault(const struct cdt_tls_options *o)
{
    for (size_t i = 0; i < o->identity_count; i++) {
        const struct cdt_tls_identity *own = &o->identities[i];
        if (!own->cert_file == !own->cert)
            return "an identity has its certificate in a file or as a text";
        if (own->key_file && own->key)
            return "an identity has its key in a file or as a text";
    }
    return NULL;
}

static bool has_anchors(const struct cdt_tls_options *o)
{
    return o->ca_file || o->ca_dir || o->ca;
}

static bool has_crls(const struct cdt_tls_options *o)
{
    return o->crl_file || o->crl;
}

/* The context is the user's: what it brings must not come from two sides. */
static const char *native_fault(const struct cdt_tls_options *o)
{
    if (o->backend == CDT_TLS_ANY)
        return "a native context needs its backend";
#ifdef CDT_WOLFSSL_BUILT
    if (o->backend == CDT_TLS_WOLFSSL)
        return "a native WOLFSSL_CTX needs a conduit built with the system's wolfSSL";
#endif
    if (o->min_version || o->ciphers || o->identity_count || o->password || o->verify ||
        o->system_anchors || has_anchors(o) || has_crls(o))
        return "a native context brings versions, ciphers, identities, anchors, CRLs, verification";
    if (o->ticket_key || o->ticket_rotation || (o->role == CDT_TLS_SERVER && o->resumption))
        return "a native context brings its tickets";
    return NULL;
}

static const char *server_fault(const struct cdt_tls_options *o)
{
    const bool asks = o->verify == CDT_TLS_VERIFY_ASK || o->verify == CDT_TLS_VERIFY_REQUIRE;
    if (!o->identity_count && !o->native)
        return "No TLS server key configured";
    if (o->system_anchors == CDT_ON)
        return "system_anchors is for clients: a server needs to be told whose clients are good";
    if (o->check_host == CDT_ON || o->check_ip == CDT_ON)
        return "check_host and check_ip are for clients: those of servers have no name to check";
    if (o->native)
        return NULL;
    if (!asks && (has_anchors(o) || has_crls(o) || o->pin_count || o->verify_peer))
        return "no certificate is asked for (verify): anchors, CRLs, pins, verify_peer are in vain";
    if (asks && !has_anchors(o) && !o->pin_count && !o->verify_peer)
        return "no anchors, no pins: no client's certificate could be good";
    return NULL;
}

static const char *client_fault(const struct cdt_tls_options *o)
{
    if (o->verify == CDT_TLS_VERIFY_ASK)
        return "a client cannot only ask for a certificate (verify)";
    if (o->ticket_key || o->ticket_rotation)
        return "ticket_key and ticket_rotation are for servers";
    if (o->system_anchors == CDT_OFF && o->verify != CDT_TLS_VERIFY_NONE && !has_anchors(o) &&
        !o->pin_count && !o->verify_peer)
        return "no anchors, no pins: no server's certificate could be good";
    return NULL;
}

const char *tls_options_fault(const struct cdt_tls_options *o)
{
    const char *fault = general_fault(o);
    if (!fault)
        fault = identity_fault(o);
    if (!fault && o->native)
        fault = native_fault(o);
    if (!fault)
        fault = o->role == CDT_TLS_SERVER ? server_fault(o) : client_fault(o);
    return fault;
}

/* ---- what was left to us --------------------------------------------------------------------- */

static void decide(enum cdt_switch *value, bool preset)
{
    if (*value == CDT_DEFAULT)
        *value = preset ? CDT_ON : CDT_OFF;
}

void tls_options_decide(struct cdt_tls_options *o)
{
    const bool client = o->role == CDT_TLS_CLIENT;
    if (!o->native && o->verify == CDT_TLS_VERIFY_DEFAULT)
        o->verify = client ? CDT_TLS_VERIFY_REQUIRE : CDT_TLS_VERIFY_NONE;
    if (!o->native && !o->min_version)
        o->min_version = CDT_TLS_1_2;
    const bool wanted = client && !o->native && o->verify != CDT_TLS_VERIFY_NONE;
    if (!wanted || !has_anchors(o)) /* else they are welcome, but not needed: left undecided */
        decide(&o->system_anchors, wanted);
    decide(&o->check_host, client);
    decide(&o->check_ip, client);
    decide(&o->resumption, true);
    if (!client && !o->ticket_rotation)
        o->ticket_rotation = rotation_default;
}
