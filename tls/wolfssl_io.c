/* Where wolfSSL would read from a socket and write to it: the buffers that are lent for a call. */
#ifdef CDT_HAVE_WOLFSSL
#include "tls/wolfssl.h"

enum { HEADER = WOLFSSL_HEADER, CHANGE_CIPHER_SPEC = 20, ALERT = 21, ALERT_LENGTH = 2 };
enum { TYPE_MIN = 20, TYPE_MAX = 23, MAJOR = 3 }; /* of records, RFC 8446 section 5.1 */

/* During the handshake: which record it is that wolfSSL reads. */
static void follow(struct tls_engine *engine, const uint8_t *bytes, size_t count)
{
    while (count) {
        size_t passed = 1;
        if (engine->header_length < HEADER) {
            engine->header[engine->header_length++] = *bytes;
            engine->left = (uint16_t)(engine->header[3] << 8 | engine->header[4]);
        } else {
            passed = count < engine->left ? count : engine->left;
            engine->left = (uint16_t)(engine->left - passed);
        }
        if (engine->header_length == HEADER && engine->left == 0)
            engine->header_length = 0;
        bytes += passed;
        count -= passed;
    }
}

bool wolfssl_plain_alert(const struct tls_engine *engine, unsigned *alert)
{
    const struct tls_io *io = engine->io;

    if (engine->header_length < HEADER || engine->header[0] != ALERT ||
        engine->left != ALERT_LENGTH || !io || io->in_length < ALERT_LENGTH)
        return false;
    *alert = io->in[1];
    return true;
}

bool wolfssl_no_record(const struct tls_engine *engine)
{
    const uint8_t *header = engine->header;

    return !engine->open && engine->header_length == HEADER &&
           (header[0] < TYPE_MIN || header[0] > TYPE_MAX || header[1] != MAJOR);
}

static size_t take_in_handshake(struct tls_engine *engine, char *data, size_t length)
{
    size_t count = engine->ahead ? wolfssl_ahead_take(engine, (uint8_t *)data, length) : 0;

    if (!count && !engine->ahead)
        count = tls_io_take(engine->io, data, length);
    follow(engine, (const uint8_t *)data, count);
    return count;
}

int wolfssl_take(WOLFSSL *ssl, char *data, int length, void *arg)
{
    struct tls_engine *engine = arg;
    size_t count = 0;

    (void)ssl;
    if (engine->io && engine->open)
        count = tls_io_take(engine->io, data, (size_t)length);
    else if (engine->io)
        count = take_in_handshake(engine, data, (size_t)length);
    return count ? (int)count : WOLFSSL_CBIO_ERR_WANT_READ;
}

/* Never WANT_WRITE: wolfSSL would have the same bytes given again. */
int wolfssl_put(WOLFSSL *ssl, char *data, int length, void *arg)
{
    struct tls_engine *engine = arg;

    (void)ssl;
    if (engine->silent)
        return length; /* close_notify, or an alert, is out: nothing follows it */
    /* wolfSSL gives each record by itself. */
    if (*data == CHANGE_CIPHER_SPEC)
        engine->seals = true;
    if (engine->io && !engine->io_status)
        engine->io_status = tls_io_put(engine->io, data, (size_t)length);
    return engine->io && !engine->io_status ? length : WOLFSSL_CBIO_ERR_GENERAL;
}

#endif
