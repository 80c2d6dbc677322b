/* Services: the table of those that people use, sorted by name, and services(5) files. Only the
 * table knows which of them speak TLS. Ports are those of the IANA registry, or of long custom
 * where it has none (ircs, mqtts, rediss, ws). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolve/file.h"
#include "resolve/services.h"

enum { FILE_MAX = 4 << 20, LINES_MAX = 65536 };

const struct service_entry services_builtin[] = {
    {"acap", 674, false},
    {"afpovertcp", 548, false},
    {"amqp", 5672, false},
    {"amqps", 5671, true},
    {"bgp", 179, false},
    {"cassandra", 9042, false},
    {"chargen", 19, false},
    {"coap+tcp", 5683, false},
    {"coaps+tcp", 5684, true},
    {"couchdb", 5984, false},
    {"cvspserver", 2401, false},
    {"daytime", 13, false},
    {"dict", 2628, false},
    {"discard", 9, false},
    {"distcc", 3632, false},
    {"docker", 2375, false},
    {"docker-s", 2376, true},
    {"domain", 53, false},
    {"domain-s", 853, true},
    {"echo", 7, false},
    {"epp", 700, true},
    {"etcd-client", 2379, false},
    {"etcd-server", 2380, false},
    {"finger", 79, false},
    {"ftp", 21, false},
    {"ftp-data", 20, false},
    {"ftps", 990, true},
    {"git", 9418, false},
    {"gopher", 70, false},
    {"h323hostcall", 1720, false},
    {"http", 80, false},
    {"http-alt", 8080, false},
    {"https", 443, true},
    {"https-alt", 8443, true},
    {"icap", 1344, false},
    {"icaps", 11344, true},
    {"ident", 113, false},
    {"imap", 143, false},
    {"imap2", 143, false},
    {"imaps", 993, true},
    {"ipp", 631, false},
    {"ipps", 631, true},
    {"irc", 6667, false},
    {"ircs", 6697, true},
    {"ircs-u", 6697, true},
    {"iscsi", 860, false},
    {"iscsi-target", 3260, false},
    {"jabber", 5222, false},
    {"kerberos", 88, false},
    {"ldap", 389, false},
    {"ldaps", 636, true},
    {"lmtp", 24, false},
    {"login", 513, false},
    {"managesieve", 4190, false},
    {"memcache", 11211, false},
    {"memcached", 11211, false},
    {"microsoft-ds", 445, false},
    {"mongodb", 27017, false},
    {"mqtt", 1883, false},
    {"mqtts", 8883, true},
    {"ms-sql-s", 1433, false},
    {"msrp", 2855, false},
    {"mumble", 64738, true},
    {"mysql", 3306, false},
    {"mysqlx", 33060, false},
    {"nats", 4222, false},
    {"nbd", 10809, false},
    {"netconf-ssh", 830, false},
    {"netconf-tls", 6513, true},
    {"nfs", 2049, false},
    {"nntp", 119, false},
    {"nntps", 563, true},
    {"nrpe", 5666, false},
    {"nut", 3493, false},
    {"opcua-tcp", 4840, false},
    {"openvpn", 1194, false},
    {"pop2", 109, false},
    {"pop3", 110, false},
    {"pop3s", 995, true},
    {"postgres", 5432, false},
    {"postgresql", 5432, false},
    {"printer", 515, false},
    {"puppet", 8140, false},
    {"radsec", 2083, true},
    {"rdp", 3389, false},
    {"redis", 6379, false},
    {"rediss", 6379, true},
    {"rfb", 5900, false},
    {"rsync", 873, false},
    {"rtmp", 1935, false},
    {"rtmps", 443, true},
    {"rtsp", 554, false},
    {"rtsps", 322, true},
    {"secure-mqtt", 8883, true},
    {"sftp", 22, false},
    {"sieve", 4190, false},
    {"sip", 5060, false},
    {"sips", 5061, true},
    {"smb", 445, false},
    {"smtp", 25, false},
    {"smtps", 465, true},
    {"snmptls", 10161, true},
    {"snpp", 444, false},
    {"socks", 1080, false},
    {"ssh", 22, false},
    {"stomp", 61613, false},
    {"stun", 3478, false},
    {"stuns", 5349, true},
    {"submission", 587, false},
    {"submissions", 465, true},
    {"svn", 3690, false},
    {"syslog-tls", 6514, true},
    {"tacacs", 49, false},
    {"telnet", 23, false},
    {"telnets", 992, true},
    {"time", 37, false},
    {"turn", 3478, false},
    {"turns", 5349, true},
    {"uucp", 540, false},
    {"vnc", 5900, false},
    {"whois", 43, false},
    {"whoispp", 63, false},
    {"ws", 80, false},
    {"wss", 443, true},
    {"x11", 6000, false},
    {"xmpp", 5222, false},
    {"xmpp-bosh", 5280, false},
    {"xmpp-client", 5222, false},
    {"xmpp-server", 5269, false},
    {"xmpps", 5223, true},
    {"xmpps-client", 5223, true},
    {"xmpps-server", 5270, true},
    {"zabbix-agent", 10050, false},
    {"zabbix-trapper", 10051, false},
    {"zookeeper", 2181, false},
};
const size_t services_builtin_count = sizeof services_builtin / sizeof *services_builtin;

static int compare(const void *key, const void *entry)
{
    return strcmp(key, ((const struct service_entry *)entry)->name);
}

static void fill_in(struct cdt_service *service, const char *name, uint16_t port, bool tls)
{
    snprintf(service->name, sizeof service->name, "%s", name);
    service->port = port;
    service->tls = tls;
}

bool services_find_builtin(const char *scheme, struct cdt_service *service)
{
    const struct service_entry *entry =
        bsearch(scheme, services_builtin, services_builtin_count, sizeof *entry, compare);
    if (entry)
        fill_in(service, entry->name, entry->port, entry->tls);
    return entry != NULL;
}

/* A name that can be a service's, in small letters, with a 0 behind it: there is a blank, the
 * end of the line or the end of the text. Not one that cdt_service cannot hold. */
