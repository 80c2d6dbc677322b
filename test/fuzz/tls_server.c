/* Fuzzes the engines of every backend that is built in. The first byte says how:
 *   even: the rest is what a server receives, in pieces, read as the layer does it: the hello
 *         first;
 *   odd:  the rest changes the bytes between a client and a server of ours while they shake hands,
 *         send data, change keys and close.
 * Nothing crashes, output is bounded, an engine takes all it is given or fails once and with a
 * reason, and no byte is ever delivered that was not sent. Unchanged, everything succeeds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/internal.h"
#include "test/fuzz/tls_identity.h"
#include "tls/config.h"
#include "tls/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- configurations -------------------------------------------------------------------------- */

enum { SERVER, SERVER_13, SERVER_ASKS, CLIENT, CLIENT_12, KINDS, BACKENDS = 2, MESSAGE = 20000 };

static struct cdt_tls_config *configs[BACKENDS][KINDS];
static unsigned backend_count;
static uint8_t plain[2][MESSAGE]; /* what clients and servers say */

static struct cdt_tls_config *make(struct cdt_reactor *reactor, enum cdt_tls_backend backend,
                                   unsigned kind)
{
    static const struct cdt_tls_identity ours[] = {{.cert = identity_cert, .key = identity_key},
                                                   {.cert = identity_cert, .key = identity_key}};
    struct cdt_tls_options options = {
        .size = sizeof options,
        .backend = backend,
        .role = kind < CLIENT ? CDT_TLS_SERVER : CDT_TLS_CLIENT,
        .identities = ours,
        .identity_count = kind < CLIENT ? 2 : 1,
        .system_anchors = CDT_OFF,
        .ca = kind == SERVER_ASKS || kind >= CLIENT ? identity_anchor : NULL,
        .alpn = kind == SERVER_13 ? NULL : "h2,http/1.1",
        .min_version = kind == SERVER_13 ? CDT_TLS_1_3 : 0,
        .verify = kind == SERVER_ASKS ? CDT_TLS_VERIFY_REQUIRE : CDT_TLS_VERIFY_DEFAULT,
        .ciphers = kind == CLIENT_12 ? "ECDHE-ECDSA-AES128-GCM-SHA256" : NULL,
    };
    struct cdt_tls_config *config;
    check(cdt_tls_config_new(reactor, &options, &config, NULL) == 0);
    return config;
}

static void make_all(void)
{
    static const enum cdt_tls_backend backends[] = {CDT_TLS_WOLFSSL, CDT_TLS_OPENSSL};
    struct cdt_reactor *reactor;
    check(cdt_reactor_new(NULL, &reactor) == 0);
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i / MESSAGE][i % MESSAGE] = (uint8_t)(i * 7 + (i >> 8));
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (!cdt_tls_built_in(backends[i]))
            continue;
        for (unsigned kind = 0; kind < KINDS; kind++)
            configs[backend_count][kind] = make(reactor, backends[i], kind);
        backend_count++;
    }
}

/* ---- one side -------------------------------------------------------------------------------- */

struct bytes {
    uint8_t *at;
    size_t length, room;
};

static void append(struct bytes *to, const void *more, size_t length)
{
    if (!length)
        return;
    if (to->length + length > to->room) {
        to->room = 2 * (to->length + length);
        to->at = realloc(to->at, to->room);
        check(to->at);
    }
    memcpy(to->at + to->length, more, length);
    to->length += length;
}

static void clear(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}

struct side {
    struct tls_connection connection;
    struct bytes in;   /* arrived, and not taken yet */
    struct bytes out;  /* to be sent */
    struct bytes read; /* plain bytes */
    size_t moved;      /* of `out` */
    size_t sent;       /* all that ever was in `out` */
    size_t room;       /* of the buffer that engines get */
    bool open, failed, ended, wrote, shut;
};

struct lent {
    struct tls_io io;
    uint8_t *in; /* where it began */
    struct side *side;
};

static void collect(struct side *side, struct tls_io *io)
{
    check(io->out_length <= io->out_size);
    append(&side->out, io->out, io->out_length);
    side->sent += io->out_length;
    io->out_length = 0;
}

