/* What a server publishes of a ring at its place, as libxenvchan does: the reference of the granted
 * page, and the port of the event channel. Both belong together, and are read and written in one
 * transaction. */
#ifdef CDT_HAVE_XEN
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vchan/xen.h"

enum {
    ATTEMPTS = 16,  /* of a transaction that others disturb */
    LEFTOVERS = 64, /* places that are looked at */
    KEY_PATH = VCHAN_PATH_MAX + 16
};

static const char *const key_names[] = {"ring-ref", "event-channel"};

/* One transaction over the keys of a place: `step` is called with its number, for each key; the
 * last part may be NULL. */
struct exchange {
    struct vchan_store *store;
    const char *path;
    int (*step)(struct exchange *exchange, xs_transaction_t transaction, const char *path, int i);
    int (*end)(struct exchange *exchange, xs_transaction_t transaction);
    uint32_t values[2];
    unsigned reader;
    const struct xen_keys *expected;
    const char **why;
};

static struct xs_handle *handle(const struct exchange *exchange)
{
    return xen_store_of(exchange->store)->xs;
}

static int steps(struct exchange *exchange, xs_transaction_t transaction)
{
    char path[KEY_PATH];
    int status = 0;

    for (int i = 0; i < 2 && status == 0; i++) {
        snprintf(path, sizeof path, "%s/%s", exchange->path, key_names[i]);
        status = exchange->step(exchange, transaction, path, i);
    }
    return status == 0 && exchange->end ? exchange->end(exchange, transaction) : status;
}

/* -EAGAIN: somebody else always came first. */
static int transact(struct exchange *exchange)
{
    struct xs_handle *xs = handle(exchange);

    for (int i = 0; i < ATTEMPTS; i++) {
        const xs_transaction_t transaction = xs_transaction_start(xs);
        if (transaction == XBT_NULL)
            return errno ? -errno : -EIO;
        const int status = steps(exchange, transaction);
        if (xs_transaction_end(xs, transaction, status != 0) || status != 0)
            return status;
        if (errno != EAGAIN)
            return errno ? -errno : -EIO;
    }
    return -EAGAIN;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* libxenvchan takes 0 for no value, and prints what is no reference as a negative number. */
static bool read_number(const char *text, size_t length, uint32_t *value)
{
    uint64_t number = 0;

    if (length == 0 || length > 10)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *value = (uint32_t)number;
    return number > 0 && number <= INT32_MAX;
}

static int step_read(struct exchange *exchange, xs_transaction_t transaction, const char *path,
                     int i)
{
    unsigned length = 0;
    char *text = xs_read(handle(exchange), transaction, path, &length);

    if (!text)
        return xen_unreadable(errno);
    const bool good = read_number(text, length, &exchange->values[i]);
    free(text);
    if (!good && exchange->why)
        *exchange->why = "what is published there is no vchan";
    return good ? 0 : -ENOENT;
}

int xen_keys_read(struct vchan_store *store, const char *path, struct xen_keys *keys,
                  const char **why)
{
    struct exchange exchange = {.store = store, .path = path, .step = step_read, .why = why};
    const int status = transact(&exchange);

    *keys = (struct xen_keys){exchange.values[0], exchange.values[1]};
    return status == -EAGAIN ? -ENOENT : status;
}

/* ---- leftovers ------------------------------------------------------------------------------- */

static int end_remove(struct exchange *exchange, xs_transaction_t transaction)
{
    if (exchange->values[0] != exchange->expected->ref)
        return -EEXIST;
    return xs_rm(handle(exchange), transaction, exchange->path) ? 0 : -errno;
}

/* A server that was killed has left its keys. When its numbers are given out again they lead its
 * clients to another server; who has them now removes what is left, at other ports for the same
 * domain, of the one who had them before. */
struct leftovers {
    struct vchan_store *store;
    const char *path;
    size_t folder; /* length of the path up to the port */
    const struct xen_keys *keys;
    unsigned looked;
};

static int remove_leftover(void *arg, const char *port)
{
    struct leftovers *leftovers = arg;
    char path[VCHAN_PATH_MAX], key[KEY_PATH], value[16], ours[16];

    if (leftovers->looked++ == LEFTOVERS)
        return 1;
    snprintf(ours, sizeof ours, "%u", leftovers->keys->ref);
    snprintf(path, sizeof path, "%.*s%s", (int)leftovers->folder, leftovers->path, port);
    snprintf(key, sizeof key, "%s/%s", path, key_names[0]);
    if (strcmp(path, leftovers->path) == 0 ||
        leftovers->store->ops->read(leftovers->store, key, value, sizeof value) < 0 ||
        strcmp(value, ours) != 0)
        return 0;
    struct exchange exchange = {.store = leftovers->store,
                                .path = path,
                                .step = step_read,
                                .end = end_remove,
                                .expected = leftovers->keys};
    transact(&exchange);
    return 0;
}

static void remove_leftovers(struct vchan_store *store, const char *path,
                             const struct xen_keys *keys)
{
    char folder[VCHAN_PATH_MAX];
    const size_t length = (size_t)(strrchr(path, '/') + 1 - path);
    struct leftovers leftovers = {.store = store, .path = path, .folder = length, .keys = keys};

    snprintf(folder, sizeof folder, "%.*s", (int)length - 1, path);
    store->ops->list(store, folder, remove_leftover, &leftovers);
}

/* ---- publishing ------------------------------------------------------------------------------ */

static int step_write(struct exchange *exchange, xs_transaction_t transaction, const char *path,
                      int i)
{
    char text[16];
    const int length = snprintf(text, sizeof text, "%u", exchange->values[i]);
    const int own = exchange->store->ops->domid(exchange->store);
    struct xs_permissions permissions[] = {
        {.id = (unsigned)own, .perms = XS_PERM_NONE},
        {.id = exchange->reader, .perms = XS_PERM_READ},
    };

    if (own < 0)
        return own;
    if (!xs_write(handle(exchange), transaction, path, text, (unsigned)length) ||
        !xs_set_permissions(handle(exchange), transaction, path, permissions, 2))
        return errno ? -errno : -EIO;
    return 0;
}

int xen_keys_publish(struct vchan_store *store, const char *path, unsigned reader,
                     const struct xen_keys *keys)
{
    struct exchange exchange = {.store = store,
                                .path = path,
                                .step = step_write,
                                .values = {keys->ref, keys->channel},
                                .reader = reader};
    remove_leftovers(store, path, keys);
    return transact(&exchange);
}

/* ---- withdrawing ----------------------------------------------------------------------------- */

void xen_keys_withdraw(struct vchan_store *store, const char *path, const struct xen_keys *keys)
{
    struct exchange exchange = {
        .store = store, .path = path, .step = step_read, .end = end_remove, .expected = keys};
    transact(&exchange);
}
#endif
