/* For tests of engines: both sides of a TLS connection in memory, without flows, and the bytes
 * between them, which can be shown in pieces and be damaged. Each pair of backends that are built
 * in. */
#ifndef TEST_TLS_ENGINES_H
#define TEST_TLS_ENGINES_H

#include "test/support/probe.h"

#include "reactor/internal.h"
#include "tls/certificate.h"
#include "tls/config.h"
#include "tls/hello.h"

/* Who speaks to whom. */
struct pair {
    const char *name;
    enum cdt_tls_backend client, server;
};

/* Bytes on their way. */
struct stream {
    uint8_t *bytes;
    size_t from, length, room;
    uint64_t passed;   /* bytes put so far */
    uint64_t flip_at;  /* where one bit of these is turned, counted from 1; 0: nowhere */
    uint8_t flip_mask; /* which one */
};

struct end {
    struct tls_connection connection;
    struct end *other;
    struct tls_io io;
    struct tls_spare spare;
    uint8_t out[20000];
    size_t out_size;  /* of these, that the engine may fill; 0: all */
    struct stream in; /* from the other end */
    size_t piece;     /* bytes shown at once; 0: all there are */
    uint8_t *data;    /* that was read */
    size_t length, room;
    bool open, eof;
    int failed; /* 0, or the code */
    struct tls_facts facts;
};

struct talk {
    struct cdt_reactor *reactor;
    struct end client, server;
};

/* ---- streams --------------------------------------------------------------------------------- */

static inline void stream_put(struct stream *stream, const uint8_t *bytes, size_t length)
{
    if (!length)
        return;
    if (stream->from == stream->length)
        stream->from = stream->length = 0;
    if (stream->length + length > stream->room) {
        stream->room = (stream->length + length) * 2;
        stream->bytes = realloc(stream->bytes, stream->room);
        assert_non_null(stream->bytes);
    }
    memcpy(stream->bytes + stream->length, bytes, length);
    if (stream->flip_at > stream->passed && stream->flip_at <= stream->passed + length)
        stream->bytes[stream->length + (stream->flip_at - stream->passed - 1)] ^= stream->flip_mask;
    stream->length += length;
    stream->passed += length;
}

static inline size_t stream_left(const struct stream *stream)
{
    return stream->length - stream->from;
}

/* ---- calls of the engine --------------------------------------------------------------------- */

static inline int end_flush(struct tls_io *io)
{
    struct end *end = cdt_container_of(io, struct end, io);
    assert_true(io->out_length <= io->out_size);
    stream_put(&end->other->in, io->out, io->out_length);
    io->out_length = 0;
    return 0;
}

/* Lends bytes for a call. */
static inline struct tls_io *end_begin(struct end *end, bool reads)
{
    const size_t left = reads ? stream_left(&end->in) : 0;
    end->io = (struct tls_io){
        .in = end->in.bytes + end->in.from,
        .in_length = end->piece && left > end->piece ? end->piece : left,
        .out = end->out,
        .out_size = end->out_size ? end->out_size : sizeof end->out,
        .flush = end_flush,
        .spare = &end->spare,
    };
    if (!end->in.bytes)
        end->io.in = NULL;
    return &end->io;
}

/* What it took is gone, what it gave is on its way. True: it took something. */
static inline bool end_finish(struct end *end, size_t shown, ssize_t status)
{
    const size_t taken = shown - end->io.in_length;
    if (status == -EAGAIN)
        assert_int_equal(end->io.in_length, 0);
    end->in.from += taken;
    assert_int_equal(end_flush(&end->io), 0);
    return taken > 0;
}

static inline void end_fail(struct end *end, ssize_t status)
{
    assert_true(status < 0);
    end->failed = (int)status;
    assert_int_equal(end->connection.failed, end->failed); /* tls_fail() was called */
}

/* A server makes its engine when it has the hello. */
static inline bool end_accept(struct end *end)
{
    uint8_t scratch[HELLO_MAX];
    struct hello hello;
    const int status =
        hello_read(end->in.bytes + end->in.from, stream_left(&end->in), scratch, &hello);
    if (status == -EAGAIN)
        return false;
    if (status) {
        end->failed = tls_fail(&end->connection, -CDT_ETLS, "no hello");
        return false;
    }
    if (tls_connection_accept(&end->connection, &hello) != 0)
        end->failed = end->connection.failed;
    return end->connection.engine != NULL;
}