/* As the layer's: there is no memory for output before it is needed. */
static int flush(struct tls_io *io)
{
    struct side *side = cdt_container_of(io, struct lent, io)->side;
    collect(side, io);
    if (!io->out) {
        io->out = malloc(side->room);
        check(io->out);
        io->out_size = side->room;
    }
    return 0;
}

/* Lends memory of the exact size, so that a byte too much is noticed. */
static void lend(struct lent *lent, struct side *side)
{
    uint8_t *in = malloc(side->in.length);
    check(in || !side->in.length);
    if (side->in.length)
        memcpy(in, side->in.at, side->in.length);
    *lent = (struct lent){{.in = in, .in_length = side->in.length, .flush = flush}, in, side};
}

static void take_back(struct lent *lent)
{
    struct side *side = lent->side;
    const size_t left = lent->io.in_length;
    check(left <= side->in.length && lent->io.in == lent->in + (side->in.length - left));
    check(lent->io.out_size == (lent->io.out ? side->room : 0));
    collect(side, &lent->io);
    if (left)
        memmove(side->in.at, side->in.at + (side->in.length - left), left);
    side->in.length = left;
    free(lent->in);
    free(lent->io.out);
}

enum call { HANDSHAKE, READ, WRITE, SHUTDOWN, UPDATE_KEY };

/* One call of the engine. What it says must fit to what it did. */
static ssize_t call(struct side *side, enum call what, void *data, size_t length)
{
    struct tls_connection *connection = &side->connection;
    const struct tls_backend *backend = connection->backend;
    struct tls_engine *engine = connection->engine;
    struct lent lent;
    ssize_t status;
    lend(&lent, side);
    switch (what) {
    case HANDSHAKE:
        status = backend->handshake(engine, &lent.io);
        break;
    case READ:
        status = backend->read(engine, &lent.io, data, length);
        break;
    case WRITE:
        status = backend->write(engine, &lent.io, data, length);
        break;
    case SHUTDOWN:
        status = backend->shutdown(engine, &lent.io);
        break;
    default:
        status = backend->update_key(engine, &lent.io);
    }
    take_back(&lent);
    if (what == HANDSHAKE || what == READ) {
        check(status != -EAGAIN || side->in.length == 0);
        check(status <= (what == READ ? (ssize_t)length : 0));
        check(status >= 0 || status == -EAGAIN || connection->failed == status);
    } else {
        check(status <= 0);
    }
    side->failed |= status < 0 && status != -EAGAIN && status != -ENOTSUP;
    return status;
}

static void begin(struct side *side, struct cdt_tls_config *config, size_t room)
{
    *side = (struct side){.room = room};
    check(tls_connection_init(&side->connection, config,
                              config->options.role == CDT_TLS_CLIENT ? "www.example.org" : NULL) ==
          0);
    if (config->options.role == CDT_TLS_CLIENT)
        check(tls_connection_connect(&side->connection) == 0);
}

static void finish(struct side *side)
{
    tls_connection_fini(&side->connection);
    clear(&side->in);
    clear(&side->out);
    clear(&side->read);
}

/* A server's first look. */
static void look_at_hello(struct side *side)
{
    uint8_t *scratch = calloc(1, HELLO_MAX);
    struct hello hello;
    check(scratch);
    const int status = hello_read(side->in.at, side->in.length, scratch, &hello);
    if (status && status != -EAGAIN)
        side->failed = true;
    else if (status == 0)
        side->failed = tls_connection_accept(&side->connection, &hello) != 0;
    check(!side->failed || status || side->connection.failed);
    free(scratch);
}

static void read_all(struct side *side)
{
    static uint8_t data[TLS_RECORD];
    const size_t size = side->room < 1000 ? 1000 : sizeof data;
    while (!side->ended && !side->failed) {
        const ssize_t n = call(side, READ, data, size);
        if (n == -EAGAIN)
            return;
        if (n > 0)
            append(&side->read, data, (size_t)n);
        side->ended |= n == 0;
    }
}

