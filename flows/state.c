/* The states of a flow, as one table: which event leads where. Everything that changes a flow's state
 * goes through here. */
#include "flows/internal.h"

#define NONE FLOW_NO_CHANGE

const int8_t flow_next_state[CDT_CLOSED + 1][FLOW_EVENTS] = {
    /*                    CONNECTED        OPEN      PUSH             PEER_END        OUR_END
     *                    CLOSE            END */
    [CDT_CONNECTING] = {CDT_HANDSHAKING, NONE, NONE, NONE, CDT_CONNECTING, CDT_CONNECTING,
                        CDT_CLOSED},
    [CDT_HANDSHAKING] = {NONE, CDT_OPEN, CDT_HANDSHAKING, NONE, CDT_HANDSHAKING, CDT_HANDSHAKING,
                         CDT_CLOSED},
    [CDT_OPEN] = {NONE, NONE, CDT_HANDSHAKING, CDT_PEER_ENDED, CDT_WE_ENDED, CDT_CLOSING,
                  CDT_CLOSED},
    [CDT_PEER_ENDED] = {NONE, NONE, NONE, NONE, CDT_CLOSING, CDT_CLOSING, CDT_CLOSED},
    [CDT_WE_ENDED] = {NONE, NONE, NONE, CDT_CLOSING, NONE, CDT_CLOSING, CDT_CLOSED},
    [CDT_CLOSING] = {NONE, NONE, NONE, CDT_CLOSING, NONE, NONE, CDT_CLOSED},
    [CDT_CLOSED] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE},
};

static const char *const names[CDT_CLOSED + 1] = {
    [CDT_CONNECTING] = "connecting", [CDT_HANDSHAKING] = "handshaking",
    [CDT_OPEN] = "open",             [CDT_PEER_ENDED] = "half-closed by the peer",
    [CDT_WE_ENDED] = "half-closed",  [CDT_CLOSING] = "closing",
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
