/* Fuzzes the reader of DNS answers: the first byte picks the type, the rest is the message. */
#include <stdlib.h>
#include <string.h>

#include "resolve/message.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(const char name[DNS_NAME_MAX])
{
    uint8_t question[MESSAGE_QUESTION_MAX];
    size_t length = strnlen(name, DNS_NAME_MAX);

    check(length < DNS_NAME_MAX);
    /* What was read may be asked for. */
    check(!length || message_question(name, DNS_A, question));
}

static void check_answer(const struct dns_answer *answer, size_t length)
{
    check(answer->status == 0 || answer->status == -CDT_ENXDOMAIN ||
          answer->status == -CDT_ENODATA || answer->status == -CDT_ESERVFAIL ||
          answer->status == -CDT_EDNSREFUSED || answer->status == -CDT_EDNSANSWER);
    check((answer->status == 0) == (answer->count > 0));
    check(answer->count <= DNS_RECORDS_MAX && answer->count * 13 <= length);
    check(answer->ttl <= (answer->status ? MESSAGE_NEGATIVE_TTL_MAX : MESSAGE_TTL_MAX));
    for (unsigned i = 0; answer->type == DNS_SRV && i < answer->count; i++)
        check_name(answer->srv[i].target);
    for (unsigned i = 0; answer->type == DNS_A && i < answer->count; i++)
        check(answer->a[i].s_addr != 0x12345678 || length > 12); /* reads every record */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV};
    struct dns_answer *answer;
    uint8_t *copy;

    if (!size)
        return 0;
    copy = malloc(size - 1); /* of this size exactly, so that a byte too much is noticed */
    check(copy || size == 1);
    memcpy(copy, data + 1, size - 1);
    answer = dns_message_read(copy, size - 1, types[data[0] % 3], NULL);
    check(answer);
    check(answer->type == types[data[0] % 3]);
    check_answer(answer, size);
    mem_free(answer);
    free(copy);
    return 0;
}
