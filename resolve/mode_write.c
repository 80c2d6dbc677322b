/* Writing modes as s-expressions. */
#include <string.h>

#include "resolve/mode.h"
#include "resolve/writer.h"

static void put_name(struct writer *writer, const char *text)
{
    put_atom(writer, slice_of(text));
}

static struct slice port_of(const struct cdt_endp *endp)
{
    return (struct slice){endp->port, endp->port_length};
}

static void put_address(struct writer *writer, const struct cdt_addr *addr)
{
    char memory[CDT_ADDR_TEXT];
    put_field(writer, "IP", slice_of(endp_ip(addr, memory)));
    put_number_field(writer, "Port", cdt_addr_port(addr));
}

/* ---- service --------------------------------------------------------------------------------- */

int cdt_service_format(const struct cdt_service *service, enum cdt_endp_form form, char *text,
                       size_t size)
{
    struct writer writer;
    if (!service || !writer_begin(&writer, form, text, size))
        return -EINVAL;
    put_open(&writer);
    put_field(&writer, "name",
              (struct slice){service->name, strnlen(service->name, sizeof service->name)});
    put_number_field(&writer, "port", service->port);
    put_field(&writer, "tls", slice_of(service->tls ? "true" : "false"));
    put_close(&writer);
    return writer_end(&writer);
}

/* ---- client ---------------------------------------------------------------------------------- */

static void put_client(struct writer *writer, const struct cdt_client_mode *mode)
{
    const struct cdt_endp *endp = mode->endp;
    switch (endp->kind) {
    case CDT_ENDP_TCP:
        put_tag(writer, "TCP");
        put_open(writer);
        put_address(writer, &endp->addr);
        break;
    case CDT_ENDP_TLS:
        put_tag(writer, tls_tags[mode->tls]);
        put_open(writer);
        put_field(writer, "Hostname", name_of(endp));
        put_address(writer, &endp->inner->addr);
        break;
    case CDT_ENDP_VCHAN_DIRECT:
        put_tag(writer, "Vchan_direct");
        put_open(writer);
        put_number_field(writer, "Domid", endp->number);
        put_field(writer, "Port", port_of(endp));
        break;
    case CDT_ENDP_VCHAN_DOMAIN_SOCKET:
        put_tag(writer, "Vchan_domain_socket");
        put_open(writer);
        put_field(writer, "Domain_name", name_of(endp));
        put_field(writer, "Port", port_of(endp));
        break;
    default:
        put_tag(writer, "Unix_domain_socket");
        put_tag(writer, "File");
        put_atom(writer, name_of(endp));
    }
    put_close(writer);
    put_close(writer);
}

int cdt_client_mode_format(const struct cdt_client_mode *mode, enum cdt_endp_form form, char *text,
                           size_t size)
{
    struct writer writer;
    if (!mode || !mode->endp || !is_client_endp(mode->endp) || (unsigned)mode->tls >= TLS_TAGS ||
        !writer_begin(&writer, form, text, size))
        return -EINVAL;
    put_client(&writer, mode);
    return writer_end(&writer);
}

/* ---- own key and server ---------------------------------------------------------------------- */

/* The fields of a key, where a password's callback is opaque. */
static void put_key(struct writer *writer, const struct cdt_own_key *key)
{
    put_field(writer, "Crt_file_path", slice_of(key->cert_file));
    put_field(writer, "Key_file_path", slice_of(key->key_file));
    if (key->password)
        put_field(writer, "Password", slice_of("<fun>"));
    else
        put_name(writer, "No_password");
}

void put_own_key(struct writer *writer, const struct cdt_own_key *key)
{
    if (!key->cert_file || !key->key_file) {
        put_name(writer, "None");
        return;
    }
    put_tag(writer, "TLS");
    put_open(writer);
    put_key(writer, key);
    put_close(writer);
    put_close(writer);
}

int cdt_own_key_format(const struct cdt_own_key *key, enum cdt_endp_form form, char *text,
                       size_t size)
{
    struct writer writer;
    if (!key || !key->cert_file != !key->key_file || !writer_begin(&writer, form, text, size))
        return -EINVAL;
    put_own_key(&writer, key);
    return writer_end(&writer);
}

static void put_server(struct writer *writer, const struct cdt_server_mode *mode)
{
    const struct cdt_endp *endp = mode->endp;
    switch (endp->kind) {
    case CDT_ENDP_HOST:
        put_tag(writer, "TCP");
        put_number_field(writer, "Port", endp->number);
        put_close(writer);
        break;
    case CDT_ENDP_FD:
        put_tag(writer, "TCP");
        put_field(writer, "Socket", slice_of("<opaque>"));
        put_close(writer);
        break;
    case CDT_ENDP_TLS:
        put_tag(writer, tls_tags[mode->tls]);
        put_open(writer);
        put_key(writer, &mode->key);
        put_number_field(writer, "Port", endp->inner->number);
        put_close(writer);
        put_close(writer);
        break;
    case CDT_ENDP_UNIX:
        put_tag(writer, "Unix_domain_socket");
        put_field(writer, "File", name_of(endp));
        put_close(writer);
        break;
    default: /* as an endpoint's */
        put_sexp(writer, endp);
    }
}

int cdt_server_mode_format(const struct cdt_server_mode *mode, enum cdt_endp_form form, char *text,
                           size_t size)
{
    struct writer writer;
    if (!mode || !mode->endp || !is_server_endp(mode->endp) || (unsigned)mode->tls >= TLS_TAGS ||
        !writer_begin(&writer, form, text, size))
        return -EINVAL;
    if (mode->endp->kind == CDT_ENDP_TLS && (!mode->key.cert_file || !mode->key.key_file))
        return -EINVAL;
    put_server(&writer, mode);
    return writer_end(&writer);
}
