/* The names of the certificate that a flow's peer has shown. */
#include <errno.h>

#include "tls/layer.h"
#include "tls/names.h"

int cdt_tls_peer_names(const struct cdt_flow *flow, char *text, size_t size)
{
    struct cdt_tls_info info;
    const int status = cdt_tls_info(flow, &info);
    if (status || !text || size == 0)
        return status ? status : -EINVAL;
    const struct cdt_layer *layer = flow->top;
    while (!tls_layer_of(layer)) /* there is one: it has been asked */
        layer = layer->below;
    const struct tls_certificate *peer = tls_layer_of(layer)->connection.peer;
    if (!peer)
        return -ENODATA;
    tls_names_describe(peer->der, peer->length, text, size);
    return 0;
}
