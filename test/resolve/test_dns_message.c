/* Reading the answers of name servers: chains of aliases, lies, loops, and bytes that end too
 * early. */
#include "resolve/message.h"
#include "test/support/probe.h"

/* ---- a small builder ------------------------------------------------------------------------- */

struct builder {
    uint8_t bytes[65535];
    size_t length;
};

static void put8(struct builder *b, unsigned value)
{
    assert_true(b->length < sizeof b->bytes);
    b->bytes[b->length++] = (uint8_t)value;
}

static void put16(struct builder *b, unsigned value)
{
    put8(b, value >> 8);
    put8(b, value & 255);
}

static void put32(struct builder *b, uint32_t value)
{
    put16(b, value >> 16);
    put16(b, value & 65535);
}

static void put_bytes(struct builder *b, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        put8(b, ((const uint8_t *)bytes)[i]);
}

/* A name: "a.test"; "" is the root; "@NUMBER" a pointer, "a.@12" one behind a label. */
static void put_name(struct builder *b, const char *name)
{
    while (*name) {
        size_t length = strcspn(name, ".");

        if (*name == '@') {
            put16(b, 0xc000u | (unsigned)strtoul(name + 1, NULL, 10));
            return;
        }
        put8(b, (unsigned)length);
        put_bytes(b, name, length);
        name += length + (name[length] == '.');
    }
    put8(b, 0);
}

/* A question, and how many records follow. */
static void begin(struct builder *b, unsigned code, const char *name, enum dns_type type,
                  unsigned answers, unsigned authorities)
{
    b->length = 0;
    put16(b, 0x1234);
    put16(b, 0x8180 | code);
    put16(b, 1);
    put16(b, answers);
    put16(b, authorities);
    put16(b, 0);
    put_name(b, name);
    put16(b, type);
    put16(b, 1);
}

/* Where the length of the data is. */
static size_t open_record(struct builder *b, const char *owner, unsigned type, uint32_t ttl)
{
    put_name(b, owner);
    put16(b, type);
    put16(b, 1);
    put32(b, ttl);
    put16(b, 0);
    return b->length;
}

static void close_record(struct builder *b, size_t data)
{
    b->bytes[data - 2] = (uint8_t)((b->length - data) >> 8);
    b->bytes[data - 1] = (uint8_t)(b->length - data);
}

static void put_a(struct builder *b, const char *owner, uint32_t ttl, unsigned last)
{
    size_t data = open_record(b, owner, DNS_A, ttl);

    put32(b, 0xc0000200u | last);
    close_record(b, data);
}

static void put_cname(struct builder *b, const char *owner, uint32_t ttl, const char *target)
{
    size_t data = open_record(b, owner, DNS_CNAME, ttl);

    put_name(b, target);
    close_record(b, data);
}

static void put_srv(struct builder *b, const char *owner, unsigned port, const char *target)
{
    size_t data = open_record(b, owner, DNS_SRV, 60);

    put16(b, 1);
    put16(b, 2);
    put16(b, port);
    put_name(b, target);
    close_record(b, data);
}

static void put_soa(struct builder *b, const char *owner, uint32_t ttl, uint32_t minimum)
{
    size_t data = open_record(b, owner, DNS_SOA, ttl);

    put_name(b, "ns.test");
    put_name(b, "root.test");
    for (int i = 0; i < 4; i++)
        put32(b, 1);
    put32(b, minimum);
    close_record(b, data);
}

/* Reads a copy that ends where the message ends. The answer is to be freed. */
static struct dns_answer *read_part(const struct builder *b, size_t length, enum dns_type type)
{
    uint8_t *copy = malloc(length ? length : 1);
    struct dns_small small;

    assert_non_null(copy);
    memcpy(copy, b->bytes, length);
    struct dns_answer *answer = dns_message_read(copy, length, type, NULL);
    const struct dns_answer *same = dns_message_read(copy, length, type, &small);
    free(copy);
    assert_non_null(same);
    assert_int_equal(same->status, answer->status);
    assert_int_equal(same->ttl, answer->ttl);
    assert_int_equal(same->count, answer->count);
    if (same != &small.answer)
        mem_free((void *)(uintptr_t)same);
    else if (same->count && type == DNS_A)
        assert_memory_equal(same->a, answer->a, same->count * sizeof *same->a);
    assert_non_null(answer);
    assert_int_equal(answer->type, type);
    return answer;
}

