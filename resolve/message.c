/* Reading the answer of a name server: hostile bytes. Every offset is checked before it is used;
 * names are followed only backwards and for a bounded number of jumps; every record is looked at
 * once. */
#include <string.h>

#include "resolve/message.h"

enum {
    CLASS_IN = 1,
    POINTERS_MAX = 64, /* followed in one name */
    ALIASES_MAX = 16   /* CNAME records in one answer */
};

struct message {
    const uint8_t *bytes;
    size_t length;
};

struct record {
    size_t owner; /* where its name begins */
    unsigned type, class;
    uint32_t ttl;
    size_t data, end; /* of its data; the next record begins at `end` */
};

/* The records that the reader works with. */
struct found {
    enum dns_type type;
    size_t answers, authorities, end; /* where the sections begin, and the second one ends */
    unsigned answer_count, authority_count;
    unsigned alias_count;
    struct record aliases[ALIASES_MAX];
    size_t name; /* the end of the chain of aliases */
    uint32_t ttl;
    unsigned candidate_count; /* records of the type asked for, whosever they are */
    struct record candidates[DNS_RECORDS_MAX]; /* the first of them */
    unsigned count;
    uint16_t data[DNS_RECORDS_MAX]; /* of those whose owner lies at the end of the chain */
};

static unsigned number16(const struct message *message, size_t at)
{
    return (unsigned)message->bytes[at] << 8 | message->bytes[at + 1];
}

