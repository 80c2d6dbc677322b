/* Endpoints at random: whatever is printed, in any form, reads back as what it was; and texts that
 * are spoilt at random neither crash nor leak. Run with CDT_TEST_SEED to repeat a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <conduit/endp.h>

#include "resolve/internal.h"

static uint64_t seed;

static uint32_t number(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

/* Bytes that matter to readers come often. */
static struct slice random_name(char memory[64], uint32_t shortest)
{
    static const char special[] = "();\"\\|#'\n\t\r\b\f @/:%[]0x19~\177\200\377";
    const size_t length = shortest + number(20);
    for (size_t i = 0; i < length; i++) {
        const uint32_t what = number(4);
        memory[i] = what == 0   ? special[number(sizeof special)]
                    : what == 1 ? (char)number(256)
                                : (char)('a' + number(26));
    }
    return (struct slice){memory, length};
}

static struct slice random_host(char memory[64])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-._\303\251";
    char ascii[HOST_ASCII];
    const char *why;
    struct slice host = {memory, 0};
    do {
        host.length = 1 + number(30);
        for (size_t i = 0; i < host.length; i++)
            memory[i] = letters[number(sizeof letters - 1)];
    } while (host_to_ascii(host, ascii, &why) != 0);
    return host;
}

static struct cdt_addr random_addr(void)
{
    struct cdt_addr addr = {0};
    if (number(2)) {
        addr.length = sizeof addr.v4;
        addr.v4.sin_family = AF_INET;
        addr.v4.sin_addr.s_addr = number(UINT32_MAX);
        addr.v4.sin_port = (in_port_t)number(65536);
        return addr;
    }
    addr.length = sizeof addr.v6;
    addr.v6.sin6_family = AF_INET6;
    addr.v6.sin6_port = (in_port_t)number(65536);
    addr.v6.sin6_scope_id = number(4) ? 0 : 1 + number(1000);
    for (int i = 0; i < 16; i++)
        addr.v6.sin6_addr.s6_addr[i] = number(3) ? 0 : (uint8_t)number(256);
    return addr;
}

static struct cdt_endp *random_endp(unsigned depth)
{
    char name[64], port[64];
    enum cdt_endp_kind kind = (enum cdt_endp_kind)number(CDT_ENDP_KINDS);
    struct cdt_endp *inner = NULL;
    struct slice first = random_name(name, 0), second = {"", 0};
    uint32_t value = 0;
    if (kind == CDT_ENDP_TLS && depth == 0)
        kind = CDT_ENDP_TCP;
    if (kind == CDT_ENDP_TLS)
        inner = random_endp(depth - 1);
    if (inner && number(2)) { /* as the short text has it */
        char memory[CDT_ADDR_TEXT];
        const struct slice derived = endp_tls_name(inner, memory);
        if (derived.length < sizeof name)
            first = (struct slice){memcpy(name, derived.at, derived.length), derived.length};
    }
    if (kind == CDT_ENDP_HOST) {
        first = number(8) ? random_host(name) : (struct slice){"", 0};
        value = number(65536);
    }
    if (kind == CDT_ENDP_SYSTEMD)
        first = random_name(name, 0);
    if (kind == CDT_ENDP_VCHAN_DIRECT || kind == CDT_ENDP_VCHAN_DOMAIN_SOCKET)
        second = random_name(port, 0);
    if (kind == CDT_ENDP_VCHAN_DIRECT || kind == CDT_ENDP_FD)
        value = number(65536);
    if (kind == CDT_ENDP_TCP || kind == CDT_ENDP_VCHAN_DIRECT || kind == CDT_ENDP_FD)
        first.length = 0;
    struct cdt_endp *endp = endp_make(kind, value, first, second);
    if (kind == CDT_ENDP_TCP)
        endp->addr = random_addr();
    endp->inner = inner;
    return endp;
}