static void expect(const struct builder *b, enum dns_type type, int status, unsigned count,
                   uint32_t ttl)
{
    struct dns_answer *answer = read_part(b, b->length, type);

    if (answer->status != status)
        fail_msg("%s, not %s", cdt_errname(answer->status), cdt_errname(status));
    assert_int_equal(answer->count, count);
    assert_int_equal(answer->ttl, ttl);
    mem_free(answer);
}

static struct builder b;

/* ---- sound answers --------------------------------------------------------------------------- */

static void test_records(void **state)
{
    struct dns_answer *answer;
    uint8_t v6[16] = {0x20, 1, [15] = 7};
    size_t data;

    (void)state;
    begin(&b, 0, "a.test", DNS_A, 2, 0);
    put_a(&b, "@12", 60, 1);
    put_a(&b, "A.Test", 30, 2);
    answer = read_part(&b, b.length, DNS_A);
    assert_int_equal(answer->status, 0);
    assert_int_equal(answer->count, 2);
    assert_int_equal(answer->ttl, 30);
    assert_int_equal(ntohl(answer->a[0].s_addr), 0xc0000201);
    assert_int_equal(ntohl(answer->a[1].s_addr), 0xc0000202);
    mem_free(answer);

    begin(&b, 0, "a.test", DNS_AAAA, 1, 0);
    data = open_record(&b, "@12", DNS_AAAA, 5);
    put_bytes(&b, v6, sizeof v6);
    close_record(&b, data);
    answer = read_part(&b, b.length, DNS_AAAA);
    assert_int_equal(answer->count, 1);
    assert_memory_equal(&answer->aaaa[0], v6, sizeof v6);
    mem_free(answer);

    begin(&b, 0, "_x._tcp.test", DNS_SRV, 3, 0);
    put_srv(&b, "@12", 80, "host.test");
    put_srv(&b, "@12", 81, "host.@20");
    put_srv(&b, "@12", 0, "");
    answer = read_part(&b, b.length, DNS_SRV);
    assert_int_equal(answer->count, 3);
    assert_int_equal(answer->srv[0].priority, 1);
    assert_int_equal(answer->srv[0].weight, 2);
    assert_int_equal(answer->srv[0].port, 80);
    assert_string_equal(answer->srv[0].target, "host.test");
    assert_string_equal(answer->srv[1].target, "host.test");
    assert_string_equal(answer->srv[2].target, "");
    mem_free(answer);
}

static void test_more_records_than_are_taken(void **state)
{
    (void)state;
    begin(&b, 0, "a.test", DNS_A, 200, 0);
    for (unsigned i = 0; i < 200; i++)
        put_a(&b, "@12", 60, i);
    expect(&b, DNS_A, 0, DNS_RECORDS_MAX, 60);
}

/* Other types, classes and owners are not for us. */
static void test_records_of_others(void **state)
{
    size_t at;

    (void)state;
    begin(&b, 0, "a.test", DNS_A, 5, 0);
    put_a(&b, "b.test", 1, 66);
    put_a(&b, "a.test.test", 1, 66);
    put_a(&b, "test", 1, 66);
    at = b.length;
    put_a(&b, "@12", 1, 66);
    b.bytes[at + 5] = 3; /* class CHAOS */
    put_a(&b, "@12", 60, 1);
    expect(&b, DNS_A, 0, 1, 60);

    begin(&b, 0, "a.test", DNS_A, 1, 0);
    put_a(&b, "b.test", 60, 66);
    expect(&b, DNS_A, -CDT_ENODATA, 0, 0);
    begin(&b, 0, "a.test", DNS_AAAA, 1, 0);
    put_a(&b, "@12", 60, 66);
    expect(&b, DNS_AAAA, -CDT_ENODATA, 0, 0);
}

