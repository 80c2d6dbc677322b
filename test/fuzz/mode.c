/* Fuzzing the texts of modes: each of the four readers; what reads is printed, and reads back and
 * prints the same; what does not read has an offset inside the text and a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <conduit/mode.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void check_error(const struct cdt_text_error *error, const char *text)
{
    check(error->offset <= strlen(text));
    check(strncmp(error->text, "offset ", 7) == 0 && strstr(error->text, ": expected "));
}

enum { TEXT = 1 << 16 };
static char printed[TEXT], again[TEXT];

static void service(const char *text, enum cdt_endp_form form)
{
    struct cdt_service one, other;
    struct cdt_text_error error;
    if (cdt_service_parse(text, &one, &error) != 0) {
        check_error(&error, text);
        return;
    }
    check(cdt_service_format(&one, form, printed, TEXT) < TEXT);
    check(cdt_service_parse(printed, &other, NULL) == 0);
    check(strcmp(one.name, other.name) == 0 && one.port == other.port && one.tls == other.tls);
}

static void client(const char *text, enum cdt_endp_form form)
{
    struct cdt_client_mode *one = NULL, *other;
    struct cdt_text_error error;
    if (cdt_client_mode_parse(text, &one, &error) != 0) {
        check(!one);
        check_error(&error, text);
        return;
    }
    check(cdt_client_mode_format(one, form, printed, TEXT) < TEXT);
    check(cdt_client_mode_parse(printed, &other, NULL) == 0);
    check(one->tls == other->tls && cdt_endp_equal(one->endp, other->endp));
    cdt_client_mode_free(other);
    check(cdt_endp_to_client(one->endp, &other, NULL) == 0);
    check(cdt_endp_equal(one->endp, other->endp));
    cdt_client_mode_free(other);
    cdt_client_mode_free(one);
}

static void server(const char *text, enum cdt_endp_form form)
{
    struct cdt_server_mode *one = NULL, *other;
    struct cdt_text_error error;
    if (cdt_server_mode_parse(text, &one, &error) != 0) {
        check(!one);
        check_error(&error, text);
        return;
    }
    check(cdt_server_mode_format(one, form, printed, TEXT) < TEXT);
    check(cdt_server_mode_parse(printed, &other, NULL) == 0);
    check(one->tls == other->tls && cdt_endp_equal(one->endp, other->endp));
    check(cdt_server_mode_format(other, form, again, TEXT) < TEXT);
    check(strcmp(printed, again) == 0);
    cdt_server_mode_free(other);
    check(cdt_endp_to_server(one->endp, &one->key, &other, NULL) == 0);
    check(cdt_endp_equal(one->endp, other->endp));
    cdt_server_mode_free(other);
    cdt_server_mode_free(one);
}

static void own_key(const char *text, enum cdt_endp_form form)
{
    struct cdt_own_key *one = NULL, *other;
    struct cdt_text_error error;
    if (cdt_own_key_parse(text, &one, &error) != 0) {
        check(!one);
        check_error(&error, text);
        return;
    }
    check(cdt_own_key_format(one, form, printed, TEXT) < TEXT);
    check(cdt_own_key_parse(printed, &other, NULL) == 0);
    check(cdt_own_key_format(other, form, again, TEXT) < TEXT);
    check(strcmp(printed, again) == 0);
    cdt_own_key_free(other);
    cdt_own_key_free(one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT / 8)
        return 0;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    for (int form = CDT_ENDP_HUMAN; form <= CDT_ENDP_MACHINE; form++) {
        service(text, (enum cdt_endp_form)form);
        client(text, (enum cdt_endp_form)form);
        server(text, (enum cdt_endp_form)form);
        own_key(text, (enum cdt_endp_form)form);
    }
    free(text);
    return 0;
}
