/* From a domain or a name to a vchan. By domain id: attach, and again on each change of the place,
 * until a server is there. By name, in the tree of the original conduit:
 *
 *   1. wait for /conduit/NAME, the domain id of the server
 *   2. write the request /conduit/NAME/OURS/PORT, our own domain id; the original server does not
 *      look at that, but at /conduit/OURS, which it must find
 *   3. wait until the server has taken it away: its port is open then, or will be soon
 *   4. attach as by domain id
 *
 * Whoever gives up takes back the request that he has written. Another one of ours, that waits
 * behind the same request, may lose it by that, or by a server that removes more than it has read:
 * so a request that has come to nothing is made again after a while. Each step begins with the
 * name, which may have got another owner. */
#include <stdio.h>
#include <string.h>

#include "vchan/internal.h"

enum { AGAIN_FIRST = 250, AGAIN_MAX = 2000 }; /* ms until a request is made again */

/* What is waited for. */
enum stage { STAGE_NAME, STAGE_REQUEST, STAGE_SERVER };

struct vchan_connecting {
    struct vchan_attempt attempt;
    enum stage stage;
    bool by_name;
    bool requested; /* our request is there, as far as we know */
    bool attaching; /* the attempt goes on */
    bool changed;   /* the place has changed since it began */
    struct vchan_watch watch;
    struct cdt_deferred step;
    struct cdt_timer again;
    uint64_t delay; /* ms */
    char name[VCHAN_NAME_MAX];
    char name_path[VCHAN_PATH_MAX], request_path[VCHAN_PATH_MAX];
    void (*done)(void *arg, int status, struct vchan *vchan, const char *why);
    void *arg;
    char text[VCHAN_PATH_MAX + VCHAN_NAME_MAX + 96];
};

/* ---- the end --------------------------------------------------------------------------------- */

static void take_back(struct vchan_connecting *connecting)
{
    struct vchan_store *store = connecting->attempt.store;
    if (connecting->requested)
        store->ops->remove(store, connecting->request_path);
    connecting->requested = false;
}

void vchan_connecting_cancel(struct vchan_connecting *connecting)
{
    struct vchan_attempt *attempt = &connecting->attempt;
    vchan_watch_end(&connecting->watch);
    cdt_timer_cancel(&connecting->again);
    cdt_defer_cancel(&connecting->step);
    if (connecting->attaching)
        vchan_backend(attempt->settings.backend)->cancel(attempt);
    take_back(connecting);
    vchan_store_put(attempt->store);
    mem_free(connecting);
}

/* Nobody may touch it after this. */
static void finish(struct vchan_connecting *connecting, int status, const char *why)
{
    void (*done)(void *, int, struct vchan *, const char *) = connecting->done;
    void *arg = connecting->arg;
    struct vchan *vchan = status == 0 ? connecting->attempt.vchan : NULL;
    char text[sizeof connecting->text];
    snprintf(text, sizeof text, "%s", why ? why : "");
    vchan_connecting_cancel(connecting);
    done(arg, status, vchan, *text ? text : NULL);
}

/* "/conduit/vm1 cannot be read: permission denied". */
static void fail_at(struct vchan_connecting *connecting, int status, const char *path,
                    const char *what)
{
    snprintf(connecting->text, sizeof connecting->text, "%s %s: %s", path, what,
             cdt_strerror(status));
    finish(connecting, status, connecting->text);
}

