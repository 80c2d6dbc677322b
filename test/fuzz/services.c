/* Fuzzer: services(5) files. Whatever the text, each name that was read is found, and can be a
 * service's. */
#include <stdlib.h>
#include <string.h>

#include "resolve/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct services_file file;
    struct cdt_service service;
    char *text = mem_alloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    if (services_read(text, size, &file) != 0)
        abort();
    for (size_t i = 0; i < file.count && i < 64; i++) {
        const char *name = file.lines[i].name;
        if (!*name || strlen(name) >= sizeof service.name || file.lines[i].port == 0)
            abort();
        if (!services_find(&file, name, &service) || strcmp(service.name, name) != 0 || service.tls)
            abort();
    }
    services_free(&file);
    return 0;
}
