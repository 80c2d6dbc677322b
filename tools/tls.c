/* TLS of the program: configurations of connections and of listeners, made of the options; the
 * names to be verified; reading everything again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/tool.h"

/* ---- checks ---------------------------------------------------------------------------------- */

/* A pin alone decides, unless anchors are asked for as well. */
static bool pins_only(const struct tls_settings *tls)
{
    return tls->pin_count && !tls->ca;
}

static bool verifies_servers(const struct settings *settings)
{
    const struct tls_settings *tls = &settings->tls;
    return settings->command->bit & (CONNECT | PROXY) && !tls->insecure && !pins_only(tls);
}

int tls_check(const struct settings *settings)
{
    const struct tls_settings *tls = &settings->tls;
    if (tls->key && !tls->cert)
        return misuse("--key", "needs --cert");
    if (tls->password_file && !tls->cert)
        return misuse("--key-password-file", "needs --cert");
    if (tls->insecure && (tls->ca || tls->pin_count))
        return misuse("--insecure", "verifies nothing: not together with %s",
                      tls->ca ? "--ca" : "--pin");
    if (tls->crl && !tls->client_ca && !verifies_servers(settings))
        return misuse("--crl", "no chain of certificates is verified here%s",
                      settings->command->bit == SERVE ? ": needs --client-ca" : "");
    return 0;
}

/* An option that nobody would hear of is a mistake: who gives one wants TLS. `sides` are those that
 * may speak it here, as bits: SERVE those that listen, CONNECT those that we connect to. */
static int check_used(const struct settings *settings, unsigned sides)
{
    enum { EITHER = SERVE | CONNECT };
    static const char *const why[] = {[SERVE] = "nothing that listens speaks TLS",
                                      [CONNECT] = "nothing to connect to speaks TLS",
                                      [EITHER] = "no endpoint speaks TLS"};
    const struct tls_settings *tls = &settings->tls;
    const struct {
        const char *option;
        bool given;
        unsigned sides; /* that use it */
    } rows[] = {
        {"--cert", tls->cert, EITHER},
        {"--client-ca", tls->client_ca, SERVE},
        {"--ca", tls->ca, CONNECT},
        {"--crl", tls->crl, tls->client_ca ? EITHER : CONNECT},
        {"--pin", tls->pin_count, CONNECT},
        {"--insecure", tls->insecure, CONNECT},
        {"--server-name", tls->server_name, CONNECT},
        {"--alpn", tls->alpn, EITHER},
        {"--min-tls", tls->min_version, EITHER},
        {"--ciphers", tls->ciphers, EITHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].given && !(rows[i].sides & sides))
            return misuse(rows[i].option, "%s", why[rows[i].sides]);
    }
    return 0;
}

