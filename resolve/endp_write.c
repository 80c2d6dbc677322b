/* Writing endpoints: the writer, and the public functions. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "resolve/writer.h"

void put(struct writer *writer, char byte)
{
    if (writer->length + 1 < writer->size)
        writer->text[writer->length] = byte;
    writer->length++;
}

void put_slice(struct writer *writer, struct slice slice)
{
    for (size_t i = 0; i < slice.length; i++)
        put(writer, slice.at[i]);
}

void put_text(struct writer *writer, const char *text)
{
    put_slice(writer, slice_of(text));
}

void put_format(struct writer *writer, const char *format, ...)
{
    char text[CDT_ADDR_TEXT + 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_text(writer, text);
}

int writer_end(struct writer *writer)
{
    if (writer->size)
        writer->text[writer->length < writer->size ? writer->length : writer->size - 1] = 0;
    return writer->length > INT_MAX ? -EINVAL : (int)writer->length;
}

int cdt_endp_format(const struct cdt_endp *endp, enum cdt_endp_form form, char *text, size_t size)
{
    if (!endp || (!text && size) || (unsigned)form > CDT_ENDP_SHORT ||
        endp_depth(endp) > CDT_ENDP_DEPTH)
        return -EINVAL;
    struct writer writer = {.text = text, .size = size, .spaces = form != CDT_ENDP_MACHINE};
    if (form != CDT_ENDP_SHORT || !put_short(&writer, endp)) {
        writer.length = 0;
        put_sexp(&writer, endp);
    }
    return writer_end(&writer);
}

int cdt_endp_text(const struct cdt_endp *endp, enum cdt_endp_form form, char **text)
{
    char small[256];
    const int length = text ? cdt_endp_format(endp, form, small, sizeof small) : -EINVAL;
    if (length < 0)
        return length;
    const size_t size = (size_t)length + 1;
    char *made = mem_alloc(size);
    if (!made)
        return -ENOMEM;
    if (size <= sizeof small)
        memcpy(made, small, size);
    else
        cdt_endp_format(endp, form, made, size);
    *text = made;
    return 0;
}

void cdt_endp_text_free(char *text)
{
    mem_free(text);
}
