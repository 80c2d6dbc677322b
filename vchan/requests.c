/* Requests to a server with a name: nodes /conduit/NAME/CLIENT/PORT, each of a domain whose clients
 * want to come. The port is opened for the domain, and stays open; then that one node is
 * removed, and nothing else: what others have written meanwhile is found by the next look.
 *
 * Anybody who may write there can write anything: names and values are checked, a look reads so
 * many names and no more, and so many domains have a port at a time. One more takes the place of
 * the one whose last client is the longest ago; its clients have only to ask again. */
#include <stdio.h>
#include <string.h>

#include "flows/server.h"
#include "vchan/listen.h"

enum { DOMAINS_MAX = 256, NAMES_MAX = 4096, NAMES_MANY = 64 };
enum { OPEN_DELAY = 2, LOOK_DELAY = 250 }; /* ms */

static bool is_due(struct vchan_listening *listening)
{
    const uint64_t now = cdt_reactor_now(listening->store->reactor);
    if (now < listening->next_report)
        return false;
    listening->next_report = now + CDT_SECOND;
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Keeps the request of one client for our port. Nonzero: enough for now. */
static int read_one(void *arg, const char *client)
{
    struct vchan_listening *listening = arg;
    struct vchan_request *request = &listening->batch[listening->count];
    char path[VCHAN_PATH_MAX];
    if (++listening->looked > NAMES_MAX) {
        if (is_due(listening))
            reactor_log(listening->store->reactor, CDT_LOG_WARNING,
                        "more than %d names below %s: the rest is not looked at", NAMES_MAX,
                        listening->claim.name->path);
        return 1;
    }
    if (!vchan_name_valid(client) ||
        vchan_request_path(path, listening->at->name, client, listening->at->port) != 0)
        return 0;
    const int length =
        listening->store->ops->read(listening->store, path, request->value, sizeof request->value);
    if (length == -EMFILE || length == -ENFILE || length == -ENOMEM)
        return length;
    if (length == -E2BIG)
        *request->value = 0; /* no domain id, but perhaps a port */
    else if (length <= 0)
        return 0;
    snprintf(request->client, sizeof request->client, "%s", client);
    return ++listening->count == VCHAN_BATCH;
}

/* ---- answering ------------------------------------------------------------------------------- */

/* The port whose last client is the longest ago makes room. */
static bool make_room(struct vchan_listening *listening)
{
    if (list_empty(&listening->idle))
        return false;
    vchan_close_port(listening, cdt_container_of(listening->idle.next, struct vchan_port, link));
    return true;
}

static int serve(struct vchan_listening *listening, unsigned domid, const char **why)
{
    if (vchan_find_port(listening, domid))
        return 0;
    if (listening->ports >= DOMAINS_MAX && !make_room(listening)) {
        *why = "too many domains have clients waiting";
        return -EBUSY;
    }
    const int status = vchan_open_port(listening, domid, why);
    if (status != -ENOSPC && status != -ENOMEM && status != -EMFILE)
        return status;
    return make_room(listening) ? vchan_open_port(listening, domid, why) : status;
}

static void tell(struct vchan_listening *listening, int status, const char *text)
{
    struct cdt_server *server = listening->server;
    if (server->options.on_error)
        server->options.on_error(server, status, text, NULL);
    else
        reactor_log(listening->store->reactor, CDT_LOG_WARNING, "%s", text);
}

/* At most once a second: requests can be many. */
static void report(struct vchan_listening *listening, const char *client, int status,
                   const char *why)
{
    char text[VCHAN_NAME_MAX + 160];
    if (!is_due(listening))
        return;
    snprintf(text, sizeof text, "a request of %s for port %s: %s", client, listening->at->port,
             why ? why : cdt_strerror(status));
    tell(listening, status, text);
}

/* The domain that asks. Clients of ours write its id, those of the original the name of the port:
 * of them the id is that of their own name. */
static int domid_of(const struct vchan_listening *listening, const struct vchan_request *request,
                    unsigned *domid)
{
    struct vchan_store *store = listening->store;
    char path[VCHAN_PATH_MAX], text[16];
    unsigned found;
    const bool is_id = vchan_domid_read(request->value, domid) == 0;
    if (is_id && strcmp(request->value, listening->at->port) != 0)
        return 0;
    if (vchan_name_path(path, request->client) == 0 &&
        store->ops->read(store, path, text, sizeof text) > 0 && vchan_domid_read(text, &found) == 0)
        *domid = found;
    else if (!is_id)
        return -EINVAL;
    return 0;
}

static void answer(struct vchan_listening *listening, const struct vchan_request *request)
{
    struct vchan_store *store = listening->store;
    const char *why = NULL;
    char path[VCHAN_PATH_MAX];
    unsigned domid;
    int status = domid_of(listening, request, &domid);
    if (status)
        why = "whose domain it is for is not known";
    else
        status = serve(listening, domid, &why);
    if (status == -EINPROGRESS) { /* the client will see it */
        cdt_timer_set(store->reactor, &listening->again, OPEN_DELAY * CDT_MS);
        status = 0;
    }
    if (vchan_request_path(path, listening->at->name, request->client, listening->at->port) == 0)
        store->ops->remove(store, path);
    if (status)
        report(listening, request->client, status, why);
}

/* ---- sweeping -------------------------------------------------------------------------------- */

static bool client_path(char path[VCHAN_PATH_MAX], const struct vchan_listening *listening,
                        const char *client)
{
    const int length = snprintf(path, VCHAN_PATH_MAX, "%s/%s", listening->claim.name->path, client);
    return vchan_name_valid(client) && length < VCHAN_PATH_MAX;
}

static int any(void *arg, const char *name)
{
    (void)arg, (void)name;
    return 1;
}

/* Keeps the name of a client that asks for nothing. */
static int find_empty(void *arg, const char *client)
{
    struct vchan_listening *listening = arg;
    struct vchan_store *store = listening->store;
    char *name = listening->batch[listening->count].client, path[VCHAN_PATH_MAX];
    if (++listening->looked > NAMES_MAX)
        return 1;
    if (!client_path(path, listening, client) || store->ops->list(store, path, any, NULL) == 1)
        return 0;
    snprintf(name, sizeof listening->batch->client, "%s", client);
    return ++listening->count == VCHAN_BATCH;
}

/* Where many names were left behind, those go that have nothing below them. A request that comes
 * between the look and the removal is lost, and made again: so it is not done for a few. */
static void sweep(struct vchan_listening *listening)
{
    struct vchan_store *store = listening->store;
    char path[VCHAN_PATH_MAX];
    listening->count = listening->looked = 0;
    store->ops->list(store, listening->claim.name->path, find_empty, listening);
    for (unsigned i = 0; i < listening->count; i++) {
        if (client_path(path, listening, listening->batch[i].client))
            store->ops->remove(store, path);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Each of those that wait once. */
static void on_again(struct cdt_timer *timer)
{
    struct vchan_listening *listening = cdt_container_of(timer, struct vchan_listening, again);
    struct cdt_server *server = listening->server;
    for (unsigned i = listening->ports; i > 0 && !list_empty(&listening->opening); i--) {
        const char *why = NULL;
        const int status = vchan_open_again(listening, &why);
        if (status && status != -EINPROGRESS)
            report(listening, "a domain", status, why);
        if (server->stopping)
            return;
    }
    if (!list_empty(&listening->opening))
        cdt_timer_set(listening->store->reactor, timer, OPEN_DELAY * CDT_MS);
}

/* 0; -EADDRINUSE: somebody else has registered the name; another code. One that was removed is put
 * back. */
static int keep_name(struct vchan_listening *listening)
{
    struct vchan_store *store = listening->store;
    const char *path = listening->claim.name->path;
    char text[16], wanted[16];
    snprintf(wanted, sizeof wanted, "%d", store->ops->domid(store));
    const int length = store->ops->read(store, path, text, sizeof text);
    if (length > 0 && strcmp(text, wanted) == 0)
        return 0;
    if (length == 0 || length == -ENOENT)
        return store->ops->write(store, path, wanted);
    if (length < 0 && length != -E2BIG)
        return length;
    if (is_due(listening))
        reactor_log(store->reactor, CDT_LOG_WARNING, "another server has taken over the name %s",
                    listening->at->name);
    return -EADDRINUSE;
}

/* Keeps what is to be answered: 0 or more, or a code as of keep_name(). */
static int read_requests(struct vchan_listening *listening)
{
    struct vchan_store *store = listening->store;
    const int status = keep_name(listening);
    listening->count = listening->looked = 0;
    return status ? status
                  : store->ops->list(store, listening->claim.name->path, read_one, listening);
}

static void report_unread(struct vchan_listening *listening, int status)
{
    char text[VCHAN_NAME_MAX + 160];
    if (!is_due(listening))
        return;
    snprintf(text, sizeof text, "the requests to %s cannot be read: %s", listening->at->name,
             cdt_strerror(status));
    tell(listening, status, text);
}

static void look(struct vchan_listening *listening)
{
    struct cdt_server *server = listening->server;
    const int status = read_requests(listening);
    if (status == -EADDRINUSE || status == -ENOENT) /* a change will tell */
        return;
    if (status < 0) {
        cdt_timer_set(listening->store->reactor, &listening->later, LOOK_DELAY * CDT_MS);
        report_unread(listening, status);
        return;
    }
    const unsigned count = listening->count;
    for (unsigned i = 0; i < count; i++) {
        answer(listening, &listening->batch[i]);
        if (server->stopping) /* by on_error: the listener is gone */
            return;
    }
    if (listening->looked > NAMES_MANY)
        sweep(listening);
    if (count == VCHAN_BATCH)
        cdt_defer(listening->store->reactor, &listening->more);
}

static void on_change(struct vchan_watch *watch)
{
    look(cdt_container_of(watch, struct vchan_listening, watch));
}

static void on_more(struct cdt_deferred *deferred)
{
    look(cdt_container_of(deferred, struct vchan_listening, more));
}

static void on_later(struct cdt_timer *timer)
{
    look(cdt_container_of(timer, struct vchan_listening, later));
}

/* ---- beginning and ending -------------------------------------------------------------------- */

int vchan_requests_begin(struct vchan_listening *listening, const char **why)
{
    listening->more.fn = on_more;
    listening->again.fn = on_again;
    listening->later.fn = on_later;
    listening->claim.port = listening->at->port;
    listening->batch = mem_alloc(VCHAN_BATCH * sizeof *listening->batch);
    if (!listening->batch)
        return -ENOMEM;
    const int status =
        vchan_name_claim(listening->store, listening->at->name, &listening->claim, why);
    if (status)
        return status;
    return vchan_watch_begin(listening->store, &listening->watch, listening->claim.name->path,
                             on_change);
}

void vchan_requests_end(struct vchan_listening *listening)
{
    vchan_watch_end(&listening->watch);
    cdt_defer_cancel(&listening->more);
    cdt_timer_cancel(&listening->again);
    cdt_timer_cancel(&listening->later);
    vchan_name_release(&listening->claim);
    mem_free(listening->batch);
}
