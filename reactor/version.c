/* The version of the library that is running. */
#include <conduit/version.h>

#define TEXT(number)   #number
#define EXPAND(number) TEXT(number)

const char *cdt_version(void)
{
    return EXPAND(CDT_VERSION_MAJOR) "." EXPAND(CDT_VERSION_MINOR) "." EXPAND(CDT_VERSION_PATCH);
}
