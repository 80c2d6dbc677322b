/* Subject and issuer for people (RFC 5280 section 4.1.2.4): attributes in the order in which they
 * stand, as "O=Some, CN=example.org"; what a terminal would not show as it is, is shown as
 * bytes. */
#include "tls/certificate.h"
#include "tls/line.h"

enum {
    SET = 0x31,
    UTF8_STRING = 0x0c,
    UNIVERSAL_STRING = 0x1c,
    BMP_STRING = 0x1e,
    NO_CHARACTER = 0x110000
};

/* ---- attributes ------------------------------------------------------------------------------ */

static const struct {
    const char *id, *name;
    uint8_t length;
} attributes[] = {
    {"\x55\x04\x03", "CN", 3},
    {"\x55\x04\x04", "SN", 3},
    {"\x55\x04\x05", "serialNumber", 3},
    {"\x55\x04\x06", "C", 3},
    {"\x55\x04\x07", "L", 3},
    {"\x55\x04\x08", "ST", 3},
    {"\x55\x04\x09", "STREET", 3},
    {"\x55\x04\x0a", "O", 3},
    {"\x55\x04\x0b", "OU", 3},
    {"\x55\x04\x0c", "title", 3},
    {"\x55\x04\x2a", "GN", 3},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID", 10},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC", 10},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress", 9},
};

static void add(struct line *line, const char *piece)
{
    line_add(line, piece, strlen(piece));
}

/* One number of an identifier, of seven bits a byte (X.690 section 8.19); false: malformed, or too
 * large to be one. */
static bool take_arc(struct der *id, uint32_t *arc)
{
    *arc = 0;
    for (;;) {
        if (der_left(id) == 0 || *arc > UINT32_MAX >> 7 || (*arc == 0 && *id->at == 0x80))
            return false;
        const uint8_t byte = *id->at++;
        *arc = *arc << 7 | (byte & 0x7fu);
        if (byte < 0x80)
            return true;
    }
}

/* As numbers; "?" stands for what cannot be read, and for all behind it. */
static void add_dotted(struct line *line, struct der id)
{
    char piece[24];
    uint32_t arc;
    for (bool first = true; first || der_left(&id) > 0; first = false) {
        if (!take_arc(&id, &arc)) {
            add(line, first ? "?" : ".?");
            return;
        }
        if (first) { /* two in one */
            const uint32_t root = arc < 80 ? arc / 40 : 2;
            snprintf(piece, sizeof piece, "%u.%u", root, arc - root * 40);
        } else {
            snprintf(piece, sizeof piece, ".%u", arc);
        }
        add(line, piece);
    }
}

static void add_type(struct line *line, struct der id)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (der_left(&id) == attributes[i].length &&
            memcmp(id.at, attributes[i].id, attributes[i].length) == 0) {
            add(line, attributes[i].name);
            return;
        }
    }
    add_dotted(line, id);
}

/* ---- values ---------------------------------------------------------------------------------- */

