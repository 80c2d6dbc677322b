/* Fuzzing the ClientHello's reader. The first byte says what the rest is: that of records (0x16), records
 * (from 0x80), a list of protocols as text (0x17), or the body of a message, to be wrapped into records
 * of that size. What reads has a sound name and sound protocols, and reads as well in other records; a
 * prefix of it needs more; more bytes never change a verdict. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tls/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(const char name[HELLO_NAME])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t length = strnlen(name, HELLO_NAME);

    check(length < HELLO_NAME && strspn(name, good) == length);
    check(!length || (name[0] != '.' && name[length - 1] != '.' && !strstr(name, "..")));
}

static bool inside(const uint8_t *at, size_t length, const uint8_t *bytes, size_t size)
{
    return at >= bytes && at <= bytes + size && length <= (size_t)(bytes + size - at);
}

/* The list is sound, and if it is ours, too, the first of it is chosen. */
static void check_protocols(const struct hello *hello)
{
    size_t length = 0, at = 0;

    while (at < hello->alpn_length) {
        size_t one = hello->alpn[at];

        check(one && one < hello->alpn_length - at);
        at += 1 + one;
    }
    check(at == hello->alpn_length);
    check(hello_choose_alpn(hello, hello->alpn, hello->alpn_length, &length) == hello->alpn + 1);
    check(length == hello->alpn[0]);
}

static int read_copy(const uint8_t *bytes, size_t length)
{
    uint8_t *memory = malloc(1 + length), *scratch = malloc(HELLO_MAX), *copy;
    struct hello hello;
    int status;

    if (!memory || !scratch)
        abort();
    copy = memory + 1; /* ends where the memory does, so that a byte too much is noticed */
    memcpy(copy, bytes, length);
    status = hello_read(copy, length, scratch, &hello);

    check(status == 0 || status == -EAGAIN || status == -EPROTO || status == -E2BIG);
    check_name(hello.name);
    check(!hello.version || hello.version == 0x0303 || hello.version == 0x0304);
    check((hello.alpn != NULL) == (hello.alpn_length > 0));
    check(!status || (!hello.name[0] && !hello.version && !hello.alpn));
    if (hello.alpn) {
        check(inside(hello.alpn, hello.alpn_length, copy, length) ||
              inside(hello.alpn, hello.alpn_length, scratch, HELLO_MAX));
        check_protocols(&hello);
    }
    free(memory);
    free(scratch);
    return status;
}

/* Prefixes: all of the first bytes, then some. */
static void check_prefixes(const uint8_t *bytes, size_t length, int status)
{
    bool over = false;

    for (size_t cut = 0; cut < length; cut += cut < 16 ? 1 : 1 + length / 16) {
        int earlier = read_copy(bytes, cut);

        check(earlier == -EAGAIN || earlier == status);
        check(!over || earlier == status);
        over = earlier != -EAGAIN;
    }
}

/* The end of the hello in records that were found good. */
static size_t end_of(const uint8_t *bytes)
{
    size_t at = 0, seen = 0, need = 4;
    uint8_t header[4];

    while (seen < need) {
        size_t size = (size_t)bytes[at + 3] << 8 | bytes[at + 4];

        for (size_t i = 0; i < size && seen + i < 4; i++)
            header[seen + i] = bytes[at + 5 + i];
        seen += size;
        at += 5 + size;
        if (seen >= 4)
            need = 4 + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
    }
    return at;
}

static size_t wrap(uint8_t *to, const uint8_t *message, size_t length, size_t record)
{
    uint8_t *begin = to;

    for (size_t at = 0; at < length; at += record) {
        size_t size = length - at < record ? length - at : record;

        memcpy(to, (uint8_t[]){22, 3, 1, (uint8_t)(size >> 8), (uint8_t)size}, 5);
        memcpy(to + 5, message + at, size);
        to += 5 + size;
    }
    return (size_t)(to - begin);
}

static void check_records(const uint8_t *bytes, size_t length)
{
    int status = read_copy(bytes, length);
    size_t end;

    check_prefixes(bytes, length, status);
    if (status)
        return;
    end = end_of(bytes);
    check(end <= length && end <= HELLO_MAX);
    check(read_copy(bytes, end) == 0 && read_copy(bytes, end - 1) == -EAGAIN);
}

/* The message after its type and length, which are put in front of it. */
static void check_message(const uint8_t *body, size_t length, size_t record)
{
    static uint8_t message[4 + 8192], whole[5 + sizeof message], small[6 * sizeof message];
    size_t whole_length, small_length;
    int status;

    if (length > sizeof message - 4)
        length = sizeof message - 4;
    memcpy(message, (uint8_t[]){1, 0, (uint8_t)(length >> 8), (uint8_t)length}, 4);
    if (length)
        memcpy(message + 4, body, length);
    whole_length = wrap(whole, message, 4 + length, 16384);
    status = read_copy(whole, whole_length);
    check(status == 0 || status == -EPROTO);
    check_records(whole, whole_length);
    small_length = wrap(small, message, 4 + length, record);
    if (small_length <= HELLO_MAX)
        check(read_copy(small, small_length) == status);
    check_records(small, small_length);
}

/* What reads is the text with lengths for commas. */
static void check_text(const uint8_t *bytes, size_t length)
{
    uint8_t wire[600], *exact;
    char text[sizeof wire + 100] = "";
    size_t at = 0;
    int size;

    memcpy(text, bytes, length < sizeof text ? length : sizeof text - 1);
    size = hello_alpn_text(text, wire, sizeof wire);
    check(size == -EINVAL || size == -ENOSPC || (size_t)size == strlen(text) + 1);
    if (size < 0)
        return;
    exact = malloc((size_t)size);
    if (!exact)
        abort();
    check(hello_alpn_text(text, exact, (size_t)size - 1) == -ENOSPC);
    check(hello_alpn_text(text, exact, (size_t)size) == size);
    check(memcmp(exact, wire, (size_t)size) == 0);
    free(exact);
    for (const char *item = text; at < (size_t)size; item += wire[at] + 1, at += 1u + wire[at]) {
        check(wire[at] == strcspn(item, ","));
        check(memcmp(wire + at + 1, item, wire[at]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (data[0] == 0x17) {
        if (size > 1)
            check_text(data + 1, size - 1);
        return 0;
    }
    if (data[0] == 0x16 || data[0] >= 0x80)
        check_records(data + (data[0] != 0x16), size - (data[0] != 0x16));
    else
        check_message(data + 1, size - 1, 1 + data[0]);
    return 0;
}
