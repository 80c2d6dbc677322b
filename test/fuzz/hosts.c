/* Fuzzer: hosts files. Whatever the text, each name that was read is found with its address,
 * once for each entry. */
#include <stdlib.h>
#include <string.h>

#include "resolve/hosts.h"

static void look_for(const struct hosts *hosts, uint32_t entry)
{
    const char *name = hosts->text + hosts->entries[entry - 1].name;
    struct cdt_addr addr;
    uint32_t at = 0, last = 0;
    if (!*name || strlen(name) > 253)
        abort();
    while ((at = hosts_find(hosts, name, at)) && at != entry) {
        if (at <= last)
            abort();
        last = at;
    }
    if (at != entry)
        abort();
    hosts_address(hosts, entry, 80, &addr);
    if (cdt_addr_port(&addr) != 80)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hosts hosts = {.file.path = ""};
    char *text = mem_alloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    if (hosts_read(text, size, &hosts) != 0)
        abort();
    for (uint32_t i = 1; i <= hosts.entry_count && i <= 64; i++)
        look_for(&hosts, i);
    hosts_clear(&hosts);
    return 0;
}
