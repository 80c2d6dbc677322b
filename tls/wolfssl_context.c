/* Contexts of wolfSSL: what many connections share. Each setting is in one table or function; those
 * of a caller's own context stay as they are. */
#ifdef CDT_HAVE_WOLFSSL
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "reactor/internal.h"
#include "tls/config.h"
#include "tls/wolfssl.h"

#include <wolfssl/error-ssl.h>

enum { TLS_1_2 = CDT_TLS_1_2, TLS_1_3 = CDT_TLS_1_3, RSA_BITS = 2048, EC_BITS = 256, LIST = 1024 };

/* ---- settings -------------------------------------------------------------------------------- */

static WOLFSSL_METHOD *method(const struct tls_spec *spec)
{
    const bool client = spec->role == CDT_TLS_CLIENT;

    if (spec->max_version == TLS_1_2)
        return client ? wolfTLSv1_2_client_method() : wolfTLSv1_2_server_method();
    if (spec->min_version == TLS_1_3)
        return client ? wolfTLSv1_3_client_method() : wolfTLSv1_3_server_method();
    return client ? wolfSSLv23_client_method() : wolfSSLv23_server_method();
}

static int set_ciphers(WOLFSSL_CTX *ctx, const struct tls_spec *spec, struct cdt_text_error *error)
{
    const bool both = *spec->ciphers13 && *spec->ciphers12;
    char list[LIST];
    const int length =
        snprintf(list, sizeof list, "%s%s%s", spec->ciphers13, both ? ":" : "", spec->ciphers12);

    if (length < (int)sizeof list && wolfSSL_CTX_set_cipher_list(ctx, list) == WOLFSSL_SUCCESS)
        return 0;
    return tls_why(error, -CDT_ETLSKEY, "wolfSSL cannot use these ciphers: %s", list);
}

static int set_groups(WOLFSSL_CTX *ctx, const struct tls_spec *spec)
{
    int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
    enum { GROUPS = sizeof groups / sizeof *groups };
    int status = WOLFSSL_SUCCESS;

    if (spec->max_version == TLS_1_3)
        return wolfSSL_CTX_set_groups(ctx, groups, GROUPS);
    for (int i = 0; status == WOLFSSL_SUCCESS && i < GROUPS; i++)
        status = wolfSSL_CTX_UseSupportedCurve(ctx, (word16)groups[i]);
    return status;
}

/* Sessions of a server are in its tickets; wolfSSL keeps none, and nobody resumes by a number. */
static int set_resumption(struct tls_context *context, const struct tls_spec *spec)
{
    WOLFSSL_CTX *ctx = context->ctx;
    int status = WOLFSSL_SUCCESS;

    if (spec->role == CDT_TLS_CLIENT)
        return spec->sessions ? wolfSSL_CTX_UseSessionTicket(ctx) : WOLFSSL_SUCCESS;
    wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    wolfSSL_CTX_set_TicketEncCb(ctx, spec->tickets ? wolfssl_ticket : NULL);
    wolfSSL_CTX_set_TicketEncCtx(ctx, context);
    if (spec->tickets)
        return wolfSSL_CTX_set_TicketHint(ctx, (int)spec->ticket_lifetime);
    if (spec->min_version == TLS_1_2)
        status = wolfSSL_CTX_NoTicketTLSv12(ctx);
    if (status == WOLFSSL_SUCCESS && spec->max_version == TLS_1_3 &&
        wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0)
        status = WOLFSSL_FAILURE;
    return status;
}

static int set_all(struct tls_context *context, const struct tls_spec *spec,
                   const struct tls_own *own, struct cdt_text_error *error)
{
    WOLFSSL_CTX *ctx = context->ctx;
    const bool any_version = spec->min_version == TLS_1_2 && spec->max_version == TLS_1_3;

    if ((any_version && wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS) ||
        wolfSSL_CTX_SetMinRsaKey_Sz(ctx, RSA_BITS) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_SetMinEccKey_Sz(ctx, EC_BITS) != WOLFSSL_SUCCESS ||
        set_groups(ctx, spec) != WOLFSSL_SUCCESS ||
        set_resumption(context, spec) != WOLFSSL_SUCCESS)
        return tls_why(error, -ENOTSUP, "wolfSSL lacks a setting that is needed");
    int status = set_ciphers(ctx, spec, error);
    if (!status)
        status = wolfssl_trust_load(&context->trust, spec, error);
    if (!status && own)
        status = wolfssl_load_own(ctx, spec, own, error);
    return status;
}

/* ---- contexts -------------------------------------------------------------------------------- */

static int make(struct tls_context *context, const struct tls_spec *spec, const struct tls_own *own,
                struct cdt_text_error *error)
{
    wolfssl_memory_begin();
    WOLFSSL_METHOD *how = method(spec);
    context->ctx = how ? wolfSSL_CTX_new(how) : NULL;
    const int status = context->ctx ? set_all(context, spec, own, error) : -ENOMEM;
    return wolfssl_memory_lacked() ? tls_why(error, -ENOMEM, "%s", cdt_strerror(-ENOMEM)) : status;
}

static int borrow(struct tls_context *context, const struct tls_spec *spec,
                  struct cdt_text_error *error)
{
#ifdef CDT_WOLFSSL_BUILT
    (void)context, (void)spec;
    return tls_why(error, -EPROTONOSUPPORT,
                   "a WOLFSSL_CTX can be used only by a conduit that was built with the system's "
                   "wolfSSL");
#else
    (void)error;
    context->ctx = spec->native;
    return wolfSSL_CTX_up_ref(context->ctx) == WOLFSSL_SUCCESS ? 0 : -EINVAL;
#endif
}

int wolfssl_context_new(const struct tls_spec *spec, const struct tls_own *own,
                        struct tls_context **result, struct cdt_text_error *error)
{
    struct tls_context *context = mem_zalloc(sizeof *context);

    if (!context)
        return -ENOMEM;
    *context = (struct tls_context){.references = 1,
                                    .tickets = spec->tickets,
                                    .role = spec->role,
                                    .verify = spec->verify,
                                    .sessions = spec->sessions,
                                    .key_log = spec->key_log,
                                    .native = spec->native != NULL};
    const int status =
        spec->native ? borrow(context, spec, error) : make(context, spec, own, error);
    if (status) {
        wolfssl_context_put(context);
        return status;
    }
    *result = context;
    return 0;
}

void wolfssl_context_put(struct tls_context *context)
{
    if (!context || --context->references > 0)
        return;
    wolfSSL_CTX_free(context->ctx);
    wolfssl_trust_fini(&context->trust);
    mem_free(context);
}

#endif
