/* Services: what the schemes of URIs stand for. A built-in table, and a services file. */
#ifndef RESOLVE_SERVICES_H
#define RESOLVE_SERVICES_H

#include <conduit/mode.h>

#include "resolve/internal.h"

struct service_entry {
    const char *name;
    uint16_t port;
    bool tls;
};

/* The built-in table, in the order of strcmp(3). */
extern const struct service_entry services_builtin[] __attribute__((visibility("hidden")));
extern const size_t services_builtin_count __attribute__((visibility("hidden")));

/* Fills in the service if the table knows the scheme. */
bool services_find_builtin(const char *scheme, struct cdt_service *service);

/* What a services file says. */
struct services_file {
    char *text; /* names are ended by a 0 in it */
    size_t count, room;
    struct services_line {
        const char *name;
        uint16_t port;
    } * lines;
};

/* Reads services(5): the services of TCP, by name and alias. Takes over `text`, of which the
 * byte behind the last must be writable. Lines that make no sense are passed over. 0 or -ENOMEM,
 * which leaves what was read until then. */
int services_read(char *text, size_t length, struct services_file *file);
/* Reads the file of that name; one that cannot be read is empty. False: only for now, for want of memory
 * or descriptors. */
bool services_load(const char *path, struct services_file *file);
bool services_find(const struct services_file *file, const char *scheme,
                   struct cdt_service *service);
void services_free(struct services_file *file);

#endif