static uint32_t big_endian(const uint8_t *bytes, size_t length)
{
    uint32_t number = 0;
    for (size_t i = 0; i < length; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* The character in UTF-8 at the beginning, in its shortest form (RFC 3629), and its length. */
static uint32_t read_utf8(const struct der *text, size_t *length)
{
    static const struct {
        uint8_t mask, lead, length;
        uint32_t least;
    } forms[] = {
        {0x80, 0, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
    const uint8_t lead = *text->at;
    *length = 1;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if ((lead & forms[i].mask) != forms[i].lead)
            continue;
        uint32_t character = lead & (uint8_t)~forms[i].mask;
        if (forms[i].length > der_left(text))
            return NO_CHARACTER;
        for (size_t j = 1; j < forms[i].length; j++) {
            if ((text->at[j] & 0xc0) != 0x80)
                return NO_CHARACTER;
            character = character << 6 | (text->at[j] & 0x3fu);
        }
        if (character < forms[i].least)
            return NO_CHARACTER;
        *length = forms[i].length;
        return character;
    }
    return NO_CHARACTER;
}

/* The next character of a string of that tag, and of how many bytes it is. */
static uint32_t read_character(const struct der *text, uint8_t tag, size_t *length)
{
    const size_t width = tag == BMP_STRING ? 2 : tag == UNIVERSAL_STRING ? 4 : 1;
    if (tag == UTF8_STRING)
        return read_utf8(text, length);
    *length = width <= der_left(text) ? width : 1;
    const uint32_t character = big_endian(text->at, *length);
    return *length == width && (width > 1 || character < 128) ? character : NO_CHARACTER;
}

/* Not controls, surrogates, or what is invisible or turns the direction of what follows: that would
 * let a name look like another one. */
static bool is_plain(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } bad[] = {{0, 0x1f},        {0x7f, 0xa0},     {0xad, 0xad},     {0x61c, 0x61c},
               {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
               {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},
               {0x3164, 0x3164}, {0xd800, 0xf8ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
               {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, UINT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (c >= bad[i].first && c <= bad[i].last)
            return false;
    }
    return true;
}

static void add_character(struct line *line, uint32_t c)
{
    char piece[4];
    size_t length = 0;
    if (c == ',' || c == '+' || c == '\\') /* they would read as what stands between names */
        piece[length++] = '\\';
    if (c < 0x80) {
        piece[length++] = (char)c;
    } else if (c < 0x800) {
        piece[length++] = (char)(0xc0 | c >> 6);
        piece[length++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        piece[length++] = (char)(0xe0 | c >> 12);
        piece[length++] = (char)(0x80 | (c >> 6 & 0x3f));
        piece[length++] = (char)(0x80 | (c & 0x3f));
    } else {
        piece[length++] = (char)(0xf0 | c >> 18);
        piece[length++] = (char)(0x80 | (c >> 12 & 0x3f));
        piece[length++] = (char)(0x80 | (c >> 6 & 0x3f));
        piece[length++] = (char)(0x80 | (c & 0x3f));
    }
    line_add(line, piece, length);
}

static void add_value(struct line *line, uint8_t tag, struct der value)
{
    size_t length;
    for (; der_left(&value) > 0 && !line->full; value.at += length) {
        const uint32_t character = read_character(&value, tag, &length);
        if (is_plain(character)) {
            add_character(line, character);
            continue;
        }
        for (size_t i = 0; i < length; i++) {
            char piece[5];
            snprintf(piece, sizeof piece, "\\x%02x", value.at[i]);
            line_add(line, piece, 4);
        }
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A set of attributes, mostly of one. */
static bool add_set(struct line *line, struct der set)
{
    struct der attribute, id, value;
    uint8_t tag;
    for (const char *between = ""; der_left(&set) > 0; between = "+") {
        if (!der_take(&set, DER_SEQUENCE, &attribute) || !der_take(&attribute, DER_OID, &id) ||
            !der_next(&attribute, &tag, &value) || der_left(&attribute) > 0)
            return false;
        add(line, between);
        add_type(line, id);
        add(line, "=");
        add_value(line, tag, value);
    }
    return true;
}

static bool add_name(struct line *line, struct der name)
{
    struct der set;
    for (const char *between = ""; der_left(&name) > 0; between = ", ") {
        if (!der_take(&name, SET, &set) || der_left(&set) == 0)
            return false;
        add(line, between);
        if (!add_set(line, set))
            return false;
    }
    return true;
}

static void describe(bool good, struct der name, const char *empty, char *text, size_t size)
{
    struct line line;
    if (size == 0)
        return;
    line_begin(&line, text, size);
    if (!good || !add_name(&line, name)) { /* nothing of it is shown then */
        line_begin(&line, text, size);
        add(&line, "(malformed)");
    } else if (der_left(&name) == 0) {
        add(&line, empty);
    }
    line_end(&line);
}

void tls_certificate_subject(const uint8_t *der, size_t length, char *text, size_t size)
{
    struct tls_certificate_fields fields = {0};
    const bool good = tls_certificate_fields(der, length, &fields);
    describe(good, fields.subject, "(no subject)", text, size);
}

void tls_certificate_issuer(const uint8_t *der, size_t length, char *text, size_t size)
{
    struct tls_certificate_fields fields = {0};
    const bool good = tls_certificate_fields(der, length, &fields);
    describe(good, fields.issuer, "(no issuer)", text, size);
}