static uint32_t number32(const struct message *message, size_t at)
{
    return (uint32_t)number16(message, at) << 16 | number16(message, at + 2);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A walk over the labels of a name. */
struct walk {
    size_t at, lowest; /* the next label; pointers must lead to before `lowest` */
    unsigned pointers, total;
};

static struct walk walk_from(size_t name)
{
    return (struct walk){.at = name, .lowest = name};
}

/* The length of the next label, which lies at *label; 0: the name is over; -1: it is malformed. */
static int next_label(const struct message *message, struct walk *walk, size_t *label)
{
    for (;;) {
        unsigned length;

        if (walk->at >= message->length)
            return -1;
        length = message->bytes[walk->at];
        if (length < 0x40) {
            *label = walk->at + 1;
            walk->at += 1 + length;
            walk->total += 1 + length;
            return walk->at > message->length || walk->total > MESSAGE_NAME_MAX ? -1 : (int)length;
        }
        if (length < 0xc0 || walk->at + 2 > message->length || ++walk->pointers > POINTERS_MAX)
            return -1;
        walk->at = number16(message, walk->at) & 0x3fff;
        if (walk->at >= walk->lowest || walk->at < MESSAGE_HEADER)
            return -1;
        walk->lowest = walk->at;
    }
}

/* Where the bytes of a name end; 0: it is malformed. What a pointer leads to is not looked at. */
static size_t skip_name(const struct message *message, size_t at)
{
    size_t begin = at;

    while (at < message->length && at - begin < MESSAGE_NAME_MAX) {
        unsigned length = message->bytes[at];

        if (length >= 0xc0)
            return at + 2 <= message->length ? at + 2 : 0;
        if (length >= 0x40)
            return 0;
        at += 1 + length;
        if (!length)
            return at;
    }
    return 0;
}

static bool same_label(const uint8_t *a, const uint8_t *b, int length)
{
    for (int i = 0; i < length; i++)
        if (message_lower(a[i]) != message_lower(b[i]))
            return false;
    return true;
}

/* Whether a name is nothing but a pointer to another, as most are. */
static inline bool leads_to(const struct message *message, size_t name, size_t other)
{
    return name > other && other >= MESSAGE_HEADER && other < 0x4000 &&
           name + 2 <= message->length && number16(message, name) == (0xc000u | other);
}

/* Whether two names are the same, whatever the case. Malformed ones are not (one of the two is
 * known to be sound). */
static bool same_name(const struct message *message, size_t a, size_t b)
{
    struct walk walk_a = walk_from(a), walk_b = walk_from(b);
    size_t label_a, label_b;

    if (leads_to(message, a, b))
        return true;
    for (;;) {
        int length = next_label(message, &walk_a, &label_a);

        if (next_label(message, &walk_b, &label_b) != length || length < 0)
            return false;
        if (length == 0 || label_a == label_b)
            return true; /* from the same label on they are the same bytes */
        if (!same_label(message->bytes + label_a, message->bytes + label_b, length))
            return false;
    }
}

/* Whether `name` is `zone`, or below it. */
static bool is_below(const struct message *message, size_t name, size_t zone)
{
    struct walk walk = walk_from(name);
    size_t label;

    while (!same_name(message, walk.at, zone))
        if (next_label(message, &walk, &label) <= 0)
            return false;
    return true;
}

/* Whether a name is well-formed, and its own bytes end at `end`. */
static bool is_name(const struct message *message, size_t name, size_t end)
{
    struct walk walk = walk_from(name);
    size_t label;
    int length;

    while ((length = next_label(message, &walk, &label)) > 0) {}
    return length == 0 && skip_name(message, name) == end;
}

/* Writes a name as text; false if it is malformed, or has bytes that mean something else in a
 * text. */
static bool write_name(const struct message *message, size_t name, char text[DNS_NAME_MAX])
{
    struct walk walk = walk_from(name);
    size_t used = 0, label;
    int length;

    while ((length = next_label(message, &walk, &label)) > 0) {
        if (used)
            text[used++] = '.';
        for (int i = 0; i < length; i++) {
            if (!message_is_visible(message->bytes[label + (size_t)i]))
                return false;
            text[used++] = (char)message->bytes[label + (size_t)i];
        }
    }
    text[used] = 0;
    return length == 0;
}

/* ---- records --------------------------------------------------------------------------------- */

static bool read_record(const struct message *message, size_t at, struct record *record)
{
    size_t fixed = skip_name(message, at);

    if (!fixed || fixed + 10 > message->length)
        return false;
    record->owner = at;
    record->type = number16(message, fixed);
    record->class = number16(message, fixed + 2);
    record->ttl = number32(message, fixed + 4);
    if (record->ttl > INT32_MAX)
        record->ttl = 0; /* RFC 2181 section 8 */
    record->data = fixed + 10;
    record->end = record->data + number16(message, fixed + 8);
    return record->end <= message->length;
}

static void lower_ttl(struct found *found, uint32_t ttl)
{
    if (ttl < found->ttl)
        found->ttl = ttl;
}

/* Finds where the sections lie, the aliases, and what may be the answer: false if anything is malformed. */
static bool read_answers(const struct message *message, struct found *found)
{
    size_t at = found->answers;

    for (unsigned i = 0; i < found->answer_count; i++) {
        struct record record;

        if (!read_record(message, at, &record))
            return false;
        at = record.end;
        if (record.class != CLASS_IN)
            continue;
        if (record.type == found->type && found->candidate_count < DNS_RECORDS_MAX)
            found->candidates[found->candidate_count++] = record;
        if (record.type != DNS_CNAME)
            continue;
        if (found->alias_count == ALIASES_MAX || !is_name(message, record.data, record.end))
            return false;
        found->aliases[found->alias_count++] = record;
    }
    found->authorities = at;
    return true;
}

/* Goes from the name of the question to the end of the chain, in whatever order its aliases
 * come. False: it has no end. */
static bool follow_aliases(const struct message *message, struct found *found)
{
    for (unsigned steps = 0; steps <= found->alias_count; steps++) {
        const struct record *alias = NULL;

        for (unsigned i = 0; i < found->alias_count && !alias; i++)
            if (same_name(message, found->aliases[i].owner, found->name))
                alias = &found->aliases[i];
        if (!alias)
            return true;
        found->name = alias->data;
        lower_ttl(found, alias->ttl);
    }
    return false;
}

/* Whether the data of a record are what its type says. */
static bool is_sound(const struct message *message, enum dns_type type, const struct record *record)
{
    size_t length = record->end - record->data;
    char name[DNS_NAME_MAX];

    switch (type) {
    case DNS_A:
        return length == sizeof(struct in_addr);
    case DNS_AAAA:
        return length == sizeof(struct in6_addr);
    case DNS_SRV:
        return length > 6 && is_name(message, record->data + 6, record->end) &&
               write_name(message, record->data + 6, name);
    default:
        return false;
    }
}

/* Takes the records at the end of the chain; records of other names are lies, or not asked for. */
static bool collect(const struct message *message, struct found *found)
{
    for (unsigned i = 0; i < found->candidate_count; i++) {
        const struct record *record = &found->candidates[i];

        if (!same_name(message, record->owner, found->name))
            continue;
        if (!is_sound(message, found->type, record))
            return false;
        lower_ttl(found, record->ttl);
        found->data[found->count++] = (uint16_t)record->data;
    }
    return true;
}

/* The first record of that type of the authority section. False: malformed. */
static bool find_authority(const struct message *message, const struct found *found, unsigned type,
                           struct record *record)
{
    size_t at = found->authorities;

    for (unsigned i = 0; i < found->authority_count; i++) {
        if (!read_record(message, at, record))
            return false;
        at = record->end;
        if (record->type == type && record->class == CLASS_IN)
            return true;
    }
    record->type = 0;
    return true;
}

/* How long a negative answer may be kept: RFC 2308 section 5. Without the SOA of a zone that the
 * name lies in, not at all. */
static bool read_negative_ttl(const struct message *message, struct found *found)
{
    struct record soa;
    size_t numbers;

    if (!find_authority(message, found, DNS_SOA, &soa))
        return false;
    if (!soa.type || !is_below(message, found->name, soa.owner)) {
        found->ttl = 0;
        return true;
    }
    numbers = skip_name(message, soa.data);
    numbers = numbers ? skip_name(message, numbers) : 0;
    if (!numbers || numbers + 20 != soa.end)
        return false;
    lower_ttl(found, soa.ttl);
    lower_ttl(found, number32(message, numbers + 16));
    lower_ttl(found, MESSAGE_NEGATIVE_TTL_MAX);
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static size_t record_size(enum dns_type type)
{
    return type == DNS_A      ? sizeof(struct in_addr)
           : type == DNS_AAAA ? sizeof(struct in6_addr)
                              : sizeof(struct dns_srv);
}

static void write_srv(const struct message *message, size_t data, struct dns_srv *srv)
{
    srv->priority = (uint16_t)number16(message, data);
    srv->weight = (uint16_t)number16(message, data + 2);
    srv->port = (uint16_t)number16(message, data + 4);
    write_name(message, data + 6, srv->target);
}

/* Copies what was found into an answer, behind the struct. */
static struct dns_answer *make_answer(const struct message *message, const struct found *found,
                                      int status, struct dns_small *small)
{
    size_t size = record_size(found->type), length = found->count * size;
    struct dns_answer *answer = small && length <= sizeof small->records
                                    ? &small->answer
                                    : mem_alloc(sizeof *answer + length);
    uint8_t *records;

    if (!answer)
        return NULL;
    records = (uint8_t *)(answer + 1);
    *answer = (struct dns_answer){.status = status,
                                  .ttl = found->ttl,
                                  .type = found->type,
                                  .count = found->count,
                                  .a = (const void *)records};
    for (unsigned i = 0; i < found->count; i++, records += size) {
        if (found->type == DNS_SRV)
            write_srv(message, found->data[i], (struct dns_srv *)(void *)records);
        else
            memcpy(records, message->bytes + found->data[i], size);
    }
    return answer;
}

/* What the header says: 0 if the rest is to be read, else the status of the answer. */
static int read_header(const struct message *message, struct found *found)
{
    enum { IS_ANSWER_OF_QUERY = 0x80, MASK = 0xfa /* with the opcode and TC */ };

    if (message->length < MESSAGE_HEADER || (message->bytes[2] & MASK) != IS_ANSWER_OF_QUERY)
        return -CDT_EDNSANSWER;
    switch (message->bytes[3] & 15) {
    case 2:
        return -CDT_ESERVFAIL;
    case 5:
        return -CDT_EDNSREFUSED;
    case 0:
    case 3:
        break;
    default:
        return -CDT_EDNSANSWER;
    }
    found->answer_count = number16(message, 6);
    found->authority_count = number16(message, 8);
    found->name = MESSAGE_HEADER;
    found->answers = skip_name(message, MESSAGE_HEADER) + 4;
    if (number16(message, 4) != 1 || found->answers > message->length ||
        !is_name(message, found->name, found->answers - 4) ||
        number16(message, found->answers - 4) != found->type ||
        number16(message, found->answers - 2) != CLASS_IN)
        return -CDT_EDNSANSWER;
    return 0;
}

static int read_message(const struct message *message, struct found *found)
{
    int status = read_header(message, found);
    bool exists;

    if (status)
        return status;
    exists = (message->bytes[3] & 15) == 0;
    if (!read_answers(message, found) || !follow_aliases(message, found) ||
        (exists && !collect(message, found)) ||
        (!found->count && !read_negative_ttl(message, found)))
        return -CDT_EDNSANSWER;
    return found->count ? 0 : exists ? -CDT_ENODATA : -CDT_ENXDOMAIN;
}

struct dns_answer *dns_message_read(const uint8_t *bytes, size_t length, enum dns_type type,
                                    struct dns_small *small)
{
    struct message message = {bytes, length > UINT16_MAX ? UINT16_MAX : length};
    struct found found;
    int status;

    found.type = type;
    found.alias_count = found.count = found.candidate_count = 0;
    found.ttl = MESSAGE_TTL_MAX;
    status = read_message(&message, &found);
    if (status && status != -CDT_ENODATA && status != -CDT_ENXDOMAIN)
        found.count = found.ttl = 0;
    return make_answer(&message, &found, status, small);
}
