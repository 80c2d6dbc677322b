/* vchan of the program: its options, and what is told of it with -v. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/options.h"

const char *read_vchan(const struct option *option, const char *value, struct settings *settings,
                       void *target)
{
    (void)option, (void)settings, (void)target;
    for (enum cdt_vchan_backend i = CDT_VCHAN_XEN; i <= CDT_VCHAN_NONE; i++) {
        if (strcmp(value, cdt_vchan_backend_name(i)) == 0)
            return cdt_vchan_select(i) == 0 ? NULL : "not built in";
    }
    return "expected xen, local or none";
}

const char *vchan_missing(void)
{
    return cdt_vchan_selected() == CDT_VCHAN_NONE ? "vchan is switched off" : NULL;
}

void vchan_tell(const struct settings *settings, const char *what, const struct cdt_flow *flow)
{
    struct cdt_vchan_info info;
    if (!settings->verbose || cdt_vchan_info(flow, &info) != 0)
        return;
    tell(settings, "%s: vchan %s, rings to read %zu bytes, to write %zu", what,
         cdt_vchan_backend_name(info.backend), info.read_size, info.write_size);
}

const char *peer_name(const struct cdt_flow *flow, char text[CDT_ADDR_TEXT])
{
    struct cdt_addr addr = {0};
    struct cdt_vchan_info info;
    cdt_flow_dst(flow, &addr);
    if (addr.length == 0 && cdt_vchan_info(flow, &info) == 0)
        snprintf(text, CDT_ADDR_TEXT, "%u/%s", info.domid, info.port);
    else
        cdt_addr_format(&addr, text);
    return text;
}
