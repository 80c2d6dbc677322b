/* What the demo has apart. */
#ifndef TOOLS_DEMO_H
#define TOOLS_DEMO_H

#include "tools/tool.h"

/* Makes the configurations of both sides with a backend: 0 or a negative code. What was made is to be
 * freed either way. */
int demo_tls(struct cdt_reactor *reactor, enum cdt_tls_backend backend,
             struct cdt_tls_config **server, struct cdt_tls_config **client,
             struct cdt_text_error *error);

#endif