/* As far as it goes with what has arrived. */
static void run(struct side *side)
{
    if (side->failed)
        return;
    if (!side->connection.engine)
        look_at_hello(side);
    if (side->failed || !side->connection.engine)
        return;
    if (!side->open && call(side, HANDSHAKE, NULL, 0) == 0) {
        struct tls_facts facts;
        side->open = true;
        side->connection.backend->facts(side->connection.engine, &facts);
        check(facts.version == 0x0303 || facts.version == 0x0304);
    }
    if (side->open)
        read_all(side);
}

/* ---- bytes of nobody ------------------------------------------------------------------------- */

static void receive(struct side *side, const uint8_t *data, size_t size, size_t piece)
{
    enum { OUT_MAX = 64 * 1024 };
    while (size > 0 && !side->failed) {
        const size_t length = size < piece ? size : piece;
        append(&side->in, data, length);
        data += length;
        size -= length;
        run(side);
        check(!side->open); /* nobody guesses a shared secret */
    }
    check(side->sent <= OUT_MAX);
}

static void check_stream(const uint8_t *data, size_t size)
{
    static const unsigned kinds[] = {SERVER, SERVER_13, SERVER_ASKS, SERVER};
    if (size < 2)
        return;
    const size_t piece = data[1] ? data[1] : size;
    for (unsigned i = 0; i < backend_count; i++) {
        struct side side;
        begin(&side, configs[i][kinds[data[0] >> 1 & 3]], data[0] & 8 ? 100 : 20000);
        receive(&side, data + 2, size - 2, piece);
        finish(&side);
    }
}

/* ---- a live handshake, changed on the way ---------------------------------------------------- */

enum { CHANGES_MAX = 8, CHANGE_SIZE = 4, ROUNDS_MAX = 100000 };

/* A change is what is done (its lowest bit says which way), where (16 bits), and a value. */
struct wire {
    const uint8_t *changes;
    size_t count;
    size_t at[2]; /* bytes that have gone each way */
    size_t piece; /* at most at once */
    bool cut[2];  /* nothing goes any more */
    bool changed;
    bool resumes; /* TLS 1.3 does; a wolfSSL client of 1.2 may not, it depends on its build */
};

/* Where the next change is, at or behind a place. */
static size_t next_change(const struct wire *wire, unsigned way, size_t from)
{
    size_t next = SIZE_MAX;
    for (size_t i = 0; i < wire->count; i++) {
        const uint8_t *change = wire->changes + i * CHANGE_SIZE;
        const size_t at = (size_t)change[1] << 8 | change[2];
        if ((change[0] & 1) == way && at >= from && at < next)
            next = at;
    }
    return next;
}

static void move_changed(struct wire *wire, unsigned way, struct side *to, uint8_t byte)
{
    unsigned copies = 1;
    for (size_t i = 0; i < wire->count; i++) {
        const uint8_t *change = wire->changes + i * CHANGE_SIZE;
        if ((change[0] & 1) != way || ((size_t)change[1] << 8 | change[2]) != wire->at[way])
            continue;
        wire->changed = true;
        switch (change[0] >> 1 & 7) {
        case 0:
            copies = 0;
            break;
        case 1:
            append(&to->in, change + 3, 1);
            break;
        case 2:
            wire->cut[way] = true;
            return;
        case 3:
            copies += change[3];
            break;
        case 4:
            byte = change[3];
            break;
        default:
            byte ^= change[3] ? change[3] : 1;
        }
    }
    for (unsigned i = 0; i < copies; i++)
        append(&to->in, &byte, 1);
}

