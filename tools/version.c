/* conduit version: what was compiled in, and what is selected. */
#include "tools/tool.h"

#include <stdio.h>

int version_run(struct settings *settings)
{
    char text[128];
    (void)settings;
    snprintf(text, sizeof text,
             "conduit %s\ntls: none (compiled in: none)\nvchan: none (compiled in: none)\n",
             cdt_version());
    return say(text);
}
