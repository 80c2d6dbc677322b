/* What can be asked of a flow's TLS. */
#include <errno.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/config.h"
#include "tls/layer.h"
#include "tls/names.h"

/* The uppermost one, if its handshake is over. */
static int find(const struct cdt_flow *flow, struct cdt_layer **found)
{
    if (!flow_usable(flow))
        return -EINVAL;
    struct cdt_layer *layer = flow->top;
    while (layer && !tls_layer_of(layer))
        layer = layer->below;
    if (!layer)
        return -ENOENT;
    *found = layer;
    return tls_layer_of(layer)->open ? 0 : -ENOTCONN;
}

static const char *version_name(uint16_t version)
{
    return version == CDT_TLS_1_3 ? "TLSv1.3" : version == CDT_TLS_1_2 ? "TLSv1.2" : "unknown";
}

int cdt_tls_info(const struct cdt_flow *flow, struct cdt_tls_info *info)
{
    struct cdt_layer *layer;
    struct tls_facts facts;
    const int status = find(flow, &layer);
    if (status || !info)
        return status ? status : -EINVAL;
    const struct tls_layer *tls = tls_layer_of(layer);
    const struct tls_connection *connection = &tls->connection;
    connection->backend->facts(connection->engine, &facts);
    const char *cipher = tls_cipher_name(facts.cipher);
    *info = (struct cdt_tls_info){
        .backend = connection->config->backend_id,
        .role = connection->role,
        .version = version_name(facts.version),
        .cipher = cipher              ? cipher
                  : facts.cipher_name ? facts.cipher_name
                                      : "unknown",
        .alpn = tls->alpn ? tls->alpn : "",
        .server_name = connection->name ? connection->name : "",
        .resumed = facts.resumed,
        .has_certificate = connection->peer,
    };
    if (connection->peer)
        memcpy(info->sha256, connection->peer->sha256, sizeof info->sha256);
    return 0;
}

int cdt_tls_peer_pem(const struct cdt_flow *flow, char *text, size_t size)
{
    struct cdt_layer *layer;
    const int status = find(flow, &layer);
    if (status || (!text && size))
        return status ? status : -EINVAL;
    const struct tls_certificate *peer = tls_layer_of(layer)->connection.peer;
    return peer ? tls_certificate_pem(peer->der, peer->length, text, size) : -ENODATA;
}

int cdt_tls_peer_names(const struct cdt_flow *flow, char *text, size_t size)
{
    struct cdt_layer *layer;
    const int status = find(flow, &layer);
    if (status || !text || size == 0)
        return status ? status : -EINVAL;
    const struct tls_certificate *peer = tls_layer_of(layer)->connection.peer;
    if (!peer)
        return -ENODATA;
    tls_names_describe(peer->der, peer->length, text, size);
    return 0;
}

int cdt_tls_update_key(struct cdt_flow *flow)
{
    struct cdt_layer *layer;
    struct layer_io io;
    int status = find(flow, &layer);
    if (status)
        return status;
    if (!flow_may_write(flow))
        return -EPIPE;
    cdt_flow_flush(flow);
    layer_io_begin(&io, layer);
    const struct tls_connection *connection = &tls_layer_of(layer)->connection;
    status = connection->backend->update_key(connection->engine, &io.io);
    const int sent = layer_io_end(&io);
    if (sent)
        flow_write_failed(flow, sent);
    return status;
}