/* Whether nothing need be said to the other end: it has told us; or it does not speak TLS, in
 * OpenSSL's eyes; or we cannot: a packaged wolfSSL seals no alert of ours in TLS 1.2. */
static inline bool may_be_silent(const struct end *end)
{
    const struct tls_connection *connection = &end->connection;
    if (end->failed == -CDT_ETLSALERT)
        return true;
    if (connection->backend == tls_backend(CDT_TLS_OPENSSL))
        return connection->why && strstr(connection->why, "does not speak TLS");
#ifdef CDT_WOLFSSL_BUILT
    return false;
#else
    return true;
#endif
}

static inline bool end_handshake(struct end *end)
{
    struct tls_io *io = end_begin(end, true);
    const size_t shown = io->in_length;
    const uint64_t before = end->other->in.passed;
    const int status = end->connection.backend->handshake(end->connection.engine, io);
    const bool progress = end_finish(end, shown, status);
    if (status && status != -EAGAIN) {
        end_fail(end, status);
        assert_true(end->other->in.passed > before || may_be_silent(end));
    }
    end->open = status == 0;
    if (end->open)
        end->connection.backend->facts(end->connection.engine, &end->facts);
    return progress || end->open;
}

static inline bool end_read(struct end *end)
{
    struct tls_io *io = end_begin(end, true);
    const size_t shown = io->in_length;
    if (end->room - end->length < TLS_RECORD) {
        end->room = 2 * end->room + TLS_RECORD;
        end->data = realloc(end->data, end->room);
        assert_non_null(end->data);
    }
    const ssize_t n = end->connection.backend->read(end->connection.engine, io,
                                                    end->data + end->length, TLS_RECORD);
    const bool progress = end_finish(end, shown, n);
    if (n > 0)
        end->length += (size_t)n;
    else if (n == 0)
        end->eof = true;
    else if (n != -EAGAIN)
        end_fail(end, n);
    return progress || n > 0;
}

/* One step with what has arrived: whether it was of any use. */
static inline bool end_step(struct end *end)
{
    if (end->failed || end->eof)
        return false;
    if (!end->connection.engine && !end_accept(end))
        return false;
    return end->open ? end_read(end) : end_handshake(end);
}

/* Until nothing moves any more. */
static inline void talk_run(struct talk *talk)
{
    bool moved = true;
    while (moved) {
        moved = false;
        while (end_step(&talk->client))
            moved = true;
        while (end_step(&talk->server))
            moved = true;
    }
}

static inline void end_write(struct end *end, const void *data, size_t length)
{
    const uint8_t *from = data;
    while (length) {
        const size_t record = length < TLS_RECORD ? length : TLS_RECORD;
        const uint64_t before = end->other->in.passed;
        struct tls_io *io = end_begin(end, false);
        const int status = end->connection.backend->write(end->connection.engine, io, from, record);
        end_finish(end, 0, status);
        assert_int_equal(status, 0);
        assert_in_range(end->other->in.passed - before, record + 5, record + 64);
        from += record;
        length -= record;
    }
}

static inline void end_close(struct end *end)
{
    struct tls_io *io = end_begin(end, false);
    const int status = end->connection.backend->shutdown(end->connection.engine, io);
    end_finish(end, 0, status);
    assert_int_equal(status, 0);
}

static inline int end_update_key(struct end *end)
{
    struct tls_io *io = end_begin(end, false);
    const int status = end->connection.backend->update_key(end->connection.engine, io);
    end_finish(end, 0, status);
    return status;
}

static inline void end_forget(struct end *end)
{
    end->length = 0;
}

/* ---- a talk ---------------------------------------------------------------------------------- */

/* Makes a configuration; the test fails with the sentence if that cannot be done. */
static inline struct cdt_tls_config *make_config(struct cdt_reactor *reactor,
                                                 enum cdt_tls_backend backend,
                                                 struct cdt_tls_options options)
{
    struct cdt_tls_config *config = NULL;
    struct cdt_text_error error = {0};
    options.size = sizeof options;
    options.backend = backend;
    if (cdt_tls_config_new(reactor, &options, &config, &error) != 0)
        fail_msg("no configuration of %s: %s", cdt_tls_backend_name(backend), error.text);
    return config;
}

