/* The states of a flow, as one table: which event leads where. Everything that changes a flow's
 * state goes through here. */
#include "flows/internal.h"

/* clang-format off */
enum { ____ = FLOW_NO_CHANGE, CONN = CDT_CONNECTING, HAND = CDT_HANDSHAKING, OPEN = CDT_OPEN,
       PEER = CDT_PEER_ENDED, WEND = CDT_WE_ENDED, CLNG = CDT_CLOSING, CLSD = CDT_CLOSED };

const int8_t flow_next_state[CDT_CLOSED + 1][FLOW_EVENTS] = {
    /* event:             CONNECTED  OPEN  PUSH  PEER_END  OUR_END  CLOSE  END */
    [CDT_CONNECTING]  = {     HAND,  OPEN, ____,     ____,    CONN,  CONN, CLSD},
    [CDT_HANDSHAKING] = {     ____,  OPEN, HAND,     ____,    HAND,  HAND, CLSD},
    [CDT_OPEN]        = {     ____,  ____, HAND,     PEER,    WEND,  CLNG, CLSD},
    [CDT_PEER_ENDED]  = {     ____,  ____, ____,     ____,    CLNG,  CLNG, CLSD},
    [CDT_WE_ENDED]    = {     ____,  ____, ____,     CLNG,    ____,  CLNG, CLSD},
    [CDT_CLOSING]     = {     ____,  ____, ____,     CLNG,    ____,  ____, CLSD},
    [CDT_CLOSED]      = {     ____,  ____, ____,     ____,    ____,  ____, ____},
};
/* clang-format on */

static const char *const names[CDT_CLOSED + 1] = {
    [CDT_CONNECTING] = "connecting",
    [CDT_HANDSHAKING] = "handshaking",
    [CDT_OPEN] = "open",
    [CDT_PEER_ENDED] = "half-closed by the peer",
    [CDT_WE_ENDED] = "half-closed",
    [CDT_CLOSING] = "closing",
    [CDT_CLOSED] = "closed",
};

enum cdt_state cdt_flow_state(const struct cdt_flow *flow)
{
    return flow ? (enum cdt_state)flow->state : CDT_CLOSED;
}

const char *cdt_state_name(enum cdt_state state)
{
    return (unsigned)state <= CDT_CLOSED ? names[state] : "unknown";
}
