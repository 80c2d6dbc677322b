/* The hosts file: one copy of its text, an entry for each name, and a hash table over them. Its
 * size, the number of entries, and how often a scope is looked up are bounded. */
#include <string.h>

#include "resolve/file.h"
#include "resolve/hosts.h"

enum {
    FILE_MAX = 16 << 20,
    ENTRIES_MAX = 1 << 20,
    SCOPES_MAX = 256,
    ADDRESS_TEXT = 64,
    NAME_LENGTH = 253
};

/* FNV-1a. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ^ hash >> 15;
}

/* Makes room for one more of `size` bytes; an array that has no room for more than `count`. */
static bool make_room(void **array, size_t size, uint32_t count, uint32_t *room)
{
    if (count < *room)
        return true;
    const uint32_t larger = *room ? *room * 2 : 64;
    void *memory = mem_realloc(*array, larger * size);
    if (!memory)
        return false;
    *array = memory;
    *room = larger;
    return true;
}

/* Copies the word and reads it. */
static bool read_address(struct slice word, unsigned *scopes, struct hosts_address *address)
{
    char text[ADDRESS_TEXT];
    struct cdt_addr addr;
    if (word.length >= sizeof text || memchr(word.at, 0, word.length))
        return false;
    if (memchr(word.at, '%', word.length) && (*scopes)++ >= SCOPES_MAX)
        return false;
    memcpy(text, word.at, word.length);
    text[word.length] = 0;
    if (cdt_addr_ip(&addr, text, 0) != 0)
        return false;
    *address = (struct hosts_address){.v4 = addr.any.sa_family == AF_INET};
    if (address->v4) {
        memcpy(address->ip.s6_addr + 12, &addr.v4.sin_addr, 4);
    } else {
        address->ip = addr.v6.sin6_addr;
        address->scope = addr.v6.sin6_scope_id;
    }
    return true;
}

/* Puts the name into small letters and a 0 behind it, in place; false: it is no name. */
static bool take_name(struct slice *word)
{
    char *name = (char *)word->at;
    if (word->length > 1 && name[word->length - 1] == '.')
        word->length--;
    if (word->length > NAME_LENGTH)
        return false;
    for (size_t i = 0; i < word->length; i++) {
        if (name[i] == 0)
            return false;
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] + ('a' - 'A'));
    }
    name[word->length] = 0;
    return true;
}

static int add(struct hosts *hosts, struct slice word)
{
    if (hosts->entry_count == ENTRIES_MAX || !take_name(&word))
        return 0;
    if (!make_room((void **)&hosts->entries, sizeof *hosts->entries, hosts->entry_count,
                   &hosts->entry_room))
        return -ENOMEM;
    hosts->entries[hosts->entry_count++] = (struct hosts_entry){
        .name = (uint32_t)(word.at - hosts->text),
        .address = hosts->address_count - 1,
    };
    return 0;
}

/* ADDRESS NAME... */
static int read_line(struct hosts *hosts, struct slice line, unsigned *scopes)
{
    struct slice word;
    struct hosts_address address;
    int status = 0;
    if (!file_word(&line, &word) || !read_address(word, scopes, &address))
        return 0;
    if (!make_room((void **)&hosts->addresses, sizeof address, hosts->address_count,
                   &hosts->address_room))
        return -ENOMEM;
    hosts->addresses[hosts->address_count++] = address;
    while (!status && file_word(&line, &word)) {
        if (line.length) { /* the 0 behind the word takes the place of a blank */
            line.at++;
            line.length--;
        }
        status = add(hosts, word);
    }
    return status;
}

/* From the last to the first, so that the chains have the order of the file. */
static int make_buckets(struct hosts *hosts)
{
    uint32_t count = 16;
    while (count < hosts->entry_count)
        count *= 2;
    hosts->buckets = mem_zalloc(count * sizeof *hosts->buckets);
    if (!hosts->buckets)
        return -ENOMEM;
    hosts->mask = count - 1;
    for (uint32_t i = hosts->entry_count; i > 0; i--) {
        struct hosts_entry *entry = &hosts->entries[i - 1];
        uint32_t *bucket = &hosts->buckets[hash_of(hosts->text + entry->name) & hosts->mask];
        entry->next = *bucket;
        *bucket = i;
    }
    return 0;
}

int hosts_read(char *text, size_t length, struct hosts *hosts)
{
    struct slice rest = {text, length}, line;
    unsigned scopes = 0;
    int status = 0;
    hosts->text = text;
    while (!status && hosts->entry_count < ENTRIES_MAX && file_line(&rest, &line))
        status = read_line(hosts, line, &scopes);
    if (!status)
        status = make_buckets(hosts);
    if (status)
        hosts_clear(hosts);
    return status;
}

void hosts_clear(struct hosts *hosts)
{
    mem_free(hosts->text);
    mem_free(hosts->addresses);
    mem_free(hosts->entries);
    mem_free(hosts->buckets);
    *hosts = (struct hosts){.file = hosts->file};
}

void hosts_refresh(struct hosts *hosts, uint64_t now)
{
    struct stat info;
    char *text;
    size_t length;
    if (!file_has_changed(&hosts->file, now))
        return;
    int status = file_read(hosts->file.path, FILE_MAX, &text, &length, &info);
    if (status != -EMFILE && status != -ENFILE && status != -ENOMEM) {
        hosts_clear(hosts);
        if (status == 0)
            status = hosts_read(text, length, hosts);
    }
    if (status == -EMFILE || status == -ENFILE || status == -ENOMEM)
        hosts->file.info =
            (struct stat){0}; /* try again; meanwhile what is known is better than nothing */
}

uint32_t hosts_find(const struct hosts *hosts, const char *name, uint32_t after)
{
    if (!hosts->buckets)
        return 0;
    uint32_t at =
        after ? hosts->entries[after - 1].next : hosts->buckets[hash_of(name) & hosts->mask];
    while (at && strcmp(hosts->text + hosts->entries[at - 1].name, name) != 0)
        at = hosts->entries[at - 1].next;
    return at;
}

void hosts_address(const struct hosts *hosts, uint32_t entry, uint16_t port, struct cdt_addr *addr)
{
    const struct hosts_address *from = &hosts->addresses[hosts->entries[entry - 1].address];
    memset(addr, 0, sizeof *addr);
    if (from->v4) {
        addr->length = sizeof addr->v4;
        addr->v4.sin_family = AF_INET;
        addr->v4.sin_port = htons(port);
        memcpy(&addr->v4.sin_addr, from->ip.s6_addr + 12, 4);
    } else {
        addr->length = sizeof addr->v6;
        addr->v6.sin6_family = AF_INET6;
        addr->v6.sin6_port = htons(port);
        addr->v6.sin6_addr = from->ip;
        addr->v6.sin6_scope_id = from->scope;
    }
}