const char *tls_missing(void)
{
    if (!cdt_tls_built_in(CDT_TLS_WOLFSSL) && !cdt_tls_built_in(CDT_TLS_OPENSSL))
        return "TLS is not built in";
    return cdt_tls_selected() == CDT_TLS_NONE ? "TLS is switched off" : NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool lacks_name(const struct cdt_endp *endp)
{
    for (; endp && endp->kind == CDT_ENDP_TLS; endp = endp->inner) {
        if (endp->name_length == 0)
            return true;
    }
    return false;
}

/* A copy with another name in every TLS: 0 or a negative code. */
static int rename_all(const struct cdt_endp *endp, const char *name, struct cdt_endp **renamed)
{
    struct cdt_endp *inner;
    if (endp->kind != CDT_ENDP_TLS)
        return cdt_endp_copy(endp, renamed);
    int status = rename_all(endp->inner, name, &inner); /* at most CDT_ENDP_DEPTH */
    if (status)
        return status;
    status = cdt_endp_tls(name, inner, renamed);
    if (status)
        cdt_endp_free(inner);
    return status;
}

int tls_name(const struct settings *settings, const char *text, struct cdt_endp **endp)
{
    const struct tls_settings *tls = &settings->tls;
    if (tls->server_name) {
        struct cdt_endp *renamed;
        const int status = rename_all(*endp, tls->server_name, &renamed);
        if (status)
            return complain(text, cdt_strerror(status));
        cdt_endp_free(*endp);
        *endp = renamed;
    }
    if (lacks_name(*endp) && !tls->insecure && !tls->pin_count)
        return misuse(text, "whom to reach is not said: needs --server-name, --pin or --insecure");
    return 0;
}

/* ---- configurations -------------------------------------------------------------------------- */

/* The password of our key, while files are being read. */
static struct {
    char text[256];
    size_t length;
} password;

/* The first line of its file: 0, or EXIT_FAILED after one line of error. */
static int read_password(const struct tls_settings *tls)
{
    if (!tls->password_file)
        return 0;
    FILE *file = fopen(tls->password_file, "re");
    if (!file)
        return complain(tls->password_file, cdt_strerror(-errno));
    setvbuf(file, NULL, _IONBF, 0); /* it stays nowhere else */
    errno = 0;
    const char *line = fgets(password.text, sizeof password.text, file);
    const int error = ferror(file) ? errno : 0;
    fclose(file);
    if (error)
        return complain(tls->password_file, cdt_strerror(-error));
    password.length = line ? strcspn(line, "\r\n") : 0;
    if (password.length == sizeof password.text - 1)
        return complain(tls->password_file, "the password is too long");
    return 0;
}

static void forget_password(void)
{
    explicit_bzero(&password, sizeof password);
}

static int give_password(void *arg, const char *key_file, char *text, size_t size)
{
    (void)arg, (void)key_file;
    if (password.length > size)
        return -EMSGSIZE;
    memcpy(text, password.text, password.length);
    return (int)password.length;
}

/* The library's sentence begins with a file, if it is about one. */
static int complain_of(const struct cdt_text_error *error, int status)
{
    const char *why = *error->text ? error->text : cdt_strerror(status);
    return complain(strstr(why, ": ") ? NULL : "TLS", why);
}

/* A list of ciphers is a matter of usage, not of files: tried alone. */
static int check_ciphers(const struct session *session)
{
    const struct tls_settings *tls = &session->settings->tls;
    const struct cdt_tls_options options = {
        .size = sizeof options,
        .role = CDT_TLS_CLIENT,
        .verify = CDT_TLS_VERIFY_NONE,
        .system_anchors = CDT_OFF,
        .min_version = tls->min_version,
        .ciphers = tls->ciphers,
    };
    struct cdt_tls_config *config;
    struct cdt_text_error error = {0};
    if (!tls->ciphers)
        return 0;
    const int status = cdt_tls_config_new(session->reactor, &options, &config, &error);
    if (status == 0)
        return cdt_tls_config_free(config);
    if (status != -CDT_ETLSKEY)
        return complain_of(&error, status);
    static const char theirs[] = "ciphers: ";
    const size_t skip = strncmp(error.text, theirs, sizeof theirs - 1) ? 0 : sizeof theirs - 1;
    return misuse("--ciphers", "%s", error.text + skip);
}

/* Adds what both sides have. */
static int make(struct session *session, const struct cdt_tls_options *one_side,
                struct cdt_tls_config **config)
{
    const struct tls_settings *tls = &session->settings->tls;
    const struct cdt_tls_identity identity = {.cert_file = tls->cert, .key_file = tls->key};
    struct cdt_tls_options options = *one_side;
    struct cdt_text_error error = {0};
    int status = check_ciphers(session);
    if (status == 0)
        status = read_password(tls);
    if (status)
        return status;
    options.size = sizeof options;
    options.min_version = tls->min_version;
    options.ciphers = tls->ciphers;
    options.alpn = tls->alpn;
    options.identities = &identity;
    options.identity_count = tls->cert ? 1 : 0;
    options.password = tls->password_file ? give_password : NULL;
    status = cdt_tls_config_new(session->reactor, &options, config, &error);
    forget_password();
    return status ? complain_of(&error, status) : 0;
}

/* A URI may become TLS or not: unless options ask for it, what is wrong is said when it does. */
static bool asked_for(const struct tls_settings *tls)
{
    return tls->cert || tls->ca || tls->crl || tls->alpn || tls->ciphers || tls->min_version ||
           tls->pin_count || tls->insecure;
}

int tls_for_connecting(struct session *session, const struct cdt_endp *endp)
{
    const struct tls_settings *tls = &session->settings->tls;
    const bool verify = verifies_servers(session->settings);
    const struct cdt_tls_options options = {
        .role = CDT_TLS_CLIENT,
        .verify = tls->insecure ? CDT_TLS_VERIFY_NONE : CDT_TLS_VERIFY_REQUIRE,
        .system_anchors = verify ? CDT_DEFAULT : CDT_OFF,
        .ca_file = tls->ca,
        .crl_file = verify ? tls->crl : NULL,
        .pins = (const uint8_t(*)[32])tls->pins,
        .pin_count = tls->pin_count,
        /* Without a name, the pin says whom we reach. */
        .check_host = lacks_name(endp) ? CDT_OFF : CDT_DEFAULT,
        .check_ip = lacks_name(endp) ? CDT_OFF : CDT_DEFAULT,
    };
    if (!endp || endp->kind == CDT_ENDP_TLS)
        session->tls_sides |= CONNECT;
    if (session->settings->command->bit == CONNECT) {
        const int status = check_used(session->settings, session->tls_sides);
        if (status)
            return status;
    }
    if (endp ? endp->kind != CDT_ENDP_TLS : tls_missing() || !asked_for(tls))
        return 0;
    return make(session, &options, &session->tls_client);
}

int tls_for_listening(struct session *session, bool any_is_tls)
{
    const struct tls_settings *tls = &session->settings->tls;
    const struct cdt_tls_options options = {
        .role = CDT_TLS_SERVER,
        .verify = tls->client_ca ? CDT_TLS_VERIFY_REQUIRE : CDT_TLS_VERIFY_NONE,
        .ca_file = tls->client_ca,
        .crl_file = tls->client_ca ? tls->crl : NULL,
    };
    session->tls_sides |= any_is_tls ? SERVE : 0;
    const int status = check_used(session->settings, session->tls_sides);
    return status || !any_is_tls ? status : make(session, &options, &session->tls_server);
}

/* ---- reading again --------------------------------------------------------------------------- */

static int reload(struct cdt_tls_config *config)
{
    struct cdt_text_error error = {0};
    if (!config)
        return 0;
    const int status = cdt_tls_config_reload(config, &error);
    if (status == 0)
        return 0;
    return complain("SIGHUP", *error.text ? error.text : cdt_strerror(status));
}

void tls_reload(const struct session *session)
{
    const struct settings *settings = session->settings;
    if (!session->tls_server && !session->tls_client) {
        tell(settings, "SIGHUP: there is nothing to read again");
        return;
    }
    if (read_password(&settings->tls) == 0 && reload(session->tls_server) == 0 &&
        reload(session->tls_client) == 0)
        tell(settings, "SIGHUP: certificates and keys were read again");
    forget_password();
}
