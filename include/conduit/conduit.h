/* conduit: reliable byte streams over any carrier. All of the public interface. */
#ifndef CONDUIT_CONDUIT_H
#define CONDUIT_CONDUIT_H

#include <conduit/addr.h>
#include <conduit/carrier.h>
#include <conduit/context.h>
#include <conduit/endp.h>
#include <conduit/error.h>
#include <conduit/flow.h>
#include <conduit/limit.h>
#include <conduit/memory.h>
#include <conduit/mode.h>
#include <conduit/reactor.h>
#include <conduit/resolver.h>
#include <conduit/server.h>
#include <conduit/tls.h>
#include <conduit/uri.h>
#include <conduit/vchan.h>
#include <conduit/version.h>

#endif