static void test_ttl(void **state)
{
    (void)state;
    begin(&b, 0, "a.test", DNS_A, 1, 0);
    put_a(&b, "@12", 86401, 1);
    expect(&b, DNS_A, 0, 1, 86400);
    begin(&b, 0, "a.test", DNS_A, 2, 0);
    put_a(&b, "@12", 60, 1);
    put_a(&b, "@12", UINT32_C(0x80000000), 1);
    expect(&b, DNS_A, 0, 2, 0);
}

/* ---- aliases --------------------------------------------------------------------------------- */

static void test_chains_in_any_order(void **state)
{
    static const char *const orders[] = {"abcx", "xcba", "bxac", "cabx"};

    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        begin(&b, 0, "a.test", DNS_A, 5, 0);
        put_a(&b, "@12", 1, 66); /* of the alias itself: not at the end of the chain */
        for (const char *step = orders[i]; *step; step++) {
            if (*step == 'a')
                put_cname(&b, "A.TEST", 50, "b.test");
            else if (*step == 'b')
                put_cname(&b, "b.test", 20, "c.@14");
            else if (*step == 'c')
                put_cname(&b, "c.test", 40, "x.test");
            else
                put_a(&b, "X.test", 60, 1);
        }
        expect(&b, DNS_A, 0, 1, 20);
    }
}

static void test_chain_without_end(void **state)
{
    char owner[20], target[20];

    (void)state;
    begin(&b, 0, "a.test", DNS_A, 3, 0);
    put_cname(&b, "@12", 60, "b.test");
    put_cname(&b, "b.test", 60, "a.test");
    put_a(&b, "@12", 60, 66);
    expect(&b, DNS_A, -CDT_EDNSANSWER, 0, 0);
    begin(&b, 0, "a.test", DNS_A, 1, 0);
    put_cname(&b, "@12", 60, "@12");
    expect(&b, DNS_A, -CDT_EDNSANSWER, 0, 0);

    for (unsigned count = 16; count <= 17; count++) {
        begin(&b, 0, "n0.test", DNS_A, count + 1, 0);
        for (unsigned i = 0; i < count; i++) {
            snprintf(owner, sizeof owner, "n%u.test", i);
            snprintf(target, sizeof target, "n%u.test", i + 1);
            put_cname(&b, owner, 60, target);
        }
        put_a(&b, target, 60, 1);
        if (count == 16)
            expect(&b, DNS_A, 0, 1, 60);
        else
            expect(&b, DNS_A, -CDT_EDNSANSWER, 0, 0);
    }
}

/* ---- negative answers ------------------------------------------------------------------------ */

static void test_negative(void **state)
{
    (void)state;
    begin(&b, 3, "a.test", DNS_A, 0, 1);
    put_soa(&b, "test", 600, 30);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 30);
    begin(&b, 0, "a.test", DNS_A, 0, 2);
    put_a(&b, "ns.test", 1, 1);
    put_soa(&b, "@14", 20, 30);
    expect(&b, DNS_A, -CDT_ENODATA, 0, 20);
    begin(&b, 3, "a.test", DNS_A, 0, 1);
    put_soa(&b, "", 100000, 100000);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 3600);
    /* The name is below the zone at the end of the chain; the alias has a time too. */
    begin(&b, 3, "a.test", DNS_A, 1, 1);
    put_cname(&b, "@12", 7, "x.other");
    put_soa(&b, "other", 60, 60);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 7);
    /* The SOA of somebody else's zone; one with a TTL below 0; none. */
    begin(&b, 3, "a.test", DNS_A, 0, 1);
    put_soa(&b, "other", 60, 60);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 0);
    begin(&b, 3, "a.test", DNS_A, 0, 1);
    put_soa(&b, "test", UINT32_C(0xffffffff), 60);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 0);
    begin(&b, 0, "a.test", DNS_A, 0, 0);
    expect(&b, DNS_A, -CDT_ENODATA, 0, 0);
    /* NXDOMAIN with records is still NXDOMAIN. */
    begin(&b, 3, "a.test", DNS_A, 1, 0);
    put_a(&b, "@12", 60, 1);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 0);
}

