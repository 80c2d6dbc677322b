/* Host names in the form in which DNS is asked. libidn2 maps (UTS 46) and encodes (RFC 5891) what
 * is internationalised; what comes out is looked at again, because the mapping can make dots,
 * slashes and digits of characters that look like them. */
#include <idn2.h>
#include <string.h>
#include <strings.h>

#include "resolve/internal.h"

enum { NAME_LENGTH = HOST_ASCII - 1, LABEL_LENGTH = 63, INPUT_LENGTH = 1023 };

/* What is wrong with the labels of a name, and where. */
static const char *labels_wrong(struct slice name, size_t *at)
{
    *at = 0;
    if (name.length > NAME_LENGTH)
        return "expected a host name of at most 253 bytes";
    for (size_t begin = 0, end = 0; end <= name.length; end++) {
        if (end < name.length && name.at[end] != '.')
            continue;
        *at = begin;
        if (end == begin)
            return "expected no empty label in a host name";
        if (end - begin > LABEL_LENGTH)
            return "expected labels of at most 63 bytes in a host name";
        begin = end + 1;
    }
    return NULL;
}

/* Whether a name has other bytes than ASCII, or labels that say they are encoded. */
static bool is_international(struct slice host)
{
    for (size_t i = 0; i < host.length; i++) {
        if ((unsigned char)host.at[i] >= 128)
            return true;
        if ((i == 0 || host.at[i - 1] == '.') && host.length - i >= 4 &&
            strncasecmp(host.at + i, "xn--", 4) == 0)
            return true;
    }
    return false;
}

static const char *idna_wrong(int code)
{
    static const struct {
        int code;
        const char *sentence;
    } rows[] = {
        {IDN2_ENCODING_ERROR, "expected a host name in UTF-8"},
        {IDN2_TOO_BIG_DOMAIN, "expected a host name of at most 253 bytes"},
        {IDN2_TOO_BIG_LABEL, "expected labels of at most 63 bytes in a host name"},
        {IDN2_PUNYCODE_BIG_OUTPUT, "expected labels of at most 63 bytes in a host name"},
        {IDN2_PUNYCODE_BAD_INPUT, "expected a valid A-label after xn--"},
        {IDN2_PUNYCODE_OVERFLOW, "expected a valid A-label after xn--"},
        {IDN2_INVALID_ALABEL, "expected a valid A-label after xn--"},
        {IDN2_ALABEL_ROUNDTRIP_FAILED, "expected a valid A-label after xn--"},
        {IDN2_HYPHEN_STARTEND, "expected no hyphen at the ends of an internationalised label"},
        {IDN2_2HYPHEN, "expected no -- as third and fourth byte in an internationalised name"},
        {IDN2_BIDI, "expected a host name of one direction (RFC 5893)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].code == code)
            return rows[i].sentence;
    }
    return "expected a host name that IDNA allows (RFC 5892)";
}

/* An ASCII name: the last checks, small letters, no trailing dot. */
static const char *take_ascii(struct slice name, char out[HOST_ASCII], size_t *at)
{
    if (name.length && name.at[name.length - 1] == '.')
        name.length--;
    const char *why = labels_wrong(name, at);
    if (why)
        return why;
    for (size_t i = 0; i < name.length; i++) {
        const char c = name.at[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    out[name.length] = 0;
    return NULL;
}

/* The names that nearly all are, in one pass: labels of letters, digits, hyphens and underlines, the last of
 * which does not begin with a digit. False: it takes a closer look. */
static bool take_plain(struct slice host, char out[HOST_ASCII])
{
    size_t label = 0, length = host.length;
    if (length && host.at[length - 1] == '.')
        length--;
    if (length == 0 || length > NAME_LENGTH)
        return false;
    for (size_t i = 0; i < length; i++) {
        const char c = host.at[i], small = (char)(c | 32);
        if (c == '.') {
            if (i == label || i - label > LABEL_LENGTH)
                return false;
            label = i + 1;
        } else if (!((small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                     (c == '-' && i - label != 3))) { /* not xn-- */
            return false;
        }
        out[i] = c >= 'A' && c <= 'Z' ? small : c;
    }
    out[length] = 0;
    return length - label - 1 < LABEL_LENGTH && !(out[label] >= '0' && out[label] <= '9');
}

int host_to_ascii_at(struct slice host, char out[HOST_ASCII], const char **why, size_t *at)
{
    *why = NULL;
    if (take_plain(host, out))
        return 0;
    *why = endp_host_wrong(host, at);
    if (*why)
        return -EINVAL;
    if (!is_international(host)) {
        *why = take_ascii(host, out, at);
        return *why ? -EINVAL : 0;
    }
    char name[INPUT_LENGTH + 1];
    uint8_t *encoded = NULL;
    memcpy(name, host.at, host.length);
    name[host.length] = 0;
    const int code =
        idn2_lookup_u8((uint8_t *)name, &encoded, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (code == IDN2_MALLOC) {
        *why = "not enough memory";
        return -ENOMEM;
    }
    if (code == IDN2_OK) {
        const struct slice ascii = slice_of((char *)encoded);
        *why = endp_host_wrong(ascii, at);
        if (!*why)
            *why = take_ascii(ascii, out, at);
        idn2_free(encoded);
    } else {
        *why = idna_wrong(code);
    }
    *at = 0; /* offsets in the encoded name say nothing */
    return *why ? -EINVAL : 0;
}

int host_to_ascii(struct slice host, char out[HOST_ASCII], const char **why)
{
    size_t at;
    return host_to_ascii_at(host, out, why, &at);
}