/* Moves a piece and lets the other side see it; false: there was nothing to move. */
static bool move(struct wire *wire, unsigned way, struct side *from, struct side *to)
{
    size_t left = from->out.length - from->moved;
    if (left == 0)
        return false;
    const uint8_t *at = from->out.at + from->moved;
    left = left < wire->piece ? left : wire->piece;
    from->moved += left;
    while (left > 0) {
        const size_t same = next_change(wire, way, wire->at[way]) - wire->at[way];
        const size_t length = same < left ? same : left;
        if (length && !wire->cut[way])
            append(&to->in, at, length);
        else if (!length && !wire->cut[way])
            move_changed(wire, way, to, *at);
        at += length ? length : 1;
        left -= length ? length : 1;
        wire->at[way] += length ? length : 1;
    }
    if (from->moved == from->out.length)
        from->out.length = from->moved = 0;
    run(to);
    return true;
}

/* What each side says when it is open, and its end. */
static void speak(struct side *side, bool update)
{
    uint8_t *text = plain[side->connection.role];
    if (!side->open || side->failed)
        return;
    for (size_t at = 0; !side->wrote && at < MESSAGE && !side->failed;) {
        const size_t left = MESSAGE - at, length = at == 0             ? 1
                                                   : left < TLS_RECORD ? left
                                                                       : TLS_RECORD;
        call(side, WRITE, text + at, length);
        if (at == 0 && update && !side->failed)
            call(side, UPDATE_KEY, NULL, 0);
        at += length;
    }
    side->wrote = true;
    if (!side->shut && !side->failed && (side->read.length == MESSAGE || side->ended)) {
        call(side, SHUTDOWN, NULL, 0);
        side->shut = true;
    }
}

static void check_read(const struct side *reader, const struct side *writer)
{
    check(reader->read.length <= MESSAGE);
    check(!reader->read.length ||
          memcmp(reader->read.at, plain[writer->connection.role], reader->read.length) == 0);
    check(!reader->ended || reader->read.length == MESSAGE);
}

static bool resumed(const struct side *side)
{
    struct tls_facts facts;
    side->connection.backend->facts(side->connection.engine, &facts);
    return facts.resumed;
}

static void converse(struct wire *wire, struct side *client, struct side *server, bool update)
{
    run(client);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        const bool up = move(wire, 0, client, server), down = move(wire, 1, server, client);
        const size_t sent = client->sent + server->sent;
        speak(client, update);
        speak(server, false);
        if (!up && !down && client->sent + server->sent == sent)
            break;
    }
    check_read(client, server);
    check_read(server, client);
    check(client->sent + server->sent < 8 * MESSAGE);
    if (wire->changed)
        return;
    check(client->open && server->open && client->ended && server->ended);
    check(!wire->resumes || (resumed(client) && resumed(server)));
    check(!client->failed && !server->failed);
}

static void shake(struct wire *wire, struct cdt_tls_config *client_config,
                  struct cdt_tls_config *server_config, uint8_t ways)
{
    struct side client, server;
    begin(&client, client_config, ways & 0x40 ? 100 : 20000);
    begin(&server, server_config, ways & 0x80 ? 100 : 20000);
    converse(wire, &client, &server, ways & 0x20);
    finish(&client);
    finish(&server);
}

static void check_live(const uint8_t *data, size_t size)
{
    if (size < 3)
        return;
    const uint8_t ways = data[1];
    struct cdt_tls_config *client =
        configs[(ways & 1u) % backend_count][ways & 8 ? CLIENT_12 : CLIENT];
    struct cdt_tls_config *server =
        configs[(ways >> 1 & 1u) % backend_count][ways & 4 ? SERVER_ASKS : SERVER];
    struct wire wire = {.piece = data[2] ? 1 + data[2] * 8u : SIZE_MAX};
    if (ways & 0x10) /* a session to be resumed */
        shake(&wire, client, server, ways);
    wire = (struct wire){.changes = data + 3,
                         .count = (size - 3) / CHANGE_SIZE < CHANGES_MAX ? (size - 3) / CHANGE_SIZE
                                                                         : CHANGES_MAX,
                         .piece = wire.piece,
                         .resumes = (ways & 0x10) && !(ways & 12)};
    shake(&wire, client, server, ways);
    tls_sessions_clear(&client->sessions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    if (!made)
        make_all();
    made = true;
    if (size == 0 || !backend_count)
        return 0;
    (data[0] & 1 ? check_live : check_stream)(data, size);
    return 0;
}
