/* The small server over libevent's bufferevents, plain or (with CERT and KEY) over OpenSSL. What
 * comes is moved from the input to the output buffer, uncopied; reading stops while too much waits
 * to be sent. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bench/peers/peer.h"

static struct peer peer;
static SSL_CTX *tls;

static void on_event(struct bufferevent *connection, short events, void *arg)
{
    (void)arg;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        bufferevent_free(connection);
}

static void on_readable(struct bufferevent *connection, void *arg);

/* The output has fallen to the low watermark; set only where that matters. */
static void on_written(struct bufferevent *connection, void *arg)
{
    static const char buffer[PEER_BUFFER];
    (void)arg;
    if (peer.source) {
        evbuffer_add_reference(bufferevent_get_output(connection), buffer, sizeof buffer, NULL,
                               NULL);
    } else if (peer.close_after_echo) {
        bufferevent_free(connection);
    } else {
        bufferevent_setcb(connection, on_readable, NULL, on_event, NULL);
        bufferevent_enable(connection, EV_READ);
    }
}

static void on_readable(struct bufferevent *connection, void *arg)
{
    struct evbuffer *input = bufferevent_get_input(connection);
    struct evbuffer *output = bufferevent_get_output(connection);
    (void)arg;
    if (peer.discard) {
        evbuffer_drain(input, evbuffer_get_length(input));
        return;
    }
    evbuffer_add_buffer(output, input);
    if (!peer.close_after_echo && evbuffer_get_length(output) <= PEER_HIGH_WATER)
        return;
    bufferevent_setcb(connection, on_readable, on_written, on_event, NULL);
    bufferevent_disable(connection, EV_READ);
}

static struct bufferevent *make(struct event_base *base, evutil_socket_t fd)
{
    if (!tls)
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct bufferevent *connection = bufferevent_openssl_socket_new(
        base, fd, SSL_new(tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (connection)
        bufferevent_openssl_set_allow_dirty_shutdown(connection, 1);
    return connection;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int length, void *arg)
{
    struct bufferevent *connection = make(evconnlistener_get_base(listener), fd);
    (void)from, (void)length, (void)arg;
    if (!connection)
        peer_die("bufferevent");
    bufferevent_setcb(connection, on_readable, peer.source ? on_written : NULL, on_event, NULL);
    bufferevent_setwatermark(connection, EV_WRITE, peer.close_after_echo ? 0 : PEER_HIGH_WATER / 4,
                             0);
    bufferevent_enable(connection, EV_READ | EV_WRITE);
    if (peer.source)
        on_written(connection, NULL);
}

static void load_identity(void)
{
    tls = SSL_CTX_new(TLS_server_method());
    if (!tls || SSL_CTX_use_certificate_chain_file(tls, peer.cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, peer.key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
}

/* No descriptor is free: libevent would write a line each time. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener, (void)arg;
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct evconnlistener *listener;
    peer = peer_start(argc, argv);
    if (!base)
        return 1;
    if (peer.cert)
        load_identity();
    listener = evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, peer.listener);
    if (!listener)
        return 1;
    evconnlistener_set_error_cb(listener, on_accept_error);
    return event_base_dispatch(base) < 0;
}
