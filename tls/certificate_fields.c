/* The way to the fields of a certificate (RFC 5280 section 4.1), and its dates (section
 * 4.1.2.5). */
#include <errno.h>

#include "tls/certificate.h"

bool tls_certificate_fields(const uint8_t *der, size_t length,
                            struct tls_certificate_fields *fields)
{
    struct der certificate = {der, der ? der + length : NULL}, tbs;
    if (!der_enter(&certificate, DER_SEQUENCE) || !der_take(&certificate, DER_SEQUENCE, &tbs))
        return false;
    der_take(&tbs, DER_CONTEXT | DER_CONSTRUCTED | 0, NULL); /* version */
    return der_take(&tbs, DER_INTEGER, NULL) &&              /* serial number */
           der_take(&tbs, DER_SEQUENCE, NULL) &&             /* signature algorithm */
           der_take(&tbs, DER_SEQUENCE, &fields->issuer) &&
           der_take(&tbs, DER_SEQUENCE, &fields->validity) &&
           der_take(&tbs, DER_SEQUENCE, &fields->subject);
}

/* ---- dates ----------------------------------------------------------------------------------- */

enum { UTC_TIME = 0x17, GENERALIZED_TIME = 0x18, CENTURY_BEGINS = 50 };

/* Takes a number of two digits: false if it is none, or out of bounds. */
static bool take_two(struct der *text, unsigned least, unsigned most, unsigned *number)
{
    if (der_left(text) < 2 || text->at[0] < '0' || text->at[0] > '9' || text->at[1] < '0' ||
        text->at[1] > '9')
        return false;
    *number = (text->at[0] - '0') * 10u + (text->at[1] - '0');
    text->at += 2;
    return *number >= least && *number <= most;
}

static bool take_year(struct der *text, uint8_t tag, unsigned *year)
{
    unsigned century, rest;
    if (tag == UTC_TIME) {
        if (!take_two(text, 0, 99, &rest))
            return false;
        *year = rest + (rest < CENTURY_BEGINS ? 2000 : 1900);
        return true;
    }
    if (tag != GENERALIZED_TIME || !take_two(text, 0, 99, &century) ||
        !take_two(text, 0, 99, &rest))
        return false;
    *year = century * 100 + rest;
    return true;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Since 1 January 1970, in the Gregorian calendar. */
static int64_t days_before(unsigned year, unsigned month, unsigned day)
{
    enum { BEFORE_1970 = 719528 }; /* 1 January 1970 is that many days after 1 January 0 */
    const unsigned past = year ? year - 1 : 0;
    int64_t days = (int64_t)365 * year + past / 4 - past / 100 + past / 400 + (year > 0);
    for (unsigned m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1 - BEFORE_1970;
}

/* In UTC, with seconds, without fractions: the one form that RFC 5280 has of each type. */
static bool take_time(struct der *from, int64_t *time)
{
    struct der text;
    uint8_t tag;
    unsigned year, month, day, hour, minute, second;
    if (!der_next(from, &tag, &text) || !take_year(&text, tag, &year) ||
        !take_two(&text, 1, 12, &month) || !take_two(&text, 1, days_of_month(year, month), &day) ||
        !take_two(&text, 0, 23, &hour) || !take_two(&text, 0, 59, &minute) ||
        !take_two(&text, 0, 59, &second) || der_left(&text) != 1 || *text.at != 'Z')
        return false;
    *time = ((days_before(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

int tls_certificate_validity(const uint8_t *der, size_t length, int64_t *from, int64_t *to)
{
    struct tls_certificate_fields fields;
    if (!tls_certificate_fields(der, length, &fields) || !take_time(&fields.validity, from) ||
        !take_time(&fields.validity, to) || der_left(&fields.validity) > 0)
        return -EBADMSG;
    return 0;
}