const char *vchan_connecting_tells(struct vchan_connecting *connecting)
{
    const struct vchan_attempt *attempt = &connecting->attempt;
    char *text = connecting->text;
    if (connecting->stage == STAGE_NAME)
        snprintf(text, sizeof connecting->text, "no server has registered the name %s",
                 connecting->name);
    else if (connecting->stage == STAGE_REQUEST)
        snprintf(text, sizeof connecting->text, "domain %u has not taken the request %s",
                 attempt->domid, connecting->request_path);
    else
        snprintf(text, sizeof connecting->text, "%s %s",
                 connecting->attaching ? "no answer at" : "no server has appeared at",
                 attempt->path);
    return text;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void advance(struct vchan_connecting *connecting);

static void on_change(struct vchan_watch *watch)
{
    struct vchan_connecting *connecting = cdt_container_of(watch, struct vchan_connecting, watch);
    connecting->changed = true;
    if (!connecting->attaching)
        advance(connecting);
}

/* Advances when something changes there. The watch tells once for what is there when it begins. */
static void await(struct vchan_connecting *connecting, const char *path)
{
    struct vchan_watch *watch = &connecting->watch;
    if (watch->store && strcmp(watch->path, path) == 0)
        return;
    const int status = vchan_watch_begin(connecting->attempt.store, watch, path, on_change);
    if (status)
        fail_at(connecting, status, path, "cannot be watched");
}

static void again_later(struct vchan_connecting *connecting)
{
    if (!connecting->by_name || cdt_timer_is_set(&connecting->again))
        return;
    cdt_timer_set(connecting->attempt.reactor, &connecting->again, connecting->delay * CDT_MS);
    connecting->delay = connecting->delay < AGAIN_MAX / 2 ? connecting->delay * 2 : AGAIN_MAX;
}

static void on_again(struct cdt_timer *timer)
{
    struct vchan_connecting *connecting = cdt_container_of(timer, struct vchan_connecting, again);
    if (connecting->attaching) /* what becomes of it sets the timer again */
        return;
    if (connecting->stage == STAGE_SERVER)
        connecting->stage = STAGE_REQUEST;
    advance(connecting);
}

/* ---- attaching ------------------------------------------------------------------------------- */

static void attached(struct vchan_connecting *connecting, int status)
{
    connecting->attaching = status == -EINPROGRESS;
    if (connecting->attaching)
        return;
    if (status != -ENOENT) {
        finish(connecting, status, connecting->attempt.why);
        return;
    }
    if (connecting->changed)
        cdt_defer(connecting->attempt.reactor, &connecting->step);
    again_later(connecting);
    await(connecting, connecting->attempt.path);
}

void vchan_attempt_done(struct vchan_attempt *attempt, int status)
{
    attached(cdt_container_of(attempt, struct vchan_connecting, attempt), status);
}

static void attach(struct vchan_connecting *connecting)
{
    struct vchan_attempt *attempt = &connecting->attempt;
    connecting->stage = STAGE_SERVER;
    connecting->changed = false;
    attempt->why = NULL;
    attached(connecting, vchan_backend(attempt->settings.backend)->attach(attempt));
}

/* ---- by name --------------------------------------------------------------------------------- */

static int read_text(const struct vchan_connecting *connecting, const char *path, char *text,
                     size_t size)
{
    struct vchan_store *store = connecting->attempt.store;
    const int length = store->ops->read(store, path, text, size);
    return length == 0 ? -ENOENT : length; /* a node that only has others below it */
}

/* The server's domain id: 0; -ENOENT: nobody has the name; another code. */
static int read_owner(const struct vchan_connecting *connecting, unsigned *domid)
{
    char text[16];
    const int length = read_text(connecting, connecting->name_path, text, sizeof text);
    if (length == -E2BIG || (length > 0 && vchan_domid_read(text, domid) != 0))
        return -EPROTO;
    return length < 0 ? length : 0;
}

/* Whether another domain has our name: it is left to it. */
static bool is_taken(struct vchan_store *store, const char *path, unsigned domid)
{
    char text[16];
    unsigned owner;
    return store->ops->read(store, path, text, sizeof text) > 0 &&
           vchan_domid_read(text, &owner) == 0 && owner != domid;
}

/* Our name, for servers of the original: there are none on local. Others go without, so it does no
 * harm if it cannot be. */
static void register_ours(const struct vchan_connecting *connecting, unsigned domid)
{
    const struct vchan_settings *settings = &connecting->attempt.settings;
    struct vchan_store *store = connecting->attempt.store;
    char path[VCHAN_PATH_MAX], text[16];
    if (settings->backend != CDT_VCHAN_XEN || vchan_name_path(path, settings->name) != 0 ||
        is_taken(store, path, domid))
        return;
    snprintf(text, sizeof text, "%u", domid);
    store->ops->write(store, path, text);
}

static int write_request(const struct vchan_connecting *connecting)
{
    struct vchan_store *store = connecting->attempt.store;
    char text[16];
    const int domid = store->ops->domid(store);
    if (domid < 0)
        return domid;
    register_ours(connecting, (unsigned)domid);
    snprintf(text, sizeof text, "%d", domid);
    return store->ops->write(store, connecting->request_path, text);
}

static void request(struct vchan_connecting *connecting)
{
    char text[16];
    again_later(connecting);
    if (!connecting->requested) {
        const int status = write_request(connecting);
        if (status == -ENOENT) /* the name is being removed */
            return;
        if (status) {
            fail_at(connecting, status, connecting->request_path, "cannot be written");
            return;
        }
        connecting->requested = true;
    } else if (read_text(connecting, connecting->request_path, text, sizeof text) == -ENOENT) {
        connecting->requested = false;
        attach(connecting);
        return;
    }
    await(connecting, connecting->request_path);
}

static int prepare(struct vchan_connecting *connecting, unsigned server)
{
    struct vchan_attempt *attempt = &connecting->attempt;
    const int domid = attempt->store->ops->domid(attempt->store);
    if (domid < 0)
        return domid;
    attempt->domid = server;
    return vchan_place(attempt->path, server, (unsigned)domid, attempt->port);
}

static void advance_by_name(struct vchan_connecting *connecting)
{
    unsigned owner = 0;
    int status = read_owner(connecting, &owner);
    if (status == -ENOENT) { /* with a name its requests go; ours may have come after that */
        connecting->stage = STAGE_NAME;
        take_back(connecting);
        await(connecting, connecting->name_path);
        return;
    }
    if (status == 0 && (connecting->stage == STAGE_NAME || owner != connecting->attempt.domid)) {
        connecting->stage = STAGE_REQUEST;
        connecting->delay = AGAIN_FIRST;
        status = prepare(connecting, owner);
    }
    if (status)
        fail_at(connecting, status, connecting->name_path,
                status == -EPROTO ? "is no domain id" : "cannot be read");
    else if (connecting->stage == STAGE_REQUEST)
        request(connecting);
    else
        attach(connecting);
}

/* ---- running --------------------------------------------------------------------------------- */

static void advance(struct vchan_connecting *connecting)
{
    if (connecting->by_name)
        advance_by_name(connecting);
    else
        attach(connecting);
}

static int open_store(struct vchan_connecting *connecting)
{
    struct vchan_attempt *attempt = &connecting->attempt;
    struct vchan_store *store;
    const int status = vchan_store_get(attempt->reactor, &attempt->settings, &store);
    if (status)
        return status;
    attempt->store = store;
    return connecting->by_name ? 0 : prepare(connecting, attempt->domid);
}

static void on_step(struct cdt_deferred *deferred)
{
    struct vchan_connecting *connecting = cdt_container_of(deferred, struct vchan_connecting, step);
    const int status = connecting->attempt.store ? 0 : open_store(connecting);
    if (status) {
        vchan_store_tell(&connecting->attempt.settings, status, connecting->text,
                         sizeof connecting->text);
        finish(connecting, status, connecting->text);
    } else if (!connecting->attaching) {
        advance(connecting);
    }
}

static int begin(struct vchan_connecting *connecting, const char *name, const char *port)
{
    snprintf(connecting->attempt.port, sizeof connecting->attempt.port, "%s", port);
    connecting->stage = name ? STAGE_NAME : STAGE_SERVER;
    connecting->by_name = name;
    if (!name)
        return 0;
    snprintf(connecting->name, sizeof connecting->name, "%s", name);
    const int status = vchan_name_path(connecting->name_path, name);
    return status ? status
                  : vchan_request_path(connecting->request_path, name,
                                       connecting->attempt.settings.name, port);
}

int vchan_connecting_start(struct cdt_reactor *reactor, const struct vchan_settings *settings,
                           unsigned domid, const char *name, const char *port,
                           void (*done)(void *arg, int status, struct vchan *vchan,
                                        const char *why),
                           void *arg, struct vchan_connecting **result, const char **why)
{
    *why = vchan_wrong_place(domid, name, port);
    if (*why)
        return -EINVAL;
    struct vchan_connecting *connecting = mem_zalloc(sizeof *connecting);
    if (!connecting)
        return -ENOMEM;
    connecting->attempt.settings = *settings;
    connecting->attempt.reactor = reactor;
    connecting->attempt.domid = domid;
    connecting->delay = AGAIN_FIRST;
    connecting->step.fn = on_step;
    connecting->again.fn = on_again;
    connecting->done = done;
    connecting->arg = arg;
    const int status = begin(connecting, name, port);
    if (status) {
        mem_free(connecting);
        *why = "the path of the request is too long";
        return -EINVAL;
    }
    vchan_settings_warn(reactor);
    cdt_defer(reactor, &connecting->step);
    *result = connecting;
    return 0;
}