/* A text alone that is an atom is read in quotes only inside TLS. */
static bool reads_back(const struct cdt_endp *endp, enum cdt_endp_form form)
{
    return form == CDT_ENDP_SHORT || (endp->kind != CDT_ENDP_HOST && endp->kind != CDT_ENDP_FD);
}

enum { RANDOM_ENDPS = 100000, RANDOM_TEXTS = 300000 };

static void test_print_and_read(void **state)
{
    (void)state;
    for (int i = 0; i < RANDOM_ENDPS; i++) {
        struct cdt_endp *endp = random_endp(number(4)), *copy, *again;
        assert_int_equal(cdt_endp_copy(endp, &copy), 0);
        assert_true(cdt_endp_equal(endp, copy));
        assert_int_equal(cdt_endp_hash(endp), cdt_endp_hash(copy));
        for (int form = CDT_ENDP_HUMAN; form <= CDT_ENDP_SHORT; form++) {
            char *text;
            struct cdt_text_error error;
            if (!reads_back(endp, (enum cdt_endp_form)form))
                continue;
            assert_int_equal(cdt_endp_text(endp, (enum cdt_endp_form)form, &text), 0);
            if (cdt_endp_parse(text, &again, &error) != 0)
                fail_msg("seed %lu: %s: %s", (unsigned long)seed, text, error.text);
            if (!cdt_endp_equal(endp, again))
                fail_msg("seed %lu: %s reads as another", (unsigned long)seed, text);
            cdt_endp_free(again);
            cdt_endp_text_free(text);
        }
        cdt_endp_free(endp);
        cdt_endp_free(copy);
    }
    print_message("%d endpoints\n", RANDOM_ENDPS);
}

static void spoil(char *text, size_t size)
{
    static const char pieces[][6] = {"(", ")", "\"", "\\", "#|", "|#", "#;", ";",  "\n",   " ",
                                     ":", "/", "[",  "]",  "%",  "@",  "0",  "65", "tcp:", "tls+"};
    for (uint32_t count = 1 + number(4); count; count--) {
        const size_t length = strlen(text), at = number((uint32_t)length + 1);
        const char *piece = pieces[number(sizeof pieces / sizeof *pieces)];
        switch (number(4)) {
        case 0: /* cut */
            text[at] = 0;
            break;
        case 1: /* another byte */
            if (at < length)
                text[at] = (char)(1 + number(255));
            break;
        case 2: /* one less */
            if (at < length)
                memmove(text + at, text + at + 1, length - at);
            break;
        default: /* a piece more */
            if (length + strlen(piece) + 1 >= size)
                break;
            memmove(text + at + strlen(piece), text + at, length - at + 1);
            memcpy(text + at, piece, strlen(piece));
        }
    }
}

static void test_spoilt_texts(void **state)
{
    (void)state;
    int read = 0;
    for (int i = 0; i < RANDOM_TEXTS; i++) {
        char text[2048], printed[8192];
        struct cdt_endp *endp = random_endp(number(3)), *again;
        struct cdt_text_error error;
        cdt_endp_format(endp, (enum cdt_endp_form)number(3), text, sizeof text - 100);
        cdt_endp_free(endp);
        spoil(text, sizeof text);
        if (cdt_endp_parse(text, &endp, &error) != 0) {
            assert_true(error.offset <= strlen(text));
            assert_non_null(strstr(error.text, "expected"));
            continue;
        }
        read++;
        cdt_endp_format(endp, CDT_ENDP_SHORT, printed, sizeof printed);
        if (cdt_endp_parse(printed, &again, &error) != 0 || !cdt_endp_equal(endp, again))
            fail_msg("%s printed as %s: %s", text, printed, error.text);
        cdt_endp_free(endp);
        cdt_endp_free(again);
    }
    print_message("%d texts, %d could be read\n", RANDOM_TEXTS, read);
}

int main(void)
{
    const char *given = getenv("CDT_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u;
    seed |= 1;
    printf("seed %lu\n", (unsigned long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_and_read),
        cmocka_unit_test(test_spoilt_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
