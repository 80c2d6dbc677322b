/* How a connection fails: the first code and its sentence are kept, what follows from them is not.
 * The names of alerts (RFC 8446 section 6 and appendix B.2, RFC 5246 section 7.2). */
#include <stdio.h>

#include "reactor/internal.h"
#include "tls/connection.h"

enum { SENTENCE = 768 };

int tls_fail(struct tls_connection *connection, int code, const char *format, ...)
{
    char sentence[SENTENCE];
    va_list arguments;
    if (connection->failed)
        return connection->failed;
    connection->failed = code;
    if (!format)
        return code;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    connection->why = mem_strdup(sentence); /* without memory: the code's own */
    return code;
}

static const char *const alerts[] = {
    [0] = "close notify",
    [10] = "unexpected message",
    [20] = "bad record mac",
    [21] = "decryption failed",
    [22] = "record overflow",
    [30] = "decompression failure",
    [40] = "handshake failure",
    [41] = "no certificate",
    [42] = "bad certificate",
    [43] = "unsupported certificate",
    [44] = "certificate revoked",
    [45] = "certificate expired",
    [46] = "certificate unknown",
    [47] = "illegal parameter",
    [48] = "unknown ca",
    [49] = "access denied",
    [50] = "decode error",
    [51] = "decrypt error",
    [60] = "export restriction",
    [70] = "protocol version",
    [71] = "insufficient security",
    [80] = "internal error",
    [86] = "inappropriate fallback",
    [90] = "user canceled",
    [100] = "no renegotiation",
    [109] = "missing extension",
    [110] = "unsupported extension",
    [111] = "certificate unobtainable",
    [112] = "unrecognized name",
    [113] = "bad certificate status response",
    [114] = "bad certificate hash value",
    [115] = "unknown psk identity",
    [116] = "certificate required",
    [120] = "no application protocol",
};

const char *tls_alert_name(unsigned alert)
{
    return alert < sizeof alerts / sizeof *alerts ? alerts[alert] : NULL;
}

int tls_fail_alert(struct tls_connection *connection, unsigned alert)
{
    const char *name = tls_alert_name(alert);
    if (!name)
        return tls_fail(connection, -CDT_ETLSALERT, "peer ended TLS with alert %u", alert);
    return tls_fail(connection, -CDT_ETLSALERT, "peer ended TLS with an alert: %s", name);
}
