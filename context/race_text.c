/* The sentence that says what became of each attempt of a race. */
#include <stdio.h>
#include <string.h>

#include "context/race.h"

enum { TEXT_SIZE = 1024, TEXT_ONE = 640 };

/* "[::1]:80: connection refused"; why alone where that says all. */
static void describe_one(const struct race *race, const struct attempt *attempt, char one[TEXT_ONE])
{
    char name[CDT_ADDR_TEXT];
    const char *why = attempt->why ? attempt->why : cdt_strerror(attempt->status);
    const char *tells = attempt_vchan_tells(attempt);
    if (attempt->ops) /* it goes on */
        why = tells ? tells : "no answer";
    if (attempt->addr.length)
        cdt_addr_format(&attempt->addr, name);
    else
        cdt_endp_format(attempt->endp, CDT_ENDP_SHORT, name, sizeof name);
    if (!race->named || attempt->endp->kind == CDT_ENDP_UNKNOWN)
        snprintf(one, TEXT_ONE, "%s", why);
    else
        snprintf(one, TEXT_ONE, "%s: %s", name, why);
}

const char *race_describe(struct race *race)
{
    static const char more[] = "; ...";
    char one[TEXT_ONE];
    size_t used = 0;
    if (!race->text)
        race->text = mem_alloc(TEXT_SIZE);
    if (!race->text)
        return NULL;
    race->text[0] = 0;
    for (const struct attempt *attempt = race->attempts; attempt; attempt = attempt->next) {
        describe_one(race, attempt, one);
        if (used + 2 + strlen(one) + sizeof more > TEXT_SIZE) {
            memcpy(race->text + used, more, sizeof more);
            break;
        }
        used +=
            (size_t)snprintf(race->text + used, TEXT_SIZE - used, "%s%s", used ? "; " : "", one);
    }
    return race->text;
}
