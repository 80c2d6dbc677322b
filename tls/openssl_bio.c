/* Where OpenSSL reads and writes: a BIO over the bytes that are lent to an engine for one call.
 * What is not there can be asked for again; what is written always finds room, or the connection
 * is over. */
#ifdef CDT_HAVE_OPENSSL
#include "tls/openssl.h"

#include <errno.h>

static BIO_METHOD *method;

static int take(BIO *bio, char *data, size_t length, size_t *taken)
{
    struct tls_engine *engine = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *taken = engine->io ? tls_io_take(engine->io, data, length) : 0;
    if (*taken)
        return 1;
    BIO_set_retry_read(bio);
    return 0;
}

static int put(BIO *bio, const char *data, size_t length, size_t *written)
{
    struct tls_engine *engine = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *written = length;
    if (engine->closed)
        return 1; /* an answer to what came behind our close_notify: not to be sent any more */
    if (!engine->io)
        return 0;
    if (!engine->put_status)
        engine->put_status = tls_io_put(engine->io, data, length);
    return !engine->put_status;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* the layer does that; all the rest is of no use here */
}

int openssl_bio_init(void)
{
    int type = BIO_get_new_index();

    if (method)
        return 0;
    if (type < 0)
        return -ENOMEM;
    method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "conduit");
    if (!method)
        return -ENOMEM;
    if (BIO_meth_set_read_ex(method, take) && BIO_meth_set_write_ex(method, put) &&
        BIO_meth_set_ctrl(method, control))
        return 0;
    BIO_meth_free(method);
    method = NULL;
    return -ENOMEM;
}

BIO *openssl_bio_new(struct tls_engine *engine)
{
    BIO *bio = BIO_new(method);

    if (!bio)
        return NULL;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    return bio;
}
#endif
