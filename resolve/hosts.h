/* The hosts file, hosts(5): names and their addresses. It is read when a name is first looked
 * for, and again when it has changed. */
#ifndef RESOLVE_HOSTS_H
#define RESOLVE_HOSTS_H

#include <conduit/addr.h>

#include "resolve/file.h"

struct hosts {
    char *text; /* small letters, a 0 behind each name */
    struct hosts_address {
        struct in6_addr ip; /* IPv4 mapped */
        uint32_t scope;
        bool v4;
    } * addresses;
    struct hosts_entry {
        uint32_t name, address; /* offset in the text; index */
        uint32_t next;          /* of the same bucket, index + 1; 0: none */
    } * entries;
    uint32_t *buckets; /* index + 1 of the first entry; as many as `mask` + 1 */
    uint32_t mask, address_count, address_room, entry_count, entry_room;
    struct file_look file;
};

/* Reads the text of a hosts file into one that holds nothing. Takes over `text`, of which the
 * byte behind the last must be writable. Lines that make no sense are passed over. 0; -ENOMEM,
 * which leaves nothing. */
int hosts_read(char *text, size_t length, struct hosts *hosts);

/* Forgets what was read. */
void hosts_clear(struct hosts *hosts);

/* Looks for changes of the file, at most once a second; `now` in ns. */
void hosts_refresh(struct hosts *hosts, uint64_t now);

/* The entries of a name (in small letters), in the order of the file: call it with 0, then with
 * what it returned, until that is 0. */
uint32_t hosts_find(const struct hosts *hosts, const char *name, uint32_t after);
/* The address of an entry. */
void hosts_address(const struct hosts *hosts, uint32_t entry, uint16_t port, struct cdt_addr *addr);

#endif
