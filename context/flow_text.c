/* The s-expressions of a flow and of a context, as the original prints them: the descriptor is
 * opaque, and nothing reads them back. */
#include <errno.h>
#include <stdio.h>

#include "context/internal.h"
#include "resolve/writer.h"

/* (TAG (RECORD)) */
static void put_flow(struct writer *writer, const struct cdt_endp *endp)
{
    static const char *const tags[CDT_ENDP_KINDS] = {
        [CDT_ENDP_TCP] = "TCP",
        [CDT_ENDP_UNIX] = "Domain_socket",
        [CDT_ENDP_VCHAN_DIRECT] = "Vchan",
    };
    char memory[CDT_ADDR_TEXT];
    if (!tags[endp->kind]) { /* a user's carrier */
        put_sexp(writer, endp);
        return;
    }
    put_open(writer);
    put_atom(writer, slice_of(tags[endp->kind]));
    put_open(writer);
    if (endp->kind == CDT_ENDP_VCHAN_DIRECT) {
        put_number_field(writer, "domid", endp->number);
        put_field(writer, "port", (struct slice){endp->port, endp->port_length});
    } else {
        put_field(writer, "fd", slice_of("<opaque>"));
    }
    if (endp->kind == CDT_ENDP_UNIX)
        put_field(writer, "path", name_of(endp));
    if (endp->kind == CDT_ENDP_TCP) {
        put_field(writer, "ip", slice_of(endp_ip(&endp->addr, memory)));
        put_number_field(writer, "port", cdt_addr_port(&endp->addr));
    }
    put_close(writer);
    put_close(writer);
}

int cdt_flow_format(const struct cdt_flow *flow, enum cdt_endp_form form, char *text, size_t size)
{
    struct writer writer;
    struct cdt_endp *endp;
    if (!writer_begin(&writer, form, text, size))
        return -EINVAL;
    const int status = cdt_flow_endp(flow, true, &endp);
    if (status)
        return status;
    put_flow(&writer, cdt_endp_base(endp));
    cdt_endp_free(endp);
    return writer_end(&writer);
}

int cdt_context_format(const struct cdt_context *context, enum cdt_endp_form form, char *text,
                       size_t size)
{
    struct writer writer;
    if (!context || !writer_begin(&writer, form, text, size))
        return -EINVAL;
    const struct cdt_addr *source = &context->flow.source;
    const struct cdt_own_key no_key = {0}, *key = context->own_key;
    char memory[CDT_ADDR_TEXT], address[CDT_ADDR_TEXT + 32] = "";
    if (source->length)
        snprintf(address, sizeof address, "ADDR_INET(%s,%u)", endp_ip(source, memory),
                 cdt_addr_port(source));
    put_open(&writer);
    put_open(&writer);
    if (source->length)
        put_atom(&writer, slice_of(address));
    put_close(&writer);
    put_own_key(&writer, key ? key : &no_key);
    put_close(&writer);
    return writer_end(&writer);
}