/* Begins: the client speaks. */
static inline void talk_begin(struct talk *talk, struct cdt_tls_config *client,
                              struct cdt_tls_config *server, const char *name)
{
    memset(talk, 0, sizeof *talk);
    talk->client.other = &talk->server;
    talk->server.other = &talk->client;
    assert_int_equal(tls_connection_init(&talk->client.connection, client, name), 0);
    assert_int_equal(tls_connection_init(&talk->server.connection, server, NULL), 0);
    assert_int_equal(tls_connection_connect(&talk->client.connection), 0);
}

static inline void end_end(struct end *end)
{
    tls_connection_fini(&end->connection);
    mem_free(end->spare.small);
    mem_free(end->spare.full);
    free(end->in.bytes);
    free(end->data);
}

static inline void talk_end(struct talk *talk)
{
    end_end(&talk->client);
    end_end(&talk->server);
}

static inline const char *end_why(const struct end *end)
{
    return end->connection.why ? end->connection.why : cdt_strerror(end->failed);
}

/* Both are open, or the test fails with the reason. */
static inline void talk_open(struct talk *talk)
{
    talk_run(talk);
    if (!talk->client.open || talk->client.failed || !talk->server.open || talk->server.failed)
        fail_msg("client: %s; server: %s",
                 talk->client.failed ? end_why(&talk->client) : "not failed",
                 talk->server.failed ? end_why(&talk->server) : "not failed");
}

/* Sends so many bytes and looks at what comes out. */
static inline void talk_pass(struct talk *talk, struct end *from, size_t length)
{
    uint8_t *data = malloc(length);
    assert_non_null(data);
    test_pattern(data, length, 0);
    end_forget(from->other);
    end_write(from, data, length);
    talk_run(talk);
    if (from->other->failed)
        fail_msg("%s", end_why(from->other));
    assert_int_equal(from->other->length, length);
    assert_memory_equal(from->other->data, data, length);
    end_forget(from->other);
    free(data);
}

/* ---- what a library cannot ------------------------------------------------------------------- */

/* The only tests that are left out for one build of a backend. (Those of scripts: peers.py.) */
static const struct limit {
    enum cdt_tls_backend backend;
    bool packaged; /* of wolfSSL: not the one that is built for us */
    const char *what, *why;
} limits[] = {
    {CDT_TLS_WOLFSSL, true, "with a session of TLS 1.3 to servers without it",
     "a client of wolfSSL 5.5 stays with the rules of TLS 1.3 then; ours is patched"},
};

/* Whether a backend cannot do this; if so it is told, and the test is to be skipped. */
static inline bool cannot(enum cdt_tls_backend backend, const char *what)
{
#ifdef CDT_WOLFSSL_BUILT
    const bool packaged = false;
#else
    const bool packaged = true;
#endif
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct limit *limit = &limits[i];
        if (limit->backend != backend || (limit->packaged && !packaged) ||
            strcmp(limit->what, what) != 0)
            continue;
        print_message("%s%s cannot go on %s: %s\n", packaged ? "packaged " : "",
                      cdt_tls_backend_name(backend), what, limit->why);
        return true;
    }
    return false;
}

/* ---- tests for each pair --------------------------------------------------------------------- */

struct pair_test {
    const char *name;
    void (*test)(void **state); /* *state is the struct pair */
};

static inline int run_for_pairs(const char *group, const struct pair_test *tests, size_t count)
{
    static struct pair pairs[4];
    static char names[4][48];
    enum cdt_tls_backend backends[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    struct CMUnitTest units[4 * 64];
    char *texts[4 * 64];
    size_t pair_count = 0, unit_count = 0;
    for (size_t i = 0; i < 4; i++) {
        const enum cdt_tls_backend client = backends[i / 2], server = backends[i % 2];
        if (!tls_backend(client) || !tls_backend(server))
            continue;
        snprintf(names[i], sizeof names[i], "%s to %s", cdt_tls_backend_name(client),
                 cdt_tls_backend_name(server));
        pairs[pair_count++] = (struct pair){names[i], client, server};
    }
    assert_true(count <= 64);
    for (size_t t = 0; t < count; t++)
        for (size_t p = 0; p < pair_count; p++) {
            assert_true(asprintf(&texts[unit_count], "%s: %s", tests[t].name, pairs[p].name) > 0);
            units[unit_count] =
                (struct CMUnitTest){texts[unit_count], tests[t].test, NULL, NULL, &pairs[p]};
            unit_count++;
        }
    const int failed = _cmocka_run_group_tests(group, units, unit_count, NULL, NULL);
    for (size_t i = 0; i < unit_count; i++)
        free(texts[i]);
    return failed;
}

#endif