static const char *take_name(struct slice word)
{
    if (word.length >= sizeof((struct cdt_service *)0)->name)
        return NULL;
    char *name = (char *)word.at;
    for (size_t i = 0; i < word.length; i++) {
        if (name[i] <= ' ' || name[i] > '~')
            return NULL;
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] + ('a' - 'A'));
    }
    name[word.length] = 0;
    return name;
}

static int add(struct services_file *file, const char *name, uint16_t port)
{
    if (!name || file->count == LINES_MAX)
        return 0;
    if (file->count == file->room) {
        const size_t room = file->room ? file->room * 2 : 256;
        struct services_line *lines = mem_realloc(file->lines, room * sizeof *lines);
        if (!lines)
            return -ENOMEM;
        file->lines = lines;
        file->room = room;
    }
    file->lines[file->count++] = (struct services_line){name, port};
    return 0;
}

/* "443/tcp" */
static bool read_port(struct slice word, uint16_t *port)
{
    const char *slash = memchr(word.at, '/', word.length);
    uint32_t number;
    if (!slash)
        return false;
    const size_t length = (size_t)(slash - word.at);
    const struct slice protocol = {slash + 1, word.length - length - 1};
    if (!slice_is(protocol, "tcp") ||
        !slice_number((struct slice){word.at, length}, 65535, &number))
        return false;
    *port = (uint16_t)number;
    return number != 0;
}

/* NAME PORT/PROTOCOL ALIAS... */
static int read_line(struct services_file *file, struct slice line)
{
    struct slice name, word;
    uint16_t port;
    if (!file_word(&line, &name) || !file_word(&line, &word) || !read_port(word, &port))
        return 0;
    int status = add(file, take_name(name), port);
    while (!status && file_word(&line, &word)) {
        if (line.length) { /* the 0 behind the word takes the place of a blank */
            line.at++;
            line.length--;
        }
        status = add(file, take_name(word), port);
    }
    return status;
}

int services_read(char *text, size_t length, struct services_file *file)
{
    struct slice rest = {text, length}, line;
    int status = 0;
    *file = (struct services_file){.text = text};
    while (!status && file->count < LINES_MAX && file_line(&rest, &line))
        status = read_line(file, line);
    return status;
}

bool services_load(const char *path, struct services_file *file)
{
    struct stat info;
    char *text;
    size_t length;
    *file = (struct services_file){0};
    int status = file_read(path, FILE_MAX, &text, &length, &info);
    if (status == 0)
        status = services_read(text, length, file);
    if (status == -ENOMEM)
        services_free(file);
    return status != -ENOMEM && status != -EMFILE && status != -ENFILE;
}

bool services_find(const struct services_file *file, const char *scheme,
                   struct cdt_service *service)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->lines[i].name, scheme) == 0) {
            fill_in(service, scheme, file->lines[i].port, false);
            return true;
        }
    }
    return false;
}

void services_free(struct services_file *file)
{
    mem_free(file->lines);
    mem_free(file->text);
    *file = (struct services_file){0};
}
