/* The endpoint of a flow or of a server: its address, or the name of a carrier that has none. */
#include <errno.h>

#include "context/internal.h"

int cdt_flow_endp(const struct cdt_flow *flow, bool peer, struct cdt_endp **endp)
{
    struct cdt_addr addr;
    if (!flow || !endp)
        return -EINVAL;
    const int status = peer ? cdt_flow_dst(flow, &addr) : cdt_flow_src(flow, &addr);
    if (status)
        return status;
    int made = addr.length ? cdt_endp_of_addr(&addr, endp) : -ENOTSUP;
    if (made == -ENOTSUP && peer)
        made = context_vchan_flow(flow, endp);
    if (made == -ENOTSUP)
        made = cdt_endp_unknown(cdt_flow_carrier(flow), endp);
    return made ? made : context_wrap_flow(flow->top, endp);
}

int cdt_server_endp(const struct cdt_server *server, struct cdt_endp **endp)
{
    struct cdt_addr addr;
    if (!server || !endp)
        return -EINVAL;
    int status = cdt_server_address(server, &addr);
    if (status == 0 && addr.length == 0)
        status = context_vchan_server(server, endp);
    else if (status == 0)
        status = cdt_endp_of_addr(&addr, endp);
    return status ? status : context_wrap_server(server, endp);
}