static void test_codes(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 16; code++) {
        begin(&b, code, "a.test", DNS_A, 0, 0);
        expect(&b, DNS_A,
               code == 0   ? -CDT_ENODATA
               : code == 2 ? -CDT_ESERVFAIL
               : code == 3 ? -CDT_ENXDOMAIN
               : code == 5 ? -CDT_EDNSREFUSED
                           : -CDT_EDNSANSWER,
               0, 0);
    }
}

/* ---- malformed ones -------------------------------------------------------------------------- */

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    begin(&b, 0, "_x._tcp.test", DNS_SRV, 3, 0);
    put_cname(&b, "@12", 60, "y.@20");
    put_srv(&b, "y.test", 80, "host.test");
    put_srv(&b, "y.@20", 81, "host.@20");
    for (size_t length = 0; length <= b.length; length++) {
        struct dns_answer *answer = read_part(&b, length, DNS_SRV);

        assert_int_equal(answer->status, length == b.length ? 0 : -CDT_EDNSANSWER);
        mem_free(answer);
    }
    begin(&b, 3, "a.test", DNS_A, 1, 1);
    put_cname(&b, "@12", 60, "b.test");
    put_soa(&b, "test", 60, 60);
    for (size_t length = 0; length <= b.length; length++) {
        struct dns_answer *answer = read_part(&b, length, DNS_A);

        assert_int_equal(answer->status, length == b.length ? -CDT_ENXDOMAIN : -CDT_EDNSANSWER);
        mem_free(answer);
    }
}

static void test_header_and_question(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {
        {2, 0x01},                        /* a question */
        {2, 0x83},                        /* truncated */
        {2, 0x91},                        /* another opcode */
        {5, 0},                           /* no question */
        {5, 2},                           /* two */
        {21, 28},                         /* of another type */
        {23, 3},                          /* of another class */
        {12, 0x41},                       /* a label of a reserved kind */
        {12, 0x81}, {12, 0xc0}, {12, 63}, /* a label longer than the rest */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(&b, 0, "a.test", DNS_A, 1, 0);
        put_a(&b, "a.test", 60, 1);
        expect(&b, DNS_A, 0, 1, 60);
        b.bytes[rows[i].at] = rows[i].value;
        expect(&b, DNS_A, -CDT_EDNSANSWER, 0, 0);
    }
}

static void test_data_of_the_wrong_length(void **state)
{
    size_t data;

    (void)state;
    for (unsigned length = 0; length < 20; length++) {
        begin(&b, 0, "a.test", DNS_A, 1, 0);
        data = open_record(&b, "@12", DNS_A, 60);
        for (unsigned i = 0; i < length; i++)
            put8(&b, 1);
        close_record(&b, data);
        expect(&b, DNS_A, length == 4 ? 0 : -CDT_EDNSANSWER, length == 4, length == 4 ? 60 : 0);
    }
    begin(&b, 0, "a.test", DNS_SRV, 1, 0);
    put_srv(&b, "@12", 80, "x.test");
    put8(&b, 0);
    close_record(&b, b.length - 15);
    expect(&b, DNS_SRV, -CDT_EDNSANSWER, 0, 0);
}

/* Pointers that lead to themselves, forwards, round, or outside, as the target of an alias and
 * of a service. */
static void test_pointers(void **state)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        {"@12", true},     {"x.@12", true},  {"@14", true},   {"@36", false},
        {"@37", false},    {"@38", false},   {"@0", false},   {"@11", false},
        {"@16383", false}, {"x.@36", false}, {"x.@30", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(&b, 0, "a.test", DNS_A, 1, 0);
        put_cname(&b, "@12", 60, rows[i].name); /* its data are at 36 */
        if (i != 0)                             /* an alias of itself */
            expect(&b, DNS_A, rows[i].good ? -CDT_ENODATA : -CDT_EDNSANSWER, 0, 0);
        begin(&b, 0, "a.test", DNS_SRV, 1, 0);
        put_srv(&b, "@12", 80, rows[i].name);
        if (rows[i].good)
            expect(&b, DNS_SRV, 0, 1, 60);
        else if (i != 3 && i != 4 && i != 5 && i != 9) /* there, data that could be a name */
            expect(&b, DNS_SRV, -CDT_EDNSANSWER, 0, 0);
    }
}

