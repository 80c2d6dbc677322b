/* Fuzzing the texts of endpoints: what reads is printed, and reads back equal, in every form that
 * has a text of its own; what does not read has an offset inside the text and a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <conduit/endp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_error(const struct cdt_text_error *error, size_t length)
{
    check(error->offset <= length);
    check(strncmp(error->text, "offset ", 7) == 0 && strstr(error->text, ": expected "));
}

static void check_form(const struct cdt_endp *endp, enum cdt_endp_form form)
{
    char *text;
    struct cdt_endp *again;
    const enum cdt_endp_kind kind = endp->kind;
    check(cdt_endp_text(endp, form, &text) == 0);
    check((int)strlen(text) == cdt_endp_format(endp, form, NULL, 0));
    const int is_quoted = (kind == CDT_ENDP_HOST || kind == CDT_ENDP_FD) && *text == '"';
    if (!is_quoted) { /* an atom in quotes reads only inside TLS */
        check(cdt_endp_parse(text, &again, NULL) == 0);
        check(cdt_endp_equal(endp, again));
        check(cdt_endp_hash(endp) == cdt_endp_hash(again));
        cdt_endp_free(again);
    }
    cdt_endp_text_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cdt_endp *endp = NULL, *copy;
    struct cdt_text_error error;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    if (cdt_endp_parse(text, &endp, &error) != 0) {
        check(!endp);
        check_error(&error, strlen(text));
    } else {
        check(cdt_endp_copy(endp, &copy) == 0 && cdt_endp_equal(endp, copy));
        cdt_endp_free(copy);
        for (int form = CDT_ENDP_HUMAN; form <= CDT_ENDP_SHORT; form++)
            check_form(endp, (enum cdt_endp_form)form);
        cdt_endp_free(endp);
    }
    free(text);
    return 0;
}