/* A long way back, pointer by pointer; and names that are too long when put together. */
static void test_long_names(void **state)
{
    char target[10], label[260];
    size_t data, at;

    (void)state;
    for (unsigned jumps = 60; jumps < 70; jumps++) {
        begin(&b, 0, "a.test", DNS_SRV, 2, 0);
        data = open_record(&b, "other.test", 99, 60);
        at = 12;
        for (unsigned i = 1; i < jumps; i++) {
            snprintf(target, sizeof target, "@%zu", at);
            at = b.length;
            put_name(&b, target);
        }
        close_record(&b, data);
        snprintf(target, sizeof target, "@%zu", at);
        put_srv(&b, "@12", 80, target);
        expect(&b, DNS_SRV, jumps <= 64 ? 0 : -CDT_EDNSANSWER, jumps <= 64, jumps <= 64 ? 60 : 0);
    }
    for (size_t length = 245; length <= 256; length++) {
        for (size_t i = 0; i < length; i++)
            label[i] = i % 50 == 49 ? '.' : 'x';
        label[length] = 0;
        if (label[length - 1] == '.')
            continue;
        begin(&b, 0, "a.test", DNS_SRV, 1, 0);
        put_srv(&b, "@12", 80, label);
        expect(&b, DNS_SRV, length <= 253 ? 0 : -CDT_EDNSANSWER, length <= 253,
               length <= 253 ? 60 : 0);
    }
}

/* A target that would be another name as text, or none. */
static void test_targets_with_odd_bytes(void **state)
{
    static const char odd[] = {0, '.', '\\', ' ', '\n', '\177', '\200', '\377'};

    (void)state;
    for (size_t i = 0; i < sizeof odd; i++) {
        size_t at;

        begin(&b, 0, "a.test", DNS_SRV, 1, 0);
        put_srv(&b, "@12", 80, "host.test");
        at = b.length - 8; /* in "host" */
        expect(&b, DNS_SRV, 0, 1, 60);
        b.bytes[at] = (uint8_t)odd[i];
        expect(&b, DNS_SRV, -CDT_EDNSANSWER, 0, 0);
    }
}

/* A pointer has 14 bits: the name at 0x400c is not the one at 12. */
static void test_pointers_reach_no_further(void **state)
{
    size_t data;

    (void)state;
    begin(&b, 0, "x.test", DNS_A, 3, 0);
    data = open_record(&b, "@12", 16 /* TXT */, 60);
    while (b.length < 0x4000)
        put8(&b, 0);
    close_record(&b, data);
    put_cname(&b, "@12", 60, "y.test"); /* written at 0x400c */
    put_a(&b, "@12", 60, 1);
    expect(&b, DNS_A, -CDT_ENODATA, 0, 0);
}

/* The most expensive messages: as many records, labels and pointers as there is room for. */
static void test_large_messages_take_no_time(void **state)
{
    uint64_t start = test_now();

    (void)state;
    begin(&b, 0, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b", DNS_A, 4000,
          0);
    for (unsigned i = 0; i < 4000; i++)
        open_record(&b, "@14", DNS_A, 60);
    expect(&b, DNS_A, -CDT_ENODATA, 0, 0);
    begin(&b, 3, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b", DNS_A, 0,
          4000);
    for (unsigned i = 0; i < 4000; i++)
        open_record(&b, "c.@14", DNS_SOA, 60);
    expect(&b, DNS_A, -CDT_ENXDOMAIN, 0, 0);
    assert_true(test_now() - start < (test_slow() ? 5 : 1) * CDT_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_more_records_than_are_taken),
        cmocka_unit_test(test_records_of_others),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_chains_in_any_order),
        cmocka_unit_test(test_chain_without_end),
        cmocka_unit_test(test_negative),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_pointers_reach_no_further),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_header_and_question),
        cmocka_unit_test(test_data_of_the_wrong_length),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_targets_with_odd_bytes),
        cmocka_unit_test(test_large_messages_take_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
